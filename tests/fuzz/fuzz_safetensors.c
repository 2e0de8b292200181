/* SPDX-License-Identifier: MIT */
/* libFuzzer target for model files: any bytes as a whole model, as tensors for a small one, and as tensors of
 * which some fit it. What loads must save and load again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/model.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static stoa_context *context;
static stoa_model *small;

static void require(bool good) {
    if (!good) {
        abort();
    }
}

static void set_up(void) {
    const stoa_context_options options = {.threads = 1};
    require(stoa_context_create(&options, &context) == STOA_OK);
    require(stoa_model_create(context, &small) == STOA_OK);
    stoa_model_input(small, 2, 2, 1);
    stoa_model_add(small, "c1", "conv2d filters=1 kernel=1");
    stoa_model_add(small, "b1", "batchnorm");
    stoa_model_add(small, "f", "flatten");
    stoa_model_add(small, "l1", "linear units=2");
    require(stoa_model_build(small) == STOA_OK);
}

/* What is told has to be there. */
static void look(void *user, const stoa_tensor_match *match) {
    size_t *told = user;
    *told += strlen(match->name) + strlen(match->shape) + strlen(match->found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (!context) {
        set_up();
    }
    stoa_model *model = NULL;
    if (stoa_model_load_memory(context, data, bytes, &model) == STOA_OK) {
        void *saved = NULL;
        size_t saved_bytes = 0;
        stoa_model *again = NULL;
        require(stoa_model_save_memory(model, &saved, &saved_bytes) == STOA_OK);
        require(stoa_model_load_memory(context, saved, saved_bytes, &again) == STOA_OK);
        stoa_buffer_free(context, saved, saved_bytes);
        stoa_model_free(again);
        stoa_model_free(model);
    }
    stoa_status status = stoa_model_load_tensors_memory(small, data, bytes);
    require(status == STOA_OK || stoa_context_error(context)[0] != '\0');
    size_t told = 0;
    status = stoa_model_load_matching_memory(small, data, bytes, look, &told);
    require((status == STOA_OK) == (told > 0));
    return 0;
}
