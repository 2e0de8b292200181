/* SPDX-License-Identifier: MIT */
/* Learning targets: figures of regression and of labels against those of scikit-learn on the same numbers,
 * what is monitored, and what does not go together. */
#include <math.h>
#include <stdio.h>
#include <stoa/model_data.h>
#include <stoa/recipe.h>
#include <stoa/train.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "model/graph.h"

/* This comes last, as headers of the library call their own parameters context. */
#include "../data/scratch_context.h"

#define NEAR(found, wanted) assert_true(fabs((found) - (wanted)) < 1e-6) /* NAN is not */

/* A model that gives its inputs. */
static stoa_model *make_identity(size_t size) {
    stoa_model *model = NULL;
    char line[64];
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, size);
    (void)snprintf(line, sizeof line, "linear units=%zu bias=false init=constant", size);
    stoa_model_add(model, "l", line);
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 1), STOA_OK);
    for (size_t i = 0; i < size; i++) {
        stoa_model_change(model)[i * size + i] = 1;
    }
    return model;
}

/* sklearn.metrics: root_mean_squared_error, mean_absolute_error, r2_score of these numbers. */
static void measures_errors(void **state) {
    (void)state;
    const float given[] = {2.5F, 0, 0, 0, 2, 0, 8, 0}, wanted[] = {3, 1, -0.5F, 1, 2, 1, 7, 1};
    stoa_model *model = make_identity(2);
    stoa_dataset *data = NULL;
    assert_int_equal(
        stoa_dataset_from_targets(context, given, wanted, STOA_TASK_REGRESSION, 4, 1, 1, 2, 2, &data),
        STOA_OK);
    for (size_t scaled = 0; scaled < 2; scaled++) {
        for (size_t batch = 1; batch < 6; batch++) {
            stoa_target_figures each[2];
            stoa_evaluation all;
            assert_int_equal(stoa_evaluate_targets(context, model, data, batch, "mse", each, &all), STOA_OK);
            NEAR(each[0].rmse, 0.6123724356957945);
            NEAR(each[0].mae, 0.5);
            NEAR(each[0].r2, 0.9486081370449679);
            /* All wanted are equal, and none is met. */
            NEAR(each[1].rmse, 1);
            NEAR(each[1].r2, 0);
            NEAR(all.rmse, (0.6123724356957945 + 1) / 2);
            NEAR(all.mae, 0.75);
            NEAR(all.r2, 0.9486081370449679 / 2);
            assert_true(isnan(all.accuracy) && isnan(all.f1) && all.correct == 0 && all.samples == 4);
            NEAR(all.loss, (0.375 + 1) / 2 / (scaled ? 4 : 1));
        }
        if (scaled == 0) {
            /* What the model gives are the same numbers in the scale that is learned: figures stay in
             * units. */
            const float mean[] = {1, 0}, deviation[] = {2, 2};
            const float shift[] = {1, 0};
            assert_int_equal(stoa_dataset_normalize_targets(data, mean, deviation), STOA_OK);
            assert_int_equal(stoa_dataset_normalize_channels(data, shift, deviation), STOA_OK);
        }
    }
    stoa_dataset_free(data);
    stoa_model_free(model);
}

/* sklearn.metrics: precision_recall_fscore_support and average_precision_score of these numbers. */
static void measures_labels(void **state) {
    (void)state;
    const float logits[] = {2, 1, -1, -1, 3, -2, 0.5F, -1, -3, -2, 1, -1, 0.5F, 2, -1},
                there[] = {1, 0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0};
    stoa_model *model = make_identity(3);
    stoa_dataset *data = NULL;
    assert_int_equal(
        stoa_dataset_from_targets(context, logits, there, STOA_TASK_MULTILABEL, 5, 1, 1, 3, 3, &data),
        STOA_OK);
    stoa_target_figures each[3];
    stoa_evaluation all;
    assert_int_equal(stoa_evaluate_targets(context, model, data, 2, "bce_with_logits", each, &all), STOA_OK);
    assert_int_equal(each[0].positives, 3);
    assert_int_equal(each[0].answered, 3);
    assert_int_equal(each[0].hits, 2);
    NEAR(each[0].f1, 2.0 / 3);
    /* Hits: one of the first, two of the first three, which share a threshold, three of all five. */
    NEAR(each[0].average_precision, (1.0 + 2.0 / 3 + 3.0 / 5) / 3);
    NEAR(each[1].precision, 3.0 / 4);
    NEAR(each[1].recall, 3.0 / 4);
    assert_true(isnan(each[2].average_precision) && each[2].f1 <= 0);
    NEAR(all.precision, 5.0 / 7);
    NEAR(all.recall, 5.0 / 7);
    NEAR(all.f1, 5.0 / 7);
    NEAR(all.macro_f1, (2.0 / 3 + 3.0 / 4) / 3);
    NEAR(all.average_precision, (each[0].average_precision + each[1].average_precision) / 2);
    assert_int_equal(all.correct, 1);
    NEAR(all.accuracy, 0.2);
    assert_true(isnan(all.rmse));
    /* Of a loss that takes no logits a half is where yes begins. */
    assert_int_equal(stoa_evaluate_targets(context, model, data, 2, "mse", each, &all), STOA_OK);
    assert_int_equal(each[0].answered, 3);
    assert_int_equal(each[1].answered, 4);
    stoa_dataset_free(data);
    stoa_model_free(model);
}

static const char *const table = "id;kind;day;a;price\n"
                                 "1;x;2020-01-01;1;10\n2;y;2020-01-02;;30\n3;x;2020-01-03;3;50\n"
                                 "4;y;2020-01-04;4;70\n5;x;2020-01-05;5;90\n6;y;2020-01-06;6;110\n"
                                 "7;x;2020-01-07;7;130\n8;y;2020-01-08;8;150\n9;x;2020-01-09;9;170\n";
#define MODEL "[model]\ninput = 1x1x4\nl = linear units=1\n"
#define DATA                                                                                                 \
    "[data]\ntarget = price\nignore = id\ncategories = kind\ndates = day\nmissing = mean\nnormalize = "      \
    "measured\nnormalize_targets = measured\n"

static stoa_model *make_model(const char *text, stoa_recipe **recipe) {
    stoa_model *model = NULL;
    if (stoa_recipe_load_memory(context, "r.ini", text, strlen(text), recipe) != STOA_OK ||
        stoa_recipe_model(context, *recipe, &model) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_model_init(model, 1), STOA_OK);
    return model;
}

/* A table is learned from, and its model reads another one, by names, and fills it with what it knows. */
static void learns_a_table(void **state) {
    (void)state;
    stoa_recipe *recipe = NULL;
    stoa_dataset *train = NULL, *test = NULL, *samples = NULL;
    stoa_model *model = make_model(
        MODEL DATA "[train]\nloss = mse\nepochs = 400\nbatch = 4\nlr = 0.05\nschedule = cosine\n", &recipe);
    const char *path = scratch_write(&scratch, "t.csv", table, strlen(table));
    if (stoa_model_open_training_data(context, model, path, &train, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_string_equal(stoa_model_fact(model, "data.task"), "regression");
    assert_string_equal(stoa_model_fact(model, "data.target"), "price");
    assert_null(stoa_model_fact(model, "data.classes"));
    stoa_recipe_info info;
    stoa_recipe_describe(recipe, &info);
    if (stoa_train(context, model, train, test, &info.train, NULL) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    stoa_evaluation all;
    assert_int_equal(stoa_evaluate(context, model, test, 0, "mse", &all), STOA_OK);
    assert_true(all.rmse < 5 && all.r2 > 0.9);
    void *saved = NULL;
    size_t bytes = 0;
    stoa_model *loaded = NULL;
    assert_int_equal(stoa_model_save_memory(model, &saved, &bytes), STOA_OK);
    assert_int_equal(stoa_model_load_memory(context, saved, bytes, &loaded), STOA_OK);
    stoa_buffer_free(context, saved, bytes);
    const char *other = "price,day,kind,a\n0,2020-01-05,x,5\n0,2020-01-05,x,\n";
    path = scratch_write(&scratch, "u.csv", other, strlen(other));
    if (stoa_model_open_samples(context, loaded, path, &samples) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_dataset_task(samples), STOA_TASK_REGRESSION);
    assert_string_equal(stoa_dataset_target_name(samples, 0), "price");
    float inputs[8];
    int32_t labels[2];
    stoa_dataset_read(samples, NULL, 0, 2, inputs, labels);
    stoa_column column;
    stoa_dataset_column(samples, 2, &column);
    stoa_column learned;
    stoa_dataset_column(train, 2, &learned);
    assert_float_equal(column.fill, learned.fill, 0);
    assert_true(inputs[7] != inputs[3] || learned.fill == 5);
    float output = 0;
    assert_int_equal(stoa_model_restore_targets(context, loaded, &output, 1), STOA_OK);
    assert_true(output > 10 && output < 170);
    stoa_dataset_free(samples);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    stoa_model_free(loaded);
    stoa_model_free(model);
    stoa_recipe_free(recipe);
}

static void refuse_recipe(const char *text, const char *sentence) {
    stoa_recipe *recipe = NULL;
    assert_int_not_equal(stoa_recipe_load_memory(context, "r.ini", text, strlen(text), &recipe), STOA_OK);
    assert_string_equal(stoa_context_error(context), sentence);
}

static void refuse_training(const char *train_lines, const char *sentence) {
    char text[600];
    stoa_recipe *recipe = NULL;
    stoa_dataset *train = NULL, *test = NULL;
    (void)snprintf(text, sizeof text, MODEL DATA "[train]\n%s", train_lines);
    stoa_model *model = make_model(text, &recipe);
    const char *path = scratch_write(&scratch, "t.csv", table, strlen(table));
    stoa_recipe_info info;
    stoa_recipe_describe(recipe, &info);
    assert_int_equal(stoa_model_open_training_data(context, model, path, &train, &test), STOA_OK);
    assert_int_equal(stoa_train_check(context, model, train, test, &info.train), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), sentence);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    stoa_model_free(model);
    stoa_recipe_free(recipe);
}

static void refuses_what_does_not_fit(void **state) {
    (void)state;
    refuse_recipe(
        MODEL "[data]\ntarget = price\n",
        "r.ini:5: loss softmax_cross_entropy takes a class, [data] asks for targets: expected loss = mse, "
        "huber, l1 or smooth_l1, or bce_with_logits for several labels in [train]");
    refuse_recipe(
        MODEL "[data]\ntask = multilabel\nclasses = 3\n[train]\nloss = bce_with_logits\n",
        "r.ini:8: classes = 3 on line 6, expected none with a task of targets, or 1, the values of the last "
        "layer");
    refuse_training("loss = mse\nvalidation = 0.3\nmonitor = accuracy\n",
                    "monitor: found 'accuracy', expected loss or rmse with a task of regression");
    refuse_training("loss = mse\nvalidation = 0.3\nstratified = true\n",
                    "stratified: needs classes, the data have targets, of which any samples are held out");
    const float samples[] = {1, 2}, targets[] = {0.5F, 7};
    stoa_model *model = make_identity(1);
    stoa_dataset *data = NULL;
    stoa_evaluation all;
    assert_int_equal(
        stoa_dataset_from_targets(context, samples, targets, STOA_TASK_REGRESSION, 2, 1, 1, 1, 1, &data),
        STOA_OK);
    assert_int_equal(stoa_evaluate(context, model, data, 0, "bce_with_logits", &all), STOA_ERR_ARGUMENT);
    assert_string_equal(
        stoa_context_error(context),
        "loss bce_with_logits: target 0 of sample 1 is 7, expected 0 to 1, or a loss of numbers: "
        "mse, huber, l1, smooth_l1");
    assert_int_equal(stoa_evaluate(context, model, data, 0, NULL, &all), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context),
                        "loss softmax_cross_entropy takes a class, the data have "
                        "targets: expected mse, huber, l1 or smooth_l1");
    stoa_dataset_free(data);
    stoa_model_free(model);
}

/* What is monitored decides which epoch is kept: with these it is not the last, as the rate is far too
 * high. */
struct told {
    double best;
    size_t best_epoch, epochs;
    bool by_f1;
};

static bool tell(void *user, const stoa_progress *progress) {
    struct told *told = user;
    if (progress->epoch_done) {
        double value = told->by_f1 ? -progress->validation.f1 : progress->validation.rmse;
        bool better = told->epochs == 0 || value < told->best;
        assert_true(progress->best == better);
        told->best = better ? value : told->best;
        told->best_epoch = better ? progress->epoch : told->best_epoch;
        assert_int_equal(progress->best_epoch, told->best_epoch);
        told->epochs++;
    }
    return false;
}

static void keeps_the_best(void **state) {
    (void)state;
    enum { COUNT = 40 };
    float samples[COUNT], numbers[COUNT], labels[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        samples[i] = (float)(i * 7 % COUNT) / COUNT - 0.5F;
        numbers[i] = 3 * samples[i] + (float)(i % 3);
        labels[i] = samples[i] + (float)(i % 3) / 8 > 0.1F ? 1 : 0;
    }
    for (size_t by_f1 = 0; by_f1 < 2; by_f1++) {
        stoa_model *model = make_identity(1);
        stoa_dataset *data = NULL;
        struct told told = {.by_f1 = by_f1 == 1};
        assert_int_equal(stoa_dataset_from_targets(context, samples, by_f1 ? labels : numbers,
                                                   by_f1 ? STOA_TASK_MULTILABEL : STOA_TASK_REGRESSION, COUNT,
                                                   1, 1, 1, 1, &data),
                         STOA_OK);
        const stoa_train_options options = {.epochs = 12,
                                            .batch = 5,
                                            .learning_rate = by_f1 ? 1.5F : 0.9F,
                                            .loss = by_f1 ? "bce_with_logits" : "huber",
                                            .validation = 0.3F,
                                            .keep_best = true,
                                            .monitor = by_f1 ? "f1" : "rmse",
                                            .augment = "noise=0.01"};
        const stoa_train_callbacks callbacks = {.user = &told, .progress = tell};
        if (stoa_train(context, model, data, data, &options, &callbacks) != STOA_OK) {
            fail_msg("%s", stoa_context_error(context));
        }
        assert_int_equal(told.epochs, 12);
        assert_true(told.best_epoch < 12);
        stoa_dataset_free(data);
        stoa_model_free(model);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(measures_errors), TEST(measures_labels), TEST(learns_a_table),
                                       TEST(refuses_what_does_not_fit), TEST(keeps_the_best)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
