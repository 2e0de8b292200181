/* SPDX-License-Identifier: MIT */
/* Options as text: "conv2d filters=6 kernel=5 pad=2" into a struct, by a table. Layers, optimisers and
 * schedules all take their options this way, from recipes and from C alike. */
#ifndef STOA_CORE_OPTIONS_H
#define STOA_CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum stoa_option_type {
    STOA_OPTION_SIZE,    /* size_t: "6" */
    STOA_OPTION_INT,     /* int64_t: "-3" */
    STOA_OPTION_PAIR,    /* struct stoa_pair: "5" or "5x3", height first */
    STOA_OPTION_FACTORS, /* struct stoa_factors: "0.5" or "2x1.5", height first */
    STOA_OPTION_PADDING, /* struct stoa_padding: "2", "1x2", "1,0,2,1", "same" or "same_lower" */
    STOA_OPTION_FLOAT,   /* float: "1e-3" */
    STOA_OPTION_DOUBLE,  /* double: for what is computed with in double, such as schedules */
    STOA_OPTION_BOOL,    /* bool: "true" or "false" */
    STOA_OPTION_CHOICE,  /* size_t: index into `choices` */
    STOA_OPTION_LIST,    /* struct stoa_list: "1,0.5,2" */
    STOA_OPTION_SEED,    /* uint64_t of any value: "7" */
    STOA_OPTION_BYTES,   /* size_t from 256 KiB: "64M" */
    STOA_OPTION_WORD,    /* int or an enum: index into `choices` */
    STOA_OPTION_TEXT,    /* const char *, the text itself, borrowed; one of `choices` unless that is NULL */
};

struct stoa_pair {
    size_t height, width;
};

struct stoa_factors {
    float height, width;
};

/* Rows and columns around an image, as given, or as many as make the output as large as the input divided by
 * the stride: an odd one behind, or, with same_lower, in front. */
enum stoa_padding_kind { STOA_PAD_GIVEN, STOA_PAD_SAME, STOA_PAD_SAME_LOWER };
struct stoa_padding {
    enum stoa_padding_kind kind;
    size_t top, left, bottom, right; /* 0 when not given */
};

enum { STOA_LIST_MOST = 128 };
struct stoa_list {
    size_t count;
    float value[STOA_LIST_MOST];
};

struct stoa_option {
    const char *name;
    enum stoa_option_type type;
    size_t offset;              /* of the member in the options struct */
    const char *fallback;       /* text of the default; NULL: required; "": the member stays zero */
    double lowest, highest;     /* inclusive range of numbers; all parts of a pair or list */
    const char *const *choices; /* NULL-terminated, for STOA_OPTION_CHOICE, _WORD and _TEXT */
};

/* A line taken apart: a name and its key=value pairs. The strings lie in `text`, or in the line itself. */
enum { STOA_SPEC_MAX_TEXT = 512, STOA_SPEC_MAX_PAIRS = 32 };
struct stoa_spec {
    char text[STOA_SPEC_MAX_TEXT];
    const char *name;
    size_t pairs;
    struct {
        const char *key, *value;
        bool used;
    } pair[STOA_SPEC_MAX_PAIRS];
};

/* Take `line` apart at white space that is not in quotes (see core/names.h). Errors: too long, no name, a
 * word without '=', a key twice. */
stoa_status stoa_spec_parse(struct stoa_error *error, const char *line, struct stoa_spec *spec);

/* The same for a line of any length, which is written to and must outlive the spec. */
stoa_status stoa_spec_take_apart(struct stoa_error *error, char *line, struct stoa_spec *spec);

/* Value of a key, marked used, or NULL. */
const char *stoa_spec_take(struct stoa_spec *spec, const char *key);

/* Fill `options` (the struct the table describes) from the pairs not used yet and the defaults. Errors: an
 * unknown key, a value that does not parse or is out of range, a required key that is missing; the sentence
 * names key, value and what was expected. */
stoa_status stoa_options_read(struct stoa_error *error, const struct stoa_option *table, size_t count,
                              struct stoa_spec *spec, void *options);

/* Read the text of one value into its member. False: it is no such value, and the member is as it was. */
bool stoa_option_read(const struct stoa_option *option, const char *text, void *options);

/* Say what a value must be: "a number from 1 to 10". Cut where `size` is too small. */
void stoa_option_expected(const struct stoa_option *option, char *out, size_t size);

/* ", expected a number from 1 to 10" behind the value that was found, or ", did you mean 'same'? Expected
 * ..." where a word is near. */
void stoa_option_expectation(const struct stoa_option *option, const char *found, char *out, size_t size);

/* Describe the table for people: "filters (required), stride=1, ...". False when `size` is too small. */
bool stoa_options_describe(const struct stoa_option *table, size_t count, char *out, size_t size);

#endif
