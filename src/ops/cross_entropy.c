/* SPDX-License-Identifier: MIT */
/* cross_entropy: the loss of class numbers against probabilities, as a softmax layer gives them.
 *
 * x (N, K) probabilities, labels (N) in [0, K), y (N). The target t of a sample is smoothing / K for every
 * class, and 1 - smoothing more for its own, each times the weight of its class:
 *   y = -sum over k of t[k] * log(max(x[k], epsilon)), dx = -t / x * dy, 0 where x < epsilon
 * Rows need not sum to 1. softmax_cross_entropy takes logits, and is more exact. */
#include "ops/class_loss.h"

static const struct stoa_option options[] = {
    STOA_CLASS_LOSS_OPTION_TABLE,
    {"epsilon", STOA_OPTION_FLOAT, offsetof(struct stoa_class_loss_options, epsilon), "1e-12", 1e-37, 1,
     NULL},
};

static const struct stoa_class_loss_options *options_of(const struct stoa_layer *layer) {
    return layer->options;
}

static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t classes = stoa_class_count(run->layer);
    const struct stoa_class_loss_options *o = options_of(run->layer);
    run->context->kernels->xent(run->x[0] + first * classes, run->targets.labels + first, count, classes,
                                stoa_class_weights(run->layer), o->smoothing, o->epsilon, run->y + first);
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_class_count(run->layer) * 16), forward_rows);
}

static void backward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t classes = stoa_class_count(run->layer);
    const struct stoa_class_loss_options *o = options_of(run->layer);
    run->context->kernels->xent_backward(run->x[0] + first * classes, run->targets.labels + first,
                                         run->dy + first, count, classes, stoa_class_weights(run->layer),
                                         o->smoothing, o->epsilon, run->dx[0] + first * classes);
}

static void backward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_class_count(run->layer)), backward_rows);
}

static void reference_forward(const struct stoa_op_reference *run) {
    double room[STOA_LIST_MOST];
    const struct stoa_class_loss_options *o = options_of(run->layer);
    stoa_reference_f64.xent(run->x[0], run->labels, run->batch, stoa_class_count(run->layer),
                            stoa_class_weights_f64(run->layer, room), (double)o->smoothing,
                            (double)o->epsilon, run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    double room[STOA_LIST_MOST];
    const struct stoa_class_loss_options *o = options_of(run->layer);
    stoa_reference_f64.xent_backward(run->x[0], run->labels, run->dy, run->batch,
                                     stoa_class_count(run->layer), stoa_class_weights_f64(run->layer, room),
                                     (double)o->smoothing, (double)o->epsilon, run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"epsilon=0.01", {"10"}, 7},
    {"", {"3"}, 3},
    {"smoothing=0.1 epsilon=0.01", {"10"}, 7},
    {"weights=1,2.5,0.5,2 smoothing=0.25 epsilon=0.04", {"4"}, 5},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_cross_entropy = {
    .name = "cross_entropy",
    .is_loss = true,
    .takes_labels = true,
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_class_loss_options),
    .needs = STOA_NEEDS_X,
    .infer = stoa_class_loss_infer,
    .batch_weight = stoa_class_loss_batch_weight,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
