/* SPDX-License-Identifier: MIT */
/* Random convolutions: every algorithm that can compute one, every pass, against the double reference.
 *
 * Each case is a problem of tests/conv/problem.h with a workspace limit, an instruction set, a policy and a
 * tuning table: the CPU's, one that ships, or any numbers within the ranges that a file's must keep. Outputs
 * and workspaces are exactly as large as promised, NaN before the pass, with canaries behind; the workspace
 * is that of a planned batch that may be larger than the one that runs. The results have the same bits on 1,
 * 2, 3 and 7 threads, and with prepared weights.
 *
 *     test_conv_fuzz [CASES [SEED]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ops/harness.h"
#include "base/random.h"
#include "base/size.h"
#include "blas/blas.h"
#include "conv/conv.h"
#include "tests/conv/lying.h"
#include "tests/conv/problem.h"

enum { PASSES = 3, THREADS = 4, MOST_ALGORITHMS = 16 };
static const size_t thread_counts[THREADS] = {1, 2, 3, 7};
static const char *const pass_names[PASSES] = {"forward", "backward data", "backward weights"};

static size_t cases = 300;
static uint64_t seed = 1;
/* Passes run by each algorithm, so that none goes untested in silence, and their largest errors. */
static size_t runs[MOST_ALGORITHMS][PASSES];
static size_t prepared_runs[MOST_ALGORITHMS];
static double errors[MOST_ALGORITHMS][PASSES]; /* in units of the largest sum(|a||b|) */
/* Those of Winograd's algorithms by taps a side, and whether the stride is more than 1. */
enum { MOST_TAPS = STOA_WINOGRAD_MOST_TAPS };
static size_t winograd_runs[MOST_TAPS + 1][2];

/* A problem and the context that it is solved in. */
struct subject {
    struct problem problem;
    stoa_context_options options;
    bool tuned; /* by `tuning`, else by the CPU's table */
    struct stoa_tuning tuning;
};

/* Every key anywhere in its range, small numbers as often as large ones. */
static void draw_table(struct stoa_tuning *tuning) {
    for (size_t i = 0; i < stoa_tuning_key_count(); i++) {
        const struct stoa_tuning_key *key = &stoa_tuning_keys[i];
        double share = (double)stoa_random_unit(problem_random());
        double value = exp(share * log((key->most + 1) / (key->least + 1))) * (key->least + 1) - 1;
        stoa_tuning_put(tuning, key, fmin(fmax(value, key->least), key->most));
    }
    stoa_tuning_finish(tuning);
}

static void draw_tuning(struct subject *s) {
    size_t shipped = 0;
    while (stoa_tuning_name(shipped)) {
        shipped++;
    }
    s->tuning = *stoa_tuning_find(stoa_tuning_name(problem_random() % shipped));
    s->tuned = problem_one_in(2);
    if (s->tuned && problem_one_in(2)) {
        (void)snprintf(s->tuning.name, sizeof s->tuning.name, "drawn");
        draw_table(&s->tuning);
    }
}

static void draw_subject(struct subject *s, size_t number) {
    static const size_t limits[] = {0, 0, 16 << 10, 20000, 64 << 10, 200 << 10};
    problem_draw(&s->problem, seed, number);
    s->options = (stoa_context_options){.workspace_limit = PROBLEM_PICK(limits),
                                        .policy = problem_one_in(4) ? STOA_POLICY_EXACT : STOA_POLICY_DEFAULT,
                                        .limit_isa = problem_one_in(3),
                                        .highest_isa = (stoa_isa)(problem_random() % STOA_ISA_COUNT)};
    draw_tuning(s);
    char *text = s->problem.text; /* which sentences of errors begin with */
    size_t length = strlen(text);
    (void)snprintf(text + length, sizeof s->problem.text - length,
                   ", limit %zu, isa %d%s, policy %d, tuning %s", s->options.workspace_limit,
                   (int)s->options.highest_isa, s->options.limit_isa ? "" : " (free)", (int)s->options.policy,
                   s->tuned ? s->tuning.name : "of the CPU");
}

/* The algorithm's outputs. */
struct outputs {
    float *first, *second;
};

/* Plan for the planned batch, which may be larger than the one that runs. */
static bool make_plan(const struct problem *p, const struct stoa_conv_algorithm *algorithm, int pass,
                      const stoa_context *context, struct stoa_conv_plan *plan) {
    struct stoa_conv planned = p->conv;
    planned.batch = p->planned_batch;
    if (!stoa_conv_plan_with(context, algorithm, &planned, (enum stoa_conv_pass)pass, plan)) {
        return false;
    }
    if (plan->own_bytes >
        context->workspace_limit / 4 * (5 * context->threads + 4 * STOA_CONV_SHARED_LIMITS)) {
        fail_msg("%s\n%s, %s: %zu bytes on %zu threads", p->text, algorithm->name, pass_names[pass],
                 plan->own_bytes, context->threads);
    }
    return true;
}

/* Run a plan into outputs of its own, exactly in its workspace. */
static struct outputs run_plan(const struct problem *p, const struct stoa_conv_plan *plan,
                               const stoa_context *context, const struct expected *e, const void *prepared) {
    static const enum operand results[PASSES] = {Y, X, WEIGHT};
    enum operand result = results[plan->pass];
    float *x = spread(&p->conv, X, p->x, p->x_count);
    float *dy = spread(&p->conv, Y, p->dy, p->y_count);
    float *weight = spread(&p->conv, WEIGHT, p->weight, p->weight_count);
    float start = p->conv.adds && plan->pass != STOA_CONV_FORWARD ? PROBLEM_START : NAN;
    float *first = blank(&p->conv, result, e->first_count, start);
    float *second = blank(&p->conv, BIAS, e->second_count, start);
    void *workspace = guarded_new(plan->bytes);
    struct stoa_conv_run run = {.context = context, .batch = p->conv.batch, .workspace = workspace};
    if (plan->pass == STOA_CONV_FORWARD) {
        run.x = x;
        run.weight = prepared ? NULL : weight;
        run.prepared = prepared;
        run.bias = p->has_bias ? p->bias : NULL;
        run.relu = p->relu;
        run.y = first;
    } else if (plan->pass == STOA_CONV_BACKWARD_DATA) {
        run.dy = dy;
        run.weight = weight;
        run.dx = first;
    } else {
        run.x = x;
        run.dy = dy;
        run.dweight = first;
        run.dbias = e->second_count > 0 ? second : NULL;
    }
    stoa_blas_enter();
    stoa_conv_run(plan, &run);
    stoa_blas_leave();
    guarded_check(workspace, p->text);
    guarded_free(workspace);
    guarded_free(x);
    guarded_free(dy);
    guarded_free(weight);
    return (struct outputs){collect(&p->conv, result, e->first_count, first, p->text),
                            collect(&p->conv, BIAS, e->second_count, second, p->text)};
}

/* Prepared weights of a plan. */
static void *prepare(const struct problem *p, const struct stoa_conv_plan *plan,
                     const stoa_context *context) {
    float *weight = spread(&p->conv, WEIGHT, p->weight, p->weight_count);
    void *workspace = guarded_new(plan->bytes);
    void *prepared = guarded_new(plan->prepared_bytes);
    assert_false(stoa_conv_is_prepared(plan, prepared));
    stoa_conv_prepare(context, plan, weight, prepared, workspace);
    guarded_check(workspace, p->text);
    guarded_check(prepared, p->text);
    guarded_free(workspace);
    guarded_free(weight);
    return prepared;
}

static struct outputs run_pass(const struct problem *p, const struct stoa_conv_algorithm *algorithm, int pass,
                               const stoa_context *context, const struct expected *e) {
    struct stoa_conv_plan plan;
    assert_true(make_plan(p, algorithm, pass, context, &plan));
    return run_plan(p, &plan, context, e, NULL);
}

/* A forward pass with weights that were prepared for the planned batch, on one thread or on its own, and not
 * the weights themselves. Others' prepared weights are told apart. */
static void check_prepared(const struct problem *p, const struct stoa_conv_algorithm *algorithm,
                           stoa_context *const *contexts, const struct expected *e, const float *right) {
    struct stoa_conv_plan one;
    assert_true(make_plan(p, algorithm, STOA_CONV_FORWARD, contexts[0], &one));
    if (one.prepared_bytes == 0) {
        return;
    }
    void *prepared = prepare(p, &one, contexts[0]);
    for (size_t t = 0; t < THREADS; t++) {
        struct stoa_conv_plan plan;
        assert_true(make_plan(p, algorithm, STOA_CONV_FORWARD, contexts[t], &plan));
        assert_int_equal(plan.prepared_bytes, one.prepared_bytes);
        assert_true(stoa_conv_is_prepared(&plan, prepared));
        void *again = prepare(p, &plan, contexts[t]);
        struct outputs out = run_plan(p, &plan, contexts[t], e, t % 2 ? again : prepared);
        if (memcmp(out.first, right, e->first_count * sizeof(float)) != 0) {
            fail_msg("%s\n%s: other bits with prepared weights on %zu threads", p->text, algorithm->name,
                     thread_counts[t]);
        }
        guarded_free(again);
        guarded_free(out.first);
        guarded_free(out.second);
    }
    guarded_free(prepared);
    for (size_t i = 0; stoa_conv_algorithms[i]; i++) {
        prepared_runs[i] += stoa_conv_algorithms[i] == algorithm && one.prepares;
    }
}

static bool is_winograd(const struct stoa_conv_algorithm *algorithm) {
    return strncmp(algorithm->name, "winograd", 8) == 0;
}

static void count_run(const struct problem *p, size_t algorithm, int pass, double error) {
    const struct stoa_window *w = &p->conv.window;
    runs[algorithm][pass]++;
    errors[algorithm][pass] = fmax(errors[algorithm][pass], error);
    if (is_winograd(stoa_conv_algorithms[algorithm])) {
        size_t taps = stoa_ceil_div(w->kernel_height, w->stride_height);
        assert_true(taps <= MOST_TAPS);
        winograd_runs[taps][w->stride_height > 1]++;
    }
}

/* Returns the largest error, in units of the largest sum(|a||b|). */
static double check_algorithm(const struct problem *p, const struct stoa_conv_algorithm *algorithm, int pass,
                              stoa_context *const *contexts, const struct expected *e) {
    double bound = problem_bound(algorithm->name);
    struct outputs one = run_pass(p, algorithm, pass, contexts[0], e);
    char what[64];
    (void)snprintf(what, sizeof what, "%s, %s", algorithm->name, pass_names[pass]);
    double error = problem_check(p, what, one.first, e->first, e->first_count, e->first_size, bound);
    (void)problem_check(p, what, one.second, e->second, e->second_count, e->second_size, bound);
    if (pass == STOA_CONV_FORWARD) {
        check_prepared(p, algorithm, contexts, e, one.first);
    }
    for (size_t t = 1; t < THREADS; t++) {
        struct outputs many = run_pass(p, algorithm, pass, contexts[t], e);
        if (memcmp(many.first, one.first, e->first_count * sizeof(float)) != 0 ||
            (e->second_count && memcmp(many.second, one.second, e->second_count * sizeof(float)) != 0)) {
            fail_msg("%s\n%s: other bits on %zu threads", p->text, what, thread_counts[t]);
        }
        guarded_free(many.first);
        guarded_free(many.second);
    }
    guarded_free(one.first);
    guarded_free(one.second);
    return error;
}

static void check_problem(const struct problem *p, stoa_context *const *contexts) {
    struct stoa_conv planned = p->conv;
    planned.batch = p->planned_batch;
    for (int pass = 0; pass < PASSES; pass++) {
        struct expected e = problem_expect(p, (enum stoa_conv_pass)pass);
        struct stoa_conv_plan plan;
        size_t able = 0;
        for (size_t i = 0; stoa_conv_algorithms[i]; i++) {
            assert_true(i < MOST_ALGORITHMS);
            if (make_plan(p, stoa_conv_algorithms[i], pass, contexts[0], &plan)) {
                count_run(p, i, pass, check_algorithm(p, stoa_conv_algorithms[i], pass, contexts, &e));
                able++;
            }
        }
        bool planned_any = stoa_conv_plan(contexts[0], &planned, (enum stoa_conv_pass)pass, "fuzz", &plan);
        if (planned_any != (able > 0)) {
            fail_msg("%s\n%s: %zu algorithms can, planned is %s", p->text, pass_names[pass], able,
                     planned_any ? plan.algorithm->name : "none");
        }
        expected_free(&e);
    }
}

static void agrees_with_the_reference(void **state) {
    (void)state;
    for (size_t number = 0; number < cases; number++) {
        struct subject s;
        stoa_context *contexts[THREADS];
        draw_subject(&s, number);
        for (size_t t = 0; t < THREADS; t++) {
            s.options.threads = thread_counts[t];
            assert_int_equal(stoa_context_create(&s.options, &contexts[t]), STOA_OK);
            contexts[t]->tuning = s.tuned ? &s.tuning : contexts[t]->tuning;
        }
        check_problem(&s.problem, contexts);
        for (size_t t = 0; t < THREADS; t++) {
            stoa_context_free(contexts[t]);
        }
        problem_free(&s.problem);
    }
}

static void left_no_algorithm_out(void **state) {
    (void)state;
    for (size_t i = 0; stoa_conv_algorithms[i]; i++) {
        (void)printf("%-10s %5zu %5zu %5zu, prepared %5zu; largest errors %.1e %.1e %.1e\n",
                     stoa_conv_algorithms[i]->name, runs[i][0], runs[i][1], runs[i][2], prepared_runs[i],
                     errors[i][0], errors[i][1], errors[i][2]);
        /* Without wide vectors pixels are multiplied by weights as they lie. */
        bool as_they_lie =
            strcmp(stoa_conv_algorithms[i]->name, "pointwise") == 0 && stoa_isa_best() == STOA_ISA_BASE;
        bool prepares = stoa_conv_algorithms[i]->prepare && !as_they_lie;
        assert_true(prepares ? prepared_runs[i] >= cases / 30 : prepared_runs[i] == 0);
        assert_true(runs[i][0] + runs[i][1] + runs[i][2] >= cases / 30);
    }
    for (size_t taps = STOA_WINOGRAD_LEAST_TAPS; taps <= MOST_TAPS; taps++) {
        (void)printf("winograd, %zu taps: %5zu, strides %5zu\n", taps, winograd_runs[taps][0],
                     winograd_runs[taps][1]);
        assert_true(winograd_runs[taps][0] >= cases / 60 && winograd_runs[taps][1] >= cases / 60);
    }
}

int main(int count, char **arguments) {
    if (count > 1) {
        cases = strtoul(arguments[1], NULL, 10);
    }
    if (count > 2) {
        seed = strtoul(arguments[2], NULL, 10);
    }
    (void)printf("%zu cases, seed %llu\n", cases, (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_reference),
        cmocka_unit_test(left_no_algorithm_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
