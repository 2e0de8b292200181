/* SPDX-License-Identifier: MIT */
/* Output folders. Public headers only. */
#include "cli/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_checkpoint.h"
#include "cli/run_files.h"
#include "cli/run_lock.h"

/* Make a folder and those above it; notes in `made` the length of the first part that was missing. 0, or -1
 * with errno. */
static int make_folders(const char *path, size_t *made) {
    char *part = cli_text("%s", path);
    int result = 0;
    for (size_t i = 1; result == 0 && i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        part[i] = '\0';
        int reason = mkdir(part, 0777) == 0 ? 0 : errno;
        if (reason == 0) {
            *made = *made ? *made : i;
        } else if (!cli_is_folder(part)) {
            errno = reason == EEXIST ? ENOTDIR : reason;
            result = -1;
        }
        part[i] = path[i];
    }
    free(part);
    return result;
}

/* Remove the folders this run made, deepest first; one that is in use by then stays. Cuts the path, since
 * there may be no memory for another. */
static void remove_folders(char *path, size_t made) {
    for (size_t i = strlen(path); made && i >= made; i--) {
        if (path[i] == '/' || path[i] == '\0') {
            path[i] = '\0';
            (void)rmdir(path); /* never more than an empty folder */
        }
    }
}

/* What keeps a folder from being taken, from errno: a wrong request but for a lack of memory. */
static int refuse(const char *path, const char *what) {
    if (errno == ENOMEM) {
        cli_out_of_memory();
    }
    return cli_fail(CLI_WRONG, "%s: %s: %s", path, what, strerror(errno));
}

static int in_use(const char *path, pid_t holder) {
    return holder > 0
               ? cli_fail(CLI_WRONG, "%s: in use by process %ld, expected a folder of its own for each run",
                          path, (long)holder)
               : cli_fail(CLI_WRONG,
                          "%s: in use by another process, expected a folder of its own for each run", path);
}

/* Whether a run may begin in the open folder. CLI_DONE, or CLI_WRONG with the sentence printed. */
static int check_vacant(const struct cli_run_folder *folder) {
    pid_t holder;
    if (cli_run_is_vacant(folder->descriptor)) {
        return CLI_DONE;
    }
    if (errno != 0) {
        return refuse(folder->path, "cannot read the folder");
    }
    if (folder->lock < 0 && cli_run_lock_held(folder->descriptor, &holder)) {
        return in_use(folder->path, holder);
    }
    size_t checkpoints = 0;
    free(cli_checkpoints_list(folder->descriptor, &checkpoints));
    return checkpoints > 0
               ? cli_fail(CLI_WRONG, "%s: found a run, expected a new folder, --resume %s or --force",
                          folder->path, folder->path)
               : cli_fail(CLI_WRONG, "%s: found a folder that is not empty, expected a new one or --force",
                          folder->path);
}

/* Lock the open folder, and clear it of what a killed run has left. CLI_DONE; CLI_WRONG with the sentence
 * printed; or CLI_FAILED without one when the folder has been removed, or is taken and `quiet`. */
static int lock_folder(struct cli_run_folder *folder, bool force, bool quiet) {
    pid_t holder = 0;
    folder->lock = cli_run_lock_take(folder->descriptor, &holder);
    if (folder->lock < 0 && (errno == ENOENT || (errno == EBUSY && quiet))) {
        return CLI_FAILED;
    }
    if (folder->lock < 0) {
        return errno == EBUSY ? in_use(folder->path, holder)
                              : cli_fail(CLI_WRONG, "%s: cannot write: %s", folder->path, strerror(errno));
    }
    /* A run may have ended here since the folder was looked at. */
    if (!force && quiet && !cli_run_is_vacant(folder->descriptor) && errno == 0) {
        return CLI_FAILED;
    }
    int code = force ? CLI_DONE : check_vacant(folder);
    if (code == CLI_DONE &&
        (cli_run_recover(folder->descriptor) != 0 || cli_checkpoints_recover(folder->descriptor) != 0)) {
        code = refuse(folder->path, "cannot clear it of what a killed run has left");
    }
    return code;
}

static void leave(struct cli_run_folder *folder) {
    cli_run_lock_release(folder->descriptor, folder->lock);
    folder->lock = -1;
    if (folder->descriptor >= 0) {
        (void)close(folder->descriptor);
        folder->descriptor = -1;
    }
}

/* From malloc, without slashes at the end. */
static char *plain_path(const char *given) {
    char *path = cli_text("%s", given);
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        path[--length] = '\0';
    }
    return path;
}

/* Take the folder given with --out. */
static int take_given(const struct cli_request *request, struct cli_run_folder *folder) {
    enum { ATTEMPTS = 100 };
    folder->path = plain_path(request->out);
    if (cli_is_file(folder->path)) {
        return cli_fail(CLI_WRONG, "%s: found a file, expected a folder", request->out);
    }
    int code = CLI_FAILED;
    /* Another run that fails may remove the folder that it made, while it is being taken here. */
    for (int i = 0; i < ATTEMPTS && code == CLI_FAILED; i++) {
        if (!cli_is_folder(folder->path) && make_folders(folder->path, &folder->made) != 0) {
            return cli_fail(CLI_WRONG, "%s: cannot make the folder: %s", request->out, strerror(errno));
        }
        folder->descriptor = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder->descriptor < 0 && errno != ENOENT) {
            return cli_fail(CLI_WRONG, "%s: cannot open the folder: %s", request->out, strerror(errno));
        }
        if (folder->descriptor >= 0) {
            code = request->force ? CLI_DONE : check_vacant(folder);
            code = code == CLI_DONE ? lock_folder(folder, request->force, false) : code;
        }
        if (code == CLI_FAILED) {
            leave(folder);
        }
    }
    return code == CLI_FAILED ? cli_fail(CLI_WRONG, "%s: is removed again and again", request->out) : code;
}

/* Make runs/NAME-1, or the next number that is free: mkdir() and the lock decide, so two runs never share
 * a folder. What a run that was killed in its first epoch has left is free. */
static int take_next(const char *name, struct cli_run_folder *folder) {
    enum { MOST_RUNS = 1000000 };
    static const char runs[] = "runs";
    folder->path = cli_text("%s", runs);
    for (int number = 1; number < MOST_RUNS; number++) {
        if (make_folders(runs, &folder->made) != 0) {
            return cli_fail(CLI_WRONG, "%s: cannot make the folder: %s", runs, strerror(errno));
        }
        char *path = cli_text("%s/%s-%d", runs, name, number);
        free(folder->path);
        folder->path = path;
        bool made = mkdir(folder->path, 0777) == 0;
        if (!made && errno != EEXIST) {
            break;
        }
        folder->made = made && !folder->made ? strlen(folder->path) : folder->made;
        folder->descriptor = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (made && folder->descriptor < 0) {
            break;
        }
        bool killed = !made && folder->descriptor >= 0 && cli_run_is_vacant(folder->descriptor) &&
                      faccessat(folder->descriptor, CLI_RUN_LOCK, F_OK, 0) == 0;
        int code = made || killed ? lock_folder(folder, false, true) : CLI_FAILED;
        if (code != CLI_FAILED) {
            folder->made = folder->made ? folder->made : strlen(folder->path);
            return code;
        }
        leave(folder);
    }
    return cli_fail(CLI_WRONG, "%s: cannot make the folder: %s", folder->path, strerror(errno));
}

/* Name the files, and refuse what cannot be replaced. */
static int name_files(struct cli_run_folder *folder) {
    folder->model = cli_text("%s/" CLI_RUN_MODEL, folder->path);
    folder->model_new = cli_text("%s/" CLI_RUN_MODEL_NEW, folder->path);
    folder->metrics = cli_text("%s/" CLI_RUN_METRICS, folder->path);
    folder->timings = cli_text("%s/" CLI_RUN_TIMING, folder->path);
    const char *const files[] = {folder->model, folder->metrics, folder->timings};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (cli_is_folder(files[i])) {
            return cli_fail(CLI_WRONG, "%s: found a folder, expected a file to replace", files[i]);
        }
    }
    return CLI_DONE;
}

/* An older run's checkpoints stay as long as its model does. */
static int look_for_older(struct cli_run_folder *folder) {
    size_t count = 0;
    uint64_t *steps = cli_checkpoints_list(folder->descriptor, &count);
    folder->older = count > 0;
    free(steps);
    return steps ? CLI_DONE : refuse(folder->path, "cannot read the folder");
}

int cli_run_folder_open(const struct cli_request *request, const char *name, struct cli_run_folder *folder) {
    *folder = (struct cli_run_folder){
        .descriptor = -1, .lock = -1, .keep = request->keep ? request->keep : CLI_CHECKPOINTS_KEPT};
    int code = request->out ? take_given(request, folder) : take_next(name, folder);
    if (code == CLI_DONE) {
        code = name_files(folder);
    }
    if (code == CLI_DONE) {
        code = look_for_older(folder);
    }
    if (code != CLI_DONE) {
        cli_run_folder_close(folder);
    }
    return code;
}

int cli_run_folder_continue(const struct cli_request *request, struct cli_run_folder *folder) {
    *folder = (struct cli_run_folder){
        .descriptor = -1, .lock = -1, .keep = request->keep ? request->keep : CLI_CHECKPOINTS_KEPT};
    folder->path = plain_path(request->resume);
    folder->descriptor = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = folder->descriptor >= 0 ? lock_folder(folder, true, false)
                                       : cli_fail(CLI_WRONG, "--resume: %s: %s, expected the folder of a run",
                                                  request->resume, strerror(errno));
    if (code == CLI_FAILED) {
        code = cli_fail(CLI_WRONG, "--resume: %s: is being removed", request->resume);
    }
    if (code == CLI_DONE) {
        code = name_files(folder);
    }
    if (code != CLI_DONE) {
        cli_run_folder_close(folder);
    }
    return code;
}

void cli_run_folder_close(struct cli_run_folder *folder) {
    leave(folder);
    if (folder->path && !folder->committed) {
        remove_folders(folder->path, folder->made);
    }
    free(folder->path);
    free(folder->model);
    free(folder->model_new);
    free(folder->metrics);
    free(folder->timings);
    free(folder->waiting);
    free(folder->timing);
    *folder = (struct cli_run_folder){.descriptor = -1, .lock = -1};
}
