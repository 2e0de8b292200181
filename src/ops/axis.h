/* SPDX-License-Identifier: MIT */
/* Softmax and its logarithm over an axis: the channels of each pixel, which lie together; the heights or
 * widths, which are transposed into rows and back; or all numbers of a sample. */
#ifndef STOA_OPS_AXIS_H
#define STOA_OPS_AXIS_H

#include "ops/op.h"

struct stoa_axis_options {
    size_t axis;
};

enum { STOA_AXIS_OPTIONS = 1 };
extern const struct stoa_option stoa_axis_options[STOA_AXIS_OPTIONS];

stoa_status stoa_axis_infer(struct stoa_error *error, struct stoa_layer *layer);
bool stoa_axis_memory(const struct stoa_op_run *run, struct stoa_op_memory *memory);
/* A kernel over rows, and its gradient from y; the logarithm's where `is_log`. */
void stoa_axis_forward(const struct stoa_op_run *run, bool is_log);
void stoa_axis_backward(const struct stoa_op_run *run, bool is_log);
void stoa_axis_reference_forward(const struct stoa_op_reference *run, bool is_log);
void stoa_axis_reference_backward(const struct stoa_op_reference *run, bool is_log);

#endif
