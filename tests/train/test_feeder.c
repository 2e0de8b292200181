/* SPDX-License-Identifier: MIT */
/* A batch that is read by several threads: every sample lies where the index says, normalised, with its
 * label, whatever the number of threads. */
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "train/trainer.h"

/* More than one task has a sample, and the last task has fewer. */
enum { SAMPLES = 41, SIDE = 23, CHANNELS = 3, SIZE = SIDE * SIDE * CHANNELS, BATCH = 37, CLASSES = 4 };

static float samples[SAMPLES * SIZE];
static int32_t labels[SAMPLES];
static const float mean[CHANNELS] = {0.25F, 0.5F, -0.75F}, deviation[CHANNELS] = {0.5F, 1.5F, 3};

/* Value `i` of sample `at` as it is to be read. */
static float expected(size_t at, size_t i, bool by_channel) {
    float value = samples[at * SIZE + i];
    return by_channel ? (value - mean[i % CHANNELS]) / deviation[i % CHANNELS] : value;
}

static void expect_batch(const struct stoa_feeder *feeder, stoa_plan *plan, const size_t *index, size_t first,
                         size_t count, bool by_channel) {
    const float *found = stoa_plan_input(plan);
    for (size_t s = 0; s < count; s++) {
        size_t at = index ? index[s] : first + s;
        assert_int_equal(feeder->labels[s], labels[at]);
        for (size_t i = 0; i < SIZE; i++) {
            float value = expected(at, i, by_channel);
            assert_memory_equal(&found[s * SIZE + i], &value, sizeof value);
        }
    }
}

static void read_with(size_t threads, bool by_channel) {
    stoa_context *context = NULL;
    stoa_model *model = NULL;
    stoa_plan *plan = NULL;
    stoa_dataset *data = NULL;
    struct stoa_feeder feeder;
    size_t index[BATCH];
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = threads}, &context), STOA_OK);
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, SIDE, SIDE, CHANNELS);
    stoa_model_add(model, "l", "linear units=4");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(
        stoa_plan_create(context, model, &(stoa_plan_options){.batch = BATCH, .training = true}, &plan),
        STOA_OK);
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    assert_int_equal(
        stoa_dataset_from_arrays(context, samples, labels, SAMPLES, SIDE, SIDE, CHANNELS, CLASSES, &data),
        STOA_OK);
    if (by_channel) {
        assert_int_equal(stoa_dataset_normalize_channels(data, mean, deviation), STOA_OK);
    }
    assert_int_equal(stoa_feeder_open(context, data, plan, &feeder), STOA_OK);
    for (size_t i = 0; i < BATCH; i++) {
        index[i] = i * 17 % SAMPLES;
    }
    for (size_t count = 1; count <= BATCH; count += 6) {
        (void)stoa_feeder_read(&feeder, plan, index, 0, count);
        expect_batch(&feeder, plan, index, 0, count, by_channel);
        (void)stoa_feeder_read(&feeder, plan, NULL, 3, count);
        expect_batch(&feeder, plan, NULL, 3, count, by_channel);
    }
    stoa_feeder_close(&feeder);
    stoa_dataset_free(data);
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
}

static void reads_batches(void **state) {
    (void)state;
    for (size_t threads = 1; threads <= 3; threads++) {
        read_with(threads, false);
        read_with(threads, true);
    }
}

int main(void) {
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        samples[i] = (float)(i % 1009) / 128;
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = (int32_t)(i * 3 % CLASSES);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_batches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
