/* SPDX-License-Identifier: MIT */
/* The files of a run and how an epoch is committed: see run_files.h. Public headers only. */
#include "cli/run_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/run_lock.h"
#include "cli/whole_file.h"

void cli_run_sync(int folder) {
    int reason = errno;
    (void)fsync(folder); /* some file systems cannot sync a folder; the files themselves are safe */
    errno = reason;
}

/* Write all of the text behind what is there, and sync it where asked; a part of it is taken back. 0, or -1
 * with errno. */
static int append(int file, const char *text, bool sync) {
    off_t before = lseek(file, 0, SEEK_END);
    bool good = before >= 0 && cli_write_all(file, text, strlen(text)) == 0 && (!sync || fsync(file) == 0);
    int reason = good ? 0 : errno;
    if (!good && before >= 0) {
        (void)ftruncate(file, before);
    }
    errno = reason;
    return good ? 0 : -1;
}

/* Append to a file of the folder, which is made where it is missing. */
static int append_to(int folder, const char *name, int flags, const char *text) {
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
    if (file < 0) {
        return -1;
    }
    int result = append(file, text, true);
    int reason = errno;
    (void)close(file); /* what is synced is there; to append it again would be wrong */
    errno = reason;
    return result;
}

static int remove_name(int folder, const char *name) {
    return unlinkat(folder, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

/* 1: there is such a name; 0: there is none; -1 with errno when that cannot be told. */
static int look(int folder, const char *name) {
    struct stat about;
    return fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0 ? 1 : errno == ENOENT ? 0 : -1;
}

/* All of a file and a zero behind it, from malloc; NULL with errno. */
static char *read_all(int file, size_t *bytes) {
    struct stat about;
    if (fstat(file, &about) != 0) {
        return NULL;
    }
    size_t size = (size_t)about.st_size;
    char *text = malloc(size + 1);
    for (*bytes = 0; text && *bytes < size;) {
        ssize_t part = pread(file, text + *bytes, size - *bytes, (off_t)*bytes);
        if (part > 0) {
            *bytes += (size_t)part;
        } else if (part == 0 || errno != EINTR) {
            errno = part == 0 ? EIO : errno;
            free(text);
            return NULL;
        }
    }
    if (text) {
        text[size] = '\0';
    }
    return text;
}

/* The epoch of the first line of a text, as a run writes it; 0 where it is no whole line of metrics. */
static size_t epoch_of(const char *text) {
    static const char begin[] = "{\"epoch\": ";
    const char *end = strchr(text, '\n');
    if (!end || end == text || end[-1] != '}' || strncmp(text, begin, sizeof begin - 1) != 0) {
        return 0;
    }
    return (size_t)strtoull(text + sizeof begin - 1, NULL, 10);
}

/* Length of what comes before the lines of this epoch and later ones, and of a line that is not whole. */
static size_t length_before(const char *text, size_t bytes, size_t epoch) {
    size_t kept = bytes;
    while (kept > 0) {
        size_t start = kept - 1;
        while (start > 0 && text[start - 1] != '\n') {
            start--;
        }
        size_t found = epoch_of(text + start);
        if (found != 0 && found < epoch) {
            break;
        }
        kept = start;
    }
    return kept;
}

char *cli_run_read_lines(int folder, size_t epochs, bool *more) {
    int file = openat(folder, CLI_RUN_METRICS, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 && errno != ENOENT) {
        return NULL;
    }
    size_t bytes = 0, length = 0;
    char *text = file < 0 ? calloc(1, 1) : read_all(file, &bytes);
    int reason = errno;
    if (file >= 0) {
        (void)close(file);
    }
    size_t epoch = 1;
    for (; text && epoch <= epochs && epoch_of(text + length) == epoch; epoch++) {
        length += strcspn(text + length, "\n") + 1;
    }
    if (text && epoch <= epochs) {
        free(text);
        text = NULL;
        reason = ENODATA;
    }
    if (text) {
        *more = length < bytes;
        text[length] = '\0';
    }
    errno = reason;
    return text;
}

/* What an earlier attempt or process has written of these epochs, of later ones and of no whole line goes
 * first. */
static int append_once(int folder, const char *name, const char *lines, bool sync) {
    int file = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) {
        return -1;
    }
    size_t bytes = 0;
    char *text = read_all(file, &bytes);
    int result = text ? ftruncate(file, (off_t)length_before(text, bytes, epoch_of(lines))) : -1;
    free(text);
    result = result == 0 ? append(file, lines, sync) : -1;
    int reason = errno;
    (void)close(file);
    errno = reason;
    return result;
}

int cli_run_write_lines(int folder, const char *lines) {
    int result = append_to(folder, CLI_RUN_METRICS_NEW, O_TRUNC | O_NOFOLLOW, lines);
    int reason = errno;
    if (result == 0) {
        cli_run_sync(folder);
    } else {
        (void)remove_name(folder, CLI_RUN_METRICS_NEW);
    }
    errno = reason;
    return result;
}

int cli_run_replace(int folder, const char *lines) {
    char name[64];
    (void)snprintf(name, sizeof name, ".stoa-%ld-0.tmp", (long)getpid());
    int result = append_to(folder, name, O_TRUNC | O_NOFOLLOW, lines);
    result = result == 0 ? renameat(folder, name, folder, CLI_RUN_METRICS) : -1;
    int reason = errno;
    if (result != 0) {
        (void)remove_name(folder, name);
    }
    errno = reason;
    cli_run_sync(folder);
    return result;
}

int cli_run_append(int folder, const char *lines, bool again) {
    return again ? append_once(folder, CLI_RUN_METRICS, lines, true)
                 : append_to(folder, CLI_RUN_METRICS, O_APPEND, lines);
}

int cli_run_append_timing(int folder, const char *lines) {
    return append_once(folder, CLI_RUN_TIMING, lines, false);
}

int cli_run_settle(int folder, const char *lines, bool again) {
    int result;
    if (epoch_of(lines) != 1) {
        result = cli_run_append(folder, lines, again);
        result = result == 0 ? remove_name(folder, CLI_RUN_METRICS_NEW) : -1;
    } else {
        result = renameat(folder, CLI_RUN_METRICS_NEW, folder, CLI_RUN_METRICS);
        /* The second time they may be in their place already. */
        result = result == 0 || (again && errno == ENOENT) ? 0 : -1;
    }
    cli_run_sync(folder);
    return result;
}

int cli_run_commit(int folder, const char *lines, bool again, bool *counts) {
    /* Held open, the replaced files are given back to the file system behind the commit, not within it,
     * where it would take most of the time in which model and metrics differ to those who look at the
     * files alone. */
    int held[] = {openat(folder, CLI_RUN_MODEL, O_RDONLY | O_NONBLOCK | O_CLOEXEC),
                  openat(folder, CLI_RUN_METRICS, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    int result = renameat(folder, CLI_RUN_MODEL_NEW, folder, CLI_RUN_MODEL);
    *counts = result == 0;
    result = result == 0 ? cli_run_settle(folder, lines, again) : -1;
    int reason = errno;
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        if (held[i] >= 0) {
            (void)close(held[i]);
        }
    }
    errno = reason;
    return result;
}

int cli_run_discard(int folder) {
    /* The lines first: without the model beside them they would count. */
    return remove_name(folder, CLI_RUN_METRICS_NEW) == 0 ? remove_name(folder, CLI_RUN_MODEL_NEW) : -1;
}

/* Lines that wait alone: their model has been renamed. Those without content are of a run that never had
 * an epoch. */
static int finish_lines(int folder) {
    int file = openat(folder, CLI_RUN_METRICS_NEW, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) {
        return errno == ENOENT ? 0 : -1;
    }
    size_t bytes = 0;
    char *lines = read_all(file, &bytes);
    int reason = errno;
    (void)close(file);
    errno = reason;
    if (!lines) {
        return -1;
    }
    int result = epoch_of(lines) > 0 ? cli_run_settle(folder, lines, true) : cli_run_discard(folder);
    free(lines);
    return result;
}

/* ".stoa-PID-N.tmp", as the library calls files that it has not yet given their names. */
static bool is_temporary(const char *name) {
    static const char begin[] = ".stoa-";
    const char *number = name + sizeof begin - 1;
    return strncmp(name, begin, sizeof begin - 1) == 0 &&
           strcmp(number + strspn(number, "0123456789-"), ".tmp") == 0;
}

int cli_run_visit(int folder, bool (*visit)(int folder, const char *name, void *user), void *user) {
    /* Opened again: the place in the list belongs to a descriptor and its copies. */
    int file = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = file >= 0 ? fdopendir(file) : NULL;
    if (!list) {
        int reason = errno;
        if (file >= 0) {
            (void)close(file);
        }
        errno = reason;
        return -1;
    }
    const struct dirent *entry;
    bool going_on = true;
    errno = 0;
    while (going_on && (entry = readdir(list)) != NULL) {
        const char *name = entry->d_name;
        going_on = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || visit(folder, name, user);
        errno = 0;
    }
    int reason = errno;
    (void)closedir(list);
    errno = reason;
    return reason != 0 ? -1 : !going_on;
}

/* One that is being written is locked by who writes it. */
static bool remove_if_temporary(int folder, const char *name, void *user) {
    (void)user;
    int file = is_temporary(name) ? openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    if (file >= 0) {
        if (flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
            (void)unlinkat(folder, name, 0);
        }
        (void)close(file);
    }
    return true;
}

static bool is_leftover(int folder, const char *name, void *user) {
    (void)folder;
    (void)user;
    return strcmp(name, CLI_RUN_LOCK) == 0 || strcmp(name, CLI_RUN_MODEL_NEW) == 0 ||
           strcmp(name, CLI_RUN_METRICS_NEW) == 0 || is_temporary(name);
}

bool cli_run_is_vacant(int folder) {
    int found = cli_run_visit(folder, is_leftover, NULL);
    errno = found < 0 ? errno : 0;
    return found == 0;
}

int cli_run_recover(int folder) {
    int waits = look(folder, CLI_RUN_MODEL_NEW);
    int result = waits < 0 ? -1 : waits > 0 ? cli_run_discard(folder) : finish_lines(folder);
    return result == 0 ? cli_run_visit(folder, remove_if_temporary, NULL) : -1;
}

void cli_run_recover_unlocked(const char *path) {
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return;
    }
    if (look(folder, CLI_RUN_MODEL_NEW) != 0 || look(folder, CLI_RUN_METRICS_NEW) != 0) {
        pid_t holder;
        int lock = cli_run_lock_take(folder, &holder);
        if (lock >= 0) {
            (void)cli_run_recover(folder);
        }
        cli_run_lock_release(folder, lock);
    }
    (void)close(folder);
}
