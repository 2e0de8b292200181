/* SPDX-License-Identifier: MIT */
/* input: a further input of the model, an image of `size` with `channels`, or without a size a vector of
 * `channels` numbers. y is what the caller of a run has written there; dy is the gradient that the caller
 * reads. Nothing is computed. */
#include "base/size.h"
#include "ops/op.h"

struct input_options {
    struct stoa_pair size;
    size_t channels;
};

static const struct stoa_option options[] = {
    {"size", STOA_OPTION_PAIR, offsetof(struct input_options, size), "1", 1, 1 << 20, NULL},
    {"channels", STOA_OPTION_SIZE, offsetof(struct input_options, channels), NULL, 1, 1 << 30, NULL},
};

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct input_options *o = layer->options;
    return stoa_input_shape(error, o->size.height, o->size.width, o->channels, &layer->output);
}

static void run_nothing(const struct stoa_op_run *run) {
    (void)run;
}

static void reference_nothing(const struct stoa_op_reference *run) {
    (void)run;
}

static double count_nothing(const struct stoa_layer *layer) {
    (void)layer;
    return 0;
}

static const struct stoa_op_example examples[] = {{NULL, {NULL}, 0}};

const struct stoa_op stoa_op_input = {
    .name = "input",
    .is_input = true,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct input_options),
    .infer = infer,
    .forward = run_nothing,
    .backward = run_nothing,
    .flops = count_nothing,
    .reference_forward = reference_nothing,
    .reference_backward = reference_nothing,
    .examples = examples,
};
