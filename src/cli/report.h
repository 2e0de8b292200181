/* SPDX-License-Identifier: MIT */
/* Errors as one line on stderr, results on a checked stdout, and memory that is there or ends the command. */
#ifndef STOA_CLI_REPORT_H
#define STOA_CLI_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stoa/context.h>

/* Print "stoa: SENTENCE" as exactly one line on stderr and return `code`: CLI_DONE where the command goes
 * on. */
__attribute__((format(printf, 2, 3))) int cli_fail(int code, const char *format, ...);

/* Keep sentences that would be printed with a code other than CLI_DONE in `line` of `size` bytes, each in the
 * place of the one before; NULL: print them again. */
void cli_keep_sentences(char *line, size_t size);

/* Print the sentence of the library's last error and return the exit code that fits its status. */
int cli_fail_library(const stoa_context *context, stoa_status status);

/* Exit code for a status: a failed run or a wrong request. */
int cli_code_of(stoa_status status);

/* Make text that may come from a file harmless in place: what could steer a terminal (control characters,
 * DEL, C1) and what is not UTF-8 becomes '?', a byte each. Lines end at newlines where `lines` is set. */
void cli_clean(char *text, bool lines);

/* printf() through cli_clean(): newlines of the format and of what it shows stay. On a terminal lines that
 * are longer than it go on below, broken at spaces. */
__attribute__((format(printf, 1, 2))) void cli_print(const char *format, ...);

/* Print text that begins at a column of a line of `most` columns; what does not fit goes on below it. */
void cli_print_at(const char *text, size_t column, size_t most);

/* Flush and close stdout; a write that failed anywhere turns CLI_DONE into CLI_FAILED with a sentence, or
 * without one when nobody reads the output any more. */
int cli_finish_output(int code);

/* End the command where it is, with what is to be cleaned up cleaned up. */
__attribute__((noreturn)) void cli_end(int code);

/* End it for want of memory, with a sentence unless one stands on stderr already. */
__attribute__((noreturn)) void cli_out_of_memory(void);

/* What cli_end() cleans up with, without memory of its own; NULL: nothing. */
void cli_set_clean_up(void (*clean_up)(void *object), void *object);

/* Memory, or the end of the command: nothing useful is left to do without it. */
void *cli_allocate(size_t count, size_t bytes);
__attribute__((format(printf, 1, 2))) char *cli_text(const char *format, ...);
/* `text` as a shell has to be told it, in single quotes where it needs them, to be copied from a terminal. */
char *cli_shell_word(const char *text);

/* JSON: numbers that are not finite become null, text that is not UTF-8 is made so. */
json_t *cli_json_number(double value);
json_t *cli_json_float(float value);
json_t *cli_json_count(size_t value);
json_t *cli_json_text(const char *text);
/* Whether a text can be kept as it is. */
bool cli_json_is_text(const char *text);
json_t *cli_json_shape(const size_t *shape, size_t rank);
json_t *cli_json_object(void);
json_t *cli_json_array(void);
void cli_json_set(json_t *object, const char *key, json_t *value);
void cli_json_append(json_t *array, json_t *value);
/* Around jansson's reader: what it asks for is there, or ends the command. Left alone, it writes beyond
 * its buffers when memory is refused within a string. */
void cli_json_begin_reading(void);
void cli_json_end_reading(void);
/* An array of at most `most` texts, read one by one so that anything else costs nothing; NULL for anything
 * else. */
json_t *cli_json_texts(const char *text, size_t most);
/* One line without a newline, from malloc. */
char *cli_json_line(const json_t *value);
/* Many lines, without a newline at the end, from malloc. */
char *cli_json_indented(const json_t *value);
/* Print indented to stdout and release. */
void cli_json_print(json_t *value);

#endif
