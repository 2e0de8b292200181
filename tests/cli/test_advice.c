/* SPDX-License-Identifier: MIT */
/* The doctor's advice: nothing where all is well, one line for each finding. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/cmocka_prelude.h"
#include "cli/doctor.h"

/* A machine without a fault. */
static struct doctor_findings healthy(void) {
    return (struct doctor_findings){
        .threads = 4,
        .isa = stoa_isa_best(),
        .blas = {.name = "OpenBLAS",
                 .version = "",
                 .core = "SkylakeX",
                 .threading = "pthread",
                 .integer_bits = 32},
        .chosen_by = "OpenBLAS",
        .machine = {.cpu_quota = -1, .load = 2, .cpus = 4, .frequency_mhz = -1, .max_frequency_mhz = -1},
        .checks = {true, true, true},
        .fma = {100, 400},
        .gemm = {90, 350},
        .latency = 50,
    };
}

/* Exactly `count` lines, the first with both words. */
static void expect(const struct doctor_findings *found, size_t count, const char *word, const char *other) {
    char *advice[DOCTOR_ADVICE] = {NULL};
    assert_int_equal(doctor_advise(found, advice), count);
    if (count > 0) {
        assert_non_null(strstr(advice[0], word));
        assert_non_null(strstr(advice[0], other));
    }
    for (size_t i = 0; i < count; i++) {
        assert_null(strchr(advice[i], '\n'));
        free(advice[i]);
    }
}

static void says_nothing_where_all_is_well(void **state) {
    (void)state;
    struct doctor_findings found = healthy();
    expect(&found, 0, "", "");
    found.machine.cpu_quota = 4;
    found.machine.load = -1;
    found.latency = 0;
    found.blas.integer_bits = 0;
    (void)strcpy(found.machine.huge_pages, "madvise");
    expect(&found, 0, "", "");
}

static void advises_on_each_promise(void **state) {
    (void)state;
    struct doctor_findings found = healthy();
    found.checks.concurrent = false;
    expect(&found, 1, "several threads", "--threads 1");
    found = healthy();
    found.checks.denormals = false;
    expect(&found, 0, "", ""); /* the library flushes them itself */
    found = healthy();
    found.checks.beta_zero = false;
    expect(&found, 1, "beta = 0", "NaN");
    found = healthy();
    found.blas.integer_bits = 64;
    expect(&found, 1, "64-bit", "32-bit");
}

static void advises_on_the_blas(void **state) {
    (void)state;
    struct doctor_findings found = healthy();
    found.blas.core = "Haswell";
    found.blas.better_core = "SkylakeX";
    found.better_gflops = 601;
    expect(&found, 1, "OpenBLAS chose its Haswell core", "SkylakeX reaches 601 GFLOP/s here instead of 350");
    found.chosen_by = "OPENBLAS_CORETYPE";
    expect(&found, 1, "OPENBLAS_CORETYPE holds OpenBLAS at its Haswell core",
           "601 GFLOP/s here instead of 350");
    found.better_gflops = 349;
    expect(&found, 0, "", ""); /* measured slower */
    found.better_gflops = 360;
    expect(&found, 0, "", ""); /* faster by no more than two runs differ */
    found.better_gflops = 0;
    expect(&found, 1, "OPENBLAS_CORETYPE holds",
           "SkylakeX suits this CPU better than what gives 350 GFLOP/s");
    found = healthy();
    found.blas.name = "cblas";
    found.gemm.one = 5;
    expect(&found, 1, "install OpenBLAS", "5 %");
    found = healthy();
    found.gemm.one = 12;
    expect(&found, 1, "12 %", "this OpenBLAS has no kernels");
    found = healthy();
    found.isa = STOA_ISA_BASE;
    expect(&found, stoa_isa_best() > STOA_ISA_BASE, "STOA_CPU", stoa_isa_name(stoa_isa_best()));
}

static void advises_on_the_machine(void **state) {
    (void)state;
    struct doctor_findings found = healthy();
    found.machine.cpu_quota = 2.5;
    expect(&found, 1, "may use 2.5 CPUs", "--threads 3 ");
    found.machine.cpu_quota = 3.5;
    expect(&found, 0, "", "");
    found.machine.cpu_quota = 0.5;
    expect(&found, 1, "may use 0.5 CPUs", "--threads 1 ");
    found = healthy();
    found.machine.cpus = 3;
    found.machine.load = 0;
    expect(&found, 1, "4 threads share 3 CPUs", "--threads 3");
    found = healthy();
    found.machine.load = 2.01;
    expect(&found, 1, "load average was 2.01", "4 CPUs");
    found = healthy();
    found.latency = 121;
    expect(&found, 1, "121 ns", "complexes");
    found.latency = 1e6;
    expect(&found, 0, "", "");
}

static void advises_on_huge_pages(void **state) {
    (void)state;
    struct doctor_findings found = healthy();
    (void)strcpy(found.machine.huge_pages, "never");
    expect(&found, 1, "no transparent huge pages", "echo madvise");
}

static void keeps_all_lines(void **state) {
    (void)state;
    struct doctor_findings found = healthy();
    found.checks = (stoa_blas_checks){false, false, false};
    found.blas.integer_bits = 64;
    found.blas.better_core = "SkylakeX";
    found.machine.load = 100;
    found.machine.cpu_quota = 1;
    (void)strcpy(found.machine.huge_pages, "never");
    found.latency = 500;
    expect(&found, 8, "several threads", "");
}

/* What is printed for people; good until the next call. */
static const char *print(const struct doctor_findings *found, char **advice, size_t count) {
    static char text[8192];
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    assert_true(kept >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    doctor_print_text(found, advice, count);
    (void)fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(kept);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    return text;
}

static void prints_no_heading_over_nothing(void **state) {
    (void)state;
    struct doctor_findings found = healthy();
    char line[] = "do this";
    char *advice[] = {line};
    const char *text = print(&found, advice, 0);
    assert_non_null(strstr(text, "multiply-add limit"));
    assert_null(strstr(text, "Advice"));
    assert_null(strstr(text, "huge pages"));
    (void)strcpy(found.machine.huge_pages, "always");
    assert_non_null(strstr(print(&found, advice, 0), "transparent huge pages         always\n"));
    assert_non_null(strstr(print(&found, advice, 1), "\n\nAdvice:\n- do this\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_nothing_where_all_is_well),
        cmocka_unit_test(advises_on_each_promise),
        cmocka_unit_test(advises_on_the_blas),
        cmocka_unit_test(advises_on_the_machine),
        cmocka_unit_test(advises_on_huge_pages),
        cmocka_unit_test(keeps_all_lines),
        cmocka_unit_test(prints_no_heading_over_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
