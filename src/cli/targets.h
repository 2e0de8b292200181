/* SPDX-License-Identifier: MIT */
/* Targets on a command line: their figures, and what a model says of them. Public headers only. */
#ifndef STOA_CLI_TARGETS_H
#define STOA_CLI_TARGETS_H

#include <jansson.h>
#include <stoa/model_data.h>
#include <stoa/train.h>

struct cli_request;
struct cli_subject;

/* Add PREFIX_rmse and the like to a line of metrics: what goes with the task. */
void cli_figures_add(json_t *line, const char *prefix, const stoa_evaluation *figures);

/* `stoa eval` of data with targets: exit code. */
int cli_eval_targets(const struct cli_request *request, const struct cli_subject *subject, const char *path,
                     const stoa_dataset *data);

/* What a model learned, and whether its outputs are logits of labels. */
stoa_task cli_task_of(const stoa_model *model);
bool cli_gives_logits(const stoa_model *model);

/* The name of a target, or its number, written to `number`. */
const char *cli_target_name(const stoa_dataset *data, size_t target, char number[32]);

/* A sample's answers, probabilities of labels or numbers, to the terminal or as members of `entry`. `names`
 * is a data set of stoa_model_open_samples(). */
void cli_print_targets(const stoa_dataset *names, const double *answer);
void cli_add_targets(json_t *entry, const stoa_dataset *names, const double *answer);

#endif
