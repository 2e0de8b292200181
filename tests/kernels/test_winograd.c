/* SPDX-License-Identifier: MIT */
/* Winograd's transforms: every tile size of every kernel, against their definition, and the definition
 * against convolution. */
#include <math.h>
#include <stdio.h>

#include "base/size.h"
#include "kernels/winograd_tile.h"
#include "tests/kernels/kernel_test.h"

/* Each form of tile so often, with other channels and another image. */
enum { ROUNDS = 6, MOST_POINTS = STOA_WINOGRAD_POINTS, MOST_TAPS = STOA_WINOGRAD_MOST_TAPS };

static const size_t channel_counts[] = {1, 2, 3, 4, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 64, 70};

/* Sets of points and kernels, and what a transform may err by: twice what it does. */
struct form {
    size_t points, taps;
    double input, output, gradient;
};
static const struct form forms[] = {
    {4, 3, 8e-7, 3e-7, 1e-7},     {6, 3, 3.2e-6, 1.8e-6, 3.4e-6}, {6, 4, 2.8e-6, 1.4e-6, 1.2e-6},
    {6, 5, 2e-6, 7e-7, 3e-7},     {8, 3, 1.5e-5, 7e-5, 4.5e-5},   {8, 4, 1.2e-5, 1.4e-5, 1.5e-5},
    {8, 5, 1.1e-5, 5e-6, 4.4e-6},
};
enum { FORMS = sizeof forms / sizeof *forms };

struct winograd_case {
    const struct form *form;
    size_t points, taps, step, channels, stride;
    struct stoa_winograd_tile tile;
    struct stoa_window w; /* of the tile's image */
};

/* An axis with one tile of `tile` outputs somewhere on it. */
static void place(size_t tile, size_t taps, size_t *start, size_t *size, size_t *pad, size_t *out) {
    *start = random_size(0, 5);
    *out = *start + tile + random_size(0, 3);
    *pad = random_size(0, taps);
    size_t reach = *out + taps - 1;
    size_t after = random_size(0, taps - 1);
    *size = reach > *pad + after ? reach - *pad - after : 1;
}

static bool winograd_case_of(size_t number, struct winograd_case *t) {
    size_t in_round = number;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t form = 0; form < FORMS; form++) {
            size_t tile = forms[form].points + 1 - forms[form].taps;
            if (in_round >= tile * tile) {
                in_round -= tile * tile;
                continue;
            }
            *t = (struct winograd_case){
                .form = &forms[form], .points = forms[form].points, .taps = forms[form].taps};
            t->tile = (struct stoa_winograd_tile){
                .height = 1 + in_round / tile, .width = 1 + in_round % tile, .taps = t->taps};
            return true;
        }
    }
    return false;
}

/* Case `number`, false when there are no more: all forms and tiles in turn. */
static bool winograd_case(size_t number, struct winograd_case *t) {
    if (!winograd_case_of(number, t)) {
        return false;
    }
    struct stoa_window *w = &t->w;
    *w = (struct stoa_window){.kernel_height = t->taps,
                              .kernel_width = t->taps,
                              .stride_height = 1,
                              .stride_width = 1,
                              .dilation_height = 1,
                              .dilation_width = 1};
    place(t->tile.height, t->taps, &t->tile.row, &w->height, &w->pad_top, &w->out_height);
    place(t->tile.width, t->taps, &t->tile.column, &w->width, &w->pad_left, &w->out_width);
    t->channels = channel_counts[random_size(0, sizeof channel_counts / sizeof *channel_counts - 1)];
    w->channels = t->channels;
    t->step = t->channels + random_size(0, 20);
    t->stride = t->channels + random_size(0, 5);
    return true;
}

static const char *name_of(const char *kernel, size_t number, const struct winograd_case *t) {
    static char text[256];
    snprintf(text, sizeof text,
             "%s, case %zu: tile %zux%zu at %zu,%zu of %zu points, %zu taps, image %zux%zux%zu pad %zu,%zu",
             kernel, number, t->tile.height, t->tile.width, t->tile.row, t->tile.column, t->points, t->taps,
             t->w.height, t->w.width, t->w.channels, t->w.pad_top, t->w.pad_left);
    return text;
}

/* Places of `floats` numbers at every point. */
static size_t point_floats(const struct winograd_case *t, size_t floats) {
    return (t->points * t->points - 1) * t->step + floats;
}

/* What a transform leaves alone must keep its values, so outputs start as random numbers. */
static struct array output_used(size_t n) {
    return output_copy(input_random(n, -9, 9));
}

/* What few channels leave behind them in the places of the tile's points may be anything. */
static void forget_beyond(const struct winograd_case *t, struct array v) {
    for (size_t i = 0; i < stoa_winograd_lines(&t->tile) * t->points; i++) {
        for (size_t c = t->channels;
             i % t->points < stoa_winograd_columns(&t->tile) && c < STOA_WINOGRAD_LANES; c++) {
            v.f[i * t->step + c] = 0;
            v.d[i * t->step + c] = 0;
        }
    }
}

void test_kernel_winograd_input(const struct subject *s) {
    struct winograd_case t;
    for (size_t i = 0; winograd_case(i, &t); i++) {
        /* All channels of a pixel, or some of a larger one's. */
        size_t others = i % 3 == 0 ? random_size(1, 20) : 0;
        size_t taken = stoa_max(t.channels, STOA_WINOGRAD_LANES);
        t.w.channels += others;
        t.step += taken - t.channels;
        struct array x = input_random(image_floats(&t.w) + taken - t.channels, -1, 1);
        if (i % 2) {
            sprinkle(&x, NAN, 100);
        }
        struct array v = output_used(point_floats(&t, taken));
        s->kernels->winograd_input(&t.w, &t.tile, t.points, t.channels, x.f, v.f, t.step);
        stoa_reference_f64.winograd_input(&t.w, &t.tile, t.points, t.channels, x.d, v.d, t.step);
        forget_beyond(&t, v);
        check_close(name_of("winograd_input", i, &t), s, v, t.form->input, 1e-6);
        arrays_release();
    }
}

void test_kernel_winograd_output(const struct subject *s) {
    struct winograd_case t;
    for (size_t i = 0; winograd_case(i, &t); i++) {
        size_t pixel = t.stride;
        size_t line = t.w.out_width * pixel;
        struct array sums = input_random(point_floats(&t, t.channels), -1, 1);
        if (i % 2) {
            sprinkle(&sums, NAN, 300);
        }
        struct array bias = input_random(t.channels, -1, 1);
        struct array y = output_used(t.w.out_height * line - (pixel - t.channels));
        bool biased = i % 4 < 2;
        bool relu = i % 3 == 0;
        s->kernels->winograd_output(&t.tile, t.points, sums.f, t.step, t.channels, biased ? bias.f : NULL,
                                    relu, y.f, line, pixel);
        stoa_reference_f64.winograd_output(&t.tile, t.points, sums.d, t.step, t.channels,
                                           biased ? bias.d : NULL, relu, y.d, line, pixel);
        check_close(name_of("winograd_output", i, &t), s, y, t.form->output, 1e-6);
        arrays_release();
    }
}

void test_kernel_winograd_gradient(const struct subject *s) {
    struct winograd_case t;
    for (size_t i = 0; winograd_case(i, &t); i++) {
        size_t pixel = t.stride;
        size_t line = t.w.out_width * pixel;
        struct array dy = input_random(t.w.out_height * line - (pixel - t.channels), -1, 1);
        struct array z = output_used(point_floats(&t, t.channels));
        s->kernels->winograd_gradient(&t.tile, t.points, dy.f, line, pixel, t.channels, z.f, t.step);
        stoa_reference_f64.winograd_gradient(&t.tile, t.points, dy.d, line, pixel, t.channels, z.d, t.step);
        check_close(name_of("winograd_gradient", i, &t), s, z, t.form->gradient, 1e-6);
        arrays_release();
    }
}

/* Taps of a gradient of `channels` rows of t's channels, and how they lie in memory: all of them, or with the
 * last lines and columns missing. */
struct kernel {
    struct stoa_winograd_taps taps;
    size_t channels, floats;
};

static struct kernel kernel_of(size_t number, const struct winograd_case *t) {
    struct kernel k = {.taps = {.count = t->taps, .lines = t->taps, .columns = t->taps},
                       .channels = random_size(1, 3)};
    if (number % 3) {
        k.taps.lines = random_size(1, t->taps);
        k.taps.columns = random_size(1, t->taps);
    }
    size_t tap = k.channels * t->stride + random_size(0, 3);
    size_t line = k.taps.columns * tap + random_size(0, 3);
    size_t last = (k.taps.lines - 1) * line + (k.taps.columns - 1) * tap;
    k.taps.tap = tap;
    k.taps.line = line;
    k.floats = last + (k.channels - 1) * t->stride + t->channels;
    return k;
}

void test_kernel_winograd_weights(const struct subject *s) {
    struct winograd_case t;
    for (size_t i = 0; winograd_case(i, &t); i++) {
        size_t channels = random_size(1, 3);
        size_t u_stride = t.step;
        t.step *= channels;
        struct array w = input_random(t.taps * t.taps * channels * t.channels, -1, 1);
        struct array u = output_used(point_floats(&t, (channels - 1) * u_stride + t.channels));
        size_t line = i % 2 ? random_size(0, t.points - 1) : 0;
        size_t lines = i % 2 ? random_size(1, t.points - line) : t.points;
        s->kernels->winograd_weights(t.points, t.taps, line, lines, w.f, channels, t.channels, u.f, u_stride,
                                     t.step);
        stoa_reference_f64.winograd_weights(t.points, t.taps, line, lines, w.d, channels, t.channels, u.d,
                                            u_stride, t.step);
        check_close(name_of("winograd_weights", i, &t), s, u, 3e-7, 1e-6);
        arrays_release();
    }
}

void test_kernel_winograd_weights_gradient(const struct subject *s) {
    struct winograd_case t;
    for (size_t i = 0; winograd_case(i, &t); i++) {
        struct kernel k = kernel_of(i, &t);
        size_t s_stride = t.step;
        t.step *= k.channels;
        struct array sums = input_random(point_floats(&t, (k.channels - 1) * s_stride + t.channels), -1, 1);
        struct array dw = output_used(k.floats);
        s->kernels->winograd_weights_gradient(t.points, sums.f, s_stride, t.step, k.channels, t.channels,
                                              dw.f, &k.taps, t.stride);
        stoa_reference_f64.winograd_weights_gradient(t.points, sums.d, s_stride, t.step, k.channels,
                                                     t.channels, dw.d, &k.taps, t.stride);
        check_close(name_of("winograd_weights_gradient", i, &t), s, dw,
                    t.points == MOST_POINTS ? 1.1e-6 : 4e-7, 1e-6);
        arrays_release();
    }
}

/* A tile's gradient alone: those of outputs beyond it become 0. Checks the tile's outputs meanwhile. */
static void compare_outputs(const struct winograd_case *t, const double *y, const double *direct,
                            struct array dy) {
    for (size_t p = 0; p < dy.n; p++) {
        size_t row = p / t->w.out_width;
        size_t column = p % t->w.out_width;
        bool inside = row >= t->tile.row && row < t->tile.row + t->tile.height && column >= t->tile.column &&
                      column < t->tile.column + t->tile.width;
        dy.d[p] *= inside;
        assert_true(!inside || fabs(y[p] - direct[p]) < 1e-12);
    }
}

/* One channel, one filter: input and weights transformed, multiplied point by point and transformed back are
 * the convolution; and its gradient of the weights is the same backwards. Missing taps are zeros. */
void test_reference_winograd_is_convolution(void **state) {
    (void)state;
    struct winograd_case t;
    for (size_t i = 0; winograd_case(i, &t); i++) {
        t.w.channels = 1;
        size_t points = t.points;
        struct stoa_winograd_taps taps = {.count = t.taps,
                                          .lines = i % 2 ? t.taps : random_size(1, t.taps),
                                          .columns = i % 2 ? t.taps : random_size(1, t.taps),
                                          .line = t.taps,
                                          .tap = 1};
        struct array x = input_random(image_floats(&t.w), -1, 1);
        struct array w = input_random(t.taps * t.taps, -1, 1);
        struct array dy = input_random(t.w.out_height * t.w.out_width, -1, 1);
        double v[MOST_POINTS * MOST_POINTS] = {0};
        double u[MOST_POINTS * MOST_POINTS];
        double z[MOST_POINTS * MOST_POINTS] = {0};
        double y[64 * 64];
        double direct[64 * 64];
        double dw[MOST_TAPS * MOST_TAPS] = {0};
        double direct_dw[MOST_TAPS * MOST_TAPS];
        assert_true(dy.n <= sizeof y / sizeof *y);
        stoa_reference_f64.winograd_input(&t.w, &t.tile, points, 1, x.d, v, 1);
        for (size_t p = 0; p < w.n; p++) {
            w.d[p] *= p / t.taps < taps.lines && p % t.taps < taps.columns;
        }
        stoa_reference_f64.winograd_weights(points, t.taps, 0, points, w.d, 1, 1, u, 1, 1);
        stoa_reference_f64.winograd_gradient(&t.tile, points, dy.d, t.w.out_width, 1, 1, z, 1);
        for (size_t p = 0; p < points * points; p++) {
            u[p] *= v[p];
            z[p] *= v[p];
        }
        stoa_reference_f64.winograd_output(&t.tile, points, u, 1, 1, NULL, false, y, t.w.out_width, 1);
        stoa_reference_f64.winograd_weights_gradient(points, z, 1, 1, 1, 1, dw, &taps, 1);
        stoa_reference_f64.conv2d(&t.w, 1, 1, 1, x.d, w.d, NULL, direct);
        compare_outputs(&t, y, direct, dy);
        stoa_reference_f64.conv2d_backward_weights(&t.w, 1, 1, 1, x.d, dy.d, direct_dw);
        for (size_t p = 0; p < w.n; p++) {
            bool there = p / t.taps < taps.lines && p % t.taps < taps.columns;
            assert_true(fabs(dw[p] - (there ? direct_dw[p] : 0)) < 1e-12);
        }
        arrays_release();
    }
}
