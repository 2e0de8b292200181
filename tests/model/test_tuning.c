/* SPDX-License-Identifier: MIT */
/* Plans keep the tuning table that they were made with, whatever their context's is when they run. The host's
 * parallel_for looks at the table from inside of runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stoa/stoa.h>

static stoa_context *context;
static const char *expected; /* the table that loops have to find; NULL: any */
static size_t loops;

static void look(void *user, size_t count, void (*body)(void *argument, size_t index), void *argument) {
    (void)user;
    loops++;
    if (expected) {
        assert_string_equal(stoa_context_tuning(context), expected);
    }
    for (size_t i = 0; i < count; i++) {
        body(argument, i);
    }
}

static void look_at_step(void *user, const stoa_traced_step *step) {
    (void)user;
    (void)step;
    assert_string_equal(stoa_context_tuning(context), expected);
}

static void set_table(const char *name) {
    assert_int_equal(stoa_context_set_tuning(context, name), STOA_OK);
}

static stoa_model *make_model(void) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 12, 12, 8);
    stoa_model_add(model, "c1", "conv2d filters=16 kernel=3 pad=1");
    stoa_model_add(model, "c2", "conv2d filters=32 kernel=1");
    stoa_model_add(model, "f", "flatten");
    stoa_model_add(model, "l1", "linear units=40");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 1), STOA_OK);
    return model;
}

enum { BATCH = 6, INPUT = BATCH * 12 * 12 * 8, OUTPUT = BATCH * 40 };

static void fill(float *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (float)(i % 37) / 37 - 0.5F;
    }
}

static stoa_plan *make_plan(stoa_model *model, const stoa_plan_options *options) {
    stoa_plan *plan = NULL;
    assert_int_equal(stoa_plan_create(context, model, options, &plan), STOA_OK);
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    return plan;
}

static void infer(stoa_plan *plan, float *output) {
    const float *y;
    fill(stoa_plan_input(plan), INPUT);
    loops = 0;
    assert_int_equal(stoa_plan_infer(plan, BATCH, &y), STOA_OK);
    assert_true(loops > 0);
    memcpy(output, y, OUTPUT * sizeof(float));
}

static void test_a_models_plan(void **state) {
    (void)state;
    static const int32_t labels[BATCH] = {0, 1, 2, 3, 4, 5};
    const stoa_targets targets = {.labels = labels};
    static float first[OUTPUT], second[OUTPUT];
    double loss[2];
    for (int prepare = 0; prepare < 2; prepare++) {
        set_table("zen5");
        stoa_model *model = make_model();
        stoa_plan *plan = make_plan(model, &(stoa_plan_options){.batch = BATCH, .prepare = prepare == 1});
        stoa_plan *training = make_plan(model, &(stoa_plan_options){.batch = BATCH, .training = true});
        expected = "zen5";
        infer(plan, first);
        fill(stoa_plan_input(training), INPUT);
        assert_int_equal(stoa_plan_train(training, BATCH, targets, 1, 1, &loss[0], NULL), STOA_OK);
        expected = NULL;
        set_table("generic-base");
        expected = "zen5";
        infer(plan, second);
        assert_memory_equal(first, second, sizeof first);
        fill(stoa_plan_input(training), INPUT);
        assert_int_equal(stoa_plan_train(training, BATCH, targets, 1, 1, &loss[1], NULL), STOA_OK);
        assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
        expected = NULL;
        stoa_plan_free(plan);
        set_table("zen5");
        plan = make_plan(model,
                         &(stoa_plan_options){.batch = BATCH, .prepare = prepare == 1, .layerwise = true});
        set_table("generic-base");
        expected = "zen5";
        fill(stoa_plan_input(plan), INPUT);
        assert_int_equal(stoa_plan_trace(plan, BATCH, NULL, look_at_step, NULL), STOA_OK);
        expected = NULL;
        assert_string_equal(stoa_context_tuning(context), "generic-base");
        stoa_plan *other = make_plan(model, &(stoa_plan_options){.batch = BATCH});
        expected = "generic-base";
        infer(other, second);
        expected = NULL;
        stoa_plan_free(other);
        stoa_plan_free(training);
        stoa_plan_free(plan);
        stoa_model_free(model);
    }
}

static void *memory(size_t bytes) {
    return bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
}

static void test_a_convolutions_plan(void **state) {
    (void)state;
    enum { IMAGE = 2 * 20 * 20 * 64, RESULT = 2 * 20 * 20 * 64 };
    const stoa_conv2d conv = {.batch = 2,
                              .height = 20,
                              .width = 20,
                              .channels = 64,
                              .filters = 64,
                              .kernel_height = 3,
                              .kernel_width = 3,
                              .pad_top = 1,
                              .pad_left = 1,
                              .pad_bottom = 1,
                              .pad_right = 1};
    static float x[IMAGE], weight[9 * 64 * 64], first[RESULT], second[RESULT];
    stoa_conv2d_plan *plan = NULL, *other = NULL;
    fill(x, IMAGE);
    fill(weight, sizeof weight / sizeof *weight);
    set_table("zen5");
    assert_int_equal(stoa_conv2d_plan_create(context, &conv, NULL, &plan), STOA_OK);
    size_t bytes = stoa_conv2d_plan_workspace_bytes(plan), prepared = stoa_conv2d_plan_prepared_bytes(plan);
    stoa_conv2d_operands operands = {
        .x = x, .weight = weight, .y = first, .workspace = memory(bytes), .workspace_bytes = bytes};
    assert_int_equal(stoa_conv2d_plan_run(plan, 2, &operands), STOA_OK);
    set_table("generic-base");
    expected = "zen5";
    loops = 0;
    operands.y = second;
    assert_int_equal(stoa_conv2d_plan_run(plan, 2, &operands), STOA_OK);
    assert_true(loops > 0);
    assert_memory_equal(first, second, sizeof first);
    void *weights = memory(prepared);
    loops = 0;
    assert_int_equal(stoa_conv2d_plan_prepare(plan, weight, weights, prepared, operands.workspace, bytes),
                     STOA_OK);
    assert_true(prepared == 0 || loops > 0);
    expected = NULL;
    assert_string_equal(stoa_context_tuning(context), "generic-base");
    /* What was prepared by one table is refused where another decides. */
    assert_int_equal(stoa_conv2d_plan_create(context, &conv, NULL, &other), STOA_OK);
    size_t other_bytes = stoa_conv2d_plan_workspace_bytes(other);
    stoa_conv2d_operands others = {.x = x,
                                   .prepared = weights,
                                   .prepared_bytes = prepared,
                                   .y = second,
                                   .workspace = memory(other_bytes),
                                   .workspace_bytes = other_bytes};
    if (prepared > 0 && stoa_conv2d_plan_prepared_bytes(other) == prepared) {
        assert_int_equal(stoa_conv2d_plan_run(other, 2, &others), STOA_ERR_ARGUMENT);
    }
    free(others.workspace);
    free(weights);
    free(operands.workspace);
    stoa_conv2d_plan_free(other);
    stoa_conv2d_plan_free(plan);
}

int main(void) {
    const stoa_context_options options = {.threads = 2, .parallel_for = look};
    if (stoa_context_create(&options, &context) != STOA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_models_plan),
        cmocka_unit_test(test_a_convolutions_plan),
    };
    int failed = cmocka_run_group_tests_name("tuning", tests, NULL, NULL);
    stoa_context_free(context);
    return failed;
}
