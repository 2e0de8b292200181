/* SPDX-License-Identifier: MIT */
/* Large blocks: shifted, and in transparent huge pages, which Linux gives to those who ask, unless
 * /sys/kernel/mm/transparent_hugepage/enabled says never. */
#include "base/pages.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/size.h"

/* No two shifts differ by half a page or a quarter, where the columns of wide images meet again. */
enum { LINE = 64, SHIFTS = 7 };

/* The last huge page only where it makes the block larger by a third at most, as it does from 6 MiB on.
 * Otherwise what follows the whole ones stays in small pages: 2.1 MiB do not take 4. */
size_t stoa_pages_taken(size_t bytes) {
    size_t whole = stoa_round_up(bytes, STOA_HUGE_PAGE);
    return whole - bytes <= bytes / 3 ? whole : bytes;
}

static size_t next_shift(size_t alignment) {
    static atomic_uint blocks;
    return alignment > LINE ? 0 : LINE * (atomic_fetch_add(&blocks, 1) % SHIFTS);
}

void *stoa_pages_allocate(size_t bytes, size_t alignment) {
    size_t shift = 0;
    bool large = bytes >= STOA_HUGE_PAGE && bytes <= (size_t)-1 - 2 * (size_t)STOA_HUGE_PAGE;
    if (large) {
        shift = next_shift(alignment);
        bytes = stoa_pages_taken(bytes + shift);
        alignment = stoa_max(alignment, STOA_HUGE_PAGE);
    }
    void *base = NULL;
    /* Unlike aligned_alloc() it takes sizes that are no multiple of the alignment, everywhere. */
    if (posix_memalign(&base, alignment, bytes) != 0) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (large) {
        (void)madvise(base, bytes, MADV_HUGEPAGE);
    }
#endif
    return (char *)base + shift;
}

void stoa_pages_release(void *memory, size_t bytes) {
    size_t shift = bytes >= STOA_HUGE_PAGE ? (uintptr_t)memory % STOA_HUGE_PAGE : 0;
    free(memory ? (char *)memory - shift : NULL);
}
