/* SPDX-License-Identifier: MIT */
/* cosine: down half a cosine to `end` of the learning rate over `length` units (0: all there are), then
 * constant (Loshchilov and Hutter, "SGDR", 2017); PyTorch's CosineAnnealingLR. */
#include <math.h>

#include "train/optimizer.h"

struct cosine_options {
    double end;
    size_t length;
};

static const struct stoa_option options[] = {
    {"end", STOA_OPTION_DOUBLE, offsetof(struct cosine_options, end), "0", 0, 1, NULL},
    {"length", STOA_OPTION_SIZE, offsetof(struct cosine_options, length), "0", 0, 1e12, NULL},
};

static double factor(const void *given, uint64_t at, uint64_t total) {
    const struct cosine_options *o = given;
    uint64_t length = o->length ? o->length : total;
    double part = at < length ? (double)at / (double)length : 1;
    return o->end + (1 - o->end) / 2 * (1 + cos(3.14159265358979323846 * part));
}

const struct stoa_schedule stoa_schedule_cosine = {
    .name = "cosine",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct cosine_options),
    .factor = factor,
};
