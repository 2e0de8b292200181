/* SPDX-License-Identifier: MIT */
/* Kernels with a window: columns, pooling, depthwise convolution. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "tests/kernels/kernel_test.h"

/* A name that says which window failed. */
static const char *name_of(const char *kernel, size_t number, const struct window_case *t) {
    static char text[256];
    const struct stoa_window *w = &t->w;
    snprintf(
        text, sizeof text,
        "%s, window %zu: %zux%zux%zu kernel %zux%zu stride %zux%zu dilation %zux%zu pad %zu,%zu out %zux%zu "
        "from %zu rows %zu+%zu channels %zu+%zu",
        kernel, number, w->height, w->width, w->channels, w->kernel_height, w->kernel_width, w->stride_height,
        w->stride_width, w->dilation_height, w->dilation_width, w->pad_top, w->pad_left, w->out_height,
        w->out_width, w->out_left, t->first_row, t->rows, t->channel0, t->channels);
    return text;
}

static size_t column_floats(const struct window_case *t) {
    return t->rows * t->w.out_width * t->w.kernel_height * t->w.kernel_width * t->channels;
}

/* Every other case takes a part of each row. */
static struct window_case part_case(size_t number) {
    struct window_case t = window_case(number);
    if (number % 2 == 1) {
        take_part(&t.w);
    }
    return t;
}

void test_kernel_im2col(const struct subject *s) {
    for (size_t i = 0; i < WINDOW_CASES; i++) {
        struct window_case t = part_case(i);
        struct array x = input_random(t.batch * image_floats(&t.w), -1, 1);
        sprinkle(&x, NAN, 50);
        struct array lines = output_unset(STOA_IM2COL_LINES);
        struct array columns = output_unset(column_floats(&t));
        s->kernels->im2col(&t.w, x.f, t.channel0, t.channels, t.first_row, t.rows, lines.f, columns.f);
        stoa_reference_f64.im2col(&t.w, x.d, t.channel0, t.channels, t.first_row, t.rows, NULL, columns.d);
        check_exact(name_of("im2col", i, &t), s, columns);
        arrays_release();
    }
}

void test_kernel_col2im(const struct subject *s) {
    for (size_t i = 0; i < WINDOW_CASES; i++) {
        struct window_case t = part_case(i);
        struct array dx = output_copy(input_random(t.batch * image_floats(&t.w), -1, 1));
        struct array columns = input_random(column_floats(&t), -1, 1);
        if (i % 2) {
            sprinkle(&columns, NAN, 500);
        }
        s->kernels->col2im(&t.w, columns.f, t.channel0, t.channels, t.first_row, t.rows, dx.f);
        stoa_reference_f64.col2im(&t.w, columns.d, t.channel0, t.channels, t.first_row, t.rows, dx.d);
        check_close(name_of("col2im", i, &t), s, dx, 5e-6, 1e-6);
        arrays_release();
    }
}

void test_kernel_maxpool(const struct subject *s) {
    for (size_t i = 0; i < WINDOW_CASES; i++) {
        struct window_case t = window_case(i);
        struct array x = input_integers(t.batch * image_floats(&t.w), -3, 3); /* many ties */
        if (i % 2) {
            sprinkle(&x, NAN, 20);
            sprinkle(&x, -INFINITY, 3);
        }
        size_t n = t.rows * t.w.out_width * t.w.channels;
        struct array y = output_unset(n);
        struct array index = output_unset(n); /* for its canaries: the kernel's numbers go in its middle */
        uint16_t *want = input_block(n * sizeof *want);
        uint16_t *got = (uint16_t *)(void *)index.f + n; /* ends where the floats end */
        struct array alone = output_unset(n);            /* without indices */
        s->kernels->maxpool(&t.w, x.f, t.first_row, t.rows, y.f, got);
        s->kernels->maxpool(&t.w, x.f, t.first_row, t.rows, alone.f, NULL);
        stoa_reference_f64.maxpool(&t.w, x.d, t.first_row, t.rows, y.d, want);
        stoa_reference_f64.maxpool(&t.w, x.d, t.first_row, t.rows, alone.d, NULL);
        const char *name = name_of("maxpool", i, &t);
        check_exact(name, s, y);
        check_exact(name, s, alone);
        check_canaries(name, index);
        for (size_t j = 0; j < n / 2; j++) {
            assert_true(isnan(index.f[j])); /* what lies before the numbers */
        }
        for (size_t j = 0; j < n; j++) {
            if (got[j] != want[j]) {
                fail_msg("%s (%s): index %zu is %d, not %d", name, s->name, j, got[j], want[j]);
            }
        }
        arrays_release();
    }
}

void test_kernel_maxpool_backward(const struct subject *s) {
    for (size_t i = 0; i < WINDOW_CASES; i++) {
        struct window_case t = window_case(i);
        size_t n = output_floats(&t.w);
        struct array x = input_integers(image_floats(&t.w), -3, 3);
        struct array y = output_unset(n);
        uint16_t *index = input_block(n * sizeof *index);
        stoa_reference_f64.maxpool(&t.w, x.d, 0, t.w.out_height, y.d, index);
        struct array dy = input_random(n, -1, 1);
        if (i % 2) {
            sprinkle(&dy, NAN, 30);
        }
        struct array dx = output_unset(x.n);
        s->kernels->maxpool_backward(&t.w, dy.f, index, dx.f);
        stoa_reference_f64.maxpool_backward(&t.w, dy.d, index, dx.d);
        check_close(name_of("maxpool_backward", i, &t), s, dx, 2e-6, 1e-6);
        arrays_release();
    }
}

void test_kernel_avgpool(const struct subject *s) {
    for (size_t i = 0; i < WINDOW_CASES; i++) {
        struct window_case t = window_case(i);
        struct array x = input_random(t.batch * image_floats(&t.w), -1, 1);
        if (i % 2) {
            sprinkle(&x, NAN, 40);
        }
        for (size_t j = 0; j < 2; j++) {
            struct array y = output_unset(t.rows * t.w.out_width * t.w.channels);
            s->kernels->avgpool(&t.w, j == 1, x.f, t.first_row, t.rows, y.f);
            stoa_reference_f64.avgpool(&t.w, j == 1, x.d, t.first_row, t.rows, y.d);
            check_close(name_of("avgpool", i, &t), s, y, 5e-7, 2e-7);
        }
        arrays_release();
    }
}

void test_kernel_avgpool_backward(const struct subject *s) {
    for (size_t i = 0; i < WINDOW_CASES; i++) {
        struct window_case t = window_case(i);
        struct array dy = input_random(output_floats(&t.w), -1, 1);
        if (i % 2) {
            sprinkle(&dy, NAN, 100);
        }
        for (size_t j = 0; j < 2; j++) {
            struct array dx = output_unset(image_floats(&t.w));
            s->kernels->avgpool_backward(&t.w, j == 1, dy.f, dx.f);
            stoa_reference_f64.avgpool_backward(&t.w, j == 1, dy.d, dx.d);
            check_close(name_of("avgpool_backward", i, &t), s, dx, 2e-6, 1e-6);
        }
        arrays_release();
    }
}

static const size_t pixel_counts[] = {1, 2, 3, 7, 16, 49, 196, 1000};

void test_kernel_global_avgpool(const struct subject *s) {
    for (size_t i = 0; i < 8; i++) {
        for (size_t channels = 1; channels < 140; channels = channels * 9 / 8 + 1) {
            struct array x = input_random(pixel_counts[i] * channels, -1, 1);
            if (channels % 2) {
                sprinkle(&x, NAN, 300);
            }
            struct array y = output_unset(channels);
            s->kernels->global_avgpool(x.f, pixel_counts[i], channels, y.f);
            stoa_reference_f64.global_avgpool(x.d, pixel_counts[i], channels, y.d);
            check_close("global_avgpool", s, y, 1e-6, 1e-6);
            arrays_release();
        }
    }
}

void test_kernel_global_avgpool_backward(const struct subject *s) {
    for (size_t i = 0; i < 8; i++) {
        for (size_t channels = 1; channels < 140; channels = channels * 9 / 8 + 1) {
            struct array dy = input_random(channels, -1, 1);
            struct array dx = output_unset(pixel_counts[i] * channels);
            s->kernels->global_avgpool_backward(dy.f, pixel_counts[i], channels, dx.f);
            stoa_reference_f64.global_avgpool_backward(dy.d, pixel_counts[i], channels, dx.d);
            check_close("global_avgpool_backward", s, dx, 0, 3e-7);
            arrays_release();
        }
    }
}

/* After the windows of all sorts those of three columns on narrow images, which have a path of their own:
 * every border beside every other, with rows for several blocks, with channels for one vector and more and
 * those whose pixels share sets of a cache. */
enum { NARROW_WIDTHS = 6, NARROW_CASES = NARROW_WIDTHS * 3 * 3 * 2 };

static struct window_case depthwise_case(size_t number) {
    if (number < WINDOW_CASES) {
        return window_case(number);
    }
    size_t n = number - WINDOW_CASES;
    size_t stride = 1 + n % 2;
    size_t left = n / 2 % 3;
    size_t padded = stoa_max(1 + n / 18 + left + n / 6 % 3, 3);
    struct window_case t = {.batch = 2};
    t.w = (struct stoa_window){.height = random_size(1, 17),
                               .width = 1 + n / 18,
                               .channels = n % 5 > 1 ? random_size(16, 40) : (size_t)512 << n % 5,
                               .kernel_height = random_size(0, 3) ? 3 : random_size(1, 2),
                               .kernel_width = 3,
                               .stride_height = random_size(0, 2) ? stride : random_size(1, 3),
                               .stride_width = stride,
                               .dilation_height = 1,
                               .dilation_width = 1,
                               .pad_top = random_size(0, 2),
                               .pad_left = left,
                               .out_width = (padded - 3) / stride + 1};
    size_t tall = stoa_max(t.w.height + t.w.pad_top + random_size(0, 2), t.w.kernel_height);
    t.w.out_height = (tall - t.w.kernel_height) / t.w.stride_height + 1;
    t.first_row = random_size(0, 1);
    t.rows = t.batch * t.w.out_height - t.first_row;
    t.channels = random_size(1, t.w.channels);
    t.channel0 = random_size(0, t.w.channels - t.channels);
    return t;
}

void test_kernel_depthwise(const struct subject *s) {
    for (size_t i = 0; i < WINDOW_CASES + NARROW_CASES; i++) {
        struct window_case t = depthwise_case(i);
        struct array x = input_random(t.batch * image_floats(&t.w), -1, 1);
        struct array weight = input_random(t.w.kernel_height * t.w.kernel_width * t.w.channels, -1, 1);
        struct array bias = input_random(t.w.channels, -1, 1);
        if (i % 2) {
            sprinkle(&x, NAN, 60);
        }
        struct array y = output_unset(t.rows * t.w.out_width * t.w.channels);
        bool biased = i % 4 < 2;
        s->kernels->depthwise(&t.w, x.f, weight.f, biased ? bias.f : NULL, t.first_row, t.rows, y.f);
        stoa_reference_f64.depthwise(&t.w, x.d, weight.d, biased ? bias.d : NULL, t.first_row, t.rows, y.d);
        check_close(name_of("depthwise", i, &t), s, y, 3e-6, 1e-6);
        arrays_release();
    }
}

void test_kernel_depthwise_backward_data(const struct subject *s) {
    for (size_t i = 0; i < WINDOW_CASES + NARROW_CASES; i++) {
        struct window_case t = depthwise_case(i);
        struct array dy = input_random(output_floats(&t.w), -1, 1);
        struct array weight = input_random(t.w.kernel_height * t.w.kernel_width * t.w.channels, -1, 1);
        if (i % 2) {
            sprinkle(&dy, NAN, 60);
        }
        struct array dx = output_unset(image_floats(&t.w));
        s->kernels->depthwise_backward_data(&t.w, dy.f, weight.f, dx.f);
        stoa_reference_f64.depthwise_backward_data(&t.w, dy.d, weight.d, dx.d);
        check_close(name_of("depthwise_backward_data", i, &t), s, dx, 3e-6, 1e-6);
        arrays_release();
    }
}

void test_kernel_depthwise_backward_weights(const struct subject *s) {
    for (size_t i = 0; i < WINDOW_CASES + NARROW_CASES; i++) {
        struct window_case t = depthwise_case(i);
        struct array x = input_random(t.batch * image_floats(&t.w), -1, 1);
        struct array dy = input_random(t.rows * t.w.out_width * t.w.channels, -1, 1);
        if (i % 2) {
            sprinkle(&dy, NAN, 200);
        }
        struct array dweight =
            output_copy(input_random(t.w.kernel_height * t.w.kernel_width * t.w.channels, -1, 1));
        s->kernels->depthwise_backward_weights(&t.w, x.f, dy.f, t.first_row, t.rows, t.channel0, t.channels,
                                               dweight.f);
        stoa_reference_f64.depthwise_backward_weights(&t.w, x.d, dy.d, t.first_row, t.rows, t.channel0,
                                                      t.channels, dweight.d);
        check_close(name_of("depthwise_backward_weights", i, &t), s, dweight, 2e-5, 2e-6);
        arrays_release();
    }
}
