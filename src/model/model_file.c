/* SPDX-License-Identifier: MIT */
/* Model files: a model as safetensors. The graph and the facts travel as one JSON string under the metadata
 * key "stoa", the tensors under PyTorch's names in PyTorch's layout. Nothing of the host's time, name or
 * threads goes in, so that equal models give equal bytes. What is about to be written is read again first: a
 * library that loses a part of it when memory runs out is noticed. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/size.h"
#include "core/context.h"
#include "model/describe.h"
#include "model/files.h"
#include "model/model.h"

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

/* Read the finished file again: it holds this text and these tensors, or memory ran out on the way. */
static stoa_status verify(const stoa_model *model, const struct stoa_tensor_group *groups, size_t count,
                          const char *text, const void *data, size_t bytes) {
    stoa_context *context = stoa_model_context(model);
    struct stoa_safetensors *file = NULL;
    json_t *graph = NULL;
    stoa_status status = stoa_safetensors_open(&context->error, data, bytes, &file);
    if (status == STOA_OK) {
        status = stoa_model_read_graph(context, file, &graph);
    }
    if (status == STOA_OK) {
        status = stoa_groups_check(model, file, groups, count, true);
    }
    if (status == STOA_OK && strcmp(stoa_safetensors_metadata(file, STOA_MODEL_KEY), text) != 0) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "its graph is not the model's");
    }
    json_decref(graph);
    stoa_safetensors_close(file);
    if (status != STOA_OK) {
        context->error.status = STOA_ERR_MEMORY;
        return stoa_error_prefix(&context->error, "memory ran out while the file was made: ");
    }
    return STOA_OK;
}

stoa_status stoa_model_write(const stoa_model *model, const struct stoa_tensor_group *groups, size_t count,
                             const struct stoa_fact *training, size_t facts, void **data, size_t *bytes) {
    char *text = NULL;
    void *whole = NULL;
    size_t total = 0;
    stoa_status status = stoa_model_check_built(model);
    if (status == STOA_OK) {
        status = stoa_describe_model(model, training, facts, &text);
    }
    if (status == STOA_OK) {
        status = stoa_groups_write(model, groups, count, text, training != NULL, &whole, &total);
    }
    if (status == STOA_OK) {
        status = verify(model, groups, count, text, whole, total);
    }
    free(text);
    if (status != STOA_OK) {
        stoa_buffer_free(stoa_model_context(model), whole, total);
        return status;
    }
    *data = whole;
    *bytes = total;
    return STOA_OK;
}

stoa_status stoa_model_save_memory(stoa_model *model, void **data, size_t *bytes) {
    const struct stoa_tensor_group own = {.prefix = "", .suffix = "", .own = true};
    return stoa_model_write(model, &own, 1, NULL, 0, data, bytes);
}

void stoa_buffer_free(stoa_context *context, void *data, size_t bytes) {
    if (data) {
        stoa_release(context, data, bytes);
    }
}

stoa_status stoa_model_write_file(stoa_context *context, const char *path, stoa_status status, void *data,
                                  size_t bytes) {
    if (status != STOA_OK) {
        return stoa_error_prefix(&context->error, "%s: ", path);
    }
    const struct stoa_file_piece piece = {data, bytes};
    status = stoa_file_write(&context->error, path, &piece, 1);
    stoa_buffer_free(context, data, bytes);
    return status;
}

stoa_status stoa_model_save(stoa_model *model, const char *path) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_model_save_memory(model, &data, &bytes);
    return stoa_model_write_file(stoa_model_context(model), path, status, data, bytes);
}
