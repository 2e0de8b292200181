/* SPDX-License-Identifier: MIT */
/* What surrounds an algorithm's own run, the same for all of them. */
#ifndef STOA_CONV_OPERANDS_H
#define STOA_CONV_OPERANDS_H

#include "conv/conv.h"

/* The problem as an algorithm reads it that does what `native` (of enum stoa_conv_native) names. */
struct stoa_conv stoa_conv_native_part(const struct stoa_conv *conv, enum stoa_conv_pass pass,
                                       unsigned native);

/* Finish a plan that an algorithm has made: its key, and room for what stoa_conv_run() does around it. False
 * when a size overflows. */
bool stoa_conv_plan_operands(const stoa_context *context, struct stoa_conv_plan *plan);

#endif
