/* softmax_cross_entropy: the loss of class numbers against logits.
 *
 * x (N, K) logits, labels (N) in [0, K), y (N): y = log(sum(exp(x - max))) - (x[label] - max), which never
 * takes the logarithm of a small number. dx = (softmax(x) - onehot(label)) * dy. Saved: the probabilities.
 * Floor 5. */
#include <math.h>

#include "base/size.h"
#include "ops/op.h"

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    if (layer->input[0].rank != 1) {
        char text[STOA_SHAPE_TEXT];
        return stoa_error_set(error, STOA_ERR_SHAPE, "found input of shape %s, expected a vector of logits",
                              stoa_shape_text(&layer->input[0], text));
    }
    layer->output = (struct stoa_shape){.rank = 1, .dim = {1}};
    return STOA_OK;
}

static size_t classes_of(const struct stoa_layer *layer) {
    return layer->input[0].dim[0];
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    size_t count;
    return stoa_size_mul(run->planned_batch, classes_of(run->layer), &count) &&
           stoa_float_bytes(count, &memory->saved);
}

static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t classes = classes_of(run->layer);
    run->context->kernels->softmax_xent(run->x[0] + first * classes, run->targets.labels + first, count,
                                        classes, (float *)run->saved + first * classes, run->y + first);
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(classes_of(run->layer) * 16), forward_rows);
}

static void backward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t classes = classes_of(run->layer);
    run->context->kernels->softmax_xent_backward((const float *)run->saved + first * classes,
                                                 run->targets.labels + first, run->dy + first, count, classes,
                                                 run->dx[0] + first * classes);
}

static void backward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(classes_of(run->layer)), backward_rows);
}

static void reference_forward(const struct stoa_op_reference *run) {
    size_t classes = classes_of(run->layer);
    for (size_t n = 0; n < run->batch; n++) {
        const double *x = run->x[0] + n * classes;
        double sum = 0;
        for (size_t k = 0; k < classes; k++) {
            sum += exp(x[k] - x[run->labels[n]]);
        }
        /* The label's own term is 1, so the sum is at least that. */
        /* cppcheck-suppress invalidFunctionArg */
        run->y[n] = log(sum);
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t classes = classes_of(run->layer);
    stoa_reference_f64.softmax(run->x[0], run->batch, classes, run->dx[0]);
    stoa_reference_f64.softmax_xent_backward(run->dx[0], run->labels, run->dy, run->batch, classes,
                                             run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"", {"10"}, 7},
    {"", {"3"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .is_loss = true,
    .takes_labels = true,
    .least_inputs = 1,
    .most_inputs = 1,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
