/* Saving models: safetensors, the graph and the facts as one JSON string in the metadata, the tensors under
 * PyTorch's names in PyTorch's layout. Nothing of the host's time, name or threads goes in, so that equal
 * models give equal bytes. Works through the public functions of a model only. Floor 6. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/blas.h>
#include <stoa/version.h>

#include "base/file.h"
#include "base/size.h"
#include "core/context.h"
#include "model/model.h"
#include "model/model_file.h"
#include "model/safetensors.h"

/* Trainable parameters that the layers ask for, known before a model is built. The largest number when they
 * overflow. */
size_t stoa_model_layer_parameters(const stoa_model *model) {
    size_t sum = 0;
    for (size_t i = 0; i < stoa_model_layer_count(model); i++) {
        stoa_layer_info info;
        if (stoa_model_layer(model, i, &info) != STOA_OK || !stoa_size_add(sum, info.parameters, &sum)) {
            return SIZE_MAX;
        }
    }
    return sum;
}

stoa_status stoa_model_check_built(const stoa_model *model) {
    if (stoa_model_layer_count(model) == 0 ||
        stoa_model_parameter_count(model) != stoa_model_layer_parameters(model)) {
        return stoa_fail(stoa_model_context(model), STOA_ERR_ARGUMENT, "the model is not built");
    }
    return STOA_OK;
}

static json_t *describe_head(const stoa_model *model) {
    const stoa_context *context = stoa_model_context(model);
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    size_t height = 0;
    size_t width = 0;
    size_t channels = 0;
    stoa_model_input_shape(model, &height, &width, &channels);
    return json_pack("{s:i, s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:[I, I, I]}", "format", STOA_MODEL_FORMAT,
                     "version", stoa_version(), "fingerprint", "isa",
                     stoa_isa_name(stoa_context_isa(context)), "blas", blas.name, "blas_version",
                     blas.version, "blas_core", blas.core, "policy",
                     stoa_policy_name(stoa_context_policy(context)), "input", (json_int_t)height,
                     (json_int_t)width, (json_int_t)channels);
}

/* [["c1", "conv2d filters=6 kernel=5"], ...], or NULL. */
static json_t *describe_layers(const stoa_model *model) {
    json_t *layers = json_array();
    size_t count = stoa_model_layer_count(model);
    for (size_t i = 0; i < count && layers; i++) {
        stoa_layer_info info;
        if (stoa_model_layer(model, i, &info) != STOA_OK ||
            json_array_append_new(
                layers,
                json_pack("[s, o]", info.name,
                          json_sprintf("%s%s%s", info.op, info.options[0] ? " " : "", info.options))) != 0) {
            json_decref(layers);
            return NULL;
        }
    }
    return layers;
}

static stoa_status describe_facts(const stoa_model *model, json_t *facts) {
    const char *key = NULL;
    const char *value = NULL;
    for (size_t i = 0; stoa_model_fact_at(model, i, &key, &value); i++) {
        if (json_object_set_new(facts, key, json_string(value)) != 0) {
            return stoa_fail(stoa_model_context(model), STOA_ERR_ARGUMENT,
                             "the fact '%.80s' is not UTF-8 text", key);
        }
    }
    return STOA_OK;
}

/* The JSON text of the graph and the facts; release with free(). */
static stoa_status describe_model(const stoa_model *model, char **text) {
    json_t *head = describe_head(model);
    json_t *facts = json_object();
    stoa_status status = describe_facts(model, facts);
    if (status == STOA_OK) {
        json_t *layers = describe_layers(model);
        bool built = layers && json_object_set_new(head, "layers", layers) == 0 &&
                     json_object_set(head, "facts", facts) == 0;
        *text = built ? json_dumps(head, JSON_COMPACT) : NULL;
        status = *text ? STOA_OK
                       : stoa_fail(stoa_model_context(model), STOA_ERR_MEMORY, "no memory for the graph");
    }
    json_decref(facts);
    json_decref(head);
    return status;
}

/* Everything before the data: malloc'd in *start. */
static stoa_status make_start(const stoa_model *model, const char *text, char **start, size_t *start_bytes,
                              size_t *data_bytes) {
    stoa_context *context = stoa_model_context(model);
    size_t count = stoa_model_tensor_count(model);
    stoa_tensor_info *infos = calloc(count + 1, sizeof *infos);
    struct stoa_safetensors_item *items = calloc(count + 1, sizeof *items);
    stoa_status status = STOA_OK;
    if (!infos || !items) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "no memory for a list of %zu tensors", count);
    }
    for (size_t i = 0; i < count && status == STOA_OK; i++) {
        status = stoa_model_tensor(model, i, &infos[i]);
        items[i] = (struct stoa_safetensors_item){infos[i].name, infos[i].rank, infos[i].shape};
    }
    if (status == STOA_OK) {
        status = stoa_safetensors_start(&context->error, items, count, STOA_MODEL_KEY, text, start,
                                        start_bytes, data_bytes);
    }
    free(items);
    free(infos);
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
    char *text = NULL;
    char *start = NULL;
    size_t start_bytes = 0;
    size_t data_bytes = 0;
    stoa_status status = stoa_model_check_built(model);
    if (status == STOA_OK) {
        status = describe_model(model, &text);
    }
    if (status == STOA_OK) {
        status = make_start(model, text, &start, &start_bytes, &data_bytes);
    }
    free(text);
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
