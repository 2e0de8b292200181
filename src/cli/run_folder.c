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

/* Remove the folders this run made, deepest first; one that is in use by then stays. Cuts the path, since there may be
 * no memory for another. */
static void remove_folders(char *path, size_t made) {
    for (size_t i = strlen(path); made && i >= made; i--) {
        if (path[i] == '/' || path[i] == '\0') {
            path[i] = '\0';
            (void)rmdir(path); /* never more than an empty folder */
        }
    }
}

static bool is_empty(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) {
        return true; /* writing into it will tell */
    }
    const struct dirent *entry;
    bool empty = true;
    while (empty && (entry = readdir(folder)) != NULL) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    (void)closedir(folder);
    return empty;
}

/* Take the folder given with --out. */
static int take_given(const struct cli_request *request, struct cli_run_folder *folder) {
    folder->path = cli_text("%s", request->out);
    size_t length = strlen(folder->path);
    while (length > 1 && folder->path[length - 1] == '/') {
        folder->path[--length] = '\0';
    }
    if (cli_is_file(folder->path)) {
        return cli_fail(CLI_WRONG, "%s: found a file, expected a folder", request->out);
    }
    if (cli_is_folder(folder->path)) {
        if (!is_empty(folder->path) && !request->force) {
            return cli_fail(CLI_WRONG, "%s: found a folder that is not empty, expected a new one or --force",
                            request->out);
        }
        return CLI_DONE;
    }
    if (make_folders(folder->path, &folder->made) != 0) {
        return cli_fail(CLI_WRONG, "%s: cannot make the folder: %s", request->out, strerror(errno));
    }
    return CLI_DONE;
}

/* Make runs/NAME-1, or the next number that is free: mkdir() decides, so two runs never share a folder. */
static int take_next(const char *name, struct cli_run_folder *folder) {
    enum { MOST_RUNS = 1000000 };
    static const char runs[] = "runs";
    if (make_folders(runs, &folder->made) != 0) {
        folder->path = cli_text("%s", runs);
        return cli_fail(CLI_WRONG, "%s: cannot make the folder: %s", runs, strerror(errno));
    }
    for (int number = 1; number < MOST_RUNS; number++) {
        free(folder->path);
        folder->path = cli_text("%s/%s-%d", runs, name, number);
        if (mkdir(folder->path, 0777) == 0) {
            folder->made = folder->made ? folder->made : strlen(folder->path);
            return CLI_DONE;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return cli_fail(CLI_WRONG, "%s: cannot make the folder: %s", folder->path, strerror(errno));
}

/* Name the files and open the metrics: from here on the folder is known to be writable. */
static int open_files(struct cli_run_folder *folder) {
    folder->model = cli_text("%s/model.safetensors", folder->path);
    folder->metrics = cli_text("%s/metrics.jsonl", folder->path);
    folder->metrics_new = cli_text("%s/metrics.jsonl.new", folder->path);
    folder->interrupted = cli_text("%s/interrupted.safetensors", folder->path);
    const char *const files[] = {folder->model, folder->metrics, folder->interrupted};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (cli_is_folder(files[i])) {
            return cli_fail(CLI_WRONG, "%s: found a folder, expected a file to replace", files[i]);
        }
    }
    folder->metrics_file =
        open(folder->metrics_new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (folder->metrics_file < 0) {
        return cli_fail(CLI_WRONG, "%s: cannot write: %s", folder->metrics_new, strerror(errno));
    }
    return CLI_DONE;
}

int cli_run_folder_open(const struct cli_request *request, const char *name, struct cli_run_folder *folder) {
    *folder = (struct cli_run_folder){.metrics_file = -1};
    int code = request->out ? take_given(request, folder) : take_next(name, folder);
    if (code == CLI_DONE) {
        code = open_files(folder);
    }
    if (code != CLI_DONE) {
        cli_run_folder_close(folder);
    }
    return code;
}

static char *metrics_line(const stoa_progress *progress) {
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
    cli_json_set(line, "seconds", cli_json_number(progress->seconds));
    cli_json_set(line, "images_per_second", cli_json_number(progress->images_per_second));
    cli_json_set(line, "threads", cli_json_count(progress->threads));
    cli_json_set(line, "lr", cli_json_float(progress->learning_rate));
    char *compact = cli_json_line(line);
    char *text = cli_text("%s\n", compact);
    free(compact);
    json_decref(line);
    return text;
}

/* Append all of the text and sync it; a part of a line is taken back. 0, or -1 with errno. */
static int append(int file, const char *text) {
    off_t before = lseek(file, 0, SEEK_CUR);
    size_t length = strlen(text), written = 0;
    while (written < length) {
        ssize_t bytes = write(file, text + written, length - written);
        if (bytes < 0 && errno == EINTR) {
            continue;
        }
        if (bytes <= 0) {
            int reason = bytes < 0 ? errno : ENOSPC;
            if (ftruncate(file, before) == 0) {
                (void)lseek(file, before, SEEK_SET);
            }
            errno = reason;
            return -1;
        }
        written += (size_t)bytes;
    }
    return fsync(file);
}

/* The first epoch is complete: the metrics take their name, what an older run left goes. */
static int commit(struct cli_run_folder *folder) {
    if (rename(folder->metrics_new, folder->metrics) != 0) {
        return -1;
    }
    folder->committed = true;
    (void)unlink(folder->interrupted);
    int directory = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        (void)fsync(directory); /* some file systems cannot; the files themselves are safe */
        (void)close(directory);
    }
    return 0;
}

int cli_run_folder_epoch(struct cli_run_folder *folder, stoa_context *context, stoa_model *model,
                         const stoa_progress *progress, bool keep_older) {
    stoa_status status = keep_older ? STOA_OK : stoa_model_save(model, folder->model);
    if (status != STOA_OK) {
        (void)cli_fail_library(context, status);
        return CLI_FAILED;
    }
    char *line = metrics_line(progress);
    int result = append(folder->metrics_file, line);
    free(line);
    if (result == 0 && !folder->committed) {
        result = commit(folder);
    }
    return result == 0 ? CLI_DONE
                       : cli_fail(CLI_FAILED, "%s: cannot write: %s", folder->metrics, strerror(errno));
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
    if (folder->metrics_file >= 0) {
        (void)close(folder->metrics_file);
        if (!folder->committed) {
            (void)unlink(folder->metrics_new);
        }
    }
    if (folder->path && !folder->committed) {
        remove_folders(folder->path, folder->made);
    }
    free(folder->path);
    free(folder->model);
    free(folder->metrics);
    free(folder->metrics_new);
    free(folder->interrupted);
    *folder = (struct cli_run_folder){.metrics_file = -1};
}
