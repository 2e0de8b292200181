/* SPDX-License-Identifier: MIT */
/* Recipes: what sections mean together. A recipe is checked whole when it is loaded, by building its model
 * and its training options once, so that every error can name its line; later calls only repeat what has
 * worked, or what stoa_recipe_set() has changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "core/names.h"
#include "data/dataset.h"
#include "model/graph.h"
#include "ops/op.h"
#include "recipe/entries.h"
#include "train/options.h"
#include "train/rates.h"

/* A recipe is written by hand; anything near this size is another file. */
enum { MAX_BYTES = 1 << 20, MAX_NAME = 63 };

/* What is known while the lines come in. */
struct reading {
    stoa_context *context;
    stoa_recipe *recipe;
    stoa_model *model; /* built along to check each layer */
};

/* ---- the whole ---- */

/* " on line 8", or nothing for what was set. */
struct place {
    char text[32];
};

static const char *name_line(const struct stoa_recipe_entry *entry, struct place *place) {
    place->text[0] = '\0';
    if (entry->line > 0) {
        (void)snprintf(place->text, sizeof place->text, " on line %zu", entry->line);
    }
    return place->text;
}

/* Layer `index`; past the last the last. */
static const struct stoa_recipe_entry *find_layer(const stoa_recipe *recipe, size_t index) {
    const struct stoa_recipe_entry *last = NULL;
    for (size_t i = 0, layers = 0; i < recipe->entries && layers <= index; i++) {
        if (stoa_recipe_is_layer(recipe->entry[i].section, recipe->entry[i].name)) {
            last = &recipe->entry[i];
            layers++;
        }
    }
    return last;
}

/* With targets a network gives one value for each, as far as the recipe tells how many there are, and
 * nothing is said of classes that is not so. */
static stoa_status check_targets(const stoa_recipe *recipe, struct stoa_error *error, size_t values) {
    const stoa_data_options *options = &recipe->data.options;
    const struct stoa_recipe_entry *classes = stoa_recipe_find(recipe, STOA_RECIPE_DATA, "classes");
    struct place place;
    if (classes && options->classes != values) {
        return stoa_error_set(
            error, STOA_ERR_ARGUMENT,
            "classes = %zu%s, expected none with a task of targets, or %zu, the values of the last "
            "layer",
            options->classes, name_line(classes, &place), values);
    }
    return STOA_OK;
}

/* A network gives one value a class; found here, the mistake costs no reading of data. */
static stoa_status check_classes(const stoa_recipe *recipe, struct stoa_error *error,
                                 const stoa_model *model) {
    size_t values = stoa_model_output_size(model);
    struct place place;
    if (stoa_task_of(&recipe->data.options) != STOA_TASK_CLASSES) {
        return check_targets(recipe, error, values);
    }
    if (values == recipe->data.options.classes) {
        return STOA_OK;
    }
    bool is_last = stoa_output_value(model, 0) == model->node_count;
    const struct stoa_recipe_entry *last = find_layer(recipe, stoa_output_value(model, 0) - 1);
    return stoa_error_set(error, STOA_ERR_SHAPE,
                          "the %s, '%s'%s, gives %zu values, expected %zu, the classes of [data]: "
                          "units=%zu there, or classes = %zu in [data]",
                          is_last ? "last layer" : "first output", last->name, name_line(last, &place),
                          values, recipe->data.options.classes, recipe->data.options.classes, values);
}

static const char *loss_of(const stoa_recipe *recipe) {
    return recipe->info.train.loss ? recipe->info.train.loss : STOA_DEFAULT_LOSS;
}

/* The loss takes what the last layer gives; it was checked alone when its line came in. */
static stoa_status check_loss(const stoa_recipe *recipe, struct stoa_error *error, const stoa_model *model) {
    struct stoa_spec spec;
    struct stoa_layer loss;
    stoa_status status = stoa_spec_parse(error, loss_of(recipe), &spec);
    const struct stoa_op *op = status == STOA_OK ? stoa_op_find(spec.name) : NULL;
    if (op && op->takes_labels && stoa_task_of(&recipe->data.options) != STOA_TASK_CLASSES) {
        bool labels = recipe->data.options.task == STOA_TASK_MULTILABEL;
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "loss %s takes a class, [data] asks for targets: expected loss = %s in [train]",
                              op->name,
                              labels ? "bce_with_logits"
                                     : "mse, huber, l1 or smooth_l1, or bce_with_logits for several labels");
    }
    if (status == STOA_OK) {
        status = stoa_layer_make(error, "loss", &spec, stoa_value_shape(model, stoa_output_value(model, 0)),
                                 1, &loss);
    }
    if (status == STOA_OK) {
        stoa_layer_clear(&loss);
    }
    return status;
}

static stoa_status check_unread(const stoa_recipe *recipe, struct stoa_error *error,
                                const stoa_model *model) {
    size_t unread = stoa_model_unread_layer(model);
    if (unread == stoa_model_layer_count(model)) {
        return stoa_model_check_read(model, error);
    }
    struct place place;
    const struct stoa_recipe_entry *layer = find_layer(recipe, unread);
    return stoa_error_set(error, STOA_ERR_ARGUMENT,
                          stoa_value_is_input(model, unread + 1)
                              ? "input '%s'%s: no layer reads it"
                              : "layer '%s'%s: no later layer reads its output",
                          layer->name, name_line(layer, &place));
}

/* Scales are given or measured, not both. */
static stoa_status check_scales(const stoa_recipe *recipe, struct stoa_error *error) {
    static const char *const given[] = {"mean", "deviation"};
    for (size_t i = 0; recipe->data.normalize && i < 2; i++) {
        struct place place;
        const struct stoa_recipe_entry *entry = stoa_recipe_find(recipe, STOA_RECIPE_DATA, given[i]);
        if (entry) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT,
                                  "%s is given%s, expected none with normalize = measured", given[i],
                                  name_line(entry, &place));
        }
    }
    return STOA_OK;
}

/* What one line needs of another. */
static stoa_status check_whole(stoa_context *context, const stoa_recipe *recipe, const stoa_model *model) {
    struct stoa_error *error = &context->error;
    stoa_status status = check_scales(recipe, error);
    if (status == STOA_OK) {
        status = check_unread(recipe, error, model);
    }
    if (status == STOA_OK && recipe->section_line[STOA_RECIPE_DATA] > 0) {
        status = check_classes(recipe, error, model);
    }
    if (status == STOA_OK && recipe->section_line[STOA_RECIPE_DATA] > 0) {
        status = check_loss(recipe, error, model);
    }
    if (status == STOA_OK) {
        status = stoa_rates_check(model, error, &recipe->info.train, 0, 0);
    }
    return status == STOA_OK ? stoa_train_options_check(context, &recipe->info.train) : status;
}

/* ---- lines in ---- */

static stoa_status begin_section(void *user, struct stoa_error *error, const char *name, size_t line) {
    struct reading *reading = user;
    size_t section = stoa_recipe_find_section(name);
    if (section == STOA_RECIPE_SECTIONS) {
        static const char *const sections[] = {"model", "data", "train"};
        const char *near = stoa_nearest(name, sections, 3);
        return stoa_error_set(
            error, STOA_ERR_ARGUMENT,
            near ? "unknown section [%s], did you mean [%s]? Expected [model], [data] or [train]"
                 : "unknown section [%s], expected [model], [data] or [train]",
            name, near);
    }
    size_t *first = &reading->recipe->section_line[section];
    if (*first != 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "section [%s] is there already, on line %zu", name,
                              *first);
    }
    *first = line;
    return STOA_OK;
}

static stoa_status read_layer(const struct reading *reading, struct stoa_error *error, const char *name,
                              const char *line) {
    if (strlen(name) > MAX_NAME) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "the layer's name is %zu bytes long, at most %d are allowed", strlen(name),
                              MAX_NAME);
    }
    if (!stoa_name_is_simple(name)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "layer '%.64s': expected a name of letters, digits, '_', '-' or '.'", name);
    }
    stoa_recipe_add_line(reading->model, name, line);
    *error = reading->model->error; /* says why the line was refused */
    return error->status;
}

/* Input first, then layers. */
static stoa_status read_model_entry(const struct reading *reading, struct stoa_error *error, const char *name,
                                    const char *value) {
    stoa_recipe *recipe = reading->recipe;
    bool has_input = recipe->data.options.height > 0;
    if (strcmp(name, "input") != 0) {
        return has_input ? read_layer(reading, error, name, value)
                         : stoa_error_set(error, STOA_ERR_ARGUMENT,
                                          "found '%s', expected input = HEIGHTxWIDTHxCHANNELS first", name);
    }
    stoa_status status = stoa_recipe_read_input(recipe, error, value);
    if (status == STOA_OK) {
        const stoa_data_options *shape = &recipe->data.options;
        stoa_model_input(reading->model, shape->height, shape->width, shape->channels);
    }
    return status;
}

static stoa_status take_entry(void *user, struct stoa_error *error, const char *section_name,
                              const char *name, const char *value, size_t line) {
    const struct reading *reading = user;
    size_t section = stoa_recipe_find_section(section_name);
    bool layer = stoa_recipe_is_layer(section, name);
    const struct stoa_recipe_entry *same = layer ? NULL : stoa_recipe_find(reading->recipe, section, name);
    if (same) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s is there already, on line %zu", name, same->line);
    }
    stoa_status status =
        section == STOA_RECIPE_MODEL ? read_model_entry(reading, error, name, value) : STOA_OK;
    return status == STOA_OK ? stoa_recipe_put(reading->recipe, error, section, name, value, line) : status;
}

static stoa_status end_of_text(void *user, struct stoa_error *error, size_t line) {
    struct reading *reading = user;
    (void)line;
    if (reading->recipe->section_line[STOA_RECIPE_MODEL] == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found no section [model], expected one with input and layers");
    }
    if (reading->recipe->data.options.height == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found no input in [model], expected input = 28x28x1 or such");
    }
    if (stoa_model_layer_count(reading->model) == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found no layer in [model], expected NAME = OPERATOR OPTIONS");
    }
    stoa_recipe_write(reading->recipe);
    return check_whole(reading->context, reading->recipe, reading->model);
}

static stoa_recipe *new_recipe(const char *name) {
    stoa_recipe *recipe = calloc(1, sizeof *recipe);
    char *copy = strdup(name);
    if (!recipe || !copy) {
        free(recipe);
        free(copy);
        return NULL;
    }
    recipe->name = copy;
    stoa_keys_begin(&stoa_data_keys, &recipe->data);
    return recipe;
}

stoa_status stoa_recipe_load_memory(stoa_context *context, const char *name, const char *text, size_t bytes,
                                    stoa_recipe **recipe) {
    const char *shown = name ? name : "recipe";
    if (bytes > MAX_BYTES) {
        return stoa_fail(context, STOA_ERR_FORMAT, "%s:1: holds %zu bytes, at most %d are read", shown, bytes,
                         MAX_BYTES);
    }
    struct reading reading = {.context = context, .recipe = new_recipe(shown)};
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
    for (size_t i = 0; recipe && i < recipe->entries; i++) {
        free(recipe->entry[i].name);
    }
    if (recipe) {
        free(recipe->name);
        free(recipe->entry);
        free(recipe->text);
        free(recipe);
    }
}

/* ---- what it says ---- */

static const char *text_of(const char *text) {
    return text ? text : "";
}

void stoa_recipe_describe(const stoa_recipe *recipe, stoa_recipe_info *info) {
    const struct stoa_data_source *data = &recipe->data;
    *info = recipe->info;
    info->title = text_of(info->title);
    info->needs = text_of(info->needs);
    info->reaches = text_of(info->reaches);
    info->set = text_of(data->set);
    info->classes = data->options.classes;
    info->mean = data->mean;
    info->deviation = data->deviation;
    info->measured = data->normalize == 1;
    info->weighted = data->weights == 1;
    info->data = data->options;
}

const char *stoa_recipe_text(const stoa_recipe *recipe) {
    return recipe->text;
}

/* Facts say what is not the default, and what readers of the model file need. */
static stoa_status set_facts(const stoa_recipe *recipe, stoa_model *model) {
    stoa_status status = stoa_model_set_fact(model, "loss", loss_of(recipe));
    for (size_t i = 0; status == STOA_OK && i < stoa_data_keys.count; i++) {
        const struct stoa_key *key = &stoa_data_keys.key[i];
        char number[STOA_KEY_TEXT], name[STOA_KEY_TEXT];
        bool targets = stoa_task_of(&recipe->data.options) != STOA_TASK_CLASSES;
        bool unknown = (recipe->data.normalize && stoa_data_is_scale(key)) ||
                       (targets && strcmp(key->option.name, "classes") == 0);
        (void)snprintf(name, sizeof name, "data.%s", key->option.name);
        status = stoa_model_set_fact(model, name, unknown ? NULL : stoa_key_text(key, &recipe->data, number));
    }
    return status;
}

stoa_status stoa_recipe_build(stoa_context *context, const stoa_recipe *recipe, stoa_model **model) {
    stoa_model *built = NULL;
    stoa_status status = stoa_model_create(context, &built);
    if (status != STOA_OK) {
        return status;
    }
    const stoa_data_options *shape = &recipe->data.options;
    stoa_model_input(built, shape->height, shape->width, shape->channels);
    for (size_t i = 0; i < recipe->entries; i++) {
        if (recipe->entry[i].section == STOA_RECIPE_MODEL && strcmp(recipe->entry[i].name, "input") != 0) {
            stoa_recipe_add_line(built, recipe->entry[i].name, recipe->entry[i].value);
        }
    }
    status = stoa_model_build(built);
    if (status != STOA_OK) {
        stoa_model_free(built);
        return status;
    }
    *model = built;
    return STOA_OK;
}

/* Lets the model know its lines, for sentences about data that do not fit. */
static void number_lines(const stoa_recipe *recipe, stoa_model *model) {
    const struct stoa_recipe_entry *input = stoa_recipe_find(recipe, STOA_RECIPE_MODEL, "input");
    const struct stoa_recipe_entry *classes = stoa_recipe_find(recipe, STOA_RECIPE_DATA, "classes");
    model->input_line = input ? input->line : 0;
    model->classes_line = classes ? classes->line : 0;
    for (size_t i = 0; i < model->node_count; i++) {
        model->nodes[i].line = find_layer(recipe, i)->line;
    }
}

stoa_status stoa_recipe_model(stoa_context *context, const stoa_recipe *recipe, stoa_model **model) {
    stoa_model *built = NULL;
    stoa_status status = stoa_recipe_build(context, recipe, &built);
    if (status == STOA_OK) {
        status = check_whole(context, recipe, built);
    }
    if (status == STOA_OK) {
        status = set_facts(recipe, built);
    }
    if (status == STOA_OK) {
        number_lines(recipe, built);
        status = stoa_model_set_name(built, recipe->name);
    }
    if (status != STOA_OK) {
        stoa_model_free(built);
        return status;
    }
    *model = built;
    return STOA_OK;
}
