/* SPDX-License-Identifier: MIT */
/* What is in a folder, all of it or an error: a folder that cannot be read to its end is never taken for a
 * smaller one. */
#ifndef STOA_DATA_FOLDER_H
#define STOA_DATA_FOLDER_H

#include <stdbool.h>

#include "core/context.h"

/* Names or paths, from malloc; all zero is an empty list. */
struct stoa_names {
    char **text;
    size_t count, room;
};

/* Takes over `text`; false without memory, or when it is NULL. */
bool stoa_names_add(struct stoa_names *names, char *text);
void stoa_names_clear(struct stoa_names *names);

/* List the names in a folder, in the order of their bytes, but not those of hidden files and of what systems
 * leave behind (Thumbs.db, __MACOSX and the like). The list is empty before, and stays so on an error:
 * STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_MEMORY. */
stoa_status stoa_folder_list(stoa_context *context, const char *folder, struct stoa_names *names);

/* Whether there is a folder at `path`, where something was listed. Errors: STOA_ERR_IO: it is gone, or cannot
 * be looked into. */
stoa_status stoa_folder_is(stoa_context *context, const char *path, bool *folder);

#endif
