/* SPDX-License-Identifier: MIT */
/* Lines in a terminal: no wider than asked for, each found by its letter, in any width and both kinds of
 * letters. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/text.h"

enum { POINTS = 50, LINES = 4 };
static double x[POINTS], y[LINES][POINTS];
static struct report_line lines[LINES];
static const struct report_lines drawn = {
    .x = {.label = "epoch", .whole = true}, .line = lines, .count = LINES};

static int set_up(void **state) {
    (void)state;
    static const char *const names[LINES] = {"first", "second \x1b[31m", "\xE6\xBC\xA2\xE5\xAD\x97", "\xff"};
    for (size_t i = 0; i < POINTS; i++) {
        x[i] = (double)i + 1;
        for (size_t j = 0; j < LINES; j++) {
            y[j][i] = exp(-(double)i / (3 + 5 * (double)j)) + 0.1 * (double)j;
        }
    }
    for (size_t j = 0; j < LINES; j++) {
        lines[j] = (struct report_line){.name = names[j], .x = x, .y = y[j], .count = POINTS};
    }
    return 0;
}

static struct report_out text_of(const struct report_lines *what, struct report_terminal terminal) {
    struct report_out out = {0};
    report_lines_text(&out, "test loss", what, &terminal);
    assert_false(out.failed);
    assert_int_equal(out.text[out.length - 1], '\n');
    return out;
}

/* Columns of a line of UTF-8; every character of it has to be one. */
static size_t columns_of(const char *line, size_t bytes) {
    size_t columns = 0;
    for (size_t i = 0; i < bytes;) {
        unsigned point;
        size_t step = report_utf8(line + i, &point);
        assert_true(step > 0 && point >= ' ' && point != 0x7F);
        columns += point >= 0x2E80 ? 2 : 1;
        i += step;
    }
    return columns;
}

static void check_width(const char *text, size_t most) {
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        assert_true(columns_of(text, (size_t)(end - text)) <= most);
    }
}

static void test_every_width(void **state) {
    (void)state;
    for (size_t width = 0; width <= 400; width += width < 60 ? 1 : 37) {
        for (int unicode = 0; unicode < 2; unicode++) {
            for (size_t height = 0; height < 200; height += 40) {
                struct report_out out =
                    text_of(&drawn, (struct report_terminal){width, height, unicode, false});
                check_width(out.text, width < 30 ? 30 : width > 300 ? 300 : width);
                report_out_free(&out);
            }
        }
    }
}

static void test_ascii_is_ascii(void **state) {
    (void)state;
    struct report_out out = text_of(&drawn, (struct report_terminal){.width = 80});
    for (size_t i = 0; i < out.length; i++) {
        assert_true(out.text[i] == '\n' || (out.text[i] >= ' ' && out.text[i] < 0x7F));
    }
    assert_non_null(strstr(out.text, "b second ?[31m"));
    report_out_free(&out);
}

/* The letter of a line is found at its end; in the drawing, below the key. */
static void test_letters(void **state) {
    (void)state;
    for (int unicode = 0; unicode < 2; unicode++) {
        struct report_out out = text_of(&drawn, (struct report_terminal){.width = 80, .unicode = unicode});
        const char *drawing = strstr(out.text, unicode ? "\xE2\x94" : "|");
        for (const char *letter = "abcd"; *letter; letter++) {
            assert_non_null(strchr(drawing, *letter));
        }
        assert_non_null(strstr(out.text, "epoch\n"));
        report_out_free(&out);
    }
    /* A line alone has none. */
    const struct report_lines one = {.line = lines, .count = 1};
    struct report_out out = text_of(&one, (struct report_terminal){.width = 80, .unicode = true});
    assert_null(strchr(strchr(out.text, '\n'), 'a'));
    report_out_free(&out);
}

/* A falling line is higher at the left: the first row's first mark stands before the last row's. */
static void test_direction(void **state) {
    (void)state;
    const struct report_lines one = {.line = lines, .count = 1};
    struct report_out out = text_of(&one, (struct report_terminal){.width = 60, .height = 8});
    size_t place[8] = {0}, row = 0;
    for (const char *line = strchr(out.text, '\n') + 1; row < 8; line = strchr(line, '\n') + 1) {
        place[row++] = strcspn(line, "*");
    }
    for (size_t i = 1; i < 8; i++) {
        assert_true(place[i] >= place[i - 1]);
    }
    assert_true(place[7] > place[0] + 10);
    report_out_free(&out);
}

static void test_colours(void **state) {
    (void)state;
    struct report_out out =
        text_of(&drawn, (struct report_terminal){.width = 80, .unicode = true, .colour = true});
    assert_non_null(strstr(out.text, "\x1b[34m"));
    /* Every colour ends, and none comes from a name. */
    size_t begun = 0, ended = 0;
    for (const char *c = out.text; (c = strstr(c, "\x1b[")) != NULL; c++) {
        bool end = strncmp(c, "\x1b[0m", 4) == 0;
        begun += !end;
        ended += end;
    }
    assert_int_equal(begun, ended);
    assert_null(strstr(out.text, "second \x1b[31m"));
    report_out_free(&out);
}

static void test_nothing(void **state) {
    (void)state;
    const double none[] = {NAN, INFINITY};
    const struct report_line line = {.name = "a", .x = none, .y = none, .count = 2};
    for (size_t count = 0; count < 2; count++) {
        const struct report_lines empty = {.line = &line, .count = count};
        struct report_out out = text_of(&empty, (struct report_terminal){.width = 80});
        assert_non_null(strstr(out.text, "nothing to draw"));
        report_out_free(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_width), cmocka_unit_test(test_ascii_is_ascii),
        cmocka_unit_test(test_letters),     cmocka_unit_test(test_direction),
        cmocka_unit_test(test_colours),     cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
