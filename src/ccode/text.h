/* SPDX-License-Identifier: MIT */
/* C source as it grows: lines, each at the depth of the blocks that are open. */
#ifndef STOA_CCODE_TEXT_H
#define STOA_CCODE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zeros are an empty text. Once memory has run out nothing is added any more. */
struct stoa_c_text {
    char *data;
    size_t bytes, room;
    size_t depth;
    bool failed;
};

void stoa_c_text_free(struct stoa_c_text *text);

/* Add bytes as they are. */
void stoa_c_add(struct stoa_c_text *text, const char *data, size_t bytes);
/* Add text without an indentation or a newline. */
__attribute__((format(printf, 2, 3))) void stoa_c_print(struct stoa_c_text *text, const char *format, ...);
/* Add a line. */
__attribute__((format(printf, 2, 3))) void stoa_c_line(struct stoa_c_text *text, const char *format, ...);
/* Add a line that opens a block, "for (...)" without its brace, and the line that closes it. */
__attribute__((format(printf, 2, 3))) void stoa_c_open(struct stoa_c_text *text, const char *format, ...);
void stoa_c_close(struct stoa_c_text *text);

/* Add text that is safe within a comment: no end of it, no other comment, no control characters, no bytes
 * beyond ASCII. */
void stoa_c_comment(struct stoa_c_text *text, const char *words);
/* Add a string literal of any bytes. */
void stoa_c_string(struct stoa_c_text *text, const char *words);
/* Add a float that reads back as the same number, finite, with its suffix: "0.5F". */
void stoa_c_float(struct stoa_c_text *text, float value);

/* The same number into `out`; returns `out`. */
enum { STOA_C_NUMBER = 40 };
const char *stoa_c_number(float value, char out[STOA_C_NUMBER]);

#endif
