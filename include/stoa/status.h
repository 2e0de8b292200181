/* Status values: what every fallible call of the library returns.
 * Knows nothing but the C language. */
#ifndef STOA_STATUS_H
#define STOA_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* STOA_API marks an exported function; everything else stays hidden. */
#if defined(__GNUC__)
#define STOA_API __attribute__((visibility("default")))
#define STOA_MUST_CHECK __attribute__((warn_unused_result))
#else
#define STOA_API
#define STOA_MUST_CHECK
#endif

/* One list: X(constant, short text). */
#define STOA_STATUS_LIST(X)                                                                                  \
    X(STOA_OK, "ok")                                                                                         \
    X(STOA_ERR_ARGUMENT, "bad argument")                                                                     \
    X(STOA_ERR_SHAPE, "shapes do not fit")                                                                   \
    X(STOA_ERR_MEMORY, "out of memory")                                                                      \
    X(STOA_ERR_IO, "input/output failed")                                                                    \
    X(STOA_ERR_FORMAT, "malformed file")                                                                     \
    X(STOA_ERR_NOT_FOUND, "not found")                                                                       \
    X(STOA_ERR_EXISTS, "already exists")                                                                     \
    X(STOA_ERR_NONFINITE, "non-finite value")                                                                \
    X(STOA_ERR_CANCELLED, "cancelled")                                                                       \
    X(STOA_ERR_UNSUPPORTED, "not supported here")

typedef enum stoa_status {
#define STOA_STATUS_ENUM(constant, text) constant,
    STOA_STATUS_LIST(STOA_STATUS_ENUM)
#undef STOA_STATUS_ENUM
} stoa_status;

/** Short text of a status, for example "shapes do not fit". Never NULL; static storage. */
STOA_API const char *stoa_status_text(stoa_status status);

#ifdef __cplusplus
}
#endif
#endif
