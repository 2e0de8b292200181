/* SPDX-License-Identifier: MIT */
/* Options and shape rule that max and average pooling share. */
#ifndef STOA_OPS_POOL_H
#define STOA_OPS_POOL_H

#include "ops/op.h"
#include "ops/window.h"

/* `size` is the window; `stride` is the size when it is not given. */
struct stoa_pool_options {
    struct stoa_window_options window;
    bool include_pad; /* avgpool2d only */
};

#define STOA_POOL_OPTION_TABLE                                                                               \
    {"size", STOA_OPTION_PAIR, offsetof(struct stoa_pool_options, window.kernel), NULL, 1, 65535, NULL},     \
        {"stride", STOA_OPTION_PAIR, offsetof(struct stoa_pool_options, window.stride), "", 1, 65535, NULL}, \
    {                                                                                                        \
        "pad", STOA_OPTION_PADDING, offsetof(struct stoa_pool_options, window.pad), "0", 0, 65535, NULL      \
    }

/* Output shape; fills in the stride. Errors: not an image, the window does not fit, padding over half the
 * window (a window would lie in the padding alone). */
stoa_status stoa_pool_infer(struct stoa_error *error, struct stoa_layer *layer);

struct stoa_window stoa_pool_window(const struct stoa_layer *layer);

#endif
