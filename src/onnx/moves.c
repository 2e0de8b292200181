/* SPDX-License-Identifier: MIT */
/* Numbers that have to lie in another order: layers that move them. */
#include <stdio.h>
#include <string.h>

#include "onnx/import.h"

/* Blocks of memory as they lie, and which of them comes when. */
struct moves {
    size_t blocks, size[STOA_ONNX_ATOMS], next[STOA_ONNX_ATOMS];
};

/* Up to three blocks are the axes of an image. */
static stoa_status permute(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                           const struct moves *moves) {
    size_t shape[3] = {1, 1, 1}, axis[3] = {0, 1, 2};
    const size_t first = 3 - moves->blocks;
    char options[32];
    for (size_t i = 0; i < moves->blocks; i++) {
        shape[first + i] = moves->size[i];
        axis[first + i] = first + moves->next[i];
    }
    /* By where each axis H, W, C of the result comes from: what the operator calls it. */
    static const struct {
        size_t axis[3];
        const char *name;
    } orders[] = {
        {{1, 0, 2}, "cwh"}, {{2, 1, 0}, "hcw"}, {{1, 2, 0}, "hwc"}, {{2, 0, 1}, "wch"}, {{0, 2, 1}, "whc"}};
    const char *name = "chw";
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        name = memcmp(orders[i].axis, axis, sizeof axis) == 0 ? orders[i].name : name;
    }
    stoa_status status = stoa_onnx_view(import, value, 3, shape);
    (void)snprintf(options, sizeof options, " order=%s", name);
    return status == STOA_OK ? stoa_onnx_insert(import, value, "permute", options) : status;
}

/* What is known as PixelShuffle, PixelUnshuffle and the like, when it is written out as Reshape, Transpose
 * and Reshape: blocks of an image H, W, C on one side, and squares of pixels on the other. */
struct exchange {
    const char *op, *mode;
    size_t block, shape[3];
};

static bool find_exchange(const struct moves *moves, struct exchange *out) {
    static const size_t swap[] = {0, 2, 1, 3}, shuffle[] = {0, 3, 1, 4, 2}, unshuffle[] = {0, 2, 4, 1, 3};
    const size_t *s = moves->size;
    if (moves->blocks == 4 && memcmp(moves->next, swap, sizeof swap) == 0) {
        if (s[3] % s[2] == 0) { /* H, W, then r and r * C */
            *out = (struct exchange){"depth_to_space", "dcr", s[2], {s[0], s[1], s[2] * s[3]}};
        } else { /* H, r, W, then r * C */
            *out = (struct exchange){"space_to_depth", "dcr", s[1], {s[0] * s[1], s[2] * s[1], s[3] / s[1]}};
        }
        return s[3] % s[2] == 0 || s[3] % s[1] == 0;
    }
    if (moves->blocks == 5 && memcmp(moves->next, shuffle, sizeof shuffle) == 0) {
        *out = (struct exchange){"depth_to_space", "crd", s[3], {s[0], s[1], s[2] * s[3] * s[4]}};
        return s[3] == s[4];
    }
    if (moves->blocks == 5 && memcmp(moves->next, unshuffle, sizeof unshuffle) == 0) {
        *out = (struct exchange){"space_to_depth", "crd", s[1], {s[0] * s[1], s[2] * s[3], s[4]}};
        return s[1] == s[3];
    }
    return false;
}

/* Let the blocks [begin, end) of memory come last. */
static stoa_status move_last(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                             struct moves *memory, size_t begin, size_t end) {
    const struct moves old = *memory;
    struct moves three = {3, {1, 1, 1}, {0, 2, 1}};
    size_t count = 0;
    for (size_t i = 0; i < old.blocks; i++) {
        three.size[i < begin ? 0 : i < end ? 1 : 2] *= old.size[old.next[i]];
        if (i < begin || i >= end) {
            memory->next[count++] = old.next[i];
        }
    }
    memcpy(memory->next + count, old.next + begin, (end - begin) * sizeof *old.next);
    return permute(import, value, &three);
}

/* Any order: the blocks behind the first are sent to the end, one after the other as they are wanted, those
 * that are neighbours together. */
static stoa_status permute_steps(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                                 const struct moves *moves) {
    struct moves memory = *moves;
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < memory.blocks; i++) {
        memory.next[i] = i;
    }
    for (size_t k = 1, run; k < memory.blocks && status == STOA_OK; k += run) {
        size_t place = 0;
        while (memory.next[place] != moves->next[k]) {
            place++;
        }
        run = 1;
        while (k + run < memory.blocks && place + run < memory.blocks &&
               memory.next[place + run] == moves->next[k + run]) {
            run++;
        }
        if (place + run < memory.blocks) {
            status = move_last(import, value, &memory, place, place + run);
        }
    }
    return status;
}

stoa_status stoa_onnx_bring(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                            const size_t *order) {
    struct moves moves;
    struct exchange exchange;
    stoa_status status;
    if (stoa_onnx_layout_is(&value->layout, order)) {
        return STOA_OK;
    }
    moves.blocks = stoa_onnx_layout_moves(&value->layout, order, moves.size, moves.next);
    if (moves.blocks <= 3) {
        status = permute(import, value, &moves);
    } else if (find_exchange(&moves, &exchange)) {
        char options[64];
        (void)snprintf(options, sizeof options, " block=%zu mode=%s", exchange.block, exchange.mode);
        status = stoa_onnx_view(import, value, 3, exchange.shape);
        status = status == STOA_OK ? stoa_onnx_insert(import, value, exchange.op, options) : status;
    } else {
        status = permute_steps(import, value, &moves);
    }
    if (status == STOA_OK) {
        size_t dim[STOA_ONNX_AXES];
        memcpy(dim, value->layout.dim, sizeof dim);
        stoa_onnx_layout_make(&value->layout, value->layout.rank, dim, order);
    }
    return status;
}
