/* SPDX-License-Identifier: MIT */
/* libFuzzer target for ONNX files: any bytes as a network, its first axis a batch or part of the sample. What
 * loads must save and load again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <stoa/onnx.h>

#include "bounded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    size_t most = (bytes + (1 << 16)) * 4096;
    stoa_context *context = bounded_context(&most);
    for (int whole = 0; whole < 2 && context; whole++) {
        const stoa_onnx_options options = {.whole = whole == 1};
        stoa_model *model = NULL, *again = NULL;
        void *saved = NULL;
        size_t saved_bytes = 0;
        stoa_status status = stoa_model_load_onnx_memory(context, data, bytes, &options, &model);
        if (status != STOA_OK && stoa_context_error(context)[0] == '\0') {
            abort();
        }
        if (status == STOA_OK && stoa_model_save_memory(model, &saved, &saved_bytes) == STOA_OK &&
            stoa_model_load_memory(context, saved, saved_bytes, &again) != STOA_OK) {
            abort();
        }
        stoa_buffer_free(context, saved, saved_bytes);
        stoa_model_free(again);
        stoa_model_free(model);
    }
    stoa_context_free(context);
    return 0;
}
