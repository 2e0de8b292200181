/* SPDX-License-Identifier: MIT */
/* view: the numbers of a sample as they lie in memory, under another shape: a vector of `units`, or an image
 * of `size` with `channels`. No number moves; reshape, which keeps PyTorch's order C, H, W, moves them. */
#include "base/size.h"
#include "ops/op.h"

struct view_options {
    size_t units; /* 0: an image */
    struct stoa_pair size;
    size_t channels;
};

static const struct stoa_option options[] = {
    {"units", STOA_OPTION_SIZE, offsetof(struct view_options, units), "", 1, 1 << 30, NULL},
    {"size", STOA_OPTION_PAIR, offsetof(struct view_options, size), "", 1, 1 << 30, NULL},
    {"channels", STOA_OPTION_SIZE, offsetof(struct view_options, channels), "", 1, 1 << 30, NULL},
};

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct view_options *o = layer->options;
    const bool image = o->size.height > 0 && o->channels > 0;
    if ((o->units > 0) == image || (o->size.height > 0) != (o->channels > 0)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "expected units, or size and channels");
    }
    size_t want = image ? o->size.height : o->units;
    const size_t have = stoa_shape_size(&layer->input[0]);
    if ((image && (!stoa_size_scale(&want, o->size.width) || !stoa_size_scale(&want, o->channels))) ||
        want != have) {
        char text[STOA_SHAPE_TEXT];
        return stoa_error_set(error, STOA_ERR_SHAPE, "input %s has %zu numbers, its view does not",
                              stoa_shape_text(&layer->input[0], text), have);
    }
    layer->output = image
                        ? (struct stoa_shape){.rank = 3, .dim = {o->size.height, o->size.width, o->channels}}
                        : (struct stoa_shape){.rank = 1, .dim = {o->units}};
    return STOA_OK;
}

static const struct stoa_op_example examples[] = {
    {"units=60", {"3x4x5"}, 2},
    {"size=1x12 channels=5", {"3x4x5"}, 2},
    {"size=2x3 channels=4", {"24"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_view = {
    .name = "view",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct view_options),
    .is_view = true,
    .in_place = true,
    .gradient_in_place = true,
    .infer = infer,
    .forward = stoa_view_forward,
    .backward = stoa_view_backward,
    .flops = stoa_no_flops,
    .reference_forward = stoa_view_reference_forward,
    .reference_backward = stoa_view_reference_backward,
    .examples = examples,
};
