/* SPDX-License-Identifier: MIT */
/* What this CPU can run, beyond the public stoa_isa_best(). */
#ifndef STOA_BASE_CPU_H
#define STOA_BASE_CPU_H

#include <stoa/context.h>

/* Which CPU this is, as it says itself: "AuthenticAMD", "GenuineIntel" and numbers; "" and 0 where there is
 * no such thing. */
struct stoa_cpu {
    char vendor[13];
    unsigned family, model;
};
struct stoa_cpu stoa_cpu_of_machine(void);

/* OpenBLAS core that suits this CPU's flags: "SkylakeX", "Haswell", or NULL when nothing better than
 * its own choice is known. */
const char *stoa_cpu_blas_core(void);

/* A program that defines this function lets stoa_isa_best() report at most what it returns, whether it links
 * the static library or the shared one. The tests do, so that one machine shows what others choose; nothing
 * else should. */
extern stoa_isa stoa_isa_ceiling(void) __attribute__((weak));

#endif
