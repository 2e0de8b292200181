/* SPDX-License-Identifier: MIT */
/* Model files: a model as safetensors. The graph and the facts travel as one JSON string under the metadata
 * key "stoa", the tensors under PyTorch's names in PyTorch's layout. Nothing of the host's time, name or
 * threads goes in, so that equal models give equal bytes. What is about to be written is read again first: a
 * library that loses a part of it when memory runs out is noticed. Works through the public functions of a
 * model only. Floor 6. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/file.h"
#include "base/size.h"
#include "core/context.h"
#include "model/describe.h"
#include "model/files.h"
#include "model/model.h"

/* How much of a foreign name an error sentence repeats. */
#define NAME "%.80s"

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

/* Everything before the data: malloc'd in *start. */
static stoa_status make_start(const stoa_model *model, const char *text, char **start, size_t *start_bytes,
                              size_t *data_bytes) {
    stoa_context *context = stoa_model_context(model);
    size_t count = stoa_model_tensor_count(model);
    stoa_tensor_info *infos = calloc(count + 1, sizeof *infos);
    struct stoa_safetensors_item *items = calloc(count + 1, sizeof *items);
    const bool room = infos && items;
    stoa_status status =
        room ? STOA_OK : stoa_fail(context, STOA_ERR_MEMORY, "no memory for a list of %zu tensors", count);
    for (size_t i = 0; room && i < count && status == STOA_OK; i++) {
        status = stoa_model_tensor(model, i, &infos[i]);
        items[i] = (struct stoa_safetensors_item){infos[i].name, infos[i].rank, infos[i].shape};
    }
    if (room && status == STOA_OK) {
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

/* Read the finished file again: it holds this graph and these tensors, or memory ran out on the way. */
static stoa_status verify(const stoa_model *model, const char *text, const void *data, size_t bytes) {
    stoa_context *context = stoa_model_context(model);
    struct stoa_safetensors *file = NULL;
    struct stoa_state_prefix prefix;
    json_t *graph = NULL;
    stoa_status status = stoa_safetensors_open(&context->error, data, bytes, &file);
    if (status == STOA_OK) {
        status = stoa_model_read_graph(context, file, &graph);
    }
    if (status == STOA_OK) {
        status = stoa_state_check(model, file, &prefix);
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

/* Start and tensors in one piece from the context's allocator. */
static stoa_status make_file(stoa_model *model, const char *text, void **data, size_t *bytes) {
    stoa_context *context = stoa_model_context(model);
    char *start = NULL;
    size_t start_bytes = 0;
    size_t data_bytes = 0;
    stoa_status status = make_start(model, text, &start, &start_bytes, &data_bytes);
    if (!start || status != STOA_OK) {
        return status;
    }
    if (!stoa_size_add(start_bytes, data_bytes, bytes)) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "the model is too large for a file in memory");
    }
    if (status == STOA_OK) {
        *data = stoa_allocate(context, *bytes, "a model file");
        status = *data ? STOA_OK : STOA_ERR_MEMORY;
    }
    if (status == STOA_OK) {
        memcpy(*data, start, start_bytes);
        void *values = (char *)*data + start_bytes;
        status = fill_data(model, values);
        stoa_swap_le_floats(values, data_bytes / sizeof(float));
    }
    free(start);
    return status;
}

stoa_status stoa_model_save_memory(stoa_model *model, void **data, size_t *bytes) {
    char *text = NULL;
    void *whole = NULL;
    size_t total = 0;
    stoa_status status = stoa_model_check_built(model);
    if (status == STOA_OK) {
        status = stoa_describe_model(model, STOA_MODEL_FORMAT, &text);
    }
    if (status == STOA_OK) {
        status = make_file(model, text, &whole, &total);
    }
    if (status == STOA_OK) {
        status = verify(model, text, whole, total);
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
