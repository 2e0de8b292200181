/* Large dense layers: tiles of the result, one sgemm each. Floor 3. */
#include "core/product.h"

#include "base/size.h"
#include "core/threads.h"

/* Tiles are halved along their longer side until there are enough for several threads, or they are so small that the
 * operands would be read too often; a few more of small products, down to what pays for waking a thread. Each tile turns
 * its part of a transposed b, so that is shared by as many rows as there may be. */
enum { ENOUGH_TILES = 32, FEW_TILES = 4, LEAST_WORK = 1 << 17, ROW_UNIT = 12, COLUMN_UNIT = 16 };
struct size {
    size_t rows, columns;
};
static const struct size least_tile[] = {{192, 64}, {24, 32}}; /* among many tiles, among few */
static const struct size least_gradient[] = {{96, 64}, {24, 32}};
static const struct size least_turned[] = {{384, 64}, {96, 32}};

struct tiling {
    const struct stoa_gemm *product;
    size_t rows, columns, down, across;
};

/* Threads take neighbours, so that each reads only its part of the larger operand. */
static void run_tile(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct tiling *t = argument;
    struct stoa_gemm tile = *t->product;
    bool by_columns = !tile.transpose_a && tile.n >= tile.m;
    size_t i = (by_columns ? task % t->down : task / t->across) * t->rows;
    size_t j = (by_columns ? task / t->down : task % t->across) * t->columns;
    tile.m = stoa_min(t->rows, tile.m - i);
    tile.below = t->product->m - i - tile.m;
    tile.n = stoa_min(t->columns, tile.n - j);
    tile.a += tile.transpose_a ? i : i * tile.lda;
    tile.b += tile.transpose_b ? j * tile.ldb : j;
    tile.c += i * tile.ldc + j;
    stoa_gemm_run(&tile);
}

/* False when a tile should not be smaller. */
static bool halve(struct tiling *t, bool few) {
    bool turns = t->product->transpose_b && !t->product->whole;
    const struct size *least = t->product->transpose_a ? &least_gradient[few]
                               : turns                 ? &least_turned[few]
                                                       : &least_tile[few];
    bool down = t->rows >= 2 * least->rows;
    bool across = t->columns >= 2 * least->columns;
    if ((double)t->rows * (double)t->columns * (double)t->product->k < 2 * LEAST_WORK || !(down || across)) {
        return false;
    }
    if (down && !(turns && across) && (t->rows >= t->columns || !across)) {
        t->rows = stoa_round_up(stoa_ceil_div(t->rows, 2), ROW_UNIT);
    } else {
        t->columns = stoa_round_up(stoa_ceil_div(t->columns, 2), COLUMN_UNIT);
    }
    return true;
}

void stoa_product(const stoa_context *context, const struct stoa_gemm *product) {
    struct stoa_gemm tiled = *product;
    tiled.whole = tiled.whole || stoa_plain_products(context);
    tiled.kernels = context->kernels;
    struct tiling t = {
        .product = &tiled, .rows = stoa_max(1, product->m), .columns = stoa_max(1, product->n)};
    t.down = t.across = 1;
    size_t tiles = 1;
    while (tiles < ENOUGH_TILES && halve(&t, tiles < FEW_TILES)) {
        t.down = stoa_ceil_div(product->m, t.rows);
        t.across = stoa_ceil_div(product->n, t.columns);
        tiles = t.down * t.across;
    }
    stoa_parallel(context, tiles, run_tile, &t);
}
