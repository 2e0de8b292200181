/* SPDX-License-Identifier: MIT */
/* Constants of a graph: weights, shapes and what folds to them. Row-major, in ONNX's order of axes. */
#ifndef STOA_ONNX_TENSOR_H
#define STOA_ONNX_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "onnx/read.h"

enum { STOA_ONNX_RANK = 8 };

/* ONNX's numbers of types. */
enum stoa_onnx_type {
    STOA_ONNX_FLOAT = 1,
    STOA_ONNX_UINT8 = 2,
    STOA_ONNX_INT8 = 3,
    STOA_ONNX_UINT16 = 4,
    STOA_ONNX_INT16 = 5,
    STOA_ONNX_INT32 = 6,
    STOA_ONNX_INT64 = 7,
    STOA_ONNX_BOOL = 9,
    STOA_ONNX_FLOAT16 = 10,
    STOA_ONNX_DOUBLE = 11,
    STOA_ONNX_UINT32 = 12,
    STOA_ONNX_UINT64 = 13,
    STOA_ONNX_BFLOAT16 = 16,
};

/* "float", "int64"; "type 23" for what is not read. */
const char *stoa_onnx_type_name(int32_t type);

/* float, float16 and bfloat16 lie as floats, double as doubles, integers and truth values as int64. */
struct stoa_onnx_tensor {
    int32_t type;
    size_t rank, dim[STOA_ONNX_RANK];
    size_t count;
    void *memory; /* from malloc; the one of these that the type asks for */
    float *f;
    double *d;
    int64_t *i;
};

/* Where tensors come from, and what they may cost: no file makes more numbers out of its bytes than the
 * budget holds. */
struct stoa_onnx_source {
    struct stoa_error *error;
    const char *folder; /* of external data; NULL: there is none */
    size_t budget;      /* numbers that may still be made without bytes of their own */
};

/* Memory for a tensor whose type, rank and dim are set, not filled. The numbers are taken from the budget. */
stoa_status stoa_onnx_tensor_make(struct stoa_onnx_source *source, struct stoa_onnx_tensor *tensor);
void stoa_onnx_tensor_free(struct stoa_onnx_tensor *tensor);

/* Read a message's numbers. The sentence begins "tensor 'NAME': ". */
stoa_status stoa_onnx_tensor_read(struct stoa_onnx_source *source, const StoaOnnx__Tensor *message,
                                  struct stoa_onnx_tensor *tensor);

/* Numbers of a shape; false when they are more than fit STOA_MAX_DIMENSION. */
bool stoa_onnx_count(size_t rank, const size_t *dim, size_t *count);

static inline bool stoa_onnx_is_integer(const struct stoa_onnx_tensor *tensor) {
    return tensor->i != NULL;
}

/* A number as a double, or an integer whatever it lies as; a fraction is cut off. */
double stoa_onnx_at(const struct stoa_onnx_tensor *tensor, size_t index);
int64_t stoa_onnx_integer_at(const struct stoa_onnx_tensor *tensor, size_t index);
/* Store a number as the tensor's type holds it. */
void stoa_onnx_put(struct stoa_onnx_tensor *tensor, size_t index, double value);

#endif
