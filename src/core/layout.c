/* SPDX-License-Identifier: MIT */
/* Arrays moved between layouts: rows of a matrix one by one, transposes by blocks. */
#include "core/layout.h"

#include <string.h>

#include "base/size.h"
#include "core/threads.h"

/* Floats of a task, and of a transpose's blocks. */
enum { TASK_FLOATS = 16384, BLOCK_ROWS = 64, BLOCK_COLUMNS = 256 };
_Static_assert(2 * BLOCK_ROWS * BLOCK_COLUMNS <= STOA_SCRATCH_FLOATS, "two blocks fit the scratch");

struct move {
    const stoa_context *context;
    struct stoa_foreign layout;
    const float *from;
    float *to;
    bool reads, adds; /* reads: from the caller's to the engine's */
};

static void put(const struct move *m, const float *from, float *to, size_t count) {
    if (m->adds) {
        m->context->kernels->accumulate(from, to, count);
    } else {
        memcpy(to, from, count * sizeof *to);
    }
}

static size_t rows_of_task(const struct stoa_foreign *l) {
    return stoa_max(1, TASK_FLOATS / l->columns);
}

static void move_rows(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct move *m = argument;
    const struct stoa_foreign *l = &m->layout;
    size_t first = task * rows_of_task(l);
    size_t end = stoa_min(first + rows_of_task(l), l->rows);
    size_t from = m->reads ? l->pixel : l->columns;
    size_t to = m->reads ? l->columns : l->pixel;
    for (size_t row = first; row < end; row++) {
        put(m, m->from + row * from, m->to + row * to, l->columns);
    }
}

/* Where the engine has the caller's row. */
static size_t our_row(const struct stoa_foreign *l, size_t row) {
    return l->taps > 1 ? row % l->taps * (l->rows / l->taps) + row / l->taps : row;
}

/* Rows of the engine's array from or to a block of which they are `columns` apart. */
static void permute(const struct move *m, size_t row, size_t rows, size_t columns, const float *from,
                    float *to) {
    const struct stoa_foreign *l = &m->layout;
    for (size_t i = 0; i < rows; i++) {
        size_t at = our_row(l, row + i) * l->columns;
        memcpy(to + (m->reads ? at : i * columns), from + (m->reads ? i * columns : at),
               columns * sizeof *to);
    }
}

static void move_block(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct move *m = argument;
    const struct stoa_foreign *l = &m->layout;
    size_t across = stoa_ceil_div(l->columns, BLOCK_COLUMNS);
    size_t down = stoa_ceil_div(l->rows, BLOCK_ROWS);
    size_t image = task / (across * down);
    size_t row = task / across % down * BLOCK_ROWS;
    size_t column = task % across * BLOCK_COLUMNS;
    size_t rows = stoa_min(BLOCK_ROWS, l->rows - row);
    size_t columns = stoa_min(BLOCK_COLUMNS, l->columns - column);
    size_t ours = image * l->rows * l->columns + column;
    size_t theirs = (image * l->columns + column) * l->rows + row;
    size_t stride = l->taps > 1 ? columns : l->columns;
    float *block = stoa_scratch();
    if (m->reads) {
        float *to = l->taps > 1 ? block : m->to + ours + row * l->columns;
        m->context->kernels->transpose(m->from + theirs, columns, rows, l->rows, to, stride);
        if (l->taps > 1) {
            permute(m, row, rows, columns, block, m->to + ours);
        }
        return;
    }
    const float *from = m->from + ours + row * l->columns;
    if (l->taps > 1) {
        permute(m, row, rows, columns, m->from + ours, block);
        from = block;
    }
    float *sums = block + BLOCK_ROWS * BLOCK_COLUMNS;
    m->context->kernels->transpose(from, rows, columns, stride, m->adds ? sums : m->to + theirs,
                                   m->adds ? rows : l->rows);
    for (size_t c = 0; m->adds && c < columns; c++) {
        put(m, sums + c * rows, m->to + theirs + c * l->rows, rows);
    }
}

static void run(struct move *m) {
    struct stoa_foreign *l = &m->layout;
    if (l->planar) {
        size_t blocks = stoa_ceil_div(l->columns, BLOCK_COLUMNS) * stoa_ceil_div(l->rows, BLOCK_ROWS);
        stoa_parallel(m->context, l->images * blocks, move_block, m);
        return;
    }
    l->rows *= l->images;
    if (l->pixel == l->columns) { /* without gaps rows may be of any length */
        size_t count = l->rows * l->columns;
        size_t rest = count % TASK_FLOATS;
        put(m, m->from + count - rest, m->to + count - rest, rest);
        l->rows = count / TASK_FLOATS;
        l->columns = l->pixel = TASK_FLOATS;
    }
    stoa_parallel(m->context, stoa_ceil_div(l->rows, rows_of_task(l)), move_rows, m);
}

void stoa_layout_read(const stoa_context *context, const struct stoa_foreign *layout, const float *theirs,
                      float *ours) {
    run(&(struct move){context, *layout, theirs, ours, .reads = true});
}

void stoa_layout_write(const stoa_context *context, const struct stoa_foreign *layout, const float *ours,
                       bool adds, float *theirs) {
    run(&(struct move){context, *layout, ours, theirs, .adds = adds});
}
