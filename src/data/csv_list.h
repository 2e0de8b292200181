/* SPDX-License-Identifier: MIT */
/* Lists of columns as options have them: names or numbers with commas between, in quotes where they need
 * them. */
#ifndef STOA_DATA_CSV_LIST_H
#define STOA_DATA_CSV_LIST_H

#include "core/context.h"
#include "data/folder.h"

/* Read the list `text` of the option `key` for the table `name`; NULL is an empty one. It is empty before,
 * and to be released with stoa_names_clear(), on an error too: STOA_ERR_ARGUMENT, STOA_ERR_MEMORY. */
stoa_status stoa_csv_list(stoa_context *context, const char *name, const char *key, const char *text,
                          struct stoa_names *list);

/* Such a list of names, from malloc; NULL without memory. */
char *stoa_csv_list_text(const char *const *names, size_t count);

#endif
