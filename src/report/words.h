/* SPDX-License-Identifier: MIT */
/* Sizes, shapes and times as text for people. Each text lies in the caller's buffer, which is returned. */
#ifndef STOA_REPORT_WORDS_H
#define STOA_REPORT_WORDS_H

#include <stddef.h>

struct report_words {
    char text[64];
};
const char *report_shape_words(struct report_words *words, const size_t *shape, size_t rank); /* "28x28x1" */
const char *report_count_words(struct report_words *words, size_t count);                     /* "61,706" */
const char *report_bytes_words(struct report_words *words, size_t bytes);                     /* "1.2 MiB" */
const char *report_flops_words(struct report_words *words, double flops);                     /* "1.23 M" */
const char *report_time_words(struct report_words *words, double seconds);  /* "1:05", "0.37 s" */
const char *report_percent_words(struct report_words *words, double share); /* "99.12 %" */

#endif
