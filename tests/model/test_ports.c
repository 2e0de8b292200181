/* SPDX-License-Identifier: MIT */
/* Models of several inputs and outputs: networks drawn at random, whose plans keep layers, take gradients of
 * outputs and give those of inputs, against the double reference; on any number of threads the same bits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "drawn.h"
#include "model/reference.h"
#include "oracle.h"

enum { BATCH = 25, PIXELS = 48, NETS = 60, MOST_FLOATS = 1 << 18, MOST_KEPT = 5 };

/* Tables that make no sections, and small blocks of samples in many. */
static const char whole_table[] = "ports-whole.tuning", blocks_table[] = "ports-blocks.tuning";

static void write_table(const char *path, const char *keys) {
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(NULL, &context), STOA_OK);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "like = %s\n%s", stoa_context_tuning(context), keys);
    assert_int_equal(fclose(file), 0);
    stoa_context_free(context);
}

static stoa_context *make_context(size_t threads, const char *table) {
    stoa_context *context = NULL;
    stoa_context_options options = {.threads = threads};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    if (table && stoa_context_set_tuning(context, table) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    return context;
}

/* ---- a drawn network with more inputs and outputs ---- */

struct net {
    struct drawn drawn;
    const char *keep[MOST_KEPT + 1];
};

static size_t pick(const struct net *net, size_t number, size_t below) {
    return stoa_philox(net->drawn.seed, number, 9).word[0] % below;
}

/* Some of what read the input reads another one; where the first that does is left alone. */
static void add_line(const struct net *net, size_t line, stoa_model *model) {
    static const char from[] = "from=input";
    const char *text = net->drawn.text[line], *options = strchr(text, ' ') + 1,
               *found = strstr(options, from);
    char name[16], changed[DRAWN_TEXT + 16];
    (void)snprintf(name, sizeof name, "%.*s", (int)(options - 1 - text), text);
    if (found && pick(net, line, 3) > 0) {
        const char *other = pick(net, line, 3) == 1 ? "second" : "third one";
        (void)snprintf(changed, sizeof changed, "%.*sfrom=\"%s\"%s", (int)(found - options), options, other,
                       found + strlen(from));
        options = changed;
    }
    stoa_model_add(model, name, options);
}

static stoa_model *make_model(stoa_context *context, struct net *net, uint64_t seed) {
    stoa_model *model = NULL;
    draw_net(&net->drawn, seed);
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_add_input(model, "first", 4, 4, 3);
    stoa_model_add(model, "input", "conv2d filters=3 kernel=1");
    stoa_model_add_input(model, "second", 4, 4, 3);
    stoa_model_add(model, "third one", "input channels=3 size=4");
    for (size_t i = 0; i < net->drawn.count; i++) {
        add_line(net, i, model);
    }
    /* All of them are read, whatever was drawn. */
    stoa_model_add(model, "all", "add from=first,\"third one\"");
    stoa_model_add(model, "fed", "add from=all,input");
    stoa_model_add(model, "used", "add from=fed,second");
    size_t outputs = 1 + pick(net, 100, 3);
    stoa_model_add_output(model, "y", stoa_value_name(model, model->node_count - 3));
    stoa_model_add_output(model, NULL, "used");
    for (size_t i = 1; i < outputs; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "y%zu", i);
        stoa_model_add_output(model, name, stoa_value_name(model, 4 + pick(net, 110 + i, net->drawn.count)));
    }
    for (size_t i = 0; i < MOST_KEPT; i++) {
        net->keep[i] = stoa_value_name(model, pick(net, 120 + i, model->node_count + 1));
    }
    if (stoa_model_build(model) != STOA_OK) {
        fail_msg("net %u: %s", (unsigned)seed, stoa_context_error(context));
    }
    assert_int_equal(stoa_model_init(model, 11), STOA_OK);
    return model;
}

/* ---- what a run gives ---- */

struct results {
    float *number;
    size_t count;
};

static void note(struct results *results, const float *numbers, size_t count) {
    assert_non_null(numbers);
    assert_true(results->count + count <= MOST_FLOATS);
    memcpy(results->number + results->count, numbers, count * sizeof *numbers);
    results->count += count;
}

static size_t size_of(const stoa_model *model, size_t value) {
    return stoa_shape_size(stoa_value_shape(model, value));
}

static void fill_inputs(stoa_plan *plan, size_t samples, uint64_t seed) {
    stoa_port_info port;
    for (size_t i = 0; stoa_model_input_at(plan->model, i, &port); i++) {
        oracle_fill(stoa_plan_activation(plan, port.name), samples * port.size, seed + 10 * i);
    }
}

/* The gradients that come from outside: of each value that the plan asks for, as a caller would name it. */
static void give_gradients(stoa_plan *plan, size_t samples, uint64_t seed) {
    for (size_t value = 1; value <= plan->nodes; value++) {
        float *gradient = plan->asked[value] && !stoa_value_is_input(plan->model, value)
                              ? stoa_value_data(plan, stoa_plan_gradient_of(plan, value))
                              : NULL;
        if (gradient) {
            for (size_t i = 0; i < plan->batch * size_of(plan->model, value); i++) {
                assert_true(gradient[i] == 0);
            }
            oracle_fill(gradient, samples * size_of(plan->model, value), seed + value);
        }
    }
}

static void note_forward(struct results *results, stoa_plan *plan, const struct net *net, size_t samples) {
    stoa_port_info port;
    for (size_t i = 0; stoa_model_output_at(plan->model, i, &port); i++) {
        note(results, stoa_plan_activation(plan, port.name), samples * port.size);
    }
    for (const char *const *keep = net->keep; *keep; keep++) {
        size_t value = stoa_value_find(plan->model, *keep, strlen(*keep));
        note(results, stoa_value_data(plan, stoa_plan_place_of(plan, value)),
             samples * size_of(plan->model, value));
    }
}

static void note_backward(struct results *results, stoa_plan *plan, size_t samples) {
    const stoa_model *model = plan->model;
    stoa_port_info port;
    for (size_t i = 0; stoa_model_input_at(model, i, &port); i++) {
        note(results, stoa_plan_activation_gradient(plan, port.name), samples * port.size);
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        if (tensor->spec.trainable) {
            note(results, stoa_plan_gradients(plan) + tensor->offset, tensor->count);
        }
    }
}

static void open_plan(stoa_context *context, stoa_model *model, const stoa_plan_options *options,
                      stoa_plan **plan) {
    if (stoa_plan_create(context, model, options, plan) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_plan_bind(*plan, NULL), STOA_OK);
}

static void run_halves(stoa_plan *plan, const struct net *net, size_t samples, struct results *results) {
    fill_inputs(plan, samples, 3);
    const float *output = NULL;
    assert_int_equal(stoa_plan_forward(plan, samples, 5, 6, &output), STOA_OK);
    assert_ptr_equal(output, stoa_plan_activation(plan, "y"));
    note_forward(results, plan, net, samples);
    give_gradients(plan, samples, 40);
    assert_int_equal(stoa_plan_backward(plan), STOA_OK);
    note_backward(results, plan, samples);
}

/* Everything of a training plan without a loss, then of an inference plan. */
static void run(const char *table, size_t threads, uint64_t seed, bool layerwise, struct results *results) {
    stoa_context *context = make_context(threads, table);
    struct net net = {.keep = {NULL}};
    stoa_model *model = make_model(context, &net, seed);
    stoa_plan *plan = NULL, *infer = NULL;
    *results = (struct results){calloc(MOST_FLOATS, sizeof(float)), 0};
    assert_non_null(results->number);
    open_plan(context, model,
              &(stoa_plan_options){.batch = BATCH,
                                   .training = true,
                                   .loss = "none",
                                   .keep = net.keep,
                                   .input_gradients = true,
                                   .layerwise = layerwise},
              &plan);
    run_halves(plan, &net, BATCH, results);
    run_halves(plan, &net, 3, results);
    open_plan(context, model, &(stoa_plan_options){.batch = BATCH, .keep = net.keep, .layerwise = layerwise},
              &infer);
    fill_inputs(infer, BATCH, 4);
    assert_int_equal(stoa_plan_infer(infer, BATCH, NULL), STOA_OK);
    note_forward(results, infer, &net, BATCH);
    stoa_plan_free(plan);
    stoa_plan_free(infer);
    stoa_model_free(model);
    stoa_context_free(context);
}

static void same_bits(const char *what, uint64_t seed, const struct results *a, const struct results *b) {
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        if (memcmp(&a->number[i], &b->number[i], sizeof(float)) != 0) {
            fail_msg("%s, net %u: number %zu is %.9g, expected %.9g", what, (unsigned)seed, i,
                     (double)a->number[i], (double)b->number[i]);
        }
    }
}

static void keeps_its_bits(void **state) {
    (void)state;
    static const size_t threads[] = {2, 3, 7};
    for (uint64_t seed = 1; seed <= NETS; seed++) {
        struct results one, other;
        run(blocks_table, 1, seed, false, &one);
        for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
            run(blocks_table, threads[i], seed, false, &other);
            same_bits("threads", seed, &other, &one);
            free(other.number);
        }
        free(one.number);
        run(whole_table, 2, seed, false, &one);
        run(whole_table, 1, seed, true, &other);
        same_bits("lowered", seed, &one, &other);
        free(one.number);
        free(other.number);
    }
}

/* ---- against the double reference ---- */

/* Values up to a rounding; gradients through many layers up to whole digits, as stoa_gradcheck() has it, and
 * those that are all but zero by a part of 1: the gradients that are given are numbers up to 1. */
enum { VALUES, GRADIENTS };
static const double bound[] = {1e-4, 1e-2}, least[] = {1e-3, 1e-2};

static void close_to(int what, uint64_t seed, const char *name, const float *got, const double *expected,
                     size_t count) {
    double largest = least[what], worst = 0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)got[i] - expected[i]);
        largest = fmax(largest, fabs(expected[i]));
        worst = error <= worst ? worst : isnan(error) ? (double)INFINITY : error;
    }
    if (!(worst <= bound[what] * largest)) {
        fail_msg("net %u: %s of '%s' differs by %g of its largest number", (unsigned)seed,
                 what == VALUES ? "the value" : "the gradient", name, worst / largest);
    }
}

static void copy(double *to, const float *from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        to[i] = (double)from[i];
    }
}

static void check_forward(stoa_plan *plan, const struct stoa_reference *r, uint64_t seed) {
    for (size_t value = 0; value <= plan->nodes; value++) {
        if (plan->asked[value]) {
            close_to(VALUES, seed, stoa_value_name(plan->model, value),
                     stoa_value_data(plan, stoa_plan_place_of(plan, value)), r->value[value],
                     r->batch * size_of(plan->model, value));
        }
    }
}

static void check_backward(stoa_plan *plan, const struct stoa_reference *r, uint64_t seed) {
    const stoa_model *model = plan->model;
    for (size_t value = 0; value <= plan->nodes; value++) {
        if (stoa_value_is_input(model, value)) {
            const char *name = stoa_value_name(model, value);
            close_to(GRADIENTS, seed, name, stoa_plan_activation_gradient(plan, name), r->gradient[value],
                     r->batch * size_of(model, value));
        }
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        if (tensor->spec.trainable) {
            close_to(GRADIENTS, seed, tensor->name, stoa_plan_gradients(plan) + tensor->offset,
                     r->tensor_gradient[i], tensor->count);
        }
    }
}

static void equals_the_reference(void **state) {
    (void)state;
    stoa_context *context = make_context(2, blocks_table);
    for (uint64_t seed = 1; seed <= NETS; seed++) {
        struct net net = {.keep = {NULL}};
        struct stoa_reference r;
        stoa_model *model = make_model(context, &net, seed);
        stoa_plan *plan = NULL;
        open_plan(
            context, model,
            &(stoa_plan_options){
                .batch = BATCH, .training = true, .loss = "none", .keep = net.keep, .input_gradients = true},
            &plan);
        assert_int_equal(stoa_reference_open(plan, BATCH, 5, &r), STOA_OK);
        fill_inputs(plan, BATCH, 3);
        for (size_t value = 0; value <= plan->nodes; value++) {
            if (stoa_value_is_input(model, value)) {
                copy(r.value[value], stoa_value_data(plan, stoa_plan_place_of(plan, value)),
                     BATCH * size_of(model, value));
            }
        }
        assert_int_equal(stoa_plan_forward(plan, BATCH, 5, 0, NULL), STOA_OK);
        assert_true(stoa_reference_forward(&r, 0) == 0);
        check_forward(plan, &r, seed);
        give_gradients(plan, BATCH, 40);
        for (size_t value = 1; value <= plan->nodes; value++) {
            if (plan->asked[value] && !stoa_value_is_input(model, value)) {
                copy(r.gradient[value], stoa_value_data(plan, stoa_plan_gradient_of(plan, value)),
                     BATCH * size_of(model, value));
            }
        }
        assert_int_equal(stoa_plan_backward(plan), STOA_OK);
        stoa_reference_backward(&r);
        check_backward(plan, &r, seed);
        stoa_reference_close(&r);
        stoa_plan_free(plan);
        stoa_model_free(model);
    }
    stoa_context_free(context);
}

/* ---- with a loss ---- */

/* Two heads, of which the loss looks at one; the input of the other leads nowhere. */
static stoa_model *two_heads(stoa_context *context) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, 6);
    stoa_model_add(model, "a", "linear units=4");
    stoa_model_add_input(model, "idle", 1, 1, 5);
    stoa_model_add(model, "b", "linear units=3");
    stoa_model_add(model, "c", "concat from=a,b");
    stoa_model_add(model, "d", "linear units=2");
    stoa_model_add_output(model, NULL, "a");
    stoa_model_add_output(model, "other", "d");
    if (stoa_model_build(model) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_model_init(model, 2), STOA_OK);
    return model;
}

/* The gradient that mse would give, given by hand, gives the same parameters' gradients; and what does not
 * lead to the loss has zeros. */
static void gives_what_a_loss_gives(void **state) {
    (void)state;
    enum { SAMPLES = 7, UNITS = 4 };
    stoa_context *context = make_context(2, NULL);
    stoa_model *model = two_heads(context);
    stoa_plan *with = NULL, *without = NULL;
    stoa_plan_options options = {.batch = SAMPLES, .training = true, .loss = "mse", .input_gradients = true};
    open_plan(context, model, &options, &with);
    options.loss = "none";
    open_plan(context, model, &options, &without);
    float targets[SAMPLES * UNITS];
    const float *output = NULL;
    double loss = 0;
    oracle_fill(targets, SAMPLES * UNITS, 8);
    fill_inputs(with, SAMPLES, 3);
    fill_inputs(without, SAMPLES, 3);
    assert_int_equal(stoa_plan_train(with, SAMPLES, (stoa_targets){.values = targets}, 0, 0, &loss, NULL),
                     STOA_OK);
    assert_int_equal(stoa_plan_forward(without, SAMPLES, 0, 0, &output), STOA_OK);
    for (size_t i = 0; i < SAMPLES * UNITS; i++) {
        stoa_plan_activation_gradient(without, "a")[i] =
            2 * (output[i] - targets[i]) / (float)(SAMPLES * UNITS);
    }
    assert_int_equal(stoa_plan_backward(without), STOA_OK);
    for (size_t i = 0; i < model->tensor_count; i++) {
        float a[64], b[64];
        bool leads = stoa_tensor_node(model, i) == 0;
        assert_int_equal(stoa_plan_get_gradient(with, i, a, model->tensors[i].count), STOA_OK);
        assert_int_equal(stoa_plan_get_gradient(without, i, b, model->tensors[i].count), STOA_OK);
        for (size_t k = 0; k < model->tensors[i].count; k++) {
            assert_true(leads ? fabsf(a[k] - b[k]) <= 1e-6F && a[k] != 0 : a[k] == 0 && b[k] == 0);
        }
    }
    for (size_t i = 0; i < SAMPLES * 6; i++) {
        float a = stoa_plan_activation_gradient(with, "input")[i];
        assert_true(a != 0 && fabsf(a - stoa_plan_activation_gradient(without, "input")[i]) <= 1e-6F);
    }
    for (size_t i = 0; i < SAMPLES * 5; i++) {
        assert_true(stoa_plan_activation_gradient(with, "idle")[i] == 0);
    }
    assert_null(stoa_plan_activation_gradient(with, "a"));
    stoa_plan_free(with);
    stoa_plan_free(without);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* Input, output and kept layers are there; what was not asked for is not. */
static void gives_what_was_asked_for(void **state) {
    (void)state;
    stoa_context *context = make_context(1, NULL);
    stoa_model *model = two_heads(context);
    stoa_plan *plan = NULL;
    const char *const keep[] = {"idle", NULL};
    assert_int_equal(stoa_plan_create(context, model, &(stoa_plan_options){.batch = 2, .keep = keep}, &plan),
                     STOA_OK);
    assert_null(stoa_plan_activation(plan, "input"));
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    assert_ptr_equal(stoa_plan_activation(plan, "input"), stoa_plan_input(plan));
    assert_ptr_equal(stoa_plan_activation(plan, "other"), stoa_plan_activation(plan, "d"));
    assert_null(stoa_plan_activation(plan, "b"));
    assert_null(stoa_plan_activation(plan, "nobody"));
    assert_null(stoa_plan_activation_gradient(plan, "input"));
    float first[2 * 2];
    fill_inputs(plan, 2, 1);
    assert_int_equal(stoa_plan_infer(plan, 2, NULL), STOA_OK);
    memcpy(first, stoa_plan_activation(plan, "other"), sizeof first);
    oracle_fill(stoa_plan_input(plan), 2 * 6, 1); /* the kept input is still there */
    assert_int_equal(stoa_plan_infer(plan, 2, NULL), STOA_OK);
    assert_memory_equal(first, stoa_plan_activation(plan, "other"), sizeof first);
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* ---- mistakes ---- */

static void expect(stoa_context *context, stoa_status got, const char *sentence) {
    assert_int_equal(got, STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), sentence);
}

static void refuses_other_orders(void **state) {
    (void)state;
    stoa_context *context = make_context(1, NULL);
    stoa_model *model = two_heads(context);
    stoa_plan *plan = NULL, *other = NULL;
    const char *const keep[] = {"conv", NULL};
    stoa_plan_options options = {.batch = 2, .training = true, .loss = "none"};
    open_plan(context, model, &options, &plan);
    expect(context, stoa_plan_backward(plan),
           "plan: expected stoa_plan_forward() just before stoa_plan_backward()");
    fill_inputs(plan, 2, 1);
    assert_int_equal(stoa_plan_forward(plan, 2, 0, 0, NULL), STOA_OK);
    assert_int_equal(stoa_plan_infer(plan, 1, NULL), STOA_OK);
    expect(context, stoa_plan_backward(plan),
           "plan: expected stoa_plan_forward() just before stoa_plan_backward()");
    assert_int_equal(stoa_plan_forward(plan, 2, 0, 0, NULL), STOA_OK);
    assert_int_equal(stoa_plan_backward(plan), STOA_OK);
    expect(context, stoa_plan_backward(plan),
           "plan: expected stoa_plan_forward() just before stoa_plan_backward()");
    expect(context, stoa_plan_forward(plan, 3, 0, 0, NULL), "plan: found 3 samples, expected 1 to 2");
    expect(context, stoa_plan_train(plan, 2, (stoa_targets){0}, 0, 0, NULL, NULL),
           "plan: it was made with loss none, expected stoa_plan_forward() and stoa_plan_backward()");
    options.loss = NULL;
    open_plan(context, model, &options, &other);
    expect(context, stoa_plan_forward(other, 2, 0, 0, NULL),
           "plan: expected one made with training and loss none");
    stoa_plan_free(other);
    options.keep = keep;
    expect(context, stoa_plan_create(context, model, &options, &other),
           "keep: no layer 'conv', expected one of the model's");
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* All layers frozen, as where a picture is what is to be found. */
static void gives_gradients_of_inputs_alone(void **state) {
    (void)state;
    stoa_context *context = make_context(1, NULL);
    stoa_model *model = two_heads(context);
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = 2, .training = true, .loss = "none", .freeze = "*"};
    assert_int_equal(stoa_plan_create(context, model, &options, &plan), STOA_ERR_ARGUMENT);
    options.input_gradients = true;
    open_plan(context, model, &options, &plan);
    fill_inputs(plan, 2, 1);
    assert_int_equal(stoa_plan_forward(plan, 2, 0, 0, NULL), STOA_OK);
    oracle_fill(stoa_plan_activation_gradient(plan, "other"), 2 * 2, 9);
    assert_int_equal(stoa_plan_backward(plan), STOA_OK);
    for (size_t i = 0; i < 2 * 5; i++) {
        assert_true(stoa_plan_activation_gradient(plan, "idle")[i] != 0);
    }
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
}

static void describes_ports(void **state) {
    (void)state;
    stoa_context *context = make_context(1, NULL);
    stoa_model *model = two_heads(context);
    stoa_port_info port;
    assert_true(stoa_model_input_at(model, 0, &port));
    assert_string_equal(port.name, "input");
    assert_string_equal(port.layer, "");
    assert_true(port.rank == 1 && port.shape[0] == 6 && port.size == 6);
    assert_true(stoa_model_input_at(model, 1, &port));
    assert_string_equal(port.name, "idle");
    assert_string_equal(port.layer, "idle");
    assert_false(stoa_model_input_at(model, 2, &port));
    assert_true(stoa_model_output_at(model, 1, &port));
    assert_string_equal(port.name, "other");
    assert_string_equal(port.layer, "d");
    assert_int_equal(port.size, 2);
    assert_false(stoa_model_output_at(model, 2, &port));
    assert_int_equal(stoa_model_output_size(model), 4);
    assert_string_equal(stoa_model_layer_input(model, 3, 1), "b");
    assert_string_equal(stoa_model_layer_input(model, 0, 0), "input");
    assert_null(stoa_model_layer_input(model, 1, 0));
    stoa_model_free(model);
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes_ports),
        cmocka_unit_test(equals_the_reference),
        cmocka_unit_test(keeps_its_bits),
        cmocka_unit_test(gives_what_a_loss_gives),
        cmocka_unit_test(gives_what_was_asked_for),
        cmocka_unit_test(refuses_other_orders),
        cmocka_unit_test(gives_gradients_of_inputs_alone),
    };
    write_table(whole_table, "section_products = 1\n");
    write_table(blocks_table, "section_tasks = 2\nsection_task_products = 1\nsection_products = 1e15\n"
                              "section_weights = 1000000000\nl2_bytes = 16384\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
