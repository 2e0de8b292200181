/* SPDX-License-Identifier: MIT */
/* The loop over epochs: arrange, step, validate, evaluate, tell. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/float_state.h"
#include "base/random.h"
#include "base/size.h"
#include "data/dataset.h"
#include "ops/op.h"
#include "train/notes.h"
#include "train/prepare.h"
#include "train/rates.h"
#include "train/trainer.h"
#include "train/validation.h"
#include "train/watch.h"

/* All that one call of stoa_train() holds. */
struct loop {
    stoa_context *context;
    stoa_trainer *trainer;
    struct stoa_feeder train, test;
    struct stoa_preparer preparer; /* with augmentation only */
    bool has_test, is_regression;
    struct stoa_split_order split; /* without validation all samples are trained */
    size_t *order;                 /* of the samples that are trained */
    size_t samples, epochs, batch, step_samples;
    stoa_train_callbacks callbacks;
    bool stopped;         /* by a callback */
    uint64_t saved_steps; /* steps and whole epochs that the last checkpoint was told of */
    uint64_t saved_epochs;
    double saved_at;                /* seconds */
    size_t timed, timed_in_all;     /* samples that were trained in the seconds below */
    double seconds, seconds_in_all; /* of this epoch, and of all that were trained by this call */
    double step_loss;               /* of the last step; NAN before the first */
    struct stoa_watch watch;
    struct stoa_float_state *callers; /* which the callbacks run in */
};

static void arrange(struct loop *loop, size_t epoch) {
    /* From file order every time, so that an epoch's order follows from seed and epoch alone. */
    for (size_t i = 0; i < loop->samples; i++) {
        loop->order[i] = loop->split.index ? loop->split.index[i] : i;
    }
    const struct stoa_train_settings *settings = &loop->trainer->settings;
    if (!settings->options.in_order) {
        stoa_dataset_shuffle(loop->train.data, settings->options.seed, epoch, loop->order, loop->samples);
    }
}

static stoa_progress describe(const struct loop *loop, size_t epoch) {
    const struct stoa_training_state *state = &loop->trainer->state;
    double rate = loop->seconds > 0 ? (double)loop->timed / loop->seconds : 0;
    double rate_in_all = loop->seconds_in_all > 0 ? (double)loop->timed_in_all / loop->seconds_in_all : 0;
    double left = (double)loop->samples * (double)(loop->epochs - epoch + 1) - (double)state->samples;
    return (stoa_progress){
        .epoch = epoch,
        .epochs = loop->epochs,
        .step = stoa_ceil_div(state->samples, loop->step_samples),
        .steps = stoa_ceil_div(loop->samples, loop->step_samples),
        .train_loss = state->loss == 0 ? 0 : state->loss / state->weight,
        .step_loss = loop->step_loss,
        .train_accuracy = loop->is_regression  ? (double)NAN
                          : state->samples > 0 ? (double)state->correct / (double)state->samples
                                               : 0,
        .validation_loss = NAN,
        .validation_accuracy = NAN,
        .test_loss = NAN,
        .test_accuracy = NAN,
        .seconds = loop->seconds,
        .images_per_second = rate,
        .seconds_left = rate_in_all > 0 ? left / rate_in_all : 0,
        .learning_rate = (float)state->learning_rate,
        .threads = loop->context->threads,
    };
}

/* The callbacks run in the caller's floating-point state. */
static void tell(struct loop *loop, const stoa_progress *progress) {
    if (loop->callbacks.progress) {
        stoa_float_leave(loop->callers);
        loop->stopped |= loop->callbacks.progress(loop->callbacks.user, progress);
        *loop->callers = stoa_float_enter();
    }
}

static void offer_gradients(struct loop *loop) {
    if (loop->callbacks.gradients) {
        stoa_float_leave(loop->callers);
        loop->stopped |= loop->callbacks.gradients(loop->callbacks.user, loop->trainer);
        *loop->callers = stoa_float_enter();
    }
}

/* Tell of a checkpoint, unless the last one was of this very state. */
static void checkpoint(struct loop *loop, const stoa_progress *progress) {
    const struct stoa_training_state *state = &loop->trainer->state;
    if (!loop->callbacks.checkpoint ||
        (loop->saved_steps == state->steps && loop->saved_epochs == state->epochs)) {
        return;
    }
    stoa_float_leave(loop->callers);
    loop->stopped |= loop->callbacks.checkpoint(loop->callbacks.user, loop->trainer, progress);
    *loop->callers = stoa_float_enter();
    loop->saved_steps = state->steps;
    loop->saved_epochs = state->epochs;
    loop->saved_at = stoa_clock();
}

static bool is_due(const struct loop *loop) {
    const stoa_train_callbacks *wanted = &loop->callbacks;
    return (wanted->checkpoint_steps > 0 &&
            loop->trainer->state.steps - loop->saved_steps >= wanted->checkpoint_steps) ||
           (wanted->checkpoint_seconds > 0 && stoa_clock() - loop->saved_at >= wanted->checkpoint_seconds);
}

static stoa_status cancel(struct loop *loop, const stoa_progress *progress) {
    checkpoint(loop, progress);
    return stoa_fail(loop->context, STOA_ERR_CANCELLED, "cancelled in epoch %zu at step %zu", progress->epoch,
                     progress->step);
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
    return stoa_feeder_targets(&loop->train, loop->order + first, 0, samples);
}

/* What the batches of a step add to their epoch. */
struct tally {
    double loss, weight;
    size_t correct;
};

static stoa_status run_batch(struct loop *loop, size_t epoch, size_t first, size_t samples,
                             struct tally *tally) {
    stoa_trainer *trainer = loop->trainer;
    stoa_targets targets = read_batch(loop, epoch, first, samples);
    if (trainer->state.batches == 0 && loop->watch.trainer) {
        stoa_notes_input(trainer, samples);
    }
    double loss;
    const float *output;
    stoa_status status = stoa_store_check(loop->train.data->store, loop->context);
    if (status == STOA_OK) {
        status = stoa_trainer_backward(trainer, samples, targets, &loss, &output);
    }
    if (status != STOA_OK) {
        return stoa_error_prefix(&loop->context->error, "epoch %zu, step %zu: ", epoch,
                                 first / loop->step_samples + 1);
    }
    tally->correct += stoa_feeder_correct(&loop->train, output, samples);
    double weight = stoa_plan_loss_weight(trainer->plan, targets.labels, samples);
    tally->loss += loss * weight;
    tally->weight += weight;
    return STOA_OK;
}

static stoa_status run_step(struct loop *loop, size_t epoch) {
    double start = stoa_clock();
    struct stoa_training_state *state = &loop->trainer->state;
    struct tally tally = {0};
    size_t first = (size_t)state->samples;
    size_t end = first + stoa_min(loop->step_samples, loop->samples - first);
    for (size_t at = first; at < end; at += loop->batch) {
        stoa_status status = run_batch(loop, epoch, at, stoa_min(loop->batch, end - at), &tally);
        if (status != STOA_OK) {
            return status;
        }
    }
    offer_gradients(loop);
    stoa_trainer_update(loop->trainer);
    state->samples = end;
    state->correct += tally.correct;
    state->loss += tally.loss;
    state->weight += tally.weight;
    loop->step_loss = tally.loss == 0 ? 0 : tally.loss / tally.weight;
    stoa_watch_step(&loop->watch, loop->step_loss);
    loop->timed += end - first;
    loop->timed_in_all += end - first;
    double seconds = stoa_clock() - start;
    loop->seconds += seconds;
    loop->seconds_in_all += seconds;
    return STOA_OK;
}

/* Tell of a step that was made. */
static stoa_status end_step(struct loop *loop, size_t epoch) {
    stoa_progress progress = describe(loop, epoch);
    tell(loop, &progress);
    if (loop->stopped) {
        return cancel(loop, &progress);
    }
    /* The last step's checkpoint is that of the epoch. */
    if (loop->trainer->state.samples < loop->samples && is_due(loop)) {
        checkpoint(loop, &progress);
    }
    return loop->stopped ? cancel(loop, &progress) : STOA_OK;
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
static stoa_status evaluate_epoch(struct loop *loop, stoa_progress *progress) {
    struct stoa_trainer *trainer = loop->trainer;
    stoa_evaluation evaluation;
    stoa_status status = STOA_OK;
    stoa_trainer_use_average(trainer, true);
    if (loop->split.validation > 0) {
        status = evaluate(loop, &loop->train, loop->split.index + loop->split.training,
                          loop->split.validation, progress, "validation", &evaluation);
        if (status != STOA_OK) {
            return status;
        }
        progress->validation = evaluation;
        progress->validation_loss = evaluation.loss;
        progress->validation_accuracy = evaluation.accuracy;
        progress->best =
            stoa_best_observe(&trainer->best, &trainer->state.best, progress->epoch, &evaluation);
        progress->best_epoch = (size_t)trainer->state.best.epoch;
    }
    if (loop->has_test) {
        status = evaluate(loop, &loop->test, NULL, stoa_dataset_count(loop->test.data), progress, "test",
                          &evaluation);
    }
    if (status == STOA_OK && loop->has_test) {
        progress->test = evaluation;
        progress->test_loss = evaluation.loss;
        progress->test_accuracy = evaluation.accuracy;
    }
    return status;
}

/* An epoch without a better validation, the last one in a row that patience has, is the last. */
static bool is_over(const struct loop *loop) {
    const struct stoa_training_state *state = &loop->trainer->state;
    return state->epochs >= loop->epochs || stoa_best_stops(&loop->trainer->best, &state->best);
}

static stoa_status end_epoch(struct loop *loop, size_t epoch) {
    struct stoa_training_state *state = &loop->trainer->state;
    stoa_progress progress = describe(loop, epoch);
    stoa_status status = check_parameters(loop, epoch);
    progress.epoch_done = true;
    progress.best = true;
    progress.best_epoch = epoch;
    if (status == STOA_OK) {
        status = evaluate_epoch(loop, &progress);
    }
    if (status != STOA_OK) {
        return status;
    }
    stoa_trainer_end_epoch(loop->trainer, progress.train_loss, progress.validation_loss);
    state->epochs = epoch;
    state->samples = 0;
    state->correct = 0;
    state->loss = 0;
    state->weight = 0;
    progress.last = is_over(loop);
    stoa_watch_epoch(&loop->watch, &progress, loop->has_test && loop->test.alike);
    tell(loop, &progress);
    checkpoint(loop, &progress);
    return loop->stopped ? cancel(loop, &progress) : STOA_OK;
}

/* An epoch, or what is left of it. */
static stoa_status run_epoch(struct loop *loop) {
    const struct stoa_training_state *state = &loop->trainer->state;
    size_t epoch = (size_t)state->epochs + 1;
    double start = stoa_clock();
    arrange(loop, epoch);
    prepare(loop, epoch, (size_t)state->samples);
    loop->timed = 0;
    loop->seconds = stoa_clock() - start;
    loop->seconds_in_all += loop->seconds;
    stoa_status status = STOA_OK;
    while (status == STOA_OK && state->samples < loop->samples) {
        status = run_step(loop, epoch);
        if (status == STOA_OK) {
            status = end_step(loop, epoch);
        }
    }
    return status == STOA_OK ? end_epoch(loop, epoch) : status;
}

static stoa_status check_loss(stoa_context *context, const stoa_dataset *train,
                              const struct stoa_train_settings *settings) {
    struct stoa_spec spec;
    stoa_status status = stoa_spec_parse(&context->error, settings->loss, &spec);
    return status == STOA_OK ? stoa_feeder_check_loss(context, train, stoa_op_find(spec.name)) : status;
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
    if (status == STOA_OK) {
        status = stoa_train_settings_check_task(error, settings, stoa_dataset_task(train));
    }
    if (status == STOA_OK) {
        status = check_loss(loop->context, train, settings);
    }
    if (status == STOA_OK && test) {
        status = stoa_feeder_check(loop->context, test, model);
    }
    if (status == STOA_OK && test && stoa_dataset_task(test) != stoa_dataset_task(train)) {
        status =
            stoa_fail(loop->context, STOA_ERR_SHAPE,
                      "training and test data: one has classes or labels, the other targets of another kind");
    }
    loop->is_regression = stoa_dataset_task(train) == STOA_TASK_REGRESSION;
    loop->samples = stoa_dataset_count(train);
    if (status == STOA_OK && settings->options.validation > 0) {
        status = stoa_split_make(loop->context, train, settings, &loop->split);
        loop->samples = loop->split.training;
    }
    return status == STOA_OK ? stoa_rates_check(model, error, options, settings->options.batch,
                                                loop->samples % settings->options.batch)
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
    if (status != STOA_OK) {
        return status;
    }
    loop->order = calloc(loop->samples, sizeof *loop->order);
    if (!loop->order) {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "order of the samples: out of memory");
        return STOA_ERR_MEMORY;
    }
    loop->epochs = settings.options.epochs;
    loop->batch = settings.options.batch;
    size_t steps;
    if (!stoa_size_mul(settings.options.batch, settings.options.accumulate, &loop->step_samples) ||
        !stoa_size_mul(stoa_ceil_div(loop->samples, loop->step_samples), loop->epochs, &steps)) {
        (void)stoa_fail(context, STOA_ERR_ARGUMENT, "epochs: %zu are too many steps", loop->epochs);
        return STOA_ERR_ARGUMENT;
    }
    status = stoa_trainer_create(context, model, options, steps, &loop->trainer);
    if (status == STOA_OK) {
        loop->trainer->train = train;
        loop->trainer->test = test;
        loop->trainer->epoch_samples = loop->samples;
        loop->trainer->step_samples = loop->step_samples;
        status = stoa_feeder_open(context, train, loop->trainer->plan, &loop->train);
    }
    if (status == STOA_OK && settings.options.validation > 0) {
        status = stoa_best_open(context, model, &settings, &loop->trainer->best, &loop->trainer->state.best);
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
    stoa_trainer_free(loop->trainer);
    free(loop->split.index);
    free(loop->order);
}

/* The place where a state is loaded. */
static stoa_status start(struct loop *loop) {
    const struct stoa_training_state *state = &loop->trainer->state;
    stoa_status status = STOA_OK;
    if (loop->callbacks.start) {
        stoa_float_leave(loop->callers);
        status = loop->callbacks.start(loop->callbacks.user, loop->trainer);
        *loop->callers = stoa_float_enter();
    }
    loop->saved_steps = state->steps;
    loop->saved_epochs = state->epochs;
    loop->saved_at = stoa_clock();
    return status;
}

stoa_status stoa_train_watched(stoa_context *context, stoa_model *model, const stoa_dataset *train,
                               const stoa_dataset *test, const stoa_train_options *options,
                               const stoa_train_callbacks *callbacks, bool watched) {
    struct stoa_float_state callers = stoa_float_enter();
    struct loop loop = {
        .context = context, .has_test = test != NULL, .callers = &callers, .step_loss = (double)NAN};
    if (callbacks) {
        loop.callbacks = *callbacks;
    }
    loop.train.context = context;
    loop.test.context = context;
    stoa_status status = open_loop(&loop, model, train, test, options);
    if (status == STOA_OK && watched) {
        stoa_notes_begin(loop.trainer);
        stoa_watch_open(&loop.watch, loop.trainer);
    }
    if (status == STOA_OK) {
        status = start(&loop);
    }
    while (status == STOA_OK && !is_over(&loop)) {
        status = run_epoch(&loop);
    }
    if (loop.trainer) {
        /* Nothing changes hands where an epoch has just ended; a state that was loaded may have no epoch
         * left. */
        stoa_trainer_use_average(loop.trainer, status == STOA_OK);
    }
    if (status == STOA_OK) {
        stoa_best_restore(&loop.trainer->best);
    }
    close_loop(&loop);
    stoa_float_leave(&callers);
    return status;
}

stoa_status stoa_train(stoa_context *context, stoa_model *model, const stoa_dataset *train,
                       const stoa_dataset *test, const stoa_train_options *options,
                       const stoa_train_callbacks *callbacks) {
    return stoa_train_watched(context, model, train, test, options, callbacks, true);
}
