/* SPDX-License-Identifier: MIT */
/* The learning rate range test (Smith, "Cyclical Learning Rates for Training Neural Networks", 2017): a
 * training whose rate grows by the same factor at every step, until it is too high.
 *
 * The loss of one batch says little, so the curve is smoothed: by a mean that forgets from the low rates to
 * the high ones, and by another one back over it. One alone would lag behind, and what is read off it would
 * be found at rates that are too high by a good part of a decade. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/size.h"
#include "core/context.h"
#include "model/model.h"
#include "train/trainer.h"

/* The means look over this part of the curve, and the test ends when the mean is so many times its smallest
 * value, as in fastai and PyTorch Lightning. */
static const double WINDOW = 0.05, EXPLODED = 4;

/* A fall of the loss by less than this part is the noise of batches. */
static const double LEAST_FALL = 0.05;

/* Where so little of the loss is left, the data are learned. */
static const double LEARNED = 0.02;

/* So many samples are looked at, where that takes no more than MOST_BY_ITSELF steps. */
enum { LEAST_STEPS = 20, MOST_STEPS = 1000000 };
enum { SAMPLES = 6400, LEAST_BY_ITSELF = 200, MOST_BY_ITSELF = 2000 };

/* A mean that forgets, corrected for its start, where it has little to remember. */
struct mean {
    double memory, sum, weight;
};

static double add(struct mean *mean, double value) {
    mean->sum = mean->memory * mean->sum + (1 - mean->memory) * value;
    mean->weight = mean->memory * mean->weight + (1 - mean->memory);
    return mean->sum / mean->weight;
}

struct range_test {
    stoa_trainer *trainer;
    double lowest, growth; /* of the rate, a step */
    size_t steps, count;
    stoa_rate_point *points;
    struct mean mean;
    double smallest; /* that the mean has been */
    bool exploded, cancelled;
    stoa_rate_fn *told;
    void *user;
};

/* ---- the training ---- */

static stoa_status begin(void *user, stoa_trainer *trainer) {
    struct range_test *test = user;
    test->trainer = trainer;
    return STOA_OK;
}

/* The update that follows is made with the next rate. Callbacks run in the caller's floating-point state, in
 * which nothing of the curve is to be computed. */
static bool set_rate(void *user, stoa_trainer *trainer) {
    STOA_FLOAT_STATE();
    struct range_test *test = user;
    trainer->settings.options.learning_rate = (float)(test->lowest * pow(test->growth, (double)test->count));
    return false;
}

static const stoa_rate_point *add_point(struct range_test *test, const stoa_progress *progress) {
    STOA_FLOAT_STATE();
    stoa_rate_point *point = &test->points[test->count++];
    *point = (stoa_rate_point){progress->learning_rate, progress->step_loss, NAN};
    point->smoothed_loss = add(&test->mean, point->loss);
    test->smallest = fmin(test->smallest, point->smoothed_loss);
    test->exploded = point->smoothed_loss > EXPLODED * test->smallest;
    return point;
}

static bool take_point(void *user, const stoa_progress *progress) {
    struct range_test *test = user;
    if (progress->epoch_done) {
        return false;
    }
    const stoa_rate_point *point = add_point(test, progress);
    test->cancelled = test->told && test->told(test->user, point);
    return test->exploded || test->cancelled || test->count == test->steps;
}

/* As many epochs as the steps need; nothing but the rate's own growth decides, and nothing is averaged or
 * kept. A validation split stays: its samples are not to be looked at. */
static stoa_status train(struct range_test *test, stoa_context *context, stoa_model *model,
                         const stoa_dataset *data, const stoa_train_options *given) {
    stoa_train_options options = *given;
    options.learning_rate = (float)test->lowest;
    options.schedule = "constant";
    options.epochs = test->steps;
    options.average = 0;
    options.patience = 0;
    options.keep_best = false;
    const stoa_train_callbacks callbacks = {
        .user = test, .start = begin, .gradients = set_rate, .progress = take_point};
    stoa_status status = stoa_train_watched(context, model, data, NULL, &options, &callbacks, false);
    bool ended = status == STOA_ERR_CANCELLED && !test->cancelled;
    /* A loss that is not finite is where the curve ends, unless it is so from the beginning. */
    if (status == STOA_ERR_NONFINITE && test->count > 1) {
        test->exploded = true;
        ended = true;
    }
    return ended ? STOA_OK : status;
}

/* ---- reading the curve ---- */

/* What explodes behind the smallest mean would pull the curve up long before it: it counts as what ended the
 * test. */
static void smooth(struct range_test *test) {
    STOA_FLOAT_STATE();
    stoa_rate_point *points = test->points;
    const double most = EXPLODED * test->smallest;
    struct mean there = {.memory = test->mean.memory}, back = there;
    bool behind = false;
    for (size_t i = 0; i < test->count; i++) {
        behind = behind || points[i].smoothed_loss <= test->smallest;
        points[i].smoothed_loss = add(&there, behind ? fmin(points[i].loss, most) : points[i].loss);
    }
    for (size_t i = test->count; i-- > 0;) {
        points[i].smoothed_loss = add(&back, points[i].smoothed_loss);
    }
}

/* Where the smoothed loss is smallest. An easy set may be learned before the rate is too high: what comes
 * then is small at any rate and says nothing. */
static size_t find_lowest(const stoa_rate_point *points, size_t count, double *start) {
    size_t lowest = 0, learned = 0;
    *start = points[0].smoothed_loss;
    for (size_t i = 0; i < count; i++) {
        lowest = points[i].smoothed_loss < points[lowest].smoothed_loss ? i : lowest;
    }
    for (size_t i = 0; i <= lowest; i++) {
        *start = fmax(*start, points[i].smoothed_loss);
    }
    while (learned < lowest && points[learned].smoothed_loss > LEARNED * *start) {
        learned++;
    }
    return learned;
}

static void read_curve(const struct range_test *test, stoa_rate_curve *curve) {
    STOA_FLOAT_STATE();
    const stoa_rate_point *points = test->points;
    double start, fall = 0;
    size_t lowest = find_lowest(points, test->count, &start), steepest = 0;
    /* At the ends the means look over few points. */
    for (size_t i = 1 + (size_t)(WINDOW * (double)test->steps); i < lowest; i++) {
        double here = points[i - 1].smoothed_loss - points[i + 1].smoothed_loss;
        steepest = here > fall ? i : steepest;
        fall = fmax(fall, here);
    }
    bool learns = start - points[lowest].smoothed_loss > LEAST_FALL * start;
    *curve = (stoa_rate_curve){.points = test->points,
                               .count = test->count,
                               .exploded = test->exploded,
                               .suggestion = learns ? points[lowest].learning_rate / 10 : 0,
                               .lowest_loss = points[lowest].learning_rate,
                               .steepest = points[steepest].learning_rate};
}

/* ---- the call ---- */

static size_t steps_by_itself(const stoa_train_options *options) {
    size_t batch = options->batch ? options->batch : 64;
    return stoa_max(LEAST_BY_ITSELF, stoa_min(MOST_BY_ITSELF, stoa_ceil_div(SAMPLES, batch)));
}

static stoa_status read_range(stoa_context *context, const stoa_train_options *options,
                              const stoa_rate_range *range, struct range_test *test) {
    STOA_FLOAT_STATE();
    double lowest = range && range->lowest != 0 ? (double)range->lowest : 1e-7;
    double highest = range && range->highest != 0 ? (double)range->highest : 10;
    if (!(lowest > 0) || !isfinite(highest) || !(highest > lowest)) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "learning rates from %g to %g: expected finite ones above 0, the lower one first",
                         lowest, highest);
    }
    test->steps = range && range->steps ? range->steps : steps_by_itself(options);
    if (test->steps < LEAST_STEPS || test->steps > MOST_STEPS) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "learning rate range test: found %zu steps, expected %d to %d", test->steps,
                         LEAST_STEPS, MOST_STEPS);
    }
    test->lowest = lowest;
    test->growth = pow(highest / lowest, 1 / (double)(test->steps - 1));
    test->mean.memory = fmax(0, 1 - 1 / (WINDOW * (double)test->steps));
    test->smallest = (double)INFINITY;
    return STOA_OK;
}

/* What the model holds, or NULL without memory. */
static float *copy_model(const stoa_model *model) {
    size_t count;
    bool fits = stoa_size_add(model->parameter_floats, model->statistic_floats, &count);
    float *copy = fits ? calloc(stoa_max(1, count), sizeof *copy) : NULL;
    if (copy && model->parameter_floats > 0) {
        memcpy(copy, model->parameters, model->parameter_floats * sizeof *copy);
    }
    if (copy && model->statistic_floats > 0) {
        memcpy(copy + model->parameter_floats, model->statistics, model->statistic_floats * sizeof *copy);
    }
    return copy;
}

static void restore_model(stoa_model *model, const float *copy) {
    if (model->parameter_floats > 0) {
        memcpy(stoa_model_change(model), copy, model->parameter_floats * sizeof *copy);
    }
    if (model->statistic_floats > 0) {
        memcpy(model->statistics, copy + model->parameter_floats, model->statistic_floats * sizeof *copy);
    }
}

stoa_status stoa_find_learning_rate(stoa_context *context, stoa_model *model, const stoa_dataset *data,
                                    const stoa_train_options *options, const stoa_rate_range *range,
                                    stoa_rate_fn *told, void *user, stoa_rate_curve *curve) {
    struct range_test test = {.steps = LEAST_STEPS, .told = told, .user = user};
    stoa_status status = read_range(context, options, range, &test);
    if (status != STOA_OK) {
        return status;
    }
    float *before = copy_model(model);
    test.points = calloc(test.steps, sizeof *test.points);
    if (!before || !test.points) {
        free(before);
        free(test.points);
        return stoa_fail(context, STOA_ERR_MEMORY, "learning rate range test: out of memory");
    }
    status = train(&test, context, model, data, options);
    restore_model(model, before);
    free(before);
    if (status != STOA_OK) {
        free(test.points);
        return status;
    }
    smooth(&test);
    read_curve(&test, curve);
    return STOA_OK;
}

void stoa_rate_curve_free(stoa_rate_curve *curve) {
    free(curve->points);
    *curve = (stoa_rate_curve){0};
}
