/* SPDX-License-Identifier: MIT */
/* The page about runs: one HTML file with what they reached and how, where they go wrong, what the network
 * looks at, and what it costs. What cannot be shown is not there, and a sentence says why. */
#ifndef STOA_REPORT_PAGE_H
#define STOA_REPORT_PAGE_H

#include <stoa/recipe.h>

#include "report/out.h"
#include "report/run.h"

/* A run, or a model alone. Where a pointer is NULL, the sentence behind it says why. */
struct report_subject {
    size_t number;    /* its place on the page, from 1 */
    const char *name; /* what it is called on the page */
    const char *path; /* as it was given */
    const struct report_run *run;
    const char *no_run;
    stoa_context *context;
    stoa_model *model; /* its running statistics move when it is looked into */
    const char *no_model;
    const stoa_dataset *data; /* what the model is tested with, normalised as it wants it */
    const char *no_data;
    const char *data_path;
    size_t samples; /* of the data at most so many, evenly taken; 0: all */
};

/* What has been found in a subject. Of the subject its run and the strings of name and path must outlive
 * it. */
struct report_part;

/* Look into a subject: test it, trace a sample through it, plan and time it. NULL when memory is short. */
struct report_part *report_part_make(const struct report_subject *subject);
void report_part_free(struct report_part *part);
/* Why the model could not be tested with the data of the subject; NULL: it was, or there are none. */
const char *report_part_refusal(const struct report_part *part);

/* The page about `count` parts, at least one. */
void report_page(struct report_out *out, const struct report_part *const *parts, size_t count);

#endif
