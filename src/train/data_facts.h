/* SPDX-License-Identifier: MIT */
/* What a model says of its data, read from its facts, and what a training lets it say. */
#ifndef STOA_TRAIN_DATA_FACTS_H
#define STOA_TRAIN_DATA_FACTS_H

#include <jansson.h>

#include <stoa/model_data.h>

#include "core/context.h"
#include "data/keys.h"

/* Release with stoa_data_facts_free(). */
struct stoa_data_facts {
    stoa_context *context; /* for the sentences of errors */
    const stoa_model *model;
    struct stoa_data_source source; /* texts belong to the model, and to the lists below */
    size_t scales;                  /* 1, or a mean and a deviation for each channel; 0: to be measured */
    float *mean, *deviation;
    float *range;         /* smallest and largest value of the training data; NULL: not known */
    float white;          /* of the training data's pictures; 0: not known */
    size_t target_scales; /* numbers of each of the next; 0: targets are as they are, or to be measured */
    float *target_mean, *target_deviation;
    json_t *names, *columns, *table;
    const char **name_of_a_class, **name_of_a_column;
    stoa_column *column; /* input columns of a table, and the texts of their categories */
    const char **category;
};

/* Read all of them. Errors: STOA_ERR_FORMAT, STOA_ERR_MEMORY; nothing is to be released then. */
stoa_status stoa_data_facts_read(stoa_context *context, const stoa_model *model,
                                 struct stoa_data_facts *facts);
void stoa_data_facts_free(struct stoa_data_facts *facts);

/* Facts that are lists of numbers, or of names, where all of them are UTF-8 or `replaces` what is not. */
stoa_status stoa_data_facts_set_numbers(stoa_model *model, const char *key, const float *list, size_t count);
stoa_status stoa_data_facts_set_names(stoa_context *context, stoa_model *model, const char *key,
                                      const stoa_dataset *data, size_t count,
                                      const char *(*name)(const stoa_dataset *, size_t), bool replaces);
/* One text of that kind. */
stoa_status stoa_data_facts_set_text(stoa_context *context, stoa_model *model, const char *key,
                                     const char *text, bool replaces);

/* "1 0.5 2" into numbers from `lowest` on; NULL and 0 where the fact is missing. The list is from malloc. */
stoa_status stoa_data_facts_numbers(const struct stoa_data_facts *facts, const char *key, double lowest,
                                    float **list, size_t *count);

/* Numbers with a separator between, from malloc; NULL without memory. */
char *stoa_numbers_text(const float *list, size_t count, char separator);

/* ---- range.c: the range of values that the model was trained on ---- */

/* Read the range from the model into `facts`. */
stoa_status stoa_range_read(struct stoa_data_facts *facts);
/* Measure that of training data, for `model` and `facts`; a note goes to the log where mean and deviation are
 * plainly those of pixels from 0 to 1, but white is larger. */
stoa_status stoa_range_keep(struct stoa_data_facts *facts, stoa_model *model, const stoa_dataset *train);
/* What pixels from 0 to 1 are to be multiplied by, so that they are what the model was trained on. `what`
 * begins the sentence where that cannot be known. */
stoa_status stoa_range_of_pixels(const struct stoa_data_facts *facts, const char *what, float *scale);
/* The same for the values of a data set; those that are no pixels are taken as they are, or refused where
 * they have plainly another range than the training data. */
stoa_status stoa_range_of_values(const struct stoa_data_facts *facts, const char *what,
                                 const stoa_dataset *data, float *scale);

#endif
