/* SPDX-License-Identifier: MIT */
/* What an operator is: one `const struct stoa_op` at the end of its file.
 *
 * The floors above know operators only through this struct: a new operator is one file in src/ops and one
 * word in src/ops/meson.build. Comments here are the contract. */
#ifndef STOA_OPS_OP_H
#define STOA_OPS_OP_H

#include <stdint.h>
#include <stoa/plan.h>

#include "core/context.h"
#include "core/finish.h"
#include "core/options.h"
#include "core/shape.h"

/* Joins of dense blocks have as many inputs as the block has layers: 65 in DenseNet-264. */
enum { STOA_MAX_INPUTS = 128, STOA_MAX_TENSORS = 4 };

/* How a parameter starts. */
enum stoa_init {
    STOA_INIT_HE,         /* N(0, 2 / fan_in) (He et al. 2015) */
    STOA_INIT_XAVIER,     /* N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio 2010) */
    STOA_INIT_HE_UNIFORM, /* the same variances, uniform */
    STOA_INIT_XAVIER_UNIFORM,
    STOA_INIT_NORMAL,
    STOA_INIT_UNIFORM,
    STOA_INIT_ORTHOGONAL, /* rows or columns of (out, the rest) are orthonormal (Saxe et al. 2014) */
    STOA_INIT_CONSTANT,
    STOA_INIT_ZERO, /* from here on not for a layer's options */
    STOA_INIT_ONE,
};

/* A tensor that belongs to a layer: a trainable parameter or a running statistic. */
struct stoa_tensor_spec {
    const char *suffix; /* "weight": the tensor is "c1.weight" */
    bool trainable;
    bool decays; /* weight decay applies (weights, not biases or scales) */
    enum stoa_init init;
    /* Standard deviation of NORMAL, limit of UNIFORM, value of CONSTANT; what the others are multiplied with,
     * 0 counting as 1. */
    float init_scale;
    size_t fan_in, fan_out; /* for HE and XAVIER */
    size_t rank;
    size_t shape[STOA_MAX_RANK]; /* on disk, PyTorch's */
    /* Disk order as a walk over memory: element (i0, i1, ...) of disk_dim lies at sum(i * memory_stride).
     * disk_dim multiplies out to the same count as shape, and may split a dimension (out, in) into (out, C,
     * H, W). */
    size_t walk_rank;
    size_t disk_dim[STOA_MAX_RANK];
    size_t memory_stride[STOA_MAX_RANK];
};

/* How a layer's weight starts, as its options say. */
struct stoa_init_options {
    size_t kind; /* of enum stoa_init */
    float std, limit, value, gain;
    bool fan_bias;
};
extern const char *const stoa_init_choices[];

#define STOA_INIT_OPTION_TABLE(type, member)                                                                 \
    {"init", STOA_OPTION_CHOICE, offsetof(type, member.kind), "he", 0, 0, stoa_init_choices},                \
        {"init_std", STOA_OPTION_FLOAT, offsetof(type, member.std), "", 1e-9, 1e3, NULL},                    \
        {"init_limit", STOA_OPTION_FLOAT, offsetof(type, member.limit), "", 1e-9, 1e3, NULL},                \
        {"init_value", STOA_OPTION_FLOAT, offsetof(type, member.value), "", -1e3, 1e3, NULL},                \
        {"init_gain", STOA_OPTION_FLOAT, offsetof(type, member.gain), "", 1e-9, 1e3, NULL}, {                \
        "init_fan_bias", STOA_OPTION_BOOL, offsetof(type, member.fan_bias), "false", 0, 0, NULL              \
    }

/* A layer: an operator with its options at its place, shapes known. In training a layer may be frozen: it
 * computes what it computes in evaluation and changes no tensor, its backward pass is that of evaluation, and
 * only gradients of inputs are asked for. */
struct stoa_layer {
    const struct stoa_op *op;
    char *name;    /* its own; NULL where nobody names it */
    void *options; /* the operator's own struct, filled from its table */
    size_t inputs;
    struct stoa_shape *input; /* of each; owned by whoever made the layer */
    struct stoa_shape output;
    size_t tensors;
    struct stoa_tensor_spec tensor[STOA_MAX_TENSORS];
};

/* What backward reads beside dy, so that the planner keeps it alive. */
enum stoa_needs { STOA_NEEDS_X = 1, STOA_NEEDS_Y = 2 };

enum stoa_pass { STOA_FORWARD, STOA_BACKWARD };

/* Sizes in bytes that a layer needs for batches up to `batch`; computed by `memory`. They may be 0. */
struct stoa_op_memory {
    size_t saved;        /* written by forward in training, read by backward */
    size_t workspace[2]; /* scratch per pass (indexed by enum stoa_pass), for all threads of the context */
    size_t prepared; /* tensors in the form that forward reads, for plans that keep it; with `prepare` only */
};

/* What x and dx of a run point to while nobody gives any: `memory` may look at them. */
extern const float *const stoa_no_inputs[STOA_MAX_INPUTS];
extern float *const stoa_no_gradients[STOA_MAX_INPUTS];

/* One run of a layer. Pointers that are not needed are NULL. */
struct stoa_op_run {
    stoa_context *context;
    const struct stoa_layer *layer;
    size_t layer_number;  /* unique in the model: a random stream of its own */
    size_t batch;         /* samples in this run */
    size_t first_sample;  /* the run's first sample, counted in the whole batch: random streams go by it */
    size_t planned_batch; /* what `memory` was asked for; >= batch */
    bool training;
    bool wants_input_gradient; /* known when planning: false for a first layer */
    bool frozen;               /* known when planning: as struct stoa_layer says */
    bool keeps;                /* known when planning: forward runs are given what `prepare` writes */
    /* Backward, not frozen: forward's epilogue began with a ReLU in place, and dy is that one's. Only for
     * operators that say so. */
    bool undoes_relu;
    uint64_t seed, step;
    const float *const *x; /* of each input; never NULL itself */
    float *y;
    float *tensor[STOA_MAX_TENSORS]; /* in memory layout */
    stoa_targets targets;            /* losses only */
    void *saved;
    void *prepared;  /* what `prepare` wrote; NULL: nobody keeps it */
    void *workspace; /* 64-byte aligned, `memory`'s size for this pass */
    void *plan;      /* the operator's plan_bytes, zeroed, which `memory` has filled */
    /* backward */
    const float *dy;
    float *const *dx; /* of each input: overwritten; NULL where nobody asks; never NULL itself */
    /* overwritten; NULL for tensors that are not trainable, and for all of a frozen layer */
    float *dtensor[STOA_MAX_TENSORS];
    /* What the same step does to y (backward: to dx[0]) while it is in cache, or NULL: the run of an operator
     * with a `map` (backward: a `map_backward`), whose own epilogue comes next. Its x[flow] is this run's y
     * and its y the same memory or other; backward, its dy is this run's dx[0], its dx[flow] the same memory
     * or other. Only for operators that say so in `finishes`, and where dx[0] is asked for. */
    const struct stoa_op_run *epilogue;
    size_t flow; /* of an epilogue's run: which of its inputs it follows */
};

/* Numbers [first, first + count) of a run, counted from its first sample on, for operators of one number at a
 * time. Pointers are those of struct stoa_op_run moved by `first`; NULL where that has NULL. Forward y may be
 * x, backward dx may be dy. */
struct stoa_map_piece {
    size_t first, count;
    const float *x, *dy;
    float *y, *dx;
};

/* The double reference of a layer: the same pointers over double, no workspace, plain loops. */
struct stoa_op_reference {
    const struct stoa_layer *layer;
    size_t layer_number;
    size_t batch;
    bool training;
    bool frozen; /* gradients of tensors are computed all the same */
    uint64_t seed, step;
    const double *const *x;
    double *y;
    double *tensor[STOA_MAX_TENSORS];
    const int32_t *labels;
    const double *values;
    const double *dy;
    double *const *dx;
    double *dtensor[STOA_MAX_TENSORS];
};

/* A case for the tests: options, input shapes as "HxWxC" or, for a vector, "K", and samples. */
enum { STOA_EXAMPLE_INPUTS = 8 };
struct stoa_op_example {
    const char *options;
    const char *input[STOA_EXAMPLE_INPUTS + 1]; /* NULL behind the last */
    size_t batch;
};

struct stoa_op {
    const char *name;
    bool is_input;       /* y is what the caller of a run has written: it has no input and computes nothing */
    bool is_loss;        /* y is one number a sample; run->targets is read; not for recipes' [model] */
    bool takes_labels;   /* a loss over class numbers, not vectors */
    bool takes_logits;   /* a loss that takes x for logits, and targets from 0 to 1 */
    bool gives_gradient; /* a loss: where dx[0] is set, forward writes it from dy; saved may be NULL then */
    size_t least_inputs, most_inputs;
    const struct stoa_option *options;
    size_t option_count, options_bytes;
    /* Bytes of what `memory` decides for the passes. They stay the same for smaller batches and whatever
     * becomes of the context. */
    size_t plan_bytes;
    unsigned needs; /* of enum stoa_needs */
    /* Only gradients of tensors read what `needs` names, so a frozen layer needs nothing. */
    bool needs_for_tensors;
    bool is_view;           /* y is x[0]'s numbers in another shape; also in_place and gradient_in_place */
    bool in_place;          /* y may be x[0] if it has as many numbers, unless backward follows and needs x */
    bool gradient_in_place; /* dx[0] may be dy, if it has as many */
    /* What lowering goes by, see struct stoa_op_run's epilogue. An operator of one number at a time says its
     * forward pass, run->x[run->flow] to run->y, for any piece, and with stoa_map_forward() as `forward` it
     * needs no other; where no tensor learns, the backward pass as well. NULL: it is none. */
    void (*map)(const struct stoa_op_run *run, const struct stoa_map_piece *piece);
    void (*map_backward)(const struct stoa_op_run *run, const struct stoa_map_piece *piece);
    bool is_relu;      /* its map is max(0, x), which kernels do as they write */
    unsigned finishes; /* passes, as 1 << enum stoa_pass, that do run->epilogue; all with a map do */
    bool undoes_relu;  /* backward does that of a ReLU behind as well: run->undoes_relu */
    /* In evaluation or frozen y = x * scale[c] + shift[c] for the last axis's c: writes these from
     * run->tensor. NULL: it is no such operator. */
    void (*affine)(const struct stoa_op_run *run, float *scale, float *shift);
    /* The weight (tensor 0) and bias (tensor 1, had the layer one or not) with which forward gives
     * y * scale[c] + shift[c], from run->tensor, in memory layout. NULL: it has none. */
    void (*fold)(const struct stoa_op_run *run, const float *scale, const float *shift, float *weight,
                 float *bias);
    /* Shapes and tensors from inputs and options; on an error the sentence without the layer's name:
     * "kernel 5x5 does not fit input 4x4 with pad 0". */
    stoa_status (*infer)(struct stoa_error *error, struct stoa_layer *layer);
    /* Bytes for batches up to run->planned_batch, and run->plan; reads context, layer, planned_batch,
     * training, wants_input_gradient, frozen only. NULL: none. False when a size overflows, or with the
     * context's error set. */
    bool (*memory)(const struct stoa_op_run *run, struct stoa_op_memory *memory);
    /* Losses over labels: what the sum of a batch's losses is divided by for its mean; NULL: its samples. */
    double (*batch_weight)(const struct stoa_layer *layer, const int32_t *labels, size_t samples);
    /* Samples below which a training pass learns nothing; NULL: 1. */
    size_t (*least_batch)(const struct stoa_layer *layer);
    /* From run->tensor, which stays the same until the next call, to run->prepared; reads what `memory`
     * reads, and run->plan. Forward gives the same bits with it as without. NULL: not kept. */
    void (*prepare)(const struct stoa_op_run *run);
    void (*forward)(const struct stoa_op_run *run);
    void (*backward)(const struct stoa_op_run *run);
    /* Whether a pass looks at other samples to compute one's y or dx[0] (batch norm in training), so that it
     * runs over whole batches only; NULL: never. Gradients of tensors, which sum over samples, are not meant.
     * Reads what `memory` reads, and training. */
    bool (*crosses_samples)(const struct stoa_op_run *run, enum stoa_pass pass);
    /* How a pass is computed, for people, into `out`; NULL: only one way. Reads what `memory` reads,
     * and run->plan. */
    void (*algorithm)(const struct stoa_op_run *run, enum stoa_pass pass, char *out, size_t size);
    double (*flops)(const struct stoa_layer *layer); /* of one sample's forward pass; NULL: output size */
    /* Double reference: the tests' oracle, and the base of gradient checks. Recomputes in backward what it
     * needs. */
    void (*reference_forward)(const struct stoa_op_reference *run);
    void (*reference_backward)(const struct stoa_op_reference *run);
    const struct stoa_op_example *examples; /* ends with options NULL */
};

/* All operators in the order of src/ops/meson.build, NULL-terminated. */
extern const struct stoa_op *const stoa_ops[];

/* The loss where none is named. */
#define STOA_DEFAULT_LOSS "softmax_cross_entropy"

/* By name, losses included; NULL when there is none. */
const struct stoa_op *stoa_op_find(const char *name);

/* Names of the losses and of the layers, one after the other: see struct stoa_words. */
const char *stoa_loss_at(const void *from, size_t index);
const char *stoa_layer_at(const void *from, size_t index);

/* Set the error for a name that is not a loss; lists those there are. */
stoa_status stoa_unknown_loss(struct stoa_error *error, const char *name);

/* Make a layer: read `spec` (its name is the operator's, `from` already taken) against the inputs. On STOA_OK
 * release with stoa_layer_clear(). The sentence begins "OPERATOR 'NAME': ". */
stoa_status stoa_layer_make(struct stoa_error *error, const char *name, struct stoa_spec *spec,
                            const struct stoa_shape *inputs, size_t count, struct stoa_layer *layer);
void stoa_layer_clear(struct stoa_layer *layer);

/* An option of a layer by its name in the operator's table, of the table's type; NULL where there is none. */
const void *stoa_option_of(const struct stoa_layer *layer, const char *name);

/* The same for a caller who has set the operator and has memory for its options, zeroed, and for its inputs;
 * name and sentences are the caller's. */
stoa_status stoa_layer_read(struct stoa_error *error, struct stoa_spec *spec, const struct stoa_shape *inputs,
                            size_t count, struct stoa_layer *layer);

/* Helpers for operators. */

/* The shape of a model's input: an image, or with height = width = 1 a vector, which is an image of one
 * pixel.
 * Errors: STOA_ERR_ARGUMENT (a size of 0, too many elements). */
stoa_status stoa_input_shape(struct stoa_error *error, size_t height, size_t width, size_t channels,
                             struct stoa_shape *shape);
/* Shape rule of operators that keep their only input's shape. */
stoa_status stoa_infer_same(struct stoa_error *error, struct stoa_layer *layer);
/* The only input must be an image (rank 3); else an error. A vector that is an image of one pixel becomes one
 * in layer->input. */
stoa_status stoa_expect_image(struct stoa_error *error, struct stoa_layer *layer);
/* Set up a tensor that lies in memory as on disk. */
void stoa_tensor_plain(struct stoa_tensor_spec *tensor, const char *suffix, enum stoa_init init,
                       size_t count);
/* Set up a tensor of one number a channel of `shape`, its last axis. Behind a flatten the channels are an
 * image's numbers: H, W, C in memory, PyTorch's C, H, W on disk. */
void stoa_tensor_channels(struct stoa_tensor_spec *tensor, const char *suffix, enum stoa_init init,
                          const struct stoa_shape *shape);
size_t stoa_tensor_count(const struct stoa_tensor_spec *tensor);
/* Set up how a weight starts, its fans known; with init_fan_bias a bias counts as one more input. Errors: an
 * option that the kind of start does not take, or one that it lacks. */
stoa_status stoa_tensor_start(struct stoa_error *error, const struct stoa_init_options *options, bool bias,
                              struct stoa_tensor_spec *tensor);

/* Forward and backward of operators with a `map`, in parallel; the epilogue is done to each piece. */
void stoa_map_forward(const struct stoa_op_run *run);
void stoa_map_backward(const struct stoa_op_run *run);

/* Do run->epilogue to numbers [first, first + count) of y, or of dx[0] where the run goes backward; they lie
 * at `numbers`. Nothing where there is none. */
void stoa_run_epilogue(const struct stoa_op_run *run, float *numbers, size_t first, size_t count);
/* The same for lower floors. `relu`, forward only: whether it begins with max(0, .) in place, which they do
 * themselves before; NULL: they do not. */
struct stoa_finish stoa_finish_of(const struct stoa_op_run *run, bool *relu);

/* The bias of `fold`, and all of it for operators whose weight's last axis is y's. */
void stoa_fold_bias(const struct stoa_op_run *run, const float *scale, const float *shift, float *bias);
void stoa_fold_last_axis(const struct stoa_op_run *run, const float *scale, const float *shift, float *weight,
                         float *bias);

/* Cut `count` elements into ranges of `grain` and call body on each, in parallel. */
typedef void stoa_range_fn(const struct stoa_op_run *run, size_t first, size_t count);
void stoa_parallel_range(const struct stoa_op_run *run, size_t count, size_t grain, stoa_range_fn *body);
/* A good grain for loops at memory speed, in elements; a multiple of every vector. */
enum { STOA_GRAIN = 16384 };
/* Rows of `columns` elements per task, at least 1. */
size_t stoa_row_grain(size_t columns);

/* The first sample of a block of the batch, which is cut into `blocks`, a power of two. */
static inline size_t stoa_block_begin(size_t batch, size_t blocks, size_t block) {
    return block * batch / blocks;
}

/* Input or output floats of the whole batch. */
size_t stoa_batch_size(const struct stoa_op_run *run, const struct stoa_shape *shape);

/* Operators that only move numbers have this as `flops`. */
double stoa_no_flops(const struct stoa_layer *layer);

/* All passes of an operator whose y is x[0]'s numbers in another shape. */
void stoa_view_forward(const struct stoa_op_run *run);
void stoa_view_backward(const struct stoa_op_run *run);
void stoa_view_reference_forward(const struct stoa_op_reference *run);
void stoa_view_reference_backward(const struct stoa_op_reference *run);

#endif
