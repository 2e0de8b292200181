/* SPDX-License-Identifier: MIT */
/* Names in lines of text. A name stands as it is, or, where it has bytes that end one, in double quotes, in
 * which a backslash takes the next byte for what it is: from=c1,"a, b". */
#ifndef STOA_CORE_NAMES_H
#define STOA_CORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this can be the name of a layer, an input or an output, whoever gave it: UTF-8 text of 1 to
 * STOA_NAME_MAX bytes without control characters. */
enum { STOA_NAME_MAX = 65535 };
bool stoa_name_is_valid(const char *name);

/* Whether a recipe can say it: letters, digits, '_', '-' and '.', at most 63 bytes. */
bool stoa_name_is_simple(const char *name);

/* Bytes of the text up to the first of the bytes `ends` that is not in quotes. */
size_t stoa_name_length(const char *text, const char *ends);

/* Whether the `length` bytes at `word`, with quotes around it or without, are this name. */
bool stoa_name_is(const char *word, size_t length, const char *name);

/* Write a name as it stands in a line to `out`, with quotes where it needs them, and its end; NULL: only
 * count. Bytes without the end. */
size_t stoa_name_write(const char *name, char *out);

#endif
