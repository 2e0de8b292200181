/* SPDX-License-Identifier: MIT */
/* The tables of kernels, one per instruction set, and the reader's way to them.
 *
 * Compiled for the platform's baseline. The tables hold addresses only: nothing of a higher instruction set
 * runs before somebody has asked stoa_isa_best() and called through a table. STOA_HAVE_X86_TABLES comes from
 * the build, which compiles the kernels for AVX2 and AVX-512 on x86-64. */
#include "kernels/kernels.h"

#define PROTOTYPE_BASE(slot, signature) void stoa_##slot##_base signature;
#define MEMBER_BASE(slot, signature) .slot = stoa_##slot##_base,
STOA_KERNEL_LIST(PROTOTYPE_BASE, float)
static const struct stoa_kernels base_kernels = {STOA_KERNEL_LIST(MEMBER_BASE, float)};

#ifdef STOA_HAVE_X86_TABLES
#define PROTOTYPE_AVX2(slot, signature) void stoa_##slot##_avx2 signature;
#define MEMBER_AVX2(slot, signature) .slot = stoa_##slot##_avx2,
STOA_KERNEL_LIST(PROTOTYPE_AVX2, float)
static const struct stoa_kernels avx2_kernels = {STOA_KERNEL_LIST(MEMBER_AVX2, float)};

#define PROTOTYPE_AVX512(slot, signature) void stoa_##slot##_avx512 signature;
#define MEMBER_AVX512(slot, signature) .slot = stoa_##slot##_avx512,
STOA_KERNEL_LIST(PROTOTYPE_AVX512, float)
static const struct stoa_kernels avx512_kernels = {STOA_KERNEL_LIST(MEMBER_AVX512, float)};
#endif

const struct stoa_kernels *stoa_kernels_for(stoa_isa isa) {
    switch (isa) {
    case STOA_ISA_BASE:
        return &base_kernels;
#ifdef STOA_HAVE_X86_TABLES
    case STOA_ISA_AVX2:
        return &avx2_kernels;
    case STOA_ISA_AVX512:
        return &avx512_kernels;
#else
    case STOA_ISA_AVX2:
    case STOA_ISA_AVX512:
        break;
#endif
    case STOA_ISA_COUNT:
        break;
    }
    return NULL;
}
