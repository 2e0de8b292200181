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
#include "core/options.h"
#include "model/graph.h"
#include "recipe/data.h"
#include "recipe/lines.h"
#include "train/options.h"

/* A recipe is written by hand; anything near this size is another file. */
enum { MAX_BYTES = 1 << 20, TEXT = STOA_LINE_MAX + 1, NAME = 64 };

struct layer {
    char name[NAME];
    char line[TEXT];
    size_t number; /* of the line in the recipe */
};

struct stoa_recipe {
    char title[TEXT], optimizer[TEXT], schedule[TEXT], loss[TEXT];
    size_t height, width, channels;
    struct stoa_recipe_data data;
    size_t epochs, batch;
    uint64_t seed;
    float learning_rate, clip_norm, clip_value, average, validation, min_delta;
    size_t patience;
    bool stratified, keep_best;
    char monitor[TEXT];
    size_t layers, room;
    struct layer *layer;
};

/* ---- keys other than layers: one table ---- */

enum kind {
    TEXT_KEY,
    NAME_KEY,
    SIZE_KEY,
    SEED_KEY,
    FLOAT_KEY,
    BOOL_KEY,
    SPEC_KEY,
    NORMALIZE_KEY,
    HEADER_KEY,
    WEIGHTS_KEY
};

struct key {
    const char *section, *name;
    enum kind kind;
    size_t offset;
    double lowest, highest; /* of SIZE_KEY and FLOAT_KEY */
};

#define AT(member) offsetof(struct stoa_recipe, member)
static const struct key keys[] = {
    {"", "title", TEXT_KEY, AT(title), 0, 0},
    {"data", "set", NAME_KEY, AT(data.set), 0, 0},
    {"data", "classes", SIZE_KEY, AT(data.classes), 1, 1e6},
    {"data", "mean", FLOAT_KEY, AT(data.mean), -1e6, 1e6},
    {"data", "deviation", FLOAT_KEY, AT(data.deviation), 1e-6, 1e6},
    {"data", "normalize", NORMALIZE_KEY, AT(data.normalize), 0, 0},
    {"data", "label", TEXT_KEY, AT(data.label), 0, 0},
    {"data", "header", HEADER_KEY, AT(data.header), 0, 0},
    {"data", "test", FLOAT_KEY, AT(data.test), 1e-3, 0.999},
    {"data", "split_seed", SEED_KEY, AT(data.seed), 0, 0},
    {"data", "samples", SIZE_KEY, AT(data.samples), 10, 1e6},
    {"data", "weights", WEIGHTS_KEY, AT(data.weights), 0, 0},
    {"train", "epochs", SIZE_KEY, AT(epochs), 1, 1e6},
    {"train", "batch", SIZE_KEY, AT(batch), 1, 1e6},
    {"train", "lr", FLOAT_KEY, AT(learning_rate), 1e-12, 1e3},
    {"train", "seed", SEED_KEY, AT(seed), 0, 0},
    {"train", "optimizer", SPEC_KEY, AT(optimizer), 0, 0},
    {"train", "schedule", SPEC_KEY, AT(schedule), 0, 0},
    {"train", "loss", SPEC_KEY, AT(loss), 0, 0},
    {"train", "clip_norm", FLOAT_KEY, AT(clip_norm), 0, 1e9},
    {"train", "clip_value", FLOAT_KEY, AT(clip_value), 0, 1e9},
    {"train", "average", FLOAT_KEY, AT(average), 0, 0.999999},
    {"train", "validation", FLOAT_KEY, AT(validation), 0, 0.9},
    {"train", "stratified", BOOL_KEY, AT(stratified), 0, 0},
    {"train", "patience", SIZE_KEY, AT(patience), 0, 1e6},
    {"train", "min_delta", FLOAT_KEY, AT(min_delta), 0, 1e6},
    {"train", "keep_best", BOOL_KEY, AT(keep_best), 0, 0},
    {"train", "monitor", SPEC_KEY, AT(monitor), 0, 0},
};
enum { KEYS = sizeof keys / sizeof keys[0] };

static const char *const sections[] = {"model", "data", "train"};
enum { MODEL, DATA, SECTIONS = sizeof sections / sizeof sections[0] };

/* What is known while the lines come in. */
struct reading {
    stoa_context *context;
    stoa_recipe *recipe;
    stoa_model *model;             /* built along to check each layer */
    size_t section_line[SECTIONS]; /* 0: not seen */
    size_t key_line[KEYS];         /* 0: not seen */
    size_t input_line;             /* 0: not seen */
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

static stoa_status fail_value(struct stoa_error *error, const char *key, const char *value,
                              const char *expected) {
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s: found '%s', expected %s", key, value, expected);
}

/* Names of data sets become parts of paths, so only plain ones are taken. */
static bool is_plain_name(const char *value) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return value[0] != '.' && strspn(value, allowed) == strlen(value);
}

/* One of the words that a key takes. */
static stoa_status read_choice(struct stoa_error *error, const struct key *key, const char *value,
                               void *member) {
    const char *const *choices = key->kind == HEADER_KEY    ? stoa_header_choices
                                 : key->kind == WEIGHTS_KEY ? stoa_weights_choices
                                                            : stoa_normalize_choices;
    const struct stoa_option option = {
        .name = key->name, .type = STOA_OPTION_CHOICE, .fallback = value, .choices = choices};
    struct stoa_spec none = {.pairs = 0};
    return stoa_options_read(error, &option, 1, &none, member);
}

static stoa_status read_number(struct stoa_error *error, const struct key *key, const char *value,
                               void *member) {
    const struct stoa_option option = {.name = key->name,
                                       .type = key->kind == SIZE_KEY   ? STOA_OPTION_SIZE
                                               : key->kind == BOOL_KEY ? STOA_OPTION_BOOL
                                                                       : STOA_OPTION_FLOAT,
                                       .fallback = value,
                                       .lowest = key->lowest,
                                       .highest = key->highest};
    struct stoa_spec none = {.pairs = 0};
    return stoa_options_read(error, &option, 1, &none, member);
}

static bool read_seed(const char *value, uint64_t *seed) {
    size_t number = 0;
    bool good = stoa_parse_size(value, strlen(value), &number);
    *seed = number;
    return good;
}

/* Optimiser, schedule, loss or monitor, each checked alone, so that the sentence gets its line. */
static stoa_status check_spec(struct reading *reading, const struct key *key, const char *value) {
    stoa_train_options options = {0};
    if (key->offset == AT(optimizer)) {
        options.optimizer = value;
    } else if (key->offset == AT(schedule)) {
        options.schedule = value;
    } else if (key->offset == AT(monitor)) {
        options.monitor = value;
    } else {
        options.loss = value;
    }
    return stoa_train_options_check(reading->context, &options, false);
}

static stoa_status read_value(struct reading *reading, struct stoa_error *error, const struct key *key,
                              const char *value) {
    char *member = (char *)reading->recipe + key->offset;
    stoa_status status = STOA_OK;
    uint64_t seed = 0;
    switch (key->kind) {
    case SIZE_KEY:
    case FLOAT_KEY:
    case BOOL_KEY:
        return read_number(error, key, value, member);
    case NORMALIZE_KEY:
    case HEADER_KEY:
    case WEIGHTS_KEY:
        return read_choice(error, key, value, member);
    case SEED_KEY:
        if (!read_seed(value, &seed)) {
            return fail_value(error, key->name, value, "a whole number from 0");
        }
        memcpy(member, &seed, sizeof seed);
        return STOA_OK;
    case NAME_KEY:
        if (!is_plain_name(value)) {
            return fail_value(error, key->name, value, "a name of letters, digits, '_', '-' and '.'");
        }
        break;
    case SPEC_KEY:
        status = check_spec(reading, key, value);
        break;
    case TEXT_KEY:
        break;
    }
    (void)snprintf(member, TEXT, "%s", value);
    return status;
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
            return fail_value(error, "input", value, "HEIGHTxWIDTHxCHANNELS, such as 28x28x1");
        }
        at = i < 2 ? end + 1 : end;
    }
    size_t size = recipe->height;
    if (!stoa_size_scale(&size, recipe->width) || !stoa_size_scale(&size, recipe->channels) ||
        size > STOA_MAX_DIMENSION) {
        return fail_value(error, "input", value, "fewer values");
    }
    reading->input_line = line;
    stoa_model_input(reading->model, recipe->height, recipe->width, recipe->channels);
    return STOA_OK;
}

static stoa_status append_layer(stoa_recipe *recipe, struct stoa_error *error, const char *name,
                                const char *line, size_t number) {
    if (recipe->layers == recipe->room) {
        size_t room = recipe->room ? recipe->room * 2 : 32;
        struct layer *layer = realloc(recipe->layer, room * sizeof *layer);
        if (!layer) {
            return stoa_error_set(error, STOA_ERR_MEMORY, "no memory for %zu layers", room);
        }
        recipe->layer = layer;
        recipe->room = room;
    }
    struct layer *added = &recipe->layer[recipe->layers++];
    (void)snprintf(added->name, sizeof added->name, "%s", name);
    (void)snprintf(added->line, sizeof added->line, "%s", line);
    added->number = number;
    return STOA_OK;
}

static stoa_status read_layer(struct reading *reading, struct stoa_error *error, const char *name,
                              const char *line, size_t number) {
    if (strlen(name) >= NAME) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "the layer's name is %zu bytes long, at most %d are allowed", strlen(name),
                              NAME - 1);
    }
    size_t before = stoa_model_layer_count(reading->model);
    stoa_model_add(reading->model, name, line);
    if (stoa_model_layer_count(reading->model) == before) {
        /* The layer was refused; building says why. */
        stoa_status status = stoa_model_build(reading->model);
        return status != STOA_OK ? status : fail_value(error, name, line, "a layer");
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

static stoa_status fail_unknown(struct stoa_error *error, const char *section, const char *key) {
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].section, section) == 0 && used < sizeof known) {
            used +=
                (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", keys[i].name);
        }
    }
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "unknown key '%s' %s%s%s, expected %s", key,
                          section[0] ? "in [" : "before the first section", section, section[0] ? "]" : "",
                          known);
}

static stoa_status take_entry(void *user, struct stoa_error *error, const char *section, const char *key,
                              const char *value, size_t line) {
    struct reading *reading = user;
    if (strcmp(section, sections[MODEL]) == 0) {
        return read_model_entry(reading, error, key, value, line);
    }
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, key) != 0) {
            continue;
        }
        if (reading->key_line[i] != 0) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s is there already, on line %zu", key,
                                  reading->key_line[i]);
        }
        reading->key_line[i] = line;
        return read_value(reading, error, &keys[i], value);
    }
    return fail_unknown(error, section, key);
}

/* A network gives one value a class; found here, the mistake costs no reading of data. */
static stoa_status check_classes(const struct reading *reading, struct stoa_error *error) {
    const stoa_recipe *recipe = reading->recipe;
    size_t values = stoa_model_output_size(reading->model);
    if (reading->section_line[DATA] == 0 || values == recipe->data.classes) {
        return STOA_OK;
    }
    const struct layer *last = &recipe->layer[recipe->layers - 1];
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
    const struct layer *layer = &reading->recipe->layer[unread];
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "layer '%s' on line %zu: no later layer reads its output",
                          layer->name, layer->number);
}

static size_t line_of_data_key(const struct reading *reading, const char *name) {
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].section, sections[DATA]) == 0 && strcmp(keys[i].name, name) == 0) {
            return reading->key_line[i];
        }
    }
    return 0;
}

/* Scales are given or measured, not both. */
static stoa_status check_scales(const struct reading *reading, struct stoa_error *error) {
    static const char *const given[] = {"mean", "deviation"};
    for (size_t i = 0; reading->recipe->data.normalize && i < 2; i++) {
        size_t line = line_of_data_key(reading, given[i]);
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
                .monitor = text_or_null(recipe->monitor),
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
