/* SPDX-License-Identifier: MIT */
/* The observer of a plan: every step is told once for every sample, in order, with times that nest, on any
 * number of threads, and results are what they are without it. */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "oracle.h"

enum { BATCH = 5, INPUT = 72, LAYERS = 7, MOST = 1024 };

static const size_t image[3] = {6, 6, 2};
static const char *const lines[] = {"c1 conv2d filters=3 kernel=3 pad=1",
                                    "r1 relu",
                                    "s1 add from=r1,c1",
                                    "d1 dropout p=0.5",
                                    "f1 linear units=4",
                                    "r2 relu",
                                    "f2 linear units=3",
                                    NULL};
static const int32_t labels[BATCH] = {0, 1, 2, 0, 1};
static float input[BATCH * INPUT];

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* What was told, from whichever thread. */
struct told {
    atomic_size_t count;
    stoa_observed_step step[MOST];
};

static void note(void *user, const stoa_observed_step *step) {
    struct told *told = user;
    size_t at = atomic_fetch_add(&told->count, 1);
    if (at < MOST) {
        told->step[at] = *step;
    }
}

/* A model with its plan and what the plan has told. */
struct watched {
    stoa_context *context;
    stoa_model *model;
    stoa_plan *plan;
    struct told told;
    double begin, end; /* of the last run */
};

static void open_watched(struct watched *watched, size_t threads, const stoa_plan_options *options) {
    *watched = (struct watched){0};
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = threads}, &watched->context),
                     STOA_OK);
    watched->model = oracle_model(watched->context, image, lines);
    assert_int_equal(stoa_plan_create(watched->context, watched->model, options, &watched->plan), STOA_OK);
    assert_int_equal(stoa_plan_bind(watched->plan, NULL), STOA_OK);
}

static void close_watched(struct watched *watched) {
    stoa_plan_free(watched->plan);
    stoa_model_free(watched->model);
    stoa_context_free(watched->context);
}

enum kind { INFER, EVALUATE, TRAIN };

static double run(struct watched *watched, enum kind kind, size_t samples) {
    const stoa_targets targets = {.labels = labels};
    const float *output;
    double loss = 0;
    memcpy(stoa_plan_input(watched->plan), input, samples * INPUT * sizeof *input);
    watched->begin = now();
    stoa_status status = kind == INFER ? stoa_plan_infer(watched->plan, samples, &output)
                         : kind == EVALUATE
                             ? stoa_plan_evaluate(watched->plan, samples, targets, &loss, &output)
                             : stoa_plan_train(watched->plan, samples, targets, 1, 1, &loss, &output);
    watched->end = now();
    assert_int_equal(status, STOA_OK);
    for (size_t i = 0; kind == INFER && i < samples * 3; i++) {
        loss += (double)output[i] * (double)(i + 1);
    }
    return loss;
}

/* Steps that were told have the names that the plan gives them, lie within the run, and follow each other in
 * each thread. */
static void check_steps(struct watched *watched, size_t threads, size_t samples) {
    const struct told *told = &watched->told;
    double last_end[3] = {watched->begin, watched->begin, watched->begin};
    size_t last_step[3] = {0};
    assert_true(told->count <= MOST);
    for (size_t i = 0; i < told->count; i++) {
        const stoa_observed_step *step = &told->step[i];
        stoa_plan_step planned;
        assert_int_equal(stoa_plan_step_at(watched->plan, step->step, &planned), STOA_OK);
        assert_string_equal(step->layer, planned.layer);
        assert_string_equal(step->op, planned.op);
        assert_string_equal(step->pass, planned.pass);
        assert_true(step->thread < threads && step->batch == samples && step->samples > 0);
        assert_true(step->begin >= last_end[step->thread] && step->end >= step->begin);
        assert_true(step->end <= watched->end && step->step >= last_step[step->thread]);
        last_end[step->thread] = step->end;
        last_step[step->thread] = step->step;
    }
}

/* Of steps [0, count) those that no other does, and no others, were told of each of the samples once. */
static void check_samples(const struct watched *watched, size_t count, size_t samples) {
    const struct told *told = &watched->told;
    size_t times[2 * LAYERS + 2][BATCH] = {{0}};
    for (size_t i = 0; i < told->count; i++) {
        const stoa_observed_step *step = &told->step[i];
        assert_true(step->step < count && step->first + step->samples <= samples);
        for (size_t s = 0; s < step->samples; s++) {
            times[step->step][step->first + s]++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        stoa_plan_step step;
        assert_int_equal(stoa_plan_step_at(watched->plan, i, &step), STOA_OK);
        for (size_t s = 0; s < samples; s++) {
            bool done =
                strcmp(step.done_by, step.layer) == 0 && strcmp(step.algorithm, "in its forward pass") != 0;
            assert_int_equal(times[i][s], done);
        }
    }
}

static void expect_run(const stoa_plan_options *options, enum kind kind, size_t steps) {
    for (size_t threads = 1; threads <= 3; threads += 2) {
        struct watched watched;
        open_watched(&watched, threads, options);
        for (size_t samples = 1; samples <= BATCH; samples += 2) {
            double expected = run(&watched, kind, samples);
            assert_int_equal(watched.told.count, 0);
            stoa_plan_observe(watched.plan, note, &watched.told);
            double found = run(&watched, kind, samples);
            stoa_plan_observe(watched.plan, NULL, NULL);
            assert_true(found >= expected && found <= expected);
            check_steps(&watched, threads, samples);
            check_samples(&watched, steps, samples);
            watched.told.count = 0;
        }
        close_watched(&watched);
    }
}

static void tells_inference(void **state) {
    (void)state;
    expect_run(&(stoa_plan_options){.batch = BATCH}, INFER, LAYERS);
    expect_run(&(stoa_plan_options){.batch = BATCH, .prepare = true}, INFER, LAYERS);
}

static void tells_evaluation(void **state) {
    (void)state;
    expect_run(&(stoa_plan_options){.batch = BATCH, .training = true}, EVALUATE, LAYERS + 1);
}

static void tells_training(void **state) {
    (void)state;
    expect_run(&(stoa_plan_options){.batch = BATCH, .training = true}, TRAIN, 2 * LAYERS + 2);
    /* With c1 frozen nothing learns before f1: the backward passes of four layers are not run. */
    expect_run(&(stoa_plan_options){.batch = BATCH, .training = true, .freeze = "c1"}, TRAIN,
               2 * LAYERS + 2 - 4);
}

/* A trace of a plan that is observed tells both. */
static void count_step(void *user, const stoa_traced_step *step) {
    (void)step;
    ++*(size_t *)user;
}
static void tells_beside_a_trace(void **state) {
    (void)state;
    struct watched watched;
    size_t traced = 0;
    open_watched(&watched, 2, &(stoa_plan_options){.batch = BATCH, .layerwise = true});
    stoa_plan_observe(watched.plan, note, &watched.told);
    assert_int_equal(stoa_plan_trace(watched.plan, BATCH, NULL, count_step, &traced), STOA_OK);
    assert_int_equal(traced, LAYERS);
    check_samples(&watched, LAYERS, BATCH);
    close_watched(&watched);
}

int main(void) {
    oracle_fill(input, sizeof input / sizeof *input, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_inference),
        cmocka_unit_test(tells_evaluation),
        cmocka_unit_test(tells_training),
        cmocka_unit_test(tells_beside_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
