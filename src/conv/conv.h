/* SPDX-License-Identifier: MIT */
/* Convolution: a pass is planned once by one of several algorithms, and the plan run often.
 *
 * Shapes: x (batch, H, W, C), y (batch, OH, OW, K), NHWC contiguous; weights (KH, KW, C / groups, K)
 * contiguous ("HWIO"), filter k belongs to group k / (K / groups). */
#ifndef STOA_CONV_CONV_H
#define STOA_CONV_CONV_H

#include <stddef.h>
#include <stdint.h>

#include "base/carve.h"
#include "base/size.h"
#include "core/context.h"
#include "core/finish.h"
#include "core/tuning.h"
#include "kernels/window.h"

struct stoa_conv {
    struct stoa_window window;
    size_t batch, filters, groups;
    /* How the operands lie; a gradient lies as what it is the gradient of. All 0: as above. */
    size_t x_pixel,
        y_pixel; /* floats from pixel to pixel of a slice of a larger tensor; 0: as many as numbers */
    bool x_planar, y_planar; /* NCHW, without distances between pixels */
    bool oihw;               /* weights (K, C / groups, KH, KW) */
    bool adds;               /* a backward pass adds its results to what is there */
    bool kept; /* every run of a forward pass is given prepared weights, whose cost does not count */
};

/* What an algorithm may take in place; conv/plan.c does the rest around it, by copies. */
enum stoa_conv_native {
    STOA_CONV_X_PIXEL = 1,
    STOA_CONV_Y_PIXEL = 2,
    STOA_CONV_OIHW = 4,
    STOA_CONV_ADDS = 8
};

enum stoa_conv_pass { STOA_CONV_FORWARD, STOA_CONV_BACKWARD_DATA, STOA_CONV_BACKWARD_WEIGHTS };
enum { STOA_CONV_PASSES = 3 };

/* A plan has so much room for what an algorithm has decided. */
enum { STOA_CONV_CUT_BYTES = 2560 };

/* A pass, planned once. Everything that a run does follows from here and from its batch. Plans are values:
 * they may be copied and hold no memory of their own. */
struct stoa_conv_plan {
    struct stoa_conv conv;  /* the problem as the algorithm reads it; its batch is the largest of a run */
    struct stoa_conv asked; /* the problem as it was asked for, with the places of a run's operands */
    enum stoa_conv_pass pass;
    const struct stoa_conv_algorithm *algorithm;
    /* The predicted seconds on one core of the machine that the tuning table describes. They follow from
     * shape, table, policy and workspace limit only: never from a timing or the number of threads. */
    double cost;
    size_t bytes;          /* of workspace, with the threads of the context that it was planned with */
    size_t own_bytes;      /* the part of these bytes that is the algorithm's; the rest is conv/plan.c's */
    size_t prepared_bytes; /* of prepared weights; 0: the algorithm reads the weights as they come */
    bool finishes;         /* run() does run->finish itself; set by the algorithm */
    bool prepares;         /* prepared weights have the algorithm's form, not just its layout */
    uint64_t key;          /* a hash of all that the form of prepared weights follows from; never 0 */
    union {
        max_align_t align;
        unsigned char bytes[STOA_CONV_CUT_BYTES];
    } cut; /* how the algorithm cuts the pass; only it reads this */
};

/* The operands of one run. Those that the pass does not have are NULL. */
struct stoa_conv_run {
    const stoa_context *context; /* the plan's, or one with as many threads and the same settings */
    size_t batch;                /* 1 to the plan's */
    const float *x, *weight, *dy;
    const void *prepared; /* what stoa_conv_prepare() wrote, or NULL: `weight` is read */
    const float *bias;    /* may be NULL */
    bool relu;
    struct stoa_finish finish; /* of y, behind relu, or of dx; backward weights have none */
    float *y, *dx, *dweight;
    float *dbias;    /* may be NULL */
    void *workspace; /* the plan's `bytes`, aligned to STOA_ALIGN_BYTES */
};

/* An algorithm. */
struct stoa_conv_algorithm {
    const char *name; /* what stoa_context_set_conv() takes, and the first word of what describe() writes */
    size_t factor[STOA_CONV_PASSES]; /* where a tuning table has the factors of its costs */
    size_t tile;                     /* Winograd's: outputs a side for 3x3 kernels */
    /* Whether it computes plan->conv's pass within the context's policy and workspace limit. If so it sets
     * cost (without what every algorithm pays: the tensors read and written once), bytes, prepared_bytes
     * (without the header that stoa_conv_prepare() writes) and cut; conv, pass and algorithm are set, all
     * else is 0. Operands are dense NHWC and HWIO and results overwritten, but for what it says by
     * stoa_conv_take(). False too when a size overflows. */
    bool (*plan)(const stoa_context *context, struct stoa_conv_plan *plan);
    /* Write the weights in the form that forward passes read, in parallel. With them a pass gives the same
     * bits as without. NULL where prepared_bytes is always 0. */
    void (*prepare)(const stoa_context *context, const struct stoa_conv_plan *plan, const float *weight,
                    float *prepared);
    /* Run the plan's pass. `run->prepared` points behind the header. Nothing is decided here: a smaller
     * batch runs fewer tasks of the planned cut. */
    void (*run)(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);
    /* Write for people how the pass is cut. */
    void (*describe)(const struct stoa_conv_plan *plan, char *out, size_t size);
};

/* How an algorithm's definition begins. */
#define STOA_CONV_NAME(algorithm)                                                                            \
    .name = #algorithm, .factor = {offsetof(struct stoa_tuning, cost_##algorithm##_forward),                 \
                                   offsetof(struct stoa_tuning, cost_##algorithm##_data),                    \
                                   offsetof(struct stoa_tuning, cost_##algorithm##_weights)}

/* An algorithm's plan() calls this before it reads plan->conv: what is asked for of these (of enum
 * stoa_conv_native) it does itself, and plan->conv says so. */
void stoa_conv_take(struct stoa_conv_plan *plan, unsigned native);

#define STOA_CONV_DECLARE(X, name) extern const struct stoa_conv_algorithm stoa_conv_##name;
STOA_CONV_ALGORITHM_LIST(STOA_CONV_DECLARE, )
#undef STOA_CONV_DECLARE

/* All algorithms, NULL-terminated. */
extern const struct stoa_conv_algorithm *const stoa_conv_algorithms[];

/* Plan a pass with one algorithm; false where it is not applicable. */
bool stoa_conv_plan_with(const stoa_context *context, const struct stoa_conv_algorithm *algorithm,
                         const struct stoa_conv *conv, enum stoa_conv_pass pass, struct stoa_conv_plan *plan);

/* Plan a pass with the algorithm of least cost, or with the one that the context forces where that is
 * applicable. False, with the error set, where none works: `what` begins the sentence. */
bool stoa_conv_plan(stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                    const char *what, struct stoa_conv_plan *plan);

/* Write the prepared weights of the plan's forward pass: its prepared_bytes, which are not 0, aligned to
 * STOA_ALIGN_BYTES. They begin with the plan's key. Only weights that come as OIHW need `workspace`. */
void stoa_conv_prepare(const stoa_context *context, const struct stoa_conv_plan *plan, const float *weight,
                       void *prepared, void *workspace);

/* Whether a plan with the same key wrote these. */
bool stoa_conv_is_prepared(const struct stoa_conv_plan *plan, const void *prepared);

/* Run a plan. */
void stoa_conv_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);

/* Write for people how the pass is cut; "none" for a plan without an algorithm. */
void stoa_conv_describe(const struct stoa_conv_plan *plan, char *out, size_t size);

/* Workspace that all threads of a pass share (transposed or transformed weights, sums of blocks) may take
 * this many times the context's limit, which bounds what each thread takes for itself. */
enum { STOA_CONV_SHARED_LIMITS = 64 };

static inline bool stoa_conv_shared_fits(const stoa_context *context, size_t bytes) {
    return stoa_ceil_div(bytes, STOA_CONV_SHARED_LIMITS) <= context->workspace_limit;
}

/* Floats from one thread's part of a workspace to the next one's. Parts lie further apart than they are
 * long: hardware prefetchers reach far beyond the ends of what a thread passes over again and again. Where
 * another core writes that memory, its cache lines go from core to core (measured: half the speed, for cores
 * that share no cache). */
static inline size_t stoa_conv_thread_step(const stoa_context *context, size_t floats) {
    enum { GAP_BYTES = 1 << 18, GAP_SHARE = 4 };
    size_t gap = stoa_min(GAP_BYTES, context->workspace_limit / GAP_SHARE) / sizeof(float);
    return stoa_round_up(floats, STOA_ALIGN_FLOATS) +
           (context->threads > 1 && floats > 0 ? stoa_round_up(gap, STOA_ALIGN_FLOATS) : 0);
}

/* Sums. A weight gradient is summed in blocks of samples (of a small batch, of output rows), each into
 * numbers of its own, which a fixed tree adds up: the bits do not depend on who computed which block. */

/* How many blocks, a power of two, `items` samples or rows are cut into for a gradient of `floats` numbers:
 * as many as threads may want, fewer where sums would cost more than they save or exceed the context's
 * memory. */
size_t stoa_reduction_blocks(const stoa_context *context, size_t floats, size_t items);

/* Set out[i], or add to it where it `adds`, parts[0][i] + parts[1][i] + ... by a fixed tree over `blocks` (a
 * power of two) arrays of `floats` numbers that lie `stride` apart and are overwritten, in parallel over
 * ranges. */
void stoa_reduce_blocks(const stoa_context *context, float *parts, size_t stride, size_t blocks,
                        size_t floats, bool adds, float *out);

/* The sums of dweight and dbias. A single block needs no memory: it sums in the result, but for a bias that
 * is added. */
struct stoa_partials {
    size_t blocks, weights, filters;
    bool adds;                     /* results are added to what is there; set by an algorithm that does so */
    size_t bias_at, stride;        /* of one block's numbers */
    float *sums, *dweight, *dbias; /* set for a run; dbias may be NULL */
};

/* Cut the sums of a pass into blocks; this needs no memory. */
struct stoa_partials stoa_partials_of(const stoa_context *context, const struct stoa_conv *conv);

/* The memory of the sums: the next area of a workspace. */
float *stoa_partials_carve(const struct stoa_partials *partials, struct stoa_carve *carve);

/* The planned sums for a run with `items` samples or rows: a smaller batch has fewer blocks. */
struct stoa_partials stoa_partials_begin(const struct stoa_partials *planned, size_t items,
                                         const struct stoa_conv_run *run, float *memory);

/* The output rows [row, end) of one block. */
void stoa_partial_rows(const struct stoa_partials *partials, const struct stoa_conv *conv, size_t block,
                       size_t *row, size_t *end);

static inline float *stoa_partial_weights(const struct stoa_partials *p, size_t block) {
    return p->blocks == 1 ? p->dweight : p->sums + block * p->stride;
}

/* Whether a block's weights are added to what is there, which is the result itself. */
static inline bool stoa_partials_adds(const struct stoa_partials *p) {
    return p->adds && p->blocks == 1;
}

/* Where a block sums its bias's gradient, which is overwritten; NULL where nobody asked for it. */
static inline float *stoa_partial_bias(const struct stoa_partials *p, size_t block) {
    return !p->dbias               ? NULL
           : p->blocks > 1         ? p->sums + block * p->stride + p->bias_at
           : stoa_partials_adds(p) ? p->sums
                                   : p->dbias;
}

void stoa_partials_reduce(const stoa_context *context, const struct stoa_partials *partials);

/* The sizes of a convolution. */
static inline size_t stoa_conv_group_channels(const struct stoa_conv *conv) {
    return conv->window.channels / conv->groups;
}

static inline size_t stoa_conv_group_filters(const struct stoa_conv *conv) {
    return conv->filters / conv->groups;
}

/* Floats from pixel to pixel of x and dx, of y and dy, where these are not planar. */
static inline size_t stoa_conv_x_pixel(const struct stoa_conv *conv) {
    return conv->x_pixel ? conv->x_pixel : conv->window.channels;
}

static inline size_t stoa_conv_y_pixel(const struct stoa_conv *conv) {
    return conv->y_pixel ? conv->y_pixel : conv->filters;
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

/* Into how many tasks a pass over a single sample is cut at least: two where they pay for a second thread. */
static inline size_t stoa_conv_least_tasks(const stoa_context *context, size_t batch, double products) {
    return batch == 1 && products >= 2 * context->tuning->layer_task ? 2 : 1;
}

/* Do bias (or NULL), ReLU and what else the run asks for, to pixels [first, first + count) of y. */
void stoa_conv_finish(const struct stoa_conv_run *run, const struct stoa_conv *conv, const float *bias,
                      size_t first, size_t count);

#endif
