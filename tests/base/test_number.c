/* SPDX-License-Identifier: MIT */
/* Numbers as text, in the C locale, in one with a decimal comma and in one whose point has two bytes. */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>

#include "cmocka_prelude.h"
#include "scratch.h"
#include "size_text.h"

static void sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t value;
    } good[] = {{"0", 0}, {"007", 7}, {SIZE_MAX_TEXT, SIZE_MAX}};
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x10",
                                      "1e3",
                                      "18446744073709551616",
                                      SIZE_MAX_TEXT "0",
                                      "99999999999999999999999",
                                      "abc",
                                      "1\n"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        size_t value = 1;
        assert_true(stoa_parse_size(good[i].text, strlen(good[i].text), &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t value = 77;
        if (stoa_parse_size(bad[i], strlen(bad[i]), &value) || value != 77) {
            fail_msg("'%s' was taken as %zu", bad[i], value);
        }
    }
    uint64_t wide = 0;
    assert_true(stoa_parse_u64("18446744073709551615", 20, &wide) && wide == UINT64_MAX);
    assert_false(stoa_parse_u64("18446744073709551616", 20, &wide));
    size_t value = 0;
    assert_true(stoa_parse_size("123456", 3, &value));
    assert_int_equal(value, 123);
}

static void doubles(void) {
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1.5", 1.5}, {"-0.25", -0.25}, {"1e-3", 1e-3}, {"+2E4", 2e4},
                {".5", 0.5},  {"3.", 3.0},      {"1e-400", 0.0}};
    static const char *const bad[] = {"",   ".",  "1,5", "inf", "nan", "0x1p3", "1e400", "1.2.3",
                                      " 1", "1 ", "--1", "e5",  "1e",  "1.5f",  "-",     "INFINITY"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double value = 99;
        if (!stoa_parse_double(good[i].text, strlen(good[i].text), &value) || !(value == good[i].value)) {
            fail_msg("'%s' was taken as %g", good[i].text, value);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double value = 99;
        if (stoa_parse_double(bad[i], strlen(bad[i]), &value) || !(value == 99)) {
            fail_msg("'%s' was taken as %g", bad[i], value);
        }
    }
    double value = 0;
    assert_false(stoa_parse_double("1\0"
                                   "2",
                                   3, &value));
    char longest[80];
    memset(longest, '1', sizeof longest);
    assert_false(stoa_parse_double(longest, sizeof longest, &value));
}

static void formats(void) {
    static const float values[] = {
        0.0F, 1.0F, 0.1F, -1.5F, 1.0F / 3.0F, 3.4028235e38F, 1.17549435e-38F, 1e-45F, 16777216.0F, 1e-3F};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[32];
        double back = 0;
        stoa_format_float(values[i], text);
        assert_null(strchr(text, ','));
        assert_true(stoa_parse_double(text, strlen(text), &back));
        if (!((float)back == values[i])) {
            fail_msg("%a was written as %s", (double)values[i], text);
        }
    }
    char text[32];
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t bits = i * 2654435761U;
        float value;
        double back = 0;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            stoa_format_float(value, text);
            assert_true(stoa_parse_double(text, strlen(text), &back) && (float)back == value);
        }
    }
    stoa_format_float(0.1F, text);
    assert_string_equal(text, "0.1");
    stoa_format_float(1e-3F, text);
    assert_string_equal(text, "0.001");
}

static void doubles_and_floats(void **state) {
    (void)state;
    doubles();
    formats();
}

static void decimal_comma(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE",
                                        "fr_FR.UTF-8", "fr_FR.utf8", "nl_NL.UTF-8"};
    bool found = false;
    for (size_t i = 0; !found && i < sizeof names / sizeof names[0]; i++) {
        found = setlocale(LC_NUMERIC, names[i]) && strcmp(localeconv()->decimal_point, ",") == 0;
    }
    if (found) {
        doubles();
        formats();
    }
    (void)setlocale(LC_NUMERIC, "C");
    if (!found) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
}

/* Run a command found in PATH, silent. Words that are not needed are NULL. */
static bool run_command(const char *const word[6]) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) && freopen("/dev/null", "w", stdout)) {
            (void)execlp(word[0], word[0], word[1], word[2], word[3], word[4], word[5], (char *)NULL);
        }
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Such locales are hardly ever installed, so one is made. localedef may warn, which its status says too. */
static void point_of_two_bytes(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    const char *made = scratch_path(&scratch, "ps_AF.UTF-8");
    (void)run_command((const char *const[6]){"localedef", "-i", "ps_AF", "-f", "UTF-8", made});
    bool found = setenv("LOCPATH", scratch.folder, 1) == 0 && setlocale(LC_NUMERIC, "ps_AF.UTF-8") &&
                 strlen(localeconv()->decimal_point) == 2;
    if (found) {
        doubles();
        formats();
    }
    (void)setlocale(LC_NUMERIC, "C");
    (void)unsetenv("LOCPATH");
    assert_true(run_command((const char *const[6]){"rm", "-r", scratch.folder}));
    if (!found) {
        print_message("no locale with a point of two bytes can be made\n");
        skip();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(doubles_and_floats),
        cmocka_unit_test(decimal_comma),
        cmocka_unit_test(point_of_two_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
