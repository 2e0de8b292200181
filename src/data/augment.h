/* SPDX-License-Identifier: MIT */
/* Augmentation: samples changed a little, in a new way every epoch. What happens to a sample follows from
 * seed, epoch and sample number alone. */
#ifndef STOA_DATA_AUGMENT_H
#define STOA_DATA_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What may be done to a sample; 0: nothing. The table in augment.c says what each means. */
struct stoa_augment {
    float shift, rotate, scale, shear, elastic, flip, erase, erase_area, noise;
    size_t elastic_grid;
};

/* A sample's sizes, channels last. */
struct stoa_augment_shape {
    size_t height, width, channels;
};

/* Read "shift=2 rotate=10". Errors: STOA_ERR_ARGUMENT. */
stoa_status stoa_augment_read(struct stoa_error *error, const char *text, struct stoa_augment *augment);

/* Whether anything is done to samples. */
bool stoa_augment_acts(const struct stoa_augment *augment);

/* Refuse to move pixels where there is one only. Errors: STOA_ERR_ARGUMENT. */
stoa_status stoa_augment_check(struct stoa_error *error, const struct stoa_augment *augment,
                               const struct stoa_augment_shape *shape);

/* Floats that stoa_augment_run() needs as scratch. False when their size overflows. */
bool stoa_augment_scratch(const struct stoa_augment *augment, const struct stoa_augment_shape *shape,
                          size_t *floats);

/* Change one sample in place. `fill` is what there is beyond the edges, a value a channel. */
void stoa_augment_run(const struct stoa_augment *augment, const struct stoa_augment_shape *shape,
                      uint64_t seed, size_t epoch, size_t sample, const float *fill, float *image,
                      float *scratch);

#endif
