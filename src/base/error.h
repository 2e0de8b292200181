/* SPDX-License-Identifier: MIT */
/* One error: a status and a sentence. */
#ifndef STOA_BASE_ERROR_H
#define STOA_BASE_ERROR_H

#include <stdarg.h>
#include <stoa/status.h>

/* The sentence carries the offending values: "conv2d 'c3': kernel 5x5 does not fit input 4x4 with pad 0". */
struct stoa_error {
    stoa_status status;
    char text[512];
};

/* Set the error and return its status, so that a caller can write `return stoa_error_set(...)`. */
__attribute__((format(printf, 3, 4))) stoa_status stoa_error_set(struct stoa_error *error, stoa_status status,
                                                                 const char *format, ...);

/* The same from arguments already started. */
__attribute__((format(printf, 3, 0))) stoa_status
stoa_error_vset(struct stoa_error *error, stoa_status status, const char *format, va_list arguments);

/* Put text in front of the sentence that stands: "FILE: " + "truncated". Keeps the status and returns it. */
__attribute__((format(printf, 2, 3))) stoa_status stoa_error_prefix(struct stoa_error *error,
                                                                    const char *format, ...);

#endif
