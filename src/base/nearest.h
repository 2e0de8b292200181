/* SPDX-License-Identifier: MIT */
/* A word that is no name: which name is likely meant, and the sentence that says so. */
#ifndef STOA_BASE_NEAREST_H
#define STOA_BASE_NEAREST_H

#include <stddef.h>

#include "base/error.h"

/* Names, one after the other. */
struct stoa_words {
    /* Name number `index`, or NULL past the last. */
    const char *(*at)(const void *from, size_t index);
    const void *from;
};

/* Names of an array that ends in NULL. */
struct stoa_words stoa_words_of(const char *const *array);

/* The name that `word` is likely meant to be, or NULL where none is near: see stoa_nearest(). */
const char *stoa_nearest_of(const char *word, const struct stoa_words *names);

/* Letters to insert, remove, replace or swap with their neighbour until `a` is `b`; words of more than 64
 * letters are as far as that. */
size_t stoa_distance(const char *a, const char *b);

enum { STOA_NEAR_TEXT = 96 };
/* ", did you mean 'conv2d'? Expected " where a name is near, else ", expected ". */
const char *stoa_near_text(const char *word, const struct stoa_words *names, char out[STOA_NEAR_TEXT]);

/* Set STOA_ERR_ARGUMENT: "unknown WHAT 'WORD'WHERE, did you mean 'NAME'? Expected NAMES". `where` is
 * "" or begins with a space. */
stoa_status stoa_error_unknown(struct stoa_error *error, const char *what, const char *word,
                               const char *where, const struct stoa_words *names);

#endif
