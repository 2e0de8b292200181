/* SPDX-License-Identifier: MIT */
#include "report/figure.h"

#include <math.h>
#include <stdio.h>

/* A metric of the test part and of the validation; of the training part runs say accuracies only. */
#define HELD_OUT(metric)                                                                                     \
    { REPORT_TEST_##metric, REPORT_VALIDATION_##metric, REPORT_METRICS }

const struct report_figure report_figures[REPORT_FIGURES] = {
    {"rmse", "RMSE", "%.4g", HELD_OUT(RMSE), true, true},
    {"mae", "MAE", "%.4g", HELD_OUT(MAE), false, true},
    {"r2", "R2", "%.4f", HELD_OUT(R2), false, false},
    {"f1", "F1", "%.4f", HELD_OUT(F1), true, false},
    {"macro f1", "macro F1", "%.4f", HELD_OUT(MACRO_F1), false, false},
    {"average precision", "average precision", "%.4f", HELD_OUT(AVERAGE_PRECISION), false, false},
    {"accuracy",
     "accuracy",
     NULL,
     {REPORT_TEST_ACCURACY, REPORT_VALIDATION_ACCURACY, REPORT_TRAIN_ACCURACY},
     true,
     false},
};

/* Several labels have an accuracy too, which is why the last figure is that of no other task. */
const struct report_figure *report_main_figure(const double *values, enum report_set set) {
    size_t i = 0;
    for (; i + 1 < REPORT_FIGURES; i++) {
        enum report_metric metric = report_figures[i].metric[set];
        if (report_figures[i].judges && metric != REPORT_METRICS && isfinite(values[metric])) {
            break;
        }
    }
    return &report_figures[i];
}

const struct report_figure *report_run_figure(const struct report_run *run) {
    double last[REPORT_METRICS];
    for (size_t i = 0; i < REPORT_METRICS; i++) {
        last[i] = report_run_last(run, (enum report_metric)i);
    }
    return report_main_figure(last, REPORT_OF_TEST);
}

size_t report_run_best(const struct report_run *run, const struct report_figure *figure) {
    enum report_metric metric = figure->metric[REPORT_OF_TEST];
    return figure->by_least ? report_run_lowest(run, metric) : report_run_highest(run, metric);
}

bool report_by_least(enum report_metric metric) {
    bool least =
        metric == REPORT_TRAIN_LOSS || metric == REPORT_VALIDATION_LOSS || metric == REPORT_TEST_LOSS;
    for (size_t i = 0; i < REPORT_FIGURES; i++) {
        for (size_t set = 0; set < REPORT_SETS; set++) {
            least = least || (report_figures[i].by_least && report_figures[i].metric[set] == metric);
        }
    }
    return least;
}

const char *report_figure_words(struct report_words *words, const struct report_figure *figure,
                                double value) {
    if (!figure->format || !isfinite(value)) {
        return report_percent_words(words, value);
    }
    (void)snprintf(words->text, sizeof words->text, figure->format, value);
    return words->text;
}

const char *report_figure_named(struct report_words *words, const struct report_figure *figure,
                                double value) {
    struct report_words number = {""};
    report_figure_words(&number, figure, value);
    if (figure->format) {
        (void)snprintf(words->text, sizeof words->text, "%s %s", figure->name, number.text);
    } else {
        *words = number;
    }
    return words->text;
}
