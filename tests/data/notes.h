/* SPDX-License-Identifier: MIT */
/* What a context's log hears: lines of advice, one after the other. */
#ifndef STOA_TESTS_DATA_NOTES_H
#define STOA_TESTS_DATA_NOTES_H

#include <stdio.h>
#include <string.h>

#include "../base/cmocka_prelude.h"

static char notes[4000];

/* For stoa_context_options.log. */
static inline void note(void *user, const char *line) {
    (void)user;
    size_t used = strlen(notes);
    int length = snprintf(notes + used, sizeof notes - used, "%s\n", line);
    assert_true(length > 0 && (size_t)length < sizeof notes - used);
}

#endif
