/* SPDX-License-Identifier: MIT */
/* Axes over atoms of memory; see layout.h. */
#include "onnx/layout.h"

#include <string.h>

/* The first of an axis's atoms in `at`. */
static size_t begin_of(const struct stoa_onnx_layout *layout, size_t axis) {
    size_t begin = 0;
    for (size_t i = 0; i < axis; i++) {
        begin += layout->parts[i];
    }
    return begin;
}

void stoa_onnx_layout_make(struct stoa_onnx_layout *layout, size_t rank, const size_t *dim,
                           const size_t *order) {
    struct stoa_onnx_layout made = {.rank = rank};
    size_t place[STOA_ONNX_AXES] = {0};
    for (size_t i = 0; i < rank; i++) {
        const size_t axis = order ? order[i] : i;
        made.dim[axis] = dim[axis];
        if (dim[axis] != 1) {
            made.parts[axis] = 1;
            place[axis] = made.atoms;
            made.size[made.atoms++] = dim[axis];
        }
    }
    for (size_t axis = 0, at = 0; axis < rank; axis++) {
        if (made.parts[axis]) {
            made.at[at++] = place[axis];
        }
    }
    *layout = made;
}

void stoa_onnx_layout_transpose(struct stoa_onnx_layout *layout, const size_t *order) {
    const struct stoa_onnx_layout old = *layout;
    size_t at = 0;
    for (size_t i = 0; i < old.rank; i++) {
        const size_t axis = order[i], begin = begin_of(&old, axis);
        layout->dim[i] = old.dim[axis];
        layout->parts[i] = old.parts[axis];
        for (size_t k = 0; k < old.parts[axis]; k++) {
            layout->at[at++] = old.at[begin + k];
        }
    }
}

size_t stoa_onnx_layout_count(const struct stoa_onnx_layout *layout) {
    size_t count = 1;
    for (size_t i = 0; i < layout->rank; i++) {
        count *= layout->dim[i];
    }
    return count;
}

/* Cut the atom at `place` of memory into `outer` and the rest, which comes behind it. */
static bool split(struct stoa_onnx_layout *layout, size_t place, size_t outer, size_t total) {
    if (layout->atoms == STOA_ONNX_ATOMS) {
        return false;
    }
    for (size_t i = layout->atoms; i > place + 1; i--) {
        layout->size[i] = layout->size[i - 1];
    }
    layout->size[place + 1] = layout->size[place] / outer;
    layout->size[place] = outer;
    layout->atoms++;
    size_t here = 0;
    for (size_t i = 0; i < total; i++) {
        layout->at[i] += layout->at[i] > place;
        here = layout->at[i] == place ? i : here;
    }
    for (size_t i = total; i > here + 1; i--) {
        layout->at[i] = layout->at[i - 1];
    }
    layout->at[here + 1] = place + 1;
    return true;
}

/* Give an axis of `dim` numbers the next atoms from `*next` on. */
static bool take_atoms(struct stoa_onnx_layout *layout, size_t dim, size_t *next, size_t *parts) {
    size_t left = dim;
    *parts = 0;
    while (left > 1) {
        if (*next == layout->atoms) {
            return false;
        }
        const size_t place = layout->at[*next], size = layout->size[place];
        if (left % size != 0) {
            if (size % left != 0 || !split(layout, place, left, layout->atoms)) {
                return false;
            }
            left = 1;
        } else {
            left /= size;
        }
        (*next)++;
        (*parts)++;
    }
    return true;
}

bool stoa_onnx_layout_reshape(struct stoa_onnx_layout *layout, size_t rank, const size_t *dim) {
    if (stoa_onnx_layout_is(layout, NULL)) {
        stoa_onnx_layout_make(layout, rank, dim, NULL);
        return true;
    }
    struct stoa_onnx_layout made = *layout;
    size_t next = 0;
    made.rank = rank;
    for (size_t i = 0; i < rank; i++) {
        made.dim[i] = dim[i];
        if (!take_atoms(&made, dim[i], &next, &made.parts[i])) {
            return false;
        }
    }
    *layout = made;
    return true;
}

/* The atoms that memory would have in this order, outermost first. */
static void wanted_atoms(const struct stoa_onnx_layout *layout, const size_t *order, size_t *atom) {
    size_t count = 0;
    for (size_t i = 0; i < layout->rank; i++) {
        const size_t axis = order ? order[i] : i, begin = begin_of(layout, axis);
        for (size_t k = 0; k < layout->parts[axis]; k++) {
            atom[count++] = layout->at[begin + k];
        }
    }
}

bool stoa_onnx_layout_is(const struct stoa_onnx_layout *layout, const size_t *order) {
    size_t atom[STOA_ONNX_ATOMS] = {0};
    wanted_atoms(layout, order, atom);
    for (size_t i = 0; i < layout->atoms; i++) {
        if (atom[i] != i) {
            return false;
        }
    }
    return true;
}

size_t stoa_onnx_layout_moves(const struct stoa_onnx_layout *layout, const size_t *order,
                              size_t size[STOA_ONNX_ATOMS], size_t next[STOA_ONNX_ATOMS]) {
    size_t atom[STOA_ONNX_ATOMS], block[STOA_ONNX_ATOMS], blocks = 0;
    wanted_atoms(layout, order, atom);
    /* An atom that stays behind its neighbour belongs to the neighbour's block. */
    for (size_t place = 0; place < layout->atoms; place++) {
        bool joins = false;
        for (size_t i = 1; i < layout->atoms; i++) {
            joins = joins || (atom[i] == place && place > 0 && atom[i - 1] == place - 1);
        }
        if (joins) {
            size[blocks - 1] *= layout->size[place];
        } else {
            size[blocks++] = layout->size[place];
        }
        block[place] = blocks - 1;
    }
    size_t count = 0;
    for (size_t i = 0; i < layout->atoms; i++) {
        if (count == 0 || next[count - 1] != block[atom[i]]) {
            next[count++] = block[atom[i]];
        }
    }
    return blocks;
}

bool stoa_onnx_layout_same(const struct stoa_onnx_layout *a, const struct stoa_onnx_layout *b) {
    struct stoa_onnx_layout left = *a, right = *b;
    if (left.atoms != right.atoms) {
        return stoa_onnx_layout_is(a, NULL) && stoa_onnx_layout_is(b, NULL);
    }
    return memcmp(left.size, right.size, left.atoms * sizeof *left.size) == 0 &&
           memcmp(left.at, right.at, left.atoms * sizeof *left.at) == 0;
}

/* The axis whose atoms begin at a place of memory; the rank when there is none. */
static size_t axis_at(const struct stoa_onnx_layout *layout, size_t place) {
    for (size_t axis = 0; axis < layout->rank; axis++) {
        if (layout->parts[axis] > 0 && layout->at[begin_of(layout, axis)] == place) {
            return axis;
        }
    }
    return layout->rank;
}

bool stoa_onnx_layout_order(const struct stoa_onnx_layout *layout, size_t order[STOA_ONNX_AXES]) {
    size_t count = 0;
    for (size_t place = 0; place < layout->atoms;) {
        const size_t axis = axis_at(layout, place);
        if (axis == layout->rank) {
            return false;
        }
        order[count++] = axis;
        for (size_t k = 0; k < layout->parts[axis]; k++) {
            if (layout->at[begin_of(layout, axis) + k] != place++) {
                return false;
            }
        }
    }
    for (size_t axis = 0; axis < layout->rank; axis++) {
        if (layout->parts[axis] == 0) {
            order[count++] = axis;
        }
    }
    return true;
}
