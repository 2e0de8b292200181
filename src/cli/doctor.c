/* `stoa doctor`: what this machine and its BLAS can do, and what stands in the way. Floor 9: public headers only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/environment.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"

/* Squares show the BLAS at its best; the others are what convolutions make of layers: 3x3 on 16 maps of 28x28, 3x3 on
 * 64 maps of 7x7, batch 32. */
enum { SQUARES = 2 };
static const size_t shapes[DOCTOR_SHAPES][3] = {
    {512, 512, 512}, {1024, 1024, 1024}, {25088, 16, 144}, {1568, 64, 576}};

static const double DEFAULT_SECONDS = 4;

/* Shares of the time: two of FMA_SHARE, two of GEMM_SHARE a shape, one of each other. */
static const double FMA_SHARE = 0.06, GEMM_SHARE = 0.07, SMALL_SHARE = 0.12, MEMORY_SHARE = 0.14,
                    LATENCY_SHARE = 0.06;

static double larger(double a, double b) {
    return a > b ? a : b;
}

static double ratio(double part, double whole) {
    return whole > 0 ? part / whole : 0;
}

static stoa_status measure_shape(stoa_context *context, size_t shape, size_t threads, double seconds,
                                 double *gflops) {
    return stoa_measure_gemm(context, shapes[shape][0], shapes[shape][1], shapes[shape][2], threads,
                             GEMM_SHARE * seconds, gflops);
}

/* On one thread and on all; once where that is the same. */
static stoa_status measure_rates(stoa_context *context, double seconds, struct doctor_findings *found) {
    stoa_status status = stoa_measure_fma(context, 1, FMA_SHARE * seconds, &found->fma.one);
    for (size_t i = 0; i < DOCTOR_SHAPES && status == STOA_OK; i++) {
        status = measure_shape(context, i, 1, seconds, &found->shapes[i].one);
    }
    if (status == STOA_OK && found->threads == 1) {
        found->fma.all = found->fma.one;
        for (size_t i = 0; i < DOCTOR_SHAPES; i++) {
            found->shapes[i].all = found->shapes[i].one;
        }
    } else if (status == STOA_OK) {
        status = stoa_measure_fma(context, 0, FMA_SHARE * seconds, &found->fma.all);
        for (size_t i = 0; i < DOCTOR_SHAPES && status == STOA_OK; i++) {
            status = measure_shape(context, i, 0, seconds, &found->shapes[i].all);
        }
    }
    for (size_t i = 0; i < SQUARES; i++) {
        found->gemm.one = larger(found->gemm.one, found->shapes[i].one);
        found->gemm.all = larger(found->gemm.all, found->shapes[i].all);
    }
    return status;
}

static stoa_status measure(stoa_context *context, double seconds, struct doctor_findings *found) {
    stoa_status status = stoa_blas_check(context, &found->checks);
    if (status == STOA_OK) {
        status = measure_rates(context, seconds, found);
    }
    if (status == STOA_OK) {
        status = stoa_measure_small_limit(context, SMALL_SHARE * seconds, &found->small_limit);
    }
    if (status == STOA_OK) {
        status = stoa_measure_bandwidth(context, MEMORY_SHARE * seconds, &found->bandwidth);
    }
    if (status == STOA_OK) {
        status = stoa_measure_latency(context, LATENCY_SHARE * seconds, &found->latency);
    }
    if (status == STOA_OK && found->blas.better_core) {
        found->better_gflops = doctor_ask_core(found->blas.better_core, found->threads, seconds);
    }
    return status;
}

static const char *who_chose(const stoa_blas_info *blas) {
    if (!blas->core[0]) {
        return "";
    }
    if (cli_environment_chose_blas()) {
        return "stoa";
    }
    return getenv("OPENBLAS_CORETYPE") ? "OPENBLAS_CORETYPE" : blas->name;
}

static json_t *shape_json(const struct doctor_findings *found, size_t i) {
    json_t *entry = cli_json_object();
    cli_json_set(entry, "m", cli_json_count(shapes[i][0]));
    cli_json_set(entry, "n", cli_json_count(shapes[i][1]));
    cli_json_set(entry, "k", cli_json_count(shapes[i][2]));
    cli_json_set(entry, "gflops_one", cli_json_number(found->shapes[i].one));
    cli_json_set(entry, "gflops", cli_json_number(found->shapes[i].all));
    cli_json_set(entry, "share_one", cli_json_number(ratio(found->shapes[i].one, found->fma.one)));
    cli_json_set(entry, "share", cli_json_number(ratio(found->shapes[i].all, found->fma.all)));
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
    cli_json_set(out, "latency.nanoseconds", cli_json_number(found->latency));
    cli_json_set(out, "check.concurrent", json_boolean(found->checks.concurrent));
    cli_json_set(out, "check.beta_zero", json_boolean(found->checks.beta_zero));
    cli_json_set(out, "check.denormals", json_boolean(found->checks.denormals));
}

static void print_json(const struct doctor_findings *found, char *const *advice, size_t count) {
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
    (void)printf("CPU       %s%s%d CPUs, instruction set %s\n", machine->cpu_model,
                 machine->cpu_model[0] ? ", " : "", machine->cpus, stoa_isa_name(found->isa));
    (void)printf("          %zu thread%s, ", found->threads, found->threads == 1 ? "" : "s");
    (void)(machine->cpu_quota >= 0 ? printf("control group quota %.3g CPUs", machine->cpu_quota)
                                   : printf("no control group quota"));
    (void)(machine->load >= 0 ? printf(", load %.2f", machine->load) : 0);
    (void)(machine->frequency_mhz > 0 ? printf(", %.0f MHz", machine->frequency_mhz) : 0);
    (void)(machine->max_frequency_mhz > 0 ? printf(" of %.0f", machine->max_frequency_mhz) : 0);
    /* A version text that begins with the name says both. */
    bool named = strncmp(blas->version, blas->name, strlen(blas->name)) == 0;
    (void)printf("\nBLAS      %s%s%s\n          ", named ? "" : blas->name,
                 named || !blas->version[0] ? "" : " ", blas->version);
    (void)(blas->core[0] ? printf("core %s, chosen by %s; ", blas->core, found->chosen_by) : 0);
    (void)(blas->threading[0] ? printf("threading %s, ", blas->threading) : 0);
    (void)(blas->threads ? printf("%zu of its own threads, ", blas->threads) : 0);
    (void)(blas->integer_bits ? printf("%d-bit integers\n", blas->integer_bits)
                              : printf("integers not known\n"));
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
    struct cli_word word = {""};
    cli_table_cell(&table, "GFLOP/s");
    cli_table_cell(&table, "1 thread");
    cli_table_cell(&table, "share");
    cli_table_cell(&table, "%zu thread%s", found->threads, found->threads == 1 ? "" : "s");
    cli_table_cell(&table, "share");
    add_rate(&table, found, "multiply-add limit", &found->fma);
    for (size_t i = 0; i < DOCTOR_SHAPES; i++) {
        char *name = cli_text("sgemm %s", cli_word_shape(&word, shapes[i], 3));
        add_rate(&table, found, name, &found->shapes[i]);
        free(name);
    }
    (void)puts("");
    cli_table_print(&table);
}

static const char *yes(bool kept) {
    return kept ? "yes" : "NO";
}

static void print_text(const struct doctor_findings *found, char *const *advice, size_t count) {
    struct cli_word word = {""};
    print_system(found);
    print_rates(found);
    (void)puts("");
    (void)(found->small_limit ? printf("products without packing       up to m*n*k = %s\n",
                                       cli_word_count(&word, found->small_limit))
                              : printf("products without packing       none\n"));
    (void)printf("memory                         %.1f GB/s\n", found->bandwidth);
    (void)(found->latency > 0 ? printf("a cache line from CPU to CPU   %.0f ns\n", found->latency) : 0);
    (void)printf("right from several threads     %s\n", yes(found->checks.concurrent));
    (void)printf("beta = 0 overwrites NaN        %s\n", yes(found->checks.beta_zero));
    (void)printf("denormal numbers are kept      %s\n", yes(found->checks.denormals));
    if (count > 0) {
        (void)puts("\nAdvice:");
    }
    for (size_t i = 0; i < count; i++) {
        (void)printf("- %s\n", advice[i]);
    }
}

/* In the process that doctor_ask_core() starts. */
static int answer(stoa_context *context, double seconds) {
    double best = 0;
    for (size_t i = 0; i < SQUARES; i++) {
        double gflops = 0;
        stoa_status status = measure_shape(context, i, 0, seconds, &gflops);
        if (status != STOA_OK) {
            return cli_fail_library(context, status);
        }
        best = larger(best, gflops);
    }
    return doctor_answer(best);
}

static int examine(const struct cli_request *request, stoa_context *context, double seconds) {
    struct doctor_findings found = {.threads = stoa_context_threads(context),
                                    .isa = stoa_context_isa(context)};
    char *advice[DOCTOR_ADVICE];
    stoa_machine_describe(&found.machine); /* before the measurements are part of the load */
    stoa_blas_describe(&found.blas);
    found.chosen_by = who_chose(&found.blas);
    stoa_status status = measure(context, seconds, &found);
    if (status != STOA_OK) {
        return cli_fail_library(context, status);
    }
    size_t count = doctor_advise(&found, advice);
    if (request->json) {
        print_json(&found, advice, count);
    } else {
        print_text(&found, advice, count);
    }
    for (size_t i = 0; i < count; i++) {
        free(advice[i]);
    }
    return CLI_DONE;
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    double seconds = request->seconds > 0 ? request->seconds : DEFAULT_SECONDS;
    int code = cli_open_context(request, &subject);
    if (code == CLI_DONE) {
        code =
            doctor_is_asked() ? answer(subject.context, seconds) : examine(request, subject.context, seconds);
    }
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"threads", "seconds", "json", NULL};

const struct cli_command cli_doctor = {
    .name = "doctor",
    .summary = "what machine and BLAS can do, and what stands in the way",
    .usage = "doctor [options]",
    .description =
        "Measure products, multiply-adds, memory and the way from CPU to CPU, check what the engine relies "
        "on,\n"
        "and print a line of advice for each finding; none where all is well. Where OpenBLAS does not use\n"
        "the best core for this CPU, the better one is measured in a second process.",
    .examples = "  stoa doctor\n"
                "  stoa doctor --threads 1 --seconds 10 --json",
    .options = option_names,
    .operand = "nothing",
    .multiplies = true,
    .run = run,
};
