/* SPDX-License-Identifier: MIT */
/* The figures that say how good a run's model is, by its task: accuracy of classes, errors of regression,
 * hits of several labels. */
#ifndef STOA_REPORT_FIGURE_H
#define STOA_REPORT_FIGURE_H

#include "report/run.h"
#include "report/words.h"

/* The parts of the data that figures are of. */
enum report_set { REPORT_OF_TEST, REPORT_OF_VALIDATION, REPORT_OF_TRAINING, REPORT_SETS };

struct report_figure {
    const char *name;                       /* as commands have it: "rmse" */
    const char *heading;                    /* as pages have it: "RMSE" */
    const char *format;                     /* of the number; NULL: a share, said in percent */
    enum report_metric metric[REPORT_SETS]; /* REPORT_METRICS: runs do not say it of that part */
    bool judges;                            /* the figure that a task is judged by */
    bool by_least;                          /* the least is the best */
};

/* All of them, in the order in which people ask for them. */
enum { REPORT_FIGURES = 7 };
extern const struct report_figure report_figures[REPORT_FIGURES];

/* The figure by which the task is judged whose metrics these are, REPORT_METRICS numbers with NAN where there
 * is none: RMSE of regression, F1 of several labels, else accuracy. */
const struct report_figure *report_main_figure(const double *values, enum report_set set);
/* The same of a run, by the test part. */
const struct report_figure *report_run_figure(const struct report_run *run);
/* The place of the best epoch by a figure of the test part; SIZE_MAX: no epoch says it. */
size_t report_run_best(const struct report_run *run, const struct report_figure *figure);

/* Whether the least of a metric is the best: of losses and of errors. */
bool report_by_least(enum report_metric metric);

/* "97.12 %", "2.31", "0.9310"; "unknown" of NAN. */
const char *report_figure_words(struct report_words *words, const struct report_figure *figure, double value);
/* The same with a name where a number alone would not tell: "97.12 %", "rmse 2.31". */
const char *report_figure_named(struct report_words *words, const struct report_figure *figure, double value);

#endif
