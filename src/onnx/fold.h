/* SPDX-License-Identifier: MIT */
/* What the nodes over constants alone share. */
#ifndef STOA_ONNX_FOLD_H
#define STOA_ONNX_FOLD_H

#include "onnx/import.h"

/* Let number `at` of a tensor be number `index` of another of the same type. */
void stoa_onnx_fold_put(struct stoa_onnx_tensor *to, size_t at, const struct stoa_onnx_tensor *from,
                        size_t index);
/* The first input, which has to be there, and a result of its type and shape, which has no numbers yet. */
stoa_status stoa_onnx_fold_first(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                 const struct stoa_onnx_tensor **in, struct stoa_onnx_tensor *out);
/* A shape among constants, as the shape of `out`; the batch's size is none. */
stoa_status stoa_onnx_fold_shape(struct stoa_onnx_import *import, const struct stoa_onnx_tensor *shape,
                                 struct stoa_onnx_tensor *out);

#endif
