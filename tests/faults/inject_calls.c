/* SPDX-License-Identifier: MIT */
/* The calls that may fail, each in front of the one that it is named like. */
/* Both names of each call are defined: open() and open64(). */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include "inject.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALLER __builtin_return_address(0)
#define COUNTED faults_counts_from(CALLER)

/* The next definition behind this one, looked for when it is first called. */
#define REMEMBER(name) static __typeof__(&name) real_##name
#define REAL(name) (find_real(#name, &real_##name), real_##name)

static void find_real(const char *name, void *remembered) {
    void *found;
    memcpy(&found, remembered, sizeof found);
    if (!found) {
        found = dlsym(RTLD_NEXT, name);
        memcpy(remembered, &found, sizeof found);
    }
}

#pragma GCC visibility push(default)

/* ---- memory ---- */

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes) {
    return faults_memory_fails("malloc", CALLER) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    return faults_memory_fails("calloc", CALLER) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
    return faults_memory_fails("realloc", CALLER) ? NULL : __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    return faults_memory_fails("aligned_alloc", CALLER) ? NULL : __libc_memalign(alignment, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    return faults_memory_fails("memalign", CALLER) ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    void *made = faults_memory_fails("posix_memalign", CALLER) ? NULL : __libc_memalign(alignment, bytes);
    *memory = made ? made : *memory;
    return made ? 0 : ENOMEM;
}

/* A mutex or thread that there is no room for. */
REMEMBER(pthread_create);
int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *argument) {
    return faults_memory_fails("pthread_create", CALLER) ? EAGAIN
                                                         : REAL(pthread_create)(thread, how, start, argument);
}

REMEMBER(pthread_mutex_init);
int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *how) {
    return faults_memory_fails("pthread_mutex_init", CALLER) ? ENOMEM : REAL(pthread_mutex_init)(mutex, how);
}

REMEMBER(pthread_cond_init);
int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *how) {
    return faults_memory_fails("pthread_cond_init", CALLER) ? ENOMEM
                                                            : REAL(pthread_cond_init)(condition, how);
}

/* ---- files ---- */

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define DEFINE_OPEN(name)                                                                                    \
    REMEMBER(name);                                                                                          \
    int name(const char *path, int flags, ...) {                                                             \
        va_list rest;                                                                                        \
        va_start(rest, flags);                                                                               \
        mode_t mode = mode_of(flags, rest);                                                                  \
        va_end(rest);                                                                                        \
        return faults_io_fails(#name, flags & O_CREAT ? ENOSPC : EIO, COUNTED)                               \
                   ? -1                                                                                      \
                   : REAL(name)(path, flags, mode);                                                          \
    }

#define DEFINE_OPENAT(name)                                                                                  \
    REMEMBER(name);                                                                                          \
    int name(int folder, const char *path, int flags, ...) {                                                 \
        va_list rest;                                                                                        \
        va_start(rest, flags);                                                                               \
        mode_t mode = mode_of(flags, rest);                                                                  \
        va_end(rest);                                                                                        \
        return faults_io_fails(#name, flags & O_CREAT ? ENOSPC : EIO, COUNTED)                               \
                   ? -1                                                                                      \
                   : REAL(name)(folder, path, flags, mode);                                                  \
    }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

REMEMBER(read);
ssize_t read(int file, void *data, size_t bytes) {
    return faults_transfers("read", EIO, &bytes, COUNTED) ? REAL(read)(file, data, bytes) : -1;
}

REMEMBER(write);
ssize_t write(int file, const void *data, size_t bytes) {
    return faults_transfers("write", ENOSPC, &bytes, COUNTED) ? REAL(write)(file, data, bytes) : -1;
}

#define DEFINE_AT(name, number, pointer, offset)                                                             \
    REMEMBER(name);                                                                                          \
    ssize_t name(int file, pointer data, size_t bytes, offset at) {                                          \
        return faults_transfers(#name, number, &bytes, COUNTED) ? REAL(name)(file, data, bytes, at) : -1;    \
    }

DEFINE_AT(pread, EIO, void *, off_t)
DEFINE_AT(pread64, EIO, void *, off64_t)
DEFINE_AT(pwrite, ENOSPC, const void *, off_t)
DEFINE_AT(pwrite64, ENOSPC, const void *, off64_t)

/* The descriptor is gone even where closing reports an error. */
REMEMBER(close);
int close(int file) {
    bool fails = faults_io_fails("close", EIO, COUNTED);
    int number = errno;
    int result = REAL(close)(file);
    errno = fails ? number : errno;
    return fails ? -1 : result;
}

/* Calls that only fail: parameters and arguments in brackets. */
#define DEFINE(name, number, parameters, arguments)                                                          \
    REMEMBER(name);                                                                                          \
    int name parameters {                                                                                    \
        return faults_io_fails(#name, number, COUNTED) ? -1 : REAL(name) arguments;                          \
    }

DEFINE(fsync, ENOSPC, (int file), (file))
DEFINE(fdatasync, ENOSPC, (int file), (file))
DEFINE(ftruncate, EIO, (int file, off_t bytes), (file, bytes))
DEFINE(ftruncate64, EIO, (int file, off64_t bytes), (file, bytes))
DEFINE(flock, ENOLCK, (int file, int operation), (file, operation))
DEFINE(rename, ENOSPC, (const char *from, const char *to), (from, to))
DEFINE(renameat, ENOSPC, (int a, const char *from, int b, const char *to), (a, from, b, to))
DEFINE(renameat2, ENOSPC, (int a, const char *from, int b, const char *to, unsigned flags),
       (a, from, b, to, flags))
DEFINE(link, ENOSPC, (const char *from, const char *to), (from, to))
DEFINE(linkat, ENOSPC, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
DEFINE(mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
DEFINE(mkdirat, ENOSPC, (int folder, const char *path, mode_t mode), (folder, path, mode))
DEFINE(unlink, EIO, (const char *path), (path))
DEFINE(unlinkat, EIO, (int folder, const char *path, int flags), (folder, path, flags))
DEFINE(rmdir, EIO, (const char *path), (path))
DEFINE(access, EIO, (const char *path, int mode), (path, mode))
DEFINE(faccessat, EIO, (int folder, const char *path, int mode, int flags), (folder, path, mode, flags))
DEFINE(stat, EIO, (const char *path, struct stat *about), (path, about))
DEFINE(stat64, EIO, (const char *path, struct stat64 *about), (path, about))
DEFINE(lstat, EIO, (const char *path, struct stat *about), (path, about))
DEFINE(lstat64, EIO, (const char *path, struct stat64 *about), (path, about))
DEFINE(fstat, EIO, (int file, struct stat *about), (file, about))
DEFINE(fstat64, EIO, (int file, struct stat64 *about), (file, about))
DEFINE(fstatat, EIO, (int folder, const char *path, struct stat *about, int flags),
       (folder, path, about, flags))
DEFINE(fstatat64, EIO, (int folder, const char *path, struct stat64 *about, int flags),
       (folder, path, about, flags))

REMEMBER(mmap);
void *mmap(void *where, size_t bytes, int protection, int flags, int file, off_t at) {
    return faults_io_fails("mmap", ENOMEM, COUNTED) ? MAP_FAILED
                                                    : REAL(mmap)(where, bytes, protection, flags, file, at);
}

REMEMBER(mmap64);
void *mmap64(void *where, size_t bytes, int protection, int flags, int file, off64_t at) {
    return faults_io_fails("mmap64", ENOMEM, COUNTED)
               ? MAP_FAILED
               : REAL(mmap64)(where, bytes, protection, flags, file, at);
}

REMEMBER(readlink);
ssize_t readlink(const char *path, char *target, size_t bytes) {
    return faults_io_fails("readlink", EIO, COUNTED) ? -1 : REAL(readlink)(path, target, bytes);
}

REMEMBER(realpath);
char *realpath(const char *path, char *whole) {
    return faults_io_fails("realpath", EIO, COUNTED) ? NULL : REAL(realpath)(path, whole);
}

/* ---- folders ---- */

REMEMBER(opendir);
DIR *opendir(const char *path) {
    return faults_io_fails("opendir", EMFILE, COUNTED) ? NULL : REAL(opendir)(path);
}

REMEMBER(fdopendir);
DIR *fdopendir(int file) {
    return faults_io_fails("fdopendir", ENOMEM, COUNTED) ? NULL : REAL(fdopendir)(file);
}

REMEMBER(readdir);
struct dirent *readdir(DIR *folder) {
    return faults_io_fails("readdir", EIO, COUNTED) ? NULL : REAL(readdir)(folder);
}

REMEMBER(readdir64);
struct dirent64 *readdir64(DIR *folder) {
    return faults_io_fails("readdir64", EIO, COUNTED) ? NULL : REAL(readdir64)(folder);
}

/* Opens and reads the folder inside libc. */
typedef int chosen(const struct dirent *), ordered(const struct dirent **, const struct dirent **);
REMEMBER(scandir);
int scandir(const char *path, struct dirent ***list, chosen *choose, ordered *compare) {
    return faults_io_fails("scandir", EMFILE, COUNTED) ? -1 : REAL(scandir)(path, list, choose, compare);
}

typedef int chosen64(const struct dirent64 *), ordered64(const struct dirent64 **, const struct dirent64 **);
REMEMBER(scandir64);
int scandir64(const char *path, struct dirent64 ***list, chosen64 *choose, ordered64 *compare) {
    return faults_io_fails("scandir64", EMFILE, COUNTED) ? -1 : REAL(scandir64)(path, list, choose, compare);
}

/* ---- streams on counted calls ---- */

static ssize_t stream_read(void *cookie, char *data, size_t bytes) {
    int file = (int)(intptr_t)cookie;
    return faults_transfers("read of a stream", EIO, &bytes, faults_counting())
               ? REAL(read)(file, data, bytes)
               : -1;
}

/* As libc's own streams: all of it, or an error. */
static ssize_t stream_write(void *cookie, const char *data, size_t bytes) {
    size_t written = 0;
    while (written < bytes) {
        size_t part = bytes - written;
        bool counted = faults_counting() && !faults_interrupt();
        if (!faults_transfers("write of a stream", ENOSPC, &part, counted)) {
            return 0;
        }
        ssize_t moved = REAL(write)((int)(intptr_t)cookie, data + written, part);
        if (moved < 0) {
            return 0;
        }
        written += (size_t)moved;
    }
    return (ssize_t)written;
}

static int stream_close(void *cookie) {
    bool fails = faults_io_fails("close of a stream", EIO, faults_counting());
    int result = REAL(close)((int)(intptr_t)cookie);
    return fails ? -1 : result;
}

FILE *faults_stream(int file, const char *mode) {
    cookie_io_functions_t functions = {.read = stream_read, .write = stream_write, .close = stream_close};
    return fopencookie((void *)(intptr_t)file, mode, functions);
}

static FILE *open_stream(const char *path, const char *mode, bool counted) {
    int flags = mode[0] == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | (mode[0] == 'a' ? O_APPEND : O_TRUNC);
    if (faults_io_fails("fopen", mode[0] == 'r' ? EIO : ENOSPC, counted)) {
        return NULL;
    }
    int file = REAL(open)(path, flags | O_CLOEXEC, 0666);
    if (file < 0) {
        return NULL;
    }
    FILE *stream = faults_stream(file, mode[0] == 'r' ? "r" : mode[0] == 'a' ? "a" : "w");
    if (!stream) {
        (void)REAL(close)(file);
    }
    return stream;
}

/* Modes that read and write are left to libc: nothing here asks for them. */
REMEMBER(fopen);
FILE *fopen(const char *path, const char *mode) {
    return strchr(mode, '+') || !faults_counts_from(CALLER) ? REAL(fopen)(path, mode)
                                                            : open_stream(path, mode, true);
}

REMEMBER(fopen64);
FILE *fopen64(const char *path, const char *mode) {
    return strchr(mode, '+') || !faults_counts_from(CALLER) ? REAL(fopen64)(path, mode)
                                                            : open_stream(path, mode, true);
}

#pragma GCC visibility pop
