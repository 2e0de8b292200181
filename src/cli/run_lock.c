/* SPDX-License-Identifier: MIT */
/* The lock of a run's folder: see run_lock.h. Public headers only. */
#include "cli/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

static bool is_other(int file, pid_t *holder) {
    struct flock found = whole;
    if (fcntl(file, F_GETLK, &found) != 0 || found.l_type == F_UNLCK) {
        return false;
    }
    /* A process of another container or machine has no number here. */
    *holder = found.l_pid > 0 ? found.l_pid : 0;
    return true;
}

/* A run that ends removes the file: what was locked may be a file without a name by then. 1: it has its
 * name; 0: it has not; -1 with errno when that cannot be told. */
static int has_its_name(int folder, int file) {
    struct stat ours, named;
    if (fstat(file, &ours) != 0) {
        return -1;
    }
    if (fstatat(folder, CLI_RUN_LOCK, &named, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? 0 : -1;
    }
    return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

int cli_run_lock_take(int folder, pid_t *holder) {
    enum { ATTEMPTS = 100 };
    for (int i = 0; i < ATTEMPTS; i++) {
        int file = openat(folder, CLI_RUN_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (file < 0) {
            return -1;
        }
        int result = fcntl(file, F_SETLK, &whole);
        bool busy = result != 0 && (errno == EACCES || errno == EAGAIN);
        int named = busy ? 0 : has_its_name(folder, file);
        if (named > 0) {
            return file;
        }
        if (named < 0) {
            int reason = errno;
            cli_run_lock_release(folder, file);
            errno = reason;
            return -1;
        }
        bool other = busy && is_other(file, holder);
        (void)close(file);
        if (other) {
            errno = EBUSY;
            return -1;
        }
    }
    *holder = 0;
    errno = EBUSY;
    return -1;
}

bool cli_run_lock_held(int folder, pid_t *holder) {
    int file = openat(folder, CLI_RUN_LOCK, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    bool held = is_other(file, holder);
    (void)close(file);
    return held;
}

void cli_run_lock_release(int folder, int lock) {
    if (lock >= 0) {
        /* While it is still ours: nobody else's file can have the name. */
        if (unlinkat(folder, CLI_RUN_LOCK, 0) != 0) {
            (void)unlinkat(folder, CLI_RUN_LOCK, 0); /* a disk that fails may do so once */
        }
        (void)close(lock);
    }
}
