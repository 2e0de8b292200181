/* SPDX-License-Identifier: MIT */
/* ONNX from a file or from memory to a model. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "core/context.h"
#include "model/model.h"
#include "onnx/import.h"

/* protobuf's own limit for a message. */
#define MOST_BYTES ((size_t)1 << 31)

/* Numbers that constants may fold to beyond those of the file. */
enum { FREE_NUMBERS = 1 << 20 };

static stoa_status load(stoa_context *context, const void *data, size_t bytes, const char *folder,
                        const stoa_onnx_options *options, stoa_model **model) {
    static const stoa_onnx_options nothing = {.refuse = NULL};
    StoaOnnx__Model *message = NULL;
    stoa_status status = stoa_onnx_unpack(&context->error, data, bytes, &message);
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_onnx_import import = {
        .context = context,
        .error = &context->error,
        .options = options ? options : &nothing,
        .message = message,
        .source = {.error = &context->error, .folder = folder, .budget = FREE_NUMBERS + bytes},
        .lead = options && options->whole ? 0 : 1,
    };
    status = stoa_onnx_graph_read(&import);
    if (status == STOA_OK) {
        status = stoa_model_create(context, &import.model);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_translate(&import);
    }
    stoa_onnx_graph_free(&import);
    stoa_onnx_release(message);
    if (status == STOA_OK) {
        *model = import.model;
    } else {
        stoa_model_free(import.model);
    }
    return status;
}

static stoa_status name_file(stoa_context *context, const char *what, stoa_status status) {
    if (status == STOA_OK) {
        return STOA_OK;
    }
    context->error.status = status;
    return stoa_error_prefix(&context->error, "%s: ", what);
}

stoa_status stoa_model_load_onnx_memory(stoa_context *context, const void *data, size_t bytes,
                                        const stoa_onnx_options *options, stoa_model **model) {
    return name_file(context, "model", load(context, data, bytes, NULL, options, model));
}

stoa_status stoa_model_load_onnx(stoa_context *context, const char *path, const stoa_onnx_options *options,
                                 stoa_model **model) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, MOST_BYTES, &data, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    stoa_model *loaded = NULL;
    status = folder ? load(context, data, bytes, folder, options, &loaded)
                    : stoa_fail(context, STOA_ERR_MEMORY, "no memory for its folder's name");
    free(folder);
    free(data);
    if (status == STOA_OK) {
        status = stoa_model_set_name(loaded, path);
    }
    if (status == STOA_OK) {
        *model = loaded;
    } else {
        stoa_model_free(loaded);
    }
    return name_file(context, path, status);
}
