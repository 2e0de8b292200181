/* SPDX-License-Identifier: MIT */
/* Names near a word: by edits (Damerau 1964), by a common beginning, and by what other engines call the same.
 * Capitals, '-' and '_' make no difference. */
#include "base/nearest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 64 };

/* What other engines and tools call a thing, and the names that it has here. */
static const char *const others[][2] = {
    {"dense", "linear"},
    {"fc", "linear"},
    {"fully_connected", "linear"},
    {"swish", "silu"},
    {"out_channels", "filters"},
    {"channels", "filters"},
    {"out_features", "units"},
    {"features", "units"},
    {"neurons", "units"},
    {"learning_rate", "lr"},
    {"rate", "lr"},
    {"num_epochs", "epochs"},
    {"minibatch", "batch"},
    {"early_stopping", "patience"},
    {"weight_decay", "decay"},
    {"mae", "l1"},
    {"bce", "bce_with_logits"},
    {"categorical_crossentropy", "softmax_cross_entropy"},
    {"std", "deviation"},
    {"dataset", "set"},
    {"target", "label"},
    {"shuffle", "in_order"},
    {"scheduler", "schedule"},
    {"test_size", "test"},
};

/* A letter as it counts. */
static char plain(char letter) {
    if (letter >= 'A' && letter <= 'Z') {
        return (char)(letter - 'A' + 'a');
    }
    return letter == '-' ? '_' : letter;
}

static bool same(const char *a, const char *b, size_t letters) {
    for (size_t i = 0; i < letters; i++) {
        if (plain(a[i]) != plain(b[i])) {
            return false;
        }
    }
    return true;
}

size_t stoa_distance(const char *a, const char *b) {
    size_t rows = strlen(a), columns = strlen(b);
    if (rows > LONGEST || columns > LONGEST) {
        return LONGEST;
    }
    /* This row and the two above it, by turns. */
    size_t cost[3][LONGEST + 1];
    for (size_t i = 0; i <= rows; i++) {
        size_t *now = cost[i % 3];
        const size_t *above = cost[(i + 2) % 3], *two_above = cost[(i + 1) % 3];
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                now[j] = i + j;
                continue;
            }
            size_t best = above[j - 1] + (plain(a[i - 1]) != plain(b[j - 1]));
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            bool swapped =
                i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]);
            now[j] = swapped && two_above[j - 2] + 1 < best ? two_above[j - 2] + 1 : best;
        }
    }
    return cost[rows % 3][columns];
}

/* So many edits make another word. */
static size_t too_many(const char *word) {
    size_t length = strlen(word);
    return length < 2 ? 1 : length < 6 ? 2 : length < 9 ? 3 : 4;
}

/* One begins with the other, as "padding" with "pad". */
static bool shares_beginning(const char *a, const char *b) {
    enum { LEAST = 3 };
    size_t one = strlen(a), other = strlen(b);
    size_t length = one < other ? one : other;
    return length >= LEAST && same(a, b, length);
}

static bool is_called(const char *word, const char *name) {
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        bool here = strlen(word) == strlen(others[i][0]) && same(word, others[i][0], strlen(word));
        if (here && strcmp(others[i][1], name) == 0) {
            return true;
        }
    }
    return false;
}

const char *stoa_nearest_of(const char *word, const struct stoa_words *names) {
    const char *nearest = NULL, *name;
    size_t least = 2 * too_many(word);
    for (size_t i = 0; (name = names->at(names->from, i)) != NULL; i++) {
        /* Twice the edits; a common beginning is worse than any number of edits that counts. */
        size_t far = is_called(word, name) ? 1 : 2 * stoa_distance(word, name);
        far = far >= least && shares_beginning(word, name) ? 2 * too_many(word) - 1 : far;
        if (far < least) {
            least = far;
            nearest = name;
        }
    }
    return nearest;
}

static const char *array_at(const void *from, size_t index) {
    return ((const char *const *)from)[index];
}

struct stoa_words stoa_words_of(const char *const *array) {
    return (struct stoa_words){array_at, array};
}

/* An array that says how many it has. */
struct counted {
    const char *const *names;
    size_t count;
};

static const char *counted_at(const void *from, size_t index) {
    const struct counted *counted = from;
    return index < counted->count ? counted->names[index] : NULL;
}

const char *stoa_nearest(const char *word, const char *const *names, size_t count) {
    const struct counted counted = {names, count};
    return stoa_nearest_of(word, &(struct stoa_words){counted_at, &counted});
}

const char *stoa_near_text(const char *word, const struct stoa_words *names, char out[STOA_NEAR_TEXT]) {
    const char *near = stoa_nearest_of(word, names);
    (void)snprintf(out, STOA_NEAR_TEXT, near ? ", did you mean '%.60s'? Expected " : ", expected ", near);
    return out;
}

stoa_status stoa_error_unknown(struct stoa_error *error, const char *what, const char *word,
                               const char *where, const struct stoa_words *names) {
    char known[400] = "", near[STOA_NEAR_TEXT];
    const char *name;
    size_t used = 0, count = 0;
    for (; (name = names->at(names->from, count)) != NULL && used < sizeof known; count++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", count ? ", " : "", name);
    }
    if (count == 0) {
        (void)snprintf(known, sizeof known, "no %ss", what);
    }
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "unknown %s '%.60s'%s%s%s", what, word, where,
                          stoa_near_text(word, names, near), known);
}
