/* SPDX-License-Identifier: MIT */
/* Kernels of convolutions with pixels in the lanes. */
#include "base/size.h"
#include "tests/kernels/kernel_test.h"

enum { MOST_TERMS = 27 };

/* A few filters, and numbers of vectors and of terms around those that stay in registers. */
struct planes_case {
    size_t filters, terms, n, stride, reach, term[MOST_TERMS];
};
enum { PLANES_CASES = STOA_PLANES_FILTERS * 20 };

static struct planes_case planes_case(size_t number) {
    struct planes_case c = {.filters = 1 + number % STOA_PLANES_FILTERS,
                            .terms = number % 7 == 0 ? 0 : random_size(1, MOST_TERMS),
                            .n = random_size(1, 21) * STOA_PRODUCT_LANES};
    c.stride = c.n + number % 3 * 5;
    for (size_t l = 0; l < c.terms; l++) {
        c.term[l] = random_size(0, 300);
        c.reach = stoa_max(c.reach, c.term[l]);
    }
    return c;
}

void test_kernel_planes(const struct subject *s) {
    for (size_t i = 0; i < PLANES_CASES; i++) {
        struct planes_case c = planes_case(i);
        struct array x = input_random(c.reach + c.n, -1, 1);
        struct array weight = input_random(c.terms * c.filters, -1, 1);
        struct array start = input_random(c.filters, -1, 1);
        size_t floats = (c.filters - 1) * c.stride + c.n;
        struct array y = output_copy(input_random(floats, 5, 6)); /* gaps stay as they are */
        bool starts = i % 2;
        s->kernels->planes(x.f, c.term, c.terms, weight.f, c.filters, starts ? start.f : NULL, c.n, y.f,
                           c.stride);
        stoa_reference_f64.planes(x.d, c.term, c.terms, weight.d, c.filters, starts ? start.d : NULL, c.n,
                                  y.d, c.stride);
        check_close("planes", s, y, 4e-7 * (double)(c.terms + 1), 1e-6);
        arrays_release();
    }
}

void test_kernel_planes_gradient(const struct subject *s) {
    for (size_t i = 0; i < PLANES_CASES; i++) {
        struct planes_case c = planes_case(i);
        struct array x = input_random(c.reach + c.n, -1, 1);
        struct array dy = input_random((c.filters - 1) * c.stride + c.n, -1, 1);
        struct array sums = output_copy(input_random(c.terms * c.filters * STOA_PRODUCT_LANES, -1, 1));
        s->kernels->planes_gradient(x.f, c.term, c.terms, dy.f, c.stride, c.filters, c.n, sums.f);
        stoa_reference_f64.planes_gradient(x.d, c.term, c.terms, dy.d, c.stride, c.filters, c.n, sums.d);
        const size_t addends = c.n / STOA_PRODUCT_LANES + 1;
        check_close("planes_gradient", s, sums, 4e-7 * (double)addends, 1e-6);
        arrays_release();
    }
}
