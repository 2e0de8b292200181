/* SPDX-License-Identifier: MIT */
/* ONNX files as messages: what the file says and nothing more. */
#ifndef STOA_ONNX_READ_H
#define STOA_ONNX_READ_H

#include <stddef.h>

#include "base/error.h"
#include "onnx/onnx.pb-c.h"

/* Take `bytes` bytes apart, asking for no more memory than a multiple of them. Release *model with
 * stoa_onnx_release(). Errors: STOA_ERR_FORMAT (no such message, or one whose parts are out of proportion to
 * its bytes). */
stoa_status stoa_onnx_unpack(struct stoa_error *error, const void *data, size_t bytes,
                             StoaOnnx__Model **model);
stoa_status stoa_onnx_unpack_tensor(struct stoa_error *error, const void *data, size_t bytes,
                                    StoaOnnx__Tensor **tensor);
/* Release a message of either; NULL is allowed. */
void stoa_onnx_release(StoaOnnx__Model *model);
void stoa_onnx_release_tensor(StoaOnnx__Tensor *tensor);

/* Read `bytes` bytes from `offset` of the file `name` in `folder` to `out`. The file is a regular one of that
 * very folder, not a link, and holds all of it. Errors: STOA_ERR_FORMAT, STOA_ERR_NOT_FOUND, STOA_ERR_IO; the
 * sentence names the file. */
stoa_status stoa_onnx_read_external(struct stoa_error *error, const char *folder, const char *name,
                                    size_t offset, size_t bytes, void *out);
/* Bytes of that file, checked in the same way. */
stoa_status stoa_onnx_external_size(struct stoa_error *error, const char *folder, const char *name,
                                    size_t *bytes);

#endif
