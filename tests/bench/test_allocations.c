/* Memory in the bench: whoever calls malloc gets large blocks in huge pages, so that a peer has what the engine has.
 * Exit 77 (skipped) where the bench does not stand in front of malloc, and where huge pages are not known. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/smaps.h"
#include "base/pages.h"
#include "bench/allocations.h"

enum { BYTES = 2 * STOA_HUGE_PAGE };

static int failures;

static void check(const char *name, void *block, bool wanted) {
    bool known = false;
    bool asked = block && smaps_asks_for_huge_pages(block, &known);
    if (!block || (known && asked != wanted) || (wanted && (uintptr_t)block % STOA_HUGE_PAGE != 0)) {
        (void)printf("%s gave %p, huge pages %s\n", name, block, asked ? "asked for" : "not asked for");
        failures++;
    }
    free(block);
}

/* Once a larger block was given back, malloc would take the next from its heap, and with it what lies there in small
 * pages. */
static void check_fresh(void) {
    free(malloc((size_t)4 * BYTES));
    unsigned char *from = malloc(BYTES), *heap = malloc(64);
    bool apart = from && heap && (from > heap ? from - heap : heap - from) > (ptrdiff_t)1 << 30;
    if (!apart) {
        (void)printf("a large block at %p, malloc's heap at %p\n", (void *)from, (void *)heap);
        failures++;
    }
    free(from);
    free(heap);
}

int main(void) {
    size_t alignment = 64, bytes = BYTES;
    stoa_pages_fit(&bytes, &alignment);
    if (!bench_allocations_known || alignment == 64) {
        return 77;
    }

    bench_allocations_fresh();
    size_t before = bench_allocations();
    check("malloc", malloc(BYTES), true);
    check("aligned_alloc", aligned_alloc(64, BYTES), true);
    void *block = NULL;
    check("posix_memalign", posix_memalign(&block, 64, BYTES) == 0 ? block : NULL, true);
    check("malloc of a small block", malloc(64), false);
    if (bench_allocations() < before + 4) {
        (void)printf("calls counted: %zu, expected 4 at least\n", bench_allocations() - before);
        failures++;
    }
    check_fresh();
    return failures ? 1 : 0;
}
