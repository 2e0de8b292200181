/* SPDX-License-Identifier: MIT */
/* The lines of a recipe, which are what it says; option structs follow from them by the tables of keys. */
#include "recipe/entries.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/size.h"
#include "model/layers.h"
#include "train/keys.h"

#define NOTE(name, most, meaning)                                                                            \
    { {#name, STOA_OPTION_TEXT, offsetof(stoa_recipe_info, name), "", 0, most, NULL}, meaning, NULL, false }
static const struct stoa_key head[] = {
    NOTE(title, 0, "what the recipe is, for people"),
    NOTE(needs, 60, "the data and the time of a training, for people"),
    NOTE(reaches, 60, "what such a training has reached, for people"),
};
static const struct stoa_keys head_keys = {.key = head, .count = sizeof head / sizeof head[0]};

static const struct {
    const char *name;
    const struct stoa_keys *keys; /* NULL: layers */
    size_t offset;                /* of the struct whose members they are */
} sections[STOA_RECIPE_SECTIONS] = {
    [STOA_RECIPE_HEAD] = {"", &head_keys, offsetof(struct stoa_recipe, info)},
    [STOA_RECIPE_MODEL] = {"model", NULL, 0},
    [STOA_RECIPE_DATA] = {"data", &stoa_data_keys, offsetof(struct stoa_recipe, data)},
    [STOA_RECIPE_TRAIN] = {"train", &stoa_train_keys, offsetof(struct stoa_recipe, info.train)},
};

size_t stoa_recipe_find_section(const char *name) {
    size_t section = 0;
    while (section < STOA_RECIPE_SECTIONS && strcmp(sections[section].name, name) != 0) {
        section++;
    }
    return section;
}

const char *stoa_recipe_section_name(size_t section) {
    return sections[section].name;
}

const struct stoa_keys *stoa_recipe_keys(size_t section) {
    return sections[section].keys;
}

struct stoa_recipe_entry *stoa_recipe_find(const stoa_recipe *recipe, size_t section, const char *name) {
    for (size_t i = 0; i < recipe->entries; i++) {
        if (recipe->entry[i].section == section && strcmp(recipe->entry[i].name, name) == 0) {
            return &recipe->entry[i];
        }
    }
    return NULL;
}

bool stoa_recipe_is_layer(size_t section, const char *name) {
    return section == STOA_RECIPE_MODEL && strcmp(name, "input") != 0 && strcmp(name, "outputs") != 0;
}

void stoa_recipe_add_line(stoa_model *model, const char *name, const char *value) {
    struct stoa_layer_word word;
    if (strcmp(name, "outputs") != 0) {
        stoa_model_add(model, name, value);
        return;
    }
    while (stoa_layer_word_next(&value, &word)) {
        char layer[STOA_LINE_MAX + 1];
        (void)snprintf(layer, sizeof layer, "%.*s", (int)stoa_min(word.length, STOA_LINE_MAX), word.text);
        stoa_model_add_output(model, NULL, layer);
    }
}

stoa_status stoa_recipe_fail_unknown(struct stoa_error *error, size_t section, const char *name) {
    char where[64];
    (void)snprintf(where, sizeof where, section ? " in [%s]" : " before the first section",
                   sections[section].name);
    for (size_t i = 0; i < STOA_RECIPE_SECTIONS; i++) {
        if (sections[i].keys && stoa_key_find(sections[i].keys, name)) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "unknown key '%.60s'%s, expected it %s%s%s", name,
                                  where, i ? "in [" : "before the first section", sections[i].name,
                                  i ? "]" : "");
        }
    }
    const struct stoa_words names = stoa_keys_words(sections[section].keys);
    return stoa_error_unknown(error, "key", name, where, &names);
}

/* Make room for one more entry, and for `bytes` more of text with what stands around them. */
static bool reserve(stoa_recipe *recipe, size_t bytes) {
    enum { LEAST_ENTRIES = 32, HEADINGS = 64, AROUND = 8 };
    if (recipe->entries == recipe->room) {
        size_t room = recipe->room ? recipe->room * 2 : LEAST_ENTRIES;
        struct stoa_recipe_entry *entry = realloc(recipe->entry, room * sizeof *entry);
        if (!entry) {
            return false;
        }
        recipe->entry = entry;
        recipe->room = room;
    }
    size_t needed = recipe->text_bytes + bytes + AROUND;
    if (needed + HEADINGS > recipe->text_room) {
        char *text = realloc(recipe->text, 2 * needed + HEADINGS);
        if (!text) {
            return false;
        }
        recipe->text = text;
        recipe->text_room = 2 * needed + HEADINGS;
    }
    recipe->text_bytes = needed;
    return true;
}

/* Read a key's value into its struct; layers are read by the model. */
static stoa_status read_value(stoa_recipe *recipe, struct stoa_error *error,
                              const struct stoa_recipe_entry *entry) {
    const struct stoa_keys *keys = sections[entry->section].keys;
    const struct stoa_key *key = keys ? stoa_key_find(keys, entry->name) : NULL;
    if (!keys) {
        return STOA_OK;
    }
    return key ? stoa_key_set(error, keys, key, entry->value,
                              (char *)recipe + sections[entry->section].offset)
               : stoa_recipe_fail_unknown(error, entry->section, entry->name);
}

stoa_status stoa_recipe_put(stoa_recipe *recipe, struct stoa_error *error, size_t section, const char *name,
                            const char *value, size_t line) {
    size_t name_bytes = strlen(name) + 1, value_bytes = strlen(value) + 1;
    char *block = malloc(name_bytes + value_bytes);
    if (!block || !reserve(recipe, name_bytes + value_bytes)) {
        free(block);
        return stoa_error_set(error, STOA_ERR_MEMORY, "no memory for a recipe of %zu lines", recipe->entries);
    }
    memcpy(block, name, name_bytes);
    memcpy(block + name_bytes, value, value_bytes);
    struct stoa_recipe_entry entry = {section, block, block + name_bytes, line};
    struct stoa_recipe_entry *old = stoa_recipe_find(recipe, section, name);
    stoa_status status = read_value(recipe, error, &entry);
    if (status != STOA_OK) {
        free(block);
    } else if (old) {
        entry.line = old->line;
        free(old->name);
        *old = entry;
    } else {
        recipe->entry[recipe->entries++] = entry;
    }
    return status;
}

/* Append "NAME = VALUE", without its spaces where the line would not be read so again: too long, or the value
 * a comment. */
static size_t write_line(char *out, const struct stoa_recipe_entry *entry) {
    bool fits = strlen(entry->name) + strlen(" = ") + strlen(entry->value) <= STOA_LINE_MAX;
    bool spaced = fits && entry->value[0] != '#' && entry->value[0] != ';';
    return (size_t)sprintf(out, "%s%s%s\n", entry->name, spaced ? " = " : "=", entry->value);
}

void stoa_recipe_write(stoa_recipe *recipe) {
    char *out = recipe->text;
    for (size_t section = 0; section < STOA_RECIPE_SECTIONS; section++) {
        if (section > 0 && recipe->section_line[section] > 0) {
            out += sprintf(out, "%s[%s]\n", out > recipe->text ? "\n" : "", sections[section].name);
        }
        for (size_t i = 0; i < recipe->entries; i++) {
            if (recipe->entry[i].section == section) {
                out += write_line(out, &recipe->entry[i]);
            }
        }
    }
}

stoa_status stoa_recipe_read_input(stoa_recipe *recipe, struct stoa_error *error, const char *value) {
    static const char expected[] = "HEIGHTxWIDTHxCHANNELS, such as 28x28x1";
    size_t parts[3], size = 1;
    const char *at = value;
    for (size_t i = 0; i < 3; i++) {
        const char *end = i < 2 ? strchr(at, 'x') : at + strlen(at);
        if (!end || !stoa_parse_size(at, (size_t)(end - at), &parts[i]) || parts[i] == 0 ||
            parts[i] > STOA_MAX_DIMENSION) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "input: found '%.100s', expected %s", value,
                                  expected);
        }
        at = i < 2 ? end + 1 : end;
    }
    if (!stoa_size_scale(&size, parts[0]) || !stoa_size_scale(&size, parts[1]) ||
        !stoa_size_scale(&size, parts[2]) || size > STOA_MAX_DIMENSION) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "input: found '%.100s', expected fewer values",
                              value);
    }
    recipe->data.options.height = parts[0];
    recipe->data.options.width = parts[1];
    recipe->data.options.channels = parts[2];
    return STOA_OK;
}
