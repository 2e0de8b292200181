/* SPDX-License-Identifier: MIT */
/* Measurements of the machine: figures that can be, errors for what cannot, and what the system's files mean.
 * How fast a machine is decides no test. */
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/cmocka_prelude.h"
#include "core/machine.h"
#include "core/threads.h"

static const double SHORT = 0.01;

static stoa_context *make(size_t threads) {
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = threads}, &context), STOA_OK);
    return context;
}

static void check_rate(stoa_status status, const double *rate) {
    assert_int_equal(status, STOA_OK);
    assert_true(*rate > 0 && *rate < 1e9); /* NaN fails */
}

static void measures(void **state) {
    (void)state;
    const size_t threads[] = {0, 1, 2, 3};
    stoa_context *context = make(3);
    cpu_set_t before;
    cpu_set_t after;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    for (size_t i = 0; i < 4; i++) {
        double rate = NAN;
        check_rate(stoa_measure_fma(context, threads[i], SHORT, &rate), &rate);
        rate = NAN;
        check_rate(stoa_measure_gemm(context, 65, 33, 17, threads[i], SHORT, &rate), &rate);
        rate = NAN;
        check_rate(stoa_measure_gemm(context, 1, 300, 1, threads[i], SHORT, &rate), &rate);
    }
    double rate = NAN;
    check_rate(stoa_measure_bandwidth(context, SHORT, &rate), &rate);
    /* The caller's thread was moved while it measured, and is as free as before. */
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    stoa_context_free(context);
}

static void measures_latency_between_cpus(void **state) {
    (void)state;
    for (size_t threads = 1; threads < 3; threads++) {
        stoa_context *context = make(threads);
        double nanoseconds = NAN;
        assert_int_equal(stoa_measure_latency(context, SHORT, &nanoseconds), STOA_OK);
        if (threads == 1 || stoa_cpu_count() == 1) {
            assert_true(nanoseconds == 0);
        } else {
            assert_true(nanoseconds > 0 && nanoseconds < 1e6); /* no turn of the scheduler */
        }
        stoa_context_free(context);
    }
}

static void finds_a_limit_or_none(void **state) {
    (void)state;
    stoa_context *context = make(1);
    size_t limit = 1;
    assert_int_equal(stoa_measure_small_limit(context, SHORT, &limit), STOA_OK);
    assert_true(limit == 0 || (limit >= 100000 && limit <= 10000000));
    stoa_context_free(context);
}

static void checks_the_blas(void **state) {
    (void)state;
    stoa_context *context = make(2);
    stoa_blas_checks checks = {0};
    assert_int_equal(stoa_blas_check(context, &checks), STOA_OK);
    /* Nothing here works on a BLAS that breaks these; beta = 0 has a way around it. */
    assert_true(checks.concurrent);
    assert_true(checks.denormals);
    stoa_context_free(context);
}

static void refuse(stoa_context *context, stoa_status status, const char *sentence) {
    assert_int_equal(status, STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), sentence);
}

static void refuses_bad_arguments(void **state) {
    (void)state;
    const double bad[] = {0, -1, NAN, INFINITY, 3601};
    stoa_context *context = make(2);
    double rate = 7;
    size_t limit = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(stoa_measure_fma(context, 1, bad[i], &rate), STOA_ERR_ARGUMENT);
        assert_int_equal(stoa_measure_gemm(context, 8, 8, 8, 1, bad[i], &rate), STOA_ERR_ARGUMENT);
        assert_int_equal(stoa_measure_bandwidth(context, bad[i], &rate), STOA_ERR_ARGUMENT);
        assert_int_equal(stoa_measure_latency(context, bad[i], &rate), STOA_ERR_ARGUMENT);
        assert_int_equal(stoa_measure_small_limit(context, bad[i], &limit), STOA_ERR_ARGUMENT);
    }
    refuse(context, stoa_measure_fma(context, 1, 0, &rate),
           "fma: found 0 seconds, expected more than 0, at most 3600");
    refuse(context, stoa_measure_fma(context, 3, SHORT, &rate), "fma: found 3 threads, the context has 2");
    refuse(context, stoa_measure_gemm(context, 8, 8, 8, 3, SHORT, &rate),
           "gemm: found 3 threads, the context has 2");
    const size_t sizes[][3] = {{0, 8, 8}, {8, 0, 8}, {8, 8, 0}, {(size_t)-1, 8, 8}, {8, 8, (size_t)1 << 31}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(stoa_measure_gemm(context, sizes[i][0], sizes[i][1], sizes[i][2], 1, SHORT, &rate),
                         STOA_ERR_ARGUMENT);
    }
    refuse(context, stoa_measure_gemm(context, 0, 8, 8, 1, SHORT, &rate),
           "gemm: found 0x8x8, expected dimensions of 1 to 1073741824");
    assert_true(rate == 7 && limit == 7);
    stoa_context_free(context);
}

/* For the context's own memory only. */
static void *no_more_memory(void *user, size_t bytes, size_t alignment) {
    size_t *asked = user;
    return (*asked)++ == 0 ? aligned_alloc(alignment, bytes) : NULL;
}

static void give_back(void *user, void *memory, size_t bytes) {
    (void)user;
    (void)bytes;
    free(memory);
}

static void tells_when_memory_is_out(void **state) {
    (void)state;
    size_t asked = 0;
    stoa_context_options options = {.threads = 1, .allocator = {no_more_memory, give_back, &asked}};
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    double rate;
    size_t limit;
    stoa_blas_checks checks;
    assert_int_equal(stoa_measure_gemm(context, 8, 8, 8, 1, SHORT, &rate), STOA_ERR_MEMORY);
    assert_int_equal(stoa_measure_bandwidth(context, SHORT, &rate), STOA_ERR_MEMORY);
    assert_int_equal(stoa_measure_small_limit(context, SHORT, &limit), STOA_ERR_MEMORY);
    assert_int_equal(stoa_blas_check(context, &checks), STOA_ERR_MEMORY);
    assert_non_null(strstr(stoa_context_error(context), "BLAS check: cannot allocate"));
    stoa_context_free(context);
}

static bool same(double a, double b) {
    return fabs(a - b) < 1e-12;
}

static void reads_quotas(void **state) {
    (void)state;
    assert_true(same(stoa_quota_v2("150000 100000\n"), 1.5));
    assert_true(same(stoa_quota_v2("50000 100000"), 0.5));
    assert_true(stoa_quota_v2("max 100000\n") < 0);
    assert_true(stoa_quota_v2("") < 0);
    assert_true(stoa_quota_v2("100000") < 0);
    assert_true(stoa_quota_v2("100000 0\n") < 0);
    assert_true(stoa_quota_v2("0 100000\n") < 0);
    assert_true(stoa_quota_v2("1e3x 100000\n") < 0);
    assert_true(same(stoa_quota_v1("200000\n", "100000\n"), 2));
    assert_true(stoa_quota_v1("-1\n", "100000\n") < 0);
    assert_true(stoa_quota_v1("", "") < 0);
    assert_true(stoa_quota_v1("100000\n", "0\n") < 0);
}

/* Write `text` to folder/path, with the folders on the way. */
static void put(const char *folder, const char *path, const char *text) {
    char name[512];
    (void)snprintf(name, sizeof name, "%s/%s", folder, path);
    for (char *slash = name + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(name, 0777);
        *slash = '/';
    }
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void finds_the_least_quota_on_the_way_up(void **state) {
    (void)state;
    char root[] = "/tmp/stoa-quota-XXXXXX";
    assert_non_null(mkdtemp(root));
    put(root, "a/cpu.max", "300000 100000\n");
    put(root, "a/b/cpu.max", "max 100000\n");
    put(root, "a/b/c/cpu.max", "400000 100000\n");
    put(root, "cpu,cpuacct/box/cpu.cfs_quota_us", "150000\n");
    put(root, "cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
    put(root, "cpu/cpu.cfs_quota_us", "50000\n");
    put(root, "cpu/cpu.cfs_period_us", "100000\n");
    put(root, "unified/u/cpu.max", "20000 100000\n");
    assert_true(same(stoa_quota_find(root, "0::/a/b/c\n"), 3));
    assert_true(same(stoa_quota_find(root, "0::/a/b/not-mounted/here\n"), 3));
    assert_true(same(stoa_quota_find(root, "0::/u"), 0.2));
    assert_true(stoa_quota_find(root, "0::/\n") < 0);
    assert_true(same(stoa_quota_find(root, "9:name=systemd:/\n4:cpu,cpuacct:/box/in\n0::/\n"), 0.5));
    assert_true(same(stoa_quota_find(root, "1:cpu:/elsewhere\n"), 0.5));
    assert_true(stoa_quota_find(root, "2:cpuacct:/box\n3:cpuset:/\n") < 0);
    assert_true(stoa_quota_find(root, "2:cp:/box\n") < 0);
    assert_true(stoa_quota_find(root, "") < 0);
    assert_true(stoa_quota_find(root, "no colons\nonly:one\n\n") < 0);
    assert_int_equal(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void takes_as_many_threads_as_a_quota_keeps_busy(void **state) {
    (void)state;
    assert_int_equal(stoa_threads_within(8, -1), 8);
    assert_int_equal(stoa_threads_within(8, 8.5), 8);
    assert_int_equal(stoa_threads_within(8, 3), 3);
    assert_int_equal(stoa_threads_within(8, 2.01), 3);
    assert_int_equal(stoa_threads_within(8, 0.2), 1);
    assert_int_equal(stoa_threads_within(1, 4), 1);
    assert_int_equal(stoa_default_threads(), stoa_threads_within(stoa_cpu_count(), stoa_quota()));
}

/* A machine of 5000 CPUs, of which three may be used. */
static int many_cpus(pid_t process, size_t bytes, cpu_set_t *set) {
    assert_int_equal(process, 0);
    if (8 * bytes < 5000) {
        errno = EINVAL;
        return -1;
    }
    CPU_ZERO_S(bytes, set);
    CPU_SET_S(0, bytes, set);
    CPU_SET_S(1500, bytes, set);
    CPU_SET_S(4999, bytes, set);
    return 0;
}

static int no_affinity(pid_t process, size_t bytes, cpu_set_t *set) {
    (void)process;
    (void)bytes;
    (void)set;
    errno = EPERM;
    return -1;
}

static void counts_cpus_beyond_a_thousand(void **state) {
    (void)state;
    assert_int_equal(stoa_affinity_count(many_cpus), 3);
    assert_int_equal(stoa_affinity_count(no_affinity), 0);
    cpu_set_t own;
    if (sched_getaffinity(0, sizeof own, &own) == 0) {
        assert_int_equal(stoa_cpu_count(), CPU_COUNT(&own));
    }
}

static void reads_the_cpus_name(void **state) {
    (void)state;
    static const char text[] =
        "processor\t: 0\nmodel name\t: Some CPU 9 @ 4 GHz\nmodel\t\t: 2\nempty\t:\ncpu MHz\t\t: "
        "2596.1\n";
    char value[64];
    stoa_cpuinfo_value(text, "model name", value, sizeof value);
    assert_string_equal(value, "Some CPU 9 @ 4 GHz");
    stoa_cpuinfo_value(text, "model", value, sizeof value);
    assert_string_equal(value, "2");
    stoa_cpuinfo_value(text, "model name", value, 5);
    assert_string_equal(value, "Some");
    stoa_cpuinfo_value(text, "empty", value, sizeof value);
    assert_string_equal(value, "");
    stoa_cpuinfo_value(text, "missing", value, sizeof value);
    assert_string_equal(value, "");
    stoa_cpuinfo_value("", "model name", value, sizeof value);
    assert_string_equal(value, "");
}

static void reads_the_chosen_word(void **state) {
    (void)state;
    const char *const texts[][2] = {{"always [madvise] never\n", "madvise"},
                                    {"[always] madvise never\n", "always"},
                                    {"always madvise never", ""},
                                    {"always [madvise", ""},
                                    {"] [", ""},
                                    {"[]", ""},
                                    {"", ""},
                                    {"[much longer than fits]", "much lo"}};
    char word[8];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        memset(word, 0xFF, sizeof word);
        stoa_chosen_word(texts[i][0], word, sizeof word);
        assert_string_equal(word, texts[i][1]);
    }
}

static void describes_the_machine(void **state) {
    (void)state;
    stoa_machine_state machine;
    memset(&machine, 0xFF, sizeof machine);
    stoa_machine_describe(&machine);
    assert_int_equal(machine.cpus, stoa_cpu_count());
    assert_non_null(memchr(machine.cpu_model, '\0', sizeof machine.cpu_model));
    assert_non_null(memchr(machine.huge_pages, '\0', sizeof machine.huge_pages));
    const double fields[] = {machine.cpu_quota, machine.load, machine.frequency_mhz,
                             machine.max_frequency_mhz};
    for (size_t i = 0; i < 4; i++) {
        assert_true(isfinite(fields[i]));
    }
    assert_true(machine.load >= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures),
        cmocka_unit_test(measures_latency_between_cpus),
        cmocka_unit_test(finds_a_limit_or_none),
        cmocka_unit_test(checks_the_blas),
        cmocka_unit_test(refuses_bad_arguments),
        cmocka_unit_test(tells_when_memory_is_out),
        cmocka_unit_test(reads_quotas),
        cmocka_unit_test(finds_the_least_quota_on_the_way_up),
        cmocka_unit_test(takes_as_many_threads_as_a_quota_keeps_busy),
        cmocka_unit_test(counts_cpus_beyond_a_thousand),
        cmocka_unit_test(reads_the_cpus_name),
        cmocka_unit_test(reads_the_chosen_word),
        cmocka_unit_test(describes_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
