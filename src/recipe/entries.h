/* SPDX-License-Identifier: MIT */
/* What a recipe holds: its lines, and what the keys among them mean as option structs. */
#ifndef STOA_RECIPE_ENTRIES_H
#define STOA_RECIPE_ENTRIES_H

#include <stoa/recipe.h>

#include "core/context.h"
#include "core/keys.h"
#include "data/keys.h"
#include "recipe/lines.h"

/* Sections in the order of a recipe's text; the keys of the head stand before the first section. */
enum stoa_recipe_section { STOA_RECIPE_HEAD, STOA_RECIPE_MODEL, STOA_RECIPE_DATA, STOA_RECIPE_TRAIN };
enum { STOA_RECIPE_SECTIONS = 4 };

/* A key or a layer. */
struct stoa_recipe_entry {
    size_t section;
    char *name, *value; /* one block */
    size_t line;        /* 0: was set */
};

struct stoa_recipe {
    char *name; /* the file's, for sentences */
    struct stoa_recipe_entry *entry;
    size_t entries, room;
    size_t section_line[STOA_RECIPE_SECTIONS]; /* 0: not there */
    struct stoa_data_source data;              /* with the shape of the input; texts lie in the entries */
    stoa_recipe_info info;                     /* its head and training */
    char *text;                                /* of the whole recipe */
    size_t text_bytes, text_room;              /* at most, and there are */
};

/* Number of the section of that name, or STOA_RECIPE_SECTIONS. */
size_t stoa_recipe_find_section(const char *name);
const char *stoa_recipe_section_name(size_t section);

/* The keys of a section, none for [model]. */
const struct stoa_keys *stoa_recipe_keys(size_t section);

/* The entry of that name, or NULL. */
struct stoa_recipe_entry *stoa_recipe_find(const stoa_recipe *recipe, size_t section, const char *name);

/* Whether an entry is a layer, or a further input: neither a key nor what [model] says of the first input and
 * of the outputs. */
bool stoa_recipe_is_layer(size_t section, const char *name);

/* Put a value in the place of an entry's, or add it. One of a key is read into its option struct; the recipe
 * is as it was where that fails. Errors: STOA_ERR_ARGUMENT (a value, or no such key), STOA_ERR_MEMORY. */
stoa_status stoa_recipe_put(stoa_recipe *recipe, struct stoa_error *error, size_t section, const char *name,
                            const char *value, size_t line);

/* Say that a section has no such key: the nearest one, or the section that has it. */
stoa_status stoa_recipe_fail_unknown(struct stoa_error *error, size_t section, const char *name);

/* Write the recipe's text anew from its entries. There is room: entries are put with it. */
void stoa_recipe_write(stoa_recipe *recipe);

/* Add a line of [model] to a model: a layer, or "outputs = fc,aux". The model keeps the first error. */
void stoa_recipe_add_line(stoa_model *model, const char *name, const char *value);

/* Build the model of a recipe; what its lines need of each other is not checked. */
stoa_status stoa_recipe_build(stoa_context *context, const stoa_recipe *recipe, stoa_model **model);

/* "28x28x1" as the shape of the input. */
stoa_status stoa_recipe_read_input(stoa_recipe *recipe, struct stoa_error *error, const char *value);

#endif
