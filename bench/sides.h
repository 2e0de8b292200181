/* SPDX-License-Identifier: MIT */
/* Naive loops, im2col and the BLAS, the engine and other engines side by side, from files of results. */
#ifndef STOA_BENCH_SIDES_H
#define STOA_BENCH_SIDES_H

#include "bench/layer.h"
#include "bench/plot.h"

/* One way to compute the layers. */
struct bench_side {
    char *name;                         /* "im2col + OpenBLAS" */
    size_t style;                       /* of its bars, from 1 */
    const struct bench_plot_file *file; /* NULL: naive loops, of any file */
    const char *peer;                   /* of the file; NULL: this engine */
    size_t naive;                       /* which of the loops */
};

/* One layer and pass. */
struct bench_sides_row {
    const char *label;
    size_t pass;
    double *rate;   /* GFLOP/s, one a side; NaN: not measured */
    bool disturbed; /* on any side: in no mean */
    double *ratio;  /* how many times as fast ours is, in the side's own run where that has both; NaN */
};

struct bench_sides {
    struct bench_side *side;
    size_t sides;
    size_t ours; /* the side that the others are held against */
    struct bench_sides_row *row;
    size_t rows;
};

/* What the files have of layers, in the order of the first that has them. At least two sides and a row, or
 * none of either. Release with bench_sides_free(). */
void bench_sides_collect(const struct bench_plot_file *files, size_t count, struct bench_sides *sides);
void bench_sides_free(struct bench_sides *sides);

/* Geometric means over the rows of a pass (BENCH_PASSES: of all) that every side has; NaN where there are
 * none. Returns the number of these rows. */
size_t bench_sides_mean(const struct bench_sides *sides, size_t side, size_t pass, double *rate,
                        double *ratio);

#endif
