/* SPDX-License-Identifier: MIT */
/* Resampling, one direction after the other. A new line is a weighted sum of old lines, and each value of it
 * a weighted sum along that; the weights of a direction are computed once. */
#include "data/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

/* What of the old picture goes where in the new one, in one direction. */
struct span {
    double begin, length; /* of the old pixels */
    size_t first, count;  /* of the new ones */
};

/* The weights of old pixels `first` to `first` + `count` - 1 in a new one; they begin at weight[at]. */
struct taps {
    size_t first, count, at;
};

struct axis {
    struct taps *taps; /* of each new pixel of the span */
    float *weight;
    size_t count;
};

/* ---- where things go ---- */

/* One direction, beside the other one: `old` pixels for `room` new ones. Products of sizes are exact in
 * doubles, so that what fits exactly is seen. */
static struct span choose_span(stoa_resize how, size_t old, size_t room, size_t other_old,
                               size_t other_room) {
    struct span span = {0, (double)old, 0, room};
    const double wish = (double)room * (double)other_old, other_wish = (double)other_room * (double)old;
    if (how == STOA_RESIZE_FIT && wish > other_wish) {
        /* The other direction is the narrow one. */
        double size = round(other_wish / (double)other_old);
        span.count = size < 1 ? 1 : stoa_min((size_t)size, room);
        span.first = (room - span.count) / 2;
    } else if (how == STOA_RESIZE_CROP && wish < other_wish) {
        span.length = wish / (double)other_room;
        span.begin = ((double)old - span.length) / 2;
        /* Pixels that keep their size stay whole. */
        span.begin = wish == (double)room * (double)other_room ? floor(span.begin) : span.begin;
    }
    return span;
}

/* ---- weights ---- */

/* Shares of old pixels in the stretch from `from` to `to`, which lies in the picture but for rounding. */
static void add_area(struct axis *axis, struct taps *taps, size_t old, double from, double to) {
    size_t first = stoa_min((size_t)fmax(from, 0), old - 1);
    taps->first = first;
    for (size_t i = first; i < old && (i == first || (double)i < to - 1e-9 * (double)old); i++) {
        double share = fmin((double)i + 1, to) - fmax((double)i, from);
        axis->weight[taps->at + taps->count++] = (float)(share / (to - from));
    }
}

/* The two pixels whose centres are next to a place; at the borders one of them counts whole. */
static void add_blend(struct axis *axis, struct taps *taps, size_t old, double place) {
    double at = fmin(fmax(place - 0.5, 0), (double)(old - 1));
    taps->first = (size_t)at;
    double share = at - (double)taps->first;
    axis->weight[taps->at + taps->count++] = (float)(1 - share);
    if (share > 0) {
        axis->weight[taps->at + taps->count++] = (float)share;
    }
}

static bool make_axis(struct axis *axis, const struct span *span, size_t old) {
    double step = span->length / (double)span->count;
    size_t most = (size_t)ceil(step) + 2, bytes = 0;
    axis->count = span->count;
    axis->taps = calloc(span->count, sizeof *axis->taps);
    axis->weight = stoa_size_mul(most, span->count, &bytes) ? calloc(bytes, sizeof *axis->weight) : NULL;
    if (!axis->taps || !axis->weight) {
        return false;
    }
    for (size_t i = 0, at = 0; i < span->count; i++) {
        struct taps *taps = &axis->taps[i];
        double from = span->begin + (double)i * step;
        taps->at = at;
        if (step > 1) {
            add_area(axis, taps, old, from, from + step);
        } else {
            add_blend(axis, taps, old, from + step / 2);
        }
        at += taps->count;
    }
    return true;
}

static void free_axis(struct axis *axis) {
    free(axis->taps);
    free(axis->weight);
}

/* ---- sums ---- */

/* sum += weight * old line. */
static void add_line(const struct stoa_plane *from, size_t line, float weight, float *sum) {
    size_t values = from->width * from->channels;
    if (from->bytes) {
        const uint8_t *bytes = from->bytes + line * values;
        for (size_t i = 0; i < values; i++) {
            sum[i] += weight * (float)bytes[i];
        }
    } else {
        const float *numbers = from->numbers + line * values;
        for (size_t i = 0; i < values; i++) {
            sum[i] += weight * numbers[i];
        }
    }
}

static void put(const struct stoa_plane *to, size_t at, float value) {
    if (to->bytes) {
        to->bytes[at] = (uint8_t)fminf(255, value + 0.5F);
    } else {
        to->numbers[at] = fminf(1, value);
    }
}

/* A new line from the sum of old ones. */
static void put_line(const struct stoa_plane *to, size_t first, const struct axis *across, const float *sum) {
    for (size_t x = 0; x < across->count; x++) {
        const struct taps *taps = &across->taps[x];
        const float *weight = across->weight + taps->at;
        for (size_t c = 0; c < to->channels; c++) {
            const float *value = sum + taps->first * to->channels + c;
            float total = 0;
            for (size_t i = 0; i < taps->count; i++) {
                total += weight[i] * value[i * to->channels];
            }
            put(to, first + x * to->channels + c, total);
        }
    }
}

static void fill(const struct stoa_plane *from, const struct stoa_plane *to, const struct span span[2],
                 const struct axis axis[2], float *sum) {
    size_t values = from->width * from->channels;
    for (size_t y = 0; y < axis[0].count; y++) {
        const struct taps *taps = &axis[0].taps[y];
        memset(sum, 0, values * sizeof *sum);
        for (size_t i = 0; i < taps->count; i++) {
            add_line(from, taps->first + i, axis[0].weight[taps->at + i], sum);
        }
        put_line(to, ((span[0].first + y) * to->width + span[1].first) * to->channels, &axis[1], sum);
    }
}

/* What stands beside a picture that was fitted. */
static void clear(const struct stoa_plane *to) {
    size_t values = to->height * to->width * to->channels;
    if (to->bytes) {
        memset(to->bytes, 0, values);
    } else {
        memset(to->numbers, 0, values * sizeof *to->numbers);
    }
}

stoa_status stoa_resize_picture(stoa_context *context, const char *name, stoa_resize how,
                                const struct stoa_plane *from, const struct stoa_plane *to) {
    const struct span span[2] = {
        choose_span(how, from->height, to->height, from->width, to->width),
        choose_span(how, from->width, to->width, from->height, to->height),
    };
    struct axis axis[2] = {{.count = 0}};
    float *sum = malloc(from->width * from->channels * sizeof *sum); /* bounded by the reader */
    bool good = make_axis(&axis[0], &span[0], from->height) && make_axis(&axis[1], &span[1], from->width);
    if (good && sum) {
        clear(to);
        fill(from, to, span, axis, sum);
    }
    free_axis(&axis[0]);
    free_axis(&axis[1]);
    free(sum);
    return good && sum ? STOA_OK
                       : stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory to bring it to %zux%zu pixels",
                                   name, to->height, to->width);
}
