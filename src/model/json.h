/* SPDX-License-Identifier: MIT */
/* JSON from files, bounded before jansson builds anything of it: a parsed value takes up to a hundred times
 * its text, and jansson goes one call deeper for each bracket. So a text is measured first, in one pass
 * without memory, and what is deeper or has more parts than its reader can use is refused; large objects are
 * read a member at a time. */
#ifndef STOA_MODEL_JSON_H
#define STOA_MODEL_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* What a reader can use: brackets inside each other, and parts (keys, numbers, strings, words, brackets).
 * `what` begins the sentences: "its graph". */
struct stoa_json_limits {
    const char *what;
    size_t depth, parts;
};

/* Parse a whole text; duplicate keys are refused. Errors: STOA_ERR_FORMAT (no JSON, deeper or more parts
 * than the limits), STOA_ERR_MEMORY. The caller releases *value. */
stoa_status stoa_json_parse(struct stoa_error *error, const struct stoa_json_limits *limits, const char *text,
                            size_t bytes, json_t **value);

/* An object whose members are read one after the other; `at` is the reader's place. */
struct stoa_json_object {
    const char *what; /* begins the sentences */
    const char *text;
    size_t bytes, at;
    bool begun;
};

/* The next key as a JSON string, to be released by the caller; NULL at the end, behind which there must be
 * nothing. The caller takes each key's value before it asks for the next. Errors as of stoa_json_parse(). */
stoa_status stoa_json_key(struct stoa_error *error, struct stoa_json_object *object, json_t **key);

/* The value of the last key, within limits, to be released by the caller. Errors as of stoa_json_parse(). */
stoa_status stoa_json_value(struct stoa_error *error, struct stoa_json_object *object,
                            const struct stoa_json_limits *limits, json_t **value);

#endif
