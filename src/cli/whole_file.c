/* SPDX-License-Identifier: MIT */
/* Files that are whole or not there. */
#include "cli/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/find.h"
#include "cli/report.h"

/* The folder that a file lies in; from malloc. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? cli_text("%.*s", (int)(slash == path ? 1 : slash - path), path) : cli_text(".");
}

int cli_write_all(int file, const char *data, size_t bytes) {
    for (size_t written = 0; written < bytes;) {
        ssize_t some = write(file, data + written, bytes - written);
        if (some <= 0 && errno != EINTR) {
            errno = some == 0 ? ENOSPC : errno;
            return -1;
        }
        written += some > 0 ? (size_t)some : 0;
    }
    return 0;
}

/* What is left of an open file, with a zero behind it; NULL with errno where it cannot be read. */
static char *read_rest(int file) {
    size_t used = 0, room = 4096;
    char *text = malloc(room);
    while (text) {
        ssize_t bytes = read(file, text + used, room - used - 1);
        if (bytes == 0) {
            text[used] = '\0';
            return text;
        }
        if (bytes < 0 && errno != EINTR) {
            int reason = errno;
            free(text);
            errno = reason;
            return NULL;
        }
        used += bytes > 0 ? (size_t)bytes : 0;
        if (used + 1 == room) {
            char *longer = realloc(text, 2 * room);
            if (!longer) {
                free(text);
            }
            text = longer;
            room *= 2;
        }
    }
    errno = ENOMEM;
    return NULL;
}

char *cli_read_text(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return NULL;
    }
    char *text = read_rest(file);
    int reason = errno;
    (void)close(file);
    errno = reason;
    return text;
}

static int cannot_write(int code, const char *path) {
    return cli_fail(code, "%s: cannot write: %s", path, strerror(errno));
}

/* The names of the folder reach the disk too, where the file system can do so. */
static void sync_folder(const char *path) {
    char *folder = folder_of(path);
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        (void)close(descriptor);
    }
    free(folder);
}

int cli_write_whole(const char *path, const char *data, size_t bytes) {
    char *folder = folder_of(path);
    char *waiting = cli_text("%s/.stoa-%ld-1.tmp", folder, (long)getpid());
    free(folder);
    (void)unlink(waiting); /* of a process of this number that was killed */
    int file = open(waiting, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), code = CLI_DONE;
    if (file < 0) {
        code =
            cannot_write(errno == ENOSPC || errno == EDQUOT || errno == EIO ? CLI_FAILED : CLI_WRONG, path);
        free(waiting);
        return code;
    }
    bool good = cli_write_all(file, data, bytes) == 0 && fsync(file) == 0;
    int reason = errno;
    if (close(file) != 0 && good) {
        reason = errno;
        good = false;
    }
    errno = reason;
    if (!good || rename(waiting, path) != 0) {
        code = cannot_write(CLI_FAILED, path);
        (void)unlink(waiting);
    } else {
        sync_folder(path);
    }
    free(waiting);
    return code;
}

static bool begins_with(const char *path, const char *begin) {
    char head[64];
    ssize_t bytes = -1;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    do {
        bytes = file < 0 ? -1 : read(file, head, sizeof head);
    } while (bytes < 0 && file >= 0 && errno == EINTR);
    if (file >= 0) {
        (void)close(file);
    }
    return bytes >= (ssize_t)strlen(begin) && memcmp(head, begin, strlen(begin)) == 0;
}

int cli_check_replaceable(const char *path, const char *begin, bool force) {
    char *folder = folder_of(path);
    bool has_folder = cli_is_folder(folder);
    free(folder);
    if (!has_folder) {
        return cli_fail(CLI_WRONG, "%s: cannot write: its folder is not there", path);
    }
    if (cli_is_folder(path)) {
        return cli_fail(CLI_WRONG, "%s: found a folder, expected a file to write", path);
    }
    if (!cli_is_file(path)) {
        return CLI_DONE;
    }
    if (!cli_is_regular(path)) {
        return cli_fail(CLI_WRONG, "%s: found no regular file, expected one, or none, to write", path);
    }
    return force || begins_with(path, begin)
               ? CLI_DONE
               : cli_fail(CLI_WRONG, "%s: found another file, expected a new name or --force", path);
}
