/* SPDX-License-Identifier: MIT */
/* The layers to measure: what they are, their three passes, and whether a pass is right. */
#ifndef STOA_BENCH_LAYER_H
#define STOA_BENCH_LAYER_H

#include "bench/bench.h"
#include "conv/conv.h"

/* A linear layer is a 1x1 convolution of 1x1 images in all but the code that runs it. */
struct bench_layer {
    char name[64];
    bool linear;
    bool first; /* of its network: no backward data in a training step */
    struct stoa_conv conv;
};

struct bench_layers {
    struct bench_layer *layer;
    size_t count;
};

/* The layers of --layers or the list that ships, or the problems given as operands. CLI_DONE, or CLI_WRONG
 * with the sentence printed. */
int bench_layers_read(const struct bench *bench, struct bench_layers *layers);
/* The layer of this name whose shape bench_layer_shape() wrote. The same codes. */
int bench_layer_of_shape(const char *name, const char *shape, bool linear, struct bench_layer *layer);
void bench_layers_free(struct bench_layers *layers);

enum { BENCH_PASSES = 3 };
extern const char *const bench_pass_names[BENCH_PASSES]; /* in the order of enum stoa_conv_pass */

/* Draw inputs, uniform in [-0.5, 0.5): sums neither grow nor vanish. */
void bench_draw(float *numbers, size_t count, uint64_t key);

/* Whether --filter wants this pass, and a training step runs it. */
bool bench_layer_wanted(const struct bench *bench, const struct bench_layer *layer, size_t pass);
/* "n64 c6 h14 w14 ..." for the JSON; from malloc. */
char *bench_layer_shape(const struct stoa_conv *conv);

size_t bench_layer_rows(const struct stoa_conv *conv);    /* output rows of the batch */
size_t bench_layer_input(const struct stoa_conv *conv);   /* floats of x */
size_t bench_layer_weights(const struct stoa_conv *conv); /* floats of the weight */
size_t bench_layer_output(const struct stoa_conv *conv);  /* floats of y */
/* Multiplications and additions of any pass, counted as a direct convolution. */
double bench_layer_flops(const struct stoa_conv *conv);

/* A layer with its numbers: inputs in [-0.5, 0.5), the same in every run. */
struct bench_work {
    const struct bench_layer *layer;
    stoa_context *context;
    const float *x, *weight, *dy;
    struct stoa_conv_plan plan[BENCH_PASSES]; /* once, as a model does; without algorithm in linear layers */
    float *out[BENCH_PASSES];                 /* y, dx, dweight */
    size_t out_count[BENCH_PASSES];
    void *scratch[BENCH_PASSES];
    void *prepared; /* weights for the forward pass; NULL: it takes them as they are */
    char algorithm[BENCH_PASSES][80];
};

/* False, with the sentence printed, when there is no memory. Release in any case. */
bool bench_work_make(stoa_context *context, const struct bench_layer *layer, struct bench_work *work);
void bench_work_free(struct bench_work *work);
/* From now on the forward pass finds its weights ready, as an inference plan keeps them, where its algorithm
 * prepares any. False, with the sentence printed, when there is no memory. */
bool bench_work_prepare(struct bench_work *work);
/* The same pass of the same layer by another plan, into the same output: for that pass only. Release as the
 * other, and before it. */
bool bench_work_make_other(const struct bench_work *work, const struct stoa_conv_plan *plan,
                           struct bench_work *other);
void bench_work_free_other(struct bench_work *other, enum stoa_conv_pass pass);
void bench_work_run(const struct bench_work *work, enum stoa_conv_pass pass);

/* How far an output is from the double reference. */
struct bench_error {
    double largest; /* |error| over the largest sum(|x||w|) of what was looked at; NaN when a number is not
                     * finite */
    double bound;
    size_t looked_at, of;
    bool right;
};

/* Compare out with a direct double convolution: every number of a small layer, a fixed sample of a large one;
 * all numbers must be finite. Only the first `rows` output rows of the batch are computed (or summed
 * over). */
struct bench_error bench_verify(const struct bench_work *work, enum stoa_conv_pass pass, size_t rows,
                                const float *out, double bound);

/* The bound for code of this name: more where Winograd transforms stand between. */
double bench_error_bound(const char *algorithm);

/* Run a pass once and look at its output, which starts as NaN so that what is left out is seen. */
struct bench_error bench_work_verify(const struct bench *bench, const struct bench_work *work,
                                     enum stoa_conv_pass pass);

/* What every result of a layer says of itself; `shape` is borrowed until bench_report(). Rates come with
 * times. */
void bench_layer_note(struct bench_record *record, const struct bench_layer *layer, size_t pass,
                      const char *shape, const char *algorithm, const struct bench_error *error);

#endif
