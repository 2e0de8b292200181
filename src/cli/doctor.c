/* SPDX-License-Identifier: MIT */
/* `stoa doctor`: what this machine and its BLAS can do, and what stands in the way. Public headers
 * only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/environment.h"
#include "cli/open.h"
#include "cli/report.h"

/* Squares show the BLAS at its best; the others are what convolutions make of layers: 3x3 on 16 maps of
 * 28x28, 3x3 on 64 maps of 7x7, batch 32. */
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

static stoa_status measure_shape(stoa_context *context, size_t shape, size_t threads, double seconds,
                                 double *gflops) {
    return stoa_measure_gemm(context, shapes[shape][0], shapes[shape][1], shapes[shape][2], threads,
                             GEMM_SHARE * seconds, gflops);
}

/* On one thread and on all; once where that is the same. */
static stoa_status measure_rates(stoa_context *context, double seconds, struct doctor_findings *found) {
    stoa_status status = stoa_measure_fma(context, 1, FMA_SHARE * seconds, &found->fma.one);
    for (size_t i = 0; i < DOCTOR_SHAPES && status == STOA_OK; i++) {
        status = measure_shape(context, i, 1, seconds, &found->shapes[i].rate.one);
    }
    if (status == STOA_OK && found->threads == 1) {
        found->fma.all = found->fma.one;
        for (size_t i = 0; i < DOCTOR_SHAPES; i++) {
            found->shapes[i].rate.all = found->shapes[i].rate.one;
        }
    } else if (status == STOA_OK) {
        status = stoa_measure_fma(context, 0, FMA_SHARE * seconds, &found->fma.all);
        for (size_t i = 0; i < DOCTOR_SHAPES && status == STOA_OK; i++) {
            status = measure_shape(context, i, 0, seconds, &found->shapes[i].rate.all);
        }
    }
    for (size_t i = 0; i < SQUARES; i++) {
        found->gemm.one = larger(found->gemm.one, found->shapes[i].rate.one);
        found->gemm.all = larger(found->gemm.all, found->shapes[i].rate.all);
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
                                    .isa = stoa_context_isa(context),
                                    .tuning = stoa_context_tuning(context),
                                    .tuning_sum = stoa_context_tuning_sum(context)};
    char *advice[DOCTOR_ADVICE];
    for (size_t i = 0; i < DOCTOR_SHAPES; i++) {
        memcpy(found.shapes[i].size, shapes[i], sizeof shapes[i]);
    }
    stoa_machine_describe(&found.machine); /* before the measurements are part of the load */
    stoa_blas_describe(&found.blas);
    found.chosen_by = who_chose(&found.blas);
    stoa_status status = measure(context, seconds, &found);
    if (status != STOA_OK) {
        return cli_fail_library(context, status);
    }
    size_t count = doctor_advise(&found, advice);
    if (request->json) {
        doctor_print_json(&found, advice, count);
    } else {
        doctor_print_text(&found, advice, count);
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
