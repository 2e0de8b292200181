/* SPDX-License-Identifier: MIT */
/* A perceptron as somebody writes it by hand: an output is its bias and the sum over the inputs of a column
 * of weights each, which compilers turn into vectors. What a call of an engine costs beyond its arithmetic is
 * what it takes longer than this. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "bench/latency.h"

struct dense {
    size_t inputs, outputs;
    float *weight; /* (inputs, outputs) */
    float *bias;
    bool relu; /* follows */
};

struct bench_loops {
    struct dense *layer;
    size_t layers;
    const float *input;
    float *x, *y; /* as long as the longest layer; the result is in x */
};

static void run_layer(const struct dense *layer, const float *restrict x, float *restrict y) {
    memcpy(y, layer->bias, layer->outputs * sizeof *y);
    for (size_t i = 0; i < layer->inputs; i++) {
        const float *weight = layer->weight + i * layer->outputs;
        for (size_t o = 0; o < layer->outputs; o++) {
            y[o] += x[i] * weight[o];
        }
    }
    for (size_t o = 0; layer->relu && o < layer->outputs; o++) {
        y[o] = y[o] > 0 ? y[o] : 0;
    }
}

static void run_loops(struct bench_loops *loops) {
    const float *x = loops->input;
    for (size_t i = 0; i < loops->layers; i++) {
        run_layer(&loops->layer[i], x, loops->y);
        float *swap = loops->x;
        x = loops->x = loops->y;
        loops->y = swap;
    }
}

static void read_tensor(const stoa_model *model, const char *layer, const char *suffix, float *values,
                        size_t count) {
    char *name = cli_text("%s.%s", layer, suffix);
    size_t at = stoa_model_find_tensor(model, name);
    if (stoa_model_get_tensor(model, at, values, count) != STOA_OK) {
        memset(values, 0, count * sizeof *values); /* a layer without a bias */
    }
    free(name);
}

static void read_layer(const stoa_model *model, const stoa_layer_info *info, size_t inputs,
                       struct dense *layer) {
    *layer = (struct dense){.inputs = inputs, .outputs = info->shape[0]};
    size_t count = inputs * layer->outputs;
    float *disk = cli_allocate(count, sizeof *disk);
    layer->weight = cli_allocate(count, sizeof *disk);
    layer->bias = cli_allocate(layer->outputs, sizeof *disk);
    read_tensor(model, info->name, "weight", disk, count);
    read_tensor(model, info->name, "bias", layer->bias, layer->outputs);
    for (size_t i = 0; i < count; i++) {
        layer->weight[i] = disk[i % layer->outputs * inputs + i / layer->outputs];
    }
    free(disk);
}

void bench_loops_close(struct bench_loops *loops) {
    for (size_t i = 0; loops && i < loops->layers; i++) {
        free(loops->layer[i].weight);
        free(loops->layer[i].bias);
    }
    if (loops) {
        free(loops->layer);
        free(loops->x);
        free(loops->y);
    }
    free(loops);
}

/* Read the layers; false where one is something else. *longest: of all layers. */
static bool read_layers(const stoa_model *model, size_t inputs, struct bench_loops *loops, size_t *longest) {
    for (size_t i = 0; i < stoa_model_layer_count(model); i++) {
        stoa_layer_info info;
        if (stoa_model_layer(model, i, &info) != STOA_OK) {
            return false;
        }
        if (strcmp(info.op, "linear") == 0) {
            read_layer(model, &info, inputs, &loops->layer[loops->layers++]);
            inputs = info.shape[0];
            *longest = stoa_max(*longest, inputs);
        } else if (strcmp(info.op, "relu") == 0 && loops->layers > 0) {
            loops->layer[loops->layers - 1].relu = true;
        } else if (strcmp(info.op, "flatten") != 0) {
            return false;
        }
    }
    return loops->layers > 0;
}

struct bench_loops *bench_loops_open(const struct bench_network *network, const stoa_model *model) {
    size_t longest = 1;
    struct bench_loops *loops = cli_allocate(1, sizeof *loops);
    loops->layer = cli_allocate(stoa_model_layer_count(model), sizeof *loops->layer);
    loops->input = network->input;
    bool dense = read_layers(model, network->inputs, loops, &longest);
    loops->x = cli_allocate(longest, sizeof *loops->x);
    loops->y = cli_allocate(longest, sizeof *loops->y);
    if (dense) {
        run_loops(loops);
    }
    if (!dense || !bench_network_agrees(network, loops->x)) {
        bench_loops_close(loops);
        return NULL;
    }
    return loops;
}

/* Loops take less than a look at the clock: each number is the mean of many runs. */
static int measure(void *self, enum bench_caches caches, size_t count, double *seconds) {
    enum { RUNS = 64 };
    (void)caches;
    for (size_t i = 0; i < count; i++) {
        double start = bench_now();
        for (int k = 0; k < RUNS; k++) {
            run_loops(self);
        }
        seconds[i] = (bench_now() - start) / RUNS;
    }
    return CLI_DONE;
}

struct bench_engine bench_loops_engine(struct bench_loops *loops) {
    return (struct bench_engine){
        .name = "plain loops", .way = "", .threads = 1, .self = loops, .measure = measure};
}
