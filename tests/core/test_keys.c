/* SPDX-License-Identifier: MIT */
/* Keys by a table of this test's own: every type read from text, written as text, and checked in a struct. */
#include "core/keys.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct said {
    size_t count, bytes;
    uint64_t seed;
    float share, rate;
    bool flag;
    int word;
    const char *text, *kind, *line;
};

/* What a line is read into. */
struct parsed {
    char first;
};

static const char *const words[] = {"none", "some", "all", NULL};
static const char *const kinds[] = {"up", "down", NULL};

static stoa_status read_line(struct stoa_error *error, const char *text, void *parsed) {
    ((struct parsed *)parsed)->first = text[0];
    return text[0] == 'x' ? stoa_error_set(error, STOA_ERR_ARGUMENT, "line: no x") : STOA_OK;
}

#define KEY(member, type, fallback, lowest, highest, choices, read, always)                                  \
    {                                                                                                        \
        {#member, type, offsetof(struct said, member), fallback, lowest, highest, choices},                  \
            "means " #member, read, always                                                                   \
    }
static const struct stoa_key table[] = {
    KEY(count, STOA_OPTION_SIZE, "3", 2, 9, NULL, NULL, false),
    KEY(bytes, STOA_OPTION_BYTES, "", 0, 0, NULL, NULL, false),
    KEY(seed, STOA_OPTION_SEED, "", 0, 0, NULL, NULL, false),
    KEY(share, STOA_OPTION_FLOAT, "", 0, 0.9, NULL, NULL, false),
    KEY(rate, STOA_OPTION_FLOAT, "0.5", -1, 1, NULL, NULL, true),
    KEY(flag, STOA_OPTION_BOOL, "", 0, 0, NULL, NULL, false),
    KEY(word, STOA_OPTION_WORD, "", 0, 0, words, NULL, false),
    KEY(text, STOA_OPTION_TEXT, "", 0, 5, NULL, NULL, false),
    KEY(kind, STOA_OPTION_TEXT, "", 0, 0, kinds, NULL, false),
    KEY(line, STOA_OPTION_TEXT, "adam", 0, 0, NULL, read_line, false),
};
static const struct stoa_keys keys = {table, sizeof table / sizeof table[0], sizeof(struct parsed)};

static struct stoa_error error;

static stoa_status set(struct said *said, const char *name, const char *text) {
    const struct stoa_key *key = stoa_key_find(&keys, name);
    assert_non_null(key);
    return stoa_key_set(&error, &keys, key, text, said);
}

static const char *text_of(const struct said *said, const char *name, char number[STOA_KEY_TEXT]) {
    return stoa_key_text(stoa_key_find(&keys, name), said, number);
}

static void sets_and_writes(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *written; /* NULL: as the text */
    } cases[] = {
        {"count", "9", NULL},         {"bytes", "64M", "67108864"},
        {"bytes", "262144", NULL},    {"seed", "18446744073709551615", NULL},
        {"share", "0.1", NULL},       {"share", "1e-30", NULL},
        {"rate", "-1", NULL},         {"flag", "true", NULL},
        {"word", "all", NULL},        {"text", "a b c", NULL},
        {"kind", "down", NULL},       {"line", "sgd momentum=0.9", NULL},
        {"share", "0.8999999", NULL}, {"rate", "0.123456791", "0.12345679"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct said said = {.count = 0};
        char number[STOA_KEY_TEXT];
        assert_int_equal(set(&said, cases[i].name, cases[i].text), STOA_OK);
        assert_string_equal(text_of(&said, cases[i].name, number),
                            cases[i].written ? cases[i].written : cases[i].text);
    }
    assert_null(stoa_key_find(&keys, "counts"));
    /* Zeros are not said, but where they always are. */
    const struct said zero = {.count = 0};
    for (size_t i = 0; i < keys.count; i++) {
        char number[STOA_KEY_TEXT];
        const char *text = stoa_key_text(&table[i], &zero, number);
        if (table[i].always) {
            assert_string_equal(text, "0");
        } else {
            assert_null(text);
        }
    }
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *sentence;
    } cases[] = {
        {"count", "1", "count: found '1', expected a number from 2 to 9"},
        {"count", "2.5", "count: found '2.5', expected a number from 2 to 9"},
        {"bytes", "255K", "bytes: found '255K', expected a number of bytes from 256K, such as 64M"},
        {"bytes", "K", "bytes: found 'K', expected a number of bytes from 256K, such as 64M"},
        {"seed", "-1", "seed: found '-1', expected a whole number from 0"},
        {"share", "0.91", "share: found '0.91', expected a number from 0 to 0.9"},
        {"share", "nan", "share: found 'nan', expected a number from 0 to 0.9"},
        {"flag", "1", "flag: found '1', expected true or false"},
        {"word", "many", "word: found 'many', expected none or some or all"},
        {"text", "sixsix", "text: found 6 bytes of text, expected at most 5"},
        {"kind", "left", "kind: found 'left', expected up or down"},
        {"line", "x", "line: no x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct said said, before;
        memset(&said, 0x11, sizeof said);
        before = said;
        assert_int_equal(set(&said, cases[i].name, cases[i].text), STOA_ERR_ARGUMENT);
        assert_string_equal(error.text, cases[i].sentence);
        assert_memory_equal(&said, &before, sizeof said);
    }
}

static void completes(void **state) {
    (void)state;
    struct parsed parsed = {0};
    struct said said = {.share = 0.9F, .rate = FLT_MIN, .seed = 7, .word = 2};
    assert_int_equal(stoa_keys_complete(&error, &keys, &said, &parsed), STOA_OK);
    assert_true(said.count == 3 && said.bytes == 0 && said.seed == 7 && said.share == 0.9F);
    assert_true(said.rate == FLT_MIN && !said.flag && said.word == 2);
    assert_string_equal(said.line, "adam");
    assert_true(parsed.first == 'a' && !said.text && !said.kind);
    stoa_keys_forget_texts(&keys, &said);
    assert_true(!said.line && said.count == 3);
    static const struct {
        struct said said;
        const char *sentence;
    } cases[] = {
        {{.count = 10}, "count: found '10', expected a number from 2 to 9"},
        {{.share = -1}, "share: found '-1', expected a number from 0 to 0.9"},
        {{.share = NAN}, "share: found "},
        {{.rate = INFINITY}, "rate: found 'inf', expected a number from -1 to 1"},
        {{.word = 3}, "word: found '3', expected none or some or all"},
        {{.word = -1}, "word: found '-1', expected none or some or all"},
        {{.kind = "left"}, "kind: found 'left', expected up or down"},
        {{.line = "x"}, "line: no x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        said = cases[i].said;
        assert_int_equal(stoa_keys_complete(&error, &keys, &said, &parsed), STOA_ERR_ARGUMENT);
        assert_memory_equal(error.text, cases[i].sentence, strlen(cases[i].sentence));
    }
}

static void tells_defaults(void **state) {
    (void)state;
    static const char *const defaults[] = {"3", "", "0", "0", "0.5", "false", "none", "", "", "adam"};
    struct said said = {.count = 0};
    char expected[64];
    for (size_t i = 0; i < keys.count; i++) {
        assert_string_equal(stoa_key_default(&table[i]), defaults[i]);
    }
    stoa_keys_begin(&keys, &said);
    assert_true(said.rate == 0.5F && said.count == 0 && !said.line);
    stoa_key_expected(&table[7], expected, sizeof expected);
    assert_string_equal(expected, "at most 5 bytes of text");
    stoa_key_expected(&table[6], expected, sizeof expected);
    assert_string_equal(expected, "none or some or all");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_and_writes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(completes),
        cmocka_unit_test(tells_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
