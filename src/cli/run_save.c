/* SPDX-License-Identifier: MIT */
/* What a run saves into its folder: epochs and checkpoints. See run_folder.h. Public headers only. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/figures.h"
#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_checkpoint.h"
#include "cli/run_files.h"
#include "cli/run_folder.h"
#include "cli/targets.h"

/* What follows from recipe, data and seed alone. */
static json_t *metrics_line(const stoa_progress *progress) {
    json_t *line = cli_json_object();
    cli_json_set(line, "epoch", cli_json_count(progress->epoch));
    cli_json_set(line, "train_loss", cli_json_number(progress->train_loss));
    bool shares = !cli_is_regression(progress);
    if (shares) {
        cli_json_set(line, "train_accuracy", cli_json_number(progress->train_accuracy));
    }
    if (isfinite(progress->validation_loss)) {
        cli_json_set(line, "validation_loss", cli_json_number(progress->validation_loss));
        if (shares) {
            cli_json_set(line, "validation_accuracy", cli_json_number(progress->validation_accuracy));
        }
        cli_figures_add(line, "validation", &progress->validation);
        cli_json_set(line, "best", json_boolean(progress->best));
    }
    cli_json_set(line, "test_loss", cli_json_number(progress->test_loss));
    if (shares) {
        cli_json_set(line, "test_accuracy", cli_json_number(progress->test_accuracy));
    }
    cli_figures_add(line, "test", &progress->test);
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
    cli_json_set(line, "time", cli_json_count((size_t)time(NULL)));
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

static int library_says(const stoa_context *context, stoa_status status, char sentence[CLI_RUN_SENTENCE]) {
    const char *reason = stoa_context_error(context);
    (void)snprintf(sentence, CLI_RUN_SENTENCE, "%s", reason[0] ? reason : stoa_status_text(status));
    return CLI_FAILED;
}

static int cannot_write(const char *path, char sentence[CLI_RUN_SENTENCE]) {
    (void)snprintf(sentence, CLI_RUN_SENTENCE, "%s: cannot write: %s", path, strerror(errno));
    return CLI_FAILED;
}

/* Lines whose model is in the folder but which could not be appended then. They come first: until they
 * are in their place a killed run is known by them. */
static int settle_owed(struct cli_run_folder *folder, char sentence[CLI_RUN_SENTENCE]) {
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
                  char sentence[CLI_RUN_SENTENCE]) {
    stoa_status status = stoa_model_save(model, folder->model_new);
    if (status != STOA_OK) {
        return library_says(context, status, sentence);
    }
    bool counts = false;
    int result = cli_run_write_lines(folder->descriptor, folder->waiting);
    if (result == 0 && folder->older) {
        result = cli_checkpoints_remove(folder->descriptor); /* of another training than the new model */
    }
    result = result == 0 ? cli_run_commit(folder->descriptor, folder->waiting, folder->again, &counts) : -1;
    if (result != 0) {
        (void)cannot_write(counts ? folder->metrics : folder->model, sentence);
    }
    if (!counts) {
        (void)cli_run_discard(folder->descriptor);
        return CLI_FAILED;
    }
    folder->committed = true;
    folder->older = folder->stale = folder->rewrite = false;
    folder->model_due = false;
    folder->saved = epoch;
    folder->settled = result == 0 ? 0 : strlen(folder->waiting);
    return result == 0 ? CLI_DONE : CLI_FAILED;
}

/* Lines whose model is in the folder. */
static int write_lines(struct cli_run_folder *folder, char sentence[CLI_RUN_SENTENCE]) {
    int result = folder->rewrite ? cli_run_replace(folder->descriptor, folder->waiting)
                                 : cli_run_append(folder->descriptor, folder->waiting, folder->again);
    if (result != 0) {
        folder->again = true;
        return cannot_write(folder->metrics, sentence);
    }
    folder->rewrite = false;
    return CLI_DONE;
}

/* Save what waits up to `epoch`. Where a model is due, `model` is it, or NULL when it is not at hand. */
static int save(struct cli_run_folder *folder, stoa_context *context, stoa_model *model, size_t epoch,
                char sentence[CLI_RUN_SENTENCE]) {
    int code = settle_owed(folder, sentence);
    if (code == CLI_DONE && folder->model_due) {
        code = model ? commit(folder, context, model, epoch, sentence) : CLI_FAILED;
    } else if (code == CLI_DONE && folder->waiting[0]) {
        code = write_lines(folder, sentence);
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
    char sentence[CLI_RUN_SENTENCE] = "";
    /* Metrics never come without a model: the first is due whatever its validation says. */
    folder->model_due = folder->model_due || !keep_older || !folder->committed;
    /* Nothing tries again behind the last epoch but cli_run_folder_finish(), which tells what has failed;
     * what waits for a better model has been told. */
    int code = CLI_FAILED;
    for (int tries = progress->last ? 2 : 1; code != CLI_DONE && tries > 0; tries--) {
        code = save(folder, context, keep_older ? NULL : model, progress->epoch, sentence);
    }
    if (code != CLI_DONE && sentence[0] && !progress->last) {
        (void)cli_fail(CLI_DONE, "%s; epoch %zu is not saved, the next one tries again", sentence,
                       progress->epoch);
    }
}

/* A save that fails is a run that failed, whatever the status says of a request. */
static int library_failed(const stoa_context *context, stoa_status status) {
    (void)cli_fail_library(context, status);
    return CLI_FAILED;
}

int cli_run_folder_finish(struct cli_run_folder *folder, stoa_context *context, stoa_model *model,
                          size_t epoch) {
    char sentence[CLI_RUN_SENTENCE] = "";
    if (folder->stale && !folder->waiting) {
        stoa_status status = stoa_model_save(model, folder->model);
        return status == STOA_OK ? CLI_DONE : library_failed(context, status);
    }
    folder->model_due = folder->model_due || folder->stale;
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

int cli_run_folder_checkpoint(struct cli_run_folder *folder, stoa_context *context, stoa_trainer *trainer,
                              char sentence[CLI_RUN_SENTENCE]) {
    stoa_trainer_info info;
    stoa_trainer_describe(trainer, &info);
    sentence[0] = '\0';
    if (folder->saved != info.epochs) {
        return CLI_FAILED; /* the epochs before it come first */
    }
    uint64_t step;
    stoa_status status =
        cli_checkpoint_save(folder->descriptor, folder->path, trainer, folder->keep, &folder->older, &step);
    if (status != STOA_OK) {
        return library_says(context, status, sentence);
    }
    folder->checkpoint = true;
    return CLI_DONE;
}

int cli_run_folder_go_on(struct cli_run_folder *folder, size_t epochs, char sentence[CLI_RUN_SENTENCE]) {
    bool more = false;
    char *lines = cli_run_read_lines(folder->descriptor, epochs, &more);
    if (!lines && errno == ENOMEM) {
        cli_out_of_memory();
    }
    if (!lines) {
        (void)snprintf(sentence, CLI_RUN_SENTENCE, "%s: %s", folder->metrics,
                       errno == ENODATA ? "lines of earlier epochs are missing" : strerror(errno));
        return CLI_FAILED;
    }
    folder->checkpoint = true;
    folder->saved = epochs;
    folder->committed = epochs > 0 && cli_is_file(folder->model);
    folder->stale = folder->rewrite = epochs > 0 && (more || !folder->committed);
    free(folder->waiting);
    folder->waiting = NULL;
    if (folder->rewrite) {
        folder->waiting = lines;
    } else {
        free(lines);
    }
    return CLI_DONE;
}
