/* SPDX-License-Identifier: MIT */
/* Frozen layers in a plan: which backward passes are left, what they cost, gradients against finite
 * differences, and what is said of names that no layer has. (That a plan computes the right bits is shown in
 * test_plan.c.) */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "model/plan.h"
#include "oracle.h"

static stoa_context *context;

static int open_context(void **state) {
    (void)state;
    return stoa_context_create(NULL, &context) == STOA_OK ? 0 : -1;
}

static int close_context(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

static const char *const lines[] = {"c1 conv2d filters=8 kernel=3 pad=1",
                                    "b1 batchnorm",
                                    "r1 relu",
                                    "c2 conv2d filters=8 kernel=3 pad=1",
                                    "n2 layernorm",
                                    "r2 prelu",
                                    "a2 add from=r2,r1",
                                    "u3 conv_transpose2d filters=4 kernel=2 stride=2",
                                    "d3 dropout p=0.3",
                                    "p3 maxpool2d size=2",
                                    "l4 linear units=12",
                                    "b4 batchnorm",
                                    "l5 linear units=5",
                                    NULL};
static const size_t input[3] = {8, 6, 3};

static stoa_plan *make_plan(stoa_model *model, const char *freeze) {
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = 16, .training = true, .freeze = freeze};
    if (stoa_plan_create(context, model, &options, &plan) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    return plan;
}

/* Whether the backward pass of a layer is left out. */
static bool leaves_out(const stoa_plan *plan, const char *layer) {
    for (size_t i = 0; i < stoa_plan_step_count(plan); i++) {
        stoa_plan_step step;
        assert_int_equal(stoa_plan_step_at(plan, i, &step), STOA_OK);
        if (strcmp(step.layer, layer) == 0 && strcmp(step.pass, "backward") == 0) {
            return strcmp(step.algorithm, "none") == 0;
        }
    }
    fail_msg("no layer '%s'", layer);
    return false;
}

static bool has_value(const stoa_plan *plan, const char *name) {
    for (size_t i = 0; i < stoa_plan_value_count(plan); i++) {
        stoa_plan_value value;
        assert_int_equal(stoa_plan_value_at(plan, i, &value), STOA_OK);
        if (strcmp(value.name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Nothing goes back below the first layer that learns, and nothing is kept for it. */
static void the_bottom_costs_nothing(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, input, lines);
    stoa_plan *all = make_plan(model, NULL);
    stoa_plan *head = make_plan(model, "c1,b1 c2, n2,r2,u3");
    assert_true(has_value(all, "c1 gradient") && has_value(all, "u3 backward workspace"));
    static const char *const below[] = {"c1", "b1", "r1", "c2", "n2", "r2", "a2", "u3", "d3", "p3"};
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        char name[64];
        assert_false(strcmp(below[i], "d3") != 0 && leaves_out(all, below[i]));
        assert_true(leaves_out(head, below[i]));
        (void)snprintf(name, sizeof name, "%s gradient", below[i]);
        assert_false(has_value(head, name));
        (void)snprintf(name, sizeof name, "%s backward workspace", below[i]);
        assert_false(has_value(head, name));
    }
    assert_false(leaves_out(head, "l4") || leaves_out(head, "l5"));
    assert_true(stoa_plan_bytes(head) < stoa_plan_bytes(all));
    stoa_plan_free(head);
    stoa_plan_free(all);
    stoa_model_free(model);
}

/* Activations of frozen layers share memory as in inference; the input stays, for the search for values that
 * are not finite. */
static void activations_are_not_kept(void **state) {
    (void)state;
    const char *deep[] = {"c1 conv2d filters=8 kernel=3 pad=1",
                          "r1 relu",
                          "c2 conv2d filters=8 kernel=3 pad=1",
                          "r2 relu",
                          "c3 conv2d filters=8 kernel=3 pad=1",
                          "r3 relu",
                          "c4 conv2d filters=8 kernel=3 pad=1",
                          "r4 relu",
                          "c5 conv2d filters=8 kernel=3 pad=1",
                          "r5 relu",
                          "g global_avgpool",
                          "l linear units=5",
                          NULL};
    stoa_model *model = oracle_model(context, (const size_t[]){24, 24, 8}, deep);
    stoa_plan *all = make_plan(model, NULL);
    stoa_plan *head = make_plan(model, "c*");
    stoa_plan *infer = NULL;
    assert_int_equal(stoa_plan_create(context, model, &(stoa_plan_options){.batch = 16}, &infer), STOA_OK);
    size_t kept = 16 * stoa_model_input_size(model) * sizeof(float);
    assert_true(stoa_plan_bytes(head) <= stoa_plan_bytes(infer) + kept + 4096);
    assert_true(stoa_plan_bytes(all) > stoa_plan_bytes(head) + 4 * kept);
    stoa_plan_free(infer);
    stoa_plan_free(head);
    stoa_plan_free(all);
    stoa_model_free(model);
}

/* In the middle data go back, and gradients of weights are left out. */
static void the_middle_only_passes_on(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, input, lines);
    stoa_plan *plan = make_plan(model, "c2");
    for (size_t i = 0; i < stoa_plan_step_count(plan); i++) {
        stoa_plan_step step;
        assert_int_equal(stoa_plan_step_at(plan, i, &step), STOA_OK);
        if (strcmp(step.layer, "c2") == 0 && strcmp(step.pass, "backward") == 0) {
            assert_ptr_equal(strstr(step.algorithm, "weights: none; data: "), step.algorithm);
        }
    }
    assert_true(has_value(plan, "r1 gradient"));
    stoa_plan_free(plan);
    stoa_model_free(model);
}

struct found {
    size_t count, wrong;
    char names[256];
};

static void remember(void *user, const stoa_gradcheck_result *result) {
    struct found *found = user;
    size_t used = strlen(found->names);
    (void)snprintf(found->names + used, sizeof found->names - used, " %s", result->tensor);
    found->count++;
    found->wrong += !result->passed;
}

/* With batch norm frozen in the middle, the dropout out of the way, and layers that only pass on. */
static void gradients_match_finite_differences(void **state) {
    (void)state;
    static const struct {
        const char *freeze, *told;
    } cases[] = {
        {"b1,d3", " input c1.weight c1.bias c2.weight c2.bias n2.weight n2.bias r2.weight u3.weight u3.bias"
                  " l4.weight l4.bias b4.weight b4.bias l5.weight l5.bias"},
        {"b*,n2,c2,u3,l5", " input c1.weight c1.bias r2.weight l4.weight l4.bias"},
        {"c1,b1,c2,n2,r2,l5", " input u3.weight u3.bias l4.weight l4.bias b4.weight b4.bias"},
    };
    stoa_model *model = oracle_model(context, input, lines);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct found found = {.count = 0};
        stoa_gradcheck_options options = {.batch = 3, .seed = 5, .freeze = cases[i].freeze};
        assert_int_equal(stoa_gradcheck(context, model, &options, remember, &found), STOA_OK);
        assert_string_equal(found.names, cases[i].told);
        assert_int_equal(found.wrong, 0);
    }
    stoa_model_free(model);
}

/* A dense layer's batch norm takes a single sample once it is frozen. */
static void a_frozen_batch_norm_takes_one_sample(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, input, lines);
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = 1, .training = true};
    assert_int_equal(stoa_plan_create(context, model, &options, &plan), STOA_ERR_ARGUMENT);
    options.freeze = "b4";
    assert_int_equal(stoa_plan_create(context, model, &options, &plan), STOA_OK);
    stoa_plan_free(plan);
    stoa_model_free(model);
}

static void refuse(stoa_model *model, const char *freeze, const char *sentence) {
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = 4, .training = true, .freeze = freeze};
    assert_int_equal(stoa_plan_create(context, model, &options, &plan), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_null(plan);
}

static void unknown_names_get_the_nearest(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, input, lines);
    refuse(model, "c3", "freeze: found 'c3', expected names of layers such as c1, c2, u3");
    refuse(model, "c1, conv2", "freeze: found 'conv2', expected names of layers such as c2, n2, c1");
    refuse(model, "C1", "freeze: found 'C1', expected names of layers such as c1, b1, c2");
    refuse(model, "x*", "freeze: found 'x*', expected names of layers such as c1, b1, c2");
    refuse(model, "c1=0.1", "freeze: found 'c1=0.1', expected names of layers such as c1, b1, c2");
    refuse(model, "*",
           "freeze: found '*', which are all layers with parameters, expected one or more left to train");
    stoa_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bottom_costs_nothing),
        cmocka_unit_test(activations_are_not_kept),
        cmocka_unit_test(the_middle_only_passes_on),
        cmocka_unit_test(gradients_match_finite_differences),
        cmocka_unit_test(a_frozen_batch_norm_takes_one_sample),
        cmocka_unit_test(unknown_names_get_the_nearest),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
