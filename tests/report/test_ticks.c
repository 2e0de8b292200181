/* SPDX-License-Identifier: MIT */
/* Ticks and numbers: over all of double, round, few enough, and told apart by their texts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/ticks.h"

static const double ends[][2] = {
    {0, 1},           {0.02, 2.3},      {0.9, 0.99},      {1e-5, 3e4},         {-1e308, 1e308},
    {1, 1},           {0, 0},           {1e-300, 1e300},  {0, 200000},         {3, 4},
    {1e15, 1e15 + 1}, {5e-324, 1e-320}, {-5, -5},         {0.001, 0.003},      {1, 12},
    {-3e-9, 7},       {1e-12, 1.1e-12}, {0, 5e-324},      {1.7e308, 1.79e308}, {-1.79e308, -1},
    {99.1, 99.35},    {1, 1 + 1e-15},   {1e-310, 1e-300}, {0.5, 150000},
};
enum { ENDS = sizeof ends / sizeof *ends };

static void check_span(const struct report_span *span, const double *values) {
    assert_true(isfinite(span->least) && isfinite(span->most) && span->least < span->most);
    /* The values lie inside, or at the end of what can be drawn. */
    double low = report_place(span, values[0]), high = report_place(span, values[1]);
    bool drawable = !span->log || (values[0] >= 1e-280 && values[1] <= 1e280);
    if (drawable && fabs(values[0]) < 1e307 && fabs(values[1]) < 1e307) {
        assert_true(low >= -1e-9 && low <= high && high <= 1 + 1e-9);
    }
}

static void check_ticks(const struct report_span *span, size_t most) {
    double ticks[REPORT_MOST_TICKS], step;
    size_t count = report_ticks(span, most, ticks, &step);
    assert_true(count >= 1 && count <= most);
    struct report_word words[2];
    for (size_t i = 0; i < count; i++) {
        double place = report_place(span, ticks[i]);
        assert_true(place >= -1e-6 && place <= 1 + 1e-6);
        const char *text = report_tick_word(&words[i % 2], ticks[i], step);
        assert_true(strlen(text) > 0 && strlen(text) < 20);
        if (i > 0) {
            assert_true(ticks[i] > ticks[i - 1]);
            assert_string_not_equal(words[0].text, words[1].text);
        }
    }
}

static void test_spans_and_ticks(void **state) {
    (void)state;
    for (size_t i = 0; i < ENDS; i++) {
        for (int scale = 0; scale < 3; scale++) {
            struct report_span span = report_span_of((enum report_scale)scale, ends[i][0], ends[i][1]);
            check_span(&span, ends[i]);
            for (size_t most = 2; most <= REPORT_MOST_TICKS; most++) {
                check_ticks(&span, most);
            }
        }
    }
}

/* Any numbers, by a generator of fixed seed. */
static void test_random_spans(void **state) {
    (void)state;
    srand(7);
    for (int i = 0; i < 20000; i++) {
        double size = pow(10, rand() % 600 - 300), part = rand() / (double)RAND_MAX;
        double values[2] = {size * (rand() % 2 ? part : -part), 0};
        values[1] = values[0] + size * pow(10, -(rand() % 12)) * (rand() / (double)RAND_MAX);
        struct report_span span = report_span_of((enum report_scale)(i % 3), values[0], values[1]);
        check_span(&span, values);
        check_ticks(&span, (size_t)(2 + i % 15));
    }
}

static void test_not_finite(void **state) {
    (void)state;
    const double wrong[][2] = {{NAN, 1}, {0, INFINITY}, {-INFINITY, 0}, {INFINITY, -INFINITY}, {2, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct report_span span = report_span_of(REPORT_AUTO, wrong[i][0], wrong[i][1]);
        assert_true(span.least == 0 && span.most == 1 && !span.log);
    }
}

static void test_logarithms(void **state) {
    (void)state;
    assert_true(report_span_of(REPORT_AUTO, 0.001, 2).log);
    assert_false(report_span_of(REPORT_AUTO, 0.5, 2).log);
    assert_false(report_span_of(REPORT_AUTO, 0, 1000).log);
    assert_false(report_span_of(REPORT_LOG, -1, 1000).log);
    struct report_span span = {1, 1000, true};
    double ticks[REPORT_MOST_TICKS], step;
    assert_int_equal(report_ticks(&span, 4, ticks, &step), 4);
    assert_true(ticks[0] == 1 && fabs(ticks[3] - 1000) < 1e-9 && step == 0);
    assert_true(fabs(report_place(&span, 10) - 1.0 / 3) < 1e-12);
}

static void test_words(void **state) {
    (void)state;
    static const struct {
        double value, step;
        const char *text;
    } ticks[] = {
        {0.25, 0.05, "0.25"}, {0.5, 0.1, "0.5"},      {20000, 5000, "20k"}, {2.5e6, 5e5, "2.5M"},
        {0, 0.1, "0"},        {1e-5, 0, "1e-5"},      {1e20, 0, "1e20"},    {100, 0, "100"},
        {0.001, 0, "0.001"},  {-2, 1, "-2"},          {3e-17, 0.1, "0"},    {1.5e-7, 5e-8, "1.5e-7"},
        {9000, 1000, "9000"}, {-1.5e6, 1e5, "-1.5M"},
    };
    struct report_word word;
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
        assert_string_equal(report_tick_word(&word, ticks[i].value, ticks[i].step), ticks[i].text);
    }
    assert_string_equal(report_number_word(&word, 0.012344), "0.01234");
    assert_string_equal(report_number_word(&word, 98.764), "98.76");
    assert_string_equal(report_number_word(&word, 9999), "9999");
    assert_string_equal(report_number_word(&word, 12346), "12.35k");
    assert_string_equal(report_number_word(&word, 60.00000000001), "60");
    assert_string_equal(report_number_word(&word, NAN), "not finite");
    assert_string_equal(report_number_word(&word, -INFINITY), "not finite");
    assert_string_equal(report_number_word(&word, 0), "0");
    assert_string_equal(report_digits_word(&word, 2, 3), "2.00");
    assert_string_equal(report_digits_word(&word, 0, 3), "0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_and_ticks), cmocka_unit_test(test_random_spans),
        cmocka_unit_test(test_not_finite),      cmocka_unit_test(test_logarithms),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
