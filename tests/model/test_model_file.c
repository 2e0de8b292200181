/* Model files: saved and loaded to the same bytes, tensors from a PyTorch state dictionary, and everything a
 * file can have wrong. Floor 6's test. */
#include <stoa/model.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/base/scratch.h"

static stoa_context *context;

/* ---- a file put together by hand ---- */

struct builder {
    char header[8192];
    size_t used;
    unsigned char data[8192];
    size_t data_bytes;
};

__attribute__((format(printf, 2, 3))) static void say(struct builder *builder, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(builder->header + builder->used, sizeof builder->header - builder->used, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < sizeof builder->header - builder->used);
    builder->used += (size_t)length;
}

static void builder_tensor(struct builder *builder, const char *name, const char *dtype, const char *shape,
                           const void *data, size_t bytes) {
    assert_true(bytes <= sizeof builder->data - builder->data_bytes);
    memcpy(builder->data + builder->data_bytes, data, bytes);
    say(builder, ",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", name, dtype, shape,
        builder->data_bytes, builder->data_bytes + bytes);
    builder->data_bytes += bytes;
}

/* The finished file, in a block of its own size. */
static unsigned char *builder_finish(struct builder *builder, size_t *bytes) {
    say(builder, "}");
    *bytes = 8 + builder->used + builder->data_bytes;
    unsigned char *file = malloc(*bytes);
    assert_non_null(file);
    uint64_t length = builder->used;
    memcpy(file, &length, 8);
    memcpy(file + 8, builder->header, builder->used);
    memcpy(file + 8 + builder->used, builder->data, builder->data_bytes);
    return file;
}

/* ---- a small model with one of each kind of tensor ---- */

static stoa_model *small_model_in(stoa_context *where, uint64_t seed) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(where, &model), STOA_OK);
    stoa_model_input(model, 6, 5, 3);
    stoa_model_add(model, "c1", "conv2d filters=2 kernel=3x2 pad=1");
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu from=b1");
    stoa_model_add(model, "p1", "maxpool2d size=2");
    stoa_model_add(model, "f", "flatten");
    stoa_model_add(model, "l1", "linear units=4 bias=false");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, seed), STOA_OK);
    return model;
}

static stoa_model *small_model(void) {
    return small_model_in(context, 3);
}

/* Value `index` of tensor `tensor` in files put together by hand. */
static float test_value(size_t tensor, size_t index) {
    return (float)(tensor + 1) + (float)index / 1024;
}

static void assert_values(const stoa_model *model, const char *name, size_t tensor) {
    size_t at = stoa_model_find_tensor(model, name);
    assert_true(at < stoa_model_tensor_count(model));
    stoa_tensor_info info;
    assert_int_equal(stoa_model_tensor(model, at, &info), STOA_OK);
    float values[256];
    assert_true(info.count <= 256);
    assert_int_equal(stoa_model_get_tensor(model, at, values, info.count), STOA_OK);
    for (size_t i = 0; i < info.count; i++) {
        assert_true(values[i] == test_value(tensor, i));
    }
}

static const struct state_tensor {
    const char *name, *shape;
    size_t count;
} state_tensors[] = {
    {"l1.weight", "[4,18]", 72},  {"c1.bias", "[2]", 2},         {"c1.weight", "[2,3,3,2]", 36},
    {"b1.weight", "[2]", 2},      {"b1.running_mean", "[2]", 2}, {"b1.bias", "[2]", 2},
    {"b1.running_var", "[2]", 2},
};
enum { STATE_TENSORS = sizeof state_tensors / sizeof state_tensors[0] };

/* A state dictionary as PyTorch would write it, in an order of its own; tensor `skip` is left out. */
static void build_state(struct builder *builder, size_t skip, const char *dtype_of_last) {
    *builder = (struct builder){.used = 0};
    say(builder, "{\"__metadata__\":{\"format\":\"pt\"}");
    const int64_t batches = 100;
    builder_tensor(builder, "b1.num_batches_tracked", "I64", "[]", &batches, sizeof batches);
    for (size_t t = 0; t < STATE_TENSORS; t++) {
        float values[256];
        for (size_t i = 0; i < state_tensors[t].count; i++) {
            values[i] = test_value(t, i);
        }
        if (t != skip) {
            builder_tensor(builder, state_tensors[t].name, t + 1 == STATE_TENSORS ? dtype_of_last : "F32",
                           state_tensors[t].shape, values, state_tensors[t].count * sizeof(float));
        }
    }
}

static void save_memory(stoa_model *model, unsigned char **data, size_t *bytes) {
    void *saved = NULL;
    assert_int_equal(stoa_model_save_memory(model, &saved, bytes), STOA_OK);
    *data = saved;
}

/* ---- saving and loading ---- */

static void test_round_trip(void **state) {
    (void)state;
    stoa_model *model = small_model();
    assert_int_equal(stoa_model_set_fact(model, "loss", "mse"), STOA_OK);
    assert_int_equal(stoa_model_set_fact(model, "data.set", "caf\xC3\xA9 \"quoted\"\n"), STOA_OK);
    unsigned char *first = NULL;
    unsigned char *second = NULL;
    size_t first_bytes = 0;
    size_t second_bytes = 0;
    save_memory(model, &first, &first_bytes);
    stoa_model *loaded = NULL;
    assert_int_equal(stoa_model_load_memory(context, first, first_bytes, &loaded), STOA_OK);
    assert_string_equal(stoa_model_fact(loaded, "data.set"), "caf\xC3\xA9 \"quoted\"\n");
    assert_string_equal(stoa_model_fact(loaded, "loss"), "mse");
    assert_int_equal(stoa_model_layer_count(loaded), 6);
    assert_int_equal(stoa_model_parameter_count(loaded), stoa_model_parameter_count(model));
    save_memory(loaded, &second, &second_bytes);
    assert_int_equal(first_bytes, second_bytes);
    assert_memory_equal(first, second, first_bytes);
    stoa_buffer_free(context, second, second_bytes);
    stoa_buffer_free(context, first, first_bytes);
    stoa_buffer_free(context, NULL, 0);
    stoa_model_free(loaded);
    stoa_model_free(model);
}

static void test_threads_and_order_leave_no_trace(void **state) {
    (void)state;
    unsigned char *data[2] = {NULL, NULL};
    size_t bytes[2] = {0, 0};
    stoa_context *contexts[2];
    for (size_t i = 0; i < 2; i++) {
        const stoa_context_options options = {.threads = 1 + 2 * i};
        assert_int_equal(stoa_context_create(&options, &contexts[i]), STOA_OK);
        stoa_model *model = small_model_in(contexts[i], 9);
        assert_int_equal(stoa_model_set_fact(model, i == 0 ? "a" : "b", i == 0 ? "1" : "2"), STOA_OK);
        assert_int_equal(stoa_model_set_fact(model, i == 0 ? "b" : "a", i == 0 ? "2" : "1"), STOA_OK);
        save_memory(model, &data[i], &bytes[i]);
        stoa_model_free(model);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(data[0], data[1], bytes[0]);
    for (size_t i = 0; i < 2; i++) {
        stoa_buffer_free(contexts[i], data[i], bytes[i]);
        stoa_context_free(contexts[i]);
    }
}

static void test_nonfinite_values_travel(void **state) {
    (void)state;
    stoa_model *model = small_model();
    size_t at = stoa_model_find_tensor(model, "c1.bias");
    const float odd[2] = {NAN, -INFINITY};
    assert_int_equal(stoa_model_set_tensor(model, at, odd, 2), STOA_OK);
    unsigned char *data = NULL;
    size_t bytes = 0;
    save_memory(model, &data, &bytes);
    stoa_model *loaded = NULL;
    assert_int_equal(stoa_model_load_memory(context, data, bytes, &loaded), STOA_OK);
    float found[2] = {0, 0};
    assert_int_equal(stoa_model_get_tensor(loaded, at, found, 2), STOA_OK);
    assert_memory_equal(found, odd, sizeof odd);
    stoa_buffer_free(context, data, bytes);
    stoa_model_free(loaded);
    stoa_model_free(model);
}

static void assert_sentence_begins(const char *path) {
    char begin[600];
    (void)snprintf(begin, sizeof begin, "%s: ", path);
    assert_true(strncmp(stoa_context_error(context), begin, strlen(begin)) == 0);
    assert_null(strstr(stoa_context_error(context) + 1, begin));
}

static void test_files(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    stoa_model *model = small_model();
    stoa_model *loaded = NULL;
    const char *path = scratch_path(&scratch, "model.safetensors");
    assert_int_equal(stoa_model_save(model, path), STOA_OK);
    assert_int_equal(stoa_model_save(model, path), STOA_OK);
    assert_int_equal(scratch_count(&scratch), 1);
    assert_int_equal(stoa_model_load(context, path, &loaded), STOA_OK);
    assert_int_equal(stoa_model_load_tensors(loaded, path), STOA_OK);
    stoa_model_free(loaded);
    loaded = NULL;
    path = scratch_path(&scratch, "missing.safetensors");
    assert_int_equal(stoa_model_load(context, path, &loaded), STOA_ERR_NOT_FOUND);
    assert_sentence_begins(path);
    assert_int_equal(stoa_model_load_tensors(model, path), STOA_ERR_NOT_FOUND);
    assert_int_equal(stoa_model_load(context, scratch.folder, &loaded), STOA_ERR_IO);
    assert_sentence_begins(scratch.folder);
    path = scratch_write(&scratch, "bad.safetensors", "12345678", 8);
    assert_int_equal(stoa_model_load(context, path, &loaded), STOA_ERR_FORMAT);
    assert_sentence_begins(path);
    assert_int_equal(stoa_model_load_tensors(model, path), STOA_ERR_FORMAT);
    assert_sentence_begins(path);
    path = scratch_write(&scratch, "empty.safetensors", "", 0);
    assert_int_equal(stoa_model_load(context, path, &loaded), STOA_ERR_FORMAT);
    assert_sentence_begins(path);
    path = scratch_path(&scratch, "no-such-folder/model.safetensors");
    assert_int_not_equal(stoa_model_save(model, path), STOA_OK);
    assert_sentence_begins(path);
    assert_null(loaded);
    stoa_model_free(model);
    scratch_close(&scratch);
}

/* ---- what a file can have wrong ---- */

static void assert_load_refused(const void *data, size_t bytes, stoa_status status, const char *sentence) {
    stoa_model *loaded = NULL;
    assert_int_equal(stoa_model_load_memory(context, data, bytes, &loaded), status);
    assert_null(loaded);
    if (sentence) {
        assert_string_equal(stoa_context_error(context), sentence);
    }
    assert_sentence_begins("model");
}

static void test_truncated_and_altered(void **state) {
    (void)state;
    stoa_model *model = small_model();
    unsigned char *data = NULL;
    size_t bytes = 0;
    save_memory(model, &data, &bytes);
    uint64_t header;
    memcpy(&header, data, 8);
    for (size_t part = 0; part < bytes; part++) {
        unsigned char *copy = malloc(part ? part : 1);
        assert_non_null(copy);
        memcpy(copy, data, part);
        assert_load_refused(copy, part, STOA_ERR_FORMAT, NULL);
        free(copy);
    }
    /* An altered header may still be a good one (a fact's letter); it must never do harm. */
    size_t refused = 0;
    for (size_t at = 0; at < 8 + header; at++) {
        for (int bit = 0; bit < 8; bit += 3) {
            stoa_model *loaded = NULL;
            data[at] ^= (unsigned char)(1 << bit);
            refused += stoa_model_load_memory(context, data, bytes, &loaded) != STOA_OK;
            data[at] ^= (unsigned char)(1 << bit);
            stoa_model_free(loaded);
        }
    }
    assert_true(refused > header);
    stoa_buffer_free(context, data, bytes);
    stoa_model_free(model);
}

/* A file with this graph and no tensors. */
static void assert_graph_refused(const char *graph, stoa_status status, const char *sentence) {
    struct builder builder = {.used = 0};
    say(&builder, "{\"__metadata__\":{\"stoa\":\"");
    for (const char *at = graph; *at; at++) {
        say(&builder, "%s%c", *at == '"' ? "\\" : "", *at);
    }
    say(&builder, "\"}");
    size_t bytes = 0;
    unsigned char *file = builder_finish(&builder, &bytes);
    assert_load_refused(file, bytes, status, sentence);
    free(file);
}

#define HEAD "{\"format\":1,\"version\":\"0.1.0\","
#define INPUT HEAD "\"input\":[4,4,1],"
#define FACTS ",\"facts\":{}}"

static void test_bad_graph(void **state) {
    (void)state;
    const char *none = "model: its graph has no 'format' and 'version': not a model that Stoa saved";
    assert_graph_refused("", STOA_ERR_FORMAT, NULL);
    assert_graph_refused("{", STOA_ERR_FORMAT, NULL);
    assert_graph_refused("[]", STOA_ERR_FORMAT, none);
    assert_graph_refused("{}", STOA_ERR_FORMAT, none);
    assert_graph_refused("{\"format\":\"1\",\"version\":\"0\"}", STOA_ERR_FORMAT, none);
    assert_graph_refused("{\"format\":0,\"version\":\"0\"}", STOA_ERR_FORMAT, none);
    assert_graph_refused("{\"format\":2,\"version\":\"9.1\"}", STOA_ERR_FORMAT,
                         "model: found model format 2, written by Stoa 9.1, expected at most 1: update Stoa");
    const char *input = "model: its graph has no 'input' of three sizes";
    assert_graph_refused(HEAD "\"layers\":[[\"r\",\"relu\"]]" FACTS, STOA_ERR_FORMAT, input);
    assert_graph_refused(HEAD "\"input\":[4,4],\"layers\":[]" FACTS, STOA_ERR_FORMAT, input);
    assert_graph_refused(HEAD "\"input\":[4,0,4],\"layers\":[]" FACTS, STOA_ERR_FORMAT, input);
    assert_graph_refused(HEAD "\"input\":[4,4,1.5],\"layers\":[]" FACTS, STOA_ERR_FORMAT, input);
    const char *layers = "model: its graph has no list of 'layers'";
    assert_graph_refused(INPUT "\"layers\":[]" FACTS, STOA_ERR_FORMAT, layers);
    assert_graph_refused(INPUT "\"layers\":{}" FACTS, STOA_ERR_FORMAT, layers);
    const char *pair = "model: layer 1 of its graph is not a pair of name and line";
    assert_graph_refused(INPUT "\"layers\":[[\"r\",\"relu\"],[\"s\"]]" FACTS, STOA_ERR_FORMAT, pair);
    assert_graph_refused(INPUT "\"layers\":[[\"r\",\"relu\"],[\"s\",1]]" FACTS, STOA_ERR_FORMAT, pair);
    assert_graph_refused(INPUT "\"layers\":[[\"r\",\"relu\"],\"s\"]" FACTS, STOA_ERR_FORMAT, pair);
    assert_graph_refused(INPUT "\"layers\":[[\"r\",\"relu\"]]}", STOA_ERR_FORMAT,
                         "model: its graph has no 'facts'");
    assert_graph_refused(INPUT "\"layers\":[[\"r\",\"relu\"]],\"facts\":{\"k\":1}}", STOA_ERR_FORMAT,
                         "model: the fact 'k' is not a string");
}

/* Facts are kept in order, one by one: a file with millions of them would be read for hours. */
static void test_many_facts(void **state) {
    (void)state;
    enum { MOST = 1024 };
    stoa_model *model = small_model();
    for (unsigned i = 0; i <= MOST; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%04u", i);
        assert_int_equal(stoa_model_set_fact(model, key, "v"), i < MOST ? STOA_OK : STOA_ERR_ARGUMENT);
    }
    assert_string_equal(stoa_context_error(context), "fact 'k1024': more than 1024 facts");
    assert_int_equal(stoa_model_set_fact(model, "k0000", "w"), STOA_OK);
    assert_int_equal(stoa_model_set_fact(model, "k0001", NULL), STOA_OK);
    assert_int_equal(stoa_model_set_fact(model, "k1024", "v"), STOA_OK);
    stoa_model_free(model);
}

static void test_bad_layers(void **state) {
    (void)state;
    assert_graph_refused(INPUT "\"layers\":[[\"r\",\"rulu\"]]" FACTS, STOA_ERR_FORMAT, NULL);
    assert_graph_refused(INPUT "\"layers\":[[\"r\",\"relu\"],[\"r\",\"relu\"]]" FACTS, STOA_ERR_FORMAT, NULL);
    assert_graph_refused(INPUT "\"layers\":[[\"c\",\"conv2d filters=0 kernel=1\"]]" FACTS, STOA_ERR_FORMAT,
                         NULL);
    assert_graph_refused(INPUT "\"layers\":[[\"c\",\"conv2d filters=2 kernel=5\"]]" FACTS, STOA_ERR_SHAPE,
                         NULL);
    assert_non_null(strstr(stoa_context_error(context), "'c'"));
    assert_graph_refused(INPUT "\"layers\":[[\"l\",\"linear units=2\"]]" FACTS, STOA_ERR_FORMAT, NULL);
}

/* A graph of gigabytes in a file of bytes is refused before memory is asked for. */
static void *small_allocate(void *user, size_t bytes, size_t alignment) {
    (void)user;
    assert_true(bytes < (size_t)1 << 20);
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void small_release(void *user, void *memory, size_t bytes) {
    (void)user;
    (void)bytes;
    free(memory);
}

static void test_huge_graph(void **state) {
    (void)state;
    const stoa_context_options options = {.allocator = {small_allocate, small_release, NULL}};
    stoa_context *before = context;
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    assert_graph_refused(INPUT "\"layers\":[[\"f\",\"flatten\"],[\"l\",\"linear units=60000\"],"
                               "[\"m\",\"linear units=60000\"]]" FACTS,
                         STOA_ERR_FORMAT, NULL);
    stoa_context_free(context);
    context = before;
}

static void test_no_graph(void **state) {
    (void)state;
    struct builder builder;
    build_state(&builder, STATE_TENSORS, "F32");
    size_t bytes = 0;
    unsigned char *file = builder_finish(&builder, &bytes);
    assert_load_refused(
        file, bytes, STOA_ERR_FORMAT,
        "model: its metadata have no entry 'stoa': tensors without a graph, not a model that Stoa "
        "saved");
    free(file);
}

/* ---- tensors alone ---- */

static void test_state_dictionary(void **state) {
    (void)state;
    stoa_model *model = small_model();
    struct builder builder;
    build_state(&builder, STATE_TENSORS, "F32");
    for (int odd = 0; odd < 4; odd++) {
        size_t bytes = 0;
        struct builder padded = builder;
        memset(padded.header + padded.used, ' ', (size_t)odd); /* data at every alignment */
        padded.used += (size_t)odd;
        unsigned char *file = builder_finish(&padded, &bytes);
        assert_int_equal(stoa_model_init(model, 1), STOA_OK);
        assert_int_equal(stoa_model_load_tensors_memory(model, file, bytes), STOA_OK);
        for (size_t t = 0; t < STATE_TENSORS; t++) {
            assert_values(model, state_tensors[t].name, t);
        }
        free(file);
    }
    stoa_model_free(model);
}

/* The builder's file is refused and the model stays as it was. */
static void assert_tensors_refused(struct builder *builder, stoa_status status, const char *sentence) {
    stoa_model *model = small_model();
    unsigned char *before = NULL;
    unsigned char *after = NULL;
    size_t before_bytes = 0;
    size_t after_bytes = 0;
    size_t bytes = 0;
    save_memory(model, &before, &before_bytes);
    unsigned char *file = builder_finish(builder, &bytes);
    assert_int_equal(stoa_model_load_tensors_memory(model, file, bytes), status);
    assert_string_equal(stoa_context_error(context), sentence);
    save_memory(model, &after, &after_bytes);
    assert_int_equal(before_bytes, after_bytes);
    assert_memory_equal(before, after, before_bytes);
    free(file);
    stoa_buffer_free(context, before, before_bytes);
    stoa_buffer_free(context, after, after_bytes);
    stoa_model_free(model);
}

static void test_tensors_refused(void **state) {
    (void)state;
    struct builder builder;
    const float two[2] = {1, 2};
    build_state(&builder, 1, "F32");
    assert_tensors_refused(&builder, STOA_ERR_FORMAT,
                           "model: tensor 'c1.bias' is missing, expected shape (2)");
    build_state(&builder, 1, "F32");
    builder_tensor(&builder, "c1.bias", "F32", "[1,2]", two, sizeof two);
    assert_tensors_refused(&builder, STOA_ERR_SHAPE,
                           "model: tensor 'c1.bias': found shape (1, 2), expected (2)");
    build_state(&builder, 1, "F32");
    builder_tensor(&builder, "c1.bias", "F32", "[2,1]", two, sizeof two);
    assert_tensors_refused(&builder, STOA_ERR_SHAPE,
                           "model: tensor 'c1.bias': found shape (2, 1), expected (2)");
    build_state(&builder, 1, "F32");
    builder_tensor(&builder, "c1.bias", "F32", "[1]", two, sizeof two[0]);
    assert_tensors_refused(&builder, STOA_ERR_SHAPE,
                           "model: tensor 'c1.bias': found shape (1), expected (2)");
    build_state(&builder, STATE_TENSORS, "F32");
    builder_tensor(&builder, "c9.bias", "F32", "[2]", two, sizeof two);
    assert_tensors_refused(&builder, STOA_ERR_FORMAT,
                           "model: found tensor 'c9.bias' of shape (2), expected none of this name");
    build_state(&builder, STATE_TENSORS, "I32");
    assert_tensors_refused(&builder, STOA_ERR_FORMAT,
                           "model: tensor 'b1.running_var': found dtype I32, expected F32");
    build_state(&builder, STATE_TENSORS, "F32");
    builder.data_bytes -= 1;
    assert_tensors_refused(
        &builder, STOA_ERR_FORMAT,
        "model: tensor 'b1.running_var': found data_offsets 472 to 480, expected a part of the "
        "479 data bytes");
}

int main(void) {
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 99;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_threads_and_order_leave_no_trace),
        cmocka_unit_test(test_nonfinite_values_travel),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_truncated_and_altered),
        cmocka_unit_test(test_bad_graph),
        cmocka_unit_test(test_many_facts),
        cmocka_unit_test(test_bad_layers),
        cmocka_unit_test(test_huge_graph),
        cmocka_unit_test(test_no_graph),
        cmocka_unit_test(test_state_dictionary),
        cmocka_unit_test(test_tensors_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoa_context_free(context);
    return failed;
}
