/* SPDX-License-Identifier: MIT */
/* The BLAS described, and its core chosen: each case in a process of its own, because OpenBLAS chooses once.
 * The program runs itself with the name of a case. */
#include <stdio.h>
#include <stdlib.h>
#include <stoa/blas.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cmocka_prelude.h"
#include "base/cpu.h"
#include "blas/blas.h"
#include "tests/blas/forced.h"

static const char VARIABLE[] = "OPENBLAS_CORETYPE";

/* On both sides of a limit for small products, in every form. */
static bool products_are_right(void) {
    static float memory[3 * 130 * 130];
    bool right = true;
    for (size_t seed = 0; seed < 8; seed++) {
        right = right && stoa_blas_is_right(memory, 97, seed, 1) && stoa_blas_is_right(memory, 130, seed, 1);
    }
    return right;
}

/* In the child: tune, and tell what is left wrong by the exit status. */
static int tune(const char *expected_core) {
    stoa_blas_info before;
    stoa_blas_info after;
    stoa_blas_describe(&before);
    char old_core[64];
    (void)snprintf(old_core, sizeof old_core, "%s", before.core);
    const char *better = before.better_core;
    if (expected_core && strcasecmp(before.core, expected_core) != 0) {
        return 1;
    }
    stoa_context *context;
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 2;
    }
    bool had_variable = getenv(VARIABLE) != NULL;
    stoa_status status = stoa_blas_tune(context);
    stoa_context_free(context);
    if (status == STOA_ERR_UNSUPPORTED) {
        return better ? 3 : 0;
    }
    stoa_blas_describe(&after);
    if (status != STOA_OK || (getenv(VARIABLE) != NULL) != had_variable) {
        return 4;
    }
    /* A user's own setting wins; else the better core is there. */
    const char *wanted = had_variable || !better ? old_core : better;
    if (strcasecmp(after.core, wanted) != 0 || (!had_variable && after.better_core)) {
        return 5;
    }
    return products_are_right() ? 0 : 6;
}

/* Run this program again with a case's name, under a core type or none. */
static int run_case(const char *name, const char *core) {
    pid_t child = fork();
    if (child == 0) {
        if (core) {
            (void)setenv(VARIABLE, core, 1);
        } else {
            (void)unsetenv(VARIABLE);
        }
        (void)execl("/proc/self/exe", "test_core", name, core, (char *)NULL);
        _exit(99);
    }
    int status = -1;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static void describes(void **state) {
    (void)state;
    stoa_blas_info info;
    memset(&info, 0xFF, sizeof info);
    stoa_blas_describe(&info);
    assert_true(info.name && info.version && info.core && info.threading);
    static const char *const names[] = {"OpenBLAS", "BLIS", "MKL", "cblas"};
    bool known = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        known = known || strcmp(info.name, names[i]) == 0;
    }
    assert_true(known);
    assert_true(info.threads < 100000);
    if (strcmp(info.name, "OpenBLAS") == 0) {
        assert_non_null(strstr(info.version, "OpenBLAS"));
        assert_true(*info.core && *info.threading && info.threads >= 1);
    }
    assert_true(!info.better_core || strcasecmp(info.better_core, info.core) != 0);
}

static void tunes(void **state) {
    (void)state;
    assert_int_equal(run_case("tune", NULL), 0);
}

/* Loaded with a weak core, as by a BLAS that does not know the CPU; the variable is gone before tuning. */
static void replaces_a_weak_core(void **state) {
    (void)state;
    stoa_blas_info info;
    stoa_blas_describe(&info);
    if (strcmp(info.name, "OpenBLAS") != 0 || !stoa_cpu_blas_core()) {
        skip();
    }
    assert_int_equal(run_case("weak", "Prescott"), 0);
}

/* Haswell runs wherever a better core could be chosen; elsewhere the variable would name what the CPU cannot
 * run. */
static void leaves_a_users_choice(void **state) {
    (void)state;
    stoa_blas_info info;
    stoa_blas_describe(&info);
    if (strcmp(info.name, "OpenBLAS") != 0 || !stoa_cpu_blas_core()) {
        skip();
    }
    assert_int_equal(run_case("tune", "Haswell"), 0);
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "weak") == 0) {
        stoa_blas_info info;
        stoa_blas_describe(&info); /* loads and chooses under the variable */
        (void)unsetenv(VARIABLE);
        /* A build for one core only ignores the variable and has nothing better. */
        return info.better_core || strcasecmp(info.core, arguments[2]) != 0 ? tune(NULL) : 7;
    }
    if (count > 1) {
        return tune(count > 2 ? arguments[2] : NULL);
    }
    if (forced_core_is_beyond()) {
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes),
        cmocka_unit_test(tunes),
        cmocka_unit_test(replaces_a_weak_core),
        cmocka_unit_test(leaves_a_users_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
