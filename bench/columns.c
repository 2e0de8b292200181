/* SPDX-License-Identifier: MIT */
/* Rows that are printed as they are measured. */
#include "bench/columns.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/progress.h"

/* Names beyond this are cut: those of problems on a command line may be. */
enum { LONGEST_NAME = 44, CELL = 256 };

/* The longest line of a table that is not --wide. */
static size_t longest_line(void) {
    size_t terminal = cli_terminal_columns();
    return terminal > 0 && terminal < BENCH_LINE ? terminal : BENCH_LINE;
}

void bench_print_text(const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        cli_out_of_memory();
    }
    bench_progress_clear();
    cli_clean(text, false);
    size_t used = 0, most = longest_line();
    for (const char *word = text; *word;) {
        size_t letters = strcspn(word, " ");
        bool new_line = used > 0 && used + 1 + letters > most;
        (void)printf("%s%.*s", new_line ? "\n" : used > 0 ? " " : "", (int)letters, word);
        used = new_line ? letters : used + (used > 0) + letters;
        word += letters + (word[letters] == ' ');
    }
    (void)puts("");
    free(text);
}

static int width_of(const struct bench_columns *columns) {
    int width = 0;
    for (size_t i = 0; i < columns->count; i++) {
        width += columns->column[i].width > 0 ? columns->column[i].width + (i > 0) : 0;
    }
    return width;
}

/* The column that is wanted least among those that are there; NULL: all of them have to stay. */
static struct bench_column *least_wanted(struct bench_columns *columns) {
    struct bench_column *least = NULL;
    for (size_t i = 0; i < columns->count; i++) {
        struct bench_column *one = &columns->column[i];
        if (one->width > 0 && one->rank > 0 && (!least || one->rank >= least->rank)) {
            least = one;
        }
    }
    return least;
}

static void print_markdown_heading(struct bench_columns *columns) {
    for (int line = 0; line < 2; line++) {
        for (size_t i = 0; i < columns->count; i++) {
            const struct bench_column *one = &columns->column[i];
            if (one->width > 0 && line == 0) {
                (void)printf("| %s%s%s ", one->name, *one->unit && *one->name ? ", " : "", one->unit);
            } else if (one->width > 0) {
                (void)printf("|%s", one->left ? "---" : "--:");
            }
        }
        (void)puts("|");
    }
}

static void print_heading(struct bench_columns *columns) {
    bool units = false;
    for (size_t i = 0; i < columns->count; i++) {
        units = units || (columns->column[i].width > 0 && columns->column[i].unit[0]);
    }
    for (int line = units ? 0 : 1; line < 2; line++) {
        for (size_t i = 0; i < columns->count; i++) {
            const struct bench_column *one = &columns->column[i];
            bench_columns_cell(columns, "%s", line == 0 ? one->unit : one->name);
        }
        bench_columns_end(columns);
    }
}

void bench_columns_begin(struct bench_columns *columns, const struct bench *bench,
                         const struct bench_column *column, size_t count, size_t first) {
    *columns = (struct bench_columns){.count = count, .markdown = bench->options.markdown};
    memcpy(columns->column, column, count * sizeof *column);
    int longest = (int)(first < LONGEST_NAME ? first : LONGEST_NAME);
    columns->column[0].width = longest > column[0].width ? longest : column[0].width;
    for (size_t i = 0; i < count; i++) {
        columns->column[i].width = column[i].wide && !bench->options.wide ? 0 : columns->column[i].width;
    }
    struct bench_column *least;
    while (!bench->options.wide && width_of(columns) > (int)longest_line() &&
           (least = least_wanted(columns)) != NULL) {
        least->width = 0;
    }
    if (columns->markdown) {
        print_markdown_heading(columns);
    } else {
        print_heading(columns);
    }
}

/* Print text in its column; spaces at the end of a line wait for what follows. What is cut ends in two dots,
 * and words in the last column never are. */
static void put(struct bench_columns *columns, const struct bench_column *column, char *text) {
    int length = (int)strlen(text), padding = column->width - length;
    bool last = column == &columns->column[columns->count - 1] && column->left;
    if (padding < 0 && !last) {
        length = column->width;
        padding = 0;
        (void)memset(text + (length > 2 ? length - 2 : 0), '.', length > 2 ? 2 : (size_t)length);
    }
    if (length > 0) {
        (void)printf("%*s%.*s", columns->owed + (column->left ? 0 : padding), "", length, text);
        columns->owed = 0;
    }
    columns->owed += (column->left || length == 0 ? padding : 0) + 1;
}

void bench_columns_cell(struct bench_columns *columns, const char *format, ...) {
    const struct bench_column *column = &columns->column[columns->next];
    if (columns->next == 0) {
        bench_progress_clear();
    }
    if (columns->next < columns->count && column->width > 0) {
        char text[CELL];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        if (columns->markdown) {
            (void)printf("| %s ", text);
        } else {
            put(columns, column, text);
        }
    }
    columns->next++;
}

void bench_columns_end(struct bench_columns *columns) {
    columns->next = 0;
    columns->owed = 0;
    (void)puts(columns->markdown ? "|" : "");
    (void)fflush(stdout); /* whoever follows a log wants the line now */
}

void bench_columns_sentence(struct bench_columns *columns, const char *format, ...) {
    if (columns->markdown) {
        (void)printf("| ");
    } else {
        (void)printf("%*s", columns->owed, "");
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    bench_columns_end(columns);
}
