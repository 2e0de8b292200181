/* SPDX-License-Identifier: MIT */
/* Data sets from the text of a table. */
#ifndef STOA_TESTS_DATA_CSV_TEXT_H
#define STOA_TESTS_DATA_CSV_TEXT_H

#include <stdlib.h>
#include <stoa/data.h>
#include <string.h>

#include "../base/cmocka_prelude.h"

/* In a block of its own size, so that a sanitizer sees any step past its end. */
static inline stoa_status read_csv_text(stoa_context *context, const char *text,
                                        const stoa_data_options *options, stoa_dataset **dataset) {
    size_t bytes = strlen(text);
    char *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    stoa_status status = stoa_dataset_from_csv_memory(context, "t", copy, bytes, options, dataset);
    free(copy);
    return status;
}

#endif
