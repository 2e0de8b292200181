/* SPDX-License-Identifier: MIT */
/* One training step: the plan's forward and backward, then the update. Floor 7. */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>

#include "base/float_state.h"
#include "base/size.h"

static stoa_status open_trainer(struct stoa_trainer *made, const stoa_train_options *options,
                                size_t total_steps) {
    stoa_context *context = made->context;
    stoa_status status = stoa_train_settings_read(context, options, &made->settings);
    if (status != STOA_OK) {
        return status;
    }
    const struct stoa_train_settings *settings = &made->settings;
    made->total_steps = stoa_max(1, total_steps);
    stoa_plan_options plan = {.batch = settings->batch,
                              .training = true,
                              .loss = settings->loss,
                              .optimizer_slots = settings->optimizer_slots + (settings->average > 0 ? 1 : 0),
                              .summed = settings->summed};
    status = stoa_plan_create(context, made->model, &plan, &made->plan);
    if (status == STOA_OK) {
        status = stoa_plan_bind(made->plan, NULL);
    }
    if (status == STOA_OK && !stoa_update_open(made)) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "trainer: out of memory");
    }
    return status;
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
    made->schedule = (struct stoa_schedule_state){.factor = 1, .best = (double)INFINITY};
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
        free(trainer);
    }
}

stoa_plan *stoa_trainer_plan(stoa_trainer *trainer) {
    return trainer->plan;
}

float stoa_trainer_learning_rate(const stoa_trainer *trainer) {
    return trainer->learning_rate;
}

static void exchange(float *a, float *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

void stoa_trainer_use_average(stoa_trainer *trainer, bool use) {
    /* Before the first step there is none. */
    if (trainer->settings.average == 0 || trainer->step == 0 || trainer->averaged == use) {
        return;
    }
    stoa_model *model = trainer->model;
    exchange(stoa_model_change(model), stoa_trainer_average(trainer), model->parameter_floats);
    if (trainer->average_statistics) {
        exchange(model->statistics, trainer->average_statistics, model->statistic_floats);
    }
    trainer->averaged = use;
}

void stoa_trainer_end_epoch(stoa_trainer *trainer, double training_loss, double validation_loss) {
    STOA_FLOAT_STATE();
    const struct stoa_schedule *schedule = trainer->settings.schedule;
    if (schedule->observe) {
        const struct stoa_epoch_losses losses = {training_loss, validation_loss};
        schedule->observe(trainer->settings.schedule_options, &trainer->schedule, &losses);
    }
}

stoa_status stoa_trainer_step(stoa_trainer *trainer, size_t samples, stoa_targets targets, double *loss,
                              const float **output) {
    STOA_FLOAT_STATE();
    stoa_trainer_use_average(trainer, false);
    stoa_status status =
        stoa_plan_train(trainer->plan, samples, targets, trainer->settings.seed, trainer->step, loss, output);
    if (status != STOA_OK) {
        return status;
    }
    double factor =
        stoa_schedule_factor(&trainer->settings, &trainer->schedule, trainer->step, trainer->total_steps);
    trainer->learning_rate = (float)((double)trainer->settings.learning_rate * factor);
    stoa_update_run(trainer);
    trainer->step++;
    return STOA_OK;
}
