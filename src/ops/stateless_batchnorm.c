/* SPDX-License-Identifier: MIT */
/* Stateless batch norm: the caller's buffers checked, a layer on the stack, and then the operator that models
 * run. A row is a sample of one pixel. */
#include <math.h>

#include "base/float_state.h"
#include "base/size.h"
#include "ops/batchnorm.h"
#include "ops/op.h"
#include "ops/stateless.h"

/* A batch norm layer, its run, and what the run wants. */
struct norming {
    struct stoa_batchnorm_options options;
    struct stoa_layer layer;
    struct stoa_shape shape;
    struct stoa_op_run run;
    struct stoa_op_memory memory;
};

static stoa_status read_norm(stoa_context *context, const char *function, const stoa_batchnorm *norm,
                             struct norming *n) {
    *n = (struct norming){.layer = {.op = stoa_op_find("batchnorm")}};
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(norm)));
    if (status != STOA_OK) {
        return status;
    }
    const struct stoa_named_size sizes[] = {{"rows", norm->rows}, {"channels", norm->channels}, {NULL, 0}};
    status = stoa_check_sizes(context, function, sizes, STOA_MAX_DIMENSION);
    if (status == STOA_OK) {
        status = stoa_check_array(context, function, "x", sizes);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (!(norm->epsilon > 0) || !isfinite(norm->epsilon) || !(norm->momentum >= 0 && norm->momentum <= 1)) {
        return stoa_fail(
            context, STOA_ERR_ARGUMENT,
            "%s: found epsilon %g and momentum %g, expected epsilon above 0 and momentum in [0, 1]", function,
            (double)norm->epsilon, (double)norm->momentum);
    }
    n->shape = (struct stoa_shape){.rank = 1, .dim = {norm->channels}};
    n->options = (struct stoa_batchnorm_options){norm->epsilon, norm->momentum};
    n->layer = (struct stoa_layer){
        .op = n->layer.op, .options = &n->options, .inputs = 1, .input = &n->shape, .output = n->shape};
    n->run = (struct stoa_op_run){.context = context,
                                  .x = stoa_no_inputs,
                                  .dx = stoa_no_gradients,
                                  .layer = &n->layer,
                                  .batch = norm->rows,
                                  .planned_batch = norm->rows,
                                  .training = true,
                                  .wants_input_gradient = true};
    n->memory = (struct stoa_op_memory){0};
    (void)n->layer.op->memory(&n->run, &n->memory); /* a few vectors of channels: cannot overflow */
    return STOA_OK;
}

/* The operator's own workspace, and behind it what it saves between passes. */
static size_t norm_scratch(const struct norming *n) {
    return stoa_round_up(stoa_max(n->memory.workspace[STOA_FORWARD], n->memory.workspace[STOA_BACKWARD]),
                         STOA_ALIGN_BYTES);
}

static stoa_status open_norm(stoa_context *context, const char *function, const stoa_batchnorm *norm,
                             void *workspace, size_t workspace_bytes, struct norming *n) {
    stoa_status status = read_norm(context, function, norm, n);
    if (status == STOA_OK) {
        status = stoa_check_memory(context, function, "workspace", workspace, workspace_bytes,
                                   norm_scratch(n) + n->memory.saved);
    }
    if (status == STOA_OK) {
        n->run.workspace = workspace;
        n->run.saved = (unsigned char *)workspace + norm_scratch(n);
    }
    return status;
}

/* What the operator saves: mean and 1 / deviation, each from an alignment unit on. */
static double *norm_mean(const struct norming *n) {
    return n->run.saved;
}

static double *norm_inverse(const struct norming *n) {
    return norm_mean(n) + stoa_round_up(n->layer.output.dim[0], STOA_ALIGN_FLOATS);
}

stoa_status stoa_batchnorm_workspace(stoa_context *context, const stoa_batchnorm *norm, size_t *bytes) {
    struct norming n;
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(bytes)));
    if (status == STOA_OK) {
        status = read_norm(context, __func__, norm, &n);
    }
    if (status == STOA_OK) {
        *bytes = norm_scratch(&n) + n.memory.saved;
    }
    return status;
}

stoa_status stoa_batchnorm_train(stoa_context *context, const stoa_batchnorm *norm, const float *x,
                                 const float *scale, const float *shift, float *running_mean,
                                 float *running_var, float *mean, float *inv_std, float *y, void *workspace,
                                 size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct norming n;
    stoa_status status = stoa_check_buffers(
        context, __func__,
        STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(scale), STOA_NAMED(shift), STOA_NAMED(running_mean),
                     STOA_NAMED(running_var), STOA_NAMED(mean), STOA_NAMED(inv_std), STOA_NAMED(y)));
    if (status == STOA_OK) {
        status = open_norm(context, __func__, norm, workspace, workspace_bytes, &n);
    }
    if (status == STOA_OK && norm->rows < 2) {
        status =
            stoa_fail(context, STOA_ERR_ARGUMENT,
                      "%s: found 1 row, expected 2 or more: one value a channel has no deviation", __func__);
    }
    if (status != STOA_OK) {
        return status;
    }
    n.run.x = &x;
    n.run.y = y;
    n.run.tensor[STOA_BATCHNORM_WEIGHT] = stoa_only_read(scale);
    n.run.tensor[STOA_BATCHNORM_BIAS] = stoa_only_read(shift);
    n.run.tensor[STOA_BATCHNORM_MEAN] = running_mean;
    n.run.tensor[STOA_BATCHNORM_VAR] = running_var;
    n.layer.op->forward(&n.run);
    for (size_t c = 0; c < norm->channels; c++) {
        mean[c] = (float)norm_mean(&n)[c];
        inv_std[c] = (float)norm_inverse(&n)[c];
    }
    return STOA_OK;
}

stoa_status stoa_batchnorm_infer(stoa_context *context, const stoa_batchnorm *norm, const float *x,
                                 const float *scale, const float *shift, const float *running_mean,
                                 const float *running_var, float *y, void *workspace,
                                 size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct norming n;
    stoa_status status =
        stoa_check_buffers(context, __func__,
                           STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(scale), STOA_NAMED(shift),
                                        STOA_NAMED(running_mean), STOA_NAMED(running_var), STOA_NAMED(y)));
    if (status == STOA_OK) {
        status = open_norm(context, __func__, norm, workspace, workspace_bytes, &n);
    }
    if (status != STOA_OK) {
        return status;
    }
    n.run.training = false;
    n.run.x = &x;
    n.run.y = y;
    n.run.tensor[STOA_BATCHNORM_WEIGHT] = stoa_only_read(scale);
    n.run.tensor[STOA_BATCHNORM_BIAS] = stoa_only_read(shift);
    n.run.tensor[STOA_BATCHNORM_MEAN] = stoa_only_read(running_mean);
    n.run.tensor[STOA_BATCHNORM_VAR] = stoa_only_read(running_var);
    n.layer.op->forward(&n.run);
    return STOA_OK;
}

stoa_status stoa_batchnorm_backward(stoa_context *context, const stoa_batchnorm *norm, const float *x,
                                    const float *dy, const float *scale, const float *mean,
                                    const float *inv_std, float *dx, float *dscale, float *dshift,
                                    void *workspace, size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct norming n;
    stoa_status status =
        stoa_check_buffers(context, __func__,
                           STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(dy), STOA_NAMED(scale), STOA_NAMED(mean),
                                        STOA_NAMED(inv_std), STOA_NAMED(dscale), STOA_NAMED(dshift)));
    if (status == STOA_OK) {
        status = open_norm(context, __func__, norm, workspace, workspace_bytes, &n);
    }
    if (status != STOA_OK) {
        return status;
    }
    for (size_t c = 0; c < norm->channels; c++) {
        norm_mean(&n)[c] = (double)mean[c];
        norm_inverse(&n)[c] = (double)inv_std[c];
    }
    n.run.x = &x;
    n.run.dy = dy;
    n.run.dx = &dx;
    n.run.tensor[STOA_BATCHNORM_WEIGHT] = stoa_only_read(scale);
    n.run.dtensor[STOA_BATCHNORM_WEIGHT] = dscale;
    n.run.dtensor[STOA_BATCHNORM_BIAS] = dshift;
    n.layer.op->backward(&n.run);
    return STOA_OK;
}
