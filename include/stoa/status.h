/* SPDX-License-Identifier: MIT */
/** @file
 * Status values: what every fallible call of the library returns.
 * Knows nothing but the C language. */
#ifndef STOA_STATUS_H
#define STOA_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
/** Marks an exported function; everything else stays hidden. */
#define STOA_API __attribute__((visibility("default")))
/** The compiler warns when what such a function returns is not looked at. */
#define STOA_MUST_CHECK __attribute__((warn_unused_result))
#else
#define STOA_API
#define STOA_MUST_CHECK
#endif

/** All statuses, one list: X(constant, short text). */
#define STOA_STATUS_LIST(X)                                                                                  \
    X(STOA_OK, "ok")                                                                                         \
    X(STOA_ERR_ARGUMENT, "bad argument")                                                                     \
    X(STOA_ERR_SHAPE, "shapes do not fit")                                                                   \
    X(STOA_ERR_MEMORY, "out of memory")                                                                      \
    X(STOA_ERR_IO, "input/output failed")                                                                    \
    X(STOA_ERR_FORMAT, "malformed file")                                                                     \
    X(STOA_ERR_NOT_FOUND, "not found")                                                                       \
    X(STOA_ERR_NONFINITE, "non-finite value")                                                                \
    X(STOA_ERR_CANCELLED, "cancelled")                                                                       \
    X(STOA_ERR_UNSUPPORTED, "not supported here")

/** What became of a call: STOA_OK, which is 0, or an error of STOA_STATUS_LIST. The context has the sentence.
 */
typedef enum stoa_status {
/** Makes one enumerator of the list. */
#define STOA_STATUS_ENUM(constant, text) constant,
    STOA_STATUS_LIST(STOA_STATUS_ENUM)
#undef STOA_STATUS_ENUM
} stoa_status;

/** Short text of `status`, for example "shapes do not fit". Never NULL; static storage. */
STOA_API const char *stoa_status_text(stoa_status status);

/** Find the name that a word is likely meant to be, for programs that read names from people, as the library
 * does where it says "did you mean 'conv2d'?".
 *
 * @param word  What was found.
 * @param names  `count` names.
 * @param count  How many.
 * Returns one of `names` (of several as near the first): up to 3 letters of it are inserted, removed,
 * replaced or swapped with their neighbours in `word`, of short words fewer; or one begins with the other; or
 * another engine calls it `word`. Capitals, '-' and '_' make no difference. NULL where none is near. */
STOA_API const char *stoa_nearest(const char *word, const char *const *names, size_t count);

#ifdef __cplusplus
}
#endif
#endif
