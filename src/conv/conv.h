/* SPDX-License-Identifier: MIT */
/* Convolution algorithms: one a file, each with its own rule of what it can do, its workspace and three
 * passes.
 *
 * Shapes: x (batch, H, W, C), y (batch, OH, OW, K), NHWC contiguous; weights (KH, KW, C / groups, K)
 * contiguous ("HWIO"), filter k belongs to group k / (K / groups). */
#ifndef STOA_CONV_CONV_H
#define STOA_CONV_CONV_H

#include "base/size.h"
#include "core/context.h"
#include "kernels/window.h"

struct stoa_conv {
    struct stoa_window window;
    size_t batch, filters, groups;
};

enum stoa_conv_pass { STOA_CONV_FORWARD, STOA_CONV_BACKWARD_DATA, STOA_CONV_BACKWARD_WEIGHTS };
enum { STOA_CONV_PASSES = 3 };

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
    /* Weights in the form that a forward pass reads, for those who run it often with the same ones; NULL, all
     * three, where that is the form they come in. Bytes: 0 where it would not pay; like the numbers they do
     * not depend on the number of threads, and what was made for a batch serves smaller ones. With prepared
     * weights a pass gives the same bits as forward() in the same workspace. */
    size_t (*prepared_bytes)(const stoa_context *context, const struct stoa_conv *conv);
    void (*prepare)(const stoa_context *context, const struct stoa_conv *conv, const float *weight,
                    void *prepared);
    void (*forward_prepared)(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const void *prepared, const float *bias, bool relu, float *y, void *workspace);
    /* dbias may be NULL. */
    void (*backward_weights)(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const float *dy, float *dweight, float *dbias, void *workspace);
    /* How it cuts the pass, for people. */
    void (*describe)(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     char *out, size_t size);
};

extern const struct stoa_conv_algorithm stoa_conv_im2col;
extern const struct stoa_conv_algorithm stoa_conv_implicit;
extern const struct stoa_conv_algorithm stoa_conv_depthwise;
extern const struct stoa_conv_algorithm stoa_conv_winograd2;
extern const struct stoa_conv_algorithm stoa_conv_winograd4;
extern const struct stoa_conv_algorithm stoa_conv_winograd6;
extern const struct stoa_conv_algorithm stoa_conv_planes;
extern const struct stoa_conv_algorithm stoa_conv_pointwise;

/* All algorithms, NULL-terminated. */
extern const struct stoa_conv_algorithm *const stoa_conv_algorithms[];

/* The applicable algorithm of least cost, or the one that the context forces where that is applicable; NULL
 * where none works within the context's workspace limit (see stoa_conv_refuse()). Depends on the batch:
 * whoever runs smaller batches too asks once, for the largest, and keeps the answer. */
const struct stoa_conv_algorithm *stoa_conv_choose(const stoa_context *context, const struct stoa_conv *conv,
                                                   enum stoa_conv_pass pass);

/* Say that no algorithm works within the limit, and how much would do: STOA_ERR_MEMORY. `what` begins the
 * sentence. */
stoa_status stoa_conv_refuse(stoa_context *context, const struct stoa_conv *conv, const char *what);

/* Of prepared weights; 0 where the algorithm keeps none. */
static inline size_t stoa_conv_prepared_bytes(const struct stoa_conv_algorithm *algorithm,
                                              const stoa_context *context, const struct stoa_conv *conv) {
    return algorithm->prepared_bytes ? algorithm->prepared_bytes(context, conv) : 0;
}

/* A forward pass with prepared weights, or where there are none (NULL) with the weights themselves. */
static inline void stoa_conv_forward(const struct stoa_conv_algorithm *algorithm, const stoa_context *context,
                                     const struct stoa_conv *conv, const float *x, const float *weight,
                                     const void *prepared, const float *bias, bool relu, float *y,
                                     void *workspace) {
    if (prepared) {
        algorithm->forward_prepared(context, conv, x, prepared, bias, relu, y, workspace);
    } else {
        algorithm->forward(context, conv, x, weight, bias, relu, y, workspace);
    }
}

/* For a layer of an operator: the algorithm of each pass, and the workspace of the wanted ones (0 of others).
 * The arrays have STOA_CONV_PASSES elements. False when a size overflows, or with the context's error set. */
bool stoa_conv_plan(stoa_context *context, const struct stoa_conv *conv, const char *op, const char *layer,
                    const bool *wanted, const void **choice, size_t *bytes);

/* Workspace that all threads of a pass share (transposed or transformed weights, sums of blocks) may take
 * this many times the context's limit, which bounds what each thread takes for itself. */
enum { STOA_CONV_SHARED_LIMITS = 64 };

static inline bool stoa_conv_shared_fits(const stoa_context *context, size_t bytes) {
    return stoa_ceil_div(bytes, STOA_CONV_SHARED_LIMITS) <= context->workspace_limit;
}

/* Floats from one thread's part of a workspace to the next one's. Parts lie further apart than they are long:
 * hardware prefetchers reach far beyond the ends of what a thread passes over again and again, and where that
 * is memory which another core writes, its lines wander from core to core (measured: half the speed, for
 * cores that share no cache). */
static inline size_t stoa_conv_thread_step(const stoa_context *context, size_t floats) {
    enum { GAP_BYTES = 1 << 18, GAP_SHARE = 4 };
    size_t gap = stoa_min(GAP_BYTES, context->workspace_limit / GAP_SHARE) / sizeof(float);
    return stoa_round_up(floats, STOA_ALIGN_FLOATS) +
           (context->threads > 1 && floats > 0 ? stoa_round_up(gap, STOA_ALIGN_FLOATS) : 0);
}

/* Sums. A weight gradient is summed in blocks of samples (of a small batch, of output rows), each into
 * numbers of its own, which a fixed tree adds up: the bits do not depend on who computed which block. */

/* The most blocks of `items` samples or rows for a gradient of `floats` numbers, a power of two: as many as
 * threads may want, fewer where the sums would cost more than they save or take more memory than the context
 * allows. */
size_t stoa_reduction_blocks(const stoa_context *context, size_t floats, size_t items);

/* parts[0][i] += parts[1][i] + ... by a fixed tree over `blocks` (a power of two) arrays of `floats` numbers
 * that lie `stride` apart; in parallel over ranges. */
void stoa_reduce_blocks(const stoa_context *context, float *parts, size_t stride, size_t blocks,
                        size_t floats, float *out);

/* The sums of dweight and dbias. A single block needs no memory: it sums where the result goes. */
struct stoa_partials {
    size_t blocks, weights, filters;
    size_t bias_at, stride;        /* of one block's numbers */
    float *sums, *dweight, *dbias; /* dbias may be NULL */
};

/* Without memory: sizes only. */
struct stoa_partials stoa_partials_of(const stoa_context *context, const struct stoa_conv *conv);
bool stoa_partials_bytes(const struct stoa_partials *partials, size_t *bytes);

/* Output rows [row, end) of one block. */
void stoa_partial_rows(const struct stoa_partials *partials, const struct stoa_conv *conv, size_t block,
                       size_t *row, size_t *end);

static inline float *stoa_partial_weights(const struct stoa_partials *p, size_t block) {
    return p->blocks == 1 ? p->dweight : p->sums + block * p->stride;
}

/* NULL where nobody asked for it. */
static inline float *stoa_partial_bias(const struct stoa_partials *p, size_t block) {
    return !p->dbias || p->blocks == 1 ? p->dbias : p->sums + block * p->stride + p->bias_at;
}

void stoa_partials_reduce(const stoa_context *context, const struct stoa_partials *partials);

/* Sizes of a convolution. */
static inline size_t stoa_conv_group_channels(const struct stoa_conv *conv) {
    return conv->window.channels / conv->groups;
}

static inline size_t stoa_conv_group_filters(const struct stoa_conv *conv) {
    return conv->filters / conv->groups;
}

/* Length of a column: the inner size of the forward product. */
static inline size_t stoa_conv_column(const struct stoa_conv *conv) {
    return conv->window.kernel_height * conv->window.kernel_width * stoa_conv_group_channels(conv);
}

static inline size_t stoa_conv_weights(const struct stoa_conv *conv) {
    return stoa_conv_column(conv) * conv->filters;
}

/* Output rows and pixels of the whole batch. */
static inline size_t stoa_conv_rows(const struct stoa_conv *conv) {
    return conv->batch * conv->window.out_height;
}

static inline size_t stoa_conv_pixels(const struct stoa_conv *conv) {
    return stoa_conv_rows(conv) * conv->window.out_width;
}

/* Floats from row to row of a matrix that is made for products: rows whose distance is a power of two (or
 * nearly) would fall into the same few sets of a cache. */
static inline size_t stoa_conv_stride(size_t columns) {
    size_t stride = stoa_round_up(columns, STOA_ALIGN_FLOATS);
    return stride % (8 * STOA_ALIGN_FLOATS) == 0 ? stride + STOA_ALIGN_FLOATS : stride;
}

/* Floats of the transposed weight. */
static inline size_t stoa_conv_transposed(const struct stoa_conv *conv) {
    return conv->filters * stoa_conv_stride(stoa_conv_column(conv));
}

/* The weight [column][filters] transposed to [filters][stoa_conv_stride(column)], in parallel. */
void stoa_conv_transpose(const stoa_context *context, const struct stoa_conv *conv, const float *weight,
                         float *transposed);

/* Bias (or NULL) and ReLU for pixels [first, first + count) of y. */
void stoa_conv_finish(const stoa_context *context, const struct stoa_conv *conv, const float *bias, bool relu,
                      size_t first, size_t count, float *y);

#endif
