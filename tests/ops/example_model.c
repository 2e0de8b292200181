/* SPDX-License-Identifier: MIT */
#include "tests/ops/example_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

float example_draw(uint64_t stream, uint64_t number) {
    return 2 * stoa_random_unit(stoa_philox(7, number, stream).word[0]) - 1;
}

stoa_status example_fill(stoa_model *model) {
    stoa_status status = STOA_OK;
    for (size_t t = 0; status == STOA_OK && t < stoa_model_tensor_count(model); t++) {
        stoa_tensor_info info;
        status = stoa_model_tensor(model, t, &info);
        float *values = status == STOA_OK ? malloc(info.count * sizeof *values) : NULL;
        const size_t fan = values && info.rank > 1 ? info.count / info.shape[0] : 1;
        for (size_t i = 0; values && i < info.count; i++) {
            values[i] = example_draw(t + 1, i) / sqrtf((float)fan);
            values[i] = strstr(info.name, "running_var") ? 0.5F + fabsf(values[i]) : values[i];
        }
        status = values ? stoa_model_set_tensor(model, t, values, info.count) : STOA_ERR_MEMORY;
        free(values);
    }
    return status;
}

void example_shape(const char *text, size_t dim[3]) {
    size_t rank = 0;
    size_t read[3] = {1, 1, 1};
    for (char *end = NULL; rank < 3; text = end + 1) {
        read[rank++] = strtoul(text, &end, 10);
        if (*end != 'x') {
            break;
        }
    }
    dim[0] = rank == 3 ? read[0] : 1;
    dim[1] = rank == 3 ? read[1] : 1;
    dim[2] = rank == 3 ? read[2] : read[0];
}

/* Input `k` of the layer: its name goes to the end of `from`. */
static void add_input(stoa_model *model, const char *shape, size_t k, char from[256]) {
    char name[32];
    char line[128];
    size_t dim[3];
    example_shape(shape, dim);
    (void)snprintf(name, sizeof name, "in%zu", k);
    (void)snprintf(line, sizeof line, "linear units=%zu from=seed", dim[0] * dim[1] * dim[2]);
    stoa_model_add(model, name, line);
    if (strchr(shape, 'x')) {
        (void)snprintf(name, sizeof name, "image%zu", k);
        (void)snprintf(line, sizeof line, "reshape size=%zux%zu channels=%zu", dim[0], dim[1], dim[2]);
        stoa_model_add(model, name, line);
    }
    (void)snprintf(from + strlen(from), 256 - strlen(from), "%s%s", k ? "," : " from=", name);
}

stoa_model *example_model(stoa_context *context, const struct stoa_op *op,
                          const struct stoa_op_example *example) {
    stoa_model *model;
    char line[1024];
    char from[256] = "";
    size_t dim[3];
    if (stoa_model_create(context, &model) != STOA_OK) {
        return NULL;
    }
    if (!example->input[1]) {
        example_shape(example->input[0], dim);
        stoa_model_input(model, dim[0], dim[1], dim[2]);
    } else {
        stoa_model_input(model, 1, 1, 5);
        stoa_model_add(model, "seed", "relu");
    }
    for (size_t k = 0; example->input[1] && example->input[k]; k++) {
        add_input(model, example->input[k], k, from);
    }
    (void)snprintf(line, sizeof line, "%s %s%s", op->name, example->options, from);
    stoa_model_add(model, "layer", line);
    if (stoa_model_build(model) != STOA_OK || example_fill(model) != STOA_OK) {
        stoa_model_free(model);
        return NULL;
    }
    return model;
}
