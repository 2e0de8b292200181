/* SPDX-License-Identifier: MIT */
/* Training with frozen layers and learning rates of layers: what is frozen keeps its bits whatever is done to
 * the rest, and options that fit no layer are refused. (tests/golden compares with PyTorch.) */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "train/trainer.h"

enum { BATCH = 6, STEPS = 5, CLASSES = 4 };

static stoa_context *context;

static int open_context(void **state) {
    (void)state;
    return stoa_context_create(&(stoa_context_options){.threads = 2}, &context) == STOA_OK ? 0 : -1;
}

static int close_context(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

static stoa_model *make_model(void) {
    static const char *const lines[][2] = {
        {"c1", "conv2d filters=6 kernel=3"},
        {"b1", "batchnorm"},
        {"r1", "relu"},
        {"c2", "conv2d filters=8 kernel=3"},
        {"b2", "batchnorm"},
        {"r2", "prelu"},
        {"l3", "linear units=20"},
        {"b3", "batchnorm"},
        {"d3", "dropout p=0.25"},
        {"l4", "linear units=4"},
    };
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 8, 8, 2);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        stoa_model_add(model, lines[i][0], lines[i][1]);
    }
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 4), STOA_OK);
    return model;
}

static stoa_trainer *make_trainer(stoa_model *model, stoa_train_options options) {
    stoa_trainer *trainer = NULL;
    options.batch = BATCH;
    options.learning_rate = 0.125F;
    if (stoa_trainer_create(context, model, &options, STEPS, &trainer) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    return trainer;
}

static void make_step(stoa_trainer *trainer, size_t step) {
    static const int32_t labels[BATCH] = {0, 1, 2, 3, 0, 2};
    double loss;
    float *input = stoa_plan_input(trainer->plan);
    for (size_t i = 0; i < BATCH * stoa_model_input_size(trainer->model); i++) {
        input[i] = sinf((float)(i + 31 * step) * 1.7F);
    }
    assert_int_equal(stoa_trainer_step(trainer, BATCH, (stoa_targets){.labels = labels}, &loss, NULL),
                     STOA_OK);
}

/* All tensors of a model behind each other. */
static float *copy_tensors(const stoa_model *model) {
    float *copy = malloc((model->parameter_floats + model->statistic_floats) * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, model->parameters, model->parameter_floats * sizeof *copy);
    memcpy(copy + model->parameter_floats, model->statistics, model->statistic_floats * sizeof *copy);
    return copy;
}

/* Of the layers whose names begin with a letter of `frozen`, every tensor has the copy's bits; of the others
 * none has. */
static void expect_kept(const stoa_model *model, const float *copy, const char *frozen) {
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        const float *before = copy + (tensor->spec.trainable ? 0 : model->parameter_floats) + tensor->offset;
        bool kept = memcmp(stoa_tensor_data(model, i), before, tensor->count * sizeof(float)) == 0;
        char layer[3] = {tensor->name[0], tensor->name[1], 0};
        if (kept != (strstr(frozen, layer) != NULL)) {
            fail_msg("'%s' frozen: %s %s", frozen, tensor->name, kept ? "was kept" : "changed");
        }
    }
}

/* Decay, momentum, averages with their statistics, both ways to clip, several batches a step. */
static void frozen_layers_keep_their_bits(void **state) {
    (void)state;
    static const stoa_train_options ways[] = {
        {.optimizer = "sgd momentum=0.5 decay=0.1"},
        {.optimizer = "adamw decay=0.5", .clip_norm = 0.25F, .average = 0.9F, .lr_scale = "*=0.5"},
        {.optimizer = "adam decay=0.01", .clip_value = 0.01F, .average = 0.5F, .accumulate = 2},
    };
    static const char *const names[] = {"c1,b1", "b1,b2,b3", "c2,b2,r2,l3,b3", "c1,b1,c2,b2,r2"};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            stoa_train_options options = ways[w];
            options.freeze = names[n];
            stoa_model *model = make_model();
            float *copy = copy_tensors(model);
            stoa_trainer *trainer = make_trainer(model, options);
            for (size_t step = 0; step < STEPS; step++) {
                make_step(trainer, step);
            }
            expect_kept(model, copy, names[n]);
            stoa_trainer_use_average(trainer, true);
            expect_kept(model, copy, names[n]);
            stoa_trainer_use_average(trainer, false);
            expect_kept(model, copy, names[n]);
            stoa_trainer_free(trainer);
            stoa_model_free(model);
            free(copy);
        }
    }
}

/* Of the array of all gradients. */
static double norm_of_gradients(stoa_trainer *trainer) {
    size_t count = 0;
    const float *gradients = stoa_trainer_gradients(trainer, &count);
    double sum = 0;
    assert_int_equal(count, trainer->model->parameter_floats);
    for (size_t i = 0; i < count; i++) {
        sum += (double)gradients[i] * (double)gradients[i];
    }
    return sqrt(sum);
}

/* The norm is that of what is trained: what would be clipped with all layers is not. */
static void the_norm_is_that_of_what_is_trained(void **state) {
    (void)state;
    double norm[2];
    for (size_t i = 0; i < 2; i++) {
        stoa_model *model = make_model();
        stoa_trainer *trainer = make_trainer(model, (stoa_train_options){.freeze = i ? "c1,c2,l3" : NULL});
        make_step(trainer, 0);
        norm[i] = norm_of_gradients(trainer);
        stoa_trainer_free(trainer);
        stoa_model_free(model);
    }
    assert_true(norm[1] < 0.9 * norm[0]);
    const float limits[] = {(float)(1.01 * norm[1]), (float)(0.5 * norm[1])};
    for (size_t i = 0; i < 2; i++) {
        stoa_model *model = make_model();
        stoa_train_options options = {.freeze = "c1,c2,l3", .clip_norm = limits[i]};
        stoa_trainer *trainer = make_trainer(model, options);
        make_step(trainer, 0);
        double expected = fmin(norm[1], (double)limits[i]);
        assert_true(fabs(norm_of_gradients(trainer) - expected) < 1e-5 * expected);
        stoa_trainer_free(trainer);
        stoa_model_free(model);
    }
}

static double norm_of_tensors(const stoa_trainer *trainer) {
    double sum = 0;
    for (size_t i = 0; i < trainer->model->tensor_count; i++) {
        float values[2048];
        size_t count = trainer->model->tensors[i].count;
        assert_true(count <= 2048);
        bool learns = stoa_plan_get_gradient(trainer->plan, i, values, count) == STOA_OK;
        for (size_t j = 0; learns && j < count; j++) {
            sum += (double)values[j] * (double)values[j];
        }
    }
    return sqrt(sum);
}

/* Activations of frozen layers lie where gradients come to lie later. What they leave between the tensors and
 * in those that are frozen is no gradient: not for the norm, and not for who looks at all gradients. */
static void what_lies_between_gradients_is_zero(void **state) {
    (void)state;
    for (size_t frozen = 0; frozen < 2; frozen++) {
        stoa_model *model = NULL;
        assert_int_equal(stoa_model_create(context, &model), STOA_OK);
        stoa_model_input(model, 8, 8, 2);
        for (size_t i = 0; i < 4; i++) {
            const char name[] = {'c', (char)('1' + i), 0};
            stoa_model_add(model, name, "conv2d filters=9 kernel=3 pad=1");
        }
        stoa_model_add(model, "g", "global_avgpool");
        stoa_model_add(model, "l", "linear units=5");
        assert_int_equal(stoa_model_build(model), STOA_OK);
        assert_int_equal(stoa_model_init(model, 4), STOA_OK);
        stoa_train_options options = {.freeze = frozen ? "c*" : NULL, .clip_norm = 1e-3F};
        stoa_trainer *trainer = make_trainer(model, options);
        for (size_t step = 0; step < 2; step++) {
            make_step(trainer, step);
            assert_true(fabs(norm_of_tensors(trainer) - 1e-3) < 1e-8);
            assert_true(fabs(norm_of_gradients(trainer) - 1e-3) < 1e-8);
        }
        stoa_trainer_free(trainer);
        stoa_model_free(model);
    }
}

/* A step of sgd is as much longer as the factor says; the later of two words counts. */
static void factors_scale_the_step(void **state) {
    (void)state;
    stoa_model *models[2] = {make_model(), make_model()};
    float *before = copy_tensors(models[0]);
    for (size_t i = 0; i < 2; i++) {
        stoa_train_options options = {.optimizer = "sgd",
                                      .lr_scale = i ? "b*=4, c1=0.25 b3=0.5\tl4=2" : NULL};
        stoa_trainer *trainer = make_trainer(models[i], options);
        make_step(trainer, 0);
        stoa_trainer_free(trainer);
    }
    static const struct {
        const char *layer;
        double factor;
    } expected[] = {{"c1", 0.25}, {"b1", 4}, {"c2", 1},   {"b2", 4},
                    {"r2", 1},    {"l3", 1}, {"b3", 0.5}, {"l4", 2}};
    for (size_t i = 0; i < models[0]->tensor_count; i++) {
        const struct stoa_tensor *tensor = &models[0]->tensors[i];
        size_t layer = 0;
        while (strncmp(tensor->name, expected[layer].layer, 2) != 0) {
            layer++;
        }
        for (size_t j = 0; tensor->spec.trainable && j < tensor->count; j++) {
            double from = (double)before[tensor->offset + j];
            double plain = (double)stoa_tensor_data(models[0], i)[j] - from;
            double scaled = (double)stoa_tensor_data(models[1], i)[j] - from;
            if (!(fabs(scaled - expected[layer].factor * plain) <= 1e-6 * (1 + fabs(from)))) {
                fail_msg("%s[%zu]: a step of %g became %g", tensor->name, j, plain, scaled);
            }
        }
    }
    free(before);
    stoa_model_free(models[0]);
    stoa_model_free(models[1]);
}

static void wrong_lines_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *freeze, *lr_scale, *sentence;
    } cases[] = {
        {"l5", NULL, "freeze: found 'l5', expected names of layers such as l3, l4, c1"},
        {"*", NULL,
         "freeze: found '*', which are all layers with parameters, expected one or more left to train"},
        {NULL, "c3=2", "lr_scale: found 'c3', expected names of layers such as c1, c2, l3"},
        {NULL, "c1",
         "lr_scale: found 'c1', expected LAYER=FACTOR with a factor above 0, such as c1=0.1; a layer that is "
         "to stay as it is goes into freeze"},
        {NULL, "c1=0",
         "lr_scale: found 'c1=0', expected LAYER=FACTOR with a factor above 0, such as c1=0.1; a layer that "
         "is to stay as it is goes into freeze"},
        {NULL, "c1=1e39",
         "lr_scale: found 'c1=1e39', expected LAYER=FACTOR with a factor above 0, such as c1=0.1; a layer "
         "that is to stay as it is goes into freeze"},
        {NULL, "d3=2", "lr_scale: found 'd3', a dropout without parameters, expected layers that have some"},
        {"c1,b1", "c*=2 c1=3", "lr_scale: found 'c1', which is frozen, expected layers that are trained"},
    };
    stoa_model *model = make_model();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_trainer *trainer = NULL;
        stoa_train_options options = {
            .batch = BATCH, .freeze = cases[i].freeze, .lr_scale = cases[i].lr_scale};
        assert_int_equal(stoa_trainer_create(context, model, &options, 1, &trainer), STOA_ERR_ARGUMENT);
        assert_string_equal(stoa_context_error(context), cases[i].sentence);
        stoa_dataset *data = NULL;
        float x[2 * 128] = {0};
        assert_int_equal(
            stoa_dataset_from_arrays(context, x, (const int32_t[]){0, 1}, 2, 8, 8, 2, CLASSES, &data),
            STOA_OK);
        assert_int_equal(stoa_train_check(context, model, data, NULL, &options), STOA_ERR_ARGUMENT);
        assert_string_equal(stoa_context_error(context), cases[i].sentence);
        stoa_dataset_free(data);
    }
    stoa_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_layers_keep_their_bits),
        cmocka_unit_test(the_norm_is_that_of_what_is_trained),
        cmocka_unit_test(what_lies_between_gradients_is_zero),
        cmocka_unit_test(factors_scale_the_step),
        cmocka_unit_test(wrong_lines_are_refused),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
