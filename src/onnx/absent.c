/* SPDX-License-Identifier: MIT */
/* A library that was built without protobuf-c: one sentence in place of a reader. */
#include <stoa/onnx.h>

#include "core/context.h"

static stoa_status refuse(stoa_context *context) {
    return stoa_fail(context, STOA_ERR_UNSUPPORTED,
                     "this build of Stoa reads no ONNX: install protobuf-c (Debian: libprotobuf-c-dev "
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
