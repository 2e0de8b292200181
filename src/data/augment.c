/* SPDX-License-Identifier: MIT */
/* What is drawn for a sample, and the changes that are not resampling. Each kind draws its numbers whether it
 * acts or not, so that switching one on leaves the others as they were. */
#include "data/augment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "base/size.h"
#include "core/options.h"
#include "data/warp.h"

#define AT(member) offsetof(struct stoa_augment, member)
static const struct stoa_option options[] = {
    {"shift", STOA_OPTION_FLOAT, AT(shift), "0", 0, 1024, NULL},  /* up to so many pixels, down and across */
    {"rotate", STOA_OPTION_FLOAT, AT(rotate), "0", 0, 180, NULL}, /* up to so many degrees, either way */
    {"scale", STOA_OPTION_FLOAT, AT(scale), "0", 0, 0.9, NULL},   /* size times 1 - scale to 1 + scale */
    {"shear", STOA_OPTION_FLOAT, AT(shear), "0", 0, 60, NULL},    /* slant up to so many degrees */
    {"elastic", STOA_OPTION_FLOAT, AT(elastic), "0", 0, 256, NULL}, /* nodes move by up to so many pixels */
    {"elastic_grid", STOA_OPTION_SIZE, AT(elastic_grid), "7", 1, 1024, NULL}, /* pixels between nodes */
    {"flip", STOA_OPTION_FLOAT, AT(flip), "0", 0, 1, NULL},                   /* probability */
    {"erase", STOA_OPTION_FLOAT, AT(erase), "0", 0, 1, NULL},                 /* probability */
    {"erase_area", STOA_OPTION_FLOAT, AT(erase_area), "0.2", 0.001, 1, NULL}, /* largest share of the image */
    {"noise", STOA_OPTION_FLOAT, AT(noise), "0", 0, 1e6, NULL}, /* deviation, in the network's units */
};
#undef AT
enum { OPTIONS = sizeof options / sizeof options[0] };

stoa_status stoa_augment_read(struct stoa_error *error, const char *text, struct stoa_augment *augment) {
    char line[STOA_SPEC_MAX_TEXT];
    struct stoa_spec spec;
    /* Too long stays too long: the parser says so. */
    (void)snprintf(line, sizeof line, "augment %s", text);
    *augment = (struct stoa_augment){0};
    stoa_status status = stoa_spec_parse(error, line, &spec);
    if (status == STOA_OK) {
        status = stoa_options_read(error, options, OPTIONS, &spec, augment);
    }
    return status == STOA_OK ? STOA_OK : stoa_error_prefix(error, "augment: ");
}

/* Whether pixels are taken from elsewhere. */
static bool moves(const struct stoa_augment *a) {
    return a->shift > 0 || a->rotate > 0 || a->scale > 0 || a->shear > 0 || a->elastic > 0 || a->flip > 0;
}

bool stoa_augment_acts(const struct stoa_augment *augment) {
    return moves(augment) || augment->erase > 0 || augment->noise > 0;
}

stoa_status stoa_augment_check(struct stoa_error *error, const struct stoa_augment *augment,
                               const struct stoa_augment_shape *shape) {
    if ((moves(augment) || augment->erase > 0) && shape->height * shape->width == 1) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "augment: the data has samples of 1x1x%zu, expected images, or noise only",
                              shape->channels);
    }
    return STOA_OK;
}

bool stoa_augment_scratch(const struct stoa_augment *augment, const struct stoa_augment_shape *shape,
                          size_t *floats) {
    size_t rows = stoa_field_nodes(shape->height, augment->elastic_grid) + 1;
    size_t nodes = stoa_field_nodes(shape->width, augment->elastic_grid);
    *floats = shape->height;
    return stoa_size_scale(&rows, 2) && stoa_size_mul(nodes, rows, &nodes) &&
           stoa_size_scale(floats, shape->width) && stoa_size_scale(floats, shape->channels) &&
           stoa_size_add(*floats, nodes, floats);
}

/* A stream of a sample's own, of one use. */
static uint64_t stream_of(enum stoa_random_stream use, size_t epoch, size_t sample) {
    return stoa_random_stream_id(use, ((uint64_t)epoch << 32) + sample);
}

static struct stoa_placement draw_placement(const struct stoa_augment *a,
                                            struct stoa_random_sequence *numbers) {
    const float degree = 0.017453292519943295F;
    struct stoa_placement p = {0};
    p.down = stoa_random_between(numbers, -a->shift, a->shift);
    p.right = stoa_random_between(numbers, -a->shift, a->shift);
    p.rotate = stoa_random_between(numbers, -a->rotate, a->rotate) * degree;
    p.scale = stoa_random_between(numbers, 1 - a->scale, 1 + a->scale);
    p.shear = stoa_random_between(numbers, -a->shear, a->shear) * degree;
    p.flip = stoa_random_unit(stoa_random_next(numbers)) < a->flip;
    return p;
}

static void move(const struct stoa_augment *a, const struct stoa_augment_shape *shape,
                 struct stoa_random_sequence *numbers, const float *fill, float *image, float *scratch) {
    size_t values = shape->height * shape->width * shape->channels;
    struct stoa_placement placement = draw_placement(a, numbers);
    struct stoa_affine map = stoa_affine_make(&placement);
    struct stoa_field field = {.step = a->elastic_grid,
                               .rows = stoa_field_nodes(shape->height, a->elastic_grid),
                               .columns = stoa_field_nodes(shape->width, a->elastic_grid)};
    size_t nodes = field.rows * field.columns;
    field.down = scratch + values;
    field.right = field.down + nodes;
    field.row = field.right + nodes;
    for (size_t i = 0; a->elastic > 0 && i < 2 * nodes; i++) {
        field.down[i] = stoa_random_between(numbers, -a->elastic, a->elastic);
    }
    memcpy(scratch, image, values * sizeof *image);
    stoa_warp(shape, &map, a->elastic > 0 ? &field : NULL, fill, scratch, image);
}

/* A side of the rectangle that is erased, at least one pixel and at most all. */
static size_t side(float length, size_t most) {
    float rounded = roundf(length);
    return rounded < 1 ? 1 : stoa_min((size_t)rounded, most);
}

/* Random erasing (Zhong et al. 2017): a rectangle of 2 % of the area to the largest share, its sides in a
 * proportion from 0.3 to 3.3. */
static void erase(const struct stoa_augment *a, const struct stoa_augment_shape *shape,
                  struct stoa_random_sequence *numbers, const float *fill, float *image) {
    bool acts = stoa_random_unit(stoa_random_next(numbers)) < a->erase;
    float least = a->erase_area < 0.02F ? a->erase_area : 0.02F;
    float area =
        stoa_random_between(numbers, least, a->erase_area) * (float)shape->height * (float)shape->width;
    float ratio = expf(stoa_random_between(numbers, -1.2F, 1.2F));
    size_t height = side(sqrtf(area * ratio), shape->height), width = side(sqrtf(area / ratio), shape->width);
    size_t top = stoa_random_next(numbers) % (shape->height - height + 1);
    size_t left = stoa_random_next(numbers) % (shape->width - width + 1);
    for (size_t y = top; acts && y < top + height; y++) {
        float *row = image + (y * shape->width + left) * shape->channels;
        for (size_t i = 0; i < width; i++) {
            memcpy(row + i * shape->channels, fill, shape->channels * sizeof *fill);
        }
    }
}

static void add_noise(float deviation, uint64_t seed, uint64_t stream, size_t values, float *image,
                      float *scratch) {
    stoa_random_normal(seed, stream, scratch, values);
    for (size_t i = 0; i < values; i++) {
        image[i] += deviation * scratch[i];
    }
}

void stoa_augment_run(const struct stoa_augment *augment, const struct stoa_augment_shape *shape,
                      uint64_t seed, size_t epoch, size_t sample, const float *fill, float *image,
                      float *scratch) {
    if (moves(augment)) {
        struct stoa_random_sequence numbers = {.key = seed,
                                               .stream = stream_of(STOA_RANDOM_AUGMENT, epoch, sample)};
        move(augment, shape, &numbers, fill, image, scratch);
    }
    if (augment->erase > 0) {
        struct stoa_random_sequence numbers = {.key = seed,
                                               .stream = stream_of(STOA_RANDOM_ERASE, epoch, sample)};
        erase(augment, shape, &numbers, fill, image);
    }
    if (augment->noise > 0) {
        add_noise(augment->noise, seed, stream_of(STOA_RANDOM_NOISE, epoch, sample),
                  shape->height * shape->width * shape->channels, image, scratch);
    }
}
