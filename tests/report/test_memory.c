/* SPDX-License-Identifier: MIT */
/* Drawings without memory: whichever allocation fails, the writer is told, and nothing is lost or touched
 * twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/text.h"
#include "tests/report/charts.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);

/* Calls until one fails; none does at 0. */
static size_t until_failure, calls;

static bool fails(void) {
    calls++;
    return until_failure > 0 && --until_failure == 0;
}

void *__wrap_malloc(size_t bytes) {
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes) {
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes) {
    return fails() ? NULL : __real_realloc(block, bytes);
}

/* Whether it was drawn whole. */
static bool draw(const struct report_chart *chart) {
    struct report_out out = {0};
    struct report_chart alone = *chart;
    alone.alone = true;
    report_html_begin(&out, "page", NULL, NULL);
    report_html_chart(&out, chart, "caption");
    report_chart_svg(&out, &alone);
    if (chart->lines) {
        report_lines_text(&out, "lines", chart->lines,
                          &(struct report_terminal){.width = 60, .unicode = true});
    }
    report_html_end(&out, NULL);
    bool whole = !out.failed;
    report_out_free(&out);
    return whole;
}

static void test_each_allocation_fails_once(void **state) {
    (void)state;
    for (size_t i = 0; i < CHARTS; i++) {
        calls = 0;
        assert_true(draw(&charts[i]));
        size_t all = calls;
        assert_true(all > 5);
        for (size_t at = 1; at <= all; at++) {
            until_failure = at;
            bool whole = draw(&charts[i]);
            assert_int_equal(until_failure, 0);
            assert_false(whole);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
