/* SPDX-License-Identifier: MIT */
/* Several trainings of one recipe: which runs there are, and whether they can begin. Public headers only. */
#include "cli/grid.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/data.h"
#include "cli/find.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/setup.h"
#include "cli/signals.h"
#include "cli/summary.h"
#include "cli/words.h"
#include "report/run.h"

enum { MOST_RUNS = 10000, LONGEST_NAME = 100 };

int cli_grid_is_wanted(const struct cli_request *request, bool *wanted) {
    struct cli_settings settings;
    int code = cli_settings_read(request, &settings);
    *wanted = code == CLI_DONE &&
              (request->seeds > 0 || request->jobs > 0 || cli_settings_combinations(&settings) > 1);
    cli_settings_free(&settings);
    return code;
}

/* ---- which runs ---- */

/* "03-lr=1e-3-seed=2": a name that sorts, and that says what it can. */
static char *name_of(const struct cli_grid *grid, size_t number, const struct cli_grid_run *run) {
    char *name = cli_text("%0*zu", snprintf(NULL, 0, "%zu", grid->count), number + 1);
    for (size_t i = 0; i < grid->settings.count; i++) {
        if (grid->settings.list[i].count > 1) {
            char *more = cli_text("%s-%s=%s", name, grid->settings.list[i].key,
                                  cli_settings_value(&grid->settings, run->combination, i));
            free(name);
            name = more;
        }
    }
    char *whole = cli_text("%.*s-seed=%llu", LONGEST_NAME, name, (unsigned long long)run->seed);
    free(name);
    for (char *c = whole; *c; c++) {
        *c = isalnum((unsigned char)*c) || strchr("=.,+-_", *c) ? *c : '_';
    }
    return whole;
}

static void list_runs(struct cli_grid *grid, uint64_t first_seed) {
    grid->run = cli_allocate(grid->count, sizeof *grid->run);
    for (size_t i = 0; i < grid->count; i++) {
        struct cli_grid_run *run = &grid->run[i];
        *run = (struct cli_grid_run){.combination = i / grid->seeds, .seed = first_seed + i % grid->seeds};
        run->name = name_of(grid, i, run);
    }
}

/* ---- whether they can begin ---- */

/* What tells the better of two combinations, as the recipe's monitor does of two epochs. */
static void choose_monitor(struct cli_grid *grid, const char *monitor) {
    static const struct {
        const char *name;
        enum report_metric metric;
        bool by_most;
    } known[] = {{"accuracy", REPORT_VALIDATION_ACCURACY, true},
                 {"rmse", REPORT_VALIDATION_RMSE, false},
                 {"f1", REPORT_VALIDATION_F1, true}};
    grid->monitor = REPORT_VALIDATION_LOSS;
    grid->by_most = false;
    for (size_t i = 0; monitor && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(monitor, known[i].name) == 0) {
            grid->monitor = (int)known[i].metric;
            grid->by_most = known[i].by_most;
        }
    }
}

/* Read the recipe with a combination's settings, open its data and see whether its training would begin.
 * `first` is set up for the runs that follow. */
static int check_combination(struct cli_grid *grid, size_t combination, uint64_t *first_seed) {
    struct cli_request request = *grid->request;
    request.combination = combination;
    struct cli_subject subject = {0};
    struct cli_setup setup = {.name = NULL};
    stoa_dataset *train = NULL, *test = NULL;
    int code = cli_open_context(&request, &subject);
    if (code == CLI_DONE) {
        code = cli_open_recipe(request.operands[0], &request, &subject);
    }
    if (code == CLI_DONE) {
        code = cli_open_data(&subject, request.data, false, &train, &test, NULL);
    }
    if (code == CLI_DONE) {
        code = cli_setup_open(request.init, request.map, &subject, train, test, &setup);
    }
    if (code == CLI_DONE) {
        *first_seed = setup.options.seed;
        grid->threads = stoa_context_threads(subject.context);
        grid->keeps_best = setup.options.keep_best;
        choose_monitor(grid, setup.options.monitor);
    }
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    cli_setup_free(&setup);
    cli_close(&subject);
    return code;
}

/* Every value once, with the first values of the other keys; what only a pair of values makes wrong is
 * told by its run. */
static int check_values(struct cli_grid *grid, uint64_t *first_seed) {
    uint64_t seed;
    size_t stride = 1;
    int code = CLI_DONE;
    for (size_t i = grid->settings.count; code == CLI_DONE && i-- > 0;) {
        size_t count = grid->settings.list[i].count;
        for (size_t k = 1; code == CLI_DONE && k < count; k++) {
            code = check_combination(grid, k * stride, &seed);
        }
        stride *= count;
    }
    return code == CLI_DONE ? check_combination(grid, 0, first_seed) : code;
}

static int plan(struct cli_grid *grid) {
    if (grid->request->resume && !cli_grid_is_folder(grid->request->resume)) {
        return cli_fail(CLI_WRONG,
                        "--resume: %s holds one run, found --seeds, --jobs or --set with several values",
                        grid->request->resume);
    }
    int code = cli_settings_read(grid->request, &grid->settings);
    if (code != CLI_DONE) {
        return code;
    }
    grid->combinations = cli_settings_combinations(&grid->settings);
    grid->seeds = grid->request->seeds ? grid->request->seeds : 1;
    if (grid->combinations > MOST_RUNS / grid->seeds) {
        return cli_fail(
            CLI_WRONG,
            "--set, --seeds: found %zu combinations of values and %zu seeds, expected at most %d runs",
            grid->combinations, grid->seeds, MOST_RUNS);
    }
    if (grid->combinations == 1 && grid->request->seeds == 0) {
        return cli_fail(CLI_WRONG, "--jobs: found %zu, expected it with --seeds or several values of --set",
                        grid->request->jobs);
    }
    uint64_t first_seed = 0;
    grid->count = grid->combinations * grid->seeds;
    code = check_values(grid, &first_seed);
    if (code == CLI_DONE && first_seed > UINT64_MAX - grid->seeds) {
        code = cli_fail(CLI_WRONG, "--seeds: found %zu from seed %llu on, expected seeds up to %llu",
                        grid->seeds, (unsigned long long)first_seed, (unsigned long long)UINT64_MAX);
    }
    if (code == CLI_DONE) {
        list_runs(grid, first_seed);
        grid->jobs = grid->request->jobs ? grid->request->jobs : grid->threads;
        grid->jobs = grid->jobs < grid->count ? grid->jobs : grid->count;
    }
    return code;
}

/* ---- all of it ---- */

static void close_folder(void *folder) {
    cli_run_folder_close(folder);
}

static void announce(const struct cli_grid *grid, const char *name) {
    if (!grid->request->quiet && !grid->request->json) {
        cli_print("%s: %zu combination%s of settings, %zu seed%s: %zu runs into %s, %zu at once\n", name,
                  grid->combinations, grid->combinations == 1 ? "" : "s", grid->seeds,
                  grid->seeds == 1 ? "" : "s", grid->count, grid->folder.path, grid->jobs);
        (void)fflush(stdout);
    }
}

/* What has come of the runs, in a word to scripts and a sentence to people. */
static int conclude(const struct cli_grid *grid, int code) {
    size_t done = 0, failed = 0;
    for (size_t i = 0; i < grid->count; i++) {
        done += grid->run[i].state == CLI_GRID_DONE;
        failed += grid->run[i].state == CLI_GRID_FAILED;
    }
    const char *path = grid->folder.path;
    char *own = cli_own_word(), *run = cli_path_word(path);
    char *again = cli_text("%s train --resume %s", own, run);
    bool stopped = done + failed < grid->count;
    if (code >= CLI_SIGNAL && stopped) {
        code =
            cli_fail(code, "interrupted: %zu of %zu runs are done; %s continues", done, grid->count, again);
    } else if (failed > 0) {
        code = cli_fail(CLI_FAILED, "%zu of %zu runs in %s failed", failed, grid->count, path);
    } else {
        code = CLI_DONE;
        if (stopped && !grid->request->quiet && !grid->request->json) {
            cli_print("stopped after %g minutes: %zu of %zu runs are done\nnext    %s\n",
                      grid->request->minutes, done, grid->count, again);
        }
    }
    free(own);
    free(run);
    free(again);
    return code;
}

static int run_all(struct cli_grid *grid, const char *name) {
    double start = cli_now();
    announce(grid, name);
    int code = cli_grid_run_all(grid);
    cli_progress_clear();
    if (!grid->request->quiet || grid->request->json) {
        cli_grid_print(grid, cli_now() - start);
    }
    return conclude(grid, code);
}

static void name_paths(struct cli_grid *grid) {
    for (size_t i = 0; i < grid->count; i++) {
        grid->run[i].path = cli_text("%s/%s", grid->folder.path, grid->run[i].name);
    }
}

static void free_grid(struct cli_grid *grid) {
    for (size_t i = 0; grid->run && i < grid->count; i++) {
        free(grid->run[i].name);
        free(grid->run[i].path);
    }
    free(grid->run);
    free(grid->recipe);
    cli_settings_free(&grid->settings);
}

static int begin(struct cli_grid *grid) {
    const struct cli_request *request = grid->request;
    char *path = cli_find_recipe(request->operands[0]), *name = path ? cli_recipe_name(path) : NULL;
    int code = path ? cli_run_folder_open(request, name, &grid->folder) : CLI_WRONG;
    if (code == CLI_DONE) {
        name_paths(grid);
        code = cli_grid_begin(grid, path, name);
        grid->folder.committed = code == CLI_DONE; /* it stays, with what its runs leave in it */
    }
    if (code == CLI_DONE) {
        code = run_all(grid, name);
    }
    free(name);
    free(path);
    return code;
}

int cli_grid(const struct cli_request *request) {
    struct cli_grid grid = {.request = request, .folder = {.descriptor = -1, .lock = -1}};
    cli_set_clean_up(close_folder, &grid.folder);
    int code = request->operand_count > 0 || request->resume
                   ? plan(&grid)
                   : cli_fail(CLI_WRONG, "train: RECIPE missing, expected stoa %s", cli_train.usage);
    if (code == CLI_DONE) {
        cli_listen_for_signals();
        code = begin(&grid);
    }
    cli_run_folder_close(&grid.folder);
    cli_set_clean_up(NULL, NULL);
    free_grid(&grid);
    return code;
}

/* A run that was done may have been removed, to be made again. */
static bool is_there(const struct cli_grid_run *run) {
    struct report_run read;
    char sentence[CLI_SUMMARY_SENTENCE];
    bool there = cli_summary_read(run->path, &read, sentence);
    if (there) {
        report_run_free(&read);
    }
    return there;
}

int cli_grid_resume(const struct cli_request *request) {
    struct cli_grid_kept kept;
    struct cli_grid grid = {.request = &kept.request, .folder = {.descriptor = -1, .lock = -1}};
    cli_set_clean_up(close_folder, &grid.folder);
    int code = cli_grid_read(request, &kept);
    if (code == CLI_DONE) {
        code = cli_run_folder_continue(request, &grid.folder);
    }
    if (code == CLI_DONE) {
        code = plan(&grid);
    }
    if (code == CLI_DONE) {
        char *name = cli_recipe_name(kept.recipe);
        cli_listen_for_signals();
        grid.folder.committed = true;
        grid.recipe = cli_text("%s", kept.recipe);
        name_paths(&grid);
        for (size_t i = 0; i < grid.count; i++) {
            bool done = cli_grid_was_done(&kept, grid.run[i].name) && is_there(&grid.run[i]);
            grid.run[i].state = done ? CLI_GRID_DONE : CLI_GRID_WAITS;
        }
        code = run_all(&grid, name);
        free(name);
    }
    cli_run_folder_close(&grid.folder);
    cli_set_clean_up(NULL, NULL);
    free_grid(&grid);
    cli_grid_forget(&kept);
    return code;
}
