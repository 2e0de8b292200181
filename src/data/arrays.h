/* SPDX-License-Identifier: MIT */
/* Arrays of a folder or of an archive, in search of samples and labels. */
#ifndef STOA_DATA_ARRAYS_H
#define STOA_DATA_ARRAYS_H

#include "data/array_names.h"
#include "data/folder.h"
#include "data/npy.h"
#include "data/read.h"

/* Names of an array of samples and of its labels; NULL: there is none. */
struct stoa_pair_names {
    const char *samples, *labels;
};

/* Where arrays are looked for. */
struct stoa_arrays {
    struct stoa_load *load;
    const char *path;           /* of the folder or the archive */
    const struct stoa_zip *zip; /* NULL: a folder */
    struct stoa_names names;    /* of all arrays, without .npy */
    bool alone;                 /* nothing else is there */
    struct stoa_pair_names part[STOA_ARRAY_PARTS];
};

/* Without known names: find samples and labels by their shapes, as a whole or in two parts, and say so to
 * the log. *found is false where shapes leave it open. Errors: those of reading the headers. */
stoa_status stoa_arrays_guess(struct stoa_arrays *arrays, bool *found);

/* The sentence that names the arrays which are there, with their shapes. */
stoa_status stoa_arrays_refuse(const struct stoa_arrays *arrays);

#endif
