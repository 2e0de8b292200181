/* SPDX-License-Identifier: MIT */
/* Products on all threads: the result is cut into tiles, and each tile is a product on one thread. */
#include "product/product.h"

#include <string.h>

#include "base/size.h"
#include "core/threads.h"
#include "core/tuning.h"
#include "product/way.h"

/* Tiles are halved along their longer side until there are enough for several threads, or until they are so
 * small that the operands would be read too often. Small products get a few more, down to what the table
 * says pays for a task. The number is a power of two and the tiles are nearly equal, so an even number of
 * threads has equal work. A tile copies its part of b where that is far or transposed, and so has as many
 * rows as possible; calls of the BLAS, which packs both operands, begin with larger tiles. */
enum { LEVELS = 4 };
/* Tiles are halved down to the sizes of the first level, to at most its number of tiles; each further level
 * halves on where there are fewer than its number. */
static const size_t enough_tiles[LEVELS] = {32, 8, 8, 4};
/* The second row is for products on copies. */
static const size_t least_columns[][LEVELS] = {{64, 64, 64, 32}, {256, 64, 64, 32}};
static const size_t least_rows[][LEVELS] = {{192, 192, 192, 24}, {384, 192, 96, 24}, {384, 384, 384, 96}};
enum { PLAIN, GRADIENT, TURNED };

struct tiling {
    const stoa_context *context;
    const struct stoa_gemm *product;
    size_t down, across;
    bool by_columns;     /* the order of tiles */
    struct stoa_way way; /* how the product would be computed as a whole */
};

/* Where part `i` of `parts` nearly equal ones of `size` begins, a multiple of `unit`. */
static size_t part_at(size_t size, size_t parts, size_t i, size_t unit) {
    return stoa_min(size, i * stoa_ceil_div(size, unit) / parts * unit);
}

/* Threads take neighbours, so that each reads only its part of one operand. */
static void run_tile(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct tiling *t = argument;
    if (t->down * t->across == 1) {
        stoa_way_run(t->context, t->product, &t->way);
        return;
    }
    const struct stoa_gemm *p = t->product;
    size_t row = t->by_columns ? task % t->down : task / t->across;
    size_t column = t->by_columns ? task / t->down : task % t->across;
    size_t unit = p->panels ? STOA_GEMM_PANEL : stoa_max(t->way.panel, STOA_WAY_LANES);
    size_t i = part_at(p->m, t->down, row, STOA_WAY_ROWS);
    size_t j = part_at(p->n, t->across, column, unit);
    size_t rows = part_at(p->m, t->down, row + 1, STOA_WAY_ROWS) - i;
    size_t columns = part_at(p->n, t->across, column + 1, unit) - j;
    struct stoa_gemm tile = stoa_gemm_part(p, i, rows, 0, p->k, j, columns);
    tile.below = p->m - i - rows;
    stoa_gemm_run(t->context, &tile);
}

/* The least side of a tile where the product has a single row. The other operand is then read in runs as
 * long as a tile is wide, and memory limits them, so they are few and long. */
static size_t row_side(const struct stoa_gemm *p) {
    enum { LEAST = 128, MOST = 512, TILES = 8 };
    return stoa_max(LEAST, stoa_min(MOST, (p->transpose_a ? p->m : p->n) / TILES));
}

/* Halve the tiles; false when they should not be smaller. A single row's gradient keeps whole rows, because
 * it is written once. */
static bool halve(struct tiling *t, size_t level) {
    const struct stoa_gemm *p = t->product;
    bool turns = t->way.copies_b && !p->transpose_a;
    size_t side = t->way.by == STOA_BY_ROW                  ? row_side(p)
                  : t->way.by == STOA_BY_CALL && level == 0 ? t->context->tuning->product_whole_side
                                                            : 0;
    size_t least = stoa_max(side, least_rows[p->transpose_a ? GRADIENT : turns ? TURNED : PLAIN][level]);
    size_t wide = stoa_max(side, least_columns[t->way.copies_a || turns][level]);
    size_t rows = stoa_ceil_div(p->m, t->down);
    size_t columns = stoa_ceil_div(p->n, t->across);
    bool down = rows >= 2 * least;
    bool across = columns >= 2 * wide && !(t->way.by == STOA_BY_ROW && p->transpose_a);
    if (down && (rows >= columns || !across)) {
        t->down *= 2;
    } else if (across) {
        t->across *= 2;
    }
    return down || across;
}

/* What a thread has packed lies in its own caches, and other threads would fetch it from there. So each
 * takes the columns that it packed, and all read the whole other operand, unless that has several times the
 * rows, which costs as much (measured). Otherwise no part of the larger operand is read by two threads. */
void stoa_product(const stoa_context *context, const struct stoa_gemm *product) {
    enum { MOST_ROWS_A_COLUMN = 8 };
    bool by_columns = product->n >= product->m / (product->packed_now ? MOST_ROWS_A_COLUMN : 1);
    struct stoa_way way = stoa_way_of(context, product);
    double work = (double)product->m * (double)product->n * (double)product->k;
    double task = (double)context->tuning->product_task;
    if (way.by <= STOA_BY_SMALL && work < 2 * task) { /* a loop over one task would cost as much */
        stoa_way_run(context, product, &way);
        return;
    }
    struct tiling t = {context, product, 1, 1, by_columns, way};
    for (size_t level = 0; level < LEVELS; level++) {
        while (t.down * t.across < enough_tiles[level] && 2 * task * (double)(t.down * t.across) <= work &&
               halve(&t, level)) {
        }
    }
    stoa_parallel(context, t.down * t.across, run_tile, &t);
}

size_t stoa_panel_floats(size_t k, size_t n) {
    return k * stoa_round_up(n, STOA_ALIGN_FLOATS);
}

struct packing {
    const struct stoa_kernels *kernels;
    const struct stoa_gemm *product;
    float *panels;
    size_t columns;
};

static void pack_panel(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct packing *packing = argument;
    const struct stoa_gemm *p = packing->product;
    size_t j = task * packing->columns;
    size_t columns = stoa_min(packing->columns, p->n - j);
    size_t width = stoa_round_up(columns, STOA_ALIGN_FLOATS);
    float *to = packing->panels + j * p->k;
    if (columns < width) {
        memset(to, 0, p->k * width * sizeof *to);
    }
    if (p->transpose_b) {
        packing->kernels->transpose(p->b + j * p->ldb, columns, p->k, p->ldb, to, width);
    } else {
        packing->kernels->copy_rows(p->b + j, p->k, columns, p->ldb, to, width);
    }
}

void stoa_pack_panels(const stoa_context *context, const struct stoa_gemm *product, float *panels) {
    size_t columns = product->packed_columns ? product->packed_columns : STOA_GEMM_PANEL;
    struct packing packing = {context->kernels, product, panels, columns};
    stoa_parallel(context, stoa_ceil_div(product->n, columns), pack_panel, &packing);
}
