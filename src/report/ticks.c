/* SPDX-License-Identifier: MIT */
/* Ticks at 1, 2 and 5 times powers of ten. Spans reach over all of double: differences are taken of
 * halves. */
#include "report/ticks.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double WIDE = 50;           /* the factor from which on a logarithm shows more */
static const double RELATIVE = 1e-9;     /* the least span beside its numbers: labels have so many digits */
static const double LARGEST = 1e307;     /* beyond it, no room is left for air at the ends */
static const double LARGEST_LOG = 1e280; /* nor here, and below its inverse no normal number */

double report_place(const struct report_span *span, double value) {
    if (span->log) {
        return (log(value) - log(span->least)) / (log(span->most) - log(span->least));
    }
    return (value / 2 - span->least / 2) / (span->most / 2 - span->least / 2);
}

/* The smallest of 1, 2 and 5 times a power of ten that is not below `rough`. */
static double round_step(double rough) {
    double power = pow(10, floor(log10(rough)));
    double digit = rough / power;
    return power * (digit <= 1.000001 ? 1 : digit <= 2.000001 ? 2 : digit <= 5.000001 ? 5 : 10);
}

static double within(double value, double least, double most) {
    return fmin(fmax(value, least), most);
}

struct report_span report_span_of(enum report_scale scale, double least, double most) {
    if (!isfinite(least) || !isfinite(most) || least > most) {
        return (struct report_span){0, 1, false};
    }
    bool by_factors = least > 0 && (scale == REPORT_LOG || (scale == REPORT_AUTO && most / WIDE > least));
    if (by_factors) {
        least = within(least, 1 / LARGEST_LOG, LARGEST_LOG);
        most = within(most, 1 / LARGEST_LOG, LARGEST_LOG);
        bool one = !(most > least * 1.01);
        double air = one ? 2 : exp(0.03 * (log(most) - log(least)));
        return (struct report_span){least / air, most * air, true};
    }
    least = within(least, -LARGEST, LARGEST);
    most = within(most, -LARGEST, LARGEST);
    double size = fmax(fabs(least), fabs(most));
    double half = most / 2 - least / 2;
    if (!(half > RELATIVE * size)) {
        half = size > 0 ? fmax(size * 0.05, DBL_MIN * 16) : 0.5;
        return (struct report_span){least - half, most + half, false};
    }
    /* A little air, so that a line does not lie on the frame; none below 0 where nothing is. */
    double air = half * 0.06;
    double low = least >= 0 && least < air ? fmin(least, 0) : least - air;
    return (struct report_span){low, most + air, false};
}

/* Multiples of a step within a span. */
static size_t count_ticks(const struct report_span *span, double step, double *first) {
    *first = ceil(span->least / step - 1e-9);
    return (size_t)fmax(0, floor(span->most / step + 1e-9) - *first + 1);
}

static size_t linear_ticks(const struct report_span *span, size_t most, double *ticks, double *step) {
    /* So many ticks have one distance less between them, or one more where the ends are not round. */
    double half = span->most / 2 - span->least / 2, first;
    *step = round_step(half / ((double)(most + 1) / 2));
    while (count_ticks(span, *step, &first) > most) {
        *step = round_step(*step * 1.5);
    }
    size_t count = count_ticks(span, *step, &first);
    for (size_t i = 0; i < count; i++) {
        ticks[i] = (first + (double)i) * *step;
    }
    return count;
}

/* Powers of ten, every one or every few; where there are less than two, other digits too. */
static size_t log_ticks(const struct report_span *span, size_t most, double *ticks) {
    static const double digits[3][10] = {{1, 0}, {1, 3, 0}, {1, 2, 5, 0}};
    double low = ceil(log10(span->least) - 1e-9), high = floor(log10(span->most) + 1e-9);
    double decades = log10(span->most) - log10(span->least);
    double every = fmax(1, ceil((high - low + 1) / (double)most));
    size_t kind = decades * 3 <= (double)most ? 2 : decades * 2 <= (double)most ? 1 : 0, count = 0;
    int first = (int)low - (kind > 0), step = kind > 0 ? 1 : (int)every;
    for (int decade = first; decade <= (int)high; decade += step) {
        for (const double *digit = digits[kind]; *digit > 0 && count < most; digit++) {
            double tick = *digit * pow(10, decade);
            if (tick >= span->least * (1 - 1e-9) && tick <= span->most * (1 + 1e-9)) {
                ticks[count++] = tick;
            }
        }
    }
    return count;
}

size_t report_ticks(const struct report_span *span, size_t most, double ticks[REPORT_MOST_TICKS],
                    double *step) {
    most = most > REPORT_MOST_TICKS ? REPORT_MOST_TICKS : most < 2 ? 2 : most;
    size_t count = span->log ? log_ticks(span, most, ticks) : 0;
    /* Within a few times its least value a logarithmic axis has round numbers at even distances. */
    bool enough = count >= 3 || (count == 2 && span->most / 10 > span->least);
    *step = 0;
    return enough ? count : linear_ticks(span, most, ticks, step);
}

/* "1e-05" as "1e-5", and "1.50e+20" as "1.5e20". */
static void write_power(struct report_word *word, double value, int digits) {
    char text[32];
    (void)snprintf(text, sizeof text, "%.*e", digits, value);
    char *e = strchr(text, 'e'), *end = e;
    while (digits > 0 && (end[-1] == '0' || end[-1] == '.')) {
        digits -= *--end != '.' ? 0 : digits;
    }
    const char *sign = e[1] == '-' ? "-" : "";
    const char *power = e + 2 + (e[2] == '0');
    (void)snprintf(word->text, sizeof word->text, "%.*se%s%s", (int)(end - text), text, sign, power);
}

/* With so many digits behind the point, and a letter for thousands and more. */
static void write_number(struct report_word *word, double value, double step) {
    static const struct {
        double scale;
        const char *letter;
    } scales[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}};
    double size = fabs(value);
    size_t i = 0;
    while (scales[i].scale > 1 && (size < scales[i].scale || size < 1e4)) {
        i++;
    }
    double decimals = fmin(fmax(0, -floor(log10(step / scales[i].scale) + 1e-9)), 12);
    (void)snprintf(word->text, sizeof word->text, "%.*f%s", (int)decimals, value / scales[i].scale,
                   scales[i].letter);
}

const char *report_tick_word(struct report_word *word, double value, double step) {
    double size = fabs(value);
    step = step > 0 ? step : pow(10, floor(log10(size) + 1e-9));
    if (size < step * 1e-6 || !(size > 0)) {
        (void)snprintf(word->text, sizeof word->text, "0");
    } else if (size >= 1e15 || (size < 1e-3 && step < 1e-3)) {
        double digits = fmin(fmax(0, floor(log10(size)) - floor(log10(step) + 1e-9)), 11);
        write_power(word, value, (int)digits);
    } else {
        write_number(word, value, step);
    }
    return word->text;
}

const char *report_digits_word(struct report_word *word, double value, int digits) {
    if (!isfinite(value)) {
        (void)snprintf(word->text, sizeof word->text, "not finite");
    } else if (digits > 3 && !(fabs(value - nearbyint(value)) > RELATIVE * fabs(value)) &&
               fabs(value) < 1e4) {
        (void)snprintf(word->text, sizeof word->text, "%.0f", value);
    } else {
        (void)report_tick_word(word, value, pow(10, floor(log10(fabs(value))) - digits + 1));
    }
    return word->text;
}

const char *report_number_word(struct report_word *word, double value) {
    return report_digits_word(word, value, 4);
}
