/* SPDX-License-Identifier: MIT */
/* A pass of a layer as `layers` measures it: by naive loops, by im2col and the BLAS alone, and by the
 * engine. */
#ifndef STOA_BENCH_LAYER_ROWS_H
#define STOA_BENCH_LAYER_ROWS_H

#include "bench/layer.h"
#include "bench/layer_means.h"
#include "bench/naive.h"
#include "bench/parts.h"

/* What is measured in turn. */
enum bench_side_of_row { BENCH_ENGINE, BENCH_BLAS, BENCH_TIMED };

struct bench_layer_row {
    const struct bench_layer *layer;
    enum stoa_conv_pass pass;
    struct bench_work work[BENCH_TIMED];
    struct bench_error error[BENCH_TIMED];
    struct bench_times times[BENCH_TIMED]; /* of what is right */
    /* Depthwise layers are no products under any policy, and under policy blas the engine's own is the
     * BLAS's: there is no second side then. */
    bool beside_blas;
    struct bench_parts parts;   /* of the engine's */
    double sgemm, limit;        /* GFLOP/s of sgemm and of multiply-adds meanwhile */
    double naive[BENCH_NAIVES]; /* GFLOP/s; 0: not measured */
    double over_blas;           /* the BLAS's time over the engine's, median of the repetitions */
};

/* What rows are measured with: the bench's context, and the same with policy blas. */
struct bench_layer_sides {
    struct bench *bench;
    stoa_context blas;
    char blas_name[32]; /* "im2col + OpenBLAS" */
};
void bench_layer_sides_open(struct bench_layer_sides *sides, struct bench *bench);

/* Verify, time and take apart a pass of `work`. False, with the sentence printed, when the run cannot go on.
 * Release in any case. */
bool bench_layer_row_measure(struct bench_layer_sides *sides, const struct bench_work *work,
                             enum stoa_conv_pass pass, struct bench_layer_row *row);
void bench_layer_row_free(struct bench_layer_row *row);

/* Whether all that was measured is right, and whether something disturbed it. */
bool bench_layer_row_right(const struct bench_layer_row *row);
bool bench_layer_row_disturbed(const struct bench_layer_row *row);
/* GFLOP/s of a side. */
double bench_layer_row_rate(const struct bench_layer_row *row, enum bench_side_of_row side);
/* What goes into the means. */
struct bench_layer_figures bench_layer_row_figures(const struct bench_layer_row *row);

/* The engine's result, and the BLAS's. */
void bench_layer_row_report(const struct bench_layer_sides *sides, const struct bench_layer_row *row);

#endif
