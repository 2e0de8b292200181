/* SPDX-License-Identifier: MIT */
/* A model tested with its data: classes taken for each other, and the mistakes that it is surest of. */
#ifndef STOA_REPORT_PAGE_TEST_H
#define STOA_REPORT_PAGE_TEST_H

#include "report/page_part.h"

enum { REPORT_MOST_MISTAKES = 24 };

struct report_mistake {
    size_t sample; /* in the data */
    size_t label, answer;
    double sure, own; /* probability of the answer, and of the label */
};

/* The test in progress, and what it has found. */
struct report_test {
    struct report_part *part; /* gets the counts of samples */
    const struct report_subject *subject;
    struct report_out *out;
    stoa_plan *plan;
    size_t classes, count;
    bool is_probability; /* the network ends in softmax */
    int32_t *labels;
    size_t *index;
    double *share;     /* probabilities of one sample */
    double *confusion; /* classes x classes, rows are labels; NULL: too many */
    char **class_name; /* of each class */
    struct report_mistake mistake[REPORT_MOST_MISTAKES];
    size_t mistakes; /* in the list, the surest first */
};

/* Test with all samples, or those that the subject asks for; part, subject and out are set. True, or false
 * with the reason in `reason` of `size` bytes. report_test_close() releases in both cases. */
bool report_test_run(struct report_test *test, char *reason, size_t size);
void report_test_close(struct report_test *test);

#endif
