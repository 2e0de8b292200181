/* SPDX-License-Identifier: MIT */
/* What was measured where: machine, BLAS, compiler, commit, and the state of the machine before and after, as
 * the "context" of the JSON and as lines for people. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <stoa/blas.h>
#include <stoa/machine.h>
#include <stoa/version.h>

#include "bench/bench.h"
#include "bench/columns.h"
#include "bench_commit.h"
#include "blas/vendor.h"

static const double LATENCY_SECONDS = 0.05, LIMIT_SECONDS = 0.15;

static void add_date(json_t *about) {
    char date[64] = "";
    time_t now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local)) {
        (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S%z", &local);
    }
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    cli_json_set(about, "date", cli_json_text(date));
    cli_json_set(about, "host_name", cli_json_text(host));
}

/* The first line of a file of the system, without its end; false when there is none. */
static bool read_line(const char *path, char *line, size_t size) {
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    bool read = fgets(line, (int)size, file) != NULL;
    (void)fclose(file);
    line[read ? strcspn(line, "\n") : 0] = '\0';
    return read;
}

static bool read_cache_line(size_t index, const char *what, char *line, size_t size) {
    char path[128];
    (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%zu/%s", index, what);
    return read_line(path, line, size);
}

/* CPUs in a list such as "0-3,8". */
static size_t count_listed(const char *list) {
    size_t count = 0;
    while (*list) {
        char *end;
        unsigned long first = strtoul(list, &end, 10), last = first;
        if (*end == '-') {
            last = strtoul(end + 1, &end, 10);
        }
        count += last - first + 1;
        list = *end == ',' ? end + 1 : "";
    }
    return count;
}

static json_t *describe_caches(void) {
    json_t *caches = cli_json_array();
    char type[32], level[32], size[32], shared[256];
    for (size_t i = 0;
         read_cache_line(i, "type", type, sizeof type) && read_cache_line(i, "level", level, sizeof level) &&
         read_cache_line(i, "size", size, sizeof size) &&
         read_cache_line(i, "shared_cpu_list", shared, sizeof shared);
         i++) {
        char *unit;
        unsigned long bytes = strtoul(size, &unit, 10);
        bytes *= *unit == 'K' ? 1UL << 10 : *unit == 'M' ? 1UL << 20 : 1;
        json_t *cache = cli_json_object();
        cli_json_set(cache, "type", cli_json_text(type));
        cli_json_set(cache, "level", cli_json_count(strtoul(level, NULL, 10)));
        cli_json_set(cache, "size", cli_json_count(bytes));
        cli_json_set(cache, "num_sharing", cli_json_count(count_listed(shared)));
        cli_json_append(caches, cache);
    }
    return caches;
}

static json_t *describe_load(void) {
    double load[3];
    json_t *array = cli_json_array();
    int known = getloadavg(load, 3);
    for (int i = 0; i < known; i++) {
        cli_json_append(array, cli_json_number(load[i]));
    }
    return array;
}

/* Whether the clock follows the load; null where the system does not say, as on most virtual machines. */
static json_t *describe_scaling(void) {
    char governor[64];
    if (!read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor, sizeof governor)) {
        return json_null();
    }
    return json_boolean(strcmp(governor, "performance") != 0);
}

static json_t *known(double value) {
    return value < 0 ? json_null() : cli_json_number(value);
}

static void add_machine(json_t *about) {
    stoa_machine_state state;
    stoa_machine_describe(&state);
    cli_json_set(about, "num_cpus", cli_json_count(state.cpus > 0 ? (size_t)state.cpus : 0));
    cli_json_set(about, "mhz_per_cpu", known(state.frequency_mhz));
    cli_json_set(about, "cpu_scaling_enabled", describe_scaling());
    cli_json_set(about, "caches", describe_caches());
    cli_json_set(about, "load_avg", describe_load());
    cli_json_set(about, "cpu_model", cli_json_text(state.cpu_model));
    cli_json_set(about, "cpu_quota", known(state.cpu_quota));
    cli_json_set(about, "max_mhz_per_cpu", known(state.max_frequency_mhz));
}

static void add_build(const struct bench *bench) {
    json_t *about = bench->about;
    cli_json_set(about, "library_build_type",
                 cli_json_text(strncmp(BENCH_BUILD, "release", 7) == 0 ? "release" : "debug"));
    cli_json_set(about, "stoa_version", cli_json_text(stoa_version()));
    cli_json_set(about, "commit", cli_json_text(BENCH_COMMIT));
    cli_json_set(about, "compiler", cli_json_text(BENCH_COMPILER));
    cli_json_set(about, "flags", cli_json_text(BENCH_FLAGS));
    cli_json_set(about, "isa", cli_json_text(stoa_isa_name(stoa_context_isa(bench->context))));
    cli_json_set(about, "policy", cli_json_text(stoa_policy_name(stoa_context_policy(bench->context))));
    cli_json_set(about, "tuning", cli_json_text(stoa_context_tuning(bench->context)));
    cli_json_set(about, "tuning_sum", cli_json_text(stoa_context_tuning_sum(bench->context)));
    const char *conv = stoa_context_conv(bench->context);
    cli_json_set(about, "conv", conv ? cli_json_text(conv) : json_null());
    cli_json_set(about, "threads", cli_json_count(bench->threads));
}

static void add_blas(json_t *about) {
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    cli_json_set(about, "blas_name", cli_json_text(blas.name));
    cli_json_set(about, "blas_version", cli_json_text(blas.version));
    cli_json_set(about, "blas_core", cli_json_text(blas.core));
    cli_json_set(about, "blas_threading", cli_json_text(blas.threading));
    cli_json_set(about, "blas_threads", cli_json_count(blas.threads));
    cli_json_set(about, "blas_better_core", blas.better_core ? cli_json_text(blas.better_core) : json_null());
}

/* Microseconds are no distance of CPUs: other programs kept a thread waiting. It is tried again then, and not
 * known (null) where that does not help. */
static void add_latency(const struct bench *bench, const char *key) {
    enum { ATTEMPTS = 4 };
    static const double MOST_NANOSECONDS = 2000;
    double nanoseconds = 0;
    bool known = false;
    for (int i = 0; i < ATTEMPTS && !known; i++) {
        known = stoa_measure_latency(bench->context, LATENCY_SECONDS, &nanoseconds) == STOA_OK &&
                nanoseconds <= MOST_NANOSECONDS;
    }
    cli_json_set(bench->about, key, known ? cli_json_number(nanoseconds) : json_null());
}

/* What arithmetic and memory allow: the roofs that `plot` draws over the results. */
static void add_limits(const struct bench *bench) {
    double fma, memory;
    if (stoa_measure_fma(bench->context, bench->threads, LIMIT_SECONDS, &fma) == STOA_OK) {
        cli_json_set(bench->about, "fma_flops_per_second", cli_json_number(1e9 * fma));
    }
    if (stoa_measure_bandwidth(bench->context, LIMIT_SECONDS, &memory) == STOA_OK) {
        cli_json_set(bench->about, "memory_bytes_per_second", cli_json_number(1e9 * memory));
    }
}

void bench_about_before(struct bench *bench) {
    add_date(bench->about);
    cli_json_set(bench->about, "executable", cli_json_text(bench->arguments[0]));
    add_machine(bench->about);
    add_build(bench);
    add_blas(bench->about);
    add_latency(bench, "core_latency_before_ns");
    if (bench->options.json) {
        add_limits(bench);
    }
}

static void print_latency(const json_t *before, const json_t *after) {
    if (!json_is_number(before) || !json_is_number(after)) {
        (void)puts("\ncore to core: not known, other programs kept the threads waiting");
        return;
    }
    double first = json_number_value(before), second = json_number_value(after);
    (void)printf("\ncore to core %.0f ns before, %.0f ns after\n", first, second);
    if (first > 1.5 * second || second > 1.5 * first) {
        (void)puts("The distance of the CPUs changed during the run: repeat it.");
    }
}

void bench_about_after(struct bench *bench) {
    add_latency(bench, "core_latency_after_ns");
    cli_json_set(bench->about, "load_avg_after", describe_load());
    print_latency(json_object_get(bench->about, "core_latency_before_ns"),
                  json_object_get(bench->about, "core_latency_after_ns"));
}

static const char *text_of(const struct bench *bench, const char *key) {
    const char *text = json_string_value(json_object_get(bench->about, key));
    return text ? text : "";
}

static double number_of(const struct bench *bench, const char *key) {
    return json_number_value(json_object_get(bench->about, key));
}

void bench_about_print(const struct bench *bench) {
    bench_print_text("stoa %s (%s, %s), policy %s, tuning %s (%s)", text_of(bench, "stoa_version"),
                     text_of(bench, "commit"), text_of(bench, "compiler"), text_of(bench, "policy"),
                     text_of(bench, "tuning"), text_of(bench, "tuning_sum"));
    bench_print_text("%s, %zu thread%s, %s", text_of(bench, "cpu_model"), bench->threads,
                     bench->threads == 1 ? "" : "s", text_of(bench, "isa"));
    bench_print_text("%s, core %s", text_of(bench, "blas_version"), text_of(bench, "blas_core"));
    stoa_isa isa = stoa_context_isa(bench->context);
    if (stoa_blas_core_rank(text_of(bench, "blas_core")) > (int)isa) {
        (void)printf("This core goes beyond %s; --isa chooses one that does not, where OPENBLAS_CORETYPE is "
                     "not set.\n",
                     stoa_isa_name(isa));
    } else if (text_of(bench, "blas_better_core")[0] && isa == stoa_isa_best()) {
        (void)printf("OPENBLAS_CORETYPE or the library chose this core; %s suits the CPU better.\n",
                     text_of(bench, "blas_better_core"));
    }
    double load = json_number_value(json_array_get(json_object_get(bench->about, "load_avg"), 0));
    double quota = number_of(bench, "cpu_quota"), cpus = number_of(bench, "num_cpus");
    /* What spoils times is said before them. */
    if (load > 0.5) {
        (void)printf("Other work runs on this machine: load %.1f on %.0f CPUs.\n", load, cpus);
    }
    if (quota > 0 && quota < (double)bench->threads) {
        (void)printf("The control group allows %.1f CPUs, fewer than the threads.\n", quota);
    }
    if (json_is_true(json_object_get(bench->about, "cpu_scaling_enabled"))) {
        (void)puts("The CPU's frequency follows its load; the governor 'performance' would hold it.");
    }
    if (strcmp(text_of(bench, "library_build_type"), "release") != 0) {
        (void)puts("This is not a release build: its times mean nothing.");
    }
    (void)puts("");
}
