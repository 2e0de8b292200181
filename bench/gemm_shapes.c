/* SPDX-License-Identifier: MIT */
/* The products of mode gemm: square ones, and what the passes of layers come to. */
#include "bench/gemm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/layer.h"

const char *bench_product_form(const struct bench_product_shape *shape) {
    return shape->transpose_a ? "TN" : shape->transpose_b ? "NT" : "NN";
}

static bool is_same(const struct bench_product_shape *a, const struct bench_product_shape *b) {
    return a->m == b->m && a->n == b->n && a->k == b->k && a->transpose_a == b->transpose_a &&
           a->transpose_b == b->transpose_b;
}

/* Add a product under a name, unless it is there under another. */
__attribute__((format(printf, 3, 4))) static void
add(struct bench_products *products, struct bench_product_shape shape, const char *format, ...) {
    for (size_t i = 0; i < products->count; i++) {
        if (is_same(&products->shape[i], &shape)) {
            return;
        }
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(shape.name, sizeof shape.name, format, arguments);
    va_end(arguments);
    products->shape[products->count++] = shape;
}

/* A dense layer's products as they are called, weights as they lie: a forward pass is NN, its data gradient
 * NT, that of the weights TN. Of a convolution one image's products of each pass, what a tile or two of it
 * come to; its data gradient reads weights that were transposed before, so it is NN. Depthwise layers have
 * no products. */
static void add_layer(struct bench_products *products, const struct bench_layer *layer) {
    const struct stoa_conv *conv = &layer->conv;
    size_t filters = conv->filters / conv->groups;
    size_t taps = bench_layer_weights(conv) / conv->filters;
    size_t rows = layer->linear ? conv->batch : conv->window.out_height * conv->window.out_width;
    if (filters == 1 && conv->groups > 1) {
        return;
    }
    const struct bench_product_shape passes[BENCH_PASSES] = {
        [STOA_CONV_FORWARD] = {.m = rows, .n = filters, .k = taps},
        [STOA_CONV_BACKWARD_DATA] = {.m = rows, .n = taps, .k = filters, .transpose_b = layer->linear},
        [STOA_CONV_BACKWARD_WEIGHTS] = {.m = taps, .n = filters, .k = rows, .transpose_a = true}};
    for (size_t pass = 0; pass < BENCH_PASSES; pass++) {
        struct bench_product_shape shape = passes[pass];
        shape.kind = !layer->linear ? "convolution" : rows == 1 ? "row" : "dense";
        if (!layer->first || pass != STOA_CONV_BACKWARD_DATA) {
            add(products, shape, "%s %s", layer->name, bench_pass_names[pass]);
        }
    }
}

static const size_t squares[] = {16, 32, 64, 96, 100, 128, 256, 512, 1024, 2048, 4096};
static const size_t transposed_squares[] = {64, 256, 1024, 2048};
enum {
    SQUARES = sizeof squares / sizeof *squares,
    TRANSPOSED_SQUARES = sizeof transposed_squares / sizeof *transposed_squares
};

static void add_squares(struct bench_products *products) {
    for (size_t i = 0; i < SQUARES; i++) {
        size_t n = squares[i];
        add(products, (struct bench_product_shape){n, n, n, .kind = "square"}, "square %zu", n);
    }
    for (size_t i = 0; i < TRANSPOSED_SQUARES; i++) {
        size_t n = transposed_squares[i];
        add(products, (struct bench_product_shape){n, n, n, .transpose_a = true, .kind = "square"},
            "square %zu TN", n);
        add(products, (struct bench_product_shape){n, n, n, .transpose_b = true, .kind = "square"},
            "square %zu NT", n);
    }
}

int bench_products_collect(const struct bench *bench, struct bench_products *products) {
    struct bench_layers layers;
    *products = (struct bench_products){0};
    int code = bench_layers_read(bench, &layers);
    if (code != CLI_DONE) {
        return code;
    }
    products->shape =
        cli_allocate(SQUARES + 2 * TRANSPOSED_SQUARES + BENCH_PASSES * layers.count, sizeof *products->shape);
    add_squares(products);
    for (size_t i = 0; i < layers.count; i++) {
        add_layer(products, &layers.layer[i]);
    }
    bench_layers_free(&layers);
    size_t kept = 0;
    for (size_t i = 0; i < products->count; i++) {
        if (bench_wanted(bench, products->shape[i].name)) {
            products->shape[kept++] = products->shape[i];
        }
    }
    products->count = kept;
    return CLI_DONE;
}

void bench_products_free(struct bench_products *products) {
    free(products->shape);
    *products = (struct bench_products){0};
}
