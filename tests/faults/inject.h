/* SPDX-License-Identifier: MIT */
/* Which calls fail: shared by what decides it and the calls themselves. */
#ifndef STOA_TESTS_INJECT_H
#define STOA_TESTS_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Whether main() has begun, and whether reads and writes are to be interrupted. */
bool faults_counting(void);
bool faults_interrupt(void);

/* Whether a call that returns to `address` is one of those that count. */
bool faults_counts_from(const void *address);

/* Count a call; true, with errno set, when it is to fail. */
bool faults_memory_fails(const char *name, const void *caller);
bool faults_io_fails(const char *name, int number, bool counted);

/* What a read or write may move: all, a part of it, or nothing (false). */
bool faults_transfers(const char *name, int number, size_t *bytes, bool counted);

/* A stream over a descriptor, on counted calls. */
FILE *faults_stream(int file, const char *mode);

#endif
