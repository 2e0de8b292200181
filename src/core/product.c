/* Large dense layers: tiles of the result, one sgemm each. Floor 3. */
#include "core/product.h"

#include "base/size.h"
#include "core/threads.h"

/* Tiles are halved along their longer side until there are enough for several threads, or they are so small that the
 * operands would be read too often. */
enum { ENOUGH_TILES = 32, LEAST_ROWS = 96, LEAST_COLUMNS = 64, ROW_UNIT = 12, COLUMN_UNIT = 16 };

struct tiling {
    const struct stoa_gemm *product;
    size_t rows, columns, across;
};

static void run_tile(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct tiling *t = argument;
    struct stoa_gemm tile = *t->product;
    size_t i = task / t->across * t->rows;
    size_t j = task % t->across * t->columns;
    tile.m = stoa_min(t->rows, tile.m - i);
    tile.n = stoa_min(t->columns, tile.n - j);
    tile.a += tile.transpose_a ? i : i * tile.lda;
    tile.b += tile.transpose_b ? j * tile.ldb : j;
    tile.c += i * tile.ldc + j;
    stoa_gemm_run(&tile);
}

void stoa_product(const stoa_context *context, const struct stoa_gemm *product) {
    struct stoa_gemm tiled = *product;
    tiled.whole = tiled.whole || stoa_plain_products(context);
    struct tiling t = {
        .product = &tiled, .rows = stoa_max(1, product->m), .columns = stoa_max(1, product->n)};
    size_t down = 1;
    t.across = 1;
    while (down * t.across < ENOUGH_TILES && (t.rows >= 2 * LEAST_ROWS || t.columns >= 2 * LEAST_COLUMNS)) {
        if (t.columns < 2 * LEAST_COLUMNS || (t.rows >= 2 * LEAST_ROWS && t.rows >= t.columns)) {
            t.rows = stoa_round_up(stoa_ceil_div(t.rows, 2), ROW_UNIT);
        } else {
            t.columns = stoa_round_up(stoa_ceil_div(t.columns, 2), COLUMN_UNIT);
        }
        down = stoa_ceil_div(product->m, t.rows);
        t.across = stoa_ceil_div(product->n, t.columns);
    }
    stoa_parallel(context, down * t.across, run_tile, &t);
}
