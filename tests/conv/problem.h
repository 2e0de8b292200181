/* SPDX-License-Identifier: MIT */
/* Random convolutions for tests: sizes that reach every way through the algorithms, how the operands lie,
 * numbers, and what each pass should give, by the double reference. */
#ifndef STOA_TESTS_CONV_PROBLEM_H
#define STOA_TESTS_CONV_PROBLEM_H

#include <stdint.h>

#include "conv/conv.h"

/* What results that are added find. */
#define PROBLEM_START 0.25F

/* A convolution with its numbers as dense NHWC and HWIO; conv says how a run's operands lie. */
struct problem {
    struct stoa_conv conv; /* of the batch that runs */
    size_t planned_batch;  /* at least as large */
    bool relu, has_bias;
    size_t x_count, weight_count, y_count;
    float *x, *weight, *bias, *dy;
    char text[400]; /* for people; more may be written behind it */
};

/* Problem `number` of a seed, the same whatever was drawn before it. Release with problem_free(). */
void problem_draw(struct problem *p, uint64_t seed, size_t number);
void problem_free(struct problem *p);

/* More draws, that follow a problem's own. */
uint32_t problem_random(void);
size_t problem_between(size_t least, size_t most);
bool problem_one_in(size_t n);
#define PROBLEM_PICK(array) (array)[problem_random() % (sizeof(array) / sizeof *(array))]

/* What a pass should give: values, and the largest sum(|a||b|). */
struct expected {
    double *first, *second; /* y; dx; dweight and dbias */
    size_t first_count, second_count;
    double first_size, second_size;
};

/* By the double reference. Release with expected_free(). */
struct expected problem_expect(const struct problem *p, enum stoa_conv_pass pass);
void expected_free(struct expected *e);

/* Results within `bound` of what is expected, in units of `size`, the largest sum(|a||b|). Returns the
 * largest error in these units. */
double problem_check(const struct problem *p, const char *what, const float *got, const double *want,
                     size_t count, double size, double bound);

/* The documented bound of an algorithm, whose name `algorithm` begins with. */
double problem_bound(const char *algorithm);

#endif
