/* SPDX-License-Identifier: MIT */
/* Greedy placement: the large blocks first, each at the lowest offset where it meets no block already placed
 * that lives at the same time. Within a few per cent of the lower bound on networks (Pisarchyk and Lee,
 * "Efficient Memory Management for Deep Neural Net Inference", 2020). Of n blocks each looks at all before it
 * again whenever one of them moved it: n^3 steps at worst, near n^2 on networks, whose n stays in the
 * hundreds. */
#include "core/planner.h"

#include "base/size.h"

static bool live_together(const struct stoa_block *a, const struct stoa_block *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* Insertion sort by size, then by number, so that the order is the same everywhere. */
static void sort_by_size(const struct stoa_block *blocks, size_t count, size_t *order) {
    for (size_t i = 0; i < count; i++) {
        size_t j = i;
        for (; j > 0 && blocks[order[j - 1]].bytes < blocks[i].bytes; j--) {
            order[j] = order[j - 1];
        }
        order[j] = i;
    }
}

/* The lowest offset at which block `order[placed]` fits among the blocks order[0..placed). */
static bool lowest_offset(const struct stoa_block *blocks, const size_t *order, size_t placed,
                          size_t *offset) {
    const struct stoa_block *block = &blocks[order[placed]];
    size_t candidate = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < placed; i++) {
            const struct stoa_block *other = &blocks[order[i]];
            size_t end;
            if (!stoa_size_add(candidate, block->bytes, &end)) {
                return false;
            }
            if (live_together(block, other) && candidate < other->offset + other->bytes &&
                other->offset < end) {
                candidate = other->offset + other->bytes;
                moved = true;
            }
        }
    }
    *offset = candidate;
    return true;
}

bool stoa_planner_place(struct stoa_block *blocks, size_t count, size_t *order, size_t *total_bytes) {
    sort_by_size(blocks, count, order);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        struct stoa_block *block = &blocks[order[i]];
        size_t end;
        if (!lowest_offset(blocks, order, i, &block->offset) ||
            !stoa_size_add(block->offset, block->bytes, &end)) {
            return false;
        }
        total = stoa_max(total, end);
    }
    *total_bytes = total;
    return true;
}
