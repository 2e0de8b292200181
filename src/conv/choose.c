/* SPDX-License-Identifier: MIT */
/* The choice of a convolution's algorithm: the cheapest that can compute it, or the one asked for. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"

/* Where costs are equal, the first one wins. */
#define ALGORITHM(X, name) &stoa_conv_##name,
const struct stoa_conv_algorithm *const stoa_conv_algorithms[] = {STOA_CONV_ALGORITHM_LIST(ALGORITHM, ) NULL};
#undef ALGORITHM

/* Make the cheapest plan, or that of the forced algorithm. */
static bool plan_best(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      struct stoa_conv_plan *plan) {
    if (context->conv && stoa_conv_plan_with(context, context->conv, conv, pass, plan)) {
        return true;
    }
    bool found = false;
    for (const struct stoa_conv_algorithm *const *at = stoa_conv_algorithms; *at; at++) {
        struct stoa_conv_plan other;
        if (stoa_conv_plan_with(context, *at, conv, pass, &other) && (!found || other.cost < plan->cost)) {
            *plan = other;
            found = true;
        }
    }
    return found;
}

bool stoa_conv_plan(stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                    const char *what, struct stoa_conv_plan *plan) {
    if (plan_best(context, conv, pass, plan)) {
        return true;
    }
    size_t least = stoa_round_up(stoa_conv_column(conv) * sizeof(float), STOA_ALIGN_BYTES);
    if (least > context->workspace_limit) {
        (void)stoa_fail(
            context, STOA_ERR_MEMORY,
            "%s: the columns of one pixel take %zu bytes, and the context's workspace limit is %zu", what,
            least, context->workspace_limit);
    } else {
        (void)stoa_fail(context, STOA_ERR_SHAPE, "%s: the size of the workspace overflows", what);
    }
    return false;
}

void stoa_conv_describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    if (plan->algorithm) {
        plan->algorithm->describe(plan, out, size);
    } else {
        (void)snprintf(out, size, "none");
    }
}

stoa_status stoa_context_set_conv(stoa_context *context, const char *name) {
#define LISTED(X, name) ", " #name
    static const char names[] = STOA_CONV_ALGORITHM_LIST(LISTED, );
#undef LISTED
    const struct stoa_conv_algorithm *const *at = stoa_conv_algorithms;
    while (name && *at && strcmp((*at)->name, name) != 0) {
        at++;
    }
    if (name && !*at) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "conv: found '%.64s', expected one of %s", name,
                         names + strlen(", "));
    }
    context->conv = name ? *at : NULL;
    return STOA_OK;
}

const char *stoa_context_conv(const stoa_context *context) {
    return context->conv ? context->conv->name : NULL;
}
