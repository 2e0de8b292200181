/* SPDX-License-Identifier: MIT */
/* Writes networks as C, each with inputs and what the engine makes of them, for tests/ccode/test_export.py:
 *
 *     write_examples FOLDER
 *
 * A network for every example of every operator, and some that are lowered. Into FOLDER go NAME.c, NAME.in
 * and NAME.out (float32), and a line a network on the standard output: NAME INPUTS OUTPUTS SAMPLES. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/ccode.h>
#include <stoa/plan.h>

#include "tests/ops/example_model.h"

static stoa_context *context;
static const char *folder;

__attribute__((noreturn)) static void fail(const char *what) {
    (void)fprintf(stderr, "%s: %s\n", what, stoa_context_error(context));
    exit(1);
}

static void must(stoa_status status, const char *what) {
    if (status != STOA_OK) {
        fail(what);
    }
}

static void write_floats(const char *name, const char *end, const float *values, size_t count) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s.%s", folder, name, end);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(values, sizeof *values, count, file) != count || fclose(file) != 0) {
        fail(path);
    }
}

/* Samples one after the other, of each all inputs or outputs; their sizes as "12+30" into `sizes`. */
typedef bool port_fn(const stoa_model *model, size_t index, stoa_port_info *port);

static float *room_for(const stoa_model *model, port_fn *port_at, size_t samples, size_t *floats,
                       char sizes[256]) {
    stoa_port_info port;
    *floats = 0;
    sizes[0] = '\0';
    for (size_t i = 0; port_at(model, i, &port); i++) {
        *floats += port.size;
        (void)snprintf(sizes + strlen(sizes), 256 - strlen(sizes), "%s%zu", i ? "+" : "", port.size);
    }
    float *room = malloc(samples * *floats * sizeof *room);
    if (!room) {
        fail("no memory");
    }
    return room;
}

static void run_engine(stoa_model *model, size_t samples, const float *input, size_t inputs, float *output,
                       size_t outputs) {
    stoa_plan *plan;
    stoa_port_info port;
    const stoa_plan_options planned = {.batch = samples, .prepare = true};
    const float *first;
    must(stoa_plan_create(context, model, &planned, &plan), "plan");
    must(stoa_plan_bind(plan, NULL), "plan");
    size_t at = 0;
    for (size_t i = 0; stoa_model_input_at(model, i, &port); at += port.size, i++) {
        for (size_t n = 0; n < samples; n++) {
            memcpy(stoa_plan_activation(plan, port.name) + n * port.size, input + n * inputs + at,
                   port.size * sizeof *input);
        }
    }
    must(stoa_plan_infer(plan, samples, &first), "plan");
    at = 0;
    for (size_t i = 0; stoa_model_output_at(model, i, &port); at += port.size, i++) {
        for (size_t n = 0; n < samples; n++) {
            memcpy(output + n * outputs + at, stoa_plan_activation(plan, port.layer) + n * port.size,
                   port.size * sizeof *output);
        }
    }
    stoa_plan_free(plan);
}

/* Export a built model as NAME, and what the engine computes from drawn samples. */
static void write_model(const char *name, stoa_model *model, bool separate) {
    enum { SAMPLES = 3 };
    char path[512];
    char weights[512];
    char input_sizes[256];
    char output_sizes[256];
    size_t inputs;
    size_t outputs;
    float *input = room_for(model, stoa_model_input_at, SAMPLES, &inputs, input_sizes);
    float *output = room_for(model, stoa_model_output_at, SAMPLES, &outputs, output_sizes);
    must(example_fill(model), name);
    (void)snprintf(path, sizeof path, "%s/%s.c", folder, name);
    (void)snprintf(weights, sizeof weights, "%s/%s.weights", folder, name);
    const stoa_c_options options = {.weights = separate ? weights : NULL};
    must(stoa_model_export_c(model, path, &options, NULL), name);
    for (size_t i = 0; i < SAMPLES * inputs; i++) {
        input[i] = 2 * example_draw(0, i);
    }
    run_engine(model, SAMPLES, input, inputs, output, outputs);
    write_floats(name, "in", input, SAMPLES * inputs);
    write_floats(name, "out", output, SAMPLES * outputs);
    (void)printf("%s %s %s %d%s\n", name, input_sizes, output_sizes, SAMPLES, separate ? " separate" : "");
    free(output);
    free(input);
}

static void write_example(const struct stoa_op *op, const struct stoa_op_example *example, size_t number) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s_%zu", op->name, number);
    stoa_model *model = example_model(context, op, example);
    if (!model) {
        fail(name);
    }
    write_model(name, model, number % 2 == 1);
    stoa_model_free(model);
}

static void write_examples(void) {
    for (const struct stoa_op *const *op = stoa_ops; *op; op++) {
        for (size_t i = 0; !(*op)->is_loss && (*op)->examples[i].options; i++) {
            write_example(*op, &(*op)->examples[i], i);
        }
    }
}

/* Networks whose layers are lowered to each other, or share values; a name and its layers in pairs. */
static const char *const networks[][40] = {
    {"block", "8x9x5",
     "c1",    "conv2d filters=12 kernel=3 pad=1 bias=false",
     "b1",    "batchnorm",
     "r1",    "relu",
     "c2",    "conv2d filters=12 kernel=3 pad=1 bias=false",
     "b2",    "batchnorm",
     "s",     "add from=b2,r1",
     "r2",    "relu",
     "g",     "global_avgpool",
     "l",     "linear units=7",
     "p",     "softmax",
     NULL},
    {"shortcut", "8x8x6",
     "r0",       "relu",
     "c1",       "conv2d filters=16 kernel=3 stride=2 pad=1 bias=false",
     "b1",       "batchnorm",
     "r1",       "relu",
     "c2",       "conv2d filters=16 kernel=3 pad=1 bias=false",
     "b2",       "batchnorm",
     "d",        "conv2d filters=16 kernel=1 stride=2 bias=false from=r0",
     "db",       "batchnorm",
     "s",        "add from=b2,db",
     "r2",       "relu",
     "c3",       "conv2d filters=20 kernel=3 pad=1",
     "s3",       "silu",
     NULL},
    {"framed", "10x7x3", "c1", "conv2d filters=8 kernel=3 pad=1", "r1", "relu", "c2",
     "conv2d filters=24 kernel=3 pad=1", "r2", "prelu per_channel=true", "p2", "maxpool2d size=2", "c3",
     "conv2d filters=9 kernel=5 pad=2 groups=3", "p3", "avgpool2d size=2 stride=1 pad=1", "c4",
     "conv2d filters=4 kernel=3 pad=1", NULL},
    {"inner", "6x6x4", "c1", "conv2d filters=6 kernel=3 pad=1", "b1", "batchnorm", "r1", "relu", "h",
     "hardswish", "c2", "conv2d filters=6 kernel=1 from=b1", "j", "concat from=c1,b1,r1,h", "k",
     "add from=c2,r1", "e", "concat from=j,k", NULL},
    {"depth", "9x9x3", "c1", "conv2d filters=300 kernel=1", "r1", "hardswish", "d1",
     "conv2d filters=300 kernel=3 groups=300 pad=1 stride=2 bias=false", "b1", "batchnorm", "r2", "hardswish",
     "c2", "conv2d filters=10 kernel=1", "d2", "conv2d filters=10 kernel=5 groups=10 pad=2", "c3",
     "conv2d filters=3 kernel=3 pad=1", NULL},
    {"views", "4x4x3", "f0", "flatten", "a", "linear units=12 from=f0", "d", "dropout p=0.5", "b",
     "linear units=12 from=f0", "s", "add from=d,b", "t", "tanh", "m", "add from=t,d", "u", "flatten", NULL},
    {"plain", "3x4x5", "d", "dropout p=0.3", "f", "flatten", NULL},
    {"ports",  "6x6x4",
     "c1",     "conv2d filters=6 kernel=3 pad=1",
     "r1",     "relu",
     "output", "c1",
     "z",      "input size=6x6 channels=6",
     "s",      "add from=r1,z",
     "output", "r1",
     "f",      "flatten from=s",
     "output", "f",
     "q",      "linear units=3 from=f",
     "t",      "tanh",
     "w",      "linear units=2 from=t",
     "output", "t",
     "output", "w",
     NULL},
    {"normed", "5x5x8",     "b0", "batchnorm",
     "r0",     "relu",      "t",  "conv_transpose2d filters=6 kernel=3 stride=2 bias=false",
     "b1",     "batchnorm", "r1", "leaky_relu",
     "n",      "layernorm", "g",  "gelu",
     "b2",     "batchnorm", "q",  "log_softmax",
     NULL},
    {"squeezed", "6x6x8",
     "n",        "groupnorm groups=4",
     "a",        "prelu per_channel=true",
     "r",        "reduce",
     "s",        "sigmoid",
     "m",        "mul from=s,a",
     "b",        "batchnorm",
     "h",        "hardswish",
     "w",        "reduce axes=width by=max",
     "v",        "reduce axes=height from=h",
     "x",        "add from=w,v",
     "q",        "leaky_relu",
     "k",        "softmax axis=sample",
     NULL},
};

static void write_networks(void) {
    for (size_t n = 0; n < sizeof networks / sizeof networks[0]; n++) {
        stoa_model *model;
        size_t dim[3];
        must(stoa_model_create(context, &model), networks[n][0]);
        example_shape(networks[n][1], dim);
        stoa_model_input(model, dim[0], dim[1], dim[2]);
        for (size_t i = 2; networks[n][i]; i += 2) {
            if (strcmp(networks[n][i], "output") == 0) {
                stoa_model_add_output(model, NULL, networks[n][i + 1]);
                continue;
            }
            stoa_model_add(model, networks[n][i], networks[n][i + 1]);
        }
        must(stoa_model_build(model), networks[n][0]);
        write_model(networks[n][0], model, n % 2 == 1);
        stoa_model_free(model);
    }
}

int main(int count, char **arguments) {
    folder = count == 2 ? arguments[1] : ".";
    const stoa_context_options options = {.threads = 1};
    if (stoa_context_create(&options, &context) != STOA_OK) {
        return 1;
    }
    write_examples();
    write_networks();
    stoa_context_free(context);
    return 0;
}
