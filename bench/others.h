/* SPDX-License-Identifier: MIT */
/* How much of the machine other programs had meanwhile. */
#ifndef STOA_BENCH_OTHERS_H
#define STOA_BENCH_OTHERS_H

struct bench_others {
    double busy, own, at; /* CPU seconds of the machine and of this process, and when */
};

void bench_others_begin(struct bench_others *others);

/* More than this spoils a measurement. */
#define BENCH_MOST_OTHERS 0.05

/* Share of all CPUs that went to other programs (and, on a virtual machine, to its neighbours) since then, 0
 * to 1; 0 where the system does not say, and below what its clock can tell. */
double bench_others_share(const struct bench_others *begin);

#endif
