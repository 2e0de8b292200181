/* SPDX-License-Identifier: MIT */
/* Models from files: everything is checked before anything is changed, and no memory is asked for that the
 * file's own size does not account for. Works through the public functions of a model only. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/size.h"
#include "core/context.h"
#include "model/files.h"
#include "model/graph.h"
#include "model/mapping.h"
#include "model/model.h"

/* How much of a foreign name an error sentence repeats. */
#define NAME "%.80s"

/* Three keys and values a layer and an output, two a fact, and more than the rest of a graph has. */
enum { GRAPH_DEPTH = 4, GRAPH_PARTS = 6 * STOA_MAX_LAYERS + 2 * STOA_MAX_FACTS + 512 };

static stoa_status check_format(stoa_context *context, const json_t *graph) {
    const json_t *format = json_object_get(graph, "format");
    const char *version = json_string_value(json_object_get(graph, "version"));
    if (!json_is_integer(format) || json_integer_value(format) < 1 || !version) {
        return stoa_fail(context, STOA_ERR_FORMAT,
                         "its graph has no 'format' and 'version': not a model that Stoa saved");
    }
    if (json_integer_value(format) > STOA_MODEL_FORMAT_PORTS) {
        return stoa_fail(context, STOA_ERR_FORMAT,
                         "found model format %lld, written by Stoa %.40s, expected at most %d: update Stoa",
                         (long long)json_integer_value(format), version, STOA_MODEL_FORMAT_PORTS);
    }
    return STOA_OK;
}

static stoa_status read_input(stoa_context *context, const json_t *graph, stoa_model *model) {
    const json_t *input = json_object_get(graph, "input"), *given = json_object_get(graph, "input_name");
    size_t shape[3] = {0, 0, 0};
    bool good = json_is_array(input) && json_array_size(input) == 3;
    for (size_t i = 0; i < 3 && good; i++) {
        const json_t *value = json_array_get(input, i);
        json_int_t number = json_integer_value(value);
        good = json_is_integer(value) && number > 0 && number <= (json_int_t)STOA_MAX_DIMENSION;
        shape[i] = good ? (size_t)number : 0;
    }
    if (!good) {
        return stoa_fail(context, STOA_ERR_FORMAT, "its graph has no 'input' of three sizes");
    }
    if (given && !json_is_string(given)) {
        return stoa_fail(context, STOA_ERR_FORMAT, "its 'input_name' is not a string");
    }
    if (given) {
        stoa_model_add_input(model, json_string_value(given), shape[0], shape[1], shape[2]);
    } else {
        stoa_model_input(model, shape[0], shape[1], shape[2]);
    }
    return STOA_OK;
}

static stoa_status read_layers(stoa_context *context, const json_t *layers, stoa_model *model) {
    if (!json_is_array(layers) || json_array_size(layers) == 0) {
        return stoa_fail(context, STOA_ERR_FORMAT, "its graph has no list of 'layers'");
    }
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        const char *name = json_string_value(json_array_get(layer, 0));
        const char *line = json_string_value(json_array_get(layer, 1));
        if (json_array_size(layer) != 2 || !name || !line) {
            return stoa_fail(context, STOA_ERR_FORMAT,
                             "layer %zu of its graph is not a pair of name and line", i);
        }
        stoa_model_add(model, name, line);
    }
    return STOA_OK;
}

static stoa_status read_outputs(stoa_context *context, const json_t *outputs, stoa_model *model) {
    if (outputs && !json_is_array(outputs)) {
        return stoa_fail(context, STOA_ERR_FORMAT, "the 'outputs' of its graph are no list");
    }
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const json_t *output = json_array_get(outputs, i);
        const char *name = json_string_value(json_array_get(output, 0));
        const char *layer = json_string_value(json_array_get(output, 1));
        if (json_array_size(output) != 2 || !name || !layer) {
            return stoa_fail(context, STOA_ERR_FORMAT,
                             "output %zu of its graph is not a pair of name and layer", i);
        }
        stoa_model_add_output(model, name, layer);
    }
    return STOA_OK;
}

static stoa_status read_facts(stoa_context *context, json_t *facts, stoa_model *model) {
    if (!json_is_object(facts)) {
        return stoa_fail(context, STOA_ERR_FORMAT, "its graph has no 'facts'");
    }
    const char *key;
    json_t *value;
    json_object_foreach(facts, key, value) {
        if (!json_is_string(value)) {
            return stoa_fail(context, STOA_ERR_FORMAT, "the fact '" NAME "' is not a string", key);
        }
        stoa_status status = stoa_model_set_fact(model, key, json_string_value(value));
        if (status != STOA_OK) {
            return status;
        }
    }
    return STOA_OK;
}

/* Version and fingerprint. What is no text is passed over: nothing depends on it. */
static stoa_status read_origin(const json_t *graph, stoa_model *model) {
    const char *key;
    json_t *value, *fingerprint = json_object_get(graph, "fingerprint");
    stoa_status status =
        stoa_model_add_origin(model, "version", json_string_value(json_object_get(graph, "version")));
    json_object_foreach(fingerprint, key, value) {
        if (status == STOA_OK && json_is_string(value)) {
            status = stoa_model_add_origin(model, key, json_string_value(value));
        }
    }
    return status;
}

/* Refuse a few bytes that ask for gigabytes before memory is asked for. */
static stoa_status check_room(stoa_context *context, const struct stoa_safetensors *file,
                              const stoa_model *model) {
    size_t held = 0;
    for (size_t i = 0; i < stoa_safetensors_count(file); i++) {
        held += stoa_safetensors_at(file, i)->bytes; /* parts of one buffer: no overflow */
    }
    size_t wanted = stoa_model_layer_parameters(model);
    if (wanted > held / sizeof(uint16_t)) { /* the smallest type that is loaded */
        return stoa_fail(context, STOA_ERR_FORMAT, "found %zu bytes of data, expected %zu parameters", held,
                         wanted);
    }
    return STOA_OK;
}

stoa_status stoa_model_read_graph(stoa_context *context, const struct stoa_safetensors *file,
                                  json_t **graph) {
    static const struct stoa_json_limits limits = {"its graph", GRAPH_DEPTH, GRAPH_PARTS};
    const char *text = stoa_safetensors_metadata(file, STOA_MODEL_KEY);
    if (!text) {
        return stoa_fail(
            context, STOA_ERR_FORMAT,
            "its metadata have no entry '%s': tensors without a graph, not a model that Stoa saved",
            STOA_MODEL_KEY);
    }
    return stoa_json_parse(&context->error, &limits, text, strlen(text), graph);
}

/* Fill a new model from the graph and build it. */
static stoa_status make_model(stoa_context *context, const struct stoa_safetensors *file, stoa_model *model) {
    json_t *graph = NULL;
    stoa_status status = stoa_model_read_graph(context, file, &graph);
    if (status == STOA_OK) {
        status = check_format(context, graph);
    }
    if (status == STOA_OK) {
        status = read_input(context, graph, model);
    }
    if (status == STOA_OK) {
        status = read_layers(context, json_object_get(graph, "layers"), model);
    }
    if (status == STOA_OK) {
        status = read_outputs(context, json_object_get(graph, "outputs"), model);
    }
    if (status == STOA_OK) {
        status = read_facts(context, json_object_get(graph, "facts"), model);
    }
    if (status == STOA_OK) {
        status = read_origin(graph, model);
    }
    json_decref(graph);
    if (status == STOA_OK) {
        status = check_room(context, file, model);
    }
    if (status == STOA_OK) {
        status = stoa_model_build(model);
    }
    return status;
}

/* Whether a file holds a training's state: more than a model's tensors. */
static stoa_status look_for_training(stoa_context *context, const struct stoa_safetensors *file,
                                     bool *holds) {
    json_t *graph = NULL;
    *holds = false;
    if (!stoa_safetensors_metadata(file, STOA_MODEL_KEY)) {
        return STOA_OK;
    }
    stoa_status status = stoa_model_read_graph(context, file, &graph);
    *holds = status == STOA_OK && json_object_get(graph, STOA_TRAINING_KEY) != NULL;
    json_decref(graph);
    return status;
}

/* Of a training's state the parameters as they are trained. */
static stoa_status load_tensors(stoa_model *model, const struct stoa_safetensors *file) {
    const struct stoa_tensor_group own = {.prefix = "", .suffix = "", .own = true};
    struct stoa_state_prefix prefix;
    bool training;
    stoa_status found = look_for_training(stoa_model_context(model), file, &training);
    if (found != STOA_OK) {
        return found;
    }
    if (training) {
        found = stoa_groups_check(model, file, &own, 1, false);
        return found == STOA_OK ? stoa_groups_read(model, file, &own, 1) : found;
    }
    stoa_status status = stoa_state_check(model, file, &prefix);
    return status == STOA_OK ? stoa_state_copy(model, file, &prefix) : status;
}

static stoa_status load_model(stoa_context *context, const void *data, size_t bytes, stoa_model **model) {
    struct stoa_safetensors *file = NULL;
    stoa_model *loaded = NULL;
    stoa_status status = stoa_safetensors_open(&context->error, data, bytes, &file);
    if (status == STOA_OK) {
        status = stoa_model_create(context, &loaded);
    }
    if (status == STOA_OK) {
        status = make_model(context, file, loaded);
    }
    if (status == STOA_OK) {
        status = load_tensors(loaded, file);
    }
    stoa_safetensors_close(file);
    if (status != STOA_OK) {
        stoa_model_free(loaded);
        /* A layer that is no good is the file's fault, not the caller's. */
        return status == STOA_ERR_ARGUMENT ? STOA_ERR_FORMAT : status;
    }
    *model = loaded;
    return STOA_OK;
}

static stoa_status name_file(stoa_context *context, const char *what, stoa_status status) {
    if (status == STOA_OK) {
        return STOA_OK;
    }
    context->error.status = status;
    return stoa_error_prefix(&context->error, "%s: ", what);
}

/* What is loaded: a new model, all tensors of one, or those that fit. */
struct wish {
    enum { WHOLE, TENSORS, MATCHING } what;
    stoa_match_fn *tell;
    void *user;
    const char *map;  /* NULL: names are as they are */
    char **suggested; /* not NULL: nothing is loaded, a mapping is suggested */
};

static stoa_status load_into(stoa_model *model, const struct stoa_safetensors *file,
                             const struct wish *wish) {
    bool training;
    if (wish->suggested) {
        return stoa_mapping_suggest(model, file, wish->suggested);
    }
    if (wish->what == TENSORS) {
        return load_tensors(model, file);
    }
    stoa_status status = look_for_training(stoa_model_context(model), file, &training);
    return status == STOA_OK ? stoa_state_match(model, file, training, wish->tell, wish->user) : status;
}

static stoa_status load_tensors_from(stoa_model *model, const void *data, size_t bytes,
                                     const struct wish *wish) {
    struct stoa_safetensors *file = NULL;
    stoa_status status = stoa_model_check_built(model);
    if (status == STOA_OK) {
        status = stoa_safetensors_open(&stoa_model_context(model)->error, data, bytes, &file);
    }
    if (status != STOA_OK) {
        return status;
    }
    char *names = NULL;
    if (wish->map) {
        status = stoa_mapping_apply(&stoa_model_context(model)->error, wish->map, file, &names);
    }
    if (status == STOA_OK) {
        status = load_into(model, file, wish);
    }
    stoa_safetensors_close(file);
    free(names);
    return status;
}

/* Load from a file, into *model unless that is what is loaded; its sentences begin with the path. */
static stoa_status load_path(stoa_context *context, const char *path, const struct wish *wish,
                             stoa_model **model) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, SIZE_MAX / 2, &data, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    stoa_model *loaded = NULL;
    status = wish->what == WHOLE ? load_model(context, data, bytes, &loaded)
                                 : load_tensors_from(*model, data, bytes, wish);
    free(data);
    if (loaded) {
        status = stoa_model_set_name(loaded, path);
    }
    if (loaded && status == STOA_OK) {
        *model = loaded;
    } else {
        stoa_model_free(loaded);
    }
    return name_file(context, path, status);
}

stoa_status stoa_model_load_memory(stoa_context *context, const void *data, size_t bytes,
                                   stoa_model **model) {
    return name_file(context, "model", load_model(context, data, bytes, model));
}

stoa_status stoa_model_load(stoa_context *context, const char *path, stoa_model **model) {
    return load_path(context, path, &(struct wish){.what = WHOLE}, model);
}

stoa_status stoa_model_load_tensors_memory(stoa_model *model, const void *data, size_t bytes) {
    return name_file(stoa_model_context(model), "model",
                     load_tensors_from(model, data, bytes, &(struct wish){.what = TENSORS}));
}

stoa_status stoa_model_load_tensors(stoa_model *model, const char *path) {
    return load_path(stoa_model_context(model), path, &(struct wish){.what = TENSORS}, &model);
}

stoa_status stoa_model_load_matching_memory(stoa_model *model, const void *data, size_t bytes,
                                            stoa_match_fn *tell, void *user) {
    const struct wish wish = {.what = MATCHING, .tell = tell, .user = user};
    return name_file(stoa_model_context(model), "model", load_tensors_from(model, data, bytes, &wish));
}

stoa_status stoa_model_load_matching(stoa_model *model, const char *path, stoa_match_fn *tell, void *user) {
    return load_path(stoa_model_context(model), path,
                     &(struct wish){.what = MATCHING, .tell = tell, .user = user}, &model);
}

stoa_status stoa_model_load_mapped(stoa_model *model, const char *path, const char *map, stoa_match_fn *tell,
                                   void *user) {
    const struct wish wish = {.what = MATCHING, .tell = tell, .user = user, .map = map};
    return load_path(stoa_model_context(model), path, &wish, &model);
}

stoa_status stoa_model_suggest_map(stoa_model *model, const char *path, void **text, size_t *bytes) {
    stoa_context *context = stoa_model_context(model);
    char *suggested = NULL;
    stoa_status status =
        load_path(context, path, &(struct wish){.what = MATCHING, .suggested = &suggested}, &model);
    if (status == STOA_OK && suggested) {
        size_t size = strlen(suggested) + 1;
        void *copy = stoa_allocate(context, size, "a mapping of names");
        status = copy ? STOA_OK : STOA_ERR_MEMORY;
        if (copy) {
            memcpy(copy, suggested, size);
            *text = copy;
            *bytes = size;
        }
    }
    free(suggested);
    return status;
}
