/* SPDX-License-Identifier: MIT */
/* What the library's choices among algorithms cost: the time of what it chose over the fastest one's. */
#ifndef STOA_BENCH_CHOICES_H
#define STOA_BENCH_CHOICES_H

#include "bench/layer.h"

/* Differences below this share of the time are noise. */
#define BENCH_CHOICE_NOISE 0.03

struct bench_choices {
    struct bench_choices_of_pass {
        size_t rows, missed; /* of them with a faster algorithm */
        double log_loss;     /* summed */
        double worst;
        char worst_row[64];
    } pass[BENCH_PASSES];
};

void bench_choices_count(struct bench_choices *choices, enum stoa_conv_pass pass, const char *layer,
                         double chosen, double fastest);
/* Of all passes as one; no rows where there are none. */
struct bench_choices_of_pass bench_choices_all(const struct bench_choices *choices);
/* The geometric mean, 1 where there are no rows. */
double bench_choices_mean(const struct bench_choices_of_pass *of);
/* A line a pass, and one for all where there are several. */
void bench_choices_print(const struct bench_choices *choices);

#endif
