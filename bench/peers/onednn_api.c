/* SPDX-License-Identifier: MIT */
/* oneDNN 2 describes an operation first and makes a primitive's description from that; oneDNN 3 does it in
 * one call, and hides what a description of memory looks like. */
#include "bench/peers/onednn_api.h"

#if DNNL_VERSION_MAJOR >= 3

bool onednn_describe(int rank, const dnnl_dims_t dims, const int64_t *strides, onednn_made *made) {
    dnnl_status_t status =
        strides ? dnnl_memory_desc_create_with_strides(made, rank, dims, dnnl_f32, strides)
                : dnnl_memory_desc_create_with_tag(made, rank, dims, dnnl_f32, dnnl_format_tag_any);
    return status == dnnl_success;
}

onednn_desc onednn_borrow(const onednn_made *made) {
    return *made;
}

void onednn_forget(onednn_made *made) {
    if (*made) {
        (void)dnnl_memory_desc_destroy(*made);
    }
    *made = NULL;
}

bool onednn_convolution(dnnl_engine_t engine, enum stoa_conv_pass pass,
                        const struct onednn_geometry *geometry, const onednn_desc operand[ONEDNN_OPERANDS],
                        const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *made) {
    const struct onednn_geometry *g = geometry;
    onednn_desc src = operand[ONEDNN_SRC], weights = operand[ONEDNN_WEIGHTS], dst = operand[ONEDNN_DST];
    switch (pass) {
    case STOA_CONV_FORWARD:
        return dnnl_convolution_forward_primitive_desc_create(made, engine, g->forward, g->algorithm, src,
                                                              weights, NULL, dst, g->strides, g->dilates,
                                                              g->before, g->after, NULL) == dnnl_success;
    case STOA_CONV_BACKWARD_DATA:
        return dnnl_convolution_backward_data_primitive_desc_create(made, engine, g->algorithm, src, weights,
                                                                    dst, g->strides, g->dilates, g->before,
                                                                    g->after, hint, NULL) == dnnl_success;
    case STOA_CONV_BACKWARD_WEIGHTS:
        return dnnl_convolution_backward_weights_primitive_desc_create(
                   made, engine, g->algorithm, src, weights, NULL, dst, g->strides, g->dilates, g->before,
                   g->after, hint, NULL) == dnnl_success;
    }
    return false;
}

bool onednn_inner_product(dnnl_engine_t engine, enum stoa_conv_pass pass, dnnl_prop_kind_t forward,
                          const onednn_desc operand[ONEDNN_OPERANDS], const_dnnl_primitive_desc_t hint,
                          dnnl_primitive_desc_t *made) {
    onednn_desc src = operand[ONEDNN_SRC], weights = operand[ONEDNN_WEIGHTS], dst = operand[ONEDNN_DST];
    switch (pass) {
    case STOA_CONV_FORWARD:
        return dnnl_inner_product_forward_primitive_desc_create(made, engine, forward, src, weights, NULL,
                                                                dst, NULL) == dnnl_success;
    case STOA_CONV_BACKWARD_DATA:
        return dnnl_inner_product_backward_data_primitive_desc_create(made, engine, src, weights, dst, hint,
                                                                      NULL) == dnnl_success;
    case STOA_CONV_BACKWARD_WEIGHTS:
        return dnnl_inner_product_backward_weights_primitive_desc_create(made, engine, src, weights, NULL,
                                                                         dst, hint, NULL) == dnnl_success;
    }
    return false;
}

bool onednn_matmul(dnnl_engine_t engine, const onednn_desc operand[ONEDNN_OPERANDS],
                   dnnl_primitive_desc_t *made) {
    return dnnl_matmul_primitive_desc_create(made, engine, operand[ONEDNN_SRC], operand[ONEDNN_WEIGHTS], NULL,
                                             operand[ONEDNN_DST], NULL) == dnnl_success;
}

#else

bool onednn_describe(int rank, const dnnl_dims_t dims, const int64_t *strides, onednn_made *made) {
    dnnl_status_t status =
        strides ? dnnl_memory_desc_init_by_strides(made, rank, dims, dnnl_f32, strides)
                : dnnl_memory_desc_init_by_tag(made, rank, dims, dnnl_f32, dnnl_format_tag_any);
    return status == dnnl_success;
}

onednn_desc onednn_borrow(const onednn_made *made) {
    return made;
}

void onednn_forget(onednn_made *made) {
    (void)made; /* a structure by value */
}

bool onednn_convolution(dnnl_engine_t engine, enum stoa_conv_pass pass,
                        const struct onednn_geometry *geometry, const onednn_desc operand[ONEDNN_OPERANDS],
                        const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *made) {
    const struct onednn_geometry *g = geometry;
    onednn_desc src = operand[ONEDNN_SRC], weights = operand[ONEDNN_WEIGHTS], dst = operand[ONEDNN_DST];
    dnnl_convolution_desc_t operation;
    dnnl_status_t status = dnnl_unimplemented;
    switch (pass) {
    case STOA_CONV_FORWARD:
        status = dnnl_dilated_convolution_forward_desc_init(&operation, g->forward, g->algorithm, src,
                                                            weights, NULL, dst, g->strides, g->dilates,
                                                            g->before, g->after);
        break;
    case STOA_CONV_BACKWARD_DATA:
        status = dnnl_dilated_convolution_backward_data_desc_init(
            &operation, g->algorithm, src, weights, dst, g->strides, g->dilates, g->before, g->after);
        break;
    case STOA_CONV_BACKWARD_WEIGHTS:
        status = dnnl_dilated_convolution_backward_weights_desc_init(
            &operation, g->algorithm, src, weights, NULL, dst, g->strides, g->dilates, g->before, g->after);
        break;
    }
    return status == dnnl_success &&
           dnnl_primitive_desc_create(made, &operation, NULL, engine, hint) == dnnl_success;
}

bool onednn_inner_product(dnnl_engine_t engine, enum stoa_conv_pass pass, dnnl_prop_kind_t forward,
                          const onednn_desc operand[ONEDNN_OPERANDS], const_dnnl_primitive_desc_t hint,
                          dnnl_primitive_desc_t *made) {
    onednn_desc src = operand[ONEDNN_SRC], weights = operand[ONEDNN_WEIGHTS], dst = operand[ONEDNN_DST];
    dnnl_inner_product_desc_t operation;
    dnnl_status_t status = dnnl_unimplemented;
    switch (pass) {
    case STOA_CONV_FORWARD:
        status = dnnl_inner_product_forward_desc_init(&operation, forward, src, weights, NULL, dst);
        break;
    case STOA_CONV_BACKWARD_DATA:
        status = dnnl_inner_product_backward_data_desc_init(&operation, src, weights, dst);
        break;
    case STOA_CONV_BACKWARD_WEIGHTS:
        status = dnnl_inner_product_backward_weights_desc_init(&operation, src, weights, NULL, dst);
        break;
    }
    return status == dnnl_success &&
           dnnl_primitive_desc_create(made, &operation, NULL, engine, hint) == dnnl_success;
}

bool onednn_matmul(dnnl_engine_t engine, const onednn_desc operand[ONEDNN_OPERANDS],
                   dnnl_primitive_desc_t *made) {
    dnnl_matmul_desc_t operation;
    return dnnl_matmul_desc_init(&operation, operand[ONEDNN_SRC], operand[ONEDNN_WEIGHTS], NULL,
                                 operand[ONEDNN_DST]) == dnnl_success &&
           dnnl_primitive_desc_create(made, &operation, NULL, engine, NULL) == dnnl_success;
}

#endif
