/* SPDX-License-Identifier: MIT */
/* Gradients of 1x1 layers from a transposed operand, in several tiles: too many products for random
 * convolutions. Against the double reference, overwritten and added to, with a smaller batch than the
 * planned one, exactly in the planned workspace, with the same bits on 1 and 3 threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../ops/harness.h"
#include "base/random.h"
#include "conv/conv.h"
#include "tests/conv/strided.h"

static const float START = 0.25F;

static float *numbers(size_t count, uint64_t key) {
    float *to = guarded_new(count * sizeof *to);
    for (size_t i = 0; i < count; i++) {
        to[i] = 2 * stoa_random_unit(stoa_philox(key, i, 6).word[0]) - 1;
    }
    return to;
}

static double *doubles(const float *from, size_t count) {
    double *to = malloc(count * sizeof *to);
    assert_non_null(to);
    for (size_t i = 0; i < count; i++) {
        to[i] = from ? (double)from[i] : 0;
    }
    return to;
}

static float *filled(size_t count, float value) {
    float *to = guarded_new(count * sizeof *to);
    for (size_t i = 0; i < count; i++) {
        to[i] = value;
    }
    return to;
}

/* The gradient of one convolution; false where its cut is not the one that is tested. */
static bool run(const struct stoa_conv *conv, size_t batch, size_t threads, const float *x, const float *dy,
                float *dweight, float *dbias) {
    stoa_context *context = NULL;
    stoa_context_options options = {.threads = threads};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    /* The shapes are those that this table computes so, on whatever CPU. */
    assert_int_equal(stoa_context_set_tuning(context, "generic-avx512"), STOA_OK);
    struct stoa_conv_plan plan;
    char text[128];
    assert_true(stoa_conv_plan_with(context, &stoa_conv_pointwise, conv, STOA_CONV_BACKWARD_WEIGHTS, &plan));
    stoa_conv_describe(&plan, text, sizeof text);
    void *workspace = guarded_new(plan.bytes);
    stoa_conv_run(&plan, &(struct stoa_conv_run){.context = context,
                                                 .batch = batch,
                                                 .x = x,
                                                 .dy = dy,
                                                 .dweight = dweight,
                                                 .dbias = dbias,
                                                 .workspace = workspace});
    guarded_check(workspace, "the workspace");
    guarded_free(workspace);
    stoa_context_free(context);
    return strstr(text, "transposed") != NULL;
}

static void check(const float *got, const double *want, size_t count, double start, double allowed) {
    for (size_t i = 0; i < count; i++) {
        if (!(fabs((double)got[i] - want[i] - start) <= allowed)) {
            fail_msg("number %zu of %zu is %g, expected %g within %g", i, count, (double)got[i],
                     want[i] + start, allowed);
        }
    }
}

static void check_shape(struct stoa_conv conv, size_t batch) {
    size_t planned = conv.batch;
    conv.batch = batch;
    const struct stoa_window *w = &conv.window;
    size_t pixels = stoa_conv_pixels(&conv);
    size_t weights = stoa_conv_weights(&conv);
    float *x = numbers(batch * w->height * w->width * w->channels, 1);
    float *dy = numbers(pixels * conv.filters, 2);
    double *wide_x = doubles(x, batch * w->height * w->width * w->channels);
    double *wide_dy = doubles(dy, pixels * conv.filters);
    double *want = doubles(NULL, weights);
    double *sums = doubles(NULL, conv.filters);
    stoa_reference_f64.conv2d_backward_weights(w, batch, conv.filters, 1, wide_x, wide_dy, want);
    stoa_reference_f64.column_sums(wide_dy, pixels, conv.filters, conv.filters, sums);
    conv.batch = planned;
    for (int adds = 0; adds < 2; adds++) {
        float start = adds ? START : NAN;
        float *first[2];
        conv.adds = adds != 0;
        for (size_t i = 0; i < 2; i++) {
            first[i] = filled(weights, start);
            float *dbias = filled(conv.filters, start);
            bool turned = run(&conv, batch, 1 + 2 * i, x, dy, first[i], dbias);
            assert_int_equal(turned, stoa_isa_best() != STOA_ISA_BASE);
            check(first[i], want, weights, adds ? (double)START : 0, 1e-6 * (double)pixels);
            check(dbias, sums, conv.filters, adds ? (double)START : 0, 1e-6 * (double)pixels);
            guarded_check(dbias, "dbias");
            guarded_free(dbias);
        }
        assert_memory_equal(first[0], first[1], weights * sizeof(float));
        guarded_free(first[0]);
        guarded_free(first[1]);
    }
    guarded_free(x);
    guarded_free(dy);
    free(wide_x);
    free(wide_dy);
    free(want);
    free(sums);
}

/* More filters than channels, or so few pixels that these are less than the gradient. */
static void transposes_pixels(void **state) {
    (void)state;
    check_shape(strided(1, 1, 8, 130, 14, 14, 260, 0, 0), 8);
    check_shape(strided(1, 1, 8, 130, 14, 14, 260, 0, 0), 3);
    check_shape(strided(1, 1, 2, 300, 13, 12, 256, 0, 0), 1);
}

/* More channels than filters: the gradient. The second has several tiles, also with a smaller batch. */
static void transposes_the_gradient(void **state) {
    (void)state;
    check_shape(strided(1, 1, 6, 272, 7, 9, 144, 0, 0), 6);
    check_shape(strided(1, 1, 3, 544, 26, 26, 136, 0, 0), 3);
    check_shape(strided(1, 1, 3, 544, 26, 26, 136, 0, 0), 1);
}

/* From the pixels that a stride leaves, which are columns first. */
static void transposes_columns(void **state) {
    (void)state;
    check_shape(strided(1, 2, 7, 200, 27, 28, 256, 0, 0), 7);
    check_shape(strided(1, 2, 7, 516, 27, 28, 128, 0, 0), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transposes_pixels),
        cmocka_unit_test(transposes_the_gradient),
        cmocka_unit_test(transposes_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
