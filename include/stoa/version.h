/* Version of the library. */
#ifndef STOA_VERSION_H
#define STOA_VERSION_H

#include "status.h"

#define STOA_VERSION_MAJOR 0
#define STOA_VERSION_MINOR 1
#define STOA_VERSION_PATCH 0
#define STOA_VERSION_STRING "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the library that runs, for example "0.1.0"; compare with STOA_VERSION_STRING. */
STOA_API const char *stoa_version(void);

#ifdef __cplusplus
}
#endif
#endif
