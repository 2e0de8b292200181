/* SPDX-License-Identifier: MIT */
/** @file
 * Convolutions and linear layers planned once and run often, on operands that lie as their owner has them.
 *
 * A plan is one pass of one convolution: algorithm, cut and memory are decided when it is made, and a run
 * neither plans nor searches nor allocates. stoa_conv2d_forward() and its kin in ops.h make a plan, run it
 * and forget it; call them where one call is all there is.
 *
 * Shapes, of a run of `batch` images: x and dx (batch, height, width, channels), y and dy (batch, output
 * height, output width, filters) as stoa_conv2d_output() says, weight and dweight (kernel_height,
 * kernel_width, channels / groups, filters), bias and dbias (filters); the options may say another order.
 *
 * A linear layer is a convolution with a 1x1 kernel of images of 1x1 pixels: batch rows, channels inputs and
 * filters outputs. Its weight as PyTorch has it, (outputs, inputs), is STOA_OIHW; (inputs, outputs) is
 * STOA_HWIO.
 *
 * Errors of all: STOA_ERR_ARGUMENT (a NULL operand, a size of 0, memory that is missing, too small or not
 * aligned, prepared weights of another plan, options that do not fit each other), STOA_ERR_SHAPE (sizes that
 * do not fit each other, or overflow; a batch beyond the plan's), STOA_ERR_MEMORY. The context has the
 * sentence, and outputs are untouched.
 * Threads: a plan is used with its context, by one thread at a time. */
#ifndef STOA_CONV_PLAN_H
#define STOA_CONV_PLAN_H

#include "ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How images lie. */
typedef enum stoa_image_layout {
    STOA_NHWC, /**< (batch, height, width, channels) */
    STOA_NCHW  /**< (batch, channels, height, width) */
} stoa_image_layout;

/** How a convolution's weights lie. */
typedef enum stoa_weight_layout {
    STOA_HWIO, /**< (kernel_height, kernel_width, channels / groups, filters) */
    STOA_OIHW  /**< PyTorch's (filters, channels / groups, kernel_height, kernel_width) */
} stoa_weight_layout;

/** What is planned; all zero is a forward pass on dense NHWC and HWIO. An operand that an algorithm cannot
 * read or write in place is copied, through the workspace. */
typedef struct stoa_conv2d_plan_options {
    stoa_conv2d_pass pass;      /**< which one */
    const char *activation;     /**< of a forward pass, see stoa_epilogue in ops.h; NULL: none */
    stoa_image_layout x_layout; /**< of x and dx */
    stoa_image_layout y_layout; /**< of y and dy */
    /** Floats from one pixel of x or dx to the next, at least channels: the operand is a slice of a larger
     * NHWC tensor's channels, and what lies between is neither read nor written. 0: channels. */
    size_t x_pixel;
    size_t y_pixel;                   /**< the same of y and dy; 0: filters */
    stoa_weight_layout weight_layout; /**< of weight and dweight */
    bool accumulate; /**< a backward pass adds dx, or dweight and dbias, to what is there (beta of 1) */
} stoa_conv2d_plan_options;

/** One pass, planned. */
typedef struct stoa_conv2d_plan stoa_conv2d_plan;

/** The arrays of a run. A pass reads and writes its own; the others may be anything. None may overlap an
 * output. */
typedef struct stoa_conv2d_operands {
    const float *x;         /**< forward, backward weights */
    const float *weight;    /**< forward without prepared weights, backward data */
    const void *prepared;   /**< forward: what stoa_conv2d_plan_prepare() wrote, or NULL */
    size_t prepared_bytes;  /**< their size, at least stoa_conv2d_plan_prepared_bytes() */
    const float *bias;      /**< forward: (filters), or NULL */
    const float *residual;  /**< forward: of y's shape, see stoa_epilogue in ops.h; or NULL */
    const float *dy;        /**< backward passes */
    float *y;               /**< forward: written */
    float *dx;              /**< backward data: written, or added to */
    float *dweight;         /**< backward weights: written, or added to */
    float *dbias;           /**< backward weights: the same, (filters); or NULL */
    void *workspace;        /**< 64-byte aligned; NULL when none is needed */
    size_t workspace_bytes; /**< its size, at least stoa_conv2d_plan_workspace_bytes() */
} stoa_conv2d_operands;

/** Plan a pass of `conv`.
 *
 * @param context  Decides threads, policy, instruction set, tuning table, workspace limit and an algorithm
 *                 that is asked for; borrowed, must outlive the plan. What is set on it later does not change
 *                 the plan.
 * @param conv  Sizes; its batch is the largest of a run.
 * @param options  NULL: a forward pass on dense NHWC and HWIO.
 * @param[out] plan  Set only on STOA_OK; release with stoa_conv2d_plan_free(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_plan_create(stoa_context *context, const stoa_conv2d *conv,
                                                             const stoa_conv2d_plan_options *options,
                                                             stoa_conv2d_plan **plan);

/** Release `plan`. NULL is allowed. */
STOA_API void stoa_conv2d_plan_free(stoa_conv2d_plan *plan);

/** Bytes of workspace that a run of `plan` needs, whatever its batch; 0 when none. The caller's, 64-byte
 * aligned; nothing in it is kept from run to run, so plans of one thread may share it. */
STOA_API size_t stoa_conv2d_plan_workspace_bytes(const stoa_conv2d_plan *plan);

/** Bytes of prepared weights of `plan`, a forward pass; 0 when it reads the weights as they are. */
STOA_API size_t stoa_conv2d_plan_prepared_bytes(const stoa_conv2d_plan *plan);

/** How `plan` computes its pass, for people: the algorithm's name and its cut. Valid as long as the plan. */
STOA_API const char *stoa_conv2d_plan_describe(const stoa_conv2d_plan *plan);

/** Bring `weight` once into the form that many runs of `plan` read. Prepared weights carry the key of their
 * plan: another's are refused, unless it was made from the same sizes, options and settings of its context.
 * They may be copied, and read by several threads at once; prepare again whenever the weights have changed.
 *
 * @param plan  A forward pass; a backward pass has nothing to prepare.
 * @param weight  As the plan's options say; read here only.
 * @param[out] prepared  The caller's, 64-byte aligned; NULL when none are needed.
 * @param prepared_bytes  Its size, at least stoa_conv2d_plan_prepared_bytes().
 * @param workspace  As for a run, 64-byte aligned; NULL when a run needs none.
 * @param workspace_bytes  Its size, at least stoa_conv2d_plan_workspace_bytes(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_plan_prepare(const stoa_conv2d_plan *plan,
                                                              const float *weight, void *prepared,
                                                              size_t prepared_bytes, void *workspace,
                                                              size_t workspace_bytes);

/** Run `plan` on `batch` images, 1 to the planned ones: the same bits on any number of threads, and with
 * prepared weights as without. `operands` and the arrays that it names are the caller's and only used during
 * the call. */
STOA_API STOA_MUST_CHECK stoa_status stoa_conv2d_plan_run(const stoa_conv2d_plan *plan, size_t batch,
                                                          const stoa_conv2d_operands *operands);

#ifdef __cplusplus
}
#endif
#endif
