/* Matrix transpose by blocks. Floor 1.
 *
 * Blocks keep the lines of both matrices in the first cache; inside a block the writes are contiguous and
 * four rows are taken at once, so that each line of x is read once per four lines of y. */
#include "kernels/isa.h"

enum { BLOCK = 32, TILE = 8 };

/* An 8 x 8 tile through registers: the compiler turns the local array into shuffles. */
STOA_INLINE void transpose_tile(const float *restrict x, size_t x_stride, float *restrict y,
                                size_t y_stride) {
    float tile[TILE][TILE];
    for (size_t r = 0; r < TILE; r++) {
        for (size_t c = 0; c < TILE; c++) {
            tile[c][r] = x[r * x_stride + c];
        }
    }
    for (size_t c = 0; c < TILE; c++) {
        for (size_t r = 0; r < TILE; r++) {
            y[c * y_stride + r] = tile[c][r];
        }
    }
}

static void transpose_edge(const float *restrict x, size_t rows, size_t columns, size_t x_stride,
                           float *restrict y, size_t y_stride) {
    for (size_t c = 0; c < columns; c++) {
        for (size_t r = 0; r < rows; r++) {
            y[c * y_stride + r] = x[r * x_stride + c];
        }
    }
}

void STOA_KERNEL(transpose)(const float *x, size_t rows, size_t columns, size_t x_stride, float *y,
                            size_t y_stride) {
    size_t whole_rows = rows - rows % TILE;
    size_t whole_columns = columns - columns % TILE;
    for (size_t r0 = 0; r0 < whole_rows; r0 += BLOCK) {
        size_t r1 = whole_rows - r0 < BLOCK ? whole_rows : r0 + BLOCK;
        for (size_t c0 = 0; c0 < whole_columns; c0 += BLOCK) {
            size_t c1 = whole_columns - c0 < BLOCK ? whole_columns : c0 + BLOCK;
            for (size_t c = c0; c < c1; c += TILE) {
                for (size_t r = r0; r < r1; r += TILE) {
                    transpose_tile(x + r * x_stride + c, x_stride, y + c * y_stride + r, y_stride);
                }
            }
        }
    }
    transpose_edge(x + whole_columns, whole_rows, columns - whole_columns, x_stride,
                   y + whole_columns * y_stride, y_stride);
    transpose_edge(x + whole_rows * x_stride, rows - whole_rows, columns, x_stride, y + whole_rows, y_stride);
}
