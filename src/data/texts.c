/* SPDX-License-Identifier: MIT */
/* Distinct texts, found by halving. */
#include "data/texts.h"

#include <stdlib.h>
#include <string.h>

size_t stoa_texts_find(const struct stoa_texts *texts, const char *text, bool *found) {
    size_t low = 0, high = texts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(texts->text[middle].text, text) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = low < texts->count && strcmp(texts->text[low].text, text) == 0;
    return low;
}

bool stoa_texts_insert(struct stoa_texts *texts, size_t at, char *text) {
    if (texts->count == texts->room) {
        size_t room = texts->room ? 2 * texts->room : 16;
        struct stoa_text *larger = realloc(texts->text, room * sizeof *larger);
        if (!larger) {
            free(text);
            return false;
        }
        texts->text = larger;
        texts->room = room;
    }
    struct stoa_text *place = texts->text + at;
    memmove(place + 1, place, (texts->count - at) * sizeof *place);
    *place = (struct stoa_text){.text = text};
    texts->count++;
    return true;
}

void stoa_texts_clear(struct stoa_texts *texts) {
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->text[i].text);
    }
    free(texts->text);
    *texts = (struct stoa_texts){.count = 0};
}
