/* SPDX-License-Identifier: MIT */
/* Output folders. Floor 9: public headers only. */
#include "cli/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/find.h"
#include "cli/report.h"
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
    return cli_fail(CLI_WRONG, "%s: found a folder that is not empty, expected a new one or --force",
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
    if (code == CLI_DONE && cli_run_recover(folder->descriptor) != 0) {
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

/* Take the folder given with --out. */
static int take_given(const struct cli_request *request, struct cli_run_folder *folder) {
    enum { ATTEMPTS = 100 };
    folder->path = cli_text("%s", request->out);
    size_t length = strlen(folder->path);
    while (length > 1 && folder->path[length - 1] == '/') {
        folder->path[--length] = '\0';
    }
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
    folder->interrupted = cli_text("%s/" CLI_RUN_INTERRUPTED, folder->path);
    const char *const files[] = {folder->model, folder->metrics, folder->timings, folder->interrupted};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (cli_is_folder(files[i])) {
            return cli_fail(CLI_WRONG, "%s: found a folder, expected a file to replace", files[i]);
        }
    }
    return CLI_DONE;
}

int cli_run_folder_open(const struct cli_request *request, const char *name, struct cli_run_folder *folder) {
    *folder = (struct cli_run_folder){.descriptor = -1, .lock = -1};
    int code = request->out ? take_given(request, folder) : take_next(name, folder);
    if (code == CLI_DONE) {
        code = name_files(folder);
    }
    if (code != CLI_DONE) {
        cli_run_folder_close(folder);
    }
    return code;
}

/* What follows from recipe, data and seed alone. */
static json_t *metrics_line(const stoa_progress *progress) {
    json_t *line = cli_json_object();
    cli_json_set(line, "epoch", cli_json_count(progress->epoch));
    cli_json_set(line, "train_loss", cli_json_number(progress->train_loss));
    cli_json_set(line, "train_accuracy", cli_json_number(progress->train_accuracy));
    if (isfinite(progress->validation_loss)) {
        cli_json_set(line, "validation_loss", cli_json_number(progress->validation_loss));
        cli_json_set(line, "validation_accuracy", cli_json_number(progress->validation_accuracy));
        cli_json_set(line, "best", json_boolean(progress->best));
    }
    cli_json_set(line, "test_loss", cli_json_number(progress->test_loss));
    cli_json_set(line, "test_accuracy", cli_json_number(progress->test_accuracy));
    cli_json_set(line, "lr", cli_json_float(progress->learning_rate));
    return line;
}

/* What differs from run to run of the same training. */
static json_t *timing_line(const stoa_progress *progress) {
    json_t *line = cli_json_object();
    cli_json_set(line, "epoch", cli_json_count(progress->epoch));
    cli_json_set(line, "seconds", cli_json_number(progress->seconds));
    cli_json_set(line, "images_per_second", cli_json_number(progress->images_per_second));
    cli_json_set(line, "threads", cli_json_count(progress->threads));
    return line;
}

/* Add a line, which is released, to those that wait. */
static void wait_with(char **waiting, json_t *line) {
    char *text = cli_json_line(line);
    char *all = cli_text("%s%s\n", *waiting ? *waiting : "", text);
    json_decref(line);
    free(text);
    free(*waiting);
    *waiting = all;
}

enum { SENTENCE = 1024 };

static int cannot_write(const char *path, char sentence[SENTENCE]) {
    (void)snprintf(sentence, SENTENCE, "%s: cannot write: %s", path, strerror(errno));
    return CLI_FAILED;
}

/* Lines whose model is in the folder but which could not be appended then. They come first: until they
 * are in their place a killed run is known by them. */
static int settle_owed(struct cli_run_folder *folder, char sentence[SENTENCE]) {
    if (folder->settled == 0) {
        return CLI_DONE;
    }
    char *owed = strndup(folder->waiting, folder->settled);
    int result = owed ? cli_run_settle(folder->descriptor, owed, true) : -1;
    free(owed);
    if (result != 0) {
        return cannot_write(folder->metrics, sentence);
    }
    memmove(folder->waiting, folder->waiting + folder->settled,
            strlen(folder->waiting + folder->settled) + 1);
    folder->settled = 0;
    return CLI_DONE;
}

/* Save the model and the lines that wait for it, as one. */
static int commit(struct cli_run_folder *folder, stoa_context *context, stoa_model *model, size_t epoch,
                  char sentence[SENTENCE]) {
    stoa_status status = stoa_model_save(model, folder->model_new);
    if (status != STOA_OK) {
        const char *reason = stoa_context_error(context);
        (void)snprintf(sentence, SENTENCE, "%s", reason[0] ? reason : stoa_status_text(status));
        return CLI_FAILED;
    }
    bool counts = false;
    int result = cli_run_write_lines(folder->descriptor, folder->waiting);
    result = result == 0 ? cli_run_commit(folder->descriptor, folder->waiting, folder->again, &counts) : -1;
    if (result != 0) {
        (void)cannot_write(counts ? folder->metrics : folder->model, sentence);
    }
    if (!counts) {
        (void)cli_run_discard(folder->descriptor);
        return CLI_FAILED;
    }
    folder->committed = true;
    folder->model_due = false;
    folder->saved = epoch;
    folder->settled = result == 0 ? 0 : strlen(folder->waiting);
    return result == 0 ? CLI_DONE : CLI_FAILED;
}

/* Save what waits up to `epoch`. Where a model is due, `model` is it, or NULL when it is not at hand. */
static int save(struct cli_run_folder *folder, stoa_context *context, stoa_model *model, size_t epoch,
                char sentence[SENTENCE]) {
    int code = settle_owed(folder, sentence);
    if (code == CLI_DONE && folder->model_due) {
        code = model ? commit(folder, context, model, epoch, sentence) : CLI_FAILED;
    } else if (code == CLI_DONE && folder->waiting[0] &&
               cli_run_append(folder->descriptor, folder->waiting, folder->again) != 0) {
        folder->again = true;
        code = cannot_write(folder->metrics, sentence);
    }
    if (code == CLI_DONE) {
        free(folder->waiting);
        folder->waiting = NULL;
        folder->again = false;
        folder->saved = epoch;
        if (folder->timing && cli_run_append_timing(folder->descriptor, folder->timing) == 0) {
            free(folder->timing);
            folder->timing = NULL;
        }
    }
    return code;
}

void cli_run_folder_epoch(struct cli_run_folder *folder, stoa_context *context, stoa_model *model,
                          const stoa_progress *progress, bool keep_older) {
    wait_with(&folder->waiting, metrics_line(progress));
    wait_with(&folder->timing, timing_line(progress));
    char sentence[SENTENCE] = "";
    /* Metrics never come without a model: the first is due whatever its validation says. */
    folder->model_due = folder->model_due || !keep_older || !folder->committed;
    /* What fails after the last epoch is told by cli_run_folder_finish(), and what waits for a better
     * model has been told. */
    if (save(folder, context, keep_older ? NULL : model, progress->epoch, sentence) != CLI_DONE &&
        sentence[0] && !progress->last) {
        (void)cli_fail(CLI_FAILED, "%s; epoch %zu is not saved, the next one tries again", sentence,
                       progress->epoch);
    }
}

int cli_run_folder_finish(struct cli_run_folder *folder, stoa_context *context, stoa_model *model,
                          size_t epoch) {
    char sentence[SENTENCE] = "";
    if (!folder->waiting || save(folder, context, model, epoch, sentence) == CLI_DONE) {
        return CLI_DONE;
    }
    if (folder->settled > 0) {
        return cli_fail(CLI_FAILED, "%s; %s holds the model, " CLI_RUN_METRICS_NEW " its last metrics",
                        sentence, folder->path);
    }
    return folder->saved > 0 ? cli_fail(CLI_FAILED, "%s; %s holds epoch %zu, the later ones are lost",
                                        sentence, folder->path, folder->saved)
                             : cli_fail(CLI_FAILED, "%s; no epoch is saved", sentence);
}

int cli_run_folder_interrupted(struct cli_run_folder *folder, stoa_context *context, stoa_model *model) {
    stoa_status status = stoa_model_save(model, folder->interrupted);
    if (status != STOA_OK) {
        (void)cli_fail_library(context, status);
        return CLI_FAILED;
    }
    return CLI_DONE;
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
    free(folder->interrupted);
    free(folder->waiting);
    free(folder->timing);
    *folder = (struct cli_run_folder){.descriptor = -1, .lock = -1};
}
