/* SPDX-License-Identifier: MIT */
/* Which name a word is likely meant to be, and the sentence that says so. */
#include "base/nearest.h"

#include <string.h>

#include "cmocka_prelude.h"

static const char *const names[] = {"conv2d", "linear", "relu",           "batchnorm",
                                    "pad",    "lr",     "xavier_uniform", NULL};
enum { NAMES = sizeof names / sizeof names[0] - 1 };

static void distances(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        size_t edits;
    } cases[] = {{"", "", 0},
                 {"", "abc", 3},
                 {"relu", "relu", 0},
                 {"ReLU", "relu", 0},
                 {"rely", "relu", 1},
                 {"erlu", "relu", 1},
                 {"relu6", "relu", 1},
                 {"elu", "relu", 1},
                 {"max-pool", "max_pool", 0},
                 {"kitten", "sitting", 3},
                 {"abcd", "badc", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(stoa_distance(cases[i].a, cases[i].b), cases[i].edits);
        assert_int_equal(stoa_distance(cases[i].b, cases[i].a), cases[i].edits);
    }
    char word[200];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_true(stoa_distance(word, "a") == 64);
}

static void nearest(void **state) {
    (void)state;
    static const struct {
        const char *word, *name;
    } cases[] = {{"conv", "conv2d"},
                 {"conv2D", "conv2d"},
                 {"convd", "conv2d"},
                 {"Linear", "linear"},
                 {"dense", "linear"},
                 {"padding", "pad"},
                 {"BatchNorm2d", "batchnorm"},
                 {"learning-rate", "lr"},
                 {"xavier", "xavier_uniform"},
                 {"rleu", "relu"},
                 {"attention", NULL},
                 {"x", NULL},
                 {"", NULL},
                 {"lstm", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = stoa_nearest(cases[i].word, names, NAMES);
        if (cases[i].name ? !found || strcmp(found, cases[i].name) != 0 : found != NULL) {
            fail_msg("'%s': found '%s', expected '%s'", cases[i].word, found ? found : "none",
                     cases[i].name ? cases[i].name : "none");
        }
    }
    assert_null(stoa_nearest("relu", names, 0));
}

static void sentences(void **state) {
    (void)state;
    static const char *const none[] = {NULL};
    struct stoa_error error;
    const struct stoa_words all = stoa_words_of(names), empty = stoa_words_of(none);
    assert_int_equal(stoa_error_unknown(&error, "operator", "rely", " here", &all), STOA_ERR_ARGUMENT);
    assert_string_equal(error.text,
                        "unknown operator 'rely' here, did you mean 'relu'? Expected conv2d, linear, "
                        "relu, batchnorm, pad, lr, xavier_uniform");
    (void)stoa_error_unknown(&error, "option", "zzzzzz", "", &all);
    assert_string_equal(error.text,
                        "unknown option 'zzzzzz', expected conv2d, linear, relu, batchnorm, pad, lr, "
                        "xavier_uniform");
    (void)stoa_error_unknown(&error, "option", "a", "", &empty);
    assert_string_equal(error.text, "unknown option 'a', expected no options");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(nearest),
        cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
