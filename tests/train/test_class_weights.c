/* SPDX-License-Identifier: MIT */
/* Weighted cross entropy against PyTorch's formula, written out: a step's loss and gradient, and the mean
 * over a whole set in batches that do not divide it. */
#include <math.h>
#include <string.h>

#include <stoa/train.h>

#include "../base/cmocka_prelude.h"
#include "base/random.h"

enum { SAMPLES = 23, INPUTS = 5, CLASSES = 4, WEIGHTS = INPUTS * CLASSES };

static float inputs[SAMPLES * INPUTS];
static int32_t labels[SAMPLES];
static const double class_weight[CLASSES] = {1, 2.5, 0.5, 7};

static void make_samples(void) {
    for (size_t i = 0; i < SAMPLES * INPUTS; i++) {
        inputs[i] = stoa_random_unit(stoa_philox(3, i, 1).word[0]) * 4 - 2;
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = (int32_t)(stoa_philox(3, i, 2).word[0] % CLASSES);
    }
}

/* torch.nn.functional.cross_entropy(x W^T, labels, weight, label_smoothing=smoothing, reduction="mean") of
 * the samples from `first` on: l(n) = -(1 - s) w[y] log p[y] - s / K sum over c of w[c] log p[c], and sum
 * l(n) / sum w[y(n)]; or, by samples, / N. */
static double expected_loss(const double *matrix, size_t first, size_t samples, double smoothing,
                            bool by_weights) {
    double sum = 0;
    double weights = 0;
    for (size_t n = first; n < first + samples; n++) {
        double logit[CLASSES];
        double total = 0;
        for (size_t c = 0; c < CLASSES; c++) {
            logit[c] = 0;
            for (size_t i = 0; i < INPUTS; i++) {
                logit[c] += matrix[c * INPUTS + i] * (double)inputs[n * INPUTS + i];
            }
            total += exp(logit[c]);
        }
        for (size_t c = 0; c < CLASSES; c++) {
            double share = smoothing / CLASSES + ((size_t)labels[n] == c ? 1 - smoothing : 0);
            sum -= share * class_weight[c] * (logit[c] - log(total));
        }
        weights += class_weight[labels[n]];
    }
    return sum / (by_weights ? weights : (double)samples);
}

static void assert_near(double found, double right) {
    if (!(fabs(found - right) <= 5e-6 * (1 + fabs(right)))) {
        fail_msg("found %.9g, PyTorch's formula gives %.9g", found, right);
    }
}

struct net {
    stoa_context *context;
    stoa_model *model;
    double matrix[WEIGHTS];
};

static void open_net(struct net *net) {
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = 2}, &net->context), STOA_OK);
    assert_int_equal(stoa_model_create(net->context, &net->model), STOA_OK);
    stoa_model_input(net->model, 1, 1, INPUTS);
    stoa_model_add(net->model, "l", "linear units=4 bias=false");
    assert_int_equal(stoa_model_build(net->model), STOA_OK);
    assert_int_equal(stoa_model_init(net->model, 9), STOA_OK);
    float values[WEIGHTS];
    assert_int_equal(stoa_model_get_tensor(net->model, 0, values, WEIGHTS), STOA_OK);
    for (size_t i = 0; i < WEIGHTS; i++) {
        net->matrix[i] = (double)values[i];
    }
}

static void close_net(struct net *net) {
    stoa_model_free(net->model);
    stoa_context_free(net->context);
}

static const struct loss_case {
    const char *line;
    double smoothing;
    bool by_weights;
} losses[] = {
    {"softmax_cross_entropy weights=1,2.5,0.5,7", 0, false},
    {"softmax_cross_entropy weights=1,2.5,0.5,7 mean=samples smoothing=0.25", 0.25, false},
    {"softmax_cross_entropy weights=1,2.5,0.5,7 mean=weights", 0, true},
    {"softmax_cross_entropy weights=1,2.5,0.5,7 mean=weights smoothing=0.25", 0.25, true},
};
enum { LOSSES = sizeof losses / sizeof *losses };

static void steps_are_pytorchs(void **state) {
    (void)state;
    struct net net;
    open_net(&net);
    for (size_t i = 0; i < LOSSES; i++) {
        const struct loss_case *l = &losses[i];
        stoa_plan *plan = NULL;
        const stoa_plan_options options = {.batch = SAMPLES, .training = true, .loss = l->line};
        assert_int_equal(stoa_plan_create(net.context, net.model, &options, &plan), STOA_OK);
        assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
        for (size_t samples = 1; samples <= SAMPLES; samples += 11) {
            memcpy(stoa_plan_input(plan), inputs, samples * INPUTS * sizeof *inputs);
            double loss;
            float gradient[WEIGHTS];
            assert_int_equal(
                stoa_plan_train(plan, samples, (stoa_targets){.labels = labels}, 0, 0, &loss, NULL), STOA_OK);
            assert_near(loss, expected_loss(net.matrix, 0, samples, l->smoothing, l->by_weights));
            assert_int_equal(stoa_plan_get_gradient(plan, 0, gradient, WEIGHTS), STOA_OK);
            for (size_t w = 0; w < WEIGHTS; w++) {
                double moved[2][WEIGHTS];
                memcpy(moved[0], net.matrix, sizeof net.matrix);
                memcpy(moved[1], net.matrix, sizeof net.matrix);
                moved[0][w] += 1e-6;
                moved[1][w] -= 1e-6;
                double right = (expected_loss(moved[0], 0, samples, l->smoothing, l->by_weights) -
                                expected_loss(moved[1], 0, samples, l->smoothing, l->by_weights)) /
                               2e-6;
                assert_near((double)gradient[w], right);
            }
        }
        stoa_plan_free(plan);
    }
    close_net(&net);
}

/* In batches of 5, the last of 3, the mean is that of the whole. */
static void sets_are_weighed_as_a_whole(void **state) {
    (void)state;
    struct net net;
    open_net(&net);
    stoa_dataset *data = NULL;
    assert_int_equal(
        stoa_dataset_from_arrays(net.context, inputs, labels, SAMPLES, 1, 1, INPUTS, CLASSES, &data),
        STOA_OK);
    for (size_t i = 0; i < LOSSES; i++) {
        stoa_evaluation found;
        assert_int_equal(stoa_evaluate(net.context, net.model, data, 5, losses[i].line, &found), STOA_OK);
        double right = expected_loss(net.matrix, 0, SAMPLES, losses[i].smoothing, losses[i].by_weights);
        assert_near(found.loss, right);
    }
    stoa_dataset_free(data);
    close_net(&net);
}

/* PyTorch divides 0 by 0 where no sample of a batch weighs anything: there is nothing to learn from it
 * here. */
static void batches_without_weight_change_nothing(void **state) {
    (void)state;
    struct net net;
    open_net(&net);
    stoa_plan *plan = NULL;
    const stoa_plan_options options = {
        .batch = 3, .training = true, .loss = "softmax_cross_entropy weights=0,1,1,1 mean=weights"};
    assert_int_equal(stoa_plan_create(net.context, net.model, &options, &plan), STOA_OK);
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    memcpy(stoa_plan_input(plan), inputs, 3 * INPUTS * sizeof *inputs);
    const int32_t zeros[3] = {0, 0, 0};
    double loss;
    float gradient[WEIGHTS];
    assert_int_equal(stoa_plan_train(plan, 3, (stoa_targets){.labels = zeros}, 0, 0, &loss, NULL), STOA_OK);
    assert_true(loss == 0);
    assert_int_equal(stoa_plan_get_gradient(plan, 0, gradient, WEIGHTS), STOA_OK);
    for (size_t w = 0; w < WEIGHTS; w++) {
        assert_true(gradient[w] == 0);
    }
    stoa_plan_free(plan);
    close_net(&net);
}

static void ignore(void *user, const stoa_gradcheck_result *result) {
    *(bool *)user = *(bool *)user && result->passed;
}

static void gradients_pass_the_check(void **state) {
    (void)state;
    struct net net;
    open_net(&net);
    bool passed = true;
    const stoa_gradcheck_options options = {.batch = 6, .loss = losses[3].line};
    assert_int_equal(stoa_gradcheck(net.context, net.model, &options, ignore, &passed), STOA_OK);
    assert_true(passed);
    close_net(&net);
}

int main(void) {
    make_samples();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_pytorchs),
        cmocka_unit_test(sets_are_weighed_as_a_whole),
        cmocka_unit_test(batches_without_weight_change_nothing),
        cmocka_unit_test(gradients_pass_the_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
