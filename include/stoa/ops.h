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
    size_t stride_height;   /**< pixels from one output line to the next */
    size_t stride_width;    /**< pixels from one output column to the next */
    size_t dilation_height; /**< pixels from one tap to the next */
    size_t dilation_width;  /**< pixels from one tap to the next */
    size_t pad_top;         /**< lines of zeros */
    size_t pad_bottom;      /**< lines of zeros */
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

/** What follows the bias in the forward pass. */
typedef enum stoa_activation {
    STOA_ACTIVATION_NONE, /**< nothing */
    STOA_ACTIVATION_RELU  /**< max(0, y) */
} stoa_activation;

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
 * @param activation  What follows the bias.
 * @param[out] y  (batch, OH, OW, filters), see stoa_conv2d_output().
 * @param workspace  64-byte aligned; NULL when none is needed.
 * @param workspace_bytes  Its size, at least what stoa_conv2d_workspace() says. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_forward(stoa_context *context, const stoa_conv2d *conv,
                                                         const float *x, const float *weight,
                                                         const float *bias, stoa_activation activation,
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
                                                                  stoa_activation activation, float *y,
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
 * then `activation`. */
STOA_API STOA_MUST_CHECK stoa_status stoa_linear_forward(stoa_context *context, size_t batch, size_t inputs,
                                                         size_t outputs, const float *x, const float *weight,
                                                         const float *bias, stoa_activation activation,
                                                         float *y);
/** Gradients of stoa_linear_forward() without activation: `dx` (batch, inputs), `dweight` (inputs, outputs)
 * and `dbias` (outputs) from `x`, `weight` and `dy` (batch, outputs). Each result may be NULL and is
 * overwritten. */
STOA_API STOA_MUST_CHECK stoa_status stoa_linear_backward(stoa_context *context, size_t batch, size_t inputs,
                                                          size_t outputs, const float *x, const float *weight,
                                                          const float *dy, float *dx, float *dweight,
                                                          float *dbias);

/** A pooling window. Zero stride means the window's size. Padding is at most half of the window. */
typedef struct stoa_pool2d {
    size_t batch;         /**< images */
    size_t height;        /**< of the input */
    size_t width;         /**< of the input */
    size_t channels;      /**< of input and output */
    size_t window_height; /**< pixels */
    size_t window_width;  /**< pixels */
    size_t stride_height; /**< pixels from one window to the next */
    size_t stride_width;  /**< pixels from one window to the next */
    size_t pad_height;    /**< lines above, and as many below */
    size_t pad_width;     /**< columns on the left, and as many on the right */
    bool exclude_pad;     /**< average pooling: divide by the pixels inside the image */
} stoa_pool2d;

/** `*height` and `*width` of the output of `pool`: floor((size + 2 * padding - window) / stride) + 1. */
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
