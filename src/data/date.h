/* SPDX-License-Identifier: MIT */
/* Dates and times as text. */
#ifndef STOA_DATA_DATE_H
#define STOA_DATA_DATE_H

#include <stdbool.h>
#include <stddef.h>

/* Parse all of `text` as a date or a time after ISO 8601 in its extended form: YYYY-MM-DD, then perhaps T or
 * a space and HH:MM, HH:MM:SS or HH:MM:SS.FRACTION, then perhaps Z, +HH:MM or +HHMM. Gives days since the
 * beginning of 1970 in UTC, which a time without an offset is taken to be in. False for anything else. */
bool stoa_parse_date(const char *text, size_t length, double *days);

#endif
