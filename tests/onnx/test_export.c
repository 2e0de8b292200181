/* SPDX-License-Identifier: MIT */
/* Networks as ONNX and back: every example of every operator, networks with several ends, and the recipes
 * that ship. Tensors come back to the bit, and outputs within a millionth of the largest, for ONNX says some
 * operators by several. And what is refused.
 *
 *     test_onnx_export [FOLDER]
 *
 * With a folder the files are written there as NAME.onnx, with inputs and outputs as ONNX has them in NAME.in
 * and NAME.out (float32, the ports one after the other, 3 samples), to be run by another program. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoa/onnx.h>
#include <stoa/plan.h>
#include <stoa/recipe.h>

#include "model/graph.h"
#include "onnx/write.h"
#include "tests/base/cmocka_prelude.h"
#include "tests/ops/example_model.h"

enum { SAMPLES = 3 };
static stoa_context *context;
static const char *folder;
static size_t wrong; /* of what was written and did not come back as it was */

/* Operators that ONNX does not have. */
static const char *const without[] = {"std"};

static bool is_without(const char *op) {
    bool found = false;
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        found = found || strcmp(without[i], op) == 0;
    }
    return found;
}

static void must(stoa_status status, const char *what) {
    if (status != STOA_OK) {
        fail_msg("%s: %s", what, stoa_context_error(context));
    }
}

/* ---- what networks compute, in ONNX's order ---- */

/* How a value lies: its sizes C, H, W, and which of these follow one another in memory. */
struct lie {
    size_t dim[3], axes[3];
};

static struct lie lie_of(const struct stoa_shape *shape) {
    const size_t *image = shape->rank == 3 ? shape->dim : shape->flattened;
    return image[0] ? (struct lie){{image[2], image[0], image[1]}, {1, 2, 0}}
                    : (struct lie){{stoa_shape_size(shape), 1, 1}, {0, 1, 2}};
}

/* The same of an imported model's port, whose facts say so where it is not ONNX's order. */
static struct lie imported_lie(const stoa_model *model, const char *port, struct lie lie) {
    char key[128];
    (void)snprintf(key, sizeof key, "onnx.axes.%s", port);
    const char *axes = stoa_model_fact(model, key);
    for (size_t i = 0; i < 3; i++) {
        lie.axes[i] = axes ? (size_t)(axes[2 * i] - '1') : i;
    }
    return lie;
}

static void reorder(const struct lie *lie, bool to_onnx, const float *from, float *to) {
    const size_t *dim = lie->dim;
    const size_t stride[3] = {dim[1] * dim[2], dim[2], 1};
    const size_t *a = lie->axes;
    size_t memory = 0;
    for (size_t i = 0; i < dim[a[0]]; i++) {
        for (size_t j = 0; j < dim[a[1]]; j++) {
            for (size_t k = 0; k < dim[a[2]]; k++, memory++) {
                const size_t onnx = i * stride[a[0]] + j * stride[a[1]] + k * stride[a[2]];
                to[to_onnx ? onnx : memory] = from[to_onnx ? memory : onnx];
            }
        }
    }
}

/* The lies of a model's ports. */
enum { MOST_PORTS = 8 };
struct ports {
    size_t inputs, outputs;
    stoa_port_info input[MOST_PORTS], output[MOST_PORTS];
    struct lie input_lie[MOST_PORTS], output_lie[MOST_PORTS];
};

static void read_ports(const stoa_model *model, struct ports *ports) {
    memset(ports, 0, sizeof *ports);
    while (stoa_model_input_at(model, ports->inputs, &ports->input[ports->inputs])) {
        const char *name = ports->input[ports->inputs].name;
        const size_t value = stoa_value_find(model, name, strlen(name));
        ports->input_lie[ports->inputs++] = lie_of(stoa_value_shape(model, value));
    }
    while (stoa_model_output_at(model, ports->outputs, &ports->output[ports->outputs])) {
        const size_t value = stoa_output_value(model, ports->outputs);
        ports->output_lie[ports->outputs++] = lie_of(stoa_value_shape(model, value));
    }
}

/* Run drawn samples; outputs one after the other, in ONNX's order, from malloc. Inputs go to `inputs` in the
 * same way where it is not NULL. */
static float *run(stoa_model *model, const struct ports *ports, float *inputs, size_t *count) {
    stoa_plan *plan;
    const float *first;
    const stoa_plan_options planned = {.batch = SAMPLES};
    must(stoa_plan_create(context, model, &planned, &plan), "plan");
    must(stoa_plan_bind(plan, NULL), "plan");
    for (size_t p = 0; p < ports->inputs; p++) {
        const size_t size = ports->input[p].size;
        float *drawn = malloc(SAMPLES * size * sizeof *drawn);
        assert_non_null(drawn);
        for (size_t i = 0; i < SAMPLES * size; i++) {
            drawn[i] = 2 * example_draw(100 + p, i);
        }
        for (size_t n = 0; n < SAMPLES; n++) {
            reorder(&ports->input_lie[p], false, drawn + n * size,
                    stoa_plan_activation(plan, ports->input[p].name) + n * size);
        }
        if (inputs) {
            memcpy(inputs, drawn, SAMPLES * size * sizeof *drawn);
            inputs += SAMPLES * size;
        }
        free(drawn);
    }
    must(stoa_plan_infer(plan, SAMPLES, &first), "run");
    *count = 0;
    for (size_t p = 0; p < ports->outputs; p++) {
        *count += SAMPLES * ports->output[p].size;
    }
    float *outputs = malloc((*count + 1) * sizeof *outputs);
    assert_non_null(outputs);
    float *to = outputs;
    for (size_t p = 0; p < ports->outputs; p++) {
        const size_t size = ports->output[p].size;
        for (size_t n = 0; n < SAMPLES; n++, to += size) {
            reorder(&ports->output_lie[p], true,
                    stoa_plan_activation(plan, ports->output[p].layer) + n * size, to);
        }
    }
    stoa_plan_free(plan);
    return outputs;
}

static void write_file(const char *name, const char *end, const void *data, size_t bytes) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s.%s", folder, name, end);
    FILE *file = fopen(path, "wb");
    assert_true(file && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0);
}

/* ---- there and back ---- */

/* Tensors of both to the bit. A constant of one number is a number of its layer's options after an import. */
static void compare_tensors(const char *name, stoa_model *model, stoa_model *back) {
    for (size_t t = 0; t < stoa_model_tensor_count(model); t++) {
        stoa_tensor_info info, found = {.name = NULL};
        must(stoa_model_tensor(model, t, &info), name);
        size_t other = 0;
        while (other < stoa_model_tensor_count(back) && stoa_model_tensor(back, other, &found) == STOA_OK &&
               strcmp(found.name, info.name) != 0) {
            other++;
        }
        if (other == stoa_model_tensor_count(back)) {
            if (info.count != 1 || !strstr(info.name, ".value")) {
                print_error("%s: tensor %s did not come back\n", name, info.name);
                wrong++;
            }
            continue;
        }
        float *ours = malloc(info.count * sizeof *ours);
        float *theirs = malloc(info.count * sizeof *theirs);
        assert_true(ours && theirs && found.count == info.count);
        must(stoa_model_get_tensor(model, t, ours, info.count), name);
        must(stoa_model_get_tensor(back, other, theirs, info.count), name);
        if (memcmp(ours, theirs, info.count * sizeof *ours) != 0) {
            print_error("%s: tensor %s came back with other numbers\n", name, info.name);
            wrong++;
        }
        free(ours);
        free(theirs);
    }
}

static void refused(void *user, const stoa_onnx_refusal *refusal) {
    (void)user;
    print_error("%s (%s): %s\n", refusal->node, refusal->op, refusal->reason);
}

static void write_case(const char *name, const void *data, size_t bytes, const float *inputs,
                       size_t input_count, const float *outputs, size_t output_count) {
    if (folder) {
        write_file(name, "onnx", data, bytes);
        write_file(name, "in", inputs, input_count * sizeof *inputs);
        write_file(name, "out", outputs, output_count * sizeof *outputs);
    }
}

static void there_and_back(const char *name, stoa_model *model) {
    void *data = NULL;
    size_t bytes = 0, count, count_back;
    struct ports ports;
    stoa_model *back = NULL;
    const stoa_onnx_options options = {.refuse = refused};
    read_ports(model, &ports);
    size_t input_count = 0;
    for (size_t p = 0; p < ports.inputs; p++) {
        input_count += SAMPLES * ports.input[p].size;
    }
    float *inputs = malloc((input_count + 1) * sizeof *inputs);
    assert_non_null(inputs);
    float *outputs = run(model, &ports, inputs, &count);
    must(stoa_model_save_onnx_memory(model, NULL, &data, &bytes, NULL), name);
    write_case(name, data, bytes, inputs, input_count, outputs, count);
    if (stoa_model_load_onnx_memory(context, data, bytes, &options, &back) != STOA_OK) {
        print_error("%s: %s\n", name, stoa_context_error(context));
        wrong++;
        free(inputs);
        free(outputs);
        stoa_buffer_free(context, data, bytes);
        return;
    }
    compare_tensors(name, model, back);
    for (size_t p = 0; p < ports.inputs; p++) {
        ports.input_lie[p] = imported_lie(back, ports.input[p].name, ports.input_lie[p]);
    }
    stoa_port_info port;
    for (size_t p = 0; p < ports.outputs; p++) {
        assert_true(stoa_model_output_at(back, p, &port));
        assert_string_equal(port.name, ports.output[p].name);
        ports.output_lie[p] = imported_lie(back, port.name, ports.output_lie[p]);
        ports.output[p] = port;
    }
    float *again = run(back, &ports, NULL, &count_back);
    assert_int_equal(count, count_back);
    float largest = 0, apart = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmaxf(largest, isfinite(outputs[i]) ? fabsf(outputs[i]) : 0);
        apart =
            isfinite(outputs[i]) || isfinite(again[i]) ? fmaxf(apart, fabsf(outputs[i] - again[i])) : apart;
    }
    if (!(apart <= 1e-6F * largest)) {
        print_error("%s: outputs came back %g apart, the largest is %g\n", name, (double)apart,
                    (double)largest);
        wrong++;
    }
    free(inputs);
    free(outputs);
    free(again);
    stoa_buffer_free(context, data, bytes);
    stoa_model_free(back);
}

static void test_examples(void **state) {
    (void)state;
    size_t written = 0;
    wrong = 0;
    for (const struct stoa_op *const *op = stoa_ops; *op; op++) {
        for (size_t i = 0; !(*op)->is_loss && (*op)->examples[i].options; i++) {
            char name[64];
            (void)snprintf(name, sizeof name, "%s_%zu", (*op)->name, i);
            stoa_model *model = example_model(context, *op, &(*op)->examples[i]);
            assert_non_null(model);
            if (!is_without((*op)->name)) {
                there_and_back(name, model);
                written++;
            }
            stoa_model_free(model);
        }
    }
    assert_int_equal(wrong, 0);
    assert_true(written > 150);
}

/* A new operator gets a line, or is listed here as one that ONNX does not have. */
static void test_registry(void **state) {
    (void)state;
    for (const struct stoa_op *const *op = stoa_ops; *op; op++) {
        const bool found = stoa_onnx_writer_find(*op) != NULL;
        if (!(*op)->is_loss && found == is_without((*op)->name)) {
            fail_msg("%s: is %swritten as ONNX", (*op)->name, found ? "" : "not ");
        }
    }
}

/* Networks with several ends, names that meet, values that are ends and go on; a name and its layers. */
static const char *const networks[][32] = {
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
    {"ports",  "6x6x4",
     "c1",     "conv2d filters=6 kernel=3 pad=1",
     "r1",     "relu",
     "output", "c1",
     "z",      "input size=6x6 channels=6",
     "s",      "add from=r1,z",
     "output", "r1",
     "f",      "flatten from=s",
     "q",      "linear units=3 from=f",
     "t",      "tanh",
     "output", "t",
     NULL},
    {"dropped", "4x4x3", "f", "flatten", "l", "linear units=5", "d", "dropout p=0.5", NULL},
    {"names", "4x4x3", "l.shape", "relu", "l", "reshape size=8x3", "l/shape", "tanh", "l.weight", "sigmoid",
     "x", "linear units=3", NULL},
    {"flat", "4x5x3", "c", "conv2d filters=4 kernel=3", "f", "flatten", "b", "batchnorm", "r",
     "prelu per_channel=true", "a", "add channels=24", "n", "layernorm", "l", "linear units=6", NULL},
};

static void test_networks(void **state) {
    (void)state;
    wrong = 0;
    for (size_t n = 0; n < sizeof networks / sizeof networks[0]; n++) {
        stoa_model *model;
        size_t dim[3];
        must(stoa_model_create(context, &model), networks[n][0]);
        example_shape(networks[n][1], dim);
        stoa_model_input(model, dim[0], dim[1], dim[2]);
        for (size_t i = 2; networks[n][i]; i += 2) {
            if (strcmp(networks[n][i], "output") == 0) {
                stoa_model_add_output(model, NULL, networks[n][i + 1]);
            } else {
                stoa_model_add(model, networks[n][i], networks[n][i + 1]);
            }
        }
        must(stoa_model_build(model), networks[n][0]);
        must(example_fill(model), networks[n][0]);
        there_and_back(networks[n][0], model);
        stoa_model_free(model);
    }
    assert_int_equal(wrong, 0);
}

static void test_recipes(void **state) {
    (void)state;
    DIR *recipes = opendir(STOA_RECIPES);
    assert_non_null(recipes);
    size_t count = 0;
    wrong = 0;
    for (const struct dirent *entry = readdir(recipes); entry; entry = readdir(recipes)) {
        const char *dot = strrchr(entry->d_name, '.');
        char path[600];
        stoa_recipe *recipe = NULL;
        stoa_model *model = NULL;
        if (!dot || strcmp(dot, ".ini") != 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", STOA_RECIPES, entry->d_name);
        must(stoa_recipe_load(context, path, &recipe), path);
        must(stoa_recipe_model(context, recipe, &model), path);
        must(stoa_model_init(model, 7), path);
        there_and_back(entry->d_name, model);
        stoa_model_free(model);
        stoa_recipe_free(recipe);
        count++;
    }
    (void)closedir(recipes);
    assert_true(count > 20);
    assert_int_equal(wrong, 0);
}

/* ---- facts and preprocessing ---- */

static stoa_model *small_model(const char *last) {
    stoa_model *model;
    must(stoa_model_create(context, &model), "model");
    stoa_model_input(model, 4, 4, 2);
    stoa_model_add(model, "c1", "conv2d filters=3 kernel=3");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "l1", last);
    must(stoa_model_build(model), "model");
    must(example_fill(model), "model");
    return model;
}

static void set_scales(stoa_model *model, const char *mean, const char *deviation) {
    must(stoa_model_set_fact(model, "data.mean", mean), "mean");
    must(stoa_model_set_fact(model, "data.deviation", deviation), "deviation");
}

static void test_preprocessing(void **state) {
    (void)state;
    static const char path[] = "test_onnx_export_net.onnx";
    static const float mean[2] = {0.5F, -1}, deviation[2] = {2, 0.25F};
    stoa_model *model = small_model("linear units=5"), *back = NULL;
    stoa_onnx_saved plain, saved;
    struct ports ports;
    set_scales(model, "0.5 -1", "2 0.25");
    must(stoa_model_set_fact(model, "data.path", "/home/somebody"), "path");
    must(stoa_model_save_onnx(model, path, NULL, &plain), path);
    must(stoa_model_save_onnx(model, path, &(stoa_onnx_save_options){.preprocessing = true}, &saved), path);
    assert_int_equal(saved.nodes, plain.nodes + 2);
    assert_int_equal(saved.opset, 17);
    must(stoa_model_load_onnx(context, path, NULL, &back), path);
    /* The graph does it, so nobody has to do it again; the folder of the data stays here. */
    assert_string_equal(stoa_model_fact(back, "data.mean"), "0");
    assert_string_equal(stoa_model_fact(back, "data.deviation"), "1");
    assert_null(stoa_model_fact(back, "data.path"));
    read_ports(model, &ports);
    /* What the graph does is what the caller does otherwise. */
    stoa_plan *plans[2];
    const float *outputs[2];
    for (size_t i = 0; i < 2; i++) {
        const stoa_plan_options planned = {.batch = 1};
        must(stoa_plan_create(context, i ? back : model, &planned, &plans[i]), "plan");
        must(stoa_plan_bind(plans[i], NULL), "plan");
        float *input = stoa_plan_input(plans[i]);
        for (size_t k = 0; k < 32; k++) {
            const float raw = example_draw(5, k);
            input[k] = i ? raw : (raw - mean[k % 2]) / deviation[k % 2];
        }
        must(stoa_plan_infer(plans[i], 1, &outputs[i]), "run");
    }
    for (size_t k = 0; k < 5; k++) {
        assert_float_equal(outputs[0][k], outputs[1][k], 1e-5);
    }
    stoa_plan_free(plans[0]);
    stoa_plan_free(plans[1]);
    stoa_model_free(model);
    stoa_model_free(back);
    assert_int_equal(unlink(path), 0);
}

/* ---- what is refused ---- */

static void expect(stoa_model *model, const char *path, bool preprocessing, stoa_status status,
                   const char *words) {
    const stoa_onnx_save_options options = {.preprocessing = preprocessing};
    stoa_onnx_saved saved = {.bytes = 77};
    assert_int_equal(stoa_model_save_onnx(model, path, &options, &saved), status);
    if (!strstr(stoa_context_error(context), words)) {
        fail_msg("found '%s', expected '%s' in it", stoa_context_error(context), words);
    }
    assert_int_equal(saved.bytes, 77);
    assert_int_not_equal(access("test_onnx_export_net.onnx", F_OK), 0);
}

static void test_refused(void **state) {
    (void)state;
    static const char path[] = "test_onnx_export_net.onnx";
    stoa_model *model = small_model("std");
    expect(model, path, false, STOA_ERR_UNSUPPORTED, "without a counterpart in ONNX: 'l1' (std)");
    stoa_model_free(model);
    model = small_model("linear units=5");
    expect(model, "no/such/folder/net.onnx", false, STOA_ERR_IO, "no/such/folder/net.onnx: cannot");
    expect(model, ".", false, STOA_ERR_IO, ".: is a folder");
    set_scales(model, "1 2 3", "1 1 1");
    expect(model, path, true, STOA_ERR_FORMAT, "data.mean has 3 numbers, expected 1 or one for each of 2");
    must(stoa_model_set_fact(model, "data.mean", "a"), "fact");
    expect(model, path, true, STOA_ERR_FORMAT, "data.mean");
    stoa_model_free(model);
    must(stoa_model_create(context, &model), "model");
    expect(model, path, false, STOA_ERR_ARGUMENT, "built");
    stoa_model_free(model);
    model = small_model("linear units=5");
    must(stoa_model_set_fact(model, "data.normalize", "measured"), "fact");
    expect(model, path, true, STOA_ERR_ARGUMENT, "does not know their mean and deviation");
    stoa_model_free(model);
}

int main(int count, char **arguments) {
    folder = count == 2 ? arguments[1] : NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),      cmocka_unit_test(test_examples),
        cmocka_unit_test(test_networks),      cmocka_unit_test(test_recipes),
        cmocka_unit_test(test_preprocessing), cmocka_unit_test(test_refused),
    };
    if (stoa_context_create(&(stoa_context_options){.threads = 1}, &context) != STOA_OK) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoa_context_free(context);
    return failed;
}
