/* SPDX-License-Identifier: MIT */
/* What the golden tests share: reading the JSON files that gen.py wrote. */
#ifndef STOA_TESTS_GOLDEN_GOLDEN_H
#define STOA_TESTS_GOLDEN_GOLDEN_H

#include <jansson.h>

#include "../base/cmocka_prelude.h"

/* A file of the folder given to the test program; fails the test when it cannot be read. */
json_t *golden_load(const char *folder, const char *name);
/* A member that must be there. */
const json_t *golden_get(const json_t *object, const char *key);
const char *golden_text(const json_t *object, const char *key);
size_t golden_size(const json_t *object, const char *key);

/* An array's numbers; its length must be `count`. Inputs must be exact in float. */
void golden_floats(const json_t *array, float *out, size_t count);
void golden_labels(const json_t *array, int32_t *out, size_t count);
double *golden_doubles(const json_t *array, size_t count); /* release with free() */

/* Fail unless every found number is within `bound` of its golden one, relative to the largest golden number.
 */
void golden_compare(const char *where, const char *what, const float *found, const json_t *expected,
                    size_t count, double bound);

#endif
