/* SPDX-License-Identifier: MIT */
/* Initial values: the moments and limits of each kind, orthonormal matrices, what the options do. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "model/graph.h"

static stoa_context *context;

static int set_up(void **state) {
    (void)state;
    return stoa_context_create(&(stoa_context_options){.threads = 1}, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

/* One layer on 6x5x8 images, its parameters drawn. */
static stoa_model *make_model(const char *layer, uint64_t seed) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 6, 5, 8);
    stoa_model_add(model, "a", layer);
    if (stoa_model_build(model) != STOA_OK || stoa_model_init(model, seed) != STOA_OK) {
        fail_msg("%s: %s", layer, stoa_context_error(context));
    }
    return model;
}

/* Fan-in and fan-out of the lines below: 240 and 70, 3 * 3 * 8 = 72 and 3 * 3 * 30 = 270. */
#define LINEAR "linear units=70 "
#define CONV "conv2d filters=30 kernel=3 "

static void draws_with_the_right_deviation(void **state) {
    (void)state;
    const struct {
        const char *line;
        double deviation;
        bool uniform;
    } cases[] = {
        {LINEAR, sqrt(2.0 / 240), false},
        {LINEAR "init=he", sqrt(2.0 / 240), false},
        {LINEAR "init=he init_gain=0.5", 0.5 * sqrt(2.0 / 240), false},
        {LINEAR "init=he_uniform", sqrt(2.0 / 240), true},
        {LINEAR "init=xavier init_gain=2", 2 * sqrt(2.0 / 310), false},
        {LINEAR "init=xavier_uniform", sqrt(2.0 / 310), true},
        {LINEAR "init=normal init_std=0.125", 0.125, false},
        {LINEAR "init=uniform init_limit=0.75", 0.75 / sqrt(3), true},
        {CONV "init=he", sqrt(2.0 / 72), false},
        {CONV "init=he_uniform init_gain=3", 3 * sqrt(2.0 / 72), true},
        {CONV "init=xavier", sqrt(2.0 / 342), false},
        {CONV "init=xavier_uniform", sqrt(2.0 / 342), true},
        {CONV "init=normal init_std=4", 4, false},
        {CONV "init=uniform init_limit=2", 2 / sqrt(3), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_model *model = make_model(cases[i].line, 11 + i);
        const float *data = stoa_tensor_data(model, 0);
        double n = (double)model->tensors[0].count;
        double sum = 0;
        double squares = 0;
        double largest = 0;
        for (size_t j = 0; j < model->tensors[0].count; j++) {
            double value = (double)data[j];
            sum += value;
            squares += value * value;
            largest = fmax(largest, fabs(value));
        }
        double d = cases[i].deviation;
        double deviation = sqrt(squares / n - sum / n * (sum / n));
        double limit = d * sqrt(3);
        /* Five standard errors. A normal number beyond twice the deviation is common. */
        if (!(fabs(sum / n) < 5 * d / sqrt(n) && fabs(deviation - d) < 5 * d / sqrt(2 * n)) ||
            cases[i].uniform != (largest <= limit * (1 + 1e-6)) || largest < 0.98 * limit) {
            fail_msg("%s: mean %g, deviation %g, largest %g, expected deviation %g", cases[i].line, sum / n,
                     deviation, largest, d);
        }
        stoa_model_free(model);
    }
}

/* A bias counts as an input where it is asked for and there is one. The same numbers, another factor. */
static void counts_a_bias_in_fan_in(void **state) {
    (void)state;
    const struct {
        const char *plain, *counted;
        double factor;
    } cases[] = {
        {LINEAR "init=he", LINEAR "init=he init_fan_bias=true", sqrt(240.0 / 241)},
        {LINEAR "init=xavier", LINEAR "init=xavier init_fan_bias=true", sqrt(310.0 / 311)},
        {LINEAR "bias=false", LINEAR "bias=false init_fan_bias=true", 1},
        {CONV, CONV "init_fan_bias=true", sqrt(72.0 / 73)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_model *plain = make_model(cases[i].plain, 1);
        stoa_model *counted = make_model(cases[i].counted, 1);
        for (size_t j = 0; j < plain->tensors[0].count; j++) {
            double expected = (double)stoa_tensor_data(plain, 0)[j] * cases[i].factor;
            assert_true(fabs((double)stoa_tensor_data(counted, 0)[j] - expected) <= 1e-6 * fabs(expected));
        }
        stoa_model_free(plain);
        stoa_model_free(counted);
    }
}

/* Rows of (out, the rest), or its columns where there are fewer, are orthonormal times the gain. */
static void check_orthogonal(const char *line, double gain) {
    stoa_model *model = make_model(line, 7);
    const struct stoa_tensor *tensor = &model->tensors[0];
    float *disk = malloc(tensor->count * sizeof *disk);
    assert_non_null(disk);
    assert_int_equal(stoa_model_get_tensor(model, 0, disk, tensor->count), STOA_OK);
    size_t rows = tensor->spec.shape[0];
    size_t columns = tensor->count / rows;
    bool by_rows = rows <= columns;
    size_t count = by_rows ? rows : columns;
    size_t length = by_rows ? columns : rows;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < length; k++) {
                sum += (double)disk[by_rows ? i * columns + k : k * columns + i] *
                       (double)disk[by_rows ? j * columns + k : k * columns + j];
            }
            double expected = i == j ? gain * gain : 0;
            if (!(fabs(sum - expected) <= 1e-6 * gain * gain)) {
                fail_msg("%s: product of %zu and %zu is %g, expected %g", line, i, j, sum, expected);
            }
        }
    }
    free(disk);
    stoa_model_free(model);
}

static void draws_orthonormal_matrices(void **state) {
    (void)state;
    check_orthogonal(LINEAR "init=orthogonal", 1);
    check_orthogonal("linear units=240 init=orthogonal", 1);
    check_orthogonal("linear units=400 init=orthogonal init_gain=1.5", 1.5);
    check_orthogonal(CONV "init=orthogonal", 1);
    check_orthogonal("conv2d filters=100 kernel=3 groups=2 init=orthogonal init_gain=0.25", 0.25);
    check_orthogonal("linear units=1 init=orthogonal", 1);
}

static void fills_with_constants(void **state) {
    (void)state;
    const struct {
        const char *line;
        float value;
    } cases[] = {{LINEAR "init=constant", 0},
                 {LINEAR "init=constant init_value=-0.5", -0.5F},
                 {CONV "init=constant init_value=2", 2}};
    for (size_t i = 0; i < 3; i++) {
        stoa_model *model = make_model(cases[i].line, 1);
        for (size_t j = 0; j < model->tensors[0].count; j++) {
            assert_true(stoa_tensor_data(model, 0)[j] == cases[i].value);
        }
        for (size_t j = 0; j < model->tensors[1].count; j++) {
            assert_true(stoa_tensor_data(model, 1)[j] == 0);
        }
        stoa_model_free(model);
    }
}

static void follows_from_the_seed(void **state) {
    (void)state;
    static const char *const lines[] = {LINEAR "init=uniform init_limit=1", LINEAR "init=orthogonal"};
    for (size_t i = 0; i < 2; i++) {
        stoa_model *models[] = {make_model(lines[i], 1), make_model(lines[i], 1), make_model(lines[i], 2)};
        size_t bytes = models[0]->parameter_floats * sizeof(float);
        assert_memory_equal(models[0]->parameters, models[1]->parameters, bytes);
        assert_memory_not_equal(models[0]->parameters, models[2]->parameters, bytes);
        for (size_t j = 0; j < 3; j++) {
            stoa_model_free(models[j]);
        }
    }
}

static void refuses_options_of_another_kind(void **state) {
    (void)state;
    const struct {
        const char *line, *sentence;
    } cases[] = {
        {LINEAR "init=normal", "init=normal needs init_std"},
        {CONV "init=uniform", "init=uniform needs init_limit"},
        {LINEAR "init_std=1", "init=he does not take init_std"},
        {LINEAR "init=normal init_std=1 init_gain=2", "init=normal does not take init_gain"},
        {LINEAR "init=uniform init_std=1", "init=uniform does not take init_std"},
        {CONV "init=orthogonal init_value=1", "init=orthogonal does not take init_value"},
        {CONV "init=constant init_limit=1", "init=constant does not take init_limit"},
        {CONV "init=orthogonal init_fan_bias=true", "init=orthogonal does not take init_fan_bias"},
        {LINEAR "init=normal init_std=0",
         "option 'init_std': found '0', expected a number from 1e-09 to 1e+03"},
        {LINEAR "init=zero", "option 'init': found 'zero', expected he or xavier or he_uniform"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_model *model = NULL;
        assert_int_equal(stoa_model_create(context, &model), STOA_OK);
        stoa_model_input(model, 6, 5, 8);
        stoa_model_add(model, "a", cases[i].line);
        assert_int_equal(stoa_model_build(model), STOA_ERR_ARGUMENT);
        if (!strstr(stoa_context_error(context), cases[i].sentence)) {
            fail_msg("found \"%s\", expected \"%s\"", stoa_context_error(context), cases[i].sentence);
        }
        stoa_model_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_with_the_right_deviation), cmocka_unit_test(counts_a_bias_in_fan_in),
        cmocka_unit_test(draws_orthonormal_matrices),     cmocka_unit_test(fills_with_constants),
        cmocka_unit_test(follows_from_the_seed),          cmocka_unit_test(refuses_options_of_another_kind),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
