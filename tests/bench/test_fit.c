/* SPDX-License-Identifier: MIT */
/* Mode fit's choice of costs, from times that are written down: whatever is said to be fastest is what the
 * fitted table chooses. */
#include "bench/fit.h"
#include "bench/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/signals.h"

/* In the place of those of the bench. */
void bench_progress_show(double share, const char *format, ...) {
    (void)format;
    assert_true(share >= 0 && share <= 1);
}

int cli_stop_signal(void) {
    return 0;
}

const char *const bench_pass_names[BENCH_PASSES] = {"forward", "backward data", "backward weights"};

enum { LAYERS = 6 };
static struct bench_layer layers[LAYERS];
static struct bench_fit_row rows[LAYERS * BENCH_PASSES];

/* 3x3 and 1x1 layers of several widths, each with all its ways. `fastest` takes a second of every row where
 * it is applicable, all others two. */
static struct bench_fit make_fit(struct bench *bench, const char *fastest) {
    static const size_t shape[LAYERS][4] = {{4, 28, 8, 3},    {16, 26, 16, 3},  {64, 14, 64, 3},
                                            {128, 14, 64, 1}, {64, 28, 256, 1}, {256, 7, 256, 3}};
    struct bench_fit fit = {.bench = bench, .table = *bench->context->tuning, .row = rows};
    for (size_t i = 0; i < LAYERS; i++) {
        size_t size = shape[i][1], kernel = shape[i][3];
        layers[i].conv = (struct stoa_conv){.window = {.height = size,
                                                       .width = size,
                                                       .channels = shape[i][0],
                                                       .kernel_height = kernel,
                                                       .kernel_width = kernel,
                                                       .stride_height = 1,
                                                       .stride_width = 1,
                                                       .dilation_height = 1,
                                                       .dilation_width = 1,
                                                       .pad_top = kernel / 2,
                                                       .pad_left = kernel / 2,
                                                       .out_height = size,
                                                       .out_width = size},
                                            .batch = 8,
                                            .filters = shape[i][2],
                                            .groups = 1};
        for (int pass = 0; pass < BENCH_PASSES; pass++) {
            struct bench_fit_row *row = &rows[fit.rows];
            bool there = false;
            *row = (struct bench_fit_row){.layer = &layers[i], .pass = (enum stoa_conv_pass)pass};
            for (size_t j = 0; stoa_conv_algorithms[j]; j++) {
                struct stoa_conv_plan plan;
                if (stoa_conv_plan_with(bench->context, stoa_conv_algorithms[j], &layers[i].conv, row->pass,
                                        &plan)) {
                    bool first = strcmp(stoa_conv_algorithms[j]->name, fastest) == 0;
                    row->way[row->count++] = (struct bench_fit_way){stoa_conv_algorithms[j], first ? 1 : 2};
                    there = there || first;
                }
            }
            fit.rows += there;
        }
    }
    return fit;
}

static void test_the_fastest_is_chosen(void **state) {
    (void)state;
    static const char *const names[] = {"im2col", "pointwise", "implicit", "winograd4", "winograd2"};
    stoa_context_options options = {.threads = 1};
    struct bench bench = {.threads = 1};
    assert_int_equal(stoa_context_create(&options, &bench.context), STOA_OK);
    const struct stoa_tuning *kept = bench.context->tuning;
    size_t lost = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct bench_fit fit = make_fit(&bench, names[i]);
        assert_true(fit.rows > 0);
        struct bench_choices choices = bench_fit_judge(&fit, &fit.table);
        struct bench_choices_of_pass all = bench_choices_all(&choices);
        assert_int_equal(all.rows, fit.rows);
        lost += all.worst > 1.5;
        bench_fit_costs(&fit);
        choices = bench_fit_judge(&fit, &fit.table);
        all = bench_choices_all(&choices);
        if (all.worst != 1 || bench_choices_mean(&all) != 1) {
            fail_msg("%s: %zu of %zu rows are lost", names[i], all.missed, all.rows);
        }
        /* Every value is one that a file may hold, and the sum is that of the values. */
        struct stoa_tuning again = fit.table;
        stoa_tuning_finish(&again);
        assert_string_equal(again.sum, fit.table.sum);
        for (size_t k = 0; k < stoa_tuning_key_count(); k++) {
            const struct stoa_tuning_key *key = &stoa_tuning_keys[k];
            double value = stoa_tuning_get(&fit.table, key);
            assert_true(value >= key->least && value <= key->most);
            if (strncmp(key->name, "cost_", 5) != 0) {
                assert_true(value == stoa_tuning_get(kept, key));
            }
        }
        assert_ptr_equal(bench.context->tuning, kept);
    }
    assert_true(lost > 0); /* the table that it begins with does not choose them all */
    stoa_context_free(bench.context);
}

/* Where the choices are right, nothing is moved far: a key that decides nothing stays. */
static void test_what_is_right_stays(void **state) {
    (void)state;
    stoa_context_options options = {.threads = 1};
    struct bench bench = {.threads = 1};
    assert_int_equal(stoa_context_create(&options, &bench.context), STOA_OK);
    struct bench_fit fit = make_fit(&bench, "im2col");
    const struct stoa_tuning began = fit.table;
    for (size_t i = 0; i < fit.rows; i++) {
        for (size_t j = 0; j < rows[i].count; j++) {
            struct stoa_conv_plan plan;
            assert_true(stoa_conv_plan_with(bench.context, rows[i].way[j].algorithm, &rows[i].layer->conv,
                                            rows[i].pass, &plan));
            rows[i].way[j].seconds = plan.cost;
        }
    }
    bench_fit_costs(&fit);
    const struct bench_choices choices = bench_fit_judge(&fit, &fit.table);
    const struct bench_choices_of_pass all = bench_choices_all(&choices);
    assert_true(all.rows > 10 && all.worst < 1.02);
    assert_true(fit.table.cost_depthwise_forward == began.cost_depthwise_forward);
    assert_true(fit.table.cost_planes_data == began.cost_planes_data);
    stoa_context_free(bench.context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fastest_is_chosen),
        cmocka_unit_test(test_what_is_right_stays),
    };
    return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
