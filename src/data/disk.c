/* SPDX-License-Identifier: MIT */
/* Files on disk, with POSIX calls. */
#include "data/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"

/* How a file went wrong; the first way stays. */
enum trouble { NO_TROUBLE, CHANGED, UNREADABLE };

struct stoa_disk_file {
    int descriptor;
    char *path;
    size_t memory;
    struct stat opened;
    atomic_int trouble;
    atomic_size_t ahead; /* where what was asked for in advance ends */
};

size_t stoa_file_size(const char *path) {
    struct stat about;
    if (stat(path, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size <= 0) {
        return 0;
    }
    return (unsigned long long)about.st_size < SIZE_MAX ? (size_t)about.st_size : SIZE_MAX;
}

static stoa_status open_file(stoa_context *context, const char *path, struct stoa_disk_file *made) {
    made->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int number = errno;
    if (made->descriptor < 0) {
        return stoa_fail(context, number == ENOENT || number == ENOTDIR ? STOA_ERR_NOT_FOUND : STOA_ERR_IO,
                         "%s: cannot be opened", path);
    }
    if (fstat(made->descriptor, &made->opened) != 0 || !S_ISREG(made->opened.st_mode) ||
        made->opened.st_size <= 0 || (unsigned long long)made->opened.st_size >= SIZE_MAX) {
        return stoa_fail(context, STOA_ERR_IO, "%s: is empty, too large, or no regular file", path);
    }
    return STOA_OK;
}

stoa_status stoa_disk_open(stoa_context *context, const char *path, size_t memory,
                           struct stoa_disk_file **file) {
    struct stoa_disk_file *made = calloc(1, sizeof *made);
    char *copy = strdup(path);
    if (!made || !copy) {
        free(made);
        free(copy);
        return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory to read it", path);
    }
    made->path = copy;
    made->memory = memory;
    atomic_init(&made->trouble, NO_TROUBLE);
    atomic_init(&made->ahead, 0);
    stoa_status status = open_file(context, path, made);
    if (status != STOA_OK) {
        stoa_disk_close(made);
        return status;
    }
    *file = made;
    return STOA_OK;
}

void stoa_disk_close(struct stoa_disk_file *file) {
    if (file) {
        if (file->descriptor >= 0) {
            (void)close(file->descriptor);
        }
        free(file->path);
        free(file);
    }
}

size_t stoa_disk_bytes(const struct stoa_disk_file *file) {
    return (size_t)file->opened.st_size;
}

size_t stoa_disk_memory(const struct stoa_disk_file *file) {
    return file->memory;
}

/* Ask for what comes next, half of the memory at a time, where a file is gone through from its beginning; a
 * new epoch begins there again. Pieces within a window come in any order, which the system cannot foresee. */
static void ask_ahead(struct stoa_disk_file *file, size_t offset) {
    size_t window = stoa_max(1, file->memory / 2), ahead = atomic_load(&file->ahead);
    if (offset < window && ahead > 2 * window) {
        ahead = 0;
    }
    if (offset + window > ahead && offset < ahead + window) {
#ifdef POSIX_FADV_WILLNEED
        (void)posix_fadvise(file->descriptor, (off_t)ahead, (off_t)window, POSIX_FADV_WILLNEED);
#endif
        atomic_store(&file->ahead, ahead + window);
    }
}

/* All of the bytes, or how it failed. */
static enum trouble read_all(int descriptor, size_t offset, size_t bytes, uint8_t *out) {
    while (bytes > 0) {
        ssize_t part = pread(descriptor, out, bytes, (off_t)offset);
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            return part == 0 ? CHANGED : UNREADABLE;
        }
        out += part;
        offset += (size_t)part;
        bytes -= (size_t)part;
    }
    return NO_TROUBLE;
}

/* Looked at behind a read: a writer sets the time before it changes a byte. */
static enum trouble look_again(const struct stoa_disk_file *file) {
    struct stat now;
    if (fstat(file->descriptor, &now) != 0) {
        return UNREADABLE;
    }
    bool same = now.st_size == file->opened.st_size && now.st_mtim.tv_sec == file->opened.st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == file->opened.st_mtim.tv_nsec;
    return same ? NO_TROUBLE : CHANGED;
}

bool stoa_disk_read(struct stoa_disk_file *file, size_t offset, size_t bytes, void *out) {
    if (atomic_load(&file->trouble) != NO_TROUBLE) {
        return false;
    }
    ask_ahead(file, offset);
    enum trouble found = read_all(file->descriptor, offset, bytes, out);
    if (found == NO_TROUBLE) {
        found = look_again(file);
    }
    int none = NO_TROUBLE;
    return found == NO_TROUBLE || (atomic_compare_exchange_strong(&file->trouble, &none, (int)found), false);
}

stoa_status stoa_disk_check(const struct stoa_disk_file *file, stoa_context *context) {
    switch (atomic_load(&file->trouble)) {
    case NO_TROUBLE:
        return STOA_OK;
    case CHANGED:
        return stoa_fail(context, STOA_ERR_IO,
                         "%s: changed while it was in use, expected the %zu bytes that were opened",
                         file->path, stoa_disk_bytes(file));
    default:
        return stoa_fail(context, STOA_ERR_IO, "%s: cannot be read", file->path);
    }
}
