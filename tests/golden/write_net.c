/* SPDX-License-Identifier: MIT */
/* Saves a small network to argv[1] and prints what it computes: a line of input values, then a line of
 * outputs. recompute.py reads the file without any code of ours and computes the same. */
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>

enum { HEIGHT = 7, WIDTH = 6, CHANNELS = 2, SIZE = HEIGHT * WIDTH * CHANNELS, BATCH = 3 };

static stoa_context *context;

static void check(stoa_status status) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
        exit(1);
    }
}

static stoa_model *build(void) {
    stoa_model *model = NULL;
    check(stoa_model_create(context, &model));
    stoa_model_input(model, HEIGHT, WIDTH, CHANNELS);
    stoa_model_add(model, "c1", "conv2d filters=4 kernel=3x2 pad=1");
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "c2", "conv2d filters=6 kernel=3 stride=2 groups=2 bias=false");
    stoa_model_add(model, "p1", "maxpool2d size=2 stride=1");
    stoa_model_add(model, "f", "flatten");
    stoa_model_add(model, "l1", "linear units=5");
    check(stoa_model_build(model));
    check(stoa_model_init(model, 12));
    return model;
}

/* A step of training gives the running statistics and the biases values that are not their first ones. */
static void train(stoa_model *model) {
    static const int32_t labels[BATCH] = {4, 0, 2};
    stoa_trainer *trainer = NULL;
    double loss;
    check(stoa_trainer_create(context, model, &(stoa_train_options){.batch = BATCH, .learning_rate = 0.05F},
                              1, &trainer));
    float *input = stoa_plan_input(stoa_trainer_plan(trainer));
    for (int i = 0; i < BATCH * SIZE; i++) {
        input[i] = (float)(i * 37 % 64) / 16;
    }
    check(stoa_trainer_step(trainer, BATCH, (stoa_targets){.labels = labels}, &loss, NULL));
    stoa_trainer_free(trainer);
}

static void print_line(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        (void)printf("%.9g%c", (double)values[i], i + 1 < count ? ' ' : '\n');
    }
}

int main(int count, char **arguments) {
    if (count != 2 || stoa_context_create(NULL, &context) != STOA_OK) {
        return 2;
    }
    stoa_model *model = build();
    train(model);
    check(stoa_model_save(model, arguments[1]));
    stoa_plan *plan = NULL;
    const float *output;
    check(stoa_plan_create(context, model, &(stoa_plan_options){.batch = BATCH}, &plan));
    check(stoa_plan_bind(plan, NULL));
    float *input = stoa_plan_input(plan);
    for (int i = 0; i < BATCH * SIZE; i++) {
        input[i] = (float)(i * 29 % 128) / 32 - 2;
    }
    print_line(input, (size_t)BATCH * SIZE);
    check(stoa_plan_infer(plan, BATCH, &output));
    print_line(output, BATCH * stoa_model_output_size(model));
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
    return 0;
}
