/* SPDX-License-Identifier: MIT */
/* How a C program trains so that it can be ended at any time and goes on when it is called again: it saves
 * the state of the training every few steps and looks for one when it begins. Called once with a number of
 * steps to stop after and once without, it saves the very model of a program that ran through. example_resume
 * STATE_FILE MODEL_FILE [STEPS] */
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>

/* What the callbacks share. */
struct run {
    const char *state;
    size_t stop_after; /* steps; 0: never */
};

/* There is no state when the program is called for the first time. */
static stoa_status look_for_state(void *user, stoa_trainer *trainer) {
    const struct run *run = user;
    stoa_status status = stoa_trainer_load(trainer, run->state);
    return status == STOA_ERR_NOT_FOUND ? STOA_OK : status;
}

static bool save_state(void *user, stoa_trainer *trainer, const stoa_progress *progress) {
    const struct run *run = user;
    if (stoa_trainer_save(trainer, run->state) != STOA_OK) {
        fprintf(stderr, "epoch %zu, step %zu cannot be saved; the last state stays\n", progress->epoch,
                progress->step);
    }
    return false; /* true would end the training */
}

static bool stop_early(void *user, const stoa_progress *progress) {
    const struct run *run = user;
    return run->stop_after > 0 && (progress->epoch - 1) * progress->steps + progress->step >= run->stop_after;
}

static stoa_status train(stoa_context *context, stoa_model *model, const struct run *run) {
    static float images[90][16];
    static int32_t labels[90];
    for (int n = 0; n < 90; n++) {
        labels[n] = n % 3;
        for (int i = 0; i < 16; i++) {
            images[n][i] = (float)((n * 31 + i * 17) % 13) / 26.0F + (i % 3 == labels[n] ? 0.7F : 0.0F);
        }
    }
    stoa_dataset *data;
    stoa_status status = stoa_dataset_from_arrays(context, &images[0][0], labels, 90, 1, 1, 16, 3, &data);
    if (status != STOA_OK) {
        return status;
    }
    const stoa_train_options options = {
        .epochs = 6, .batch = 8, .learning_rate = 0.02F, .average = 0.9F, .validation = 0.2F, .seed = 1};
    struct run shared = *run;
    const stoa_train_callbacks callbacks = {.user = &shared,
                                            .start = look_for_state,
                                            .progress = stop_early,
                                            .checkpoint = save_state,
                                            .checkpoint_steps = 5};
    status = stoa_train(context, model, data, NULL, &options, &callbacks);
    stoa_dataset_free(data);
    return status;
}

int main(int argc, char **argv) {
    stoa_context *context;
    stoa_model *model;
    if (argc < 3 || stoa_context_create(NULL, &context) != STOA_OK) {
        return 2;
    }
    const struct run run = {argv[1], argc > 3 ? strtoul(argv[3], NULL, 10) : 0};
    stoa_status status = stoa_model_create(context, &model);
    if (status != STOA_OK) {
        return 2;
    }
    stoa_model_input(model, 1, 1, 16);
    stoa_model_add(model, "l1", "linear units=12");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "d1", "dropout p=0.2");
    stoa_model_add(model, "l2", "linear units=3");
    status = stoa_model_build(model);
    if (status == STOA_OK) {
        status = stoa_model_init(model, 1);
    }
    if (status == STOA_OK) {
        status = train(context, model, &run);
    }
    if (status == STOA_OK) {
        status = stoa_model_save(model, argv[2]);
    }
    if (status != STOA_OK) {
        fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
    }
    stoa_model_free(model);
    stoa_context_free(context);
    return status == STOA_OK ? 0 : status == STOA_ERR_CANCELLED ? 3 : 1;
}
