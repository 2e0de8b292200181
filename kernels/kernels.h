/* SPDX-License-Identifier: MIT */
/* The list of kernels: slot, signature, contract. Each kernel is one entry, which the tables, the references
 * and the tests read. Kernels are raw loops on pointers and strides, without BLAS, allocation or tensors.
 *
 * A "row" of a window is one row of output pixels: row r of a batch is row r % out_height of image r /
 * out_height, and has out_width pixels. Images are contiguous NHWC. Strides and counts are in elements.
 * Unless said otherwise outputs are overwritten (they may hold NaN before) and must not overlap inputs, and
 * no alignment is assumed. NaN in an input reaches the output. Sums run in an order that depends on sizes
 * and instruction set only.
 *
 * The signatures are written over the type `real`: float in the fast tables, float and double in the
 * references. */
#ifndef STOA_KERNELS_KERNELS_H
#define STOA_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stoa/context.h>

#include "kernels/window.h"
#include "kernels/winograd.h"

/* The numbers of twelve of the widest vectors: more than latency times units of any CPU, less than its
 * registers. */
enum { STOA_FMA_CHAINS = 192 };

/* Memory that a later call will read, and that is fetched meanwhile: for each term of the sums a row of
 * `lines` cache lines, `stride` floats after the row before, and `more` times as many rows that follow
 * those. */
struct stoa_fetch {
    const float *start;
    size_t stride, lines; /* lines 0: nothing */
    size_t more;
};
enum { STOA_FETCHES = 2 };

/* How the left operand of a product lies in memory: element (i, l) is at row[i / run] + i % run * step +
 * term[l]. A matrix by rows is one run, with terms 0, 1, 2 ...; its transpose has step 1. Pixels of an image
 * read in place are a run for each output row, and their terms are the offsets of a window's taps. Row i of
 * c is at result[i / run] + i % run * ldc. */
struct stoa_gather {
    const size_t *row; /* one for each run; NULL: a single one at 0 */
    size_t run, step;
    const size_t *term;
    const size_t *result; /* one for each run, ascending; NULL: rows of c follow each other */
    struct stoa_fetch next[STOA_FETCHES];
};

/* The numbers of the widest vector: so much is read of a product's right operand where it has fewer
 * columns. */
enum { STOA_PRODUCT_LANES = 16 };

/* A convolution whose pixels lie in the lanes has at most so many filters. */
enum { STOA_PLANES_FILTERS = 7 };

/* Floats of scratch for the image rows that columns are made from. */
enum { STOA_IM2COL_LINES = 8200 };

/* clang-format off */
/* An instruction set may leave this group to the one below: kernels that read data as they come in wait for
 * memory, whatever a vector holds. */
#define STOA_INPUT_KERNELS(K, real)                                                                          \
    /* Pixels to numbers: y = x * scale + shift. */                                                          \
    K(bytes_to_real, (const uint8_t *x, size_t n, real scale, real shift, real *y))                          \
    /* y[r*channels + c] = (y[r*channels + c] - mean[c]) / deviation[c]. */                                  \
    K(normalize, (real *y, size_t rows, size_t channels, const real *mean, const real *deviation))

#define STOA_OTHER_KERNELS(K, real)                                                                          \
    /* columns[(pixel of rows first_row..first_row+rows-1)][kh][kw][channels]: input channels channel0 ..    \
     * channel0+channels-1 under the window, zeros in the padding. x: start of the batch. lines:             \
     * STOA_IM2COL_LINES floats of scratch. */                                                               \
    K(im2col, (const struct stoa_window *w, const real *x, size_t channel0, size_t channels,                 \
               size_t first_row, size_t rows, real *lines, real *columns))                                   \
    /* The adjoint of im2col: add columns, in the same layout, into dx, the start of the batch. */           \
    K(col2im, (const struct stoa_window *w, const real *columns, size_t channel0, size_t channels,           \
               size_t first_row, size_t rows, real *dx))                                                     \
    /* y[r*stride + c] += bias[c], then max(0, .) when relu. */                                              \
    K(bias_act, (real *y, size_t rows, size_t columns, size_t stride, const real *bias, bool relu))          \
    /* y = x < 0 ? 0 : x. y may be x. */                                                                     \
    K(relu, (const real *x, real *y, size_t n))                                                              \
    /* dx = y > 0 ? dy : 0. dx may be dy. */                                                                 \
    K(relu_backward, (const real *y, const real *dy, real *dx, size_t n))                                    \
    /* Activations, y = f(x). y may be x. `parameter` is the slope of leaky_relu, the alpha of elu and the   \
     * beta of softplus; the others do not read it. */                                                       \
    K(sigmoid, (const real *x, real *y, size_t n, real parameter))                                           \
    K(tanh, (const real *x, real *y, size_t n, real parameter))                                              \
    K(leaky_relu, (const real *x, real *y, size_t n, real parameter))                                        \
    K(elu, (const real *x, real *y, size_t n, real parameter))                                               \
    K(softplus, (const real *x, real *y, size_t n, real parameter))                                          \
    K(silu, (const real *x, real *y, size_t n, real parameter))                                              \
    K(hardswish, (const real *x, real *y, size_t n, real parameter))                                         \
    K(gelu, (const real *x, real *y, size_t n, real parameter))                                              \
    K(gelu_tanh, (const real *x, real *y, size_t n, real parameter))                                         \
    /* The gradients of activations, dx = dy * f'(x). dx may be dy. `z` is y for the first five (leaky_relu  \
     * takes x as well, elu and softplus want a positive parameter), x for the others. */                    \
    K(sigmoid_backward, (const real *z, const real *dy, real *dx, size_t n, real parameter))                 \
    K(tanh_backward, (const real *z, const real *dy, real *dx, size_t n, real parameter))                    \
    K(leaky_relu_backward, (const real *z, const real *dy, real *dx, size_t n, real parameter))              \
    K(elu_backward, (const real *z, const real *dy, real *dx, size_t n, real parameter))                     \
    K(softplus_backward, (const real *z, const real *dy, real *dx, size_t n, real parameter))                \
    K(silu_backward, (const real *z, const real *dy, real *dx, size_t n, real parameter))                    \
    K(hardswish_backward, (const real *z, const real *dy, real *dx, size_t n, real parameter))               \
    K(gelu_backward, (const real *z, const real *dy, real *dx, size_t n, real parameter))                    \
    K(gelu_tanh_backward, (const real *z, const real *dy, real *dx, size_t n, real parameter))               \
    /* prelu: y[r][c] = x[r][c] < 0 ? slope[c] * x[r][c] : x[r][c]. y may be x. */                           \
    K(prelu, (const real *x, size_t rows, size_t columns, const real *slope, real *y))                       \
    /* dx = x > 0 ? dy : slope[c] * dy; dx may be dy. dslope[c] = sum over rows of x > 0 ? 0 : x * dy. */    \
    K(prelu_backward, (const real *x, const real *dy, size_t rows, size_t columns, const real *slope,        \
                       real *dx))                                                                            \
    K(prelu_backward_slope, (const real *x, const real *dy, size_t rows, size_t columns, real *dslope))      \
    /* y = a + b. y may be a or b. */                                                                        \
    K(add, (const real *a, const real *b, real *y, size_t n))                                                \
    /* y += x. */                                                                                            \
    K(accumulate, (const real *x, real *y, size_t n))                                                        \
    /* Inverted dropout with keep probability 1 - p: element i (counted from `first`) is kept when word i %  \
     * 4 of stoa_philox(key, i / 4, stream) >= threshold; y = kept ? x * scale : 0. y may be x. */           \
    K(dropout, (const real *x, real *y, size_t first, size_t n, uint64_t key, uint64_t stream,               \
                uint32_t threshold, real scale))                                                             \
    /* The largest of the pixels of the image under the window, for rows of the batch; index[] gets kh *     \
     * kernel_width + kw of the first largest (or first NaN), the same shape as y. x: start of the batch;    \
     * y, index: start of first_row; index may be NULL. A window without such a pixel gives -infinity and    \
     * index 0, which maxpool_backward ignores there. */                                                     \
    K(maxpool, (const struct stoa_window *w, const real *x, size_t first_row, size_t rows, real *y,          \
                uint16_t *index))                                                                            \
    /* One image: dx (overwritten) gets every dy at the pixel that index names. */                           \
    K(maxpool_backward, (const struct stoa_window *w, const real *dy, const uint16_t *index, real *dx))      \
    /* The mean over the window. The divisor is the number of taps in the image and its padding when         \
     * include_pad, else of those in the image (0 when there are none in the image). */                      \
    K(avgpool, (const struct stoa_window *w, bool include_pad, const real *x, size_t first_row, size_t rows, \
                real *y))                                                                                    \
    /* One image: dx (overwritten). */                                                                       \
    K(avgpool_backward, (const struct stoa_window *w, bool include_pad, const real *dy, real *dx))           \
    /* y[c] = mean over pixels of x[pixel][c]; one image. */                                                 \
    K(global_avgpool, (const real *x, size_t pixels, size_t channels, real *y))                              \
    /* dx[pixel][c] = dy[c] / pixels; one image. */                                                          \
    K(global_avgpool_backward, (const real *dy, size_t pixels, size_t channels, real *dx))                   \
    /* Per column of x[rows][channels]: mean, and m2 = sum of (x - mean)^2, without cancellation (two        \
     * passes over chunks that stay in cache, merged after Chan et al. 1979) and without overflow. rows >=   \
     * 1. */                                                                                                 \
    K(bn_moments, (const real *x, size_t rows, size_t channels, double *mean, double *m2))                   \
    /* y[r][c] = (x[r][c] * unit - mean[c]) * scale[c] + shift[c], then max(0, .) when relu. y may be x.     \
     * The mean is taken off first: beside a large one, shift[c] - mean[c] * scale[c] would be rounded by    \
     * more than what is left. `unit` is 1, or a smaller power of two where deviations are so large that     \
     * scale[c] would be no normal number; then it is in mean and scale as well. */                          \
    K(normalize_columns, (const real *x, size_t rows, size_t channels, real unit, const real *mean,          \
                          const real *scale, const real *shift, bool relu, real *y))                         \
    /* sum_dy[c] = sum over rows of dy; sum_dy_xhat[c] = sum of dy * (x * unit - mean[c]) * scale[c]. With   \
     * masks (NULL: none) dy is 0 where not (x * unit - mean[c]) * mask_scale[c] + mask_shift[c] > 0, to     \
     * the bit what normalize_columns makes of these: the gradient of a ReLU behind. */                      \
    K(bn_backward_sums, (const real *x, const real *dy, size_t rows, size_t channels, real unit,             \
                         const real *mean, const real *scale, const real *mask_scale,                        \
                         const real *mask_shift, real *sum_dy, real *sum_dy_xhat))                           \
    /* dx = a[c] * (dy - b[c] - (x * unit - mean[c]) * d[c]), with the same masks of dy. dx may be dy. */    \
    K(bn_backward, (const real *x, const real *dy, size_t rows, size_t channels, real unit,                  \
                    const real *mean, const real *a, const real *b, const real *d, const real *mask_scale,   \
                    const real *mask_shift, real *dx))                                                       \
    /* Softmax of each row: exp(x - max) / sum. y may be x. */                                               \
    K(softmax, (const real *x, size_t rows, size_t columns, real *y))                                        \
    /* The gradient of softmax, for each row: dx = y * (dy - sum(y * dy)). dx may be dy. */                  \
    K(softmax_backward, (const real *y, const real *dy, size_t rows, size_t columns, real *dx))              \
    /* y = x - max(x) - log(sum(exp(x - max(x)))) of each row. y may be x. */                                \
    K(log_softmax, (const real *x, size_t rows, size_t columns, real *y))                                    \
    /* dx = dy - exp(y) * sum(dy) of each row; y above 0, by rounding, counts as 0. dx may be dy. */         \
    K(log_softmax_backward, (const real *y, const real *dy, size_t rows, size_t columns, real *dx))          \
    /* Per row of x[rows][columns]: mean, and m2 = sum of (x - mean)^2, without cancellation, overflow or    \
     * underflow. columns >= 1. */                                                                           \
    K(row_moments, (const real *x, size_t rows, size_t columns, double *mean, double *m2))                   \
    /* y[r][c] = (x[r][c] - mean[r]) * scale[r] * weight[c] + bias[c]; weight and bias both or neither       \
     * NULL: 1 and 0. y may be x. */                                                                         \
    K(normalize_rows, (const real *x, size_t rows, size_t columns, const double *mean, const double *scale,  \
                       const real *weight, const real *bias, real *y))                                       \
    /* Layer norm, g = dy * weight (NULL: dy), xhat = (x - mean) * inv_std of its row: dx = inv_std * (g -   \
     * mean(g) - xhat * mean(g * xhat)), means over the row. dx may be dy. */                                \
    K(layernorm_backward, (const real *x, const real *dy, size_t rows, size_t columns, const double *mean,   \
                           const double *inv_std, const real *weight, real *dx))                             \
    /* dweight[c] = sum over rows of dy * xhat, dbias[c] = sum of dy. */                                     \
    K(layernorm_backward_weights, (const real *x, const real *dy, size_t rows, size_t columns,               \
                                   const double *mean, const double *inv_std, real *dweight, real *dbias))   \
    /* Cross entropy of rows against 0 <= label < columns. With s = smoothing, w = weight (NULL: all 1),     \
     * the target is t[c] = s / columns * w[c], and 1 - s times w[label] more at the label. From logits:     \
     * probability (NULL: not wanted) = softmax(x), loss = sum over c of t[c] * (log(sum(exp(x - max))) -    \
     * (x[c] - max)). */                                                                                     \
    K(softmax_xent, (const real *x, const int32_t *label, size_t rows, size_t columns, const real *weight,   \
                     real smoothing, real *probability, real *loss))                                         \
    /* dx = (probability * sum(t) - t) * dloss[row]. dx may be probability. */                               \
    K(softmax_xent_backward, (const real *probability, const int32_t *label, const real *dloss, size_t rows, \
                              size_t columns, const real *weight, real smoothing, real *dx))                 \
    /* From probabilities: loss = -sum over c of t[c] * log(max(p[c], least)), least a normal number above   \
     * 0. */                                                                                                 \
    K(xent, (const real *p, const int32_t *label, size_t rows, size_t columns, const real *weight,           \
             real smoothing, real least, real *loss))                                                        \
    /* dx = -t / p * dloss[row], 0 where p < least. */                                                       \
    K(xent_backward, (const real *p, const int32_t *label, const real *dloss, size_t rows, size_t columns,   \
                      const real *weight, real smoothing, real least, real *dx))                             \
    /* Losses of rows: loss[row] = scale * sum over columns of f(x, t), d = x - t. `parameter` is the delta  \
     * of huber and the weight of positive targets of bce; the others do not read it. squared_error: d^2.    \
     * absolute_error: |d|. huber: |d| <= delta ? d^2 / 2 : delta * (|d| - delta / 2). bce: -parameter * t   \
     * * log(s) - (1 - t) * log(1 - s), s = sigmoid(x). */                                                   \
    K(squared_error, (const real *x, const real *t, size_t rows, size_t columns, real parameter, real scale, \
                      real *loss))                                                                           \
    K(absolute_error, (const real *x, const real *t, size_t rows, size_t columns, real parameter,            \
                       real scale, real *loss))                                                              \
    K(huber, (const real *x, const real *t, size_t rows, size_t columns, real parameter, real scale,         \
              real *loss))                                                                                   \
    K(bce, (const real *x, const real *t, size_t rows, size_t columns, real parameter, real scale,           \
            real *loss))                                                                                     \
    /* Their gradients: dx = scale * dloss[row] * f'(x). That of |d| is 0 at 0. */                           \
    K(squared_error_backward, (const real *x, const real *t, const real *dloss, size_t rows, size_t columns, \
                               real parameter, real scale, real *dx))                                        \
    K(absolute_error_backward, (const real *x, const real *t, const real *dloss, size_t rows,                \
                                size_t columns, real parameter, real scale, real *dx))                       \
    K(huber_backward, (const real *x, const real *t, const real *dloss, size_t rows, size_t columns,         \
                       real parameter, real scale, real *dx))                                                \
    K(bce_backward, (const real *x, const real *t, const real *dloss, size_t rows, size_t columns,           \
                     real parameter, real scale, real *dx))                                                  \
    /* Optimisers. In all of them g += decay * p first (L2), and p is multiplied with `keep` before the      \
     * step (decoupled decay; 1: none); what an optimiser remembers is zero before the first step. SGD with  \
     * momentum as in PyTorch: v = momentum * v + g; p -= lr * v. v is not read or written when momentum is  \
     * 0 (it may be NULL): p -= lr * g. */                                                                   \
    K(sgd, (real *p, const real *g, real *v, size_t n, real lr, real momentum, real decay, real keep))       \
    /* Nesterov's momentum as in PyTorch: v = momentum * v + g; p -= lr * (g + momentum * v). */             \
    K(nesterov, (real *p, const real *g, real *v, size_t n, real lr, real momentum, real decay, real keep))  \
    /* Momentum on the gradient of the step before: p -= lr * (g + momentum * before); before = g. */        \
    K(previous_gradient, (real *p, const real *g, real *before, size_t n, real lr, real momentum,            \
                          real decay, real keep))                                                            \
    /* Adagrad (Duchi et al. 2011): sum += g * g; p -= lr * g / (sqrt(initial + sum) + epsilon). */          \
    K(adagrad, (real *p, const real *g, real *sum, size_t n, real lr, real epsilon, real initial,            \
                real decay, real keep))                                                                      \
    /* RMSProp as in PyTorch: square = alpha*square + (1-alpha)*g*g; with `mean` (else NULL) the same of g,  \
     * and the variance square - mean*mean in the place of square; s = g / (sqrt(square) + epsilon); with    \
     * momentum v = momentum * v + s in the place of s (else v may be NULL); p -= lr * s. */                 \
    K(rmsprop, (real *p, const real *g, real *square, real *mean, real *v, size_t n, real lr, real alpha,    \
                real epsilon, real momentum, real decay, real keep))                                         \
    /* Adam (Kingma and Ba 2015, as in PyTorch): m = beta1*m + (1-beta1)*g; v = beta2*v + (1-beta2)*g*g; p   \
     * -= step_size * m / (sqrt(v) * inv_sqrt_correction2 + epsilon), where step_size = lr / (1 - beta1^t)   \
     * and inv_sqrt_correction2 = 1 / sqrt(1 - beta2^t). */                                                  \
    K(adam, (real *p, const real *g, real *m, real *v, size_t n, real step_size, real beta1, real beta2,     \
             real epsilon, real inv_sqrt_correction2, real decay, real keep))                                \
    /* y = y limited to [-limit, limit]. */                                                                  \
    K(clip, (real *y, size_t n, real limit))                                                                 \
    /* y *= factor. */                                                                                       \
    K(scale, (real *y, size_t n, real factor))                                                               \
    /* mean = keep * mean + (1 - keep) * x. */                                                               \
    K(average, (real *mean, const real *x, size_t n, real keep))                                             \
    /* Sum of squares of x[0..n) in *sum: neither overflow nor underflow within the range of floats. */      \
    K(sum_squares, (const real *x, size_t n, double *sum))                                                   \
    /* y[r*y_stride + c] = x[r*x_stride + c] for r < rows, c < columns; the rest of y stays. */              \
    K(copy_rows, (const real *x, size_t rows, size_t columns, size_t x_stride, real *y, size_t y_stride))    \
    /* Write every pixel of one image x[height][width][channels] scale_height x scale_width times. */        \
    K(upsample, (const real *x, size_t height, size_t width, size_t channels, size_t scale_height,           \
                 size_t scale_width, real *y))                                                               \
    /* The gradient of upsample: dx, of x's shape, has the sum of every pixel's copies. */                   \
    K(upsample_backward, (const real *dy, size_t height, size_t width, size_t channels, size_t scale_height, \
                          size_t scale_width, real *dx))                                                     \
    /* y[j] = sum over i < k of x[i] * w[i*stride + j], j < n. */                                            \
    K(row_times_matrix, (const real *x, const real *w, size_t k, size_t n, size_t stride, real *y))          \
    /* y[i] = sum over j < n of w[i*stride + j] * v[j], i < rows. */                                         \
    K(matrix_times_column, (const real *w, size_t rows, size_t n, size_t stride, const real *v, real *y))    \
    /* y[i*stride + j] = x[i] * v[j], i < rows, j < n. */                                                    \
    K(outer, (const real *x, size_t rows, const real *v, size_t n, real *y, size_t stride))                  \
    /* y[c*y_stride + r] = x[r*x_stride + c] for r < rows, c < columns. */                                   \
    K(transpose, (const real *x, size_t rows, size_t columns, size_t x_stride, real *y, size_t y_stride))    \
    /* sum[c] = sum over r < rows of x[r*stride + c], the error growing slower than rows (chunks). */        \
    K(column_sums, (const real *x, size_t rows, size_t columns, size_t stride, real *sum))                   \
    /* Sum of x[0..n) in *sum, the error growing slower than n. */                                           \
    K(sum, (const real *x, size_t n, real *sum))                                                             \
    /* Depthwise convolution, one filter a channel: weight[kh][kw][channels], bias NULL or [channels]. */    \
    K(depthwise, (const struct stoa_window *w, const real *x, const real *weight, const real *bias,          \
                  size_t first_row, size_t rows, real *y))                                                   \
    /* One image: dx (overwritten) of a depthwise convolution. */                                            \
    K(depthwise_backward_data, (const struct stoa_window *w, const real *dy, const real *weight, real *dx))  \
    /* Add the weight gradient of the rows to dweight[kh][kw][channels], channels channel0 ..                \
     * channel0+channels-1. dy: start of first_row. */                                                       \
    K(depthwise_backward_weights, (const struct stoa_window *w, const real *x, const real *dy,               \
                                   size_t first_row, size_t rows, size_t channel0, size_t channels,          \
                                   real *dweight))                                                           \
    /* Winograd's convolution, see kernels/winograd.h. One tile; point (i, j) of its `points` x `points`     \
     * (4, 6, 8 a side) lies at (i * points + j) * step, and those beyond the tile's own are left alone. x,  \
     * y, dy: start of the image. v[point][channel] = B^T x B of `channels` channels from x on. w: stride    \
     * 1, no dilation. Of fewer than STOA_WINOGRAD_LANES channels, pixels are read and v is written up to    \
     * so many; what lies there may be anything. */                                                          \
    K(winograd_input, (const struct stoa_window *w, const struct stoa_winograd_tile *t, size_t points,       \
                       size_t channels, const real *x, real *v, size_t v_step))                              \
    /* y[pixel][filter] = A^T s A + bias (NULL: none), then max(0, .) when relu; lines and pixels of y lie   \
     * `line` and `pixel` apart. */                                                                          \
    K(winograd_output, (const struct stoa_winograd_tile *t, size_t points, const real *s, size_t s_step,     \
                        size_t filters, const real *bias, bool relu, real *y, size_t line, size_t pixel))    \
    /* z[point][filter] = A dy A^T: the adjoint of winograd_output. */                                       \
    K(winograd_gradient, (const struct stoa_winograd_tile *t, size_t points, const real *dy, size_t line,    \
                          size_t pixel, size_t filters, real *z, size_t z_step))                             \
    /* u[point][c*u_stride + k] = G w G^T of w[taps][taps][channels][filters]; of its points lines [line,    \
     * line + lines) only, the first one's at u. */                                                          \
    K(winograd_weights, (size_t points, size_t taps, size_t line, size_t lines, const real *w,               \
                         size_t channels, size_t filters, real *u, size_t u_stride, size_t u_step))          \
    /* The taps, from dw + c*dw_stride + k on, = G^T s G: the adjoint of winograd_weights. */                \
    K(winograd_weights_gradient, (size_t points, const real *s, size_t s_stride, size_t s_step,              \
                                  size_t channels, size_t filters, real *dw,                                 \
                                  const struct stoa_winograd_taps *taps, size_t dw_stride))                  \
    /* *index = the first i < n for which x[i] is NaN or infinite, n if there is none. */                    \
    K(find_nonfinite, (const real *x, size_t n, size_t *index))                                              \
    /* c[i][j] = start[j] (0 where start is NULL) + sum over l < k of a(i, l) * b[l][j] for i < m, j < n;    \
     * or that sum added to c, where start is c. a lies as `gather` says, rows of b (and of c, in a run)     \
     * ldb and ldc apart. Of less than STOA_PRODUCT_LANES columns rows of b, and start, are read up to that  \
     * many; what lies there may be anything. One sum over all terms: for many of them call it in parts. */  \
    K(product, (const struct stoa_gather *gather, size_t m, size_t n, size_t k, const real *a,               \
                const real *b, size_t ldb, const real *start, real *c, size_t ldc))                          \
    /* Convolution of planes, an image a channel: y[f*y_stride + j] = start[f] (0 where start is NULL) +     \
     * sum over l < terms of weight[l*filters + f] * x[term[l] + j], for f < filters <= STOA_PLANES_FILTERS  \
     * and j < n, a multiple of STOA_PRODUCT_LANES. */                                                       \
    K(planes, (const real *x, const size_t *term, size_t terms, const real *weight, size_t filters,          \
               const real *start, size_t n, real *y, size_t y_stride))                                       \
    /* Its weight gradient, not yet summed over lanes: sums[(l*filters + f)*STOA_PRODUCT_LANES + i] += sum   \
     * over j = i, i + STOA_PRODUCT_LANES ... < n of x[term[l] + j] * dy[f*dy_stride + j]. */                \
    K(planes_gradient, (const real *x, const size_t *term, size_t terms, const real *dy, size_t dy_stride,   \
                        size_t filters, size_t n, real *sums))                                               \
    /* y[i] = x[i] after `rounds` steps v = v * factor + summand, for i < STOA_FMA_CHAINS: as many           \
     * independent chains in registers as the CPU can work on at once. 2 * STOA_FMA_CHAINS * rounds flops:   \
     * the limit of all products. */                                                                         \
    K(fma_chain, (const real *x, size_t rounds, real factor, real summand, real *y))

#define STOA_KERNEL_LIST(K, real) STOA_OTHER_KERNELS(K, real) STOA_INPUT_KERNELS(K, real)

/* Whole operators as textbook loops, in the references only: the oracle of what runs through sgemm.
 * Weights are [kernel_height][kernel_width][channels / groups][filters] ("HWIO"). */
#define STOA_REFERENCE_LIST(K, real)                                                                         \
    /* c[m][n] = alpha * op(a) op(b) + beta * c, row-major; c is not read when beta is 0. */                 \
    K(gemm, (bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha, const real *a,    \
             size_t lda, const real *b, size_t ldb, real beta, real *c, size_t ldc))                         \
    K(conv2d, (const struct stoa_window *w, size_t batch, size_t filters, size_t groups, const real *x,      \
               const real *weight, const real *bias, real *y))                                               \
    K(conv2d_backward_data, (const struct stoa_window *w, size_t batch, size_t filters, size_t groups,       \
                             const real *dy, const real *weight, real *dx))                                  \
    K(conv2d_backward_weights, (const struct stoa_window *w, size_t batch, size_t filters, size_t groups,    \
                                const real *x, const real *dy, real *dweight))
/* clang-format on */

#define STOA_KERNEL_MEMBER(slot, signature) void(*slot) signature;

/* One implementation of every kernel. */
struct stoa_kernels {
    STOA_KERNEL_LIST(STOA_KERNEL_MEMBER, float)
};

/* The references: every kernel and whole operators, in float and in double. */
struct stoa_reference_f32 {
    STOA_KERNEL_LIST(STOA_KERNEL_MEMBER, float)
    STOA_REFERENCE_LIST(STOA_KERNEL_MEMBER, float)
};

struct stoa_reference_f64 {
    STOA_KERNEL_LIST(STOA_KERNEL_MEMBER, double)
    STOA_REFERENCE_LIST(STOA_KERNEL_MEMBER, double)
};

#undef STOA_KERNEL_MEMBER

/* The table of an instruction set, which must not be above stoa_isa_best(); NULL when this build has none. */
const struct stoa_kernels *stoa_kernels_for(stoa_isa isa);

extern const struct stoa_reference_f32 stoa_reference_f32;
extern const struct stoa_reference_f64 stoa_reference_f64;

#endif
