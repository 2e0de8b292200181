/* SPDX-License-Identifier: MIT */
/* Options and shape rule that max and average pooling share.
 *
 *   OH = floor((H + top + bottom - dilation * (KH - 1) - 1) / stride) + 1
 * With ceil_mode ceil in the place of floor, but for a window that would begin in the padding at the end.
 * Padding as in conv2d.c. */
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
        {"pad", STOA_OPTION_PADDING, offsetof(struct stoa_pool_options, window.pad), "0", 0, 65535, NULL},   \
        {"dilation", STOA_OPTION_PAIR, offsetof(struct stoa_pool_options, window.dilation), "1", 1, 65535,   \
         NULL},                                                                                              \
    {                                                                                                        \
        "ceil_mode", STOA_OPTION_BOOL, offsetof(struct stoa_pool_options, window.ceil_mode), "false", 0, 0,  \
            NULL                                                                                             \
    }

/* Output shape; fills in the stride. Errors: not an image, the window does not fit, a window would lie in the
 * padding alone. */
stoa_status stoa_pool_infer(struct stoa_error *error, struct stoa_layer *layer);

struct stoa_window stoa_pool_window(const struct stoa_layer *layer);

#endif
