/* SPDX-License-Identifier: MIT */
/* Fuzz target of NumPy's arrays: the input is taken as samples alone, and divided into samples and labels. */
#include "bounded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const stoa_data_options alone = {.unlabelled = true};
    size_t most = 8 * (bytes + 64); /* the file itself, and four bytes a label */
    stoa_context *context = bounded_context(&most);
    stoa_dataset *dataset = NULL;
    if (!context) {
        return 0;
    }
    if (stoa_dataset_from_npy_memory(context, data, bytes, NULL, 0, &alone, &dataset) == STOA_OK) {
        bounded_read(dataset);
    }
    /* The first byte divides the rest into samples and labels. */
    size_t split = bytes > 0 ? 1 + data[0] * (bytes - 1) / 255 : 0;
    if (bytes > 0 && stoa_dataset_from_npy_memory(context, data + 1, split - 1, data + split, bytes - split,
                                                  NULL, &dataset) == STOA_OK) {
        bounded_read(dataset);
    }
    stoa_context_free(context);
    return 0;
}
