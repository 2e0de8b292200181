/* SPDX-License-Identifier: MIT */
/* Stateless layer norm: the caller's buffers checked, a layer on the stack, and then the operator that models
 * run. A row is a sample. */
#include <math.h>
#include <stdio.h>

#include "base/float_state.h"
#include "base/size.h"
#include "ops/stateless.h"

/* A layer, its run, and what the run wants. */
struct row_norming {
    struct stoa_stateless_layer layer;
    struct stoa_op_run run;
    struct stoa_op_memory memory;
};

static stoa_status read_norm(stoa_context *context, const char *function, size_t rows, size_t columns,
                             float epsilon, bool affine, struct row_norming *n) {
    const struct stoa_named_size sizes[] = {STOA_NAMED(rows), STOA_NAMED(columns), {NULL, 0}};
    stoa_status status = stoa_check_sizes(context, function, sizes, STOA_MAX_DIMENSION);
    if (status == STOA_OK) {
        status = stoa_check_array(context, function, "x", sizes);
    }
    if (status == STOA_OK) {
        char line[96];
        const struct stoa_shape shape = {.rank = 1, .dim = {columns}};
        (void)snprintf(line, sizeof line, "layernorm epsilon=%.9g affine=%s", (double)epsilon,
                       affine ? "true" : "false");
        status = stoa_stateless_layer(context, function, "layer", line, &shape, &n->layer);
    }
    n->run = (struct stoa_op_run){.context = context,
                                  .x = stoa_no_inputs,
                                  .dx = stoa_no_gradients,
                                  .layer = &n->layer.layer,
                                  .batch = rows,
                                  .planned_batch = rows,
                                  .training = true};
    n->memory = (struct stoa_op_memory){0};
    if (status == STOA_OK && !n->layer.layer.op->memory(&n->run, &n->memory)) {
        return stoa_fail(context, STOA_ERR_SHAPE, "%s: the size of the workspace overflows", function);
    }
    return status;
}

/* An epsilon that the operator takes, for passes that do not read it. */
static const float any_epsilon = 1e-5F;

stoa_status stoa_layernorm_workspace(stoa_context *context, size_t rows, size_t columns, size_t *bytes) {
    struct row_norming n;
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(bytes)));
    if (status == STOA_OK) {
        status = read_norm(context, __func__, rows, columns, any_epsilon, true, &n);
    }
    if (status == STOA_OK) {
        *bytes = n.memory.workspace[STOA_BACKWARD];
    }
    return status;
}

/* Both or neither. */
static stoa_status check_pair(stoa_context *context, const char *function, const char *names,
                              const void *first, const void *second) {
    return !first == !second ? STOA_OK
                             : stoa_fail(context, STOA_ERR_ARGUMENT,
                                         "%s: one of %s is NULL, expected both or neither", function, names);
}

stoa_status stoa_layernorm_forward(stoa_context *context, size_t rows, size_t columns, float epsilon,
                                   const float *x, const float *scale, const float *shift, double *moments,
                                   float *y) {
    STOA_FLOAT_STATE();
    struct row_norming n;
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(y)));
    if (status == STOA_OK) {
        status = check_pair(context, __func__, "scale and shift", scale, shift);
    }
    if (status == STOA_OK) {
        status = read_norm(context, __func__, rows, columns, epsilon, scale != NULL, &n);
    }
    if (status == STOA_OK) {
        n.run.training = moments != NULL;
        n.run.saved = moments;
        n.run.x = &x;
        n.run.y = y;
        n.run.tensor[0] = stoa_only_read(scale);
        n.run.tensor[1] = stoa_only_read(shift);
        n.layer.layer.op->forward(&n.run);
    }
    return status;
}

stoa_status stoa_layernorm_backward(stoa_context *context, size_t rows, size_t columns, const float *x,
                                    const float *scale, const double *moments, const float *dy, float *dx,
                                    float *dscale, float *dshift, void *workspace, size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct row_norming n;
    stoa_status status = stoa_check_buffers(context, __func__,
                                            STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(moments), STOA_NAMED(dy)));
    if (status == STOA_OK) {
        status = check_pair(context, __func__, "dscale and dshift", dscale, dshift);
    }
    if (status == STOA_OK && dscale) {
        status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(scale)));
    }
    if (status == STOA_OK) {
        status = read_norm(context, __func__, rows, columns, any_epsilon, scale != NULL, &n);
    }
    if (status == STOA_OK) {
        status = stoa_check_memory(context, __func__, "workspace", workspace, workspace_bytes,
                                   dscale ? n.memory.workspace[STOA_BACKWARD] : 0);
    }
    if (status == STOA_OK) {
        memcpy(&n.run.saved, &moments, sizeof moments); /* backward only reads it */
        n.run.frozen = !dscale;
        n.run.workspace = workspace;
        n.run.x = &x;
        n.run.tensor[0] = stoa_only_read(scale);
        n.run.dy = dy;
        n.run.dx = &dx;
        n.run.dtensor[0] = dscale;
        n.run.dtensor[1] = dshift;
        n.layer.layer.op->backward(&n.run);
    }
    return status;
}
