/* SPDX-License-Identifier: MIT */
/* Errors, checked output, checked memory. Public headers only. */
#include "cli/report.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/progress.h"

/* The bench compiles this file too, under its own name. */
#ifndef CLI_PROGRAM
#define CLI_PROGRAM "stoa"
#endif

/* One process has one stderr and one thing to leave in order. */
static struct {
    bool failed; /* a sentence that tells of an end is out */
    void (*clean_up)(void *object);
    void *object;
} ending;

/* Where sentences go instead of stderr. */
static struct {
    char *line;
    size_t size;
} kept;

void cli_keep_sentences(char *line, size_t size) {
    kept.line = line;
    kept.size = size;
}

/* Bytes of the printable character that begins here; 0 for a control character and for no UTF-8. */
static size_t printable_bytes(const char *text) {
    unsigned char first = (unsigned char)text[0];
    if (first < 0x80) {
        return first >= ' ' && first != 0x7F;
    }
    size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    static const unsigned long least[] = {0, 0, 0xA0, 0x800, 0x10000}; /* the C1 controls end at 0x9F */
    unsigned long value = first & (0xFFU >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        unsigned char next = (unsigned char)text[i];
        if ((next & 0xC0U) != 0x80U) {
            return 0;
        }
        value = value << 6 | (next & 0x3FU);
    }
    bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    return first >= 0xC2 && value >= least[bytes] && value <= 0x10FFFF && !surrogate ? bytes : 0;
}

void cli_clean(char *text, bool lines) {
    while (*text) {
        size_t bytes = printable_bytes(text);
        if (bytes == 0 && !(lines && *text == '\n')) {
            *text = '?';
        }
        text += bytes ? bytes : 1;
    }
}

/* From malloc; a lack of memory ends the command. */
__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list arguments) {
    char *text;
    if (vasprintf(&text, format, arguments) < 0) {
        cli_out_of_memory();
    }
    return text;
}

int cli_fail(int code, const char *format, ...) {
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    /* File names and arguments may hold any byte; the line stays one line and cannot steer a terminal. */
    cli_clean(line, false);
    if (kept.line && code != CLI_DONE) {
        (void)snprintf(kept.line, kept.size, "%s", line);
        return code;
    }
    cli_progress_clear();
    (void)fflush(stdout);
    (void)fprintf(stderr, CLI_PROGRAM ": %s\n", line);
    ending.failed = ending.failed || code != CLI_DONE;
    return code;
}

int cli_code_of(stoa_status status) {
    switch (status) {
    case STOA_OK:
        return CLI_DONE;
    case STOA_ERR_ARGUMENT:
    case STOA_ERR_SHAPE:
    case STOA_ERR_IO:
    case STOA_ERR_FORMAT:
    case STOA_ERR_NOT_FOUND:
    case STOA_ERR_UNSUPPORTED:
        return CLI_WRONG;
    case STOA_ERR_MEMORY:
    case STOA_ERR_NONFINITE:
    case STOA_ERR_CANCELLED:
        break;
    }
    return CLI_FAILED;
}

int cli_fail_library(const stoa_context *context, stoa_status status) {
    const char *sentence = stoa_context_error(context);
    return cli_fail(cli_code_of(status), "%s", sentence[0] ? sentence : stoa_status_text(status));
}

/* Whoever reads the output has left: a pipe without an end to read from. */
static bool is_unread(void) {
    struct pollfd output = {.fd = STDOUT_FILENO};
    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
}

int cli_finish_output(int code) {
    errno = 0;
    bool failed = fflush(stdout) != 0;
    int reason = errno;
    failed = failed || ferror(stdout);
    bool unread = failed && (reason == EPIPE || is_unread());
    /* Some file systems tell only now that they had no room. */
    if (close(STDOUT_FILENO) != 0 && !failed) {
        failed = true;
        reason = errno;
    }
    if (!failed) {
        return code;
    }
    if (code != CLI_DONE) {
        return code; /* its own line stands on stderr already */
    }
    if (unread) {
        return CLI_FAILED; /* who stops reading knows why */
    }
    return cli_fail(CLI_FAILED, "standard output: %s", reason ? strerror(reason) : "a write failed");
}

void cli_set_clean_up(void (*clean_up)(void *object), void *object) {
    ending.clean_up = clean_up;
    ending.object = object;
}

void cli_end(int code) {
    void (*clean_up)(void *object) = ending.clean_up;
    if (clean_up) {
        ending.clean_up = NULL; /* it may end here itself */
        clean_up(ending.object);
    }
    exit(code);
}

void cli_out_of_memory(void) {
    cli_keep_sentences(NULL, 0);
    if (!ending.failed) {
        (void)cli_fail(CLI_FAILED, "out of memory");
    }
    cli_end(CLI_FAILED);
}

void *cli_allocate(size_t count, size_t bytes) {
    void *memory = calloc(count ? count : 1, bytes ? bytes : 1);
    if (!memory) {
        cli_out_of_memory();
    }
    return memory;
}

char *cli_text(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    return text;
}

char *cli_shell_word(const char *text) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
    size_t length = strlen(text);
    if (length > 0 && strspn(text, plain) == length) {
        return cli_text("%s", text);
    }
    /* A single quote ends the quotes, stands escaped, and begins them again. */
    char *word = cli_allocate(4 * length + 3, 1), *at = word;
    *at++ = '\'';
    for (; *text; text++) {
        size_t bytes = *text == '\'' ? 4 : 1;
        memcpy(at, bytes == 4 ? "'\\''" : text, bytes);
        at += bytes;
    }
    *at = '\'';
    return word;
}
