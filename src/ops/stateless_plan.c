/* SPDX-License-Identifier: MIT */
/* A convolution's pass as an object: checked and planned once, then run on the caller's arrays. */
#include <stdlib.h>
#include <stoa/conv_plan.h>

#include "base/float_state.h"
#include "blas/blas.h"
#include "core/tuning.h"
#include "ops/stateless_conv.h"

struct stoa_conv2d_plan {
    stoa_context *context;
    const struct stoa_tuning *tuning;       /* the context's when the plan was made: it decides in its runs */
    struct stoa_stateless_layer activation; /* of its epilogue */
    struct stoa_conv_plan pass;
    char text[160];
};

/* Both layouts of an image are one where it has a single channel or a single pixel. */
static bool planar(stoa_image_layout layout, size_t channels, size_t pixels) {
    return layout == STOA_NCHW && channels > 1 && pixels > 1;
}

static stoa_status check_slice(stoa_context *context, const char *function, const char *operand, size_t pixel,
                               size_t numbers, stoa_image_layout layout) {
    if (pixel > 0 && layout == STOA_NCHW) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "%s: %s_pixel is %zu with STOA_NCHW, expected 0: only NHWC has slices", function,
                         operand, pixel);
    }
    if (pixel > 0 && (pixel < numbers || pixel > STOA_MAX_DIMENSION)) {
        return stoa_fail(context, STOA_ERR_SHAPE, "%s: %s_pixel is %zu, expected 0 or %zu to %zu", function,
                         operand, pixel, numbers, STOA_MAX_DIMENSION);
    }
    return STOA_OK;
}

static stoa_status check_options(stoa_context *context, const char *function, const stoa_conv2d *c,
                                 const stoa_conv2d_plan_options *o) {
    const struct {
        const char *name, *type;
        unsigned value, most;
    } choices[] = {{"pass", "stoa_conv2d_pass", (unsigned)o->pass, STOA_CONV2D_BACKWARD_WEIGHTS},
                   {"x_layout", "stoa_image_layout", (unsigned)o->x_layout, STOA_NCHW},
                   {"y_layout", "stoa_image_layout", (unsigned)o->y_layout, STOA_NCHW},
                   {"weight_layout", "stoa_weight_layout", (unsigned)o->weight_layout, STOA_OIHW}};
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (choices[i].value > choices[i].most) {
            return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: %s is %d, expected one of %s", function,
                             choices[i].name, (int)choices[i].value, choices[i].type);
        }
    }
    stoa_status status = check_slice(context, function, "x", o->x_pixel, c->channels, o->x_layout);
    if (status == STOA_OK) {
        status = check_slice(context, function, "y", o->y_pixel, c->filters, o->y_layout);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (o->accumulate && o->pass == STOA_CONV2D_FORWARD) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "%s: found accumulate for a forward pass, expected a backward one", function);
    }
    if (o->activation && o->pass != STOA_CONV2D_FORWARD) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "%s: found an activation for a backward pass, expected a forward one", function);
    }
    return STOA_OK;
}

/* Layouts that mean the same become one, so that prepared weights fit wherever they are right. */
static void set_layout(const stoa_conv2d_plan_options *o, struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    bool vector = conv->filters == 1 || stoa_conv_group_channels(conv) == 1;
    bool tap = w->kernel_height * w->kernel_width == 1;
    conv->x_pixel = o->x_pixel == w->channels ? 0 : o->x_pixel;
    conv->y_pixel = o->y_pixel == conv->filters ? 0 : o->y_pixel;
    conv->x_planar = planar(o->x_layout, w->channels, w->height * w->width);
    conv->y_planar = planar(o->y_layout, conv->filters, w->out_height * w->out_width);
    conv->oihw = o->weight_layout == STOA_OIHW && !(vector && tap);
    conv->adds = o->accumulate;
}

static stoa_status fill_plan(const char *function, const stoa_conv2d *c, const stoa_conv2d_plan_options *o,
                             struct stoa_conv2d_plan *plan) {
    struct stoa_conv conv;
    stoa_status status = stoa_read_conv(plan->context, function, c, &conv);
    if (status == STOA_OK) {
        status = check_options(plan->context, function, c, o);
    }
    if (status == STOA_OK) {
        set_layout(o, &conv);
        status = stoa_check_conv_arrays(plan->context, function, &conv);
    }
    if (status != STOA_OK) {
        return status;
    }
    const stoa_epilogue epilogue = {.activation = o->activation};
    status = stoa_read_epilogue(plan->context, function, &epilogue, &plan->activation);
    if (status != STOA_OK) {
        return status;
    }
    if (!stoa_conv_plan(plan->context, &conv, stoa_conv_pass_of(o->pass), function, &plan->pass)) {
        return plan->context->error.status;
    }
    stoa_conv_describe(&plan->pass, plan->text, sizeof plan->text);
    return STOA_OK;
}

stoa_status stoa_conv2d_plan_create(stoa_context *context, const stoa_conv2d *conv,
                                    const stoa_conv2d_plan_options *options, stoa_conv2d_plan **plan) {
    STOA_FLOAT_STATE();
    static const stoa_conv2d_plan_options defaults = {0};
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(conv), STOA_NAMED(plan)));
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_conv2d_plan *made = calloc(1, sizeof *made);
    if (!made) {
        return stoa_fail(context, STOA_ERR_MEMORY, "%s: cannot allocate %zu bytes", __func__, sizeof *made);
    }
    made->context = context;
    made->tuning = context->tuning;
    status = fill_plan(__func__, conv, options ? options : &defaults, made);
    if (status != STOA_OK) {
        free(made);
        return status;
    }
    *plan = made;
    return STOA_OK;
}

void stoa_conv2d_plan_free(stoa_conv2d_plan *plan) {
    free(plan);
}

size_t stoa_conv2d_plan_workspace_bytes(const stoa_conv2d_plan *plan) {
    return plan->pass.bytes;
}

size_t stoa_conv2d_plan_prepared_bytes(const stoa_conv2d_plan *plan) {
    return plan->pass.prepared_bytes;
}

const char *stoa_conv2d_plan_describe(const stoa_conv2d_plan *plan) {
    return plan->text;
}

stoa_status stoa_conv2d_plan_prepare(const stoa_conv2d_plan *plan, const float *weight, void *prepared,
                                     size_t prepared_bytes, void *workspace, size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    stoa_status status = stoa_check_buffers(plan->context, __func__, STOA_BUFFERS(STOA_NAMED(weight)));
    if (status == STOA_OK) {
        status = stoa_check_memory(plan->context, __func__, "prepared buffer", prepared, prepared_bytes,
                                   plan->pass.prepared_bytes);
    }
    if (status != STOA_OK || plan->pass.prepared_bytes == 0) {
        return status;
    }
    status =
        stoa_check_memory(plan->context, __func__, "workspace", workspace, workspace_bytes, plan->pass.bytes);
    if (status == STOA_OK) {
        STOA_TUNING_TURN(plan->context, plan->tuning);
        stoa_conv_prepare(plan->context, &plan->pass, weight, prepared, workspace);
    }
    return status;
}

/* Operands that the pass needs are there. */
static stoa_status check_operands(const struct stoa_conv2d_plan *plan, const char *function, bool prepared,
                                  const stoa_conv2d_operands *o) {
    enum stoa_conv_pass pass = plan->pass.pass;
    const struct stoa_named_buffer *buffers =
        pass == STOA_CONV_FORWARD
            ? STOA_BUFFERS({"x", o->x}, {"y", o->y}, {"weight", prepared ? (const void *)o : o->weight})
        : pass == STOA_CONV_BACKWARD_DATA ? STOA_BUFFERS({"dy", o->dy}, {"weight", o->weight}, {"dx", o->dx})
                                          : STOA_BUFFERS({"x", o->x}, {"dy", o->dy}, {"dweight", o->dweight});
    stoa_status status = stoa_check_buffers(plan->context, function, buffers);
    if (status == STOA_OK) {
        status = stoa_check_memory(plan->context, function, "workspace", o->workspace, o->workspace_bytes,
                                   plan->pass.bytes);
    }
    return status == STOA_OK && prepared
               ? stoa_check_prepared(plan->context, function, &plan->pass, o->prepared, o->prepared_bytes)
               : status;
}

/* The operands of the pass, and no others. */
static struct stoa_conv_run run_of(const struct stoa_conv2d_plan *plan, size_t batch, bool prepared,
                                   const stoa_conv2d_operands *o) {
    struct stoa_conv_run run = {.context = plan->context, .batch = batch, .workspace = o->workspace};
    if (plan->pass.pass == STOA_CONV_FORWARD) {
        run.x = o->x;
        run.weight = prepared ? NULL : o->weight;
        run.prepared = prepared ? o->prepared : NULL;
        run.bias = o->bias;
        run.y = o->y;
    } else if (plan->pass.pass == STOA_CONV_BACKWARD_DATA) {
        run.dy = o->dy;
        run.weight = o->weight;
        run.dx = o->dx;
    } else {
        run.x = o->x;
        run.dy = o->dy;
        run.dweight = o->dweight;
        run.dbias = o->dbias;
    }
    return run;
}

stoa_status stoa_conv2d_plan_run(const stoa_conv2d_plan *plan, size_t batch,
                                 const stoa_conv2d_operands *operands) {
    STOA_FLOAT_STATE();
    stoa_status status = stoa_check_buffers(plan->context, __func__, STOA_BUFFERS(STOA_NAMED(operands)));
    if (status == STOA_OK) {
        status =
            stoa_check_sizes(plan->context, __func__, STOA_SIZES(STOA_NAMED(batch)), plan->pass.asked.batch);
    }
    bool prepared = status == STOA_OK && operands->prepared && plan->pass.prepared_bytes > 0;
    if (status == STOA_OK) {
        status = check_operands(plan, __func__, prepared, operands);
    }
    if (status == STOA_OK) {
        struct stoa_conv_run run = run_of(plan, batch, prepared, operands);
        struct stoa_epilogue_runs runs;
        if (run.y) {
            run.finish = stoa_finish_of(
                stoa_with_epilogue(plan->context, &plan->activation, operands->residual, run.y, &runs),
                &run.relu);
        }
        STOA_TUNING_TURN(plan->context, plan->tuning);
        stoa_blas_enter();
        stoa_conv_run(&plan->pass, &run);
        stoa_blas_leave();
    }
    return status;
}
