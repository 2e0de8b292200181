/* SPDX-License-Identifier: MIT */
/* What the doctor found, for people and as JSON. Public headers only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/report.h"
#include "cli/table.h"

static double ratio(double part, double whole) {
    return whole > 0 ? part / whole : 0;
}

static json_t *shape_json(const struct doctor_findings *found, size_t i) {
    const struct doctor_shape *shape = &found->shapes[i];
    json_t *entry = cli_json_object();
    cli_json_set(entry, "m", cli_json_count(shape->size[0]));
    cli_json_set(entry, "n", cli_json_count(shape->size[1]));
    cli_json_set(entry, "k", cli_json_count(shape->size[2]));
    cli_json_set(entry, "gflops_one", cli_json_number(shape->rate.one));
    cli_json_set(entry, "gflops", cli_json_number(shape->rate.all));
    cli_json_set(entry, "share_one", cli_json_number(ratio(shape->rate.one, found->fma.one)));
    cli_json_set(entry, "share", cli_json_number(ratio(shape->rate.all, found->fma.all)));
    return entry;
}

/* Figures that are negative are not known. */
static json_t *known_json(double value) {
    return value < 0 ? json_null() : cli_json_number(value);
}

static void add_system(json_t *out, const struct doctor_findings *found) {
    const stoa_blas_info *blas = &found->blas;
    cli_json_set(out, "cpu.model", cli_json_text(found->machine.cpu_model));
    cli_json_set(out, "cpu.isa", cli_json_text(stoa_isa_name(found->isa)));
    cli_json_set(out, "tuning.name", cli_json_text(found->tuning));
    cli_json_set(out, "tuning.sum", cli_json_text(found->tuning_sum));
    cli_json_set(out, "cpu.count", cli_json_count((size_t)found->machine.cpus));
    cli_json_set(out, "cpu.quota", known_json(found->machine.cpu_quota));
    cli_json_set(out, "cpu.load", known_json(found->machine.load));
    cli_json_set(out, "cpu.mhz", known_json(found->machine.frequency_mhz));
    cli_json_set(out, "cpu.max_mhz", known_json(found->machine.max_frequency_mhz));
    cli_json_set(out, "threads", cli_json_count(found->threads));
    cli_json_set(out, "blas.name", cli_json_text(blas->name));
    cli_json_set(out, "blas.version", cli_json_text(blas->version));
    cli_json_set(out, "blas.core", cli_json_text(blas->core));
    cli_json_set(out, "blas.chosen_by", cli_json_text(found->chosen_by));
    cli_json_set(out, "blas.better_core", blas->better_core ? cli_json_text(blas->better_core) : json_null());
    cli_json_set(out, "blas.better_gflops",
                 found->better_gflops > 0 ? cli_json_number(found->better_gflops) : json_null());
    cli_json_set(out, "blas.threads", cli_json_count(blas->threads));
    cli_json_set(out, "blas.threading", cli_json_text(blas->threading));
    cli_json_set(out, "blas.integer_bits", cli_json_count((size_t)blas->integer_bits));
}

static void add_figures(json_t *out, const struct doctor_findings *found) {
    json_t *list = cli_json_array();
    for (size_t i = 0; i < DOCTOR_SHAPES; i++) {
        cli_json_append(list, shape_json(found, i));
    }
    cli_json_set(out, "fma.gflops_one", cli_json_number(found->fma.one));
    cli_json_set(out, "fma.gflops", cli_json_number(found->fma.all));
    cli_json_set(out, "gemm.gflops_one", cli_json_number(found->gemm.one));
    cli_json_set(out, "gemm.gflops", cli_json_number(found->gemm.all));
    cli_json_set(out, "gemm.share_one", cli_json_number(ratio(found->gemm.one, found->fma.one)));
    cli_json_set(out, "gemm.share", cli_json_number(ratio(found->gemm.all, found->fma.all)));
    cli_json_set(out, "gemm.shapes", list);
    cli_json_set(out, "gemm.small_limit", cli_json_count(found->small_limit));
    cli_json_set(out, "memory.gigabytes_per_second", cli_json_number(found->bandwidth));
    cli_json_set(out, "memory.huge_pages",
                 found->machine.huge_pages[0] ? cli_json_text(found->machine.huge_pages) : json_null());
    cli_json_set(out, "latency.nanoseconds", cli_json_number(found->latency));
    cli_json_set(out, "check.concurrent", json_boolean(found->checks.concurrent));
    cli_json_set(out, "check.beta_zero", json_boolean(found->checks.beta_zero));
    cli_json_set(out, "check.denormals", json_boolean(found->checks.denormals));
}

void doctor_print_json(const struct doctor_findings *found, char *const *advice, size_t count) {
    json_t *out = cli_json_object(), *lines = cli_json_array();
    for (size_t i = 0; i < count; i++) {
        cli_json_append(lines, cli_json_text(advice[i]));
    }
    add_system(out, found);
    add_figures(out, found);
    cli_json_set(out, "advice", lines);
    cli_json_print(out);
}

static void print_system(const struct doctor_findings *found) {
    const stoa_machine_state *machine = &found->machine;
    const stoa_blas_info *blas = &found->blas;
    cli_print("CPU       %s%s%d CPUs, instruction set %s\n", machine->cpu_model,
              machine->cpu_model[0] ? ", " : "", machine->cpus, stoa_isa_name(found->isa));
    cli_print("          tuning table %s (%s)\n", found->tuning, found->tuning_sum);
    cli_print("          %zu thread%s, ", found->threads, found->threads == 1 ? "" : "s");
    if (machine->cpu_quota >= 0) {
        cli_print("control group quota %.3g CPUs", machine->cpu_quota);
    } else {
        cli_print("no control group quota");
    }
    if (machine->load >= 0) {
        cli_print(", load %.2f", machine->load);
    }
    if (machine->frequency_mhz > 0) {
        cli_print(", %.0f MHz", machine->frequency_mhz);
    }
    if (machine->max_frequency_mhz > 0) {
        cli_print(" of %.0f", machine->max_frequency_mhz);
    }
    /* A version text that begins with the name says both. */
    bool named = strncmp(blas->version, blas->name, strlen(blas->name)) == 0;
    cli_print("\nBLAS      %s%s%s\n          ", named ? "" : blas->name,
              named || !blas->version[0] ? "" : " ", blas->version);
    if (blas->core[0]) {
        cli_print("core %s, chosen by %s; ", blas->core, found->chosen_by);
    }
    if (blas->threading[0]) {
        cli_print("threading %s, ", blas->threading);
    }
    if (blas->threads) {
        cli_print("%zu of its own threads, ", blas->threads);
    }
    if (blas->integer_bits) {
        cli_print("%d-bit integers\n", blas->integer_bits);
    } else {
        cli_print("integers not known\n");
    }
}

static void add_rate(struct cli_table *table, const struct doctor_findings *found, const char *name,
                     const struct doctor_rate *rate) {
    cli_table_cell(table, "%s", name);
    cli_table_cell(table, "%.1f", rate->one);
    cli_table_cell(table, "%.0f %%", 100 * ratio(rate->one, found->fma.one));
    cli_table_cell(table, "%.1f", rate->all);
    cli_table_cell(table, "%.0f %%", 100 * ratio(rate->all, found->fma.all));
}

static void print_rates(const struct doctor_findings *found) {
    struct cli_table table = {.columns = "lrrrr"};
    struct report_words word = {""};
    cli_table_cell(&table, "GFLOP/s");
    cli_table_cell(&table, "1 thread");
    cli_table_cell(&table, "share");
    cli_table_cell(&table, "%zu thread%s", found->threads, found->threads == 1 ? "" : "s");
    cli_table_cell(&table, "share");
    add_rate(&table, found, "multiply-add limit", &found->fma);
    for (size_t i = 0; i < DOCTOR_SHAPES; i++) {
        char *name = cli_text("sgemm %s", report_shape_words(&word, found->shapes[i].size, 3));
        add_rate(&table, found, name, &found->shapes[i].rate);
        free(name);
    }
    (void)puts("");
    cli_table_print(&table);
}

static const char *yes(bool kept) {
    return kept ? "yes" : "NO";
}

void doctor_print_text(const struct doctor_findings *found, char *const *advice, size_t count) {
    struct report_words word = {""};
    print_system(found);
    print_rates(found);
    (void)puts("");
    (void)(found->small_limit ? printf("products without packing       up to m*n*k = %s\n",
                                       report_count_words(&word, found->small_limit))
                              : printf("products without packing       none\n"));
    (void)printf("memory                         %.1f GB/s\n", found->bandwidth);
    (void)(found->machine.huge_pages[0]
               ? printf("transparent huge pages         %s\n", found->machine.huge_pages)
               : 0);
    (void)(found->latency > 0 ? printf("a cache line from CPU to CPU   %.0f ns\n", found->latency) : 0);
    (void)printf("right from several threads     %s\n", yes(found->checks.concurrent));
    (void)printf("beta = 0 overwrites NaN        %s\n", yes(found->checks.beta_zero));
    (void)printf("denormal numbers are kept      %s\n", yes(found->checks.denormals));
    if (count > 0) {
        (void)puts("\nAdvice:");
    }
    for (size_t i = 0; i < count; i++) {
        cli_print("- %s\n", advice[i]);
    }
}
