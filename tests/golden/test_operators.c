/* SPDX-License-Identifier: MIT */
/* Every operator and loss, forward and backward, against the values of other frameworks in files of cases. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ops/harness.h"
#include "golden.h"
#include "model/graph.h"

/* Of the largest value of each array; the values have 12 digits, the engine floats. */
static const double BOUND = 2e-6;

/* Written by gen.py from operator_cases.py, and by gen_places.py. */
static const char *const files[] = {"operators.json", "places.json"};
enum { FILES = sizeof files / sizeof *files };

static const char *folder;

/* Operators without golden values, and why. */
static const struct {
    const char *name, *reason;
} exempt[] = {
    {"input", "nothing is computed; tests/model checks what it takes and gives"},
    {"dropout",
     "its mask is a random stream of the engine's own; tests/ops checks share, scale and repetition"},
};

static bool is_exempt(const char *name) {
    for (size_t i = 0; i < sizeof exempt / sizeof *exempt; i++) {
        if (strcmp(exempt[i].name, name) == 0) {
            print_message("no golden values for %s: %s\n", name, exempt[i].reason);
            return true;
        }
    }
    return false;
}

static void find_cases(const json_t *cases, const char *op, bool *forward, bool *backward) {
    for (size_t c = 0; c < json_array_size(cases); c++) {
        const json_t *one = json_array_get(cases, c);
        if (strcmp(golden_text(one, "op"), op) == 0) {
            *forward = true;
            *backward = *backward || json_object_get(one, "dy");
        }
    }
}

static void every_operator_has_golden_values(void **state) {
    (void)state;
    json_t *loaded[FILES];
    for (size_t f = 0; f < FILES; f++) {
        loaded[f] = golden_load(folder, files[f]);
    }
    for (size_t i = 0; stoa_ops[i]; i++) {
        bool forward = is_exempt(stoa_ops[i]->name);
        bool backward = forward;
        for (size_t f = 0; f < FILES; f++) {
            find_cases(golden_get(loaded[f], "cases"), stoa_ops[i]->name, &forward, &backward);
        }
        if (!forward || !backward) {
            fail_msg("no file has a %s case of %s: add one to operator_cases.py or gen_places.py",
                     forward ? "backward" : "forward", stoa_ops[i]->name);
        }
    }
    for (size_t f = 0; f < FILES; f++) {
        json_decref(loaded[f]);
    }
}

/* One case on one context. */
struct check {
    const json_t *json;
    const char *line;
    struct stoa_layer layer;
    struct harness h;
};

/* Disk order in the file, memory order in the harness: conversion is under test with it. */
static void fill_tensors(struct check *c) {
    const json_t *tensors = golden_get(c->json, "tensors");
    assert_int_equal(json_object_size(tensors), c->layer.tensors);
    for (size_t t = 0; t < c->layer.tensors; t++) {
        size_t count = harness_tensor_size(&c->h, t);
        float *disk = malloc(count * sizeof *disk);
        assert_non_null(disk);
        golden_floats(golden_get(tensors, c->layer.tensor[t].suffix), disk, count);
        stoa_tensor_from_disk(&c->layer.tensor[t], disk, c->h.tensor[t]);
        free(disk);
    }
}

static void compare_tensors(const struct check *c, float *const *found, const json_t *expected) {
    const char *name;
    json_t *values;
    json_object_foreach((json_t *)(uintptr_t)expected, name, values) {
        size_t t = 0;
        while (t < c->layer.tensors && strcmp(c->layer.tensor[t].suffix, name) != 0) {
            t++;
        }
        assert_true(t < c->layer.tensors && found[t]);
        size_t count = harness_tensor_size(&c->h, t);
        float *disk = malloc(count * sizeof *disk);
        assert_non_null(disk);
        stoa_tensor_to_disk(&c->layer.tensor[t], found[t], disk);
        golden_compare(c->line, name, disk, values, count, BOUND);
        free(disk);
    }
}

static void fill(struct check *c) {
    const json_t *x = golden_get(c->json, "x");
    assert_int_equal(json_array_size(x), c->layer.inputs);
    for (size_t k = 0; k < c->layer.inputs; k++) {
        golden_floats(json_array_get(x, k), c->h.x[k], harness_x_size(&c->h, k));
    }
    fill_tensors(c);
    if (c->h.labels) {
        golden_labels(golden_get(c->json, "labels"), c->h.labels, c->h.setup.batch);
    }
    if (c->h.values) {
        golden_floats(golden_get(c->json, "values"), c->h.values, harness_x_size(&c->h, 0));
    }
}

static void compare(struct check *c) {
    harness_forward(&c->h);
    golden_compare(c->line, "y", c->h.y, golden_get(c->json, "y"), harness_y_size(&c->h), BOUND);
    if (json_object_get(c->json, "after")) {
        compare_tensors(c, c->h.tensor, golden_get(c->json, "after"));
    }
    if (!json_object_get(c->json, "dy")) {
        return;
    }
    golden_floats(golden_get(c->json, "dy"), c->h.dy, harness_y_size(&c->h));
    harness_backward(&c->h);
    const json_t *dx = golden_get(c->json, "dx");
    assert_int_equal(json_array_size(dx), c->layer.inputs);
    for (size_t k = 0; k < c->layer.inputs; k++) {
        golden_compare(c->line, "dx", c->h.dx[k], json_array_get(dx, k), harness_x_size(&c->h, k), BOUND);
    }
    const json_t *gradients = golden_get(c->json, "gradients");
    size_t trainable = 0;
    for (size_t t = 0; t < c->layer.tensors; t++) {
        trainable += c->layer.tensor[t].trainable;
    }
    assert_int_equal(json_object_size(gradients), trainable);
    compare_tensors(c, c->h.dtensor, gradients);
}

static void run_case(const json_t *json, stoa_context *context) {
    struct check c = {.json = json, .line = golden_text(json, "line")};
    const char *inputs[STOA_MAX_INPUTS + 1] = {NULL};
    const json_t *shapes = golden_get(json, "inputs");
    for (size_t k = 0; k < json_array_size(shapes) && k < STOA_MAX_INPUTS; k++) {
        inputs[k] = json_string_value(json_array_get(shapes, k));
    }
    harness_layer(&c.layer, c.line, inputs);
    const struct harness_setup setup = {.batch = golden_size(json, "batch"),
                                        .training = json_is_true(golden_get(json, "training"))};
    harness_open(&c.h, context, &c.layer, &setup);
    fill(&c);
    compare(&c);
    harness_close(&c.h);
    stoa_layer_clear(&c.layer);
}

static void compare_file(const char *name) {
    json_t *file = golden_load(folder, name);
    const json_t *cases = golden_get(file, "cases");
    assert_true(json_array_size(cases) > 0);
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        stoa_context *context = NULL;
        const stoa_context_options options = {.threads = 2, .limit_isa = true, .highest_isa = (stoa_isa)isa};
        assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
        for (size_t i = 0; i < json_array_size(cases); i++) {
            run_case(json_array_get(cases, i), context);
        }
        print_message("%zu cases of %s with %s\n", json_array_size(cases), name,
                      stoa_isa_name(stoa_context_isa(context)));
        stoa_context_free(context);
    }
    json_decref(file);
}

static void operators_give_these_values(void **state) {
    (void)state;
    for (size_t f = 0; f < FILES; f++) {
        compare_file(files[f]);
    }
}

int main(int count, char **arguments) {
    if (count != 2) {
        (void)fprintf(stderr, "usage: test_golden_operators FOLDER\n");
        return 2;
    }
    folder = arguments[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_has_golden_values),
        cmocka_unit_test(operators_give_these_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
