/* SPDX-License-Identifier: MIT */
/* Whole files, with POSIX calls: a reader that cannot be made to hang or to read without bound, and a writer
 * whose result is whole or not there. Knows nothing of what the bytes mean. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* strerror() is not safe between threads; the two strerror_r() differ in what they return. */
static const char *cause(int number, char *text, size_t size) {
#ifdef __GLIBC__
    return strerror_r(number, text, size);
#else
    return strerror_r(number, text, size) == 0 ? text : "unknown error";
#endif
}

static stoa_status system_error(struct stoa_error *error, const char *path, const char *action, int number) {
    char text[128];
    stoa_status status = number == ENOENT || number == ENOTDIR ? STOA_ERR_NOT_FOUND : STOA_ERR_IO;
    return stoa_error_set(error, status, "%s: cannot %s: %s", path, action, cause(number, text, sizeof text));
}

static stoa_status check_regular(struct stoa_error *error, const char *path, mode_t mode) {
    if (S_ISDIR(mode)) {
        return stoa_error_set(error, STOA_ERR_IO, "%s: is a folder, expected a file", path);
    }
    if (!S_ISREG(mode)) {
        return stoa_error_set(error, STOA_ERR_IO, "%s: is a device, pipe or socket, expected a file", path);
    }
    return STOA_OK;
}

/* Read up to `wanted` bytes; fewer only at the end of the file. False with errno set when reading fails. */
static bool read_bytes(int file, char *data, size_t wanted, size_t *got) {
    *got = 0;
    while (*got < wanted) {
        ssize_t part = read(file, data + *got, wanted - *got);
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part < 0) {
            return false;
        }
        if (part == 0) {
            break;
        }
        *got += (size_t)part;
    }
    return true;
}

static stoa_status read_open_file(struct stoa_error *error, int file, const char *path, size_t limit,
                                  void **data, size_t *bytes) {
    struct stat about;
    if (fstat(file, &about) != 0) {
        return system_error(error, path, "read", errno);
    }
    stoa_status status = check_regular(error, path, about.st_mode);
    if (status != STOA_OK) {
        return status;
    }
    if ((unsigned long long)about.st_size > limit || (unsigned long long)about.st_size >= SIZE_MAX) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "%s: holds %lld bytes, at most %zu are read", path,
                              (long long)about.st_size, limit);
    }
    /* One byte more than the size: a file that grows meanwhile is noticed. */
    size_t size = (size_t)about.st_size;
    char *memory = malloc(size + 1);
    if (!memory) {
        return stoa_error_set(error, STOA_ERR_MEMORY, "%s: no memory for %zu bytes", path, size);
    }
    size_t got = 0;
    if (!read_bytes(file, memory, size + 1, &got)) {
        status = system_error(error, path, "read", errno);
    } else if (got != size) {
        status = stoa_error_set(error, STOA_ERR_IO, "%s: changed while it was read, %zu bytes expected", path,
                                size);
    }
    if (status != STOA_OK) {
        free(memory);
        return status;
    }
    *data = memory;
    *bytes = size;
    return STOA_OK;
}

/* Not blocking: opening a pipe would wait for a writer before fstat() can refuse it. */
static stoa_status open_to_read(struct stoa_error *error, const char *path, int *file) {
    *file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return *file < 0 ? system_error(error, path, "open", errno) : STOA_OK;
}

stoa_status stoa_file_read(struct stoa_error *error, const char *path, size_t limit, void **data,
                           size_t *bytes) {
    int file = -1;
    stoa_status status = open_to_read(error, path, &file);
    if (status != STOA_OK) {
        return status;
    }
    status = read_open_file(error, file, path, limit, data, bytes);
    (void)close(file);
    return status;
}

stoa_status stoa_file_begin(struct stoa_error *error, const char *path, void *head, size_t room,
                            size_t *bytes) {
    struct stat about;
    int file = -1;
    stoa_status status = open_to_read(error, path, &file);
    if (status != STOA_OK) {
        return status;
    }
    *bytes = 0;
    bool known = fstat(file, &about) == 0;
    status = known ? check_regular(error, path, about.st_mode) : STOA_OK;
    if (!known || (status == STOA_OK && !read_bytes(file, head, room, bytes))) {
        status = system_error(error, path, "read", errno);
    }
    (void)close(file);
    return status;
}

/* The folder of `path` with its last slash; "" for the current folder. Release with free(); NULL without
 * memory. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    char *folder = malloc(length + 1);
    if (folder) {
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    return folder;
}

/* Lock a temporary file until it is closed: who clears a folder of what killed processes left can tell it
 * from those. Where the file system has no locks nobody clears by them. *lost when such a one was quicker.
 * False with errno set. */
static bool hold(int file, bool *lost) {
    struct stat about;
    *lost = flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!*lost && fstat(file, &about) != 0) {
        return false;
    }
    *lost = *lost || about.st_nlink == 0;
    return true;
}

/* Create a new file in `folder`. O_EXCL makes the name ours even beside other threads and leftovers of a
 * crash, and open() applies the umask, which mkstemp() does not and which cannot be asked for without
 * changing it. The name is short and its own, so that a long `path` still fits. */
static int create_temporary(const char *folder, char *name, size_t size) {
    for (unsigned attempt = 0; attempt < 1000; attempt++) {
        (void)snprintf(name, size, "%s.stoa-%ld-%u.tmp", folder, (long)getpid(), attempt);
        bool lost = false;
        int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (file < 0 && errno != EEXIST) {
            return -1;
        }
        if (file >= 0 && !hold(file, &lost)) {
            int number = errno;
            (void)unlink(name);
            (void)close(file);
            errno = number;
            return -1;
        }
        if (file >= 0 && !lost) {
            return file;
        }
        if (file >= 0) {
            (void)close(file);
        }
    }
    return -1;
}

static bool write_bytes(int file, const char *data, size_t bytes) {
    while (bytes > 0) {
        ssize_t part = write(file, data, bytes);
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            errno = part == 0 ? ENOSPC : errno;
            return false;
        }
        data += part;
        bytes -= (size_t)part;
    }
    return true;
}

/* A file system that says nothing of a failure must not get its file renamed over a good one. */
static bool has_size(int file, const struct stoa_file_piece *pieces, size_t count) {
    struct stat about;
    unsigned long long expected = 0;
    for (size_t i = 0; i < count; i++) {
        expected += pieces[i].bytes;
    }
    if (fstat(file, &about) != 0) {
        return false;
    }
    errno = EIO;
    return (unsigned long long)about.st_size == expected;
}

/* Write, sync and close; false with errno set. Closes in any case. */
static bool fill_file(int file, const struct stoa_file_piece *pieces, size_t count) {
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        good = write_bytes(file, pieces[i].data, pieces[i].bytes);
    }
    good = good && fsync(file) == 0 && has_size(file, pieces, count);
    int number = errno;
    if (close(file) != 0 && good) {
        return false;
    }
    errno = number;
    return good;
}

/* Make the new name last through a power cut. What fails here cannot be undone and leaves a whole file under
 * either the old or the new name, so it is no error: some file systems do not sync folders, and a folder may
 * be unreadable. */
static void sync_folder(const char *folder) {
    int file = open(folder[0] ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file >= 0) {
        (void)fsync(file);
        (void)close(file);
    }
}

/* Write under a temporary name and put it in place; errno tells why not. */
static bool replace_file(const char *path, const char *folder, char *name, size_t size,
                         const struct stoa_file_piece *pieces, size_t count) {
    int file = create_temporary(folder, name, size);
    if (file < 0) {
        return false;
    }
    /* A second descriptor holds the lock until the file has its name. */
    int lock = dup(file);
    bool good = fill_file(file, pieces, count) && rename(name, path) == 0;
    int number = errno;
    if (good) {
        sync_folder(folder);
    } else {
        (void)unlink(name);
    }
    if (lock >= 0) {
        (void)close(lock);
    }
    errno = number;
    return good;
}

stoa_status stoa_file_write(struct stoa_error *error, const char *path, const struct stoa_file_piece *pieces,
                            size_t count) {
    struct stat about;
    if (stat(path, &about) == 0) {
        stoa_status status = check_regular(error, path, about.st_mode);
        if (status != STOA_OK) {
            return status;
        }
    }
    char *folder = folder_of(path);
    size_t size = strlen(path) + 64;
    char *name = malloc(size);
    stoa_status status = STOA_OK;
    if (!folder || !name) {
        status = stoa_error_set(error, STOA_ERR_MEMORY, "%s: no memory for its name", path);
    } else if (!replace_file(path, folder, name, size, pieces, count)) {
        /* Also for a missing folder: the request to write failed, nothing was looked for. */
        char text[128];
        status =
            stoa_error_set(error, STOA_ERR_IO, "%s: cannot write: %s", path, cause(errno, text, sizeof text));
    }
    free(name);
    free(folder);
    return status;
}
