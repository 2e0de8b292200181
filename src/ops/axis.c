/* SPDX-License-Identifier: MIT */
/* Softmax and its logarithm over an axis. */
#include "ops/axis.h"

#include <math.h>

#include "base/size.h"
#include "core/threads.h"

enum { CHANNELS, HEIGHT, WIDTH, SAMPLE };
static const char *const axes[] = {"channels", "height", "width", "sample", NULL};

const struct stoa_option stoa_axis_options[STOA_AXIS_OPTIONS] = {
    {"axis", STOA_OPTION_CHOICE, offsetof(struct stoa_axis_options, axis), "channels", 0, 0, axes},
};

/* Without options, as stateless calls have it: the channels. */
static size_t axis_of(const struct stoa_layer *layer) {
    return layer->options ? ((const struct stoa_axis_options *)layer->options)->axis : CHANNELS;
}

stoa_status stoa_axis_infer(struct stoa_error *error, struct stoa_layer *layer) {
    stoa_status status =
        axis_of(layer) == HEIGHT || axis_of(layer) == WIDTH ? stoa_expect_image(error, layer) : STOA_OK;
    layer->output = layer->input[0];
    return status;
}

/* A sample as [outer][along][inner] with the axis in the middle. */
struct axis_block {
    size_t outer, along, inner;
};

static struct axis_block block_of(const struct stoa_layer *layer) {
    const size_t *dim = layer->output.dim;
    size_t size = stoa_shape_size(&layer->output);
    size_t channels = dim[layer->output.rank - 1];
    switch (axis_of(layer)) {
    case HEIGHT:
        return (struct axis_block){1, dim[0], dim[1] * dim[2]};
    case WIDTH:
        return (struct axis_block){dim[0], dim[1], dim[2]};
    case SAMPLE:
        return (struct axis_block){1, size, 1};
    default:
        return (struct axis_block){size / channels, channels, 1};
    }
}

/* Rows where the numbers of one do not lie together. */
bool stoa_axis_memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    size_t count;
    if (block_of(run->layer).inner == 1) {
        return true;
    }
    return stoa_size_mul(run->planned_batch, stoa_shape_size(&run->layer->output), &count) &&
           stoa_float_bytes(count, &memory->workspace[STOA_FORWARD]) &&
           (!run->training ||
            (stoa_size_scale(&count, 2) && stoa_float_bytes(count, &memory->workspace[STOA_BACKWARD])));
}

struct axis_loop {
    const struct stoa_op_run *run;
    struct axis_block block;
    bool is_log;
    size_t blocks, grain;
};

static struct axis_loop loop_of(const struct stoa_op_run *run, bool is_log) {
    struct axis_block block = block_of(run->layer);
    return (struct axis_loop){run, block, is_log, run->batch * block.outer,
                              stoa_row_grain(block.along * block.inner * 16)};
}

static void forward_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct axis_loop *loop = argument;
    const struct stoa_kernels *k = loop->run->context->kernels;
    struct axis_block b = loop->block;
    size_t end = stoa_min(loop->blocks, (task + 1) * loop->grain);
    for (size_t i = task * loop->grain; i < end; i++) {
        size_t at = i * b.along * b.inner;
        const float *x = loop->run->x[0] + at;
        float *y = loop->run->y + at;
        float *rows = b.inner == 1 ? y : (float *)loop->run->workspace + at;
        if (b.inner > 1) {
            k->transpose(x, b.along, b.inner, b.inner, rows, b.along);
            x = rows;
        }
        (loop->is_log ? k->log_softmax : k->softmax)(x, b.inner, b.along, rows);
        if (b.inner > 1) {
            k->transpose(rows, b.inner, b.along, b.along, y, b.inner);
        }
    }
}

void stoa_axis_forward(const struct stoa_op_run *run, bool is_log) {
    struct axis_loop loop = loop_of(run, is_log);
    stoa_parallel(run->context, stoa_ceil_div(loop.blocks, loop.grain), forward_task, &loop);
}

static void backward_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct axis_loop *loop = argument;
    const struct stoa_kernels *k = loop->run->context->kernels;
    struct axis_block b = loop->block;
    size_t end = stoa_min(loop->blocks, (task + 1) * loop->grain);
    for (size_t i = task * loop->grain; i < end; i++) {
        size_t size = b.along * b.inner;
        const float *y = loop->run->y + i * size;
        const float *dy = loop->run->dy + i * size;
        float *dx = loop->run->dx[0] + i * size;
        float *rows = b.inner == 1 ? dx : (float *)loop->run->workspace + 2 * i * size;
        if (b.inner > 1) {
            k->transpose(dy, b.along, b.inner, b.inner, rows, b.along);
            k->transpose(y, b.along, b.inner, b.inner, rows + size, b.along);
            dy = rows;
            y = rows + size;
        }
        (loop->is_log ? k->log_softmax_backward : k->softmax_backward)(y, dy, b.inner, b.along, rows);
        if (b.inner > 1) {
            k->transpose(rows, b.inner, b.along, b.along, dx, b.inner);
        }
    }
}

void stoa_axis_backward(const struct stoa_op_run *run, bool is_log) {
    if (run->dx[0]) {
        struct axis_loop loop = loop_of(run, is_log);
        stoa_parallel(run->context, stoa_ceil_div(loop.blocks, loop.grain), backward_task, &loop);
    }
}

/* A column of the reference: from its first number on, `inner` apart. */
static void reference_column(const double *x, struct axis_block b, bool is_log, double *y) {
    double top = x[0];
    double sum = 0;
    for (size_t j = 1; j < b.along; j++) {
        top = fmax(top, x[j * b.inner]);
    }
    for (size_t j = 0; j < b.along; j++) {
        sum += exp(x[j * b.inner] - top);
    }
    for (size_t j = 0; j < b.along; j++) {
        double shifted = x[j * b.inner] - top;
        y[j * b.inner] = is_log ? shifted - log(sum) : exp(shifted) / sum;
    }
}

void stoa_axis_reference_forward(const struct stoa_op_reference *run, bool is_log) {
    struct axis_block b = block_of(run->layer);
    for (size_t i = 0; i < run->batch * b.outer * b.inner; i++) {
        size_t at = i / b.inner * b.along * b.inner + i % b.inner;
        reference_column(run->x[0] + at, b, is_log, run->y + at);
    }
}

void stoa_axis_reference_backward(const struct stoa_op_reference *run, bool is_log) {
    struct axis_block b = block_of(run->layer);
    stoa_axis_reference_forward(run, is_log);
    for (size_t i = 0; i < run->batch * b.outer * b.inner; i++) {
        size_t at = i / b.inner * b.along * b.inner + i % b.inner;
        const double *y = run->y + at;
        const double *dy = run->dy + at;
        double sum = 0;
        for (size_t j = 0; j < b.along * b.inner; j += b.inner) {
            sum += is_log ? dy[j] : y[j] * dy[j];
        }
        for (size_t j = 0; j < b.along * b.inner; j += b.inner) {
            run->dx[0][at + j] = is_log ? dy[j] - exp(y[j]) * sum : y[j] * (dy[j] - sum);
        }
    }
}
