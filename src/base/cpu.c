/* SPDX-License-Identifier: MIT */
/* CPU detection through the compiler's run-time, which checks the operating system's support too. */
#include "base/cpu.h"

#include <string.h>

#include "base/isa_list.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* What of a line of the list says whether the CPU has that set. */
#define NEEDS(feature) &&__builtin_cpu_supports(#feature)
#define WITH(option)
#define LEAVES(group)
#define BETTER(name, NAME, lanes, registers, core, features)                                                 \
    has = has features;                                                                                      \
    best = has ? STOA_ISA_##NAME : best;

static stoa_isa isa_of_cpu(void) {
    stoa_isa best = STOA_ISA_BASE;
#if defined(__x86_64__)
    bool has = true;
    __builtin_cpu_init();
    STOA_ISA_BUILT(BETTER)
#endif
    return best;
}

stoa_isa stoa_isa_best(void) {
    stoa_isa found = isa_of_cpu();
    stoa_isa ceiling = stoa_isa_ceiling ? stoa_isa_ceiling() : found;
    return ceiling < found ? ceiling : found;
}

#define NAMED(name, NAME, lanes, registers, core, features) [STOA_ISA_##NAME] = #name,
#define CORE(name, NAME, lanes, registers, core, features) [STOA_ISA_##NAME] = #core,

const char *stoa_isa_name(stoa_isa isa) {
    static const char *const names[STOA_ISA_COUNT] = {[STOA_ISA_BASE] = "base", STOA_ISA_LIST(NAMED)};
    return (size_t)isa < STOA_ISA_COUNT ? names[isa] : NULL;
}

const char *stoa_cpu_blas_core(void) {
    static const char *const cores[STOA_ISA_COUNT] = {[STOA_ISA_BASE] = NULL, STOA_ISA_BUILT(CORE)};
    return cores[stoa_isa_best()];
}

struct stoa_cpu stoa_cpu_of_machine(void) {
    struct stoa_cpu cpu = {.vendor = ""};
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (__get_cpuid(0, &a, &b, &c, &d)) {
        memcpy(cpu.vendor, &b, 4);
        memcpy(cpu.vendor + 4, &d, 4);
        memcpy(cpu.vendor + 8, &c, 4);
    }
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        /* A family of 15 is extended by bits 20 to 27; those of 6 and 15 have models of two digits. */
        unsigned family = a >> 8 & 15, model = a >> 4 & 15;
        cpu.family = family == 15 ? family + (a >> 20 & 255) : family;
        cpu.model = family == 6 || family == 15 ? model + (a >> 12 & 0xf0) : model;
    }
#endif
    return cpu;
}
