/* What a model says of its data, and the data themselves. Every function prints its sentence when it fails. */
#ifndef STOA_CLI_DATA_H
#define STOA_CLI_DATA_H

#include <jansson.h>

#include "cli/open.h"

/* The data facts of a model; release with cli_free_facts(). */
struct cli_facts {
    const char *set; /* NULL: none */
    stoa_data_options options;
    bool measured;                /* mean and deviation are to be measured */
    size_t scales;                /* 1, or a mean and a deviation for each channel */
    float *mean, *deviation;      /* NULL while they are to be measured */
    json_t *names;                /* holds the strings of the options */
    const char **name_of_a_class; /* NULL: classes have numbers only */
};
int cli_read_facts(const struct cli_subject *subject, struct cli_facts *facts);
void cli_free_facts(struct cli_facts *facts);

/* Normalise `count` samples as the model wants them: height x width x channels each. */
int cli_scale(const struct cli_subject *subject, const struct cli_facts *facts, float *values, size_t count);

/* Open the data at `path` (NULL: the set that the model names), normalised as the model wants it. What is measured
 * on the training data, and the names of classes, become facts of the model. `train` may be NULL: not wanted; with `all`
 * data without a test part are not divided then. */
int cli_open_data(const struct cli_subject *subject, const char *path, bool all, stoa_dataset **train,
                  stoa_dataset **test);

/* The loss of the model with weights that make up for rare classes of the training data: a line from malloc, which
 * becomes the model's fact. */
int cli_weigh_loss(const struct cli_subject *subject, const stoa_dataset *train, char **loss);

#endif
