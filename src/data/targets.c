/* SPDX-License-Identifier: MIT */
/* Data sets whose samples have targets, numbers, instead of a class. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/size.h"
#include "data/dataset.h"

bool stoa_target_fits(stoa_task task, float target) {
    return task == STOA_TASK_MULTILABEL ? target == 0.0F || target == 1.0F : isfinite(target);
}

stoa_task stoa_dataset_task(const stoa_dataset *dataset) {
    return dataset->store->target_count > 0 ? dataset->store->task : STOA_TASK_CLASSES;
}

size_t stoa_dataset_targets(const stoa_dataset *dataset) {
    return dataset->store->target_count;
}

const char *stoa_dataset_target_name(const stoa_dataset *dataset, size_t target) {
    const struct stoa_store *store = dataset->store;
    return store->target_names && target < store->target_count ? store->target_names[target] : NULL;
}

/* ---- over the caller's arrays ---- */

static stoa_status check_targets(stoa_context *context, const float *targets, stoa_task task, size_t count,
                                 size_t target_count) {
    size_t all;
    if (task != STOA_TASK_REGRESSION && task != STOA_TASK_MULTILABEL) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "data set: a task of classes, expected one of targets");
    }
    if (!targets || target_count == 0 || target_count > STOA_MAX_DIMENSION ||
        !stoa_size_mul(count, target_count, &all)) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "data set: %zu targets%s, expected 1 to %zu",
                         target_count, targets ? "" : " in an array that is NULL", STOA_MAX_DIMENSION);
    }
    for (size_t i = 0; i < all; i++) {
        if (!stoa_target_fits(task, targets[i])) {
            return stoa_fail(context, STOA_ERR_ARGUMENT,
                             "data set: target %zu of sample %zu is %g, expected %s", i % target_count,
                             i / target_count, (double)targets[i],
                             task == STOA_TASK_MULTILABEL ? "0 or 1" : "a finite number");
        }
    }
    return STOA_OK;
}

stoa_status stoa_dataset_from_targets(stoa_context *context, const float *samples, const float *targets,
                                      stoa_task task, size_t count, size_t height, size_t width,
                                      size_t channels, size_t target_count, stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    stoa_dataset *made = NULL;
    stoa_status status = check_targets(context, targets, task, count, target_count);
    int32_t *labels = status == STOA_OK ? calloc(stoa_max(1, count), sizeof *labels) : NULL;
    if (status == STOA_OK && !labels) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "data set: no memory for %zu samples", count);
    }
    if (status == STOA_OK) {
        status = stoa_dataset_from_arrays(context, samples, labels, count, height, width, channels, 1, &made);
    }
    free(labels);
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_store *store = made->store;
    store->classes = 0;
    store->labels = NULL;
    store->task = task;
    store->targets = targets;
    store->target_count = target_count;
    *dataset = made;
    return STOA_OK;
}

/* ---- scales ---- */

void stoa_dataset_measure_targets(const stoa_dataset *dataset, float *mean, float *deviation) {
    STOA_FLOAT_STATE();
    const struct stoa_store *store = dataset->store;
    size_t targets = store->target_count;
    for (size_t t = 0; t < targets; t++) {
        /* Distances from the first, so that their squares cancel nothing away. */
        double shift = (double)store->targets[(dataset->select ? dataset->select[0] : 0) * targets + t];
        double sum = 0, squares = 0, count = (double)dataset->count;
        for (size_t i = 0; i < dataset->count; i++) {
            size_t at = dataset->select ? dataset->select[i] : i;
            double distance = (double)store->targets[at * targets + t] - shift;
            sum += distance;
            squares += distance * distance;
        }
        double variance = squares / count - sum / count * (sum / count);
        mean[t] = (float)(shift + sum / count);
        deviation[t] = variance > 0 ? (float)sqrt(variance) : 1.0F;
        if (!isfinite(1.0F / deviation[t]) || !isfinite(mean[t] / deviation[t])) {
            deviation[t] = 1.0F;
        }
    }
}

stoa_status stoa_dataset_normalize_targets(stoa_dataset *dataset, const float *mean, const float *deviation) {
    STOA_FLOAT_STATE();
    size_t targets = dataset->store->target_count;
    if (stoa_dataset_task(dataset) != STOA_TASK_REGRESSION) {
        return stoa_fail(
            dataset->context, STOA_ERR_ARGUMENT,
            "data set: targets that are labels, or classes, expected a task of regression to scale");
    }
    for (size_t t = 0; t < targets; t++) {
        if (!isfinite(mean[t]) || !isfinite(deviation[t]) || !(deviation[t] > 0) ||
            !isfinite(1.0F / deviation[t])) {
            return stoa_fail(dataset->context, STOA_ERR_ARGUMENT,
                             "data set: target %zu: mean %g and deviation %g, expected finite numbers, the "
                             "deviation above 0",
                             t, (double)mean[t], (double)deviation[t]);
        }
    }
    float *pairs = calloc(targets, 2 * sizeof *pairs);
    if (!pairs) {
        return stoa_fail(dataset->context, STOA_ERR_MEMORY, "data set: no memory for %zu targets", targets);
    }
    memcpy(pairs, mean, targets * sizeof *pairs);
    memcpy(pairs + targets, deviation, targets * sizeof *pairs);
    free(dataset->by_target);
    dataset->by_target = pairs;
    return STOA_OK;
}

void stoa_dataset_read_targets(const stoa_dataset *dataset, const size_t *index, size_t first, size_t samples,
                               float *targets) {
    STOA_FLOAT_STATE();
    const struct stoa_store *store = dataset->store;
    size_t count = store->target_count;
    const float *scale = dataset->by_target;
    for (size_t i = 0; i < samples; i++) {
        size_t at = index ? index[i] : first + i;
        assert(at < dataset->count);
        at = dataset->select ? dataset->select[at] : at;
        for (size_t t = 0; t < count; t++) {
            float target = store->targets[at * count + t];
            targets[i * count + t] = scale ? (target - scale[t]) / scale[count + t] : target;
        }
    }
}
