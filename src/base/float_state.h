/* SPDX-License-Identifier: MIT */
/* The floating-point state in which the engine computes, whatever its caller's is: rounding to nearest, no
 * traps, and numbers too small to be normal are zero, read and written, where the CPU can do so (x86 with
 * SSE, AArch64). Most CPUs take a hundred times as long for such numbers. All threads compute in the same
 * state, so that results depend on none. */
#ifndef STOA_BASE_FLOAT_STATE_H
#define STOA_BASE_FLOAT_STATE_H

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <fenv.h>
#endif
#include <stdint.h>

/* Control and status of a thread, the exceptions it has seen among them. */
struct stoa_float_state {
#if defined(__x86_64__)
    uint32_t mxcsr;
#elif defined(__aarch64__)
    uint64_t control, status;
#else
    fenv_t environment;
#if defined(__SSE__)
    uint32_t mxcsr;
#endif
#endif
};

/* Enter the engine's state; returns what the thread's was, to be put back. A thread of the engine's own keeps
 * it. */
struct stoa_float_state stoa_float_enter(void);
void stoa_float_leave(const struct stoa_float_state *callers);

/* From here to the end of the block in the engine's state, on every way out. */
#define STOA_FLOAT_STATE()                                                                                   \
    __attribute__((cleanup(stoa_float_leave), unused)) const struct stoa_float_state stoa_callers_state =    \
        stoa_float_enter()

#endif
