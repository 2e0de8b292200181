/* SPDX-License-Identifier: MIT */
/* The small parts of the ground floor: checked sizes, random numbers, error sentences, names of statuses. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/random.h"
#include "base/size.h"
#include "cmocka_prelude.h"

static void sizes_overflow(void **state) {
    (void)state;
    size_t value = 5;
    assert_true(stoa_size_mul(SIZE_MAX / 3, 3, &value));
    assert_false(stoa_size_mul(SIZE_MAX / 3 + 1, 3, &value));
    assert_true(stoa_size_add(SIZE_MAX - 1, 1, &value));
    assert_true(value == SIZE_MAX);
    assert_false(stoa_size_add(SIZE_MAX, 1, &value));
    /* As many of the largest as fit: two where size_t has 64 bits. */
    value = 1;
    for (size_t left = SIZE_MAX; left >= STOA_MAX_DIMENSION; left /= STOA_MAX_DIMENSION) {
        assert_true(stoa_size_scale(&value, STOA_MAX_DIMENSION));
    }
    assert_false(stoa_size_scale(&value, STOA_MAX_DIMENSION));
    assert_true(stoa_float_bytes(17, &value));
    assert_int_equal(value, 128);
    assert_true(stoa_float_bytes(0, &value));
    assert_int_equal(value, 0);
    assert_false(stoa_float_bytes(SIZE_MAX / 4, &value));
    assert_int_equal(stoa_ceil_div(7, 3), 3);
    assert_int_equal(stoa_ceil_div(6, 3), 2);
    assert_true(stoa_ceil_div(SIZE_MAX, 2) == SIZE_MAX / 2 + 1);
    assert_int_equal(stoa_round_up(65, 64), 128);
}

/* The known answers that come with Random123 for Philox4x32-10: all zeros, all ones, digits of pi. */
static void philox_known_answers(void **state) {
    (void)state;
    static const struct {
        uint64_t key, low, high;
        uint32_t word[4];
    } answers[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822,
         0x85a308d3243f6a88,
         0x0370734413198a2e,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct stoa_random4 got = stoa_philox(answers[i].key, answers[i].low, answers[i].high);
        assert_memory_equal(got.word, answers[i].word, sizeof got.word);
    }
}

static void unit_stays_below_one(void **state) {
    (void)state;
    assert_true(stoa_random_unit(0) == 0.0F);
    assert_true(stoa_random_unit(UINT32_MAX) < 1.0F);
    assert_true(stoa_random_stream_id(STOA_RANDOM_DROPOUT, 5) !=
                stoa_random_stream_id(STOA_RANDOM_SHUFFLE, 5));
}

static void normal_numbers_are_normal(void **state) {
    (void)state;
    enum { COUNT = 100001 };
    static float values[COUNT + 1], again[COUNT];
    values[COUNT] = -7;
    stoa_random_normal(11, 1, values, COUNT);
    assert_true(values[COUNT] == -7.0F);
    double sum = 0, squares = 0;
    size_t beyond = 0;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(isfinite(values[i]));
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
        beyond += fabsf(values[i]) > 1.959964F;
    }
    /* Five standard errors of each. */
    assert_true(fabs(sum / COUNT) < 5 / sqrt(COUNT));
    assert_true(fabs(squares / COUNT - 1) < 5 * sqrt(2.0 / COUNT));
    assert_true(fabs((double)beyond / COUNT - 0.05) < 5 * sqrt(0.05 * 0.95 / COUNT));
    /* A shorter run is the start of a longer one. */
    stoa_random_normal(11, 1, again, 7);
    assert_memory_equal(again, values, 7 * sizeof again[0]);
    stoa_random_normal(12, 1, again, 7);
    assert_memory_not_equal(again, values, 7 * sizeof again[0]);
}

static void shuffle_permutes(void **state) {
    (void)state;
    enum { COUNT = 1000, ROUNDS = 6000 };
    size_t index[COUNT];
    bool seen[COUNT] = {false};
    for (size_t i = 0; i < COUNT; i++) {
        index[i] = i;
    }
    stoa_random_shuffle(3, 9, index, COUNT);
    size_t fixed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(index[i] < COUNT && !seen[index[i]]);
        seen[index[i]] = true;
        fixed += index[i] == i;
    }
    assert_in_range(fixed, 0, 10);
    /* Every order of three comes up about equally often: 1000 of 6000, standard deviation 29. */
    size_t orders[6] = {0};
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t three[3] = {0, 1, 2};
        stoa_random_shuffle(round, 9, three, 3);
        orders[three[0] * 2 + (three[1] > three[2])]++;
    }
    for (size_t i = 0; i < 6; i++) {
        assert_in_range(orders[i], 850, 1150);
    }
}

static void errors_carry_a_sentence(void **state) {
    (void)state;
    struct stoa_error error = {0};
    assert_int_equal(stoa_error_set(&error, STOA_ERR_SHAPE, "kernel %dx%d", 5, 5), STOA_ERR_SHAPE);
    assert_int_equal(stoa_error_prefix(&error, "%s: ", "file"), STOA_ERR_SHAPE);
    assert_string_equal(error.text, "file: kernel 5x5");
    char large[2000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    (void)stoa_error_set(&error, STOA_ERR_IO, "%s", large);
    (void)stoa_error_prefix(&error, "%s", large);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

static void every_status_has_a_text(void **state) {
    (void)state;
    assert_string_equal(stoa_status_text(STOA_OK), "ok");
    assert_string_equal(stoa_status_text((stoa_status)1000), "unknown status");
    for (int status = STOA_OK; status <= STOA_ERR_UNSUPPORTED; status++) {
        assert_string_not_equal(stoa_status_text((stoa_status)status), "unknown status");
    }
}

static void instruction_sets_have_names(void **state) {
    (void)state;
    for (int isa = STOA_ISA_BASE; isa < STOA_ISA_COUNT; isa++) {
        assert_non_null(stoa_isa_name((stoa_isa)isa));
    }
    assert_null(stoa_isa_name(STOA_ISA_COUNT));
    assert_true(stoa_isa_best() < STOA_ISA_COUNT);
}

/* Tests are linked with a ceiling that follows STOA_CPU. */
static void nothing_above_the_ceiling_is_found(void **state) {
    (void)state;
    const char *set = getenv("STOA_CPU");
    char *kept = set ? strdup(set) : NULL;
    assert_int_equal(unsetenv("STOA_CPU"), 0);
    const stoa_isa best = stoa_isa_best();
    for (int isa = STOA_ISA_BASE; isa < STOA_ISA_COUNT; isa++) {
        assert_int_equal(setenv("STOA_CPU", stoa_isa_name((stoa_isa)isa), 1), 0);
        assert_int_equal(stoa_isa_best(), (stoa_isa)isa < best ? (stoa_isa)isa : best);
        assert_int_equal(stoa_cpu_blas_core() != NULL, stoa_isa_best() != STOA_ISA_BASE);
    }
    assert_int_equal(kept ? setenv("STOA_CPU", kept, 1) : unsetenv("STOA_CPU"), 0);
    free(kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_overflow),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(unit_stays_below_one),
        cmocka_unit_test(normal_numbers_are_normal),
        cmocka_unit_test(shuffle_permutes),
        cmocka_unit_test(errors_carry_a_sentence),
        cmocka_unit_test(every_status_has_a_text),
        cmocka_unit_test(instruction_sets_have_names),
        cmocka_unit_test(nothing_above_the_ceiling_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
