/* SPDX-License-Identifier: MIT */
/* What operators say of themselves beside epilogues: scales and shifts of channels that go into the weights
 * before, and losses that give their gradient at once. All from the registry. */
#include <stdio.h>
#include <string.h>

#include "harness.h"

enum { SEED = 616 };

/* Of sums whose factors are rounded twice, over the largest value. */
static const double FOLD_ERROR = 1e-5;

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

/* A layer of an operator's own name, for numbers of a shape. */
static void layer_behind(struct stoa_layer *layer, const char *name, const struct stoa_shape *shape) {
    char text[64];
    if (shape->rank == 3) {
        (void)snprintf(text, sizeof text, "%zux%zux%zu", shape->dim[0], shape->dim[1], shape->dim[2]);
    } else {
        (void)snprintf(text, sizeof text, "%zu", shape->dim[0]);
    }
    harness_layer(layer, name, (const char *[]){text, NULL});
}

static void open_filled(struct harness *h, const struct stoa_layer *layer, size_t batch, bool training) {
    harness_open(h, context, layer, &(struct harness_setup){.batch = batch, .training = training});
    harness_fill(h, SEED);
}

/* ---- Scales and shifts of channels ---- */

static bool folds(const struct stoa_op *op) {
    return op->fold != NULL;
}

/* `h` computes by itself what it and `behind` compute. */
static void fold_into(struct harness *h, const struct harness *behind) {
    size_t channels = h->layer->output.dim[h->layer->output.rank - 1];
    float *scale = guarded_new(channels * sizeof *scale);
    float *shift = guarded_new(channels * sizeof *shift);
    float *weight = guarded_new(harness_tensor_size(h, 0) * sizeof *weight);
    float *bias = guarded_new(channels * sizeof *bias);
    struct stoa_op_run run = harness_run(behind);
    behind->layer->op->affine(&run, scale, shift);
    guarded_check(scale, "scale");
    guarded_check(shift, "shift");
    run = harness_run(h);
    h->layer->op->fold(&run, scale, shift, weight, bias);
    guarded_check(weight, "folded weight");
    guarded_check(bias, "folded bias");
    guarded_free(h->tensor[0]);
    guarded_free(h->tensor[1]);
    guarded_free(scale);
    guarded_free(shift);
    h->tensor[0] = weight;
    h->tensor[1] = bias;
}

static void check_fold(const struct stoa_layer *layer, size_t batch, const struct stoa_op *affine) {
    struct stoa_layer behind;
    struct harness h, folded, next;
    layer_behind(&behind, affine->name, &layer->output);
    open_filled(&h, layer, batch, false);
    open_filled(&folded, layer, batch, false);
    open_filled(&next, &behind, batch, false);
    harness_forward(&h);
    size_t count = harness_y_size(&h);
    memcpy(next.x[0], h.y, count * sizeof *h.y);
    harness_forward(&next);
    fold_into(&folded, &next);
    harness_forward(&folded);
    double *expected = guarded_new(count * sizeof *expected);
    for (size_t i = 0; i < count; i++) {
        expected[i] = (double)next.y[i];
    }
    double error = harness_error(folded.y, expected, count);
    if (!(error <= FOLD_ERROR)) {
        fail_msg("%s with %s in its weights differs by %.3g of the largest value", layer->op->name,
                 affine->name, error);
    }
    guarded_free(expected);
    guarded_free(layer->tensors == 1 ? folded.tensor[1] : NULL);
    harness_close(&next);
    harness_close(&folded);
    harness_close(&h);
    stoa_layer_clear(&behind);
}

static size_t affine_operators;

static void check_folds(const struct stoa_layer *layer, size_t batch) {
    for (size_t i = 0; stoa_ops[i]; i++) {
        if (stoa_ops[i]->affine) {
            check_fold(layer, batch, stoa_ops[i]);
            affine_operators++;
        }
    }
}

static void scales_and_shifts_go_into_weights(void **state) {
    (void)state;
    assert_true(harness_examples(folds, check_folds) > 0 && affine_operators > 0);
}

/* ---- A loss with its gradient in one pass ---- */

static bool gives_gradient(const struct stoa_op *op) {
    return op->gives_gradient;
}

static void check_gradient_at_once(const struct stoa_layer *layer, size_t batch) {
    struct harness apart, once;
    open_filled(&apart, layer, batch, true);
    open_filled(&once, layer, batch, true);
    harness_forward(&apart);
    harness_backward(&apart);
    struct stoa_op_run run = harness_run(&once);
    run.dy = once.dy;
    run.dx = once.dx;
    run.saved = NULL;
    layer->op->forward(&run);
    guarded_check(once.dx[0], "dx");
    if (memcmp(apart.y, once.y, harness_y_size(&once) * sizeof(float)) != 0 ||
        memcmp(apart.dx[0], once.dx[0], harness_x_size(&once, 0) * sizeof(float)) != 0) {
        fail_msg("%s: other bits with the gradient in the same pass", layer->op->name);
    }
    harness_close(&once);
    harness_close(&apart);
}

static void losses_give_gradients_at_once(void **state) {
    (void)state;
    assert_true(harness_examples(gives_gradient, check_gradient_at_once) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_and_shifts_go_into_weights),
        cmocka_unit_test(losses_give_gradients_at_once),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
