/* SPDX-License-Identifier: MIT */
/* Convolution layers by every algorithm that can compute them. */
#ifndef STOA_BENCH_ALGORITHMS_H
#define STOA_BENCH_ALGORITHMS_H

#include "bench/layer.h"

int bench_algorithms(struct bench *bench, const struct bench_layers *layers);

#endif
