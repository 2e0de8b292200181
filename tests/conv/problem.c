/* SPDX-License-Identifier: MIT */
#include "tests/conv/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/size.h"
#include "tests/ops/harness.h"

/* Products of one pass of one problem. */
static const size_t MOST_PRODUCTS = 3000000;

static uint64_t seed;
static uint64_t drawn;

uint32_t problem_random(void) {
    return stoa_philox(seed, drawn++, 5).word[0];
}

size_t problem_between(size_t least, size_t most) {
    return least + problem_random() % (most - least + 1);
}

bool problem_one_in(size_t n) {
    return problem_random() % n == 0;
}

/* Input size, padding before and output size along one axis. Padding may be none, even, as pad=same does it,
 * as wide as leaves each output one number of the image, or anything that leaves an output; an image as large
 * as the kernel has one. */
static void draw_axis(size_t least, size_t most, size_t *size, size_t kernel, size_t stride, size_t dilation,
                      size_t *pad, size_t *out) {
    size_t reach = (kernel - 1) * dilation + 1;
    size_t after = 0;
    *size = problem_between(least, most);
    *pad = 0;
    switch (problem_random() % 8) {
    case 0:
        *size = reach;
        break;
    case 1:
        *pad = after = reach - 1;
        break;
    case 2:
    case 3:
        break;
    case 4:
        *pad = after = reach / 2;
        break;
    case 5:
        *out = stoa_ceil_div(*size, stride);
        after = (*out - 1) * stride + reach > *size ? (*out - 1) * stride + reach - *size : 0;
        *pad = after / 2;
        after -= *pad;
        break;
    default:
        *pad = problem_between(0, reach);
        after = problem_between(0, reach);
    }
    *size = stoa_max(*size, reach > *pad + after ? reach - *pad - after : 1);
    *out = (*size + *pad + after - reach) / stride + 1;
}

/* For Winograd's algorithms: 3 to 5 taps a side, of larger strides perhaps more than the kernel has. The
 * largest tiles want outputs, and channels where taps are 3. */
static void draw_winograd(struct stoa_conv *conv) {
    static const size_t taps[] = {3, 4, 4, 5, 5, 5};
    struct stoa_window *w = &conv->window;
    size_t stride = problem_one_in(2) ? 1 : problem_between(2, 4);
    size_t kernel = PROBLEM_PICK(taps) * stride - problem_random() % ((stride + 1) / 2 + 1);
    w->kernel_height = w->kernel_width = stoa_max(kernel, STOA_WINOGRAD_LEAST_TAPS);
    w->stride_height = w->stride_width = stride;
    w->dilation_height = w->dilation_width = 1;
    if (problem_one_in(2)) {
        w->channels = stoa_ceil_div(problem_between(16, 40), stride * stride);
        conv->filters = problem_between(16, 40);
    } else if (problem_one_in(2)) {
        w->channels = problem_between(1, 6);
        conv->filters = problem_between(1, 20);
    }
    if (!problem_one_in(3)) {
        conv->batch = 1;
    }
}

/* A kernel that covers the image. */
static void draw_cover(struct stoa_conv *conv) {
    struct stoa_window *w = &conv->window;
    w->kernel_height = w->height = problem_between(1, 6);
    w->kernel_width = w->width = problem_between(1, 6);
    w->dilation_height = w->dilation_width = w->out_height = w->out_width = 1;
    w->pad_top = w->pad_left = 0;
    conv->batch = problem_between(1, 40);
}

/* Few channels, long lines and whole vectors of filters, as a first layer of large images has. */
static void draw_long(struct stoa_conv *conv) {
    struct stoa_window *w = &conv->window;
    conv->groups = 1;
    conv->batch = problem_between(1, 2);
    conv->filters = problem_between(1, 2) * STOA_PRODUCT_LANES;
    w->channels = problem_between(1, 5);
    w->kernel_height = problem_between(1, 4);
    w->kernel_width = problem_between(1, 3);
}

/* So many channels, or filters for the way back, that each tap of the window is a product of its own; and
 * pixels of many numbers. */
static void draw_deep(struct stoa_conv *conv) {
    struct stoa_window *w = &conv->window;
    conv->groups = 1;
    w->channels = problem_between(256, 270);
    conv->filters = problem_between(1, 90);
    w->kernel_height = problem_between(1, 4);
    w->kernel_width = problem_between(1, 4);
    if (problem_one_in(2)) {
        w->kernel_height = w->kernel_width = 1;
        w->channels = problem_between(46, 90) * (problem_one_in(2) ? 1 : problem_between(2, 16));
        conv->groups = problem_one_in(4) ? 2 : 1;
        w->channels *= conv->groups;
        conv->filters = conv->groups * problem_between(30, 90);
    }
    if (problem_one_in(2)) {
        size_t filters = conv->filters;
        conv->filters = w->channels;
        w->channels = filters;
    }
}

/* A linear layer. */
static void draw_dense(struct stoa_conv *conv) {
    struct stoa_window *w = &conv->window;
    *w = (struct stoa_window){.height = 1,
                              .width = 1,
                              .channels = problem_between(1, 200),
                              .kernel_height = 1,
                              .kernel_width = 1,
                              .stride_height = 1,
                              .stride_width = 1,
                              .dilation_height = 1,
                              .dilation_width = 1,
                              .out_height = 1,
                              .out_width = 1};
    conv->batch = problem_between(1, 70);
    conv->filters = problem_between(1, 200);
    conv->groups = 1;
}

static struct stoa_conv draw_conv(void) {
    static const size_t kernels[] = {1, 1, 2, 3, 3, 3, 3, 4, 5};
    static const size_t channels[] = {1, 2, 3, 4, 5, 8, 12, 16, 17, 24, 32, 33, 48, 64, 96};
    static const size_t filters[] = {1, 2, 3, 6, 8, 9, 16, 20, 25, 32, 40, 64, 100};
    struct stoa_conv conv = {.batch = problem_between(1, 9), .groups = 1};
    struct stoa_window *w = &conv.window;
    w->kernel_height = w->kernel_width = PROBLEM_PICK(kernels);
    if (problem_one_in(6)) {
        w->kernel_width = PROBLEM_PICK(kernels);
    }
    w->stride_height = w->stride_width = problem_one_in(3) ? problem_between(2, 3) : 1;
    w->dilation_height = w->dilation_width = problem_one_in(5) ? problem_between(2, 3) : 1;
    if (problem_one_in(8)) {
        w->stride_width = problem_between(1, 4);
        w->dilation_height = problem_between(1, 3);
    }
    w->channels = PROBLEM_PICK(channels);
    conv.filters = PROBLEM_PICK(filters);
    if (problem_one_in(5)) {
        conv.groups = problem_between(2, 6);
        w->channels = conv.groups * problem_between(1, 9);
        conv.filters = conv.groups * (problem_one_in(2) ? w->channels / conv.groups : problem_between(1, 9));
    } else if (problem_one_in(6)) {
        conv.groups = conv.filters = w->channels;
    } else if (!problem_one_in(3)) {
        draw_winograd(&conv);
    }
    bool is_long = problem_one_in(10);
    if (is_long) {
        draw_long(&conv);
    } else if (problem_one_in(4)) {
        draw_deep(&conv);
    }
    size_t most = 12 + 6 * w->stride_height;
    size_t least = problem_one_in(2) ? 1 : stoa_min(most, w->kernel_height + 4 * w->stride_height);
    draw_axis(least, most, &w->height, w->kernel_height, w->stride_height, w->dilation_height, &w->pad_top,
              &w->out_height);
    draw_axis(is_long ? 150 : least, is_long || problem_one_in(6) ? 250 : most, &w->width, w->kernel_width,
              w->stride_width, w->dilation_width, &w->pad_left, &w->out_width);
    if (problem_one_in(12)) {
        draw_cover(&conv);
    } else if (problem_one_in(12)) {
        draw_dense(&conv);
    }
    return conv;
}

static size_t products_of(const struct stoa_conv *conv) {
    return stoa_conv_pixels(conv) * stoa_conv_weights(conv);
}

static float *new_numbers(size_t count, bool sparse) {
    float *numbers = guarded_new(count * sizeof *numbers);
    uint64_t key = problem_random();
    for (size_t i = 0; i < count; i++) {
        struct stoa_random4 four = stoa_philox(key, i, 6);
        numbers[i] = sparse && four.word[1] % 4 == 0 ? 0 : 2 * stoa_random_unit(four.word[0]) - 1;
    }
    return numbers;
}

/* How the operands lie: most often as they are, else in a slice of larger pixels, planar or as PyTorch has
 * them. */
static void draw_layout(struct stoa_conv *conv) {
    if (problem_one_in(2)) {
        return;
    }
    conv->x_planar = problem_one_in(3);
    conv->y_planar = problem_one_in(3);
    conv->oihw = problem_one_in(2);
    conv->x_pixel = !conv->x_planar && problem_one_in(2) ? conv->window.channels + problem_between(1, 40) : 0;
    conv->y_pixel = !conv->y_planar && problem_one_in(2) ? conv->filters + problem_between(1, 40) : 0;
}

void problem_draw(struct problem *p, uint64_t of_seed, size_t number) {
    seed = of_seed;
    drawn = (uint64_t)number << 20;
    do {
        p->conv = draw_conv();
    } while (products_of(&p->conv) > MOST_PRODUCTS);
    const struct stoa_conv *conv = &p->conv;
    const struct stoa_window *w = &conv->window;
    p->planned_batch = conv->batch + (problem_one_in(3) ? problem_between(1, 20) : 0);
    p->relu = problem_one_in(2);
    p->has_bias = !problem_one_in(3);
    p->conv.adds = problem_one_in(4);
    draw_layout(&p->conv);
    p->x_count = conv->batch * w->height * w->width * w->channels;
    p->weight_count = stoa_conv_weights(conv);
    p->y_count = stoa_conv_pixels(conv) * conv->filters;
    p->x = new_numbers(p->x_count, true);
    p->weight = new_numbers(p->weight_count, false);
    p->bias = new_numbers(conv->filters, false);
    p->dy = new_numbers(p->y_count, false);
    (void)snprintf(
        p->text, sizeof p->text,
        "seed %llu, case %zu: n%zu (planned %zu) c%zu h%zu w%zu k%zu r%zux%zu s%zux%zu pad %zu,%zu "
        "d%zux%zu g%zu out %zux%zu%s, x %zu%s, y %zu%s%s",
        (unsigned long long)seed, number, conv->batch, p->planned_batch, w->channels, w->height, w->width,
        conv->filters, w->kernel_height, w->kernel_width, w->stride_height, w->stride_width, w->pad_top,
        w->pad_left, w->dilation_height, w->dilation_width, conv->groups, w->out_height, w->out_width,
        conv->adds ? ", adds" : "", conv->x_pixel, conv->x_planar ? " planar" : "", conv->y_pixel,
        conv->y_planar ? " planar" : "", conv->oihw ? ", oihw" : "");
}

void problem_free(struct problem *p) {
    guarded_free(p->x);
    guarded_free(p->weight);
    guarded_free(p->bias);
    guarded_free(p->dy);
}

/* The float numbers, or their sizes, in double. */
static double *doubles(const float *from, size_t count, bool sizes) {
    double *to = malloc(stoa_max(1, count) * sizeof *to);
    assert_non_null(to);
    for (size_t i = 0; i < count; i++) {
        to[i] = sizes ? fabs((double)from[i]) : (double)from[i];
    }
    return to;
}

static double *zeros(size_t count) {
    double *to = calloc(stoa_max(1, count), sizeof *to);
    assert_non_null(to);
    return to;
}

static double largest(const double *values, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, values[i]);
    }
    return most;
}

/* One pass of the reference, on the numbers or on their sizes. */
static void reference(const struct problem *p, enum stoa_conv_pass pass, bool sizes, double *first,
                      double *second) {
    const struct stoa_conv *conv = &p->conv;
    const struct stoa_window *w = &conv->window;
    double *x = doubles(p->x, p->x_count, sizes);
    double *weight = doubles(p->weight, p->weight_count, sizes);
    double *bias = doubles(p->bias, conv->filters, sizes);
    double *dy = doubles(p->dy, p->y_count, sizes);
    if (pass == STOA_CONV_FORWARD) {
        stoa_reference_f64.conv2d(w, conv->batch, conv->filters, conv->groups, x, weight,
                                  p->has_bias ? bias : NULL, first);
        for (size_t i = 0; i < p->y_count && p->relu; i++) {
            first[i] = fmax(first[i], 0);
        }
    } else if (pass == STOA_CONV_BACKWARD_DATA) {
        stoa_reference_f64.conv2d_backward_data(w, conv->batch, conv->filters, conv->groups, dy, weight,
                                                first);
    } else {
        stoa_reference_f64.conv2d_backward_weights(w, conv->batch, conv->filters, conv->groups, x, dy, first);
        stoa_reference_f64.column_sums(dy, stoa_conv_pixels(conv), conv->filters, conv->filters, second);
    }
    free(x);
    free(weight);
    free(bias);
    free(dy);
}

struct expected problem_expect(const struct problem *p, enum stoa_conv_pass pass) {
    struct expected e = {.first_count = pass == STOA_CONV_FORWARD         ? p->y_count
                                        : pass == STOA_CONV_BACKWARD_DATA ? p->x_count
                                                                          : p->weight_count};
    e.second_count = pass == STOA_CONV_BACKWARD_WEIGHTS && p->has_bias ? p->conv.filters : 0;
    e.first = zeros(e.first_count);
    e.second = zeros(p->conv.filters);
    double *first = zeros(e.first_count);
    double *second = zeros(p->conv.filters);
    reference(p, pass, true, first, second);
    e.first_size = largest(first, e.first_count);
    e.second_size = largest(second, e.second_count);
    reference(p, pass, false, e.first, e.second);
    for (size_t i = 0; p->conv.adds && pass != STOA_CONV_FORWARD && i < e.first_count; i++) {
        e.first[i] += (double)PROBLEM_START;
        e.first_size = fmax(e.first_size, (double)PROBLEM_START);
    }
    for (size_t i = 0; p->conv.adds && i < e.second_count; i++) {
        e.second[i] += (double)PROBLEM_START;
        e.second_size = fmax(e.second_size, (double)PROBLEM_START);
    }
    free(first);
    free(second);
    return e;
}

void expected_free(struct expected *e) {
    free(e->first);
    free(e->second);
}

double problem_check(const struct problem *p, const char *what, const float *got, const double *want,
                     size_t count, double size, double bound) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)got[i] - want[i]);
        most = fmax(most, error);
        if (!(error <= bound * size)) {
            fail_msg("%s\n%s: number %zu of %zu is %g, expected %g within %g", p->text, what, i, count,
                     (double)got[i], want[i], bound * size);
        }
    }
    return size > 0 ? most / size : 0;
}

double problem_bound(const char *algorithm) {
    return strncmp(algorithm, "winograd6", 9) == 0  ? 4e-6
           : strncmp(algorithm, "winograd", 8) == 0 ? 2e-6
                                                    : 1e-6;
}
