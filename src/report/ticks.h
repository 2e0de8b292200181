/* SPDX-License-Identifier: MIT */
/* Round numbers along an axis, and numbers as text for people. */
#ifndef STOA_REPORT_TICKS_H
#define STOA_REPORT_TICKS_H

#include <stdbool.h>
#include <stddef.h>

enum report_scale {
    REPORT_AUTO,   /* logarithmic where all values are above 0 and reach over a factor of 50 */
    REPORT_LINEAR, /* also where a logarithm was asked for and a value is not above 0 */
    REPORT_LOG
};

/* An axis from `least` to `most`, both finite, least < most, and above 0 on a logarithmic one. */
struct report_span {
    double least, most;
    bool log;
};

/* The share of the way from least to most at which a value lies; outside 0 to 1 where it does. */
double report_place(const struct report_span *span, double value);

/* A span around values from `least` to `most` with some air; 0 to 1 where these are not finite. */
struct report_span report_span_of(enum report_scale scale, double least, double most);

/* At most `most` (2 to REPORT_MOST_TICKS) places of ticks within a span, rising, and the distance between
 * them; 0 where each is a power of ten, or a digit of one, of its own. */
enum { REPORT_MOST_TICKS = 16 };
size_t report_ticks(const struct report_span *span, size_t most, double ticks[REPORT_MOST_TICKS],
                    double *step);

/* Text of numbers; each lies in the caller's buffer, which is returned. */
struct report_word {
    char text[32];
};
/* Of a tick, with as many digits as neighbours at that distance need: "0.25", "20k", "1e-5". */
const char *report_tick_word(struct report_word *word, double value, double step);
/* So many significant digits: of four, "0.01234", "98.76", "12.35k", and whole numbers below 10,000 as
 * they are; of three, "2.00", so that those beside each other look alike; "not finite". */
const char *report_digits_word(struct report_word *word, double value, int digits);
/* Four of them. */
const char *report_number_word(struct report_word *word, double value);

#endif
