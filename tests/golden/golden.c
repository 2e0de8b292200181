/* SPDX-License-Identifier: MIT */
/* Reading golden values. */
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>

#include "../ops/harness.h"

json_t *golden_load(const char *folder, const char *name) {
    char path[4096];
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    json_t *json = json_load_file(path, 0, &error);
    if (!json) {
        fail_msg("%s:%d: %s", path, error.line, error.text);
    }
    return json;
}

const json_t *golden_get(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!value) {
        fail_msg("no '%s'", key);
    }
    return value;
}

const char *golden_text(const json_t *object, const char *key) {
    const char *text = json_string_value(golden_get(object, key));
    assert_non_null(text);
    return text;
}

size_t golden_size(const json_t *object, const char *key) {
    const json_t *value = golden_get(object, key);
    assert_true(json_is_integer(value));
    return (size_t)json_integer_value(value);
}

void golden_floats(const json_t *array, float *out, size_t count) {
    assert_int_equal(json_array_size(array), count);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        assert_true(json_is_number(value));
        out[i] = (float)json_number_value(value);
    }
}

void golden_labels(const json_t *array, int32_t *out, size_t count) {
    assert_int_equal(json_array_size(array), count);
    for (size_t i = 0; i < count; i++) {
        assert_true(json_is_integer(json_array_get(array, i)));
        out[i] = (int32_t)json_integer_value(json_array_get(array, i));
    }
}

double *golden_doubles(const json_t *array, size_t count) {
    assert_int_equal(json_array_size(array), count);
    double *out = malloc(count * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        assert_true(json_is_number(value));
        out[i] = json_number_value(value);
    }
    return out;
}

void golden_compare(const char *where, const char *what, const float *found, const json_t *expected,
                    size_t count, double bound) {
    double *wanted = golden_doubles(expected, count);
    double error = harness_error(found, wanted, count);
    free(wanted);
    if (!(error <= bound)) {
        fail_msg("%s: %s differs from PyTorch's by %.3g of its largest value, allowed %.3g", where, what,
                 error, bound);
    }
}
