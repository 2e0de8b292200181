/* SPDX-License-Identifier: MIT */
/* What a model says of its data, and the data themselves. Every function prints its sentence when it
 * fails. */
#ifndef STOA_CLI_DATA_H
#define STOA_CLI_DATA_H

#include <jansson.h>

#include "cli/open.h"

/* The data facts of a model; release with cli_free_facts(). */
struct cli_facts {
    const char *set;  /* NULL: none */
    const char *path; /* of the data it was trained on, where they are not the set; NULL: they are */
    stoa_data_options options;
    bool measured;                /* mean and deviation are to be measured */
    size_t scales;                /* 1, or a mean and a deviation for each channel */
    float *mean, *deviation;      /* NULL while they are to be measured */
    float *range;                 /* smallest and largest value of the training data; NULL: not known */
    float white;                  /* of the training data's pictures; 0: not known */
    json_t *names, *columns;      /* hold the strings of the options */
    const char **name_of_a_class; /* NULL: classes have numbers only */
    const char **name_of_a_column;
};
int cli_read_facts(const struct cli_subject *subject, struct cli_facts *facts);
void cli_free_facts(struct cli_facts *facts);
/* Read only the range of the training data. */
int cli_read_range(const struct cli_subject *subject, struct cli_facts *facts);

/* Let --layout stand in for what the recipe or the model says. */
int cli_choose_layout(const struct cli_request *request, const struct cli_subject *subject);

/* Normalise `count` samples as the model wants them: height x width x channels each. */
int cli_scale(const struct cli_subject *subject, const struct cli_facts *facts, float *values, size_t count);

/* Open the data at `path` (NULL: those that the model was trained on, or the set that it names), normalised
 * as the model wants it. With `train` the model is to be trained: what is measured on the training data, the
 * names of classes and the path become facts of it. `train` may be NULL: not wanted; with `all` data without
 * a test part are not divided then. `from` may be NULL, or gets the path of the data, from malloc. */
int cli_open_data(const struct cli_subject *subject, const char *path, bool all, stoa_dataset **train,
                  stoa_dataset **test, char **from);

/* A fact that is a list of numbers. */
stoa_status cli_set_list(stoa_model *model, const char *key, const float *list, size_t count);

/* The loss of the model with weights that make up for rare classes of the training data: a line from malloc,
 * which becomes the model's fact. */
int cli_weigh_loss(const struct cli_subject *subject, const stoa_dataset *train, char **loss);

#endif
