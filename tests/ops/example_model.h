/* SPDX-License-Identifier: MIT */
/* Networks from the examples of operators, for tests that write networks in other forms. */
#ifndef STOA_TESTS_EXAMPLE_MODEL_H
#define STOA_TESTS_EXAMPLE_MODEL_H

#include <stoa/model.h>

#include "ops/op.h"

/* A built network whose layer "layer" is the example, with values drawn. Of several inputs each is made from
 * the model's by a dense layer, and reshaped. NULL: it could not be built, the context has the sentence. */
stoa_model *example_model(stoa_context *context, const struct stoa_op *op,
                          const struct stoa_op_example *example);

/* Give every tensor values of its own; what is a variance is positive. */
stoa_status example_fill(stoa_model *model);

/* A number from -1 to 1 that follows from both. */
float example_draw(uint64_t stream, uint64_t number);

/* "HxWxC", or "K" as 1x1xK. */
void example_shape(const char *text, size_t dim[3]);

#endif
