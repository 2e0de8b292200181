/* SPDX-License-Identifier: MIT */
/* Data sets in batches, and evaluation over all of one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/float_state.h"
#include "base/size.h"
#include "core/threads.h"
#include "data/dataset.h"
#include "ops/op.h"
#include "train/metrics.h"
#include "train/mismatch.h"
#include "train/trainer.h"

stoa_status stoa_feeder_check(stoa_context *context, const stoa_dataset *data, const stoa_model *model) {
    return stoa_mismatch_check(context, data, "the data", model);
}

/* Targets of a loss of logits are shares. */
static stoa_status check_shares(stoa_context *context, const stoa_dataset *data, const struct stoa_op *loss) {
    size_t targets = stoa_dataset_targets(data);
    float *row = calloc(targets, sizeof *row);
    stoa_status status =
        row ? STOA_OK : stoa_fail(context, STOA_ERR_MEMORY, "targets of a sample: out of memory");
    for (size_t i = 0; row && status == STOA_OK && i < stoa_dataset_count(data); i++) {
        stoa_dataset_read_targets(data, NULL, i, 1, row);
        for (size_t t = 0; status == STOA_OK && t < targets; t++) {
            if (!(row[t] >= 0 && row[t] <= 1)) {
                status = stoa_fail(
                    context, STOA_ERR_ARGUMENT,
                    "loss %s: target %zu of sample %zu is %g, expected 0 to 1, or a loss of numbers: "
                    "mse, huber, l1, smooth_l1",
                    loss->name, t, i, (double)row[t]);
            }
        }
    }
    free(row);
    return status;
}

stoa_status stoa_feeder_check_loss(stoa_context *context, const stoa_dataset *data,
                                   const struct stoa_op *loss) {
    if (stoa_dataset_targets(data) == 0) {
        return STOA_OK;
    }
    if (loss->takes_labels) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "loss %s takes a class, the data have targets: expected %s", loss->name,
                         stoa_dataset_task(data) == STOA_TASK_MULTILABEL ? "bce_with_logits"
                                                                         : "mse, huber, l1 or smooth_l1");
    }
    return loss->takes_logits ? check_shares(context, data, loss) : STOA_OK;
}

stoa_status stoa_feeder_open(stoa_context *context, const stoa_dataset *data, const stoa_plan *plan,
                             struct stoa_feeder *feeder) {
    *feeder = (struct stoa_feeder){.context = context,
                                   .data = data,
                                   .batch = plan->batch,
                                   .classes = stoa_model_output_size(plan->model)};
    stoa_status status = stoa_feeder_check(context, data, plan->model);
    if (status == STOA_OK) {
        status = stoa_feeder_check_loss(context, data, plan->loss.op);
    }
    feeder->threshold = stoa_label_threshold(plan->loss.op->takes_logits);
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
            !stoa_float_bytes(count, &feeder->value_bytes)) {
            status = stoa_fail(context, STOA_ERR_MEMORY, "targets of a batch: their size overflows");
        } else {
            feeder->values = stoa_allocate(context, feeder->value_bytes, "targets of a batch");
            status = feeder->values ? STOA_OK : STOA_ERR_MEMORY;
        }
    }
    if (status != STOA_OK) {
        stoa_feeder_close(feeder);
    }
    return status;
}

void stoa_feeder_close(struct stoa_feeder *feeder) {
    free(feeder->labels);
    stoa_release(feeder->context, feeder->values, feeder->value_bytes);
    feeder->labels = NULL;
    feeder->values = NULL;
}

stoa_targets stoa_feeder_targets(struct stoa_feeder *feeder, const size_t *index, size_t first,
                                 size_t samples) {
    if (feeder->values && stoa_dataset_targets(feeder->data) > 0) {
        stoa_dataset_read_targets(feeder->data, index, first, samples, feeder->values);
    } else if (feeder->values) {
        memset(feeder->values, 0, samples * feeder->classes * sizeof(float));
        for (size_t i = 0; i < samples; i++) {
            feeder->values[i * feeder->classes + (size_t)feeder->labels[i]] = 1;
        }
    }
    return (stoa_targets){.labels = feeder->labels, .values = feeder->values};
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
    return stoa_feeder_targets(feeder, index, first, samples);
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
    size_t correct = 0, targets = stoa_dataset_targets(feeder->data);
    if (targets > 0) {
        bool labels = stoa_dataset_task(feeder->data) == STOA_TASK_MULTILABEL;
        for (size_t i = 0; i < samples && labels; i++) {
            correct += stoa_labels_are_right(output + i * targets, feeder->values + i * targets, targets,
                                             feeder->threshold);
        }
        return correct;
    }
    for (size_t i = 0; i < samples; i++) {
        correct += largest(output + i * feeder->classes, feeder->classes) == (size_t)feeder->labels[i];
    }
    return correct;
}

/* Whether rows are the first one's numbers, but for rounding. Where they are not, that is seen at the second
 * row of the first batch. */
static bool are_alike(const float *output, size_t samples, size_t classes) {
    for (size_t i = 1; i < samples; i++) {
        for (size_t k = 0; k < classes; k++) {
            float one = output[k], other = output[i * classes + k];
            if (!(fabsf(one - other) <= 1e-5F * fabsf(one) + 1e-6F)) {
                return false;
            }
        }
    }
    return true;
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

/* What an evaluation has come to so far. */
struct tally {
    double loss, weight;
    size_t correct;
    struct stoa_metrics metrics; /* of targets */
};

static stoa_status run_batch(struct stoa_feeder *feeder, stoa_plan *plan, const size_t *index, size_t first,
                             size_t samples, const struct stoa_class_counts *counts, struct tally *tally) {
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
    feeder->alike = feeder->alike && are_alike(output, samples, feeder->classes);
    double share = stoa_plan_loss_weight(plan, targets.labels, samples);
    tally->loss += loss * share;
    tally->weight += share;
    if (tally->metrics.targets > 0) {
        stoa_metrics_add(&tally->metrics, output, targets.values, samples);
    } else {
        tally->correct += stoa_feeder_correct(feeder, output, samples);
    }
    if (counts && tally->metrics.targets == 0) {
        count_classes(feeder, output, samples, counts);
    }
    return STOA_OK;
}

stoa_status stoa_evaluate_with(struct stoa_feeder *feeder, stoa_plan *plan, const size_t *index, size_t count,
                               const struct stoa_class_counts *counts, stoa_evaluation *result) {
    double start = stoa_clock();
    struct tally tally = {.loss = 0};
    stoa_status status = STOA_OK;
    feeder->alike = count > 1;
    if (stoa_dataset_targets(feeder->data) > 0) {
        status = stoa_metrics_open(feeder->context, feeder->data, plan->loss.op->takes_logits, count,
                                   &tally.metrics);
    }
    for (size_t first = 0; status == STOA_OK && first < count; first += feeder->batch) {
        size_t samples = stoa_min(feeder->batch, count - first);
        status = run_batch(feeder, plan, index, first, samples, counts, &tally);
    }
    stoa_evaluation found = {.samples = count,
                             .correct = tally.correct,
                             .accuracy = (double)tally.correct / (double)count,
                             .loss = tally.loss == 0 ? 0 : tally.loss / tally.weight,
                             .rmse = NAN,
                             .mae = NAN,
                             .r2 = NAN,
                             .precision = NAN,
                             .recall = NAN,
                             .f1 = NAN,
                             .macro_precision = NAN,
                             .macro_recall = NAN,
                             .macro_f1 = NAN,
                             .average_precision = NAN};
    if (status == STOA_OK && tally.metrics.targets > 0) {
        status = stoa_metrics_finish(&tally.metrics, counts ? counts->each : NULL, &found);
    }
    stoa_metrics_close(&tally.metrics);
    if (status == STOA_OK) {
        found.seconds = stoa_clock() - start;
        *result = found;
    }
    return status;
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
    struct stoa_class_counts counts = {NULL, NULL, NULL};
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

stoa_status stoa_evaluate_targets(stoa_context *context, stoa_model *model, const stoa_dataset *data,
                                  size_t batch, const char *loss, stoa_target_figures *each,
                                  stoa_evaluation *result) {
    STOA_FLOAT_STATE();
    struct stoa_class_counts counts = {NULL, NULL, NULL};
    size_t targets = stoa_dataset_targets(data);
    if (targets == 0) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "figures of targets: the data have classes");
    }
    counts.each = calloc(targets, sizeof *counts.each);
    stoa_status status =
        counts.each ? evaluate(context, model, data, batch, loss, &counts, result)
                    : stoa_fail(context, STOA_ERR_MEMORY, "figures of %zu targets: out of memory", targets);
    if (counts.each && status == STOA_OK) {
        memcpy(each, counts.each, targets * sizeof *each);
    }
    free(counts.each);
    return status;
}
