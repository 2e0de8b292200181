/* SPDX-License-Identifier: MIT */
/* softmax_cross_entropy: the loss of class numbers against logits.
 *
 * x (N, K) logits, labels (N) in [0, K), y (N). The target t of a sample is smoothing / K for every class,
 * and 1 - smoothing more for its own, each times the weight of its class:
 *   y = sum over k of t[k] * (log(sum(exp(x - max))) - (x[k] - max))
 *   dx = (softmax(x) * sum(t) - t) * dy
 * The logarithm is never one of a small number.
 * As PyTorch's with reduction=none. The mean over a batch is by samples, or with mean=weights, as PyTorch's,
 * by the weights of their classes. Saved: the probabilities, where the
 * gradient is not asked for at once. */
#include "base/size.h"
#include "ops/class_loss.h"

static const struct stoa_option options[] = {STOA_CLASS_LOSS_OPTION_TABLE};

static float smoothing_of(const struct stoa_layer *layer) {
    return ((const struct stoa_class_loss_options *)layer->options)->smoothing;
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    size_t count;
    return !run->training || (stoa_size_mul(run->planned_batch, stoa_class_count(run->layer), &count) &&
                              stoa_float_bytes(count, &memory->saved));
}

static void backward_from(const struct stoa_op_run *run, size_t first, size_t count,
                          const float *probability) {
    size_t classes = stoa_class_count(run->layer);
    run->context->kernels->softmax_xent_backward(
        probability + first * classes, run->targets.labels + first, run->dy + first, count, classes,
        stoa_class_weights(run->layer), smoothing_of(run->layer), run->dx[0] + first * classes);
}

/* With its gradient where that is asked for already. */
static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t classes = stoa_class_count(run->layer);
    float *probability = run->dx[0] ? run->dx[0] : run->training ? run->saved : NULL;
    run->context->kernels->softmax_xent(run->x[0] + first * classes, run->targets.labels + first, count,
                                        classes, stoa_class_weights(run->layer), smoothing_of(run->layer),
                                        probability ? probability + first * classes : NULL, run->y + first);
    if (run->dx[0]) {
        backward_from(run, first, count, run->dx[0]);
    }
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_class_count(run->layer) * 16), forward_rows);
}

static void backward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    backward_from(run, first, count, run->saved);
}

static void backward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_class_count(run->layer)), backward_rows);
}

static void reference_forward(const struct stoa_op_reference *run) {
    double room[STOA_LIST_MOST];
    stoa_reference_f64.softmax_xent(run->x[0], run->labels, run->batch, stoa_class_count(run->layer),
                                    stoa_class_weights_f64(run->layer, room),
                                    (double)smoothing_of(run->layer), NULL, run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    double room[STOA_LIST_MOST];
    size_t classes = stoa_class_count(run->layer);
    stoa_reference_f64.softmax(run->x[0], run->batch, classes, run->dx[0]);
    stoa_reference_f64.softmax_xent_backward(run->dx[0], run->labels, run->dy, run->batch, classes,
                                             stoa_class_weights_f64(run->layer, room),
                                             (double)smoothing_of(run->layer), run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"", {"10"}, 7},
    {"", {"3"}, 3},
    {"smoothing=0.1", {"10"}, 7},
    {"weights=1,2.5,0.5", {"3"}, 5},
    {"weights=1,2.5,0.5,2 smoothing=0.25", {"4"}, 5},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .is_loss = true,
    .gives_gradient = true,
    .takes_labels = true,
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_class_loss_options),
    .infer = stoa_class_loss_infer,
    .batch_weight = stoa_class_loss_batch_weight,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
