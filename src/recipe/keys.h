/* SPDX-License-Identifier: MIT */
/* The keys of a recipe outside of [model]: a table of names, kinds and ranges, and where their values go.
 * Floor 8. */
#ifndef STOA_RECIPE_KEYS_H
#define STOA_RECIPE_KEYS_H

#include "core/context.h"
#include "recipe/data.h"

enum { STOA_RECIPE_TEXT = STOA_LINE_MAX + 1, STOA_RECIPE_NAME = 64, STOA_RECIPE_NOTE = 61 };

struct stoa_recipe_layer {
    char name[STOA_RECIPE_NAME];
    char line[STOA_RECIPE_TEXT];
    size_t number; /* of the line in the recipe */
};

struct stoa_recipe {
    char title[STOA_RECIPE_TEXT], optimizer[STOA_RECIPE_TEXT], schedule[STOA_RECIPE_TEXT],
        loss[STOA_RECIPE_TEXT];
    char needs[STOA_RECIPE_NOTE], reaches[STOA_RECIPE_NOTE];
    size_t height, width, channels;
    struct stoa_recipe_data data;
    size_t epochs, batch;
    uint64_t seed;
    float learning_rate, clip_norm, clip_value, average, validation, min_delta;
    size_t patience;
    bool stratified, keep_best, in_order, summed;
    char monitor[STOA_RECIPE_TEXT], augment[STOA_RECIPE_TEXT];
    size_t layers, room;
    struct stoa_recipe_layer *layer;
};

/* Number of a key in the table, or STOA_MOST_KEYS when there is none. */
enum { STOA_MOST_KEYS = 64 };
size_t stoa_key_find(const char *section, const char *name);

/* Read the value of a key into the recipe. `error` is the context's. Errors: STOA_ERR_ARGUMENT and those of
 * the options that a value may hold; the sentence names key, value and what was expected. */
stoa_status stoa_key_read(stoa_context *context, struct stoa_error *error, stoa_recipe *recipe, size_t key,
                          const char *value);

/* Say that a section has no such key, and which it has. */
stoa_status stoa_key_unknown(struct stoa_error *error, const char *section, const char *name);

/* "key: found 'value', expected this". */
stoa_status stoa_key_fail(struct stoa_error *error, const char *key, const char *value, const char *expected);

#endif
