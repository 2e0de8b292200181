/* SPDX-License-Identifier: MIT */
/* A model without a plan. Nothing here is fast, shared or in place. */
#include "oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/random.h"
#include "base/size.h"
#include "blas/blas.h"

float *oracle_floats(size_t count) {
    size_t bytes = stoa_round_up(stoa_max(count, 1) * sizeof(float), 64);
    float *floats = aligned_alloc(64, bytes);
    assert_non_null(floats);
    memset(floats, 0xFF, bytes);
    return floats;
}

void oracle_fill(float *out, size_t count, uint64_t seed) {
    for (size_t i = 0; i < count; i++) {
        out[i] = 2 * stoa_random_unit(stoa_philox(seed, i, 77).word[0]) - 1;
    }
}

stoa_model *oracle_model(stoa_context *context, const size_t input[3], const char *const *lines) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, input[0], input[1], input[2]);
    for (; *lines; lines++) {
        char name[64];
        size_t length = strcspn(*lines, " ");
        (void)snprintf(name, sizeof name, "%.*s", (int)length, *lines);
        stoa_model_add(model, name, *lines + length);
    }
    if (stoa_model_build(model) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_model_init(model, 11), STOA_OK);
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        for (size_t j = 0; tensor->spec.rank == 1 && j < tensor->count; j++) {
            stoa_tensor_change(model, i)[j] += 0.01F * (float)((i + j) % 7);
        }
    }
    return model;
}

/* One node with its blocks. */
struct oracle_node {
    const struct stoa_layer *layer;
    const size_t *input;
    const float *x[STOA_MAX_INPUTS];
    float *dx[STOA_MAX_INPUTS];
    struct stoa_op_run run;
    float *output, *gradient; /* gradient: of the output, in the order the consumers give it */
    bool has_gradient;
};

static struct stoa_op_run prepare(stoa_context *context, const struct stoa_layer *layer, size_t number,
                                  const struct oracle_run *run) {
    struct stoa_op_run made = {.context = context,
                               .x = stoa_no_inputs,
                               .dx = stoa_no_gradients,
                               .layer = layer,
                               .layer_number = number,
                               .batch = run->samples,
                               .planned_batch = run->planned,
                               .training = run->training,
                               .wants_input_gradient = true,
                               .frozen = run->frozen && run->frozen[number],
                               .seed = run->seed,
                               .step = run->step,
                               .targets = run->targets};
    struct stoa_op_memory memory = {0};
    made.plan = oracle_floats(layer->op->plan_bytes / sizeof(float) + 1);
    memset(made.plan, 0, layer->op->plan_bytes);
    if (layer->op->memory) {
        assert_true(layer->op->memory(&made, &memory));
    }
    made.saved = memory.saved ? oracle_floats(memory.saved / sizeof(float) + 1) : NULL;
    return made;
}

static void *new_workspace(const struct stoa_op_run *run, enum stoa_pass pass) {
    struct stoa_op_memory memory = {0};
    if (run->layer->op->memory) {
        assert_true(run->layer->op->memory(run, &memory));
    }
    return memory.workspace[pass] ? oracle_floats(memory.workspace[pass] / sizeof(float) + 1) : NULL;
}

static void run_forward(struct oracle_node *nodes, size_t number, const float *input) {
    STOA_FLOAT_STATE();
    struct oracle_node *node = &nodes[number];
    size_t count = node->run.batch * stoa_shape_size(&node->layer->output);
    node->output = oracle_floats(count);
    node->gradient = oracle_floats(count);
    for (size_t k = 0; k < node->layer->inputs; k++) {
        node->x[k] = node->input[k] == 0 ? input : nodes[node->input[k] - 1].output;
    }
    node->run.x = node->x;
    node->run.dx = node->dx;
    node->run.y = node->output;
    node->run.workspace = new_workspace(&node->run, STOA_FORWARD);
    stoa_blas_enter();
    node->layer->op->forward(&node->run);
    stoa_blas_leave();
    free(node->run.workspace);
}

/* The first consumer from behind sets a gradient, the others add to it: the order the plan promises. */
static void give_gradient(struct oracle_node *to, const float *dx, size_t count) {
    for (size_t i = 0; i < count; i++) {
        to->gradient[i] = to->has_gradient ? to->gradient[i] + dx[i] : dx[i];
    }
    to->has_gradient = true;
}

static void run_backward(struct oracle_node *nodes, size_t number) {
    STOA_FLOAT_STATE();
    struct oracle_node *node = &nodes[number];
    const struct stoa_layer *layer = node->layer;
    node->run.dy = node->gradient;
    for (size_t k = 0; k < layer->inputs; k++) {
        node->dx[k] = oracle_floats(node->run.batch * stoa_shape_size(&layer->input[k]));
    }
    node->run.workspace = new_workspace(&node->run, STOA_BACKWARD);
    stoa_blas_enter();
    layer->op->backward(&node->run);
    stoa_blas_leave();
    free(node->run.workspace);
    for (size_t k = 0; k < layer->inputs; k++) {
        if (node->input[k] > 0) {
            give_gradient(&nodes[node->input[k] - 1], node->dx[k],
                          node->run.batch * stoa_shape_size(&layer->input[k]));
        }
        free(node->dx[k]);
    }
}

static void attach_tensors(struct oracle *oracle, const stoa_model *model, size_t number,
                           struct oracle_node *node) {
    for (size_t t = 0; t < node->layer->tensors; t++) {
        size_t tensor = model->nodes[number].tensor[t];
        node->run.tensor[t] = oracle->tensor[tensor];
        node->run.dtensor[t] = node->run.frozen ? NULL : oracle->gradient[tensor];
    }
}

static void copy_tensors(struct oracle *oracle, const stoa_model *model) {
    assert_true(model->tensor_count <= ORACLE_MOST_TENSORS);
    oracle->tensors = model->tensor_count;
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        oracle->tensor[i] = oracle_floats(tensor->count);
        memcpy(oracle->tensor[i], stoa_tensor_data(model, i), tensor->count * sizeof(float));
        oracle->gradient[i] = tensor->spec.trainable ? oracle_floats(tensor->count) : NULL;
    }
}

static void make_loss(struct stoa_layer *loss, const stoa_model *model, const char *line) {
    struct stoa_error error = {0};
    struct stoa_spec spec;
    assert_int_equal(stoa_spec_parse(&error, line, &spec), STOA_OK);
    assert_int_equal(
        stoa_layer_make(&error, "loss", &spec, stoa_value_shape(model, model->node_count), 1, loss), STOA_OK);
}

void oracle_open(struct oracle *oracle, stoa_context *context, const stoa_model *model,
                 const struct oracle_run *run) {
    *oracle = (struct oracle){.loss = NAN};
    copy_tensors(oracle, model);
    size_t count = model->node_count;
    struct oracle_node *nodes = calloc(count + 1, sizeof *nodes);
    struct stoa_layer loss = {0};
    assert_non_null(nodes);
    for (size_t i = 0; i < count; i++) {
        nodes[i].layer = &model->nodes[i].layer;
        nodes[i].input = model->nodes[i].input;
        nodes[i].run = prepare(context, nodes[i].layer, i, run);
        attach_tensors(oracle, model, i, &nodes[i]);
        run_forward(nodes, i, run->input);
    }
    if (run->loss) {
        make_loss(&loss, model, run->loss);
        nodes[count].layer = &loss;
        nodes[count].input = &count;
        nodes[count].run = prepare(context, &loss, count, run);
        run_forward(nodes, count, run->input);
        double sum = 0;
        for (size_t i = 0; i < run->samples; i++) {
            sum += (double)nodes[count].output[i];
            nodes[count].gradient[i] = 1.0F / (float)run->samples;
        }
        oracle->loss = sum / (double)run->samples;
    }
    for (size_t i = count + 1; run->training && i-- > 0;) {
        run_backward(nodes, i);
    }
    oracle->output = nodes[count - 1].output;
    nodes[count - 1].output = NULL;
    for (size_t i = 0; i <= count; i++) {
        free(nodes[i].output);
        free(nodes[i].gradient);
        free(nodes[i].run.saved);
        free(nodes[i].run.plan);
    }
    free(nodes);
    stoa_layer_clear(&loss);
}

void oracle_close(struct oracle *oracle) {
    free(oracle->output);
    for (size_t i = 0; i < oracle->tensors; i++) {
        free(oracle->tensor[i]);
        free(oracle->gradient[i]);
    }
}
