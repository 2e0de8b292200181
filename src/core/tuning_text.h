/* SPDX-License-Identifier: MIT */
/* The text of a tuning table, read line by line: from a file, or from the lines that the build has put into
 * the library. */
#ifndef STOA_CORE_TUNING_TEXT_H
#define STOA_CORE_TUNING_TEXT_H

#include "core/tuning.h"

enum {
    STOA_TUNING_BYTES = 65536, /* the longest text */
    STOA_TUNING_LINE = 200,    /* the longest line */
    STOA_TUNING_MOST_KEYS = 256
};

struct stoa_tuning_reader {
    struct stoa_error *error;
    const char *file;
    /* The table that `like` names, or NULL. */
    const struct stoa_tuning *(*find)(const char *name);
    size_t line, like;                  /* of `like`; 0: not said */
    size_t said[STOA_TUNING_MOST_KEYS]; /* the line of each key; 0: not said */
    struct stoa_tuning tuning, inherited;
};

void stoa_tuning_reader_begin(struct stoa_tuning_reader *reader, struct stoa_error *error, const char *file,
                              const struct stoa_tuning *(*find)(const char *name));
/* The next line, without its end. */
stoa_status stoa_tuning_reader_line(struct stoa_tuning_reader *reader, const char *text, size_t length);
stoa_status stoa_tuning_reader_end(struct stoa_tuning_reader *reader, struct stoa_tuning *tuning);

#endif
