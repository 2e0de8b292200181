/* SPDX-License-Identifier: MIT */
/* Entering and leaving the engine's floating-point state. Calls of another file, so that no compiler moves
 * arithmetic across them. */
#include "base/float_state.h"

#if defined(__SSE__)
#include <immintrin.h>

/* All exceptions masked and none seen, round to nearest, results (bit 15) and operands (bit 6) flushed to
 * zero. */
static const uint32_t ENGINES_MXCSR = 0x9FC0;
#endif

#if defined(__x86_64__)
struct stoa_float_state stoa_float_enter(void) {
    struct stoa_float_state callers = {_mm_getcsr()};
    _mm_setcsr(ENGINES_MXCSR);
    return callers;
}

void stoa_float_leave(const struct stoa_float_state *callers) {
    _mm_setcsr(callers->mxcsr);
}

#elif defined(__aarch64__)
/* Round to nearest, no traps, flushed to zero (bit 24). */
static const uint64_t ENGINES_FPCR = (uint64_t)1 << 24;

struct stoa_float_state stoa_float_enter(void) {
    struct stoa_float_state callers;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr"
                     : "=r"(callers.control), "=r"(callers.status)
                     :
                     : "memory");
    __asm__ volatile("msr fpcr, %0" : : "r"(ENGINES_FPCR) : "memory");
    return callers;
}

void stoa_float_leave(const struct stoa_float_state *callers) {
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1"
                     :
                     : "r"(callers->control), "r"(callers->status)
                     : "memory");
}

#else
/* On 32-bit x86 there are two units: SSE's, in which the engine computes, and the older one, in which values
 * are returned and which a BLAS may use. */
struct stoa_float_state stoa_float_enter(void) {
    struct stoa_float_state callers;
#if defined(__SSE__)
    callers.mxcsr = _mm_getcsr();
#endif
    (void)feholdexcept(&callers.environment);
#ifdef FE_TONEAREST
    (void)fesetround(FE_TONEAREST);
#endif
#if defined(__SSE__)
    _mm_setcsr(ENGINES_MXCSR);
#endif
    return callers;
}

void stoa_float_leave(const struct stoa_float_state *callers) {
    (void)fesetenv(&callers->environment);
#if defined(__SSE__)
    _mm_setcsr(callers->mxcsr);
#endif
}
#endif
