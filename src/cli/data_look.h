/* SPDX-License-Identifier: MIT */
/* A data set looked at: what its values and classes are, and some samples of it. */
#ifndef STOA_CLI_DATA_LOOK_H
#define STOA_CLI_DATA_LOOK_H

#include <stoa/data.h>

#include "report/out.h"

enum { CLI_SAMPLES = 5 };

struct cli_data_look {
    const stoa_dataset *train, *test;
    size_t shape[3], channels, size, classes; /* size: values of a sample */
    bool pictures;                            /* a sample has more than one row and more than one column */
    float *least, *most, *mean, *deviation;   /* of each channel of the training part */
    size_t targets;                           /* numbers or labels of a sample that are learned; 0: classes */
    float *target_least, *target_most, *target_mean, *target_deviation; /* of each, in the training part */
    size_t *counts[2];                   /* samples of each class in both parts */
    size_t sample[CLI_SAMPLES], samples; /* some of the training part, of as many classes as there are */
    float low, high;                     /* of all values; black and white of pictures */
};

/* Read all of the training part. STOA_OK, or a status with the context's sentence; release either way. */
stoa_status cli_data_look(const stoa_dataset *train, const stoa_dataset *test, struct cli_data_look *look);
void cli_data_look_free(struct cli_data_look *look);

/* A sample's values, from malloc, and its label. */
float *cli_data_sample(const struct cli_data_look *look, size_t number, int32_t *label);
/* The targets of that sample, from malloc. */
float *cli_data_targets(const struct cli_data_look *look, size_t number);
/* The name of a class, or its number in `text`. */
const char *cli_class_name(const stoa_dataset *data, size_t label, char text[32]);

/* Values of a picture of height x width pixels as bytes: 3 channels as RGB, else the first as grey. `out`
 * takes height x width x cli_shown_channels(). */
size_t cli_shown_channels(size_t channels);
void cli_to_bytes(const float *values, size_t pixels, size_t channels, float low, float high,
                  unsigned char *out);

/* Draw the samples on the standard output: pictures as wide as it is, or rows of values. */
void cli_data_draw(const struct cli_data_look *look);
/* Write them as one picture into a file: SVG or PNG, by its ending. CLI_DONE, or another code with the
 * sentence printed. */
int cli_data_picture(const struct cli_data_look *look, const char *path, bool force);

#endif
