/* SPDX-License-Identifier: MIT */
/* Numbers as text. strtod and printf follow LC_NUMERIC, which belongs to the program that links us, so the
 * point is swapped for the locale's own before and after: one or several bytes, as in Pashto's. */
#include "base/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"

/* Its length is below POINT. */
enum { POINT = 16 };
static const char *decimal_point(void) {
    const struct lconv *convention = localeconv();
    const char *point = convention ? convention->decimal_point : NULL;
    return point && point[0] && strlen(point) < POINT ? point : ".";
}

bool stoa_parse_u64(const char *text, size_t length, uint64_t *value) {
    uint64_t result = 0;
    if (length == 0) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(result, (uint64_t)10, &result) ||
            __builtin_add_overflow(result, (uint64_t)(text[i] - '0'), &result)) {
            return false;
        }
    }
    *value = result;
    return true;
}

bool stoa_parse_size(const char *text, size_t length, size_t *value) {
    uint64_t number;
    if (!stoa_parse_u64(text, length, &number) || number > SIZE_MAX) {
        return false;
    }
    *value = (size_t)number;
    return true;
}

/* Plain numbers of up to 15 digits, by far the most in tables: both parts of the quotient are exact, so that
 * it is rounded once, as strtod() does, at a fraction of its price. False for what is not as plain. */
static bool parse_plain(const char *text, size_t length, double *value) {
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool negative = text[0] == '-';
    uint64_t digits = 0;
    size_t count = 0, behind = 0;
    bool point = false;
    for (size_t i = negative; i < length; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9' || ++count > 15) {
            return false;
        }
        digits = 10 * digits + (uint64_t)(text[i] - '0');
        behind += point;
    }
    if (count == 0) {
        return false;
    }
    *value = (negative ? -(double)digits : (double)digits) / power[behind];
    return true;
}

bool stoa_parse_double(const char *text, size_t length, double *value) {
    STOA_FLOAT_STATE();
    char copy[64 + POINT];
    if (length == 0 || length >= 64) {
        return false;
    }
    if (parse_plain(text, length, value)) {
        return true;
    }
    size_t used = 0, points = 0;
    for (size_t i = 0; i < length; i++) {
        /* Only plain decimal notation: no hexadecimal, no "inf", no white space. */
        if (text[i] == '\0' || !strchr("0123456789+-.eE", text[i]) || points + (text[i] == '.') > 1) {
            return false;
        }
        if (text[i] == '.') {
            const char *point = decimal_point();
            memcpy(copy + used, point, strlen(point));
            used += strlen(point);
            points++;
        } else {
            copy[used++] = text[i];
        }
    }
    copy[used] = '\0';
    char *end = NULL;
    double result = strtod(copy, &end);
    if (end != copy + used || !isfinite(result)) {
        return false;
    }
    *value = result;
    return true;
}

/* Put '.' in the place of the locale's point. */
static void plain_point(char *text) {
    const char *locale_point = decimal_point();
    char *point = strstr(text, locale_point);
    if (point) {
        const char *rest = point + strlen(locale_point);
        *point = '.';
        memmove(point + 1, rest, strlen(rest) + 1);
    }
}

void stoa_format_float(float value, char out[32]) {
    for (int digits = 1; digits <= 9; digits++) {
        (void)snprintf(out, 32, "%.*g", digits, (double)value);
        if (strtof(out, NULL) == value) {
            break;
        }
    }
    plain_point(out);
}

void stoa_format_double(double value, char out[32]) {
    for (int digits = 6; digits <= 17; digits++) {
        (void)snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            break;
        }
    }
    plain_point(out);
}
