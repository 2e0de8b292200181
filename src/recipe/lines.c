/* SPDX-License-Identifier: MIT */
/* INI text through inih, made strict. inih takes keys and values apart; it gives no line numbers, merges
 * sections of one name, says nothing of an empty section, joins indented lines to the line before and splits
 * long lines. So it is fed line by line by the reader here, which counts, trims, cuts comments and reports
 * the sections. */
#include "recipe/lines.h"

#include <ini.h>
#include <stdbool.h>
#include <string.h>

struct lines {
    struct stoa_error *error;
    const struct stoa_line_events *events;
    const char *next, *end; /* text not read yet */
    size_t line;            /* of the line read last, from 1 */
    char section[STOA_SECTION_MAX + 1];
    stoa_status status;
};

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t';
}

/* A line without its end, comment and white space around it. */
struct span {
    const char *begin;
    size_t length;
};

static struct span trim(const char *begin, const char *end) {
    while (begin < end && is_blank(*begin)) {
        begin++;
    }
    for (const char *at = begin; at < end; at++) {
        if ((*at == '#' || *at == ';') && (at == begin || is_blank(at[-1]))) {
            end = at;
        }
    }
    while (end > begin && is_blank(end[-1])) {
        end--;
    }
    return (struct span){begin, (size_t)(end - begin)};
}

static stoa_status check_bytes(struct stoa_error *error, const char *begin, const char *end) {
    for (const char *at = begin; at < end; at++) {
        unsigned char byte = (unsigned char)*at;
        if ((byte < ' ' && byte != '\t') || byte == 0x7F) {
            return stoa_error_set(error, STOA_ERR_FORMAT, "found a control byte 0x%02X, expected text", byte);
        }
    }
    return STOA_OK;
}

stoa_status stoa_line_check(struct stoa_error *error, const char *key, const char *value) {
    size_t length = strlen(value), most = STOA_LINE_MAX - strlen(key) - strlen("=");
    if (check_bytes(error, value, value + length) != STOA_OK) {
        error->status = STOA_ERR_ARGUMENT;
        return stoa_error_prefix(error, "%s: ", key);
    }
    if (length > most) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s: found %zu bytes of text, expected at most %zu",
                              key, length, most);
    }
    if (length == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s: found no value, expected one behind the '='",
                              key);
    }
    struct span read = trim(value, value + length);
    return read.length == length
               ? STOA_OK
               : stoa_error_set(error, STOA_ERR_ARGUMENT,
                                "%s: found '%s', expected a value without white space around it and without "
                                "a comment",
                                key, value);
}

/* "[name]": remember it and report it. */
static stoa_status begin_section(struct lines *lines, struct span span) {
    const char *close = memchr(span.begin, ']', span.length);
    if (!close || close != span.begin + span.length - 1) {
        return stoa_error_set(lines->error, STOA_ERR_FORMAT,
                              "found '%.*s', expected a section such as [model]", (int)span.length,
                              span.begin);
    }
    struct span name = trim(span.begin + 1, close);
    if (name.length == 0 || name.length > STOA_SECTION_MAX) {
        return stoa_error_set(lines->error, STOA_ERR_FORMAT,
                              "found a section name of %zu bytes, expected 1 to %d", name.length,
                              STOA_SECTION_MAX);
    }
    memcpy(lines->section, name.begin, name.length);
    lines->section[name.length] = '\0';
    return lines->events->section(lines->events->user, lines->error, lines->section, lines->line);
}

/* Whether inih will see what the author meant: a key, '=', a value. It would take ':' for '=' as well. */
static stoa_status check_entry(struct lines *lines, struct span span) {
    const char *equals = memchr(span.begin, '=', span.length);
    const char *colon = memchr(span.begin, ':', span.length);
    if (!equals || equals == span.begin || equals == span.begin + span.length - 1 ||
        (colon && colon < equals)) {
        return stoa_error_set(lines->error, STOA_ERR_FORMAT, "found '%.*s', expected KEY = VALUE",
                              (int)span.length, span.begin);
    }
    return STOA_OK;
}

/* Check one line and give inih what it shall see of it; sections are reported from here. */
static stoa_status next_line(struct lines *lines, const char *begin, const char *end, struct span *span) {
    if (end > begin && end[-1] == '\r') {
        end--;
    }
    stoa_status status = check_bytes(lines->error, begin, end);
    *span = trim(begin, end);
    if (status != STOA_OK || span->length == 0) {
        return status;
    }
    if (span->length > STOA_LINE_MAX) {
        return stoa_error_set(lines->error, STOA_ERR_FORMAT,
                              "the line is %zu bytes long, at most %d are allowed", span->length,
                              STOA_LINE_MAX);
    }
    return span->begin[0] == '[' ? begin_section(lines, *span) : check_entry(lines, *span);
}

/* inih asks for a line as fgets() would give it; NULL ends the text. */
static char *feed(char *buffer, int size, void *user) {
    struct lines *lines = user;
    if (lines->status != STOA_OK || lines->next == lines->end) {
        return NULL;
    }
    const char *newline = memchr(lines->next, '\n', (size_t)(lines->end - lines->next));
    const char *end = newline ? newline : lines->end;
    const char *begin = lines->next;
    lines->next = newline ? newline + 1 : lines->end;
    lines->line++;
    struct span span;
    lines->status = next_line(lines, begin, end, &span);
    if (lines->status == STOA_OK && span.length + 2 > (size_t)size) {
        lines->status = stoa_error_set(lines->error, STOA_ERR_FORMAT,
                                       "the line is %zu bytes long, at most %d fit", span.length, size - 2);
    }
    if (lines->status != STOA_OK) {
        return NULL;
    }
    memcpy(buffer, span.begin, span.length);
    buffer[span.length] = '\n';
    buffer[span.length + 1] = '\0';
    return buffer;
}

static int take_entry(void *user, const char *section, const char *key, const char *value) {
    struct lines *lines = user;
    (void)section; /* the same, but cut where it is longer than that build of inih takes */
    if (lines->status == STOA_OK) {
        lines->status =
            lines->events->entry(lines->events->user, lines->error, lines->section, key, value, lines->line);
    }
    return lines->status == STOA_OK;
}

stoa_status stoa_lines_read(struct stoa_error *error, const char *name, const char *text, size_t bytes,
                            const struct stoa_line_events *events) {
    struct lines lines = {
        .error = error, .events = events, .next = text, .end = text + bytes, .status = STOA_OK};
    if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        lines.next += 3;
    }
    int refused = ini_parse_stream(feed, &lines, take_entry, &lines);
    if (lines.status == STOA_OK && refused != 0) {
        /* Not reached with the inih known; another release may be stricter. */
        lines.line = refused > 0 ? (size_t)refused : lines.line;
        lines.status =
            stoa_error_set(error, STOA_ERR_FORMAT, "the line cannot be read, expected KEY = VALUE");
    }
    if (lines.status == STOA_OK) {
        lines.status = events->end(events->user, error, lines.line);
    }
    if (lines.status != STOA_OK) {
        error->status = lines.status;
        return stoa_error_prefix(error, "%s:%zu: ", name, lines.line > 0 ? lines.line : 1);
    }
    return STOA_OK;
}
