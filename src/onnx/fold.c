/* SPDX-License-Identifier: MIT */
/* Nodes over constants alone, computed once: arithmetic of shapes and weights, number by number. */
#include <math.h>
#include <string.h>

#include "onnx/import.h"

/* Of two numbers as doubles, and of two integers. */
struct pair_fn {
    double (*real)(double a, double b);
    bool (*whole)(int64_t a, int64_t b, int64_t *out); /* false: it has no such number */
};

static double real_add(double a, double b) {
    return a + b;
}

static double real_sub(double a, double b) {
    return a - b;
}

static double real_mul(double a, double b) {
    return a * b;
}

static double real_div(double a, double b) {
    return a / b;
}

static double real_min(double a, double b) {
    return a < b ? a : b;
}

static double real_max(double a, double b) {
    return a > b ? a : b;
}

static double real_equal(double a, double b) {
    return a == b;
}

static double real_less(double a, double b) {
    return a < b;
}

static double real_greater(double a, double b) {
    return a > b;
}

static double real_less_equal(double a, double b) {
    return a <= b;
}

static double real_greater_equal(double a, double b) {
    return a >= b;
}

static double real_and(double a, double b) {
    return a != 0 && b != 0;
}

static double real_or(double a, double b) {
    return a != 0 || b != 0;
}

static bool whole_add(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

static bool whole_sub(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_sub_overflow(a, b, out);
}

static bool whole_mul(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

static bool whole_div(int64_t a, int64_t b, int64_t *out) {
    const bool good = b != 0 && !(a == INT64_MIN && b == -1);
    *out = good ? a / b : 0;
    return good;
}

static bool whole_mod(int64_t a, int64_t b, int64_t *out) {
    const bool good = b != 0 && !(a == INT64_MIN && b == -1);
    const int64_t rest = good ? a % b : 0;
    *out = rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    return good;
}

static bool whole_min(int64_t a, int64_t b, int64_t *out) {
    *out = a < b ? a : b;
    return true;
}

static bool whole_max(int64_t a, int64_t b, int64_t *out) {
    *out = a > b ? a : b;
    return true;
}

static bool whole_equal(int64_t a, int64_t b, int64_t *out) {
    *out = a == b;
    return true;
}

static bool whole_less(int64_t a, int64_t b, int64_t *out) {
    *out = a < b;
    return true;
}

static bool whole_greater(int64_t a, int64_t b, int64_t *out) {
    *out = a > b;
    return true;
}

static bool whole_less_equal(int64_t a, int64_t b, int64_t *out) {
    *out = a <= b;
    return true;
}

static bool whole_greater_equal(int64_t a, int64_t b, int64_t *out) {
    *out = a >= b;
    return true;
}

/* The shape that two are broadcast to; false when they do not fit. */
static bool broadcast(const struct stoa_onnx_tensor *a, const struct stoa_onnx_tensor *b,
                      struct stoa_onnx_tensor *out) {
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (size_t i = 0; i < out->rank; i++) {
        const size_t left = i + a->rank < out->rank ? 1 : a->dim[i + a->rank - out->rank];
        const size_t right = i + b->rank < out->rank ? 1 : b->dim[i + b->rank - out->rank];
        if (left != right && left != 1 && right != 1) {
            return false;
        }
        out->dim[i] = left == 1 ? right : left;
    }
    return true;
}

size_t stoa_onnx_broadcast_index(const struct stoa_onnx_tensor *from, const struct stoa_onnx_tensor *to,
                                 size_t index) {
    size_t at = 0, stride = 1;
    for (size_t i = 0; i < to->rank; i++) {
        const size_t axis = to->rank - 1 - i, place = index % to->dim[axis];
        index /= to->dim[axis];
        if (i < from->rank) {
            const size_t dim = from->dim[from->rank - 1 - i];
            at += dim == 1 ? 0 : place * stride;
            stride *= dim;
        }
    }
    return at;
}

/* One number of a result. The batch's size among shapes stays what it is where the operator leaves it so. */
static stoa_status put_pair(struct stoa_onnx_import *import, const struct pair_fn *fn,
                            const struct stoa_onnx_tensor *a, size_t i, const struct stoa_onnx_tensor *b,
                            size_t k, struct stoa_onnx_tensor *out, size_t at) {
    if (!a->i || !b->i || !fn->whole) {
        stoa_onnx_put(out, at, fn->real(stoa_onnx_at(a, i), stoa_onnx_at(b, k)));
        return STOA_OK;
    }
    int64_t left = a->i[i], right = b->i[k], result = 0;
    const bool open = left == STOA_ONNX_BATCH || right == STOA_ONNX_BATCH;
    if (open && (fn->whole == whole_mul || (fn->whole == whole_div && right == 1)) &&
        (left == 1 || right == 1)) {
        out->i[at] = STOA_ONNX_BATCH;
        return STOA_OK;
    }
    if (open && fn->whole == whole_equal && left != right) {
        /* Shapes are compared with -1 and the like, which no batch has. */
        out->i[at] = 0;
        return left < 1 || right < 1 ? STOA_OK : stoa_onnx_refuse(import, "compares the size of the batch");
    }
    if (open && import->batch == 0) {
        return stoa_onnx_refuse(import, "computes with the size of the batch");
    }
    left = left == STOA_ONNX_BATCH ? (int64_t)import->batch : left;
    right = right == STOA_ONNX_BATCH ? (int64_t)import->batch : right;
    if (!fn->whole(left, right, &result)) {
        return stoa_onnx_refuse(import, "computes %lld and %lld, which is no int64", (long long)left,
                                (long long)right);
    }
    out->i[at] = result;
    return STOA_OK;
}

static stoa_status fold_pair(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             const struct pair_fn *fn, int32_t type) {
    const struct stoa_onnx_tensor *a = NULL, *b = NULL;
    struct stoa_onnx_tensor out = {.type = 0};
    stoa_status status = stoa_onnx_constant(import, node, 0, &a);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &b);
    }
    if (status != STOA_OK || !a || !b) {
        return status == STOA_OK ? stoa_onnx_refuse(import, "has fewer than two inputs") : status;
    }
    if (!broadcast(a, b, &out)) {
        return stoa_onnx_refuse(import, "its inputs do not fit each other");
    }
    out.type = type ? type : a->type;
    status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        status = put_pair(import, fn, a, stoa_onnx_broadcast_index(a, &out, i), b,
                          stoa_onnx_broadcast_index(b, &out, i), &out, i);
    }
    if (status == STOA_OK) {
        return stoa_onnx_give(import, node, &out);
    }
    stoa_onnx_tensor_free(&out);
    return status;
}

#define PAIR(name, real, whole, type)                                                                        \
    static stoa_status name(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {                   \
        static const struct pair_fn fn = {real, whole};                                                      \
        return fold_pair(import, node, &fn, type);                                                           \
    }
PAIR(fold_add, real_add, whole_add, 0)
PAIR(fold_sub, real_sub, whole_sub, 0)
PAIR(fold_mul, real_mul, whole_mul, 0)
PAIR(fold_div, real_div, whole_div, 0)
PAIR(fold_mod, fmod, whole_mod, 0)
PAIR(fold_pow, pow, NULL, 0)
PAIR(fold_min, real_min, whole_min, 0)
PAIR(fold_max, real_max, whole_max, 0)
PAIR(fold_equal, real_equal, whole_equal, STOA_ONNX_BOOL)
PAIR(fold_less, real_less, whole_less, STOA_ONNX_BOOL)
PAIR(fold_greater, real_greater, whole_greater, STOA_ONNX_BOOL)
PAIR(fold_less_equal, real_less_equal, whole_less_equal, STOA_ONNX_BOOL)
PAIR(fold_greater_equal, real_greater_equal, whole_greater_equal, STOA_ONNX_BOOL)
PAIR(fold_and, real_and, NULL, STOA_ONNX_BOOL)
PAIR(fold_or, real_or, NULL, STOA_ONNX_BOOL)

/* One number to one. */
static stoa_status fold_map(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                            double (*fn)(double)) {
    const struct stoa_onnx_tensor *a = NULL;
    stoa_status status = stoa_onnx_constant(import, node, 0, &a);
    if (status != STOA_OK || !a) {
        return status == STOA_OK ? stoa_onnx_refuse(import, "has no input") : status;
    }
    struct stoa_onnx_tensor out = {.type = a->type, .rank = a->rank};
    memcpy(out.dim, a->dim, sizeof out.dim);
    status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        if (a->i && a->i[i] == STOA_ONNX_BATCH) {
            status = stoa_onnx_refuse(import, "computes with the size of the batch");
        } else {
            stoa_onnx_put(&out, i, fn(stoa_onnx_at(a, i)));
        }
    }
    if (status == STOA_OK) {
        return stoa_onnx_give(import, node, &out);
    }
    stoa_onnx_tensor_free(&out);
    return status;
}

static double negative(double a) {
    return -a;
}

static double reciprocal(double a) {
    return 1 / a;
}

static double is_zero(double a) {
    return a == 0;
}

#define MAP(name, fn)                                                                                        \
    static stoa_status name(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {                   \
        return fold_map(import, node, fn);                                                                   \
    }
MAP(fold_neg, negative)
MAP(fold_sqrt, sqrt)
MAP(fold_exp, exp)
MAP(fold_log, log)
MAP(fold_abs, fabs)
MAP(fold_floor, floor)
MAP(fold_ceil, ceil)
MAP(fold_reciprocal, reciprocal)
MAP(fold_not, is_zero)

/* The same numbers as another type. */
static stoa_status fold_cast(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *a = NULL;
    int64_t to = stoa_onnx_int(node, "to", STOA_ONNX_FLOAT);
    stoa_status status = stoa_onnx_constant(import, node, 0, &a);
    if (status == STOA_OK && strcmp(node->op_type, "CastLike") == 0) {
        const struct stoa_onnx_tensor *like = NULL;
        status = stoa_onnx_constant(import, node, 1, &like);
        to = like ? like->type : 0;
    }
    if (status != STOA_OK || !a) {
        return status == STOA_OK ? stoa_onnx_refuse(import, "has no input") : status;
    }
    struct stoa_onnx_tensor out = {.type = (int32_t)to, .rank = a->rank};
    if (to < STOA_ONNX_FLOAT || to > STOA_ONNX_BFLOAT16 || to == 8 || to == 14 || to == 15) {
        return stoa_onnx_refuse(import, "casts to type %lld, expected numbers", (long long)to);
    }
    memcpy(out.dim, a->dim, sizeof out.dim);
    status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        if (a->i && out.i) {
            out.i[i] = to == STOA_ONNX_BOOL ? a->i[i] != 0 : a->i[i];
        } else {
            const double number = stoa_onnx_at(a, i);
            stoa_onnx_put(&out, i, to == STOA_ONNX_BOOL ? number != 0 : number);
        }
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

/* What is taken from which of two. */
static stoa_status fold_where(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in[3] = {NULL};
    struct stoa_onnx_tensor both = {.type = 0}, out = {.type = 0};
    for (size_t i = 0; i < 3; i++) {
        stoa_status status = stoa_onnx_constant(import, node, i, &in[i]);
        if (status != STOA_OK || !in[i]) {
            return status == STOA_OK ? stoa_onnx_refuse(import, "has fewer than three inputs") : status;
        }
    }
    if (!broadcast(in[1], in[2], &both) || !broadcast(in[0], &both, &out) || !in[1]->i != !in[2]->i) {
        return stoa_onnx_refuse(import, "its inputs do not fit each other");
    }
    out.type = in[1]->type;
    stoa_status status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        const size_t from = stoa_onnx_at(in[0], stoa_onnx_broadcast_index(in[0], &out, i)) != 0 ? 1 : 2;
        const size_t at = stoa_onnx_broadcast_index(in[from], &out, i);
        if (out.i && in[from]->i) {
            out.i[i] = in[from]->i[at];
        } else {
            stoa_onnx_put(&out, i, stoa_onnx_at(in[from], at));
        }
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

const struct stoa_onnx_row stoa_onnx_fold_rows[] = {
    {"Add", 7, fold_add},
    {"Sub", 7, fold_sub},
    {"Mul", 7, fold_mul},
    {"Div", 7, fold_div},
    {"Mod", 10, fold_mod},
    {"Pow", 7, fold_pow},
    {"Min", 8, fold_min},
    {"Max", 8, fold_max},
    {"Equal", 7, fold_equal},
    {"Less", 7, fold_less},
    {"Greater", 7, fold_greater},
    {"LessOrEqual", 12, fold_less_equal},
    {"GreaterOrEqual", 12, fold_greater_equal},
    {"And", 7, fold_and},
    {"Or", 7, fold_or},
    {"Neg", 6, fold_neg},
    {"Sqrt", 6, fold_sqrt},
    {"Exp", 6, fold_exp},
    {"Log", 6, fold_log},
    {"Abs", 6, fold_abs},
    {"Floor", 6, fold_floor},
    {"Ceil", 6, fold_ceil},
    {"Not", 1, fold_not},
    {"Reciprocal", 6, fold_reciprocal},
    {"Cast", 6, fold_cast},
    {"CastLike", 15, fold_cast},
    {"Where", 9, fold_where},
    {NULL, 0, NULL},
};
