/* SPDX-License-Identifier: MIT */
/* What [data] says: where the samples are, how to read them, how to scale them. Floor 8. */
#ifndef STOA_RECIPE_DATA_H
#define STOA_RECIPE_DATA_H

#include <stoa/recipe.h>

#include "recipe/lines.h"

struct stoa_recipe_data {
    char set[STOA_LINE_MAX + 1], label[STOA_LINE_MAX + 1]; /* "": not said */
    size_t classes;
    float mean, deviation;
    size_t normalize, header, layout, weights; /* indices of their choices below */
    float test;                                /* 0: not said */
    uint64_t seed;
    size_t samples; /* 0: not said */
    size_t memory;  /* bytes; 0: no bound */
};

extern const char *const stoa_normalize_choices[]; /* given, measured */
extern const char *const stoa_weights_choices[];   /* none, measured */
extern const char *const stoa_layout_choices[];    /* in the order of stoa_layout */
extern const char *const stoa_header_choices[];    /* in the order of stoa_header */

/* The same as options of a reader, and whether mean and deviation are to be measured. Strings belong to
 * `data`. */
void stoa_recipe_data_describe(const struct stoa_recipe_data *data, stoa_recipe_info *info);

/* Let the facts of a model say it too: "data.set" and its like. What is the default is not said. */
stoa_status stoa_recipe_data_facts(const struct stoa_recipe_data *data, stoa_model *model);

#endif
