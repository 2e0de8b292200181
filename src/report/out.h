/* SPDX-License-Identifier: MIT */
/* Text that grows: what charts and pages are written into. When memory runs out, everything after is dropped
 * and `failed` is set, so that a writer looks once, at the end. */
#ifndef STOA_REPORT_OUT_H
#define STOA_REPORT_OUT_H

#include <stdbool.h>
#include <stddef.h>

struct report_out {
    char *text; /* NUL-terminated from the first write on; NULL before */
    size_t length, capacity;
    bool failed;
};

/* Text as it is. */
void report_put(struct report_out *out, const char *text);
void report_put_bytes(struct report_out *out, const char *bytes, size_t count);
/* printf(); texts from outside go through report_escape() instead of %s. */
__attribute__((format(printf, 2, 3))) void report_print(struct report_out *out, const char *format, ...);
/* Text for XML and HTML, in contents and in quoted attributes. Control characters and what is not UTF-8
 * become U+FFFD, so that any name gives a well-formed file. NULL: nothing. */
void report_escape(struct report_out *out, const char *text);
/* Bytes in base64, without a line break. */
void report_base64(struct report_out *out, const void *bytes, size_t count);
/* The bytes of the UTF-8 character at `text`, and its code point; 0 where it is none. */
size_t report_utf8(const char *text, unsigned *point);
/* Release the text; the structure may be used again. */
void report_out_free(struct report_out *out);

/* Zeroed memory for `count` elements; NULL, with `failed` set, when there is none. */
void *report_memory(struct report_out *out, size_t count, size_t bytes);

#endif
