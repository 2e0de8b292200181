/* SPDX-License-Identifier: MIT */
/* What is said instead of a recipe's own lines: by a command line, or by a search over settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recipe/entries.h"

/* ---- names, for what is misspelt ---- */

static const char *any_key_at(const void *from, size_t index) {
    stoa_recipe_key key;
    (void)from;
    return stoa_recipe_key_at(index, &key) ? key.name : NULL;
}

static const char *section_at(const void *from, size_t index) {
    (void)from;
    return index + 1 < STOA_RECIPE_SECTIONS ? stoa_recipe_section_name(index + 1) : NULL;
}

static const char *layer_at(const void *from, size_t index) {
    const stoa_recipe *recipe = from;
    for (size_t i = 0; i < recipe->entries; i++) {
        if (recipe->entry[i].section == STOA_RECIPE_MODEL && index-- == 0) {
            return recipe->entry[i].name;
        }
    }
    return NULL;
}

/* ---- settings ---- */

/* Take "train.lr" apart; a name alone is a key of any section but [model]. */
static stoa_status find_key(struct stoa_error *error, const char *name, size_t *section, const char **key) {
    const char *dot = strchr(name, '.');
    char first[STOA_SECTION_MAX + 1];
    *key = dot ? dot + 1 : name;
    for (*section = 0; !dot && *section < STOA_RECIPE_SECTIONS; ++*section) {
        if (stoa_recipe_keys(*section) && stoa_key_find(stoa_recipe_keys(*section), name)) {
            return STOA_OK;
        }
    }
    if (!dot) {
        const struct stoa_words names = {any_key_at, NULL};
        char near[STOA_NEAR_TEXT];
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "unknown key '%.60s'%sone of a recipe, such as train.lr", name,
                              stoa_near_text(name, &names, near));
    }
    (void)snprintf(first, sizeof first, "%.*s", (int)(dot - name), name);
    *section = stoa_recipe_find_section(first);
    return *section > 0 && *section < STOA_RECIPE_SECTIONS
               ? STOA_OK
               : stoa_error_unknown(error, "section", first, "", &(struct stoa_words){section_at, NULL});
}

/* A layer's line, or the input's shape: the model must stay one that can be built. */
static stoa_status set_layer(stoa_context *context, stoa_recipe *recipe, const char *name,
                             const char *value) {
    stoa_recipe changed = *recipe;
    stoa_model *model = NULL;
    struct stoa_recipe_entry *entry = stoa_recipe_find(recipe, STOA_RECIPE_MODEL, name);
    if (!entry) {
        const struct stoa_words names = {layer_at, recipe};
        char near[STOA_NEAR_TEXT];
        return stoa_fail(context, STOA_ERR_ARGUMENT, "unknown layer '%.60s'%sone of the recipe's", name,
                         stoa_near_text(name, &names, near));
    }
    struct stoa_recipe_entry old = *entry;
    stoa_status status =
        strcmp(name, "input") == 0 ? stoa_recipe_read_input(&changed, &context->error, value) : STOA_OK;
    if (status == STOA_OK) {
        char *text = strdup(value);
        entry->value = text;
        status = text ? stoa_recipe_build(context, &changed, &model)
                      : stoa_fail(context, STOA_ERR_MEMORY, "no memory for a line");
        *entry = old;
        free(text);
        stoa_model_free(model);
    }
    if (status == STOA_OK) {
        status = stoa_recipe_put(recipe, &context->error, STOA_RECIPE_MODEL, name, value, 0);
    }
    if (status == STOA_OK) {
        recipe->data.options = changed.data.options;
    }
    return status;
}

stoa_status stoa_recipe_set(stoa_context *context, stoa_recipe *recipe, const char *name, const char *value) {
    struct stoa_error *error = &context->error;
    size_t section;
    const char *key;
    stoa_status status = find_key(error, name, &section, &key);
    if (status == STOA_OK) {
        status = stoa_line_check(error, key, value);
    }
    if (status == STOA_OK) {
        status = section == STOA_RECIPE_MODEL ? set_layer(context, recipe, key, value)
                                              : stoa_recipe_put(recipe, error, section, key, value, 0);
    }
    if (status == STOA_OK) {
        recipe->section_line[section] += recipe->section_line[section] == 0; /* there is one now */
        stoa_recipe_write(recipe);
    }
    return status;
}

bool stoa_recipe_key_at(size_t index, stoa_recipe_key *key) {
    for (size_t section = 0; section < STOA_RECIPE_SECTIONS; section++) {
        const struct stoa_keys *keys = stoa_recipe_keys(section);
        size_t count = keys ? keys->count : 0;
        if (index < count) {
            const struct stoa_key *found = &keys->key[index];
            *key = (stoa_recipe_key){.section = stoa_recipe_section_name(section),
                                     .name = found->option.name,
                                     .fallback = stoa_key_default(found),
                                     .meaning = found->meaning};
            stoa_key_expected(found, key->expected, sizeof key->expected);
            return true;
        }
        index -= count;
    }
    return false;
}

const char *stoa_recipe_value(const stoa_recipe *recipe, const stoa_recipe_key *key, bool *said) {
    size_t section = stoa_recipe_find_section(key->section);
    const struct stoa_keys *keys = section < STOA_RECIPE_SECTIONS ? stoa_recipe_keys(section) : NULL;
    const struct stoa_key *known = keys ? stoa_key_find(keys, key->name) : NULL;
    const struct stoa_recipe_entry *entry = known ? stoa_recipe_find(recipe, section, key->name) : NULL;
    if (said) {
        *said = entry != NULL;
    }
    return entry ? entry->value : known ? stoa_key_default(known) : NULL;
}
