/* SPDX-License-Identifier: MIT */
/* Fuzz target of tables: any bytes, read with every way to choose header, label, targets and kinds of
 * columns. What is refused names its
 * line. */
#include <string.h>

#include "bounded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void read_one(stoa_context *context, const void *data, size_t bytes,
                     const stoa_data_options *options) {
    stoa_dataset *dataset = NULL;
    stoa_status status = stoa_dataset_from_csv_memory(context, "t", data, bytes, options, &dataset);
    if (status == STOA_OK) {
        bounded_read(dataset);
    } else if (dataset || strncmp(stoa_context_error(context), "t:", 2) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const char *const names[] = {"a", "b"};
    static const stoa_column fitted[] = {{"a", STOA_COLUMN_CATEGORY, names, 2, 1},
                                         {"b", STOA_COLUMN_DATE, NULL, 0, 7}};
    static const stoa_data_options options[] = {
        {.classes = 0},
        {.classes = 2, .header = STOA_HEADER_NO},
        {.header = STOA_HEADER_YES, .label = "1"},
        {.label = "kind"},
        {.names = names, .name_count = 2, .classes = 2},
        {.unlabelled = true, .height = 1, .width = 1, .channels = 2},
        {.task = STOA_TASK_REGRESSION, .missing = STOA_MISSING_MEDIAN, .dates = "1", .ignore = "2"},
        {.task = STOA_TASK_MULTILABEL, .target = "a,2", .missing = STOA_MISSING_DROP},
        {.missing = STOA_MISSING_MOST_FREQUENT, .categories = "1", .only = "1,\"2\""},
        {.fitted = fitted, .fitted_count = 2, .unknown = STOA_UNKNOWN_ZERO, .missing = STOA_MISSING_MEAN},
    };
    /* A value takes two bytes of text at least and four of memory, a line's label four more; each of the
     * categories takes two bytes and gives every line a value. */
    size_t most = 8 * (bytes + 64) * (bytes / 2 + 1);
    stoa_context *context = bounded_context(&most);
    for (size_t i = 0; context && i < sizeof options / sizeof options[0]; i++) {
        read_one(context, data, bytes, &options[i]);
    }
    stoa_context_free(context);
    return 0;
}
