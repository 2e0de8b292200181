/* SPDX-License-Identifier: MIT */
/* Data sets in batches, and evaluation over all of one. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/float_state.h"
#include "base/size.h"
#include "core/threads.h"
#include "data/dataset.h"
#include "train/trainer.h"

stoa_status stoa_feeder_check(stoa_context *context, const stoa_dataset *data, const stoa_model *model) {
    size_t model_shape[3];
    size_t data_shape[3];
    stoa_model_input_shape(model, &model_shape[0], &model_shape[1], &model_shape[2]);
    stoa_dataset_shape(data, &data_shape[0], &data_shape[1], &data_shape[2]);
    size_t size = data_shape[0] * data_shape[1] * data_shape[2];
    /* A model over vectors takes images as they lie in memory, which is one order only where they have one
     * channel. */
    bool plain = data_shape[2] == 1 || data_shape[0] * data_shape[1] == 1;
    if (model->input.rank == 1 && model->input.dim[0] == size && !plain) {
        return stoa_fail(
            context, STOA_ERR_SHAPE,
            "the model takes rows of %zu values, the data has pictures of %zux%zux%zu, whose values may come "
            "in two orders: expected data read as 1x1x%zu, or a model with that input and flatten",
            size, data_shape[0], data_shape[1], data_shape[2], size);
    }
    bool same = memcmp(model_shape, data_shape, sizeof model_shape) == 0 ||
                (model->input.rank == 1 && model->input.dim[0] == size);
    if (!same) {
        return stoa_fail(context, STOA_ERR_SHAPE,
                         "the model takes input %zux%zux%zu, the data has %zux%zux%zu", model_shape[0],
                         model_shape[1], model_shape[2], data_shape[0], data_shape[1], data_shape[2]);
    }
    if (stoa_model_output_size(model) != stoa_dataset_classes(data)) {
        return stoa_fail(context, STOA_ERR_SHAPE, "the model has %zu outputs, the data has %zu classes",
                         stoa_model_output_size(model), stoa_dataset_classes(data));
    }
    return STOA_OK;
}

stoa_status stoa_feeder_open(stoa_context *context, const stoa_dataset *data, const stoa_plan *plan,
                             struct stoa_feeder *feeder) {
    *feeder = (struct stoa_feeder){
        .context = context, .data = data, .batch = plan->batch, .classes = stoa_dataset_classes(data)};
    stoa_status status = stoa_feeder_check(context, data, plan->model);
    if (status != STOA_OK) {
        return status;
    }
    feeder->labels = calloc(plan->batch, sizeof *feeder->labels);
    if (!feeder->labels) {
        return stoa_fail(context, STOA_ERR_MEMORY, "labels of a batch: out of memory");
    }
    if (!plan->loss.op->takes_labels) {
        size_t count;
        if (!stoa_size_mul(plan->batch, feeder->classes, &count) ||
            !stoa_float_bytes(count, &feeder->one_hot_bytes)) {
            status = stoa_fail(context, STOA_ERR_MEMORY, "targets of a batch: their size overflows");
        } else {
            feeder->one_hot = stoa_allocate(context, feeder->one_hot_bytes, "targets of a batch");
            status = feeder->one_hot ? STOA_OK : STOA_ERR_MEMORY;
        }
    }
    if (status != STOA_OK) {
        stoa_feeder_close(feeder);
    }
    return status;
}

void stoa_feeder_close(struct stoa_feeder *feeder) {
    free(feeder->labels);
    stoa_release(feeder->context, feeder->one_hot, feeder->one_hot_bytes);
    feeder->labels = NULL;
    feeder->one_hot = NULL;
}

stoa_targets stoa_feeder_targets(struct stoa_feeder *feeder, size_t samples) {
    if (feeder->one_hot) {
        memset(feeder->one_hot, 0, samples * feeder->classes * sizeof(float));
        for (size_t i = 0; i < samples; i++) {
            feeder->one_hot[i * feeder->classes + (size_t)feeder->labels[i]] = 1;
        }
    }
    return (stoa_targets){.labels = feeder->labels, .values = feeder->one_hot};
}

/* A batch that several threads read, `grain` samples a task: a few microseconds of waiting for memory. */
enum { READ_FLOATS = 4096 };
struct reading {
    struct stoa_feeder *feeder;
    float *images;
    const size_t *index;
    size_t first, samples, size, grain;
};

static void read_some(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct reading *r = argument;
    size_t at = task * r->grain;
    stoa_dataset_read(r->feeder->data, r->index ? r->index + at : NULL, r->index ? 0 : r->first + at,
                      stoa_min(r->grain, r->samples - at), r->images + at * r->size, r->feeder->labels + at);
}

stoa_targets stoa_feeder_read(struct stoa_feeder *feeder, stoa_plan *plan, const size_t *index, size_t first,
                              size_t samples) {
    struct reading reading = {.feeder = feeder,
                              .images = stoa_plan_input(plan),
                              .index = index,
                              .first = first,
                              .samples = samples,
                              .size = stoa_model_input_size(plan->model)};
    reading.grain = stoa_max(1, READ_FLOATS / reading.size);
    stoa_parallel(feeder->context, stoa_ceil_div(samples, reading.grain), read_some, &reading);
    return stoa_feeder_targets(feeder, samples);
}

/* The first of the largest. */
static size_t largest(const float *row, size_t classes) {
    size_t best = 0;
    for (size_t k = 1; k < classes; k++) {
        best = row[k] > row[best] ? k : best;
    }
    return best;
}

/* How many outputs come before the label's: larger ones, and equal ones of lower classes. */
static size_t rank_of(const float *row, size_t classes, size_t label) {
    size_t rank = 0;
    for (size_t k = 0; k < classes; k++) {
        rank += row[k] > row[label] || (k < label && row[k] >= row[label]);
    }
    return rank;
}

size_t stoa_feeder_correct(const struct stoa_feeder *feeder, const float *output, size_t samples) {
    size_t correct = 0;
    for (size_t i = 0; i < samples; i++) {
        correct += largest(output + i * feeder->classes, feeder->classes) == (size_t)feeder->labels[i];
    }
    return correct;
}

static void count_classes(const struct stoa_feeder *feeder, const float *output, size_t samples,
                          const struct stoa_class_counts *counts) {
    size_t classes = feeder->classes;
    for (size_t i = 0; i < samples; i++) {
        const float *row = output + i * classes;
        size_t label = (size_t)feeder->labels[i];
        if (counts->confusion) {
            counts->confusion[label * classes + largest(row, classes)]++;
        }
        if (counts->ranks) {
            counts->ranks[rank_of(row, classes, label)]++;
        }
    }
}

stoa_status stoa_evaluate_with(struct stoa_feeder *feeder, stoa_plan *plan, const size_t *index, size_t count,
                               const struct stoa_class_counts *counts, stoa_evaluation *result) {
    double start = stoa_clock();
    double sum = 0;
    double weight = 0;
    size_t correct = 0;
    for (size_t first = 0; first < count; first += feeder->batch) {
        size_t samples = stoa_min(feeder->batch, count - first);
        stoa_targets targets = stoa_feeder_read(feeder, plan, index ? index + first : NULL, first, samples);
        double loss;
        const float *output;
        stoa_status status = stoa_store_check(feeder->data->store, feeder->context);
        if (status == STOA_OK) {
            status = stoa_plan_evaluate(plan, samples, targets, &loss, &output);
        }
        if (status != STOA_OK) {
            return status;
        }
        double share = stoa_plan_loss_weight(plan, targets.labels, samples);
        sum += loss * share;
        weight += share;
        correct += stoa_feeder_correct(feeder, output, samples);
        if (counts) {
            count_classes(feeder, output, samples, counts);
        }
    }
    *result = (stoa_evaluation){.samples = count,
                                .correct = correct,
                                .accuracy = (double)correct / (double)count,
                                .loss = sum == 0 ? 0 : sum / weight,
                                .seconds = stoa_clock() - start};
    return STOA_OK;
}

static stoa_status evaluate(stoa_context *context, stoa_model *model, const stoa_dataset *data, size_t batch,
                            const char *loss, const struct stoa_class_counts *counts,
                            stoa_evaluation *result) {
    stoa_plan_options options = {
        .batch = batch ? batch : 256, .loss = loss ? loss : STOA_DEFAULT_LOSS, .prepare = true};
    stoa_plan *plan;
    stoa_status status = stoa_plan_create(context, model, &options, &plan);
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_feeder feeder = {.context = context};
    status = stoa_feeder_open(context, data, plan, &feeder);
    if (status == STOA_OK) {
        status = stoa_plan_bind(plan, NULL);
    }
    if (status == STOA_OK) {
        status = stoa_evaluate_with(&feeder, plan, NULL, stoa_dataset_count(data), counts, result);
    }
    stoa_feeder_close(&feeder);
    stoa_plan_free(plan);
    return status;
}

stoa_status stoa_evaluate(stoa_context *context, stoa_model *model, const stoa_dataset *data, size_t batch,
                          const char *loss, stoa_evaluation *result) {
    STOA_FLOAT_STATE();
    return evaluate(context, model, data, batch, loss, NULL, result);
}

/* Zeros, or NULL where nobody asked. False when memory is short. */
static bool allocate_counts(bool wanted, size_t rows, size_t columns, size_t **counts) {
    size_t count;
    *counts = wanted && stoa_size_mul(rows, columns, &count) ? calloc(count, sizeof **counts) : NULL;
    return !wanted || *counts;
}

static void copy_counts(size_t *to, const size_t *from, size_t count) {
    if (to && from) {
        memcpy(to, from, count * sizeof *to);
    }
}

stoa_status stoa_evaluate_classes(stoa_context *context, stoa_model *model, const stoa_dataset *data,
                                  size_t batch, const char *loss, size_t *confusion, size_t *ranks,
                                  stoa_evaluation *result) {
    STOA_FLOAT_STATE();
    size_t classes = stoa_dataset_classes(data);
    struct stoa_class_counts counts = {NULL, NULL};
    /* The caller's arrays are written when all has gone well. */
    bool there = allocate_counts(confusion, classes, classes, &counts.confusion);
    there = allocate_counts(ranks, classes, 1, &counts.ranks) && there;
    stoa_status status =
        there ? evaluate(context, model, data, batch, loss, &counts, result)
              : stoa_fail(context, STOA_ERR_MEMORY, "counts of %zu classes: out of memory", classes);
    if (status == STOA_OK) {
        copy_counts(confusion, counts.confusion, classes * classes);
        copy_counts(ranks, counts.ranks, classes);
    }
    free(counts.confusion);
    free(counts.ranks);
    return status;
}
