/* SPDX-License-Identifier: MIT */
/* Files that are whole or not there: pages, pictures, tables. */
#ifndef STOA_CLI_WHOLE_FILE_H
#define STOA_CLI_WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* All of a text file, up to a zero byte, from malloc; NULL with errno. */
char *cli_read_text(const char *path);

/* Write all of `data` where the open file stands. 0, or -1 with errno and a part of it written. */
int cli_write_all(int file, const char *data, size_t bytes);

/* Write a file under a temporary name in its folder, sync it and rename it over `path`. CLI_DONE, or with the
 * sentence printed and nothing changed CLI_WRONG, where there can be no such file, or CLI_FAILED. */
int cli_write_whole(const char *path, const char *data, size_t bytes);

/* Whether a file may be made, or replace one that begins with `begin`, as an earlier one of its kind does;
 * with `force` any file. CLI_DONE, or CLI_WRONG with the sentence printed. */
int cli_check_replaceable(const char *path, const char *begin, bool force);

#endif
