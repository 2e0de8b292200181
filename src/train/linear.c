/* SPDX-License-Identifier: MIT */
/* linear: from `start` of the learning rate to `end` of it over `length` units (0: all there are), then
 * constant; the same line as PyTorch's LinearLR. */
#include "train/optimizer.h"

struct linear_options {
    double start, end;
    size_t length;
};

static const struct stoa_option options[] = {
    {"start", STOA_OPTION_DOUBLE, offsetof(struct linear_options, start), "1", 0, 1000, NULL},
    {"end", STOA_OPTION_DOUBLE, offsetof(struct linear_options, end), "0", 0, 1000, NULL},
    {"length", STOA_OPTION_SIZE, offsetof(struct linear_options, length), "0", 0, 1e12, NULL},
};

static double factor(const void *given, uint64_t at, uint64_t total) {
    const struct linear_options *o = given;
    uint64_t length = o->length ? o->length : total;
    double part = at < length ? (double)at / (double)length : 1;
    return o->start + (o->end - o->start) * part;
}

const struct stoa_schedule stoa_schedule_linear = {
    .name = "linear",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct linear_options),
    .factor = factor,
};
