/* SPDX-License-Identifier: MIT */
/* Names of arrays as people write them: words in any case, with anything or a capital letter between them. A
 * name with an unknown word is that of something else. */
#include "data/array_names.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* In the order in which they are preferred. */
static const char *const samples[] = {"x",    "xs",       "images",  "image",   "imgs",   "img",   "pixels",
                                      "data", "features", "feature", "samples", "inputs", "input", NULL};
static const char *const labels[] = {"y", "ys", "labels", "label", "targets", "target", NULL};
static const char *const trains[] = {"train", "training", "tr", NULL};
static const char *const tests[] = {"test", "testing", "te", NULL};
static const char *const validations[] = {"val", "valid", "validation", "dev", NULL};

enum { WORD = 16 };

/* Copy the word at *at, in small letters, and step behind it; false at the end. A word ends before a capital
 * letter that follows a small one. A word that is too long is cut, and then no known one. */
static bool next_word(const char **at, char word[WORD]) {
    const char *c = *at;
    size_t length = 0;
    while (*c && !isalnum((unsigned char)*c)) {
        c++;
    }
    const char *first = c;
    while (isalnum((unsigned char)*c) &&
           !(c > first && isupper((unsigned char)*c) && islower((unsigned char)c[-1]))) {
        if (length < WORD - 1) {
            word[length++] = (char)tolower((unsigned char)*c);
        }
        c++;
    }
    word[length] = '\0';
    *at = c;
    return length > 0;
}

static bool find(const char *const *words, const char *word, size_t *at) {
    for (*at = 0; words[*at]; ++*at) {
        if (strcmp(words[*at], word) == 0) {
            return true;
        }
    }
    return false;
}

/* Labels of samples are labels: "train_data_labels". */
static bool take_role(struct stoa_array_name *name, const char *word) {
    size_t at = 0;
    if (find(labels, word, &at)) {
        name->role = STOA_ARRAY_LABELS;
        name->rank = at;
        return true;
    }
    if (find(samples, word, &at)) {
        name->rank = name->role == STOA_ARRAY_OTHER ? at : name->rank;
        name->role = name->role == STOA_ARRAY_OTHER ? STOA_ARRAY_SAMPLES : name->role;
        return true;
    }
    return false;
}

static bool take_part(struct stoa_array_name *name, const char *word) {
    static const char *const *const lists[STOA_ARRAY_PARTS] = {NULL, trains, tests, validations};
    size_t at = 0;
    for (int part = STOA_ARRAY_TRAIN; part < STOA_ARRAY_PARTS; part++) {
        if (find(lists[part], word, &at)) {
            bool first = name->part == STOA_ARRAY_WHOLE;
            name->part = (enum stoa_array_part)part;
            return first;
        }
    }
    return false;
}

struct stoa_array_name stoa_array_name(const char *text) {
    static const struct stoa_array_name other = {.role = STOA_ARRAY_OTHER};
    struct stoa_array_name name = other;
    char word[WORD];
    while (next_word(&text, word)) {
        if (!take_role(&name, word) && !take_part(&name, word)) {
            return other;
        }
    }
    return name.role == STOA_ARRAY_OTHER ? other : name;
}
