/* SPDX-License-Identifier: MIT */
/* Checks that all stateless operators make before they touch a buffer. */
#ifndef STOA_OPS_STATELESS_H
#define STOA_OPS_STATELESS_H

#include <stddef.h>
#include <stdint.h>
#include <stoa/ops.h>
#include <string.h>

#include "core/context.h"
#include "ops/op.h"

struct stoa_named_buffer {
    const char *name;
    const void *buffer;
};

struct stoa_named_size {
    const char *name;
    size_t size;
};

/* Arguments under their own names; a list of them. */
#define STOA_NAMED(argument)                                                                                 \
    { #argument, argument }
#define STOA_BUFFERS(...)                                                                                    \
    (const struct stoa_named_buffer[]) {                                                                     \
        __VA_ARGS__, {                                                                                       \
            NULL, NULL                                                                                       \
        }                                                                                                    \
    }
#define STOA_SIZES(...)                                                                                      \
    (const struct stoa_named_size[]) {                                                                       \
        __VA_ARGS__, {                                                                                       \
            NULL, 0                                                                                          \
        }                                                                                                    \
    }

/* None is NULL. The sentence begins with `function`. */
stoa_status stoa_check_buffers(stoa_context *context, const char *function,
                               const struct stoa_named_buffer *buffers);
/* All lie in [1, most]: 0 is a bad argument, more than `most` a bad shape. */
stoa_status stoa_check_sizes(stoa_context *context, const char *function, const struct stoa_named_size *sizes,
                             size_t most);
/* An array of these dimensions (they end with a NULL name) can be addressed. */
stoa_status stoa_check_array(stoa_context *context, const char *function, const char *array,
                             const struct stoa_named_size *sizes);
/* Memory that sentences call `what`, a "workspace", holds `needed` bytes and is aligned; anything goes where
 * nothing is needed. */
stoa_status stoa_check_memory(stoa_context *context, const char *function, const char *what,
                              const void *memory, size_t bytes, size_t needed);

/* A layer without memory of its own, its options and its only input beside it. */
struct stoa_stateless_layer {
    struct stoa_layer layer;
    struct stoa_shape input;
    union {
        max_align_t align;
        unsigned char bytes[1024];
    } options;
};

/* A layer from a line; sentences call it `what`, "activation" or "loss". */
stoa_status stoa_stateless_layer(stoa_context *context, const char *function, const char *what,
                                 const char *line, const struct stoa_shape *input,
                                 struct stoa_stateless_layer *layer);
/* One that does to every number the same, without parameters. */
stoa_status stoa_stateless_activation(stoa_context *context, const char *function, const char *line,
                                      struct stoa_stateless_layer *layer);

/* The activation of an epilogue; without an operator where there is none. */
stoa_status stoa_read_epilogue(stoa_context *context, const char *function, const stoa_epilogue *epilogue,
                               struct stoa_stateless_layer *activation);

/* The operators of an epilogue as runs, behind one that stands for the result's own. */
struct stoa_epilogue_runs {
    struct stoa_layer add;
    struct stoa_op_run run[3];
    struct stoa_shape shape[2];        /* of one number: what they do goes by none */
    const float *added[2], *activated; /* what they read */
};

/* A run to y that has this epilogue; it lies in `runs`. `residual` may be NULL. */
const struct stoa_op_run *stoa_with_epilogue(stoa_context *context,
                                             const struct stoa_stateless_layer *activation,
                                             const float *residual, float *y,
                                             struct stoa_epilogue_runs *runs);

/* For operators' tables of tensors, which are not const because running statistics are written in training.
 * What goes through here is only read. */
static inline float *stoa_only_read(const float *tensor) {
    float *same;
    memcpy(&same, &tensor, sizeof same);
    return same;
}

#endif
