/* SPDX-License-Identifier: MIT */
/* Bounded JSON: limits met exactly and by one more, members read one after the other; and that hostile model
 * files take no more memory than a few times their size, no time to speak of, and no more than a small
 * thread's stack. */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model/json.h"
#include "model/json_write.h"
#include "tests/model/builder.h"

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static stoa_status parse(const char *text, size_t depth, size_t parts, char *sentence) {
    const struct stoa_json_limits limits = {"the text", depth, parts};
    struct stoa_error error = {STOA_OK, ""};
    json_t *value = NULL;
    stoa_status status = stoa_json_parse(&error, &limits, text, strlen(text), &value);
    assert_true((status == STOA_OK) == (value != NULL));
    json_decref(value);
    (void)snprintf(sentence, 512, "%s", error.text);
    return status;
}

static void test_limits(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t depth, parts;
    } cases[] = {
        {"1", 0, 1},
        {"\"a[{\\\"]\"", 0, 1},
        {" [ ] ", 1, 1},
        {"[1,2.5,null,\"x\"]", 1, 5},
        {"{\"a\":[{}],\"b\":{\"c\":[]}}", 3, 8},
        {"[[],[],[[[]]]]", 4, 6},
    };
    char sentence[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(cases[i].text, cases[i].depth, cases[i].parts, sentence), STOA_OK);
        assert_int_equal(parse(cases[i].text, cases[i].depth, cases[i].parts - 1, sentence), STOA_ERR_FORMAT);
        if (cases[i].depth > 0) {
            assert_int_equal(parse(cases[i].text, cases[i].depth - 1, cases[i].parts, sentence),
                             STOA_ERR_FORMAT);
        }
    }
    assert_int_equal(parse("[[1]]", 1, 9, sentence), STOA_ERR_FORMAT);
    assert_string_equal(sentence, "the text: found brackets nested deeper than 1");
    assert_int_equal(parse("[1,2]", 1, 2, sentence), STOA_ERR_FORMAT);
    assert_string_equal(sentence, "the text: found more than 2 keys and values");
}

static void test_not_json(void **state) {
    (void)state;
    static const char *const texts[] = {"",         " ",
                                        "[",        "]",
                                        "[1",       "[1}",
                                        "{\"a\"}",  "\"a",
                                        "\"a\\",    "1 2",
                                        "[1] 2",    "{} {}",
                                        "tru",      "[1,,2]",
                                        ",",        ":",
                                        "[1 2]",    "{1:2}",
                                        "nan",      "\"\\q\"",
                                        "\"\xFF\"", "{\"a\":1,\"a\":2}"};
    char sentence[512];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(parse(texts[i], 9, 99, sentence), STOA_ERR_FORMAT);
        assert_true(strncmp(sentence, "the text is not valid JSON at byte ", 35) == 0);
    }
}

/* The same verdict and the same value as jansson's own reader. */
static void compare(const char *text, size_t bytes, size_t *good) {
    static const struct stoa_json_limits limits = {"it", 2000, 100000};
    struct stoa_error error;
    json_t *ours = NULL;
    json_t *theirs = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    stoa_status status = stoa_json_parse(&error, &limits, text, bytes, &ours);
    if ((status == STOA_OK) != (theirs != NULL) || (ours && !json_equal(ours, theirs))) {
        fail_msg("%.*s: found status %d", (int)bytes, text, (int)status);
    }
    *good += status == STOA_OK;
    json_decref(ours);
    json_decref(theirs);
}

static void test_like_jansson(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"a\": [1, -2.5e-3, true, false, null, \"x\\u00e9\\ud83d\\ude00\\n\\t\\\\\\/\"]}",
        "{\"b\": 1, \"\\u0416\": {\"\\\"\": []}}",
        "[0, -0, 0.0, -0.0, 1E5, 1e+5, 1e-5, 123456789012345678, 9223372036854775807, -9223372036854775808]",
        "[[[[{\"deep\":[{}]}]]]]",
        "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \x7F\"",
        "[\"\\ud800\"]",
        "[\"\\udc00\\ud800\"]",
        "[\"\\u0000\"]",
        "{\"\\u0000\":1}",
        "[01]",
        "[-]",
        "[.5]",
        "[5.]",
        "[1e]",
        "[+1]",
        "[9223372036854775808]",
        "[-9223372036854775809]",
        "[1e999]",
        "[\"\t\"]",
        "[\"\xED\xA0\x80\"]",
        "[\"\xC0\x80\"]",
        "[nul]",
        "[true false]",
        "{\"a\":1,}",
        "[1,]",
    };
    size_t good = 0, tried = 0;
    uint32_t random = 12345;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        compare(texts[i], strlen(texts[i]), &good);
        for (size_t round = 0; round < 4000; round++, tried++) {
            char text[256];
            size_t bytes = strlen(texts[i]);
            memcpy(text, texts[i], bytes);
            for (size_t change = 0; change < 1 + round % 2; change++) {
                static const char letters[] = "\"\\{}[],:019-+.eEutnfl \t\x01\x80\xC3\xE9/aD";
                random = random * 1664525 + 1013904223;
                text[(random >> 8) % bytes] = letters[(random >> 20) % (sizeof letters - 1)];
            }
            compare(text, bytes - (round % 5 == 0), &good);
        }
    }
    assert_true(good > 1000 && good < tried / 2);
}

static void test_members(void **state) {
    (void)state;
    static const char text[] = " { \"a\" : [1, 2] ,\"\\u0062\":{\"x\":\"}\"}, \"\":0 } ";
    static const struct stoa_json_limits limits = {"a value", 1, 3};
    static const char *const keys[] = {"a", "b", ""};
    static const char *const values[] = {"[1,2]", "{\"x\":\"}\"}", NULL};
    struct stoa_json_object object = {.what = "it", .text = text, .bytes = sizeof text - 1};
    struct stoa_error error;
    json_t *key = NULL, *value = NULL;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stoa_json_key(&error, &object, &key), STOA_OK);
        assert_string_equal(json_string_value(key), keys[i]);
        assert_int_equal(stoa_json_value(&error, &object, &limits, &value), STOA_OK);
        char *again = values[i] ? stoa_json_print(value) : NULL;
        assert_true(values[i] ? strcmp(again, values[i]) == 0 : json_integer_value(value) == 0);
        free(again);
        json_decref(key);
        json_decref(value);
    }
    assert_int_equal(stoa_json_key(&error, &object, &key), STOA_OK);
    assert_null(key);
}

/* ---- files that ask for more than they are worth ---- */

struct text {
    char *data; /* room for the header's length, then the header */
    size_t used, room;
};

static void append(struct text *text, const char *more, size_t bytes) {
    if (text->used + bytes > text->room) {
        text->room = 2 * (text->used + bytes);
        text->data = realloc(text->data, text->room);
        assert_non_null(text->data);
    }
    memcpy(text->data + text->used, more, bytes);
    text->used += bytes;
}

static void append_text(struct text *text, const char *more) {
    append(text, more, strlen(more));
}

static void many(struct text *text, const char *begin, const char *each, size_t count, const char *end) {
    append(text, "\0\0\0\0\0\0\0\0", 8);
    append_text(text, begin);
    for (size_t i = 0; i < count; i++) {
        char part[128];
        (void)snprintf(part, sizeof part, each, i);
        append_text(text, part);
    }
    append_text(text, end);
    stoa_store_le64(text->data, text->used - 8);
}

#define GRAPH                                                                                                \
    "{\"__metadata__\":{\"stoa\":\"{\\\"format\\\":1,\\\"version\\\":\\\"0\\\",\\\"input\\\":[4,4,1],"

static const struct {
    const char *begin, *each, *end;
    size_t count;
} hostile[] = {
    {"{\"x\":{}", ",\"k%zu\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}", "}", 50000},
    {"{\"__metadata__\":{}", ",\"k%zu\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}", "}",
     100000},
    {"{\"__metadata__\":{}",
     ",\"k%zu\":{\"dtype\":\"F32\",\"shape\":[0,1,2,3,4,5,6,7],\"data_offsets\":[0,0]}", "}", 50000},
    {"{\"x\":[{}", ",{}", "]}", 1000000},
    {"{\"x\":{\"dtype\":{}", ",\"%zu\":{}", "}}", 500000},
    {"{\"x\":", "[", "", 3000000},
    {"{\"__metadata__\":{\"a\":\"\"", ",\"%zu\":\"\"", "}}", 400000},
    {GRAPH "\\\"layers\\\":[[\\\"r\\\",\\\"relu\\\"]", ",[\\\"r%zu\\\",\\\"relu\\\"]",
     "],\\\"facts\\\":{}}\"}}", 300000},
    {GRAPH "\\\"facts\\\":{\\\"r\\\":\\\"\\\"", ",\\\"r%zu\\\":\\\"\\\"", "}}\"}}", 300000},
    {GRAPH "\\\"layers\\\":[", "{},", "{}]}\"}}", 500000},
    {GRAPH "\\\"layers\\\":", "[", "\"}}", 3000000},
};

static double seconds(void) {
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* In a process of its own, whose highest mark nobody else has raised: 0 when the file is refused in
 * proportion. */
static int refuse_in_child(const struct text *text) {
    struct rusage before, after;
    stoa_model *model = small_model(), *loaded = NULL;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    double begin = seconds();
    bool refused = stoa_model_load_memory(context, text->data, text->used, &loaded) == STOA_ERR_FORMAT &&
                   stoa_model_load_tensors_memory(model, text->data, text->used) == STOA_ERR_FORMAT;
    double taken = seconds() - begin;
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    double grown = 1024.0 * (double)(after.ru_maxrss - before.ru_maxrss) / (double)text->used;
    bool small = SANITIZED || (grown < 4 && taken < 10);
    if (!refused || !small) {
        (void)fprintf(stderr, "refused %d, %.1f times the size of %zu bytes, %.1f s: %s\n", refused, grown,
                      text->used, taken, stoa_context_error(context));
    }
    stoa_model_free(model);
    return refused && small ? 0 : 1;
}

static void test_memory_in_proportion(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct text text = {NULL, 0, 0};
        many(&text, hostile[i].begin, hostile[i].each, hostile[i].count, hostile[i].end);
        (void)fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            _exit(refuse_in_child(&text));
        }
        int status = 1;
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        assert_int_equal(status, 0);
        free(text.data);
    }
}

/* Threads of musl, Go and fibres have little stack: every file above and a good model are read on 64 KiB. */
static void *read_files(void *argument) {
    const struct text *good = argument;
    stoa_model *loaded = NULL;
    bool well = stoa_model_load_memory(context, good->data, good->used, &loaded) == STOA_OK;
    stoa_model_free(loaded);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct text text = {NULL, 0, 0};
        many(&text, hostile[i].begin, hostile[i].each, 3000, hostile[i].end);
        if (stoa_model_load_memory(context, text.data, text.used, &loaded) == STOA_OK) {
            stoa_model_free(loaded); /* 3000 layers are not too many */
        }
        free(text.data);
    }
    return well ? argument : NULL;
}

static void *return_at_once(void *argument) {
    return argument;
}

/* Run in a thread of so much stack; false when there can be no such thread. */
static bool run_with_stack(size_t bytes, void *(*work)(void *argument), void *argument, void **result) {
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    bool made = pthread_attr_setstacksize(&attributes, bytes) == 0 &&
                pthread_create(&thread, &attributes, work, argument) == 0;
    if (made) {
        assert_int_equal(pthread_join(thread, result), 0);
    }
    assert_int_equal(pthread_attr_destroy(&attributes), 0);
    return made;
}

/* The C library takes thread-local data of all libraries, 60 KiB of OpenBLAS's, from a thread's stack. */
static size_t least_stack(void) {
    size_t bytes = 16 << 10;
    void *result = NULL;
    while (!run_with_stack(bytes, return_at_once, NULL, &result)) {
        bytes += 4 << 10;
    }
    return bytes;
}

static void test_small_stack(void **state) {
    (void)state;
    stoa_model *model = small_model();
    unsigned char *data = NULL;
    struct text good = {NULL, 0, 0};
    save_memory(model, &data, &good.used);
    good.data = (char *)data;
    void *result = NULL;
    assert_true(run_with_stack(least_stack() + (SANITIZED ? 1 << 20 : 64 << 10), read_files, &good, &result));
    assert_non_null(result);
    stoa_buffer_free(context, data, good.used);
    stoa_model_free(model);
}

int main(void) {
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 99;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_like_jansson),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_memory_in_proportion),
        cmocka_unit_test(test_small_stack),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoa_context_free(context);
    return failed;
}
