/* SPDX-License-Identifier: MIT */
/* Fuzz target of the IDX reader: the input is taken as images and as labels, and what is accepted is read
 * whole. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <stoa/data.h>

#include "bounded.h"
#include "data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    size_t most = 1032 * (bytes + 1);
    stoa_context *context = bounded_context(&most);
    if (!context) {
        return 0;
    }
    struct stoa_idx idx;
    for (size_t rank = 1; rank <= STOA_IDX_MAX_RANK; rank++) {
        if (stoa_idx_parse(context, "input", data, bytes, rank, NULL, &idx) == STOA_OK) {
            stoa_idx_release(context, &idx);
        }
    }
    /* The first byte divides the rest into images and labels. */
    if (bytes > 0) {
        stoa_dataset *dataset = NULL;
        size_t split = 1 + data[0] * (bytes - 1) / 255;
        if (stoa_dataset_from_idx_memory(context, data + 1, split - 1, data + split, bytes - split, 10,
                                         &dataset) == STOA_OK) {
            bounded_read(dataset);
        }
    }
    stoa_context_free(context);
    return 0;
}
