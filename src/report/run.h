/* SPDX-License-Identifier: MIT */
/* The folder of a run as numbers: what its metrics.jsonl and timing.jsonl say of each epoch. Both may be read
 * while the run goes on. */
#ifndef STOA_REPORT_RUN_H
#define STOA_REPORT_RUN_H

#include <stdbool.h>
#include <stddef.h>

/* What is known of an epoch. */
enum report_metric {
    REPORT_EPOCH,
    REPORT_TRAIN_LOSS,
    REPORT_TRAIN_ACCURACY,
    REPORT_VALIDATION_LOSS,
    REPORT_VALIDATION_ACCURACY,
    REPORT_TEST_LOSS,
    REPORT_TEST_ACCURACY,
    REPORT_VALIDATION_RMSE,
    REPORT_VALIDATION_MAE,
    REPORT_VALIDATION_R2,
    REPORT_VALIDATION_F1,
    REPORT_VALIDATION_MACRO_F1,
    REPORT_VALIDATION_AVERAGE_PRECISION,
    REPORT_TEST_RMSE,
    REPORT_TEST_MAE,
    REPORT_TEST_R2,
    REPORT_TEST_F1,
    REPORT_TEST_MACRO_F1,
    REPORT_TEST_AVERAGE_PRECISION,
    REPORT_LEARNING_RATE,
    REPORT_SECONDS,
    REPORT_IMAGES_PER_SECOND,
    REPORT_THREADS,
    REPORT_TIME, /* of the epoch's end, in seconds since 1970 */
    REPORT_METRICS
};
/* Their keys in the files. */
extern const char *const report_metric_key[REPORT_METRICS];

struct report_run {
    char *path; /* the folder, as it was given */
    char *name; /* its last part */
    size_t epochs;
    /* A number an epoch, in the order of the epochs; NAN where it is not said. */
    double *value[REPORT_METRICS];
    size_t best;    /* the place of the last epoch that was best by validation, from 1; 0: none */
    bool cut;       /* the last line was not whole: the run goes on, or was killed */
    bool no_memory; /* it could not be read for want of memory */
};

/* Read a run; without a whole line it has no epochs. True, or false with a sentence in `sentence` of
 * `size` bytes: there are no metrics, or a line that is none of a run. Times are left out where they
 * cannot be read. The metrics of earlier versions, which hold the times too, are read as well. */
bool report_run_read(const char *folder, struct report_run *run, char *sentence, size_t size);
void report_run_free(struct report_run *run);
/* The last part of a path, without slashes behind it; from malloc, NULL when memory is short. */
char *report_run_name(const char *path);

/* Whether any epoch says this. */
bool report_run_has(const struct report_run *run, enum report_metric metric);
/* The value of the last epoch that says it; NAN: none does. */
double report_run_last(const struct report_run *run, enum report_metric metric);
/* The place of the lowest, or highest, value; SIZE_MAX: there is none. */
size_t report_run_lowest(const struct report_run *run, enum report_metric metric);
size_t report_run_highest(const struct report_run *run, enum report_metric metric);
/* Sum over the epochs that say it; NAN: none does. */
double report_run_sum(const struct report_run *run, enum report_metric metric);

#endif
