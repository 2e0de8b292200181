/* SPDX-License-Identifier: MIT */
#include "ops/conv_layer.h"

#include <stdio.h>

#include "base/size.h"

bool stoa_conv_layer_memory(const struct stoa_op_run *run, const struct stoa_conv *conv, bool transposed,
                            struct stoa_op_memory *memory) {
    struct stoa_conv_plan *plan = run->plan;
    const bool wanted[STOA_CONV_PASSES] = {true, run->wants_input_gradient, !run->frozen};
    const enum stoa_conv_pass passes[STOA_CONV_PASSES] = {
        [STOA_LAYER_FORWARD] = transposed ? STOA_CONV_BACKWARD_DATA : STOA_CONV_FORWARD,
        [STOA_LAYER_DATA] = transposed ? STOA_CONV_FORWARD : STOA_CONV_BACKWARD_DATA,
        [STOA_LAYER_WEIGHTS] = STOA_CONV_BACKWARD_WEIGHTS};
    char what[96];
    (void)snprintf(what, sizeof what, "%s '%.64s'", run->layer->op->name,
                   run->layer->name ? run->layer->name : "");
    for (int i = 0; i < STOA_CONV_PASSES; i++) {
        plan[i] = (struct stoa_conv_plan){.pass = passes[i]};
        if (wanted[i] && !stoa_conv_plan(run->context, conv, passes[i], what, &plan[i])) {
            return false;
        }
    }
    memory->prepared = plan[STOA_LAYER_FORWARD].prepared_bytes;
    memory->workspace[STOA_FORWARD] = plan[STOA_LAYER_FORWARD].bytes;
    memory->workspace[STOA_BACKWARD] = stoa_max(plan[STOA_LAYER_DATA].bytes, plan[STOA_LAYER_WEIGHTS].bytes);
    return true;
}

void stoa_conv_layer_backward(const struct stoa_op_run *run) {
    const struct stoa_conv_plan *data = stoa_conv_layer_plan(run, STOA_LAYER_DATA);
    bool transposed = data->pass == STOA_CONV_FORWARD;
    struct stoa_conv_run pass = {.context = run->context, .batch = run->batch, .workspace = run->workspace};
    if (!run->frozen) {
        struct stoa_conv_run weights = pass;
        weights.x = transposed ? run->dy : run->x[0];
        weights.dy = transposed ? run->x[0] : run->dy;
        weights.dweight = run->dtensor[0];
        weights.dbias = transposed ? NULL : run->dtensor[1]; /* its sums are over the convolution's dy */
        stoa_conv_run(stoa_conv_layer_plan(run, STOA_LAYER_WEIGHTS), &weights);
    }
    if (run->dx[0]) {
        pass.weight = run->tensor[0];
        pass.finish = stoa_finish_of(run, NULL);
        if (transposed) {
            pass.x = run->dy;
            pass.y = run->dx[0];
        } else {
            pass.dy = run->dy;
            pass.dx = run->dx[0];
        }
        stoa_conv_run(data, &pass);
    }
}

void stoa_conv_layer_describe(const struct stoa_op_run *run, enum stoa_pass pass, char *out, size_t size) {
    if (pass == STOA_FORWARD) {
        stoa_conv_describe(stoa_conv_layer_plan(run, STOA_LAYER_FORWARD), out, size);
        return;
    }
    char weights[96];
    char data[96];
    stoa_conv_describe(stoa_conv_layer_plan(run, STOA_LAYER_WEIGHTS), weights, sizeof weights);
    stoa_conv_describe(stoa_conv_layer_plan(run, STOA_LAYER_DATA), data, sizeof data);
    (void)snprintf(out, size, "weights: %s; data: %s", weights, data);
}
