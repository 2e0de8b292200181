/* SPDX-License-Identifier: MIT */
/* Values of a model as pixels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/page_part.h"

/* Numbers of a fact that are separated by spaces, one for each of `count` channels or one for all; `other`
 * where the fact has none. NULL when memory is short. */
static float *read_numbers(const stoa_model *model, const char *key, size_t count, float other) {
    const char *text = stoa_model_fact(model, key);
    float *numbers = calloc(count, sizeof *numbers);
    size_t read = 0;
    for (const char *at = text; numbers && at && read < count; read++) {
        char *end;
        numbers[read] = strtof(at, &end);
        if (end == at) {
            break;
        }
        at = end;
    }
    for (size_t i = read; numbers && i < count; i++) {
        numbers[i] = read == 1 ? numbers[0] : other;
    }
    return numbers;
}

bool report_pixels_open(const stoa_model *model, struct report_pixels *pixels) {
    *pixels = (struct report_pixels){0};
    stoa_model_input_shape(model, &pixels->height, &pixels->width, &pixels->channels);
    pixels->is_picture = pixels->height > 1 && pixels->width > 1;
    pixels->shown = pixels->channels == 3 ? 3 : 1;
    pixels->mean = read_numbers(model, "data.mean", pixels->channels, 0);
    pixels->deviation = read_numbers(model, "data.deviation", pixels->channels, 1);
    float *range = read_numbers(model, "data.range", 2, 0);
    bool good = pixels->mean && pixels->deviation && range;
    if (good && isfinite(range[1] - range[0]) && range[1] > range[0]) {
        pixels->low = range[0];
        pixels->high = range[1];
    }
    free(range);
    if (!good) {
        report_pixels_close(pixels);
    }
    return good;
}

void report_pixels_close(struct report_pixels *pixels) {
    free(pixels->mean);
    free(pixels->deviation);
    pixels->mean = pixels->deviation = NULL;
}

float report_pixels_value(const struct report_pixels *pixels, const float *sample, size_t at) {
    size_t channel = at % pixels->channels;
    return sample[at] * pixels->deviation[channel] + pixels->mean[channel];
}

static unsigned char to_byte(float value, float low, float high) {
    float share = (value - low) / (high - low);
    return (unsigned char)lrintf(255 * (share > 0 ? share < 1 ? share : 1 : 0)); /* NaN is black */
}

void report_pixels_of(const struct report_pixels *pixels, const float *sample, unsigned char *out) {
    size_t count = pixels->height * pixels->width;
    float low = pixels->low, high = pixels->high;
    if (!(high > low)) {
        low = HUGE_VALF;
        high = -HUGE_VALF;
        for (size_t i = 0; i < count * pixels->channels; i++) {
            float value = report_pixels_value(pixels, sample, i);
            low = fminf(low, value);
            high = fmaxf(high, value);
        }
    }
    for (size_t i = 0; i < count * pixels->shown; i++) {
        size_t at = i / pixels->shown * pixels->channels + i % pixels->shown;
        out[i] = high > low ? to_byte(report_pixels_value(pixels, sample, at), low, high) : 0;
    }
}

void report_grey(const float *values, size_t count, size_t stride, bool around_zero, unsigned char *out) {
    float low = HUGE_VALF, high = -HUGE_VALF;
    for (size_t i = 0; i < count; i++) {
        float value = values[i * stride];
        low = isfinite(value) ? fminf(low, value) : low;
        high = isfinite(value) ? fmaxf(high, value) : high;
    }
    if (around_zero) {
        high = fmaxf(fabsf(low), fabsf(high));
        low = -high;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = high > low ? to_byte(values[i * stride], low, high) : around_zero ? 128 : 0;
    }
}
