/* SPDX-License-Identifier: MIT */
#include "ccode/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/size.h"

void stoa_c_text_free(struct stoa_c_text *text) {
    free(text->data);
    *text = (struct stoa_c_text){0};
}

/* Make room for `more` bytes. */
static bool grow(struct stoa_c_text *text, size_t more) {
    size_t wanted;
    if (text->failed || !stoa_size_add(text->bytes, more, &wanted)) {
        text->failed = true;
        return false;
    }
    if (wanted <= text->room) {
        return true;
    }
    size_t room = stoa_max(stoa_max(wanted, 4096), text->room < SIZE_MAX / 2 ? 2 * text->room : wanted);
    char *larger = realloc(text->data, room);
    if (!larger) {
        text->failed = true;
        return false;
    }
    text->data = larger;
    text->room = room;
    return true;
}

void stoa_c_add(struct stoa_c_text *text, const char *data, size_t bytes) {
    if (bytes > 0 && grow(text, bytes)) {
        memcpy(text->data + text->bytes, data, bytes);
        text->bytes += bytes;
    }
}

__attribute__((format(printf, 2, 0))) static void add_list(struct stoa_c_text *text, const char *format,
                                                           va_list list) {
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length >= 0 && grow(text, (size_t)length + 1)) {
        (void)vsnprintf(text->data + text->bytes, (size_t)length + 1, format, list);
        text->bytes += (size_t)length;
    }
}

void stoa_c_print(struct stoa_c_text *text, const char *format, ...) {
    va_list list;
    va_start(list, format);
    add_list(text, format, list);
    va_end(list);
}

static void indent(struct stoa_c_text *text) {
    for (size_t i = 0; i < text->depth; i++) {
        stoa_c_add(text, "    ", 4);
    }
}

void stoa_c_line(struct stoa_c_text *text, const char *format, ...) {
    va_list list;
    va_start(list, format);
    indent(text);
    add_list(text, format, list);
    stoa_c_add(text, "\n", 1);
    va_end(list);
}

void stoa_c_open(struct stoa_c_text *text, const char *format, ...) {
    va_list list;
    va_start(list, format);
    indent(text);
    add_list(text, format, list);
    stoa_c_add(text, " {\n", 3);
    va_end(list);
    text->depth++;
}

void stoa_c_close(struct stoa_c_text *text) {
    text->depth--;
    stoa_c_line(text, "}");
}

void stoa_c_comment(struct stoa_c_text *text, const char *words) {
    for (const char *at = words; *at; at++) {
        unsigned char c = (unsigned char)*at;
        bool harmless = c >= ' ' && c < 0x7f && c != '\\' && c != '?';
        bool joins = (c == '/' && at > words && at[-1] == '*') || (c == '*' && at > words && at[-1] == '/');
        stoa_c_print(text, "%s%c", joins ? " " : "", harmless ? c : '_');
    }
}

void stoa_c_string(struct stoa_c_text *text, const char *words) {
    stoa_c_add(text, "\"", 1);
    for (; *words; words++) {
        unsigned char c = (unsigned char)*words;
        bool plain = c >= ' ' && c < 0x7f && c != '\\' && c != '"' && c != '?';
        stoa_c_print(text, plain ? "%c" : "\\%03o", c);
    }
    stoa_c_add(text, "\"", 1);
}

const char *stoa_c_number(float value, char out[STOA_C_NUMBER]) {
    char digits[32];
    stoa_format_float(value, digits);
    bool whole = !strpbrk(digits, ".eE");
    (void)snprintf(out, STOA_C_NUMBER, "%s%sF", digits, whole ? ".0" : "");
    return out;
}

void stoa_c_float(struct stoa_c_text *text, float value) {
    char out[STOA_C_NUMBER];
    const char *number = stoa_c_number(value, out);
    stoa_c_add(text, number, strlen(number));
}
