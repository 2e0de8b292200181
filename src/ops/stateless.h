/* SPDX-License-Identifier: MIT */
/* Checks that all stateless operators make before they touch a buffer. */
#ifndef STOA_OPS_STATELESS_H
#define STOA_OPS_STATELESS_H

#include <stdint.h>
#include <stoa/ops.h>
#include <string.h>

#include "core/context.h"

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

stoa_status stoa_check_activation(stoa_context *context, const char *function, stoa_activation activation);

/* For operators' tables of tensors, which are not const because running statistics are written in training.
 * What goes through here is only read. */
static inline float *stoa_only_read(const float *tensor) {
    float *same;
    memcpy(&same, &tensor, sizeof same);
    return same;
}

#endif
