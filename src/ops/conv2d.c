/* SPDX-License-Identifier: MIT */
/* conv2d: 2-D cross-correlation (what every framework calls convolution).
 *
 * x (N, H, W, C), weight (KH, KW, C / groups, K) in memory and (K, C / groups, KH, KW) on disk, bias (K),
 * y (N, OH, OW, K):
 *   y[n, oh, ow, k] = bias[k] + sum over kh, kw, c of weight[kh, kw, c, k] *
 *       x[n, oh * stride + kh * dilation - top, ow * stride + kw * dilation - left, group(k), c]
 *   OH = floor((H + top + bottom - dilation * (KH - 1) - 1) / stride) + 1
 * pad is one number for all sides, HxW, or top,left,bottom,right (ONNX's pads). With pad=same OH = ceil(H /
 * stride), the odd row of padding at the bottom (as in TensorFlow, ONNX's SAME_UPPER, and PyTorch for stride
 * 1), with same_lower at the top. */
#include "base/size.h"
#include "ops/conv_layer.h"
#include "ops/window.h"

struct conv2d_options {
    size_t filters, groups;
    struct stoa_init_options init;
    struct stoa_window_options window;
    bool bias;
};

static const struct stoa_option options[] = {
    {"filters", STOA_OPTION_SIZE, offsetof(struct conv2d_options, filters), NULL, 1, 1 << 20, NULL},
    STOA_WINDOW_OPTION_TABLE(struct conv2d_options, window, "1"),
    {"dilation", STOA_OPTION_PAIR, offsetof(struct conv2d_options, window.dilation), "1", 1, 65535, NULL},
    {"groups", STOA_OPTION_SIZE, offsetof(struct conv2d_options, groups), "1", 1, 1 << 20, NULL},
    {"bias", STOA_OPTION_BOOL, offsetof(struct conv2d_options, bias), "true", 0, 0, NULL},
    STOA_INIT_OPTION_TABLE(struct conv2d_options, init),
};

static struct stoa_conv problem(const struct stoa_layer *layer, size_t batch) {
    const struct conv2d_options *o = layer->options;
    return (struct stoa_conv){.window = stoa_window_of(&o->window, &layer->input[0], &layer->output),
                              .batch = batch,
                              .filters = o->filters,
                              .groups = o->groups};
}

static void weight_spec(const struct conv2d_options *o, size_t channels, struct stoa_tensor_spec *tensor) {
    size_t kh = o->window.kernel.height;
    size_t kw = o->window.kernel.width;
    size_t c = channels / o->groups;
    size_t k = o->filters;
    *tensor = (struct stoa_tensor_spec){
        .suffix = "weight",
        .trainable = true,
        .decays = true,
        .fan_in = kh * kw * c,
        .fan_out = kh * kw * (k / o->groups),
        .rank = 4,
        .shape = {k, c, kh, kw},
        .walk_rank = 4,
        .disk_dim = {k, c, kh, kw},
        .memory_stride = {1, k, kw * c * k, c * k},
    };
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct conv2d_options *o = layer->options;
    stoa_status status = stoa_expect_image(error, layer);
    if (status != STOA_OK) {
        return status;
    }
    size_t channels = layer->input[0].dim[2];
    if (channels % o->groups != 0 || o->filters % o->groups != 0) {
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "groups=%zu does not divide %zu input channels and %zu filters", o->groups,
                              channels, o->filters);
    }
    status = stoa_window_output(error, &o->window, &layer->input[0], o->filters, &layer->output);
    if (status != STOA_OK) {
        return status;
    }
    size_t weights = o->filters;
    if (!stoa_size_scale(&weights, o->window.kernel.height) ||
        !stoa_size_scale(&weights, o->window.kernel.width) ||
        !stoa_size_scale(&weights, channels / o->groups) || weights > STOA_MAX_DIMENSION) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "the weight has more than %zu elements",
                              STOA_MAX_DIMENSION);
    }
    weight_spec(o, channels, &layer->tensor[0]);
    layer->tensors = 1;
    if (o->bias) {
        stoa_tensor_plain(&layer->tensor[layer->tensors++], "bias", STOA_INIT_ZERO, o->filters);
    }
    return stoa_tensor_start(error, &o->init, o->bias, &layer->tensor[0]);
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    struct stoa_conv conv = problem(run->layer, run->planned_batch);
    conv.kept = run->keeps;
    return stoa_conv_layer_memory(run, &conv, false, memory);
}

static void prepare(const struct stoa_op_run *run) {
    stoa_conv_prepare(run->context, stoa_conv_layer_plan(run, STOA_LAYER_FORWARD), run->tensor[0],
                      run->prepared, NULL);
}

static void forward(const struct stoa_op_run *run) {
    struct stoa_conv_run pass = {.context = run->context,
                                 .batch = run->batch,
                                 .x = run->x[0],
                                 .weight = run->tensor[0],
                                 .prepared = run->prepared,
                                 .bias = run->tensor[1],
                                 .y = run->y,
                                 .workspace = run->workspace};
    pass.finish = stoa_finish_of(run, &pass.relu);
    stoa_conv_run(stoa_conv_layer_plan(run, STOA_LAYER_FORWARD), &pass);
}

static double flops(const struct stoa_layer *layer) {
    const struct conv2d_options *o = layer->options;
    size_t channels = layer->input[0].dim[2] / o->groups;
    return 2.0 * (double)stoa_shape_size(&layer->output) * (double)o->window.kernel.height *
           (double)o->window.kernel.width * (double)channels;
}

static void reference_forward(const struct stoa_op_reference *run) {
    struct stoa_conv conv = problem(run->layer, run->batch);
    stoa_reference_f64.conv2d(&conv.window, conv.batch, conv.filters, conv.groups, run->x[0], run->tensor[0],
                              run->tensor[1], run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    struct stoa_conv conv = problem(run->layer, run->batch);
    const struct stoa_window *w = &conv.window;
    stoa_reference_f64.conv2d_backward_weights(w, conv.batch, conv.filters, conv.groups, run->x[0], run->dy,
                                               run->dtensor[0]);
    if (run->dtensor[1]) {
        stoa_reference_f64.column_sums(run->dy, conv.batch * w->out_height * w->out_width, conv.filters,
                                       conv.filters, run->dtensor[1]);
    }
    if (run->dx[0]) {
        stoa_reference_f64.conv2d_backward_data(w, conv.batch, conv.filters, conv.groups, run->dy,
                                                run->tensor[0], run->dx[0]);
    }
}

static const struct stoa_op_example examples[] = {
    {"filters=6 kernel=5 pad=2", {"9x8x1"}, 3},
    {"filters=4 kernel=3x2 stride=2x1 pad=1x0", {"7x6x3"}, 2},
    {"filters=5 kernel=3 pad=same stride=2", {"6x7x2"}, 3},
    {"filters=5 kernel=2x4 pad=same_lower stride=1x2", {"4x6x2"}, 2},
    {"filters=4 kernel=3 pad=0,2,1,0", {"4x5x3"}, 2},
    {"filters=6 kernel=1x5 pad=0,3,0,1 stride=1x2", {"1x9x4"}, 3},
    {"filters=6 kernel=3 groups=6 pad=0,0,1,1 stride=2", {"6x6x6"}, 2},
    {"filters=4 kernel=3 dilation=2x1 bias=false", {"8x7x3"}, 2},
    {"filters=6 kernel=3 groups=2 pad=1", {"5x6x4"}, 5},
    {"filters=6 kernel=3 groups=6 pad=1 stride=2", {"6x5x6"}, 3},
    {"filters=8 kernel=3 groups=4", {"5x5x4"}, 2},
    {"filters=7 kernel=1", {"4x5x6"}, 17},
    {"filters=5 kernel=1 stride=2", {"5x4x3"}, 2},
    {"filters=150 kernel=3 pad=1 init=xavier", {"4x4x60"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_conv2d = {
    .name = "conv2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct conv2d_options),
    .plan_bytes = STOA_CONV_LAYER_BYTES,
    .needs = STOA_NEEDS_X,
    .needs_for_tensors = true,
    .finishes = 1 << STOA_FORWARD | 1 << STOA_BACKWARD,
    .fold = stoa_fold_last_axis,
    .infer = infer,
    .memory = memory,
    .prepare = prepare,
    .forward = forward,
    .backward = stoa_conv_layer_backward,
    .algorithm = stoa_conv_layer_describe,
    .flops = flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
