/* SPDX-License-Identifier: MIT */
/* A plan described: values, steps, gradients by name. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "core/tuning.h"
#include "model/plan.h"

size_t stoa_plan_value_count(const stoa_plan *plan) {
    return plan->value_count;
}

stoa_status stoa_plan_value_at(const stoa_plan *plan, size_t index, stoa_plan_value *out) {
    if (index >= plan->value_count) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "value %zu: the plan has %zu values", index,
                         plan->value_count);
    }
    const struct stoa_value *value = &plan->values[index];
    *out = (stoa_plan_value){.name = value->name,
                             .bytes = value->bytes,
                             .offset = value->offset,
                             .first = value->first,
                             .last = value->last,
                             .shares = value->root != index || value->area != STOA_NO_VALUE};
    if (value->shape) {
        out->rank = value->shape->rank;
        memcpy(out->shape, value->shape->dim, sizeof out->shape);
    }
    return STOA_OK;
}

size_t stoa_plan_step_count(const stoa_plan *plan) {
    return plan->steps;
}

/* Bytes of the blocks that live at a step. */
static size_t live_bytes(const struct stoa_plan *plan, size_t step) {
    size_t bytes = 0;
    for (size_t i = 0; i < plan->value_count; i++) {
        const struct stoa_value *value = &plan->values[i];
        bool lives = value->root == i && value->area == STOA_NO_VALUE && value->block_first <= step &&
                     step <= value->block_last;
        bytes += lives ? stoa_round_up(value->block_bytes, STOA_ALIGN_BYTES) : 0;
    }
    return bytes;
}

stoa_status stoa_plan_step_at(const stoa_plan *plan, size_t index, stoa_plan_step *out) {
    if (index >= stoa_plan_step_count(plan)) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "step %zu: the plan has %zu steps", index,
                         stoa_plan_step_count(plan));
    }
    STOA_TUNING_TURN(plan->context, plan->tuning);
    enum stoa_pass pass = stoa_step_pass(plan, index);
    size_t node = stoa_step_node(plan, index);
    struct stoa_op_run run;
    stoa_plan_run(plan, node, pass, &run);
    size_t workspace = plan->node[node].workspace[pass];
    *out = (stoa_plan_step){.layer = run.layer->name,
                            .op = run.layer->op->name,
                            .pass = stoa_pass_name(pass),
                            .workspace_bytes = workspace == STOA_NO_VALUE ? 0 : plan->values[workspace].bytes,
                            .live_bytes = live_bytes(plan, index)};
    const struct stoa_section *section = stoa_section_of(plan, node, pass);
    out->done_by = stoa_plan_layer(plan, plan->node[node].leader[pass])->name;
    out->section = section ? (size_t)(section - plan->sections) + 1 : 0;
    out->block = section ? section->cut.block : plan->batch;
    if (pass == STOA_BACKWARD && !stoa_plan_goes_back(plan, node)) {
        (void)snprintf(out->algorithm, sizeof out->algorithm, "none");
    } else if (pass == STOA_BACKWARD && plan->node[node].gives_gradient) {
        (void)snprintf(out->algorithm, sizeof out->algorithm, "in its forward pass");
    } else if (run.layer->op->algorithm) {
        run.layer->op->algorithm(&run, pass, out->algorithm, sizeof out->algorithm);
    }
    return STOA_OK;
}

stoa_status stoa_plan_get_gradient(const stoa_plan *plan, size_t index, float *values, size_t count) {
    const stoa_model *model = plan->model;
    if (!plan->training || !plan->arena || index >= model->tensor_count ||
        !model->tensors[index].spec.trainable || model->tensors[index].count != count) {
        return stoa_fail(
            plan->context, STOA_ERR_ARGUMENT,
            "gradient: expected a bound training plan, a trainable tensor and its number of values, found "
            "tensor %zu and %zu values",
            index, count);
    }
    const struct stoa_tensor *tensor = &model->tensors[index];
    if (plan->frozen[stoa_tensor_node(model, index)]) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "gradient: the layer of '%s' is frozen",
                         tensor->name);
    }
    stoa_tensor_to_disk(&tensor->spec, stoa_plan_gradients(plan) + tensor->offset, values);
    return STOA_OK;
}
