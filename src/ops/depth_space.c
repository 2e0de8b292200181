/* SPDX-License-Identifier: MIT */
#include "ops/depth_space.h"

#include "core/threads.h"

enum { DCR, CRD };
const char *const stoa_depth_space_modes[] = {"dcr", "crd", NULL};

struct exchange {
    const struct stoa_op_run *run;
    const size_t *deep, *wide;
    const float *from;
    float *to;
    bool to_space;
};

/* One row of squares. Numbers of a wide row of a square lie together in the deep pixel, as they do in the
 * wide row, or with mode=crd as its transpose. */
static void exchange_row(void *argument, size_t row, size_t thread) {
    (void)thread;
    const struct exchange *e = argument;
    const struct stoa_kernels *k = e->run->context->kernels;
    const struct stoa_depth_space_options *o = e->run->layer->options;
    const size_t block = o->block;
    const size_t channels = e->wide[2];
    const size_t piece = block * channels;
    const size_t wide_row = e->wide[1] * channels;
    const size_t square = block * block;
    for (size_t w = 0; w < e->deep[1]; w++) {
        const size_t pixel = (row * e->deep[1] + w) * e->deep[2];
        for (size_t i = 0; i < block; i++) {
            const size_t at = (row * block + i) * wide_row + w * piece;
            if (o->mode == DCR) {
                const size_t in = pixel + i * piece;
                k->copy_rows(e->from + (e->to_space ? in : at), 1, piece, piece,
                             e->to + (e->to_space ? at : in), piece);
            } else if (e->to_space) {
                k->transpose(e->from + pixel + i * block, channels, block, square, e->to + at, channels);
            } else {
                k->transpose(e->from + at, block, channels, channels, e->to + pixel + i * block, square);
            }
        }
    }
}

static void exchange(const struct stoa_op_run *run, const struct stoa_shape *deep,
                     const struct stoa_shape *wide, bool to_space, const float *from, float *to) {
    struct exchange e = {run, deep->dim, wide->dim, from, to, to_space};
    stoa_parallel(run->context, run->batch * deep->dim[0], exchange_row, &e);
}

void stoa_depth_to_space(const struct stoa_op_run *run, const struct stoa_shape *deep,
                         const struct stoa_shape *wide, const float *from, float *to) {
    exchange(run, deep, wide, true, from, to);
}

void stoa_space_to_depth(const struct stoa_op_run *run, const struct stoa_shape *deep,
                         const struct stoa_shape *wide, const float *from, float *to) {
    exchange(run, deep, wide, false, from, to);
}

void stoa_depth_space_reference(const struct stoa_op_reference *run, const struct stoa_shape *deep,
                                const struct stoa_shape *wide, bool to_space, const double *from,
                                double *to) {
    const struct stoa_depth_space_options *o = run->layer->options;
    const size_t channels = wide->dim[2];
    for (size_t i = 0; i < run->batch * stoa_shape_size(wide); i++) {
        const size_t c = i % channels;
        const size_t column = i / channels % wide->dim[1];
        const size_t row = i / channels / wide->dim[1]; /* of the batch */
        const size_t pixel = row / o->block * deep->dim[1] + column / o->block;
        const size_t tap = row % o->block * o->block + column % o->block;
        const size_t channel = o->mode == DCR ? tap * channels + c : c * o->block * o->block + tap;
        const size_t other = pixel * deep->dim[2] + channel;
        to[to_space ? i : other] = from[to_space ? other : i];
    }
}
