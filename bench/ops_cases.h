/* SPDX-License-Identifier: MIT */
/* The kernels that `ops` measures: what each reads and writes, and how it is called. */
#ifndef STOA_BENCH_OPS_CASES_H
#define STOA_BENCH_OPS_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/context.h"
#include "kernels/kernels.h"

enum { BENCH_OPS_INPUTS = 6, BENCH_OPS_OUTPUTS = 3 };

/* Columns, and rows of a task, of kernels that take or give moments: those are doubles, and lie on the
 * stack. */
enum { BENCH_MOST_MOMENTS = 256 };

/* How many numbers an array has for each unit, or in all. */
enum bench_ops_extent {
    BENCH_NOTHING,
    BENCH_FULL,     /* units * columns */
    BENCH_UNIT,     /* one a unit */
    BENCH_COLUMN,   /* one a column, in all */
    BENCH_IMAGE,    /* an image before the window a unit */
    BENCH_POOLED,   /* an image behind the window a unit */
    BENCH_PATCHES,  /* the columns of an image a unit */
    BENCH_CHANNELS, /* one a channel and unit */
    BENCH_PARTIAL,  /* a reduction's result: `columns` numbers a task */
};

/* Shapes that the cases are measured at. */
enum bench_ops_shape {
    BENCH_SHAPE_ELEMENTS,
    BENCH_SHAPE_CHANNELS, /* rows of 64 */
    BENCH_SHAPE_DIGITS,   /* rows of 10, the classes of MNIST */
    BENCH_SHAPE_CLASSES,  /* rows of 1000, those of ImageNet */
    BENCH_SHAPE_POOL,     /* 2x2 over 28x28x32 */
    BENCH_SHAPE_OVERLAP,  /* 3x3 stride 2 over 28x28x32 */
    BENCH_SHAPE_CONV,     /* 3x3 stride 1 over 28x28x32 */
    BENCH_SHAPE_GLOBAL,   /* 7x7x512 */
};

struct bench_ops_case {
    const char *kernel;
    enum bench_ops_shape shape;
    enum bench_ops_extent in[BENCH_OPS_INPUTS], out[BENCH_OPS_OUTPUTS];
    bool updates; /* the outputs are read too */
    bool labels, pixels, reads_index, writes_index;
};

extern const struct bench_ops_case bench_ops_cases[];
extern const size_t bench_ops_case_count;

/* Arrays for `units` units of a case. */
struct bench_ops_arrays;

/* Units for a working set of about `bytes`, at least 1. */
size_t bench_ops_units(const struct bench_ops_case *c, size_t bytes);
/* Bytes that a run over `units` has to read and write. */
double bench_ops_bytes(const struct bench_ops_case *c, size_t units);
/* "rows of 64", "28x28x32 3x3 s2": the shape for people. */
const char *bench_ops_shape_text(const struct bench_ops_case *c);

/* NULL when memory is short. */
struct bench_ops_arrays *bench_ops_make(const struct bench_ops_case *c, size_t units);
void bench_ops_free(struct bench_ops_arrays *arrays);

/* One pass over all units on the context's threads, with the kernels of `isa`. */
void bench_ops_run(struct bench_ops_arrays *arrays, const stoa_context *context,
                   const struct stoa_kernels *kernels);
/* One pass and the same in double: the largest error, relative to what rounding allows: right when <= 1. NaN
 * when numbers are, and infinite when memory for the doubles is short. `broken` spoils the last result first:
 * the check must see it. */
double bench_ops_verify(struct bench_ops_arrays *arrays, const stoa_context *context,
                        const struct stoa_kernels *kernels, bool broken);

#endif
