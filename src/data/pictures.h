/* SPDX-License-Identifier: MIT */
/* A set of pictures in the making: its files, found in pictures.c, and their pixels, read in
 * pictures_read.c. */
#ifndef STOA_DATA_PICTURES_H
#define STOA_DATA_PICTURES_H

#include "data/dataset.h"
#include "data/folder.h"

/* What is said once of a folder, rather than of each file: how many there are, and one of them. */
struct stoa_tally {
    size_t count;
    char *example; /* from malloc */
};

/* How many files of a kind were left out. */
enum { STOA_LEFT_KINDS = 12 };
struct stoa_left {
    const char *name; /* NULL: no picture */
    size_t count;
};

struct stoa_pictures {
    stoa_context *context;
    const char *folder;
    const stoa_data_options *options;
    struct stoa_names classes; /* names of the folders */
    struct stoa_names files;   /* paths, of all classes, one after the other */
    size_t *end;               /* of each class among the files */
    struct stoa_tally outside; /* pictures beside the folders */
    struct stoa_tally others;  /* files within that are not read */
    struct stoa_left left[STOA_LEFT_KINDS];
    /* How many pictures are stored in colour, with 16 bits a value, lying, with transparent pixels, and in
     * another size. */
    size_t coloured, deep, turned, transparent, resized;
    size_t least[2], most[2]; /* height and width of the smallest and of the largest one */
};

/* Look at the headers of all files, so that nothing is unpacked before they are known to fit, and give the
 * store its type and shape. Errors: STOA_ERR_FORMAT, STOA_ERR_ARGUMENT and those of opening a picture. */
stoa_status stoa_pictures_survey(struct stoa_pictures *set, struct stoa_store *store);
/* Read file `at` into the store, which has memory for it. */
stoa_status stoa_pictures_read(struct stoa_pictures *set, const struct stoa_store *store, size_t at);
/* Say to the log what was left out and what was changed. */
void stoa_pictures_advise(const struct stoa_pictures *set, const struct stoa_store *store);

#endif
