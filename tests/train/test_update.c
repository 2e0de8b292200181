/* SPDX-License-Identifier: MIT */
/* Clipping and the moving average against their formulas in double, and the same bits on any number of
 * threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "train/trainer.h"

/* Enough parameters for a tree of sums: several pieces, of a number that is no power of two. */
enum { BATCH = 5, INPUTS = 64, STEPS = 12 };

static float input[BATCH * INPUTS];
static const int32_t labels[BATCH] = {0, 1, 2, 3, 0};

static stoa_context *make_context(size_t threads) {
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = threads}, &context), STOA_OK);
    return context;
}

static stoa_model *make_model(stoa_context *context) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, INPUTS);
    stoa_model_add(model, "l1", "linear units=1200");
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "l2", "linear units=4");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 4), STOA_OK);
    return model;
}

static stoa_trainer *make_trainer(stoa_context *context, stoa_model *model, stoa_train_options options) {
    options.batch = BATCH;
    options.learning_rate = 0.125F;
    stoa_trainer *trainer = NULL;
    assert_int_equal(stoa_trainer_create(context, model, &options, STEPS, &trainer), STOA_OK);
    return trainer;
}

/* Another input each step. */
static void fill_input(stoa_trainer *trainer, size_t step) {
    for (size_t i = 0; i < (size_t)BATCH * INPUTS; i++) {
        input[i] = sinf((float)(i + 31 * step) * 1.7F);
    }
    memcpy(stoa_plan_input(trainer->plan), input, sizeof input);
}

static void make_step(stoa_trainer *trainer, size_t step) {
    double loss;
    fill_input(trainer, step);
    assert_int_equal(stoa_trainer_step(trainer, BATCH, (stoa_targets){.labels = labels}, &loss, NULL),
                     STOA_OK);
}

static void expect_close(const char *what, size_t step, const float *found, const double *expected,
                         size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!(fabs((double)found[i] - expected[i]) <= 1e-6 * (1 + fabs(expected[i])))) {
            fail_msg("%s: step %zu, number %zu is %.9g, expected %.9g", what, step, i, (double)found[i],
                     expected[i]);
        }
    }
}

/* What a step of sgd has to be: gradients from another trainer's plan on the same parameters, clipped
 * here. */
struct followed {
    stoa_trainer *trainer, *other;
    size_t count, statistics;
    double *p, *gradient, *average, *average_statistics;
    bool clipped;
};

static void expect_step(struct followed *f, const struct stoa_train_settings *s, size_t step) {
    double loss;
    double norm = 0;
    stoa_model *model = f->trainer->model;
    memcpy(stoa_model_change(f->other->model), model->parameters, f->count * sizeof(float));
    fill_input(f->other, step);
    assert_int_equal(
        stoa_plan_train(f->other->plan, BATCH, (stoa_targets){.labels = labels}, 0, step, &loss, NULL),
        STOA_OK);
    const float *gradient = stoa_plan_gradients(f->other->plan);
    double limit = s->options.clip_value > 0 ? (double)s->options.clip_value : (double)INFINITY;
    for (size_t i = 0; i < f->count; i++) {
        double g = fmax(fmin((double)gradient[i], limit), -limit);
        f->clipped = f->clipped || g != (double)gradient[i];
        norm += g * g;
    }
    norm = sqrt(norm);
    double scale = s->options.clip_norm > 0 ? fmin(1, (double)s->options.clip_norm / (norm + 1e-6)) : 1;
    f->clipped = f->clipped || scale < 1;
    for (size_t i = 0; i < f->count; i++) {
        double g = fmax(fmin((double)gradient[i], limit), -limit);
        f->gradient[i] = scale * g;
        f->p[i] = (double)model->parameters[i] - 0.125 * scale * g;
    }
}

static void expect_average(struct followed *f, double keep, size_t step) {
    double rising = (1 + (double)step) / (10 + (double)step);
    double d = step == 0 ? 0 : fmin(keep, rising);
    for (size_t i = 0; i < f->count; i++) {
        f->average[i] = d * f->average[i] + (1 - d) * f->p[i];
    }
    for (size_t i = 0; i < f->statistics; i++) {
        f->average_statistics[i] =
            d * f->average_statistics[i] + (1 - d) * (double)f->trainer->model->statistics[i];
    }
}

static void follow(stoa_train_options options, bool clips) {
    stoa_context *context = make_context(2);
    stoa_model *model = make_model(context);
    stoa_model *other = make_model(context);
    options.optimizer = "sgd";
    struct followed f = {.trainer = make_trainer(context, model, options),
                         .other = make_trainer(context, other, (stoa_train_options){.optimizer = "sgd"}),
                         .count = model->parameter_floats,
                         .statistics = model->statistic_floats};
    assert_true(f.trainer->piece_count > 5);
    f.p = calloc(f.count, sizeof *f.p);
    f.gradient = calloc(f.count, sizeof *f.gradient);
    f.average = calloc(f.count, sizeof *f.average);
    f.average_statistics = calloc(f.statistics, sizeof *f.average_statistics);
    assert_true(f.p && f.gradient && f.average && f.average_statistics);
    for (size_t step = 0; step < STEPS; step++) {
        expect_step(&f, &f.trainer->settings, step);
        make_step(f.trainer, step);
        expect_close("parameters", step, model->parameters, f.p, f.count);
        expect_close("clipped gradients", step, stoa_plan_gradients(f.trainer->plan), f.gradient, f.count);
        if (options.average > 0) {
            expect_average(&f, (double)options.average, step);
            expect_close("average", step, stoa_trainer_average(f.trainer), f.average, f.count);
            expect_close("statistics", step, f.trainer->average_statistics, f.average_statistics,
                         f.statistics);
        }
    }
    assert_int_equal(f.clipped, clips);
    free(f.p);
    free(f.gradient);
    free(f.average);
    free(f.average_statistics);
    stoa_trainer_free(f.trainer);
    stoa_trainer_free(f.other);
    stoa_model_free(model);
    stoa_model_free(other);
    stoa_context_free(context);
}

static void follows_the_formulas(void **state) {
    (void)state;
    follow((stoa_train_options){.clip_norm = 0}, false);
    follow((stoa_train_options){.clip_norm = 0.25F}, true);
    follow((stoa_train_options){.clip_norm = 1e6F, .clip_value = 1e6F}, false);
    follow((stoa_train_options){.clip_value = 0.01F}, true);
    follow((stoa_train_options){.clip_value = 0.01F, .clip_norm = 0.125F}, true);
    follow((stoa_train_options){.average = 0.25F}, false);
    follow((stoa_train_options){.average = 0.5F, .clip_norm = 0.25F}, true);
}

static void same_on_any_number_of_threads(const char *optimizer) {
    const size_t threads[] = {1, 2, 3, 7};
    const stoa_train_options options = {
        .optimizer = optimizer, .clip_norm = 0.5F, .clip_value = 0.01F, .average = 0.75F};
    float *expected = NULL;
    for (size_t i = 0; i < 4; i++) {
        stoa_context *context = make_context(threads[i]);
        stoa_model *model = make_model(context);
        stoa_trainer *trainer = make_trainer(context, model, options);
        size_t bytes = model->parameter_floats * sizeof(float);
        for (size_t step = 0; step < STEPS; step++) {
            make_step(trainer, step);
        }
        float *both = malloc(2 * bytes);
        assert_non_null(both);
        memcpy(both, model->parameters, bytes);
        memcpy(both + model->parameter_floats, stoa_trainer_average(trainer), bytes);
        if (expected) {
            assert_memory_equal(both, expected, 2 * bytes);
            free(both);
        } else {
            expected = both;
        }
        stoa_trainer_free(trainer);
        stoa_model_free(model);
        stoa_context_free(context);
    }
    free(expected);
}

static void is_the_same_on_any_number_of_threads(void **state) {
    (void)state;
    same_on_any_number_of_threads("rmsprop momentum=0.5 decay=0.01");
    same_on_any_number_of_threads("muon decay=0.01");
}

/* Where all but weights that come whole stands still: those are known by what moves. A gradient of BATCH
 * samples has at most so many directions, and a step goes equally far, about 1, along each. */
static void takes_weights_whole_but_the_last(void **state) {
    (void)state;
    stoa_context *context = make_context(2);
    stoa_model *model = make_model(context);
    const stoa_train_options options = {.optimizer = "muon rest=0", .lr_scale = "l1=0.5"};
    stoa_trainer *trainer = make_trainer(context, model, options);
    size_t bytes = model->parameter_floats * sizeof(float);
    float *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, model->parameters, bytes);
    make_step(trainer, 0);
    double rate = 0.125 * 0.5 * sqrt(1200.0 / INPUTS);
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        double sum = 0;
        for (size_t k = 0; tensor->spec.trainable && k < tensor->count; k++) {
            double moved = (double)(model->parameters[tensor->offset + k] - before[tensor->offset + k]);
            sum += moved / rate * (moved / rate);
        }
        bool whole = strcmp(tensor->name, "l1.weight") == 0;
        if (whole ? sum < 0.5 * (BATCH - 2) || sum > 1.5 * BATCH : sum != 0) {
            fail_msg("%s moves by a square of %g", tensor->name, sum);
        }
    }
    free(before);
    stoa_trainer_free(trainer);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* The average stands in the model only while it is asked for, and a step goes on with what is trained. */
static void lends_the_average_to_the_model(void **state) {
    (void)state;
    stoa_context *context = make_context(1);
    stoa_model *models[2];
    stoa_trainer *trainers[2];
    for (size_t i = 0; i < 2; i++) {
        models[i] = make_model(context);
        trainers[i] = make_trainer(context, models[i], (stoa_train_options){.average = 0.9F});
    }
    size_t bytes = models[0]->parameter_floats * sizeof(float);
    size_t statistics = models[0]->statistic_floats * sizeof(float);
    stoa_trainer_use_average(trainers[0], true); /* there is none yet */
    assert_memory_equal(models[0]->parameters, models[1]->parameters, bytes);
    for (size_t step = 0; step < 6; step++) {
        make_step(trainers[0], step);
        make_step(trainers[1], step);
        assert_memory_equal(models[0]->parameters, models[1]->parameters, bytes);
        stoa_trainer_use_average(trainers[0], true);
        stoa_trainer_use_average(trainers[0], true);
        assert_memory_equal(models[0]->parameters, stoa_trainer_average(trainers[1]), bytes);
        assert_memory_equal(models[0]->statistics, trainers[1]->average_statistics, statistics);
    }
    assert_memory_not_equal(models[0]->parameters, models[1]->parameters, bytes);
    /* The model keeps what it holds. */
    stoa_trainer_free(trainers[0]);
    assert_memory_equal(models[0]->parameters, stoa_trainer_average(trainers[1]), bytes);
    stoa_trainer_free(trainers[1]);
    stoa_model_free(models[0]);
    stoa_model_free(models[1]);
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_formulas),
        cmocka_unit_test(is_the_same_on_any_number_of_threads),
        cmocka_unit_test(takes_weights_whole_but_the_last),
        cmocka_unit_test(lends_the_average_to_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
