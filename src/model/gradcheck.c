/* SPDX-License-Identifier: MIT */
/* Gradients of a whole network checked: the double reference's against finite differences of its loss, the
 * fast passes' against the double reference. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/random.h"
#include "base/size.h"
#include "model/reference.h"

/* Finite differences: steps to both sides, the next one where the one before is too far off. Truncation grows
 * with a step's square, rounding with its inverse, and a long step may cross the bend of a ReLU or another
 * maximum. */
static const double steps[] = {1e-5, 1e-6, 1e-7, 1e-8};
enum { STEPS = sizeof steps / sizeof *steps };

/* A tensor whose gradients are all but zero is measured by this part of the largest gradient there is. */
static const double LEAST_SCALE = 1e-3;

/* Fast gradients are wrong by whole digits or not at all; float's rounding, through many layers, stays
 * below. */
static const double FAST_TOLERANCE = 1e-2;

struct check {
    stoa_context *context;
    stoa_model *model;
    stoa_gradcheck_options options;
    stoa_plan *plan;
    struct stoa_reference reference;
    float *targets, *kept;  /* drawn; statistics as they were */
    double *values, *saved; /* targets; what is moved for a difference */
    int32_t *labels;
    size_t target_count;
    double largest; /* gradient of all tensors */
    stoa_gradcheck_fn *tell;
    void *user;
    struct stoa_float_state callers; /* which `tell` runs in */
};

/* One array under test. */
struct subject {
    const char *name;
    size_t node; /* the first that reads it */
    double *value;
    const double *gradient;
    size_t count;
    double scale;
};

static uint64_t stream(uint64_t number) {
    return stoa_random_stream_id(STOA_RANDOM_GRADCHECK, number);
}

/* Floats in a batch of an input. */
static size_t input_count(const struct check *c, size_t value) {
    return c->options.batch * stoa_shape_size(stoa_value_shape(c->model, value));
}

static bool allocate(struct check *c) {
    const size_t batch = c->options.batch;
    const stoa_model *model = c->model;
    size_t largest = 0;
    for (size_t value = 0; value <= model->node_count; value++) {
        largest = stoa_value_is_input(model, value) ? stoa_max(largest, input_count(c, value)) : largest;
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        largest = stoa_max(largest, model->tensors[i].count);
    }
    c->target_count = batch * stoa_model_output_size(model);
    c->saved = calloc(largest, sizeof *c->saved);
    c->targets = calloc(c->target_count, sizeof *c->targets);
    c->values = calloc(c->target_count, sizeof *c->values);
    c->labels = calloc(batch, sizeof *c->labels);
    c->kept = calloc(stoa_max(1, model->statistic_floats), sizeof *c->kept);
    return c->saved && c->targets && c->values && c->labels && c->kept;
}

/* Numbers of an input, for the plan and for the reference, in a stream that no other value has. */
static void draw_input(struct check *c, size_t value) {
    enum { FIRST_STREAM = 16 };
    float *drawn = stoa_value_data(c->plan, stoa_plan_place_of(c->plan, value));
    size_t count = input_count(c, value);
    stoa_random_uniform(c->options.seed, stream(value == 0 ? 0 : FIRST_STREAM + value), drawn, count);
    for (size_t i = 0; i < count; i++) {
        c->reference.value[value][i] = (double)drawn[i];
    }
}

/* Inputs in [-1, 1), targets in [0, 1), any classes. */
static void draw(struct check *c) {
    uint64_t seed = c->options.seed;
    size_t classes = stoa_model_output_size(c->model);
    for (size_t value = 0; value <= c->model->node_count; value++) {
        if (stoa_value_is_input(c->model, value)) {
            draw_input(c, value);
        }
    }
    stoa_random_uniform(seed, stream(1), c->targets, c->target_count);
    for (size_t i = 0; i < c->target_count; i++) {
        c->targets[i] = 0.5F * c->targets[i] + 0.5F;
        c->values[i] = (double)c->targets[i];
    }
    for (size_t i = 0; i < c->options.batch; i++) {
        c->labels[i] = (int32_t)(stoa_philox(seed, i, stream(2)).word[0] % classes);
    }
    c->reference.labels = c->labels;
    c->reference.values = c->values;
}

/* The fast passes, into the plan's gradients; running statistics are put back. */
static stoa_status run_fast(struct check *c) {
    stoa_model *model = c->model;
    size_t bytes = model->statistic_floats * sizeof(float);
    double loss;
    memcpy(c->kept, model->statistics, bytes);
    stoa_status status = stoa_plan_train(c->plan, c->options.batch, (stoa_targets){c->labels, c->targets},
                                         c->options.seed, 0, &loss, NULL);
    memcpy(model->statistics, c->kept, bytes);
    return status;
}

/* The direction through all elements: a number in [-1, 1) each. */
static double direction(const struct check *c, size_t i) {
    return 2 * (double)stoa_random_unit(stoa_philox(c->options.seed, i, stream(3)).word[0]) - 1;
}

/* Derivative along element `at`, or along the direction (at == count). */
static double difference(struct check *c, const struct subject *s, size_t at, double step) {
    size_t first = at < s->count ? at : 0;
    size_t count = at < s->count ? 1 : s->count;
    double loss[2];
    memcpy(c->saved, s->value + first, count * sizeof *c->saved);
    for (int side = 0; side < 2; side++) {
        double to = side ? -step : step;
        for (size_t i = 0; i < count; i++) {
            s->value[first + i] = c->saved[i] + to * (at < s->count ? 1 : direction(c, i));
        }
        loss[side] = stoa_reference_forward(&c->reference, s->node);
    }
    memcpy(s->value + first, c->saved, count * sizeof *c->saved);
    return (loss[0] - loss[1]) / (2 * step);
}

static double along_direction(const struct check *c, const struct subject *s) {
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        sum += s->gradient[i] * direction(c, i);
    }
    return sum;
}

/* Relative error of one derivative; infinite when it is no number. */
static double error_of(struct check *c, const struct subject *s, size_t at, double expected) {
    double least = INFINITY;
    double scale = at < s->count ? s->scale : s->scale * sqrt((double)s->count);
    for (size_t i = 0; i < STEPS && !(least <= c->options.tolerance); i++) {
        double error = fabs(difference(c, s, at, steps[i]) - expected) / scale;
        least = error < least ? error : least; /* NaN is never less */
    }
    return least;
}

static double largest_of(const double *values, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        double size = fabs(values[i]);
        largest = size <= largest ? largest : size; /* NaN stays */
    }
    return largest;
}

static void check_differences(struct check *c, const struct subject *s, stoa_gradcheck_result *result) {
    size_t samples = stoa_min(c->options.samples, s->count);
    for (size_t i = 0; i < samples; i++) {
        /* One of each of `samples` equal parts. */
        size_t first = i * s->count / samples;
        size_t part = (i + 1) * s->count / samples - first;
        size_t at = first + stoa_philox(c->options.seed, i, stream(4)).word[0] % part;
        result->error = fmax(result->error, error_of(c, s, at, s->gradient[at]));
    }
    result->error = fmax(result->error, error_of(c, s, s->count, along_direction(c, s)));
    result->checked = samples;
    /* What comes next finds all values as they were. */
    (void)stoa_reference_forward(&c->reference, s->node);
}

/* `fast`: the fast gradient, NULL where there is none. */
static stoa_gradcheck_result check_subject(struct check *c, struct subject *s, const float *fast) {
    stoa_gradcheck_result result = {.tensor = s->name,
                                    .count = s->count,
                                    .largest = largest_of(s->gradient, s->count),
                                    .fast_error = NAN};
    s->scale = fmax(result.largest, LEAST_SCALE * c->largest);
    if (s->scale > 0) {
        check_differences(c, s, &result);
    }
    bool fast_agrees = true;
    if (fast) {
        result.fast_error = 0;
        for (size_t i = 0; i < s->count; i++) {
            double error = fabs((double)fast[i] - s->gradient[i]) / (s->scale > 0 ? s->scale : 1);
            result.fast_error = error <= result.fast_error ? result.fast_error : error;
        }
        fast_agrees = result.fast_error <= FAST_TOLERANCE;
    }
    result.passed = result.error <= c->options.tolerance && fast_agrees && isfinite(result.largest);
    return result;
}

/* Whether a tensor's gradient is computed. */
static bool learns(const struct check *c, size_t tensor) {
    return c->reference.tensor_gradient[tensor] && !c->plan->frozen[stoa_tensor_node(c->model, tensor)];
}

static void tell_one(struct check *c, const stoa_gradcheck_result *result) {
    stoa_float_leave(&c->callers);
    c->tell(c->user, result);
    c->callers = stoa_float_enter();
}

static void check_all(struct check *c) {
    const stoa_model *model = c->model;
    struct stoa_reference *r = &c->reference;
    for (size_t i = 0; i < model->tensor_count; i++) {
        if (learns(c, i)) {
            c->largest = fmax(c->largest, largest_of(r->tensor_gradient[i], model->tensors[i].count));
        }
    }
    for (size_t value = 0; value <= model->node_count; value++) {
        if (stoa_value_is_input(model, value)) {
            struct subject s = {stoa_value_name(model, value), value, r->value[value], r->gradient[value],
                                input_count(c, value),         0};
            stoa_gradcheck_result result = check_subject(c, &s, NULL);
            tell_one(c, &result);
        }
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        if (learns(c, i)) {
            struct subject s = {tensor->name,  stoa_tensor_node(model, i),
                                r->tensor[i],  r->tensor_gradient[i],
                                tensor->count, 0};
            stoa_gradcheck_result result =
                check_subject(c, &s, stoa_plan_gradients(c->plan) + tensor->offset);
            tell_one(c, &result);
        }
    }
}

static stoa_status prepare(struct check *c) {
    const stoa_plan_options options = {
        .batch = c->options.batch, .training = true, .loss = c->options.loss, .freeze = c->options.freeze};
    stoa_status status = stoa_plan_create(c->context, c->model, &options, &c->plan);
    if (status == STOA_OK) {
        status = stoa_plan_bind(c->plan, NULL);
    }
    if (status == STOA_OK) {
        status = stoa_reference_open(c->plan, c->options.batch, c->options.seed, &c->reference);
    }
    /* The plan counted the same numbers: no size overflows. */
    if (status == STOA_OK && !allocate(c)) {
        status = stoa_fail(c->context, STOA_ERR_MEMORY, "gradcheck: out of memory");
    }
    return status;
}

static void release(struct check *c) {
    if (c->reference.plan) {
        stoa_reference_close(&c->reference);
    }
    stoa_plan_free(c->plan);
    free(c->targets);
    free(c->values);
    free(c->saved);
    free(c->labels);
    free(c->kept);
}

stoa_status stoa_gradcheck(stoa_context *context, stoa_model *model, const stoa_gradcheck_options *options,
                           stoa_gradcheck_fn *tell, void *user) {
    struct check c = {.context = context, .model = model, .options = *options, .tell = tell, .user = user};
    c.options.batch = options->batch ? options->batch : 2;
    c.options.samples = options->samples ? options->samples : 16;
    c.options.tolerance = options->tolerance != 0 ? options->tolerance : 1e-5;
    if (!(c.options.tolerance > 0)) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "gradcheck: found tolerance %g, expected a number above 0", options->tolerance);
    }
    c.callers = stoa_float_enter();
    stoa_status status = prepare(&c);
    if (status == STOA_OK) {
        draw(&c);
        status = run_fast(&c);
    }
    if (status == STOA_OK) {
        (void)stoa_reference_forward(&c.reference, 0);
        stoa_reference_backward(&c.reference);
        check_all(&c);
    }
    release(&c);
    stoa_float_leave(&c.callers);
    return status;
}
