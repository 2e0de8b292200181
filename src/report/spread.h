/* SPDX-License-Identifier: MIT */
/* How numbers of the same thing lie: of several seeds, of several measurements. */
#ifndef STOA_REPORT_SPREAD_H
#define STOA_REPORT_SPREAD_H

#include <stddef.h>

/* NAN where there are too few numbers for it: one, and two for the deviation, which is that of a sample. */
struct report_spread {
    double least, most, mean, deviation;
};
struct report_spread report_spread(const double *values, size_t count);

#endif
