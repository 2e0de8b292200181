/* Counting allocations: the program defines malloc and its siblings itself, so that the engine, OpenBLAS, peers and libc
 * call these; glibc's own are behind them. Large blocks get huge pages here, whoever asks for them. And the process's
 * size, from /proc. */
#include "bench/allocations.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/pages.h"

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
#include <malloc.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static void count_call(void) {
    (void)atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
}

/* Large blocks of all libraries lie as those of Stoa's own allocator do: the arrays, packed weights and scratch of a peer
 * too. calloc and realloc stay out: no engine here takes what it computes on from them. */
static void *take(size_t bytes, size_t alignment) {
    count_call();
    stoa_pages_fit(&bytes, &alignment);
    void *memory =
        alignment > alignof(max_align_t) ? __libc_memalign(alignment, bytes) : __libc_malloc(bytes);
    if (memory) {
        stoa_pages_advise(memory, bytes);
    }
    return memory;
}

/* Exported, whatever the build's visibility: the shared libraries must find them. */
#pragma GCC visibility push(default)
void *malloc(size_t bytes) {
    return take(bytes, alignof(max_align_t));
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
    return take(bytes, alignment);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    void *taken = take(bytes, alignment);
    if (!taken) {
        return ENOMEM;
    }
    *memory = taken;
    return 0;
}
#pragma GCC visibility pop

void bench_allocations_fresh(void) {
    (void)mallopt(M_MMAP_THRESHOLD, STOA_HUGE_PAGE);
}
#else
void bench_allocations_fresh(void) {
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

size_t bench_resident_peak(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}
