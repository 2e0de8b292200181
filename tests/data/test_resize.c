/* SPDX-License-Identifier: MIT */
/* Pictures of another size: areas and blends against sums in doubles over every old pixel, where things go,
 * and what never changes. */
#include <math.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "data/resize.h"
#include "scratch_context.h"

enum { MOST = 40 };

static uint8_t old_bytes[MOST * MOST * 3];
static float old_numbers[MOST * MOST * 3];

static void draw(void) {
    for (size_t i = 0; i < sizeof old_bytes; i++) {
        old_bytes[i] = (uint8_t)(i * 2654435761U >> 13);
        old_numbers[i] = (float)old_bytes[i] / 255;
    }
}

/* The stretch of old pixels that is seen, and the new ones that show it, by the rule of the documentation. */
struct seen {
    double begin, end;
    long first, last;
};

static struct seen see(stoa_resize how, size_t old, size_t new, size_t other_old, size_t other_new) {
    struct seen seen = {0, (double)old, 0, (long)new};
    const double mine = (double)new / (double)old, other = (double)other_new / (double)other_old;
    if (how == STOA_RESIZE_CROP && other > mine + 1e-12) {
        const double length = (double)new / other;
        seen.begin = ((double)old - length) / 2;
        if (other_new == other_old) {
            seen.begin = floor(seen.begin + 1e-9);
        }
        seen.end = seen.begin + length;
    }
    if (how == STOA_RESIZE_FIT && other < mine - 1e-12) {
        const long count = lround((double)old * other + 1e-9) < 1 ? 1 : lround((double)old * other + 1e-9);
        seen.first = ((long)new - count) / 2;
        seen.last = seen.first + count;
    }
    return seen;
}

/* How much of old pixel `at` is in new pixel `to`. */
static double weight(const struct seen *seen, size_t old, size_t at, long to) {
    const double step = (seen->end - seen->begin) / (double)(seen->last - seen->first);
    const double from = seen->begin + (double)(to - seen->first) * step;
    if (step > 1 + 1e-12) {
        const double share = fmin((double)at + 1, from + step) - fmax((double)at, from);
        return fmax(share, 0) / step;
    }
    double centre = from + step / 2 - 0.5;
    centre = fmin(fmax(centre, 0), (double)old - 1);
    return fmax(0, 1 - fabs(centre - (double)at));
}

static double wanted(stoa_resize how, const struct stoa_plane *from, const struct stoa_plane *to, size_t y,
                     size_t x, size_t c) {
    const struct seen down = see(how, from->height, to->height, from->width, to->width);
    const struct seen across = see(how, from->width, to->width, from->height, to->height);
    if ((long)y < down.first || (long)y >= down.last || (long)x < across.first || (long)x >= across.last) {
        return 0;
    }
    double sum = 0;
    for (size_t v = 0; v < from->height; v++) {
        for (size_t u = 0; u < from->width; u++) {
            sum += weight(&down, from->height, v, (long)y) * weight(&across, from->width, u, (long)x) *
                   old_bytes[(v * from->width + u) * from->channels + c];
        }
    }
    return sum;
}

static void check(stoa_resize how, struct stoa_plane from, size_t height, size_t width) {
    static uint8_t bytes[MOST * MOST * 3 + 1];
    static float numbers[MOST * MOST * 3 + 1];
    const size_t values = height * width * from.channels;
    struct stoa_plane to = {height, width, from.channels, bytes, NULL};
    bytes[values] = 77;
    numbers[values] = 77;
    from.bytes = old_bytes;
    assert_int_equal(stoa_resize_picture(context, "a", how, &from, &to), STOA_OK);
    from.bytes = NULL;
    from.numbers = old_numbers;
    to.bytes = NULL;
    to.numbers = numbers;
    assert_int_equal(stoa_resize_picture(context, "a", how, &from, &to), STOA_OK);
    assert_true(bytes[values] == 77 && numbers[values] == 77);
    for (size_t i = 0; i < values; i++) {
        const size_t pixel = i / from.channels;
        const double value = wanted(how, &from, &to, pixel / width, pixel % width, i % from.channels);
        if (!(fabs(bytes[i] - value) <= 0.501 && fabs(255 * (double)numbers[i] - value) <= 1e-3)) {
            fail_msg("%zux%zu to %zux%zu, way %d: value %zu is %u and %g, expected %g", from.height,
                     from.width, height, width, (int)how, i, bytes[i], 255 * (double)numbers[i], value);
        }
    }
}

static void matches_plain_sums(void **state) {
    (void)state;
    static const size_t sizes[][4] = {{8, 8, 4, 4},     {7, 5, 3, 3},     {3, 5, 9, 11},    {1, 1, 4, 6},
                                      {40, 1, 1, 40},   {13, 30, 28, 28}, {30, 13, 28, 28}, {5, 6, 5, 6},
                                      {9, 4, 4, 4},     {10, 21, 10, 10}, {40, 39, 7, 9},   {2, 40, 16, 16},
                                      {17, 17, 17, 30}, {6, 6, 1, 1}};
    draw();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int way = STOA_RESIZE_FIT; way <= STOA_RESIZE_STRETCH; way++) {
            for (size_t channels = 1; channels <= 3; channels += 2) {
                check((stoa_resize)way, (struct stoa_plane){sizes[i][0], sizes[i][1], channels, NULL, NULL},
                      sizes[i][2], sizes[i][3]);
            }
        }
    }
}

/* Values that were worked out by hand. */
static void gives_known_values(void **state) {
    (void)state;
    uint8_t line[] = {0, 90, 30, 60, 240, 120}, two[] = {0, 200}, out[8];
    const struct stoa_plane six = {1, 6, 1, line, NULL};
    /* Thirds of six, two thirds of six to four: 1.5 old pixels each. */
    assert_int_equal(stoa_resize_picture(context, "a", STOA_RESIZE_STRETCH, &six,
                                         &(struct stoa_plane){1, 3, 1, out, NULL}),
                     STOA_OK);
    assert_true(out[0] == 45 && out[1] == 45 && out[2] == 180);
    assert_int_equal(stoa_resize_picture(context, "a", STOA_RESIZE_STRETCH, &six,
                                         &(struct stoa_plane){1, 4, 1, out, NULL}),
                     STOA_OK);
    assert_true(out[0] == 30 && out[1] == 50 && out[2] == 120 && out[3] == 160);
    /* Twice as wide: a quarter and three quarters between the centres. */
    assert_int_equal(stoa_resize_picture(context, "a", STOA_RESIZE_STRETCH,
                                         &(struct stoa_plane){1, 2, 1, two, NULL},
                                         &(struct stoa_plane){1, 4, 1, out, NULL}),
                     STOA_OK);
    assert_true(out[0] == 0 && out[1] == 50 && out[2] == 150 && out[3] == 200);
    /* The middle of it, whole pixels; and black above and below. */
    assert_int_equal(
        stoa_resize_picture(context, "a", STOA_RESIZE_CROP, &six, &(struct stoa_plane){1, 3, 1, out, NULL}),
        STOA_OK);
    assert_true(out[0] == 90 && out[1] == 30 && out[2] == 60);
    memset(out, 9, sizeof out);
    assert_int_equal(stoa_resize_picture(context, "a", STOA_RESIZE_FIT,
                                         &(struct stoa_plane){1, 2, 1, two, NULL},
                                         &(struct stoa_plane){3, 2, 1, out, NULL}),
                     STOA_OK);
    assert_true(out[0] == 0 && out[1] == 0 && out[2] == 0 && out[3] == 200 && out[4] == 0 && out[5] == 0);
}

/* White stays white and whole pictures keep their mean, whatever the sizes. */
static void keeps_white_and_means(void **state) {
    (void)state;
    static uint8_t white[MOST * MOST], out[MOST * MOST];
    static float numbers[MOST * MOST];
    memset(white, 255, sizeof white);
    draw();
    for (size_t old = 1; old <= MOST; old++) {
        for (size_t new = 1; new <= old; new ++) {
            const struct stoa_plane from = {old, MOST, 1, white, NULL}, to = {new, MOST / 3, 1, out, NULL};
            assert_int_equal(stoa_resize_picture(context, "a", STOA_RESIZE_STRETCH, &from, &to), STOA_OK);
            for (size_t i = 0; i < new *(MOST / 3); i++) {
                assert_int_equal(out[i], 255);
            }
            const struct stoa_plane drawn = {old, 7, 1, NULL, old_numbers},
                                    small = {new, 7, 1, NULL, numbers};
            assert_int_equal(stoa_resize_picture(context, "a", STOA_RESIZE_STRETCH, &drawn, &small), STOA_OK);
            double before = 0, after = 0;
            for (size_t i = 0; i < old * 7; i++) {
                before += (double)old_numbers[i] / (double)(old * 7);
            }
            for (size_t i = 0; i < new * 7; i++) {
                after += (double)numbers[i] / (double)(new * 7);
            }
            assert_true(fabs(before - after) < 1e-5);
        }
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(matches_plain_sums), TEST(gives_known_values),
                                       TEST(keeps_white_and_means)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
