/* SPDX-License-Identifier: MIT */
/* Figures of data with targets, as scikit-learn defines them: means over targets are not weighted; a share of
 * nothing is 0; average precision is the sum over thresholds of precision times the gain in recall, equal
 * outputs sharing one threshold. */
#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "data/dataset.h"

float stoa_label_threshold(bool logits) {
    return logits ? 0.0F : 0.5F;
}

stoa_status stoa_metrics_open(stoa_context *context, const stoa_dataset *data, bool logits, size_t samples,
                              struct stoa_metrics *metrics) {
    size_t count;
    *metrics = (struct stoa_metrics){.context = context,
                                     .task = stoa_dataset_task(data),
                                     .targets = stoa_dataset_targets(data),
                                     .threshold = stoa_label_threshold(logits),
                                     .scale = data->by_target,
                                     .room = samples};
    metrics->sums = calloc(metrics->targets, sizeof *metrics->sums);
    bool good = metrics->sums != NULL;
    if (good && metrics->task == STOA_TASK_MULTILABEL) {
        good = stoa_size_mul(metrics->targets, samples, &count);
        metrics->scores = good ? calloc(count, sizeof *metrics->scores) : NULL;
        metrics->there = good ? calloc(count, sizeof *metrics->there) : NULL;
        good = metrics->scores && metrics->there;
    }
    if (!good) {
        stoa_metrics_close(metrics);
        return stoa_fail(context, STOA_ERR_MEMORY, "figures of %zu samples: out of memory", samples);
    }
    return STOA_OK;
}

void stoa_metrics_close(struct stoa_metrics *metrics) {
    free(metrics->sums);
    free(metrics->scores);
    free(metrics->there);
    *metrics = (struct stoa_metrics){.targets = 0};
}

bool stoa_labels_are_right(const float *output, const float *targets, size_t count, float threshold) {
    bool right = true;
    for (size_t t = 0; t < count; t++) {
        right = right && (output[t] >= threshold) == (targets[t] > 0.5F);
    }
    return right;
}

static void add_number(struct stoa_metrics *m, size_t target, float output, float wanted) {
    struct stoa_target_sums *sums = &m->sums[target];
    double mean = m->scale ? (double)m->scale[target] : 0;
    double deviation = m->scale ? (double)m->scale[m->targets + target] : 1;
    double error = ((double)output - (double)wanted) * deviation, value = (double)wanted * deviation + mean;
    sums->shift = m->samples == 0 ? value : sums->shift;
    sums->squares += error * error;
    sums->absolute += fabs(error);
    sums->sum += value - sums->shift;
    sums->spread += (value - sums->shift) * (value - sums->shift);
}

static void add_label(struct stoa_metrics *m, size_t target, float output, float wanted) {
    struct stoa_target_sums *sums = &m->sums[target];
    bool there = wanted > 0.5F, answered = output >= m->threshold;
    sums->positives += there;
    sums->answered += answered;
    sums->hits += there && answered;
    m->scores[target * m->room + m->samples] = output;
    m->there[target * m->room + m->samples] = there;
}

void stoa_metrics_add(struct stoa_metrics *metrics, const float *output, const float *targets,
                      size_t samples) {
    bool labels = metrics->task == STOA_TASK_MULTILABEL;
    size_t count = metrics->targets;
    for (size_t i = 0; i < samples; i++, metrics->samples++) {
        const float *given = output + i * count, *wanted = targets + i * count;
        for (size_t t = 0; t < count; t++) {
            if (labels) {
                add_label(metrics, t, given[t], wanted[t]);
            } else {
                add_number(metrics, t, given[t], wanted[t]);
            }
        }
        metrics->right += labels && stoa_labels_are_right(given, wanted, count, metrics->threshold);
    }
}

/* ---- average precision ---- */

struct scored {
    float score;
    bool there;
};

static int by_score(const void *a, const void *b) {
    const struct scored *left = a, *right = b;
    return left->score > right->score ? -1 : left->score < right->score;
}

/* NAN where no sample has the label. */
static double average_precision(const struct stoa_metrics *m, size_t target, struct scored *order) {
    double sum = 0, positives = (double)m->sums[target].positives;
    size_t hits = 0, before = 0;
    for (size_t i = 0; i < m->samples; i++) {
        order[i] = (struct scored){m->scores[target * m->room + i], m->there[target * m->room + i] != 0};
    }
    qsort(order, m->samples, sizeof *order, by_score);
    for (size_t i = 0; i < m->samples; i++) {
        hits += order[i].there;
        bool last = i + 1 == m->samples || order[i + 1].score < order[i].score;
        if (last) {
            sum += (double)hits / (double)(i + 1) * (double)(hits - before);
            before = hits;
        }
    }
    return positives > 0 ? sum / positives : (double)NAN;
}

/* ---- figures ---- */

static double share(size_t part, size_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0;
}

static double f1_of(size_t hits, size_t answered, size_t positives) {
    return answered + positives > 0 ? 2 * (double)hits / (double)(answered + positives) : 0;
}

static stoa_target_figures describe_number(const struct stoa_metrics *m,
                                           const struct stoa_target_sums *sums) {
    double count = (double)m->samples,
           variance = sums->spread / count - sums->sum / count * (sums->sum / count);
    double mean_square = sums->squares / count;
    stoa_target_figures figures = {.precision = NAN, .recall = NAN, .f1 = NAN, .average_precision = NAN};
    figures.rmse = sqrt(mean_square);
    figures.mae = sums->absolute / count;
    /* Targets that are all equal leave nothing to explain. */
    figures.r2 = variance > 0 ? 1 - mean_square / variance : mean_square > 0 ? 0 : 1;
    return figures;
}

static stoa_target_figures describe_label(const struct stoa_target_sums *sums) {
    return (stoa_target_figures){.rmse = NAN,
                                 .mae = NAN,
                                 .r2 = NAN,
                                 .positives = sums->positives,
                                 .answered = sums->answered,
                                 .hits = sums->hits,
                                 .precision = share(sums->hits, sums->answered),
                                 .recall = share(sums->hits, sums->positives),
                                 .f1 = f1_of(sums->hits, sums->answered, sums->positives),
                                 .average_precision = NAN};
}

/* Means over the targets; of average precision over those that any sample has. */
static void add_means(const stoa_target_figures *one, double targets, stoa_evaluation *result) {
    result->rmse += one->rmse / targets;
    result->mae += one->mae / targets;
    result->r2 += one->r2 / targets;
    result->macro_precision += one->precision / targets;
    result->macro_recall += one->recall / targets;
    result->macro_f1 += one->f1 / targets;
}

stoa_status stoa_metrics_finish(struct stoa_metrics *metrics, stoa_target_figures *each,
                                stoa_evaluation *result) {
    bool labels = metrics->task == STOA_TASK_MULTILABEL;
    size_t positives = 0, answered = 0, hits = 0, known = 0;
    double precision = 0;
    struct scored *order = labels ? calloc(stoa_max(1, metrics->samples), sizeof *order) : NULL;
    if (labels && !order) {
        return stoa_fail(metrics->context, STOA_ERR_MEMORY, "figures of %zu samples: out of memory",
                         metrics->samples);
    }
    result->rmse = result->mae = result->r2 = 0;
    result->macro_precision = result->macro_recall = result->macro_f1 = 0;
    for (size_t t = 0; t < metrics->targets; t++) {
        const struct stoa_target_sums *sums = &metrics->sums[t];
        stoa_target_figures one = labels ? describe_label(sums) : describe_number(metrics, sums);
        if (labels) {
            one.average_precision = average_precision(metrics, t, order);
            known += sums->positives > 0;
            precision += sums->positives > 0 ? one.average_precision : 0;
        }
        positives += sums->positives;
        answered += sums->answered;
        hits += sums->hits;
        add_means(&one, (double)metrics->targets, result);
        if (each) {
            each[t] = one;
        }
    }
    free(order);
    result->correct = metrics->right;
    result->accuracy = labels ? (double)metrics->right / (double)metrics->samples : (double)NAN;
    result->precision = labels ? share(hits, answered) : (double)NAN;
    result->recall = labels ? share(hits, positives) : (double)NAN;
    result->f1 = labels ? f1_of(hits, answered, positives) : (double)NAN;
    result->average_precision = known > 0 ? precision / (double)known : (double)NAN;
    return STOA_OK;
}
