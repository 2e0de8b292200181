/* SPDX-License-Identifier: MIT */
/* The version the library was built as. */
#include <stoa/version.h>

const char *stoa_version(void) {
    return STOA_VERSION_STRING;
}
