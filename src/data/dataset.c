/* SPDX-License-Identifier: MIT */
/* Data sets: views of stores. Samples stay as they lie in their file, MNIST's pixels as bytes, and become
 * floats when a batch is read: a quarter of the memory and of the traffic. The caller's own float arrays are
 * borrowed. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/size.h"
#include "data/dataset.h"
#include "data/disk.h"

stoa_status stoa_dataset_over(struct stoa_store *store, stoa_dataset **dataset) {
    stoa_dataset *made = calloc(1, sizeof *made);
    if (!made) {
        stoa_context *context = store->context;
        stoa_store_release(store);
        return stoa_fail(context, STOA_ERR_MEMORY, "data set: cannot allocate %zu bytes", sizeof *made);
    }
    made->context = store->context;
    made->store = store;
    made->count = store->count;
    made->deviation = 1;
    *dataset = made;
    return STOA_OK;
}

void stoa_dataset_free(stoa_dataset *dataset) {
    if (dataset) {
        stoa_store_release(dataset->store);
        free(dataset->select);
        free(dataset->by_channel);
        free(dataset->by_target);
        free(dataset);
    }
}

/* No object is larger than half of the address space. */
static bool sizes_fit(size_t count, size_t height, size_t width, size_t channels) {
    size_t total = sizeof(float);
    const size_t factors[] = {count, height, width, channels};
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        if (factors[i] == 0 || factors[i] > STOA_MAX_DIMENSION || !stoa_size_scale(&total, factors[i])) {
            return false;
        }
    }
    return total <= SIZE_MAX / 2;
}

static stoa_status check_arrays(stoa_context *context, const float *samples, const int32_t *labels,
                                size_t count, size_t classes) {
    if (!samples || !labels) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "data set: the array of %s is NULL",
                         samples ? "labels" : "samples");
    }
    stoa_status status = stoa_require_classes(context, classes);
    for (size_t i = 0; status == STOA_OK && i < count; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= classes) {
            status = stoa_fail(context, STOA_ERR_ARGUMENT, "data set: label %zu is %ld, expected 0 to %zu", i,
                               (long)labels[i], classes - 1);
        }
    }
    return status;
}

stoa_status stoa_dataset_from_arrays(stoa_context *context, const float *samples, const int32_t *labels,
                                     size_t count, size_t height, size_t width, size_t channels,
                                     size_t classes, stoa_dataset **dataset) {
    if (samples && labels && !sizes_fit(count, height, width, channels)) {
        return stoa_fail(
            context, STOA_ERR_ARGUMENT,
            "data set: sizes %zu x %zu x %zu x %zu, each expected from 1 to %zu, together in memory", count,
            height, width, channels, STOA_MAX_DIMENSION);
    }
    stoa_status status = check_arrays(context, samples, labels, count, classes);
    struct stoa_store *store = status == STOA_OK ? stoa_store_create(context, "arrays") : NULL;
    if (!store) {
        return context->error.status;
    }
    store->type = STOA_SAMPLE_F32;
    store->samples = samples;
    store->labels = labels;
    store->count = count;
    store->classes = classes;
    store->height = height;
    store->width = width;
    store->channels = channels;
    return stoa_dataset_over(store, dataset);
}

/* The quotients too: a tiny deviation would make every value infinite. */
static stoa_status check_scale(const stoa_dataset *dataset, float mean, float deviation) {
    if (!isfinite(mean) || !isfinite(deviation) || !(deviation > 0) || !isfinite(1.0F / deviation) ||
        !isfinite(mean / deviation)) {
        return stoa_fail(dataset->context, STOA_ERR_ARGUMENT,
                         "data set: mean %g and deviation %g, expected finite numbers, the deviation above 0",
                         (double)mean, (double)deviation);
    }
    return STOA_OK;
}

stoa_status stoa_dataset_normalize(stoa_dataset *dataset, float mean, float deviation) {
    STOA_FLOAT_STATE();
    stoa_status status = check_scale(dataset, mean, deviation);
    if (status == STOA_OK) {
        dataset->mean = mean;
        dataset->deviation = deviation;
        free(dataset->by_channel);
        dataset->by_channel = NULL;
    }
    return status;
}

stoa_status stoa_dataset_normalize_channels(stoa_dataset *dataset, const float *mean,
                                            const float *deviation) {
    STOA_FLOAT_STATE();
    size_t channels = dataset->store->channels;
    for (size_t i = 0; i < channels; i++) {
        stoa_status status = check_scale(dataset, mean[i], deviation[i]);
        if (status != STOA_OK) {
            return status;
        }
    }
    float *pairs = calloc(stoa_max(1, channels), 2 * sizeof *pairs);
    if (!pairs) {
        return stoa_fail(dataset->context, STOA_ERR_MEMORY, "data set: no memory for %zu channels", channels);
    }
    memcpy(pairs, mean, channels * sizeof *pairs);
    memcpy(pairs + channels, deviation, channels * sizeof *pairs);
    free(dataset->by_channel);
    dataset->by_channel = pairs;
    return STOA_OK;
}

stoa_status stoa_dataset_limit(stoa_dataset *dataset, size_t count) {
    if (count == 0 || count > dataset->count) {
        return stoa_fail(dataset->context, STOA_ERR_ARGUMENT,
                         "data set: a limit of %zu samples, expected 1 to %zu", count, dataset->count);
    }
    dataset->count = count;
    return STOA_OK;
}

size_t stoa_dataset_count(const stoa_dataset *dataset) {
    return dataset->count;
}

size_t stoa_dataset_classes(const stoa_dataset *dataset) {
    return dataset->store->classes;
}

const char *stoa_dataset_class_name(const stoa_dataset *dataset, size_t class_number) {
    const struct stoa_store *store = dataset->store;
    return store->names && class_number < store->classes ? store->names[class_number] : NULL;
}

const char *stoa_dataset_column_name(const stoa_dataset *dataset, size_t column) {
    const struct stoa_store *store = dataset->store;
    return column < store->columns_named ? store->column_names[column] : NULL;
}

const char *stoa_dataset_label_name(const stoa_dataset *dataset) {
    return dataset->store->label_name;
}

const char *stoa_dataset_format(const stoa_dataset *dataset) {
    return dataset->store->format;
}

const char *stoa_dataset_type(const stoa_dataset *dataset) {
    return stoa_sample_name(dataset->store->type);
}

void stoa_dataset_shape(const stoa_dataset *dataset, size_t *height, size_t *width, size_t *channels) {
    *height = dataset->store->height;
    *width = dataset->store->width;
    *channels = dataset->store->channels;
}

/* Values `first` to `first` + `count` - 1 of `values` as floats; bytes with their share of a normalisation
 * that is one for all. */
static void convert(const stoa_dataset *dataset, const void *values, size_t first, size_t count, float *out) {
    const struct stoa_store *store = dataset->store;
    if (store->type == STOA_SAMPLE_U8) {
        bool here = !dataset->by_channel;
        float scale = here ? (float)(1.0 / (255.0 * (double)dataset->deviation)) : 1.0F / 255.0F;
        float shift = here ? -dataset->mean / dataset->deviation : 0.0F;
        dataset->context->kernels->bytes_to_real((const uint8_t *)values + first, count, scale, shift, out);
    } else {
        stoa_values_read(store->type, store->swapped, values, first, count, out);
    }
}

/* Values of the store from `first` on; what cannot be read from its file is no number. */
static void read_piece(const stoa_dataset *dataset, size_t first, size_t count, float *out) {
    enum { PIECE_BYTES = 4096 };
    const struct stoa_store *store = dataset->store;
    if (!store->file) {
        convert(dataset, store->samples, first, count, out);
        return;
    }
    uint8_t piece[PIECE_BYTES];
    size_t bytes = stoa_sample_bytes(store->type);
    bool good = true;
    for (size_t done = 0; done < count;) {
        size_t some = stoa_min(PIECE_BYTES / bytes, count - done);
        good =
            good && stoa_disk_read(store->file, store->offset + (first + done) * bytes, some * bytes, piece);
        if (good) {
            convert(dataset, piece, 0, some, out + done);
        }
        for (size_t i = 0; !good && i < some; i++) {
            out[done + i] = NAN;
        }
        done += some;
    }
}

/* A sample that lies as rows x columns, from the value `first` on, into columns x rows. */
static void read_transposed(const stoa_dataset *dataset, size_t first, float *out) {
    enum { PIECE = 256 };
    const struct stoa_store *store = dataset->store;
    size_t rows = store->rows, columns = store->columns;
    float piece[PIECE];
    for (size_t row = 0; row < rows; row++) {
        for (size_t begin = 0; begin < columns; begin += PIECE) {
            size_t count = stoa_min(PIECE, columns - begin);
            read_piece(dataset, first + row * columns + begin, count, piece);
            for (size_t i = 0; i < count; i++) {
                out[(begin + i) * rows + row] = piece[i];
            }
        }
    }
}

/* `samples` neighbours of the store from `at` on, as floats. */
static void read_values(const stoa_dataset *dataset, size_t at, size_t samples, float *out) {
    const struct stoa_store *store = dataset->store;
    size_t channels = store->channels;
    size_t size = store->height * store->width * channels;
    size_t first = at * size, count = samples * size;
    if (store->rows > 0) {
        for (size_t i = 0; i < count; i += size) {
            read_transposed(dataset, first + i, out + i);
        }
    } else {
        read_piece(dataset, first, count, out);
    }
    const struct stoa_kernels *kernels = dataset->context->kernels;
    const float *by_channel = dataset->by_channel;
    if (by_channel) {
        kernels->normalize(out, count / channels, channels, by_channel, by_channel + channels);
    } else if (store->type != STOA_SAMPLE_U8 && (dataset->mean != 0.0F || dataset->deviation != 1.0F)) {
        kernels->normalize(out, count, 1, &dataset->mean, &dataset->deviation);
    }
}

stoa_status stoa_store_check(const struct stoa_store *store, stoa_context *context) {
    return store->file ? stoa_disk_check(store->file, context) : STOA_OK;
}

stoa_status stoa_dataset_check(const stoa_dataset *dataset) {
    return stoa_store_check(dataset->store, dataset->context);
}

void stoa_dataset_zero(const stoa_dataset *dataset, float *out) {
    size_t channels = dataset->store->channels;
    const float *mean = dataset->by_channel;
    for (size_t c = 0; c < channels; c++) {
        out[c] = mean ? -mean[c] / mean[channels + c] : -dataset->mean / dataset->deviation;
    }
}

void stoa_dataset_read(const stoa_dataset *dataset, const size_t *index, size_t first, size_t samples,
                       float *out, int32_t *labels) {
    STOA_FLOAT_STATE();
    const struct stoa_store *store = dataset->store;
    size_t size = store->height * store->width * store->channels;
    if (!index && !dataset->select) {
        assert(first <= dataset->count && samples <= dataset->count - first);
        read_values(dataset, first, samples, out);
        if (samples > 0 && store->labels) {
            memcpy(labels, store->labels + first, samples * sizeof *labels);
        }
        for (size_t i = 0; i < samples && !store->labels; i++) {
            labels[i] = 0;
        }
        return;
    }
    for (size_t i = 0; i < samples; i++) {
        size_t at = index ? index[i] : first + i;
        assert(at < dataset->count);
        at = dataset->select ? dataset->select[at] : at;
        read_values(dataset, at, 1, out + i * size);
        labels[i] = store->labels ? store->labels[at] : 0;
    }
}
