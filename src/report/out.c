/* SPDX-License-Identifier: MIT */
/* Text that grows, and the encodings that it may need. */
#include "report/out.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and a NUL. */
static bool reserve(struct report_out *out, size_t more) {
    if (out->failed || more > SIZE_MAX / 2 - out->length - 1) {
        out->failed = true;
        return false;
    }
    size_t needed = out->length + more + 1;
    if (needed > out->capacity) {
        size_t capacity = needed > SIZE_MAX / 4 ? needed : 2 * needed + 256;
        char *text = realloc(out->text, capacity);
        if (!text) {
            out->failed = true;
            return false;
        }
        out->text = text;
        out->capacity = capacity;
    }
    return true;
}

void report_put_bytes(struct report_out *out, const char *bytes, size_t count) {
    if (reserve(out, count)) {
        memcpy(out->text + out->length, bytes, count);
        out->length += count;
        out->text[out->length] = '\0';
    }
}

void report_put(struct report_out *out, const char *text) {
    report_put_bytes(out, text, strlen(text));
}

void report_print(struct report_out *out, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        out->failed = true;
    } else if (reserve(out, (size_t)length)) {
        (void)vsnprintf(out->text + out->length, (size_t)length + 1, format, again);
        out->length += (size_t)length;
    }
    va_end(again);
}

size_t report_utf8(const char *text, unsigned *point) {
    const unsigned char *c = (const unsigned char *)text;
    size_t bytes = c[0] < 0x80   ? 1
                   : c[0] < 0xC2 ? 0
                   : c[0] < 0xE0 ? 2
                   : c[0] < 0xF0 ? 3
                   : c[0] < 0xF5 ? 4
                                 : 0;
    *point = bytes <= 1 ? c[0] : c[0] & (0xFFU >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        if ((c[i] & 0xC0) != 0x80) {
            return 0;
        }
        *point = *point << 6 | (c[i] & 0x3FU);
    }
    /* Longer than needed, half of a surrogate pair, or beyond the last code point. */
    static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
    bool wrong = *point < least[bytes] || (*point >= 0xD800 && *point < 0xE000) || *point > 0x10FFFF;
    return wrong ? 0 : bytes;
}

/* What XML 1.0 lets stand, without the controls of C1, which HTML does not. */
static bool may_stand(unsigned point) {
    return point == '\t' || point == '\n' || (point >= ' ' && point < 0x7F) ||
           (point >= 0xA0 && point != 0xFFFE && point != 0xFFFF);
}

void report_escape(struct report_out *out, const char *text) {
    for (const char *c = text ? text : ""; *c;) {
        unsigned point;
        size_t bytes = report_utf8(c, &point);
        if (bytes == 0 || !may_stand(point)) {
            report_put(out, "\xEF\xBF\xBD");
        } else if (strchr("<>&\"'", *c)) {
            report_print(out, "&#%d;", *c);
        } else {
            report_put_bytes(out, c, bytes);
        }
        c += bytes ? bytes : 1;
    }
}

void report_base64(struct report_out *out, const void *bytes, size_t count) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        unsigned three = (unsigned)at[i] << 16 | (left > 1 ? (unsigned)at[i + 1] << 8 : 0) |
                         (left > 2 ? (unsigned)at[i + 2] : 0);
        const char four[4] = {letters[three >> 18], letters[three >> 12 & 63],
                              left > 1 ? letters[three >> 6 & 63] : '=',
                              left > 2 ? letters[three & 63] : '='};
        report_put_bytes(out, four, sizeof four);
    }
}

void report_out_free(struct report_out *out) {
    free(out->text);
    *out = (struct report_out){0};
}

void *report_memory(struct report_out *out, size_t count, size_t bytes) {
    void *memory = calloc(count ? count : 1, bytes);
    out->failed = out->failed || !memory;
    return memory;
}
