/* SPDX-License-Identifier: MIT */
/* One training step: the plan's forward and backward, then the update. */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/size.h"

/* Read the options; a trainer's caller may have a loss of its own. */
static stoa_status read_settings(struct stoa_trainer *made, const stoa_train_options *options) {
    stoa_train_options read = *options;
    bool own = stoa_loss_is_own(options->loss);
    read.loss = own ? NULL : options->loss;
    stoa_status status = stoa_train_settings_read(made->context, &read, &made->settings);
    if (status == STOA_OK && own) {
        (void)snprintf(made->settings.loss, sizeof made->settings.loss, "%s", options->loss);
    }
    return status;
}

static stoa_status open_trainer(struct stoa_trainer *made, const stoa_train_options *options,
                                size_t total_steps) {
    stoa_context *context = made->context;
    stoa_status status = read_settings(made, options);
    if (status == STOA_OK) {
        status = stoa_options_keep(made, options);
    }
    if (status != STOA_OK) {
        return status;
    }
    const struct stoa_train_settings *settings = &made->settings;
    made->total_steps = stoa_max(1, total_steps);
    stoa_plan_options plan = {.batch = settings->options.batch,
                              .training = true,
                              .loss = settings->loss,
                              .optimizer_slots = settings->optimizer_slots +
                                                 (settings->options.average > 0 ? 1 : 0) +
                                                 (settings->options.accumulate > 1 ? 1 : 0),
                              .summed = settings->options.summed,
                              .freeze = options->freeze};
    status = stoa_plan_create(context, made->model, &plan, &made->plan);
    if (status == STOA_OK) {
        status = stoa_plan_bind(made->plan, NULL);
    }
    return status == STOA_OK ? stoa_update_open(made, options) : status;
}

stoa_status stoa_trainer_create(stoa_context *context, stoa_model *model, const stoa_train_options *options,
                                size_t total_steps, stoa_trainer **trainer) {
    STOA_FLOAT_STATE();
    struct stoa_trainer *made = calloc(1, sizeof *made);
    if (!made) {
        return stoa_fail(context, STOA_ERR_MEMORY, "trainer: out of memory");
    }
    made->context = context;
    made->model = model;
    made->state.schedule = (struct stoa_schedule_state){.factor = 1, .best = (double)INFINITY};
    stoa_status status = open_trainer(made, options, total_steps);
    if (status != STOA_OK) {
        stoa_trainer_free(made);
        return status;
    }
    *trainer = made;
    return STOA_OK;
}

void stoa_trainer_free(stoa_trainer *trainer) {
    if (trainer) {
        stoa_plan_free(trainer->plan);
        stoa_update_close(trainer);
        stoa_options_release(trainer);
        stoa_best_close(trainer->context, &trainer->best);
        free(trainer);
    }
}

stoa_plan *stoa_trainer_plan(stoa_trainer *trainer) {
    return trainer->plan;
}

float *stoa_trainer_gradients(stoa_trainer *trainer, size_t *count) {
    const stoa_model *model = trainer->model;
    float *gradients = stoa_plan_gradients(trainer->plan);
    /* Nobody computes those of frozen layers, and forward may have left something in their place. */
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        if (tensor->spec.trainable && trainer->rates[stoa_tensor_node(model, i)] == 0) {
            memset(gradients + tensor->offset, 0, tensor->count * sizeof *gradients);
        }
    }
    *count = model->parameter_floats;
    return gradients;
}

static size_t count_trained(const stoa_trainer *trainer) {
    const stoa_model *model = trainer->model;
    size_t count = 0;
    for (size_t i = 0; i < model->tensor_count; i++) {
        bool trained = model->tensors[i].spec.trainable && trainer->rates[stoa_tensor_node(model, i)] != 0;
        count += trained ? model->tensors[i].count : 0;
    }
    return count;
}

void stoa_trainer_describe(const stoa_trainer *trainer, stoa_trainer_info *info) {
    const struct stoa_training_state *state = &trainer->state;
    *info = (stoa_trainer_info){.parameters = count_trained(trainer),
                                .steps = (size_t)state->steps,
                                .epochs = (size_t)state->epochs,
                                .samples = (size_t)state->samples,
                                .best_epoch = (size_t)state->best.epoch,
                                .learning_rate = (float)state->learning_rate,
                                .schedule_spans = stoa_schedule_spans(&trainer->settings),
                                .other_build = trainer->other_build};
}

void stoa_trainer_use_average(stoa_trainer *trainer, bool use) {
    /* Before the first step there is none. */
    if (trainer->settings.options.average == 0 || trainer->state.steps == 0 || trainer->averaged == use) {
        return;
    }
    stoa_update_exchange(trainer);
    trainer->averaged = use;
}

void stoa_trainer_end_epoch(stoa_trainer *trainer, double training_loss, double validation_loss) {
    STOA_FLOAT_STATE();
    const struct stoa_schedule *schedule = trainer->settings.schedule;
    if (schedule->observe) {
        const struct stoa_epoch_losses losses = {training_loss, validation_loss};
        schedule->observe(trainer->settings.schedule_options, &trainer->state.schedule, &losses);
    }
}

/* Before a pass: there is room for its gradients, and the model holds what is trained. */
static stoa_status begin_batch(stoa_trainer *trainer) {
    size_t most = trainer->settings.options.accumulate;
    if (trainer->waiting == most) {
        return stoa_fail(trainer->context, STOA_ERR_ARGUMENT,
                         "accumulate: found one batch more than %zu before an update", most);
    }
    stoa_trainer_use_average(trainer, false);
    return STOA_OK;
}

/* Behind it: its gradients wait for the update, with the weight of their mean. */
static void end_batch(stoa_trainer *trainer, double weight) {
    trainer->state.batches++;
    trainer->waiting++;
    if (trainer->settings.options.accumulate > 1) {
        /* With the sum of the losses every batch counts as it is. */
        stoa_update_join(trainer, trainer->settings.options.summed ? 1 : weight);
    }
}

stoa_status stoa_trainer_backward(stoa_trainer *trainer, size_t samples, stoa_targets targets, double *loss,
                                  const float **output) {
    STOA_FLOAT_STATE();
    stoa_status status = begin_batch(trainer);
    if (status == STOA_OK) {
        status = stoa_plan_train(trainer->plan, samples, targets, trainer->settings.options.seed,
                                 trainer->state.batches, loss, output);
    }
    if (status == STOA_OK) {
        end_batch(trainer, stoa_plan_loss_weight(trainer->plan, targets.labels, samples));
    }
    return status;
}

stoa_status stoa_trainer_forward(stoa_trainer *trainer, size_t samples, const float **output) {
    stoa_status status = begin_batch(trainer);
    return status == STOA_OK ? stoa_plan_forward(trainer->plan, samples, trainer->settings.options.seed,
                                                 trainer->state.batches, output)
                             : status;
}

stoa_status stoa_trainer_backward_given(stoa_trainer *trainer) {
    STOA_FLOAT_STATE();
    size_t samples = trainer->plan->forward_samples;
    stoa_status status = stoa_plan_backward(trainer->plan);
    if (status == STOA_OK) {
        end_batch(trainer, (double)samples);
    }
    return status;
}

void stoa_trainer_update(stoa_trainer *trainer) {
    STOA_FLOAT_STATE();
    struct stoa_training_state *state = &trainer->state;
    double factor =
        stoa_schedule_factor(&trainer->settings, &state->schedule, state->steps, trainer->total_steps);
    state->learning_rate = (double)(float)((double)trainer->settings.options.learning_rate * factor);
    stoa_update_run(trainer);
    state->steps++;
    trainer->waiting = 0;
}

stoa_status stoa_trainer_step(stoa_trainer *trainer, size_t samples, stoa_targets targets, double *loss,
                              const float **output) {
    stoa_status status = stoa_trainer_backward(trainer, samples, targets, loss, output);
    if (status == STOA_OK) {
        stoa_trainer_update(trainer);
    }
    return status;
}
