/* SPDX-License-Identifier: MIT */
/* Validation: what is held out, what is decided by it, and that neither it nor the test set is ever
 * trained. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "model/graph.h"
#include "train/validation.h"

enum { INPUTS = 6, CLASSES = 3, SAMPLES = 90, EPOCHS = 12 };

static float samples[SAMPLES * INPUTS];
static int32_t labels[SAMPLES];
static stoa_context *context;

/* Half of the samples are of class 0, a third of class 1, the rest of class 2; noise makes epochs differ. */
static int set_up(void **state) {
    (void)state;
    uint32_t random = 7;
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = i % 6 < 3 ? 0 : i % 6 < 5 ? 1 : 2;
        for (size_t j = 0; j < INPUTS; j++) {
            random = random * 1664525U + 1013904223U;
            samples[i * INPUTS + j] =
                (float)(random >> 8) / 16777216.0F + (j == (size_t)labels[i] ? 0.3F : 0);
        }
    }
    return stoa_context_create(&(stoa_context_options){.threads = 2}, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

static stoa_dataset *make_data(const float *values, const int32_t *numbers, size_t count) {
    stoa_dataset *data = NULL;
    assert_int_equal(stoa_dataset_from_arrays(context, values, numbers, count, 1, 1, INPUTS, CLASSES, &data),
                     STOA_OK);
    return data;
}

static stoa_model *make_model(void) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, INPUTS);
    stoa_model_add(model, "l1", "linear units=9");
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "l2", "linear units=3");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 2), STOA_OK);
    return model;
}

static stoa_status split(size_t count, float share, bool stratified, uint64_t seed,
                         struct stoa_split_order *made) {
    stoa_dataset *data = make_data(samples, labels, count);
    const struct stoa_train_settings settings = {
        .options = {.validation = share, .stratified = stratified, .seed = seed}};
    stoa_status status = stoa_split_make(context, data, &settings, made);
    stoa_dataset_free(data);
    return status;
}

static void divides_the_samples(void **state) {
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        bool stratified = i % 2 == 1;
        float share = i / 2 % 2 ? 0.2F : 0.5F;
        struct stoa_split_order made;
        assert_int_equal(split(SAMPLES, share, stratified, i / 4, &made), STOA_OK);
        assert_int_equal(made.validation, share == 0.2F ? 18
                                          : stratified  ? 46
                                                        : 45); /* 7.5 of class 2 are 8 */
        assert_int_equal(made.training + made.validation, SAMPLES);
        size_t seen[SAMPLES] = {0};
        size_t held[CLASSES] = {0};
        for (size_t j = 0; j < SAMPLES; j++) {
            assert_true(made.index[j] < SAMPLES);
            seen[made.index[j]]++;
            assert_true(j == 0 || j == made.training || made.index[j] > made.index[j - 1]);
            held[labels[made.index[j]]] += j >= made.training;
        }
        for (size_t j = 0; j < SAMPLES; j++) {
            assert_int_equal(seen[j], 1);
        }
        if (stratified && share == 0.2F) {
            assert_true(held[0] == 9 && held[1] == 6 && held[2] == 3);
        }
        free(made.index);
    }
}

static void follows_from_the_seed(void **state) {
    (void)state;
    struct stoa_split_order made[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(split(SAMPLES, 0.3F, false, i / 2, &made[i]), STOA_OK);
    }
    assert_memory_equal(made[0].index, made[1].index, SAMPLES * sizeof(size_t));
    assert_memory_not_equal(made[0].index, made[2].index, SAMPLES * sizeof(size_t));
    for (size_t i = 0; i < 3; i++) {
        free(made[i].index);
    }
}

static void leaves_something_on_both_sides(void **state) {
    (void)state;
    struct stoa_split_order made;
    assert_int_equal(split(SAMPLES, 0.001F, false, 0, &made), STOA_OK);
    assert_int_equal(made.validation, 1);
    free(made.index);
    assert_int_equal(split(SAMPLES, 0.001F, true, 0, &made), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context),
                        "validation: 0.001 of 90 samples leaves 90 to train with and 0 to validate with");
    assert_null(made.index);
    assert_int_equal(split(1, 0.5F, false, 0, &made), STOA_ERR_ARGUMENT);
    assert_null(made.index);
}

static void knows_the_best(void **state) {
    (void)state;
    const struct stoa_train_settings settings = {.options = {.patience = 2, .min_delta = 0.125F}};
    struct stoa_best best;
    struct stoa_best_state memory;
    assert_int_equal(stoa_best_open(context, NULL, &settings, &best, &memory), STOA_OK);
    /* Better by less than min_delta is better, but patience goes on running. */
    const double losses[] = {1, 0.5, 0.4, 0.625, 0.3, 0.2};
    const bool is_best[] = {true, true, true, false, true, true};
    const bool stops[] = {false, false, false, true, false, false};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(stoa_best_observe(&best, &memory, i + 1, &(stoa_evaluation){.loss = losses[i]}),
                         is_best[i]);
        assert_int_equal(stoa_best_stops(&best, &memory), stops[i]);
    }
    stoa_best_close(context, &best);
    const struct stoa_train_settings by_accuracy = {.monitor = STOA_MONITOR_ACCURACY};
    assert_int_equal(stoa_best_open(context, NULL, &by_accuracy, &best, &memory), STOA_OK);
    const double accuracies[] = {0, 0.5, 0.5, 0.25, 0.75};
    const bool is_highest[] = {true, true, false, false, true};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(stoa_best_observe(&best, &memory, i + 1,
                                           &(stoa_evaluation){.accuracy = accuracies[i], .loss = 1}),
                         is_highest[i]);
        assert_false(stoa_best_stops(&best, &memory));
    }
    stoa_best_close(context, &best);
}

/* What a training told, and the model as it stood then. */
struct told {
    stoa_model *model;
    size_t epochs;
    stoa_progress epoch[EPOCHS];
    float best[1024];
};

static bool listen(void *user, const stoa_progress *progress) {
    struct told *told = user;
    if (progress->epoch_done) {
        told->epoch[told->epochs++] = *progress;
        assert_true(told->model->parameter_floats <= 1024);
        if (progress->best) {
            memcpy(told->best, told->model->parameters, told->model->parameter_floats * sizeof(float));
        }
    } else {
        assert_true(isnan(progress->validation_loss) && isnan(progress->validation_accuracy));
    }
    return false;
}

static struct told train(const stoa_train_options *options, bool with_test, float *parameters) {
    static struct told told;
    told = (struct told){.model = make_model()};
    stoa_dataset *data = make_data(samples, labels, SAMPLES);
    assert_int_equal(stoa_train(context, told.model, data, with_test ? data : NULL, options,
                                &(stoa_train_callbacks){.progress = listen, .user = &told}),
                     STOA_OK);
    memset(parameters, 0, 1024 * sizeof *parameters);
    memcpy(parameters, told.model->parameters, told.model->parameter_floats * sizeof(float));
    assert_int_equal(told.epoch[told.epochs - 1].last, true);
    stoa_dataset_free(data);
    stoa_model_free(told.model);
    return told;
}

/* The same as training on the rest alone: what is held out leaves no trace, nor does a test set. */
static void never_trains_what_is_held_out(void **state) {
    (void)state;
    static float expected[1024];
    static float found[1024];
    float rest[SAMPLES * INPUTS];
    int32_t rest_labels[SAMPLES];
    struct stoa_split_order made;
    stoa_train_options options = {
        .epochs = 3, .batch = 16, .seed = 5, .learning_rate = 0.05F, .validation = 0.25F, .stratified = true};
    assert_int_equal(split(SAMPLES, 0.25F, true, 5, &made), STOA_OK);
    for (size_t i = 0; i < made.training; i++) {
        memcpy(rest + i * INPUTS, samples + made.index[i] * INPUTS, INPUTS * sizeof(float));
        rest_labels[i] = labels[made.index[i]];
    }
    (void)train(&options, true, expected);
    (void)train(&options, false, found);
    assert_memory_equal(found, expected, sizeof found);
    options.validation = 0;
    options.stratified = false;
    stoa_dataset *data = make_data(rest, rest_labels, made.training);
    stoa_model *model = make_model();
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_OK);
    assert_memory_equal(model->parameters, expected, model->parameter_floats * sizeof(float));
    stoa_dataset_free(data);
    stoa_model_free(model);
    free(made.index);
}

/* Trains once and holds the model against that of its best epoch; returns that epoch. */
static size_t keep_best(stoa_train_options options, bool by_accuracy) {
    static float found[1024];
    options.monitor = by_accuracy ? "accuracy" : NULL;
    struct told told = train(&options, true, found);
    size_t best = 0;
    for (size_t e = 0; e < told.epochs; e++) {
        double value = by_accuracy ? -told.epoch[e].validation_accuracy : told.epoch[e].validation_loss;
        double least = by_accuracy ? -told.epoch[best].validation_accuracy : told.epoch[best].validation_loss;
        assert_int_equal(told.epoch[e].best, e == 0 || value < least);
        best = value < least ? e : best;
        assert_true(told.epoch[e].last == (e + 1 == EPOCHS));
    }
    assert_memory_equal(found, told.best, sizeof found);
    return best;
}

/* Which epoch is the best depends on the last bits of sums, and so on the CPU: of a few seeds one has it
 * before the end, or this would prove nothing. */
static void keeps_the_best_model(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        size_t before_the_end = 0;
        for (uint64_t seed = 1; seed <= 8; seed++) {
            stoa_train_options options = {.epochs = EPOCHS,
                                          .batch = 16,
                                          .seed = seed,
                                          .learning_rate = 0.3F,
                                          .validation = 0.3F,
                                          .average = i / 2 ? 0.5F : 0,
                                          .keep_best = true};
            before_the_end += keep_best(options, i % 2) + 1 < EPOCHS;
        }
        assert_true(before_the_end > 0);
    }
}

static void stops_when_it_does_not_get_better(void **state) {
    (void)state;
    static float found[1024];
    stoa_train_options options = {.epochs = EPOCHS,
                                  .batch = 16,
                                  .learning_rate = 1e-30F,
                                  .optimizer = "sgd",
                                  .validation = 0.2F,
                                  .patience = 3};
    options.min_delta = 10; /* running statistics still move */
    assert_int_equal(train(&options, true, found).epochs, 4);
    options.patience = 0;
    assert_int_equal(train(&options, true, found).epochs, EPOCHS);
}

/* Rates of the epochs' last steps. */
static void expect_rates(const char *schedule, const float *rates, size_t count) {
    static float found[1024];
    stoa_train_options options = {.epochs = count,
                                  .batch = 16,
                                  .learning_rate = 1e-20F,
                                  .optimizer = "sgd",
                                  .validation = 0.2F,
                                  .schedule = schedule};
    struct told told = train(&options, false, found);
    assert_int_equal(told.epochs, count);
    for (size_t i = 0; i < count; i++) {
        float found_rate = told.epoch[i].learning_rate / 1e-20F;
        if (!(fabsf(found_rate - rates[i]) <= 1e-6F)) {
            fail_msg("%s: epoch %zu has %g of the rate, expected %g", schedule, i + 1, (double)found_rate,
                     (double)rates[i]);
        }
    }
}

static void schedules_hear_of_epochs(void **state) {
    (void)state;
    expect_rates("step every=2 factor=0.5 per=epoch", (const float[]){1, 1, 0.5F, 0.5F, 0.25F}, 5);
    /* Ten steps in two epochs of five. */
    expect_rates("linear end=0.5", (const float[]){0.8F, 0.55F}, 2);
    expect_rates("plateau patience=1 factor=0.5 threshold=1", (const float[]){1, 1, 0.5F, 0.5F, 0.25F}, 5);
    expect_rates("plateau watch=training patience=0 factor=0.5 threshold=1", (const float[]){1, 0.5F, 0.25F},
                 3);
}

static void refuse(const stoa_train_options *options, const char *sentence) {
    stoa_model *model = make_model();
    stoa_dataset *data = make_data(samples, labels, SAMPLES);
    assert_int_equal(stoa_train(context, model, data, NULL, options, NULL), STOA_ERR_ARGUMENT);
    if (strncmp(stoa_context_error(context), sentence, strlen(sentence)) != 0) {
        fail_msg("found \"%s\", expected \"%s\"", stoa_context_error(context), sentence);
    }
    stoa_dataset_free(data);
    stoa_model_free(model);
}

static void refuses_what_cannot_be(void **state) {
    (void)state;
    refuse(&(stoa_train_options){.patience = 1}, "patience: needs validation");
    refuse(&(stoa_train_options){.keep_best = true}, "keep_best: needs validation");
    refuse(&(stoa_train_options){.stratified = true}, "stratified: needs validation");
    refuse(&(stoa_train_options){.min_delta = 0.1F}, "min_delta: needs validation");
    refuse(&(stoa_train_options){.monitor = "accuracy"}, "monitor: needs validation");
    refuse(&(stoa_train_options){.schedule = "plateau"},
           "schedule plateau watches the validation loss: set validation");
    refuse(&(stoa_train_options){.validation = 0.95F},
           "validation: found '0.95', expected a number from 0 to 0.9");
    refuse(&(stoa_train_options){.validation = -0.5F}, "validation: found '-0.5'");
    refuse(&(stoa_train_options){.validation = NAN}, "validation: found ");
    refuse(&(stoa_train_options){.average = 1}, "average: found '1', expected a number from 0 to 0.999999");
    refuse(&(stoa_train_options){.average = NAN}, "average: found ");
    refuse(&(stoa_train_options){.clip_norm = -1},
           "clip_norm: found '-1', expected a number from 0 to 1e+09");
    refuse(&(stoa_train_options){.clip_norm = INFINITY}, "clip_norm: found 'inf'");
    refuse(&(stoa_train_options){.clip_value = NAN}, "clip_value: found ");
    refuse(&(stoa_train_options){.min_delta = -1}, "min_delta: found '-1'");
    refuse(&(stoa_train_options){.monitor = "test"},
           "monitor: found 'test', expected loss, accuracy, rmse or f1");
    refuse(&(stoa_train_options){.validation = 0.001F, .stratified = true},
           "validation: 0.001 of 90 samples leaves");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divides_the_samples),
        cmocka_unit_test(follows_from_the_seed),
        cmocka_unit_test(leaves_something_on_both_sides),
        cmocka_unit_test(knows_the_best),
        cmocka_unit_test(never_trains_what_is_held_out),
        cmocka_unit_test(keeps_the_best_model),
        cmocka_unit_test(stops_when_it_does_not_get_better),
        cmocka_unit_test(schedules_hear_of_epochs),
        cmocka_unit_test(refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
