/* SPDX-License-Identifier: MIT */
/* A data set's inside: a store that several data sets may share, and a view of it with its own selection and
 * normalisation. Readers make stores. */
#ifndef STOA_DATA_DATASET_H
#define STOA_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include <stoa/data.h>

#include "core/context.h"
#include "data/values.h"

/* Memory from stoa_allocate(); data is NULL when there is none. */
struct stoa_held {
    void *data;
    size_t bytes;
};

struct stoa_disk_file; /* data/disk.h */
struct stoa_table;     /* data/table.h */

struct stoa_store {
    stoa_context *context;
    size_t users; /* data sets that look at it; the last one releases it */
    const char *format;
    size_t count, classes;
    size_t height, width, channels;
    enum stoa_sample_type type;
    bool pixels;  /* values lie between black, 0, and white, 1, though they are no bytes */
    bool swapped; /* the bytes of values lie in the order that this machine has not */
    /* A sample lies as a matrix of rows x columns and is read transposed, as planes become pixels; 0: as it
     * lies. */
    size_t rows, columns;
    const void *samples; /* NULL: they are in a file */
    const int32_t *labels;
    struct stoa_held samples_memory, labels_memory; /* what of the two is its own */
    struct stoa_disk_file *file;                    /* that the samples lie in, or NULL */
    size_t offset;                                  /* of the first of them there */
    char **names;                                   /* of the classes, from malloc, or NULL */
    char **column_names,
        *label_name;      /* of a table with a header: of the values and the label, from malloc, or NULL */
    size_t columns_named; /* how many of the former there are */
    stoa_task task;       /* what is to be learned; STOA_TASK_AUTO counts as classes */
    const float *targets; /* (count, target_count); NULL with classes */
    size_t target_count;  /* 0 with classes */
    struct stoa_held targets_memory;
    char **target_names;      /* from malloc, or NULL */
    struct stoa_table *table; /* what the columns of a table are, or NULL */
};

struct stoa_dataset {
    stoa_context *context;
    struct stoa_store *store;
    size_t count;   /* samples to be seen: stoa_dataset_limit() lowers it */
    size_t *select; /* numbers of the samples in the store, ascending; NULL: all from the first */
    /* (value - mean) / deviation; with `by_channel`, which has first all means, then all deviations, a pair
     * for each channel. */
    float mean, deviation;
    float *by_channel;
    float *by_target; /* the same for targets; NULL: as they are */
};

/* What readers are asked to find. */
static inline stoa_task stoa_task_of(const stoa_data_options *options) {
    return options->task ? options->task : options->target ? STOA_TASK_REGRESSION : STOA_TASK_CLASSES;
}

/* Largest number of classes that are found by looking at labels: more are a column of something else. */
enum { STOA_MOST_FOUND_CLASSES = 65536 };

/* A store without samples, one user. NULL with the context's error set: no memory. */
struct stoa_store *stoa_store_create(stoa_context *context, const char *format);
/* One user less. NULL is allowed. */
void stoa_store_release(struct stoa_store *store);

/* Memory for `count` samples of the store's shape and type, and for labels. `name` begins the sentence of an
 * error. */
stoa_status stoa_store_allocate(struct stoa_store *store, const char *name, size_t count);

/* Memory for `target_count` targets a sample, and for labels that are all 0, beside samples that are
 * there. */
stoa_status stoa_store_allocate_targets(struct stoa_store *store, const char *name, stoa_task task,
                                        size_t target_count);

/* Whether targets are what the store's task takes: finite, and 0 or 1 as labels. */
bool stoa_target_fits(stoa_task task, float target);

/* stoa_dataset_check() with another context for the sentence. */
stoa_status stoa_store_check(const struct stoa_store *store, stoa_context *context);

/* Refuse 0 classes and more than STOA_MAX_DIMENSION. */
stoa_status stoa_require_classes(stoa_context *context, size_t classes);

/* A view of the whole store. Takes over the caller's use of the store, also on an error. */
stoa_status stoa_dataset_over(struct stoa_store *store, stoa_dataset **dataset);

/* What a 0 in the store becomes: a value a channel. */
void stoa_dataset_zero(const stoa_dataset *dataset, float *out);

/* A number that another selection of samples, other samples, labels or normalisation most likely change.
 * Errors: STOA_ERR_MEMORY, STOA_ERR_IO. */
stoa_status stoa_dataset_checksum(stoa_context *context, const stoa_dataset *data, uint32_t *checksum);

/* Names: a copy of `count` strings, or NULL. */
char **stoa_copy_names(const char *const *names, size_t count);
void stoa_free_names(char **names, size_t count);

#endif
