/* SPDX-License-Identifier: MIT */
/* Plans: what they show, what they refuse, and what they say of values that are not finite. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/size_text.h"
#include "oracle.h"

static stoa_context *context;

static int set_up(void **state) {
    (void)state;
    stoa_context_options options = {.threads = 2};
    return stoa_context_create(&options, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

static const size_t image[3] = {6, 6, 2};
static const char *const lines[] = {"c1 conv2d filters=3 kernel=3 pad=1",
                                    "r1 relu",
                                    "s1 add from=r1,c1",
                                    "d1 dropout p=0.5",
                                    "f1 linear units=4",
                                    "r2 relu",
                                    "f2 linear units=3",
                                    NULL};

static stoa_plan *make_plan(stoa_model *model, size_t batch, bool training, const char *loss) {
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = batch, .training = training, .loss = loss};
    if (stoa_plan_create(context, model, &options, &plan) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    return plan;
}

/* The sentence begins so: lists of what there is may follow. */
static void check_error(stoa_status got, stoa_status expected, const char *sentence) {
    assert_int_equal(got, expected);
    if (strncmp(stoa_context_error(context), sentence, strlen(sentence)) != 0) {
        fail_msg("found \"%s\", expected \"%s\"", stoa_context_error(context), sentence);
    }
}

static void refuse_plan(stoa_model *model, const stoa_plan_options *options, stoa_status status,
                        const char *sentence) {
    stoa_plan *plan = NULL;
    check_error(stoa_plan_create(context, model, options, &plan), status, sentence);
    assert_null(plan);
}

static void refuses_plans(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, image, lines);
    refuse_plan(model, &(stoa_plan_options){.batch = 1, .training = true, .prepare = true}, STOA_ERR_ARGUMENT,
                "plan: found training and prepare, expected one of them");
    refuse_plan(model, &(stoa_plan_options){.batch = 0}, STOA_ERR_ARGUMENT,
                "plan: found batch 0, expected 1 to 1073741824");
    refuse_plan(model, &(stoa_plan_options){.batch = (size_t)-1}, STOA_ERR_ARGUMENT,
                "plan: found batch " SIZE_MAX_TEXT ", expected 1 to 1073741824");
    refuse_plan(model, &(stoa_plan_options){.batch = 1, .loss = "hinge"}, STOA_ERR_ARGUMENT,
                "unknown loss 'hinge', expected softmax_cross_entropy");
    refuse_plan(model, &(stoa_plan_options){.batch = 1, .loss = "relu"}, STOA_ERR_ARGUMENT,
                "unknown loss 'relu', expected softmax");
    refuse_plan(model, &(stoa_plan_options){.batch = 1, .loss = ""}, STOA_ERR_ARGUMENT,
                "loss: found nothing, expected a name and its options");
    stoa_model_free(model);
    model = oracle_model(context, image, (const char *const[]){"c1 conv2d filters=3 kernel=3", NULL});
    refuse_plan(
        model, &(stoa_plan_options){.batch = 1, .training = true}, STOA_ERR_SHAPE,
        "softmax_cross_entropy 'loss': found input of shape 4x4x3, expected a vector of a number a class");
    stoa_model_free(model);
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    refuse_plan(model, &(stoa_plan_options){.batch = 1}, STOA_ERR_ARGUMENT, "plan: the model is not built");
    stoa_model_free(model);
    stoa_plan_free(NULL);
}

/* 2^30 samples of 2^30 numbers with their gradients. */
static void refuses_plans_beyond_memory(void **state) {
    (void)state;
    stoa_model *model =
        oracle_model(context, (const size_t[]){1 << 15, 1 << 13, 4},
                     (const char *const[]){"b1 batchnorm", "b2 batchnorm", "g global_avgpool", NULL});
    refuse_plan(model, &(stoa_plan_options){.batch = (size_t)1 << 30, .training = true, .loss = "mse"},
                STOA_ERR_MEMORY, "plan: batch 1073741824 needs more memory than can be addressed");
    stoa_model_free(model);
}

static void refuses_runs(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, image, lines);
    const int32_t labels[4] = {0, 2, 3, -1};
    const float values[12] = {0};
    const stoa_targets good = {.labels = labels};
    double loss = 77;
    const float *output = values;
    stoa_plan *plan = make_plan(model, 4, true, NULL);
    check_error(stoa_plan_infer(plan, 1, &output), STOA_ERR_ARGUMENT, "plan: it has no memory yet");
    check_error(stoa_plan_bind(plan, (char *)4096 + 32), STOA_ERR_ARGUMENT,
                "plan: the memory is not aligned to 64 bytes");
    assert_null(stoa_plan_input(plan));
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    assert_non_null(stoa_plan_input(plan));
    check_error(stoa_plan_bind(plan, NULL), STOA_ERR_ARGUMENT, "plan: it has its memory already");
    check_error(stoa_plan_infer(plan, 0, &output), STOA_ERR_ARGUMENT,
                "plan: found 0 samples, expected 1 to 4");
    check_error(stoa_plan_train(plan, 5, good, 0, 0, &loss, &output), STOA_ERR_ARGUMENT,
                "plan: found 5 samples, expected 1 to 4");
    check_error(stoa_plan_train(plan, 3, good, 0, 0, &loss, &output), STOA_ERR_ARGUMENT,
                "plan: sample 2 has label 3, expected 0 to 2");
    check_error(stoa_plan_evaluate(plan, 1, (stoa_targets){.labels = labels + 3}, &loss, &output),
                STOA_ERR_ARGUMENT, "plan: sample 0 has label -1, expected 0 to 2");
    check_error(stoa_plan_train(plan, 1, (stoa_targets){.values = values}, 0, 0, &loss, &output),
                STOA_ERR_ARGUMENT, "plan: loss softmax_cross_entropy needs targets as labels");
    assert_true(loss == 77 && output == values);
    float gradient[1];
    assert_int_equal(stoa_plan_get_gradient(plan, 0, gradient, 1), STOA_ERR_ARGUMENT);
    assert_int_equal(stoa_plan_get_gradient(plan, 99, gradient, 1), STOA_ERR_ARGUMENT);
    stoa_plan_free(plan);
    plan = make_plan(model, 4, false, NULL);
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    check_error(stoa_plan_train(plan, 1, good, 0, 0, &loss, &output), STOA_ERR_ARGUMENT,
                "plan: it was made without a loss");
    stoa_plan_free(plan);
    plan = make_plan(model, 4, false, "mse");
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    check_error(stoa_plan_train(plan, 1, (stoa_targets){.values = values}, 0, 0, &loss, &output),
                STOA_ERR_ARGUMENT, "plan: it was made without training");
    check_error(stoa_plan_evaluate(plan, 1, good, &loss, &output), STOA_ERR_ARGUMENT,
                "plan: loss mse needs targets as values");
    assert_int_equal(stoa_plan_get_gradient(plan, 0, gradient, 1), STOA_ERR_ARGUMENT);
    assert_true(loss == 77);
    stoa_plan_free(plan);
    stoa_model_free(model);
}

static stoa_plan_value find_value(const stoa_plan *plan, const char *name) {
    stoa_plan_value value = {0};
    for (size_t i = 0; i < stoa_plan_value_count(plan); i++) {
        assert_int_equal(stoa_plan_value_at(plan, i, &value), STOA_OK);
        if (strcmp(value.name, name) == 0) {
            return value;
        }
    }
    fail_msg("the plan has no value '%s'", name);
    return value;
}

static stoa_plan *make_layerwise(stoa_model *model, size_t batch, bool training) {
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = batch, .training = training, .layerwise = true};
    assert_int_equal(stoa_plan_create(context, model, &options, &plan), STOA_OK);
    return plan;
}

static void shows_what_shares(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, image, lines);
    stoa_plan *plan = make_layerwise(model, 4, true);
    /* c1 is read again by s1, so r1 may not overwrite it; then s1 and d1 run in r1's place, and r1 needs its
     * output. */
    assert_false(find_value(plan, "c1").shares);
    assert_false(find_value(plan, "r1").shares);
    assert_false(find_value(plan, "s1").shares);
    stoa_plan_value s1 = find_value(plan, "s1");
    stoa_plan_value d1 = find_value(plan, "d1");
    assert_true(d1.shares && d1.offset == s1.offset && d1.rank == 3 && d1.shape[2] == 3);
    stoa_plan_value r2 = find_value(plan, "r2");
    assert_true(r2.shares && r2.offset == find_value(plan, "f1").offset && r2.bytes == 4 * 4 * sizeof(float));
    assert_true(find_value(plan, "f1 gradient").shares);
    assert_int_equal(find_value(plan, "input").bytes, 4 * 72 * sizeof(float));
    stoa_plan_free(plan);
    /* Without backward passes r1 no longer holds s1 up. */
    plan = make_layerwise(model, 4, false);
    assert_true(find_value(plan, "s1").shares &&
                find_value(plan, "s1").offset == find_value(plan, "r1").offset);
    stoa_plan_value value;
    assert_int_equal(stoa_plan_value_at(plan, stoa_plan_value_count(plan), &value), STOA_ERR_ARGUMENT);
    stoa_plan_free(plan);
    stoa_model_free(model);
}

/* Every pass of every layer in its order; the largest step decides the arena, or less where blocks do not fit
 * snugly. */
static void shows_its_steps(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, image, lines);
    for (int training = 0; training < 2; training++) {
        stoa_plan *plan = make_plan(model, 4, training, NULL);
        size_t layers = 7;
        assert_int_equal(stoa_plan_step_count(plan), training ? 2 * layers + 2 : layers);
        size_t peak = 0;
        for (size_t i = 0; i < stoa_plan_step_count(plan); i++) {
            stoa_plan_step step;
            assert_int_equal(stoa_plan_step_at(plan, i, &step), STOA_OK);
            bool forward = i <= layers;
            assert_string_equal(step.pass, forward ? "forward" : "backward");
            size_t node = forward ? i : 2 * layers + 1 - i;
            assert_memory_equal(step.layer, node == layers ? "loss" : lines[node], node == layers ? 4 : 2);
            assert_true(strcmp(step.op, "conv2d") != 0 || step.algorithm[0] != '\0');
            assert_true(step.workspace_bytes <= step.live_bytes);
            peak = step.live_bytes > peak ? step.live_bytes : peak;
        }
        assert_true(peak > 0 && peak <= stoa_plan_bytes(plan));
        stoa_plan_step step;
        assert_int_equal(stoa_plan_step_at(plan, stoa_plan_step_count(plan), &step), STOA_ERR_ARGUMENT);
        stoa_plan_free(plan);
    }
    stoa_model_free(model);
}

/* What a trace tells, with the outputs of the layers copied. */
struct traced {
    size_t steps, outputs;
    size_t step[16], layer[16];
    bool backward[16];
    float output[16][4 * 108];
    double seconds;
};

static void note_step(void *user, const stoa_traced_step *step) {
    struct traced *traced = user;
    size_t at = traced->steps++;
    assert_true(at < 16 && step->samples == 4 && step->seconds >= 0);
    traced->step[at] = step->step;
    traced->layer[at] = step->layer;
    traced->backward[at] = step->backward;
    traced->seconds += step->seconds;
    assert_int_equal(step->output == NULL, step->backward);
    if (step->output) {
        memcpy(traced->output[traced->outputs++], step->output, 4 * step->size * sizeof(float));
    }
}

/* The output of layer `count` - 1: that of the model of the first `count` layers, with the same tensors. */
static void expect_output(const stoa_model *model, size_t count, const float *input, const float *found) {
    const char *some[8] = {NULL};
    float values[512];
    const float *output;
    memcpy(some, lines, count * sizeof *some);
    stoa_model *part = oracle_model(context, image, some);
    for (size_t i = 0; i < stoa_model_tensor_count(part); i++) {
        stoa_tensor_info tensor;
        assert_int_equal(stoa_model_tensor(part, i, &tensor), STOA_OK);
        size_t same = stoa_model_find_tensor(model, tensor.name);
        assert_int_equal(stoa_model_get_tensor(model, same, values, tensor.count), STOA_OK);
        assert_int_equal(stoa_model_set_tensor(part, i, values, tensor.count), STOA_OK);
    }
    stoa_plan *plan = make_layerwise(part, 4, false);
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    memcpy(stoa_plan_input(plan), input, sizeof(float[4 * 72]));
    assert_int_equal(stoa_plan_infer(plan, 4, &output), STOA_OK);
    assert_memory_equal(found, output, 4 * stoa_model_output_size(part) * sizeof(float));
    stoa_plan_free(plan);
    stoa_model_free(part);
}

/* In-place layers lie in one memory: each is told of before the next writes there. */
static void traces_every_layer(void **state) {
    (void)state;
    enum { LAYERS = 7 };
    float input[4 * 72];
    const int32_t labels[4] = {0, 1, 2, 0};
    const stoa_targets targets = {.labels = labels};
    oracle_fill(input, 4 * 72, 1);
    stoa_model *model = oracle_model(context, image, lines);
    stoa_plan *plan = make_layerwise(model, 4, true);
    struct traced traced = {0};
    check_error(stoa_plan_trace(plan, 4, NULL, note_step, &traced), STOA_ERR_ARGUMENT,
                "plan: it has no memory yet");
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    check_error(stoa_plan_trace(plan, 5, NULL, note_step, &traced), STOA_ERR_ARGUMENT,
                "plan: found 5 samples, expected 1 to 4");
    stoa_plan *lowered = make_plan(model, 4, false, NULL);
    assert_int_equal(stoa_plan_bind(lowered, NULL), STOA_OK);
    check_error(stoa_plan_trace(lowered, 4, NULL, note_step, &traced), STOA_ERR_ARGUMENT,
                "plan: found one whose steps take in several layers, expected one made with `layerwise`");
    stoa_plan_free(lowered);
    assert_int_equal(traced.steps, 0);
    memcpy(stoa_plan_input(plan), input, sizeof input);
    assert_int_equal(stoa_plan_trace(plan, 4, NULL, note_step, &traced), STOA_OK);
    assert_int_equal(traced.steps, LAYERS);
    for (size_t i = 0; i < LAYERS; i++) {
        assert_true(traced.step[i] == i && traced.layer[i] == i && !traced.backward[i]);
        expect_output(model, i + 1, input, traced.output[i]);
    }
    /* Forward, the loss, and backwards; the loss of each sample is what the mean is of. */
    double loss, sum = 0;
    traced = (struct traced){0};
    memcpy(stoa_plan_input(plan), input, sizeof input);
    assert_int_equal(stoa_plan_trace(plan, 4, &targets, note_step, &traced), STOA_OK);
    assert_true(traced.steps == 2 * LAYERS + 2 && traced.outputs == LAYERS + 1 && traced.seconds > 0);
    for (size_t i = 0; i < traced.steps; i++) {
        assert_int_equal(traced.step[i], i);
        assert_int_equal(traced.backward[i], i > LAYERS);
        assert_int_equal(traced.layer[i], i > LAYERS ? 2 * LAYERS + 1 - i : i);
    }
    for (size_t i = 0; i < 4; i++) {
        sum += (double)traced.output[LAYERS][i];
    }
    memcpy(stoa_plan_input(plan), input, sizeof input);
    assert_int_equal(stoa_plan_train(plan, 4, targets, 0, 0, &loss, NULL), STOA_OK);
    assert_true(fabs(sum / 4 - loss) <= 1e-12);
    stoa_plan_free(plan);
    stoa_model_free(model);
}

/* Spoil one number of a tensor. */
static void spoil(stoa_model *model, const char *name, float value) {
    stoa_tensor_change(model, stoa_model_find_tensor(model, name))[0] = value;
}

/* Train and evaluate in a training plan, and evaluate where the input's memory is soon wanted: all must name
 * what is wrong. */
static void expect_nonfinite(stoa_model *model, const float *input, const char *loss, const char *sentence) {
    int32_t labels[4] = {0, 1, 2, 0};
    float values[12] = {0};
    stoa_targets targets = {.labels = labels, .values = values};
    for (int run = 0; run < 3; run++) {
        stoa_plan *plan = make_plan(model, 4, run < 2, loss ? loss : "softmax_cross_entropy");
        assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
        memcpy(stoa_plan_input(plan), input, 4 * stoa_model_input_size(model) * sizeof *input);
        double value;
        const float *output;
        check_error(run == 0 ? stoa_plan_train(plan, 4, targets, 1, 1, &value, &output)
                             : stoa_plan_evaluate(plan, 4, targets, &value, &output),
                    STOA_ERR_NONFINITE, sentence);
        stoa_plan_free(plan);
    }
}

static void names_the_first_layer_that_is_not_finite(void **state) {
    (void)state;
    float input[4 * 72];
    oracle_fill(input, 4 * 72, 1);
    const struct {
        const char *tensor;
        float value;
        const char *loss, *sentence;
    } cases[] = {
        {"c1.weight", NAN, NULL, "the loss is NaN: the first layer with a non-finite value is conv2d 'c1'"},
        {"c1.bias", INFINITY, "mse",
         "the loss is NaN: the first layer with a non-finite value is conv2d 'c1'"},
        {"f1.bias", NAN, NULL, "the loss is NaN: the first layer with a non-finite value is linear 'f1'"},
        {"f2.bias", INFINITY, "mse",
         "the loss is infinite: the first layer with a non-finite value is linear 'f2'"},
        {"f2.bias", 1e30F, "mse", "the loss is infinite while the outputs of all layers are finite"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_model *model = oracle_model(context, image, lines);
        spoil(model, cases[i].tensor, cases[i].value);
        expect_nonfinite(model, input, cases[i].loss, cases[i].sentence);
        stoa_model_free(model);
    }
    stoa_model *model = oracle_model(context, image, lines);
    input[3 * 72 + 5] = NAN;
    expect_nonfinite(model, input, NULL, "the loss is NaN: the input holds a non-finite value");
    stoa_model_free(model);
}

/* Without backward passes b could lie where the input was; the search for the first layer starts from the
 * input again. */
/* A picture in every place of a batch: the same answer each time, on any number of threads, and in all places
 * the same one but for the rounding of sums in another order, which is all that stoa_plan_infer()
 * promises. */
static void places_differ_in_rounding_only(void **state) {
    (void)state;
    enum { BATCH = 13, INPUTS = 72, OUTPUTS = 3 };
    float once[INPUTS], first[BATCH * OUTPUTS];
    const float *output;
    oracle_fill(once, INPUTS, 3);
    for (size_t threads = 1; threads <= 3; threads++) {
        stoa_context_free(context);
        assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = threads}, &context), STOA_OK);
        stoa_model *model = oracle_model(context, image, lines);
        stoa_plan *plan = make_plan(model, BATCH, false, NULL);
        assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
        for (int run = 0; run < 2; run++) {
            for (size_t i = 0; i < BATCH; i++) {
                memcpy(stoa_plan_input(plan) + i * INPUTS, once, sizeof once);
            }
            assert_int_equal(stoa_plan_infer(plan, BATCH, &output), STOA_OK);
            if (threads == 1 && run == 0) {
                memcpy(first, output, sizeof first);
            }
            assert_memory_equal(output, first, sizeof first);
        }
        for (size_t i = 0; i < BATCH * OUTPUTS; i++) {
            assert_true(fabsf(first[i] - first[i % OUTPUTS]) <= 1e-5F * (1 + fabsf(first[i])));
        }
        stoa_plan_free(plan);
        stoa_model_free(model);
    }
}

static void keeps_the_input_for_the_search(void **state) {
    (void)state;
    float input[4 * 3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    stoa_model *model =
        oracle_model(context, (const size_t[]){1, 1, 3},
                     (const char *const[]){"a linear units=3", "b linear units=3", "c linear units=3", NULL});
    spoil(model, "b.bias", NAN);
    expect_nonfinite(model, input, NULL,
                     "the loss is NaN: the first layer with a non-finite value is linear 'b'");
    stoa_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_plans),
        cmocka_unit_test(refuses_plans_beyond_memory),
        cmocka_unit_test(refuses_runs),
        cmocka_unit_test(shows_what_shares),
        cmocka_unit_test(shows_its_steps),
        cmocka_unit_test(traces_every_layer),
        cmocka_unit_test(keeps_the_input_for_the_search),
        cmocka_unit_test(places_differ_in_rounding_only),
        cmocka_unit_test(names_the_first_layer_that_is_not_finite),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
