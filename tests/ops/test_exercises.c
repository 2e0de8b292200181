/* SPDX-License-Identifier: MIT */
/* Two exercises whose answers are known by hand: the cross entropy of three samples, and the gradient of a
 * standard deviation. */
#include <math.h>
#include <string.h>

#include "harness.h"

static stoa_context *context;

static int open_context(void **state) {
    (void)state;
    return stoa_context_create(NULL, &context) == STOA_OK ? 0 : -1;
}

static int close_context(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

/* Samples of the first, second and third class, with the outputs of a network. */
static const float outputs[3][3] = {{0.65F, 0.43F, 0.11F}, {0.05F, 0.51F, 0.18F}, {0.33F, 0.21F, 0.72F}};

static double mean_loss(const char *line) {
    struct stoa_layer layer;
    struct harness h;
    harness_layer(&layer, line, (const char *[]){"3", NULL});
    harness_open(&h, context, &layer, &(struct harness_setup){.batch = 3, .training = true});
    memcpy(h.x[0], outputs, sizeof outputs);
    memcpy(h.labels, (const int32_t[]){0, 1, 2}, 3 * sizeof(int32_t));
    harness_forward(&h);
    double mean = ((double)h.y[0] + (double)h.y[1] + (double)h.y[2]) / 3;
    harness_close(&h);
    stoa_layer_clear(&layer);
    return mean;
}

static void outputs_read_as_probabilities(void **state) {
    (void)state;
    assert_true(fabs(mean_loss("cross_entropy") - 0.47754) < 5e-6);
}

static void outputs_read_as_logits(void **state) {
    (void)state;
    assert_true(fabs(mean_loss("softmax_cross_entropy") - 0.84897) < 5e-6);
}

static void gradient_of_a_standard_deviation(void **state) {
    (void)state;
    struct stoa_layer layer;
    struct harness h;
    harness_layer(&layer, "std", (const char *[]){"2", NULL});
    harness_open(&h, context, &layer, &(struct harness_setup){.batch = 1, .training = true});
    h.x[0][0] = -1;
    h.x[0][1] = 3;
    h.dy[0] = 1;
    harness_forward(&h);
    harness_backward(&h);
    assert_true(h.y[0] == 2);
    assert_true(h.dx[0][0] == -0.5F && h.dx[0][1] == 0.5F);
    harness_close(&h);
    stoa_layer_clear(&layer);
}

/* Equal values have no direction of steepest change. */
static void no_deviation_has_no_gradient(void **state) {
    (void)state;
    struct stoa_layer layer;
    struct harness h;
    harness_layer(&layer, "std", (const char *[]){"3", NULL});
    harness_open(&h, context, &layer, &(struct harness_setup){.batch = 1, .training = true});
    h.x[0][0] = h.x[0][1] = h.x[0][2] = 0.1F;
    h.dy[0] = 1;
    harness_forward(&h);
    harness_backward(&h);
    assert_true(h.y[0] == 0 && h.dx[0][0] == 0 && h.dx[0][1] == 0 && h.dx[0][2] == 0);
    harness_close(&h);
    stoa_layer_clear(&layer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_read_as_probabilities),
        cmocka_unit_test(outputs_read_as_logits),
        cmocka_unit_test(gradient_of_a_standard_deviation),
        cmocka_unit_test(no_deviation_has_no_gradient),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
