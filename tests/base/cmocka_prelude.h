/* SPDX-License-Identifier: MIT */
/* What cmocka.h wants included before it. */
#ifndef STOA_TESTS_BASE_CMOCKA_PRELUDE_H
#define STOA_TESTS_BASE_CMOCKA_PRELUDE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
