/* SPDX-License-Identifier: MIT */
/* Shared parts of the kernel tests: arrays in float and in double, and their comparison.
 *
 * Every slot of STOA_KERNEL_LIST has one test, test_kernel_<slot>(), which runs for each instruction set, and
 * for the float reference as well, against the double reference on the same inputs. */
#ifndef TESTS_KERNELS_KERNEL_TEST_H
#define TESTS_KERNELS_KERNEL_TEST_H

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/kernels.h"

/* What one test run checks. */
struct subject {
    const struct stoa_kernels *kernels;
    const char *name; /* the instruction set's, or "reference" */
    double slack;     /* 1; more for the float reference, which sums naively */
};

#define DECLARE_TEST(slot, signature) void test_kernel_##slot(const struct subject *s);
STOA_KERNEL_LIST(DECLARE_TEST, float)
#undef DECLARE_TEST

/* `n` values in float and the same ones in double. f starts at an address that is no multiple of a vector's
 * size and ends where its memory block ends (inputs, so that a sanitizer sees reads beyond) or between
 * canaries (outputs). */
struct array {
    float *f;
    double *d;
    size_t n;
};

/* Test-wide random numbers; main() prints the seed. */
void random_seed(uint64_t seed);
uint64_t random_bits(void);
size_t random_size(size_t low, size_t high); /* low <= result <= high */

/* Memory that random_inputs and the rest hand out lives until arrays_release(). */
struct array input_random(size_t n, float low, float high);
struct array input_integers(size_t n, int low, int high);
struct array output_unset(size_t n);                       /* NaN in f, 1e300 in d */
struct array output_copy(struct array from);               /* for values that are changed in place */
void *input_block(size_t bytes);                           /* ends at the end of its memory block */
void sprinkle(struct array *a, float value, size_t every); /* about one value in `every` becomes `value` */
void arrays_release(void);
/* Rows as networks make them, rows with a wide range, and rows with values that are no numbers. */
struct array input_logits(size_t number, size_t n);

/* Fail unless every |f - d| <= absolute + relative * |d|; NaN must meet NaN and infinity infinity. Checks
 * canaries. */
void check_close(const char *what, const struct subject *s, struct array a, double absolute, double relative);
void check_exact(const char *what, const struct subject *s, struct array a);
/* The same of doubles, without canaries. */
void check_doubles(const char *what, const struct subject *s, const double *found, const double *expected,
                   size_t n, double absolute, double relative);
/* The canaries around `a` alone. */
void check_canaries(const char *what, struct array a);

/* Windows for the tests: some from known networks, then random ones. */
struct window_case {
    struct stoa_window w;
    size_t batch, first_row, rows;
    size_t channel0, channels; /* a slice of w.channels */
};

enum { WINDOW_CASES = 400 };
/* Case `number` < WINDOW_CASES. */
struct window_case window_case(size_t number);
/* Make the window a random part of its output rows, which columns know. */
void take_part(struct stoa_window *w);
size_t image_floats(const struct stoa_window *w);
size_t output_floats(const struct stoa_window *w); /* of one image */

/* Sizes around the widths of vectors and the chunks of reductions. */
extern const size_t test_sizes[];
extern const size_t test_size_count;

/* Matrices for kernels over rows: every number of rows with every number of columns. */
extern const size_t row_shapes;
void row_shape(size_t number, size_t *rows, size_t *columns);

/* Tests of the references themselves, and of exp and log. */
void test_polynomials(void **state);
void test_reference_gemm(void **state);
void test_reference_adjoint(void **state);
void test_reference_part_of_a_row(void **state);
void test_reference_conv_finite_differences(void **state);
void test_reference_conv_is_im2col_gemm(void **state);
void test_reference_winograd_is_convolution(void **state);

#endif
