/* SPDX-License-Identifier: MIT */
/* Combining numbers place by place: loops over pieces that stay in cache. An operand that is broadcast is
 * written out for a piece at a time, so that the loops themselves run over contiguous numbers. */
#include "ops/operand.h"

#include <string.h>

#include "base/size.h"
#include "core/threads.h"
#include "ops/block_sums.h"

/* ---- Forward ---- */

enum { CHUNK = 256, PIECE = 4096 };

static void combine(const struct stoa_kernels *kernels, enum stoa_combination kind, const float *a,
                    const float *b, float *y, size_t n) {
    switch (kind) {
    case STOA_COMBINE_ADD:
        kernels->add(a, b, y, n);
        break;
    case STOA_COMBINE_SUB:
        for (size_t i = 0; i < n; i++) {
            y[i] = a[i] - b[i];
        }
        break;
    case STOA_COMBINE_MUL:
        for (size_t i = 0; i < n; i++) {
            y[i] = a[i] * b[i];
        }
        break;
    case STOA_COMBINE_DIV:
        for (size_t i = 0; i < n; i++) {
            y[i] = a[i] / b[i];
        }
        break;
    case STOA_COMBINE_MIN: /* NaN on either side is the result */
        for (size_t i = 0; i < n; i++) {
            y[i] = a[i] < b[i] || a[i] != a[i] ? a[i] : b[i];
        }
        break;
    case STOA_COMBINE_MAX:
        for (size_t i = 0; i < n; i++) {
            y[i] = a[i] > b[i] || a[i] != a[i] ? a[i] : b[i];
        }
        break;
    }
}

/* Places [first, first + count) into y. Operand `flow` is read at `in`, which may be y; NULL: none is.
 * Operands are combined in their order, whichever flows. */
static void combine_places(const struct stoa_op_run *run, enum stoa_combination kind, size_t flow,
                           const float *in, size_t first, size_t count, float *y) {
    size_t operands = stoa_operands_of(run->layer);
    float held[2][CHUNK] = {{0}};
    for (size_t done = 0, n; done < count; done += n) {
        const float *found = NULL;
        n = stoa_min(CHUNK, count - done);
        for (size_t k = 0; k < operands; k++) {
            struct stoa_operand p = stoa_operand_of(run->layer, k);
            const float *numbers = in && k == flow
                                       ? in + done
                                       : stoa_operand_numbers(&p, stoa_operand_data(run, &p), first + done, n,
                                                              held[k > 0 ? 1 : 0]);
            float *to = k + 1 == operands ? y + done : held[0];
            if (k > 0) {
                combine(run->context->kernels, kind, found, numbers, to, n);
            }
            found = k == 0 ? numbers : to;
        }
    }
}

void stoa_combine_map(const struct stoa_op_run *run, enum stoa_combination kind,
                      const struct stoa_map_piece *piece) {
    combine_places(run, kind, stoa_operand_of_input(run->layer, run->flow), piece->x, piece->first,
                   piece->count, piece->y);
}

/* A parallel loop over ranges of places. */
struct combine_loop {
    const struct stoa_op_run *run;
    enum stoa_combination kind;
    size_t which; /* operand whose gradient is computed */
};

static size_t places_of(const struct stoa_op_run *run) {
    return stoa_batch_size(run, &run->layer->output);
}

static void forward_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct combine_loop *loop = argument;
    const struct stoa_op_run *run = loop->run;
    size_t end = stoa_min(places_of(run), (task + 1) * STOA_GRAIN);
    for (size_t first = task * STOA_GRAIN, n; first < end; first += n) {
        n = stoa_min(PIECE, end - first);
        combine_places(run, loop->kind, 0, NULL, first, n, run->y + first);
        stoa_run_epilogue(run, run->y + first, first, n);
    }
}

void stoa_combine_forward(const struct stoa_op_run *run, enum stoa_combination kind) {
    struct combine_loop loop = {.run = run, .kind = kind};
    stoa_parallel(run->context, stoa_ceil_div(places_of(run), STOA_GRAIN), forward_task, &loop);
}

/* ---- Backward ---- */

/* Of equal numbers that are the largest each gets the same share, as in PyTorch. */
static void share_gradient(const struct combine_loop *loop, size_t first, size_t n, float *g) {
    const struct stoa_op_run *run = loop->run;
    float y[CHUNK] = {0}, own[CHUNK] = {0}, equal[CHUNK] = {0};
    float held[CHUNK];
    combine_places(run, loop->kind, 0, NULL, first, n, y);
    for (size_t k = 0; k < stoa_operands_of(run->layer); k++) {
        struct stoa_operand p = stoa_operand_of(run->layer, k);
        const float *numbers = stoa_operand_numbers(&p, stoa_operand_data(run, &p), first, n, held);
        for (size_t i = 0; i < n; i++) {
            float is_it = numbers[i] == y[i] ? 1.0F : 0.0F;
            equal[i] += is_it;
            own[i] = k == loop->which ? is_it : own[i];
        }
    }
    for (size_t i = 0; i < n; i++) {
        g[i] = own[i] == 0 ? 0 : run->dy[first + i] / equal[i];
    }
}

/* The gradient by operand `which` for n <= CHUNK places; g may be dy's. */
static void gradient_of_places(const struct combine_loop *loop, size_t first, size_t n, float *g) {
    const struct stoa_op_run *run = loop->run;
    const float *dy = run->dy + first;
    float held[2][CHUNK];
    const float *x[2] = {NULL, NULL};
    for (size_t k = 0; k < 2 && (loop->kind == STOA_COMBINE_MUL || loop->kind == STOA_COMBINE_DIV); k++) {
        struct stoa_operand p = stoa_operand_of(run->layer, k);
        x[k] = stoa_operand_numbers(&p, stoa_operand_data(run, &p), first, n, held[k]);
    }
    switch (loop->kind) {
    case STOA_COMBINE_ADD:
    case STOA_COMBINE_SUB:
        if (loop->kind == STOA_COMBINE_SUB && loop->which == 1) {
            for (size_t i = 0; i < n; i++) {
                g[i] = -dy[i];
            }
        } else if (g != dy) {
            memcpy(g, dy, n * sizeof *g);
        }
        break;
    case STOA_COMBINE_MUL:
        combine(run->context->kernels, STOA_COMBINE_MUL, dy, x[1 - loop->which], g, n);
        break;
    case STOA_COMBINE_DIV:
        for (size_t i = 0; i < n && loop->which == 0; i++) {
            g[i] = dy[i] / x[1][i];
        }
        for (size_t i = 0; i < n && loop->which == 1; i++) {
            g[i] = -dy[i] * (x[0][i] / x[1][i]) / x[1][i];
        }
        break;
    case STOA_COMBINE_MIN:
    case STOA_COMBINE_MAX:
        share_gradient(loop, first, n, g);
        break;
    }
}

/* Gradients of an operand with a number a place. */
static void dense_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct combine_loop *loop = argument;
    struct stoa_operand p = stoa_operand_of(loop->run->layer, loop->which);
    size_t end = stoa_min(places_of(loop->run), (task + 1) * STOA_GRAIN);
    for (size_t first = task * STOA_GRAIN, n; first < end; first += n) {
        n = stoa_min(CHUNK, end - first);
        gradient_of_places(loop, first, n, loop->run->dx[p.input] + first);
    }
}

/* Add the gradients of some samples to `data`, which lies as the operand. */
static void add_samples(const struct combine_loop *loop, const struct stoa_operand *p, size_t first,
                        size_t samples, float *data) {
    size_t size = stoa_extent_count(&p->result);
    for (size_t place = first * size, end = place + samples * size, n; place < end; place += n) {
        float g[CHUNK];
        n = stoa_min(CHUNK, end - place);
        gradient_of_places(loop, place, n, g);
        stoa_operand_add(loop->run->context->kernels, p, g, place, n, data);
    }
}

/* Gradients of an operand that is broadcast, of one sample. */
static void broadcast_task(void *argument, size_t sample, size_t thread) {
    (void)thread;
    const struct combine_loop *loop = argument;
    struct stoa_operand p = stoa_operand_of(loop->run->layer, loop->which);
    float *dx = loop->run->dx[p.input];
    memset(dx + sample * p.sample, 0, p.sample * sizeof *dx);
    add_samples(loop, &p, sample, 1, dx);
}

void stoa_combine_sum(const struct stoa_op_run *run, enum stoa_combination kind, size_t first, size_t samples,
                      float *sum) {
    struct combine_loop loop = {run, kind, 1 - stoa_operand_of_input(run->layer, 0)};
    struct stoa_operand p = stoa_operand_of(run->layer, loop.which);
    memset(sum, 0, stoa_extent_count(&p.extent) * sizeof *sum);
    add_samples(&loop, &p, first, samples, sum);
}

void stoa_combine_backward(const struct stoa_op_run *run, enum stoa_combination kind, stoa_block_fn *sum) {
    if (run->layer->tensors > 0 && run->dtensor[0]) {
        size_t count = stoa_tensor_count(&run->layer->tensor[0]);
        memcpy(run->dtensor[0], stoa_block_sums(run, count, sum), count * sizeof(float));
    }
    /* dx[0] may be dy, which the others read. */
    for (size_t k = run->layer->inputs; k-- > 0;) {
        struct combine_loop loop = {run, kind, stoa_operand_of_input(run->layer, k)};
        bool dense = stoa_operand_of(run->layer, loop.which).is_dense;
        if (run->dx[k]) {
            stoa_parallel(run->context, dense ? stoa_ceil_div(places_of(run), STOA_GRAIN) : run->batch,
                          dense ? dense_task : broadcast_task, &loop);
        }
    }
}

/* ---- The double reference ---- */

static double reference_number(const struct stoa_op_reference *run, size_t which, size_t place) {
    size_t along;
    struct stoa_operand p = stoa_operand_of(run->layer, which);
    size_t at = stoa_operand_at(&p, place, &along);
    return p.input < STOA_MAX_INPUTS ? run->x[p.input][at]
           : run->layer->tensors > 0
               ? run->tensor[0][at]
               : (double)((const struct stoa_combine_options *)run->layer->options)->value.value[at];
}

static double reference_result(const struct stoa_op_reference *run, enum stoa_combination kind,
                               size_t place) {
    double y = reference_number(run, 0, place);
    for (size_t k = 1; k < stoa_operands_of(run->layer); k++) {
        double x = reference_number(run, k, place);
        y = kind == STOA_COMBINE_ADD   ? y + x
            : kind == STOA_COMBINE_SUB ? y - x
            : kind == STOA_COMBINE_MUL ? y * x
            : kind == STOA_COMBINE_DIV ? y / x
            : kind == STOA_COMBINE_MIN ? (y < x || y != y ? y : x)
                                       : (y > x || y != y ? y : x);
    }
    return y;
}

static double reference_slope(const struct stoa_op_reference *run, enum stoa_combination kind, size_t which,
                              size_t place) {
    double equal = 0;
    switch (kind) {
    case STOA_COMBINE_ADD:
        return 1;
    case STOA_COMBINE_SUB:
        return which == 0 ? 1 : -1;
    case STOA_COMBINE_MUL:
        return reference_number(run, 1 - which, place);
    case STOA_COMBINE_DIV:
        return which == 0 ? 1 / reference_number(run, 1, place)
                          : -reference_result(run, kind, place) / reference_number(run, 1, place);
    case STOA_COMBINE_MIN:
    case STOA_COMBINE_MAX:
        for (size_t k = 0; k < stoa_operands_of(run->layer); k++) {
            equal += reference_number(run, k, place) == reference_result(run, kind, place);
        }
        return reference_number(run, which, place) == reference_result(run, kind, place) ? 1 / equal : 0;
    }
    return 0;
}

void stoa_combine_reference_forward(const struct stoa_op_reference *run, enum stoa_combination kind) {
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i++) {
        run->y[i] = reference_result(run, kind, i);
    }
}

void stoa_combine_reference_backward(const struct stoa_op_reference *run, enum stoa_combination kind) {
    for (size_t which = 0; which < stoa_operands_of(run->layer); which++) {
        struct stoa_operand p = stoa_operand_of(run->layer, which);
        bool is_input = p.input < STOA_MAX_INPUTS;
        double *to = is_input ? run->dx[p.input] : run->layer->tensors > 0 ? run->dtensor[0] : NULL;
        if (to) {
            memset(to, 0, (is_input ? run->batch : 1) * stoa_extent_count(&p.extent) * sizeof *to);
        }
        for (size_t i = 0; to && i < run->batch * stoa_shape_size(&run->layer->output); i++) {
            size_t along;
            to[stoa_operand_at(&p, i, &along)] += run->dy[i] * reference_slope(run, kind, which, i);
        }
    }
}
