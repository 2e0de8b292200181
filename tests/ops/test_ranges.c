/* SPDX-License-Identifier: MIT */
/* Operators that normalise, where floats are hard pressed: far from zero, constant, and near the ends of
 * their range; forward, backward and in evaluation, for every instruction set, against the double
 * reference. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

enum { SEED = 171 };

/* Of an array's largest value. */
static const double ERROR = 4e-6;

/* Inputs lie within `spread` of `offset`. */
static const struct range {
    float offset, spread;
} ranges[] = {
    {0, 1},         {1e4F, 1},      {-1e5F, 1},  {1e6F, 1},       {1e7F, 2},  {0, 0},
    {1e4F, 0},      {1e7F, 0},      {-1e10F, 0}, {3e38F, 0},      {0, 1e18F}, {0, 1e20F},
    {1e20F, 1e20F}, {1e25F, 1e19F}, {0, 1e30F},  {-1e36F, 1e36F}, {0, 1e38F}, {0, FLT_MAX},
};
enum { RANGES = sizeof ranges / sizeof *ranges };

static const struct one {
    const char *line;
    const char *input;
    size_t batch;
} layers[] = {
    {"batchnorm", "4x5x7", 3},
    {"batchnorm", "64", 33},
    {"batchnorm", "3x3x80", 50},
    {"layernorm", "2x3x70", 2},
    {"layernorm over=sample", "3x5x7", 4},
    {"layernorm affine=false", "2000", 3},
    {"std", "1500", 3},
    {"std unbiased=true", "7", 5},
};
enum { LAYERS = sizeof layers / sizeof *layers };

static void put_into(const struct harness *h, const struct range *range) {
    for (size_t i = 0; i < harness_x_size(h, 0); i++) {
        h->x[0][i] = range->offset + range->spread * h->x[0][i];
    }
    if (strcmp(h->layer->op->name, "batchnorm") == 0 && !h->setup.training) {
        for (size_t c = 0; c < harness_tensor_size(h, 2); c++) {
            h->tensor[2][c] = range->offset;
            h->tensor[3][c] = fminf(range->spread, 1e19F) * fminf(range->spread, 1e19F) / 3;
        }
    }
}

static void check(const struct harness *h, const struct range *range, const char *what, const float *found,
                  const double *expected, size_t count) {
    double error = harness_error(found, expected, count);
    if (!(error <= ERROR)) {
        fail_msg("%s in %g +- %g (%s, %s): %s differs from the reference by %.3g of its largest value",
                 h->layer->op->name, (double)range->offset, (double)range->spread,
                 stoa_isa_name(stoa_context_isa(h->context)), h->setup.training ? "training" : "evaluation",
                 what, error);
    }
}

static void check_gradients(struct harness *h, struct harness_reference *r, const struct range *range) {
    harness_backward(h);
    harness_reference_backward(r);
    /* Its largest value shrinks as deviations grow, until the smallest normal number, below which the engine
     * takes 0, is more than the error allowed. */
    if (range->spread <= 1e30F) {
        check(h, range, "dx", h->dx[0], r->dx[0], harness_x_size(h, 0));
    }
    for (size_t t = 0; t < h->layer->tensors; t++) {
        if (h->dtensor[t]) {
            check(h, range, h->layer->tensor[t].suffix, h->dtensor[t], r->dtensor[t],
                  harness_tensor_size(h, t));
        }
    }
}

static void check_range(stoa_context *context, const struct stoa_layer *layer, size_t batch, bool training,
                        const struct range *range) {
    struct harness h;
    struct harness_reference r;
    harness_open(&h, context, layer, &(struct harness_setup){.batch = batch, .training = training});
    harness_fill(&h, SEED);
    put_into(&h, range);
    harness_reference_open(&r, &h);
    harness_forward(&h);
    harness_reference_forward(&r);
    check(&h, range, "y", h.y, r.y, harness_y_size(&h));
    /* Running means; a running variance is a float, and infinite beyond. */
    for (size_t t = 2; training && t < layer->tensors; t++) {
        if (t == 2 || range->spread <= 1e18F) {
            check(&h, range, layer->tensor[t].suffix, h.tensor[t], r.tensor[t], harness_tensor_size(&h, t));
        }
    }
    if (training) {
        check_gradients(&h, &r, range);
    }
    harness_reference_close(&r);
    harness_close(&h);
}

static void normalised_in_all_ranges(void **state) {
    (void)state;
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        stoa_context *context;
        const stoa_context_options options = {.threads = 2, .highest_isa = (stoa_isa)isa, .limit_isa = true};
        assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
        for (size_t i = 0; i < LAYERS; i++) {
            struct stoa_layer layer;
            harness_layer(&layer, layers[i].line, (const char *[]){layers[i].input, NULL});
            for (size_t j = 0; j < RANGES; j++) {
                check_range(context, &layer, layers[i].batch, true, &ranges[j]);
                /* With given statistics x / deviation may leave the range by itself. */
                if (ranges[j].spread <= 1e36F) {
                    check_range(context, &layer, layers[i].batch, false, &ranges[j]);
                }
            }
            stoa_layer_clear(&layer);
        }
        stoa_context_free(context);
    }
}

/* Two values apart become -1 and 1 whatever their size, to the last bits, in every place of a vector. */
static void two_values_are_minus_one_and_one(void **state) {
    (void)state;
    static const float sizes[] = {1, 1e-3F, 1e10F, 1e20F, 1e30F, 1e38F, FLT_MAX};
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        stoa_context *context;
        const stoa_context_options options = {.threads = 1, .highest_isa = (stoa_isa)isa, .limit_isa = true};
        assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct stoa_layer layer;
            struct harness h;
            harness_layer(&layer, "layernorm affine=false epsilon=1e-12", (const char *[]){"38", NULL});
            harness_open(&h, context, &layer, &(struct harness_setup){.batch = 2, .training = true});
            for (size_t j = 0; j < harness_x_size(&h, 0); j++) {
                h.x[0][j] = j % 2 ? sizes[i] : -sizes[i];
            }
            harness_forward(&h);
            for (size_t j = 0; j < harness_y_size(&h); j++) {
                assert_true(fabsf(h.y[j] - (j % 2 ? 1.0F : -1.0F)) < 2e-6F);
            }
            harness_close(&h);
            stoa_layer_clear(&layer);
        }
        stoa_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalised_in_all_ranges),
        cmocka_unit_test(two_values_are_minus_one_and_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
