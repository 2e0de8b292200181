/* SPDX-License-Identifier: MIT */
/* Whole networks against PyTorch, through the public functions: a state dictionary loaded, logits, gradients,
 * losses of each step, parameters after training, learning rates. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

#include "golden.h"
#include "train/options.h"

enum { CLASSES = 10, PIXELS = 28 * 28 };

static const char *folder, *recipe_path;
static stoa_context *context;

#define CHECK(call) check_status(call, #call)
static void check_status(stoa_status status, const char *call) {
    if (status != STOA_OK) {
        fail_msg("%s: %s", call, stoa_context_error(context));
    }
}

static int set_up(void **state) {
    (void)state;
    return stoa_context_create(&(stoa_context_options){.threads = 2}, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

static void compare_loss(const char *where, size_t step, double found, double expected, double bound) {
    if (!(fabs(found - expected) <= bound * fabs(expected))) {
        fail_msg("%s: loss of step %zu is %.9g, PyTorch's %.9g", where, step, found, expected);
    }
}

/* ---- LeNet-5, from PyTorch's own file ---- */

static stoa_model *load_lenet(void) {
    stoa_recipe *recipe = NULL;
    stoa_model *model = NULL;
    char path[4096];
    CHECK(stoa_recipe_load(context, recipe_path, &recipe));
    CHECK(stoa_recipe_model(context, recipe, &model));
    stoa_recipe_free(recipe);
    assert_int_equal(stoa_model_parameter_count(model), 61706);
    (void)snprintf(path, sizeof path, "%s/lenet5-pytorch.safetensors", folder);
    CHECK(stoa_model_load_tensors(model, path));
    return model;
}

static void lenet_gives_pytorchs_logits(void **state) {
    (void)state;
    json_t *file = golden_load(folder, "lenet5.json");
    stoa_model *model = load_lenet();
    stoa_plan *plan = NULL;
    const float *logits;
    CHECK(stoa_plan_create(context, model, &(stoa_plan_options){.batch = 8}, &plan));
    CHECK(stoa_plan_bind(plan, NULL));
    float *input = stoa_plan_input(plan);
    golden_floats(golden_get(file, "pixels"), input, (size_t)8 * PIXELS);
    for (size_t i = 0; i < (size_t)8 * PIXELS; i++) {
        input[i] /= 256;
    }
    CHECK(stoa_plan_infer(plan, 8, &logits));
    golden_compare("lenet5", "logits", logits, golden_get(file, "logits"), (size_t)8 * CLASSES, 2e-6);
    stoa_plan_free(plan);
    stoa_model_free(model);
    json_decref(file);
}

static uint32_t draw(uint32_t *generator) {
    *generator = *generator * 1664525U + 1013904223U;
    return *generator >> 24;
}

/* The images and labels that synthetic_batch() in gen.py draws. */
static void synthetic_batch(uint32_t number, size_t count, float *images, int32_t *labels) {
    for (size_t n = 0; n < count; n++) {
        float squares[49];
        for (size_t i = 0; i < 49; i++) {
            squares[i] = (float)draw(&number) / 256;
        }
        for (size_t i = 0; i < PIXELS; i++) {
            images[n * PIXELS + i] = squares[i / 28 / 4 * 7 + i % 28 / 4];
        }
        labels[n] = (int32_t)(draw(&number) % CLASSES);
    }
}

static void lenet_trains_like_pytorch(void **state) {
    (void)state;
    json_t *file = golden_load(folder, "lenet5.json");
    const json_t *losses = golden_get(file, "losses");
    size_t batch = golden_size(file, "batch");
    const stoa_train_options options = {.batch = batch,
                                        .learning_rate = (float)json_number_value(golden_get(file, "rate"))};
    stoa_model *model = load_lenet();
    stoa_trainer *trainer = NULL;
    CHECK(stoa_trainer_create(context, model, &options, json_array_size(losses), &trainer));
    int32_t labels[64];
    assert_true(batch <= 64 && json_array_size(losses) == 10);
    for (size_t step = 0; step < 10; step++) {
        double loss;
        synthetic_batch((uint32_t)step % 3 + 1, batch, stoa_plan_input(stoa_trainer_plan(trainer)), labels);
        CHECK(stoa_trainer_step(trainer, batch, (stoa_targets){.labels = labels}, &loss, NULL));
        compare_loss("lenet5", step, loss, json_number_value(json_array_get(losses, step)), 2e-6);
    }
    stoa_trainer_free(trainer);
    stoa_model_free(model);
    json_decref(file);
}

/* ---- A small network with batch norm and a residual, 20 steps with every optimiser ---- */

/* What sums in another order, of another BLAS or CPU, may make of it, of the largest value. A gradient is
 * held to 2e-6, some 30 roundings; 20 steps add 20 of those, and each step computes from what the ones before
 * it were off by, which is taken to double their sum at most. Measured are 2e-5 on x86-64, 3e-5 on 32-bit x86
 * and 4.2e-5 on AArch64. */
static const double GRADIENT = 2e-6, TRAINED = 1e-4;

static stoa_model *build(const json_t *training) {
    stoa_model *model = NULL;
    CHECK(stoa_model_create(context, &model));
    size_t shape[3];
    for (size_t i = 0; i < 3; i++) {
        shape[i] = (size_t)json_integer_value(json_array_get(golden_get(training, "input"), i));
    }
    stoa_model_input(model, shape[0], shape[1], shape[2]);
    size_t i;
    json_t *layer;
    json_array_foreach((json_t *)(uintptr_t)golden_get(training, "layers"), i, layer) {
        stoa_model_add(model, json_string_value(json_array_get(layer, 0)),
                       json_string_value(json_array_get(layer, 1)));
    }
    CHECK(stoa_model_build(model));
    return model;
}

/* What is done with each tensor of an object in the file: 'w'rite it to the model, compare its values or its
 * 'g'radient. */
static void each_tensor(stoa_model *model, const stoa_plan *plan, const json_t *tensors, const char *where,
                        char action, double bound) {
    const char *name;
    json_t *values;
    json_object_foreach((json_t *)(uintptr_t)tensors, name, values) {
        size_t index = stoa_model_find_tensor(model, name);
        stoa_tensor_info info;
        CHECK(stoa_model_tensor(model, index, &info));
        float *disk = malloc(info.count * sizeof *disk);
        assert_non_null(disk);
        if (action == 'w') {
            golden_floats(values, disk, info.count);
            CHECK(stoa_model_set_tensor(model, index, disk, info.count));
        } else {
            CHECK(action == 'g' ? stoa_plan_get_gradient(plan, index, disk, info.count)
                                : stoa_model_get_tensor(model, index, disk, info.count));
            golden_compare(where, name, disk, values, info.count, bound);
        }
        free(disk);
    }
}

static void compare_logits(stoa_model *model, const json_t *training, const char *where, size_t batch) {
    stoa_plan *plan = NULL;
    const float *logits;
    CHECK(stoa_plan_create(context, model, &(stoa_plan_options){.batch = batch}, &plan));
    CHECK(stoa_plan_bind(plan, NULL));
    golden_floats(json_array_get(golden_get(training, "x"), 0), stoa_plan_input(plan),
                  batch * stoa_model_input_size(model));
    CHECK(stoa_plan_infer(plan, batch, &logits));
    const json_t *expected = golden_get(training, "logits");
    golden_compare(where, "logits in evaluation", logits, expected, json_array_size(expected), TRAINED);
    stoa_plan_free(plan);
}

static void run_step(stoa_trainer *trainer, const json_t *training, const char *where, size_t step) {
    size_t batch = golden_size(training, "batch");
    int32_t labels[16];
    assert_true(batch <= 16);
    const json_t *x = json_array_get(golden_get(training, "x"), step % 4);
    double loss;
    golden_floats(x, stoa_plan_input(stoa_trainer_plan(trainer)), json_array_size(x));
    golden_labels(json_array_get(golden_get(training, "labels"), step % 4), labels, batch);
    CHECK(stoa_trainer_step(trainer, batch, (stoa_targets){.labels = labels}, &loss, NULL));
    compare_loss(where, step, loss, json_number_value(json_array_get(golden_get(training, "losses"), step)),
                 TRAINED);
    double rate = json_number_value(json_array_get(golden_get(training, "rates"), step));
    stoa_trainer_info info;
    stoa_trainer_describe(trainer, &info);
    assert_true(fabs((double)info.learning_rate - rate) <= 1e-6 * rate);
}

static const char *text_or_null(const json_t *training, const char *key) {
    return json_string_value(json_object_get(training, key));
}

static void run_training(const json_t *training) {
    char where[256];
    (void)snprintf(where, sizeof where, "%s, %s", golden_text(training, "optimizer"),
                   golden_text(training, "schedule"));
    const stoa_train_options options = {
        .batch = golden_size(training, "batch"),
        .learning_rate = (float)json_number_value(golden_get(training, "rate")),
        .optimizer = golden_text(training, "optimizer"),
        .schedule = golden_text(training, "schedule"),
        .freeze = text_or_null(training, "freeze"),
        .lr_scale = text_or_null(training, "lr_scale"),
        .clip_norm = (float)json_number_value(json_object_get(training, "clip_norm"))};
    stoa_model *model = build(training);
    const json_t *start = golden_get(training, "state");
    assert_int_equal(json_object_size(start), stoa_model_tensor_count(model));
    each_tensor(model, NULL, start, where, 'w', 0);
    stoa_trainer *trainer = NULL;
    CHECK(stoa_trainer_create(context, model, &options, 20, &trainer));
    for (size_t step = 0; step < 20; step++) {
        run_step(trainer, training, where, step);
        if (step == 0) {
            each_tensor(model, stoa_trainer_plan(trainer), golden_get(training, "gradients"), where, 'g',
                        GRADIENT);
        }
    }
    each_tensor(model, NULL, golden_get(training, "after"), where, 'c', TRAINED);
    stoa_trainer_free(trainer);
    compare_logits(model, training, where, options.batch);
    stoa_model_free(model);
}

static void run_trainings(const char *name) {
    json_t *file = golden_load(folder, name);
    size_t i;
    json_t *training;
    json_array_foreach((json_t *)(uintptr_t)golden_get(file, "trainings"), i, training) {
        run_training(training);
    }
    assert_true(i > 0);
    json_decref(file);
}

static void optimisers_train_like_pytorchs(void **state) {
    (void)state;
    run_trainings("training.json");
}

/* With frozen layers, learning rates of layers, and a norm of the gradients that are left. */
static void fine_tuning_is_pytorchs(void **state) {
    (void)state;
    run_trainings("finetune.json");
}

static const struct stoa_schedule_state fresh = {.factor = 1};

static void schedules_are_pytorchs(void **state) {
    (void)state;
    json_t *file = golden_load(folder, "training.json");
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)golden_get(file, "schedules"), i, one) {
        struct stoa_train_settings settings;
        const stoa_train_options options = {.schedule = golden_text(one, "schedule")};
        CHECK(stoa_train_settings_read(context, &options, &settings));
        size_t total = golden_size(one, "total");
        for (size_t step = 0; step < total; step++) {
            double found = stoa_schedule_factor(&settings, &fresh, step, total);
            double expected = json_number_value(json_array_get(golden_get(one, "factors"), step));
            if (!(fabs(found - expected) <= 1e-7)) {
                fail_msg("%s: factor of step %zu of %zu is %.9g, PyTorch's %.9g", options.schedule, step,
                         total, found, expected);
            }
        }
    }
    assert_true(i > 0);
    json_decref(file);
}

/* PyTorch's own curve is not defined for a warm-up of exactly one step; ours must still be usable. */
static void short_schedules_are_finite(void **state) {
    (void)state;
    const char *lines[] = {"one_cycle", "one_cycle warmup=0", "one_cycle warmup=1", "constant"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct stoa_train_settings settings;
        CHECK(stoa_train_settings_read(context, &(stoa_train_options){.schedule = lines[i]}, &settings));
        for (size_t total = 1; total <= 12; total++) {
            for (size_t step = 0; step < total; step++) {
                double factor = stoa_schedule_factor(&settings, &fresh, step, total);
                if (!(factor > 0 && factor <= 1)) {
                    fail_msg("%s: factor of step %zu of %zu is %g", lines[i], step, total, factor);
                }
            }
        }
    }
}

/* Steps are counted in 64 bits on every machine. */
static void schedules_go_beyond_32_bits(void **state) {
    (void)state;
    const struct {
        const char *line;
        uint64_t step, total;
        double factor;
    } cases[] = {
        {"linear", UINT64_C(3) << 32, UINT64_C(4) << 32, 0.25},
        {"linear", (UINT64_C(3) << 32) + 1, UINT64_C(3) << 32, 0},
        {"cosine", UINT64_C(2) << 32, UINT64_C(4) << 32, 0.5},
        {"linear per=epoch", (UINT64_C(1) << 32) + 8, (UINT64_C(1) << 32) + 9, 0.2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stoa_train_settings settings;
        const stoa_train_options options = {.schedule = cases[i].line, .epochs = 5};
        CHECK(stoa_train_settings_read(context, &options, &settings));
        double factor = stoa_schedule_factor(&settings, &fresh, cases[i].step, cases[i].total);
        if (!(fabs(factor - cases[i].factor) <= 1e-8)) {
            fail_msg("%s: factor of step %" PRIu64 " of %" PRIu64 " is %.9g, expected %.9g", cases[i].line,
                     cases[i].step, cases[i].total, factor, cases[i].factor);
        }
    }
}

int main(int count, char **arguments) {
    if (count != 3) {
        (void)fprintf(stderr, "usage: test_golden_networks FOLDER LENET_RECIPE\n");
        return 2;
    }
    folder = arguments[1];
    recipe_path = arguments[2];
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lenet_gives_pytorchs_logits),    TEST(lenet_trains_like_pytorch),
        TEST(optimisers_train_like_pytorchs), TEST(fine_tuning_is_pytorchs),
        TEST(schedules_are_pytorchs),         TEST(short_schedules_are_finite),
        TEST(schedules_go_beyond_32_bits),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
