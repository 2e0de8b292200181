/* SPDX-License-Identifier: MIT */
/* The weight of the implicit algorithm in panels: columns that are no whole vectors, bands for groups of
 * pixels, the turned kernels of backward data. */
#include <string.h>

#include "base/size.h"
#include "conv/implicit.h"
#include "core/threads.h"

struct packing {
    const stoa_context *context;
    const struct stoa_implicit_plan *plan;
    const float *weight;
    float *packed;
};

/* Tap (i, j) of a phase's patches: the channels by the columns of a panel from `first` on. */
static void pack_tap(const struct packing *p, const struct stoa_implicit_phase *f, size_t i, size_t j,
                     size_t first, size_t width, float *out) {
    const struct stoa_implicit_plan *plan = p->plan;
    const struct stoa_conv *conv = &plan->layout.conv;
    size_t group = plan->layout.group;
    size_t channels = conv->window.channels;
    size_t filters = conv->filters;
    size_t taps = f->across - (group - 1) * conv->window.stride_width; /* of one pixel */
    size_t count = stoa_min(width, filters - first);
    if (group > 1 || count < width) {
        memset(out, 0, channels * width * sizeof *out);
    }
    for (size_t g = 0; g < group; g++) {
        size_t at = j - g * conv->window.stride_width; /* wraps to the left of the window */
        if (at >= taps) {
            continue;
        }
        if (plan->turned) {
            size_t line = f->tap_row + (f->down - 1 - i) * plan->stride_height;
            size_t column = f->tap_column + (taps - 1 - at) * plan->stride_width;
            const float *weight =
                p->weight + ((line * plan->kernel_width + column) * filters + first) * channels;
            p->context->kernels->transpose(weight, count, channels, channels, out + g * filters, width);
        } else {
            p->context->kernels->copy_rows(p->weight + (i * taps + at) * channels * filters + first, channels,
                                           count, filters, out + g * filters, width);
        }
    }
}

/* One tap of all phases' in all panels. */
static void pack_taps(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct packing *p = argument;
    const struct stoa_implicit_plan *plan = p->plan;
    size_t channels = plan->layout.conv.window.channels;
    size_t panel = task % stoa_ceil_div(plan->stride, STOA_IMPLICIT_PANEL) * STOA_IMPLICIT_PANEL;
    size_t tap = task / stoa_ceil_div(plan->stride, STOA_IMPLICIT_PANEL);
    const struct stoa_implicit_phase *f = plan->phase;
    while (tap >= f->down * f->across) {
        tap -= f->down * f->across;
        f++;
    }
    size_t width = stoa_min(STOA_IMPLICIT_PANEL, plan->stride - panel);
    pack_tap(p, f, tap / f->across, tap % f->across, panel, width,
             p->packed + f->begin * plan->stride + panel * f->terms + tap * channels * width);
}

void stoa_implicit_pack(const stoa_context *context, const struct stoa_implicit_plan *plan,
                        const float *weight, float *packed) {
    struct packing packing = {.context = context, .plan = plan, .weight = weight, .packed = packed};
    size_t panels = stoa_ceil_div(plan->stride, STOA_IMPLICIT_PANEL);
    if (plan->packs) {
        stoa_parallel(context, plan->terms / plan->layout.conv.window.channels * panels, pack_taps, &packing);
    }
}
