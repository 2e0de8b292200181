/* SPDX-License-Identifier: MIT */
/* The bench's own oracle: single numbers of a convolution and its gradients, in double, straight from the
 * definition. It shares no code with the library. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "base/size.h"
#include "bench/layer.h"

/* Products that one verification computes at most: well under a second. */
static const size_t MOST_PRODUCTS = (size_t)1 << 25;
enum { LEAST_SAMPLES = 64, SAMPLE_KEY = 7 };

struct sum {
    double value, magnitude; /* sum(x w), sum(|x||w|) */
};

static void add(struct sum *sum, float a, float b) {
    double product = (double)a * (double)b;
    sum->value += product;
    sum->magnitude += fabs(product);
}

/* The input line (or column) that a tap reads; false in the padding. */
static bool input_of(size_t out, size_t tap, size_t stride, size_t dilation, size_t pad, size_t size,
                     size_t *in) {
    size_t padded = out * stride + tap * dilation;
    *in = padded - pad;
    return padded >= pad && padded - pad < size;
}

/* The output line (or column) that reads an input through a tap; false when none does. */
static bool output_of(size_t in, size_t tap, size_t stride, size_t dilation, size_t pad, size_t size,
                      size_t *out) {
    size_t padded = in + pad;
    if (padded < tap * dilation || (padded - tap * dilation) % stride != 0) {
        return false;
    }
    *out = (padded - tap * dilation) / stride;
    return *out < size;
}

static size_t weight_at(const struct stoa_conv *conv, size_t kh, size_t kw, size_t c, size_t k) {
    size_t channels = conv->window.channels / conv->groups;
    return ((kh * conv->window.kernel_width + kw) * channels + c) * conv->filters + k;
}

static struct sum forward_at(const struct bench_work *work, size_t index) {
    const struct stoa_conv *conv = &work->layer->conv;
    const struct stoa_window *w = &conv->window;
    size_t k = index % conv->filters, pixel = index / conv->filters;
    size_t ow = pixel % w->out_width, row = pixel / w->out_width;
    size_t oh = row % w->out_height, n = row / w->out_height;
    size_t channels = w->channels / conv->groups, first = k / (conv->filters / conv->groups) * channels;
    struct sum sum = {0};
    size_t ih, iw;
    for (size_t kh = 0; kh < w->kernel_height; kh++) {
        for (size_t kw = 0; kw < w->kernel_width; kw++) {
            if (input_of(oh, kh, w->stride_height, w->dilation_height, w->pad_top, w->height, &ih) &&
                input_of(ow, kw, w->stride_width, w->dilation_width, w->pad_left, w->width, &iw)) {
                const float *x = work->x + ((n * w->height + ih) * w->width + iw) * w->channels + first;
                for (size_t c = 0; c < channels; c++) {
                    add(&sum, x[c], work->weight[weight_at(conv, kh, kw, c, k)]);
                }
            }
        }
    }
    return sum;
}

static struct sum data_at(const struct bench_work *work, size_t rows, size_t index) {
    const struct stoa_conv *conv = &work->layer->conv;
    const struct stoa_window *w = &conv->window;
    size_t c = index % w->channels, pixel = index / w->channels;
    size_t iw = pixel % w->width, line = pixel / w->width;
    size_t ih = line % w->height, n = line / w->height;
    size_t channels = w->channels / conv->groups, filters = conv->filters / conv->groups;
    size_t first = c / channels * filters;
    struct sum sum = {0};
    size_t oh, ow;
    for (size_t kh = 0; kh < w->kernel_height; kh++) {
        for (size_t kw = 0; kw < w->kernel_width; kw++) {
            if (output_of(ih, kh, w->stride_height, w->dilation_height, w->pad_top, w->out_height, &oh) &&
                output_of(iw, kw, w->stride_width, w->dilation_width, w->pad_left, w->out_width, &ow) &&
                n * w->out_height + oh < rows) {
                const float *dy =
                    work->dy + ((n * w->out_height + oh) * w->out_width + ow) * conv->filters + first;
                for (size_t k = 0; k < filters; k++) {
                    add(&sum, dy[k], work->weight[weight_at(conv, kh, kw, c % channels, first + k)]);
                }
            }
        }
    }
    return sum;
}

static struct sum weights_at(const struct bench_work *work, size_t rows, size_t index) {
    const struct stoa_conv *conv = &work->layer->conv;
    const struct stoa_window *w = &conv->window;
    size_t channels = w->channels / conv->groups;
    size_t k = index % conv->filters, c = index / conv->filters % channels;
    size_t tap = index / conv->filters / channels;
    size_t kw = tap % w->kernel_width, kh = tap / w->kernel_width;
    size_t channel = k / (conv->filters / conv->groups) * channels + c;
    struct sum sum = {0};
    size_t ih, iw;
    for (size_t row = 0; row < rows; row++) {
        if (!input_of(row % w->out_height, kh, w->stride_height, w->dilation_height, w->pad_top, w->height,
                      &ih)) {
            continue;
        }
        const float *line = work->x + (row / w->out_height * w->height + ih) * w->width * w->channels;
        for (size_t ow = 0; ow < w->out_width; ow++) {
            if (input_of(ow, kw, w->stride_width, w->dilation_width, w->pad_left, w->width, &iw)) {
                add(&sum, line[iw * w->channels + channel],
                    work->dy[(row * w->out_width + ow) * conv->filters + k]);
            }
        }
    }
    return sum;
}

/* Numbers that the rows decide, and products behind each. */
static void sizes_of(const struct stoa_conv *conv, enum stoa_conv_pass pass, size_t rows, size_t *numbers,
                     size_t *products) {
    const struct stoa_window *w = &conv->window;
    size_t taps = w->kernel_height * w->kernel_width;
    switch (pass) {
    case STOA_CONV_FORWARD:
        *numbers = rows * w->out_width * conv->filters;
        *products = taps * w->channels / conv->groups;
        break;
    case STOA_CONV_BACKWARD_DATA:
        *numbers = stoa_ceil_div(rows, w->out_height) * w->height * w->width * w->channels;
        *products = taps * conv->filters / conv->groups;
        break;
    case STOA_CONV_BACKWARD_WEIGHTS:
        *numbers = bench_layer_weights(conv);
        *products = rows * w->out_width;
        break;
    }
}

/* The first, the last, and others spread at random but always the same. */
static size_t sample_index(size_t i, size_t samples, size_t numbers) {
    if (samples == numbers || i == 0) {
        return i;
    }
    struct stoa_random4 four = stoa_philox(SAMPLE_KEY, i, numbers);
    uint64_t word = (uint64_t)four.word[0] << 32 | four.word[1];
    return i == 1 ? numbers - 1 : (size_t)(word % numbers);
}

struct bench_error bench_verify(const struct bench_work *work, enum stoa_conv_pass pass, size_t rows,
                                const float *out, double bound) {
    size_t numbers = 0, products = 1;
    sizes_of(&work->layer->conv, pass, rows, &numbers, &products);
    size_t samples = stoa_min(numbers, stoa_max(MOST_PRODUCTS / products, LEAST_SAMPLES));
    struct bench_error error = {.bound = bound, .looked_at = samples, .of = numbers};
    double largest = 0, magnitude = 0;
    bool finite = true;
    for (size_t i = 0; i < numbers; i++) {
        finite = finite && isfinite(out[i]);
    }
    for (size_t i = 0; i < samples; i++) {
        size_t index = sample_index(i, samples, numbers);
        struct sum sum = pass == STOA_CONV_FORWARD         ? forward_at(work, index)
                         : pass == STOA_CONV_BACKWARD_DATA ? data_at(work, rows, index)
                                                           : weights_at(work, rows, index);
        largest = fmax(largest, fabs((double)out[index] - sum.value));
        magnitude = fmax(magnitude, sum.magnitude);
    }
    error.largest = finite ? (magnitude > 0 ? largest / magnitude : largest) : (double)NAN;
    error.right = error.largest <= bound; /* false for NaN */
    return error;
}

double bench_error_bound(const char *algorithm) {
    /* Of the largest sum(|x||w|); the last for any other engine's. */
    static const struct {
        const char *name;
        double bound;
    } bounds[] = {{"winograd2", 2e-6}, {"winograd4", 2e-6}, {"winograd6", 4e-6}, {"wino", 5e-6}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        if (strcasestr(algorithm, bounds[i].name)) {
            return bounds[i].bound;
        }
    }
    return 1e-6;
}

struct bench_error bench_work_verify(const struct bench *bench, const struct bench_work *work,
                                     enum stoa_conv_pass pass) {
    for (size_t i = 0; i < work->out_count[pass]; i++) {
        work->out[pass][i] = NAN;
    }
    bench_work_run(work, pass);
    work->out[pass][0] += bench->options.self_test; /* the first number is always looked at */
    return bench_verify(work, pass, bench_layer_rows(&work->layer->conv), work->out[pass],
                        bench_error_bound(work->algorithm[pass]));
}
