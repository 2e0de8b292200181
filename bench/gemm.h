/* SPDX-License-Identifier: MIT */
/* The products that mode gemm measures. */
#ifndef STOA_BENCH_GEMM_H
#define STOA_BENCH_GEMM_H

#include "bench/bench.h"

/* A product as a pass of a layer needs it, or a square one: c (m, n) = op(a) op(b), with k terms. */
struct bench_product_shape {
    size_t m, n, k;
    bool transpose_a, transpose_b;
    const char *kind; /* "square", "row", "dense" or "convolution" */
    char name[96];
};

struct bench_products {
    struct bench_product_shape *shape;
    size_t count;
};

/* The wanted products, each once: squares, and those of the layers that bench_layers_read() gives. CLI_DONE,
 * or CLI_WRONG with the sentence printed. Release with bench_products_free() in any case. */
int bench_products_collect(const struct bench *bench, struct bench_products *products);
void bench_products_free(struct bench_products *products);

/* "NN", "TN" or "NT". */
const char *bench_product_form(const struct bench_product_shape *shape);

#endif
