/* SPDX-License-Identifier: MIT */
/* The learning rate range test: on a loss whose best rate is known, on digits, and where there is nothing to
 * be found. */
#include <math.h>
#include <string.h>

#include <stoa/train.h>

#include "../base/cmocka_prelude.h"
#include "model/graph.h"

static stoa_context *context;

static int set_up(void **state) {
    (void)state;
    return stoa_context_create(&(stoa_context_options){.threads = 2}, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

/* One weight a class on an input that is always 1, and two classes by turns: the mean of (w - target)^2
 * over two outputs, along whose gradient a step of 1 arrives at the batch's targets and one above 2 leads
 * away. */
enum { SAMPLES = 64, CLASSES = 2 };
static const stoa_train_options on_bowl = {.batch = 4, .optimizer = "sgd", .loss = "mse", .seed = 1};

static stoa_dataset *make_ones(void) {
    static float values[SAMPLES];
    static int32_t labels[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++) {
        values[i] = 1;
        labels[i] = (int32_t)(i % CLASSES);
    }
    stoa_dataset *data = NULL;
    assert_int_equal(stoa_dataset_from_arrays(context, values, labels, SAMPLES, 1, 1, 1, CLASSES, &data),
                     STOA_OK);
    return data;
}

static stoa_model *make_bowl(void) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, 1);
    stoa_model_add(model, "l", "linear units=2 bias=false init=constant");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 1), STOA_OK);
    return model;
}

static stoa_model *make_classifier(stoa_context *owner) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(owner, &model), STOA_OK);
    stoa_model_input(model, 28, 28, 1);
    stoa_model_add(model, "c1", "conv2d filters=4 kernel=5 stride=2");
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "f", "flatten");
    stoa_model_add(model, "l1", "linear units=10");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 5), STOA_OK);
    return model;
}

static stoa_dataset *draw_digits(stoa_context *owner) {
    stoa_dataset *data = NULL;
    assert_int_equal(stoa_dataset_draw_digits(owner, 600, 28, 28, 3, &data), STOA_OK);
    return data;
}

static void finds_the_rate_of_a_bowl(void **state) {
    (void)state;
    stoa_dataset *data = make_ones();
    stoa_model *model = make_bowl();
    stoa_rate_curve curve;
    assert_int_equal(stoa_find_learning_rate(context, model, data, &on_bowl, NULL, NULL, NULL, &curve),
                     STOA_OK);
    /* Batches of 4 and no more than 2000 steps: 6400 samples. */
    assert_true(curve.exploded && curve.count > 1000 && curve.count < 1600);
    assert_true(curve.lowest_loss > 0.01F && curve.lowest_loss < 2.2F);
    assert_true(curve.steepest > 1e-4F && curve.steepest < curve.lowest_loss);
    assert_true(curve.suggestion >= curve.lowest_loss / 10 && curve.suggestion <= curve.lowest_loss / 10);
    /* It explodes where it has to. */
    assert_true(curve.points[curve.count - 1].learning_rate > 2);
    for (size_t i = 0; i < curve.count; i++) {
        const stoa_rate_point *point = &curve.points[i];
        double expected = 1e-7 * pow(1e8, (double)i / 1599);
        assert_true(fabs((double)point->learning_rate - expected) < 1e-5 * expected);
        assert_true(isfinite(point->loss) && isfinite(point->smoothed_loss));
    }
    stoa_rate_curve_free(&curve);
    assert_null(curve.points);
    stoa_model_free(model);
    stoa_dataset_free(data);
}

/* Everything a training changes is as it was, running statistics too. */
static void leaves_the_model_as_it_was(void **state) {
    (void)state;
    stoa_dataset *data = draw_digits(context);
    stoa_model *model = make_classifier(context), *same = make_classifier(context);
    const stoa_train_options options = {
        .batch = 32, .seed = 2, .average = 0.9F, .validation = 0.2F, .keep_best = true};
    stoa_rate_curve curve;
    assert_int_equal(stoa_find_learning_rate(context, model, data, &options, &(stoa_rate_range){.steps = 60},
                                             NULL, NULL, &curve),
                     STOA_OK);
    assert_memory_equal(model->parameters, same->parameters, model->parameter_floats * sizeof(float));
    assert_memory_equal(model->statistics, same->statistics, model->statistic_floats * sizeof(float));
    assert_true(curve.suggestion > 1e-5F && curve.suggestion < 0.5F);
    stoa_rate_curve_free(&curve);
    stoa_model_free(model);
    stoa_model_free(same);
    stoa_dataset_free(data);
}

static stoa_rate_curve find_with_threads(size_t threads) {
    stoa_context *own = NULL;
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = threads}, &own), STOA_OK);
    stoa_dataset *data = draw_digits(own);
    stoa_model *model = make_classifier(own);
    stoa_rate_curve curve;
    assert_int_equal(stoa_find_learning_rate(
                         own, model, data, &(stoa_train_options){.batch = 32, .augment = "shift=2"},
                         &(stoa_rate_range){.lowest = 1e-5F, .highest = 1, .steps = 50}, NULL, NULL, &curve),
                     STOA_OK);
    stoa_model_free(model);
    stoa_dataset_free(data);
    stoa_context_free(own);
    return curve;
}

static void threads_do_not_matter(void **state) {
    (void)state;
    stoa_rate_curve one = find_with_threads(1), three = find_with_threads(3);
    assert_int_equal(one.count, three.count);
    for (size_t i = 0; i < one.count; i++) {
        assert_memory_equal(&one.points[i].loss, &three.points[i].loss, sizeof(double));
        assert_memory_equal(&one.points[i].smoothed_loss, &three.points[i].smoothed_loss, sizeof(double));
    }
    assert_memory_equal(&one.suggestion, &three.suggestion, sizeof(float));
    stoa_rate_curve_free(&one);
    stoa_rate_curve_free(&three);
}

/* Rates at which nothing moves. */
static void suggests_nothing_from_a_flat_curve(void **state) {
    (void)state;
    stoa_dataset *data = draw_digits(context);
    stoa_model *model = make_classifier(context);
    stoa_rate_curve curve;
    assert_int_equal(
        stoa_find_learning_rate(context, model, data, &(stoa_train_options){.batch = 100},
                                &(stoa_rate_range){.lowest = 1e-12F, .highest = 1e-10F, .steps = 100}, NULL,
                                NULL, &curve),
        STOA_OK);
    assert_true(curve.suggestion <= 0 && !curve.exploded && curve.count == 100);
    stoa_rate_curve_free(&curve);
    stoa_model_free(model);
    stoa_dataset_free(data);
}

static bool stop_at_seven(void *user, const stoa_rate_point *point) {
    size_t *told = user;
    assert_true(point->learning_rate > 0 && isfinite(point->loss) && isfinite(point->smoothed_loss));
    return ++*told == 7;
}

static void stops_when_told(void **state) {
    (void)state;
    stoa_dataset *data = make_ones();
    stoa_model *model = make_bowl();
    stoa_rate_curve curve = {.count = 99};
    size_t told = 0;
    assert_int_equal(
        stoa_find_learning_rate(context, model, data, &on_bowl, NULL, stop_at_seven, &told, &curve),
        STOA_ERR_CANCELLED);
    assert_int_equal(told, 7);
    assert_int_equal(curve.count, 99);
    stoa_model_free(model);
    stoa_dataset_free(data);
}

static void refuses_ranges(void **state) {
    (void)state;
    static const struct {
        stoa_rate_range range;
        const char *words;
    } cases[] = {
        {{.lowest = -1}, "from -1 to 10"},    {{.lowest = 1, .highest = 1}, "from 1 to 1"},
        {{.lowest = NAN}, "expected finite"}, {{.highest = INFINITY}, "expected finite"},
        {{.steps = 19}, "found 19 steps"},    {{.steps = 1000001}, "found 1000001 steps"},
    };
    stoa_dataset *data = make_ones();
    stoa_model *model = make_bowl();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_rate_curve curve;
        assert_int_equal(
            stoa_find_learning_rate(context, model, data, &on_bowl, &cases[i].range, NULL, NULL, &curve),
            STOA_ERR_ARGUMENT);
        assert_non_null(strstr(stoa_context_error(context), cases[i].words));
    }
    stoa_train_options wrong = on_bowl;
    wrong.optimizer = "sgdd";
    stoa_rate_curve curve;
    assert_int_equal(stoa_find_learning_rate(context, model, data, &wrong, NULL, NULL, NULL, &curve),
                     STOA_ERR_ARGUMENT);
    stoa_model_free(model);
    stoa_dataset_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_rate_of_a_bowl), cmocka_unit_test(leaves_the_model_as_it_was),
        cmocka_unit_test(threads_do_not_matter),    cmocka_unit_test(suggests_nothing_from_a_flat_curve),
        cmocka_unit_test(stops_when_told),          cmocka_unit_test(refuses_ranges),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
