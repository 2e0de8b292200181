/* SPDX-License-Identifier: MIT */
/** @file
 * Version of the library. This header is the one place for it: the build reads the numbers here. */
#ifndef STOA_VERSION_H
#define STOA_VERSION_H

#include "status.h"

#define STOA_VERSION_MAJOR 0 /**< grows when programs must be changed; 0: any minor version may do that */
#define STOA_VERSION_MINOR 1 /**< grows with new functions */
#define STOA_VERSION_PATCH 0 /**< grows with corrections */
#define STOA_VERSION_STRING "0.1.0" /**< the three numbers as text */
#define STOA_SOVERSION 0            /**< N of libstoa.so.N: grows when programs must be compiled again */

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the library that runs, for example "0.1.0"; compare with STOA_VERSION_STRING. */
STOA_API const char *stoa_version(void);

#ifdef __cplusplus
}
#endif
#endif
