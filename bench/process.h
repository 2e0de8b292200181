/* SPDX-License-Identifier: MIT */
/* Another process that answers lines: it stands still between its turns, so that threads that look for more
 * work take no CPU from the others, and it ends with the bench however that ends. */
#ifndef STOA_BENCH_PROCESS_H
#define STOA_BENCH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct bench_process {
    pid_t pid; /* 0: none */
    FILE *to, *from;
};

/* Start a command, NULL at the end. False where no process can be made. Stop it in any case. */
bool bench_process_start(struct bench_process *process, char **command);
/* Ask it to end, and wait for that. */
void bench_process_stop(struct bench_process *process);
/* A line of its without the end, from malloc; NULL when it has ended. */
char *bench_process_line(const struct bench_process *process);
/* The numbers of a line; false when there are fewer or more. */
bool bench_process_numbers(const char *line, size_t count, double *numbers);
/* Let it stand still, or go on. */
void bench_process_rest(const struct bench_process *process, bool rests);
/* Ask a question while it goes on: the answer, from malloc; NULL when it has ended. */
char *bench_process_ask(const struct bench_process *process, const char *question);
/* Why a process that has ended without an answer did: CLI_WRONG where it has said why, or where `option`
 * names a program that cannot be run; else CLI_FAILED. A sentence is printed where it said none. */
int bench_process_code(struct bench_process *process, const char *what, const char *option,
                       const char *program);

#endif
