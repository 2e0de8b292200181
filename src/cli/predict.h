/* SPDX-License-Identifier: MIT */
/* `stoa predict`: where samples come from, and how the answers are written. */
#ifndef STOA_CLI_PREDICT_H
#define STOA_CLI_PREDICT_H

#include "cli/open.h"
#include "report/out.h"

/* ---- predict_open.c: what the operands name ---- */

/* A file, a set or the standard input. */
struct cli_source {
    char *name;
    stoa_dataset *data;
    size_t samples;
    bool many; /* it may hold any number of samples, which are counted from 1 */
};
struct cli_sources {
    struct cli_source *source;
    size_t count, room, samples; /* samples of all of them */
};

/* Open everything that the operands of the request name, folders of pictures a picture at a time. CLI_DONE,
 * or another code with the sentence printed; release with cli_sources_close() either way. */
int cli_sources_open(const struct cli_request *request, struct cli_subject *subject,
                     struct cli_sources *sources);
void cli_sources_close(struct cli_sources *sources);

/* ---- predict_write.c: one answer after the other, in one of four forms ---- */

struct cli_answer {
    const struct cli_source *source;
    size_t number; /* of the sample in its source, from 1 */
    const double *share;
};

/* A field of a table of comma-separated values, in quotes where it needs them. */
void cli_csv_field(struct report_out *out, const char *text);

struct cli_predictions; /* answers that are being written */

/* `samples` answers about `classes` classes, whose names `names` knows, will come. What was asked for decides
 * the form: --csv, --json, or lines and, of more than a few samples, a table. */
struct cli_predictions *cli_predictions_open(const struct cli_request *request,
                                             const struct cli_subject *subject, const stoa_dataset *names,
                                             size_t samples);
void cli_predictions_add(struct cli_predictions *predictions, const struct cli_answer *answer);
/* Write what has to wait for the end, and say where it is. CLI_DONE, or another code with the sentence
 * printed. */
int cli_predictions_finish(struct cli_predictions *predictions);
void cli_predictions_close(struct cli_predictions *predictions);

#endif
