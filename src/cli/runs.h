/* SPDX-License-Identifier: MIT */
/* `stoa runs`: what is known of a run, for its table and for the comparison. */
#ifndef STOA_CLI_RUNS_H
#define STOA_CLI_RUNS_H

#include <jansson.h>

#include "report/run.h"

struct cli_run {
    char *path, *name;
    struct report_run metrics; /* without an epoch where none is done */
    json_t *record;            /* run.json, or what the model says of an older run; never NULL */
    const char *state;         /* "runs", "done", "stopped", "patience", "killed" or "?" */
    size_t kept;               /* the place of the epoch whose model the folder holds; SIZE_MAX: none */
};

/* Read a run's folder. CLI_DONE, or another code with the sentence printed; release with cli_run_free()
 * either way. */
int cli_run_read(const char *path, struct cli_run *run);
void cli_run_free(struct cli_run *run);

/* What the metrics say of the epoch that is kept; NAN: nothing. */
double cli_run_figure(const struct cli_run *run, enum report_metric metric);
/* A text of the record, such as "recipe"; NULL: not known. */
const char *cli_run_text(const struct cli_run *run, const char *key);

/* Print in which keys, data and fingerprints the runs differ, and their figures side by side. */
void cli_runs_compare_text(const struct cli_run *runs, size_t count);
/* The same as JSON: an object of arrays with a value for each run. */
json_t *cli_runs_compare_json(const struct cli_run *runs, size_t count);

#endif
