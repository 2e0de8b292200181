/* SPDX-License-Identifier: MIT */
/* Operators of one number at a time that are an expression and its derivative, without kernels of their
 * own. */
#ifndef STOA_OPS_UNARY_H
#define STOA_OPS_UNARY_H

#include <math.h>

#include "ops/op.h"

/* What such an operator's options are read into; the expressions know them as a and b. */
struct stoa_unary_options {
    float a, b;
};

/* A function of the C library for the type of x. Not by tgmath.h, whose macros would take the names of
 * kernels. */
#define STOA_UNARY_CALL(name) _Generic(x + 0, float : name##f, default : name)

/* A constant of an expression, in the type of x. */
#define STOA_UNARY_CONSTANT(number) ((__typeof__(x))(number))

/* y = value, or dx = dy * slope, for `count` numbers; reads `o`, the options. */
#define STOA_UNARY_LOOP(real, count, expression, from, to)                                                   \
    do {                                                                                                     \
        const real a = (real)o->a;                                                                           \
        const real b = (real)o->b;                                                                           \
        (void)a;                                                                                             \
        (void)b;                                                                                             \
        for (size_t i = 0; i < (count); i++) {                                                               \
            const real x = (from)[i];                                                                        \
            (to)[i] = (expression);                                                                          \
        }                                                                                                    \
    } while (0)

/* The operator `stoa_op_NAME` with `value` and `slope`, expressions in x, a and b over float and double, the
 * first `taken` options of `table` and the examples `cases`. */
#define STOA_UNARY_OPERATOR(NAME, table, taken, cases, value, slope)                                         \
    static void NAME##_map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {                  \
        const struct stoa_unary_options *o = run->layer->options;                                            \
        STOA_UNARY_LOOP(float, p->count, value, p->x, p->y);                                                 \
    }                                                                                                        \
    static void NAME##_map_backward(const struct stoa_op_run *run, const struct stoa_map_piece *p) {         \
        const struct stoa_unary_options *o = run->layer->options;                                            \
        STOA_UNARY_LOOP(float, p->count, p->dy[i] * (slope), p->x, p->dx);                                   \
    }                                                                                                        \
    static size_t NAME##_count(const struct stoa_op_reference *run) {                                        \
        return run->batch * stoa_shape_size(&run->layer->output);                                            \
    }                                                                                                        \
    static void NAME##_reference_forward(const struct stoa_op_reference *run) {                              \
        const struct stoa_unary_options *o = run->layer->options;                                            \
        STOA_UNARY_LOOP(double, NAME##_count(run), value, run->x[0], run->y);                                \
    }                                                                                                        \
    static void NAME##_reference_backward(const struct stoa_op_reference *run) {                             \
        const struct stoa_unary_options *o = run->layer->options;                                            \
        if (run->dx[0]) {                                                                                    \
            STOA_UNARY_LOOP(double, NAME##_count(run), run->dy[i] * (slope), run->x[0], run->dx[0]);         \
        }                                                                                                    \
    }                                                                                                        \
    const struct stoa_op stoa_op_##NAME = {                                                                  \
        .name = #NAME,                                                                                       \
        .least_inputs = 1,                                                                                   \
        .most_inputs = 1,                                                                                    \
        .options = (table),                                                                                  \
        .option_count = (taken),                                                                             \
        .options_bytes = sizeof(struct stoa_unary_options),                                                  \
        .needs = STOA_NEEDS_X,                                                                               \
        .in_place = true,                                                                                    \
        .gradient_in_place = true,                                                                           \
        .infer = stoa_infer_same,                                                                            \
        .map = NAME##_map,                                                                                   \
        .map_backward = NAME##_map_backward,                                                                 \
        .forward = stoa_map_forward,                                                                         \
        .backward = stoa_map_backward,                                                                       \
        .reference_forward = NAME##_reference_forward,                                                       \
        .reference_backward = NAME##_reference_backward,                                                     \
        .examples = (cases),                                                                                 \
    }

#endif
