/* SPDX-License-Identifier: MIT */
/* Running a model's references in double. */
#include "model/reference.h"

#include <string.h>

#include "base/size.h"

static size_t value_count(const struct stoa_reference *r) {
    return r->plan->nodes + 2;
}

static const struct stoa_shape *shape_of(const struct stoa_reference *r, size_t value) {
    return value == r->plan->nodes + 1 ? &r->plan->loss.output : stoa_value_shape(r->plan->model, value);
}

static size_t size_of(const struct stoa_reference *r, size_t value) {
    return r->batch * stoa_shape_size(shape_of(r, value));
}

/* Doubles in all: two a number of a value or tensor, and the largest value for each input; false on
 * overflow. */
static bool count_doubles(const struct stoa_reference *r, size_t *count) {
    size_t largest = 0;
    *count = 0;
    for (size_t i = 0; i < value_count(r); i++) {
        size_t size;
        if (!stoa_size_mul(r->batch, stoa_shape_size(shape_of(r, i)), &size) ||
            !stoa_size_add(*count, size, count) || !stoa_size_add(*count, size, count)) {
            return false;
        }
        largest = stoa_max(largest, size);
    }
    for (size_t i = 0; i < r->plan->model->tensor_count; i++) {
        if (!stoa_size_add(*count, 2 * r->plan->model->tensors[i].count, count)) {
            return false;
        }
    }
    return stoa_size_scale(&largest, r->terms) && stoa_size_add(*count, largest, count);
}

/* The next `count` doubles of the memory. */
static double *take(double **memory, size_t count) {
    double *taken = *memory;
    *memory += count;
    return taken;
}

static void place(struct stoa_reference *r) {
    const stoa_model *model = r->plan->model;
    double *memory = r->memory;
    size_t largest = 0;
    for (size_t i = 0; i < value_count(r); i++) {
        r->value[i] = take(&memory, size_of(r, i));
        r->gradient[i] = take(&memory, size_of(r, i));
        largest = stoa_max(largest, size_of(r, i));
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        const float *data = stoa_tensor_data(model, i);
        double *copy = take(&memory, tensor->count);
        for (size_t j = 0; j < tensor->count; j++) {
            copy[j] = (double)data[j];
        }
        r->tensor[i] = copy;
        r->tensor_gradient[i] = tensor->spec.trainable ? take(&memory, tensor->count) : NULL;
    }
    for (size_t k = 0; k < r->terms; k++) {
        r->term[k] = take(&memory, largest);
    }
}

stoa_status stoa_reference_open(const struct stoa_plan *plan, size_t batch, uint64_t seed,
                                struct stoa_reference *reference) {
    struct stoa_reference r = {.plan = plan, .batch = batch, .seed = seed};
    size_t tensors = plan->model->tensor_count;
    size_t values = value_count(&r);
    for (size_t node = 0; node <= plan->nodes; node++) {
        r.terms = stoa_max(r.terms, stoa_plan_layer(plan, node)->inputs);
    }
    r.pointer_bytes = (2 * (values + tensors + r.terms)) * sizeof(double *);
    size_t count;
    if (!count_doubles(&r, &count) || !stoa_size_mul(count, sizeof(double), &r.bytes)) {
        return stoa_fail(plan->context, STOA_ERR_MEMORY, "reference: the size of its memory overflows");
    }
    r.pointers = stoa_allocate(plan->context, r.pointer_bytes, "reference");
    r.memory = r.pointers ? stoa_allocate(plan->context, r.bytes, "reference") : NULL;
    if (!r.memory) {
        stoa_reference_close(&r);
        return STOA_ERR_MEMORY;
    }
    r.value = r.pointers;
    r.gradient = r.value + values;
    r.tensor = r.gradient + values;
    r.tensor_gradient = r.tensor + tensors;
    r.term = r.tensor_gradient + tensors;
    r.input = (void *)(r.term + r.terms);
    place(&r);
    *reference = r;
    return STOA_OK;
}

void stoa_reference_close(struct stoa_reference *reference) {
    stoa_release(reference->plan->context, reference->memory, reference->bytes);
    stoa_release(reference->plan->context, reference->pointers, reference->pointer_bytes);
    *reference = (struct stoa_reference){.plan = reference->plan};
}

/* A run of a node, forward. */
static struct stoa_op_reference prepare(const struct stoa_reference *r, size_t node) {
    struct stoa_op_reference run = {.layer = stoa_plan_layer(r->plan, node),
                                    .layer_number = node,
                                    .batch = r->batch,
                                    .training = true,
                                    .frozen = r->plan->frozen[node],
                                    .seed = r->seed,
                                    .y = r->value[node + 1],
                                    .labels = r->labels,
                                    .values = r->values};
    run.x = r->input;
    for (size_t k = 0; k < run.layer->inputs; k++) {
        r->input[k] = r->value[stoa_plan_input_of(r->plan, node, k)];
    }
    for (size_t t = 0; t < run.layer->tensors; t++) {
        size_t tensor = r->plan->model->nodes[node].tensor[t];
        run.tensor[t] = r->tensor[tensor];
        run.dtensor[t] = r->tensor_gradient[tensor];
    }
    return run;
}

static double weight_of(const struct stoa_reference *r) {
    return stoa_plan_loss_weight(r->plan, r->labels, r->batch);
}

double stoa_reference_forward(struct stoa_reference *reference, size_t first) {
    for (size_t node = first; node <= reference->plan->nodes; node++) {
        struct stoa_op_reference run = prepare(reference, node);
        if (run.layer->op->reference_forward) {
            run.layer->op->reference_forward(&run);
        }
    }
    if (reference->plan->takes_gradients) {
        return 0;
    }
    const double *losses = reference->value[reference->plan->nodes + 1];
    double sum = 0;
    for (size_t i = 0; i < reference->batch; i++) {
        sum += losses[i];
    }
    return sum / weight_of(reference);
}

static void run_backward(struct stoa_reference *r, size_t node) {
    struct stoa_op_reference run = prepare(r, node);
    run.dy = r->gradient[node + 1];
    run.dx = r->term;
    if (!run.layer->op->reference_backward) {
        return; /* in the place of a loss there is none */
    }
    run.layer->op->reference_backward(&run);
    for (size_t k = 0; k < run.layer->inputs; k++) {
        size_t input = stoa_plan_input_of(r->plan, node, k);
        for (size_t i = 0; i < size_of(r, input); i++) {
            r->gradient[input][i] += r->term[k][i];
        }
    }
}

void stoa_reference_backward(struct stoa_reference *reference) {
    size_t last = reference->plan->nodes + 1;
    const struct stoa_plan *plan = reference->plan;
    for (size_t i = 0; i < last; i++) {
        if (!plan->takes_gradients || !plan->asked[i] || stoa_value_is_input(plan->model, i)) {
            memset(reference->gradient[i], 0, size_of(reference, i) * sizeof(double));
        }
    }
    for (size_t i = 0; !plan->takes_gradients && i < reference->batch; i++) {
        reference->gradient[last][i] = 1.0 / weight_of(reference);
    }
    for (size_t node = last; node-- > 0;) {
        run_backward(reference, node);
    }
}
