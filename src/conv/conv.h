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

/* One algorithm. A pass may run with a smaller batch than it was chosen for and its workspace asked for. */
struct stoa_conv_algorithm {
    const char *name; /* what stoa_context_set_conv() takes, and the first word of what describe() writes */
    bool (*applicable)(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass);
    /* Bytes of scratch, not smaller for a larger batch; false when the size overflows. */
    bool (*workspace)(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t *bytes);
    /* Predicted seconds of a pass on one core of the nominal machine of cost.h. Follows from the shape, the
     * context's instruction set, policy and workspace limit only: never from a timing, the number of threads
     * or what was found out about this machine. Not asked where it is not applicable. */
    double (*cost)(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass);
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
extern const struct stoa_conv_algorithm stoa_conv_winograd2;
extern const struct stoa_conv_algorithm stoa_conv_winograd4;

/* All algorithms, NULL-terminated. */
extern const struct stoa_conv_algorithm *const stoa_conv_algorithms[];

/* The applicable algorithm of least cost, or the one that the context forces where that is applicable. Depends
 * on the batch: whoever runs smaller batches too asks once, for the largest, and keeps the answer. */
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
