/* SPDX-License-Identifier: MIT */
/* Which algorithm computes a convolution: the cheapest that can, or the one asked for. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "conv/operands.h"

/* At equal cost the first wins. */
#define ALGORITHM(X, name) &stoa_conv_##name,
const struct stoa_conv_algorithm *const stoa_conv_algorithms[] = {STOA_CONV_ALGORITHM_LIST(ALGORITHM, ) NULL};
#undef ALGORITHM

bool stoa_conv_plan_with(const stoa_context *context, const struct stoa_conv_algorithm *algorithm,
                         const struct stoa_conv *conv, enum stoa_conv_pass pass,
                         struct stoa_conv_plan *plan) {
    const unsigned native[] = {algorithm->native[pass], 0};
    for (size_t i = 0; i < 2 && (i == 0 || native[0] != 0); i++) {
        memset(plan, 0, sizeof *plan);
        plan->asked = *conv;
        plan->conv = stoa_conv_native_part(conv, pass, native[i]);
        plan->pass = pass;
        plan->algorithm = algorithm;
        if (algorithm->plan(context, plan)) {
            plan->cost *= stoa_cost_algorithm(context, plan);
            return stoa_conv_plan_operands(context, plan);
        }
    }
    return false;
}

/* The cheapest plan, or the forced algorithm's. */
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

bool stoa_conv_plan_layer(stoa_context *context, const struct stoa_conv *conv, const char *op,
                          const char *layer, const bool *wanted, struct stoa_conv_plan *plans) {
    char what[96];
    (void)snprintf(what, sizeof what, "%s '%s'", op, layer);
    for (int pass = STOA_CONV_FORWARD; pass < STOA_CONV_PASSES; pass++) {
        if (!wanted[pass]) {
            plans[pass] = (struct stoa_conv_plan){.pass = (enum stoa_conv_pass)pass};
        } else if (!stoa_conv_plan(context, conv, (enum stoa_conv_pass)pass, what, &plans[pass])) {
            return false;
        }
    }
    return true;
}

void stoa_conv_describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    if (plan->algorithm) {
        plan->algorithm->describe(plan, out, size);
    } else {
        (void)snprintf(out, size, "none");
    }
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
