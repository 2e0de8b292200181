/* SPDX-License-Identifier: MIT */
/* A trainer between its steps: batches taken together, gradients that are looked at, states in a loop of
 * one's own, and when checkpoints are told. */
#include <math.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

#include "state_subject.h"

static stoa_trainer *open_trainer(const struct subject *s, const stoa_train_options *options) {
    stoa_trainer *trainer = NULL;
    assert_int_equal(stoa_trainer_create(s->context, s->model, options, 8, &trainer), STOA_OK);
    return trainer;
}

static void step_of(stoa_trainer *trainer, size_t first, size_t samples, bool update) {
    double loss;
    memcpy(stoa_plan_input(stoa_trainer_plan(trainer)), images + first * PIXELS,
           samples * PIXELS * sizeof(float));
    const stoa_targets targets = {.labels = labels + first};
    assert_int_equal(stoa_trainer_backward(trainer, samples, targets, &loss, NULL), STOA_OK);
    if (update) {
        stoa_trainer_update(trainer);
    }
}

static void expect_near(const stoa_model *a, const stoa_model *b, float bound) {
    for (size_t i = 0; i < stoa_model_tensor_count(a); i++) {
        float x[1024], y[1024];
        stoa_tensor_info info;
        assert_int_equal(stoa_model_tensor(a, i, &info), STOA_OK);
        assert_int_equal(stoa_model_get_tensor(a, i, x, info.count), STOA_OK);
        assert_int_equal(stoa_model_get_tensor(b, i, y, info.count), STOA_OK);
        for (size_t k = 0; k < info.count; k++) {
            if (!(fabsf(x[k] - y[k]) <= bound)) {
                fail_msg("%s[%zu]: %g and %g", info.name, k, (double)x[k], (double)y[k]);
            }
        }
    }
}

/* Batches of different sizes taken together are one batch, with the mean of the losses and with their sum. */
static void joins_batches(void **state) {
    (void)state;
    static const char *const plain[] = {"conv2d filters=3 kernel=3 pad=1", "relu", "linear units=4", NULL};
    for (int summed = 0; summed < 2; summed++) {
        stoa_train_options options = {.batch = 20,
                                      .optimizer = "sgd momentum=0.9",
                                      .learning_rate = summed ? 0.005F : 0.1F,
                                      .summed = summed != 0};
        struct subject one = open_subject(1, plain, 1), many = open_subject(2, plain, 1);
        stoa_trainer *whole = open_trainer(&one, &options);
        options.accumulate = 3;
        stoa_trainer *parts = open_trainer(&many, &options);
        for (size_t step = 0; step < 2; step++) {
            step_of(whole, step * 20, 20, true);
            step_of(parts, step * 20, 11, false);
            step_of(parts, step * 20 + 11, 3, false);
            step_of(parts, step * 20 + 14, 6, false);
            double loss;
            assert_int_equal(stoa_trainer_backward(parts, 1, (stoa_targets){.labels = labels}, &loss, NULL),
                             STOA_ERR_ARGUMENT);
            assert_string_equal(stoa_context_error(many.context),
                                "accumulate: found one batch more than 3 before an update");
            stoa_trainer_update(parts);
        }
        expect_near(one.model, many.model, 2e-6F);
        stoa_trainer_free(whole);
        stoa_trainer_free(parts);
        close_subject(&one);
        close_subject(&many);
    }
}

static void saves_between_steps_only(void **state) {
    (void)state;
    const stoa_train_options options = {.batch = BATCH, .accumulate = 2};
    struct subject a = open_subject(1, net, 1), b = open_subject(1, net, 2);
    stoa_trainer *first = open_trainer(&a, &options), *second = open_trainer(&b, &options);
    void *data = NULL;
    size_t bytes = 0;
    step_of(first, 0, BATCH, false);
    assert_int_equal(stoa_trainer_save_memory(first, &data, &bytes), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(a.context),
                        "the gradients of 1 batches wait for their update, expected a whole step");
    stoa_trainer_update(first);
    assert_int_equal(stoa_trainer_save_memory(first, &data, &bytes), STOA_OK);
    assert_int_equal(stoa_trainer_load_memory(second, data, bytes), STOA_OK);
    stoa_trainer_info info;
    stoa_trainer_describe(second, &info);
    assert_int_equal(info.steps, 1);
    assert_string_equal(info.other_build, "");
    assert_true(info.learning_rate > 0.00099F && info.learning_rate < 0.00101F);
    step_of(first, 8, BATCH, true);
    step_of(second, 8, BATCH, true);
    expect_near(a.model, b.model, 0);
    stoa_buffer_free(a.context, data, bytes);
    stoa_trainer_free(first);
    stoa_trainer_free(second);
    close_subject(&a);
    close_subject(&b);
}

/* Every byte of the header in turn becomes another: the state is refused, or loads; where it is refused model
 * and trainer are as they were, and it trains on in either case. */
static void bears_damage(void **state) {
    (void)state;
    const stoa_train_options options = {.batch = BATCH, .optimizer = "sgd momentum=0.9", .average = 0.5F};
    struct subject s = open_subject(1, net, 1);
    stoa_trainer *trainer = open_trainer(&s, &options);
    step_of(trainer, 0, BATCH, true);
    void *data = NULL, *now = NULL;
    size_t bytes = 0, now_bytes = 0, refused = 0;
    assert_int_equal(stoa_trainer_save_memory(trainer, &data, &bytes), STOA_OK);
    unsigned char *damaged = malloc(bytes);
    assert_non_null(damaged);
    memcpy(damaged, data, bytes);
    size_t header = 8 + damaged[0] + 256U * damaged[1];
    assert_true(header < bytes);
    for (size_t i = 0; i < header; i++) {
        damaged[i] ^= (unsigned char)(1 + i % 7);
        if (stoa_trainer_load_memory(trainer, damaged, bytes) != STOA_OK) {
            refused++;
            assert_int_equal(stoa_trainer_save_memory(trainer, &now, &now_bytes), STOA_OK);
            assert_int_equal(now_bytes, bytes);
            assert_memory_equal(now, data, bytes);
            stoa_buffer_free(s.context, now, now_bytes);
        } else {
            step_of(trainer, 0, BATCH, true);
            assert_int_equal(stoa_trainer_load_memory(trainer, data, bytes), STOA_OK);
        }
        damaged[i] = ((const unsigned char *)data)[i];
    }
    assert_true(refused > header / 2);
    free(damaged);
    stoa_buffer_free(s.context, data, bytes);
    stoa_trainer_free(trainer);
    close_subject(&s);
}

/* Gradients that a callback clips are what the option clips. */
static bool clip(void *user, stoa_trainer *trainer) {
    size_t count;
    float *gradients = stoa_trainer_gradients(trainer, &count);
    double sum = 0;
    for (size_t i = 0; i < stoa_model_tensor_count(user); i++) {
        float values[1024];
        stoa_tensor_info info;
        assert_int_equal(stoa_model_tensor(user, i, &info), STOA_OK);
        if (info.trainable) {
            assert_int_equal(stoa_plan_get_gradient(stoa_trainer_plan(trainer), i, values, info.count),
                             STOA_OK);
            for (size_t k = 0; k < info.count; k++) {
                sum += (double)values[k] * (double)values[k];
            }
        }
    }
    double factor = fmin(1, 0.05 / (sqrt(sum) + 1e-6));
    for (size_t i = 0; i < count; i++) {
        gradients[i] = (float)(gradients[i] * factor);
    }
    return false;
}

static void shows_gradients_before_the_update(void **state) {
    (void)state;
    stoa_train_options options = {.epochs = 1, .batch = BATCH, .optimizer = "sgd", .learning_rate = 1};
    struct subject a = open_subject(1, net, 1), b = open_subject(1, net, 1);
    const stoa_train_callbacks callbacks = {.user = a.model, .gradients = clip};
    assert_int_equal(stoa_train(a.context, a.model, a.data, NULL, &options, &callbacks), STOA_OK);
    options.clip_norm = 0.05F;
    assert_int_equal(stoa_train(b.context, b.model, b.data, NULL, &options, NULL), STOA_OK);
    expect_near(a.model, b.model, 1e-5F);
    close_subject(&a);
    close_subject(&b);
}

/* Those that stretch with the number of epochs, and those that do not. */
static void knows_schedules_over_all_epochs(void **state) {
    (void)state;
    const struct {
        const char *schedule;
        bool spans;
    } expected[] = {{"constant", false},
                    {"step every=3", false},
                    {"exponential factor=0.9", false},
                    {"linear length=5000", false},
                    {"plateau watch=training", false},
                    {"one_cycle", true},
                    {"cosine", true},
                    {"cosine per=epoch warmup=2", true},
                    {"linear", true}};
    struct subject s = open_subject(1, net, 1);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const stoa_train_options options = {.schedule = expected[i].schedule};
        stoa_trainer *trainer = open_trainer(&s, &options);
        stoa_trainer_info info;
        stoa_trainer_describe(trainer, &info);
        if (info.schedule_spans != expected[i].spans) {
            fail_msg("%s", expected[i].schedule);
        }
        stoa_trainer_free(trainer);
    }
    close_subject(&s);
}

/* What asks for nothing is told of an epoch's end only; others every so many steps or seconds beside. */
static bool count_states(void *user, stoa_trainer *trainer, const stoa_progress *progress) {
    size_t *count = user;
    (void)trainer;
    count[progress->epoch_done]++;
    return false;
}

static void tells_of_checkpoints(void **state) {
    (void)state;
    const stoa_train_options options = {.epochs = 2, .batch = BATCH}; /* 8 steps an epoch */
    const struct {
        size_t steps;
        double seconds;
        size_t within, ends;
    } expected[] = {{0, 0, 0, 2}, {3, 0, 4, 2}, {8, 0, 0, 2}, {0, 1e-9, 14, 2}, {0, 1e9, 0, 2}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct subject s = open_subject(1, net, 1);
        size_t count[2] = {0, 0};
        const stoa_train_callbacks callbacks = {.user = count,
                                                .checkpoint = count_states,
                                                .checkpoint_steps = expected[i].steps,
                                                .checkpoint_seconds = expected[i].seconds};
        assert_int_equal(stoa_train(s.context, s.model, s.data, NULL, &options, &callbacks), STOA_OK);
        assert_int_equal(count[0], expected[i].within);
        assert_int_equal(count[1], expected[i].ends);
        close_subject(&s);
    }
}

int main(void) {
    make_images();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_batches),
        cmocka_unit_test(saves_between_steps_only),
        cmocka_unit_test(bears_damage),
        cmocka_unit_test(shows_gradients_before_the_update),
        cmocka_unit_test(knows_schedules_over_all_epochs),
        cmocka_unit_test(tells_of_checkpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
