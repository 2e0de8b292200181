/* Large dense layers: tiles of the result, one sgemm each. Floor 3. */
#include "core/product.h"

#include "base/size.h"
#include "core/threads.h"

/* Tiles start at 128 x 64 and grow until there are few enough that packing the operands again for each does
 * not show. */
enum { FIRST_ROWS = 128, FIRST_COLUMNS = 64, MOST_TILES = 64 };

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
    struct tiling t = {.product = &tiled, .rows = FIRST_ROWS, .columns = FIRST_COLUMNS};
    size_t down = stoa_ceil_div(product->m, t.rows);
    t.across = stoa_ceil_div(product->n, t.columns);
    while (down * t.across > MOST_TILES) {
        if (t.rows > t.columns || t.rows >= product->m) {
            t.columns *= 2;
        } else {
            t.rows *= 2;
        }
        down = stoa_ceil_div(product->m, t.rows);
        t.across = stoa_ceil_div(product->n, t.columns);
    }
    stoa_parallel(context, down * t.across, run_tile, &t);
}
