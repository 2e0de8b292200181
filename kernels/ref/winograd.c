/* SPDX-License-Identifier: MIT */
/* Reference transforms of Winograd's convolution: the matrices of kernels/winograd.h built from their points
 * by the definition, and multiplied. */
#include "kernels/ref/ref.h"
#include "kernels/winograd_tile.h"

enum { POINTS = STOA_WINOGRAD_POINTS };

/* A set of points. Infinity, in place 0, has no number. */
struct set {
    size_t points;
    double point[POINTS];
};

static const struct set six = {6, {0, 0, 0.75, -0.75, 1.5, -1.5}};
static const struct set eight = {8, {0, 0, 0.5625, -0.5625, 1, -1, 1.75, -1.75}};

static const struct set *set_of(size_t points) {
    return points == eight.points ? &eight : &six;
}

/* A transform along a line. */
struct matrix {
    size_t rows, columns;
    double element[POINTS][POINTS];
};

/* Product of point p - q over the finite points q of the first `points` but p's own. */
static double separation(const struct set *set, size_t p, size_t points) {
    double product = 1;
    for (size_t q = 1; q < points; q++) {
        product *= q == p ? 1 : set->point[p] - set->point[q];
    }
    return product;
}

/* B^T of n points. Row p holds the coefficients of the product of x - q over the finite points q but p
 * itself. */
static struct matrix input_matrix(const struct set *set, size_t n) {
    struct matrix b = {.rows = n, .columns = n};
    for (size_t p = 0; p < n; p++) {
        double *row = b.element[p];
        size_t degree = 0;
        row[0] = p == 0 ? 1 : separation(set, p, set->points) / separation(set, p, n);
        for (size_t q = 1; q < n; q++) {
            if (q == p) {
                continue;
            }
            degree++;
            for (size_t i = degree + 1; i-- > 0;) {
                row[i] = (i > 0 ? row[i - 1] : 0) - (i < degree ? set->point[q] * row[i] : 0);
            }
        }
    }
    return b;
}

/* A^T of m outputs and n points. */
static struct matrix output_matrix(const struct set *set, size_t m, size_t n) {
    struct matrix a = {.rows = m, .columns = n};
    a.element[m - 1][0] = 1;
    for (size_t p = 1; p < n; p++) {
        double power = 1;
        for (size_t k = 0; k < m; k++, power *= set->point[p]) {
            a.element[k][p] = power;
        }
    }
    return a;
}

/* G of the first `points` points. */
static struct matrix weights_matrix(size_t points, size_t taps) {
    const struct set *set = set_of(points);
    struct matrix g = {.rows = points, .columns = taps};
    g.element[0][taps - 1] = 1;
    for (size_t p = 1; p < points; p++) {
        double power = 1 / separation(set, p, set->points);
        for (size_t k = 0; k < taps; k++, power *= set->point[p]) {
            g.element[p][k] = power;
        }
    }
    return g;
}

static struct matrix transposed(struct matrix m) {
    struct matrix t = {.rows = m.columns, .columns = m.rows};
    for (size_t i = 0; i < m.rows; i++) {
        for (size_t j = 0; j < m.columns; j++) {
            t.element[j][i] = m.element[i][j];
        }
    }
    return t;
}

/* out = left in right^T. */
static void sandwich(const struct matrix *left, const struct matrix *right, const double in[POINTS][POINTS],
                     double out[POINTS][POINTS]) {
    for (size_t i = 0; i < left->rows; i++) {
        for (size_t j = 0; j < right->rows; j++) {
            double sum = 0;
            for (size_t k = 0; k < left->columns; k++) {
                for (size_t l = 0; l < right->columns; l++) {
                    double factor = left->element[i][k] * right->element[j][l];
                    sum += factor == 0 ? 0 : factor * in[k][l]; /* NaN reaches what it is part of only */
                }
            }
            out[i][j] = sum;
        }
    }
}

void STOA_REFERENCE(winograd_input)(const struct stoa_window *w, const struct stoa_winograd_tile *t,
                                    size_t points, size_t channels, const real *x, real *v, size_t v_step) {
    struct matrix down = input_matrix(set_of(points), stoa_winograd_lines(t));
    struct matrix across = input_matrix(set_of(points), stoa_winograd_columns(t));
    for (size_t c = 0; c < channels; c++) {
        double in[POINTS][POINTS] = {{0}};
        double out[POINTS][POINTS];
        for (size_t i = 0; i < down.rows; i++) {
            for (size_t j = 0; j < across.rows; j++) {
                size_t ih = t->row + i;
                size_t iw = t->column + j;
                if (ih >= w->pad_top && ih - w->pad_top < w->height && iw >= w->pad_left &&
                    iw - w->pad_left < w->width) {
                    in[i][j] = (double)x[((ih - w->pad_top) * w->width + iw - w->pad_left) * w->channels + c];
                }
            }
        }
        sandwich(&down, &across, (const double(*)[POINTS])in, out);
        for (size_t i = 0; i < down.rows; i++) {
            for (size_t j = 0; j < across.rows; j++) {
                v[(i * points + j) * v_step + c] = (real)out[i][j];
            }
        }
    }
}

void STOA_REFERENCE(winograd_output)(const struct stoa_winograd_tile *t, size_t points, const real *s,
                                     size_t s_step, size_t filters, const real *bias, bool relu, real *y,
                                     size_t line, size_t pixel) {
    struct matrix down = output_matrix(set_of(points), t->height, stoa_winograd_lines(t));
    struct matrix across = output_matrix(set_of(points), t->width, stoa_winograd_columns(t));
    for (size_t k = 0; k < filters; k++) {
        double in[POINTS][POINTS] = {{0}};
        double out[POINTS][POINTS];
        for (size_t i = 0; i < down.columns; i++) {
            for (size_t j = 0; j < across.columns; j++) {
                in[i][j] = (double)s[(i * points + j) * s_step + k];
            }
        }
        sandwich(&down, &across, (const double(*)[POINTS])in, out);
        for (size_t i = 0; i < t->height; i++) {
            for (size_t j = 0; j < t->width; j++) {
                double value = out[i][j] + (bias != NULL ? (double)bias[k] : 0);
                y[(t->row + i) * line + (t->column + j) * pixel + k] = (real)(relu && value < 0 ? 0 : value);
            }
        }
    }
}

void STOA_REFERENCE(winograd_gradient)(const struct stoa_winograd_tile *t, size_t points, const real *dy,
                                       size_t line, size_t pixel, size_t filters, real *z, size_t z_step) {
    struct matrix down = transposed(output_matrix(set_of(points), t->height, stoa_winograd_lines(t)));
    struct matrix across = transposed(output_matrix(set_of(points), t->width, stoa_winograd_columns(t)));
    for (size_t k = 0; k < filters; k++) {
        double in[POINTS][POINTS] = {{0}};
        double out[POINTS][POINTS];
        for (size_t i = 0; i < t->height; i++) {
            for (size_t j = 0; j < t->width; j++) {
                in[i][j] = (double)dy[(t->row + i) * line + (t->column + j) * pixel + k];
            }
        }
        sandwich(&down, &across, (const double(*)[POINTS])in, out);
        for (size_t i = 0; i < down.rows; i++) {
            for (size_t j = 0; j < across.rows; j++) {
                z[(i * points + j) * z_step + k] = (real)out[i][j];
            }
        }
    }
}

void STOA_REFERENCE(winograd_weights)(size_t points, size_t taps, size_t line, size_t lines, const real *w,
                                      size_t channels, size_t filters, real *u, size_t u_stride,
                                      size_t u_step) {
    struct matrix g = weights_matrix(points, taps);
    for (size_t c = 0; c < channels; c++) {
        for (size_t k = 0; k < filters; k++) {
            double in[POINTS][POINTS] = {{0}};
            double out[POINTS][POINTS] = {{0}};
            for (size_t i = 0; i < taps; i++) {
                for (size_t j = 0; j < taps; j++) {
                    in[i][j] = (double)w[((i * taps + j) * channels + c) * filters + k];
                }
            }
            sandwich(&g, &g, (const double(*)[POINTS])in, out);
            for (size_t i = 0; i < lines; i++) {
                for (size_t j = 0; j < points; j++) {
                    u[(i * points + j) * u_step + c * u_stride + k] = (real)out[line + i][j];
                }
            }
        }
    }
}

void STOA_REFERENCE(winograd_weights_gradient)(size_t points, const real *s, size_t s_stride, size_t s_step,
                                               size_t channels, size_t filters, real *dw,
                                               const struct stoa_winograd_taps *taps, size_t dw_stride) {
    struct matrix g = transposed(weights_matrix(points, taps->count));
    for (size_t c = 0; c < channels; c++) {
        for (size_t k = 0; k < filters; k++) {
            double in[POINTS][POINTS] = {{0}};
            double out[POINTS][POINTS] = {{0}};
            for (size_t i = 0; i < points; i++) {
                for (size_t j = 0; j < points; j++) {
                    in[i][j] = (double)s[(i * points + j) * s_step + c * s_stride + k];
                }
            }
            sandwich(&g, &g, (const double(*)[POINTS])in, out);
            for (size_t i = 0; i < taps->lines; i++) {
                for (size_t j = 0; j < taps->columns; j++) {
                    dw[i * taps->line + j * taps->tap + c * dw_stride + k] = (real)out[i][j];
                }
            }
        }
    }
}
