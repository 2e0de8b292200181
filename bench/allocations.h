/* Allocations of the whole process, libraries included: counted, and large ones in huge pages. */
#ifndef STOA_BENCH_ALLOCATIONS_H
#define STOA_BENCH_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this build can count: with glibc, and not under a sanitizer, which has an allocator of its own. */
extern const bool bench_allocations_known;

/* Calls of malloc and its siblings so far, in all threads; 0 where they cannot be counted. */
size_t bench_allocations(void);

/* From now on every large block comes fresh from the system. Otherwise malloc would soon take most of them from memory
 * that was given back, and that may have been touched in small pages. */
void bench_allocations_fresh(void);

/* Resident bytes of this process now, and the most so far; 0 when they cannot be read. */
size_t bench_resident_bytes(void);
size_t bench_resident_peak(void);

#endif
