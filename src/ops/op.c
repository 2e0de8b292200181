/* SPDX-License-Identifier: MIT */
/* The registry of operators, layers made from lines, and helpers that operators share. */
#include "ops/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/size.h"
#include "core/threads.h"
#include "ops/ops_list.h" /* made from src/ops/meson.build: X(name) for every operator */

#define STOA_OP_DECLARE(name) extern const struct stoa_op stoa_op_##name;
STOA_OP_LIST(STOA_OP_DECLARE)
#undef STOA_OP_DECLARE

#define STOA_OP_ADDRESS(name) &stoa_op_##name,
const struct stoa_op *const stoa_ops[] = {STOA_OP_LIST(STOA_OP_ADDRESS) NULL};
#undef STOA_OP_ADDRESS

const float *const stoa_no_inputs[STOA_MAX_INPUTS];
float *const stoa_no_gradients[STOA_MAX_INPUTS];

const char *const stoa_init_choices[] = {
    "he", "xavier", "he_uniform", "xavier_uniform", "normal", "uniform", "orthogonal", "constant", NULL};

const struct stoa_op *stoa_op_find(const char *name) {
    for (size_t i = 0; stoa_ops[i]; i++) {
        if (strcmp(stoa_ops[i]->name, name) == 0) {
            return stoa_ops[i];
        }
    }
    return NULL;
}

static const char *name_at(bool losses, size_t index) {
    for (size_t i = 0; stoa_ops[i]; i++) {
        if (stoa_ops[i]->is_loss == losses && index-- == 0) {
            return stoa_ops[i]->name;
        }
    }
    return NULL;
}

const char *stoa_loss_at(const void *from, size_t index) {
    (void)from;
    return name_at(true, index);
}

const char *stoa_layer_at(const void *from, size_t index) {
    (void)from;
    return name_at(false, index);
}

stoa_status stoa_unknown_loss(struct stoa_error *error, const char *name) {
    return stoa_error_unknown(error, "loss", name, "", &(struct stoa_words){stoa_loss_at, NULL});
}

static stoa_status check_inputs(struct stoa_error *error, const struct stoa_op *op, size_t count) {
    if (count < op->least_inputs || count > op->most_inputs) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "found %zu inputs, expected %zu to %zu", count,
                              op->least_inputs, op->most_inputs);
    }
    return STOA_OK;
}

/* Batches multiply this again, so keep a wide margin. */
static stoa_status check_output(struct stoa_error *error, const struct stoa_shape *output) {
    size_t size = 1;
    for (size_t i = 0; i < output->rank; i++) {
        if (!stoa_size_scale(&size, output->dim[i]) || size > STOA_MAX_DIMENSION) {
            char text[STOA_SHAPE_TEXT];
            return stoa_error_set(error, STOA_ERR_SHAPE, "output %s has more than %zu elements",
                                  stoa_shape_text(output, text), STOA_MAX_DIMENSION);
        }
    }
    return STOA_OK;
}

stoa_status stoa_layer_read(struct stoa_error *error, struct stoa_spec *spec, const struct stoa_shape *inputs,
                            size_t count, struct stoa_layer *layer) {
    stoa_status status = check_inputs(error, layer->op, count);
    if (status == STOA_OK) {
        status = stoa_options_read(error, layer->op->options, layer->op->option_count, spec, layer->options);
    }
    if (status == STOA_OK) {
        layer->inputs = count;
        memcpy(layer->input, inputs, count * sizeof *inputs);
        status = layer->op->infer(error, layer);
    }
    return status == STOA_OK ? check_output(error, &layer->output) : status;
}

stoa_status stoa_layer_make(struct stoa_error *error, const char *name, struct stoa_spec *spec,
                            const struct stoa_shape *inputs, size_t count, struct stoa_layer *layer) {
    *layer = (struct stoa_layer){.op = stoa_op_find(spec->name)};
    if (!layer->op) {
        (void)stoa_error_unknown(error, "operator", spec->name, "",
                                 &(struct stoa_words){stoa_layer_at, NULL});
        return stoa_error_prefix(error, "layer '%.64s': ", name);
    }
    layer->name = strdup(name);
    layer->options = calloc(1, layer->op->options_bytes ? layer->op->options_bytes : 1);
    layer->input = calloc(stoa_max(1, count), sizeof *layer->input);
    if (!layer->name || !layer->options || !layer->input) {
        stoa_layer_clear(layer);
        return stoa_error_set(error, STOA_ERR_MEMORY, "layer '%.64s': out of memory", name);
    }
    stoa_status status = stoa_layer_read(error, spec, inputs, count, layer);
    if (status != STOA_OK) {
        stoa_layer_clear(layer);
        return stoa_error_prefix(error, "%s '%.64s': ", spec->name, name);
    }
    return STOA_OK;
}

const void *stoa_option_of(const struct stoa_layer *layer, const char *name) {
    for (size_t i = 0; i < layer->op->option_count; i++) {
        if (strcmp(layer->op->options[i].name, name) == 0) {
            return (const char *)layer->options + layer->op->options[i].offset;
        }
    }
    return NULL;
}

void stoa_layer_clear(struct stoa_layer *layer) {
    free(layer->name);
    free(layer->options);
    free(layer->input);
    layer->name = NULL;
    layer->options = NULL;
    layer->input = NULL;
}

stoa_status stoa_input_shape(struct stoa_error *error, size_t height, size_t width, size_t channels,
                             struct stoa_shape *shape) {
    size_t size = height;
    if (height == 0 || width == 0 || channels == 0 || !stoa_size_scale(&size, width) ||
        !stoa_size_scale(&size, channels) || size > STOA_MAX_DIMENSION) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found %zux%zux%zu, expected sizes from 1 and at most %zu elements", height,
                              width, channels, STOA_MAX_DIMENSION);
    }
    *shape = height == 1 && width == 1 ? (struct stoa_shape){.rank = 1, .dim = {channels}, .is_pixel = true}
                                       : (struct stoa_shape){.rank = 3, .dim = {height, width, channels}};
    return STOA_OK;
}

stoa_status stoa_infer_same(struct stoa_error *error, struct stoa_layer *layer) {
    (void)error;
    layer->output = layer->input[0];
    return STOA_OK;
}

stoa_status stoa_expect_image(struct stoa_error *error, struct stoa_layer *layer) {
    struct stoa_shape *input = &layer->input[0];
    if (input->is_pixel) {
        *input = (struct stoa_shape){.rank = 3, .dim = {1, 1, input->dim[0]}};
    }
    if (input->rank != 3) {
        char text[STOA_SHAPE_TEXT];
        return stoa_error_set(error, STOA_ERR_SHAPE, "found input of shape %s, expected an image HxWxC",
                              stoa_shape_text(input, text));
    }
    return STOA_OK;
}

stoa_status stoa_tensor_start(struct stoa_error *error, const struct stoa_init_options *options, bool bias,
                              struct stoa_tensor_spec *tensor) {
    const enum stoa_init kind = (enum stoa_init)options->kind;
    bool scaled = kind != STOA_INIT_NORMAL && kind != STOA_INIT_UNIFORM && kind != STOA_INIT_CONSTANT;
    bool fans = scaled && kind != STOA_INIT_ORTHOGONAL;
    const struct {
        const char *name;
        float value;
        bool taken, needed, scales;
    } numbers[] = {
        {"init_std", options->std, kind == STOA_INIT_NORMAL, kind == STOA_INIT_NORMAL, true},
        {"init_limit", options->limit, kind == STOA_INIT_UNIFORM, kind == STOA_INIT_UNIFORM, true},
        {"init_value", options->value, kind == STOA_INIT_CONSTANT, false, true},
        {"init_gain", options->gain, scaled, false, true},
        {"init_fan_bias", options->fan_bias, fans, false, false},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].value != 0 && !numbers[i].taken) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "init=%s does not take %s",
                                  stoa_init_choices[kind], numbers[i].name);
        }
        if (numbers[i].value == 0 && numbers[i].needed) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "init=%s needs %s", stoa_init_choices[kind],
                                  numbers[i].name);
        }
        if (numbers[i].taken && numbers[i].scales) {
            tensor->init_scale = numbers[i].value;
        }
    }
    tensor->init = kind;
    tensor->fan_in += options->fan_bias && bias;
    return STOA_OK;
}

void stoa_tensor_plain(struct stoa_tensor_spec *tensor, const char *suffix, enum stoa_init init,
                       size_t count) {
    *tensor = (struct stoa_tensor_spec){
        .suffix = suffix,
        .trainable = true,
        .init = init,
        .rank = 1,
        .shape = {count},
        .walk_rank = 1,
        .disk_dim = {count},
        .memory_stride = {1},
    };
}

void stoa_tensor_channels(struct stoa_tensor_spec *tensor, const char *suffix, enum stoa_init init,
                          const struct stoa_shape *shape) {
    stoa_tensor_plain(tensor, suffix, init, shape->dim[shape->rank - 1]);
    const size_t *image = shape->flattened;
    if (image[0] != 0) {
        size_t width = image[1];
        size_t channels = image[2];
        tensor->walk_rank = 3;
        tensor->disk_dim[0] = channels;
        tensor->disk_dim[1] = image[0];
        tensor->disk_dim[2] = width;
        tensor->memory_stride[0] = 1;
        tensor->memory_stride[1] = width * channels;
        tensor->memory_stride[2] = channels;
    }
}

size_t stoa_tensor_count(const struct stoa_tensor_spec *tensor) {
    size_t count = 1;
    for (size_t i = 0; i < tensor->rank; i++) {
        count *= tensor->shape[i];
    }
    return count;
}

struct range_loop {
    const struct stoa_op_run *run;
    size_t count, grain;
    stoa_range_fn *body;
};

static void run_range(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct range_loop *loop = argument;
    size_t first = task * loop->grain;
    loop->body(loop->run, first, stoa_min(loop->grain, loop->count - first));
}

void stoa_parallel_range(const struct stoa_op_run *run, size_t count, size_t grain, stoa_range_fn *body) {
    struct range_loop loop = {run, count, grain, body};
    stoa_parallel(run->context, stoa_ceil_div(count, grain), run_range, &loop);
}

size_t stoa_row_grain(size_t columns) {
    return stoa_max(1, STOA_GRAIN / columns);
}

size_t stoa_batch_size(const struct stoa_op_run *run, const struct stoa_shape *shape) {
    return run->batch * stoa_shape_size(shape);
}

static void run_epilogue(const void *with, float *numbers, size_t first, size_t count) {
    stoa_run_epilogue(with, numbers, first, count);
}

struct stoa_finish stoa_finish_of(const struct stoa_op_run *run, bool *relu) {
    const struct stoa_op_run *next = run->epilogue;
    bool native = relu && next && next->layer->op->is_relu && next->y == run->y;
    if (relu) {
        *relu = native;
    }
    if (native) {
        run = next;
    }
    return (struct stoa_finish){run->epilogue ? run_epilogue : NULL, run};
}

void stoa_fold_bias(const struct stoa_op_run *run, const float *scale, const float *shift, float *bias) {
    for (size_t c = 0; c < run->layer->output.dim[run->layer->output.rank - 1]; c++) {
        bias[c] = (run->tensor[1] ? run->tensor[1][c] * scale[c] : 0) + shift[c];
    }
}

void stoa_fold_last_axis(const struct stoa_op_run *run, const float *scale, const float *shift, float *weight,
                         float *bias) {
    size_t columns = run->layer->output.dim[run->layer->output.rank - 1];
    size_t count = stoa_tensor_count(&run->layer->tensor[0]);
    for (size_t i = 0; i < count; i++) {
        weight[i] = run->tensor[0][i] * scale[i % columns];
    }
    stoa_fold_bias(run, scale, shift, bias);
}

double stoa_no_flops(const struct stoa_layer *layer) {
    (void)layer;
    return 0;
}

void stoa_view_forward(const struct stoa_op_run *run) {
    if (run->y != run->x[0]) {
        memcpy(run->y, run->x[0], stoa_batch_size(run, &run->layer->output) * sizeof(float));
    }
}

void stoa_view_backward(const struct stoa_op_run *run) {
    if (run->dx[0] && run->dx[0] != run->dy) {
        memcpy(run->dx[0], run->dy, stoa_batch_size(run, &run->layer->output) * sizeof(float));
    }
}

void stoa_view_reference_forward(const struct stoa_op_reference *run) {
    memcpy(run->y, run->x[0], run->batch * stoa_shape_size(&run->layer->output) * sizeof(double));
}

void stoa_view_reference_backward(const struct stoa_op_reference *run) {
    memcpy(run->dx[0], run->dy, run->batch * stoa_shape_size(&run->layer->output) * sizeof(double));
}
