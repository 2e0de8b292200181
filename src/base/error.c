/* SPDX-License-Identifier: MIT */
/* Error sentences: formatting only, no allocation. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *stoa_status_text(stoa_status status) {
    switch (status) {
#define STOA_STATUS_CASE(constant, text)                                                                     \
    case constant:                                                                                           \
        return text;
        STOA_STATUS_LIST(STOA_STATUS_CASE)
#undef STOA_STATUS_CASE
    }
    return "unknown status";
}

/* Names in a sentence may come from files: keep the sentence one line of printable characters. */
static void clean(char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7F) {
            *text = '?';
        }
    }
}

stoa_status stoa_error_vset(struct stoa_error *error, stoa_status status, const char *format,
                            va_list arguments) {
    error->status = status;
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    clean(error->text);
    return status;
}

stoa_status stoa_error_set(struct stoa_error *error, stoa_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)stoa_error_vset(error, status, format, arguments);
    va_end(arguments);
    return status;
}

stoa_status stoa_error_prefix(struct stoa_error *error, const char *format, ...) {
    char tail[sizeof error->text];
    memcpy(tail, error->text, sizeof tail);
    va_list arguments;
    va_start(arguments, format);
    (void)stoa_error_vset(error, error->status, format, arguments);
    va_end(arguments);
    size_t used = strlen(error->text);
    size_t room = sizeof error->text - 1 - used;
    size_t length = strnlen(tail, sizeof tail - 1);
    length = length < room ? length : room;
    memcpy(error->text + used, tail, length);
    error->text[used + length] = '\0';
    return error->status;
}
