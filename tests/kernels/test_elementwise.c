/* SPDX-License-Identifier: MIT */
/* Kernels over flat arrays: rectifier, sums, dropout, conversion. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "tests/kernels/kernel_test.h"

static struct array with_specials(size_t n) {
    struct array a = input_random(n, -2, 2);
    sprinkle(&a, NAN, 9);
    sprinkle(&a, INFINITY, 19);
    sprinkle(&a, -INFINITY, 23);
    sprinkle(&a, 0, 7);
    sprinkle(&a, -0.0F, 11);
    return a;
}

void test_kernel_relu(const struct subject *s) {
    for (size_t i = 0; i < test_size_count; i++) {
        struct array x = with_specials(test_sizes[i]);
        struct array y = output_unset(x.n);
        struct array in_place = output_copy(x);
        s->kernels->relu(x.f, y.f, x.n);
        stoa_reference_f64.relu(x.d, y.d, x.n);
        check_exact("relu", s, y);
        s->kernels->relu(in_place.f, in_place.f, x.n);
        in_place.d = y.d;
        check_exact("relu in place", s, in_place);
        arrays_release();
    }
}

void test_kernel_relu_backward(const struct subject *s) {
    for (size_t i = 0; i < test_size_count; i++) {
        struct array y = with_specials(test_sizes[i]);
        struct array dy = with_specials(y.n);
        struct array dx = output_unset(y.n);
        struct array in_place = output_copy(dy);
        s->kernels->relu_backward(y.f, dy.f, dx.f, y.n);
        stoa_reference_f64.relu_backward(y.d, dy.d, dx.d, y.n);
        check_exact("relu_backward", s, dx);
        s->kernels->relu_backward(y.f, in_place.f, in_place.f, y.n);
        in_place.d = dx.d;
        check_exact("relu_backward in place", s, in_place);
        arrays_release();
    }
}

void test_kernel_add(const struct subject *s) {
    for (size_t i = 0; i < test_size_count; i++) {
        struct array a = with_specials(test_sizes[i]);
        struct array b = with_specials(a.n);
        struct array y = output_unset(a.n);
        struct array on_a = output_copy(a);
        struct array on_b = output_copy(b);
        s->kernels->add(a.f, b.f, y.f, a.n);
        stoa_reference_f64.add(a.d, b.d, y.d, a.n);
        check_close("add", s, y, 0, 1e-7);
        s->kernels->add(on_a.f, b.f, on_a.f, a.n);
        on_a.d = y.d;
        check_close("add onto a", s, on_a, 0, 1e-7);
        s->kernels->add(a.f, on_b.f, on_b.f, a.n);
        on_b.d = y.d;
        check_close("add onto b", s, on_b, 0, 1e-7);
        arrays_release();
    }
}

void test_kernel_accumulate(const struct subject *s) {
    for (size_t i = 0; i < test_size_count; i++) {
        struct array x = with_specials(test_sizes[i]);
        struct array y = output_copy(with_specials(x.n));
        s->kernels->accumulate(x.f, y.f, x.n);
        stoa_reference_f64.accumulate(x.d, y.d, x.n);
        check_close("accumulate", s, y, 0, 1e-7);
        arrays_release();
    }
}

void test_kernel_dropout(const struct subject *s) {
    static const uint32_t thresholds[] = {0, 1U << 30, 1U << 31, 0xE0000000U, 0xFFFFFFFFU};
    for (size_t i = 0; i < test_size_count; i++) {
        for (size_t j = 0; j < 6; j++) {
            struct array x = with_specials(test_sizes[i]);
            struct array y = output_unset(x.n);
            struct array in_place = output_copy(x);
            uint64_t key = random_bits();
            uint64_t stream = random_bits();
            size_t first = random_size(0, 1) * random_size(0, SIZE_MAX / 4);
            /* The last one is the very word of an element: equal means kept. */
            uint32_t threshold = j < 5 ? thresholds[j] : stoa_philox(key, first / 4, stream).word[first % 4];
            s->kernels->dropout(x.f, y.f, first, x.n, key, stream, threshold, 1.25F);
            stoa_reference_f64.dropout(x.d, y.d, first, x.n, key, stream, threshold, 1.25);
            check_close("dropout", s, y, 0, 1e-7);
            s->kernels->dropout(in_place.f, in_place.f, first, x.n, key, stream, threshold, 1.25F);
            in_place.d = y.d;
            check_close("dropout in place", s, in_place, 0, 1e-7);
            arrays_release();
        }
    }
}

void test_kernel_bytes_to_real(const struct subject *s) {
    for (size_t i = 0; i < test_size_count; i++) {
        size_t n = test_sizes[i];
        uint8_t *x = input_block(n);
        for (size_t j = 0; j < n; j++) {
            x[j] = (uint8_t)(n > 255 ? j : random_bits());
        }
        struct array y = output_unset(n);
        s->kernels->bytes_to_real(x, n, 0.00390625F, -0.3125F, y.f);
        stoa_reference_f64.bytes_to_real(x, n, 0.00390625, -0.3125, y.d);
        check_close("bytes_to_real", s, y, 1e-7, 1e-7);
        arrays_release();
    }
}

void test_kernel_normalize(const struct subject *s) {
    static const size_t some_rows[] = {1, 15, 16, 31, 32, 33, 64, 100};
    for (size_t channels = 1; channels <= 20; channels++) {
        for (size_t i = 0; i < sizeof some_rows / sizeof *some_rows; i++) {
            struct array start = with_specials(some_rows[i] * channels);
            struct array mean = input_random(channels, -1, 1);
            struct array deviation = input_random(channels, 0.5F, 2);
            struct array y = output_copy(start);
            s->kernels->normalize(y.f, some_rows[i], channels, mean.f, deviation.f);
            stoa_reference_f64.normalize(y.d, some_rows[i], channels, mean.d, deviation.d);
            check_close("normalize", s, y, 2e-7, 2e-7);
            arrays_release();
        }
    }
}

void test_kernel_find_nonfinite(const struct subject *s) {
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3.4e38F, 1e-42F};
    for (size_t i = 0; i < test_size_count; i++) {
        for (size_t j = 0; j < 20; j++) {
            struct array x = input_random(test_sizes[i], -3e38F, 3e38F);
            for (size_t k = 0; k < j % 3 && x.n > 0; k++) {
                size_t at = random_size(0, x.n - 1);
                x.f[at] = bad[random_size(0, 4)];
                x.d[at] = (double)x.f[at];
            }
            if (j >= 18 && x.n > 0) { /* the two ends */
                x.f[j == 18 ? 0 : x.n - 1] = NAN;
                x.d[j == 18 ? 0 : x.n - 1] = (double)NAN;
            }
            size_t got = 12345;
            size_t want = 54321;
            s->kernels->find_nonfinite(x.f, x.n, &got);
            stoa_reference_f64.find_nonfinite(x.d, x.n, &want);
            assert_int_equal(got, want);
            arrays_release();
        }
    }
}

void test_kernel_fma_chain(const struct subject *s) {
    static const size_t rounds[] = {0, 1, 2, 3, 7, 100};
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        struct array x = input_random(STOA_FMA_CHAINS, -2, 2);
        sprinkle(&x, NAN, 40);
        struct array y = output_unset(x.n);
        /* A factor below 1 makes errors of early steps fade, so that the tolerance holds for any number. */
        s->kernels->fma_chain(x.f, rounds[i], 0.75F, 0.5F, y.f);
        stoa_reference_f64.fma_chain(x.d, rounds[i], 0.75, 0.5, y.d);
        check_close("fma_chain", s, y, 4e-7, 4e-7);
        arrays_release();
    }
}
