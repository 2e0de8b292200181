/* SPDX-License-Identifier: MIT */
/* Numbers as text, independent of the process's locale. */
#ifndef STOA_BASE_NUMBER_H
#define STOA_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parse all of `text` (length given) as a non-negative decimal integer that fits; false for anything else,
 * and *value is as it was. */
bool stoa_parse_u64(const char *text, size_t length, uint64_t *value);
bool stoa_parse_size(const char *text, size_t length, size_t *value);

/* Parse all of `text` as a finite decimal number with '.' as the point; false for anything else. */
bool stoa_parse_double(const char *text, size_t length, double *value);

/* Write the shortest text that reads back as the same number, with '.' as the point. */
void stoa_format_float(float value, char out[32]);
void stoa_format_double(double value, char out[32]);

#endif
