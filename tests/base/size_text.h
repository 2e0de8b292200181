/* SPDX-License-Identifier: MIT */
/* The largest size as sentences give it: it has 32 or 64 bits. */
#ifndef STOA_TESTS_BASE_SIZE_TEXT_H
#define STOA_TESTS_BASE_SIZE_TEXT_H

#include <stdint.h>

#if SIZE_MAX == UINT64_MAX
#define SIZE_MAX_TEXT "18446744073709551615"
#else
#define SIZE_MAX_TEXT "4294967295"
#endif

#endif
