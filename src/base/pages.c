/* Transparent huge pages: Linux gives them to those who ask, unless /sys/kernel/mm/transparent_hugepage/enabled says
 * never. Floor 0. */
#include "base/pages.h"

#include <sys/mman.h>

#include "base/size.h"

#ifdef MADV_HUGEPAGE

void stoa_pages_fit(size_t *bytes, size_t *alignment) {
    if (*bytes < STOA_HUGE_PAGE || *bytes > (size_t)-1 - STOA_HUGE_PAGE) {
        return;
    }
    *alignment = stoa_max(*alignment, STOA_HUGE_PAGE);
    /* The last huge page only where it makes the block larger by a third at most, as it does from 6 MiB on. Otherwise
     * what follows the whole ones stays in small pages: 2.1 MiB do not take 4. */
    size_t whole = stoa_round_up(*bytes, STOA_HUGE_PAGE);
    if (whole - *bytes <= *bytes / 3) {
        *bytes = whole;
    }
}

void stoa_pages_advise(void *memory, size_t bytes) {
    if (bytes >= STOA_HUGE_PAGE) {
        (void)madvise(memory, bytes, MADV_HUGEPAGE);
    }
}

#else

void stoa_pages_fit(size_t *bytes, size_t *alignment) {
    (void)bytes;
    (void)alignment;
}

void stoa_pages_advise(void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
}

#endif
