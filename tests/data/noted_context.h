/* SPDX-License-Identifier: MIT */
/* A context whose log is kept, for tests of what is said of tables. */
#ifndef STOA_TESTS_DATA_NOTED_CONTEXT_H
#define STOA_TESTS_DATA_NOTED_CONTEXT_H

#include <stdio.h>
#include <stoa/context.h>
#include <string.h>

static stoa_context *context;
static char notes[2000]; /* a line each */

static void note(void *user, const char *line) {
    size_t used = strlen(notes);
    (void)user;
    (void)snprintf(notes + used, sizeof notes - used, "%s\n", line);
}

static int set_up(void **state) {
    (void)state;
    notes[0] = '\0';
    return stoa_context_create(&(stoa_context_options){.log = note}, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

#endif
