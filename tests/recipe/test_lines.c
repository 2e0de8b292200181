/* SPDX-License-Identifier: MIT */
/* Strict INI lines: what is reported, with which line number, and what is refused. */
#include "recipe/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Everything reported, as text: "[s]@2 s/k=v@3 end@4". */
struct log {
    char text[1024];
    size_t used;
    const char *refuse; /* key to refuse */
};

__attribute__((format(printf, 2, 3))) static void note(struct log *log, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log->used += (size_t)vsnprintf(log->text + log->used, sizeof log->text - log->used, format, arguments);
    va_end(arguments);
    assert_true(log->used < sizeof log->text);
}

static stoa_status on_section(void *user, struct stoa_error *error, const char *section, size_t line) {
    (void)error;
    note(user, "[%s]@%zu ", section, line);
    return STOA_OK;
}

static stoa_status on_entry(void *user, struct stoa_error *error, const char *section, const char *key,
                            const char *value, size_t line) {
    struct log *log = user;
    if (log->refuse && strcmp(log->refuse, key) == 0) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "refused %s", key);
    }
    note(log, "%s/%s=%s@%zu ", section, key, value, line);
    return STOA_OK;
}

static stoa_status on_end(void *user, struct stoa_error *error, size_t line) {
    (void)error;
    note(user, "end@%zu", line);
    return STOA_OK;
}

static stoa_status read_bytes(struct log *log, struct stoa_error *error, const char *text, size_t bytes) {
    const struct stoa_line_events events = {on_section, on_entry, on_end, log};
    /* In a block of its own size, so that a sanitizer sees any step past its end. */
    char *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    stoa_status status = stoa_lines_read(error, "f.ini", copy, bytes, &events);
    free(copy);
    return status;
}

static void assert_read(const char *text, const char *expected) {
    struct log log = {.used = 0};
    struct stoa_error error = {STOA_OK, ""};
    stoa_status status = read_bytes(&log, &error, text, strlen(text));
    assert_string_equal(error.text, "");
    assert_int_equal(status, STOA_OK);
    assert_string_equal(log.text, expected);
}

static void assert_refused(const char *text, const char *sentence) {
    struct log log = {.used = 0};
    struct stoa_error error = {STOA_OK, ""};
    assert_int_equal(read_bytes(&log, &error, text, strlen(text)), STOA_ERR_FORMAT);
    assert_int_equal(error.status, STOA_ERR_FORMAT);
    assert_string_equal(error.text, sentence);
    assert_null(strstr(log.text, "end"));
}

static void test_read(void **state) {
    (void)state;
    assert_read("", "end@0");
    assert_read("\n\n", "end@2");
    assert_read("a=1", "/a=1@1 end@1");
    assert_read("title = a b  c\n\n[model]\nc1 = conv2d k=5 pad=2\n", "/title=a b  c@1 [model]@3 "
                                                                      "model/c1=conv2d k=5 pad=2@4 end@4");
    assert_read("[a]\n[b]\nk=v\n[a]\nk=w\n", "[a]@1 [b]@2 b/k=v@3 [a]@4 a/k=w@5 end@5");
    assert_read("a = x:y\n", "/a=x:y@1 end@1");
}

static void test_comments(void **state) {
    (void)state;
    assert_read("# c\n; c\n  # [x]\na=1 # c\nb=2\t; c\nc=#x\nd=a#b;c\n[s] ; c\n",
                "/a=1@4 /b=2@5 /c=#x@6 /d=a#b;c@7 [s]@8 end@8");
    char line[500];
    memset(line, 'x', sizeof line);
    memcpy(line, "a=1 #", 5);
    line[sizeof line - 1] = '\0';
    assert_read(line, "/a=1@1 end@1");
}

static void test_line_ends_and_space(void **state) {
    (void)state;
    assert_read("\xEF\xBB\xBF"
                "a=1\r\n[s]\r\n\r\nb=2\r\n",
                "/a=1@1 [s]@2 s/b=2@4 end@4");
    assert_read("\xEF\xBB\xBF[s]\na=1\n", "[s]@1 s/a=1@2 end@2");
    /* An indented line is a line of its own, not more of the one before. */
    assert_read("[s]\na=1\n   b = 2  \n\tc=3\n[ t ]\n", "[s]@1 s/a=1@2 s/b=2@3 s/c=3@4 [t]@5 end@5");
}

static void test_long_lines(void **state) {
    (void)state;
    char line[STOA_LINE_MAX + 3];
    memset(line, 'x', sizeof line);
    line[0] = 'k';
    line[1] = '=';
    line[STOA_LINE_MAX] = '\n';
    line[STOA_LINE_MAX + 1] = '\0';
    char expected[STOA_LINE_MAX + 40];
    (void)snprintf(expected, sizeof expected, "/k=%.*s@1 end@1", STOA_LINE_MAX - 2, line + 2);
    assert_read(line, expected);
    line[STOA_LINE_MAX] = 'x';
    assert_refused(line, "f.ini:1: the line is 191 bytes long, at most 190 are allowed");
    char text[sizeof line + 16];
    (void)snprintf(text, sizeof text, "a=1\n\n%s\nb=2\n", line);
    assert_refused(text, "f.ini:3: the line is 191 bytes long, at most 190 are allowed");
}

static void test_long_names(void **state) {
    (void)state;
    /* inih cuts names of sections and keys for its own use; ours must come whole. */
    assert_read(
        "[abcdefghijklmnopqrstuvwxyz01234]\nabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789="
        "1\n",
        "[abcdefghijklmnopqrstuvwxyz01234]@1 "
        "abcdefghijklmnopqrstuvwxyz01234/abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789=1@2 "
        "end@2");
    assert_refused("[abcdefghijklmnopqrstuvwxyz012345]\n",
                   "f.ini:1: found a section name of 32 bytes, expected 1 to 31");
}

static void test_refused(void **state) {
    (void)state;
    assert_refused("a=1\nword\n", "f.ini:2: found 'word', expected KEY = VALUE");
    assert_refused("\n\n=1\n", "f.ini:3: found '=1', expected KEY = VALUE");
    assert_refused("a=\n", "f.ini:1: found 'a=', expected KEY = VALUE");
    assert_refused("a= # c\n", "f.ini:1: found 'a=', expected KEY = VALUE");
    assert_refused("a: b\n", "f.ini:1: found 'a: b', expected KEY = VALUE");
    assert_refused("a: b = c\n", "f.ini:1: found 'a: b = c', expected KEY = VALUE");
    assert_refused("[model\n", "f.ini:1: found '[model', expected a section such as [model]");
    assert_refused("[model] x\n", "f.ini:1: found '[model] x', expected a section such as [model]");
    assert_refused("[]\n", "f.ini:1: found a section name of 0 bytes, expected 1 to 31");
    assert_refused("[ ]\n", "f.ini:1: found a section name of 0 bytes, expected 1 to 31");
    assert_refused("a=1\nb=\x01\n", "f.ini:2: found a control byte 0x01, expected text");
    assert_refused("a=1\rb=2\n", "f.ini:1: found a control byte 0x0D, expected text");
    assert_refused("# \x7F\n", "f.ini:1: found a control byte 0x7F, expected text");
}

static void test_zero_byte(void **state) {
    (void)state;
    struct log log = {.used = 0};
    struct stoa_error error = {STOA_OK, ""};
    assert_int_equal(read_bytes(&log, &error, "a=1\nb=2\0c\n", 10), STOA_ERR_FORMAT);
    assert_string_equal(error.text, "f.ini:2: found a control byte 0x00, expected text");
}

static void test_event_ends_reading(void **state) {
    (void)state;
    struct log log = {.refuse = "b"};
    struct stoa_error error = {STOA_OK, ""};
    const char *text = "a=1\n[s]\nb=2\nc=3\nbad\n";
    assert_int_equal(read_bytes(&log, &error, text, strlen(text)), STOA_ERR_SHAPE);
    assert_string_equal(error.text, "f.ini:3: refused b");
    assert_string_equal(log.text, "/a=1@1 [s]@2 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_line_ends_and_space),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_zero_byte),
        cmocka_unit_test(test_event_ends_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
