/* SPDX-License-Identifier: MIT */
/* Labels as text: which class each means. Collected first, settled, then looked up. */
#ifndef STOA_DATA_LABELS_H
#define STOA_DATA_LABELS_H

#include <stoa/data.h>

#include "data/csv.h"
#include "data/texts.h"

struct stoa_labels {
    stoa_context *context;
    const char *name; /* of the file; begins sentences */
    const stoa_data_options *options;
    struct stoa_texts texts; /* distinct ones; once settled their numbers are those of the classes */
    bool numbers;            /* all so far are whole numbers */
    bool as_numbers;         /* settled: a label is its class's number */
};

void stoa_labels_open(struct stoa_labels *labels, stoa_context *context, const char *name,
                      const stoa_data_options *options);
void stoa_labels_close(struct stoa_labels *labels);

/* Look at a label on `line`. Errors: STOA_ERR_FORMAT (not among the names of the options, more labels than
 * classes), STOA_ERR_MEMORY. */
stoa_status stoa_labels_add(struct stoa_labels *labels, const struct stoa_csv_field *field, size_t line);

/* All have been added: decide what they mean. Gives the number of classes and their names, which are the
 * caller's (see stoa_free_names()), NULL where labels are numbers. Errors: STOA_ERR_FORMAT,
 * STOA_ERR_MEMORY. */
stoa_status stoa_labels_settle(struct stoa_labels *labels, size_t *classes, char ***names);

/* Class of a label that was added. Errors: STOA_ERR_MEMORY. */
stoa_status stoa_labels_find(const struct stoa_labels *labels, const struct stoa_csv_field *field,
                             int32_t *class_number);

/* What is known of labels that are numbers, sample by sample; all zero at the beginning. */
struct stoa_label_range {
    size_t count;
    int64_t least, most;
    size_t least_at, most_at; /* samples that have them */
};
void stoa_label_range_add(struct stoa_label_range *range, size_t sample, int64_t label);
/* Whether all are numbers of classes. `*classes` is how many there are; 0: as many as the labels show, which
 * is said there. Errors: STOA_ERR_FORMAT, with `name` at the beginning of the sentence. */
stoa_status stoa_label_range_settle(const struct stoa_label_range *range, stoa_context *context,
                                    const char *name, size_t *classes);

#endif
