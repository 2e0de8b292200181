/* SPDX-License-Identifier: MIT */
/* What the reference files share: the type `real`, names and prototypes.
 *
 * References are the definitions written as loops, with no thought of speed: the fast kernels are tested
 * against them and the bench is measured from them. Each file is compiled twice, with STOA_REAL float and
 * STOA_REAL_NAME f32, and with double and f64. */
#ifndef STOA_KERNELS_REF_REF_H
#define STOA_KERNELS_REF_REF_H

#include "kernels/kernels.h"

typedef STOA_REAL real;

#define STOA_REFERENCE_JOIN(slot, name) stoa_reference_##slot##_##name
#define STOA_REFERENCE_EXPANDED(slot, name) STOA_REFERENCE_JOIN(slot, name)
#define STOA_REFERENCE(slot) STOA_REFERENCE_EXPANDED(slot, STOA_REAL_NAME)

#define STOA_REFERENCE_PROTOTYPE(slot, signature) void STOA_REFERENCE(slot) signature;
STOA_KERNEL_LIST(STOA_REFERENCE_PROTOTYPE, real)
STOA_REFERENCE_LIST(STOA_REFERENCE_PROTOTYPE, real)
#undef STOA_REFERENCE_PROTOTYPE

/* The pixel of one image that tap (kh, kw) of output pixel (oh, ow) reads; false (and 0) when it is padding.
 */
static inline bool stoa_tap(const struct stoa_window *w, size_t oh, size_t ow, size_t kh, size_t kw,
                            size_t *pixel) {
    size_t ih = oh * w->stride_height + kh * w->dilation_height;
    size_t iw = ow * w->stride_width + kw * w->dilation_width;
    if (ih < w->pad_top || ih - w->pad_top >= w->height || iw < w->pad_left || iw - w->pad_left >= w->width) {
        *pixel = 0;
        return false;
    }
    *pixel = (ih - w->pad_top) * w->width + (iw - w->pad_left);
    return true;
}

#endif
