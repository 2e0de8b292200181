/* SPDX-License-Identifier: MIT */
/* A model on its way to C.
 *
 * The engine's own lowering (model/lower.c) says which layers are computed together; here every such step
 * becomes a function of the C file, and every value that a step leaves behind gets a place: the caller's
 * input or output, or a block of one arena that core/planner.c lays out. Operators know nothing of C: what is
 * written for each stands in the tables of ccode/operators.c. */
#ifndef STOA_CCODE_CCODE_H
#define STOA_CCODE_CCODE_H

#include <stoa/ccode.h>

#include "ccode/text.h"
#include "kernels/window.h"
#include "model/plan.h"

enum { STOA_C_NAME = 40, STOA_C_IDENTIFIER = 80, STOA_C_EXPRESSION = 400, STOA_C_ARGUMENT = 48 };

/* Functions of the C file that several layers may call; each is written where one does. */
enum stoa_c_helper {
    STOA_C_SUMS_4,  /* sums of 4 pixels x 16 filters */
    STOA_C_SUMS_8,  /* sums of 8 pixels x 8 filters */
    STOA_C_PRODUCT, /* a vector with a matrix */
    STOA_C_FRAME,   /* an image within a border of zeros */
    STOA_C_BORDER,  /* the border alone */
    STOA_C_HELPERS
};

/* Where a value lies. */
enum stoa_c_where { STOA_C_NOWHERE, STOA_C_INPUT, STOA_C_OUTPUT, STOA_C_ARENA };

/* Zeros around an image. All 0: there are none. */
struct stoa_c_border {
    size_t top, left, height, width; /* height and width are those of all of it */
};

struct stoa_c_value {
    enum stoa_c_where where;
    size_t block; /* of the arena */
    size_t port;  /* of the inputs or outputs */
    struct stoa_c_border border;
    size_t last; /* step that reads it last */
};

/* One function: a layer, and those that are done to its results. */
struct stoa_c_step {
    size_t leader;
    size_t folded; /* node whose scale and shift are in the leader's weights, or STOA_NO_VALUE */
    size_t chain[STOA_MOST_EPILOGUES]; /* nodes done to the results, in their order */
    size_t chained;
    size_t final;   /* value that the step ends in */
    size_t scratch; /* floats of the arena for itself */
    size_t scratch_block;
    bool is_alias; /* its value is its input's: nothing is computed */
};

struct stoa_c {
    stoa_context *context;
    stoa_model *model;
    stoa_plan *plan;
    char name[STOA_C_NAME + 1], upper[STOA_C_NAME + 1];
    struct stoa_c_step *step;
    size_t steps;
    struct stoa_c_value *value; /* by number of the model's value */
    struct stoa_block *block;
    size_t blocks, arena_floats;
    /* Weights, one tensor behind the other, and the lines that declare them. */
    float *weight;
    size_t weights, weight_room;
    bool separate, failed;  /* failed: no memory for weights */
    size_t inputs, outputs; /* of the model; where there are several, the functions take arrays of them */
    bool uses[STOA_C_HELPERS];
    struct stoa_c_text constants, layers, file;
    const struct stoa_c_step *at; /* the step that is being written */
    size_t number;                /* of it, from 1 */
};

/* ---- what is written for an operator: ccode/operators.c ---- */

/* A number on its way through an operator of one number at a time: the lines change `v`, of element `index`
 * of the output and channel `channel`. */
struct stoa_c_map {
    const struct stoa_layer *layer;
    size_t position; /* in the step, which names its tensors: see stoa_c_tensor_name() */
    size_t flow;     /* the input that v follows */
    const char *index, *channel;
};
/* The first input's number for the element, which a step that the layer leads begins with. Returns `out`. */
const char *stoa_c_first_number(const struct stoa_c_map *map, char out[STOA_C_EXPRESSION]);

struct stoa_c_operator {
    const char *name;
    /* Write the inside of the function of a layer that leads a step; NULL: its map, for all numbers. */
    void (*body)(struct stoa_c *code);
    /* Write the lines for one number; NULL: it has none, or, with neither, it is the identity. */
    void (*map)(struct stoa_c *code, const struct stoa_c_map *map);
    /* Floats of the arena that the body needs for itself; NULL: none. */
    size_t (*scratch)(const struct stoa_c *code, const struct stoa_c_step *step);
    /* The zeros that it wants around its input; NULL: none. */
    struct stoa_c_border (*border)(const struct stoa_layer *layer);
    /* Whether the layer is one that body and map write; NULL: any. */
    bool (*takes)(const struct stoa_layer *layer);
    bool by_channel; /* the map reads `channel` */
    bool by_index;   /* the map reads `index` */
    bool is_identity;
    bool writes_border; /* its body can leave its results within a border */
};

/* NULL: it is not written as C. */
const struct stoa_c_operator *stoa_c_operator_find(const struct stoa_op *op);

/* Whether the layer's table has an option. */
bool stoa_c_has_option(const struct stoa_layer *layer, const char *name);
/* The member of the layer's options with this name, which the operator's table has. */
const void *stoa_c_option(const struct stoa_layer *layer, const char *name);
size_t stoa_c_option_size(const struct stoa_layer *layer, const char *name);
float stoa_c_option_float(const struct stoa_layer *layer, const char *name);
bool stoa_c_option_bool(const struct stoa_layer *layer, const char *name);
/* Whether an option that is a choice of words is this word. */
bool stoa_c_option_is(const struct stoa_layer *layer, const char *name, const char *word);

/* ccode/conv.c */
void stoa_c_conv2d(struct stoa_c *code);
size_t stoa_c_conv2d_scratch(const struct stoa_c *code, const struct stoa_c_step *step);
struct stoa_c_border stoa_c_conv2d_border(const struct stoa_layer *layer);
void stoa_c_conv_transpose2d(struct stoa_c *code);
void stoa_c_linear(struct stoa_c *code);
void stoa_c_matmul(struct stoa_c *code);

/* ccode/pool.c: windows over channels, one output pixel at a time */
struct stoa_c_taps {
    struct stoa_window window;
    const char *first;   /* value that the sums begin with, of channel first + c */
    const char *take;    /* statement that takes in from[c]; w points to the weights of the tap */
    const char *result;  /* of channel c; `taps` is how many lay in the image */
    const char *weight;  /* name of the weights, a number a tap and channel, or NULL */
    bool counts;         /* the result reads `taps` */
    bool counts_padding; /* those in the padding count as well */
};
void stoa_c_over_taps(struct stoa_c *code, const struct stoa_c_taps *taps);
void stoa_c_maxpool2d(struct stoa_c *code);
void stoa_c_avgpool2d(struct stoa_c *code);
void stoa_c_global_avgpool(struct stoa_c *code);
void stoa_c_global_maxpool(struct stoa_c *code);

/* ccode/moves.c: numbers that change their place */
void stoa_c_concat(struct stoa_c *code);
void stoa_c_reshape(struct stoa_c *code);
/* Any operator whose numbers are numbers of its input or, around those, a constant, where each axis has its
 * own share in the place that a number comes from. */
void stoa_c_move(struct stoa_c *code);
bool stoa_c_takes_move(const struct stoa_layer *layer);
void stoa_c_resize(struct stoa_c *code);
bool stoa_c_takes_resize(const struct stoa_layer *layer);

/* ccode/rows.c: what looks at a row of numbers */
void stoa_c_softmax(struct stoa_c *code);
void stoa_c_log_softmax(struct stoa_c *code);
void stoa_c_layernorm(struct stoa_c *code);
void stoa_c_std(struct stoa_c *code);
void stoa_c_groupnorm(struct stoa_c *code);
void stoa_c_lrn(struct stoa_c *code);
void stoa_c_reduce(struct stoa_c *code);

/* ---- what bodies use: ccode/step.c ---- */

const struct stoa_layer *stoa_c_layer(const struct stoa_c *code);
/* Size of a dimension from the end of a shape's last one, 1 where there is none. */
static inline size_t stoa_c_channels(const struct stoa_shape *shape) {
    return shape->dim[shape->rank - 1];
}

/* Weight and bias of the leader, in memory order, with what is folded in; released with free(). NULL bias:
 * it has none. False without memory. */
bool stoa_c_folded(struct stoa_c *code, float **weight, float **bias);

/* Declare a pointer to `count` floats, which are copied: "const float *NAME = ...;". */
void stoa_c_constant(struct stoa_c *code, const char *name, const float *values, size_t count);

/* Name of a tensor of a layer of the chain. */
void stoa_c_tensor_name(size_t position, size_t tensor, char out[STOA_C_EXPRESSION]);
/* Name of an input of the layer that a map is written for. */
void stoa_c_input_name(const struct stoa_c_map *map, size_t input, char out[STOA_C_ARGUMENT]);

/* Whether anything is done to the leader's results, and whether that reads their channel or element. */
bool stoa_c_has_chain(const struct stoa_c *code);
bool stoa_c_chain_by_channel(const struct stoa_c *code);
bool stoa_c_chain_by_index(const struct stoa_c *code);
/* Write what is done to the number v, and store it: `index` is the element of the leader's output, `channel`
 * its channel, `to` where it goes, "y[i]". */
void stoa_c_finish(struct stoa_c *code, const char *index, const char *channel, const char *to);

/* Declare the leader's tensors, as t0_0 and so on. */
void stoa_c_declare_tensors(struct stoa_c *code);

/* Write the zeros around the step's result, where others want them. */
void stoa_c_write_border(struct stoa_c *code);

/* Border of the step's result, and whether it has one. */
struct stoa_c_border stoa_c_result_border(const struct stoa_c *code);
bool stoa_c_has_border(const struct stoa_c_border *border);

/* ---- the parts of an export, in their order ---- */

/* Whether functions take one input and give one output, as pointers to floats. */
static inline bool stoa_c_is_single(const struct stoa_c *code) {
    return code->inputs == 1 && code->outputs == 1;
}
/* What both functions that run the network take. */
static inline const char *stoa_c_ports(const struct stoa_c *code) {
    return stoa_c_is_single(code) ? "const float *input, float *output"
                                  : "const float *const *inputs, float *const *outputs";
}
/* Where a value lies, as a pointer within NAME_run_in(). */
void stoa_c_place_text(const struct stoa_c *code, const struct stoa_c_value *value,
                       char out[STOA_C_EXPRESSION]);
/* ccode/graph.c: steps, places and lifetimes. Sets the context's error. */
stoa_status stoa_c_find_steps(struct stoa_c *code);
/* ccode/step.c: a function a step, and the one that calls them. */
void stoa_c_write_layers(struct stoa_c *code);
void stoa_c_write_run(struct stoa_c *code);
/* ccode/helpers.c */
void stoa_c_write_helpers(struct stoa_c *code, struct stoa_c_text *text);
/* ccode/samples.c: what goes before and behind a run, as the model's facts say, and main(). */
stoa_status stoa_c_write_samples(struct stoa_c *code, struct stoa_c_text *declarations,
                                 struct stoa_c_text *functions);

/* ccode/weights.c: the weights as a file of their own, of `*bytes` bytes from malloc; NULL without memory. */
void *stoa_c_weights_file(const struct stoa_c *code, size_t *bytes);
void stoa_c_write_weights(struct stoa_c *code, struct stoa_c_text *text);

#endif
