/* SPDX-License-Identifier: MIT */
/* dropout: in training each value is zero with probability p, the others are scaled by 1 / (1 - p)
 * (Srivastava et al. 2014); in evaluation, or
 * frozen, y = x. Any shape; in place.
 *
 * The mask follows from seed, step, layer and element alone, so backward computes it again and nothing is
 * saved. */
#include <string.h>

#include "base/random.h"
#include "ops/op.h"

struct dropout_options {
    float p;
};

static const struct stoa_option options[] = {
    {"p", STOA_OPTION_FLOAT, offsetof(struct dropout_options, p), "0.5", 0, 0.999, NULL},
};

/* A value is kept when its random word is at least this. */
static uint32_t threshold(const struct stoa_layer *layer) {
    return (uint32_t)((double)((const struct dropout_options *)layer->options)->p * 0x1p32);
}

static double scale(const struct stoa_layer *layer) {
    return 1.0 / (1.0 - (double)((const struct dropout_options *)layer->options)->p);
}

/* Layer and step share the stream's number: 16 and 40 bits. */
static uint64_t stream(size_t layer_number, uint64_t step) {
    return stoa_random_stream_id(STOA_RANDOM_DROPOUT, (uint64_t)layer_number << 40 | (step & 0xFFFFFFFFFFU));
}

/* Drop, where the run is one of training. */
static void drop(const struct stoa_op_run *run, size_t first, size_t count, const float *in, float *out) {
    size_t begin = run->first_sample * stoa_shape_size(&run->layer->output) + first;
    if (run->training && !run->frozen) {
        run->context->kernels->dropout(in, out, begin, count, run->seed, stream(run->layer_number, run->step),
                                       threshold(run->layer), (float)scale(run->layer));
    } else if (out != in) {
        memcpy(out, in, count * sizeof *out);
    }
}

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    drop(run, p->first, p->count, p->x, p->y);
}

static void map_backward(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    drop(run, p->first, p->count, p->dy, p->dx);
}

static void reference_mask(const struct stoa_op_reference *run, const double *in, double *out) {
    size_t count = run->batch * stoa_shape_size(&run->layer->output);
    if (run->training && !run->frozen) {
        stoa_reference_f64.dropout(in, out, 0, count, run->seed, stream(run->layer_number, run->step),
                                   threshold(run->layer), scale(run->layer));
    } else {
        memcpy(out, in, count * sizeof *in);
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    reference_mask(run, run->x[0], run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    reference_mask(run, run->dy, run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"p=0.3", {"3x5x7"}, 2},
    {"", {"5000"}, 7},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_dropout = {
    .name = "dropout",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct dropout_options),
    .in_place = true,
    .gradient_in_place = true,
    .infer = stoa_infer_same,
    .map = map,
    .map_backward = map_backward,
    .forward = stoa_map_forward,
    .backward = stoa_map_backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
