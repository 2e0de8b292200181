/* SPDX-License-Identifier: MIT */
/* Bilinear resampling of NHWC images. All moves of a sample are one map, so that it is blurred once. */
#include "data/warp.h"

#include <math.h>

/* Content is moved by M = rotation x slant x scale x mirror, so pixels look back through its inverse. In
 * pixels y points down: against the clock is (x cos + y sin, -x sin + y cos). */
struct stoa_affine stoa_affine_make(const struct stoa_placement *p) {
    float s = sinf(p->rotate), c = cosf(p->rotate), slant = tanf(p->shear);
    float mirror = p->flip ? -1.0F : 1.0F;
    /* Undo the rotation, then the slant (x grows by `slant` a row upwards), then scale and mirror. */
    struct stoa_affine back = {.yy = c / p->scale, .yx = s / p->scale};
    back.xy = mirror * (-s + slant * c) / p->scale;
    back.xx = mirror * (c + slant * s) / p->scale;
    back.dy = -back.yy * p->down - back.yx * p->right;
    back.dx = -back.xy * p->down - back.xx * p->right;
    return back;
}

size_t stoa_field_nodes(size_t pixels, size_t step) {
    return (pixels - 1) / step + 4;
}

/* Weights of the four nodes around a point at `t`, from 0 to 1, between the second and the third. */
static void spline(float t, float weight[4]) {
    float u = 1 - t;
    weight[0] = u * u * u / 6;
    weight[1] = (3 * t * t * t - 6 * t * t + 4) / 6;
    weight[2] = (3 * u * u * u - 6 * u * u + 4) / 6;
    weight[3] = t * t * t / 6;
}

/* The field along one line of pixels, at its nodes: rows become one. */
static void field_row(const struct stoa_field *field, size_t y) {
    float weight[4];
    size_t first = y / field->step, columns = field->columns;
    spline((float)(y % field->step) / (float)field->step, weight);
    for (size_t i = 0; i < columns; i++) {
        float down = 0, right = 0;
        for (size_t k = 0; k < 4; k++) {
            down += weight[k] * field->down[(first + k) * columns + i];
            right += weight[k] * field->right[(first + k) * columns + i];
        }
        field->row[i] = down;
        field->row[columns + i] = right;
    }
}

static void field_at(const struct stoa_field *field, size_t x, float *down, float *right) {
    float weight[4];
    const float *row = field->row + x / field->step;
    spline((float)(x % field->step) / (float)field->step, weight);
    for (size_t k = 0; k < 4; k++) {
        *down += weight[k] * row[k];
        *right += weight[k] * row[field->columns + k];
    }
}

/* One pixel's neighbours, for all channels. */
static void sample(const struct stoa_augment_shape *shape, float y, float x, const float *fill,
                   const float *from, float *to) {
    size_t height = shape->height, width = shape->width, channels = shape->channels;
    /* Written so that what is not a number is outside too. */
    if (!(y > -1 && x > -1 && y < (float)height && x < (float)width)) {
        for (size_t c = 0; c < channels; c++) {
            to[c] = fill[c];
        }
        return;
    }
    long row = (long)y, column = (long)x;
    row -= y < (float)row; /* floorf() would be a call */
    column -= x < (float)column;
    float down = y - (float)row, right = x - (float)column;
    const float *at[4];
    for (long k = 0; k < 4; k++) {
        long r = row + k / 2, s = column + k % 2;
        bool inside = r >= 0 && s >= 0 && r < (long)height && s < (long)width;
        at[k] = inside ? from + ((size_t)r * width + (size_t)s) * channels : fill;
    }
    for (size_t c = 0; c < channels; c++) {
        float above = at[0][c] + right * (at[1][c] - at[0][c]);
        float below = at[2][c] + right * (at[3][c] - at[2][c]);
        to[c] = above + down * (below - above);
    }
}

void stoa_warp(const struct stoa_augment_shape *shape, const struct stoa_affine *map,
               const struct stoa_field *field, const float *fill, const float *from, float *to) {
    float cy = (float)(shape->height - 1) / 2, cx = (float)(shape->width - 1) / 2;
    for (size_t y = 0; y < shape->height; y++) {
        float v = (float)y - cy;
        if (field) {
            field_row(field, y);
        }
        for (size_t x = 0; x < shape->width; x++) {
            float u = (float)x - cx;
            float down = map->dy, right = map->dx;
            if (field) {
                field_at(field, x, &down, &right);
            }
            sample(shape, cy + map->yy * v + map->yx * u + down, cx + map->xy * v + map->xx * u + right, fill,
                   from, to + (y * shape->width + x) * shape->channels);
        }
    }
}
