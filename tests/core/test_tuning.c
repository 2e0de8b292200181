/* SPDX-License-Identifier: MIT */
/* Tuning tables: every one that ships, the text form and what it refuses, the way from a CPU to a table, and
 * the context's setting. */
#include "core/tuning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/context.h"
#include "core/tuning_text.h"

static void expect_equal(const struct stoa_tuning *a, const struct stoa_tuning *b) {
    for (size_t i = 0; i < stoa_tuning_key_count(); i++) {
        const struct stoa_tuning_key *key = &stoa_tuning_keys[i];
        if (stoa_tuning_get(a, key) != stoa_tuning_get(b, key)) {
            fail_msg("%s and %s: %s differs", a->name, b->name, key->name);
        }
    }
    assert_string_equal(a->sum, b->sum);
}

/* Every table that ships was read, and what is written of it reads back as the same. */
static void test_shipped(void **state) {
    (void)state;
    size_t count = 0;
    for (; stoa_tuning_name(count); count++) {
        const struct stoa_tuning *tuning = stoa_tuning_find(stoa_tuning_name(count));
        assert_non_null(tuning);
        assert_string_equal(tuning->name, stoa_tuning_name(count));
        assert_int_equal(strlen(tuning->sum), 8);
        char text[STOA_TUNING_BYTES];
        size_t bytes = stoa_tuning_write(tuning, text, sizeof text);
        assert_true(bytes < sizeof text && strlen(text) == bytes);
        struct stoa_error error;
        struct stoa_tuning again;
        assert_int_equal(stoa_tuning_read(&error, "some/again.tuning", text, bytes, &again), STOA_OK);
        assert_string_equal(again.name, "again");
        expect_equal(&again, tuning);
    }
    assert_true(count >= 10);
}

/* A buffer that is too small gets the beginning, and the call tells what it would take. */
static void test_write_is_bounded(void **state) {
    (void)state;
    const struct stoa_tuning *tuning = stoa_tuning_find("zen5");
    char all[STOA_TUNING_BYTES], part[100];
    size_t bytes = stoa_tuning_write(tuning, all, sizeof all);
    assert_int_equal(stoa_tuning_write(tuning, NULL, 0), bytes);
    memset(part, 'x', sizeof part);
    assert_int_equal(stoa_tuning_write(tuning, part, 50), bytes);
    assert_int_equal(memcmp(part, all, 49), 0);
    assert_int_equal(part[49], '\0');
    assert_int_equal(part[50], 'x');
}

static stoa_status read_text(const char *text, struct stoa_error *error, struct stoa_tuning *tuning) {
    return stoa_tuning_read(error, "a/my.tuning", text, strlen(text), tuning);
}

static void test_forms_of_lines(void **state) {
    (void)state;
    struct stoa_error error;
    struct stoa_tuning tuning;
    assert_int_equal(
        read_text("# all\n\n \t\nlike = zen5 # a CPU\r\n  l2_bytes=65536\ncost_flops\t=\t1.5e9#?", &error,
                  &tuning),
        STOA_OK);
    assert_string_equal(tuning.name, "my");
    assert_int_equal(tuning.l2_bytes, 65536);
    assert_true(tuning.cost_flops == 1.5e9);
    const struct stoa_tuning *parent = stoa_tuning_find("zen5");
    assert_int_equal(tuning.l1_bytes, parent->l1_bytes);
    assert_string_not_equal(tuning.sum, parent->sum);
    /* The order of keys, and where a value comes from, make no difference. */
    struct stoa_tuning same;
    assert_int_equal(read_text("cost_flops = 15e8\nl2_bytes = 65536\nlike = zen5\n", &error, &same), STOA_OK);
    expect_equal(&same, &tuning);
    /* The least and the most of a range are in it. */
    assert_int_equal(read_text("like = zen5\nl2_bytes = 16384\n", &error, &tuning), STOA_OK);
    assert_int_equal(read_text("like = zen5\nl2_bytes = 268435456\n", &error, &tuning), STOA_OK);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "a/my.tuning:1: the file ends without the key 'l1_bytes', expected it or 'like = NAME'"},
        {"l1_bytes = 32768\n", "a/my.tuning:1: the file ends without the key 'l2_bytes'"},
        {"like = zen5\nl9_bytes = 1\n", "a/my.tuning:2: found the key 'l9_bytes', expected one of those"},
        {"like = zen5\nl2_bytes\n", "a/my.tuning:2: found 'l2_bytes', expected 'key = value'"},
        {"like = zen5\n= 3\n", "a/my.tuning:2: found the key ''"},
        {"like = zen5\nl2_bytes =\n", "a/my.tuning:2: l2_bytes: found '', expected a whole number"},
        {"like = zen5\nl2_bytes = 16383\n",
         "a/my.tuning:2: l2_bytes: found '16383', expected a whole number from 16384 to 268435456"},
        {"like = zen5\nl2_bytes = 268435457\n", "found '268435457'"},
        {"like = zen5\nl2_bytes = 1e6\n", "found '1e6', expected a whole number"},
        {"like = zen5\nl2_bytes = -65536\n", "found '-65536'"},
        {"like = zen5\nl2_bytes = 65536 65536\n", "found '65536 65536'"},
        {"like = zen5\nl2_bytes = 99999999999999999999999\n", "found '99999999999999999999999'"},
        {"like = zen5\ncost_flops = nan\n", "cost_flops: found 'nan', expected a number from 1000000 to"},
        {"like = zen5\ncost_flops = inf\n", "found 'inf'"},
        {"like = zen5\ncost_flops = 0x1p40\n", "found '0x1p40'"},
        {"like = zen5\ncost_flops = 1,5e9\n", "found '1,5e9'"},
        {"like = zen5\ncost_flops = 0\n", "found '0'"},
        {"l2_bytes = 65536\nlike = zen5\nl2_bytes = 65536\n",
         "a/my.tuning:3: l2_bytes: found a second one, the first stands in line 1"},
        {"like = zen5\nlike = zen4\n", "a/my.tuning:2: like: found a second one, the first stands in line 1"},
        {"like = zen9\n", "a/my.tuning:1: like: found 'zen9', expected the name of a table that ships"},
        {"like = a/my.tuning\n", "like: found 'a/my.tuning', expected the name of a table that ships"},
        {"like = zen5\nl2_bytes = \x01\n", "a/my.tuning:2: found the byte 1, expected ASCII text"},
        {"like = zen5\nl2_bytes = 65536\xc2\xa0\n", "a/my.tuning:2: found the byte 194"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stoa_error error = {.status = STOA_OK};
        struct stoa_tuning tuning, before;
        memset(&tuning, 0x5a, sizeof tuning);
        before = tuning;
        assert_int_equal(read_text(cases[i].text, &error, &tuning), STOA_ERR_FORMAT);
        assert_int_equal(memcmp(&tuning, &before, sizeof tuning), 0);
        if (!strstr(error.text, cases[i].sentence)) {
            fail_msg("found: %s\nexpected: %s", error.text, cases[i].sentence);
        }
    }
}

/* A zero byte, a long line and a long text are no reason to read on. */
static void test_bounds_of_text(void **state) {
    (void)state;
    struct stoa_error error;
    struct stoa_tuning tuning;
    assert_int_equal(stoa_tuning_read(&error, "z", "like = zen5\n\0\n", 14, &tuning), STOA_ERR_FORMAT);
    assert_non_null(strstr(error.text, "z:2: found the byte 0"));
    char *text = malloc(STOA_TUNING_BYTES + 1);
    assert_non_null(text);
    memset(text, ' ', STOA_TUNING_BYTES + 1);
    text[0] = '#';
    text[STOA_TUNING_LINE] = '\n';
    memcpy(text + STOA_TUNING_LINE + 1, "like = zen5\n", 12);
    assert_int_equal(stoa_tuning_read(&error, "z", text, STOA_TUNING_LINE + 13, &tuning), STOA_OK);
    text[STOA_TUNING_LINE] = ' ';
    text[STOA_TUNING_LINE + 1] = '\n';
    assert_int_equal(stoa_tuning_read(&error, "z", text, STOA_TUNING_LINE + 13, &tuning), STOA_ERR_FORMAT);
    assert_string_equal(error.text, "z:1: found a line of 201 bytes, expected at most 200");
    for (size_t i = 0; i < STOA_TUNING_BYTES; i++) {
        text[i] = i % 2 ? '\n' : '#';
    }
    memcpy(text, "like = zen5\n", 12);
    assert_int_equal(stoa_tuning_read(&error, "z", text, STOA_TUNING_BYTES, &tuning), STOA_OK);
    assert_int_equal(stoa_tuning_read(&error, "z", text, STOA_TUNING_BYTES + 1, &tuning), STOA_ERR_FORMAT);
    assert_string_equal(error.text, "z: found 65537 bytes, expected at most 65536");
    free(text);
}

/* Names are cut where they are too long, and hold nothing that a terminal obeys. */
static void test_names(void **state) {
    (void)state;
    struct stoa_error error;
    struct stoa_tuning tuning;
    static const char *const names[][2] = {
        {"x.tuning", "x"},
        {"/a/b.c/x.tuning", "x"},
        {"x", "x"},
        {".tuning", ".tuning"},
        {"x\033[1m.tuning", "x?[1m"},
        {"0123456789012345678901234567890123456789012345678901.tuning",
         "01234567890123456789012345678901234567890123456"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(stoa_tuning_read(&error, names[i][0], "like = zen5\n", 12, &tuning), STOA_OK);
        assert_string_equal(tuning.name, names[i][1]);
    }
}

static void test_class_of_cpu(void **state) {
    (void)state;
    static const struct {
        struct stoa_cpu cpu;
        const char *table[STOA_ISA_COUNT];
    } cases[] = {
        {{"", 0, 0}, {"generic-base", "generic-avx2", "generic-avx512"}},
        {{"AuthenticAMD", 23, 1}, {"generic-base", "amd-avx2", "generic-avx512"}},            /* Zen */
        {{"AuthenticAMD", 25, 0x21}, {"generic-base", "amd-avx2", NULL}},                     /* Zen 3 */
        {{"AuthenticAMD", 25, 0x50}, {"generic-base", "amd-avx2", NULL}},                     /* Zen 3 */
        {{"AuthenticAMD", 25, 17}, {"generic-base", "zen4-avx2", "zen4"}},                    /* Genoa */
        {{"AuthenticAMD", 25, 0x61}, {"generic-base", "zen4-avx2", "zen4"}},                  /* Raphael */
        {{"AuthenticAMD", 25, 0xa0}, {"generic-base", "zen4-avx2", "zen4"}},                  /* Bergamo */
        {{"AuthenticAMD", 26, 2}, {"generic-base", "zen4-avx2", "zen5"}},                     /* Turin */
        {{"HygonGenuine", 24, 1}, {"generic-base", "amd-avx2", NULL}},                        /* Dhyana */
        {{"GenuineIntel", 6, 60}, {"generic-base", "intel-desktop-avx2", NULL}},              /* Haswell */
        {{"GenuineIntel", 6, 85}, {"generic-base", "intel-desktop-avx2", "generic-avx512"}},  /* Skylake-X */
        {{"GenuineIntel", 6, 143}, {"generic-base", "intel-server-avx2", "intel-server"}},    /* Sapphire */
        {{"GenuineIntel", 6, 207}, {"generic-base", "intel-server-avx2", "intel-server"}},    /* Emerald */
        {{"GenuineIntel", 6, 173}, {"generic-base", "intel-server-avx2", "intel-server"}},    /* Granite */
        {{"GenuineIntel", 6, 183}, {"generic-base", "intel-desktop-avx2", "generic-avx512"}}, /* Raptor */
        {{"GenuineIntel", 18, 1}, {"generic-base", "intel-desktop-avx2", "generic-avx512"}},  /* to come */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int isa = 0; isa < STOA_ISA_COUNT; isa++) {
            const struct stoa_tuning *found = stoa_tuning_of_cpu(&cases[i].cpu, (stoa_isa)isa);
            if (cases[i].table[isa]) {
                assert_string_equal(found->name, cases[i].table[isa]);
            }
        }
    }
}

/* What the CPU says of itself is what the system says of it. */
static void test_cpu_of_machine(void **state) {
    (void)state;
    struct stoa_cpu cpu = stoa_cpu_of_machine();
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512], vendor[64] = "";
    unsigned family = 0, model = 0, seen = 0;
    while (file && seen < 3 && fgets(line, sizeof line, file)) {
        seen += sscanf(line, "vendor_id : %63s", vendor) == 1 ||
                sscanf(line, "cpu family : %u", &family) == 1 || sscanf(line, "model : %u", &model) == 1;
    }
    if (file) {
        (void)fclose(file);
    }
    if (seen == 3 && sizeof(void *) == 8) {
        assert_string_equal(cpu.vendor, vendor);
        assert_int_equal(cpu.family, family);
        assert_int_equal(cpu.model, model);
    }
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_context(void **state) {
    (void)state;
    struct stoa_cpu cpu = stoa_cpu_of_machine();
    for (int isa = 0; isa <= (int)stoa_isa_best(); isa++) {
        stoa_context *context;
        stoa_context_options options = {.threads = 1, .limit_isa = true, .highest_isa = (stoa_isa)isa};
        assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
        const char *own = stoa_tuning_of_cpu(&cpu, (stoa_isa)isa)->name;
        assert_string_equal(stoa_context_tuning(context), own);
        assert_int_equal(stoa_context_set_tuning(context, "zen5"), STOA_OK);
        assert_string_equal(stoa_context_tuning(context), "zen5");
        assert_string_equal(stoa_context_tuning_sum(context), stoa_tuning_find("zen5")->sum);
        char path[] = "/tmp/stoa-XXXXXX.tuning";
        int descriptor = mkstemps(path, 7);
        assert_true(descriptor >= 0);
        assert_int_equal(close(descriptor), 0);
        write_file(path, "like = zen5\nl2_bytes = 77777\n");
        assert_int_equal(stoa_context_set_tuning(context, path), STOA_OK);
        const struct stoa_tuning *first = context->tuning;
        assert_int_equal(first->l2_bytes, 77777);
        assert_int_equal(strncmp(stoa_context_tuning(context), "stoa-", 5), 0);
        /* A file is read where it is named: what was read before stays as it was. */
        write_file(path, "like = zen5\nl2_bytes = 88888\n");
        assert_int_equal(stoa_context_set_tuning(context, path), STOA_OK);
        assert_int_equal(context->tuning->l2_bytes, 88888);
        assert_int_equal(first->l2_bytes, 77777);
        /* What cannot be had changes nothing. */
        write_file(path, "like = zen5\nl2_bytes = 1\n");
        assert_int_equal(stoa_context_set_tuning(context, path), STOA_ERR_FORMAT);
        assert_non_null(strstr(stoa_context_error(context), "tuning:2: l2_bytes: found '1'"));
        assert_int_equal(unlink(path), 0);
        assert_int_equal(stoa_context_set_tuning(context, path), STOA_ERR_NOT_FOUND);
        assert_int_equal(stoa_context_set_tuning(context, "zen"), STOA_ERR_ARGUMENT);
        assert_non_null(strstr(stoa_context_error(context), "tuning: found 'zen', expected generic-base, "));
        assert_int_equal(context->tuning->l2_bytes, 88888);
        assert_int_equal(stoa_context_set_tuning(context, NULL), STOA_OK);
        assert_string_equal(stoa_context_tuning(context), own);
        stoa_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),        cmocka_unit_test(test_write_is_bounded),
        cmocka_unit_test(test_forms_of_lines), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds_of_text), cmocka_unit_test(test_names),
        cmocka_unit_test(test_class_of_cpu),   cmocka_unit_test(test_cpu_of_machine),
        cmocka_unit_test(test_context),
    };
    return cmocka_run_group_tests_name("tuning", tests, NULL, NULL);
}
