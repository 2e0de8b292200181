/* SPDX-License-Identifier: MIT */
/* The loop over epochs: arrange, step, validate, evaluate, tell. Floor 7. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/random.h"
#include "base/size.h"
#include "data/dataset.h"
#include "train/prepare.h"
#include "train/trainer.h"
#include "train/validation.h"

/* All that one call of stoa_train() holds. */
struct loop {
    stoa_context *context;
    stoa_trainer *trainer;
    struct stoa_feeder train, test;
    struct stoa_preparer preparer; /* with augmentation only */
    bool has_test;
    struct stoa_split_order split; /* without validation all samples are trained */
    struct stoa_best best;
    size_t *order; /* of the samples that are trained */
    size_t samples, epochs, batch;
    stoa_progress_fn *progress;
    void *user;
    double sum, weight; /* of the losses of this epoch, and what it is divided by */
    size_t seen, correct, seen_in_all;
    double seconds, seconds_in_all;
    struct stoa_float_state *callers; /* which the progress callback runs in */
};

static void arrange(struct loop *loop, size_t epoch) {
    /* From file order every time, so that an epoch's order follows from seed and epoch alone. */
    for (size_t i = 0; i < loop->samples; i++) {
        loop->order[i] = loop->split.index ? loop->split.index[i] : i;
    }
    const struct stoa_train_settings *settings = &loop->trainer->settings;
    if (!settings->in_order) {
        stoa_dataset_shuffle(loop->train.data, settings->seed, epoch, loop->order, loop->samples);
    }
}

static stoa_progress describe(const struct loop *loop, size_t epoch) {
    double rate = loop->seconds > 0 ? (double)loop->seen / loop->seconds : 0;
    double rate_in_all = loop->seconds_in_all > 0 ? (double)loop->seen_in_all / loop->seconds_in_all : 0;
    double left = (double)loop->samples * (double)loop->epochs - (double)loop->seen_in_all;
    return (stoa_progress){
        .epoch = epoch,
        .epochs = loop->epochs,
        .step = stoa_ceil_div(loop->seen, loop->batch),
        .steps = stoa_ceil_div(loop->samples, loop->batch),
        .train_loss = loop->sum == 0 ? 0 : loop->sum / loop->weight,
        .train_accuracy = (double)loop->correct / (double)loop->seen,
        .validation_loss = NAN,
        .validation_accuracy = NAN,
        .test_loss = NAN,
        .test_accuracy = NAN,
        .seconds = loop->seconds,
        .images_per_second = rate,
        .seconds_left = rate_in_all > 0 ? left / rate_in_all : 0,
        .learning_rate = loop->trainer->learning_rate,
        .threads = loop->context->threads,
    };
}

static stoa_status tell(const struct loop *loop, const stoa_progress *progress) {
    stoa_float_leave(loop->callers);
    bool cancelled = loop->progress && loop->progress(loop->user, progress);
    *loop->callers = stoa_float_enter();
    if (cancelled) {
        return stoa_fail(loop->context, STOA_ERR_CANCELLED, "cancelled in epoch %zu at step %zu",
                         progress->epoch, progress->step);
    }
    return STOA_OK;
}

/* Begin with the batch at `first`, if there is one. */
static void prepare(struct loop *loop, size_t epoch, size_t first) {
    if (loop->preparer.helper && first < loop->samples) {
        stoa_preparer_begin(&loop->preparer, epoch, loop->order + first,
                            stoa_min(loop->batch, loop->samples - first));
    }
}

/* Samples into the plan's input. Augmented ones have been made during the step before; the next are begun. */
static stoa_targets read_batch(struct loop *loop, size_t epoch, size_t first, size_t samples) {
    stoa_plan *plan = loop->trainer->plan;
    struct stoa_preparer *made = &loop->preparer;
    if (!made->helper) {
        return stoa_feeder_read(&loop->train, plan, loop->order + first, 0, samples);
    }
    stoa_preparer_finish(made);
    memcpy(stoa_plan_input(plan), made->images, samples * made->size * sizeof *made->images);
    memcpy(loop->train.labels, made->labels, samples * sizeof *made->labels);
    prepare(loop, epoch, first + samples);
    return stoa_feeder_targets(&loop->train, samples);
}

static stoa_status run_step(struct loop *loop, size_t epoch, size_t first) {
    double start = stoa_seconds();
    stoa_trainer *trainer = loop->trainer;
    size_t samples = stoa_min(loop->batch, loop->samples - first);
    stoa_targets targets = read_batch(loop, epoch, first, samples);
    double loss;
    const float *output;
    stoa_status status = stoa_store_check(loop->train.data->store, loop->context);
    if (status == STOA_OK) {
        status = stoa_trainer_step(trainer, samples, targets, &loss, &output);
    }
    if (status != STOA_OK) {
        return stoa_error_prefix(&loop->context->error, "epoch %zu, step %zu: ", epoch,
                                 first / loop->batch + 1);
    }
    loop->correct += stoa_feeder_correct(&loop->train, output, samples);
    double weight = stoa_plan_loss_weight(trainer->plan, targets.labels, samples);
    loop->sum += loss * weight;
    loop->weight += weight;
    loop->seen += samples;
    loop->seen_in_all += samples;
    double seconds = stoa_seconds() - start;
    loop->seconds += seconds;
    loop->seconds_in_all += seconds;
    if (!loop->progress) {
        return STOA_OK;
    }
    stoa_progress progress = describe(loop, epoch);
    return tell(loop, &progress);
}

/* The losses of an epoch were finite; its last update may have been one too many. */
static stoa_status check_parameters(const struct loop *loop, size_t epoch) {
    const stoa_model *model = loop->trainer->model;
    for (size_t i = 0; i < model->tensor_count; i++) {
        size_t index;
        loop->context->kernels->find_nonfinite(stoa_tensor_data(model, i), model->tensors[i].count, &index);
        if (index < model->tensors[i].count) {
            return stoa_fail(loop->context, STOA_ERR_NONFINITE,
                             "epoch %zu, step %zu: the first tensor with a non-finite value is '%s'", epoch,
                             stoa_ceil_div(loop->samples, loop->batch), model->tensors[i].name);
        }
    }
    return STOA_OK;
}

/* Evaluate on one set; `set` names it in the sentence of an error. */
static stoa_status evaluate(struct loop *loop, struct stoa_feeder *feeder, const size_t *index, size_t count,
                            const stoa_progress *progress, const char *set, stoa_evaluation *evaluation) {
    stoa_status status = stoa_evaluate_with(feeder, loop->trainer->plan, index, count, NULL, evaluation);
    return status == STOA_OK
               ? STOA_OK
               : stoa_error_prefix(&loop->context->error, "epoch %zu, step %zu, %s: ", progress->epoch,
                                   progress->steps, set);
}

/* With averages, those are what is validated, tested, kept and handed to the callback. */
static stoa_status end_epoch(struct loop *loop, stoa_progress *progress) {
    stoa_status status = STOA_OK;
    stoa_evaluation evaluation;
    progress->epoch_done = true;
    progress->best = true;
    stoa_trainer_use_average(loop->trainer, true);
    if (loop->split.validation > 0) {
        status = evaluate(loop, &loop->train, loop->split.index + loop->split.training,
                          loop->split.validation, progress, "validation", &evaluation);
        if (status != STOA_OK) {
            return status;
        }
        progress->validation_loss = evaluation.loss;
        progress->validation_accuracy = evaluation.accuracy;
        progress->best = stoa_best_observe(&loop->best, &evaluation);
    }
    if (loop->has_test) {
        status = evaluate(loop, &loop->test, NULL, stoa_dataset_count(loop->test.data), progress, "test",
                          &evaluation);
        if (status != STOA_OK) {
            return status;
        }
        progress->test_loss = evaluation.loss;
        progress->test_accuracy = evaluation.accuracy;
    }
    stoa_trainer_end_epoch(loop->trainer, progress->train_loss, progress->validation_loss);
    progress->last = progress->epoch == loop->epochs || stoa_best_stops(&loop->best);
    return tell(loop, progress);
}

static stoa_status run_epoch(struct loop *loop, size_t epoch) {
    loop->sum = 0;
    loop->weight = 0;
    loop->seen = 0;
    loop->correct = 0;
    double start = stoa_seconds();
    arrange(loop, epoch);
    prepare(loop, epoch, 0);
    loop->seconds = stoa_seconds() - start;
    loop->seconds_in_all += loop->seconds;
    for (size_t first = 0; first < loop->samples; first += loop->batch) {
        stoa_status status = run_step(loop, epoch, first);
        if (status != STOA_OK) {
            return status;
        }
    }
    stoa_progress progress = describe(loop, epoch);
    stoa_status status = check_parameters(loop, epoch);
    return status == STOA_OK ? end_epoch(loop, &progress) : status;
}

/* Options, data, the split and the batches it leaves: all that can be refused before memory is asked for and
 * anything is computed. */
static stoa_status check_request(struct loop *loop, const stoa_model *model, const stoa_dataset *train,
                                 const stoa_dataset *test, const stoa_train_options *options,
                                 struct stoa_train_settings *settings) {
    struct stoa_error *error = &loop->context->error;
    stoa_status status = stoa_train_settings_read(loop->context, options, settings);
    if (status == STOA_OK) {
        status = stoa_train_settings_check(error, settings);
    }
    if (status == STOA_OK) {
        status = stoa_feeder_check(loop->context, train, model);
    }
    if (status == STOA_OK && test) {
        status = stoa_feeder_check(loop->context, test, model);
    }
    loop->samples = stoa_dataset_count(train);
    if (status == STOA_OK && settings->validation > 0) {
        status = stoa_split_make(loop->context, train, settings, &loop->split);
        loop->samples = loop->split.training;
    }
    if (status == STOA_OK) {
        status = stoa_model_learns_from(model, error, settings->batch, "a batch");
    }
    size_t rest = loop->samples % settings->batch;
    return status == STOA_OK && rest > 0
               ? stoa_model_learns_from(model, error, rest, "the last batch of an epoch")
               : status;
}

stoa_status stoa_train_check(stoa_context *context, const stoa_model *model, const stoa_dataset *train,
                             const stoa_dataset *test, const stoa_train_options *options) {
    struct loop loop = {.context = context};
    struct stoa_train_settings settings;
    stoa_status status = check_request(&loop, model, train, test, options, &settings);
    free(loop.split.index);
    return status;
}

static stoa_status open_loop(struct loop *loop, stoa_model *model, const stoa_dataset *train,
                             const stoa_dataset *test, const stoa_train_options *options) {
    stoa_context *context = loop->context;
    struct stoa_train_settings settings;
    stoa_status status = check_request(loop, model, train, test, options, &settings);
    if (status == STOA_OK && settings.validation > 0) {
        status = stoa_best_open(context, model, &settings, &loop->best);
    }
    if (status != STOA_OK) {
        return status;
    }
    loop->order = calloc(loop->samples, sizeof *loop->order);
    if (!loop->order) {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "order of the samples: out of memory");
        return STOA_ERR_MEMORY;
    }
    loop->epochs = settings.epochs;
    loop->batch = settings.batch;
    size_t steps;
    if (!stoa_size_mul(stoa_ceil_div(loop->samples, loop->batch), loop->epochs, &steps)) {
        (void)stoa_fail(context, STOA_ERR_ARGUMENT, "epochs: %zu are too many steps", loop->epochs);
        return STOA_ERR_ARGUMENT;
    }
    status = stoa_trainer_create(context, model, options, steps, &loop->trainer);
    if (status == STOA_OK) {
        status = stoa_feeder_open(context, train, loop->trainer->plan, &loop->train);
    }
    if (status == STOA_OK && stoa_augment_acts(&settings.augment)) {
        status = stoa_preparer_open(context, train, &settings, &loop->preparer);
    }
    if (status == STOA_OK && loop->has_test) {
        status = stoa_feeder_open(context, test, loop->trainer->plan, &loop->test);
    }
    return status;
}

static void close_loop(struct loop *loop) {
    stoa_preparer_close(&loop->preparer);
    stoa_feeder_close(&loop->train);
    stoa_feeder_close(&loop->test);
    stoa_best_close(loop->context, &loop->best);
    stoa_trainer_free(loop->trainer);
    free(loop->split.index);
    free(loop->order);
}

stoa_status stoa_train(stoa_context *context, stoa_model *model, const stoa_dataset *train,
                       const stoa_dataset *test, const stoa_train_options *options,
                       stoa_progress_fn *progress, void *user) {
    struct stoa_float_state callers = stoa_float_enter();
    struct loop loop = {.context = context,
                        .has_test = test != NULL,
                        .progress = progress,
                        .user = user,
                        .callers = &callers};
    loop.train.context = context;
    loop.test.context = context;
    stoa_status status = open_loop(&loop, model, train, test, options);
    for (size_t epoch = 1; status == STOA_OK && epoch <= loop.epochs; epoch++) {
        status = run_epoch(&loop, epoch);
        if (stoa_best_stops(&loop.best)) {
            break;
        }
    }
    if (status == STOA_OK) {
        stoa_best_restore(&loop.best);
    } else if (loop.trainer) {
        stoa_trainer_use_average(loop.trainer, false);
    }
    close_loop(&loop);
    stoa_float_leave(&callers);
    return status;
}
