/* One training step: the plan's forward and backward, then the optimiser over the flat arrays. Floor 7. */
#include "train/trainer.h"

#include <stdlib.h>

#include "base/size.h"
#include "core/threads.h"

/* Neighbouring tensors that are treated alike become one segment. */
static bool make_segments(struct stoa_trainer *trainer) {
    const stoa_model *model = trainer->model;
    trainer->segments = calloc(stoa_max(1, model->tensor_count), sizeof *trainer->segments);
    if (!trainer->segments) {
        return false;
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        if (!tensor->spec.trainable) {
            continue;
        }
        size_t end = tensor->offset + stoa_round_up(tensor->count, STOA_ALIGN_FLOATS);
        struct stoa_segment *last =
            trainer->segment_count ? &trainer->segments[trainer->segment_count - 1] : NULL;
        if (last && last->decays == tensor->spec.decays) {
            last->count = end - last->first;
        } else {
            trainer->segments[trainer->segment_count++] =
                (struct stoa_segment){tensor->offset, end - tensor->offset, tensor->spec.decays};
        }
    }
    return true;
}

stoa_status stoa_trainer_create(stoa_context *context, stoa_model *model, const stoa_train_options *options,
                                size_t total_steps, stoa_trainer **trainer) {
    struct stoa_trainer *made = calloc(1, sizeof *made);
    if (!made) {
        return stoa_fail(context, STOA_ERR_MEMORY, "trainer: out of memory");
    }
    made->context = context;
    made->model = model;
    made->total_steps = stoa_max(1, total_steps);
    stoa_status status = stoa_train_settings_read(context, options, &made->settings);
    if (status == STOA_OK) {
        stoa_plan_options plan = {.batch = made->settings.batch,
                                  .training = true,
                                  .loss = made->settings.loss,
                                  .optimizer_slots = made->settings.optimizer_slots};
        status = stoa_plan_create(context, model, &plan, &made->plan);
    }
    if (status == STOA_OK) {
        status = stoa_plan_bind(made->plan, NULL);
    }
    if (status == STOA_OK && !make_segments(made)) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "trainer: out of memory");
    }
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
        free(trainer->segments);
        free(trainer);
    }
}

stoa_plan *stoa_trainer_plan(stoa_trainer *trainer) {
    return trainer->plan;
}

float stoa_trainer_learning_rate(const stoa_trainer *trainer) {
    return trainer->learning_rate;
}

struct update_loop {
    const struct stoa_trainer *trainer;
    const struct stoa_segment *segment;
};

enum { UPDATE_GRAIN = 16384 };

static void update_range(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct update_loop *loop = argument;
    const struct stoa_trainer *t = loop->trainer;
    size_t first = task * UPDATE_GRAIN;
    size_t at = loop->segment->first + first;
    struct stoa_update update = {.kernels = t->context->kernels,
                                 .options = t->settings.optimizer_options,
                                 .parameter = t->model->parameters + at,
                                 .gradient = stoa_plan_gradients(t->plan) + at,
                                 .count = stoa_min(UPDATE_GRAIN, loop->segment->count - first),
                                 .learning_rate = t->learning_rate,
                                 .decays = loop->segment->decays,
                                 .step = t->step + 1};
    for (size_t slot = 0; slot < t->settings.optimizer_slots; slot++) {
        update.slot[slot] = stoa_plan_optimizer_slot(t->plan, slot) + at;
    }
    t->settings.optimizer->update(&update);
}

stoa_status stoa_trainer_step(stoa_trainer *trainer, size_t samples, stoa_targets targets, double *loss,
                              const float **output) {
    stoa_status status =
        stoa_plan_train(trainer->plan, samples, targets, trainer->settings.seed, trainer->step, loss, output);
    if (status != STOA_OK) {
        return status;
    }
    uint64_t step = stoa_min(trainer->step, trainer->total_steps - 1);
    double factor =
        trainer->settings.schedule->factor(trainer->settings.schedule_options, step, trainer->total_steps);
    trainer->learning_rate = (float)((double)trainer->settings.learning_rate * factor);
    for (size_t i = 0; i < trainer->segment_count; i++) {
        struct update_loop loop = {trainer, &trainer->segments[i]};
        stoa_parallel(trainer->context, stoa_ceil_div(loop.segment->count, UPDATE_GRAIN), update_range,
                      &loop);
    }
    trainer->step++;
    return STOA_OK;
}
