/* SPDX-License-Identifier: MIT */
/* Channels and squares of pixels that become each other: what depth_to_space and space_to_depth share.
 *
 * A deep image (N, H, W, C * block * block) and a wide one (N, H * block, W * block, C) hold the same
 * numbers. Number c of the wide pixel (i, j) of a square is channel (i * block + j) * C + c of the deep one
 * with mode=dcr, and (c * block + i) * block + j with mode=crd (ONNX's names; PyTorch's pixel_shuffle is
 * crd). */
#ifndef STOA_OPS_DEPTH_SPACE_H
#define STOA_OPS_DEPTH_SPACE_H

#include "ops/op.h"

struct stoa_depth_space_options {
    size_t block, mode;
};

extern const char *const stoa_depth_space_modes[];

#define STOA_DEPTH_SPACE_OPTION_TABLE                                                                        \
    {"block", STOA_OPTION_SIZE, offsetof(struct stoa_depth_space_options, block), NULL, 1, 4096, NULL}, {    \
        "mode", STOA_OPTION_CHOICE, offsetof(struct stoa_depth_space_options, mode), "dcr", 0, 0,            \
            stoa_depth_space_modes                                                                           \
    }

/* Move a batch from one form to the other; `deep` and `wide` are their shapes. */
void stoa_depth_to_space(const struct stoa_op_run *run, const struct stoa_shape *deep,
                         const struct stoa_shape *wide, const float *from, float *to);
void stoa_space_to_depth(const struct stoa_op_run *run, const struct stoa_shape *deep,
                         const struct stoa_shape *wide, const float *from, float *to);
void stoa_depth_space_reference(const struct stoa_op_reference *run, const struct stoa_shape *deep,
                                const struct stoa_shape *wide, bool to_space, const double *from, double *to);

#endif
