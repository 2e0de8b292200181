/* SPDX-License-Identifier: MIT */
/* CPU detection through the compiler's run-time, which checks the operating system's support too. */
#include "base/cpu.h"

static stoa_isa isa_of_cpu(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return avx512 ? STOA_ISA_AVX512 : avx2 ? STOA_ISA_AVX2 : STOA_ISA_BASE;
#else
    return STOA_ISA_BASE;
#endif
}

stoa_isa stoa_isa_best(void) {
    stoa_isa found = isa_of_cpu();
    stoa_isa ceiling = stoa_isa_ceiling ? stoa_isa_ceiling() : found;
    return ceiling < found ? ceiling : found;
}

const char *stoa_isa_name(stoa_isa isa) {
    switch (isa) {
    case STOA_ISA_BASE:
        return "base";
    case STOA_ISA_AVX2:
        return "avx2";
    case STOA_ISA_AVX512:
        return "avx512";
    case STOA_ISA_COUNT:
        break;
    }
    return NULL;
}

const char *stoa_cpu_blas_core(void) {
#if defined(__x86_64__)
    switch (stoa_isa_best()) {
    case STOA_ISA_AVX512:
        return "SkylakeX";
    case STOA_ISA_AVX2:
        return "Haswell";
    default:
        return NULL;
    }
#else
    return NULL;
#endif
}
