/* SPDX-License-Identifier: MIT */
/* Weight gradients of the implicit algorithm: its `plan`, `run` and `describe` for that pass. */
#ifndef STOA_CONV_IMPLICIT_WEIGHTS_H
#define STOA_CONV_IMPLICIT_WEIGHTS_H

#include "conv/conv.h"

bool stoa_implicit_plan_weights(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_implicit_weights(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);
void stoa_implicit_describe_weights(const struct stoa_conv_plan *plan, char *out, size_t size);

#endif
