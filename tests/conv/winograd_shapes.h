/* SPDX-License-Identifier: MIT */
/* What the tests of Winograd's convolution share: shapes, contexts and the algorithms. */
#ifndef TESTS_CONV_WINOGRAD_SHAPES_H
#define TESTS_CONV_WINOGRAD_SHAPES_H

#include "../base/cmocka_prelude.h"
#include "conv/conv.h"
#include "conv/winograd_pass.h"
#include "tests/conv/strided.h"

enum { PASSES = 3 };

static const struct stoa_conv_algorithm *const algorithms[] = {&stoa_conv_winograd2, &stoa_conv_winograd4,
                                                               &stoa_conv_winograd6};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

static inline stoa_context *make_context(size_t threads, size_t limit, stoa_isa isa) {
    stoa_context *context = NULL;
    stoa_context_options options = {
        .threads = threads, .workspace_limit = limit, .limit_isa = true, .highest_isa = isa};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    return context;
}

static inline bool applicable(const stoa_context *context, const struct stoa_conv_algorithm *algorithm,
                              const struct stoa_conv *conv, size_t pass) {
    struct stoa_conv_plan plan;
    return stoa_conv_plan_with(context, algorithm, conv, (enum stoa_conv_pass)pass, &plan);
}

static inline struct stoa_conv shape(size_t batch, size_t channels, size_t height, size_t width,
                                     size_t filters, size_t pad, size_t more) {
    return strided(3, 1, batch, channels, height, width, filters, pad, more);
}

#endif
