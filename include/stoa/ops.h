/* SPDX-License-Identifier: MIT */
/** @file
 * Stateless operators on the caller's own buffers: no model, no hidden allocation.
 *
 * Images are (batch, height, width, channels) float32, contiguous, channels last (NHWC). Convolution weights
 * are (kernel_height, kernel_width, channels / groups, filters), contiguous ("HWIO");
 * stoa_conv2d_pack_weights() makes them from PyTorch's (filters, channels / groups, kernel_height,
 * kernel_width). Buffers of one call must not overlap unless said otherwise, need no alignment, and
 * workspaces need 64 bytes. A workspace query gives the bytes for the context's threads and limits; ask once,
 * allocate once. On an error the outputs are untouched. Calls of convolutions plan, run and forget;
 * conv_plan.h has plans for those who make them in a loop.
 *
 * Convolutions of the default policy may run by Winograd's method: enum stoa_policy in context.h says what it
 * may be off by, and that it spreads NaN over a tile. Results do not depend on the number of threads; those
 * of one image may differ in the last bits with the batch and the image's place in it, see stoa_plan_infer().
 *
 * Errors of all: STOA_ERR_ARGUMENT (a NULL buffer, a size of 0 but for stoa_sgemm()'s k, a workspace that is
 * missing, too small or not aligned), STOA_ERR_SHAPE (sizes that do not fit each other, or overflow).
 * Threads: one context per thread.
 */
#ifndef STOA_OPS_H
#define STOA_OPS_H

#include <stdint.h>

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** c[m][n] = alpha * op(a)[m][k] op(b)[k][n] + beta * c, row-major, on the context's threads.
 *
 * @param context  Decides threads and policy.
 * @param transpose_a  op(a) is the transpose of a, which is stored [k][m].
 * @param transpose_b  op(b) is the transpose of b, which is stored [n][k].
 * @param m  Rows of c.
 * @param n  Columns of c.
 * @param k  Inner dimension; with 0 c becomes beta * c, and a and b, which may be NULL then, are not read.
 * @param alpha  Factor of the product.
 * @param a  First factor.
 * @param lda  Floats from one row of a, as stored, to the next.
 * @param b  Second factor.
 * @param ldb  Floats from one row of b, as stored, to the next.
 * @param beta  Factor of what c held; c is not read when it is 0.
 * @param[in,out] c  Result.
 * @param ldc  Floats from one row of c to the next. */
STOA_API STOA_MUST_CHECK stoa_status stoa_sgemm(stoa_context *context, bool transpose_a, bool transpose_b,
                                                size_t m, size_t n, size_t k, float alpha, const float *a,
                                                size_t lda, const float *b, size_t ldb, float beta, float *c,
                                                size_t ldc);

/** A 2-D convolution (cross-correlation). Zeros mean: stride and dilation 1, groups 1. */
typedef struct stoa_conv2d {
    size_t batch;           /**< images */
    size_t height;          /**< of the input */
    size_t width;           /**< of the input */
    size_t channels;        /**< of the input */
    size_t filters;         /**< channels of the output */
    size_t kernel_height;   /**< taps */
    size_t kernel_width;    /**< taps */
    size_t stride_height;   /**< pixels from one output row to the next */
    size_t stride_width;    /**< pixels from one output column to the next */
    size_t dilation_height; /**< pixels from one tap to the next */
    size_t dilation_width;  /**< pixels from one tap to the next */
    size_t pad_top;         /**< rows of zeros */
    size_t pad_bottom;      /**< rows of zeros */
    size_t pad_left;        /**< columns of zeros */
    size_t pad_right;       /**< columns of zeros */
    size_t groups;          /**< divides channels and filters; equal to both: depthwise */
} stoa_conv2d;

/** Passes of a convolution, for the workspace query. */
typedef enum stoa_conv2d_pass {
    STOA_CONV2D_FORWARD,         /**< stoa_conv2d_forward() */
    STOA_CONV2D_BACKWARD_DATA,   /**< stoa_conv2d_backward_data() */
    STOA_CONV2D_BACKWARD_WEIGHTS /**< stoa_conv2d_backward_weights() */
} stoa_conv2d_pass;

/** What follows a forward pass's bias, done to results while they are in cache: y = activation(y + residual).
 * NULL in its place, or all zero, is nothing. */
typedef struct stoa_epilogue {
    const float *residual; /**< of y's shape, lying as y does without gaps; NULL: none */
    /** An operator that does the same to every number, with its options as in a recipe: "relu",
     * "leaky_relu slope=0.2", "gelu approximate=tanh" ...; NULL: none. */
    const char *activation;
} stoa_epilogue;

/** `*height` and `*width` of the output of `conv`: floor((size + padding - dilation * (kernel - 1) - 1) /
 * stride) + 1. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_output(stoa_context *context, const stoa_conv2d *conv,
                                                        size_t *height, size_t *width);
/** `*bytes` of workspace that `pass` of `conv` needs with `context`; 0 when none. The algorithm is chosen by
 * the sizes, the batch included: another batch has an answer of its own. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_workspace(stoa_context *context, const stoa_conv2d *conv,
                                                           stoa_conv2d_pass pass, size_t *bytes);
/** y = x * weight + bias, a convolution.
 *
 * @param context  Decides threads, policy and instruction set.
 * @param conv  Sizes.
 * @param x  (batch, height, width, channels).
 * @param weight  (kernel_height, kernel_width, channels / groups, filters).
 * @param bias  (filters), or NULL.
 * @param epilogue  What follows the bias; NULL: nothing.
 * @param[out] y  (batch, OH, OW, filters), see stoa_conv2d_output().
 * @param workspace  64-byte aligned; NULL when none is needed.
 * @param workspace_bytes  Its size, at least what stoa_conv2d_workspace() says. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_forward(stoa_context *context, const stoa_conv2d *conv,
                                                         const float *x, const float *weight,
                                                         const float *bias, const stoa_epilogue *epilogue,
                                                         float *y, void *workspace, size_t workspace_bytes);
/** `*bytes` of prepared weights: those of `conv` in the form that the algorithm of its forward pass reads,
 * for stoa_conv2d_forward_prepared(). 0 when it reads the weights as they are. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_prepared_bytes(stoa_context *context,
                                                                const stoa_conv2d *conv, size_t *bytes);
/** Prepare `weight` (as in stoa_conv2d_forward()) of `conv` once for many forward passes. Prepared weights
 * belong to this `conv`, its batch included, and to contexts of the same policy, instruction set, tuning
 * table, workspace limit and stoa_context_set_conv(): others are refused. Prepare again whenever the weights
 * have changed. They may be copied, and
 * read by several threads at once.
 *
 * @param context  Decides threads, policy and instruction set.
 * @param conv  Sizes.
 * @param weight  (kernel_height, kernel_width, channels / groups, filters).
 * @param[out] prepared  The caller's, 64-byte aligned; NULL when none are needed.
 * @param prepared_bytes  Its size, at least what stoa_conv2d_prepared_bytes() says. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_prepare(stoa_context *context, const stoa_conv2d *conv,
                                                         const float *weight, void *prepared,
                                                         size_t prepared_bytes);
/** stoa_conv2d_forward(), to the bit, with the weights that stoa_conv2d_prepare() wrote to `prepared` of
 * `prepared_bytes` bytes. `weight` is read where there are none to prepare. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_forward_prepared(stoa_context *context,
                                                                  const stoa_conv2d *conv, const float *x,
                                                                  const float *weight, const void *prepared,
                                                                  size_t prepared_bytes, const float *bias,
                                                                  const stoa_epilogue *epilogue, float *y,
                                                                  void *workspace, size_t workspace_bytes);
/** Gradient of the input: `dx` (shape of x, overwritten) from `dy` (shape of y) and `weight`, all as in
 * stoa_conv2d_forward(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_backward_data(stoa_context *context, const stoa_conv2d *conv,
                                                               const float *dy, const float *weight,
                                                               float *dx, void *workspace,
                                                               size_t workspace_bytes);
/** Gradients of the parameters: `dweight` (HWIO) and `dbias` (filters, may be NULL), both overwritten, from
 * `x` and `dy`, all as in stoa_conv2d_forward(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_backward_weights(stoa_context *context,
                                                                  const stoa_conv2d *conv, const float *x,
                                                                  const float *dy, float *dweight,
                                                                  float *dbias, void *workspace,
                                                                  size_t workspace_bytes);
/** Weights of `conv` from PyTorch's `oihw` (filters, channels / groups, kernel_height, kernel_width) to
 * `hwio`. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_pack_weights(stoa_context *context, const stoa_conv2d *conv,
                                                              const float *oihw, float *hwio);

/** Lay out the input `x` of `conv` in `columns` (batch * OH * OW, kernel_height * kernel_width * channels /
 * groups) for one `group`, counted from 0, with zeros in the padding. */
STOA_API STOA_MUST_CHECK stoa_status stoa_im2col(stoa_context *context, const stoa_conv2d *conv, size_t group,
                                                 const float *x, float *columns);
/** The adjoint of stoa_im2col(): add `columns` of one `group` into `dx` (shape of x), which the caller has
 * set. */
STOA_API STOA_MUST_CHECK stoa_status stoa_col2im(stoa_context *context, const stoa_conv2d *conv, size_t group,
                                                 const float *columns, float *dx);

/** `y` (batch, outputs) = `x` (batch, inputs) * `weight` (inputs, outputs) + `bias` (outputs, may be NULL),
 * then `epilogue`, which may be NULL. */
STOA_API STOA_MUST_CHECK stoa_status stoa_linear_forward(stoa_context *context, size_t batch, size_t inputs,
                                                         size_t outputs, const float *x, const float *weight,
                                                         const float *bias, const stoa_epilogue *epilogue,
                                                         float *y);
/** Gradients of stoa_linear_forward() without epilogue: `dx` (batch, inputs), `dweight` (inputs, outputs)
 * and `dbias` (outputs) from `x`, `weight` and `dy` (batch, outputs). Each result may be NULL and is
 * overwritten. */
STOA_API STOA_MUST_CHECK stoa_status stoa_linear_backward(stoa_context *context, size_t batch, size_t inputs,
                                                          size_t outputs, const float *x, const float *weight,
                                                          const float *dy, float *dx, float *dweight,
                                                          float *dbias);

/** A transposed 2-D convolution, the adjoint of stoa_conv2d_forward() with the same weight: each input pixel
 * spreads over a window of the output. Zeros mean: stride and dilation 1, groups 1. */
typedef struct stoa_conv_transpose2d {
    size_t batch;             /**< images */
    size_t height;            /**< of the input */
    size_t width;             /**< of the input */
    size_t channels;          /**< of the input */
    size_t filters;           /**< channels of the output */
    size_t kernel_height;     /**< taps */
    size_t kernel_width;      /**< taps */
    size_t stride_height;     /**< output rows from one input row to the next */
    size_t stride_width;      /**< output columns from one input column to the next */
    size_t dilation_height;   /**< pixels from one tap to the next */
    size_t dilation_width;    /**< pixels from one tap to the next */
    size_t pad_top;           /**< output rows cut off above */
    size_t pad_bottom;        /**< output rows cut off below */
    size_t pad_left;          /**< output columns cut off on the left */
    size_t pad_right;         /**< output columns cut off on the right */
    size_t output_pad_height; /**< rows more below, fewer than the stride or the dilation */
    size_t output_pad_width;  /**< columns more on the right, the same */
    size_t groups;            /**< divides channels and filters */
} stoa_conv_transpose2d;

/** `*height` and `*width` of the output of `conv`: (size - 1) * stride - padding + dilation *
 * (kernel - 1) + output padding + 1. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv_transpose2d_output(stoa_context *context,
                                                                  const stoa_conv_transpose2d *conv,
                                                                  size_t *height, size_t *width);
/** `*bytes` of workspace that the forward pass of `conv` needs with `context`, or the `backward` one; 0 when
 * none. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv_transpose2d_workspace(stoa_context *context,
                                                                     const stoa_conv_transpose2d *conv,
                                                                     bool backward, size_t *bytes);
/** y = transposed convolution of x with weight, + bias, then the epilogue.
 *
 * @param context  Decides threads, policy and instruction set.
 * @param conv  Sizes.
 * @param x  (batch, height, width, channels).
 * @param weight  (kernel_height, kernel_width, filters / groups, channels).
 * @param bias  (filters), or NULL.
 * @param epilogue  What follows the bias; NULL: nothing.
 * @param[out] y  (batch, OH, OW, filters), see stoa_conv_transpose2d_output().
 * @param workspace  64-byte aligned; NULL when none is needed.
 * @param workspace_bytes  Its size, at least what stoa_conv_transpose2d_workspace() says. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv_transpose2d_forward(
    stoa_context *context, const stoa_conv_transpose2d *conv, const float *x, const float *weight,
    const float *bias, const stoa_epilogue *epilogue, float *y, void *workspace, size_t workspace_bytes);
/** Gradients of stoa_conv_transpose2d_forward() without epilogue, all overwritten: `dx` (shape of x) from
 * `weight` and `dy` (shape of y), `dweight` (shape of weight) and `dbias` (filters) from `x` and `dy`. Each
 * may be NULL, `dbias` alone too; what only a NULL one is made from may be NULL as well. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv_transpose2d_backward(
    stoa_context *context, const stoa_conv_transpose2d *conv, const float *x, const float *weight,
    const float *dy, float *dx, float *dweight, float *dbias, void *workspace, size_t workspace_bytes);

/** `y` = f(`x`) of `count` numbers each; y may be x. `activation` is an operator that does the same to every
 * number, as in stoa_epilogue: "silu", "elu alpha=0.5". */
STOA_API STOA_MUST_CHECK stoa_status stoa_activation_forward(stoa_context *context, const char *activation,
                                                             size_t count, const float *x, float *y);
/** `dx` = `dy` * f'(x) of `count` numbers each; dx may be dy. Of relu, leaky_relu, elu, sigmoid, tanh and
 * softplus `y` is read, of the others `x`; the other one may be NULL. */
STOA_API STOA_MUST_CHECK stoa_status stoa_activation_backward(stoa_context *context, const char *activation,
                                                              size_t count, const float *x, const float *y,
                                                              const float *dy, float *dx);
/** `y` = `a` + `b`, `count` numbers each; y may be a or b. */
STOA_API STOA_MUST_CHECK stoa_status stoa_add(stoa_context *context, size_t count, const float *a,
                                              const float *b, float *y);

/** Each row of `x` (rows, columns): `y` = exp(x) over the sum of the same, without overflow; y may be x. */
STOA_API STOA_MUST_CHECK stoa_status stoa_softmax_forward(stoa_context *context, size_t rows, size_t columns,
                                                          const float *x, float *y);
/** `dx` = y * (dy - sum of y * dy) of each row of `y`, of the forward pass, and `dy` (rows, columns); dx may
 * be dy. */
STOA_API STOA_MUST_CHECK stoa_status stoa_softmax_backward(stoa_context *context, size_t rows, size_t columns,
                                                           const float *y, const float *dy, float *dx);
/** The logarithm of stoa_softmax_forward(), as exact for small probabilities as for large ones; y may be
 * x. */
STOA_API STOA_MUST_CHECK stoa_status stoa_log_softmax_forward(stoa_context *context, size_t rows,
                                                              size_t columns, const float *x, float *y);
/** `dx` = dy - exp(y) * sum of dy of each row of `y`, of the forward pass, and `dy` (rows, columns); dx may
 * be dy. */
STOA_API STOA_MUST_CHECK stoa_status stoa_log_softmax_backward(stoa_context *context, size_t rows,
                                                               size_t columns, const float *y,
                                                               const float *dy, float *dx);

/** Layer norm: each row to mean 0 and variance 1, then scaled and shifted: y = (x - mean) / sqrt(variance +
 * epsilon) * scale + shift.
 *
 * @param context  Decides threads and instruction set.
 * @param rows  Of x and y.
 * @param columns  Numbers of a row.
 * @param epsilon  1e-12 to 1, such as 1e-5.
 * @param x  (rows, columns).
 * @param scale  (columns), or NULL with shift: 1.
 * @param shift  (columns), or NULL with scale: 0.
 * @param[out] moments  (2, rows) doubles for stoa_layernorm_backward(): means, then 1 / sqrt(variance +
 *                      epsilon); NULL where nobody wants them.
 * @param[out] y  (rows, columns); may be x where moments is NULL. */
STOA_API STOA_MUST_CHECK stoa_status stoa_layernorm_forward(stoa_context *context, size_t rows,
                                                            size_t columns, float epsilon, const float *x,
                                                            const float *scale, const float *shift,
                                                            double *moments, float *y);
/** `*bytes` of workspace that stoa_layernorm_backward() needs with `context` for (`rows`, `columns`) where it
 * writes `dscale` and `dshift`. */
STOA_API STOA_MUST_CHECK stoa_status stoa_layernorm_workspace(stoa_context *context, size_t rows,
                                                              size_t columns, size_t *bytes);
/** Gradients of stoa_layernorm_forward(), all overwritten.
 *
 * @param context  Decides threads and instruction set.
 * @param rows  Of x, dy and dx.
 * @param columns  Numbers of a row.
 * @param x  (rows, columns).
 * @param scale  (columns), or NULL as forward.
 * @param moments  (2, rows) doubles, what forward wrote.
 * @param dy  (rows, columns).
 * @param[out] dx  (rows, columns), may be dy; or NULL.
 * @param[out] dscale  (columns), or NULL with dshift.
 * @param[out] dshift  (columns), or NULL with dscale.
 * @param workspace  64-byte aligned; NULL where dscale is.
 * @param workspace_bytes  Its size, at least what stoa_layernorm_workspace() says. */
STOA_API STOA_MUST_CHECK stoa_status stoa_layernorm_backward(stoa_context *context, size_t rows,
                                                             size_t columns, const float *x,
                                                             const float *scale, const double *moments,
                                                             const float *dy, float *dx, float *dscale,
                                                             float *dshift, void *workspace,
                                                             size_t workspace_bytes);

/** A loss of each row, and with it the gradient: of softmax_cross_entropy both in one pass over x.
 *
 * @param context  Decides threads and instruction set.
 * @param loss  A loss and its options as in a recipe: "softmax_cross_entropy smoothing=0.1", "huber delta=2".
 * @param rows  Samples.
 * @param columns  Numbers of a sample, or classes.
 * @param x  (rows, columns): outputs, logits or probabilities, as the loss takes them.
 * @param labels  (rows), 0 <= label < columns, for losses of class numbers; else NULL.
 * @param values  (rows, columns), for the other losses; else NULL.
 * @param[out] losses  (rows).
 * @param dlosses  (rows): how much each loss counts, such as 1 / rows; may be NULL without dx.
 * @param[out] dx  (rows, columns): the gradient of the sum of dlosses * losses; NULL: the losses alone. */
STOA_API STOA_MUST_CHECK stoa_status stoa_loss(stoa_context *context, const char *loss, size_t rows,
                                               size_t columns, const float *x, const int32_t *labels,
                                               const float *values, float *losses, const float *dlosses,
                                               float *dx);

/** A pooling window. Zero stride means the window's size, zero dilation 1. No window may lie in the padding
 * alone. */
typedef struct stoa_pool2d {
    size_t batch;           /**< images */
    size_t height;          /**< of the input */
    size_t width;           /**< of the input */
    size_t channels;        /**< of input and output */
    size_t window_height;   /**< taps */
    size_t window_width;    /**< taps */
    size_t stride_height;   /**< pixels from one window to the next */
    size_t stride_width;    /**< pixels from one window to the next */
    size_t dilation_height; /**< pixels from one tap to the next */
    size_t dilation_width;  /**< pixels from one tap to the next */
    size_t pad_top;         /**< rows above */
    size_t pad_bottom;      /**< rows below */
    size_t pad_left;        /**< columns on the left */
    size_t pad_right;       /**< columns on the right */
    bool ceil_mode;   /**< a last window may hang over the padding, if it does not begin behind the image */
    bool exclude_pad; /**< average pooling: divide by the taps in the image only, without the padding's */
} stoa_pool2d;

/** `*height` and `*width` of the output of `pool`: floor((size + padding - dilation * (window - 1) - 1) /
 * stride) + 1, and ceil in the place of floor with ceil_mode, but for a window that would begin in the
 * padding behind the image. */
STOA_API STOA_MUST_CHECK stoa_status stoa_pool2d_output(stoa_context *context, const stoa_pool2d *pool,
                                                        size_t *height, size_t *width);
/** `y` (batch, OH, OW, channels): the largest of each window of `x`; `index` (same shape) gets which tap won,
 * the first of equals. */
STOA_API STOA_MUST_CHECK stoa_status stoa_maxpool2d_forward(stoa_context *context, const stoa_pool2d *pool,
                                                            const float *x, float *y, uint16_t *index);
/** `dx` (shape of x, overwritten): every `dy` at the pixel that `index` of the forward pass names. */
STOA_API STOA_MUST_CHECK stoa_status stoa_maxpool2d_backward(stoa_context *context, const stoa_pool2d *pool,
                                                             const float *dy, const uint16_t *index,
                                                             float *dx);
/** `y` (batch, OH, OW, channels): the mean of each window of `x`. */
STOA_API STOA_MUST_CHECK stoa_status stoa_avgpool2d_forward(stoa_context *context, const stoa_pool2d *pool,
                                                            const float *x, float *y);
/** `dx` (shape of x, overwritten): every `dy` (shape of y) in equal parts over its window. */
STOA_API STOA_MUST_CHECK stoa_status stoa_avgpool2d_backward(stoa_context *context, const stoa_pool2d *pool,
                                                             const float *dy, float *dx);

/** Batch norm over the last axis of x (rows, channels); an image has batch * height * width rows.
 *
 * The mean is taken off before anything is multiplied, and moments are summed without overflow: y is as exact
 * for values far from zero as near it, and right for all finite ones. A running variance is a float: it
 * becomes infinite where deviations are above 1.8e19, and `inv_std` leaves the normal numbers above
 * 8.5e37. */
typedef struct stoa_batchnorm {
    size_t rows;     /**< >= 1; >= 2 to train: one value a channel has no deviation */
    size_t channels; /**< >= 1 */
    float epsilon;   /**< > 0, such as 1e-5 */
    float momentum;  /**< share of the new statistics in the running ones, such as 0.1 */
} stoa_batchnorm;

/** `*bytes` of workspace that each pass of `norm` needs with `context`. */
STOA_API STOA_MUST_CHECK stoa_status stoa_batchnorm_workspace(stoa_context *context,
                                                              const stoa_batchnorm *norm, size_t *bytes);
/** Training: normalise with the batch's statistics.
 *
 * @param context  Decides threads and instruction set.
 * @param norm  Sizes and constants.
 * @param x  (rows, channels).
 * @param scale  (channels).
 * @param shift  (channels).
 * @param[in,out] running_mean  (channels), moved towards the batch's.
 * @param[in,out] running_var  (channels), moved towards the batch's unbiased variance.
 * @param[out] mean  (channels), for stoa_batchnorm_backward().
 * @param[out] inv_std  (channels), 1 / sqrt(variance + epsilon), for stoa_batchnorm_backward().
 * @param[out] y  (rows, channels); may be x.
 * @param workspace  64-byte aligned.
 * @param workspace_bytes  Its size, at least what stoa_batchnorm_workspace() says. */
STOA_API STOA_MUST_CHECK stoa_status stoa_batchnorm_train(stoa_context *context, const stoa_batchnorm *norm,
                                                          const float *x, const float *scale,
                                                          const float *shift, float *running_mean,
                                                          float *running_var, float *mean, float *inv_std,
                                                          float *y, void *workspace, size_t workspace_bytes);
/** Evaluation: `y` from `x` with the statistics `running_mean` and `running_var`; the rest as in
 * stoa_batchnorm_train(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_batchnorm_infer(stoa_context *context, const stoa_batchnorm *norm,
                                                          const float *x, const float *scale,
                                                          const float *shift, const float *running_mean,
                                                          const float *running_var, float *y, void *workspace,
                                                          size_t workspace_bytes);
/** Gradients of the training pass from its `x`, `scale`, `mean` and `inv_std` and from `dy` (rows, channels):
 * `dx`, which may be dy or NULL, `dscale` and `dshift` (channels); all overwritten. */
STOA_API STOA_MUST_CHECK stoa_status stoa_batchnorm_backward(stoa_context *context,
                                                             const stoa_batchnorm *norm, const float *x,
                                                             const float *dy, const float *scale,
                                                             const float *mean, const float *inv_std,
                                                             float *dx, float *dscale, float *dshift,
                                                             void *workspace, size_t workspace_bytes);

/** `y` (batch, height, width, channels) from `x` (batch, channels, height, width). */
STOA_API STOA_MUST_CHECK stoa_status stoa_nchw_to_nhwc(stoa_context *context, size_t batch, size_t channels,
                                                       size_t height, size_t width, const float *x, float *y);
/** `y` (batch, channels, height, width) from `x` (batch, height, width, channels). */
STOA_API STOA_MUST_CHECK stoa_status stoa_nhwc_to_nchw(stoa_context *context, size_t batch, size_t channels,
                                                       size_t height, size_t width, const float *x, float *y);

#ifdef __cplusplus
}
#endif
#endif
