/* SPDX-License-Identifier: MIT */
/* Allocations of the whole process, libraries included: counted, and all in a heap. */
#ifndef STOA_BENCH_ALLOCATIONS_H
#define STOA_BENCH_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this build can count: with glibc, and not under a sanitizer, which has an allocator of its own. */
extern const bool bench_allocations_known;

/* Calls of malloc and its siblings so far, in all threads; 0 where they cannot be counted. */
size_t bench_allocations(void);

/* From now on blocks of every size lie in malloc's heap, for which huge pages are asked: so a peer's arrays
 * have huge pages and different beginnings, as those of Stoa's own allocator have. Not back to the system:
 * for modes that do not measure memory. Nothing where the program does not stand in front of glibc's
 * malloc. */
void bench_allocations_in_heap(void);

/* Resident bytes of this process now, and the most so far; 0 when they cannot be read. */
size_t bench_resident_bytes(void);
size_t bench_resident_peak(void);

#endif
