/* SPDX-License-Identifier: MIT */
/* The planned executor, a layer a step, against the unplanned oracle, bit for bit, inside an arena of
 * exactly the bytes it asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/size.h"
#include "drawn.h"
#include "model/layers.h"
#include "model/plan.h"
#include "oracle.h"

enum { MOST_LINES = 48, BATCH = 13, CANARY_BYTES = 64, DRAWN_NETS = 120 };

struct net {
    const char *what;
    size_t input[3];
    const char *loss;
    const char *lines[MOST_LINES];
};

static const struct net nets[] = {
    {"chain",
     {9, 8, 2},
     "softmax_cross_entropy",
     {"c1 conv2d filters=4 kernel=3 pad=1", "r1 relu", "p1 maxpool2d size=2", "f flatten",
      "l1 linear units=7", "r2 relu", "l2 linear units=5", NULL}},
    {"batch norm and dropout",
     {8, 8, 3},
     "softmax_cross_entropy",
     {"c1 conv2d filters=6 kernel=3 pad=same bias=false", "b1 batchnorm", "r1 relu", "d1 dropout p=0.3",
      "p1 avgpool2d size=2", "c2 conv2d filters=6 kernel=3 groups=6", "b2 batchnorm momentum=0.3", "r2 relu",
      "d2 dropout", "g global_avgpool", "l1 linear units=4", NULL}},
    {"residual",
     {6, 6, 4},
     "softmax_cross_entropy",
     {"c1 conv2d filters=4 kernel=3 pad=1", "r1 relu", "c2 conv2d filters=4 kernel=3 pad=1", "b2 batchnorm",
      "s1 add from=b2,r1", "r2 relu", "c3 conv2d filters=4 kernel=1", "s2 add from=r2,c3",
      "l1 linear units=3", NULL}},
    {"the same value twice",
     {5, 5, 2},
     "softmax_cross_entropy",
     {"c1 conv2d filters=3 kernel=3", "s1 add from=c1,c1", "r1 relu", "s2 add from=r1,r1",
      "l1 linear units=3", NULL}},
    {"one value, many readers",
     {6, 6, 3},
     "softmax_cross_entropy",
     {"c1 conv2d filters=3 kernel=3 pad=1", "r1 relu from=c1", "d1 dropout p=0.2 from=c1",
      "c2 conv2d filters=3 kernel=3 pad=1 from=c1", "b1 batchnorm from=c1", "s1 add from=r1,d1",
      "s2 add from=c2,s1", "s3 add from=b1,s2", "s4 add from=c1,s3", "l1 linear units=4", NULL}},
    {"views beside their source",
     {4, 4, 3},
     "softmax_cross_entropy",
     {"c1 conv2d filters=3 kernel=3 pad=1", "f1 flatten from=c1", "r1 relu from=c1", "f2 flatten",
      "r2 relu from=f1", "s1 add from=f1,f2", "s2 add from=r2,s1", "l1 linear units=4", NULL}},
    {"gradients nobody asks for",
     {6, 6, 2},
     "softmax_cross_entropy",
     {"r0 relu", "a0 avgpool2d size=3 stride=1 pad=1", "c1 conv2d filters=2 kernel=3 pad=1 from=r0",
      "s1 add from=a0,c1", "s2 add from=c1,input", "s3 add from=s1,s2", "l1 linear units=3", NULL}},
    {"gates and constants",
     {5, 4, 3},
     "softmax_cross_entropy",
     {"c1 conv2d filters=3 kernel=3 pad=1", "g1 global_avgpool", "l1 linear units=3", "s1 sigmoid",
      "m1 mul from=c1,s1", "m2 mul from=s1,m1", "a1 add from=s1,m2", "r1 relu", "d1 sub from=m1,r1",
      "k1 mul size=5x4 channels=3 trainable=true", "k2 add channels=3 trainable=true",
      "k3 sub value=1 reverse=true", "n1 max from=k3,c1,s1", "e1 reduce by=max", "q1 mul from=n1,e1",
      "f1 groupnorm groups=3", "l2 linear units=4", NULL}},
    {"a dense block",
     {5, 4, 2},
     "softmax_cross_entropy",
     {"c1 conv2d filters=2 kernel=3 pad=1", "c2 conv2d filters=3 kernel=1", "r1 relu from=c1",
      "j1 concat "
      "from=c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,"
      "c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2,r1,c1,c2",
      "c3 conv2d filters=2 kernel=1", "j2 concat axis=height from=c3,r1,c1,input,r1,c3", "l1 linear units=4",
      NULL}},
    {"features",
     {1, 1, 12},
     "mse",
     {"l1 linear units=9 bias=false", "b1 batchnorm", "r1 relu", "l2 linear units=6", "s softmax", NULL}},
    {"images as output", {5, 4, 2}, "mse", {"c1 conv2d filters=2 kernel=3 pad=1", "r1 relu", NULL}},
    {"nothing to train", {4, 4, 2}, "mse", {"p avgpool2d size=2", "r relu", "f flatten", NULL}},
};

/* A plan in memory of exactly its size between canaries. */
struct planned {
    stoa_plan *plan;
    unsigned char *memory;
    size_t bytes;
};

static void planned_open(struct planned *p, stoa_context *context, stoa_model *model,
                         const stoa_plan_options *options) {
    if (stoa_plan_create(context, model, options, &p->plan) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    p->bytes = stoa_plan_bytes(p->plan);
    assert_true(p->bytes % STOA_ALIGN_BYTES == 0 && p->bytes <= stoa_plan_bytes_unshared(p->plan));
    p->memory = aligned_alloc(64, p->bytes + (size_t)2 * CANARY_BYTES);
    assert_non_null(p->memory);
    memset(p->memory, 0xA5, p->bytes + (size_t)2 * CANARY_BYTES);
    assert_int_equal(stoa_plan_bind(p->plan, p->memory + CANARY_BYTES), STOA_OK);
}

static void planned_close(struct planned *p) {
    for (size_t i = 0; i < CANARY_BYTES; i++) {
        assert_int_equal(p->memory[i], 0xA5);
        assert_int_equal(p->memory[CANARY_BYTES + p->bytes + i], 0xA5);
    }
    stoa_plan_free(p->plan);
    free(p->memory);
}

static stoa_context *make_context(size_t threads) {
    stoa_context *context = NULL;
    stoa_context_options options = {.threads = threads};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    return context;
}

static void same_bits(const char *net, const char *what, const void *got, const void *expected,
                      size_t floats) {
    if (memcmp(got, expected, floats * sizeof(float)) != 0) {
        size_t i = 0;
        while (memcmp((const float *)got + i, (const float *)expected + i, sizeof(float)) == 0) {
            i++;
        }
        fail_msg("%s: %s[%zu] is %.9g, expected %.9g", net, what, i, (double)((const float *)got)[i],
                 (double)((const float *)expected)[i]);
    }
}

static void compare_gradients(const char *net, stoa_plan *plan, const stoa_model *model,
                              const struct oracle *oracle) {
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        if (tensor->spec.trainable && plan->frozen[stoa_tensor_node(model, i)]) {
            assert_int_equal(stoa_plan_get_gradient(plan, i, oracle->tensor[i], tensor->count),
                             STOA_ERR_ARGUMENT);
            continue;
        }
        if (!tensor->spec.trainable) {
            same_bits(net, tensor->name, stoa_tensor_data(model, i), oracle->tensor[i], tensor->count);
            continue;
        }
        float *got = oracle_floats(tensor->count);
        float *expected = oracle_floats(tensor->count);
        assert_int_equal(stoa_plan_get_gradient(plan, i, got, tensor->count), STOA_OK);
        stoa_tensor_to_disk(&tensor->spec, oracle->gradient[i], expected);
        same_bits(net, tensor->name, got, expected, tensor->count);
        free(got);
        free(expected);
    }
}

/* What a run needs from outside. */
struct batch {
    float *input, *values;
    int32_t labels[BATCH];
    stoa_targets targets;
};

static void batch_open(struct batch *b, const stoa_model *model, uint64_t seed) {
    size_t in = stoa_model_input_size(model);
    size_t out = stoa_model_output_size(model);
    b->input = oracle_floats(BATCH * in);
    b->values = oracle_floats(BATCH * out);
    oracle_fill(b->input, BATCH * in, seed);
    oracle_fill(b->values, BATCH * out, seed + 1);
    for (size_t i = 0; i < BATCH; i++) {
        b->labels[i] = (int32_t)((i * 3 + seed) % out);
    }
    b->targets = (stoa_targets){.labels = b->labels, .values = b->values};
}

static void batch_close(struct batch *b) {
    free(b->input);
    free(b->values);
}

/* One run of the plan and one of the oracle; `training` false: evaluation, which must not move anything. */
static void check_run(const struct net *net, stoa_context *context, stoa_plan *plan, stoa_model *model,
                      size_t samples, bool training, uint64_t step) {
    struct batch b;
    batch_open(&b, model, 100 + step);
    struct stoa_error error;
    if (training && stoa_model_learns_from(model, &error, plan->frozen, samples, "a batch") != STOA_OK) {
        assert_int_equal(stoa_plan_train(plan, samples, b.targets, 9, step, NULL, NULL), STOA_ERR_ARGUMENT);
        assert_string_equal(stoa_context_error(plan->context), error.text);
        batch_close(&b);
        return;
    }
    struct oracle oracle;
    oracle_open(&oracle, context, model,
                &(struct oracle_run){.samples = samples,
                                     .planned = BATCH,
                                     .training = training,
                                     .frozen = plan->frozen,
                                     .loss = net->loss,
                                     .input = b.input,
                                     .targets = b.targets,
                                     .seed = 9,
                                     .step = step});
    memcpy(stoa_plan_input(plan), b.input, samples * stoa_model_input_size(model) * sizeof(float));
    double loss = -1;
    const float *output = NULL;
    stoa_status status = training ? stoa_plan_train(plan, samples, b.targets, 9, step, &loss, &output)
                                  : stoa_plan_evaluate(plan, samples, b.targets, &loss, &output);
    if (status != STOA_OK) {
        fail_msg("%s: %s", net->what, stoa_context_error(context));
    }
    same_bits(net->what, "output", output, oracle.output, samples * stoa_model_output_size(model));
    assert_true(loss == oracle.loss);
    if (training) {
        compare_gradients(net->what, plan, model, &oracle);
    }
    oracle_close(&oracle);
    batch_close(&b);
}

static void check_infer(const struct net *net, stoa_context *context, stoa_plan *plan, stoa_model *model,
                        size_t samples) {
    struct batch b;
    batch_open(&b, model, 200 + samples);
    struct oracle oracle;
    oracle_open(&oracle, context, model,
                &(struct oracle_run){.samples = samples, .planned = BATCH, .input = b.input});
    memcpy(stoa_plan_input(plan), b.input, samples * stoa_model_input_size(model) * sizeof(float));
    const float *output = NULL;
    assert_int_equal(stoa_plan_infer(plan, samples, &output), STOA_OK);
    same_bits(net->what, "inference", output, oracle.output, samples * stoa_model_output_size(model));
    oracle_close(&oracle);
    batch_close(&b);
}

/* The names of about half the layers; "" where no parameter would be left. */
static const char *draw_frozen(const stoa_model *model, uint64_t seed, char *names, size_t size) {
    size_t used = 0;
    bool left = false;
    names[0] = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct stoa_layer *layer = &model->nodes[i].layer;
        if (stoa_philox(seed, i, 6).word[0] % 2) {
            used += (size_t)snprintf(names + used, size - used, "%s%s", used ? "," : "", layer->name);
        } else {
            left = left || stoa_layer_has_parameters(layer);
        }
    }
    return left ? names : "";
}

/* With some layers frozen: the same bits as without a plan, in no more memory than with none frozen, but for
 * what greedy placement may lose. */
static void check_frozen(const struct net *net, stoa_context *single, stoa_context *context,
                         stoa_model *model, size_t most_bytes) {
    for (uint64_t seed = 0; seed < 4; seed++) {
        char names[512];
        struct planned frozen;
        planned_open(&frozen, context, model,
                     &(stoa_plan_options){.batch = BATCH,
                                          .layerwise = true,
                                          .training = true,
                                          .loss = net->loss,
                                          .optimizer_slots = 2,
                                          .freeze = draw_frozen(model, seed, names, sizeof names)});
        assert_true(frozen.bytes <= most_bytes + most_bytes / 50);
        check_run(net, single, frozen.plan, model, BATCH, true, seed);
        check_run(net, single, frozen.plan, model, 1 + seed, true, seed);
        check_run(net, single, frozen.plan, model, BATCH, false, seed);
        check_infer(net, single, frozen.plan, model, BATCH);
        planned_close(&frozen);
    }
}

/* One network, for training and for inference, in full and partial batches; the oracle runs on `single`. */
static void check_net(const struct net *net, stoa_context *single, stoa_context *context) {
    const size_t samples[] = {BATCH, 1, 5, BATCH};
    stoa_model *model = oracle_model(context, net->input, net->lines);
    struct planned train;
    struct planned infer;
    struct planned prepared;
    planned_open(
        &train, context, model,
        &(stoa_plan_options){
            .batch = BATCH, .training = true, .loss = net->loss, .optimizer_slots = 2, .layerwise = true});
    planned_open(&infer, context, model, &(stoa_plan_options){.batch = BATCH, .layerwise = true});
    planned_open(&prepared, context, model,
                 &(stoa_plan_options){.batch = BATCH, .prepare = true, .layerwise = true});
    for (size_t i = 0; i < 4; i++) {
        check_run(net, single, train.plan, model, samples[i], true, i);
        check_run(net, single, train.plan, model, samples[i], false, i);
        check_infer(net, single, train.plan, model, samples[i]);
        check_infer(net, single, infer.plan, model, samples[i]);
        check_infer(net, single, prepared.plan, model, samples[i]);
    }
    assert_true(infer.bytes <= train.bytes);
    check_frozen(net, single, context, model, train.bytes);
    planned_close(&train);
    planned_close(&infer);
    planned_close(&prepared);
    stoa_model_free(model);
}

/* The oracle runs on one thread whatever the plan runs on. */
static void equals_the_oracle(void **state) {
    (void)state;
    stoa_context *single = make_context(1);
    for (size_t threads = 1; threads <= 3; threads += 2) {
        stoa_context *context = make_context(threads);
        for (size_t n = 0; n < sizeof nets / sizeof *nets; n++) {
            check_net(&nets[n], single, context);
        }
        stoa_context_free(context);
    }
    stoa_context_free(single);
}

/* Every drawn network for training with either loss, for inference, and in full and partial batches. */
static void equals_the_oracle_on_drawn_nets(void **state) {
    (void)state;
    stoa_context *single = make_context(1);
    stoa_context *context = make_context(2);
    for (uint64_t seed = 1; seed <= DRAWN_NETS; seed++) {
        struct drawn d;
        draw_net(&d, seed);
        char what[32];
        (void)snprintf(what, sizeof what, "drawn net %u", (unsigned)seed);
        struct net net = {what, {4, 4, 3}, seed % 2 == 0 ? "softmax_cross_entropy" : "mse", {NULL}};
        for (size_t i = 0; i < d.count; i++) {
            net.lines[i] = d.text[i];
        }
        check_net(&net, single, context);
    }
    stoa_context_free(context);
    stoa_context_free(single);
}

/* A plan for inference may have a loss, with prepared weights or without. */
static void evaluates_without_training(void **state) {
    (void)state;
    stoa_context *context = make_context(2);
    for (size_t i = 0; i < 2 * (sizeof nets / sizeof *nets); i++) {
        const struct net *net = &nets[i / 2];
        stoa_model *model = oracle_model(context, net->input, net->lines);
        struct planned p;
        planned_open(
            &p, context, model,
            &(stoa_plan_options){.batch = BATCH, .loss = net->loss, .prepare = i % 2, .layerwise = true});
        check_run(net, context, p.plan, model, BATCH, false, 3);
        check_run(net, context, p.plan, model, 2, false, 4);
        planned_close(&p);
        stoa_model_free(model);
    }
    stoa_context_free(context);
}

/* A value that lives in a step does not overlap another that does, unless one lies in the other's place on
 * purpose. */
static void places_values_apart(void **state) {
    (void)state;
    stoa_context *context = make_context(2);
    for (size_t n = 0; n < 2 * (sizeof nets / sizeof *nets); n++) {
        const struct net *net = &nets[n / 2];
        stoa_model *model = oracle_model(context, net->input, net->lines);
        stoa_plan *plan = NULL;
        stoa_plan_options options = {.batch = BATCH, .loss = net->loss};
        if (n % 2) {
            options.prepare = true;
        } else {
            options.training = true;
            options.optimizer_slots = 1;
        }
        assert_int_equal(stoa_plan_create(context, model, &options, &plan), STOA_OK);
        for (size_t i = 0; i < stoa_plan_value_count(plan); i++) {
            stoa_plan_value a;
            assert_int_equal(stoa_plan_value_at(plan, i, &a), STOA_OK);
            assert_true(a.offset % STOA_ALIGN_BYTES == 0 && a.first <= a.last);
            assert_true(a.offset + a.bytes <= stoa_plan_bytes(plan));
            for (size_t j = 0; j < i; j++) {
                stoa_plan_value b;
                assert_int_equal(stoa_plan_value_at(plan, j, &b), STOA_OK);
                bool together = a.first <= b.last && b.first <= a.last;
                bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
                assert_true(!together || !overlap || a.shares || b.shares);
            }
        }
        stoa_plan_free(plan);
        stoa_model_free(model);
    }
    stoa_context_free(context);
}

/* Tensors of whole pages that live together begin at different places of their pages. */
static void begins_tensors_apart(void **state) {
    (void)state;
    enum { PAGE = 4096 };
    stoa_context *context = make_context(1);
    const char *lines[] = {"a conv2d filters=16 kernel=3 pad=1", "b conv2d filters=16 kernel=3 pad=1",
                           "c relu", "d conv2d filters=16 kernel=3 pad=1", NULL};
    stoa_model *model = oracle_model(context, (const size_t[]){16, 16, 16}, lines);
    stoa_plan *plan = NULL;
    assert_int_equal(stoa_plan_create(context, model,
                                      &(stoa_plan_options){.batch = 2, .training = true, .loss = "mse"},
                                      &plan),
                     STOA_OK);
    size_t pairs = 0;
    for (size_t i = 0; i < stoa_plan_value_count(plan); i++) {
        stoa_plan_value a;
        assert_int_equal(stoa_plan_value_at(plan, i, &a), STOA_OK);
        for (size_t j = 0; a.bytes > 0 && a.bytes % PAGE == 0 && j < i; j++) {
            stoa_plan_value b;
            assert_int_equal(stoa_plan_value_at(plan, j, &b), STOA_OK);
            if (b.bytes == a.bytes && !a.shares && !b.shares && a.first <= b.last && b.first <= a.last) {
                assert_true(a.offset % PAGE != b.offset % PAGE);
                pairs++;
            }
        }
    }
    assert_true(pairs > 2);
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* The bytes that live at a step, from the values; none of them shares here. */
static size_t sum_alive(const stoa_plan *plan, size_t step) {
    size_t bytes = 0;
    for (size_t i = 0; i < stoa_plan_value_count(plan); i++) {
        stoa_plan_value value;
        assert_int_equal(stoa_plan_value_at(plan, i, &value), STOA_OK);
        assert_false(value.shares);
        bytes += value.first <= step && step <= value.last ? stoa_round_up(value.bytes, STOA_ALIGN_BYTES) : 0;
    }
    return bytes;
}

/* The deepest network there may be is planned and described at once, not in minutes. */
static void describes_a_deep_net(void **state) {
    (void)state;
    stoa_context *context = make_context(1);
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, 2);
    for (size_t i = 0; i < STOA_MAX_LAYERS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "l%zu", i);
        stoa_model_add(model, name, "linear units=2");
    }
    assert_int_equal(stoa_model_build(model), STOA_OK);
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = 3, .training = true, .optimizer_slots = 1, .layerwise = true};
    assert_int_equal(stoa_plan_create(context, model, &options, &plan), STOA_OK);
    assert_int_equal(stoa_plan_step_count(plan), 2 * STOA_MAX_LAYERS + 2);
    for (size_t step = 0; step < stoa_plan_step_count(plan); step++) {
        stoa_plan_step found;
        assert_int_equal(stoa_plan_step_at(plan, step, &found), STOA_OK);
        if (step % 1000 == 0) {
            assert_int_equal(found.live_bytes, sum_alive(plan, step));
        }
    }
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_oracle),          cmocka_unit_test(equals_the_oracle_on_drawn_nets),
        cmocka_unit_test(evaluates_without_training), cmocka_unit_test(places_values_apart),
        cmocka_unit_test(begins_tensors_apart),       cmocka_unit_test(describes_a_deep_net),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
