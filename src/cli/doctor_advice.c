/* SPDX-License-Identifier: MIT */
/* From findings to advice: one line each, none where all is well. Public headers only. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/report.h"

/* Lines are taken in the order of what they cost. */
struct lines {
    char **line;
    size_t count;
};

static void add(struct lines *lines, char *line) {
    if (lines->count < DOCTOR_ADVICE) {
        lines->line[lines->count++] = line;
    } else {
        free(line);
    }
}

static void advise_on_promises(const struct doctor_findings *found, struct lines *lines) {
    if (!found->checks.concurrent) {
        add(lines,
            cli_text("this BLAS computes wrong products when several threads call it: link another one, or "
                     "use --threads 1"));
    }
    if (found->blas.integer_bits == 64) {
        add(lines,
            cli_text(
                "this BLAS has 64-bit integers, the engine passes 32: link the build with 32-bit integers"));
    }
    if (!found->checks.beta_zero) {
        add(lines,
            cli_text("beta = 0 does not overwrite NaN in this BLAS: the engine clears results first, which "
                     "costs time; OpenBLAS does not need it"));
    }
}

static void advise_on_core(const struct doctor_findings *found, struct lines *lines) {
    const stoa_blas_info *blas = &found->blas;
    /* What measured less, or no more than two runs of the same differ by, is not advised. */
    static const double GAIN = 1.05;
    bool no_faster = found->better_gflops > 0 && found->better_gflops < GAIN * found->gemm.all;
    if (!blas->better_core || no_faster) {
        return;
    }
    char *reaches = found->better_gflops > 0
                        ? cli_text("%s reaches %.0f GFLOP/s here instead of %.0f", blas->better_core,
                                   found->better_gflops, found->gemm.all)
                        : cli_text("%s suits this CPU better than what gives %.0f GFLOP/s", blas->better_core,
                                   found->gemm.all);
    if (strcmp(found->chosen_by, "OPENBLAS_CORETYPE") == 0) {
        add(lines,
            cli_text("OPENBLAS_CORETYPE holds OpenBLAS at its %s core: %s; unset it", blas->core, reaches));
    } else {
        add(lines, cli_text("OpenBLAS chose its %s core: %s; set OPENBLAS_CORETYPE=%s", blas->core, reaches,
                            blas->better_core));
    }
    free(reaches);
}

static void advise_on_speed(const struct doctor_findings *found, struct lines *lines) {
    /* Fast libraries reach 80 % and more on one thread; plain loops one tenth. */
    double share = found->fma.one > 0 ? found->gemm.one / found->fma.one : 1;
    advise_on_core(found, lines);
    if (strcmp(found->blas.name, "cblas") == 0) {
        add(lines,
            cli_text(
                "the BLAS is none of OpenBLAS, BLIS and MKL and reaches %.0f %% of the multiply-add limit: "
                "install OpenBLAS",
                100 * share));
    } else if (share < 0.4 && !found->blas.better_core) {
        add(lines,
            cli_text(
                "sgemm reaches %.0f %% of the multiply-add limit on one thread: this %s has no kernels for "
                "this CPU, a newer one may",
                100 * share, found->blas.name));
    }
    if (found->isa < stoa_isa_best()) {
        add(lines, cli_text("STOA_CPU holds the kernels at %s, this CPU has %s: unset it",
                            stoa_isa_name(found->isa), stoa_isa_name(stoa_isa_best())));
    }
}

static void advise_on_machine(const struct doctor_findings *found, struct lines *lines) {
    const stoa_machine_state *machine = &found->machine;
    double cpus = machine->cpus;
    double busy = ceil(machine->cpu_quota); /* as many threads as there are by default */
    if (machine->cpu_quota >= 0 && busy < (double)found->threads) {
        add(lines,
            cli_text(
                "the control group may use %.3g CPUs, %zu threads take turns on them: use --threads %.0f or "
                "raise the quota",
                machine->cpu_quota, found->threads, fmax(1, busy)));
    } else if ((double)found->threads > cpus) {
        add(lines, cli_text("%zu threads share %d CPUs: use --threads %d", found->threads, machine->cpus,
                            machine->cpus));
    }
    if (machine->load > 0.5 * cpus) {
        add(lines,
            cli_text(
                "the load average was %.2f on %d CPUs: other programs slow these figures down, measure on an "
                "idle machine",
                machine->load, machine->cpus));
    }
    if (strcmp(machine->huge_pages, "never") == 0) {
        add(lines, cli_text("the system gives no transparent huge pages, without which wide layers vary from "
                            "process to process: as root, echo madvise > "
                            "/sys/kernel/mm/transparent_hugepage/enabled"));
    }
    /* Beyond two microseconds it was other programs that kept the threads waiting, which the load says. */
    if (found->latency > 120 && found->latency < 2000) {
        add(lines,
            cli_text(
                "a cache line takes %.0f ns from CPU to CPU, they lie on different complexes or sockets: "
                "small networks may run faster with --threads 1 or on neighbouring CPUs (taskset)",
                found->latency));
    }
}

size_t doctor_advise(const struct doctor_findings *found, char *advice[DOCTOR_ADVICE]) {
    struct lines lines = {.line = advice};
    advise_on_promises(found, &lines);
    advise_on_speed(found, &lines);
    advise_on_machine(found, &lines);
    return lines.count;
}
