/* SPDX-License-Identifier: MIT */
/* The tuning table: every size of a block and every cost that depends on the machine. A table belongs to a
 * class of machines and stands in data/tuning/NAME.tuning; what is chosen by it follows from shapes and from
 * these numbers, never from a timing.
 *
 * A file has lines `key = value`; `#` begins a comment, and `like = NAME` takes what the file itself does not
 * say from a table that ships. */
#ifndef STOA_CORE_TUNING_H
#define STOA_CORE_TUNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stoa/context.h>

#include "base/cpu.h"
#include "base/error.h"

/* The algorithms of conv: A(X, name) for each. At equal cost the first is chosen. */
/* clang-format off */
#define STOA_CONV_ALGORITHM_LIST(A, X)                                                                       \
    A(X, depthwise) A(X, pointwise) A(X, im2col) A(X, implicit) A(X, planes) A(X, winograd2) A(X, winograd4) \
    A(X, winograd6)
/* clang-format on */

/* What an algorithm takes beside what is predicted for it, a pass. */
/* clang-format off */
#define STOA_TUNING_ALGORITHM(X, name)                                                                       \
    X(double, cost_##name##_forward, 0.01, 100, "times as long as " #name " is predicted, forward")          \
    X(double, cost_##name##_data, 0.01, 100, "the same, backward data")                                      \
    X(double, cost_##name##_weights, 0.01, 100, "the same, backward weights")
/* clang-format on */

/* X(type, key, least, most, what it is): size_t or double. A number that a kernel or a workspace relies on
 * stays within these bounds, whoever wrote the file. */
/* clang-format off */
#define STOA_TUNING_KEYS(X)                                                                                  \
    X(size_t, l1_bytes, 4096, 16777216, "level 1 data cache of a core")                                      \
    X(size_t, l2_bytes, 16384, 268435456, "level 2 cache of a core")                                         \
    X(size_t, l3_bytes, 16384, 2147483647, "outer cache that a core reaches")                                \
    X(size_t, planes_tile_floats, 256, 4194304, "floats of a tile's planes that stay in the inner cache")    \
    X(size_t, depthwise_rows, 1, 1024, "rows of outputs in a task of a depthwise layer")                     \
    X(size_t, depthwise_tasks, 1, 1024, "tasks of a depthwise layer's weight gradient, at least")            \
    X(size_t, depthwise_channels, 16, 65536, "channels of such a task, where images are small")              \
    X(size_t, depthwise_wide_channels, 16, 65536, "the same, of 128 pixels and more")                        \
    X(double, cost_flops, 1e6, 1e15, "floating-point operations a second of a core's products")              \
    X(double, cost_stream_floats, 1e6, 1e15, "floats a second to and from the outer cache or memory")        \
    X(double, cost_tile_floats, 1e6, 1e15, "floats a second to and from the core's own cache")               \
    X(size_t, cost_least_columns, 1, 1024, "columns below which a product runs as slowly as this many do")   \
    X(double, cost_element_terms, 0, 1e6, "terms of a sum that an element of the result takes in itself")    \
    X(double, cost_inner_floats, 0, 1e15, "floats of weights that stay beside a tile")                       \
    X(double, cost_outer_rate, 1e6, 1e15, "floats a second of weights that do not")                          \
    X(double, cost_outer_floats, 0, 1e15, "floats of weights that the outer cache holds")                    \
    X(double, cost_outer_step, 1, 1e15, "floats beyond those that halve the rate")                           \
    X(double, product_whole, 1e6, 1e300, "m * n * k from which a product is one call of the BLAS")           \
    X(size_t, product_whole_side, 64, 65536, "rows and columns that such a call had better have")            \
    X(size_t, product_far, 16, 1e9, "floats from row to row beyond which operands are copied")               \
    X(size_t, product_rows, 12, 4096, "rows of a that stay in the caches while panels of b pass over them")  \
    X(size_t, product_terms, 16, 256, "terms of such a panel")                                               \
    X(size_t, product_gradient_terms, 16, 256, "the same beside a copy of a transposed a")                   \
    X(size_t, product_tall_terms, 1, 1e9, "terms from which the engine's kernel multiplies many rows")       \
    X(size_t, product_turned_rows, 1, 1e9, "rows from which a transposed b of a small product is copied")    \
    X(size_t, product_long_terms, 1, 1e9, "terms of a gradient from which it is the kernel's")               \
    X(size_t, product_long_rows, 1, 1e9, "rows from which it is the BLAS's again")                           \
    X(size_t, product_long_result, 1, 1e9, "numbers of such a gradient at most")                             \
    X(size_t, product_task, 1, 1e9, "m * n * k that pays for a task of its own")                             \
    X(size_t, implicit_tile_pixels, 1, 1048576, "output pixels of a tile")                                   \
    X(size_t, implicit_tile_bytes, 4096, 1073741824, "the image under a tile, copied or as it lies")         \
    X(size_t, implicit_terms, 16, 4096, "terms of the weight that a product takes at once")                  \
    X(size_t, implicit_tap_channels, 1, 1e9, "channels from which a tap is a product of its own")            \
    X(size_t, implicit_long_pixels, 1, 1048576, "pixels of a tile whose patches have few terms")             \
    X(size_t, implicit_long_floats, 1, 1e9, "floats of the image under such a tile")                         \
    X(size_t, implicit_edge_floats, 0, 1e9, "floats of a line from which an edge pays")                      \
    X(size_t, implicit_result_floats, 0, 1e9, "floats of results from which they are fetched early")         \
    X(size_t, implicit_far_floats, 1, 1e9, "floats of a weight from which it is prepared in panels")         \
    X(size_t, conv_tile_bytes, 4096, 1073741824, "columns that a thread writes and multiplies")              \
    X(size_t, conv_weight_bytes, 4096, 1073741824, "weights of a task of im2col's backward data")            \
    X(size_t, conv_chunk_bytes, 65536, 1073741824, "columns that all threads multiply together")             \
    X(size_t, conv_block_bytes, 4096, 1073741824, "columns that a thread adds to a block of a 1x1 gradient") \
    X(size_t, conv_block_weights, 1, 1e9, "numbers of a 1x1 gradient that is summed in blocks")              \
    X(size_t, winograd_narrow_floats, 1, 1048576, "a point's weights that all tiles share transformed")      \
    X(size_t, winograd_block_bytes, 4096, 1073741824, "transformed tiles of such a layer in a task")         \
    X(size_t, winograd_own_bytes, 0, 1073741824, "its transformed weights that each thread makes itself")    \
    X(size_t, winograd_inner_bytes, 4096, 1073741824, "24 tiles of 8x8 points that stay in the inner cache") \
    X(size_t, winograd_channels, 16, 4096, "channels whose weights a wider layer transforms at once")        \
    X(size_t, winograd_filters, 16, 4096, "filters of those, and of a task")                                 \
    X(size_t, winograd_range, 16, 1024, "channels, and filters, of a task of a weight gradient")             \
    X(size_t, winograd_step_tiles, 4, 65536, "tiles that it transforms at once for all its channels")        \
    X(size_t, winograd_chunk_tiles, 4, 65536, "tiles that it transforms at once where it is wider")          \
    X(double, layer_task, 1, 1e15, "multiply-adds of one sample in a layer that pay for a task of their own")\
    X(size_t, section_tasks, 1, 64, "tasks that samples are cut into for a section, at most")                \
    X(double, section_task_products, 1, 1e15, "multiply-adds of all its layers in such a task, at least")    \
    X(double, section_products, 1, 1e15, "multiply-adds from which a layer is cut inside instead")           \
    X(size_t, section_weights, 0, 1e9, "weights of a layer that a section may read and sum for each block")  \
    X(double, section_rows, 1, 1e9, "rows of a block's product from which it may read more")                 \
    STOA_CONV_ALGORITHM_LIST(STOA_TUNING_ALGORITHM, X)
/* clang-format on */

enum { STOA_TUNING_NAME = 48, STOA_TUNING_SUM = 9 };

struct stoa_tuning {
#define STOA_TUNING_MEMBER(type, key, least, most, meaning) type key;
    STOA_TUNING_KEYS(STOA_TUNING_MEMBER)
#undef STOA_TUNING_MEMBER
    char name[STOA_TUNING_NAME]; /* of the file, without its folder and its ending */
    char sum[STOA_TUNING_SUM];   /* of all values, as hexadecimal digits */
};

/* A key, for those who go through all of them. */
struct stoa_tuning_key {
    const char *name, *meaning;
    size_t offset; /* of its member in struct stoa_tuning */
    bool real;     /* a double, else a size_t */
    double least, most;
};

extern const struct stoa_tuning_key stoa_tuning_keys[];
size_t stoa_tuning_key_count(void);
const struct stoa_tuning_key *stoa_tuning_key_find(const char *name); /* or NULL */

/* The value of a key, and another one; a size_t is rounded. stoa_tuning_finish() when all are set. */
double stoa_tuning_get(const struct stoa_tuning *tuning, const struct stoa_tuning_key *key);
void stoa_tuning_put(struct stoa_tuning *tuning, const struct stoa_tuning_key *key, double value);
void stoa_tuning_finish(struct stoa_tuning *tuning);

/* Give a table the name that it has as the file `path`. */
void stoa_tuning_rename(struct stoa_tuning *tuning, const char *path);

/* The table that ships under this name, or NULL. */
const struct stoa_tuning *stoa_tuning_find(const char *name);

/* The table for a CPU that is held to an instruction set. */
const struct stoa_tuning *stoa_tuning_of_cpu(const struct stoa_cpu *cpu, stoa_isa isa);

/* Release the tables that a context has read. */
void stoa_tuning_release(stoa_context *context);

/* From here to the end of the block the context decides by `table`, on every way out: for objects that keep
 * the table they were made with. */
struct stoa_tuning_turn {
    stoa_context *context;
    const struct stoa_tuning *before;
};
struct stoa_tuning_turn stoa_tuning_begin(stoa_context *context, const struct stoa_tuning *table);
void stoa_tuning_end(const struct stoa_tuning_turn *turn);
#define STOA_TUNING_TURN(context, table)                                                                     \
    __attribute__((cleanup(stoa_tuning_end), unused)) const struct stoa_tuning_turn stoa_tuning_turn =       \
        stoa_tuning_begin(context, table)

/* Read a table from text. `file` begins the sentence of an error, and its last part without ".tuning" becomes
 * the table's name. Errors: STOA_ERR_FORMAT (a line that is none, an unknown key, one said twice or left out,
 * a value out of its range, a text that is too long), and *tuning is as it was. */
stoa_status stoa_tuning_read(struct stoa_error *error, const char *file, const char *text, size_t bytes,
                             struct stoa_tuning *tuning);

/* The same from a file. Errors besides: those of stoa_file_read(). */
stoa_status stoa_tuning_read_file(struct stoa_error *error, const char *path, struct stoa_tuning *tuning);

/* Write all keys as text that reads back as the same table; the bytes that it takes, the last 0 not counted,
 * of which at most `size` are written, ended by 0. */
size_t stoa_tuning_write(const struct stoa_tuning *tuning, char *out, size_t size);

#endif
