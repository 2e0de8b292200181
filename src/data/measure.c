/* SPDX-License-Identifier: MIT */
/* What can be measured on a data set: its range, mean and deviation of its channels, the sizes of its
 * classes. */
#include <math.h>
#include <stdlib.h>

#include "base/float_state.h"
#include "base/size.h"
#include "data/dataset.h"

/* One sample, and for each channel shift, sum and sum of squares. */
struct moments {
    double *shift, *sum, *squares;
    float *sample;
    size_t values, channels;
};

/* Sums of the distances from the first value: their squares cancel nothing away, however far the values lie
 * from
 * 0. */
static void add_sample(struct moments *m, bool first) {
    for (size_t i = 0; i < m->values; i += m->channels) {
        for (size_t c = 0; c < m->channels; c++) {
            double value = (double)m->sample[i + c];
            if (first && i == 0) {
                m->shift[c] = value;
            }
            m->sum[c] += value - m->shift[c];
            m->squares[c] += (value - m->shift[c]) * (value - m->shift[c]);
        }
    }
}

static void finish(const struct moments *m, size_t samples, float *mean, float *deviation) {
    size_t pixels = m->values / m->channels;
    double count = (double)samples * (double)pixels;
    for (size_t c = 0; c < m->channels; c++) {
        double offset = m->sum[c] / count;
        double variance = m->squares[c] / count - offset * offset;
        mean[c] = (float)(m->shift[c] + offset);
        deviation[c] = variance > 0 ? (float)sqrt(variance) : 1.0F;
        /* So small that dividing by it would not stay finite: as good as constant. */
        if (!isfinite(1.0F / deviation[c]) || !isfinite(mean[c] / deviation[c])) {
            deviation[c] = 1.0F;
        }
    }
}

/* The same samples, not normalised; not to be released. */
static stoa_dataset plain_view(const stoa_dataset *dataset) {
    stoa_dataset plain = *dataset;
    plain.mean = 0;
    plain.deviation = 1;
    plain.by_channel = NULL;
    return plain;
}

stoa_status stoa_dataset_measure(const stoa_dataset *dataset, float *mean, float *deviation) {
    STOA_FLOAT_STATE();
    const struct stoa_store *store = dataset->store;
    stoa_dataset plain = plain_view(dataset);
    struct moments m = {.values = store->height * store->width * store->channels,
                        .channels = store->channels};
    m.sample = calloc(m.values, sizeof *m.sample);
    m.shift = calloc(3 * m.channels, sizeof *m.shift);
    if (!m.sample || !m.shift) {
        free(m.sample);
        free(m.shift);
        return stoa_fail(dataset->context, STOA_ERR_MEMORY, "data set: no memory to measure it");
    }
    m.sum = m.shift + m.channels;
    m.squares = m.sum + m.channels;
    for (size_t i = 0; i < dataset->count; i++) {
        int32_t label;
        stoa_dataset_read(&plain, NULL, i, 1, m.sample, &label);
        add_sample(&m, i == 0);
    }
    finish(&m, dataset->count, mean, deviation);
    free(m.sample);
    free(m.shift);
    return stoa_dataset_check(dataset);
}

bool stoa_dataset_is_pixels(const stoa_dataset *dataset) {
    return dataset->store->type == STOA_SAMPLE_U8 || dataset->store->pixels;
}

stoa_status stoa_dataset_range(const stoa_dataset *dataset, float *low, float *high) {
    const struct stoa_store *store = dataset->store;
    size_t values = store->height * store->width * store->channels;
    *low = 0;
    *high = 1;
    if (stoa_dataset_is_pixels(dataset)) {
        return STOA_OK;
    }
    stoa_dataset plain = plain_view(dataset);
    float *sample = calloc(values, sizeof *sample);
    if (!sample) {
        return stoa_fail(dataset->context, STOA_ERR_MEMORY, "data set: no memory to measure it");
    }
    for (size_t i = 0; i < dataset->count; i++) {
        int32_t label;
        stoa_dataset_read(&plain, NULL, i, 1, sample, &label);
        if (i == 0) {
            *low = *high = sample[0];
        }
        for (size_t j = 0; j < values; j++) {
            *low = sample[j] < *low ? sample[j] : *low;
            *high = sample[j] > *high ? sample[j] : *high;
        }
    }
    free(sample);
    return stoa_dataset_check(dataset);
}

void stoa_dataset_class_counts(const stoa_dataset *dataset, size_t *counts) {
    const struct stoa_store *store = dataset->store;
    for (size_t c = 0; c < store->classes; c++) {
        counts[c] = 0;
    }
    for (size_t i = 0; i < dataset->count && store->classes > 0; i++) {
        counts[store->labels[dataset->select ? dataset->select[i] : i]]++;
    }
}

stoa_status stoa_dataset_class_weights(const stoa_dataset *dataset, float *weights) {
    STOA_FLOAT_STATE();
    size_t classes = dataset->store->classes, largest = 0;
    if (classes == 0) {
        return stoa_fail(dataset->context, STOA_ERR_FORMAT,
                         "data set: has targets, expected classes, which weights are measured for");
    }
    size_t *counts = calloc(classes, sizeof *counts);
    if (!counts) {
        return stoa_fail(dataset->context, STOA_ERR_MEMORY, "data set: no memory for %zu classes", classes);
    }
    stoa_dataset_class_counts(dataset, counts);
    stoa_status status = STOA_OK;
    for (size_t c = 0; c < classes; c++) {
        largest = stoa_max(largest, counts[c]);
    }
    for (size_t c = 0; status == STOA_OK && c < classes; c++) {
        if (counts[c] == 0) {
            status = stoa_fail(dataset->context, STOA_ERR_FORMAT,
                               "data set: class %zu has no sample, so that no weight makes up for it", c);
        }
    }
    for (size_t c = 0; status == STOA_OK && c < classes; c++) {
        weights[c] = (float)((double)largest / (double)counts[c]);
    }
    free(counts);
    return status;
}
