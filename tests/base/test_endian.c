/* SPDX-License-Identifier: MIT */
/* Numbers of files, byte by byte: every order and width, unaligned, and all half-precision numbers. */
#include <math.h>

#include "base/endian.h"
#include "cmocka_prelude.h"

static void loads_take_bytes_in_order(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0xEE, 0x81, 0x02, 0xF3, 0x04, 0x85, 0x06, 0x07, 0x88};
    const uint8_t *at = bytes + 1; /* an odd address */
    assert_true(stoa_load_le16(at) == 0x0281U);
    assert_true(stoa_load_be16(at) == 0x8102U);
    assert_true(stoa_load_le32(at) == 0x04F30281U);
    assert_true(stoa_load_be32(at) == 0x8102F304U);
    assert_true(stoa_load_le64(at) == UINT64_C(0x8807068504F30281));
    assert_true(stoa_load_be64(at) == UINT64_C(0x8102F30485060788));
    uint8_t stored[9] = {0};
    stoa_store_le64(stored + 1, UINT64_C(0x8807068504F30281));
    assert_memory_equal(stored + 1, at, 8);
}

/* The definition in IEEE 754, 3.4: sign, biased exponent, fraction. */
static double half_by_definition(unsigned half) {
    int exponent = (int)(half >> 10 & 31);
    double fraction = half & 1023;
    double magnitude = exponent == 0    ? ldexp(fraction, -24)
                       : exponent == 31 ? (fraction == 0 ? HUGE_VAL : (double)NAN)
                                        : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000U ? -magnitude : magnitude;
}

static void every_half_is_its_number(void **state) {
    (void)state;
    for (unsigned half = 0; half < 0x10000U; half++) {
        double expected = half_by_definition(half);
        float found = stoa_half_to_float((uint16_t)half);
        assert_true(isnan(expected) ? isnan(found) : (double)found == expected);
        assert_true(!signbit(found) == !(half & 0x8000U));
    }
}

static void short_forms_of_floats(void **state) {
    (void)state;
    assert_true(stoa_bfloat16_to_float(0x3FC0U) == 1.5F);
    assert_true(stoa_bfloat16_to_float(0x8001U) == -0x1p-133F);
    assert_true(isinf(stoa_bfloat16_to_float(0x7F80U)));
    assert_true(isnan(stoa_bfloat16_to_float(0xFFC1U)));
    assert_true(stoa_bits_to_float(0xC0490FDBU) == -0x1.921FB6p+1F);
    assert_true(stoa_bits_to_double(UINT64_C(0x400921FB54442D18)) == 0x1.921FB54442D18p+1);
}

static void floats_of_a_file_become_the_machines(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0xDB, 0x0F, 0x49, 0x40, 0x00, 0x00, 0x80, 0xBF};
    float values[2];
    memcpy(values, bytes, sizeof values);
    stoa_swap_le_floats(values, 2);
    assert_true(values[0] == 0x1.921FB6p+1F && values[1] == -1.0F);
    stoa_swap_le_floats(values, 2);
    assert_memory_equal(values, bytes, sizeof bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_take_bytes_in_order),
        cmocka_unit_test(every_half_is_its_number),
        cmocka_unit_test(short_forms_of_floats),
        cmocka_unit_test(floats_of_a_file_become_the_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
