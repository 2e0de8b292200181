/* SPDX-License-Identifier: MIT */
/* matmul: the matrix products of two images, one for each height of each sample.
 *
 * x0 (N, H, M, K), x1 (N, H, K, L), y (N, H, M, L): width and channels are rows and columns. With transpose_a
 * x0 is (N, H, K, M), with transpose_b x1 is (N, H, L, K), and these are read transposed.
 *   dx0 = dy x1^T, dx1 = x0^T dy, transposed where the operand is. */
#include "ops/op.h"
#include "product/product.h"

struct matmul_options {
    bool transpose_a, transpose_b;
};

static const struct stoa_option options[] = {
    {"transpose_a", STOA_OPTION_BOOL, offsetof(struct matmul_options, transpose_a), "false", 0, 0, NULL},
    {"transpose_b", STOA_OPTION_BOOL, offsetof(struct matmul_options, transpose_b), "false", 0, 0, NULL},
};

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct matmul_options *o = layer->options;
    const struct stoa_shape *a = &layer->input[0];
    const struct stoa_shape *b = &layer->input[1];
    bool images = a->rank == 3 && b->rank == 3;
    if (!images || a->dim[0] != b->dim[0] ||
        a->dim[o->transpose_a ? 1 : 2] != b->dim[o->transpose_b ? 2 : 1]) {
        char left[STOA_SHAPE_TEXT];
        char right[STOA_SHAPE_TEXT];
        return stoa_error_set(
            error, STOA_ERR_SHAPE,
            "found inputs of shapes %s and %s, expected images of one height, the %s of the "
            "first as many as the %s of the second",
            stoa_shape_text(a, left), stoa_shape_text(b, right),
            o->transpose_a ? "rows (width)" : "columns (channels)",
            o->transpose_b ? "columns (channels)" : "rows (width)");
    }
    layer->output = (struct stoa_shape){
        .rank = 3, .dim = {a->dim[0], a->dim[o->transpose_a ? 2 : 1], b->dim[o->transpose_b ? 1 : 2]}};
    return STOA_OK;
}

/* The sizes of a layer's products, and how many there are. */
struct matmul_sizes {
    size_t m, n, k, products;
    bool transpose_a, transpose_b;
};

static struct matmul_sizes sizes_of(const struct stoa_layer *layer, size_t batch) {
    const struct matmul_options *o = layer->options;
    return (struct matmul_sizes){
        layer->output.dim[1],         layer->output.dim[2], layer->input[0].dim[o->transpose_a ? 1 : 2],
        batch * layer->output.dim[0], o->transpose_a,       o->transpose_b};
}

static void forward(const struct stoa_op_run *run) {
    struct matmul_sizes s = sizes_of(run->layer, run->batch);
    for (size_t i = 0; i < s.products; i++) {
        stoa_product(run->context, &(struct stoa_gemm){.transpose_a = s.transpose_a,
                                                       .transpose_b = s.transpose_b,
                                                       .m = s.m,
                                                       .n = s.n,
                                                       .k = s.k,
                                                       .alpha = 1,
                                                       .a = run->x[0] + i * s.m * s.k,
                                                       .lda = s.transpose_a ? s.m : s.k,
                                                       .b = run->x[1] + i * s.k * s.n,
                                                       .ldb = s.transpose_b ? s.k : s.n,
                                                       .c = run->y + i * s.m * s.n,
                                                       .ldc = s.n});
    }
}

/* dx0 = dy b^T, or its transpose b dy^T. */
static void backward_left(const struct stoa_op_run *run, const struct matmul_sizes *s, size_t i) {
    const float *dy = run->dy + i * s->m * s->n;
    const float *b = run->x[1] + i * s->k * s->n;
    size_t ldb = s->transpose_b ? s->k : s->n;
    float *dx = run->dx[0] + i * s->m * s->k;
    struct stoa_gemm product = {.alpha = 1, .k = s->n, .c = dx};
    product.m = s->transpose_a ? s->k : s->m;
    product.n = product.ldc = s->transpose_a ? s->m : s->k;
    product.a = s->transpose_a ? b : dy;
    product.lda = s->transpose_a ? ldb : s->n;
    product.transpose_a = s->transpose_a && s->transpose_b;
    product.b = s->transpose_a ? dy : b;
    product.ldb = s->transpose_a ? s->n : ldb;
    product.transpose_b = s->transpose_a || !s->transpose_b;
    stoa_product(run->context, &product);
}

/* dx1 = a^T dy, or its transpose dy^T a. */
static void backward_right(const struct stoa_op_run *run, const struct matmul_sizes *s, size_t i) {
    const float *dy = run->dy + i * s->m * s->n;
    const float *a = run->x[0] + i * s->m * s->k;
    size_t lda = s->transpose_a ? s->m : s->k;
    float *dx = run->dx[1] + i * s->k * s->n;
    struct stoa_gemm product = {.alpha = 1, .k = s->m, .c = dx};
    product.m = s->transpose_b ? s->n : s->k;
    product.n = product.ldc = s->transpose_b ? s->k : s->n;
    product.a = s->transpose_b ? dy : a;
    product.lda = s->transpose_b ? s->n : lda;
    product.transpose_a = s->transpose_b || !s->transpose_a;
    product.b = s->transpose_b ? a : dy;
    product.ldb = s->transpose_b ? lda : s->n;
    product.transpose_b = s->transpose_b && s->transpose_a;
    stoa_product(run->context, &product);
}

static void backward(const struct stoa_op_run *run) {
    struct matmul_sizes s = sizes_of(run->layer, run->batch);
    for (size_t i = 0; i < s.products; i++) {
        if (run->dx[0]) {
            backward_left(run, &s, i);
        }
        if (run->dx[1]) {
            backward_right(run, &s, i);
        }
    }
}

static double flops(const struct stoa_layer *layer) {
    struct matmul_sizes s = sizes_of(layer, 1);
    return 2.0 * (double)s.products * (double)s.m * (double)s.n * (double)s.k;
}

static void reference_forward(const struct stoa_op_reference *run) {
    struct matmul_sizes s = sizes_of(run->layer, run->batch);
    for (size_t i = 0; i < s.products; i++) {
        stoa_reference_f64.gemm(s.transpose_a, s.transpose_b, s.m, s.n, s.k, 1, run->x[0] + i * s.m * s.k,
                                s.transpose_a ? s.m : s.k, run->x[1] + i * s.k * s.n,
                                s.transpose_b ? s.k : s.n, 0, run->y + i * s.m * s.n, s.n);
    }
}

/* Every term of every sum: x0 and x1 at their places, whichever way they lie. */
static void reference_backward(const struct stoa_op_reference *run) {
    struct matmul_sizes s = sizes_of(run->layer, run->batch);
    for (size_t i = 0; i < s.products * s.m * s.k; i++) {
        run->dx[0][i] = 0;
    }
    for (size_t i = 0; i < s.products * s.k * s.n; i++) {
        run->dx[1][i] = 0;
    }
    for (size_t i = 0; i < s.products * s.m * s.n * s.k; i++) {
        size_t l = i % s.k;
        size_t j = i / s.k % s.n;
        size_t row = i / (s.k * s.n) % s.m;
        size_t product = i / (s.k * s.n * s.m);
        size_t a = product * s.m * s.k + (s.transpose_a ? l * s.m + row : row * s.k + l);
        size_t b = product * s.k * s.n + (s.transpose_b ? j * s.k + l : l * s.n + j);
        double dy = run->dy[(product * s.m + row) * s.n + j];
        run->dx[0][a] += dy * run->x[1][b];
        run->dx[1][b] += dy * run->x[0][a];
    }
}

static const struct stoa_op_example examples[] = {
    {"", {"2x3x4", "2x4x5"}, 3},
    {"transpose_b=true", {"1x7x9", "1x4x9"}, 2},
    {"transpose_a=true", {"3x5x2", "3x5x17"}, 2},
    {"transpose_a=true transpose_b=true", {"1x4x3", "1x6x4"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_matmul = {
    .name = "matmul",
    .least_inputs = 2,
    .most_inputs = 2,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct matmul_options),
    .needs = STOA_NEEDS_X,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
