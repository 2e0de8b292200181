/* SPDX-License-Identifier: MIT */
/* Plans that keep prepared weights: they are kept, and after every way to change a model's parameters the
 * next run is that of a plan that keeps nothing, but for the rounding of weights that a batch norm is in. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "core/tuning.h"
#include "model/plan.h"
#include "oracle.h"
#include "stoa/train.h"

enum { BATCH = 5, SAMPLES = 12, CLASSES = 3, SIDE = 9, CHANNELS = 2, SAMPLE = SIDE * SIDE * CHANNELS };

/* Weights that are packed, transformed, and read as they are. */
static const size_t image[3] = {SIDE, SIDE, CHANNELS};
static const char *const lines[] = {"c1 conv2d filters=9 kernel=5 pad=2",
                                    "r1 relu",
                                    "c2 conv2d filters=24 kernel=3 pad=1",
                                    "b2 batchnorm",
                                    "r2 relu",
                                    "c3 conv2d filters=16 kernel=1",
                                    "c4 conv2d filters=32 kernel=3 pad=1",
                                    "g global_avgpool",
                                    "l linear units=3",
                                    NULL};

static stoa_context *context;
static stoa_model *model;
static stoa_plan *plans[2]; /* without and with prepared weights */
static float samples[SAMPLES * SAMPLE];
static int32_t labels[SAMPLES];
static float before[BATCH * CLASSES]; /* the outputs of the last comparison */

static stoa_plan *make_plan(bool prepare) {
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = BATCH, .prepare = prepare};
    assert_int_equal(stoa_plan_create(context, model, &options, &plan), STOA_OK);
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    return plan;
}

static int set_up(void **state) {
    (void)state;
    stoa_context_options options = {.threads = 2};
    if (stoa_context_create(&options, &context) != STOA_OK) {
        return -1;
    }
    model = oracle_model(context, image, lines);
    for (int i = 0; i < 2; i++) {
        plans[i] = make_plan(i == 1);
    }
    oracle_fill(samples, sizeof samples / sizeof *samples, 3);
    for (int32_t i = 0; i < SAMPLES; i++) {
        labels[i] = i % CLASSES;
    }
    memset(before, 0, sizeof before);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoa_plan_free(plans[0]);
    stoa_plan_free(plans[1]);
    stoa_model_free(model);
    stoa_context_free(context);
    return 0;
}

static const float *infer(stoa_plan *plan, size_t count) {
    const float *output = NULL;
    memcpy(stoa_plan_input(plan), samples, count * SAMPLE * sizeof *samples);
    assert_int_equal(stoa_plan_infer(plan, count, &output), STOA_OK);
    return output;
}

/* Both plans run alike, and otherwise than before the parameters changed. */
static void compare(const char *change) {
    const float *right = infer(plans[0], BATCH);
    if (memcmp(right, before, sizeof before) == 0) {
        fail_msg("%s: the outputs did not change", change);
    }
    memcpy(before, right, sizeof before);
    /* The first and a later run, all samples and some. */
    for (size_t i = 0; i < 3; i++) {
        size_t count = i == 1 ? 2 : BATCH;
        right = infer(plans[0], count);
        const float *found = infer(plans[1], count);
        for (size_t k = 0; k < count * CLASSES; k++) {
            double error = fabs((double)found[k] - (double)right[k]);
            if (!(error <= 1e-4 * fmax(1, fabs((double)right[k])))) {
                fail_msg("%s: run %zu with prepared weights gives %.9g, expected %.9g", change, i,
                         (double)found[k], (double)right[k]);
            }
        }
    }
}

static stoa_dataset *make_data(void) {
    stoa_dataset *data = NULL;
    assert_int_equal(
        stoa_dataset_from_arrays(context, samples, labels, SAMPLES, SIDE, SIDE, CHANNELS, CLASSES, &data),
        STOA_OK);
    return data;
}

static void sets_and_loads(void **state) {
    (void)state;
    compare("built and initialised");
    assert_int_equal(stoa_model_init(model, 77), STOA_OK);
    compare("stoa_model_init()");
    void *file = NULL;
    size_t bytes;
    assert_int_equal(stoa_model_save_memory(model, &file, &bytes), STOA_OK);
    static const char *const weights[] = {"c1.weight", "c2.weight", "c3.weight", "c4.weight"};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        stoa_tensor_info info;
        size_t index = stoa_model_find_tensor(model, weights[i]);
        assert_int_equal(stoa_model_tensor(model, index, &info), STOA_OK);
        float *values = oracle_floats(info.count);
        assert_int_equal(stoa_model_get_tensor(model, index, values, info.count), STOA_OK);
        values[info.count / 2] += 0.5F;
        assert_int_equal(stoa_model_set_tensor(model, index, values, info.count), STOA_OK);
        compare(weights[i]);
        free(values);
    }
    assert_int_equal(stoa_model_load_tensors_memory(model, file, bytes), STOA_OK);
    compare("stoa_model_load_tensors_memory()");
    stoa_buffer_free(context, file, bytes);
}

static void trains(void **state) {
    (void)state;
    compare("built and initialised");
    stoa_train_options options = {.batch = 4, .learning_rate = 1e-2F, .average = 0.9F};
    stoa_trainer *trainer = NULL;
    assert_int_equal(stoa_trainer_create(context, model, &options, 4, &trainer), STOA_OK);
    for (int step = 0; step < 3; step++) {
        double loss;
        memcpy(stoa_plan_input(stoa_trainer_plan(trainer)), samples, 4 * SAMPLE * sizeof *samples);
        assert_int_equal(stoa_trainer_step(trainer, 4, (stoa_targets){.labels = labels}, &loss, NULL),
                         STOA_OK);
        compare("stoa_trainer_step()");
    }
    stoa_trainer_use_average(trainer, true);
    compare("the average");
    stoa_trainer_use_average(trainer, false);
    compare("the parameters themselves");
    stoa_trainer_free(trainer);
}

/* Told after each step and epoch, with the model as it is then. */
static bool compare_in_training(void *user, const stoa_progress *progress) {
    (void)progress;
    memset(before, 0, sizeof before); /* an epoch ends with the parameters of its last step */
    compare(user);
    return false;
}

static void trains_epochs(void **state) {
    (void)state;
    static const float averages[] = {0, 0.5F};
    for (size_t i = 0; i < 2; i++) {
        stoa_dataset *data = make_data();
        char what[] = "stoa_train()";
        stoa_train_options options = {.epochs = 3,
                                      .batch = 3,
                                      .learning_rate = 0.5F, /* too large: the first epoch is the best */
                                      .average = averages[i],
                                      .validation = 0.3F,
                                      .keep_best = true};
        assert_int_equal(stoa_train(context, model, data, data, &options,
                                    &(stoa_train_callbacks){.progress = compare_in_training, .user = what}),
                         STOA_OK);
        compare("the best epoch's parameters");
        stoa_dataset_free(data);
    }
}

/* Running them does not change them: weights are prepared once. */
static void prepares_once(void **state) {
    (void)state;
    compare("built and initialised");
    size_t node = 0;
    while (plans[1]->node[node].prepared == STOA_NO_VALUE) {
        node++;
    }
    float right[BATCH * CLASSES];
    memcpy(right, infer(plans[1], BATCH), sizeof right);
    /* Behind the line that names the plan they belong to. */
    float *prepared = (float *)stoa_value_data(plans[1], plans[1]->node[node].prepared) + STOA_ALIGN_FLOATS;
    float kept = prepared[0];
    prepared[0] = kept + 100;
    assert_memory_not_equal(infer(plans[1], BATCH), right, sizeof right);
    (void)stoa_model_change(model);
    assert_memory_equal(infer(plans[1], BATCH), right, sizeof right);
    assert_true(prepared[0] == kept);
}

/* Their bytes are in the plan's size, and they lie there from the first step to the last. */
static void says_what_it_keeps(void **state) {
    (void)state;
    size_t found = 0;
    for (size_t i = 0; i < stoa_plan_value_count(plans[1]); i++) {
        stoa_plan_value value;
        assert_int_equal(stoa_plan_value_at(plans[1], i, &value), STOA_OK);
        if (strstr(value.name, "prepared weights")) {
            found += value.bytes;
            assert_true(value.bytes > 0 && value.first == 0 && value.last == stoa_plan_step_count(plans[1]));
        }
    }
    assert_true(found > 0);
    /* A layer that keeps them needs no room to make them in a run. */
    assert_true(stoa_plan_bytes(plans[1]) > found);
}

/* A dense layer that L2 does not hold, for single samples, and one whose weight each run of a batch would
 * copy: panels are kept, a smaller batch reads what suits it, and all is as without, to the bit. */
static void keeps_dense_layers(void **state) {
    (void)state;
    enum { UNITS = 150, INPUTS = SIDE * SIDE * CHANNELS, MOST = 140 };
    static const char *const dense[] = {"l linear units=150", NULL};
    stoa_context *own = NULL;
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = 2}, &own), STOA_OK);
    struct stoa_tuning table = *own->tuning;
    table.l2_bytes = INPUTS * UNITS; /* a quarter of the weight */
    own->tuning = &table;
    stoa_model *layer = oracle_model(own, image, dense);
    assert_int_equal(stoa_model_init(layer, 5), STOA_OK);
    const size_t batches[][2] = {{1, 1}, {MOST, MOST}, {MOST, 1}, {MOST, 9}};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        const float *output[2] = {NULL, NULL};
        stoa_plan *both[2] = {NULL, NULL};
        for (int prepare = 0; prepare < 2; prepare++) {
            stoa_plan_options options = {.batch = batches[i][0], .prepare = prepare == 1};
            assert_int_equal(stoa_plan_create(own, layer, &options, &both[prepare]), STOA_OK);
            assert_int_equal(stoa_plan_bind(both[prepare], NULL), STOA_OK);
            oracle_fill(stoa_plan_input(both[prepare]), batches[i][1] * SAMPLE, 4);
            assert_int_equal(stoa_plan_infer(both[prepare], batches[i][1], &output[prepare]), STOA_OK);
        }
        assert_memory_equal(output[0], output[1], batches[i][1] * UNITS * sizeof(float));
        size_t kept = stoa_plan_bytes(both[1]) - stoa_plan_bytes(both[0]);
        assert_true(batches[i][0] > 1 || kept >= INPUTS * UNITS * sizeof(float));
        stoa_plan_free(both[0]);
        stoa_plan_free(both[1]);
    }
    stoa_model_free(layer);
    stoa_context_free(own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sets_and_loads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(trains, set_up, tear_down),
        cmocka_unit_test_setup_teardown(trains_epochs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(prepares_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_what_it_keeps, set_up, tear_down),
        cmocka_unit_test(keeps_dense_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
