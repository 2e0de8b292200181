/* SPDX-License-Identifier: MIT */
/* How numbers of the same thing lie. */
#include "report/spread.h"

#include <math.h>

struct report_spread report_spread(const double *values, size_t count) {
    struct report_spread spread = {.least = NAN, .most = NAN, .mean = NAN, .deviation = NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        spread.least = fmin(spread.least, values[i]);
        spread.most = fmax(spread.most, values[i]);
        sum += values[i];
    }
    if (count > 0) {
        spread.mean = sum / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - spread.mean) * (values[i] - spread.mean);
    }
    if (count > 1) {
        spread.deviation = sqrt(squares / (double)(count - 1));
    }
    return spread;
}
