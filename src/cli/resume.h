/* SPDX-License-Identifier: MIT */
/* Continuing a run: which checkpoint, whether the request is the run's, and the state. */
#ifndef STOA_CLI_RESUME_H
#define STOA_CLI_RESUME_H

#include "cli/open.h"
#include "cli/run_folder.h"

struct cli_resume {
    uint64_t *steps;    /* of the checkpoints, the newest first */
    size_t count, next; /* of them, and the first that has not failed */
    stoa_model *saved;  /* as the newest of these holds it, for its facts */
    char *recipe;       /* the text of the run's recipe, as the run was begun or last continued */
    size_t epochs;      /* of that recipe */
};

/* Take the folder given with --resume, find its newest checkpoint that can be read, and make recipe and model
 * of `subject` from it. A recipe and options on the command line have to be the run's, but for --epochs.
 * CLI_DONE, or another code with the sentence printed. Release with cli_resume_close() either way. */
int cli_resume_open(const struct cli_request *request, struct cli_subject *subject,
                    struct cli_run_folder *folder, struct cli_resume *resume);
void cli_resume_close(struct cli_resume *resume);

/* Bring the facts of the run that recipe and data do not give into the model of `subject`, before its data
 * are opened and behind that. */
int cli_resume_facts(const struct cli_resume *resume, const struct cli_subject *subject, bool opened);

/* Before the first step: let `trainer` and `folder` go on from the newest checkpoint that can be used. What
 * is wrong with newer ones is printed, as are another build and a schedule that becomes longer. STOA_OK; or a
 * status, and *code with the sentence printed. */
stoa_status cli_resume_load(struct cli_resume *resume, const struct cli_subject *subject,
                            struct cli_run_folder *folder, const stoa_train_options *options,
                            stoa_trainer *trainer, int *code);

#endif
