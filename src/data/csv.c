/* SPDX-License-Identifier: MIT */
/* Records and fields of comma-separated values, after RFC 4180, with LF for CRLF, white space around fields,
 * and semicolons or tabs for commas allowed. Fields stay where they are in the text: most of them are numbers
 * and never become strings. */
#include "data/csv.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(const struct stoa_csv *csv, char c) {
    return c == ' ' || (c == '\t' && csv->separator != '\t');
}

/* Whether a line ends at `at`: LF or CRLF. */
static bool at_line_end(const char *at, const char *end) {
    return at == end || *at == '\n' || (*at == '\r' && end - at > 1 && at[1] == '\n');
}

void stoa_csv_open(struct stoa_csv *csv, stoa_context *context, const char *name, const char *text,
                   size_t bytes) {
    static const char mark[] = "\xEF\xBB\xBF";
    size_t skip = bytes >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    *csv = (struct stoa_csv){.context = context, .name = name, .next_line = 1};
    csv->at = bytes > 0 ? text + skip : text;
    csv->end = bytes > 0 ? text + bytes : text;
    csv->begin = csv->at;
    stoa_csv_look(csv);
}

void stoa_csv_rewind(struct stoa_csv *csv) {
    csv->at = csv->begin;
    csv->next_line = 1;
    csv->fields = 0;
}

void stoa_csv_close(struct stoa_csv *csv) {
    free(csv->field);
    csv->field = NULL;
}

static stoa_status add_field(struct stoa_csv *csv, struct stoa_csv_field field) {
    if (csv->fields == csv->room) {
        size_t room = csv->room ? 2 * csv->room : 16;
        struct stoa_csv_field *larger = realloc(csv->field, room * sizeof *larger);
        if (!larger) {
            return stoa_fail(csv->context, STOA_ERR_MEMORY, "%s:%zu: no memory for %zu fields", csv->name,
                             csv->line, room);
        }
        csv->field = larger;
        csv->room = room;
    }
    csv->field[csv->fields++] = field;
    return STOA_OK;
}

/* From behind an opening quote to behind the closing one. */
static stoa_status read_quoted(struct stoa_csv *csv, struct stoa_csv_field *field) {
    size_t line = csv->next_line;
    field->text = csv->at;
    field->quoted = true;
    for (; csv->at < csv->end; csv->at++) {
        if (*csv->at == '\n') {
            csv->next_line++;
        } else if (*csv->at == '"' && csv->end - csv->at > 1 && csv->at[1] == '"') {
            csv->at++;
        } else if (*csv->at == '"') {
            field->length = (size_t)(csv->at - field->text);
            csv->at++;
            return STOA_OK;
        }
    }
    return stoa_fail(csv->context, STOA_ERR_FORMAT,
                     "%s:%zu: column %zu: found no closing quote, expected one", csv->name, line,
                     csv->fields + 1);
}

static void read_plain(struct stoa_csv *csv, struct stoa_csv_field *field) {
    field->text = csv->at;
    while (!at_line_end(csv->at, csv->end) && *csv->at != csv->separator && *csv->at != '"') {
        csv->at++;
    }
    const char *last = csv->at;
    while (last > field->text && is_blank(csv, last[-1])) {
        last--;
    }
    field->length = (size_t)(last - field->text);
}

static void skip_blanks(struct stoa_csv *csv) {
    while (csv->at < csv->end && is_blank(csv, *csv->at)) {
        csv->at++;
    }
}

static stoa_status read_field(struct stoa_csv *csv) {
    struct stoa_csv_field field = {.quoted = false};
    skip_blanks(csv);
    if (csv->at < csv->end && *csv->at == '"') {
        csv->at++;
        stoa_status status = read_quoted(csv, &field);
        if (status != STOA_OK) {
            return status;
        }
        skip_blanks(csv);
    } else {
        read_plain(csv, &field);
    }
    if (!at_line_end(csv->at, csv->end) && *csv->at != csv->separator) {
        return stoa_fail(
            csv->context, STOA_ERR_FORMAT,
            "%s:%zu: column %zu: found %s, expected quotes around the whole field, doubled within", csv->name,
            csv->next_line, csv->fields + 1,
            field.quoted ? "text behind a closing quote" : "a quote inside a field");
    }
    return add_field(csv, field);
}

/* Step over a line's end. */
static void end_line(struct stoa_csv *csv) {
    if (csv->at < csv->end) {
        csv->at += *csv->at == '\r' ? 2 : 1;
        csv->next_line++;
    }
}

stoa_status stoa_csv_next(struct stoa_csv *csv, bool *more) {
    csv->fields = 0;
    for (skip_blanks(csv); csv->at < csv->end && at_line_end(csv->at, csv->end); skip_blanks(csv)) {
        end_line(csv);
    }
    csv->line = csv->next_line;
    *more = csv->at < csv->end;
    if (!*more) {
        return STOA_OK;
    }
    for (;;) {
        stoa_status status = read_field(csv);
        if (status != STOA_OK) {
            return status;
        }
        if (at_line_end(csv->at, csv->end)) {
            end_line(csv);
            return STOA_OK;
        }
        csv->at++; /* a separator */
    }
}

char *stoa_csv_text(const struct stoa_csv_field *field) {
    char *text = malloc(field->length + 1);
    size_t used = 0;
    for (size_t i = 0; text && i < field->length; i++) {
        text[used++] = field->text[i];
        i += field->quoted && field->text[i] == '"'; /* the second of a pair */
    }
    if (text) {
        text[used] = '\0';
    }
    return text;
}
