/* Depthwise convolution, one filter a channel, and its gradients; vectors along the channels. Floor 1. */
#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/span.h"

/* The taps of one pixel: x advances with the image, the weights with the kernel. */
struct taps {
    const float *x, *weight;
    ptrdiff_t x_line, x_tap;
    ptrdiff_t weight_line, weight_tap;
    size_t lines, width;
};

/* y[c] = bias[c] + sum over taps, for `channels` channels. */
STOA_INLINE void sum_taps(struct taps t, size_t channels, const float *bias, float *restrict y) {
    size_t c = 0;
    for (; c + STOA_LANES <= channels; c += STOA_LANES) {
        stoa_vec sum = {0};
        if (bias != NULL) {
            sum = STOA_LOAD(stoa_vec, bias + c);
        }
        for (size_t i = 0; i < t.lines; i++) {
            const float *x = t.x + (ptrdiff_t)i * t.x_line + c;
            const float *weight = t.weight + (ptrdiff_t)i * t.weight_line + c;
            for (size_t j = 0; j < t.width; j++, x += t.x_tap, weight += t.weight_tap) {
                sum += STOA_LOAD(stoa_vec, x) * STOA_LOAD(stoa_vec, weight);
            }
        }
        STOA_STORE(stoa_vec, y + c, sum);
    }
    for (; c < channels; c++) {
        float sum = bias != NULL ? bias[c] : 0;
        for (size_t i = 0; i < t.lines; i++) {
            const float *x = t.x + (ptrdiff_t)i * t.x_line + c;
            const float *weight = t.weight + (ptrdiff_t)i * t.weight_line + c;
            for (size_t j = 0; j < t.width; j++, x += t.x_tap, weight += t.weight_tap) {
                sum += *x * *weight;
            }
        }
        y[c] = sum;
    }
}

void STOA_KERNEL(depthwise)(const struct stoa_window *w, const float *x, const float *weight,
                            const float *bias, size_t first_row, size_t rows, float *y) {
    size_t channels = w->channels;
    size_t line_floats = w->width * channels;
    for (size_t r = first_row; r < first_row + rows; r++) {
        const float *image = x + r / w->out_height * w->height * line_floats;
        struct stoa_span v = stoa_span_of(r % w->out_height, w->stride_height, w->pad_top, w->kernel_height,
                                          w->dilation_height, w->height);
        for (size_t ow = 0; ow < w->out_width; ow++, y += channels) {
            struct stoa_span h =
                stoa_span_of(ow, w->stride_width, w->pad_left, w->kernel_width, w->dilation_width, w->width);
            struct taps t = {
                .x = image + v.start * line_floats + h.start * channels,
                .weight = weight + (v.first * w->kernel_width + h.first) * channels,
                .x_line = (ptrdiff_t)(w->dilation_height * line_floats),
                .x_tap = (ptrdiff_t)(w->dilation_width * channels),
                .weight_line = (ptrdiff_t)(w->kernel_width * channels),
                .weight_tap = (ptrdiff_t)channels,
                .lines = v.end - v.first,
                .width = h.end - h.first,
            };
            sum_taps(t, channels, bias, y);
        }
    }
}

/* Without strides an input pixel's gradient is again a sum over taps: going down the kernel goes up in dy. */
static void backward_data_gather(const struct stoa_window *w, const float *dy, const float *weight,
                                 float *restrict dx) {
    size_t channels = w->channels;
    for (size_t ih = 0; ih < w->height; ih++) {
        size_t bottom = ih + w->pad_top; /* output row of tap 0 */
        size_t kh = bottom >= w->out_height ? bottom - w->out_height + 1 : 0;
        size_t kh_end = stoa_max(kh, stoa_min(w->kernel_height, bottom + 1));
        for (size_t iw = 0; iw < w->width; iw++, dx += channels) {
            size_t right = iw + w->pad_left;
            size_t kw = right >= w->out_width ? right - w->out_width + 1 : 0;
            size_t kw_end = stoa_max(kw, stoa_min(w->kernel_width, right + 1));
            if (kh == kh_end || kw == kw_end) {
                memset(dx, 0, channels * sizeof *dx);
                continue;
            }
            struct taps t = {
                .x = dy + ((bottom - kh) * w->out_width + right - kw) * channels,
                .weight = weight + (kh * w->kernel_width + kw) * channels,
                .x_line = -(ptrdiff_t)(w->out_width * channels),
                .x_tap = -(ptrdiff_t)channels,
                .weight_line = (ptrdiff_t)(w->kernel_width * channels),
                .weight_tap = (ptrdiff_t)channels,
                .lines = kh_end - kh,
                .width = kw_end - kw,
            };
            sum_taps(t, channels, NULL, dx);
        }
    }
}

static void backward_data_scatter(const struct stoa_window *w, const float *dy, const float *weight,
                                  float *restrict dx) {
    size_t channels = w->channels;
    memset(dx, 0, w->height * w->width * channels * sizeof *dx);
    for (size_t oh = 0; oh < w->out_height; oh++) {
        struct stoa_span v =
            stoa_span_of(oh, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
        for (size_t ow = 0; ow < w->out_width; ow++, dy += channels) {
            struct stoa_span h =
                stoa_span_of(ow, w->stride_width, w->pad_left, w->kernel_width, w->dilation_width, w->width);
            for (size_t kh = v.first; kh < v.end; kh++) {
                for (size_t kw = h.first; kw < h.end; kw++) {
                    size_t ih = v.start + (kh - v.first) * w->dilation_height;
                    size_t iw = h.start + (kw - h.first) * w->dilation_width;
                    float *restrict to = dx + (ih * w->width + iw) * channels;
                    const float *restrict tap = weight + (kh * w->kernel_width + kw) * channels;
#pragma omp simd
                    for (size_t c = 0; c < channels; c++) {
                        to[c] += dy[c] * tap[c];
                    }
                }
            }
        }
    }
}

void STOA_KERNEL(depthwise_backward_data)(const struct stoa_window *w, const float *dy, const float *weight,
                                          float *dx) {
    if (w->stride_height == 1 && w->stride_width == 1 && w->dilation_height == 1 && w->dilation_width == 1) {
        backward_data_gather(w, dy, weight, dx);
    } else {
        backward_data_scatter(w, dy, weight, dx);
    }
}

/* to[c] += sum over `pixels` of x[c] * dy[c]: the tap's gradient from one output row, summed apart before it
 * is added, which keeps long sums accurate. */
STOA_INLINE void tap_gradient(const float *restrict x, size_t x_step, const float *restrict dy, size_t pixels,
                              size_t channels, float *restrict to) {
    size_t c = 0;
    for (; c + STOA_LANES <= channels; c += STOA_LANES) {
        stoa_vec sum = {0};
        for (size_t p = 0; p < pixels; p++) {
            sum += STOA_LOAD(stoa_vec, x + p * x_step + c) * STOA_LOAD(stoa_vec, dy + p * channels + c);
        }
        STOA_STORE(stoa_vec, to + c, STOA_LOAD(stoa_vec, to + c) + sum);
    }
    for (; c < channels; c++) {
        float sum = 0;
        for (size_t p = 0; p < pixels; p++) {
            sum += x[p * x_step + c] * dy[p * channels + c];
        }
        to[c] += sum;
    }
}

void STOA_KERNEL(depthwise_backward_weights)(const struct stoa_window *w, const float *x, const float *dy,
                                             size_t first_row, size_t rows, float *dweight) {
    size_t channels = w->channels;
    size_t line_floats = w->width * channels;
    for (size_t r = first_row; r < first_row + rows; r++, dy += w->out_width * channels) {
        const float *image = x + r / w->out_height * w->height * line_floats;
        struct stoa_span v = stoa_span_of(r % w->out_height, w->stride_height, w->pad_top, w->kernel_height,
                                          w->dilation_height, w->height);
        for (size_t kh = v.first; kh < v.end; kh++) {
            const float *line = image + (v.start + (kh - v.first) * w->dilation_height) * line_floats;
            for (size_t kw = 0; kw < w->kernel_width; kw++) {
                /* Output pixels whose tap kw lies inside the image: the same question with the roles of
                 * kernel and output exchanged. */
                struct stoa_span o =
                    stoa_span_of(kw, w->dilation_width, w->pad_left, w->out_width, w->stride_width, w->width);
                tap_gradient(line + o.start * channels, w->stride_width * channels, dy + o.first * channels,
                             o.end - o.first, channels, dweight + (kh * w->kernel_width + kw) * channels);
            }
        }
    }
}
