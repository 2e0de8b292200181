/* SPDX-License-Identifier: MIT */
/* Validation: the split, early stopping, the best model. */
#include "train/validation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/random.h"
#include "base/size.h"
#include "data/dataset.h"
#include "model/graph.h"

/* What the split is made from: how many samples of each class are still to be held out. */
struct quotas {
    size_t *left; /* a class; one for all samples where classes do not matter */
    size_t classes;
    int32_t *label; /* a sample; NULL where classes do not matter */
};

/* Labels come with their samples, so those are read too, a few at a time. */
static bool read_labels(const stoa_dataset *data, struct quotas *q) {
    enum { AT_ONCE = 64 };
    size_t height;
    size_t width;
    size_t channels;
    stoa_dataset_shape(data, &height, &width, &channels);
    size_t count = stoa_dataset_count(data);
    q->label = malloc(count * sizeof *q->label);
    float *samples = malloc(height * width * channels * AT_ONCE * sizeof *samples);
    for (size_t i = 0; q->label && samples && i < count; i += AT_ONCE) {
        stoa_dataset_read(data, NULL, i, stoa_min(AT_ONCE, count - i), samples, q->label + i);
    }
    free(samples);
    return q->label && samples;
}

static bool open_quotas(const stoa_dataset *data, const struct stoa_train_settings *settings,
                        struct quotas *q) {
    size_t count = stoa_dataset_count(data);
    q->classes = settings->options.stratified ? stoa_dataset_classes(data) : 1;
    q->left = calloc(q->classes, sizeof *q->left);
    if (!q->left || (settings->options.stratified && !read_labels(data, q))) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        q->left[q->label ? q->label[i] : 0]++;
    }
    for (size_t c = 0; c < q->classes; c++) {
        q->left[c] = (size_t)(floor((double)settings->options.validation * (double)q->left[c] + 0.5));
    }
    if (!settings->options.stratified) {
        q->left[0] = stoa_max(1, q->left[0]);
    }
    return true;
}

/* Shuffle, hold the first of every class out, and bring both sides back into their order. */
static bool divide(const stoa_dataset *data, uint64_t seed, const struct quotas *q,
                   struct stoa_split_order *split) {
    size_t count = stoa_dataset_count(data);
    size_t *order = malloc(count * sizeof *order);
    bool *held = calloc(count, sizeof *held);
    split->index = malloc(count * sizeof *split->index);
    bool good = order && held && split->index;
    for (size_t i = 0; good && i < count; i++) {
        order[i] = i;
    }
    if (good) {
        stoa_random_shuffle(seed, stoa_random_stream_id(STOA_RANDOM_VALIDATION, 0), order, count);
    }
    for (size_t i = 0; good && i < count; i++) {
        size_t *left = &q->left[q->label ? q->label[order[i]] : 0];
        held[order[i]] = *left > 0;
        split->validation += *left > 0;
        *left -= *left > 0;
    }
    size_t validation = count - split->validation;
    for (size_t i = 0; good && i < count; i++) {
        split->index[held[i] ? validation++ : split->training++] = i;
    }
    free(order);
    free(held);
    return good;
}

static stoa_status check_sides(stoa_context *context, const struct stoa_train_settings *settings,
                               const struct stoa_split_order *split) {
    char share[32];
    stoa_format_float(settings->options.validation, share);
    if (split->training > 0 && split->validation > 0) {
        return STOA_OK;
    }
    return stoa_fail(context, STOA_ERR_ARGUMENT,
                     "validation: %s of %zu samples leaves %zu to train with and %zu to validate with", share,
                     split->training + split->validation, split->training, split->validation);
}

stoa_status stoa_split_make(stoa_context *context, const stoa_dataset *data,
                            const struct stoa_train_settings *settings, struct stoa_split_order *split) {
    struct quotas q = {0};
    *split = (struct stoa_split_order){0};
    stoa_status status = open_quotas(data, settings, &q) && divide(data, settings->options.seed, &q, split)
                             ? check_sides(context, settings, split)
                             : stoa_fail(context, STOA_ERR_MEMORY, "validation: out of memory");
    free(q.left);
    free(q.label);
    if (status != STOA_OK) {
        free(split->index);
        *split = (struct stoa_split_order){0};
    }
    return status;
}

static bool is_higher_better(enum stoa_monitor monitor) {
    return monitor == STOA_MONITOR_ACCURACY || monitor == STOA_MONITOR_F1;
}

static double value_of(enum stoa_monitor monitor, const stoa_evaluation *validation) {
    switch (monitor) {
    case STOA_MONITOR_ACCURACY:
        return validation->accuracy;
    case STOA_MONITOR_RMSE:
        return validation->rmse;
    case STOA_MONITOR_F1:
        return validation->f1;
    default:
        return validation->loss;
    }
}

stoa_status stoa_best_open(stoa_context *context, stoa_model *model,
                           const struct stoa_train_settings *settings, struct stoa_best *best,
                           struct stoa_best_state *state) {
    double worst = is_higher_better(settings->monitor) ? -1.0 : (double)INFINITY;
    *state = (struct stoa_best_state){.value = worst, .reference = worst};
    *best = (struct stoa_best){.monitor = settings->monitor,
                               .min_delta = (double)settings->options.min_delta,
                               .patience = settings->options.patience,
                               .model = model};
    if (!settings->options.keep_best) {
        return STOA_OK;
    }
    best->parameters =
        stoa_allocate(context, stoa_max(1, model->parameter_floats) * sizeof(float), "best parameters");
    best->statistics =
        stoa_allocate(context, stoa_max(1, model->statistic_floats) * sizeof(float), "best statistics");
    return best->parameters && best->statistics ? STOA_OK : STOA_ERR_MEMORY;
}

void stoa_best_close(stoa_context *context, struct stoa_best *best) {
    if (best->model) {
        stoa_release(context, best->parameters, stoa_max(1, best->model->parameter_floats) * sizeof(float));
        stoa_release(context, best->statistics, stoa_max(1, best->model->statistic_floats) * sizeof(float));
    }
}

/* By how much `value` is better than `other`. */
static double lead(const struct stoa_best *best, double value, double other) {
    return is_higher_better(best->monitor) ? value - other : other - value;
}

bool stoa_best_observe(struct stoa_best *best, struct stoa_best_state *state, size_t epoch,
                       const stoa_evaluation *validation) {
    double value = value_of(best->monitor, validation);
    state->waited++;
    if (lead(best, value, state->reference) > best->min_delta) {
        state->reference = value;
        state->waited = 0;
    }
    if (!(lead(best, value, state->value) > 0)) {
        return false;
    }
    state->value = value;
    state->epoch = epoch;
    if (best->parameters) {
        memcpy(best->parameters, best->model->parameters, best->model->parameter_floats * sizeof(float));
        memcpy(best->statistics, best->model->statistics, best->model->statistic_floats * sizeof(float));
    }
    return true;
}

bool stoa_best_stops(const struct stoa_best *best, const struct stoa_best_state *state) {
    return best->patience > 0 && state->waited >= best->patience;
}

void stoa_best_restore(const struct stoa_best *best) {
    if (best->parameters) {
        memcpy(stoa_model_change(best->model), best->parameters,
               best->model->parameter_floats * sizeof(float));
        memcpy(best->model->statistics, best->statistics, best->model->statistic_floats * sizeof(float));
    }
}
