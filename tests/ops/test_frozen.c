/* SPDX-License-Identifier: MIT */
/* Every operator of the registry as a frozen layer in training: it computes what evaluation computes, changes
 * no tensor, is asked for no tensor's gradient, and its gradients of inputs are those of evaluation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { SEED = 880 };

static stoa_context *context;

static int open_context(void **state) {
    (void)state;
    return stoa_context_create(&(stoa_context_options){.threads = 3}, &context) == STOA_OK ? 0 : -1;
}

static int close_context(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

/* Frozen, with the harness's numbers of SEED. */
static void open_frozen(struct harness *h, const struct stoa_layer *layer, struct harness_setup setup) {
    setup.training = true;
    setup.frozen = true;
    harness_open(h, context, layer, &setup);
    harness_fill(h, SEED);
}

static void expect_bits(const struct stoa_layer *layer, const char *what, const float *a, const float *b,
                        size_t floats) {
    if (memcmp(a, b, floats * sizeof *a) != 0) {
        fail_msg("%s: frozen, %s has other bits", layer->op->name, what);
    }
}

/* The harness itself sees to it that no tensor changes. */
static void check_forward(const struct stoa_layer *layer, size_t batch) {
    struct harness frozen;
    struct harness evaluated;
    open_frozen(&frozen, layer, (struct harness_setup){.batch = batch});
    harness_open(&evaluated, context, layer, &(struct harness_setup){.batch = batch});
    harness_fill(&evaluated, SEED);
    harness_forward(&frozen);
    harness_forward(&evaluated);
    expect_bits(layer, "y", frozen.y, evaluated.y, harness_y_size(&frozen));
    harness_close(&evaluated);
    harness_close(&frozen);
}

static void computes_what_evaluation_computes(void **state) {
    (void)state;
    harness_examples(NULL, check_forward);
}

/* Along each input, twice: the sum of dy * y of the reference moved, against its dx. */
static void check_difference(struct harness_reference *r, size_t k, const float *direction) {
    static const double step = 1e-6;
    size_t count = harness_x_size(r->h, k);
    double side[2] = {0, 0}, along = 0;
    for (int s = 0; s < 2; s++) {
        double to = s == 0 ? step : -step;
        for (size_t i = 0; i < count; i++) {
            r->x[k][i] += to * (double)direction[i];
        }
        harness_reference_forward(r);
        for (size_t i = 0; i < harness_y_size(r->h); i++) {
            side[s] += r->dy[i] * r->y[i];
        }
        for (size_t i = 0; i < count; i++) {
            r->x[k][i] -= to * (double)direction[i];
        }
    }
    double scale = 0;
    for (size_t i = 0; i < count; i++) {
        along += r->dx[k][i] * (double)direction[i];
        scale = fmax(scale, fabs(r->dx[k][i]));
    }
    double found = (side[0] - side[1]) / (2 * step);
    if (!(fabs(found - along) <= 1e-6 * scale * sqrt((double)count))) {
        fail_msg("%s: frozen, the reference's dx is %.12g along a direction, differences say %.12g",
                 r->h->layer->op->name, along, found);
    }
}

static void check_backward(const struct stoa_layer *layer, size_t batch) {
    struct harness h;
    struct harness_reference r;
    struct harness other; /* its numbers serve as directions */
    open_frozen(&h, layer, (struct harness_setup){.batch = batch, .planned_batch = batch + 2});
    open_frozen(&other, layer, (struct harness_setup){.batch = batch});
    harness_fill(&other, SEED + 1);
    harness_reference_open(&r, &h);
    harness_forward(&h);
    harness_backward(&h);
    harness_reference_forward(&r);
    harness_reference_backward(&r);
    for (size_t k = 0; k < layer->inputs; k++) {
        double error = harness_error(h.dx[k], r.dx[k], harness_x_size(&h, k));
        if (!(error <= 1e-5)) {
            fail_msg("%s: frozen, dx differs from the reference by %.3g", layer->op->name, error);
        }
        check_difference(&r, k, other.x[k]);
    }
    harness_reference_close(&r);
    harness_close(&other);
    harness_close(&h);
}

static void gradients_are_those_of_evaluation(void **state) {
    (void)state;
    harness_examples(NULL, check_backward);
}

/* In dy's place, and with other values in what backward does not need. */
static void check_memory(const struct stoa_layer *layer, size_t batch) {
    const struct stoa_op *op = layer->op;
    struct harness h;
    struct harness twin;
    unsigned needs = op->needs_for_tensors ? 0 : op->needs;
    open_frozen(&h, layer, (struct harness_setup){.batch = batch});
    open_frozen(&twin, layer,
                (struct harness_setup){.batch = batch,
                                       .gradient_in_place =
                                           op->gradient_in_place && stoa_shape_size(&layer->input[0]) ==
                                                                        stoa_shape_size(&layer->output)});
    harness_forward(&h);
    harness_forward(&twin);
    for (size_t k = 0; k < layer->inputs && !(needs & STOA_NEEDS_X); k++) {
        memset(twin.x[k], 0xFF, harness_x_size(&twin, k) * sizeof(float));
    }
    if (!(needs & STOA_NEEDS_Y)) {
        memset(twin.y, 0xFF, harness_y_size(&twin) * sizeof(float));
    }
    harness_backward(&h);
    harness_backward(&twin);
    for (size_t k = 0; k < layer->inputs; k++) {
        expect_bits(layer, "dx in dy's place", h.dx[k], twin.dx[k], harness_x_size(&h, k));
    }
    harness_close(&twin);
    harness_close(&h);
}

static void needs_are_declared(void **state) {
    (void)state;
    harness_examples(NULL, check_memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computes_what_evaluation_computes),
        cmocka_unit_test(gradients_are_those_of_evaluation),
        cmocka_unit_test(needs_are_declared),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
