/* Transparent huge pages under large blocks. With pages of 4 KiB the time of a wide layer depends on where they come
 * to lie in the second cache and on how many the processor can translate, which is another draw in each process;
 * pages of 2 MiB leave nothing to it. Floor 0. */
#ifndef STOA_BASE_PAGES_H
#define STOA_BASE_PAGES_H

#include <stddef.h>

/* Of x86-64 and most others: a block as large as this is a large one. Where huge pages are larger still, the
 * alignment is of no use and does no harm. */
enum { STOA_HUGE_PAGE = 2 << 20 };

/* Before a block is requested: give a large one the alignment, and at times the size, with which it can lie in huge
 * pages. Small ones stay as they are, and all do where the system has no such advice. */
void stoa_pages_fit(size_t *bytes, size_t *alignment);

/* After that, before the block is touched: ask the system for huge pages under it. Where it has none to give, the block
 * lies in small ones. */
void stoa_pages_advise(void *memory, size_t bytes);

#endif
