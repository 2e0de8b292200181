/* SPDX-License-Identifier: MIT */
/* Arrays with canaries, random inputs, window cases and comparison for the kernel tests. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/size.h"
#include "tests/kernels/kernel_test.h"

enum { GUARD = 37, MAX_BLOCKS = 256 };
static const uint32_t canary = 0x7FA5C3E1U; /* a NaN that no arithmetic produces */

static void *blocks[MAX_BLOCKS];
static size_t block_count;
static uint64_t seed_now;
static uint64_t draws;

const size_t test_sizes[] = {0,   1,   2,   3,   4,   5,   6,    7,    8,    9,    15,   16,  17, 23,
                             24,  25,  31,  32,  33,  47,  48,   63,   64,   65,   79,   80,  81, 127,
                             128, 129, 255, 256, 257, 511, 1000, 1023, 1024, 1025, 2049, 5003};
const size_t test_size_count = sizeof test_sizes / sizeof *test_sizes;

void random_seed(uint64_t seed) {
    seed_now = seed;
    draws = 0;
}

uint64_t random_bits(void) {
    struct stoa_random4 r = stoa_philox(seed_now, draws++, 99);
    return (uint64_t)r.word[0] << 32 | r.word[1];
}

size_t random_size(size_t low, size_t high) {
    return low + (size_t)(random_bits() % (high - low + 1));
}

static void *allocate(size_t bytes) {
    assert_true(block_count < MAX_BLOCKS);
    void *memory = malloc(bytes);
    assert_non_null(memory);
    blocks[block_count++] = memory;
    return memory;
}

void arrays_release(void) {
    while (block_count > 0) {
        free(blocks[--block_count]);
    }
}

void *input_block(size_t bytes) {
    return allocate(bytes + (bytes == 0));
}

static struct array input_array(size_t n) {
    size_t offset = random_size(0, 15);
    float *f = allocate((offset + n + (n == 0)) * sizeof *f);
    double *d = allocate((n + 1) * sizeof *d);
    return (struct array){f + offset, d, n};
}

struct array input_random(size_t n, float low, float high) {
    struct array a = input_array(n);
    for (size_t i = 0; i < n; i++) {
        a.f[i] = low + (high - low) * stoa_random_unit((uint32_t)random_bits());
        a.d[i] = (double)a.f[i];
    }
    return a;
}

struct array input_integers(size_t n, int low, int high) {
    struct array a = input_array(n);
    for (size_t i = 0; i < n; i++) {
        a.f[i] = (float)(low + (int)random_size(0, (size_t)(high - low)));
        a.d[i] = (double)a.f[i];
    }
    return a;
}

static struct array output_array(size_t n) {
    size_t offset = GUARD + random_size(0, 15);
    float *f = allocate((offset + n + GUARD) * sizeof *f);
    double *d = allocate((n + 1) * sizeof *d);
    for (size_t i = 0; i < GUARD; i++) {
        memcpy(f + offset - GUARD + i, &canary, sizeof canary);
        memcpy(f + offset + n + i, &canary, sizeof canary);
    }
    return (struct array){f + offset, d, n};
}

struct array output_unset(size_t n) {
    struct array a = output_array(n);
    for (size_t i = 0; i < n; i++) {
        a.f[i] = NAN;
        a.d[i] = 1e300; /* never mistaken for what the float side left unset */
    }
    return a;
}

struct array output_copy(struct array from) {
    struct array a = output_array(from.n);
    memcpy(a.f, from.f, from.n * sizeof *a.f);
    memcpy(a.d, from.d, from.n * sizeof *a.d);
    return a;
}

void sprinkle(struct array *a, float value, size_t every) {
    for (size_t i = random_size(0, every); i < a->n; i += random_size(1, 2 * every)) {
        a->f[i] = value;
        a->d[i] = (double)value;
    }
}

struct array input_logits(size_t number, size_t n) {
    float range = number % 3 == 0 ? 3 : number % 3 == 1 ? 60 : 500;
    struct array x = input_random(n, -range, range);
    if (number % 4 == 1) {
        sprinkle(&x, -INFINITY, 20);
    }
    if (number % 4 == 2) {
        sprinkle(&x, NAN, 100);
    }
    if (number % 4 == 3) {
        sprinkle(&x, INFINITY, 200);
    }
    return x;
}

void check_canaries(const char *what, struct array a) {
    for (size_t i = 0; i < GUARD; i++) {
        if (memcmp(a.f - GUARD + i, &canary, sizeof canary) != 0) {
            fail_msg("%s: wrote %zu floats before the output", what, GUARD - i);
        }
        if (memcmp(a.f + a.n + i, &canary, sizeof canary) != 0) {
            fail_msg("%s: wrote %zu floats past the output of %zu", what, i + 1, a.n);
        }
    }
}

static void check_number(const char *what, const struct subject *s, double got, double want, double slack,
                         size_t i, size_t n) {
    bool same;
    if (isnan(want)) {
        same = isnan(got);
    } else if (isinf(want)) {
        same = got == want;
    } else {
        same = fabs(got - want) <= s->slack * slack; /* false for NaN */
    }
    if (!same) {
        fail_msg("%s (%s): element %zu of %zu is %.9g, not %.9g", what, s->name, i, n, got, want);
    }
}

void check_close(const char *what, const struct subject *s, struct array a, double absolute,
                 double relative) {
    for (size_t i = 0; i < a.n; i++) {
        check_number(what, s, (double)a.f[i], a.d[i], absolute + relative * fabs(a.d[i]), i, a.n);
    }
    check_canaries(what, a);
}

void check_doubles(const char *what, const struct subject *s, const double *found, const double *expected,
                   size_t n, double absolute, double relative) {
    for (size_t i = 0; i < n; i++) {
        check_number(what, s, found[i], expected[i], absolute + relative * fabs(expected[i]), i, n);
    }
}

void check_exact(const char *what, const struct subject *s, struct array a) {
    struct subject strict = *s;
    strict.slack = 1;
    check_close(what, &strict, a, 0, 0);
}

size_t image_floats(const struct stoa_window *w) {
    return w->height * w->width * w->channels;
}

size_t output_floats(const struct stoa_window *w) {
    return w->out_height * w->out_width * w->channels;
}

/* Height, width, channels, kernel, stride, dilation, padding of layers that occur; square kernels. */
static const size_t known[][7] = {
    {28, 28, 1, 5, 1, 1, 2},   {14, 14, 6, 5, 1, 1, 0},  {5, 5, 16, 5, 1, 1, 0},   {28, 28, 1, 3, 1, 1, 0},
    {26, 26, 16, 3, 1, 1, 0},  {8, 8, 64, 3, 1, 1, 1},   {27, 27, 3, 5, 1, 1, 2},  {40, 41, 3, 7, 2, 1, 3},
    {28, 28, 6, 2, 2, 1, 0},   {10, 10, 16, 2, 2, 1, 0}, {11, 13, 7, 2, 2, 1, 0},  {9, 9, 16, 3, 2, 1, 1},
    {12, 300, 16, 3, 1, 1, 1}, {6, 600, 3, 5, 1, 1, 2},  {3, 1000, 1, 3, 1, 1, 1}, {7, 7, 33, 7, 1, 1, 0},
    {10, 10, 24, 1, 1, 1, 0},  {9, 9, 1, 1, 1, 1, 0},    {9, 9, 2, 1, 2, 1, 0},    {16, 16, 4, 3, 1, 2, 2},
    {14, 14, 1, 9, 1, 1, 4},   {13, 13, 20, 5, 1, 1, 2}, {64, 64, 3, 3, 1, 1, 1},
};

static const size_t channel_counts[] = {1,  1,  2,  3,  4,  5,  6,  6,  7,  8,  9, 12,
                                        15, 16, 16, 17, 24, 31, 32, 33, 48, 64, 65};

static void random_axis(size_t *size, size_t *kernel, size_t *stride, size_t *dilation, size_t *pad,
                        size_t *back, size_t *out) {
    *size = random_size(1, 13);
    *kernel = random_size(1, 5);
    *stride = random_size(0, 1) ? 1 : random_size(1, 4);
    *dilation = random_size(0, 2) ? 1 : random_size(1, 3);
    size_t reach = (*kernel - 1) * *dilation + 1;
    *pad = random_size(0, 1) ? 0 : random_size(0, reach);
    size_t after = random_size(0, reach);
    size_t padded = stoa_max(*size + *pad + after, reach);
    *out = (padded - reach) / *stride + 1;
    *back = *out % 2 ? after : after / 2; /* some windows hang over the padding's end */
}

void take_part(struct stoa_window *w) {
    w->out_left = random_size(0, w->out_width - 1);
    w->out_width = random_size(1, w->out_width - w->out_left);
}

struct window_case window_case(size_t number) {
    struct window_case t = {.batch = random_size(1, 3)};
    struct stoa_window *w = &t.w;
    if (number < sizeof known / sizeof *known) {
        const size_t *k = known[number];
        size_t reach = (k[3] - 1) * k[5] + 1;
        *w = (struct stoa_window){k[0],
                                  k[1],
                                  k[2],
                                  k[3],
                                  k[3],
                                  k[4],
                                  k[4],
                                  k[5],
                                  k[5],
                                  k[6],
                                  k[6],
                                  k[6],
                                  k[6],
                                  (k[0] + 2 * k[6] - reach) / k[4] + 1,
                                  (k[1] + 2 * k[6] - reach) / k[4] + 1,
                                  0};
    } else {
        w->channels = channel_counts[random_size(0, sizeof channel_counts / sizeof *channel_counts - 1)];
        random_axis(&w->height, &w->kernel_height, &w->stride_height, &w->dilation_height, &w->pad_top,
                    &w->pad_bottom, &w->out_height);
        random_axis(&w->width, &w->kernel_width, &w->stride_width, &w->dilation_width, &w->pad_left,
                    &w->pad_right, &w->out_width);
    }
    t.first_row = random_size(0, t.batch * w->out_height - 1);
    t.rows = random_size(1, t.batch * w->out_height - t.first_row);
    if (number % 3 == 0) { /* whole batches occur most */
        t.first_row = 0;
        t.rows = t.batch * w->out_height;
    }
    /* The batch ends with the last row, so that a sanitizer sees reads beyond. */
    t.batch = (t.first_row + t.rows + w->out_height - 1) / w->out_height;
    t.channels = w->channels;
    if (random_size(0, 2) == 0 && number >= sizeof known / sizeof *known) {
        t.channels = random_size(1, w->channels);
        t.channel0 = random_size(0, w->channels - t.channels);
    }
    return t;
}

static const size_t row_counts[] = {1, 2, 3, 5, 8, 17, 63, 64, 65, 127, 128, 129, 200, 385};
static const size_t column_counts[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 12,  15,  16,  17, 20,
                                       31, 32, 33, 48, 63, 64, 65, 67, 80, 97, 128, 130, 192, 257};
enum { ROW_COUNTS = sizeof row_counts / sizeof *row_counts };
enum { COLUMN_COUNTS = sizeof column_counts / sizeof *column_counts };
const size_t row_shapes = (size_t)ROW_COUNTS * COLUMN_COUNTS;

void row_shape(size_t number, size_t *rows, size_t *columns) {
    *rows = row_counts[number / COLUMN_COUNTS];
    *columns = column_counts[number % COLUMN_COUNTS];
}
