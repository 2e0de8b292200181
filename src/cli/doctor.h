/* SPDX-License-Identifier: MIT */
/* What `stoa doctor` found out, and the advice that follows from it. */
#ifndef STOA_CLI_DOCTOR_H
#define STOA_CLI_DOCTOR_H

#include <stoa/blas.h>
#include <stoa/machine.h>

/* Rates in GFLOP/s on one thread and on all. */
struct doctor_rate {
    double one, all;
};

/* A product of m x k by k x n. */
struct doctor_shape {
    size_t size[3]; /* m, n, k */
    struct doctor_rate rate;
};

enum { DOCTOR_SHAPES = 4, DOCTOR_ADVICE = 16 };

struct doctor_findings {
    size_t threads;
    stoa_isa isa;
    const char *tuning, *tuning_sum; /* the table's name and checksum */
    stoa_blas_info blas;
    /* Who chose the BLAS's core: "OpenBLAS", "OPENBLAS_CORETYPE" or "stoa"; "" if unknown. */
    const char *chosen_by;
    stoa_machine_state machine;
    stoa_blas_checks checks;
    struct doctor_rate fma;
    struct doctor_rate gemm; /* the best of the square shapes */
    struct doctor_shape shapes[DOCTOR_SHAPES];
    double better_gflops;      /* what blas.better_core reaches on all threads; 0: not measured */
    double bandwidth, latency; /* GB/s, ns */
    size_t small_limit;
};

/* Write a line for each finding to `advice`, from malloc, and return their number: 0 when all is well. */
size_t doctor_advise(const struct doctor_findings *found, char *advice[DOCTOR_ADVICE]);

void doctor_print_text(const struct doctor_findings *found, char *const *advice, size_t count);
void doctor_print_json(const struct doctor_findings *found, char *const *advice, size_t count);

/* Measure the square shapes on all threads in another process whose OpenBLAS uses `core`; 0 when that
 * fails. */
double doctor_ask_core(const char *core, size_t threads, double seconds);

/* True in the process that doctor_ask_core() starts: it measures, and answers with doctor_answer(). */
bool doctor_is_asked(void);
int doctor_answer(double gflops);

#endif
