/* SPDX-License-Identifier: MIT */
/* Text for people on the standard output; on a terminal that is narrower than a line, the line goes on below.
 * Public headers only. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "cli/table.h"

/* Columns of the first `bytes` bytes of UTF-8. */
static size_t columns_of(const char *text, size_t bytes) {
    size_t columns = 0;
    for (size_t i = 0; i < bytes; i++) {
        columns += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return columns;
}

/* Where a line goes on: below what stands behind its last gap of two spaces or more, if that lies in the
 * first half of the terminal. */
static size_t indent_of(const char *line, size_t bytes, size_t most) {
    size_t indent = strspn(line, " ");
    for (size_t i = indent; i + 2 < bytes; i++) {
        if (line[i] == ' ' && line[i + 1] == ' ' && line[i + 2] != ' ' &&
            columns_of(line, i + 2) <= most / 2) {
            indent = columns_of(line, i + 2);
        }
    }
    return indent <= most / 2 ? indent : 0;
}

/* How many bytes of `text` stay on a line of `room` columns: all of them, or as many as end before a space; a
 * word longer than the line stays whole. */
static size_t take(const char *text, size_t bytes, size_t room) {
    size_t fits = 0;
    if (columns_of(text, bytes) <= room) {
        return bytes;
    }
    for (size_t i = 1; i < bytes; i++) {
        bool breaks = text[i] == ' ' && text[i - 1] != ' ';
        if (breaks && (columns_of(text, i) <= room || fits == 0)) {
            fits = i;
        }
    }
    return fits ? fits : bytes;
}

/* The line that is being printed, which a call may have begun and others go on with. */
static struct { size_t used, indent; } open_line;

static void print_line(const char *line, size_t bytes, size_t most) {
    size_t used = open_line.used;
    open_line.indent = used == 0 ? indent_of(line, bytes, most) : open_line.indent;
    size_t indent = open_line.indent, room = most > used ? most - used : 1;
    for (;;) {
        size_t length = take(line, bytes, room);
        if (used > indent && columns_of(line, length) > room) {
            length = 0; /* not even a word fits behind what stands there */
        }
        (void)fwrite(line, 1, length, stdout);
        line += length;
        bytes -= length;
        open_line.used = used + columns_of(line - length, length);
        while (bytes > 0 && *line == ' ') {
            line++;
            bytes--;
        }
        if (bytes == 0) {
            return;
        }
        (void)printf("\n%*s", (int)indent, "");
        room = most - indent;
        used = indent;
    }
}

void cli_print_at(const char *text, size_t column, size_t most) {
    open_line.used = column;
    open_line.indent = column <= 2 * most / 3 ? column : most / 4;
    print_line(text, strlen(text), most);
    open_line.used = 0;
}

void cli_print(const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        cli_out_of_memory();
    }
    cli_clean(text, true);
    size_t most = cli_terminal_columns();
    for (const char *line = text; *line;) {
        size_t bytes = strcspn(line, "\n");
        if (most == 0) {
            (void)fwrite(line, 1, bytes, stdout);
        } else {
            print_line(line, bytes, most);
        }
        line += bytes;
        if (*line == '\n') {
            (void)putchar('\n');
            open_line.used = 0;
            line++;
        }
    }
    free(text);
}
