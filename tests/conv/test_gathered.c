/* SPDX-License-Identifier: MIT */
/* 1x1 layers with weights of both layouts, as large as products in panels and several tiles of gathered
 * pixels are: too many products for random convolutions. Against the double reference, overwritten and added
 * to, with a smaller batch than the planned one, exactly in the planned workspace, with the same bits on 1
 * and 3 threads and from prepared weights. */
#include <math.h>
#include <stdlib.h>

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

/* The operands of a problem, and what the reference makes of them. */
struct problem {
    struct stoa_conv conv; /* as planned */
    size_t batch, weights, image, result;
    float *x, *dy, *weight; /* HWIO */
    double *y, *dx, *dweight, *dbias;
};

static struct problem new_problem(struct stoa_conv conv, size_t batch) {
    struct problem p = {.conv = conv, .batch = batch, .weights = stoa_conv_weights(&conv)};
    const struct stoa_window *w = &conv.window;
    size_t pixels = batch * w->out_height * w->out_width;
    p.image = batch * w->height * w->width * w->channels;
    p.result = pixels * conv.filters;
    p.x = numbers(p.image, 1);
    p.dy = numbers(p.result, 2);
    p.weight = numbers(p.weights, 3);
    double *x = doubles(p.x, p.image);
    double *dy = doubles(p.dy, p.result);
    double *weight = doubles(p.weight, p.weights);
    p.y = doubles(NULL, p.result);
    p.dx = doubles(NULL, p.image);
    p.dweight = doubles(NULL, p.weights);
    p.dbias = doubles(NULL, conv.filters);
    stoa_reference_f64.conv2d(w, batch, conv.filters, 1, x, weight, NULL, p.y);
    stoa_reference_f64.conv2d_backward_data(w, batch, conv.filters, 1, dy, weight, p.dx);
    stoa_reference_f64.conv2d_backward_weights(w, batch, conv.filters, 1, x, dy, p.dweight);
    stoa_reference_f64.column_sums(dy, pixels, conv.filters, conv.filters, p.dbias);
    free(x);
    free(dy);
    free(weight);
    return p;
}

static void free_problem(const struct problem *p) {
    float *const guarded[] = {p->x, p->dy, p->weight};
    double *const plain[] = {p->y, p->dx, p->dweight, p->dbias};
    for (size_t i = 0; i < 3; i++) {
        guarded_free(guarded[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        free(plain[i]);
    }
}

/* Where number `i` of the weight as HWIO lies. */
static size_t weight_at(const struct stoa_conv *conv, size_t i) {
    size_t channels = conv->window.channels;
    size_t row = i / conv->filters;
    size_t taps = conv->window.kernel_height * conv->window.kernel_width;
    return conv->oihw ? (i % conv->filters * channels + row % channels) * taps + row / channels : i;
}

/* One pass into `result`; the weight prepared if that is asked for and it can be. */
static void run(const struct problem *p, enum stoa_conv_pass pass, size_t threads, bool prepares,
                float *result, float *dbias) {
    stoa_context *context = NULL;
    stoa_context_options options = {.threads = threads};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    struct stoa_conv_plan plan;
    assert_true(stoa_conv_plan_with(context, &stoa_conv_pointwise, &p->conv, pass, &plan));
    void *workspace = guarded_new(plan.bytes);
    void *prepared = prepares && plan.prepared_bytes > 0 ? guarded_new(plan.prepared_bytes) : NULL;
    float *weight = filled(p->weights, NAN);
    for (size_t i = 0; i < p->weights; i++) {
        weight[weight_at(&p->conv, i)] = p->weight[i];
    }
    if (prepared) {
        stoa_conv_prepare(context, &plan, weight, prepared, workspace);
    }
    struct stoa_conv_run run = {
        .context = context, .batch = p->batch, .prepared = prepared, .workspace = workspace};
    run.x = pass != STOA_CONV_BACKWARD_DATA ? p->x : NULL;
    run.dy = pass != STOA_CONV_FORWARD ? p->dy : NULL;
    run.weight = pass != STOA_CONV_BACKWARD_WEIGHTS ? weight : NULL;
    run.y = pass == STOA_CONV_FORWARD ? result : NULL;
    run.dx = pass == STOA_CONV_BACKWARD_DATA ? result : NULL;
    run.dweight = pass == STOA_CONV_BACKWARD_WEIGHTS ? result : NULL;
    run.dbias = dbias;
    stoa_conv_run(&plan, &run);
    guarded_check(workspace, "the workspace");
    guarded_free(workspace);
    guarded_free(weight);
    if (prepared) {
        guarded_check(prepared, "the prepared weights");
        guarded_free(prepared);
    }
    stoa_context_free(context);
}

/* Expected: `want` and what was there. */
static void check(const struct problem *p, enum stoa_conv_pass pass, const float *got, const double *want,
                  size_t count, double terms) {
    double start = p->conv.adds ? (double)START : 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = pass == STOA_CONV_BACKWARD_WEIGHTS && count == p->weights ? weight_at(&p->conv, i) : i;
        if (!(fabs((double)got[at] - want[i] - start) <= 1e-6 * terms)) {
            fail_msg("pass %d, oihw %d: number %zu of %zu is %g, expected %g within %g", (int)pass,
                     p->conv.oihw, i, count, (double)got[at], want[i] + start, 1e-6 * terms);
        }
    }
}

static void check_pass(const struct problem *p, enum stoa_conv_pass pass) {
    const size_t counts[] = {p->result, p->image, p->weights};
    const double *const wants[] = {p->y, p->dx, p->dweight};
    const double terms[] = {(double)stoa_conv_column(&p->conv), (double)p->conv.filters,
                            (double)p->result / (double)p->conv.filters};
    size_t count = counts[pass];
    float start = p->conv.adds ? START : NAN;
    float *first = filled(count, start);
    run(p, pass, 1, false, first, NULL);
    check(p, pass, first, wants[pass], count, terms[pass]);
    for (int prepares = 0; prepares < 2; prepares++) {
        float *again = filled(count, start);
        float *dbias = pass == STOA_CONV_BACKWARD_WEIGHTS ? filled(p->conv.filters, start) : NULL;
        run(p, pass, 3, prepares != 0, again, dbias);
        assert_memory_equal(again, first, count * sizeof *first);
        guarded_check(again, "the result");
        guarded_free(again);
        if (dbias) {
            check(p, STOA_CONV_FORWARD, dbias, p->dbias, p->conv.filters, terms[pass]);
            guarded_check(dbias, "dbias");
            guarded_free(dbias);
        }
    }
    guarded_free(first);
}

static void check_shape(struct stoa_conv conv, size_t batch) {
    struct problem p = new_problem(conv, batch);
    for (int layout = 0; layout < 2; layout++) {
        p.conv.oihw = layout == 1;
        for (int adds = 0; adds < 2; adds++) {
            p.conv.adds = adds == 1;
            for (int pass = adds ? STOA_CONV_BACKWARD_DATA : STOA_CONV_FORWARD; pass < STOA_CONV_PASSES;
                 pass++) {
                check_pass(&p, (enum stoa_conv_pass)pass);
            }
        }
    }
    free_problem(&p);
}

/* The tensors themselves are the matrices; few pixels, for which no weight is turned, and many. */
static void multiplies_in_place(void **state) {
    (void)state;
    check_shape(strided(1, 1, 8, 130, 14, 14, 260, 0, 0), 8);
    check_shape(strided(1, 1, 8, 130, 14, 14, 260, 0, 0), 3);
    check_shape(strided(1, 1, 2, 272, 7, 9, 144, 0, 0), 1);
    check_shape(strided(1, 1, 40, 16, 13, 12, 40, 0, 0), 40);
}

/* The pixels that a stride leaves; the second has several tiles. */
static void multiplies_gathered_pixels(void **state) {
    (void)state;
    check_shape(strided(1, 2, 7, 200, 27, 28, 256, 0, 0), 7);
    check_shape(strided(1, 2, 7, 516, 27, 28, 128, 0, 0), 7);
    check_shape(strided(1, 2, 7, 516, 27, 28, 128, 0, 0), 2);
}

/* A kernel as large as the image. */
static void multiplies_whole_images(void **state) {
    (void)state;
    check_shape(strided(5, 1, 70, 16, 5, 5, 120, 0, 0), 70);
    check_shape(strided(5, 1, 70, 16, 5, 5, 120, 0, 0), 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiplies_in_place),
        cmocka_unit_test(multiplies_gathered_pixels),
        cmocka_unit_test(multiplies_whole_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
