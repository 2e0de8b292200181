/* SPDX-License-Identifier: MIT */
/* Operators that combine the numbers of several inputs, or of one and a constant, place by place: sums,
 * products and their kin, with PyTorch's broadcasting.
 *
 * Inputs are images H, W, C or vectors, which count as 1, 1, C. In each of the three sizes all are equal or
 * 1; what has size 1 is read again for every place along it, and its gradient is the sum over those places.
 *
 * A layer with a single input has a constant as its other operand: one number or one a channel (`value`), or
 * a tensor "NAME.value" of the layer's own, of `size` with `channels`, where what is not given is 1. It is no
 * parameter unless `trainable` says so, and is never copied for the samples of a batch. On disk it has
 * PyTorch's order C, H, W, or is a vector where it has one pixel. */
#ifndef STOA_OPS_COMBINE_H
#define STOA_OPS_COMBINE_H

#include "ops/op.h"

enum stoa_combination {
    STOA_COMBINE_ADD,
    STOA_COMBINE_SUB,
    STOA_COMBINE_MUL,
    STOA_COMBINE_DIV,
    STOA_COMBINE_MIN,
    STOA_COMBINE_MAX,
};

struct stoa_combine_options {
    struct stoa_list value;
    struct stoa_pair size;
    size_t channels;
    bool trainable, reverse;
};

/* The last one, `reverse`, is not for combinations whose operands may change places. */
enum { STOA_COMBINE_OPTIONS = 5 };
extern const struct stoa_option stoa_combine_options[STOA_COMBINE_OPTIONS];

stoa_status stoa_combine_infer(struct stoa_error *error, struct stoa_layer *layer);
bool stoa_combine_memory(const struct stoa_op_run *run, struct stoa_op_memory *memory);
void stoa_combine_map(const struct stoa_op_run *run, enum stoa_combination kind,
                      const struct stoa_map_piece *piece);
void stoa_combine_forward(const struct stoa_op_run *run, enum stoa_combination kind);
/* The gradient of the tensor of samples [first, first + samples). */
void stoa_combine_sum(const struct stoa_op_run *run, enum stoa_combination kind, size_t first, size_t samples,
                      float *sum);
/* `sum` is stoa_combine_sum() for this kind. */
void stoa_combine_backward(const struct stoa_op_run *run, enum stoa_combination kind,
                           void (*sum)(const struct stoa_op_run *run, size_t first, size_t samples,
                                       float *sum));
void stoa_combine_reference_forward(const struct stoa_op_reference *run, enum stoa_combination kind);
void stoa_combine_reference_backward(const struct stoa_op_reference *run, enum stoa_combination kind);

/* The operator `stoa_op_NAME` of up to `most` inputs, with `options` of stoa_combine_options and the
 * examples `cases`; `reads` is its `needs`. */
#define STOA_COMBINE_OPERATOR(NAME, KIND, reads, most, taken, cases)                                         \
    static void NAME##_map(const struct stoa_op_run *run, const struct stoa_map_piece *piece) {              \
        stoa_combine_map(run, KIND, piece);                                                                  \
    }                                                                                                        \
    static void NAME##_forward(const struct stoa_op_run *run) {                                              \
        stoa_combine_forward(run, KIND);                                                                     \
    }                                                                                                        \
    static void NAME##_sum(const struct stoa_op_run *run, size_t first, size_t samples, float *sum) {        \
        stoa_combine_sum(run, KIND, first, samples, sum);                                                    \
    }                                                                                                        \
    static void NAME##_backward(const struct stoa_op_run *run) {                                             \
        stoa_combine_backward(run, KIND, NAME##_sum);                                                        \
    }                                                                                                        \
    static void NAME##_reference_forward(const struct stoa_op_reference *run) {                              \
        stoa_combine_reference_forward(run, KIND);                                                           \
    }                                                                                                        \
    static void NAME##_reference_backward(const struct stoa_op_reference *run) {                             \
        stoa_combine_reference_backward(run, KIND);                                                          \
    }                                                                                                        \
    const struct stoa_op stoa_op_##NAME = {                                                                  \
        .name = #NAME,                                                                                       \
        .least_inputs = 1,                                                                                   \
        .most_inputs = (most),                                                                               \
        .options = stoa_combine_options,                                                                     \
        .option_count = (taken),                                                                             \
        .options_bytes = sizeof(struct stoa_combine_options),                                                \
        .needs = (reads),                                                                                    \
        .in_place = true,                                                                                    \
        .gradient_in_place = true,                                                                           \
        .infer = stoa_combine_infer,                                                                         \
        .memory = stoa_combine_memory,                                                                       \
        .map = NAME##_map,                                                                                   \
        .forward = NAME##_forward,                                                                           \
        .backward = NAME##_backward,                                                                         \
        .reference_forward = NAME##_reference_forward,                                                       \
        .reference_backward = NAME##_reference_backward,                                                     \
        .examples = (cases),                                                                                 \
    }

#endif
