/* SPDX-License-Identifier: MIT */
/* Gradients of whole networks: right ones pass, a wrong one is found where it is wrong, and the model stays
 * as it was. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

enum { MOST = 32 };

struct found {
    size_t count, wrong;
    stoa_gradcheck_result result[MOST];
    char name[MOST][64];
};

static void remember(void *user, const stoa_gradcheck_result *result) {
    struct found *found = user;
    assert_true(found->count < MOST);
    (void)snprintf(found->name[found->count], sizeof found->name[0], "%s", result->tensor);
    found->wrong += !result->passed;
    found->result[found->count++] = *result;
}

static struct found check(stoa_model *model, const stoa_gradcheck_options *options) {
    struct found found = {.count = 0};
    if (stoa_gradcheck(context, model, options, remember, &found) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    return found;
}

static const stoa_gradcheck_result *result_of(const struct found *found, const char *name) {
    for (size_t i = 0; i < found->count; i++) {
        if (strcmp(found->name[i], name) == 0) {
            return &found->result[i];
        }
    }
    fail_msg("no result for '%s'", name);
    return NULL;
}

/* Branches, normalisation, dropout, learned slopes, a value that two layers read. */
static const char *const lines[] = {"c1 conv2d filters=6 kernel=3 pad=1",
                                    "b1 batchnorm",
                                    "r1 prelu per_channel=true",
                                    "c2 conv2d filters=6 kernel=3 pad=1 groups=2",
                                    "a1 add from=c2,r1",
                                    "n1 layernorm",
                                    "g1 gelu",
                                    "u1 conv_transpose2d filters=4 kernel=2 stride=2",
                                    "k1 concat from=u1,u1",
                                    "p1 maxpool2d size=2",
                                    "d1 dropout p=0.25",
                                    "f linear units=7",
                                    "s1 softplus",
                                    "l linear units=5",
                                    NULL};
static const size_t input[3] = {6, 5, 3};

static void right_gradients_pass(void **state) {
    (void)state;
    static const char *const losses[] = {NULL, "mse reduction=half_sum", "huber delta=0.5",
                                         "softmax_cross_entropy smoothing=0.1 weights=1,2,3,4,5"};
    stoa_model *model = oracle_model(context, input, lines);
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        struct found found = check(model, &(stoa_gradcheck_options){.seed = 3, .loss = losses[i]});
        assert_int_equal(found.wrong, 0);
        /* The input, and 9 layers with two tensors, but one for the slopes. */
        assert_int_equal(found.count, 16);
        for (size_t t = 0; t < found.count; t++) {
            assert_true(found.result[t].error < 1e-6);
            /* The bias before batch norm has no gradient; its rounding counts in thousandths of the
             * largest. */
            assert_true(t == 0 ? isnan(found.result[t].fast_error) : found.result[t].fast_error < 5e-4);
            assert_true(found.result[t].checked == (found.result[t].count < 16 ? found.result[t].count : 16));
        }
    }
    stoa_model_free(model);
}

static void the_model_stays_as_it_was(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, input, lines);
    size_t bytes = model->parameter_floats * sizeof(float);
    size_t statistic_bytes = model->statistic_floats * sizeof(float);
    float *parameters = malloc(bytes);
    float *statistics = malloc(statistic_bytes);
    assert_true(parameters && statistics);
    memcpy(parameters, model->parameters, bytes);
    memcpy(statistics, model->statistics, statistic_bytes);
    (void)check(model, &(stoa_gradcheck_options){.seed = 4});
    assert_memory_equal(parameters, model->parameters, bytes);
    assert_memory_equal(statistics, model->statistics, statistic_bytes);
    free(parameters);
    free(statistics);
    stoa_model_free(model);
}

/* A descriptor whose backward is wrong by a factor in front of one layer's input. */
static const struct stoa_op *right_op;

static void wrong_reference(const struct stoa_op_reference *run) {
    right_op->reference_backward(run);
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->input[0]); i++) {
        run->dx[0][i] *= 1.01;
    }
}

static void wrong_fast(const struct stoa_op_run *run, const struct stoa_map_piece *piece) {
    right_op->map_backward(run, piece);
    for (size_t i = 0; i < piece->count; i++) {
        piece->dx[i] *= 1.5F;
    }
}

static size_t layer_named(const stoa_model *model, const char *name) {
    size_t i = 0;
    while (strcmp(model->nodes[i].layer.name, name) != 0) {
        i++;
    }
    return i;
}

/* What stands before the wrong layer gets a wrong gradient, and what stands behind it a right one. */
static void check_with(const struct stoa_op *wrong, bool reference) {
    stoa_model *model = oracle_model(context, input, lines);
    struct stoa_layer *layer = &model->nodes[layer_named(model, "g1")].layer;
    right_op = layer->op;
    layer->op = wrong;
    struct found found = check(model, &(stoa_gradcheck_options){.seed = 3});
    layer->op = right_op;
    assert_true(result_of(&found, "u1.weight")->passed);
    assert_true(result_of(&found, "l.bias")->passed);
    static const char *const before[] = {"n1.weight", "c2.weight", "c1.weight"};
    for (size_t i = 0; i < 3; i++) {
        const stoa_gradcheck_result *result = result_of(&found, before[i]);
        assert_false(result->passed);
        assert_true(reference ? result->error > 1e-3 : result->error < 1e-6);
        assert_true(reference || result->fast_error > 0.1);
    }
    stoa_model_free(model);
}

static void a_wrong_reference_is_found(void **state) {
    (void)state;
    struct stoa_op wrong = *stoa_op_find("gelu");
    wrong.reference_backward = wrong_reference;
    check_with(&wrong, true);
}

static void a_wrong_fast_gradient_is_found(void **state) {
    (void)state;
    struct stoa_op wrong = *stoa_op_find("gelu");
    wrong.map_backward = wrong_fast;
    check_with(&wrong, false);
}

static void wrong_requests_are_refused(void **state) {
    (void)state;
    struct found found = {.count = 0};
    stoa_model *model = oracle_model(context, input, lines);
    stoa_gradcheck_options options = {.tolerance = -1};
    assert_int_equal(stoa_gradcheck(context, model, &options, remember, &found), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context),
                        "gradcheck: found tolerance -1, expected a number above 0");
    options = (stoa_gradcheck_options){.loss = "relu"};
    assert_int_equal(stoa_gradcheck(context, model, &options, remember, &found), STOA_ERR_ARGUMENT);
    stoa_model_free(model);
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    options = (stoa_gradcheck_options){.seed = 1};
    assert_int_equal(stoa_gradcheck(context, model, &options, remember, &found), STOA_ERR_ARGUMENT);
    stoa_model_free(model);
    assert_int_equal(found.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_gradients_pass),       cmocka_unit_test(the_model_stays_as_it_was),
        cmocka_unit_test(a_wrong_reference_is_found), cmocka_unit_test(a_wrong_fast_gradient_is_found),
        cmocka_unit_test(wrong_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
