/* Fuzz target of the IDX reader: the input is taken as images and as labels, and what is accepted is read
 * whole. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <stoa/data.h>

#include "data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* No input of a fuzzer's size is worth more than this; a reader that asks for more trusts the header. */
static void *allocate(void *user, size_t bytes, size_t alignment) {
    const size_t *most = user;
    if (bytes > *most) {
        abort();
    }
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void release(void *user, void *memory, size_t bytes) {
    (void)user;
    (void)bytes;
    free(memory);
}

static void read_all(stoa_dataset *dataset) {
    size_t height = 0, width = 0, channels = 0;
    stoa_dataset_shape(dataset, &height, &width, &channels);
    size_t count = stoa_dataset_count(dataset);
    float *out = malloc(count * height * width * channels * sizeof *out);
    int32_t *labels = malloc(count * sizeof *labels);
    if (out && labels) {
        stoa_dataset_read(dataset, NULL, 0, count, out, labels);
    }
    free(labels);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    size_t most = 1032 * (bytes + 1);
    stoa_context_options options = {.threads = 1, .allocator = {allocate, release, &most}};
    stoa_context *context = NULL;
    if (stoa_context_create(&options, &context) != STOA_OK) {
        return 0;
    }
    struct stoa_idx idx;
    for (size_t rank = 1; rank <= STOA_IDX_MAX_RANK; rank++) {
        if (stoa_idx_parse(context, "input", data, bytes, rank, &idx) == STOA_OK) {
            stoa_idx_release(context, &idx);
        }
    }
    /* The first byte divides the rest into images and labels. */
    if (bytes > 0) {
        stoa_dataset *dataset = NULL;
        size_t split = 1 + data[0] * (bytes - 1) / 255;
        if (stoa_dataset_from_idx_memory(context, data + 1, split - 1, data + split, bytes - split, 10,
                                         &dataset) == STOA_OK) {
            read_all(dataset);
            stoa_dataset_free(dataset);
        }
    }
    stoa_context_free(context);
    return 0;
}
