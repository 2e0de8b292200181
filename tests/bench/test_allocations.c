/* SPDX-License-Identifier: MIT */
/* Memory in the bench beside a peer: whoever calls malloc gets huge pages, and large blocks that begin apart
 * from each other, as Stoa's own allocator gives them. Exit 77 (skipped) where the bench does not stand in
 * front of malloc. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/smaps.h"
#include "base/pages.h"
#include "bench/allocations.h"

enum { BYTES = 3 * STOA_HUGE_PAGE, PAGE = 4096 };

static int failures;

static void fail(const char *what, const void *block) {
    (void)printf("%s at %p\n", what, block);
    failures++;
}

/* Two blocks at a time, as a layer reads and writes. */
static void check(const char *name, void *first, void *second) {
    bool known = false;
    bool asked = first && smaps_asks_for_huge_pages((unsigned char *)first + STOA_HUGE_PAGE, &known);
    if (!first || !second || (known && !asked)) {
        fail(name, first);
    } else if ((uintptr_t)first % PAGE == (uintptr_t)second % PAGE) {
        fail("begins as the block before: ", second);
    }
    free(second);
    free(first);
}

int main(void) {
    if (!bench_allocations_known) {
        return 77;
    }
    bench_allocations_in_heap();
    size_t before = bench_allocations();
    for (size_t i = 0; i < 3; i++) { /* also of what was given back */
        check("malloc", malloc(BYTES), malloc(BYTES));
        check("aligned_alloc", aligned_alloc(64, BYTES), aligned_alloc(64, BYTES));
        void *block = NULL;
        check("posix_memalign", posix_memalign(&block, 64, BYTES) == 0 ? block : NULL, malloc(BYTES));
    }
    size_t calls = bench_allocations() - before;
    if (calls < 18) {
        (void)printf("calls counted: %zu, expected 18 at least\n", calls);
        failures++;
    }
    return failures ? 1 : 0;
}
