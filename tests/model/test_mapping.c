/* SPDX-License-Identifier: MIT */
/* State dictionaries with other names: a mapping suggested, written, read, and what is wrong with one. */
#include "builder.h"

static const char path[] = "mapping.safetensors";

/* The small model's tensors under names as torchvision has them, in the order of the file's data: by name. */
static const struct {
    const char *name, *shape;
    size_t count, as; /* which of state_tensors has its values */
} theirs[] = {
    {"classifier.0.weight", "[4,18]", 72, 0},  {"features.0.bias", "[2]", 2, 1},
    {"features.0.weight", "[2,3,3,2]", 36, 2}, {"features.1.beta", "[2]", 2, 5},
    {"features.1.gamma", "[2]", 2, 3},         {"features.1.running_mean", "[2]", 2, 4},
    {"features.1.running_var", "[2]", 2, 6},
};
enum { THEIRS = sizeof theirs / sizeof *theirs };

static void write_theirs(const char *extra) {
    static struct builder builder;
    builder = (struct builder){.used = 0};
    say(&builder, "{\"__metadata__\":{\"format\":\"pt\"}");
    float values[256];
    for (size_t t = 0; t < THEIRS; t++) {
        for (size_t i = 0; i < theirs[t].count; i++) {
            values[i] = test_value(theirs[t].as, i);
        }
        builder_tensor(&builder, theirs[t].name, "F32", theirs[t].shape, values,
                       theirs[t].count * sizeof *values);
    }
    if (extra) {
        builder_tensor(&builder, extra, "F32", "[3]", values, 3 * sizeof *values);
    }
    size_t bytes;
    unsigned char *file = builder_finish(&builder, &bytes);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file, 1, bytes, out), bytes);
    assert_int_equal(fclose(out), 0);
    free(file);
}

static void count_match(void *user, const stoa_tensor_match *match) {
    size_t *counts = user;
    counts[match->match]++;
}

static void suggests_what_fits(void **state) {
    (void)state;
    stoa_model *model = small_model();
    void *text = NULL;
    size_t bytes = 0, counts[4] = {0};
    write_theirs("my, head.weight");
    if (stoa_model_suggest_map(model, path, &text, &bytes) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_string_equal(
        text, "# THEIRS = OURS: a tensor of the file, and the one of the network that takes its values.\n"
              "# A line without a name behind the '=' leaves a tensor of the file out.\n"
              "features.0.weight = c1.weight  # (2, 3, 3, 2), by shape and order\n"
              "features.0.bias = c1.bias  # (2), by shape and order\n"
              "features.1.gamma = b1.weight  # (2), by shape and order\n"
              "features.1.beta = b1.bias  # (2), by shape and order\n"
              "features.1.running_mean = b1.running_mean  # (2), by shape and order\n"
              "features.1.running_var = b1.running_var  # (2), by shape and order\n"
              "classifier.0.weight = l1.weight  # (4, 18), by shape and order\n"
              "# \"my, head.weight\" = ?  # (3), not used\n");
    assert_int_equal(bytes, strlen(text) + 1);
    if (stoa_model_load_mapped(model, path, text, count_match, counts) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(counts[STOA_MATCH_TAKEN], STATE_TENSORS);
    assert_int_equal(counts[STOA_MATCH_EXTRA], 1);
    for (size_t t = 0; t < STATE_TENSORS; t++) {
        assert_values(model, state_tensors[t].name, t);
    }
    stoa_buffer_free(context, text, bytes);
    stoa_model_free(model);
}

/* What is not named keeps its name, what has no new one is left out, quotes and comments are read. */
static void takes_parts(void **state) {
    (void)state;
    stoa_model *model = small_model();
    size_t counts[4] = {0};
    write_theirs("my, head.weight");
    assert_int_equal(stoa_model_load_mapped(model, path,
                                            "\n  # a comment\r\n \"my, head.weight\"=   # left out\n"
                                            "classifier.0.weight=\"l1.weight\"\t# \"quotes\"",
                                            count_match, counts),
                     STOA_OK);
    assert_int_equal(counts[STOA_MATCH_TAKEN], 1);
    assert_int_equal(counts[STOA_MATCH_EXTRA], THEIRS - 1);
    assert_values(model, "l1.weight", 0);
    stoa_model_free(model);
}

static void refuses(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"classifier.0.weight\n",
         "line 1 of the mapping: found 'classifier.0.weight', expected THEIRS = OURS"},
        {"\n= l1.weight\n", "line 2 of the mapping: found '= l1.weight', expected THEIRS = OURS"},
        {"a = b c", "line 1 of the mapping: found 'a = b c', expected THEIRS = OURS"},
        {"head = l1.weight", "line 1 of the mapping: the file has no tensor 'head'"},
        {"features.0.bias = c1.bias\nfeatures.1.beta = c1.bias", "two tensors are to be 'c1.bias'"},
        {"features.0.bias = features.1.beta", "two tensors are to be 'features.1.beta'"},
    };
    stoa_model *model = small_model();
    write_theirs(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sentence[200];
        (void)snprintf(sentence, sizeof sentence, "%s: %s", path, cases[i][1]);
        assert_int_equal(stoa_model_load_mapped(model, path, cases[i][0], NULL, NULL), STOA_ERR_ARGUMENT);
        assert_string_equal(stoa_context_error(context), sentence);
    }
    stoa_model_free(model);
}

/* Numbers in names count as numbers: the tenth block comes behind the second. */
static void counts_in_names(void **state) {
    (void)state;
    static struct builder builder;
    stoa_model *model = NULL;
    void *text = NULL;
    size_t bytes = 0;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, 2);
    builder = (struct builder){.used = 0};
    say(&builder, "{\"__metadata__\":{}");
    for (int i = 0; i < 12; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "l%d", i);
        stoa_model_add(model, name, "linear units=2");
    }
    static const int order[] = {0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9};
    for (int i = 0; i < 12; i++) {
        char name[24];
        const float bias[2] = {(float)order[i], 0};
        (void)snprintf(name, sizeof name, "block.%d.bias", order[i]);
        builder_tensor(&builder, name, "F32", "[2]", bias, sizeof bias);
    }
    assert_int_equal(stoa_model_build(model), STOA_OK);
    size_t size;
    unsigned char *file = builder_finish(&builder, &size);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    free(file);
    assert_int_equal(stoa_model_suggest_map(model, path, &text, &bytes), STOA_OK);
    assert_non_null(strstr(text, "\n# ? = l0.weight  # (2, 2), not found\n"));
    assert_int_equal(stoa_model_load_mapped(model, path, text, NULL, NULL), STOA_OK);
    for (size_t i = 0; i < 12; i++) {
        float bias[2];
        assert_int_equal(stoa_model_get_tensor(model, 2 * i + 1, bias, 2), STOA_OK);
        assert_true(bias[0] == (float)i);
    }
    stoa_buffer_free(context, text, bytes);
    stoa_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(suggests_what_fits), cmocka_unit_test(takes_parts),
                                       cmocka_unit_test(refuses), cmocka_unit_test(counts_in_names)};
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoa_context_free(context);
    return failed;
}
