/* SPDX-License-Identifier: MIT */
/* Networks drawn at random. */
#include "drawn.h"

#include <stdio.h>

#include "base/random.h"
#include "base/size.h"

static size_t draw(struct drawn *d, size_t below) {
    return stoa_philox(d->seed, d->draws++, 5).word[0] % below;
}

/* Name of a value, marked as read. */
static const char *name_value(struct drawn *d, size_t value, char out[16]) {
    d->read[value] = true;
    (void)snprintf(out, 16, value == 0 ? "input" : "v%zu", value);
    return out;
}

static void add_line(struct drawn *d, enum drawn_kind kind, const char *operator, size_t from) {
    char name[16];
    (void)snprintf(d->text[d->count], DRAWN_TEXT, "v%zu %s from=%s", d->count + 1, operator,
                   name_value(d, from, name));
    d->kind[++d->count] = kind;
}

static void add_sum(struct drawn *d, size_t left, size_t right) {
    char names[2][16];
    (void)snprintf(d->text[d->count], DRAWN_TEXT, "v%zu add from=%s,%s", d->count + 1,
                   name_value(d, left, names[0]), name_value(d, right, names[1]));
    d->kind[++d->count] = d->kind[left];
}

static void draw_line(struct drawn *d) {
    static const char *const any[] = {"relu", "dropout p=0.3", "batchnorm", "softmax"};
    static const char *const image[] = {
        "conv2d filters=3 kernel=3 pad=same", "conv2d filters=3 kernel=3 pad=1 groups=3 bias=false",
        "conv2d filters=3 kernel=1", "maxpool2d size=3 stride=1 pad=1", "avgpool2d size=3 stride=1 pad=1"};
    size_t last = d->count;
    size_t from = draw(d, 3) == 0 ? draw(d, last + 1) : last - draw(d, stoa_min(3, last + 1));
    size_t other = last - draw(d, stoa_min(6, last + 1));
    size_t choice = draw(d, 10);
    if (choice < 3 && d->kind[other] == d->kind[from]) {
        add_sum(d, from, other);
    } else if (choice < 6) {
        add_line(d, d->kind[from], any[draw(d, sizeof any / sizeof *any)], from);
    } else if (d->kind[from] != DRAWN_IMAGE || choice == 6) {
        bool view = draw(d, 3) != 0;
        enum drawn_kind flat = d->kind[from] == DRAWN_FEATURES ? DRAWN_FEATURES : DRAWN_FLATTENED;
        add_line(d, view ? flat : DRAWN_FEATURES, view ? "flatten" : "linear units=48", from);
    } else {
        add_line(d, DRAWN_IMAGE, image[draw(d, sizeof image / sizeof *image)], from);
    }
}

/* The value, made a vector: an image flattened, or with `features` anything through a linear layer. */
static size_t as_vector(struct drawn *d, size_t value, bool features) {
    if (features && d->kind[value] != DRAWN_FEATURES) {
        add_line(d, DRAWN_FEATURES, "linear units=48", value);
        value = d->count;
    } else if (d->kind[value] == DRAWN_IMAGE) {
        add_line(d, DRAWN_FLATTENED, "flatten", value);
        value = d->count;
    }
    return value;
}

void draw_net(struct drawn *d, uint64_t seed) {
    *d = (struct drawn){.seed = seed, .read = {true}};
    size_t lines = 3 + draw(d, 12);
    while (d->count < lines) {
        draw_line(d);
    }
    size_t sum = d->count;
    for (size_t value = 1; value < lines; value++) {
        if (!d->read[value]) {
            bool features = d->kind[sum] == DRAWN_FEATURES || d->kind[value] == DRAWN_FEATURES;
            size_t left = as_vector(d, sum, features), right = as_vector(d, value, features);
            bool swap = draw(d, 2) == 0;
            add_sum(d, swap ? right : left, swap ? left : right);
            sum = d->count;
        }
    }
    if (d->seed % 2 == 0) {
        (void)as_vector(d, sum, false);
    }
}
