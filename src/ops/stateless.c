/* SPDX-License-Identifier: MIT */
/* Stateless operators: the checks they share, products, and layout conversion. */
#include "ops/stateless.h"

#include <limits.h>

#include "base/float_state.h"
#include "base/nearest.h"
#include "base/size.h"
#include "core/layout.h"
#include "product/product.h"

stoa_status stoa_check_buffers(stoa_context *context, const char *function,
                               const struct stoa_named_buffer *buffers) {
    for (; buffers->name; buffers++) {
        if (!buffers->buffer) {
            return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: %s is NULL", function, buffers->name);
        }
    }
    return STOA_OK;
}

stoa_status stoa_check_sizes(stoa_context *context, const char *function, const struct stoa_named_size *sizes,
                             size_t most) {
    for (; sizes->name; sizes++) {
        if (sizes->size == 0 || sizes->size > most) {
            return stoa_fail(context, sizes->size == 0 ? STOA_ERR_ARGUMENT : STOA_ERR_SHAPE,
                             "%s: %s is %zu, expected 1 to %zu", function, sizes->name, sizes->size, most);
        }
    }
    return STOA_OK;
}

stoa_status stoa_check_array(stoa_context *context, const char *function, const char *array,
                             const struct stoa_named_size *sizes) {
    size_t bytes = sizeof(float);
    for (; sizes->name; sizes++) {
        if (!stoa_size_scale(&bytes, sizes->size) || bytes > PTRDIFF_MAX) {
            return stoa_fail(context, STOA_ERR_SHAPE, "%s: the size of %s overflows at %s = %zu", function,
                             array, sizes->name, sizes->size);
        }
    }
    return STOA_OK;
}

stoa_status stoa_check_memory(stoa_context *context, const char *function, const char *what,
                              const void *memory, size_t bytes, size_t needed) {
    if (needed == 0) {
        return STOA_OK;
    }
    if (!memory || bytes < needed) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: found a %s of %zu bytes, expected %zu", function,
                         what, memory ? bytes : 0, needed);
    }
    if ((uintptr_t)memory % STOA_ALIGN_BYTES != 0) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: the %s is not aligned to %d bytes", function, what,
                         STOA_ALIGN_BYTES);
    }
    return STOA_OK;
}

stoa_status stoa_stateless_layer(stoa_context *context, const char *function, const char *what,
                                 const char *line, const struct stoa_shape *input,
                                 struct stoa_stateless_layer *layer) {
    struct stoa_error *error = &context->error;
    const char *such_as = what[0] == 'l' ? STOA_DEFAULT_LOSS : "relu";
    struct stoa_spec spec;
    memset(layer, 0, sizeof *layer);
    stoa_status status = stoa_spec_parse(error, line, &spec);
    if (status == STOA_OK) {
        layer->layer.op = stoa_op_find(spec.name);
        layer->layer.options = layer->options.bytes;
        layer->layer.input = &layer->input;
        if (!layer->layer.op || layer->layer.op->options_bytes > sizeof layer->options) {
            const struct stoa_words names = {what[0] == 'l' ? stoa_loss_at : stoa_layer_at, NULL};
            char near[STOA_NEAR_TEXT];
            status = stoa_error_set(error, STOA_ERR_ARGUMENT, "unknown operator '%.64s'%sone such as '%s'",
                                    spec.name, stoa_near_text(spec.name, &names, near), such_as);
        }
    }
    if (status == STOA_OK) {
        status = stoa_layer_read(error, &spec, input, 1, &layer->layer);
    }
    return status == STOA_OK ? status : stoa_error_prefix(error, "%s: %s '%.64s': ", function, what, line);
}

stoa_status stoa_stateless_activation(stoa_context *context, const char *function, const char *line,
                                      struct stoa_stateless_layer *layer) {
    const struct stoa_shape number = {.rank = 1, .dim = {1}};
    stoa_status status = stoa_stateless_layer(context, function, "activation", line, &number, layer);
    const struct stoa_op *op = layer->layer.op;
    if (status == STOA_OK && (!op->map || !op->map_backward || layer->layer.tensors > 0)) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "%s: activation '%.64s' is no function of one number without parameters", function,
                         line);
    }
    return status;
}

stoa_status stoa_read_epilogue(stoa_context *context, const char *function, const stoa_epilogue *epilogue,
                               struct stoa_stateless_layer *activation) {
    activation->layer.op = NULL;
    return epilogue && epilogue->activation
               ? stoa_stateless_activation(context, function, epilogue->activation, activation)
               : STOA_OK;
}

const struct stoa_op_run *stoa_with_epilogue(stoa_context *context,
                                             const struct stoa_stateless_layer *activation,
                                             const float *residual, float *y,
                                             struct stoa_epilogue_runs *runs) {
    struct stoa_op_run *last = &runs->run[0];
    *last = (struct stoa_op_run){.context = context, .x = stoa_no_inputs, .dx = stoa_no_gradients, .y = y};
    if (residual) {
        runs->added[0] = y;
        runs->added[1] = residual;
        memset(runs->shape, 0, sizeof runs->shape);
        runs->add = (struct stoa_layer){.op = stoa_op_find("add"), .inputs = 2, .input = runs->shape};
        last[1] = (struct stoa_op_run){
            .context = context, .dx = stoa_no_gradients, .layer = &runs->add, .x = runs->added, .y = y};
        last->epilogue = last + 1;
        last++;
    }
    if (activation->layer.op) {
        runs->activated = y;
        last[1] = (struct stoa_op_run){.context = context,
                                       .dx = stoa_no_gradients,
                                       .layer = &activation->layer,
                                       .x = &runs->activated,
                                       .y = y};
        last->epilogue = last + 1;
    }
    return runs->run;
}

/* A matrix as stored: its rows fit the stride, the stride fits cblas, the whole can be addressed. */
static stoa_status check_matrix(stoa_context *context, const char *name, size_t rows, size_t columns,
                                size_t stride) {
    if (stride < columns || stride > INT_MAX) {
        return stoa_fail(context, STOA_ERR_SHAPE, "stoa_sgemm: ld%s is %zu, expected %zu to %d", name, stride,
                         columns, INT_MAX);
    }
    return stoa_check_array(context, "stoa_sgemm", name, STOA_SIZES({"rows", rows}, {"row stride", stride}));
}

stoa_status stoa_sgemm(stoa_context *context, bool transpose_a, bool transpose_b, size_t m, size_t n,
                       size_t k, float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                       float beta, float *c, size_t ldc) {
    STOA_FLOAT_STATE();
    /* Without an inner dimension there is neither a nor b. */
    stoa_status status = k == 0
                             ? stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(c)))
                             : stoa_check_buffers(context, __func__,
                                                  STOA_BUFFERS(STOA_NAMED(a), STOA_NAMED(b), STOA_NAMED(c)));
    if (status == STOA_OK) {
        const struct stoa_named_size sizes[] = {
            STOA_NAMED(m), STOA_NAMED(n), {"k", stoa_max(1, k)}, {NULL, 0}};
        status = stoa_check_sizes(context, __func__, sizes, PTRDIFF_MAX);
    }
    if (status == STOA_OK && k > 0) {
        status = check_matrix(context, "a", transpose_a ? k : m, transpose_a ? m : k, lda);
    }
    if (status == STOA_OK && k > 0) {
        status = check_matrix(context, "b", transpose_b ? n : k, transpose_b ? k : n, ldb);
    }
    if (status == STOA_OK) {
        status = check_matrix(context, "c", m, n, ldc);
    }
    if (status != STOA_OK) {
        return status;
    }
    stoa_blas_enter();
    stoa_product(context, &(struct stoa_gemm){.transpose_a = transpose_a,
                                              .transpose_b = transpose_b,
                                              .m = m,
                                              .n = n,
                                              .k = k,
                                              .alpha = alpha,
                                              .a = a,
                                              .lda = lda,
                                              .b = b,
                                              .ldb = ldb,
                                              .beta = beta,
                                              .c = c,
                                              .ldc = ldc});
    stoa_blas_leave();
    return STOA_OK;
}

static stoa_status check_conversion(stoa_context *context, const char *function, const float *x,
                                    const float *y, const struct stoa_named_size *sizes) {
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(y)));
    if (status == STOA_OK) {
        status = stoa_check_sizes(context, function, sizes, PTRDIFF_MAX);
    }
    return status == STOA_OK ? stoa_check_array(context, function, "x", sizes) : status;
}

stoa_status stoa_nchw_to_nhwc(stoa_context *context, size_t batch, size_t channels, size_t height,
                              size_t width, const float *x, float *y) {
    stoa_status status = check_conversion(
        context, __func__, x, y,
        STOA_SIZES(STOA_NAMED(batch), STOA_NAMED(channels), STOA_NAMED(height), STOA_NAMED(width)));
    if (status == STOA_OK) {
        struct stoa_foreign layout = {batch, height * width, channels, .planar = true};
        stoa_layout_read(context, &layout, x, y);
    }
    return status;
}

stoa_status stoa_nhwc_to_nchw(stoa_context *context, size_t batch, size_t channels, size_t height,
                              size_t width, const float *x, float *y) {
    stoa_status status = check_conversion(
        context, __func__, x, y,
        STOA_SIZES(STOA_NAMED(batch), STOA_NAMED(channels), STOA_NAMED(height), STOA_NAMED(width)));
    if (status == STOA_OK) {
        struct stoa_foreign layout = {batch, height * width, channels, .planar = true};
        stoa_layout_write(context, &layout, x, false, y);
    }
    return status;
}
