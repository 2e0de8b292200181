/* SPDX-License-Identifier: MIT */
/* Several trainings of one recipe: settings times seeds, side by side, each a process with a folder of its
 * own below one folder: what the files of the grid share. */
#ifndef STOA_CLI_GRID_H
#define STOA_CLI_GRID_H

#include <jansson.h>
#include <sys/types.h>

#include "cli/run_folder.h"
#include "cli/settings.h"
#include "report/run.h"

enum cli_grid_state { CLI_GRID_WAITS, CLI_GRID_RUNS, CLI_GRID_DONE, CLI_GRID_FAILED, CLI_GRID_STOPPED };

struct cli_grid_run {
    char *name; /* of its folder below that of the grid */
    char *path; /* of its folder */
    size_t combination;
    uint64_t seed;
    enum cli_grid_state state;
};

struct cli_grid {
    const struct cli_request *request;
    struct cli_settings settings;
    size_t combinations, seeds;
    struct cli_grid_run *run; /* the seeds of a combination side by side */
    size_t count, jobs, threads;
    bool keeps_best;              /* of the recipe: keep_best */
    int monitor;                  /* enum report_metric of what tells the better of two, by its monitor */
    bool by_most;                 /* the higher is the better */
    char *recipe;                 /* path of the copy that the runs are made of */
    struct cli_run_folder folder; /* of the grid */
};

/* What grid.json of a folder says; borrows the request that it was read for. */
struct cli_grid_kept {
    struct cli_request request; /* that the runs were begun with */
    json_t *file;
    char **words, **order; /* of its command line; as the parser sorts them */
    char *recipe, *operand[2];
};

/* Whether the request asks for more than one run, in *wanted. CLI_DONE, or CLI_WRONG with the sentence
 * printed. */
int cli_grid_is_wanted(const struct cli_request *request, bool *wanted);

/* Make all runs and print their table. Exit codes as of a run; 1 where one of them failed. */
int cli_grid(const struct cli_request *request);

/* Whether the folder is that of a grid. */
bool cli_grid_is_folder(const char *path);

/* Continue the grid in the folder given with --resume. Exit codes as of cli_grid(). */
int cli_grid_resume(const struct cli_request *request);

/* Copy the recipe into the open folder of the grid and save what the grid is. CLI_DONE, or another code
 * with the sentence printed. */
int cli_grid_begin(struct cli_grid *grid, const char *recipe, const char *name);
/* Save which runs are done. CLI_DONE, or CLI_FAILED with the sentence printed. */
int cli_grid_save(struct cli_grid *grid);

/* Read what was saved in the folder given with --resume. CLI_DONE, or CLI_WRONG with the sentence printed;
 * release with cli_grid_forget() either way. */
int cli_grid_read(const struct cli_request *request, struct cli_grid_kept *kept);
bool cli_grid_was_done(const struct cli_grid_kept *kept, const char *name);
void cli_grid_forget(struct cli_grid_kept *kept);

/* Make those runs that are not done, with the children's own words on stderr. CLI_DONE, CLI_FAILED, or
 * CLI_SIGNAL with the number of the signal, when all have ended. */
int cli_grid_run_all(struct cli_grid *grid);

/* What the model of a run that is done has reached; false where that is not known. */
bool cli_grid_figures(const struct cli_grid *grid, const struct cli_grid_run *run,
                      double figures[REPORT_METRICS]);

/* The table of what the runs have reached, as text or as JSON. */
void cli_grid_print(const struct cli_grid *grid, double seconds);

#endif
