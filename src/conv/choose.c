/* SPDX-License-Identifier: MIT */
/* Which algorithm computes a convolution: the cheapest that can, or the one asked for. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"

/* At equal cost the first wins. */
const struct stoa_conv_algorithm *const stoa_conv_algorithms[] = {
    &stoa_conv_depthwise, &stoa_conv_pointwise, &stoa_conv_im2col,
    &stoa_conv_implicit,  &stoa_conv_planes,    &stoa_conv_winograd2,
    &stoa_conv_winograd4, &stoa_conv_winograd6, NULL};

const struct stoa_conv_algorithm *stoa_conv_choose(const stoa_context *context, const struct stoa_conv *conv,
                                                   enum stoa_conv_pass pass) {
    if (context->conv && context->conv->applicable(context, conv, pass)) {
        return context->conv;
    }
    const struct stoa_conv_algorithm *best = NULL;
    double least = 0;
    for (const struct stoa_conv_algorithm *const *at = stoa_conv_algorithms; *at; at++) {
        if ((*at)->applicable(context, conv, pass)) {
            double cost = (*at)->cost(context, conv, pass);
            if (!best || cost < least) {
                best = *at;
                least = cost;
            }
        }
    }
    return best;
}

stoa_status stoa_conv_refuse(stoa_context *context, const struct stoa_conv *conv, const char *what) {
    return stoa_fail(context, STOA_ERR_MEMORY,
                     "%s: the columns of one pixel take %zu bytes, and the context's workspace limit is %zu",
                     what, stoa_round_up(stoa_conv_column(conv) * sizeof(float), STOA_ALIGN_BYTES),
                     context->workspace_limit);
}

bool stoa_conv_plan(stoa_context *context, const struct stoa_conv *conv, const char *op, const char *layer,
                    const bool *wanted, const void **choice, size_t *bytes) {
    for (int pass = STOA_CONV_FORWARD; pass < STOA_CONV_PASSES; pass++) {
        const struct stoa_conv_algorithm *algorithm =
            stoa_conv_choose(context, conv, (enum stoa_conv_pass)pass);
        if (!algorithm) {
            char what[96];
            (void)snprintf(what, sizeof what, "%s '%s'", op, layer);
            (void)stoa_conv_refuse(context, conv, what);
            return false;
        }
        choice[pass] = algorithm;
        bytes[pass] = 0;
        if (wanted[pass] && !algorithm->workspace(context, conv, (enum stoa_conv_pass)pass, &bytes[pass])) {
            return false;
        }
    }
    return true;
}

stoa_status stoa_context_set_conv(stoa_context *context, const char *name) {
    char names[256] = "";
    size_t length = 0;
    if (!name) {
        context->conv = NULL;
        return STOA_OK;
    }
    for (const struct stoa_conv_algorithm *const *at = stoa_conv_algorithms; *at; at++) {
        if (strcmp((*at)->name, name) == 0) {
            context->conv = *at;
            return STOA_OK;
        }
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
                                   length == 0 ? ""
                                   : at[1]     ? ", "
                                               : " or ",
                                   (*at)->name);
        length = stoa_min(length, sizeof names - 1);
    }
    return stoa_fail(context, STOA_ERR_ARGUMENT, "conv: found '%.64s', expected %s", name, names);
}

const char *stoa_context_conv(const stoa_context *context) {
    return context->conv ? context->conv->name : NULL;
}
