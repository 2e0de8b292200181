/* SPDX-License-Identifier: MIT */
/* What the name of an array says: whether it holds samples or labels, and of which part of a set. */
#ifndef STOA_DATA_ARRAY_NAMES_H
#define STOA_DATA_ARRAY_NAMES_H

#include <stddef.h>

enum stoa_array_role { STOA_ARRAY_OTHER, STOA_ARRAY_SAMPLES, STOA_ARRAY_LABELS, STOA_ARRAY_ROLES };
enum stoa_array_part {
    STOA_ARRAY_WHOLE,
    STOA_ARRAY_TRAIN,
    STOA_ARRAY_TEST,
    STOA_ARRAY_VALIDATION,
    STOA_ARRAY_PARTS
};

struct stoa_array_name {
    enum stoa_array_role role;
    enum stoa_array_part part;
    size_t rank; /* of two names with the same role and part the one with the smaller rank is meant */
};

/* Read a name such as "x_train", "testLabels" or "Data". */
struct stoa_array_name stoa_array_name(const char *text);

#endif
