/* SPDX-License-Identifier: MIT */
/* What max and average pooling share. */
#include "ops/pool.h"

stoa_status stoa_pool_infer(struct stoa_error *error, struct stoa_layer *layer) {
    struct stoa_window_options *w = &((struct stoa_pool_options *)layer->options)->window;
    if (w->stride.height == 0) {
        w->stride = w->kernel;
    }
    w->dilation = (struct stoa_pair){1, 1};
    stoa_status status = stoa_expect_image(error, layer);
    if (status != STOA_OK) {
        return status;
    }
    if (!w->pad.same && (w->pad.height > w->kernel.height / 2 || w->pad.width > w->kernel.width / 2)) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "pad %zux%zu is more than half of the window %zux%zu",
                              w->pad.height, w->pad.width, w->kernel.height, w->kernel.width);
    }
    return stoa_window_output(error, w, &layer->input[0], layer->input[0].dim[2], &layer->output);
}

struct stoa_window stoa_pool_window(const struct stoa_layer *layer) {
    const struct stoa_pool_options *o = layer->options;
    return stoa_window_of(&o->window, &layer->input[0], &layer->output);
}
