/* SPDX-License-Identifier: MIT */
/* Operands of combinations: the shapes that go together, and where numbers lie. */
#include "ops/operand.h"

#include <string.h>

#include "base/size.h"
#include "ops/block_sums.h"

const struct stoa_option stoa_combine_options[STOA_COMBINE_OPTIONS] = {
    {"value", STOA_OPTION_LIST, offsetof(struct stoa_combine_options, value), "", -3e38, 3e38, NULL},
    {"size", STOA_OPTION_PAIR, offsetof(struct stoa_combine_options, size), "", 1, 1 << 20, NULL},
    {"channels", STOA_OPTION_SIZE, offsetof(struct stoa_combine_options, channels), "", 1, 1 << 30, NULL},
    {"trainable", STOA_OPTION_BOOL, offsetof(struct stoa_combine_options, trainable), "false", 0, 0, NULL},
    {"reverse", STOA_OPTION_BOOL, offsetof(struct stoa_combine_options, reverse), "false", 0, 0, NULL},
};

enum { H = STOA_EXTENT_HEIGHT, W = STOA_EXTENT_WIDTH, C = STOA_EXTENT_CHANNELS, AXES = STOA_EXTENT_AXES };

static struct stoa_extent extent_of(const struct stoa_shape *shape) {
    return shape->rank == 3 ? (struct stoa_extent){{shape->dim[H], shape->dim[W], shape->dim[C]}}
                            : (struct stoa_extent){{1, 1, stoa_max(1, shape->dim[0])}};
}

size_t stoa_extent_count(const struct stoa_extent *extent) {
    return extent->size[H] * extent->size[W] * extent->size[C];
}

/* Whether the other operand of an only input is a tensor, else it is `value`. */
static bool has_tensor(const struct stoa_combine_options *o) {
    return o->size.height > 0 || o->channels > 0;
}

static struct stoa_extent constant_extent(const struct stoa_combine_options *o) {
    return has_tensor(o) ? (struct stoa_extent){{stoa_max(1, o->size.height), stoa_max(1, o->size.width),
                                                 stoa_max(1, o->channels)}}
                         : (struct stoa_extent){{1, 1, o->value.count}};
}

/* ---- Shapes ---- */

static stoa_status fail_shapes(struct stoa_error *error, const struct stoa_extent *a,
                               const struct stoa_extent *b) {
    return stoa_error_set(error, STOA_ERR_SHAPE,
                          "found operands of shapes %zux%zux%zu and %zux%zux%zu, expected sizes that are "
                          "equal or 1",
                          a->size[H], a->size[W], a->size[C], b->size[H], b->size[W], b->size[C]);
}

static stoa_status extend(struct stoa_error *error, struct stoa_extent *all, const struct stoa_extent *more) {
    struct stoa_extent both = *all;
    for (size_t i = 0; i < AXES; i++) {
        if (more->size[i] != both.size[i] && more->size[i] != 1 && both.size[i] != 1) {
            return fail_shapes(error, all, more);
        }
        both.size[i] = stoa_max(both.size[i], more->size[i]);
    }
    *all = both;
    return STOA_OK;
}

/* Behind a flatten features stand in H, W, C order in memory and in C, H, W order in files. */
static bool is_reordered(const struct stoa_shape *shape) {
    return shape->rank == 1 && shape->flattened[2] > 1 && shape->flattened[0] * shape->flattened[1] > 1;
}

static stoa_status check_orders(struct stoa_error *error, const struct stoa_layer *layer) {
    for (size_t k = 0; k < layer->inputs; k++) {
        for (size_t j = 0; j < layer->inputs; j++) {
            const struct stoa_shape *other = &layer->input[j];
            if (is_reordered(&layer->input[k]) && stoa_shape_size(other) > 1 &&
                memcmp(layer->input[k].flattened, other->flattened, sizeof other->flattened) != 0) {
                return stoa_error_set(
                    error, STOA_ERR_SHAPE,
                    "found a flattened image and plain features: their orders differ between memory and "
                    "files; put a linear layer between");
            }
        }
    }
    return STOA_OK;
}

static void set_tensor(struct stoa_layer *layer, const struct stoa_combine_options *o) {
    struct stoa_tensor_spec *tensor = &layer->tensor[0];
    struct stoa_extent e = constant_extent(o);
    stoa_tensor_plain(tensor, "value", STOA_INIT_ONE, e.size[C]);
    if (e.size[H] * e.size[W] > 1) {
        const size_t order[] = {C, H, W};
        const size_t stride[] = {1, e.size[W] * e.size[C], e.size[C]};
        tensor->rank = tensor->walk_rank = 3;
        for (size_t i = 0; i < 3; i++) {
            tensor->shape[i] = tensor->disk_dim[i] = e.size[order[i]];
            tensor->memory_stride[i] = stride[i];
        }
    } else if (is_reordered(&layer->input[0]) && e.size[C] > 1) {
        stoa_tensor_channels(tensor, "value", STOA_INIT_ONE, &layer->input[0]);
    }
    tensor->trainable = o->trainable;
    layer->tensors = 1;
}

/* The constant beside an only input. */
static stoa_status check_constant(struct stoa_error *error, const struct stoa_layer *layer,
                                  const struct stoa_combine_options *o) {
    if (has_tensor(o) == (o->value.count > 0)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found one input and %s, expected a second input, or `value`, or `size` and "
                              "`channels` of a tensor",
                              has_tensor(o) ? "both a value and a tensor" : "no constant");
    }
    if (o->trainable && !has_tensor(o)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found trainable=true and a value, expected `size` or `channels` of a tensor");
    }
    if (o->value.count > 1 && is_reordered(&layer->input[0])) {
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "found %zu values for a flattened image, expected one: its order differs "
                              "between memory and files",
                              o->value.count);
    }
    return STOA_OK;
}

stoa_status stoa_combine_infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct stoa_combine_options *o = layer->options;
    struct stoa_extent all = extent_of(&layer->input[0]);
    bool is_image = layer->input[0].rank == 3;
    stoa_status status = check_orders(error, layer);
    for (size_t k = 1; status == STOA_OK && k < layer->inputs; k++) {
        struct stoa_extent more = extent_of(&layer->input[k]);
        status = extend(error, &all, &more);
        is_image = is_image || layer->input[k].rank == 3;
    }
    if (status == STOA_OK && layer->inputs == 1) {
        struct stoa_extent more = constant_extent(o);
        status = check_constant(error, layer, o);
        status = status == STOA_OK ? extend(error, &all, &more) : status;
    } else if (status == STOA_OK && (has_tensor(o) || o->value.count > 0 || o->trainable || o->reverse)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found %zu inputs and a constant, expected options of a constant with one "
                              "input only",
                              layer->inputs);
    }
    if (status != STOA_OK) {
        return status;
    }
    layer->output = is_image || all.size[H] * all.size[W] > 1
                        ? (struct stoa_shape){.rank = 3, .dim = {all.size[H], all.size[W], all.size[C]}}
                        : (struct stoa_shape){.rank = 1, .dim = {all.size[C]}};
    for (size_t k = layer->inputs; k-- > 0;) {
        layer->output = stoa_shape_equal(&layer->input[k], &layer->output) ? layer->input[k] : layer->output;
    }
    if (layer->inputs == 1 && has_tensor(o)) {
        set_tensor(layer, o);
    }
    return STOA_OK;
}

bool stoa_combine_memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    const struct stoa_layer *layer = run->layer;
    bool learns = run->training && !run->frozen && layer->tensors > 0 && layer->tensor[0].trainable;
    return !learns || stoa_block_sums_bytes(run, stoa_tensor_count(&layer->tensor[0]),
                                            &memory->workspace[STOA_BACKWARD]);
}

/* ---- Where operands lie ---- */

size_t stoa_operands_of(const struct stoa_layer *layer) {
    return stoa_max(2, layer->inputs);
}

size_t stoa_operand_of_input(const struct stoa_layer *layer, size_t input) {
    return layer->inputs == 1 ? ((const struct stoa_combine_options *)layer->options)->reverse : input;
}

struct stoa_operand stoa_operand_of(const struct stoa_layer *layer, size_t which) {
    struct stoa_operand p = {.input = which, .result = extent_of(&layer->output)};
    if (layer->inputs == 1) {
        p.input = stoa_operand_of_input(layer, 0) == which ? 0 : STOA_MAX_INPUTS;
    }
    bool is_constant = p.input == STOA_MAX_INPUTS;
    p.extent = is_constant ? constant_extent(layer->options) : extent_of(&layer->input[p.input]);
    size_t count = stoa_extent_count(&p.extent);
    const size_t along[AXES] = {p.extent.size[W] * p.extent.size[C], p.extent.size[C], 1};
    for (size_t i = 0; i < AXES; i++) {
        p.stride[i] = p.extent.size[i] > 1 ? along[i] : 0;
    }
    p.sample = is_constant ? 0 : count;
    p.is_dense = !is_constant && count == stoa_extent_count(&p.result);
    return p;
}

size_t stoa_operand_at(const struct stoa_operand *p, size_t place, size_t *run) {
    const size_t *size = p->result.size;
    size_t c = place % size[C];
    size_t w = place / size[C] % size[W];
    size_t h = place / (size[C] * size[W]) % size[H];
    size_t sample = place / (size[C] * size[W] * size[H]);
    *run = size[C] - c;
    return sample * p->sample + h * p->stride[H] + w * p->stride[W] + c * p->stride[C];
}

const float *stoa_operand_numbers(const struct stoa_operand *p, const float *data, size_t first, size_t count,
                                  float *held) {
    if (p->is_dense) {
        return data + first;
    }
    for (size_t done = 0, run; done < count; done += run) {
        const float *from = data + stoa_operand_at(p, first + done, &run);
        run =
            stoa_extent_count(&p->extent) == 1 && p->sample == 0 ? count - done : stoa_min(run, count - done);
        if (p->stride[C] == 1) {
            memcpy(held + done, from, run * sizeof *held);
        } else {
            for (size_t i = 0; i < run; i++) {
                held[done + i] = *from;
            }
        }
    }
    return held;
}

void stoa_operand_add(const struct stoa_kernels *kernels, const struct stoa_operand *p, const float *numbers,
                      size_t first, size_t count, float *data) {
    for (size_t done = 0, run; done < count; done += run) {
        float *to = data + stoa_operand_at(p, first + done, &run);
        run = stoa_min(run, count - done);
        if (p->stride[C] == 1) {
            kernels->accumulate(numbers + done, to, run);
        } else {
            float sum;
            kernels->sum(numbers + done, run, &sum);
            *to += sum;
        }
    }
}

const float *stoa_operand_data(const struct stoa_op_run *run, const struct stoa_operand *p) {
    return p->input < STOA_MAX_INPUTS ? run->x[p->input]
           : run->layer->tensors > 0
               ? run->tensor[0]
               : ((const struct stoa_combine_options *)run->layer->options)->value.value;
}
