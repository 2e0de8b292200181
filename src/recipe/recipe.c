/* SPDX-License-Identifier: MIT */
/* Recipes: what sections and keys mean. A recipe is checked whole when it is loaded, by building its model
 * and its training options once, so that every error can name its line; later calls only repeat what has
 * worked. Floor 8. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/recipe.h>

#include "base/file.h"
#include "base/number.h"
#include "base/size.h"
#include "core/context.h"
#include "model/graph.h"
#include "recipe/keys.h"
#include "train/options.h"

static const char *const sections[] = {"model", "data", "train"};
enum { MODEL, DATA, SECTIONS = sizeof sections / sizeof sections[0] };

/* A recipe is written by hand; anything near this size is another file. */
enum { MAX_BYTES = 1 << 20 };

/* What is known while the lines come in. */
struct reading {
    stoa_context *context;
    stoa_recipe *recipe;
    stoa_model *model;               /* built along to check each layer */
    size_t section_line[SECTIONS];   /* 0: not seen */
    size_t key_line[STOA_MOST_KEYS]; /* 0: not seen */
    size_t input_line;               /* 0: not seen */
};

static stoa_status begin_section(void *user, struct stoa_error *error, const char *section, size_t line) {
    struct reading *reading = user;
    for (size_t i = 0; i < SECTIONS; i++) {
        if (strcmp(sections[i], section) != 0) {
            continue;
        }
        if (reading->section_line[i] != 0) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "section [%s] is there already, on line %zu",
                                  section, reading->section_line[i]);
        }
        reading->section_line[i] = line;
        return STOA_OK;
    }
    return stoa_error_set(error, STOA_ERR_ARGUMENT,
                          "unknown section [%s], expected [model], [data] or [train]", section);
}

/* ---- the model ---- */

static stoa_status read_input(struct reading *reading, struct stoa_error *error, const char *value,
                              size_t line) {
    stoa_recipe *recipe = reading->recipe;
    size_t *parts[] = {&recipe->height, &recipe->width, &recipe->channels};
    const char *at = value;
    for (size_t i = 0; i < 3; i++) {
        const char *end = i < 2 ? strchr(at, 'x') : at + strlen(at);
        if (!end || !stoa_parse_size(at, (size_t)(end - at), parts[i]) || *parts[i] == 0 ||
            *parts[i] > STOA_MAX_DIMENSION) {
            return stoa_key_fail(error, "input", value, "HEIGHTxWIDTHxCHANNELS, such as 28x28x1");
        }
        at = i < 2 ? end + 1 : end;
    }
    size_t size = recipe->height;
    if (!stoa_size_scale(&size, recipe->width) || !stoa_size_scale(&size, recipe->channels) ||
        size > STOA_MAX_DIMENSION) {
        return stoa_key_fail(error, "input", value, "fewer values");
    }
    reading->input_line = line;
    stoa_model_input(reading->model, recipe->height, recipe->width, recipe->channels);
    return STOA_OK;
}

static stoa_status append_layer(stoa_recipe *recipe, struct stoa_error *error, const char *name,
                                const char *line, size_t number) {
    if (recipe->layers == recipe->room) {
        size_t room = recipe->room ? recipe->room * 2 : 32;
        struct stoa_recipe_layer *layer = realloc(recipe->layer, room * sizeof *layer);
        if (!layer) {
            return stoa_error_set(error, STOA_ERR_MEMORY, "no memory for %zu layers", room);
        }
        recipe->layer = layer;
        recipe->room = room;
    }
    struct stoa_recipe_layer *added = &recipe->layer[recipe->layers++];
    (void)snprintf(added->name, sizeof added->name, "%s", name);
    (void)snprintf(added->line, sizeof added->line, "%s", line);
    added->number = number;
    return STOA_OK;
}

static stoa_status read_layer(struct reading *reading, struct stoa_error *error, const char *name,
                              const char *line, size_t number) {
    if (strlen(name) >= STOA_RECIPE_NAME) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "the layer's name is %zu bytes long, at most %d are allowed", strlen(name),
                              STOA_RECIPE_NAME - 1);
    }
    size_t before = stoa_model_layer_count(reading->model);
    stoa_model_add(reading->model, name, line);
    if (stoa_model_layer_count(reading->model) == before) {
        /* The layer was refused; building says why. */
        stoa_status status = stoa_model_build(reading->model);
        return status != STOA_OK ? status : stoa_key_fail(error, name, line, "a layer");
    }
    return append_layer(reading->recipe, error, name, line, number);
}

static stoa_status read_model_entry(struct reading *reading, struct stoa_error *error, const char *key,
                                    const char *value, size_t line) {
    if (strcmp(key, "input") != 0) {
        if (reading->input_line == 0) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT,
                                  "found '%s', expected input = HEIGHTxWIDTHxCHANNELS first", key);
        }
        return read_layer(reading, error, key, value, line);
    }
    if (reading->input_line != 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "input is there already, on line %zu",
                              reading->input_line);
    }
    return read_input(reading, error, value, line);
}

/* ---- lines in, recipe out ---- */

static stoa_status take_entry(void *user, struct stoa_error *error, const char *section, const char *key,
                              const char *value, size_t line) {
    struct reading *reading = user;
    if (strcmp(section, sections[MODEL]) == 0) {
        return read_model_entry(reading, error, key, value, line);
    }
    size_t known = stoa_key_find(section, key);
    if (known == STOA_MOST_KEYS) {
        return stoa_key_unknown(error, section, key);
    }
    if (reading->key_line[known] != 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s is there already, on line %zu", key,
                              reading->key_line[known]);
    }
    reading->key_line[known] = line;
    return stoa_key_read(reading->context, error, reading->recipe, known, value);
}

/* A network gives one value a class; found here, the mistake costs no reading of data. */
static stoa_status check_classes(const struct reading *reading, struct stoa_error *error) {
    const stoa_recipe *recipe = reading->recipe;
    size_t values = stoa_model_output_size(reading->model);
    if (reading->section_line[DATA] == 0 || values == recipe->data.classes) {
        return STOA_OK;
    }
    const struct stoa_recipe_layer *last = &recipe->layer[recipe->layers - 1];
    return stoa_error_set(
        error, STOA_ERR_SHAPE,
        "the last layer, '%s' on line %zu, gives %zu values, expected %zu, the classes of [data]", last->name,
        last->number, values, recipe->data.classes);
}

static const char *loss_of(const stoa_recipe *recipe) {
    return recipe->loss[0] ? recipe->loss : STOA_DEFAULT_LOSS;
}

/* The loss takes what the last layer gives; it was checked alone when its line came in. */
static stoa_status check_loss(const struct reading *reading, struct stoa_error *error) {
    struct stoa_spec spec;
    struct stoa_layer loss;
    if (reading->section_line[DATA] == 0) {
        return STOA_OK;
    }
    stoa_status status = stoa_spec_parse(error, loss_of(reading->recipe), &spec);
    if (status == STOA_OK) {
        status = stoa_layer_make(error, "loss", &spec,
                                 stoa_value_shape(reading->model, reading->recipe->layers), 1, &loss);
    }
    if (status == STOA_OK) {
        stoa_layer_clear(&loss);
    }
    return status;
}

static stoa_status check_unread(const struct reading *reading, struct stoa_error *error) {
    size_t unread = stoa_model_unread_layer(reading->model);
    if (unread == reading->recipe->layers) {
        return STOA_OK;
    }
    const struct stoa_recipe_layer *layer = &reading->recipe->layer[unread];
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "layer '%s' on line %zu: no later layer reads its output",
                          layer->name, layer->number);
}

/* Scales are given or measured, not both. */
static stoa_status check_scales(const struct reading *reading, struct stoa_error *error) {
    static const char *const given[] = {"mean", "deviation"};
    for (size_t i = 0; reading->recipe->data.normalize && i < 2; i++) {
        size_t line = reading->key_line[stoa_key_find(sections[DATA], given[i])];
        if (line > 0) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT,
                                  "%s is given on line %zu, expected none with normalize = measured",
                                  given[i], line);
        }
    }
    return STOA_OK;
}

static stoa_status end_of_text(void *user, struct stoa_error *error, size_t line) {
    struct reading *reading = user;
    (void)line;
    if (reading->section_line[MODEL] == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found no section [model], expected one with input and layers");
    }
    if (reading->input_line == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found no input in [model], expected input = 28x28x1 or such");
    }
    if (reading->recipe->layers == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found no layer in [model], expected NAME = OPERATOR OPTIONS");
    }
    stoa_status status = check_scales(reading, error);
    if (status == STOA_OK) {
        status = check_unread(reading, error);
    }
    if (status == STOA_OK) {
        status = check_classes(reading, error);
    }
    if (status == STOA_OK) {
        status = check_loss(reading, error);
    }
    stoa_recipe_info info;
    stoa_recipe_describe(reading->recipe, &info);
    return status == STOA_OK ? stoa_train_options_check(reading->context, &info.train, true) : status;
}

static stoa_recipe *new_recipe(void) {
    stoa_recipe *recipe = calloc(1, sizeof *recipe);
    if (recipe) {
        recipe->data.classes = 10;
        recipe->data.deviation = 1;
    }
    return recipe;
}

stoa_status stoa_recipe_load_memory(stoa_context *context, const char *name, const char *text, size_t bytes,
                                    stoa_recipe **recipe) {
    const char *shown = name ? name : "recipe";
    if (bytes > MAX_BYTES) {
        return stoa_fail(context, STOA_ERR_FORMAT, "%s:1: holds %zu bytes, at most %d are read", shown, bytes,
                         MAX_BYTES);
    }
    struct reading reading = {.context = context, .recipe = new_recipe()};
    if (!reading.recipe) {
        return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for a recipe", shown);
    }
    stoa_status status = stoa_model_create(context, &reading.model);
    if (status == STOA_OK) {
        const struct stoa_line_events events = {begin_section, take_entry, end_of_text, &reading};
        status = stoa_lines_read(&context->error, shown, text, bytes, &events);
        stoa_model_free(reading.model);
    }
    if (status != STOA_OK) {
        stoa_recipe_free(reading.recipe);
        return status;
    }
    *recipe = reading.recipe;
    return STOA_OK;
}

stoa_status stoa_recipe_load(stoa_context *context, const char *path, stoa_recipe **recipe) {
    void *text = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, MAX_BYTES, &text, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_recipe_load_memory(context, path, text, bytes, recipe);
    free(text);
    return status;
}

void stoa_recipe_free(stoa_recipe *recipe) {
    if (recipe) {
        free(recipe->layer);
        free(recipe);
    }
}

static const char *text_or_null(const char *text) {
    return text[0] ? text : NULL;
}

void stoa_recipe_describe(const stoa_recipe *recipe, stoa_recipe_info *info) {
    *info = (stoa_recipe_info){
        .title = recipe->title,
        .needs = recipe->needs,
        .reaches = recipe->reaches,
        .train =
            {
                .epochs = recipe->epochs,
                .batch = recipe->batch,
                .seed = recipe->seed,
                .learning_rate = recipe->learning_rate,
                .optimizer = text_or_null(recipe->optimizer),
                .schedule = text_or_null(recipe->schedule),
                .loss = text_or_null(recipe->loss),
                .clip_norm = recipe->clip_norm,
                .clip_value = recipe->clip_value,
                .average = recipe->average,
                .validation = recipe->validation,
                .stratified = recipe->stratified,
                .patience = recipe->patience,
                .min_delta = recipe->min_delta,
                .keep_best = recipe->keep_best,
                .in_order = recipe->in_order,
                .summed = recipe->summed,
                .monitor = text_or_null(recipe->monitor),
                .augment = text_or_null(recipe->augment),
            },
    };
    stoa_recipe_data_describe(&recipe->data, info);
    info->data.height = recipe->height;
    info->data.width = recipe->width;
    info->data.channels = recipe->channels;
}

stoa_status stoa_recipe_model(stoa_context *context, const stoa_recipe *recipe, stoa_model **model) {
    stoa_model *built = NULL;
    stoa_status status = stoa_model_create(context, &built);
    if (status != STOA_OK) {
        return status;
    }
    stoa_model_input(built, recipe->height, recipe->width, recipe->channels);
    for (size_t i = 0; i < recipe->layers; i++) {
        stoa_model_add(built, recipe->layer[i].name, recipe->layer[i].line);
    }
    status = stoa_model_build(built);
    if (status == STOA_OK) {
        status = stoa_recipe_data_facts(&recipe->data, built);
    }
    if (status == STOA_OK) {
        status = stoa_model_set_fact(built, "loss", loss_of(recipe));
    }
    if (status != STOA_OK) {
        stoa_model_free(built);
        return status;
    }
    *model = built;
    return STOA_OK;
}
