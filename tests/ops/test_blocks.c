/* SPDX-License-Identifier: MIT */
/* Operators whose samples look at each other, run in parts: what blocks of samples gather, merged, then each
 * part of the batch by itself. The double reference of the whole batch is the oracle. All of the registry. */
#include <stdio.h>
#include <string.h>

#include "harness.h"

enum { SEED = 717, MOST_BLOCKS = 8, PARTS = 3 };

static const double ERROR = 2e-6;

static stoa_context *context;

/* The run over samples [begin, end) of one over the whole batch. */
static struct stoa_op_run run_of(const struct harness *h, size_t begin, size_t end, bool backward) {
    struct stoa_op_run run = harness_run(h);
    size_t in = stoa_shape_size(&h->layer->input[0]), out = stoa_shape_size(&h->layer->output);
    run.batch = end - begin;
    run.first_sample = begin;
    run.x[0] += begin * in;
    run.y += begin * out;
    if (backward) {
        run.dy = h->dy + begin * out;
        run.dx[0] = h->dx[0] + begin * in;
        memcpy(run.dtensor, h->dtensor, sizeof run.dtensor);
    }
    return run;
}

typedef void run_fn(const struct stoa_op_run *run);

/* One call, in a workspace of its own, filled with NaN. */
static void call(const struct harness *h, struct stoa_op_run *run, enum stoa_pass pass, void *partial,
                 run_fn *whole) {
    run->workspace = guarded_new(h->memory.workspace[pass]);
    if (partial) {
        h->layer->op->gather[pass](run, partial);
    } else {
        whole(run);
    }
    guarded_check(run->workspace, "workspace");
    guarded_free(run->workspace);
}

static void run_pass(const struct harness *h, enum stoa_pass pass, size_t blocks) {
    const struct stoa_op *op = h->layer->op;
    bool backward = pass == STOA_BACKWARD;
    size_t batch = h->setup.batch;
    struct stoa_op_run all = run_of(h, 0, batch, backward);
    assert_true(op->crosses_samples(&all, pass));
    size_t bytes = op->gather_bytes(&all, pass);
    size_t step = bytes + 64;
    unsigned char *partials = guarded_new(blocks * step);
    for (size_t b = 0; b < blocks; b++) {
        struct stoa_op_run run =
            run_of(h, stoa_block_begin(batch, blocks, b), stoa_block_begin(batch, blocks, b + 1), backward);
        call(h, &run, pass, partials + b * step, NULL);
        for (size_t i = bytes; i < step; i++) {
            assert_int_equal(partials[b * step + i], 0xFF);
        }
    }
    all.workspace = guarded_new(h->memory.workspace[pass]);
    op->merge[pass](&all, partials, step, blocks);
    guarded_check(all.workspace, "workspace of merge");
    guarded_free(all.workspace);
    guarded_check(partials, "partials");
    guarded_free(partials);
    for (size_t part = 0; part < PARTS; part++) {
        struct stoa_op_run run = run_of(h, part * batch / PARTS, (part + 1) * batch / PARTS, backward);
        run.merged = true;
        if (run.batch > 0) {
            call(h, &run, pass, NULL, backward ? op->backward : op->forward);
        }
    }
}

static void expect(const struct stoa_layer *layer, const char *what, const float *found,
                   const double *expected, size_t count) {
    double error = harness_error(found, expected, count);
    if (!(error <= ERROR)) {
        fail_msg("%s in blocks: %s differs from the reference by %.3g", layer->op->name, what, error);
    }
}

static void check_blocks(const struct stoa_layer *layer, size_t batch, size_t blocks) {
    struct harness h;
    struct harness_reference r;
    harness_open(&h, context, layer, &(struct harness_setup){.batch = batch, .training = true});
    harness_fill(&h, SEED);
    harness_reference_open(&r, &h);
    run_pass(&h, STOA_FORWARD, blocks);
    run_pass(&h, STOA_BACKWARD, blocks);
    harness_reference_forward(&r);
    harness_reference_backward(&r);
    expect(layer, "y", h.y, r.y, harness_y_size(&h));
    expect(layer, "dx", h.dx[0], r.dx[0], harness_x_size(&h, 0));
    for (size_t t = 0; t < layer->tensors; t++) {
        expect(layer, layer->tensor[t].suffix, h.tensor[t], r.tensor[t], harness_tensor_size(&h, t));
        if (h.dtensor[t]) {
            expect(layer, "a tensor's gradient", h.dtensor[t], r.dtensor[t], harness_tensor_size(&h, t));
        }
    }
    harness_reference_close(&r);
    harness_close(&h);
}

static bool gathers(const struct stoa_op *op) {
    return op->gather_bytes != NULL;
}

static void check_all_blocks(const struct stoa_layer *layer, size_t batch) {
    for (size_t blocks = 1; blocks <= MOST_BLOCKS && blocks <= batch; blocks *= 2) {
        check_blocks(layer, batch, blocks);
    }
}

static void parts_make_the_whole(void **state) {
    (void)state;
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = 2}, &context), STOA_OK);
    assert_true(harness_examples(gathers, check_all_blocks) > 0);
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_make_the_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
