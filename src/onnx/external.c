/* SPDX-License-Identifier: MIT */
/* Weights in a file beside the model. Readers of ONNX were led out of the model's folder by names with
 * folders in them and by links; here a name is that of a file, opened below the folder without following a
 * link, and what is asked of it is compared with what it holds before a byte is read. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx/read.h"

#define NAME "%.80s"

static bool is_plain_name(const char *name) {
    return *name && !strchr(name, '/') && !strchr(name, '\\') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* An open file and its size, or an error. */
static stoa_status open_file(struct stoa_error *error, const char *folder, const char *name, int *file,
                             size_t *bytes) {
    if (!folder) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "its weights are in the file '" NAME "': a model in memory has no folder",
                              name);
    }
    if (!is_plain_name(name)) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "its weights are in '" NAME "', expected the name of a file in its own folder",
                              name);
    }
    int place = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *file = place < 0 ? -1 : openat(place, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const int cause = errno;
    if (place >= 0) {
        (void)close(place);
    }
    if (*file < 0 && (cause == ELOOP || cause == EMLINK)) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "its weights are in '" NAME "', a link, expected a file", name);
    }
    if (*file < 0) {
        return stoa_error_set(error, cause == ENOENT ? STOA_ERR_NOT_FOUND : STOA_ERR_IO,
                              "its weights are in the file '" NAME "' beside it, which %s", name,
                              cause == ENOENT ? "is not there" : "cannot be opened");
    }
    struct stat about;
    if (fstat(*file, &about) != 0 || !S_ISREG(about.st_mode) || (uintmax_t)about.st_size > SIZE_MAX / 2) {
        (void)close(*file);
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "its weights are in '" NAME "', which is no regular file", name);
    }
    *bytes = (size_t)about.st_size;
    return STOA_OK;
}

static bool read_at(int file, size_t offset, size_t bytes, char *out) {
    while (bytes > 0) {
        ssize_t part = pread(file, out, bytes, (off_t)offset);
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            return false;
        }
        out += part;
        offset += (size_t)part;
        bytes -= (size_t)part;
    }
    return true;
}

stoa_status stoa_onnx_read_external(struct stoa_error *error, const char *folder, const char *name,
                                    size_t offset, size_t bytes, void *out) {
    int file = -1;
    size_t have = 0;
    stoa_status status = open_file(error, folder, name, &file, &have);
    if (status != STOA_OK) {
        return status;
    }
    if (offset > have || bytes > have - offset) {
        status = stoa_error_set(error, STOA_ERR_FORMAT,
                                "its bytes are %zu from %zu on of '" NAME "', which has %zu bytes", bytes,
                                offset, name, have);
    } else if (!read_at(file, offset, bytes, out)) {
        status = stoa_error_set(error, STOA_ERR_IO, "cannot read %zu bytes of '" NAME "'", bytes, name);
    }
    (void)close(file);
    return status;
}

stoa_status stoa_onnx_external_size(struct stoa_error *error, const char *folder, const char *name,
                                    size_t *bytes) {
    int file = -1;
    stoa_status status = open_file(error, folder, name, &file, bytes);
    if (status == STOA_OK) {
        (void)close(file);
    }
    return status;
}
