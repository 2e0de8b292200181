/* SPDX-License-Identifier: MIT */
/* What differs between oneDNN 2 and 3: how descriptions of memory and of primitives are made. */
#ifndef STOA_BENCH_PEERS_ONEDNN_API_H
#define STOA_BENCH_PEERS_ONEDNN_API_H

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>

#include "conv/conv.h"

/* A description of memory that the caller owns, and one that somebody else does. */
#if DNNL_VERSION_MAJOR >= 3
#define ONEDNN_NAME "oneDNN 3"
typedef dnnl_memory_desc_t onednn_made;
typedef const_dnnl_memory_desc_t onednn_desc;
#else
#define ONEDNN_NAME "oneDNN"
typedef dnnl_memory_desc_t onednn_made;
typedef const dnnl_memory_desc_t *onednn_desc;
#endif

/* Give it its threads before anything else: OpenMP's. Those of SYCL are one a CPU, and its driver lies in the
 * folder that this oneDNN comes from. `kind` becomes their name. False, with the reason, where it cannot have
 * so many. */
bool onednn_set_threads(const dnnl_version_t *version, size_t threads, const char **kind, char *text,
                        size_t size);
/* Before anything else asks oneDNN what the CPU has: hold it to an instruction set, or to none (NULL). `name`
 * says so. False where it cannot be held. */
bool onednn_hold(const stoa_isa *held, const char **name);

/* Float32 with these strides; strides NULL: in whatever layout the primitive likes best. */
bool onednn_describe(int rank, const dnnl_dims_t dims, const int64_t *strides, onednn_made *made);
onednn_desc onednn_borrow(const onednn_made *made);
void onednn_forget(onednn_made *made);

/* Order of operands: what is read in a forward pass, the weights, what it writes. */
enum { ONEDNN_SRC, ONEDNN_WEIGHTS, ONEDNN_DST, ONEDNN_OPERANDS };

struct onednn_geometry {
    dnnl_prop_kind_t forward; /* training or inference */
    dnnl_alg_kind_t algorithm;
    dnnl_dims_t strides, dilates, before, after; /* dilates from 0; padding before and after */
};

/* Descriptions of primitives without bias; a backward one needs the forward one as a hint. False: oneDNN has
 * no such primitive. */
bool onednn_convolution(dnnl_engine_t engine, enum stoa_conv_pass pass,
                        const struct onednn_geometry *geometry, const onednn_desc operand[ONEDNN_OPERANDS],
                        const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *made);
bool onednn_inner_product(dnnl_engine_t engine, enum stoa_conv_pass pass, dnnl_prop_kind_t forward,
                          const onednn_desc operand[ONEDNN_OPERANDS], const_dnnl_primitive_desc_t hint,
                          dnnl_primitive_desc_t *made);
bool onednn_matmul(dnnl_engine_t engine, const onednn_desc operand[ONEDNN_OPERANDS],
                   dnnl_primitive_desc_t *made);

#endif
