/* SPDX-License-Identifier: MIT */
/* Counting allocations: the program defines malloc and its siblings itself, so that the engine, OpenBLAS,
 * peers and libc call these; glibc's own are behind them. Where they take large blocks from. And the
 * process's size, from /proc. */
#include "bench/allocations.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/pages.h"
#include "base/size.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_COUNT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CAN_COUNT 0
#endif
#endif
#if !defined(CAN_COUNT) && defined(__GLIBC__)
#define CAN_COUNT 1
#elif !defined(CAN_COUNT)
#define CAN_COUNT 0
#endif

const bool bench_allocations_known = CAN_COUNT;

static atomic_size_t calls;

size_t bench_allocations(void) {
    return atomic_load(&calls);
}

#if CAN_COUNT
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static void count_call(void) {
    (void)atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
}

/* Exported, whatever the build's visibility: the shared libraries must find them. */
#pragma GCC visibility push(default)
void *malloc(size_t bytes) {
    count_call();
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    count_call();
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
    count_call();
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    count_call();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    count_call();
    void *taken = __libc_memalign(alignment, bytes);
    if (!taken) {
        return ENOMEM;
    }
    *memory = taken;
    return 0;
}
#pragma GCC visibility pop

/* Blocks of a heap follow each other with malloc's own numbers in between, so no two large ones begin alike.
 * A region apart for each, malloc's way with large blocks, begins at the start of a page every time. */
void bench_allocations_in_heap(void) {
    enum { ROOM = 1 << 30, STEP = 1 << 20 };
    uintptr_t start = stoa_round_up((uintptr_t)sbrk(0), STOA_HUGE_PAGE);
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    (void)mallopt(M_TOP_PAD, ROOM);
    void *volatile last = __libc_malloc(STEP); /* makes the heap grow, untouched */
    free(last);
    (void)mallopt(M_TOP_PAD, STEP);
    uintptr_t end = (uintptr_t)sbrk(0);
#ifdef MADV_HUGEPAGE
    if (end > start) {
        (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
    }
#else
    (void)start;
    (void)end;
#endif
}
#else
void bench_allocations_in_heap(void) {
}
#endif

size_t bench_resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) {
        return 0;
    }
    char text[128] = "";
    size_t got = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    char *second = NULL;
    (void)strtoull(text, &second, 10); /* the first number is the address space */
    long page = sysconf(_SC_PAGESIZE);
    return got > 0 && page > 0 ? (size_t)strtoull(second, NULL, 10) * (size_t)page : 0;
}

/* The system's own figure of this program: what getrusage() says may be that of the process which started
 * it. */
static size_t peak_of_program(void) {
    size_t kilobytes = 0;
    char line[128];
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kilobytes = strtoul(line + 6, NULL, 10);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return kilobytes * 1024;
}

size_t bench_resident_peak(void) {
    struct rusage usage;
    size_t peak = peak_of_program();
    return peak > 0 ? peak : getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}
