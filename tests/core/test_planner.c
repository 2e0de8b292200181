/* SPDX-License-Identifier: MIT */
/* The planner on random sets of blocks: nothing that lives together overlaps, the total lies between its
 * bounds. */
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "base/random.h"
#include "base/size.h"
#include "core/planner.h"

enum { MOST_BLOCKS = 120, STEPS = 40 };

static uint32_t draw(uint64_t seed, uint64_t number, uint32_t below) {
    return stoa_philox(seed, number, 0).word[0] % below;
}

static size_t random_blocks(uint64_t seed, struct stoa_block *blocks) {
    size_t count = 1 + draw(seed, 1000000, MOST_BLOCKS);
    for (size_t i = 0; i < count; i++) {
        size_t first = draw(seed, 3 * i, STEPS);
        blocks[i] = (struct stoa_block){
            .bytes = (size_t)STOA_ALIGN_BYTES * draw(seed, 3 * i + 1, 50), /* 0 among them */
            .first = first,
            .last = first + draw(seed, 3 * i + 2, STEPS / 4),
            .offset = 12345,
        };
    }
    return count;
}

/* No plan is smaller than what lives at one step. */
static size_t lower_bound(const struct stoa_block *blocks, size_t count) {
    size_t bound = 0;
    for (size_t step = 0; step < 2 * STEPS; step++) {
        size_t live = 0;
        for (size_t i = 0; i < count; i++) {
            live += blocks[i].first <= step && step <= blocks[i].last ? blocks[i].bytes : 0;
        }
        bound = stoa_max(bound, live);
    }
    return bound;
}

static void check_places(const struct stoa_block *blocks, size_t count, size_t total) {
    size_t end = 0;
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const struct stoa_block *a = &blocks[i];
        assert_true(a->offset % STOA_ALIGN_BYTES == 0);
        end = stoa_max(end, a->offset + a->bytes);
        sum += a->bytes;
        for (size_t j = 0; j < i; j++) {
            const struct stoa_block *b = &blocks[j];
            bool together = a->first <= b->last && b->first <= a->last;
            bool overlap = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
            assert_false(together && overlap && a->bytes > 0 && b->bytes > 0);
        }
    }
    assert_int_equal(end, total);
    assert_true(total >= lower_bound(blocks, count) && total <= sum);
}

static void places_random_blocks(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct stoa_block blocks[MOST_BLOCKS];
        struct stoa_block again[MOST_BLOCKS];
        size_t order[MOST_BLOCKS];
        size_t count = random_blocks(seed, blocks);
        (void)random_blocks(seed, again);
        size_t total = 1;
        size_t total_again = 2;
        assert_true(stoa_planner_place(blocks, count, order, &total));
        check_places(blocks, count, total);
        memset(order, 0xFF, sizeof order);
        assert_true(stoa_planner_place(again, count, order, &total_again));
        assert_int_equal(total, total_again);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(blocks[i].offset, again[i].offset);
        }
    }
}

/* One after the other: the largest alone decides. All at once: the sum. */
static void meets_both_bounds(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct stoa_block blocks[MOST_BLOCKS];
        size_t order[MOST_BLOCKS];
        size_t count = random_blocks(seed, blocks);
        size_t largest = 0;
        size_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            blocks[i].first = blocks[i].last = i;
            largest = stoa_max(largest, blocks[i].bytes);
            sum += blocks[i].bytes;
        }
        size_t total;
        assert_true(stoa_planner_place(blocks, count, order, &total));
        assert_int_equal(total, largest);
        for (size_t i = 0; i < count; i++) {
            blocks[i].first = 3;
            blocks[i].last = 3 + i;
        }
        assert_true(stoa_planner_place(blocks, count, order, &total));
        assert_int_equal(total, sum);
    }
}

/* Lifetimes include both ends: blocks that touch in one step may not share. */
static void counts_both_ends(void **state) {
    (void)state;
    struct stoa_block blocks[] = {{.bytes = 64, .first = 0, .last = 2}, {.bytes = 64, .first = 2, .last = 4}};
    size_t order[2];
    size_t total;
    assert_true(stoa_planner_place(blocks, 2, order, &total));
    assert_int_equal(total, 128);
    blocks[1].first = 3;
    assert_true(stoa_planner_place(blocks, 2, order, &total));
    assert_int_equal(total, 64);
}

static void takes_nothing(void **state) {
    (void)state;
    size_t total = 7;
    assert_true(stoa_planner_place(NULL, 0, NULL, &total));
    assert_int_equal(total, 0);
}

static void sees_overflow(void **state) {
    (void)state;
    size_t half = (size_t)1 << (8 * sizeof(size_t) - 1);
    struct stoa_block blocks[] = {
        {.bytes = half, .last = 1}, {.bytes = half, .last = 1}, {.bytes = half, .last = 1}};
    size_t order[3];
    size_t total = 7;
    assert_false(stoa_planner_place(blocks, 3, order, &total));
    assert_int_equal(total, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_random_blocks), cmocka_unit_test(meets_both_bounds),
        cmocka_unit_test(counts_both_ends),     cmocka_unit_test(takes_nothing),
        cmocka_unit_test(sees_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
