/* SPDX-License-Identifier: MIT */
/* A model as an ONNX graph that is being written: names, nodes and numbers.
 *
 * Memory is taken from a list that is released as a whole. When there is none left `failed` is set, functions
 * return NULL, and all of them may go on with what others returned then. */
#ifndef STOA_ONNX_WRITE_H
#define STOA_ONNX_WRITE_H

#include <stdbool.h>

#include "model/graph.h"
#include "onnx/onnx.pb-c.h"

struct stoa_onnx_export {
    const stoa_model *model;
    int opset;
    bool failed;
    struct stoa_onnx_block *blocks; /* all memory */
    const char **taken;             /* names in the graph, a table of hashes */
    size_t taken_room, taken_count;
    const char **value; /* what each of the model's values is called */
    StoaOnnx__Graph graph;
    size_t node_room, initializer_room;
    size_t bytes; /* of all numbers */
    /* The layer at hand, and what its output is called. */
    const struct stoa_node *at;
    const char *out;
};

/* How an operator is written: one line of the table in write_operators.c. */
struct stoa_onnx_writer {
    const char *op;
    /* Write the nodes of the layer at hand, one of which makes export->out. */
    void (*write)(struct stoa_onnx_export *export);
    const char *onnx; /* of an operator that is one node without attributes, in the place of `write` */
    int (*opset_of)(const struct stoa_layer *layer); /* the first opset that has what is written for these
                                                        options; NULL: the next */
    int opset;                                       /* the same for all options; 0: any from 13 on */
    bool is_identity; /* nothing is written: the output is the input's under another name, or the caller's */
};

/* NULL: the operator has no counterpart in ONNX. */
const struct stoa_onnx_writer *stoa_onnx_writer_find(const struct stoa_op *op);

/* Zeroed memory, and the end of all of it. */
void *stoa_onnx_take(struct stoa_onnx_export *export, size_t bytes);
void stoa_onnx_give_all(struct stoa_onnx_export *export);
__attribute__((format(printf, 2, 3))) char *stoa_onnx_print(struct stoa_onnx_export *export,
                                                            const char *format, ...);
/* A name that nobody else has: `name`, or with a number behind it. */
const char *stoa_onnx_unique(struct stoa_onnx_export *export, const char *name);
/* One for what lies within the layer at hand: "LAYER/what". */
const char *stoa_onnx_within(struct stoa_onnx_export *export, const char *what);

/* Numbers of the graph; return their name. */
const char *stoa_onnx_put_floats(struct stoa_onnx_export *export, const char *name, size_t rank,
                                 const size_t *shape, const float *values);
const char *stoa_onnx_put_integers(struct stoa_onnx_export *export, const char *name, size_t count,
                                   const int64_t *values);
/* A tensor of the layer at hand in its order on disk; `shape` NULL: its own there. */
const char *stoa_onnx_put_tensor(struct stoa_onnx_export *export, size_t tensor, size_t rank,
                                 const size_t *shape);

/* Messages hold texts that protobuf-c does not write. */
static inline char *stoa_onnx_lend(const char *text) {
    union {
        const char *read;
        char *write;
    } lent = {text};
    return lent.write;
}

/* A node; inputs are up to the first NULL, "" is one that is left out. `output` NULL: export->out. */
StoaOnnx__Node *stoa_onnx_put_node(struct stoa_onnx_export *export, const char *op, const char *output,
                                   const char *const *inputs);
#define STOA_ONNX_INPUTS(...) ((const char *const[]){__VA_ARGS__, NULL})
void stoa_onnx_put_int(struct stoa_onnx_export *export, StoaOnnx__Node *node, const char *name, int64_t i);
void stoa_onnx_put_float(struct stoa_onnx_export *export, StoaOnnx__Node *node, const char *name, float f);
void stoa_onnx_put_word(struct stoa_onnx_export *export, StoaOnnx__Node *node, const char *name,
                        const char *word);
void stoa_onnx_put_ints(struct stoa_onnx_export *export, StoaOnnx__Node *node, const char *name, size_t count,
                        const int64_t *values);

/* Nodes that move numbers; `output` NULL: export->out. They return the output's name. */
const char *stoa_onnx_put_reshape(struct stoa_onnx_export *export, const char *input, const char *output,
                                  size_t rank, const size_t *shape);
const char *stoa_onnx_put_transpose(struct stoa_onnx_export *export, const char *input, const char *output,
                                    size_t rank, const int64_t *order);

/* Input `k` of the layer at hand, N, C, H, W where the layer takes it for an image. */
const char *stoa_onnx_image_of(struct stoa_onnx_export *export, size_t k);
/* The same as N, H, W, C, and from that to export->out. */
const char *stoa_onnx_pixels_of(struct stoa_onnx_export *export, size_t k);
void stoa_onnx_put_pixels(struct stoa_onnx_export *export, const char *pixels);

/* Options of the layer at hand by their names in the operator's table. */
size_t stoa_onnx_size_option(const struct stoa_layer *layer, const char *name);
float stoa_onnx_float_option(const struct stoa_layer *layer, const char *name);
bool stoa_onnx_bool_option(const struct stoa_layer *layer, const char *name);
/* The word of a choice. */
const char *stoa_onnx_word_option(const struct stoa_layer *layer, const char *name);

/* write_windows.c, write_moves.c, write_rows.c: what operators of several numbers write */
void stoa_onnx_write_conv2d(struct stoa_onnx_export *export);
void stoa_onnx_write_conv_transpose2d(struct stoa_onnx_export *export);
void stoa_onnx_write_maxpool2d(struct stoa_onnx_export *export);
void stoa_onnx_write_avgpool2d(struct stoa_onnx_export *export);
void stoa_onnx_write_global_maxpool(struct stoa_onnx_export *export);
void stoa_onnx_write_global_avgpool(struct stoa_onnx_export *export);
int stoa_onnx_opset_of_avgpool2d(const struct stoa_layer *layer);
void stoa_onnx_write_resize(struct stoa_onnx_export *export);
int stoa_onnx_opset_of_resize(const struct stoa_layer *layer);
void stoa_onnx_write_pad(struct stoa_onnx_export *export);
int stoa_onnx_opset_of_pad(const struct stoa_layer *layer);
void stoa_onnx_write_flatten(struct stoa_onnx_export *export);
void stoa_onnx_write_reshape(struct stoa_onnx_export *export);
void stoa_onnx_write_view(struct stoa_onnx_export *export);
void stoa_onnx_write_permute(struct stoa_onnx_export *export);
void stoa_onnx_write_concat(struct stoa_onnx_export *export);
void stoa_onnx_write_slice(struct stoa_onnx_export *export);
void stoa_onnx_write_depth_to_space(struct stoa_onnx_export *export);
void stoa_onnx_write_space_to_depth(struct stoa_onnx_export *export);
void stoa_onnx_write_linear(struct stoa_onnx_export *export);
void stoa_onnx_write_matmul(struct stoa_onnx_export *export);
void stoa_onnx_write_batchnorm(struct stoa_onnx_export *export);
void stoa_onnx_write_layernorm(struct stoa_onnx_export *export);
void stoa_onnx_write_groupnorm(struct stoa_onnx_export *export);
int stoa_onnx_opset_of_groupnorm(const struct stoa_layer *layer);
void stoa_onnx_write_lrn(struct stoa_onnx_export *export);
void stoa_onnx_write_softmax(struct stoa_onnx_export *export);
void stoa_onnx_write_log_softmax(struct stoa_onnx_export *export);
void stoa_onnx_write_reduce(struct stoa_onnx_export *export);

#endif
