/* SPDX-License-Identifier: MIT */
/* Which convolutions Winograd's algorithms take, in how much memory; and that their tiles cover an image
 * once. */
#include "tests/conv/winograd_shapes.h"

enum { BATCH = 3 };

enum { MOST = 18 };

/* Outputs that tiles have had. */
typedef unsigned char seen[BATCH][MOST][MOST];

/* Tile `number` of the block has the outputs of its place, and a point if and only if it lies in
 * the point's range. Returns how many points it has. */
static size_t check_tile(const struct stoa_winograd_grid *grid, const struct stoa_winograd_block *block,
                         size_t number, seen outputs) {
    struct stoa_winograd_tile at;
    size_t image = stoa_winograd_locate(grid, block, number, &at);
    assert_true(image < BATCH && at.taps == grid->taps);
    assert_true(at.height >= 1 && at.height <= grid->points + 1 - grid->taps);
    assert_true(at.width >= 1 && at.width <= grid->points + 1 - grid->taps);
    assert_true(at.row + at.height <= MOST && at.column + at.width <= MOST);
    for (size_t p = 0; p < at.height * at.width; p++) {
        outputs[image][at.row + p / at.width][at.column + p % at.width]++;
    }
    size_t points = 0;
    for (size_t point = 0; point < grid->points * grid->points; point++) {
        const struct stoa_winograd_span rows = stoa_winograd_span_of(grid, block, point);
        bool has = point / grid->points < stoa_winograd_lines(&at) &&
                   point % grid->points < stoa_winograd_columns(&at);
        assert_int_equal(has, number >= rows.begin && number < rows.stop);
        points += has;
    }
    return points;
}

/* Blocks follow each other, of at most `most` tiles, and their tiles cover the images once. */
static void check_grid(const struct stoa_winograd_grid *grid, size_t most, size_t height, size_t width) {
    seen outputs = {{{0}}};
    double rows = 0;
    size_t number = 0;
    for (size_t i = 0; i < grid->blocks; i++) {
        const struct stoa_winograd_block block = stoa_winograd_block_of(grid, i);
        assert_true(block.number == i && block.first == number && block.end > block.first);
        assert_true(block.end - block.first <= stoa_min(most, grid->block));
        for (; number < block.end; number++) {
            rows += (double)check_tile(grid, &block, number, outputs);
        }
    }
    assert_int_equal(number, grid->end);
    assert_true(rows == stoa_winograd_rows(grid));
    for (size_t p = 0; p < (size_t)BATCH * MOST * MOST; p++) {
        size_t row = p / MOST % MOST;
        size_t column = p % MOST;
        bool has = p / MOST / MOST < grid->batch && row < height && column < width;
        assert_int_equal(outputs[p / MOST / MOST][row][column], has);
    }
}

/* Of the planned batch, and of each smaller one. */
static void check_batches(const struct stoa_winograd_grid *grid, size_t most, size_t height, size_t width) {
    check_grid(grid, most, height, width);
    for (size_t batch = 1; batch <= grid->batch; batch++) {
        struct stoa_winograd_grid smaller = stoa_winograd_grid_with(grid, batch);
        assert_true(smaller.block == grid->block && smaller.blocks <= grid->blocks);
        check_grid(&smaller, most, height, width);
    }
}

static void tiles_cover_an_image_once(void **state) {
    (void)state;
    static const size_t forms[][2] = {{4, 3}, {6, 3}, {6, 4}, {6, 5}, {8, 3}, {8, 4}, {8, 5}};
    static const size_t most[] = {1, 2, 5, 12, 24, 1000};
    enum { FORMS = sizeof forms / sizeof *forms };
    for (size_t i = 0; i < (size_t)FORMS * MOST * MOST; i++) {
        const size_t *form = forms[i % FORMS];
        size_t height = i / FORMS % MOST + 1;
        size_t width = i / FORMS / MOST + 1;
        struct stoa_winograd_grid grid = stoa_winograd_grid_of(form[0], form[1], BATCH, height, width);
        check_grid(&grid, grid.end, height, width);
        size_t tiles = most[i % (sizeof most / sizeof *most)];
        stoa_winograd_cut_full(&grid, tiles, i % 3 == 0);
        check_batches(&grid, tiles, height, width);
        stoa_winograd_cut_even(&grid, tiles, i % 2);
        check_batches(&grid, tiles, height, width);
    }
}

/* Three groups of 3, 3 and 2 images would leave one of two threads waiting. */
static void pairs_groups(void **state) {
    (void)state;
    for (unsigned pairs = 0; pairs < 2; pairs++) {
        struct stoa_winograd_grid grid = stoa_winograd_grid_of(8, 3, 8, 28, 28);
        stoa_winograd_cut_even(&grid, 3 * grid.in_image, pairs);
        assert_int_equal(grid.blocks, pairs ? 4 : 3);
        /* 256 tiles in blocks of 24: one more, and both threads have as many tiles. */
        grid = stoa_winograd_grid_of(6, 3, 64, 8, 8);
        stoa_winograd_cut_full(&grid, 24, pairs);
        assert_int_equal(grid.blocks, pairs ? 12 : 11);
        assert_int_equal(stoa_winograd_block_of(&grid, 5).end, pairs ? 128 : 144);
    }
}

static void declines(const stoa_context *context, struct stoa_conv conv) {
    for (size_t i = 0; i < (size_t)PASSES * ALGORITHMS; i++) {
        assert_false(applicable(context, algorithms[i % ALGORITHMS], &conv, i / ALGORITHMS));
    }
}

/* Groups, dilations, windows that are not square, too few and too many taps, those of a stride that the
 * kernel lacks, wide paddings and policies that ask for plain sums. */
static void declines_what_it_cannot(void **state) {
    (void)state;
    const struct stoa_conv good[] = {shape(1, 32, 8, 8, 32, 1, 0), strided(4, 1, 1, 32, 14, 14, 32, 1, 0),
                                     strided(5, 1, 1, 32, 14, 14, 32, 2, 0),
                                     strided(5, 2, 1, 32, 14, 14, 32, 2, 0)};
    enum { GOOD = sizeof good / sizeof *good };
    stoa_context *context = make_context(1, 0, stoa_isa_best());
    for (size_t i = 0; i < GOOD; i++) {
        struct stoa_conv bad[7];
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            bad[j] = good[i];
        }
        bad[0].groups = 2;
        bad[1].window.stride_width++;
        bad[2].window.stride_height++;
        bad[3].window.dilation_height = 2;
        bad[4].window.dilation_height = bad[4].window.dilation_width = 2;
        bad[5].window.kernel_width--;
        bad[6].window.kernel_height++;
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            declines(context, bad[j]);
        }
        for (size_t pass = 0; pass < PASSES; pass++) {
            bool can = applicable(context, &stoa_conv_winograd4, &good[i], pass);
            assert_int_equal(can, pass != STOA_CONV_BACKWARD_DATA || good[i].window.stride_width == 1);
            /* More taps than its points leave outputs for. */
            assert_int_equal(applicable(context, &stoa_conv_winograd2, &good[i], pass),
                             (i == 0 || i == 3) && can);
        }
    }
    declines(context, shape(1, 32, 8, 8, 32, 3, 0));
    declines(context, strided(5, 1, 1, 32, 14, 14, 32, 5, 0));
    declines(context, strided(1, 1, 1, 32, 14, 14, 32, 0, 0));
    declines(context, strided(2, 1, 1, 32, 14, 14, 32, 0, 0));
    declines(context, strided(6, 1, 1, 32, 14, 14, 32, 2, 0));
    declines(context, strided(3, 2, 1, 32, 14, 14, 32, 1, 0)); /* two taps */
    declines(context, strided(4, 2, 1, 32, 14, 14, 32, 1, 0));
    declines(context, strided(11, 2, 1, 32, 14, 14, 32, 5, 0)); /* six */
    declines(context, strided(9, 4, 1, 32, 24, 24, 32, 4, 0));  /* twelve for nine */
    declines(context, strided(7, 3, 1, 32, 24, 24, 32, 3, 0));
    stoa_context_free(context);
    for (int policy = STOA_POLICY_EXACT; policy <= STOA_POLICY_BLAS; policy++) {
        assert_int_equal(
            stoa_context_create(&(stoa_context_options){.policy = (stoa_policy)policy}, &context), STOA_OK);
        for (size_t i = 0; i < GOOD; i++) {
            declines(context, good[i]);
        }
        stoa_context_free(context);
    }
}

/* The largest tiles only where a sum has terms enough to even out their errors, whatever the batch. */
static void takes_large_tiles_for_long_sums(void **state) {
    (void)state;
    static const struct {
        size_t kernel, stride, channels, side, filters, pad;
        bool right[PASSES];
    } all[] = {
        {4, 1, 3, 20, 4, 0, {true, true, true}},      {4, 1, 1, 20, 1, 0, {false, false, true}},
        {4, 1, 4, 20, 3, 1, {true, true, true}},      {4, 1, 16, 10, 16, 0, {true, true, true}},
        {4, 1, 16, 9, 16, 0, {true, true, false}},    {4, 1, 16, 4, 16, 3, {true, true, false}},
        {5, 1, 2, 20, 3, 2, {false, true, true}},     {5, 1, 16, 12, 16, 0, {true, true, true}},
        {5, 1, 16, 11, 16, 0, {true, true, false}},   {5, 1, 16, 7, 16, 4, {true, true, false}},
        {7, 2, 1, 21, 1, 0, {true, false, true}},     {7, 2, 3, 19, 16, 0, {true, false, true}},
        {7, 2, 3, 13, 16, 3, {true, false, true}},    {7, 2, 3, 12, 16, 6, {true, false, false}},
        {9, 2, 1, 24, 16, 0, {true, false, true}},    {3, 1, 16, 9, 16, 0, {true, true, true}},
        {3, 1, 16, 8, 16, 0, {true, true, false}},    {3, 1, 16, 6, 16, 2, {true, true, false}},
        {3, 1, 15, 20, 16, 0, {false, false, false}}, {3, 1, 96, 20, 128, 1, {false, false, true}},
        {3, 1, 136, 20, 136, 1, {true, true, true}},
    };
    stoa_context *context = make_context(1, 0, stoa_isa_best());
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t j = 0; j < (size_t)2 * PASSES; j++) {
            struct stoa_conv conv = strided(all[i].kernel, all[i].stride, j % 2 ? 100 : 1, all[i].channels,
                                            all[i].side, all[i].side, all[i].filters, all[i].pad, 0);
            if (applicable(context, &stoa_conv_winograd6, &conv, j / 2) != all[i].right[j / 2]) {
                fail_msg("shape %zu, pass %zu", i, j / 2);
            }
        }
    }
    stoa_context_free(context);
}

/* An algorithm, a convolution, and at how many limits it was refused and taken. */
struct limited {
    const struct stoa_conv_algorithm *algorithm;
    struct stoa_conv conv;
    size_t refused, taken;
};

enum { MANY = 256 };

/* A thread's scratch and its distance from the next one's stay below the limit and a quarter, and where not
 * one tile fits the algorithm is not applicable. */
static void check_limit(const stoa_context *one, const stoa_context *many, size_t limit,
                        struct limited *limited) {
    for (size_t i = 0; i < PASSES; i++) {
        enum stoa_conv_pass pass = (enum stoa_conv_pass)i;
        const struct stoa_conv *conv = &limited->conv;
        struct stoa_conv_plan plans[2];
        if (i == STOA_CONV_BACKWARD_DATA && conv->window.stride_height > 1) {
            continue;
        }
        if (!stoa_conv_plan_with(one, limited->algorithm, conv, pass, &plans[0])) {
            limited->refused++;
            continue;
        }
        limited->taken++;
        assert_true(stoa_conv_plan_with(many, limited->algorithm, conv, pass, &plans[1]));
        assert_true(plans[0].cost == plans[1].cost);
        assert_true(plans[0].bytes <= limit * (1 + STOA_CONV_SHARED_LIMITS));
        assert_true(plans[1].bytes <= limit * (MANY + MANY / 4 + STOA_CONV_SHARED_LIMITS));
    }
}

static void keeps_to_the_workspace_limit(void **state) {
    (void)state;
    struct limited all[] = {
        {&stoa_conv_winograd4, shape(4, 64, 28, 28, 64, 1, 0), 0, 0},
        {&stoa_conv_winograd4, strided(5, 1, 4, 64, 28, 28, 64, 2, 0), 0, 0},
        {&stoa_conv_winograd6, strided(5, 1, 4, 64, 28, 28, 64, 2, 0), 0, 0},
        {&stoa_conv_winograd4, strided(5, 1, 4, 6, 28, 28, 16, 2, 0), 0, 0},
        {&stoa_conv_winograd6, strided(5, 1, 4, 6, 28, 28, 16, 2, 0), 0, 0},
        {&stoa_conv_winograd4, strided(7, 2, 2, 3, 61, 57, 64, 3, 0), 0, 0},
        {&stoa_conv_winograd6, strided(7, 2, 2, 3, 61, 57, 64, 3, 0), 0, 0},
        {&stoa_conv_winograd4, strided(5, 2, 2, 64, 28, 28, 96, 2, 0), 0, 0},
        {&stoa_conv_winograd6, strided(5, 2, 2, 64, 28, 28, 96, 2, 0), 0, 0},
        {&stoa_conv_winograd4, strided(11, 4, 1, 3, 67, 67, 64, 2, 0), 0, 0},
        {&stoa_conv_winograd6, strided(11, 4, 1, 3, 67, 67, 64, 2, 0), 0, 0},
        {&stoa_conv_winograd4, strided(17, 4, 1, 4, 97, 93, 16, 8, 0), 0, 0},
        {&stoa_conv_winograd6, strided(17, 4, 1, 4, 97, 93, 16, 8, 0), 0, 0},
    };
    for (size_t limit = (size_t)16 << 10; limit <= (size_t)4 << 20; limit += limit / 8) {
        stoa_context *one = make_context(1, limit, stoa_isa_best());
        stoa_context *many = make_context(MANY, limit, stoa_isa_best());
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            check_limit(one, many, limit, &all[i]);
        }
        stoa_context_free(one);
        stoa_context_free(many);
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_true(all[i].refused > 0 && all[i].taken > 0);
    }
}

/* By a quarter of the limit, at most 256 KiB; one thread has no neighbour, and nothing needs no distance. */
static void threads_lie_apart(void **state) {
    (void)state;
    const size_t limits[][2] = {{16 << 10, 4 << 10}, {1 << 20, 256 << 10}, {8 << 20, 256 << 10}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        stoa_context *one = make_context(1, limits[i][0], stoa_isa_best());
        stoa_context *two = make_context(2, limits[i][0], stoa_isa_best());
        assert_int_equal(stoa_conv_thread_step(one, 33), 48);
        assert_int_equal(stoa_conv_thread_step(two, 33), 48 + limits[i][1] / sizeof(float));
        assert_int_equal(stoa_conv_thread_step(two, 0), 0);
        stoa_context_free(one);
        stoa_context_free(two);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_cover_an_image_once),    cmocka_unit_test(pairs_groups),
        cmocka_unit_test(declines_what_it_cannot),      cmocka_unit_test(takes_large_tiles_for_long_sums),
        cmocka_unit_test(keeps_to_the_workspace_limit), cmocka_unit_test(threads_lie_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
