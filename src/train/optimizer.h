/* What an optimiser and a schedule are: one descriptor at the end of its file, one word in
 * src/train/meson.build. Floor 7. */
#ifndef STOA_TRAIN_OPTIMIZER_H
#define STOA_TRAIN_OPTIMIZER_H

#include <stdint.h>

#include "core/context.h"
#include "core/options.h"

enum { STOA_MAX_SLOTS = 4 };

/* One update of `count` parameters that are treated alike. `step` counts from 1. */
struct stoa_update {
    const struct stoa_kernels *kernels;
    const void *options;
    float *parameter;
    const float *gradient;
    float *slot[STOA_MAX_SLOTS]; /* the optimiser's own arrays, zero before the first step */
    size_t count;
    float learning_rate;
    bool decays; /* weight decay applies to these parameters */
    uint64_t step;
};

struct stoa_optimizer {
    const char *name;
    const struct stoa_option *options;
    size_t option_count, options_bytes;
    size_t (*slots)(const void *options); /* arrays it keeps, at most STOA_MAX_SLOTS */
    void (*update)(const struct stoa_update *update);
};

struct stoa_schedule {
    const char *name;
    const struct stoa_option *options;
    size_t option_count, options_bytes;
    /* What the learning rate is multiplied with at step `step` (from 0) of `total` (>= 1). */
    double (*factor)(const void *options, uint64_t step, uint64_t total);
};

/* NULL-terminated, in the order of src/train/meson.build. */
extern const struct stoa_optimizer *const stoa_optimizers[];
extern const struct stoa_schedule *const stoa_schedules[];

#endif
