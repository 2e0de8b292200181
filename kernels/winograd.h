/* Winograd's minimal filtering for 3x3 kernels with stride 1: what its kernels and their callers agree on. Floor 1.
 *
 * A tile of h x w outputs, h and w from 1 to 4, or to 6, reads a patch of (h + 2) x (w + 2) inputs:
 *     Y = A_h^T [(G W G^T) . (B_h^T X B_w)] A_w
 * where `.` multiplies element by element and sums over input channels: (h + 2)(w + 2) products where a direct
 * convolution takes 9 h w. The transforms evaluate polynomials at points (Toom and Cook): along a line of m outputs the
 * first m + 2 of
 *     infinity, 0, a, -a, b, -b           a = 3/4, b = 3/2: six points, for tiles of up to 4 (and 2, of the first four)
 *     infinity, 0, a, -a, b, -b, c, -c    a = 1/2, b = 1, c = 7/4: eight points, for tiles of up to 6
 * G's row of point p is (1, p, p^2) / F(p) with F(p) the product of p - q over the other finite points of all six or eight, for
 * every m: transformed weights of the larger tile serve all smaller ones, so that the edge of an image takes tiles that
 * fit it. B carries what m's own product differs by. A's row of p is (1, p, ..., p^(m-1)); the row of infinity is the
 * last unit vector, in B the coefficients of the product of x - p.
 *
 * The points: errors of F(4x4, 3x3) are 3.5 times smaller than with the usual 0, 1, -1, 2, -2, infinity, those of
 * F(6x6, 3x3) the smallest among multiples of 1/8; all and their powers in use are exact in binary.
 *
 * Winograd, "Arithmetic Complexity of Computations", 1980. Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2016. Barabasz, Anderson, Soodhalter and Gregg, "Error Analysis and Improving the Accuracy of Winograd
 * Convolution for Deep Neural Networks", 2020. */
#ifndef STOA_KERNELS_WINOGRAD_H
#define STOA_KERNELS_WINOGRAD_H

#include <stddef.h>

enum { STOA_WINOGRAD_OUTPUTS = 6, STOA_WINOGRAD_POINTS = STOA_WINOGRAD_OUTPUTS + 2 };

/* The outputs of a tile in an image. */
struct stoa_winograd_tile {
    size_t row, column;   /* of the first */
    size_t height, width; /* 1 to STOA_WINOGRAD_OUTPUTS */
};

#endif
