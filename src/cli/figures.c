/* SPDX-License-Identifier: MIT */
/* Figures of a task in words. Public headers only. */
#include "cli/figures.h"

#include <math.h>
#include <stdio.h>

/* ---- in a few words ---- */

const char *cli_figures_words(struct cli_figures_words *words, const stoa_evaluation *figures) {
    if (isfinite(figures->rmse)) {
        (void)snprintf(words->text, sizeof words->text, "rmse %.4g, r2 %.4f", figures->rmse, figures->r2);
    } else if (isfinite(figures->f1)) {
        (void)snprintf(words->text, sizeof words->text, "f1 %.4f, %.2f %% all right", figures->f1,
                       100 * figures->accuracy);
    } else {
        (void)snprintf(words->text, sizeof words->text, "%5.2f %%", 100 * figures->accuracy);
    }
    return words->text;
}

bool cli_is_regression(const stoa_progress *progress) {
    return isnan(progress->train_accuracy);
}

/* ---- classes ---- */

double cli_balanced_accuracy(const size_t *confusion, size_t classes) {
    double sum = 0, known = 0;
    for (size_t i = 0; i < classes; i++) {
        size_t samples = 0;
        for (size_t j = 0; j < classes; j++) {
            samples += confusion[i * classes + j];
        }
        sum += samples > 0 ? (double)confusion[i * classes + i] / (double)samples : 0;
        known += samples > 0;
    }
    return sum / known;
}

double cli_macro_f1(const size_t *confusion, size_t classes) {
    double sum = 0, known = 0;
    for (size_t i = 0; i < classes; i++) {
        size_t both = 0; /* samples and answers together */
        for (size_t j = 0; j < classes; j++) {
            both += confusion[i * classes + j] + confusion[j * classes + i];
        }
        sum += both > 0 ? 2 * (double)confusion[i * classes + i] / (double)both : 0;
        known += both > 0;
    }
    return sum / known;
}
