/* SPDX-License-Identifier: MIT */
/* Contexts, models and data from the command line's words. Public headers only. */
#include "cli/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/environment.h"
#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_files.h"
#include "cli/settings.h"

/* The library's advice, a line each, beside the errors; a run keeps it. */
static void note(void *user, const char *line) {
    struct cli_subject *subject = user;
    char **notes = cli_allocate(subject->note_count + 1, sizeof *notes);
    for (size_t i = 0; i < subject->note_count; i++) {
        notes[i] = subject->notes[i];
    }
    const char *at = subject->named ? strstr(line, subject->named) : NULL;
    notes[subject->note_count++] =
        at ? cli_text("%.*s-%s", (int)(at - line), line, at + strlen(subject->named)) : cli_text("%s", line);
    free(subject->notes);
    subject->notes = notes;
    if (!subject->quiet) {
        (void)cli_fail(CLI_DONE, "note: %s", subject->notes[subject->note_count - 1]);
    }
}

int cli_open_context(const struct cli_request *request, struct cli_subject *subject) {
    stoa_context_options options = {0};
    int code = cli_environment_read(&options);
    if (code != CLI_DONE) {
        return code;
    }
    if (request->threads) {
        options.threads = request->threads;
    }
    subject->quiet = request->quiet;
    options.log = note;
    options.log_user = subject;
    stoa_status status = stoa_context_create(&options, &subject->context);
    return status == STOA_OK ? cli_environment_set(subject->context)
                             : cli_fail(cli_code_of(status), "context: %s", stoa_status_text(status));
}

int cli_open_recipe(const char *name, const struct cli_request *settings, struct cli_subject *subject) {
    subject->path = cli_find_recipe(name);
    if (!subject->path) {
        return CLI_WRONG;
    }
    stoa_status status = stoa_recipe_load(subject->context, subject->path, &subject->recipe);
    int code = status == STOA_OK && settings ? cli_settings_apply(settings, subject->context, subject->recipe)
                                             : CLI_DONE;
    if (code != CLI_DONE) {
        return code;
    }
    if (status == STOA_OK) {
        status = stoa_recipe_model(subject->context, subject->recipe, &subject->model);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

char *cli_model_path(const char *name) {
    cli_run_recover_unlocked(name);
    char *path = cli_is_folder(name) ? cli_text("%s/model.safetensors", name) : cli_text("%s", name);
    if (cli_is_folder(name) && !cli_is_file(path)) {
        free(path);
        (void)cli_fail(CLI_WRONG,
                       "%s: found a folder without model.safetensors, expected a model or a run's folder",
                       name);
        return NULL;
    }
    return path;
}

int cli_open_model(const char *name, const char *recipe, struct cli_subject *subject) {
    char *path = cli_model_path(name);
    if (!path) {
        return CLI_WRONG;
    }
    stoa_status status;
    if (recipe) {
        int code = cli_open_recipe(recipe, NULL, subject);
        if (code != CLI_DONE) {
            free(path);
            return code;
        }
        status = stoa_model_load_tensors(subject->model, path);
    } else {
        status = stoa_model_load(subject->context, path, &subject->model);
    }
    free(subject->path);
    subject->path = path;
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

bool cli_means_model(const char *name) {
    if (cli_is_folder(name) && strchr(name, '/')) {
        return true;
    }
    size_t length = strlen(name);
    static const char end[] = ".safetensors";
    if (length >= sizeof end && strcmp(name + length - (sizeof end - 1), end) == 0) {
        return true;
    }
    char *inside = cli_text("%s/model.safetensors", name);
    bool run = cli_is_file(inside);
    free(inside);
    if (run || !cli_is_regular(name)) {
        return run;
    }
    /* Any other file name: safetensors begins with eight bytes of length and the brace of its header. */
    char head[9] = "";
    FILE *file = fopen(name, "rbe");
    size_t bytes = file ? fread(head, 1, sizeof head, file) : 0;
    if (file) {
        (void)fclose(file);
    }
    return bytes == sizeof head && head[8] == '{';
}

void cli_close(struct cli_subject *subject) {
    stoa_model_free(subject->model);
    if (subject->recipe) {
        stoa_recipe_free(subject->recipe);
    }
    stoa_context_free(subject->context);
    for (size_t i = 0; i < subject->note_count; i++) {
        free(subject->notes[i]);
    }
    free(subject->notes);
    free(subject->path);
    *subject = (struct cli_subject){0};
}
