/* SPDX-License-Identifier: MIT */
/* Text that grows, texts from outside, and drawings of awkward data. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/html.h"

static void escapes_to(const char *text, const char *expected) {
    struct report_out out = {0};
    report_put(&out, "");
    report_escape(&out, text);
    assert_false(out.failed);
    assert_string_equal(out.text, expected);
    report_out_free(&out);
}

#define WRONG "\xEF\xBF\xBD"

static void test_escape(void **state) {
    (void)state;
    escapes_to("plain", "plain");
    escapes_to("<b a=\"x\" b='y'>&amp;", "&#60;b a=&#34;x&#34; b=&#39;y&#39;&#62;&#38;amp;");
    escapes_to("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
    escapes_to("\x1b[31m\x01\x7f", WRONG "[31m" WRONG WRONG);
    escapes_to("a\tb\nc", "a\tb\nc");
    escapes_to("\xff", WRONG);
    escapes_to("\xC3", WRONG);                     /* cut */
    escapes_to("\xC0\xAF", WRONG WRONG);           /* '/' longer than needed */
    escapes_to("\xED\xA0\x80", WRONG WRONG WRONG); /* half of a surrogate pair */
    escapes_to("\xF4\x90\x80\x80", WRONG WRONG WRONG WRONG);
    escapes_to("\xEF\xBF\xBF", WRONG); /* U+FFFF, which XML has no place for */
    escapes_to("\xC2\x9B", WRONG);     /* CSI of C1 */
    escapes_to(NULL, "");
}

static void test_base64(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},        {"f", "Zg=="},          {"fo", "Zm8="},
                                           {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct report_out out = {0};
        report_put(&out, "");
        report_base64(&out, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(out.text, pairs[i][1]);
        report_out_free(&out);
    }
}

static void test_out_grows(void **state) {
    (void)state;
    struct report_out out = {0};
    for (int i = 0; i < 5000; i++) {
        report_print(&out, "%d;", i);
    }
    assert_false(out.failed);
    assert_int_equal(out.length, strlen(out.text));
    assert_int_equal(strncmp(out.text, "0;1;2;", 6), 0);
    assert_non_null(strstr(out.text, ";4998;4999;"));
    report_out_free(&out);
    /* What has failed once takes nothing more. */
    out.failed = true;
    report_put(&out, "text");
    assert_null(out.text);
}

/* A drawing of lines as text. Free it with report_out_free(). */
static struct report_out draw(const struct report_line *lines, size_t count) {
    struct report_out out = {0};
    const struct report_lines drawn = {
        .x = {.label = "epoch", .whole = true}, .y = {.label = "loss"}, .line = lines, .count = count};
    report_chart_svg(&out, &(struct report_chart){.id = "c", .title = "t", .lines = &drawn});
    assert_false(out.failed);
    assert_null(strstr(out.text, "nan"));
    assert_null(strstr(out.text, "inf"));
    return out;
}

static size_t count_of(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        count++;
    }
    return count;
}

static void test_lines_with_gaps(void **state) {
    (void)state;
    const double x[] = {1, 2, 3, 4, 5, 6, 7}, y[] = {3, 2, NAN, 1, INFINITY, 2, 3};
    const struct report_line line = {.name = "run", .x = x, .y = y, .count = 7};
    struct report_out out = draw(&line, 1);
    /* Three pieces, the one in the middle a point: it has a mark, as the ends of a short line have. */
    const char *stroke = strstr(out.text, "<path class=\"l s1\" d=\"M");
    stroke = strstr(stroke + 1, "<path class=\"l s1\" d=\"M"); /* behind the key's */
    assert_non_null(stroke);
    size_t moves = 0;
    for (const char *c = strstr(stroke, "d=\"") + 3; *c != '"'; c++) {
        moves += *c == 'M';
    }
    assert_int_equal(moves, 3);
    assert_non_null(strstr(out.text, "2 values are not finite"));
    assert_non_null(strstr(out.text, "from 3 to 3, least 1 at 4, most 3 at 1"));
    report_out_free(&out);
}

static void test_nothing_to_draw(void **state) {
    (void)state;
    const double x[] = {1, 2}, y[] = {NAN, INFINITY};
    const struct report_line lines[] = {{.name = "none", .x = x, .y = y, .count = 2}, {.name = "empty"}};
    for (size_t count = 0; count <= 2; count++) {
        struct report_out out = draw(lines, count);
        assert_non_null(strstr(out.text, "nothing to draw"));
        report_out_free(&out);
    }
}

static void test_one_point(void **state) {
    (void)state;
    const double x[] = {1}, y[] = {0.5};
    struct report_out out =
        draw(&(struct report_line){.name = "a", .x = x, .y = y, .count = 1, .best = 1}, 1);
    assert_int_equal(count_of(out.text, "class=\"best s1\""), 1);
    assert_non_null(strstr(out.text, ">1</text>"));
    report_out_free(&out);
    /* A best point that there is not, is none. */
    out = draw(&(struct report_line){.name = "a", .x = x, .y = y, .count = 1, .best = 2}, 1);
    assert_null(strstr(out.text, "class=\"best"));
    report_out_free(&out);
}

/* A line of very many points is as large as the drawing is wide, and keeps its extremes. */
static void test_very_long_line(void **state) {
    (void)state;
    enum { POINTS = 300000, SPIKE = 150001 };
    double *x = malloc(POINTS * sizeof *x), *y = malloc(POINTS * sizeof *y);
    for (size_t i = 0; i < POINTS; i++) {
        x[i] = (double)i;
        y[i] = i == SPIKE ? 100 : 1 + (double)(i % 7) / 10;
    }
    struct report_out out = draw(&(struct report_line){.name = "a", .x = x, .y = y, .count = POINTS}, 1);
    assert_true(out.length < 60000);
    /* The axis ends 6 % of half the span above the spike: it is the only place so high in the drawing. */
    double top = 1e9;
    const char *stroke = strstr(strstr(out.text, "d=\"M") + 1, "<path class=\"l s1\" d=\"");
    for (const char *c = strstr(stroke, "d=\"") + 3; *c != '"';) {
        char *end;
        (void)strtod(c + 1, &end);
        top = fmin(top, strtod(end, &end));
        c = end;
    }
    assert_true(top > 20 && top < 60);
    report_out_free(&out);
    struct report_out table = {0};
    const struct report_line line = {.name = "a", .x = x, .y = y, .count = POINTS};
    const struct report_lines lines = {.line = &line, .count = 1};
    report_chart_table(&table, &(struct report_chart){.id = "c", .title = "t", .lines = &lines});
    assert_true(count_of(table.text, "<tr>") < 410);
    assert_non_null(strstr(table.text, "rows of 300000 is shown"));
    report_out_free(&table);
    free(x);
    free(y);
}

/* Ten runs of a hundred epochs: every line is told from every other by colour and dashes or mark, every
 * number stands in the table, and all of it stays small. */
static void test_ten_runs(void **state) {
    (void)state;
    static double x[10][100], y[10][100];
    struct report_line lines[10];
    char names[10][16];
    for (size_t i = 0; i < 10; i++) {
        (void)snprintf(names[i], sizeof names[i], "run-%zu", i);
        for (size_t j = 0; j < 100; j++) {
            x[i][j] = (double)j + 1;
            y[i][j] = 2 / (double)(j + i + 1);
        }
        lines[i] = (struct report_line){.name = names[i], .x = x[i], .y = y[i], .count = 100};
    }
    struct report_out out = {0};
    const struct report_lines drawn = {.line = lines, .count = 10};
    const struct report_chart chart = {.id = "c", .title = "Loss", .lines = &drawn};
    report_html_chart(&out, &chart, NULL);
    assert_false(out.failed);
    assert_true(out.length < 80000);
    assert_int_equal(count_of(out.text, "<tr>"), 101);
    assert_int_equal(count_of(out.text, "<td>"), 1000);
    char strokes[10][64];
    const char *at = out.text;
    for (size_t i = 0; i < 10; i++) {
        at = strstr(at, "<path class=\"l s");
        assert_non_null(at);
        (void)snprintf(strokes[i], sizeof strokes[i], "%.*s", (int)(strstr(at, " d=\"") - at), at);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(strokes[i], strokes[j]);
        }
        at++;
    }
    report_out_free(&out);
}

/* Rows of lines whose x differ are merged, and what a line has not stays empty. */
static void test_table_of_different_lengths(void **state) {
    (void)state;
    const double x1[] = {1, 2, 3}, x2[] = {2, 4}, y[] = {5, 6, 7};
    const struct report_line lines[] = {{.name = "a", .x = x1, .y = y, .count = 3},
                                        {.name = "b", .x = x2, .y = y, .count = 2}};
    const struct report_lines drawn = {.line = lines, .count = 2};
    struct report_out out = {0};
    report_chart_table(&out, &(struct report_chart){.id = "c", .title = "t", .lines = &drawn});
    assert_non_null(strstr(out.text, "<tr><th scope=\"row\">1</th><td>5</td><td></td></tr>\n"
                                     "<tr><th scope=\"row\">2</th><td>6</td><td>5</td></tr>\n"
                                     "<tr><th scope=\"row\">3</th><td>7</td><td></td></tr>\n"
                                     "<tr><th scope=\"row\">4</th><td></td><td>6</td></tr>\n"));
    report_out_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_out_grows),
        cmocka_unit_test(test_lines_with_gaps),
        cmocka_unit_test(test_nothing_to_draw),
        cmocka_unit_test(test_one_point),
        cmocka_unit_test(test_very_long_line),
        cmocka_unit_test(test_ten_runs),
        cmocka_unit_test(test_table_of_different_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
