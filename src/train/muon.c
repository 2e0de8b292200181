/* SPDX-License-Identifier: MIT */
/* muon: momentum of a whole weight with all its singular values made alike, by Newton and Schulz's iteration
 * (Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024): v = momentum * v + g,
 * x = g + momentum * v made orthogonal, p -= lr * sqrt(max(1, outputs / inputs)) * x; biases and scales, and
 * the last weight, take Adam's step with rest * lr. So no direction of the gradient drowns the others. A
 * weight's outputs are its columns in memory; those of the last weight are classes, which differ in kind. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "product/product.h"
#include "train/adam.h"

struct muon_options {
    struct stoa_adam_options adam; /* first: Adam's functions read it */
    float momentum, rest;
    size_t iterations;
};

#define AT(member) offsetof(struct muon_options, member)
static const struct stoa_option options[] = {
    {"momentum", STOA_OPTION_FLOAT, AT(momentum), "0.95", 0, 0.999999, NULL},
    {"iterations", STOA_OPTION_SIZE, AT(iterations), "5", 1, 20, NULL},
    {"rest", STOA_OPTION_FLOAT, AT(rest), "0.05", 0, 1e3, NULL},
    STOA_ADAM_OPTIONS("0", "true"),
};
#undef AT

/* Side of the small square matrices of a weight: the shorter of its own. */
static size_t side_of(size_t rows, size_t columns) {
    return stoa_min(rows, columns);
}

/* The direction, and squares for the iteration. */
enum { SQUARES = 4 };
static bool workspace(size_t rows, size_t columns, size_t *floats) {
    size_t squares = side_of(rows, columns);
    return stoa_size_scale(&squares, squares) && stoa_size_scale(&squares, SQUARES) &&
           stoa_size_mul(rows, columns, floats) && stoa_size_add(*floats, squares, floats);
}

/* c[m][n] = alpha * op(a) op(b) + beta * c, all dense. */
struct operand {
    const float *data;
    size_t columns;
    bool transpose;
};
static void multiply(const struct stoa_update *u, size_t m, size_t n, size_t k, float alpha, struct operand a,
                     struct operand b, float beta, float *c) {
    struct stoa_gemm product = {.transpose_a = a.transpose,
                                .transpose_b = b.transpose,
                                .m = m,
                                .n = n,
                                .k = k,
                                .alpha = alpha,
                                .a = a.data,
                                .lda = a.columns,
                                .b = b.data,
                                .ldb = b.columns,
                                .beta = beta,
                                .c = c,
                                .ldc = n};
    stoa_gemm_run(u->context, &product);
}

static void exchange(float **a, float **b) {
    float *kept = *a;
    *a = *b;
    *b = kept;
}

/* What a matrix is multiplied with, at its shorter side, so that all its singular values become about 1. An
 * iteration makes 3.4445 s - 4.7750 s^3 + 2.0315 s^5 of a singular value s, which lies between 0.7 and 1.2
 * after a few for all that began above a thousandth; that multiplies x with a polynomial of its square q, and
 * polynomials of one matrix commute. So only what is q's size is ever multiplied here. Returns one of the
 * squares behind q, which is overwritten. */
static float *find_factor(const struct stoa_update *u, size_t side, size_t iterations, float *q) {
    size_t count = side * side;
    float *one = q + count, *all = one + count, *spare = all + count;
    for (size_t i = 0; i < iterations; i++) {
        memcpy(one, q, count * sizeof *one);
        multiply(u, side, side, side, 2.0315F, (struct operand){q, side, false},
                 (struct operand){q, side, false}, -4.7750F, one);
        for (size_t k = 0; k < count; k += side + 1) {
            one[k] += 3.4445F;
        }
        const struct operand factor = {one, side, false};
        if (i == 0) {
            memcpy(all, one, count * sizeof *all);
        } else {
            multiply(u, side, side, side, 1, (struct operand){all, side, false}, factor, 0, spare);
            exchange(&all, &spare);
        }
        if (i + 1 < iterations) {
            multiply(u, side, side, side, 1, (struct operand){q, side, false}, factor, 0, spare);
            multiply(u, side, side, side, 1, (struct operand){spare, side, false}, factor, 0, q);
        }
    }
    return all;
}

/* A whole weight. Nesterov's momentum, its norm, what it is multiplied with, the step. */
static void update_matrix(const struct stoa_update *u) {
    const struct muon_options *o = u->options;
    size_t rows = u->rows, columns = u->columns, count = rows * columns, side = side_of(rows, columns);
    bool tall = rows > columns;
    float *x = u->work, *square = x + count;
    double sum;
    memset(x, 0, count * sizeof *x);
    u->kernels->nesterov(x, u->gradient, u->slot[0], count, -1, o->momentum, 0, 1);
    u->kernels->sum_squares(x, count, &sum);
    u->kernels->scale(x, count, (float)(1 / (sqrt(sum) + 1e-7)));
    struct operand of_x = {x, columns, false}, transposed = {x, columns, true};
    multiply(u, side, side, tall ? rows : columns, 1, tall ? transposed : of_x, tall ? of_x : transposed, 0,
             square);
    struct operand factor = {find_factor(u, side, o->iterations, square), side, false};
    /* The columns are what the layer gives: where they are more than what it takes, a step of one size for
     * every direction changes its output less. */
    double wide = columns > rows ? sqrt((double)columns / (double)rows) : 1;
    float step = (float)((double)u->learning_rate * wide);
    float keep = stoa_decay_kept(u, &o->adam.decay) - step * stoa_decay_added(u, &o->adam.decay);
    multiply(u, rows, columns, side, -step, tall ? of_x : factor, tall ? factor : of_x, keep, u->parameter);
}

static void update(const struct stoa_update *u) {
    const struct muon_options *o = u->options;
    if (u->columns > 0) {
        update_matrix(u);
        return;
    }
    struct stoa_update rest = *u;
    rest.learning_rate *= o->rest;
    stoa_adam_update(&rest);
}

const struct stoa_optimizer stoa_optimizer_muon = {
    .name = "muon",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct muon_options),
    .slots = stoa_adam_slots, /* the first moment is a matrix's momentum, which has no second one */
    .begin = stoa_adam_begin,
    .workspace = workspace,
    .update = update,
};
