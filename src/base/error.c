/* Error sentences: formatting only, no allocation. Floor 0. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *stoa_status_text(stoa_status status) {
    switch (status) {
#define STOA_STATUS_CASE(constant, text)                                                                          \
    case constant:                                                                                                 \
        return text;
        STOA_STATUS_LIST(STOA_STATUS_CASE)
#undef STOA_STATUS_CASE
    }
    return "unknown status";
}

stoa_status stoa_error_set(struct stoa_error *error, stoa_status status, const char *format, ...) {
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return status;
}

stoa_status stoa_error_prefix(struct stoa_error *error, const char *format, ...) {
    char tail[sizeof error->text];
    memcpy(tail, error->text, sizeof tail);
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (used > 0 && (size_t)used < sizeof error->text) {
        (void)snprintf(error->text + used, sizeof error->text - (size_t)used, "%s", tail);
    }
    return error->status;
}
