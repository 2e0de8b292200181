/* SPDX-License-Identifier: MIT */
/* Distinct texts in the order of their bytes, each with a number. */
#ifndef STOA_DATA_TEXTS_H
#define STOA_DATA_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

struct stoa_text {
    char *text;
    size_t number; /* the caller's; 0 at first */
};

/* All zero is an empty set. */
struct stoa_texts {
    struct stoa_text *text;
    size_t count, room;
};

/* Where the text is, or would go. */
size_t stoa_texts_find(const struct stoa_texts *texts, const char *text, bool *found);
/* Put a new one where it goes. Takes over `text`, also where there is no memory, which is false. */
bool stoa_texts_insert(struct stoa_texts *texts, size_t at, char *text);
void stoa_texts_clear(struct stoa_texts *texts);

#endif
