/* SPDX-License-Identifier: MIT */
/* conv_transpose2d: the gradient of conv2d as a layer ("deconvolution", Zeiler et al. 2010): each input
 * pixel spreads over a window of the output.
 *
 * x (N, H, W, C), y (N, OH, OW, K), weight (KH, KW, K / groups, C) in memory and (C, K / groups, KH, KW) on
 * disk, bias (K):
 *   OH = (H - 1) * stride - top - bottom + dilation * (KH - 1) + output_pad + 1
 * pad is what is cut off, as in conv2d.c. With pad=same it is chosen so that OH is H * stride, or
 * output_size: an odd row is cut at the bottom, with same_lower at the top (ONNX's output_shape). Else
 * output_size chooses output_pad, as PyTorch's does. With the convolution that takes (N, OH, OW, K) to (N,
 * H, W, C) and this weight: y is its backward data of x, dx its forward of dy, dweight its backward weights
 * of dy and x. dbias = sum of dy over pixels. */
#include <string.h>

#include "base/size.h"
#include "ops/block_sums.h"
#include "ops/conv_layer.h"
#include "ops/window.h"

struct conv_transpose2d_options {
    size_t filters, groups;
    struct stoa_pair kernel, stride, output_pad, output_size, dilation;
    struct stoa_padding pad;
    struct stoa_init_options init;
    bool bias;
};

#define AT(member) offsetof(struct conv_transpose2d_options, member)
static const struct stoa_option options[] = {
    {"filters", STOA_OPTION_SIZE, AT(filters), NULL, 1, 1 << 20, NULL},
    {"kernel", STOA_OPTION_PAIR, AT(kernel), NULL, 1, 65535, NULL},
    {"stride", STOA_OPTION_PAIR, AT(stride), "1", 1, 65535, NULL},
    {"pad", STOA_OPTION_PADDING, AT(pad), "0", 0, 65535, NULL},
    {"output_pad", STOA_OPTION_PAIR, AT(output_pad), "0", 0, 65535, NULL},
    {"output_size", STOA_OPTION_PAIR, AT(output_size), "", 1, 1 << 20, NULL},
    {"dilation", STOA_OPTION_PAIR, AT(dilation), "1", 1, 65535, NULL},
    {"groups", STOA_OPTION_SIZE, AT(groups), "1", 1, 1 << 20, NULL},
    {"bias", STOA_OPTION_BOOL, AT(bias), "true", 0, 0, NULL},
    STOA_INIT_OPTION_TABLE(struct conv_transpose2d_options, init),
};
#undef AT

/* One axis: what is cut off in front, what is left, 0 when that is nothing, and without more behind. */
struct axis {
    size_t front, output, least;
};

static struct axis axis_of(const struct stoa_layer *layer, bool vertical) {
    const struct conv_transpose2d_options *o = layer->options;
    const size_t size = layer->input[0].dim[vertical ? 0 : 1];
    const size_t kernel = vertical ? o->kernel.height : o->kernel.width;
    const size_t stride = vertical ? o->stride.height : o->stride.width;
    const size_t dilation = vertical ? o->dilation.height : o->dilation.width;
    const size_t asked = vertical ? o->output_size.height : o->output_size.width;
    const size_t more = vertical ? o->output_pad.height : o->output_pad.width;
    const size_t whole = (size - 1) * stride + dilation * (kernel - 1) + 1;
    struct axis a = {.front = vertical ? o->pad.top : o->pad.left, .output = asked ? asked : size * stride};
    size_t back = vertical ? o->pad.bottom : o->pad.right;
    if (o->pad.kind != STOA_PAD_GIVEN) {
        stoa_cut_padding(o->pad.kind, whole + more > a.output ? whole + more - a.output : 0, &a.front, &back);
    }
    a.least = whole > a.front + back ? whole - a.front - back : 0;
    if (o->pad.kind == STOA_PAD_GIVEN) {
        /* More behind may make something of nothing. */
        a.output = asked ? asked : whole + more > a.front + back ? whole + more - a.front - back : 0;
    }
    return a;
}

/* The convolution from y to x. */
static struct stoa_conv problem(const struct stoa_layer *layer, size_t batch) {
    const struct conv_transpose2d_options *o = layer->options;
    const size_t *in = layer->input[0].dim;
    const size_t *out = layer->output.dim;
    return (struct stoa_conv){.window = {.height = out[0],
                                         .width = out[1],
                                         .channels = out[2],
                                         .kernel_height = o->kernel.height,
                                         .kernel_width = o->kernel.width,
                                         .stride_height = o->stride.height,
                                         .stride_width = o->stride.width,
                                         .dilation_height = o->dilation.height,
                                         .dilation_width = o->dilation.width,
                                         .pad_top = axis_of(layer, true).front,
                                         .pad_left = axis_of(layer, false).front,
                                         .out_height = in[0],
                                         .out_width = in[1]},
                              .batch = batch,
                              .filters = in[2],
                              .groups = o->groups};
}

static stoa_status check_options(struct stoa_error *error, const struct conv_transpose2d_options *o,
                                 size_t channels) {
    if (channels % o->groups != 0 || o->filters % o->groups != 0) {
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "groups=%zu does not divide %zu input channels and %zu filters", o->groups,
                              channels, o->filters);
    }
    if (o->output_pad.height >= stoa_max(o->stride.height, o->dilation.height) ||
        o->output_pad.width >= stoa_max(o->stride.width, o->dilation.width)) {
        return stoa_error_set(
            error, STOA_ERR_ARGUMENT,
            "found output_pad %zux%zu, expected less than stride %zux%zu or dilation %zux%zu",
            o->output_pad.height, o->output_pad.width, o->stride.height, o->stride.width, o->dilation.height,
            o->dilation.width);
    }
    if (o->output_size.height > 0 && o->output_pad.height + o->output_pad.width > 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found output_size and output_pad, expected one of them");
    }
    size_t weights = o->filters / o->groups;
    if (!stoa_size_scale(&weights, o->kernel.height) || !stoa_size_scale(&weights, o->kernel.width) ||
        !stoa_size_scale(&weights, channels) || weights > STOA_MAX_DIMENSION) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "the weight has more than %zu elements",
                              STOA_MAX_DIMENSION);
    }
    return STOA_OK;
}

static stoa_status infer_output(struct stoa_error *error, struct stoa_layer *layer) {
    const struct conv_transpose2d_options *o = layer->options;
    const size_t *in = layer->input[0].dim;
    const struct axis v = axis_of(layer, true);
    const struct axis h = axis_of(layer, false);
    char pad[STOA_PADDING_TEXT];
    layer->output = (struct stoa_shape){.rank = 3, .dim = {v.output, h.output, o->filters}};
    if (v.output == 0 || h.output == 0) {
        return stoa_error_set(
            error, STOA_ERR_SHAPE, "pad %s leaves nothing of input %zux%zu with kernel %zux%zu",
            stoa_padding_text(&o->pad, pad), in[0], in[1], o->kernel.height, o->kernel.width);
    }
    const size_t most_height = v.least + stoa_max(o->stride.height, o->dilation.height) - 1;
    const size_t most_width = h.least + stoa_max(o->stride.width, o->dilation.width) - 1;
    if (v.output < v.least || v.output > most_height || h.output < h.least || h.output > most_width) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "found output %zux%zu, expected %zux%zu to %zux%zu",
                              v.output, h.output, v.least, h.least, most_height, most_width);
    }
    return STOA_OK;
}

static void weight_spec(const struct conv_transpose2d_options *o, size_t channels,
                        struct stoa_tensor_spec *tensor) {
    size_t kh = o->kernel.height;
    size_t kw = o->kernel.width;
    size_t k = o->filters / o->groups;
    *tensor = (struct stoa_tensor_spec){
        .suffix = "weight",
        .trainable = true,
        .decays = true,
        /* A stride spreads the kernel's taps over as many more outputs. */
        .fan_in = stoa_max(1, kh * kw * (channels / o->groups) / (o->stride.height * o->stride.width)),
        .fan_out = kh * kw * k,
        .rank = 4,
        .shape = {channels, k, kh, kw},
        .walk_rank = 4,
        .disk_dim = {channels, k, kh, kw},
        .memory_stride = {1, channels, kw * k * channels, k * channels},
    };
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct conv_transpose2d_options *o = layer->options;
    stoa_status status = stoa_expect_image(error, layer);
    if (status == STOA_OK) {
        status = check_options(error, o, layer->input[0].dim[2]);
    }
    if (status == STOA_OK) {
        status = infer_output(error, layer);
    }
    if (status != STOA_OK) {
        return status;
    }
    weight_spec(o, layer->input[0].dim[2], &layer->tensor[0]);
    layer->tensors = 1;
    if (o->bias) {
        stoa_tensor_plain(&layer->tensor[layer->tensors++], "bias", STOA_INIT_ZERO, o->filters);
    }
    return stoa_tensor_start(error, &o->init, o->bias, &layer->tensor[0]);
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    struct stoa_conv conv = problem(run->layer, run->planned_batch);
    size_t sums = 0;
    if (!stoa_conv_layer_memory(run, &conv, true, memory) ||
        (run->layer->tensors > 1 && !run->frozen &&
         !stoa_block_sums_bytes(run, conv.window.channels, &sums))) {
        return false;
    }
    memory->workspace[STOA_BACKWARD] = stoa_max(memory->workspace[STOA_BACKWARD], sums);
    return true;
}

/* Bias and epilogue of pixels. */
static void finish_pixels(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t filters = run->layer->output.dim[2];
    float *y = run->y + first * filters;
    bool relu;
    struct stoa_finish finish = stoa_finish_of(run, &relu);
    run->context->kernels->bias_act(y, count, filters, filters, run->tensor[1], relu);
    stoa_finish(&finish, y, first * filters, count * filters);
}

/* The weight is (taps, filters / groups, channels): output c of a group is in that group's channels. */
static void fold(const struct stoa_op_run *run, const float *scale, const float *shift, float *weight,
                 float *bias) {
    const struct conv_transpose2d_options *o = run->layer->options;
    size_t channels = run->layer->input[0].dim[2];
    size_t filters = o->filters / o->groups;
    size_t count = stoa_tensor_count(&run->layer->tensor[0]);
    for (size_t i = 0; i < count; i++) {
        size_t group = i % channels / (channels / o->groups);
        weight[i] = run->tensor[0][i] * scale[group * filters + i / channels % filters];
    }
    stoa_fold_bias(run, scale, shift, bias);
}

static void forward(const struct stoa_op_run *run) {
    size_t filters = run->layer->output.dim[2];
    struct stoa_conv_run pass = {.context = run->context,
                                 .batch = run->batch,
                                 .dy = run->x[0],
                                 .weight = run->tensor[0],
                                 .dx = run->y,
                                 .workspace = run->workspace};
    if (!run->tensor[1]) {
        pass.finish = stoa_finish_of(run, NULL);
    }
    stoa_conv_run(stoa_conv_layer_plan(run, STOA_LAYER_FORWARD), &pass);
    if (run->tensor[1]) {
        stoa_parallel_range(run, stoa_batch_size(run, &run->layer->output) / filters, stoa_row_grain(filters),
                            finish_pixels);
    }
}

static void sum_samples(const struct stoa_op_run *run, size_t first, size_t samples, float *sum) {
    const size_t *out = run->layer->output.dim;
    run->context->kernels->column_sums(run->dy + first * out[0] * out[1] * out[2], samples * out[0] * out[1],
                                       out[2], out[2], sum);
}

static void backward(const struct stoa_op_run *run) {
    size_t filters = run->layer->output.dim[2];
    if (run->dtensor[1]) {
        memcpy(run->dtensor[1], stoa_block_sums(run, filters, sum_samples), filters * sizeof(float));
    }
    stoa_conv_layer_backward(run);
}

static double flops(const struct stoa_layer *layer) {
    const struct conv_transpose2d_options *o = layer->options;
    size_t group_filters = o->filters / o->groups;
    return 2.0 * (double)stoa_shape_size(&layer->input[0]) * (double)o->kernel.height *
           (double)o->kernel.width * (double)group_filters;
}

static void reference_forward(const struct stoa_op_reference *run) {
    struct stoa_conv conv = problem(run->layer, run->batch);
    const struct stoa_window *w = &conv.window;
    stoa_reference_f64.conv2d_backward_data(w, conv.batch, conv.filters, conv.groups, run->x[0],
                                            run->tensor[0], run->y);
    if (run->tensor[1]) {
        stoa_reference_f64.bias_act(run->y, conv.batch * w->height * w->width, w->channels, w->channels,
                                    run->tensor[1], false);
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    struct stoa_conv conv = problem(run->layer, run->batch);
    const struct stoa_window *w = &conv.window;
    stoa_reference_f64.conv2d_backward_weights(w, conv.batch, conv.filters, conv.groups, run->dy, run->x[0],
                                               run->dtensor[0]);
    if (run->dtensor[1]) {
        stoa_reference_f64.column_sums(run->dy, conv.batch * w->height * w->width, w->channels, w->channels,
                                       run->dtensor[1]);
    }
    if (run->dx[0]) {
        stoa_reference_f64.conv2d(w, conv.batch, conv.filters, conv.groups, run->dy, run->tensor[0], NULL,
                                  run->dx[0]);
    }
}

static const struct stoa_op_example examples[] = {
    {"filters=4 kernel=3", {"5x4x3"}, 2},
    {"filters=6 kernel=4 stride=2 pad=1", {"4x5x8"}, 9},
    {"filters=3 kernel=3x2 stride=2x3 pad=1x0 output_pad=1x2", {"3x4x5"}, 2},
    {"filters=4 kernel=3 dilation=2 output_pad=1 bias=false", {"4x3x2"}, 3},
    {"filters=6 kernel=3 groups=2 stride=2 output_pad=1", {"3x4x4"}, 2},
    {"filters=5 kernel=3 groups=5 pad=1", {"4x4x5"}, 3},
    {"filters=7 kernel=1", {"4x5x6"}, 3},
    {"filters=4 kernel=3 stride=2 pad=0,1,1,0", {"4x3x3"}, 2},
    {"filters=3 kernel=3x2 stride=2x3 pad=same", {"3x4x5"}, 2},
    {"filters=3 kernel=4 stride=2 pad=same_lower output_size=7x8", {"3x4x5"}, 2},
    {"filters=4 kernel=1x5 stride=1x2 pad=0x2 output_size=1x10", {"1x5x4"}, 3},
    {"filters=20 kernel=3 pad=1", {"6x6x18"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_conv_transpose2d = {
    .name = "conv_transpose2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct conv_transpose2d_options),
    .plan_bytes = STOA_CONV_LAYER_BYTES,
    .needs = STOA_NEEDS_X,
    .needs_for_tensors = true,
    .finishes = 1 << STOA_FORWARD | 1 << STOA_BACKWARD,
    .fold = fold,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .algorithm = stoa_conv_layer_describe,
    .flops = flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
