/* SPDX-License-Identifier: MIT */
/* The naive loops, compiled several times: BENCH_NAIVE is the name of one set of flags, BENCH_ISA the
 * instruction set they are for, and BENCH_BEST is set where the loop order is the best one rather than the
 * obvious one. One thread.
 *
 * Obvious: n, oh, ow, k, kh, kw, c with one accumulator, gradients the same loops the other way round. Best:
 * the innermost loop writes neighbours (filters, or channels for dx) without a sum through it, which
 * compilers turn into vectors. */
#include "bench/naive.h"

#define JOIN(a, b) bench_naive_##a##_##b
#define EXPANDED(a, b) JOIN(a, b)

/* The input pixel that tap (kh, kw) of output pixel (row, ow) reads; -1 in the padding. */
static inline ptrdiff_t pixel_of(const struct stoa_window *w, size_t row, size_t ow, size_t kh, size_t kw) {
    size_t ih = row % w->out_height * w->stride_height + kh * w->dilation_height - w->pad_top;
    size_t iw = ow * w->stride_width + kw * w->dilation_width - w->pad_left;
    /* Below zero wraps around and is large. */
    return ih < w->height && iw < w->width
               ? (ptrdiff_t)((row / w->out_height * w->height + ih) * w->width + iw)
               : -1;
}

#ifndef BENCH_BEST

static void forward(const struct stoa_conv *conv, size_t rows, const float *x, const float *weight,
                    float *y) {
    const struct stoa_window *w = &conv->window;
    size_t channels = w->channels / conv->groups, filters = conv->filters / conv->groups;
    for (size_t row = 0; row < rows; row++) {
        for (size_t ow = 0; ow < w->out_width; ow++) {
            for (size_t k = 0; k < conv->filters; k++) {
                const float *taps = weight + k * w->kernel_height * w->kernel_width * channels;
                float sum = 0;
                for (size_t kh = 0; kh < w->kernel_height; kh++) {
                    for (size_t kw = 0; kw < w->kernel_width; kw++) {
                        ptrdiff_t pixel = pixel_of(w, row, ow, kh, kw);
                        if (pixel >= 0) {
                            const float *in = x + (size_t)pixel * w->channels + k / filters * channels;
                            const float *tap = taps + (kh * w->kernel_width + kw) * channels;
                            for (size_t c = 0; c < channels; c++) {
                                sum += in[c] * tap[c];
                            }
                        }
                    }
                }
                y[(row * w->out_width + ow) * conv->filters + k] = sum;
            }
        }
    }
}

/* Both gradients: either dx += g * weight or dweight += g * x, over the same loops. */
static void backward(const struct stoa_conv *conv, size_t rows, const float *dy, const float *source,
                     float *out, bool to_data) {
    const struct stoa_window *w = &conv->window;
    size_t channels = w->channels / conv->groups, filters = conv->filters / conv->groups;
    for (size_t row = 0; row < rows; row++) {
        for (size_t ow = 0; ow < w->out_width; ow++) {
            for (size_t k = 0; k < conv->filters; k++) {
                float g = dy[(row * w->out_width + ow) * conv->filters + k];
                for (size_t kh = 0; kh < w->kernel_height; kh++) {
                    for (size_t kw = 0; kw < w->kernel_width; kw++) {
                        ptrdiff_t pixel = pixel_of(w, row, ow, kh, kw);
                        if (pixel >= 0) {
                            size_t image = (size_t)pixel * w->channels + k / filters * channels;
                            size_t tap = ((k * w->kernel_height + kh) * w->kernel_width + kw) * channels;
                            const float *from = source + (to_data ? tap : image);
                            float *to = out + (to_data ? image : tap);
                            for (size_t c = 0; c < channels; c++) {
                                to[c] += g * from[c];
                            }
                        }
                    }
                }
            }
        }
    }
}

static void backward_data(const struct stoa_conv *conv, size_t rows, const float *dy, const float *weight,
                          float *dx) {
    backward(conv, rows, dy, weight, dx, true);
}

static void backward_weights(const struct stoa_conv *conv, size_t rows, const float *x, const float *dy,
                             float *dweight) {
    backward(conv, rows, dy, x, dweight, false);
}

#define FILTERS_LAST                                                                                         \
    { false, false, false }

#else

/* Forward adds x[c] * weight[c][..] into a pixel's filters; backward weights adds x[c] * dy[..] into those of
 * the gradient. */
static void over_filters(const struct stoa_conv *conv, size_t rows, const float *x, const float *source,
                         float *out, bool to_output) {
    const struct stoa_window *w = &conv->window;
    size_t channels = w->channels / conv->groups, filters = conv->filters / conv->groups;
    for (size_t row = 0; row < rows; row++) {
        for (size_t ow = 0; ow < w->out_width; ow++) {
            size_t pixel_out = (row * w->out_width + ow) * conv->filters;
            for (size_t kh = 0; kh < w->kernel_height; kh++) {
                for (size_t kw = 0; kw < w->kernel_width; kw++) {
                    ptrdiff_t pixel = pixel_of(w, row, ow, kh, kw);
                    for (size_t c = 0; pixel >= 0 && c < w->channels; c++) {
                        size_t group = c / channels * filters;
                        size_t tap = ((kh * w->kernel_width + kw) * channels + c % channels) * conv->filters;
                        const float *from = source + (to_output ? tap : pixel_out) + group;
                        float *to = out + (to_output ? pixel_out : tap) + group;
                        float value = x[(size_t)pixel * w->channels + c];
                        for (size_t k = 0; k < filters; k++) {
                            to[k] += value * from[k];
                        }
                    }
                }
            }
        }
    }
}

static void forward(const struct stoa_conv *conv, size_t rows, const float *x, const float *weight,
                    float *y) {
    for (size_t i = 0; i < rows * conv->window.out_width * conv->filters; i++) {
        y[i] = 0;
    }
    over_filters(conv, rows, x, weight, y, true);
}

static void backward_weights(const struct stoa_conv *conv, size_t rows, const float *x, const float *dy,
                             float *dweight) {
    over_filters(conv, rows, x, dy, dweight, false);
}

static void backward_data(const struct stoa_conv *conv, size_t rows, const float *dy, const float *weight,
                          float *dx) {
    const struct stoa_window *w = &conv->window;
    size_t channels = w->channels / conv->groups, filters = conv->filters / conv->groups;
    for (size_t row = 0; row < rows; row++) {
        for (size_t ow = 0; ow < w->out_width; ow++) {
            const float *g = dy + (row * w->out_width + ow) * conv->filters;
            for (size_t kh = 0; kh < w->kernel_height; kh++) {
                for (size_t kw = 0; kw < w->kernel_width; kw++) {
                    ptrdiff_t pixel = pixel_of(w, row, ow, kh, kw);
                    for (size_t k = 0; pixel >= 0 && k < conv->filters; k++) {
                        float *to = dx + (size_t)pixel * w->channels + k / filters * channels;
                        const float *from =
                            weight + ((k * w->kernel_height + kh) * w->kernel_width + kw) * channels;
                        for (size_t c = 0; c < channels; c++) {
                            to[c] += g[k] * from[c];
                        }
                    }
                }
            }
        }
    }
}

#define FILTERS_LAST                                                                                         \
    { true, false, true }

#endif

#define TEXT(name) #name
#define EXPANDED_TEXT(name) TEXT(name)

const struct bench_naive EXPANDED(BENCH_NAIVE, BENCH_ISA) = {
    .name = BENCH_NAIVE_NAME,
    .isa = EXPANDED_TEXT(BENCH_ISA),
    .key = "speedup_over_naive_" EXPANDED_TEXT(BENCH_NAIVE),
    .filters_last = FILTERS_LAST,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
