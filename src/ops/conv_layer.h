/* SPDX-License-Identifier: MIT */
/* The passes of a layer that is a convolution or the gradient of one. */
#ifndef STOA_OPS_CONV_LAYER_H
#define STOA_OPS_CONV_LAYER_H

#include "conv/conv.h"
#include "ops/op.h"

/* What a layer does with a convolution, in the order of its plans. A transposed layer's output is the
 * convolution's x and its input the convolution's y: it goes forward by the pass that goes backward there. */
enum stoa_conv_layer_pass { STOA_LAYER_FORWARD, STOA_LAYER_DATA, STOA_LAYER_WEIGHTS };

enum { STOA_CONV_LAYER_BYTES = STOA_CONV_PASSES * sizeof(struct stoa_conv_plan) };

/* For `memory` of struct stoa_op: plan the passes that are wanted into run->plan, of STOA_CONV_LAYER_BYTES;
 * the others have no algorithm and take no memory. */
bool stoa_conv_layer_memory(const struct stoa_op_run *run, const struct stoa_conv *conv, bool transposed,
                            struct stoa_op_memory *memory);

/* For `backward`: the gradients of the weight, tensor 0, and of the input. The convolution's bias has its
 * gradient too. */
void stoa_conv_layer_backward(const struct stoa_op_run *run);

/* For `algorithm`. */
void stoa_conv_layer_describe(const struct stoa_op_run *run, enum stoa_pass pass, char *out, size_t size);

static inline const struct stoa_conv_plan *stoa_conv_layer_plan(const struct stoa_op_run *run,
                                                                enum stoa_conv_layer_pass pass) {
    return (const struct stoa_conv_plan *)run->plan + pass;
}

#endif
