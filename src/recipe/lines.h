/* SPDX-License-Identifier: MIT */
/* INI text, strictly: every key and section with its line number, nothing merged, split or passed over. Knows
 * nothing of what recipes mean. */
#ifndef STOA_RECIPE_LINES_H
#define STOA_RECIPE_LINES_H

#include <stddef.h>

#include "base/error.h"

/* Longest line without comment and white space around it, in bytes: what any build of inih takes in one
 * piece. */
enum { STOA_LINE_MAX = 190, STOA_SECTION_MAX = 31 };

/* Called in the order of the lines. A status other than STOA_OK ends the reading; FILE:LINE is put before its
 * sentence. */
struct stoa_line_events {
    /* A section begins. `section` is "" only for keys before the first section. */
    stoa_status (*section)(void *user, struct stoa_error *error, const char *section, size_t line);
    stoa_status (*entry)(void *user, struct stoa_error *error, const char *section, const char *key,
                         const char *value, size_t line);
    /* The text has ended; `line` is its last. */
    stoa_status (*end)(void *user, struct stoa_error *error, size_t line);
    void *user;
};

/* Read `text`. `name` stands in error sentences. A comment is a line that begins with '#' or ';', or the rest
 * of a line from a '#' or ';' after white space. Accepts a UTF-8 byte order mark and CRLF. Refuses control
 * bytes, NUL among them. Errors: STOA_ERR_FORMAT, or what an event returned; the sentence begins with
 * NAME:LINE. */
stoa_status stoa_lines_read(struct stoa_error *error, const char *name, const char *text, size_t bytes,
                            const struct stoa_line_events *events);

/* Whether a line of `key` and `value` would be read as these. Errors: STOA_ERR_ARGUMENT; the sentence begins
 * with the key. */
stoa_status stoa_line_check(struct stoa_error *error, const char *key, const char *value);

#endif
