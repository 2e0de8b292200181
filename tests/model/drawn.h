/* SPDX-License-Identifier: MIT */
/* Networks drawn at random, for the tests of plans. */
#ifndef STOA_TESTS_MODEL_DRAWN_H
#define STOA_TESTS_MODEL_DRAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A network drawn at random: any value may be read again, in any order; values that nobody read are added up
 * at the end. Images are 4x4x3, vectors their 48 numbers, so that all of a kind fit each other. */
enum { DRAWN_LINES = 60, DRAWN_TEXT = 80 };
enum drawn_kind { DRAWN_IMAGE, DRAWN_FLATTENED, DRAWN_FEATURES };

struct drawn {
    char text[DRAWN_LINES][DRAWN_TEXT];
    size_t count;
    enum drawn_kind kind[DRAWN_LINES + 1]; /* of value 0, the input, and each line's */
    bool read[DRAWN_LINES + 1];
    uint64_t seed, draws;
};

/* Draw one that follows from `seed`; its lines are `text`, "v1 relu from=input". */
void draw_net(struct drawn *d, uint64_t seed);

#endif
