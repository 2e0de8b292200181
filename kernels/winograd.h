/* SPDX-License-Identifier: MIT */
/* Winograd's minimal filtering for square kernels with stride 1: what its kernels and their callers agree on.
 *
 *
 * With r taps a side, 3 to 5, a tile of h x w outputs reads a patch of (h + r - 1) x (w + r - 1) inputs:
 *     Y = A_h^T [(G W G^T) . (B_h^T X B_w)] A_w
 * where `.` multiplies element by element and sums over input channels: (h + r - 1)(w + r - 1) products where
 * a direct convolution takes r^2 h w. The transforms evaluate polynomials at points (Toom and Cook): along a
 * line of m outputs the first m + r - 1 of
 *     infinity, 0, a, -a, b, -b           a = 3/4, b = 3/2: six points, for tiles of up to 7 - r
 *     infinity, 0, a, -a, b, -b, c, -c    a = 9/16, b = 1, c = 7/4: eight points, for tiles of up to 9 - r
 * (the first four of the six serve 3 taps alone). G's row of point p is (1, p, ..., p^(r-1)) / F(p) with
 * F(p) the product of p - q over the other finite points of all six or eight, for every m: transformed
 * weights of the larger tile serve all smaller ones, so that the edge of an image takes tiles that fit it. B,
 * the same for every r, carries what a shorter line's own product differs by. A's row of p is (1, p, ...,
 * p^(m-1)); the row of infinity is the last unit vector, in B the coefficients of the product of x - p.
 *
 * The points: errors of F(4x4, 3x3) are 3.5 times smaller than with the usual 0, 1, -1, 2, -2, infinity. Of
 * an output k they are in proportion to the root of the sum over points of |p|^2k |row of B|^2 |row of G|^2,
 * in both directions; the largest of F(6x6, 3x3), in the corners of a tile, are the smallest among multiples
 * of 1/16 whose powers and products in use are exact in binary, and within 2 % of those of the best real
 * points. What is left are mostly the roundings of the sums over channels.
 *
 * Winograd, "Arithmetic Complexity of Computations", 1980. Lavin and Gray, "Fast Algorithms for Convolutional
 * Neural Networks", 2016. Barabasz, Anderson, Soodhalter and Gregg, "Error Analysis and Improving the
 * Accuracy of Winograd Convolution for Deep Neural Networks", 2020. */
#ifndef STOA_KERNELS_WINOGRAD_H
#define STOA_KERNELS_WINOGRAD_H

#include <stddef.h>

/* A side: points of the largest set, taps, and outputs of the largest tile. A row of whole vectors is rounded
 * up to LANES. */
enum {
    STOA_WINOGRAD_POINTS = 8,
    STOA_WINOGRAD_LEAST_TAPS = 3,
    STOA_WINOGRAD_MOST_TAPS = 5,
    STOA_WINOGRAD_OUTPUTS = STOA_WINOGRAD_POINTS + 1 - STOA_WINOGRAD_LEAST_TAPS,
    STOA_WINOGRAD_LANES = 16
};

/* The outputs of a tile in an image, at most one more than points and taps differ by. */
struct stoa_winograd_tile {
    size_t row, column; /* of the first */
    size_t height, width;
    size_t taps;
};

/* Where the taps of a kernel lie: tap (i, j) at i*line + j*tap. Only lines x columns of count x count are
 * there: a kernel that a larger stride cuts into phases lacks the last of some. */
struct stoa_winograd_taps {
    size_t count, lines, columns;
    size_t line, tap;
};

#endif
