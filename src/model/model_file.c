/* Model files: a model as safetensors and back. The graph and the facts travel as one JSON string under the
 * metadata key "stoa", the tensors under PyTorch's names in PyTorch's layout. Nothing of the host's time,
 * name or threads goes in, so that equal models give equal bytes; loading checks everything before it changes
 * anything. Works through the public functions of a model only. Floor 6. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/size.h"
#include "core/context.h"
#include "model/describe.h"
#include "model/model.h"
#include "model/safetensors.h"

/* Raised when a file that an older reader would misunderstand is written. */
enum { FORMAT = 1 };

static const char metadata_key[] = "stoa";

/* How much of a foreign name an error sentence repeats. */
#define NAME "%.80s"

/* Trainable parameters that the layers ask for, known before a model is built. The largest number when they
 * overflow. */
static size_t layer_parameters(const stoa_model *model) {
    size_t sum = 0;
    for (size_t i = 0; i < stoa_model_layer_count(model); i++) {
        stoa_layer_info info;
        if (stoa_model_layer(model, i, &info) != STOA_OK || !stoa_size_add(sum, info.parameters, &sum)) {
            return SIZE_MAX;
        }
    }
    return sum;
}

static stoa_status check_built(const stoa_model *model) {
    if (stoa_model_layer_count(model) == 0 || stoa_model_parameter_count(model) != layer_parameters(model)) {
        return stoa_fail(stoa_model_context(model), STOA_ERR_ARGUMENT, "the model is not built");
    }
    return STOA_OK;
}

/* ---- saving ---- */

/* Everything before the data: malloc'd in *start. */
static stoa_status make_start(const stoa_model *model, char **start, size_t *start_bytes,
                              size_t *data_bytes) {
    stoa_context *context = stoa_model_context(model);
    char *text = NULL;
    size_t count = stoa_model_tensor_count(model);
    stoa_tensor_info *infos = calloc(count + 1, sizeof *infos);
    struct stoa_safetensors_item *items = calloc(count + 1, sizeof *items);
    stoa_status status = stoa_describe_model(model, FORMAT, &text);
    if (status == STOA_OK && (!infos || !items)) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "no memory for a list of %zu tensors", count);
    }
    for (size_t i = 0; i < count && status == STOA_OK; i++) {
        status = stoa_model_tensor(model, i, &infos[i]);
        items[i] = (struct stoa_safetensors_item){infos[i].name, infos[i].rank, infos[i].shape};
    }
    if (status == STOA_OK) {
        status = stoa_safetensors_start(&context->error, items, count, metadata_key, text, start, start_bytes,
                                        data_bytes);
    }
    free(items);
    free(infos);
    free(text);
    return status;
}

/* The tensors go straight to their places: starts are 64-byte aligned and floats follow floats. */
static stoa_status fill_data(const stoa_model *model, float *values) {
    size_t count = stoa_model_tensor_count(model);
    for (size_t i = 0; i < count; i++) {
        stoa_tensor_info info;
        stoa_status status = stoa_model_tensor(model, i, &info);
        if (status == STOA_OK) {
            status = stoa_model_get_tensor(model, i, values, info.count);
        }
        if (status != STOA_OK) {
            return status;
        }
        values += info.count;
    }
    return STOA_OK;
}

stoa_status stoa_model_save_memory(stoa_model *model, void **data, size_t *bytes) {
    stoa_context *context = stoa_model_context(model);
    char *start = NULL;
    size_t start_bytes = 0;
    size_t data_bytes = 0;
    stoa_status status = check_built(model);
    if (status == STOA_OK) {
        status = make_start(model, &start, &start_bytes, &data_bytes);
    }
    size_t total = 0;
    if (status == STOA_OK && !stoa_size_add(start_bytes, data_bytes, &total)) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "the model is too large for a file in memory");
    }
    unsigned char *whole = NULL;
    if (status == STOA_OK) {
        whole = stoa_allocate(context, total, "a model file");
        status = whole ? STOA_OK : STOA_ERR_MEMORY;
    }
    if (status == STOA_OK) {
        memcpy(whole, start, start_bytes);
        void *values = whole + start_bytes;
        status = fill_data(model, values);
    }
    free(start);
    if (status != STOA_OK) {
        stoa_buffer_free(context, whole, total);
        return status;
    }
    *data = whole;
    *bytes = total;
    return STOA_OK;
}

void stoa_buffer_free(stoa_context *context, void *data, size_t bytes) {
    if (data) {
        stoa_release(context, data, bytes);
    }
}

stoa_status stoa_model_save(stoa_model *model, const char *path) {
    stoa_context *context = stoa_model_context(model);
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_model_save_memory(model, &data, &bytes);
    if (status != STOA_OK) {
        return stoa_error_prefix(&context->error, "%s: ", path);
    }
    const struct stoa_file_piece piece = {data, bytes};
    status = stoa_file_write(&context->error, path, &piece, 1);
    stoa_buffer_free(context, data, bytes);
    return status;
}

/* ---- loading ---- */

/* One tensor of the model has its counterpart in the file. */
static stoa_status check_wanted(stoa_context *context, const struct stoa_safetensors *file,
                                const stoa_tensor_info *wanted) {
    char expected[STOA_SAFETENSORS_SHAPE];
    char found[STOA_SAFETENSORS_SHAPE];
    (void)stoa_safetensors_shape(wanted->rank, wanted->shape, expected);
    const struct stoa_safetensors_tensor *tensor = stoa_safetensors_find(file, wanted->name);
    if (!tensor) {
        return stoa_fail(context, STOA_ERR_FORMAT, "tensor '" NAME "' is missing, expected shape %s",
                         wanted->name, expected);
    }
    if (strcmp(tensor->dtype, "F32") != 0) {
        return stoa_fail(context, STOA_ERR_FORMAT, "tensor '" NAME "': found dtype %s, expected F32",
                         wanted->name, tensor->dtype);
    }
    if (tensor->rank != wanted->rank ||
        memcmp(tensor->shape, wanted->shape, wanted->rank * sizeof(size_t)) != 0) {
        return stoa_fail(context, STOA_ERR_SHAPE, "tensor '" NAME "': found shape %s, expected %s",
                         wanted->name, stoa_safetensors_shape(tensor->rank, tensor->shape, found), expected);
    }
    return STOA_OK;
}

/* PyTorch counts the batches that a batch norm has seen; nothing here needs the count. */
static bool is_passed_over(const char *name) {
    static const char suffix[] = ".num_batches_tracked";
    size_t length = strlen(name);
    return length >= sizeof suffix - 1 && strcmp(name + length - (sizeof suffix - 1), suffix) == 0;
}

static stoa_status check_extra(const stoa_model *model, const struct stoa_safetensors *file) {
    size_t wanted = stoa_model_tensor_count(model);
    for (size_t i = 0; i < stoa_safetensors_count(file); i++) {
        const struct stoa_safetensors_tensor *tensor = stoa_safetensors_at(file, i);
        if (stoa_model_find_tensor(model, tensor->name) == wanted && !is_passed_over(tensor->name)) {
            char found[STOA_SAFETENSORS_SHAPE];
            return stoa_fail(stoa_model_context(model), STOA_ERR_FORMAT,
                             "found tensor '" NAME "' of shape %s, expected none of this name", tensor->name,
                             stoa_safetensors_shape(tensor->rank, tensor->shape, found));
        }
    }
    return STOA_OK;
}

/* Check all tensors against the model; *largest is the element count of the largest. */
static stoa_status check_tensors(const stoa_model *model, const struct stoa_safetensors *file,
                                 size_t *largest) {
    size_t count = stoa_model_tensor_count(model);
    for (size_t i = 0; i < count; i++) {
        stoa_tensor_info info;
        stoa_status status = stoa_model_tensor(model, i, &info);
        if (status == STOA_OK) {
            status = check_wanted(stoa_model_context(model), file, &info);
        }
        if (status != STOA_OK) {
            return status;
        }
        *largest = stoa_max(*largest, info.count);
    }
    return check_extra(model, file);
}

/* Copy checked tensors in. The file's data may lie unaligned, so each goes through `values`. */
static stoa_status copy_tensors(stoa_model *model, const struct stoa_safetensors *file, float *values) {
    size_t count = stoa_model_tensor_count(model);
    for (size_t i = 0; i < count; i++) {
        stoa_tensor_info info;
        stoa_status status = stoa_model_tensor(model, i, &info);
        if (status == STOA_OK) {
            const struct stoa_safetensors_tensor *tensor = stoa_safetensors_find(file, info.name);
            memcpy(values, tensor->data, tensor->bytes);
            status = stoa_model_set_tensor(model, i, values, info.count);
        }
        if (status != STOA_OK) {
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status load_tensors(stoa_model *model, const struct stoa_safetensors *file) {
    stoa_context *context = stoa_model_context(model);
    size_t largest = 0;
    stoa_status status = check_tensors(model, file, &largest);
    if (status != STOA_OK || largest == 0) {
        return status;
    }
    size_t bytes = largest * sizeof(float); /* no overflow: the file has that many */
    float *values = stoa_allocate(context, bytes, "a tensor of a model file");
    if (!values) {
        return STOA_ERR_MEMORY;
    }
    status = copy_tensors(model, file, values);
    stoa_release(context, values, bytes);
    return status;
}

static stoa_status check_format(stoa_context *context, const json_t *graph) {
    const json_t *format = json_object_get(graph, "format");
    const char *version = json_string_value(json_object_get(graph, "version"));
    if (!json_is_integer(format) || json_integer_value(format) < 1 || !version) {
        return stoa_fail(context, STOA_ERR_FORMAT,
                         "its graph has no 'format' and 'version': not a model that Stoa saved");
    }
    if (json_integer_value(format) > FORMAT) {
        return stoa_fail(context, STOA_ERR_FORMAT,
                         "found model format %lld, written by Stoa %.40s, expected at most %d: update Stoa",
                         (long long)json_integer_value(format), version, FORMAT);
    }
    return STOA_OK;
}

static stoa_status read_input(stoa_context *context, const json_t *input, stoa_model *model) {
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
    stoa_model_input(model, shape[0], shape[1], shape[2]);
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

/* Refuse a few bytes that ask for gigabytes before memory is asked for. */
static stoa_status check_room(stoa_context *context, const struct stoa_safetensors *file,
                              const stoa_model *model) {
    size_t held = 0;
    for (size_t i = 0; i < stoa_safetensors_count(file); i++) {
        held += stoa_safetensors_at(file, i)->bytes; /* parts of one buffer: no overflow */
    }
    size_t wanted = layer_parameters(model);
    if (wanted > held / sizeof(float)) {
        return stoa_fail(context, STOA_ERR_FORMAT, "found %zu bytes of data, expected %zu parameters", held,
                         wanted);
    }
    return STOA_OK;
}

/* Fill a new model from the JSON text and build it. */
static stoa_status read_graph(stoa_context *context, const struct stoa_safetensors *file, stoa_model *model) {
    const char *text = stoa_safetensors_metadata(file, metadata_key);
    if (!text) {
        return stoa_fail(
            context, STOA_ERR_FORMAT,
            "its metadata have no entry '%s': tensors without a graph, not a model that Stoa saved",
            metadata_key);
    }
    json_error_t error;
    json_t *graph = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!graph) {
        return stoa_fail(context, STOA_ERR_FORMAT, "its graph is not valid JSON: %.120s", error.text);
    }
    stoa_status status = check_format(context, graph);
    if (status == STOA_OK) {
        status = read_input(context, json_object_get(graph, "input"), model);
    }
    if (status == STOA_OK) {
        status = read_layers(context, json_object_get(graph, "layers"), model);
    }
    if (status == STOA_OK) {
        status = read_facts(context, json_object_get(graph, "facts"), model);
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

static stoa_status load_model(stoa_context *context, const void *data, size_t bytes, stoa_model **model) {
    struct stoa_safetensors *file = NULL;
    stoa_model *loaded = NULL;
    stoa_status status = stoa_safetensors_open(&context->error, data, bytes, &file);
    if (status == STOA_OK) {
        status = stoa_model_create(context, &loaded);
    }
    if (status == STOA_OK) {
        status = read_graph(context, file, loaded);
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

static stoa_status load_tensors_from(stoa_model *model, const void *data, size_t bytes) {
    struct stoa_safetensors *file = NULL;
    stoa_status status = check_built(model);
    if (status == STOA_OK) {
        status = stoa_safetensors_open(&stoa_model_context(model)->error, data, bytes, &file);
    }
    if (status != STOA_OK) {
        return status;
    }
    status = load_tensors(model, file);
    stoa_safetensors_close(file);
    return status;
}

/* Load a model, or only tensors into *model, from a file; its sentences begin with the path. */
static stoa_status load_path(stoa_context *context, const char *path, bool only_tensors, stoa_model **model) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, SIZE_MAX / 2, &data, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    status = only_tensors ? load_tensors_from(*model, data, bytes) : load_model(context, data, bytes, model);
    free(data);
    return name_file(context, path, status);
}

stoa_status stoa_model_load_memory(stoa_context *context, const void *data, size_t bytes,
                                   stoa_model **model) {
    return name_file(context, "model", load_model(context, data, bytes, model));
}

stoa_status stoa_model_load(stoa_context *context, const char *path, stoa_model **model) {
    return load_path(context, path, false, model);
}

stoa_status stoa_model_load_tensors_memory(stoa_model *model, const void *data, size_t bytes) {
    return name_file(stoa_model_context(model), "model", load_tensors_from(model, data, bytes));
}

stoa_status stoa_model_load_tensors(stoa_model *model, const char *path) {
    return load_path(stoa_model_context(model), path, true, &model);
}
