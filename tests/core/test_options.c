/* SPDX-License-Identifier: MIT */
/* Option lines: taking them apart, filling structs by table, and the sentences of what is refused. */
#include "core/options.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct conv {
    size_t filters;
    struct stoa_pair kernel;
    struct stoa_padding pad;
    float epsilon;
    bool bias;
    size_t init;
    struct stoa_list weights;
};

static const char *const inits[] = {"he", "xavier", NULL};
static const struct stoa_option table[] = {
    {"filters", STOA_OPTION_SIZE, offsetof(struct conv, filters), NULL, 1, 65535, NULL},
    {"kernel", STOA_OPTION_PAIR, offsetof(struct conv, kernel), NULL, 1, 65535, NULL},
    {"pad", STOA_OPTION_PADDING, offsetof(struct conv, pad), "0", 0, 100, NULL},
    {"epsilon", STOA_OPTION_FLOAT, offsetof(struct conv, epsilon), "1e-5", 0, 0.5, NULL},
    {"bias", STOA_OPTION_BOOL, offsetof(struct conv, bias), "true", 0, 0, NULL},
    {"init", STOA_OPTION_CHOICE, offsetof(struct conv, init), "he", 0, 0, inits},
    {"weights", STOA_OPTION_LIST, offsetof(struct conv, weights), "", 0, 50, NULL},
};
enum { OPTIONS = sizeof table / sizeof table[0] };

static stoa_status read_line(const char *line, struct conv *conv, struct stoa_error *error) {
    struct stoa_spec spec;
    stoa_status status = stoa_spec_parse(error, line, &spec);
    return status == STOA_OK ? stoa_options_read(error, table, OPTIONS, &spec, conv) : status;
}

static void assert_refused(const char *line, const char *sentence) {
    struct conv conv = {.filters = 0};
    struct stoa_error error = {STOA_OK, ""};
    assert_int_equal(read_line(line, &conv, &error), STOA_ERR_ARGUMENT);
    assert_int_equal(error.status, STOA_ERR_ARGUMENT);
    assert_string_equal(error.text, sentence);
}

static void test_lists(void **state) {
    (void)state;
    struct conv conv = {.filters = 0};
    struct stoa_error error = {STOA_OK, ""};
    assert_int_equal(read_line("c filters=6 kernel=5", &conv, &error), STOA_OK);
    assert_int_equal(conv.weights.count, 0);
    assert_int_equal(read_line("c filters=6 kernel=5 weights=0.5,2,1e1", &conv, &error), STOA_OK);
    assert_int_equal(conv.weights.count, 3);
    assert_true(conv.weights.value[0] == 0.5F && conv.weights.value[1] == 2 && conv.weights.value[2] == 10);
    static const char *const wrong[] = {"1,", ",1", "1,,2", "1,-1", "1,51", "1,nan", "one", "1;2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char line[64];
        char sentence[256];
        (void)snprintf(line, sizeof line, "c filters=6 kernel=5 weights=%s", wrong[i]);
        (void)snprintf(
            sentence, sizeof sentence,
            "option 'weights': found '%s', expected up to 128 numbers from 0 to 5e+01 with commas between",
            wrong[i]);
        assert_refused(line, sentence);
    }
    char most[400] = "c filters=6 kernel=5 weights=1";
    for (size_t i = 1; i < STOA_LIST_MOST; i++) {
        strcat(most, ",1");
    }
    assert_int_equal(read_line(most, &conv, &error), STOA_OK);
    assert_int_equal(conv.weights.count, STOA_LIST_MOST);
    strcat(most, ",1");
    assert_int_equal(read_line(most, &conv, &error), STOA_ERR_ARGUMENT);
}

static void test_parse(void **state) {
    (void)state;
    struct stoa_spec spec;
    struct stoa_error error;
    assert_int_equal(stoa_spec_parse(&error, "  add \t from=a,b  scale=2\r\n", &spec), STOA_OK);
    assert_string_equal(spec.name, "add");
    assert_int_equal(spec.pairs, 2);
    assert_string_equal(spec.pair[0].key, "from");
    assert_string_equal(spec.pair[0].value, "a,b");
    assert_false(spec.pair[1].used);
    assert_string_equal(stoa_spec_take(&spec, "scale"), "2");
    assert_true(spec.pair[1].used);
    assert_null(stoa_spec_take(&spec, "offset"));
}

static void test_parse_limits(void **state) {
    (void)state;
    struct stoa_spec spec;
    struct stoa_error error;
    char line[STOA_SPEC_MAX_TEXT + 1];
    memset(line, 'a', sizeof line);
    line[STOA_SPEC_MAX_TEXT - 1] = '\0';
    assert_int_equal(stoa_spec_parse(&error, line, &spec), STOA_OK);
    memset(line, 'a', sizeof line);
    line[STOA_SPEC_MAX_TEXT] = '\0';
    assert_int_equal(stoa_spec_parse(&error, line, &spec), STOA_ERR_ARGUMENT);
    assert_string_equal(error.text, "the line is 512 bytes long, at most 511 are allowed");

    size_t used = (size_t)snprintf(line, sizeof line, "op");
    for (int i = 0; i < STOA_SPEC_MAX_PAIRS; i++) {
        used += (size_t)snprintf(line + used, sizeof line - used, " k%d=1", i);
    }
    assert_int_equal(stoa_spec_parse(&error, line, &spec), STOA_OK);
    (void)snprintf(line + used, sizeof line - used, " more=1");
    assert_int_equal(stoa_spec_parse(&error, line, &spec), STOA_ERR_ARGUMENT);
    assert_string_equal(error.text, "found more than 32 options");
}

static void test_defaults(void **state) {
    (void)state;
    struct conv conv = {.filters = 0};
    struct stoa_error error;
    assert_int_equal(read_line("conv2d filters=6 kernel=5", &conv, &error), STOA_OK);
    assert_int_equal(conv.filters, 6);
    assert_int_equal(conv.kernel.height, 5);
    assert_int_equal(conv.kernel.width, 5);
    assert_int_equal(conv.pad.kind, STOA_PAD_GIVEN);
    assert_int_equal(conv.pad.top, 0);
    assert_true(conv.epsilon == 1e-5F);
    assert_true(conv.bias);
    assert_int_equal(conv.init, 0);
}

static void assert_padding(const struct stoa_padding *pad, size_t top, size_t left, size_t bottom,
                           size_t right) {
    assert_int_equal(pad->kind, STOA_PAD_GIVEN);
    assert_int_equal(pad->top, top);
    assert_int_equal(pad->left, left);
    assert_int_equal(pad->bottom, bottom);
    assert_int_equal(pad->right, right);
}

static void test_values(void **state) {
    (void)state;
    struct conv conv = {.filters = 0};
    struct stoa_error error;
    const char *line = "conv2d filters=65535 kernel=5x3 pad=same epsilon=0.25 bias=false init=xavier";
    assert_int_equal(read_line(line, &conv, &error), STOA_OK);
    assert_int_equal(conv.filters, 65535);
    assert_int_equal(conv.kernel.height, 5);
    assert_int_equal(conv.kernel.width, 3);
    assert_int_equal(conv.pad.kind, STOA_PAD_SAME);
    assert_int_equal(conv.pad.top, 0);
    assert_int_equal(conv.pad.right, 0);
    assert_true(conv.epsilon == 0.25F);
    assert_false(conv.bias);
    assert_int_equal(conv.init, 1);
    assert_int_equal(read_line("conv2d filters=1 kernel=1 pad=1x2", &conv, &error), STOA_OK);
    assert_padding(&conv.pad, 1, 2, 1, 2);
    assert_int_equal(read_line("conv2d filters=1 kernel=1 pad=7", &conv, &error), STOA_OK);
    assert_padding(&conv.pad, 7, 7, 7, 7);
    assert_int_equal(read_line("conv2d filters=1 kernel=1 pad=3,0,100,12", &conv, &error), STOA_OK);
    assert_padding(&conv.pad, 3, 0, 100, 12);
    assert_int_equal(read_line("conv2d filters=1 kernel=1 pad=same_lower", &conv, &error), STOA_OK);
    assert_int_equal(conv.pad.kind, STOA_PAD_SAME_LOWER);
    assert_int_equal(conv.pad.bottom, 0);
}

static void test_refused_lines(void **state) {
    (void)state;
    assert_refused("", "found nothing, expected a name and its options");
    assert_refused(" \t", "found nothing, expected a name and its options");
    assert_refused("filters=6", "found 'filters=6', expected a name before the options");
    assert_refused("conv2d filters", "found 'filters', expected OPTION=VALUE, such as units=10");
    assert_refused("conv2d filters=", "found 'filters=', expected OPTION=VALUE, such as units=10");
    assert_refused("conv2d =6", "found '=6', expected OPTION=VALUE, such as units=10");
    assert_refused("conv2d filters = 6", "found 'filters', expected OPTION=VALUE, such as units=10");
    assert_refused("conv2d filters=6 filters=6", "option 'filters' is given twice");
}

static void test_refused_values(void **state) {
    (void)state;
    const char *size = "option 'filters': found '%s', expected a number from 1 to 65535";
    const char *bad_sizes[] = {"0",  "65536", "-1", "+1", "6.0", "6x6", "1e3", "99999999999999999999999",
                               "six"};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof bad_sizes[0]; i++) {
        char line[100];
        char sentence[200];
        (void)snprintf(line, sizeof line, "conv2d kernel=5 filters=%s", bad_sizes[i]);
        (void)snprintf(sentence, sizeof sentence, size, bad_sizes[i]);
        assert_refused(line, sentence);
    }
    assert_refused("conv2d kernel=5", "option 'filters' is missing, expected a number from 1 to 65535");
    assert_refused("conv2d filters=6 kernel=0",
                   "option 'kernel': found '0', expected HxW or a number from 1 to 65535");
    assert_refused("conv2d filters=6 kernel=5x",
                   "option 'kernel': found '5x', expected HxW or a number from 1 to 65535");
    assert_refused("conv2d filters=6 kernel=5x3x1",
                   "option 'kernel': found '5x3x1', expected HxW or a number from 1 to 65535");
    assert_refused("conv2d filters=6 kernel=5 pad=Same",
                   "option 'pad': found 'Same', did you mean 'same'? Expected same, same_lower, HxW, "
                   "TOP,LEFT,BOTTOM,RIGHT or a number from 0 to 100");
    const char *bad_pads[] = {"1,2",       "1,2,3",    "1,2,3,4,5", "1,2,3,101",  ",2,3,4",  "1,2,3,",
                              "1x2,3,4,5", "-1,0,0,0", "1 ,0,0,0",  "same,0,0,0", "1,2,3,4,"};
    for (size_t i = 0; i < sizeof bad_pads / sizeof bad_pads[0]; i++) {
        struct conv conv = {.filters = 0};
        struct stoa_error error;
        char line[100];
        (void)snprintf(line, sizeof line, "conv2d filters=6 kernel=5 pad=%s", bad_pads[i]);
        assert_int_equal(read_line(line, &conv, &error), STOA_ERR_ARGUMENT);
    }
    assert_refused("conv2d filters=6 kernel=5 bias=1", "option 'bias': found '1', expected true or false");
    assert_refused("conv2d filters=6 kernel=5 init=h", "option 'init': found 'h', expected he or xavier");
    assert_refused("conv2d filters=6 kernel=5 size=2",
                   "unknown option 'size', expected filters, kernel, pad, epsilon, bias, init, weights");
    const char *bad_floats[] = {"-1e-9", "0.51", "nan", "inf", "0x1p-3", "1e-300", "0,25", "1e-5f"};
    for (size_t i = 0; i < sizeof bad_floats / sizeof bad_floats[0]; i++) {
        char line[100];
        char sentence[200];
        (void)snprintf(line, sizeof line, "conv2d filters=6 kernel=5 epsilon=%s", bad_floats[i]);
        (void)snprintf(sentence, sizeof sentence,
                       "option 'epsilon': found '%s', expected a number from 0 to 0.5", bad_floats[i]);
        assert_refused(line, sentence);
    }
}

static void test_no_options(void **state) {
    (void)state;
    struct stoa_spec spec;
    struct stoa_error error;
    assert_int_equal(stoa_spec_parse(&error, "relu", &spec), STOA_OK);
    assert_int_equal(stoa_options_read(&error, NULL, 0, &spec, NULL), STOA_OK);
    assert_int_equal(stoa_spec_parse(&error, "relu from=c1 slope=1", &spec), STOA_OK);
    assert_non_null(stoa_spec_take(&spec, "from"));
    assert_int_equal(stoa_options_read(&error, NULL, 0, &spec, NULL), STOA_ERR_ARGUMENT);
    assert_string_equal(error.text, "unknown option 'slope', expected no options");
}

static void test_describe(void **state) {
    (void)state;
    const char *whole = "filters (required), kernel (required), pad=0, epsilon=1e-5, bias=true, init=he (he "
                        "or xavier), weights";
    char out[200];
    assert_true(stoa_options_describe(table, OPTIONS, out, sizeof out));
    assert_string_equal(out, whole);
    assert_true(stoa_options_describe(table, OPTIONS, out, strlen(whole) + 1));
    assert_string_equal(out, whole);
    for (size_t size = 0; size <= strlen(whole); size++) {
        assert_false(stoa_options_describe(table, OPTIONS, out, size));
    }
    assert_true(stoa_options_describe(table, 0, out, sizeof out));
    assert_string_equal(out, "");
}

static void test_locale(void **state) {
    (void)state;
    /* Only where a locale with a decimal comma is installed; the C locale says nothing here. */
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8")) {
        skip();
    }
    struct conv conv = {.filters = 0};
    struct stoa_error error;
    assert_int_equal(read_line("conv2d filters=6 kernel=5 epsilon=0.25", &conv, &error), STOA_OK);
    assert_true(conv.epsilon == 0.25F);
    assert_refused("conv2d filters=6 kernel=5 epsilon=0.75",
                   "option 'epsilon': found '0.75', expected a number from 0 to 0.5");
    (void)setlocale(LC_ALL, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_lists),
        cmocka_unit_test(test_parse_limits),   cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),         cmocka_unit_test(test_refused_lines),
        cmocka_unit_test(test_refused_values), cmocka_unit_test(test_no_options),
        cmocka_unit_test(test_describe),       cmocka_unit_test(test_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
