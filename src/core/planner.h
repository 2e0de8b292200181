/* SPDX-License-Identifier: MIT */
/* Lifetimes to offsets: largest first, lowest offset that fits. */
#ifndef STOA_CORE_PLANNER_H
#define STOA_CORE_PLANNER_H

#include <stdbool.h>
#include <stddef.h>

/* One block of memory that lives from step `first` to step `last`, both included. */
struct stoa_block {
    size_t bytes; /* a multiple of STOA_ALIGN_BYTES; may be 0 */
    size_t first, last;
    size_t offset; /* out */
};

/* Place every block so that no two that live at the same time overlap. `order` is scratch for `count`
 * numbers. False when the total overflows. */
bool stoa_planner_place(struct stoa_block *blocks, size_t count, size_t *order, size_t *total_bytes);

#endif
