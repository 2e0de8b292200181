/* Stateless operators on the caller's own buffers: no model, no hidden allocation.
 *
 * Images are (batch, height, width, channels) float32, contiguous, channels last (NHWC). Convolution weights
 * are (kernel_height, kernel_width, channels / groups, filters), contiguous ("HWIO");
 * stoa_conv2d_pack_weights() makes them from PyTorch's (filters, channels / groups, kernel_height,
 * kernel_width). Buffers of one call must not overlap unless said otherwise, need no alignment, and
 * workspaces need 64 bytes. A workspace query gives the bytes for the context's threads and limits; ask once,
 * allocate once. On an error the outputs are untouched.
 *
 * Errors of all: STOA_ERR_ARGUMENT (a NULL buffer, a size of 0, a workspace that is missing, too small or not
 * aligned), STOA_ERR_SHAPE (sizes that do not fit each other, or overflow). Threads: one context per thread.
 */
#ifndef STOA_OPS_H
#define STOA_OPS_H

#include <stdint.h>

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** c[m][n] = alpha * op(a)[m][k] op(b)[k][n] + beta * c, row-major, on the context's threads.
 * lda, ldb, ldc are row strides as stored: op(a) is a or its transpose. c is not read when beta is 0. */
STOA_API STOA_MUST_CHECK stoa_status stoa_sgemm(stoa_context *context, bool transpose_a, bool transpose_b,
                                                size_t m, size_t n, size_t k, float alpha, const float *a,
                                                size_t lda, const float *b, size_t ldb, float beta, float *c,
                                                size_t ldc);

/** A 2-D convolution (cross-correlation). Zeros mean: stride and dilation 1, groups 1. */
typedef struct stoa_conv2d {
    size_t batch, height, width, channels; /**< input */
    size_t filters, kernel_height, kernel_width;
    size_t stride_height, stride_width;
    size_t dilation_height, dilation_width;
    size_t pad_top, pad_bottom, pad_left, pad_right;
    size_t groups; /**< divides channels and filters; equal to both: depthwise */
} stoa_conv2d;

/** Passes of a convolution, for the workspace query. */
typedef enum stoa_conv2d_pass {
    STOA_CONV2D_FORWARD,
    STOA_CONV2D_BACKWARD_DATA,
    STOA_CONV2D_BACKWARD_WEIGHTS
} stoa_conv2d_pass;

/** What follows the bias in the forward pass. */
typedef enum stoa_activation { STOA_ACTIVATION_NONE, STOA_ACTIVATION_RELU } stoa_activation;

/** Height and width of the output: floor((size + padding - dilation * (kernel - 1) - 1) / stride) + 1. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_output(stoa_context *context, const stoa_conv2d *conv,
                                                        size_t *height, size_t *width);
/** Bytes of workspace one pass needs; 0 when none. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_workspace(stoa_context *context, const stoa_conv2d *conv,
                                                           stoa_conv2d_pass pass, size_t *bytes);
/** y (batch, OH, OW, filters) = x * weight + bias; bias (filters) may be NULL. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_forward(stoa_context *context, const stoa_conv2d *conv,
                                                         const float *x, const float *weight,
                                                         const float *bias, stoa_activation activation,
                                                         float *y, void *workspace, size_t workspace_bytes);
/** dx (shape of x) from dy (shape of y). */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_backward_data(stoa_context *context, const stoa_conv2d *conv,
                                                               const float *dy, const float *weight,
                                                               float *dx, void *workspace,
                                                               size_t workspace_bytes);
/** dweight (HWIO) and dbias (filters, may be NULL) from x and dy; both overwritten. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_backward_weights(stoa_context *context,
                                                                  const stoa_conv2d *conv, const float *x,
                                                                  const float *dy, float *dweight,
                                                                  float *dbias, void *workspace,
                                                                  size_t workspace_bytes);
/** Weights from PyTorch's (filters, channels / groups, kernel_height, kernel_width) to HWIO. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_pack_weights(stoa_context *context, const stoa_conv2d *conv,
                                                              const float *oihw, float *hwio);

/** columns (batch * OH * OW, kernel_height * kernel_width * channels / groups) of one group, zeros in the
 * padding. */
STOA_API STOA_MUST_CHECK stoa_status stoa_im2col(stoa_context *context, const stoa_conv2d *conv, size_t group,
                                                 const float *x, float *columns);
/** The adjoint: add columns into dx (shape of x), which the caller has set. */
STOA_API STOA_MUST_CHECK stoa_status stoa_col2im(stoa_context *context, const stoa_conv2d *conv, size_t group,
                                                 const float *columns, float *dx);

/** y (batch, outputs) = x (batch, inputs) * weight (inputs, outputs) + bias (outputs, may be NULL). */
STOA_API STOA_MUST_CHECK stoa_status stoa_linear_forward(stoa_context *context, size_t batch, size_t inputs,
                                                         size_t outputs, const float *x, const float *weight,
                                                         const float *bias, stoa_activation activation,
                                                         float *y);
/** Bytes of workspace stoa_linear_backward() needs when dx is asked for. */
STOA_API STOA_MUST_CHECK stoa_status stoa_linear_workspace(stoa_context *context, size_t inputs,
                                                           size_t outputs, size_t *bytes);
/** dx, dweight (inputs, outputs) and dbias; each may be NULL. Without dx no workspace is needed. */
STOA_API STOA_MUST_CHECK stoa_status stoa_linear_backward(stoa_context *context, size_t batch, size_t inputs,
                                                          size_t outputs, const float *x, const float *weight,
                                                          const float *dy, float *dx, float *dweight,
                                                          float *dbias, void *workspace,
                                                          size_t workspace_bytes);

/** A pooling window. Zero stride means the window's size. Padding is at most half of the window. */
typedef struct stoa_pool2d {
    size_t batch, height, width, channels;
    size_t window_height, window_width;
    size_t stride_height, stride_width;
    size_t pad_height, pad_width; /**< on both sides */
    bool exclude_pad;             /**< average pooling: divide by the pixels inside the image */
} stoa_pool2d;

STOA_API STOA_MUST_CHECK stoa_status stoa_pool2d_output(stoa_context *context, const stoa_pool2d *pool,
                                                        size_t *height, size_t *width);
/** y (batch, OH, OW, channels): the largest of each window; index (same shape) gets which tap won, the first
 * of equals. */
STOA_API STOA_MUST_CHECK stoa_status stoa_maxpool2d_forward(stoa_context *context, const stoa_pool2d *pool,
                                                            const float *x, float *y, uint16_t *index);
STOA_API STOA_MUST_CHECK stoa_status stoa_maxpool2d_backward(stoa_context *context, const stoa_pool2d *pool,
                                                             const float *dy, const uint16_t *index,
                                                             float *dx);
/** y (batch, OH, OW, channels): the mean of each window. */
STOA_API STOA_MUST_CHECK stoa_status stoa_avgpool2d_forward(stoa_context *context, const stoa_pool2d *pool,
                                                            const float *x, float *y);
STOA_API STOA_MUST_CHECK stoa_status stoa_avgpool2d_backward(stoa_context *context, const stoa_pool2d *pool,
                                                             const float *dy, float *dx);

/** Batch norm over the last axis of x (rows, channels); an image has batch * height * width rows. */
typedef struct stoa_batchnorm {
    size_t rows, channels;
    float epsilon;  /**< > 0, such as 1e-5 */
    float momentum; /**< share of the new statistics in the running ones, such as 0.1 */
} stoa_batchnorm;

/** Bytes of workspace either training pass needs. */
STOA_API STOA_MUST_CHECK stoa_status stoa_batchnorm_workspace(stoa_context *context,
                                                              const stoa_batchnorm *norm, size_t *bytes);
/** Training: normalise with the batch's statistics, update the running ones (unbiased variance), give mean
 * and inv_std = 1 / sqrt(variance + epsilon) (channels) for backward. y may be x. */
STOA_API STOA_MUST_CHECK stoa_status stoa_batchnorm_train(stoa_context *context, const stoa_batchnorm *norm,
                                                          const float *x, const float *scale,
                                                          const float *shift, float *running_mean,
                                                          float *running_var, float *mean, float *inv_std,
                                                          float *y, void *workspace, size_t workspace_bytes);
/** Evaluation: normalise with given statistics. y may be x. Needs stoa_batchnorm_workspace(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_batchnorm_infer(stoa_context *context, const stoa_batchnorm *norm,
                                                          const float *x, const float *scale,
                                                          const float *shift, const float *running_mean,
                                                          const float *running_var, float *y, void *workspace,
                                                          size_t workspace_bytes);
/** Gradients of the training pass; dx may be dy or NULL. */
STOA_API STOA_MUST_CHECK stoa_status stoa_batchnorm_backward(stoa_context *context,
                                                             const stoa_batchnorm *norm, const float *x,
                                                             const float *dy, const float *scale,
                                                             const float *mean, const float *inv_std,
                                                             float *dx, float *dscale, float *dshift,
                                                             void *workspace, size_t workspace_bytes);

/** Layout conversion of (batch, channels, height, width) to (batch, height, width, channels) and back. */
STOA_API STOA_MUST_CHECK stoa_status stoa_nchw_to_nhwc(stoa_context *context, size_t batch, size_t channels,
                                                       size_t height, size_t width, const float *x, float *y);
STOA_API STOA_MUST_CHECK stoa_status stoa_nhwc_to_nchw(stoa_context *context, size_t batch, size_t channels,
                                                       size_t height, size_t width, const float *x, float *y);

#ifdef __cplusplus
}
#endif
#endif
