/* Convolution algorithms: one a file, each with its own rule of what it can do, its workspace and three
 * passes. Floor 4.
 *
 * Shapes: x (batch, H, W, C), y (batch, OH, OW, K), NHWC contiguous; weights (KH, KW, C / groups, K)
 * contiguous ("HWIO"), filter k belongs to group k / (K / groups). */
#ifndef STOA_CONV_CONV_H
#define STOA_CONV_CONV_H

#include "core/context.h"
#include "kernels/window.h"

struct stoa_conv {
    struct stoa_window window;
    size_t batch, filters, groups;
};

enum stoa_conv_pass { STOA_CONV_FORWARD, STOA_CONV_BACKWARD_DATA, STOA_CONV_BACKWARD_WEIGHTS };

/* One algorithm. A pass may run with a smaller batch than its workspace was asked for. */
struct stoa_conv_algorithm {
    const char *name;
    bool (*applicable)(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass);
    /* Bytes of scratch, not smaller for a larger batch; false when the size overflows. */
    bool (*workspace)(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t *bytes);
    /* bias may be NULL. */
    void (*forward)(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *workspace);
    void (*backward_data)(const stoa_context *context, const struct stoa_conv *conv, const float *dy,
                          const float *weight, float *dx, void *workspace);
    /* dbias may be NULL. */
    void (*backward_weights)(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const float *dy, float *dweight, float *dbias, void *workspace);
    /* How it cuts the pass, for people. */
    void (*describe)(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     char *out, size_t size);
};

extern const struct stoa_conv_algorithm stoa_conv_im2col;
extern const struct stoa_conv_algorithm stoa_conv_depthwise;

/* The algorithm for a shape: the same for every batch, thread count and machine of one instruction set. */
const struct stoa_conv_algorithm *stoa_conv_choose(const stoa_context *context, const struct stoa_conv *conv,
                                                   enum stoa_conv_pass pass);

/* The most blocks of samples that a weight gradient of `floats` numbers is summed in, a power of two: as many
 * as threads may want, fewer where the partial sums would cost more than they save. */
size_t stoa_reduction_blocks(size_t floats, size_t batch);

/* parts[0][i] += parts[1][i] + ... by a fixed tree over `blocks` (a power of two) arrays of `floats` numbers
 * that lie `stride` apart; in parallel over ranges. */
void stoa_reduce_blocks(const stoa_context *context, float *parts, size_t stride, size_t blocks,
                        size_t floats, float *out);

#endif
