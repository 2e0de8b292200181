/* SPDX-License-Identifier: MIT */
/* Numbers with their units. */
#include "report/words.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *report_shape_words(struct report_words *words, const size_t *shape, size_t rank) {
    size_t used = 0;
    words->text[0] = '\0';
    for (size_t i = 0; i < rank && used < sizeof words->text; i++) {
        int length = snprintf(words->text + used, sizeof words->text - used, "%s%zu", i ? "x" : "", shape[i]);
        used += length > 0 ? (size_t)length : 0;
    }
    return words->text;
}

const char *report_count_words(struct report_words *words, size_t count) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%zu", count);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) {
            words->text[used++] = ',';
        }
        words->text[used++] = digits[i];
    }
    words->text[used] = '\0';
    return words->text;
}

/* A value with the unit that leaves it below `step`. */
static const char *scaled(struct report_words *words, double value, double step, const char *const *units,
                          size_t count, const char *format) {
    size_t unit = 0;
    while (value >= step && unit + 1 < count) {
        value /= step;
        unit++;
    }
    int length = snprintf(words->text, sizeof words->text, unit ? format : "%.0f", value);
    (void)snprintf(words->text + length, sizeof words->text - (size_t)length, "%s", units[unit]);
    return words->text;
}

const char *report_bytes_words(struct report_words *words, size_t bytes) {
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    return scaled(words, (double)bytes, 1024, units, sizeof units / sizeof *units, "%.1f");
}

const char *report_flops_words(struct report_words *words, double flops) {
    static const char *const units[] = {"", " k", " M", " G", " T", " P"};
    return scaled(words, flops, 1000, units, sizeof units / sizeof *units, "%.2f");
}

const char *report_time_words(struct report_words *words, double seconds) {
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        (void)snprintf(words->text, sizeof words->text, "unknown");
    } else if (seconds < 0.001) {
        (void)snprintf(words->text, sizeof words->text, "%.3g \302\265s", 1e6 * seconds);
    } else if (seconds < 1) {
        (void)snprintf(words->text, sizeof words->text, "%.3g ms", 1e3 * seconds);
    } else if (seconds < 60) {
        (void)snprintf(words->text, sizeof words->text, "%.3g s", seconds);
    } else {
        unsigned long whole = (unsigned long)(seconds + 0.5);
        bool hours = whole >= 3600;
        (void)snprintf(words->text, sizeof words->text, hours ? "%lu:%02lu:%02lu h" : "%lu:%02lu min",
                       hours ? whole / 3600 : whole / 60, hours ? whole / 60 % 60 : whole % 60, whole % 60);
    }
    return words->text;
}

const char *report_percent_words(struct report_words *words, double share) {
    if (isfinite(share)) {
        (void)snprintf(words->text, sizeof words->text, "%.2f %%", 100 * share);
    } else {
        (void)snprintf(words->text, sizeof words->text, "unknown");
    }
    return words->text;
}
