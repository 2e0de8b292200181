/* SPDX-License-Identifier: MIT */
/* `stoa-bench ops`: kernels whose speed is memory's, in GB/s of the bytes they have to move, in cache and
 * beyond it, beside the bandwidth measured on the spot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/machine.h>

#include "bench/bench.h"
#include "bench/columns.h"
#include "bench/ops_cases.h"
#include "bench/ops_fused.h"
#include "bench/progress.h"

enum { SIZES = 2 };
static const char *const size_names[SIZES] = {"cache", "memory"};

struct ops {
    struct bench *bench;
    bool isa[STOA_ISA_COUNT];
    bool several;     /* instruction sets: names tell them apart */
    double bandwidth; /* GB/s */
    struct cli_table table;
    size_t begun;                          /* cases and sizes */
    bool disturbed[SIZES][STOA_ISA_COUNT]; /* of the case in hand */
};

/* One kernel of one instruction set on one set of arrays. */
struct one {
    struct bench_ops_arrays *arrays;
    const stoa_context *context;
    const struct stoa_kernels *kernels;
};

static void run_one(void *argument) {
    const struct one *one = argument;
    bench_ops_run(one->arrays, one->context, one->kernels);
}

/* Bytes of a working set: half of what a small level-2 cache holds, and more than a process finds of the
 * largest level-3 caches. */
static const size_t size_bytes[SIZES] = {(size_t)512 << 10, (size_t)256 << 20};

static int choose_isas(struct ops *ops) {
    const char *wanted = ops->bench->options.isa;
    ops->several = wanted && strcmp(wanted, "all") == 0;
    for (int i = 0; ops->several && i <= (int)stoa_isa_best(); i++) {
        ops->isa[i] = true;
    }
    if (ops->several) {
        return CLI_DONE;
    }
    stoa_isa isa = stoa_context_isa(ops->bench->context);
    int code = wanted ? bench_isa_read(wanted, " or all", &isa) : CLI_DONE;
    ops->isa[isa] = true;
    return code;
}

/* "ops/relu/elements/cache", and the instruction set where there are several. From malloc. */
static char *name_of(const struct ops *ops, const struct bench_ops_case *c, int size, int isa) {
    return cli_text("ops/%s/%s/%s%s%s", c->kernel, bench_ops_shape_text(c), size_names[size],
                    ops->several ? "/" : "", ops->several ? stoa_isa_name((stoa_isa)isa) : "");
}

/* Keep a result; GB/s. */
static double report(struct ops *ops, const struct bench_ops_case *c, int size, int isa, size_t units,
                     double error, const struct bench_times *times) {
    double bytes = bench_ops_bytes(c, units);
    double rate = bytes / times->summary.median * 1e-9;
    char *name = name_of(ops, c, size, isa);
    struct bench_record record = {.name = name, .threads = ops->bench->threads, .times = times};
    bench_note(&record, "kernel", c->kernel);
    bench_note(&record, "shape", bench_ops_shape_text(c));
    bench_note(&record, "size", size_names[size]);
    bench_note(&record, "isa", stoa_isa_name((stoa_isa)isa));
    bench_counter(&record, "bytes", bytes);
    bench_counter(&record, "bytes_per_second", bytes / times->summary.median);
    bench_counter(&record, "bandwidth_share", rate / ops->bandwidth);
    bench_counter(&record, "error_of_allowed", error);
    bench_flag(&record, "verified", error <= 1);
    bench_report(ops->bench, &record);
    free(name);
    return rate;
}

/* Instruction sets of a case that are wanted at a size; how many. */
static int wanted_isas(const struct ops *ops, const struct bench_ops_case *c, int size,
                       int isas[STOA_ISA_COUNT]) {
    int count = 0;
    for (int isa = 0; isa < STOA_ISA_COUNT; isa++) {
        char *name = name_of(ops, c, size, isa);
        if (ops->isa[isa] && bench_wanted(ops->bench, name)) {
            isas[count++] = isa;
        }
        free(name);
    }
    return count;
}

/* Verify every instruction set on arrays of the size in cache: beyond it the same ranges run, only more of
 * them, and the reference would take seconds. False, with a sentence, when a kernel is wrong. */
static bool verify(struct ops *ops, const struct bench_ops_case *c, const int *isas, int count,
                   double *errors) {
    bool right = true;
    for (int i = 0; i < count; i++) {
        struct bench_ops_arrays *arrays = bench_ops_make(c, bench_ops_units(c, size_bytes[0]) | 1);
        if (!arrays) {
            (void)cli_fail(CLI_FAILED, "ops: out of memory");
            return false;
        }
        errors[i] = bench_ops_verify(arrays, ops->bench->context, stoa_kernels_for((stoa_isa)isas[i]),
                                     ops->bench->options.self_test);
        bench_ops_free(arrays);
        if (!(errors[i] <= 1)) {
            (void)cli_fail(CLI_FAILED, "ops: %s, %s, %s: found %.3g times the error that rounding explains",
                           c->kernel, bench_ops_shape_text(c), stoa_isa_name((stoa_isa)isas[i]), errors[i]);
            right = false;
        }
    }
    return right;
}

/* Time the instruction sets in turn; rates in GB/s by instruction set. */
static bool time_size(struct ops *ops, const struct bench_ops_case *c, int size, const int *isas, int count,
                      const double *errors, double *rates) {
    size_t units = bench_ops_units(c, size_bytes[size]) | 1;
    struct bench_ops_arrays *arrays = bench_ops_make(c, units);
    if (!arrays) {
        (void)cli_fail(CLI_FAILED, "ops: out of memory for %zu MiB", size_bytes[size] >> 20);
        return false;
    }
    struct one one[STOA_ISA_COUNT];
    struct bench_case cases[STOA_ISA_COUNT];
    struct bench_times times[STOA_ISA_COUNT];
    for (int i = 0; i < count; i++) {
        one[i] = (struct one){arrays, ops->bench->context, stoa_kernels_for((stoa_isa)isas[i])};
        cases[i] = (struct bench_case){run_one, &one[i]};
    }
    bench_time(ops->bench, cases, (size_t)count, times);
    for (int i = 0; i < count; i++) {
        ops->disturbed[size][isas[i]] = bench_is_disturbed(&times[i]);
        rates[isas[i]] = report(ops, c, size, isas[i], units, errors[i], &times[i]);
        bench_times_free(&times[i]);
    }
    bench_ops_free(arrays);
    return true;
}

static void add_rows(struct ops *ops, const struct bench_ops_case *c, double rates[SIZES][STOA_ISA_COUNT]) {
    for (int isa = 0; isa < STOA_ISA_COUNT; isa++) {
        if (rates[0][isa] <= 0 && rates[1][isa] <= 0) {
            continue;
        }
        cli_table_cell(&ops->table, "%s", c->kernel);
        cli_table_cell(&ops->table, "%s", bench_ops_shape_text(c));
        cli_table_cell(&ops->table, "%s", stoa_isa_name((stoa_isa)isa));
        for (int size = 0; size < SIZES; size++) {
            if (rates[size][isa] > 0) {
                cli_table_cell(&ops->table, "%.1f%s", rates[size][isa],
                               ops->disturbed[size][isa] ? BENCH_MARK : "");
            } else {
                cli_table_cell(&ops->table, "-");
            }
        }
        if (rates[1][isa] > 0) {
            cli_table_cell(&ops->table, "%.0f %%", 100 * rates[1][isa] / ops->bandwidth);
        } else {
            cli_table_cell(&ops->table, "-");
        }
    }
}

static int run_case(struct ops *ops, const struct bench_ops_case *c) {
    double rates[SIZES][STOA_ISA_COUNT] = {{0}}, errors[STOA_ISA_COUNT];
    int isas[STOA_ISA_COUNT];
    for (int size = 0; size < SIZES; size++) {
        int count = wanted_isas(ops, c, size, isas);
        if (ops->bench->options.list) {
            for (int i = 0; i < count; i++) {
                char *name = name_of(ops, c, size, isas[i]);
                (void)puts(name);
                free(name);
            }
            continue;
        }
        if (count > 0) {
            bench_progress_step(ops->begun++, 1, "%s, %s, %s", c->kernel, bench_ops_shape_text(c),
                                size_names[size]);
        }
        if (count > 0 && (!verify(ops, c, isas, count, errors) ||
                          !time_size(ops, c, size, isas, count, errors, rates[size]))) {
            return CLI_FAILED;
        }
    }
    add_rows(ops, c, rates);
    return CLI_DONE;
}

static int measure_bandwidth(struct ops *ops) {
    stoa_status status = stoa_measure_bandwidth(ops->bench->context, 0.3, &ops->bandwidth);
    if (status != STOA_OK) {
        return cli_fail_library(ops->bench->context, status);
    }
    cli_json_set(ops->bench->about, "memory_bytes_per_second", cli_json_number(1e9 * ops->bandwidth));
    return CLI_DONE;
}

static void print_table(struct ops *ops) {
    bench_print_text("GB/s of the bytes that have to move; in cache %zu KiB, in memory %zu MiB; memory gives "
                     "%.1f GB/s",
                     size_bytes[0] >> 10, size_bytes[1] >> 20, ops->bandwidth);
    (void)puts("");
    cli_table_print(&ops->table);
}

static int run(struct bench *bench) {
    struct ops ops = {.bench = bench, .table = {.columns = "lllrrr"}};
    int code = choose_isas(&ops);
    if (code != CLI_DONE) {
        return code;
    }
    if (!bench->options.list && (code = measure_bandwidth(&ops)) != CLI_DONE) {
        return code;
    }
    static const char *const heading[] = {"kernel", "shape", "isa", "in cache", "in memory", "of bandwidth"};
    for (size_t i = 0; i < sizeof heading / sizeof *heading && !bench->options.list; i++) {
        cli_table_cell(&ops.table, "%s", heading[i]);
    }
    size_t wanted = 0;
    for (size_t i = 0; i < SIZES * bench_ops_case_count; i++) {
        int isas[STOA_ISA_COUNT];
        wanted += wanted_isas(&ops, &bench_ops_cases[i / SIZES], (int)(i % SIZES), isas) > 0;
    }
    bench_progress_begin("ops", wanted + bench_ops_fused_count(bench));
    /* A wrong kernel does not keep the others from being measured. */
    for (size_t i = 0; i < bench_ops_case_count; i++) {
        int one = run_case(&ops, &bench_ops_cases[i]);
        code = code == CLI_DONE ? one : code;
    }
    bench_progress_clear();
    if (!bench->options.list) {
        if (wanted > 0) {
            print_table(&ops);
        } else {
            cli_table_free(&ops.table);
        }
        int fused = bench_ops_fused(bench, ops.begun);
        code = code == CLI_DONE ? fused : code;
        bench_print_mark();
    }
    bench_progress_end();
    return code;
}

static const char *const options[] = {"filter",  "isa",       "json", "min-time", "repetitions", "list",
                                      "threads", "self-test", "wide", "markdown", NULL};

const struct bench_mode bench_mode_ops = {
    .name = "ops",
    .summary = "kernels at memory speed: pooling, batch norm, activations, losses, optimisers, layouts",
    .usage = "ops [options]",
    .options = options,
    .measures = true,
    .run = run,
};
