/* SPDX-License-Identifier: MIT */
/* The figures of a task in words: accuracy of classes, errors of regression, hits of several labels. Public
 * headers only. */
#ifndef STOA_CLI_FIGURES_H
#define STOA_CLI_FIGURES_H

#include <stoa/train.h>

/* What an evaluation says: "97.12 %", "rmse 2.31, r2 0.97" or "f1 0.931, 87.50 % all right". */
struct cli_figures_words {
    char text[96];
};
const char *cli_figures_words(struct cli_figures_words *words, const stoa_evaluation *figures);

/* Which task a step or an epoch is of. */
bool cli_is_regression(const stoa_progress *progress);

/* Mean over the classes, those with samples, of their accuracy; and over those with samples or answers of F1.
 * `confusion` is of stoa_evaluate_classes(). */
double cli_balanced_accuracy(const size_t *confusion, size_t classes);
double cli_macro_f1(const size_t *confusion, size_t classes);

#endif
