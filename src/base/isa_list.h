/* SPDX-License-Identifier: MIT */
/* The instruction sets that kernels are compiled for beside the platform's baseline, lowest first. No other
 * list names them: the build and src/package/amalgamate.py read its lines too. Each line has the name in
 * small and large letters, the floats of a vector, the number of vector registers, the core of OpenBLAS that
 * suits it, and of features
 *   NEEDS(feature)  what a CPU must have, by the compilers' name of it, which is also their option for it
 *   WITH(option)    another option of the compilers: all such CPUs have it, or it chooses instructions only
 *   LEAVES(group)   a group of kernels (kernels/kernels.h) that the set takes from the one before it
 * A set has all features of those before it. */
#ifndef STOA_BASE_ISA_LIST_H
#define STOA_BASE_ISA_LIST_H

/* clang-format off */
#define STOA_ISA_LIST(ISA) \
    ISA(avx2, AVX2, 8, 16, Haswell, NEEDS(avx2) NEEDS(fma) WITH(f16c)) \
    ISA(avx512, AVX512, 16, 32, SkylakeX, \
        NEEDS(avx512f) NEEDS(avx512bw) NEEDS(avx512dq) NEEDS(avx512vl) WITH(prefer-vector-width=512) \
        LEAVES(INPUT))
/* clang-format on */

/* Those that a build for this machine has. */
#if defined(__x86_64__)
#define STOA_ISA_BUILT(ISA) STOA_ISA_LIST(ISA)
#else
#define STOA_ISA_BUILT(ISA)
#endif

#endif
