/* SPDX-License-Identifier: MIT */
/* Drawn digits, so that everything can be tried without data: strokes of pen on 20/28 of the picture, each
 * sample with its own slant, size, place, thickness, tremble and noise. A sample follows from the seed and
 * its number alone, by sums, products, quotients and roots, which are the same on every machine. */
#include <math.h>

#include "base/float_state.h"
#include "base/random.h"
#include "base/size.h"
#include "data/dataset.h"

/* Points of strokes on a grid of 6 x 10; digits of several strokes go back over what is drawn. */
struct point {
    float x, y;
};
enum { MOST_POINTS = 18 };

/* clang-format off */
static const struct glyph {
    size_t count;
    struct point point[MOST_POINTS];
} glyphs[10] = {
    {11, {{3, 0}, {5, 1}, {6, 3}, {6, 7}, {5, 9}, {3, 10}, {1, 9}, {0, 7}, {0, 3}, {1, 1}, {3, 0}}},
    {3, {{1, 2}, {3, 0}, {3, 10}}},
    {8, {{0, 2}, {1, 0.5F}, {3, 0}, {5, 0.7F}, {6, 2.5F}, {5, 5}, {0, 10}, {6, 10}}},
    {12, {{0, 1}, {2, 0}, {4.5F, 0.3F}, {5.5F, 2.2F}, {4.5F, 4.3F}, {2.5F, 4.8F}, {5, 5.5F}, {6, 7.5F},
          {5, 9.5F}, {2.5F, 10}, {1, 9.8F}, {0, 9}}},
    {4, {{4.5F, 10}, {4.5F, 0}, {0, 7}, {6, 7}}},
    {9, {{5.5F, 0}, {1, 0}, {0.5F, 4.5F}, {3, 4}, {5.5F, 5.2F}, {6, 7.2F}, {5, 9.3F}, {2.5F, 10}, {0, 9}}},
    {11, {{5, 0.3F}, {2.5F, 1.5F}, {0.7F, 4.5F}, {0.2F, 7.5F}, {1.2F, 9.5F}, {3, 10}, {5, 9.3F}, {5.8F, 7.4F},
          {4.8F, 5.4F}, {3, 5}, {0.8F, 6.3F}}},
    {3, {{0, 0}, {6, 0}, {2.5F, 10}}},
    {17, {{3, 4.8F}, {1, 3.8F}, {0.6F, 2}, {1.5F, 0.4F}, {3, 0}, {4.5F, 0.4F}, {5.4F, 2}, {5, 3.8F},
          {3, 4.8F}, {0.8F, 6}, {0.2F, 7.8F}, {1.2F, 9.5F}, {3, 10}, {4.8F, 9.5F}, {5.8F, 7.8F}, {5.2F, 6},
          {3, 4.8F}}},
    {11, {{5.5F, 3.5F}, {4, 4.8F}, {2, 4.7F}, {0.7F, 3.2F}, {0.8F, 1.2F}, {2.5F, 0}, {4.5F, 0.4F}, {5.6F, 2},
          {5.5F, 5}, {4.5F, 8}, {3, 10}}},
};
/* clang-format on */

/* The points of a digit in pixels. */
static void place(struct stoa_random_sequence *chance, const struct glyph *glyph, float height, float width,
                  struct point out[MOST_POINTS]) {
    float unit = (height < width ? height : width) / 28; /* MNIST's pixel */
    float tall = stoa_random_between(chance, 1.7F, 2.1F) * unit,
          wide = tall * stoa_random_between(chance, 0.8F, 1.15F);
    float slant = stoa_random_between(chance, -0.25F, 0.3F);
    float x0 = width / 2 + stoa_random_between(chance, -2, 2) * unit,
          y0 = height / 2 + stoa_random_between(chance, -2, 2) * unit;
    for (size_t i = 0; i < glyph->count; i++) {
        float x = glyph->point[i].x - 3 + stoa_random_between(chance, -0.35F, 0.35F);
        float y = glyph->point[i].y - 5 + stoa_random_between(chance, -0.35F, 0.35F);
        out[i] = (struct point){x0 + x * wide - y * slant * wide, y0 + y * tall};
    }
}

/* Distance of a point from a line between two others. */
static float distance(struct point p, struct point a, struct point b) {
    float dx = b.x - a.x, dy = b.y - a.y;
    float length = dx * dx + dy * dy;
    float t = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    float x = p.x - (a.x + t * dx), y = p.y - (a.y + t * dy);
    return sqrtf(x * x + y * y);
}

/* Pixels from `low` - reach to `high` + reach, within the picture. */
static void clip(float low, float high, float reach, size_t size, size_t *first, size_t *end) {
    float from = floorf((low < high ? low : high) - reach), to = ceilf((low < high ? high : low) + reach);
    *first = from > 0 ? stoa_min((size_t)from, size) : 0;
    *end = to > 0 ? stoa_min((size_t)to, size) : 0;
}

/* A line with soft edges; where lines meet the brighter one counts. */
static void draw_line(struct point a, struct point b, float thickness, float ink, size_t height, size_t width,
                      uint8_t *out) {
    size_t top, bottom, left, right;
    clip(a.y, b.y, thickness + 1, height, &top, &bottom);
    clip(a.x, b.x, thickness + 1, width, &left, &right);
    for (size_t y = top; y < bottom; y++) {
        for (size_t x = left; x < right; x++) {
            float value = thickness + 0.5F - distance((struct point){(float)x + 0.5F, (float)y + 0.5F}, a, b);
            float shade = ink * (value < 0 ? 0 : value > 1 ? 1 : value);
            uint8_t *pixel = out + y * width + x;
            *pixel = shade > (float)*pixel ? (uint8_t)shade : *pixel;
        }
    }
}

static void add_noise(struct stoa_random_sequence *chance, unsigned most, uint8_t *out, size_t count) {
    uint32_t word = 0;
    for (size_t i = 0; i < count; i++) {
        word = i % 4 == 0 ? stoa_random_next(chance) : word >> 8;
        unsigned value = out[i] + (word & 0xFF) * most / 255;
        out[i] = (uint8_t)(value > 255 ? 255 : value);
    }
}

static void draw(uint64_t seed, size_t number, size_t height, size_t width, uint8_t *out) {
    struct stoa_random_sequence chance = {.key = seed,
                                          .stream = stoa_random_stream_id(STOA_RANDOM_DIGITS, number)};
    const struct glyph *glyph = &glyphs[number % 10];
    struct point point[MOST_POINTS] = {{0, 0}};
    float unit = (float)stoa_min(height, width) / 28;
    for (size_t i = 0; i < height * width; i++) {
        out[i] = 0;
    }
    place(&chance, glyph, (float)height, (float)width, point);
    float thickness = stoa_random_between(&chance, 0.6F, 1.5F) * unit,
          ink = stoa_random_between(&chance, 160, 255);
    unsigned most = stoa_random_next(&chance) % 48;
    for (size_t i = 0; i + 1 < glyph->count; i++) {
        draw_line(point[i], point[i + 1], thickness, ink, height, width, out);
    }
    add_noise(&chance, most, out, height * width);
}

stoa_status stoa_dataset_draw_digits(stoa_context *context, size_t count, size_t height, size_t width,
                                     uint64_t seed, stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    if (count == 0 || height < 8 || width < 8 || height > 1024 || width > 1024) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "digits: %zu pictures of %zux%zu pixels, expected at least one, of 8x8 to 1024x1024",
                         count, height, width);
    }
    struct stoa_store *store = stoa_store_create(context, "digits");
    if (!store) {
        return STOA_ERR_MEMORY;
    }
    store->type = STOA_SAMPLE_U8;
    store->height = height;
    store->width = width;
    store->channels = 1;
    store->classes = 10;
    stoa_status status = stoa_store_allocate(store, "digits", count);
    for (size_t i = 0; status == STOA_OK && i < count; i++) {
        draw(seed, i, height, width, (uint8_t *)store->samples_memory.data + i * height * width);
        ((int32_t *)store->labels_memory.data)[i] = (int32_t)(i % 10);
    }
    if (status != STOA_OK) {
        stoa_store_release(store);
        return status;
    }
    return stoa_dataset_over(store, dataset);
}
