/* SPDX-License-Identifier: MIT */
/* linear: y = x W + b. An image as input counts as flattened.
 *
 * x (N, I), weight (I, O) in memory and (O, I) on disk, bias (O), y (N, O). Behind a flatten the I features
 * lie in H, W, C order in memory and in C, H, W order on disk, as in PyTorch; load and save permute.
 *   dx = dy W^T,  dW = x^T dy,  db = sum over n of dy. */
#include "base/size.h"
#include "core/threads.h"
#include "ops/op.h"
#include "product/product.h"

struct linear_options {
    size_t units;
    struct stoa_init_options init;
    bool bias;
};

static const struct stoa_option options[] = {
    {"units", STOA_OPTION_SIZE, offsetof(struct linear_options, units), NULL, 1, 1 << 24, NULL},
    {"bias", STOA_OPTION_BOOL, offsetof(struct linear_options, bias), "true", 0, 0, NULL},
    STOA_INIT_OPTION_TABLE(struct linear_options, init),
};

static size_t inputs_of(const struct stoa_layer *layer) {
    return stoa_shape_size(&layer->input[0]);
}

static size_t units_of(const struct stoa_layer *layer) {
    return layer->output.dim[0];
}

static void weight_spec(const struct stoa_layer *layer, const struct linear_options *o,
                        struct stoa_tensor_spec *tensor) {
    size_t in = inputs_of(layer);
    size_t out = o->units;
    *tensor = (struct stoa_tensor_spec){
        .suffix = "weight",
        .trainable = true,
        .decays = true,
        .fan_in = in,
        .fan_out = out,
        .rank = 2,
        .shape = {out, in},
        .walk_rank = 2,
        .disk_dim = {out, in},
        .memory_stride = {1, out},
    };
    const size_t *image = layer->input[0].rank == 3 ? layer->input[0].dim : layer->input[0].flattened;
    if (image[0] != 0) {
        size_t width = image[1];
        size_t channels = image[2];
        tensor->walk_rank = 4;
        tensor->disk_dim[1] = channels;
        tensor->disk_dim[2] = image[0];
        tensor->disk_dim[3] = width;
        tensor->memory_stride[1] = out;
        tensor->memory_stride[2] = width * channels * out;
        tensor->memory_stride[3] = channels * out;
    }
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct linear_options *o = layer->options;
    size_t weights;
    if (!stoa_size_mul(inputs_of(layer), o->units, &weights) || weights > STOA_MAX_DIMENSION) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "the weight %zux%zu has more than %zu elements",
                              o->units, inputs_of(layer), STOA_MAX_DIMENSION);
    }
    layer->output = (struct stoa_shape){.rank = 1, .dim = {o->units}};
    weight_spec(layer, o, &layer->tensor[0]);
    layer->tensors = 1;
    if (o->bias) {
        stoa_tensor_plain(&layer->tensor[layer->tensors++], "bias", STOA_INIT_ZERO, o->units);
    }
    return stoa_tensor_start(error, &o->init, o->bias, &layer->tensor[0]);
}

/* Bias and epilogue of rows. */
static void finish_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t units = units_of(run->layer);
    float *y = run->y + first * units;
    bool relu;
    struct stoa_finish finish = stoa_finish_of(run, run->tensor[1] ? &relu : NULL);
    if (run->tensor[1]) {
        run->context->kernels->bias_act(y, count, units, units, run->tensor[1], relu);
    }
    stoa_finish(&finish, y, first * units, count * units);
}

static void finish_gradient(const struct stoa_op_run *run, size_t first, size_t count) {
    stoa_run_epilogue(run, run->dx[0] + first, first, count);
}

/* x W for so many rows. */
static struct stoa_gemm product_of(const struct stoa_op_run *run, size_t rows) {
    size_t in = inputs_of(run->layer);
    size_t units = units_of(run->layer);
    return (struct stoa_gemm){.m = rows,
                              .n = units,
                              .k = in,
                              .alpha = 1,
                              .a = run->x[0],
                              .lda = in,
                              .b = run->tensor[0],
                              .ldb = units,
                              .c = run->y,
                              .ldc = units};
}

/* That of the planned batch, with the panels that the weight is kept in. */
static struct stoa_gemm kept_of(const struct stoa_op_run *run) {
    struct stoa_gemm product = product_of(run, run->planned_batch);
    product.packed_columns = stoa_kept_columns(run->context, &product);
    return product;
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    struct stoa_gemm kept = kept_of(run);
    return kept.packed_columns == 0 || stoa_float_bytes(stoa_panel_floats(kept.k, kept.n), &memory->prepared);
}

static void prepare(const struct stoa_op_run *run) {
    struct stoa_gemm kept = kept_of(run);
    stoa_pack_panels(run->context, &kept, run->prepared);
}

static void forward(const struct stoa_op_run *run) {
    size_t units = units_of(run->layer);
    struct stoa_gemm product = product_of(run, run->batch);
    if (run->prepared) {
        product.packed = run->prepared;
        product.packed_columns = kept_of(run).packed_columns;
    }
    stoa_product(run->context, &product);
    if (run->tensor[1] || run->epilogue) {
        stoa_parallel_range(run, run->batch, stoa_row_grain(units), finish_rows);
    }
}

static void bias_gradient(const struct stoa_op_run *run, size_t first, size_t count) {
    run->context->kernels->column_sums(run->dy + first, run->batch, count, units_of(run->layer),
                                       run->dtensor[1] + first);
}

static void multiply_back(const struct stoa_op_run *run, size_t in, size_t units) {
    if (run->dtensor[0]) {
        stoa_product(run->context, &(struct stoa_gemm){.transpose_a = true,
                                                       .m = in,
                                                       .n = units,
                                                       .k = run->batch,
                                                       .alpha = 1,
                                                       .a = run->x[0],
                                                       .lda = in,
                                                       .b = run->dy,
                                                       .ldb = units,
                                                       .c = run->dtensor[0],
                                                       .ldc = units});
    }
    if (run->dx[0]) {
        stoa_product(run->context, &(struct stoa_gemm){.transpose_b = true,
                                                       .m = run->batch,
                                                       .n = in,
                                                       .k = units,
                                                       .alpha = 1,
                                                       .a = run->dy,
                                                       .lda = units,
                                                       .b = run->tensor[0],
                                                       .ldb = units,
                                                       .c = run->dx[0],
                                                       .ldc = in});
    }
}

static void backward(const struct stoa_op_run *run) {
    size_t in = inputs_of(run->layer);
    size_t units = units_of(run->layer);
    multiply_back(run, in, units);
    if (run->epilogue) {
        stoa_parallel_range(run, stoa_batch_size(run, &run->layer->input[0]), STOA_GRAIN, finish_gradient);
    }
    if (run->dtensor[1]) {
        stoa_parallel_range(run, units, 64, bias_gradient);
    }
}

static double flops(const struct stoa_layer *layer) {
    return 2.0 * (double)inputs_of(layer) * (double)units_of(layer);
}

static void reference_forward(const struct stoa_op_reference *run) {
    size_t in = inputs_of(run->layer);
    size_t units = units_of(run->layer);
    stoa_reference_f64.gemm(false, false, run->batch, units, in, 1, run->x[0], in, run->tensor[0], units, 0,
                            run->y, units);
    if (run->tensor[1]) {
        stoa_reference_f64.bias_act(run->y, run->batch, units, units, run->tensor[1], false);
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t in = inputs_of(run->layer);
    size_t units = units_of(run->layer);
    stoa_reference_f64.gemm(true, false, in, units, run->batch, 1, run->x[0], in, run->dy, units, 0,
                            run->dtensor[0], units);
    if (run->dtensor[1]) {
        stoa_reference_f64.column_sums(run->dy, run->batch, units, units, run->dtensor[1]);
    }
    if (run->dx[0]) {
        stoa_reference_f64.gemm(false, true, run->batch, in, units, 1, run->dy, units, run->tensor[0], units,
                                0, run->dx[0], in);
    }
}

static const struct stoa_op_example examples[] = {
    {"units=10", {"7"}, 5},
    {"units=10", {"7"}, 1},
    {"units=300", {"131"}, 1},
    {"units=150 bias=false", {"200"}, 140},
    {"units=3 init=xavier", {"2x3x4"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_linear = {
    .name = "linear",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct linear_options),
    .needs = STOA_NEEDS_X,
    .needs_for_tensors = true,
    .finishes = 1 << STOA_FORWARD | 1 << STOA_BACKWARD,
    .fold = stoa_fold_last_axis,
    .infer = infer,
    .memory = memory,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
