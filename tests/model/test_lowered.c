/* SPDX-License-Identifier: MIT */
/* Plans whose steps take in several layers and run blocks of samples against layerwise ones, over networks
 * drawn at random: to the bit where no sum is cut otherwise, else within a bound; and on any number of
 * threads the same bits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drawn.h"
#include "model/plan.h"
#include "oracle.h"

enum { BATCH = 25, INPUT = 48, NETS = 80, MOST_FLOATS = 1 << 18 };

/* Tables that make no sections, and all that may be: of many tasks, and of tasks with several blocks. */
static const char whole_table[] = "lowered-whole.tuning", sections_table[] = "lowered-sections.tuning",
                  blocks_table[] = "lowered-blocks.tuning";

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
    if (stoa_context_set_tuning(context, table) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    return context;
}

struct net {
    size_t input[3];
    const char *loss;
    const char *lines[DRAWN_LINES + 1];
    struct drawn drawn;
};

static void draw(struct net *net, uint64_t seed) {
    draw_net(&net->drawn, seed);
    *net = (struct net){
        .input = {4, 4, 3}, .loss = seed % 2 == 0 ? "softmax_cross_entropy" : "mse", .drawn = net->drawn};
    for (size_t i = 0; i < net->drawn.count; i++) {
        net->lines[i] = net->drawn.text[i];
    }
}

/* What runs of a plan give, one behind the other. */
struct results {
    float *number;
    size_t count;
};

static void keep(struct results *results, const float *numbers, size_t count) {
    assert_true(results->count + count <= MOST_FLOATS);
    memcpy(results->number + results->count, numbers, count * sizeof *numbers);
    results->count += count;
}

static void keep_tensors(struct results *results, const stoa_plan *plan, const stoa_model *model) {
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        float *values = oracle_floats(tensor->count);
        if (!tensor->spec.trainable) {
            keep(results, stoa_tensor_data(model, i), tensor->count);
        } else if (plan->training && !plan->frozen[stoa_tensor_node(model, i)]) {
            assert_int_equal(stoa_plan_get_gradient(plan, i, values, tensor->count), STOA_OK);
            keep(results, values, tensor->count);
        }
        free(values);
    }
}

/* Training or evaluation of full and partial batches, then inference. */
static void run(const struct net *net, const char *table, size_t threads, const stoa_plan_options *options,
                struct results *results) {
    static const size_t samples[] = {BATCH, 3, 8, BATCH};
    stoa_context *context = make_context(threads, table);
    stoa_model *model = oracle_model(context, net->input, net->lines);
    size_t size = stoa_model_input_size(model), out = stoa_model_output_size(model);
    stoa_plan *plan = NULL;
    assert_int_equal(stoa_plan_create(context, model, options, &plan), STOA_OK);
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    float *values = oracle_floats(BATCH * out);
    int32_t labels[BATCH];
    results->number = calloc(MOST_FLOATS, sizeof *results->number);
    results->count = 0;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const float *output = NULL;
        double loss = 0;
        oracle_fill(values, BATCH * out, 7 + i);
        for (size_t n = 0; n < BATCH; n++) {
            labels[n] = (int32_t)((3 * n + i) % out);
        }
        stoa_targets targets = {.labels = labels, .values = values};
        oracle_fill(stoa_plan_input(plan), samples[i] * size, 100 + i);
        stoa_status status = options->training
                                 ? stoa_plan_train(plan, samples[i], targets, 5, i, &loss, &output)
                                 : stoa_plan_infer(plan, samples[i], &output);
        if (status != STOA_OK) {
            fail_msg("%s", stoa_context_error(context));
        }
        float rounded = (float)loss;
        keep(results, &rounded, 1);
        keep(results, output, samples[i] * out);
        keep_tensors(results, plan, model);
        oracle_fill(stoa_plan_input(plan), samples[i] * size, 200 + i);
        assert_int_equal(stoa_plan_infer(plan, samples[i], &output), STOA_OK);
        keep(results, output, samples[i] * out);
    }
    free(values);
    stoa_plan_free(plan);
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

/* Largest difference, relative to the largest number or to 1. NaN counts as infinite. */
static double difference(const struct results *a, const struct results *b) {
    double largest = 1, worst = 0;
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        double error = fabs((double)a->number[i] - (double)b->number[i]);
        largest = fmax(largest, fabs((double)b->number[i]));
        worst = error <= worst ? worst : isnan(error) ? (double)INFINITY : error;
    }
    return worst / largest;
}

static void close_to(const char *what, uint64_t seed, const struct results *a, const struct results *b,
                     double bound) {
    double error = difference(a, b);
    if (!(error <= bound)) {
        fail_msg("%s, net %u: differs by %g of the largest number, expected at most %g", what, (unsigned)seed,
                 error, bound);
    }
}

static void release(struct results *a, struct results *b) {
    free(a->number);
    free(b->number);
}

/* What drawn networks seldom have: an input of a convolution is added to what it gives, so that its memory
 * is not free before all is computed; and gradients of an activation come from two. */
static void lowers_with_care(void **state) {
    (void)state;
    static const struct net nets[] = {
        {.input = {40, 37, 3},
         .loss = "mse",
         .lines = {"c1 conv2d filters=3 kernel=3 pad=1", "c2 conv2d filters=3 kernel=3 pad=1",
                   "s1 add from=c1,c2", "r1 relu", "a1 avgpool2d size=3 stride=1 pad=1", "s2 add from=r1,a1",
                   "l1 linear units=4", NULL}},
        {.input = {9, 8, 3},
         .loss = "mse",
         .lines = {"c1 conv2d filters=3 kernel=3 pad=1", "r1 relu",
                   "c2 conv2d filters=3 kernel=3 pad=1 from=r1", "c3 conv2d filters=3 kernel=1 from=r1",
                   "s1 add from=c2,c3", "l1 linear units=4", NULL}},
        {.input = {9, 8, 3},
         .loss = "mse",
         .lines = {"c1 conv2d filters=3 kernel=3 pad=1", "r1 relu from=c1",
                   "c2 conv2d filters=3 kernel=3 pad=1 from=r1", "c3 conv2d filters=3 kernel=1 from=c1",
                   "s1 add from=c2,c3", "l1 linear units=4", NULL}}};
    for (size_t i = 0; i < 2 * (sizeof nets / sizeof *nets); i++) {
        const struct net *net = &nets[i / 2];
        struct results lowered, layerwise;
        stoa_plan_options options = {.batch = BATCH, .training = i % 2, .loss = net->loss};
        run(net, whole_table, 2, &options, &lowered);
        options.layerwise = true;
        run(net, whole_table, 1, &options, &layerwise);
        same_bits("with care", i, &lowered, &layerwise);
        release(&lowered, &layerwise);
    }
}

/* Epilogues alone change no bit. */
static void lowers_to_the_same_bits(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= NETS; seed++) {
        struct net net;
        struct results lowered, layerwise;
        draw(&net, seed);
        stoa_plan_options options = {.batch = BATCH, .training = seed % 4 != 0, .loss = net.loss};
        run(&net, whole_table, 2, &options, &lowered);
        options.layerwise = true;
        run(&net, whole_table, 1, &options, &layerwise);
        same_bits("lowered", seed, &lowered, &layerwise);
        release(&lowered, &layerwise);
    }
}

/* Sections sum over samples in another order. */
static void runs_sections(void **state) {
    (void)state;
    static const size_t threads[] = {2, 3, 7};
    for (uint64_t seed = 1; seed <= NETS; seed++) {
        struct net net;
        struct results sections, other;
        draw(&net, seed);
        stoa_plan_options options = {.batch = BATCH, .training = seed % 4 != 0, .loss = net.loss};
        const char *table = seed % 2 == 0 ? sections_table : blocks_table;
        run(&net, table, 1, &options, &sections);
        for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
            run(&net, table, threads[i], &options, &other);
            same_bits("threads", seed, &other, &sections);
            free(other.number);
        }
        options.layerwise = true;
        run(&net, table, 1, &options, &other);
        close_to("sections", seed, &sections, &other, 2e-5);
        release(&sections, &other);
    }
}

/* Scale and shift of batch norm in the weights before it, in a plan that keeps weights. */
static void folds_batch_norm(void **state) {
    (void)state;
    static const struct net net = {.input = {9, 8, 3},
                                   .lines = {"c1 conv2d filters=6 kernel=3 pad=1", "b1 batchnorm", "r1 relu",
                                             "c2 conv2d filters=8 kernel=3 bias=false",
                                             "b2 batchnorm epsilon=1e-3",
                                             "t1 conv_transpose2d filters=4 kernel=2 stride=2",
                                             "b3 batchnorm", "a1 tanh", "p1 maxpool2d size=2", "f flatten",
                                             "l1 linear units=7", "b4 batchnorm", "r4 leaky_relu", NULL}};
    stoa_context *context = make_context(1, whole_table);
    stoa_model *model = oracle_model(context, net.input, net.lines);
    stoa_plan *plan = NULL;
    assert_int_equal(
        stoa_plan_create(context, model, &(stoa_plan_options){.batch = 2, .prepare = true}, &plan), STOA_OK);
    for (size_t i = 0; i < model->node_count; i++) {
        bool folded = strcmp(model->nodes[i].layer.op->name, "batchnorm") == 0;
        assert_int_equal(plan->node[i].is_folded, folded);
    }
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
    struct results folded, layerwise;
    stoa_plan_options options = {.batch = BATCH, .prepare = true};
    run(&net, whole_table, 2, &options, &folded);
    options.layerwise = true;
    run(&net, whole_table, 1, &options, &layerwise);
    close_to("folded", 0, &folded, &layerwise, 2e-6);
    release(&folded, &layerwise);
    for (uint64_t seed = 1; seed <= NETS; seed++) {
        struct net drawn;
        draw(&drawn, seed);
        options = (stoa_plan_options){.batch = BATCH, .prepare = true};
        run(&drawn, sections_table, 2, &options, &folded);
        options.layerwise = true;
        run(&drawn, sections_table, 1, &options, &layerwise);
        close_to("folded", seed, &folded, &layerwise, 2e-5);
        release(&folded, &layerwise);
    }
}

/* What follows from running statistics is made again after training has moved them, with no update of
 * parameters. */
static void folds_again(void **state) {
    (void)state;
    static const char *const lines[] = {"c1 conv2d filters=6 kernel=3", "b1 batchnorm", "l1 linear units=4",
                                        NULL};
    stoa_context *context = make_context(2, whole_table);
    stoa_model *model = oracle_model(context, (const size_t[]){6, 6, 2}, lines);
    stoa_plan *plans[3] = {NULL};
    const stoa_plan_options options[3] = {
        {.batch = 5, .prepare = true}, {.batch = 5}, {.batch = 5, .training = true}};
    float found[20], before[20];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stoa_plan_create(context, model, &options[i], &plans[i]), STOA_OK);
        assert_int_equal(stoa_plan_bind(plans[i], NULL), STOA_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        const float *output;
        double loss;
        static const int32_t labels[5] = {0, 1, 2, 3, 0};
        oracle_fill(stoa_plan_input(plans[0]), 5 * 72, 1);
        assert_int_equal(stoa_plan_infer(plans[0], 5, &output), STOA_OK);
        memcpy(found, output, sizeof found);
        assert_true(i == 0 || memcmp(found, before, sizeof found) != 0);
        memcpy(before, found, sizeof found);
        oracle_fill(stoa_plan_input(plans[1]), 5 * 72, 1);
        assert_int_equal(stoa_plan_infer(plans[1], 5, &output), STOA_OK);
        for (size_t k = 0; k < 20; k++) {
            assert_true(fabs((double)found[k] - (double)output[k]) < 1e-5);
        }
        oracle_fill(stoa_plan_input(plans[2]), 5 * 72, 2);
        assert_int_equal(stoa_plan_train(plans[2], 5, (stoa_targets){.labels = labels}, 1, i, &loss, NULL),
                         STOA_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        stoa_plan_free(plans[i]);
    }
    stoa_model_free(model);
    stoa_context_free(context);
}

/* From the beginning of a section to its end, or to where none is. */
static bool lives_through(const stoa_plan *plan, const struct stoa_value *value) {
    size_t first = plan->section_of[value->first], last = plan->section_of[value->last];
    return (first == STOA_NO_SECTION || plan->sections[first].first == value->first) &&
           (last == STOA_NO_SECTION || plan->sections[last].last == value->last);
}

/* Values of a section's areas that live together lie apart, and within an area; the others live through the
 * sections that touch them. */
static void places_areas_apart(void **state) {
    (void)state;
    size_t looked = 0;
    for (uint64_t seed = 1; seed <= NETS; seed++) {
        struct net net;
        draw(&net, seed);
        stoa_context *context = make_context(3, sections_table);
        stoa_model *model = oracle_model(context, net.input, net.lines);
        stoa_plan *plan = NULL;
        assert_int_equal(
            stoa_plan_create(context, model,
                             &(stoa_plan_options){.batch = BATCH, .training = true, .loss = net.loss}, &plan),
            STOA_OK);
        for (size_t i = 0; i < plan->value_count; i++) {
            const struct stoa_value *a = &plan->values[i];
            assert_true(a->area != STOA_NO_VALUE || lives_through(plan, a));
            for (size_t j = 0; a->area != STOA_NO_VALUE && j < i; j++) {
                const struct stoa_value *b = &plan->values[j];
                const struct stoa_value *area = &plan->values[a->area];
                bool together =
                    a->area == b->area && a->root != b->root && a->first <= b->last && b->first <= a->last;
                bool overlap = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
                assert_true(!together || !overlap);
                assert_true(a->offset >= area->offset && a->offset + a->bytes <= area->offset + area->apart);
                looked += together;
            }
        }
        stoa_plan_free(plan);
        stoa_model_free(model);
        stoa_context_free(context);
    }
    assert_true(looked > 1000);
}

/* The layer is named whose output is not finite first, in whichever block. */
static void names_the_layer(void **state) {
    (void)state;
    static const char *const lines[] = {"c1 conv2d filters=3 kernel=3",
                                        "r1 relu",
                                        "c2 conv2d filters=2 kernel=1",
                                        "p1 avgpool2d size=2",
                                        "f flatten",
                                        "l1 linear units=4",
                                        NULL};
    static const int32_t labels[BATCH] = {0};
    stoa_context *context = make_context(2, sections_table);
    stoa_model *model = oracle_model(context, (const size_t[]){6, 6, 1}, lines);
    stoa_plan *plan = NULL;
    double loss;
    size_t bias = stoa_model_find_tensor(model, "c2.bias");
    assert_int_equal(stoa_model_set_tensor(model, bias, (const float[]){INFINITY, 0}, 2), STOA_OK);
    assert_int_equal(
        stoa_plan_create(context, model, &(stoa_plan_options){.batch = BATCH, .training = true}, &plan),
        STOA_OK);
    assert_true(plan->section_count > 0);
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    oracle_fill(stoa_plan_input(plan), BATCH * 36, 1);
    assert_int_equal(stoa_plan_train(plan, BATCH, (stoa_targets){.labels = labels}, 1, 1, &loss, NULL),
                     STOA_ERR_NONFINITE);
    assert_non_null(strstr(stoa_context_error(context), "is conv2d 'c2'"));
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* The gradient of a ReLU behind batch norm is no step of its own, but where others read what lies between or
 * the statistics are kept. */
static void leaves_relu_to_batch_norm(void **state) {
    (void)state;
    static const struct net net = {
        .input = {9, 8, 3},
        .loss = "softmax_cross_entropy",
        .lines = {"c1 conv2d filters=16 kernel=3 pad=1", "b1 batchnorm", "r1 relu",
                  "c2 conv2d filters=16 kernel=3 pad=1", "b2 batchnorm", "r2 relu", "s2 add from=r2,r1",
                  "b3 batchnorm", "r3 relu", "s3 add from=r3,b3", "b4 batchnorm", "r4 relu",
                  "p4 maxpool2d size=2", "f flatten", "l1 linear units=7", "b5 batchnorm", "r5 relu", NULL}};
    static const char *const undone[] = {"r1", "r2", "r5"};
    stoa_context *context = make_context(1, whole_table);
    stoa_model *model = oracle_model(context, net.input, net.lines);
    stoa_plan_options options = {.batch = BATCH, .training = true, .loss = net.loss, .freeze = "b4"};
    stoa_plan *plan = NULL;
    assert_int_equal(stoa_plan_create(context, model, &options, &plan), STOA_OK);
    for (size_t i = 0; i < model->node_count; i++) {
        bool expected = false;
        for (size_t k = 0; k < sizeof undone / sizeof *undone; k++) {
            expected |= strcmp(model->nodes[i].layer.name, undone[k]) == 0;
        }
        assert_int_equal(plan->node[i].is_undone, expected);
    }
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
    struct results lowered, layerwise;
    run(&net, whole_table, 2, &options, &lowered);
    options.layerwise = true;
    run(&net, whole_table, 1, &options, &layerwise);
    same_bits("undone", 0, &lowered, &layerwise);
    release(&lowered, &layerwise);
}

/* A loss that can gives its gradient in its forward pass and keeps nothing; other plans of the same networks
 * do not, and what is drawn above sees that the bits are the same. */
static void joins_the_loss(void **state) {
    (void)state;
    static const char *const lines[] = {"l1 linear units=6", "r1 relu", "l2 linear units=4", NULL};
    static const struct {
        stoa_plan_options options;
        bool joined;
    } cases[] = {{{.batch = 3, .training = true}, true},
                 {{.batch = 3, .training = true, .layerwise = true}, false},
                 {{.batch = 3, .training = true, .loss = "mse"}, false},
                 {{.batch = 3, .loss = "softmax_cross_entropy"}, false}};
    stoa_context *context = make_context(1, whole_table);
    stoa_model *model = oracle_model(context, (const size_t[]){2, 2, 1}, lines);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_plan *plan = NULL;
        stoa_plan_step step;
        assert_int_equal(stoa_plan_create(context, model, &cases[i].options, &plan), STOA_OK);
        const struct stoa_node_plan *loss = &plan->node[plan->nodes];
        assert_int_equal(loss->gives_gradient, cases[i].joined);
        assert_true(!loss->gives_gradient || loss->saved == STOA_NO_VALUE);
        if (cases[i].options.training) {
            assert_int_equal(stoa_plan_step_at(plan, plan->nodes + 1, &step), STOA_OK);
            assert_int_equal(strcmp(step.algorithm, "in its forward pass") == 0, cases[i].joined);
        }
        stoa_plan_free(plan);
    }
    stoa_model_free(model);
    stoa_context_free(context);
}

int main(void) {
    write_table(whole_table, "section_products = 1\n");
    write_table(sections_table, "section_tasks = 8\nsection_task_products = 1\nsection_products = 1e15\n"
                                "section_weights = 1000000000\n");
    write_table(blocks_table, "section_tasks = 2\nsection_task_products = 1\nsection_products = 1e15\n"
                              "section_weights = 1000000000\nl2_bytes = 16384\n");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowers_with_care),
        cmocka_unit_test(lowers_to_the_same_bits),
        cmocka_unit_test(runs_sections),
        cmocka_unit_test(folds_batch_norm),
        cmocka_unit_test(folds_again),
        cmocka_unit_test(places_areas_apart),
        cmocka_unit_test(leaves_relu_to_batch_norm),
        cmocka_unit_test(joins_the_loss),
        cmocka_unit_test(names_the_layer),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)remove(whole_table);
    (void)remove(sections_table);
    (void)remove(blocks_table);
    return failed;
}
