/* SPDX-License-Identifier: MIT */
/* What a grid leaves in its folder beside its runs, so that it can be continued: a copy of its recipe,
 * which may change meanwhile, and grid.json with the words it was asked with and the runs that are done.
 * Public headers only. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/find.h"
#include "cli/grid.h"
#include "cli/report.h"
#include "cli/whole_file.h"

#define GRID_FILE "grid.json"
enum { VERSION = 1 };

/* ---- what is kept ---- */

static bool is_listed(const char *name, const char *const *list) {
    while (*list && strcmp(*list, name) != 0) {
        list++;
    }
    return *list != NULL;
}

/* Options that say how a command runs, and change nothing in what becomes of it. */
static const char *const passing[] = {"jobs", "threads", "json", "quiet", "minutes", "resume", NULL};
/* Those, and what is said in another way. */
static const char *const not_kept[] = {"jobs",   "threads", "json", "quiet", "minutes",
                                       "resume", "out",     "seed", "force", NULL};

/* The words of a command line that means the same, from any folder. */
static json_t *words_of(const struct cli_grid *grid) {
    json_t *words = cli_json_array();
    for (size_t i = 0; i < grid->request->given_count; i++) {
        const struct cli_given *given = &grid->request->given[i];
        bool is_path = strcmp(given->name, "data") == 0 || strcmp(given->name, "init") == 0 ||
                       strcmp(given->name, "map") == 0;
        char *path = is_path ? realpath(given->value, NULL) : NULL;
        const char *value = path ? path : given->value;
        if (!is_listed(given->name, not_kept)) {
            char *word = value ? cli_text("--%s=%s", given->name, value) : cli_text("--%s", given->name);
            cli_json_append(words, cli_json_text(word));
            free(word);
        }
        free(path);
    }
    char *seed = cli_text("--seed=%llu", (unsigned long long)grid->run[0].seed);
    cli_json_append(words, cli_json_text(seed));
    cli_json_append(words, cli_json_text("--"));
    cli_json_append(words, cli_json_text(grid->recipe + strlen(grid->folder.path) + 1));
    free(seed);
    return words;
}

int cli_grid_save(struct cli_grid *grid) {
    json_t *all = cli_json_object(), *done = cli_json_array();
    cli_json_set(all, "version", cli_json_count(VERSION));
    cli_json_set(all, "arguments", words_of(grid));
    for (size_t i = 0; i < grid->count; i++) {
        if (grid->run[i].state == CLI_GRID_DONE) {
            cli_json_append(done, cli_json_text(grid->run[i].name));
        }
    }
    cli_json_set(all, "done", done);
    char *indented = cli_json_indented(all), *text = cli_text("%s\n", indented);
    char *path = cli_text("%s/" GRID_FILE, grid->folder.path);
    int code = cli_write_whole(path, text, strlen(text));
    free(path);
    free(text);
    free(indented);
    json_decref(all);
    return code;
}

int cli_grid_begin(struct cli_grid *grid, const char *recipe, const char *name) {
    char *text = cli_read_text(recipe);
    grid->recipe = cli_text("%s/%s.ini", grid->folder.path, name);
    int code = text ? cli_write_whole(grid->recipe, text, strlen(text))
                    : cli_fail(CLI_WRONG, "%s: %s", recipe, strerror(errno));
    free(text);
    return code == CLI_DONE ? cli_grid_save(grid) : code;
}

/* ---- reading it again ---- */

bool cli_grid_is_folder(const char *path) {
    char *file = cli_text("%s/" GRID_FILE, path);
    bool found = cli_is_file(file);
    free(file);
    return found;
}

/* Whether all of a list are texts. */
static bool are_texts(const json_t *list) {
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++) {
        if (!json_is_string(json_array_get(list, i))) {
            return false;
        }
    }
    return json_is_array(list);
}

static int refuse_more(const struct cli_request *request) {
    if (request->operand_count > 0) {
        return cli_fail(CLI_WRONG,
                        "--resume: found '%s' too, expected no RECIPE: several runs go on with their own",
                        request->operands[0]);
    }
    for (size_t i = 0; i < request->given_count; i++) {
        if (!is_listed(request->given[i].name, passing)) {
            return cli_fail(CLI_WRONG,
                            "--resume: found --%s too, expected nothing that changes what several runs of %s "
                            "were begun with",
                            request->given[i].name, request->resume);
        }
    }
    return CLI_DONE;
}

static int damaged(const char *path) {
    return cli_fail(CLI_WRONG,
                    "%s/" GRID_FILE
                    ": found a file that no grid of version %d has written, expected the one of "
                    "its runs",
                    path, VERSION);
}

/* The request of the kept words; their texts belong to `kept->words`. */
static int read_words(const struct cli_request *request, struct cli_grid_kept *kept) {
    const json_t *words = json_object_get(kept->file, "arguments");
    size_t count = json_array_size(words);
    bool help = false;
    kept->words = cli_allocate(count + 1, sizeof *kept->words);
    kept->order = cli_allocate(count + 1, sizeof *kept->order);
    for (size_t i = 0; i < count; i++) {
        kept->words[i] = cli_text("%s", json_string_value(json_array_get(words, i)));
        kept->order[i] = kept->words[i];
    }
    int code = cli_arguments_read(&cli_train, (int)count, kept->order, &kept->request, &help);
    if (code != CLI_DONE || help || kept->request.operand_count != 1) {
        return damaged(request->resume);
    }
    kept->recipe = cli_text("%s/%s", request->resume, kept->request.operands[0]);
    kept->operand[0] = kept->recipe;
    kept->request.operands = kept->operand;
    kept->request.threads = request->threads;
    kept->request.jobs = request->jobs;
    kept->request.minutes = request->minutes;
    kept->request.json = request->json;
    kept->request.quiet = request->quiet;
    kept->request.resume = request->resume;
    return CLI_DONE;
}

int cli_grid_read(const struct cli_request *request, struct cli_grid_kept *kept) {
    *kept = (struct cli_grid_kept){.file = NULL};
    int code = refuse_more(request);
    if (code != CLI_DONE) {
        return code;
    }
    char *path = cli_text("%s/" GRID_FILE, request->resume), *text = cli_read_text(path);
    if (!text) {
        code = cli_fail(CLI_WRONG, "%s: %s", path, strerror(errno));
    } else {
        cli_json_begin_reading();
        kept->file = json_loads(text, 0, NULL);
        cli_json_end_reading();
        bool good = json_integer_value(json_object_get(kept->file, "version")) == VERSION &&
                    are_texts(json_object_get(kept->file, "arguments")) &&
                    are_texts(json_object_get(kept->file, "done"));
        code = good ? read_words(request, kept) : damaged(request->resume);
    }
    free(text);
    free(path);
    return code;
}

bool cli_grid_was_done(const struct cli_grid_kept *kept, const char *name) {
    const json_t *done = json_object_get(kept->file, "done");
    size_t count = json_array_size(done);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(json_string_value(json_array_get(done, i)), name) == 0) {
            return true;
        }
    }
    return false;
}

void cli_grid_forget(struct cli_grid_kept *kept) {
    for (size_t i = 0; kept->words && i < json_array_size(json_object_get(kept->file, "arguments")); i++) {
        free(kept->words[i]);
    }
    free(kept->words);
    free(kept->order);
    free(kept->recipe);
    cli_arguments_free(&kept->request);
    json_decref(kept->file);
}
