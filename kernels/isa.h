/* SPDX-License-Identifier: MIT */
/* What every fast kernel file shares: its name for the instruction set it is compiled for, vector types of
 * that width, and prototypes of all kernels.
 *
 * The build compiles each kernel file once per instruction set, with STOA_ISA set to its name: base, avx2 ...
 * STOA_KERNEL(relu) is then stoa_relu_avx2 and so on. Vector types stay inside functions: they never cross a
 * call, because what a call passes in a vector register differs between instruction sets. Everything in this
 * header is static, so that the linker cannot pick one instruction set's copy for all. */
#ifndef STOA_KERNELS_ISA_H
#define STOA_KERNELS_ISA_H

#include <stdint.h>
#include <string.h>

#include "kernels/kernels.h"

#define STOA_JOIN_NAMES(slot, isa) stoa_##slot##_##isa
#define STOA_JOIN_EXPANDED(slot, isa) STOA_JOIN_NAMES(slot, isa)
#define STOA_KERNEL(slot) STOA_JOIN_EXPANDED(slot, STOA_ISA)

#define STOA_KERNEL_PROTOTYPE(slot, signature) void STOA_KERNEL(slot) signature;
STOA_KERNEL_LIST(STOA_KERNEL_PROTOTYPE, float)
#undef STOA_KERNEL_PROTOTYPE

/* Floats of a vector, and vector registers: blocks of sums that stay in registers are chosen by the number of
 * these. The build takes both from base/isa_list.h; what is here is the platform's baseline. */
#if !defined(STOA_LANES)
#define STOA_LANES 4
#if defined(__aarch64__)
#define STOA_REGISTERS 32
#else
#define STOA_REGISTERS 16
#endif
#endif

/* Floats at any address; may alias what the pointers they are loaded through point to. */
typedef float stoa_vec4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float stoa_vec8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float stoa_vec __attribute__((vector_size(4 * STOA_LANES), aligned(4), may_alias));
typedef int32_t stoa_ivec __attribute__((vector_size(4 * STOA_LANES), aligned(4), may_alias));
typedef uint16_t stoa_hvec __attribute__((vector_size(2 * STOA_LANES), aligned(2), may_alias));

/* A short function that must vanish into its caller, with its constant arguments. */
#define STOA_INLINE static inline __attribute__((always_inline))

/* This stands before a loop whose length is a constant: to keep arrays of vectors in registers the loop must
 * vanish. */
#if defined(__clang__)
#define STOA_UNROLL _Pragma("unroll")
#else
#define STOA_UNROLL _Pragma("GCC unroll 24")
#endif

/* Load and store a vector at any address. They are macros, so that no vector type crosses a call even
 * unoptimised. */
#define STOA_LOAD(type, address) (*(const type *)(const void *)(address))
#define STOA_STORE(type, address, value) (*(type *)(void *)(address) = (value))

/* Keep what was loaded in a register: compilers load a vector of up to three uses anew for each of them,
 * twice as slow where it lies across cache lines. */
#if defined(__x86_64__) && defined(__GNUC__)
#define STOA_KEEP(vector) __asm__("" : "+v"(vector))
#else
#define STOA_KEEP(vector) ((void)0)
#endif

#endif
