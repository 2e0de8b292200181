/* SPDX-License-Identifier: MIT */
/* Augmentation: moves by hand, what is drawn, and that a sample's changes follow from seed, epoch and number
 * alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "data/augment.h"
#include "data/warp.h"

enum { SIDE = 12, MOST = SIDE * SIDE * 3, SCRATCH = 4 * MOST };
static float image[MOST], other[MOST], scratch[SCRATCH];
static const float no_fill[3] = {0, 0, 0};

static struct stoa_augment read_good(const char *text) {
    struct stoa_error error = {.status = STOA_OK};
    struct stoa_augment augment;
    if (stoa_augment_read(&error, text, &augment) != STOA_OK) {
        fail_msg("%s", error.text);
    }
    return augment;
}

static void fill_image(float *out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        out[i] = (float)((i * 37 + 11) % 101) / 16 - 2;
    }
}

static void run(const char *text, size_t channels, uint64_t seed, size_t epoch, size_t sample, float *out) {
    const struct stoa_augment_shape shape = {SIDE, SIDE, channels};
    struct stoa_augment augment = read_good(text);
    size_t floats;
    assert_true(stoa_augment_scratch(&augment, &shape, &floats) && floats <= SCRATCH);
    for (size_t i = 0; i < SCRATCH; i++) {
        scratch[i] = NAN; /* nothing is expected of it */
    }
    stoa_augment_run(&augment, &shape, seed, epoch, sample, no_fill, out, scratch);
}

static void expect_warp(const struct stoa_placement *placement, const struct stoa_augment_shape *shape,
                        const float *from, const float *fill, const float *expected) {
    float found[64];
    struct stoa_affine map = stoa_affine_make(placement);
    stoa_warp(shape, &map, NULL, fill, from, found);
    for (size_t i = 0; i < shape->height * shape->width * shape->channels; i++) {
        if (!(fabsf(found[i] - expected[i]) <= 1e-5F)) {
            fail_msg("value %zu is %g, expected %g", i, (double)found[i], (double)expected[i]);
        }
    }
}

static void moves_by_hand(void **state) {
    (void)state;
    const float quarter = 1.57079633F;
    const struct stoa_augment_shape square = {3, 3, 1}, wide = {2, 4, 1}, deep = {1, 3, 2};
    const float nine[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const float eight[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const float fill[] = {-1, -2};
    /* Against the clock: the top right corner goes to the top left. */
    expect_warp(&(struct stoa_placement){.scale = 1, .rotate = quarter}, &square, nine, fill,
                (const float[]){3, 6, 9, 2, 5, 8, 1, 4, 7});
    expect_warp(&(struct stoa_placement){.scale = 1, .rotate = -quarter}, &square, nine, fill,
                (const float[]){7, 4, 1, 8, 5, 2, 9, 6, 3});
    expect_warp(&(struct stoa_placement){.scale = 1, .rotate = 2 * quarter}, &wide, eight, fill,
                (const float[]){8, 7, 6, 5, 4, 3, 2, 1});
    expect_warp(&(struct stoa_placement){.scale = 1, .flip = true}, &wide, eight, fill,
                (const float[]){4, 3, 2, 1, 8, 7, 6, 5});
    expect_warp(&(struct stoa_placement){.scale = 1, .down = 1, .right = -2}, &wide, eight, fill,
                (const float[]){-1, -1, -1, -1, 3, 4, -1, -1});
    /* Half a pixel: means of neighbours, the fill one of them at the edge. */
    expect_warp(&(struct stoa_placement){.scale = 1, .right = 0.5F}, &deep,
                (const float[]){1, 10, 3, 20, 5, 30}, fill, (const float[]){0, 4, 2, 15, 4, 25});
    /* Twice as large around the middle. */
    expect_warp(&(struct stoa_placement){.scale = 2}, &square, nine, fill,
                (const float[]){3, 3.5F, 4, 4.5F, 5, 5.5F, 6, 6.5F, 7});
    /* Half as large. */
    expect_warp(&(struct stoa_placement){.scale = 0.5F}, &square, nine, fill,
                (const float[]){-1, -1, -1, -1, 5, -1, -1, -1, -1});
    /* A slant of 45 degrees moves the upper row to the right, the lower one to the left. */
    expect_warp(&(struct stoa_placement){.scale = 1, .shear = quarter / 2}, &square, nine, fill,
                (const float[]){-1, 1, 2, 4, 5, 6, 8, 9, -1});
    /* In this order: mirrored, turned, moved. */
    expect_warp(&(struct stoa_placement){.scale = 1, .flip = true, .rotate = quarter, .down = 1}, &square,
                nine, fill, (const float[]){-1, -1, -1, 1, 4, 7, 2, 5, 8});
}

/* Nothing to do changes no bit, whichever way it is done. */
static void identity(void **state) {
    (void)state;
    const struct stoa_augment_shape shape = {SIDE, SIDE, 3};
    struct stoa_affine map = stoa_affine_make(&(struct stoa_placement){.scale = 1});
    float zeros[2 * 36] = {0}, row[2 * 6];
    struct stoa_field field = {
        .step = 4, .rows = 6, .columns = 6, .down = zeros, .right = zeros + 36, .row = row};
    assert_int_equal(stoa_field_nodes(SIDE, 4), 6);
    fill_image(image, MOST);
    stoa_warp(&shape, &map, NULL, no_fill, image, other);
    assert_memory_equal(image, other, sizeof image);
    stoa_warp(&shape, &map, &field, no_fill, image, other);
    assert_memory_equal(image, other, sizeof image);
    assert_false(stoa_augment_acts(&(struct stoa_augment){.elastic_grid = 3, .erase_area = 1}));
    const char *const none = "shift=0 rotate=0 scale=0 shear=0 elastic=0 flip=0 erase=0 noise=0";
    struct stoa_augment augment = read_good(none);
    assert_false(stoa_augment_acts(&augment));
    run(none, 3, 1, 2, 3, other);
    assert_memory_equal(image, other, sizeof image);
}

/* All nodes moved alike are a shift; and splines never leave the range of their nodes. */
static void elastic_by_hand(void **state) {
    (void)state;
    const struct stoa_augment_shape shape = {SIDE, SIDE, 1};
    size_t nodes = stoa_field_nodes(SIDE, 5);
    float down[36], right[36], row[12];
    struct stoa_field field = {
        .step = 5, .rows = nodes, .columns = nodes, .down = down, .right = right, .row = row};
    struct stoa_affine map = stoa_affine_make(&(struct stoa_placement){.scale = 1});
    struct stoa_affine moved =
        stoa_affine_make(&(struct stoa_placement){.scale = 1, .down = -2, .right = 1.5F});
    float expected[MOST];
    assert_true(nodes * nodes <= 36);
    for (size_t i = 0; i < 36; i++) {
        down[i] = 2;
        right[i] = -1.5F;
    }
    fill_image(image, SIDE * SIDE);
    stoa_warp(&shape, &map, &field, no_fill, image, other);
    stoa_warp(&shape, &moved, NULL, no_fill, image, expected);
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        assert_true(fabsf(other[i] - expected[i]) <= 1e-4F);
    }
    /* On a ramp a displacement is a difference of values: one node moves what is near it, most of all
     * itself. */
    for (size_t i = 0; i < 36; i++) {
        down[i] = right[i] = 0;
    }
    right[2 * nodes + 2] = 1; /* at pixel (5, 5) */
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        image[i] = (float)(i % SIDE);
    }
    stoa_warp(&shape, &map, &field, no_fill, image, other);
    assert_true(fabsf(other[5 * SIDE + 5] - 5 - 4.0F / 9) <= 1e-5F);
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        float difference = other[i] - image[i];
        /* Beyond the right edge the ramp ends. */
        assert_true(i % SIDE == SIDE - 1 || (difference >= -1e-6F && difference <= 4.0F / 9 + 1e-6F));
    }
}

static void channels_move_together(void **state) {
    (void)state;
    static const char *const texts[] = {"shift=2 rotate=30 scale=0.3 shear=10 flip=0.5",
                                        "elastic=2 elastic_grid=3 shift=1", "erase=1 erase_area=0.5"};
    float alone[SIDE * SIDE];
    for (size_t t = 0; t < 3; t++) {
        fill_image(image, MOST);
        memcpy(other, image, sizeof image);
        run(texts[t], 3, 5, 2, 9, other);
        assert_memory_not_equal(image, other, sizeof image);
        for (size_t c = 0; c < 3; c++) {
            for (size_t i = 0; i < SIDE * SIDE; i++) {
                alone[i] = image[3 * i + c];
            }
            run(texts[t], 1, 5, 2, 9, alone);
            for (size_t i = 0; i < SIDE * SIDE; i++) {
                assert_true(alone[i] == other[3 * i + c]);
            }
        }
    }
}

static const char everything[] = "shift=2 rotate=15 scale=0.2 shear=5 elastic=1 flip=0.5 erase=0.9 noise=0.1";

static void follows_from_its_number(void **state) {
    (void)state;
    float first[MOST];
    fill_image(first, MOST);
    run(everything, 3, 7, 3, 20, first);
    /* Others in between change nothing. */
    static const size_t calls[][3] = {{7, 3, 21}, {7, 4, 20}, {8, 3, 20}, {7, 20, 3}};
    for (size_t i = 0; i < 4; i++) {
        fill_image(other, MOST);
        run(everything, 3, calls[i][0], calls[i][1], calls[i][2], other);
        assert_memory_not_equal(first, other, sizeof first);
    }
    fill_image(other, MOST);
    run(everything, 3, 7, 3, 20, other);
    assert_memory_equal(first, other, sizeof first);
}

/* One kind more leaves what the others do. */
static void kinds_are_independent(void **state) {
    (void)state;
    float moved[MOST], both[MOST], noise[MOST] = {0};
    fill_image(moved, MOST);
    memcpy(both, moved, sizeof moved);
    run("rotate=20 shift=2", 3, 1, 1, 1, moved);
    run("rotate=20 shift=2 noise=0.5 elastic=0", 3, 1, 1, 1, both);
    run("noise=0.5", 3, 1, 1, 1, noise);
    for (size_t i = 0; i < MOST; i++) {
        assert_true(fabsf(both[i] - moved[i] - noise[i]) <= 1e-5F);
    }
}

/* Where the mass of a spot goes, over many samples. */
static void shifts_are_drawn_evenly(void **state) {
    (void)state;
    enum { SAMPLES = 2000 };
    double sum = 0, squares = 0, flipped = 0;
    for (size_t n = 0; n < SAMPLES; n++) {
        float spot[SIDE * SIDE] = {0};
        spot[5 * SIDE + 4] = 1;
        run("shift=3", 1, 2, 1, n, spot);
        double mass = 0, x = 0;
        for (size_t i = 0; i < SIDE * SIDE; i++) {
            mass += (double)spot[i];
            x += (double)spot[i] * (double)(i % SIDE);
        }
        assert_true(fabs(mass - 1) <= 1e-5 && fabs(x - 4) <= 3.0001);
        sum += x - 4;
        squares += (x - 4) * (x - 4);
        float marked[SIDE * SIDE] = {1};
        run("flip=0.25", 1, 2, 1, n, marked);
        assert_true(marked[0] + marked[SIDE - 1] == 1);
        flipped += (double)marked[SIDE - 1];
    }
    assert_true(fabs(sum / SAMPLES) < 0.15);         /* 4 standard errors */
    assert_true(fabs(squares / SAMPLES - 3) < 0.25); /* 3 * 3 / 3 */
    assert_true(fabs(flipped / SAMPLES - 0.25) < 0.04);
}

static void erases_rectangles(void **state) {
    (void)state;
    enum { SAMPLES = 1000 };
    size_t erased = 0;
    for (size_t n = 0; n < SAMPLES; n++) {
        size_t count = 0, top = SIDE, bottom = 0, left = SIDE, right = 0;
        for (size_t i = 0; i < SIDE * SIDE; i++) {
            image[i] = 1;
        }
        run("erase=0.5 erase_area=0.25", 1, 4, 1, n, image);
        for (size_t y = 0; y < SIDE; y++) {
            for (size_t x = 0; x < SIDE; x++) {
                if (image[y * SIDE + x] == 0) {
                    count++;
                    top = y < top ? y : top;
                    bottom = y > bottom ? y : bottom;
                    left = x < left ? x : left;
                    right = x > right ? x : right;
                }
            }
        }
        erased += count > 0;
        assert_true(count == 0 || count == (bottom - top + 1) * (right - left + 1));
        /* Rounded sides: up to half a pixel more each. */
        assert_true(count <= SIDE * SIDE / 4 + 14);
    }
    assert_true(erased > 430 && erased < 570);
    /* The whole image is no more than all of it. */
    for (size_t n = 0; n < 100; n++) {
        run("erase=1 erase_area=1", 3, 4, 1, n, image);
    }
}

static void adds_noise(void **state) {
    (void)state;
    double sum = 0, squares = 0;
    for (size_t n = 0; n < 100; n++) {
        memset(image, 0, sizeof image);
        run("noise=0.5", 3, 4, 1, n, image);
        for (size_t i = 0; i < MOST; i++) {
            sum += (double)image[i];
            squares += (double)image[i] * (double)image[i];
        }
    }
    assert_true(fabs(sum / (100.0 * MOST)) < 0.01);
    assert_true(fabs(squares / (100.0 * MOST) - 0.25) < 0.01);
}

static void refuses_bad_text(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"rotate=200", "augment: option 'rotate': found '200', expected a number from 0 to 1.8e+02"},
        {"shift=-1", "augment: option 'shift': found '-1', expected a number from 0 to 1024"},
        {"scale=1", "augment: option 'scale': found '1', expected a number from 0 to 0.9"},
        {"flip=2", "augment: option 'flip': found '2', expected a number from 0 to 1"},
        {"noise=nan", "augment: option 'noise': found 'nan', expected"},
        {"elastic_grid=0", "augment: option 'elastic_grid': found '0', expected a number from 1 to 1024"},
        {"rotate", "augment: found 'rotate', expected OPTION=VALUE, such as units=10"},
        {"rotate=1 rotate=2", "augment: option 'rotate' is given twice"},
        {"turn=1",
         "augment: unknown option 'turn', expected shift, rotate, scale, shear, elastic, elastic_grid, "
         "flip, erase, erase_area, noise"},
    };
    struct stoa_error error;
    struct stoa_augment augment;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(stoa_augment_read(&error, cases[i][0], &augment), STOA_ERR_ARGUMENT);
        if (strncmp(error.text, cases[i][1], strlen(cases[i][1])) != 0) {
            assert_string_equal(error.text, cases[i][1]);
        }
    }
    char long_text[700];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(stoa_augment_read(&error, long_text, &augment), STOA_ERR_ARGUMENT);
    const struct stoa_augment_shape dot = {1, 1, 4}, line = {1, 4, 1};
    augment = read_good("shift=1");
    assert_int_equal(stoa_augment_check(&error, &augment, &dot), STOA_ERR_ARGUMENT);
    assert_string_equal(error.text, "augment: the data has samples of 1x1x4, expected images, or noise only");
    assert_int_equal(stoa_augment_check(&error, &augment, &line), STOA_OK);
    augment = read_good("noise=1");
    assert_int_equal(stoa_augment_check(&error, &augment, &dot), STOA_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_by_hand),
        cmocka_unit_test(identity),
        cmocka_unit_test(elastic_by_hand),
        cmocka_unit_test(channels_move_together),
        cmocka_unit_test(follows_from_its_number),
        cmocka_unit_test(kinds_are_independent),
        cmocka_unit_test(shifts_are_drawn_evenly),
        cmocka_unit_test(erases_rectangles),
        cmocka_unit_test(adds_noise),
        cmocka_unit_test(refuses_bad_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
