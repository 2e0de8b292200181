/* SPDX-License-Identifier: MIT */
/* A network as files: the recipe, its tensors and an image. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/size.h"
#include "bench/latency.h"
#include "cli/find.h"

static const char *const files[] = {"recipe.ini", "model.safetensors", "model.onnx", "input.f32",
                                    "shape",      "images.f32",        "labels.i32"};
enum { FILES = sizeof files / sizeof files[0], MOST_LAYERS = 16, MOST_UNITS = 65536 };

/* The number at *text, which ends at a '-' or at the end; 0: there is none. */
static size_t read_size(const char **text) {
    size_t digits = strspn(*text, "0123456789");
    size_t size = digits > 0 && digits <= 5 ? strtoul(*text, NULL, 10) : 0;
    const char *end = *text + digits;
    if (size > MOST_UNITS || (*end != '-' && *end != '\0')) {
        return 0;
    }
    *text = *end ? end + 1 : end;
    return size;
}

bool bench_network_is_sizes(const char *operand) {
    size_t count = 0;
    while (*operand && operand[strlen(operand) - 1] != '-' && read_size(&operand) > 0) {
        count++;
    }
    return !*operand && count >= 2 && count <= MOST_LAYERS + 1;
}

/* The recipe of a perceptron. */
static char *recipe_of(const char *sizes) {
    char *text = cli_text("[model]\ninput = 1x1x%zu\n", read_size(&sizes));
    size_t size = 0;
    for (size_t layer = 1; *sizes; layer++) {
        char *before = text;
        size = read_size(&sizes);
        text = cli_text("%sl%zu = linear units=%zu\n", before, layer, size);
        free(before);
        if (*sizes) {
            before = text;
            text = cli_text("%sr%zu = relu\n", before, layer);
            free(before);
        }
    }
    char *whole = cli_text("%s[data]\nset = none\nclasses = %zu\n", text, size);
    free(text);
    return whole;
}

static char *path_of(const struct bench_network *network, const char *file) {
    return cli_text("%s/%s", network->folder, file);
}

int bench_network_write(const struct bench_network *network, const char *file, const void *data,
                        size_t bytes) {
    char *path = path_of(network, file);
    FILE *out = fopen(path, "wbe");
    bool good = out && fwrite(data, 1, bytes, out) == bytes;
    good = out && fclose(out) == 0 && good;
    int code = good ? CLI_DONE : cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
    free(path);
    return code;
}

/* A link, or the text of sizes. */
static int make_recipe(struct bench_network *network, const char *operand) {
    char *inside = path_of(network, files[0]);
    int code = CLI_DONE;
    if (bench_network_is_sizes(operand)) {
        char *text = recipe_of(operand);
        code = bench_network_write(network, files[0], text, strlen(text));
        free(text);
        network->name = cli_text("%s", operand);
        network->recipe = inside;
        return code;
    }
    network->recipe = cli_find_recipe(operand);
    char *whole = network->recipe ? realpath(network->recipe, NULL) : NULL;
    if (!network->recipe) {
        code = CLI_WRONG;
    } else if (!whole || symlink(whole, inside) != 0) {
        code = cli_fail(CLI_FAILED, "%s: %s", whole ? inside : network->recipe, strerror(errno));
    } else {
        network->name = cli_recipe_name(network->recipe);
    }
    free(whole);
    free(inside);
    return code;
}

int bench_network_open(const char *operand, struct bench_network *network) {
    const char *temporary = getenv("TMPDIR");
    *network = (struct bench_network){0};
    char *folder = cli_text("%s/stoa-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        int code = cli_fail(CLI_FAILED, "%s: %s", folder, strerror(errno));
        free(folder);
        return code;
    }
    network->folder = folder;
    return make_recipe(network, operand);
}

void bench_network_close(struct bench_network *network) {
    for (size_t i = 0; network->folder && i < FILES; i++) {
        char *path = path_of(network, files[i]);
        (void)unlink(path);
        free(path);
    }
    if (network->folder) {
        (void)rmdir(network->folder);
    }
    free(network->name);
    free(network->recipe);
    free(network->folder);
    free(network->input);
    free(network->output);
    *network = (struct bench_network){0};
}

int bench_network_fill(struct bench_network *network, struct bench_inference *inference) {
    size_t height, width, channels;
    stoa_model_input_shape(inference->model, &height, &width, &channels);
    network->inputs = height * width * channels;
    network->outputs = stoa_model_output_size(inference->model);
    network->input = cli_allocate(network->inputs, sizeof(float));
    network->output = cli_allocate(network->outputs, sizeof(float));
    for (size_t i = 0; i < network->inputs; i++) {
        network->input[i % channels * height * width + i / channels] = inference->images[i];
    }
    const float *output;
    memcpy(stoa_plan_input(inference->plan), inference->images, inference->input_bytes);
    stoa_status status = stoa_plan_infer(inference->plan, 1, &output);
    if (status == STOA_OK) {
        memcpy(network->output, output, network->outputs * sizeof(float));
        char *path = path_of(network, "model.safetensors");
        status = stoa_model_save(inference->model, path);
        free(path);
    }
    return status == STOA_OK
               ? bench_network_write(network, "input.f32", network->input, network->inputs * sizeof(float))
               : cli_fail_library(inference->context, status);
}

bool bench_network_agrees(const struct bench_network *network, const float *output) {
    static const float BOUND = 1e-4F; /* engines sum in other orders; a wrong network is far beyond */
    float largest = 0, difference = 0;
    for (size_t i = 0; i < network->outputs; i++) {
        largest = fmaxf(largest, fabsf(network->output[i]));
    }
    for (size_t i = 0; i < network->outputs; i++) {
        float off = fabsf(output[i] - network->output[i]);
        difference = off <= difference ? difference : off;
    }
    return difference <= BOUND * largest;
}
