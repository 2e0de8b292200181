/* SPDX-License-Identifier: MIT */
/* What the fuzz targets of data readers share: a context whose memory is bounded, and reading a data set
 * whole. */
#ifndef STOA_TESTS_FUZZ_BOUNDED_H
#define STOA_TESTS_FUZZ_BOUNDED_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <stoa/data.h>

/* No input of a fuzzer's size is worth more than this; a reader that asks for more trusts the header. */
static inline void *bounded_allocate(void *user, size_t bytes, size_t alignment) {
    const size_t *most = user;
    if (bytes > *most) {
        abort();
    }
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static inline void bounded_release(void *user, void *memory, size_t bytes) {
    (void)user;
    (void)bytes;
    free(memory);
}

/* A context that ends the program when more than `*most` bytes are asked for at once; NULL without memory. */
static inline stoa_context *bounded_context(size_t *most) {
    const stoa_context_options options = {.threads = 1,
                                          .allocator = {bounded_allocate, bounded_release, most}};
    stoa_context *context = NULL;
    /* The context's own memory follows from no input. */
    const size_t bound = *most;
    *most = SIZE_MAX;
    stoa_status status = stoa_context_create(&options, &context);
    *most = bound;
    return status == STOA_OK ? context : NULL;
}

/* Read every sample; each label must be one of the classes, values and targets are finite. Releases the data
 * set. */
static inline void bounded_read(stoa_dataset *dataset) {
    size_t height = 0, width = 0, channels = 0;
    stoa_dataset_shape(dataset, &height, &width, &channels);
    size_t count = stoa_dataset_count(dataset);
    float *out = malloc(count * height * width * channels * sizeof *out);
    int32_t *labels = malloc(count * sizeof *labels);
    size_t targets = stoa_dataset_targets(dataset);
    float *target = malloc((count * targets + 1) * sizeof *target);
    if (target && targets > 0) {
        stoa_dataset_read_targets(dataset, NULL, 0, count, target);
        for (size_t i = 0; i < count * targets; i++) {
            if (!isfinite(target[i])) {
                abort();
            }
        }
    }
    if (out && labels) {
        stoa_dataset_read(dataset, NULL, 0, count, out, labels);
        for (size_t i = 0; i < count; i++) {
            if (labels[i] < 0 || (targets == 0 && (size_t)labels[i] >= stoa_dataset_classes(dataset))) {
                abort();
            }
        }
    }
    for (size_t i = 0; out && i < count * height * width * channels; i++) {
        if (!isfinite(out[i])) {
            abort();
        }
    }
    free(target);
    free(labels);
    free(out);
    stoa_dataset_free(dataset);
}

#endif
