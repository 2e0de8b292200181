/* SPDX-License-Identifier: MIT */
/* Every operator of the registry, on its own examples: the double reference against finite differences, the
 * fast passes against the double reference, and the promises of its descriptor (threads, in place, needs,
 * memory). A new operator is tested by being in the registry. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "harness.h"

/* Largest error of a fast result, over the largest value of its array. Floats have 6e-8; the sums of the
 * examples have at most some thousand terms, and what adds up along them stays below this for every summation
 * order in use. Convolutions may run by Winograd's method, whose transforms lose more, most of all
 * of tiles of 6x6. */
static const double FAST_ERROR = 2e-6, CONVOLUTION_ERROR = 1e-5;

/* The same for derivatives of the double reference: central differences with h = 1e-6 are good to h^2 and to
 * 1e-16 / h. */
static const double DIFFERENCE = 1e-6, DIFFERENCE_ERROR = 1e-7;

enum { SEED = 20240, SAMPLES = 24 };

typedef void example_fn(const struct stoa_layer *layer, size_t batch);

static void for_each_example(example_fn *check) {
    for (size_t i = 0; stoa_ops[i]; i++) {
        const struct stoa_op *op = stoa_ops[i];
        for (const struct stoa_op_example *e = op->examples; e && e->options; e++) {
            char line[256];
            (void)snprintf(line, sizeof line, "%s %s", op->name, e->options);
            struct stoa_layer layer;
            harness_layer(&layer, line, e->input);
            check(&layer, e->batch);
            stoa_layer_clear(&layer);
        }
    }
}

static void every_operator_is_testable(void **state) {
    (void)state;
    size_t count = 0;
    for (; stoa_ops[count]; count++) {
        const struct stoa_op *op = stoa_ops[count];
        if (!op->is_input && (!op->examples || !op->examples[0].options)) {
            fail_msg("%s has no examples", op->name);
        }
        if (!op->reference_forward || !op->reference_backward) {
            fail_msg("%s has no double reference", op->name);
        }
        for (const struct stoa_op_example *e = op->examples; e->options; e++) {
            assert_true(e->batch > 0);
        }
        assert_ptr_equal(stoa_op_find(op->name), op);
    }
    assert_true(count > 0);
    assert_null(stoa_op_find("no such operator"));
}

static stoa_context *make_context(const stoa_context_options *options) {
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(options, &context), STOA_OK);
    return context;
}

/* ---- The double reference against finite differences ---- */

/* What is differentiated: the sum of dy * y. Running statistics change in forward, so they are put back. */
static double objective(struct harness_reference *r) {
    double *kept[STOA_MAX_TENSORS] = {NULL};
    for (size_t t = 0; t < r->h->layer->tensors; t++) {
        size_t bytes = harness_tensor_size(r->h, t) * sizeof(double);
        kept[t] = malloc(bytes);
        assert_non_null(kept[t]);
        memcpy(kept[t], r->tensor[t], bytes);
    }
    harness_reference_forward(r);
    double sum = 0;
    for (size_t i = 0; i < harness_y_size(r->h); i++) {
        sum += r->dy[i] * r->y[i];
    }
    for (size_t t = 0; t < r->h->layer->tensors; t++) {
        memcpy(r->tensor[t], kept[t], harness_tensor_size(r->h, t) * sizeof(double));
        free(kept[t]);
    }
    return sum;
}

/* Derivative along `direction`, or along element `at` alone. */
static double numeric_derivative(struct harness_reference *r, double *value, size_t count,
                                 const float *direction, size_t at) {
    double side[2];
    double *kept = malloc(count * sizeof *kept);
    assert_non_null(kept);
    memcpy(kept, value, count * sizeof *kept);
    for (int s = 0; s < 2; s++) {
        double h = s == 0 ? DIFFERENCE : -DIFFERENCE;
        for (size_t i = 0; i < count; i++) {
            value[i] = kept[i] + h * (direction ? (double)direction[i] : i == at ? 1 : 0);
        }
        side[s] = objective(r);
    }
    memcpy(value, kept, count * sizeof *kept);
    free(kept);
    return (side[0] - side[1]) / (2 * DIFFERENCE);
}

static void check_derivative(const char *what, const struct harness_reference *r, double found,
                             double expected, double scale) {
    if (!(fabs(found - expected) <= DIFFERENCE_ERROR * scale)) {
        fail_msg("%s: derivative of the reference by %s is %.12g, finite differences give %.12g",
                 r->h->layer->op->name, what, found, expected);
    }
}

/* The gradient of one array: some of its elements, then all of them along one direction. */
static void check_gradient(const char *what, struct harness_reference *r, double *value,
                           const double *gradient, size_t count, const float *direction) {
    double scale = 1;
    double along = 0;
    for (size_t i = 0; i < count; i++) {
        scale = fmax(scale, fabs(gradient[i]));
        along += gradient[i] * (double)direction[i];
    }
    /* Rounding of the objective, a sum over y, is divided by h too. */
    for (size_t i = 0; i < harness_y_size(r->h); i++) {
        scale = fmax(scale, 1e-3 * (double)harness_y_size(r->h) * fabs(r->dy[i] * r->y[i]));
    }
    size_t step = stoa_max(1, count / SAMPLES);
    for (size_t i = 0; i < count; i += step) {
        check_derivative(what, r, gradient[i], numeric_derivative(r, value, count, NULL, i), scale);
    }
    check_derivative(what, r, along, numeric_derivative(r, value, count, direction, 0),
                     scale * sqrt((double)count));
}

static double *copy_of(const double *values, size_t count) {
    double *out = malloc(count * sizeof *out);
    assert_non_null(out);
    return memcpy(out, values, count * sizeof *out);
}

static void reference_matches_differences(const struct stoa_layer *layer, size_t batch) {
    stoa_context *context = make_context(NULL);
    struct harness h;
    struct harness other; /* its random numbers serve as directions */
    struct harness_setup setup = {.batch = batch, .training = true, .seed = 7, .step = 3, .layer_number = 5};
    harness_open(&h, context, layer, &setup);
    harness_open(&other, context, layer, &setup);
    harness_fill(&h, SEED);
    harness_fill(&other, SEED + 1);
    struct harness_reference r;
    harness_reference_open(&r, &h);
    (void)objective(&r);
    harness_reference_backward(&r);
    for (size_t k = 0; k < layer->inputs; k++) {
        double *gradient = copy_of(r.dx[k], harness_x_size(&h, k));
        check_gradient("x", &r, r.x[k], gradient, harness_x_size(&h, k), other.x[k]);
        free(gradient);
    }
    for (size_t t = 0; t < layer->tensors; t++) {
        if (layer->tensor[t].trainable) {
            check_gradient(layer->tensor[t].suffix, &r, r.tensor[t], r.dtensor[t], harness_tensor_size(&h, t),
                           other.tensor[t]);
        }
    }
    harness_reference_close(&r);
    harness_close(&other);
    harness_close(&h);
    stoa_context_free(context);
}

static void references_match_finite_differences(void **state) {
    (void)state;
    for_each_example(reference_matches_differences);
}

/* ---- The fast passes against the double reference ---- */

static double worst_error;

static void check_error(const char *what, const struct harness *h, const float *found, const double *expected,
                        size_t count) {
    double error = harness_error(found, expected, count);
    worst_error = fmax(worst_error, error);
    if (!(error <= (strncmp(h->layer->op->name, "conv", 4) == 0 ? CONVOLUTION_ERROR : FAST_ERROR))) {
        fail_msg("%s (%s, %zu threads): %s differs from the reference by %.3g of its largest value",
                 h->layer->op->name, stoa_isa_name(stoa_context_isa(h->context)), h->context->threads, what,
                 error);
    }
}

static void check_against_reference(stoa_context *context, const struct stoa_layer *layer,
                                    const struct harness_setup *setup) {
    struct harness h;
    struct harness_reference r;
    harness_open(&h, context, layer, setup);
    harness_fill(&h, SEED + 2);
    harness_reference_open(&r, &h);
    harness_forward(&h);
    harness_reference_forward(&r);
    check_error("y", &h, h.y, r.y, harness_y_size(&h));
    for (size_t t = 0; t < layer->tensors; t++) {
        check_error(layer->tensor[t].suffix, &h, h.tensor[t], r.tensor[t], harness_tensor_size(&h, t));
    }
    if (setup->training) {
        harness_backward(&h);
        harness_reference_backward(&r);
        for (size_t k = 0; k < layer->inputs; k++) {
            check_error("dx", &h, h.dx[k], r.dx[k], harness_x_size(&h, k));
        }
        for (size_t t = 0; t < layer->tensors; t++) {
            if (h.dtensor[t]) {
                check_error("a tensor's gradient", &h, h.dtensor[t], r.dtensor[t],
                            harness_tensor_size(&h, t));
            }
        }
    }
    harness_reference_close(&r);
    harness_close(&h);
}

static void check_batches(stoa_context *context, const struct stoa_layer *layer, size_t batch) {
    struct harness_setup setup = {.batch = batch, .training = true, .seed = 11, .step = 2, .layer_number = 4};
    check_against_reference(context, layer, &setup);
    /* Fewer samples than planned. */
    setup.planned_batch = 3 * batch + 2;
    check_against_reference(context, layer, &setup);
    setup.training = false;
    check_against_reference(context, layer, &setup);
}

static void fast_matches_reference(const struct stoa_layer *layer, size_t batch) {
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        for (size_t threads = 1; threads <= 3; threads += 2) {
            stoa_context *context = make_context(
                &(stoa_context_options){.threads = threads, .highest_isa = (stoa_isa)isa, .limit_isa = true});
            check_batches(context, layer, batch);
            stoa_context_free(context);
        }
    }
}

static void fast_passes_match_references(void **state) {
    (void)state;
    worst_error = 0;
    for_each_example(fast_matches_reference);
    print_message("instruction sets up to %s; largest error %.2g of an array's largest value\n",
                  stoa_isa_name(stoa_isa_best()), worst_error);
}

static void other_settings_match_reference(const struct stoa_layer *layer, size_t batch) {
    const stoa_context_options settings[] = {
        {.threads = 2, .policy = STOA_POLICY_EXACT},
        {.threads = 2, .policy = STOA_POLICY_BLAS},
        {.threads = 2, .workspace_limit = 16 << 10}, /* more and smaller tiles */
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        stoa_context *context = make_context(&settings[i]);
        check_batches(context, layer, batch);
        stoa_context_free(context);
    }
}

static void all_policies_and_limits_match_references(void **state) {
    (void)state;
    for_each_example(other_settings_match_reference);
}

/* ---- Promises of the descriptors: the same bits whatever the way ---- */

static void same_bits(const char *how, const struct harness *a, const void *x, const void *y, size_t floats) {
    if (x && y && memcmp(x, y, floats * sizeof(float)) != 0) {
        fail_msg("%s: other bits %s", a->layer->op->name, how);
    }
}

/* Forward of a twin of `h` with another set-up, and its outputs. */
static void open_twin(const struct harness *h, struct harness *twin, stoa_context *context,
                      const struct harness_setup *setup) {
    harness_open(twin, context, h->layer, setup);
    harness_fill(twin, SEED + 3);
    harness_forward(twin);
}

static void check_gradients_equal(const char *how, const struct harness *a, const struct harness *b) {
    for (size_t k = 0; k < a->layer->inputs; k++) {
        same_bits(how, a, a->dx[k], b->dx[k], harness_x_size(a, k));
    }
    for (size_t t = 0; t < a->layer->tensors; t++) {
        same_bits(how, a, a->tensor[t], b->tensor[t], harness_tensor_size(a, t));
        same_bits(how, a, a->dtensor[t], b->dtensor[t], harness_tensor_size(a, t));
    }
}

/* Run the layer as it stands: what the twins are compared with. */
static void open_plain(struct harness *h, stoa_context *context, const struct stoa_layer *layer,
                       size_t batch) {
    const struct harness_setup setup = {
        .batch = batch, .training = true, .seed = 13, .step = 9, .layer_number = 6};
    harness_open(h, context, layer, &setup);
    harness_fill(h, SEED + 3);
    harness_forward(h);
    harness_backward(h);
}

static void threads_give_same_bits(const struct stoa_layer *layer, size_t batch) {
    const size_t threads[] = {2, 3, 7};
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        stoa_context_options options = {.threads = 1, .highest_isa = (stoa_isa)isa, .limit_isa = true};
        stoa_context *one = make_context(&options);
        struct harness h;
        open_plain(&h, one, layer, batch);
        for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
            options.threads = threads[i];
            stoa_context *many = make_context(&options);
            struct harness twin;
            open_twin(&h, &twin, many, &h.setup);
            same_bits("with more threads", &h, h.y, twin.y, harness_y_size(&h));
            harness_backward(&twin);
            check_gradients_equal("with more threads, backward", &h, &twin);
            harness_close(&twin);
            stoa_context_free(many);
        }
        harness_close(&h);
        stoa_context_free(one);
    }
}

static void bits_do_not_depend_on_threads(void **state) {
    (void)state;
    for_each_example(threads_give_same_bits);
}

static void in_place_gives_same_bits(const struct stoa_layer *layer, size_t batch) {
    const struct stoa_op *op = layer->op;
    assert_true(!op->is_view || (op->in_place && op->gradient_in_place));
    stoa_context *context = make_context(&(stoa_context_options){.threads = 3});
    struct harness h;
    open_plain(&h, context, layer, batch);
    for (int way = 1; way <= 3; way++) {
        struct harness_setup setup = h.setup;
        setup.in_place = (way & 1) != 0;
        setup.gradient_in_place = (way & 2) != 0;
        bool equal = harness_x_size(&h, 0) == harness_y_size(&h);
        if ((setup.in_place && !(op->in_place && equal)) ||
            (setup.gradient_in_place && !(op->gradient_in_place && equal))) {
            continue;
        }
        struct harness twin;
        open_twin(&h, &twin, context, &setup);
        same_bits("in place", &h, h.y, twin.y, harness_y_size(&h));
        /* Where backward reads x, only inference may overwrite it. */
        if (!setup.in_place || !(op->needs & STOA_NEEDS_X)) {
            harness_backward(&twin);
            check_gradients_equal("in place, backward", &h, &twin);
        }
        harness_close(&twin);
    }
    harness_close(&h);
    stoa_context_free(context);
}

static void operators_run_in_place(void **state) {
    (void)state;
    for_each_example(in_place_gives_same_bits);
}

/* A plan throws away what `needs` does not name, and may put anything there. */
static void backward_reads_what_it_declares(const struct stoa_layer *layer, size_t batch) {
    stoa_context *context = make_context(NULL);
    struct harness h;
    struct harness twin;
    open_plain(&h, context, layer, batch);
    open_twin(&h, &twin, context, &h.setup);
    for (size_t k = 0; k < layer->inputs && !(layer->op->needs & STOA_NEEDS_X); k++) {
        memset(twin.x[k], 0xFF, harness_x_size(&twin, k) * sizeof(float));
    }
    if (!(layer->op->needs & STOA_NEEDS_Y)) {
        memset(twin.y, 0xFF, harness_y_size(&twin) * sizeof(float));
    }
    harness_backward(&twin);
    check_gradients_equal("when backward finds other values in what it does not need", &h, &twin);
    harness_close(&twin);
    harness_close(&h);
    stoa_context_free(context);
}

static void needs_are_declared(void **state) {
    (void)state;
    for_each_example(backward_reads_what_it_declares);
}

/* A first layer, and an operator with one input that needs no gradient. A loss is always asked. */
static void unasked_gradients_change_nothing(const struct stoa_layer *layer, size_t batch) {
    if (layer->op->is_loss) {
        return;
    }
    stoa_context *context = make_context(NULL);
    struct harness h;
    open_plain(&h, context, layer, batch);
    for (unsigned unasked = 1; unasked < 1U << layer->inputs; unasked++) {
        struct harness_setup setup = h.setup;
        setup.unasked = unasked;
        struct harness twin;
        open_twin(&h, &twin, context, &setup);
        harness_backward(&twin);
        check_gradients_equal("when an input's gradient is not asked for", &h, &twin);
        harness_close(&twin);
    }
    harness_close(&h);
    stoa_context_free(context);
}

static void gradients_of_inputs_can_be_left_out(void **state) {
    (void)state;
    for_each_example(unasked_gradients_change_nothing);
}

/* Evaluation inside a training plan finds the training plan's memory. */
static void evaluation_runs_in_training_memory(const struct stoa_layer *layer, size_t batch) {
    stoa_context *context = make_context(NULL);
    struct harness plain;
    struct harness inside;
    struct harness_setup setup = {.batch = batch};
    harness_open(&plain, context, layer, &setup);
    setup.training = true;
    harness_open(&inside, context, layer, &setup);
    inside.setup.training = false;
    harness_fill(&plain, SEED + 4);
    harness_fill(&inside, SEED + 4);
    harness_forward(&plain);
    harness_forward(&inside);
    same_bits("when evaluated in a training plan", &plain, plain.y, inside.y, harness_y_size(&plain));
    harness_close(&plain);
    harness_close(&inside);
    stoa_context_free(context);
}

static void training_plans_evaluate(void **state) {
    (void)state;
    for_each_example(evaluation_runs_in_training_memory);
}

/* Unlike the other operators, dropout has no golden values: what it must be is its share of zeros, its scale,
 * another mask for another seed, step or layer, and the mask of forward in backward. */
static double zeros_of_dropout(const struct harness *h) {
    size_t zeros = 0;
    for (size_t i = 0; i < harness_y_size(h); i++) {
        bool dropped = h->y[i] == 0;
        zeros += dropped;
        assert_true(dropped || fabs((double)h->y[i] - (double)h->x[0][i] / 0.7) < 1e-6);
        assert_true(dropped ? h->dx[0][i] == 0 : fabs((double)h->dx[0][i] - (double)h->dy[i] / 0.7) < 1e-6);
    }
    return (double)zeros / (double)harness_y_size(h);
}

static void dropout_drops_its_share(void **state) {
    (void)state;
    const struct harness_setup setups[] = {
        {.batch = 20, .training = true, .seed = 1, .step = 1, .layer_number = 1},
        {.batch = 20, .training = true, .seed = 2, .step = 1, .layer_number = 1},
        {.batch = 20, .training = true, .seed = 1, .step = 2, .layer_number = 1},
        {.batch = 20, .training = true, .seed = 1, .step = 1, .layer_number = 2},
    };
    enum { COUNT = sizeof setups / sizeof *setups };
    stoa_context *context = make_context(NULL);
    struct stoa_layer layer;
    struct harness h[COUNT];
    harness_layer(&layer, "dropout p=0.3", (const char *[]){"1000", NULL});
    for (size_t i = 0; i < COUNT; i++) {
        harness_open(&h[i], context, &layer, &setups[i]);
        harness_fill(&h[i], SEED);
        harness_forward(&h[i]);
        harness_backward(&h[i]);
        /* 20 000 values: five deviations are 0.016. */
        assert_true(fabs(zeros_of_dropout(&h[i]) - 0.3) < 0.016);
        size_t differ = 0;
        for (size_t j = 0; i > 0 && j < harness_y_size(&h[i]); j++) {
            differ += (h[i].y[j] == 0) != (h[0].y[j] == 0);
        }
        assert_true(i == 0 || fabs((double)differ / 20000 - 2 * 0.3 * 0.7) < 0.02);
    }
    for (size_t i = 0; i < COUNT; i++) {
        harness_close(&h[i]);
    }
    stoa_layer_clear(&layer);
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_is_testable),
        cmocka_unit_test(references_match_finite_differences),
        cmocka_unit_test(fast_passes_match_references),
        cmocka_unit_test(all_policies_and_limits_match_references),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(operators_run_in_place),
        cmocka_unit_test(needs_are_declared),
        cmocka_unit_test(gradients_of_inputs_can_be_left_out),
        cmocka_unit_test(training_plans_evaluate),
        cmocka_unit_test(dropout_drops_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
