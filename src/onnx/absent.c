/* SPDX-License-Identifier: MIT */
/* A library that was built without protobuf-c: one sentence in place of a reader and a writer. */
#include <stoa/onnx.h>

#include "core/context.h"
#include "model/model.h"

static stoa_status refuse(stoa_context *context) {
    return stoa_fail(
        context, STOA_ERR_UNSUPPORTED,
        "this build of Stoa reads and writes no ONNX: install protobuf-c (Debian: libprotobuf-c-dev "
        "protobuf-c-compiler) and build it with -Donnx=enabled");
}

stoa_status stoa_model_load_onnx(stoa_context *context, const char *path, const stoa_onnx_options *options,
                                 stoa_model **model) {
    (void)path;
    (void)options;
    (void)model;
    return refuse(context);
}

stoa_status stoa_model_load_onnx_memory(stoa_context *context, const void *data, size_t bytes,
                                        const stoa_onnx_options *options, stoa_model **model) {
    (void)data;
    (void)bytes;
    (void)options;
    (void)model;
    return refuse(context);
}

stoa_status stoa_model_save_onnx(stoa_model *model, const char *path, const stoa_onnx_save_options *options,
                                 stoa_onnx_saved *saved) {
    (void)path;
    (void)options;
    (void)saved;
    return refuse(stoa_model_context(model));
}

stoa_status stoa_model_save_onnx_memory(stoa_model *model, const stoa_onnx_save_options *options, void **data,
                                        size_t *bytes, stoa_onnx_saved *saved) {
    (void)options;
    (void)data;
    (void)bytes;
    (void)saved;
    return refuse(stoa_model_context(model));
}
