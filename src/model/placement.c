/* SPDX-License-Identifier: MIT */
/* Where the values of a plan lie.
 *
 * A value that only steps of one section touch takes no memory for the whole batch: it lies in the scratch
 * of the thread that runs a block of samples, placed there by the lifetimes of the section's steps. All
 * others live from the beginning of the section that first touches them to the end of the last: while a
 * thread is at the section's end, another may be at its beginning. */
#include <stdlib.h>

#include "base/size.h"
#include "conv/conv.h"
#include "core/planner.h"
#include "model/plan.h"

/* Under AddressSanitizer every block ends in a red zone that stays poisoned. */
#if defined(__SANITIZE_ADDRESS__)
enum { RED_ZONE_BYTES = STOA_ALIGN_BYTES };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { RED_ZONE_BYTES = STOA_ALIGN_BYTES };
#else
enum { RED_ZONE_BYTES = 0 };
#endif
#else
enum { RED_ZONE_BYTES = 0 };
#endif

/* The first and the last step of a section that has this step, or the step itself. */
static size_t section_first(const struct stoa_plan *plan, size_t step) {
    size_t section = plan->section_of[step];
    return section == STOA_NO_SECTION ? step : plan->sections[section].first;
}

static size_t section_last(const struct stoa_plan *plan, size_t step) {
    size_t section = plan->section_of[step];
    return section == STOA_NO_SECTION ? step : plan->sections[section].last;
}

/* The blocks of all owners. */
static void measure_blocks(struct stoa_plan *plan) {
    for (size_t i = 0; i < plan->value_count; i++) {
        const struct stoa_value *value = &plan->values[i];
        struct stoa_value *owner = &plan->values[value->root];
        if (value == owner) {
            owner->block_first = owner->first;
        }
        owner->is_whole = owner->is_whole || value->is_whole;
        owner->block_bytes = stoa_max(owner->block_bytes, value->bytes);
        owner->block_first = stoa_min(owner->block_first, value->first);
        owner->block_last = stoa_max(owner->block_last, value->last);
    }
}

/* Values of one section go to its areas, those of several live through all of each. */
static void settle_values(struct stoa_plan *plan) {
    for (size_t i = 0; i < plan->value_count; i++) {
        struct stoa_value *value = &plan->values[i];
        const struct stoa_value *owner = &plan->values[value->root];
        size_t section = plan->section_of[owner->block_first];
        if (section != STOA_NO_SECTION && !owner->is_whole &&
            section == plan->section_of[owner->block_last]) {
            value->area = plan->sections[section].scratch;
            value->bytes = value->sample_bytes ? value->sample_bytes * plan->sections[section].cut.block
                           : value->part_bytes ? value->part_bytes
                                               : value->bytes;
        } else {
            value->first = section_first(plan, value->first);
            value->last = section_last(plan, value->last);
        }
    }
    for (size_t i = 0; i < plan->value_count; i++) {
        plan->values[i].block_bytes = 0;
    }
    measure_blocks(plan);
}

/* Bytes with what stands behind them; false when they overflow. Blocks of whole pages would all begin at the
 * same place of a page, and arrays whose rows are a multiple of a page apart would meet in the same sets of a
 * cache: a line between them makes inference of depthwise layers of 256 channels, 28 x 28, 1.5 times as
 * fast. */
static bool padded_bytes(size_t bytes, size_t *padded) {
    enum { PAGE_BYTES = 4096 };
    size_t behind = bytes == 0 ? 0 : RED_ZONE_BYTES + (bytes % PAGE_BYTES == 0 ? STOA_ALIGN_BYTES : 0);
    if (!stoa_size_add(bytes, STOA_ALIGN_BYTES + behind, padded)) {
        return false;
    }
    *padded = stoa_round_up(bytes, STOA_ALIGN_BYTES) + behind;
    return true;
}

/* Places in the arena (STOA_NO_VALUE) or in an area for owners; the others lie where their owner lies. */
static bool place_in(struct stoa_plan *plan, size_t area, size_t *bytes) {
    struct stoa_block *blocks = calloc(stoa_max(1, plan->value_count), sizeof *blocks);
    size_t *order = calloc(stoa_max(1, plan->value_count), sizeof *order);
    size_t *value = calloc(stoa_max(1, plan->value_count), sizeof *value);
    bool fits = blocks && order && value;
    size_t count = 0;
    for (size_t i = 0; fits && i < plan->value_count; i++) {
        const struct stoa_value *v = &plan->values[i];
        if (v->root == i && v->area == area) {
            blocks[count] = (struct stoa_block){.first = v->block_first, .last = v->block_last};
            value[count] = i;
            fits = padded_bytes(v->block_bytes, &blocks[count++].bytes);
        }
    }
    fits = fits && stoa_planner_place(blocks, count, order, bytes);
    for (size_t i = 0; fits && i < count; i++) {
        plan->values[value[i]].offset = blocks[i].offset;
    }
    free(blocks);
    free(order);
    free(value);
    return fits;
}

/* A section's areas, and what they take together. */
static bool place_areas(struct stoa_plan *plan) {
    for (size_t i = 0; i < plan->section_count; i++) {
        struct stoa_value *scratch = &plan->values[plan->sections[i].scratch];
        size_t bytes;
        if (!place_in(plan, plan->sections[i].scratch, &bytes)) {
            return false;
        }
        scratch->apart = plan->sections[i].cut.areas == 1
                             ? bytes
                             : stoa_conv_thread_step(plan->context, bytes / sizeof(float)) * sizeof(float);
        if (!stoa_size_mul(scratch->apart, plan->sections[i].cut.areas, &scratch->bytes)) {
            return false;
        }
        scratch->block_bytes = scratch->bytes;
    }
    return true;
}

/* The sum that values would take without sharing. */
static bool sum_unshared(struct stoa_plan *plan) {
    for (size_t i = 0; i < plan->value_count; i++) {
        const struct stoa_value *value = &plan->values[i];
        size_t bytes;
        if (!padded_bytes(value->bytes, &bytes) ||
            (value->area != STOA_NO_VALUE &&
             !stoa_size_scale(&bytes, plan->sections[plan->section_of[value->first]].cut.areas)) ||
            !stoa_size_add(plan->unshared_bytes, bytes, &plan->unshared_bytes)) {
            return false;
        }
    }
    return true;
}

bool stoa_plan_place(struct stoa_plan *plan) {
    measure_blocks(plan);
    settle_values(plan);
    if (!place_areas(plan) || !sum_unshared(plan) || !place_in(plan, STOA_NO_VALUE, &plan->bytes)) {
        return false;
    }
    for (size_t i = 0; i < plan->value_count; i++) {
        struct stoa_value *value = &plan->values[i];
        if (value->root != i) {
            value->offset = plan->values[value->root].offset;
        }
    }
    for (size_t i = 0; i < plan->value_count; i++) {
        struct stoa_value *value = &plan->values[i];
        value->offset += value->area == STOA_NO_VALUE ? 0 : plan->values[value->area].offset;
    }
    return true;
}
