/* SPDX-License-Identifier: MIT */
#include "core/names.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 character that begins here, or 0: it is none, or one that controls a terminal. The
 * shortest form only, no surrogates, up to U+10FFFF (RFC 3629). */
static size_t character(const unsigned char *at) {
    if (at[0] < 0x80) {
        return at[0] >= ' ' && at[0] != 0x7F ? 1 : 0;
    }
    size_t bytes = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    uint32_t code = at[0] & (0xFFU >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xC0U) != 0x80) {
            return 0; /* the byte at the end of the text as well */
        }
        code = code << 6 | (at[i] & 0x3FU);
    }
    static const uint32_t least[] = {0, 0, 0xA0, 0x800, 0x10000};
    bool good = at[0] >= 0xC0 && at[0] < 0xF8 && code >= least[bytes] && code <= 0x10FFFF &&
                (code < 0xD800 || code > 0xDFFF);
    return good ? bytes : 0;
}

bool stoa_name_is_valid(const char *name) {
    size_t length = 0;
    while (name[length] != '\0') {
        size_t bytes = character((const unsigned char *)name + length);
        if (bytes == 0 || length + bytes > STOA_NAME_MAX) {
            return false;
        }
        length += bytes;
    }
    return length > 0;
}

bool stoa_name_is_simple(const char *name) {
    /* Not isalnum(): a locale may take letters that are not UTF-8, and names go into files. */
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t length = strlen(name);
    return length >= 1 && length <= 63 && strspn(name, allowed) == length;
}

size_t stoa_name_length(const char *text, const char *ends) {
    bool quoted = false;
    size_t length = 0;
    for (; text[length] != '\0' && (quoted || !strchr(ends, text[length])); length++) {
        if (text[length] == '"') {
            quoted = !quoted;
        } else if (quoted && text[length] == '\\' && text[length + 1] != '\0') {
            length++;
        }
    }
    return length;
}

bool stoa_name_is(const char *word, size_t length, const char *name) {
    if (length < 2 || word[0] != '"' || word[length - 1] != '"') {
        return strlen(name) == length && memcmp(name, word, length) == 0;
    }
    for (size_t i = 1; i + 1 < length; i++, name++) {
        i += word[i] == '\\' && i + 2 < length;
        if (*name != word[i]) {
            return false;
        }
    }
    return *name == '\0';
}

size_t stoa_name_write(const char *name, char *out) {
    bool quotes = name[strcspn(name, ", \t\r\n\"\\*=")] != '\0';
    size_t length = 0;
    for (const char *at = name; *at != '\0'; at++) {
        bool escaped = quotes && (*at == '"' || *at == '\\');
        if (out) {
            out[length + quotes] = escaped ? '\\' : *at;
            out[length + quotes + escaped] = *at;
        }
        length += 1 + escaped;
    }
    if (out) {
        out[0] = quotes ? '"' : out[0];
        out[length + quotes] = quotes ? '"' : '\0';
        out[length + 2 * quotes] = '\0';
    }
    return length + 2 * quotes;
}
