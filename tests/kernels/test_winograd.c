/* Winograd's transforms: every tile size, against their definition, and the definition against convolution. */
#include <math.h>
#include <stdio.h>

#include "tests/kernels/kernel_test.h"

enum { CASES = 500, TAPS = 3, MOST_POINTS = STOA_WINOGRAD_POINTS };

static const size_t channel_counts[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 64, 70};

struct winograd_case {
    size_t points, step, channels, stride;
    struct stoa_winograd_tile tile;
    struct stoa_window w; /* of the tile's image */
};

/* An axis with one tile somewhere on it. */
static void place(size_t number, size_t points, size_t *tile, size_t *start, size_t *size, size_t *pad,
                  size_t *out) {
    *tile = 1 + number % (points - 2);
    *start = random_size(0, 5);
    *out = *start + *tile + random_size(0, 3);
    *pad = random_size(0, 3);
    size_t reach = *out + TAPS - 1;
    size_t after = random_size(0, 2);
    *size = reach > *pad + after ? reach - *pad - after : 1;
}

static struct winograd_case winograd_case(size_t number) {
    struct winograd_case t = {.points = number % 5 == 0 ? 4 : number % 2 ? 6 : 8};
    struct stoa_window *w = &t.w;
    *w = (struct stoa_window){.kernel_height = TAPS,
                              .kernel_width = TAPS,
                              .stride_height = 1,
                              .stride_width = 1,
                              .dilation_height = 1,
                              .dilation_width = 1};
    place(number, t.points, &t.tile.height, &t.tile.row, &w->height, &w->pad_top, &w->out_height);
    place(number / 4, t.points, &t.tile.width, &t.tile.column, &w->width, &w->pad_left, &w->out_width);
    t.channels = channel_counts[random_size(0, sizeof channel_counts / sizeof *channel_counts - 1)];
    w->channels = t.channels;
    t.step = t.channels + random_size(0, 20);
    t.stride = t.channels + random_size(0, 5);
    return t;
}

static const char *name_of(const char *kernel, size_t number, const struct winograd_case *t) {
    static char text[256];
    snprintf(text, sizeof text,
             "%s, case %zu: tile %zux%zu at %zu,%zu of %zu points, image %zux%zux%zu pad %zu,%zu", kernel,
             number, t->tile.height, t->tile.width, t->tile.row, t->tile.column, t->points, t->w.height,
             t->w.width, t->w.channels, t->w.pad_top, t->w.pad_left);
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

void test_kernel_winograd_input(const struct subject *s) {
    for (size_t i = 0; i < CASES; i++) {
        struct winograd_case t = winograd_case(i);
        struct array x = input_random(image_floats(&t.w), -1, 1);
        if (i % 2) {
            sprinkle(&x, NAN, 100);
        }
        struct array v = output_used(point_floats(&t, t.channels));
        s->kernels->winograd_input(&t.w, &t.tile, t.points, x.f, v.f, t.step);
        stoa_reference_f64.winograd_input(&t.w, &t.tile, t.points, x.d, v.d, t.step);
        check_close(name_of("winograd_input", i, &t), s, v, 4e-5, 1e-6);
        arrays_release();
    }
}

void test_kernel_winograd_output(const struct subject *s) {
    for (size_t i = 0; i < CASES; i++) {
        struct winograd_case t = winograd_case(i);
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
        check_close(name_of("winograd_output", i, &t), s, y, 5e-5, 1e-6);
        arrays_release();
    }
}

void test_kernel_winograd_gradient(const struct subject *s) {
    for (size_t i = 0; i < CASES; i++) {
        struct winograd_case t = winograd_case(i);
        size_t pixel = t.stride;
        size_t line = t.w.out_width * pixel;
        struct array dy = input_random(t.w.out_height * line - (pixel - t.channels), -1, 1);
        struct array z = output_used(point_floats(&t, t.channels));
        s->kernels->winograd_gradient(&t.tile, t.points, dy.f, line, pixel, t.channels, z.f, t.step);
        stoa_reference_f64.winograd_gradient(&t.tile, t.points, dy.d, line, pixel, t.channels, z.d, t.step);
        check_close(name_of("winograd_gradient", i, &t), s, z, 2e-5, 1e-6);
        arrays_release();
    }
}

void test_kernel_winograd_weights(const struct subject *s) {
    for (size_t i = 0; i < CASES; i++) {
        struct winograd_case t = winograd_case(i);
        size_t channels = random_size(1, 3);
        size_t filters = t.channels;
        size_t tap = channels * t.stride;
        struct array w = input_random(TAPS * TAPS * tap - (t.stride - filters), -1, 1);
        ptrdiff_t sign = i % 2 ? -1 : 1; /* rotated: from the last tap backwards */
        size_t first = i % 2 ? (TAPS * TAPS - 1) * tap : 0;
        t.step = channels * t.step;
        size_t u_stride = t.step / channels;
        struct array u = output_used(point_floats(&t, (channels - 1) * u_stride + filters));
        s->kernels->winograd_weights(t.points, w.f + first, sign * (ptrdiff_t)(TAPS * tap),
                                     sign * (ptrdiff_t)tap, channels, filters, t.stride, u.f, u_stride,
                                     t.step);
        stoa_reference_f64.winograd_weights(t.points, w.d + first, sign * (ptrdiff_t)(TAPS * tap),
                                            sign * (ptrdiff_t)tap, channels, filters, t.stride, u.d, u_stride,
                                            t.step);
        check_close(name_of("winograd_weights", i, &t), s, u, 2e-6, 1e-6);
        arrays_release();
    }
}

void test_kernel_winograd_weights_gradient(const struct subject *s) {
    for (size_t i = 0; i < CASES; i++) {
        struct winograd_case t = winograd_case(i);
        size_t channels = random_size(1, 3);
        size_t filters = t.channels;
        size_t tap = channels * t.stride;
        t.step = channels * t.step;
        size_t s_stride = t.step / channels;
        struct array sums = input_random(point_floats(&t, (channels - 1) * s_stride + filters), -1, 1);
        struct array dw = output_used(TAPS * TAPS * tap - (t.stride - filters));
        s->kernels->winograd_weights_gradient(t.points, sums.f, s_stride, t.step, channels, filters, dw.f,
                                              t.stride, tap);
        stoa_reference_f64.winograd_weights_gradient(t.points, sums.d, s_stride, t.step, channels, filters,
                                                     dw.d, t.stride, tap);
        check_close(name_of("winograd_weights_gradient", i, &t), s, dw, 5e-6, 1e-6);
        arrays_release();
    }
}

/* One channel, one filter: input and weights transformed, multiplied point by point and transformed back are the
 * convolution; and its gradient of the weights is the same backwards. */
void test_reference_winograd_is_convolution(void **state) {
    (void)state;
    for (size_t i = 0; i < 200; i++) {
        struct winograd_case t = winograd_case(i);
        t.w.channels = 1;
        size_t points = t.points;
        struct array x = input_random(image_floats(&t.w), -1, 1);
        struct array w = input_random(TAPS * TAPS, -1, 1);
        struct array dy = input_random(t.w.out_height * t.w.out_width, -1, 1);
        double v[MOST_POINTS * MOST_POINTS] = {0};
        double u[MOST_POINTS * MOST_POINTS];
        double z[MOST_POINTS * MOST_POINTS] = {0};
        double y[64 * 64];
        double direct[64 * 64];
        double dw[TAPS * TAPS];
        double direct_dw[TAPS * TAPS];
        assert_true(dy.n <= sizeof y / sizeof *y);
        stoa_reference_f64.winograd_input(&t.w, &t.tile, points, x.d, v, 1);
        stoa_reference_f64.winograd_weights(points, w.d, TAPS, 1, 1, 1, 1, u, 1, 1);
        stoa_reference_f64.winograd_gradient(&t.tile, points, dy.d, t.w.out_width, 1, 1, z, 1);
        for (size_t p = 0; p < points * points; p++) {
            u[p] *= v[p];
            z[p] *= v[p];
        }
        stoa_reference_f64.winograd_output(&t.tile, points, u, 1, 1, NULL, false, y, t.w.out_width, 1);
        stoa_reference_f64.winograd_weights_gradient(points, z, 1, 1, 1, 1, dw, 1, 1);
        stoa_reference_f64.conv2d(&t.w, 1, 1, 1, x.d, w.d, NULL, direct);
        /* The tile's outputs alone have a gradient. */
        for (size_t p = 0; p < dy.n; p++) {
            size_t row = p / t.w.out_width;
            size_t column = p % t.w.out_width;
            bool inside = row >= t.tile.row && row < t.tile.row + t.tile.height && column >= t.tile.column &&
                          column < t.tile.column + t.tile.width;
            dy.d[p] *= inside;
            assert_true(!inside || fabs(y[p] - direct[p]) < 1e-12);
        }
        stoa_reference_f64.conv2d_backward_weights(&t.w, 1, 1, 1, x.d, dy.d, direct_dw);
        for (size_t p = 0; p < (size_t)TAPS * TAPS; p++) {
            assert_true(fabs(dw[p] - direct_dw[p]) < 1e-12);
        }
        arrays_release();
    }
}
