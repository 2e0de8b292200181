/* SPDX-License-Identifier: MIT */
/* Model files: saved and loaded to the same bytes, and everything a file can have wrong. */
#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "tests/base/scratch.h"
#include "tests/model/builder.h"

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

/* A model that was not loaded has no origin; a loaded one has its file's, in the file's words. */
static void test_origin(void **state) {
    (void)state;
    stoa_model *model = small_model();
    stoa_model *loaded = NULL;
    unsigned char *data = NULL;
    size_t bytes = 0;
    const char *key = NULL;
    const char *value = NULL;
    assert_false(stoa_model_origin_at(model, 0, &key, &value));
    assert_null(key);
    save_memory(model, &data, &bytes);
    assert_int_equal(stoa_model_load_memory(context, data, bytes, &loaded), STOA_OK);
    static const char *const keys[] = {"version",   "isa",    "blas",  "blas_version",
                                       "blas_core", "policy", "tuning"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_true(stoa_model_origin_at(loaded, i, &key, &value));
        assert_string_equal(key, keys[i]);
    }
    char tuning[80];
    (void)snprintf(tuning, sizeof tuning, "%s %s", stoa_context_tuning(context),
                   stoa_context_tuning_sum(context));
    assert_string_equal(value, tuning);
    assert_false(stoa_model_origin_at(loaded, sizeof keys / sizeof *keys, &key, &value));
    assert_true(stoa_model_origin_at(loaded, 1, &key, &value));
    assert_string_equal(value, stoa_isa_name(stoa_context_isa(context)));
    stoa_model_free(loaded);
    /* What another policy wrote is told as it wrote it, whatever this context's is. */
    for (size_t i = 0; i + 7 <= bytes; i++) {
        if (memcmp(data + i, "default", 7) == 0) {
            memcpy(data + i, "of-old!", 7);
        }
    }
    assert_int_equal(stoa_model_load_memory(context, data, bytes, &loaded), STOA_OK);
    assert_true(stoa_model_origin_at(loaded, 5, &key, &value));
    assert_string_equal(value, "of-old!");
    stoa_model_free(loaded);
    stoa_buffer_free(context, data, bytes);
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

static void test_facts_are_text(void **state) {
    (void)state;
    static const char *const facts[][2] = {{"key", "caf\xE9"}, {"caf\xE9", "value"}};
    for (size_t i = 0; i < 2; i++) {
        stoa_model *model = small_model();
        void *data = NULL;
        size_t bytes = 0;
        assert_int_equal(stoa_model_set_fact(model, facts[i][0], facts[i][1]), STOA_OK);
        assert_int_equal(stoa_model_save_memory(model, &data, &bytes), STOA_ERR_ARGUMENT);
        assert_non_null(strstr(stoa_context_error(context), "is not UTF-8 text"));
        assert_null(data);
        stoa_model_free(model);
    }
}

/* jansson's memory, of which the allocation number `fails` is refused; 2.14 writes on without a key then. */
static struct { size_t made, fails; } refusal;

static void *refuse_one(size_t bytes) {
    if (++refusal.made == refusal.fails) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(bytes);
}

/* Save the model into *data, or load the file into it, with one allocation of jansson's refused. */
static stoa_status save_or_load(stoa_model *model, bool load, const unsigned char *whole, size_t whole_bytes,
                                void **data, size_t *bytes) {
    stoa_model *loaded = NULL;
    refusal.made = 0;
    json_set_alloc_funcs(refuse_one, free);
    stoa_status status = load ? stoa_model_load_memory(context, whole, whole_bytes, &loaded)
                              : stoa_model_save_memory(model, data, bytes);
    json_set_alloc_funcs(malloc, free);
    if (loaded) {
        assert_int_equal(stoa_model_save_memory(loaded, data, bytes), STOA_OK);
    }
    stoa_model_free(loaded);
    return status;
}

static void test_nothing_is_lost_without_memory(void **state) {
    (void)state;
    stoa_model *model = small_model();
    unsigned char *whole = NULL;
    size_t whole_bytes = 0;
    assert_int_equal(stoa_model_set_fact(model, "a key of more letters than fit", "v"), STOA_OK);
    save_memory(model, &whole, &whole_bytes);
    for (int load = 0; load < 2; load++) {
        size_t refused = 0;
        refusal.made = 1;
        for (refusal.fails = 1; refusal.made + 1 >= refusal.fails; refusal.fails++) {
            void *data = NULL;
            size_t bytes = 0;
            stoa_status found = save_or_load(model, load, whole, whole_bytes, &data, &bytes);
            assert_int_equal(found, data ? STOA_OK : STOA_ERR_MEMORY);
            if (data) {
                assert_int_equal(bytes, whole_bytes);
                assert_memory_equal(data, whole, whole_bytes);
            }
            refused += !data;
            stoa_buffer_free(context, data, bytes);
        }
        assert_true(refused > 50);
    }
    stoa_buffer_free(context, whole, whole_bytes);
    stoa_model_free(model);
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
    uint64_t header = stoa_load_le64(data);
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
    assert_graph_refused("{\"format\":3,\"version\":\"9.1\"}", STOA_ERR_FORMAT,
                         "model: found model format 3, written by Stoa 9.1, expected at most 2: update Stoa");
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

int main(void) {
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 99;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_threads_and_order_leave_no_trace),
        cmocka_unit_test(test_nonfinite_values_travel),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_facts_are_text),
        cmocka_unit_test(test_nothing_is_lost_without_memory),
        cmocka_unit_test(test_truncated_and_altered),
        cmocka_unit_test(test_bad_graph),
        cmocka_unit_test(test_many_facts),
        cmocka_unit_test(test_bad_layers),
        cmocka_unit_test(test_huge_graph),
        cmocka_unit_test(test_no_graph),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoa_context_free(context);
    return failed;
}
