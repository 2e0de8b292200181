/* SPDX-License-Identifier: MIT */
/* Layers in three steps: naive loops, im2col and the BLAS, the engine. */
#ifndef STOA_BENCH_STEPS_H
#define STOA_BENCH_STEPS_H

#include "bench/layer.h"

/* Every wanted layer and pass: the table, means and the JSON. */
int bench_steps(struct bench *bench, const struct bench_layers *layers);

#endif
