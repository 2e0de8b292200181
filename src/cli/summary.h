/* SPDX-License-Identifier: MIT */
/* What a training has come to, for the terminal. */
#ifndef STOA_CLI_SUMMARY_H
#define STOA_CLI_SUMMARY_H

#include <jansson.h>
#include <stoa/train.h>

#include "cli/open.h"
#include "report/run.h"

enum { CLI_SUMMARY_SENTENCE = 512 };

/* Read the metrics of a run's folder; false with `sentence` without a whole line. Release with
 * report_run_free(). */
bool cli_summary_read(const char *folder, struct report_run *run, char sentence[CLI_SUMMARY_SENTENCE]);

/* What this process has trained. */
struct cli_summary {
    double start;                      /* on a clock that only runs forward */
    double images, training_seconds;   /* of whole epochs */
    size_t epochs;                     /* whole ones */
    bool keeps_best;                   /* the model in the folder is that of the best epoch */
    json_t *init;                      /* what --init has taken, borrowed; NULL: it was not asked for */
    bool timed_out;                    /* --minutes have ended it */
    const struct cli_subject *subject; /* whose notes are told again; NULL: none */
    size_t first_note;                 /* of those that came while it trained */
    const char *data;                  /* where the data are, borrowed; NULL: not known */
};

void cli_summary_begin(struct cli_summary *summary, bool keeps_best);
/* An epoch is done. */
void cli_summary_epoch(struct cli_summary *summary, const stoa_progress *progress);

/* What the metrics say of the epoch at place `at`, as JSON. */
json_t *cli_summary_figures(const struct report_run *run, size_t at);

/* Print it for the run in `folder` to stdout, as text or as JSON: time, the figures of the last and of the
 * best epoch, files, and what to do next. CLI_DONE, or CLI_FAILED with the sentence printed when the
 * metrics cannot be read again. */
int cli_summary_print(const struct cli_summary *summary, const char *folder, const stoa_progress *last,
                      bool json);

#endif
