/* SPDX-License-Identifier: MIT */
/* How each kernel of `ops` is called on a range of its units: once over float for the fast tables, once over
 * double for the reference. No include guard: bench/ops_cases.c includes it twice, with REAL the type, TABLE
 * the struct of kernels and NAME() the suffix of the names.
 *
 * A unit is an element, a row of `columns` elements, or an image, as the case says. Reductions write their
 * result at `task`, so that tasks of a parallel run do not meet. */

struct NAME(bench_ops_work) {
    struct stoa_window window;
    size_t columns;
    REAL *in[BENCH_OPS_INPUTS];
    REAL *out[BENCH_OPS_OUTPUTS];
    const int32_t *labels;
    const uint8_t *pixels;
    uint16_t *index;
};

#define CALL(kernel)                                                                                         \
    static void NAME(call_##kernel)(const struct TABLE *k, const struct NAME(bench_ops_work) * w,            \
                                    size_t first, size_t count, size_t task)

/* Floats of one image before and behind a window, and the rows of output pixels of one image. */
static size_t NAME(image)(const struct NAME(bench_ops_work) * w) {
    return w->window.height * w->window.width * w->window.channels;
}

static size_t NAME(pooled)(const struct NAME(bench_ops_work) * w) {
    return w->window.out_height * w->window.out_width * w->window.channels;
}

static size_t NAME(patch)(const struct NAME(bench_ops_work) * w) {
    return w->window.kernel_height * w->window.kernel_width * NAME(pooled)(w);
}

/* Elements. */

CALL(relu) {
    (void)task;
    k->relu(w->in[0] + first, w->out[0] + first, count);
}

CALL(relu_backward) {
    (void)task;
    k->relu_backward(w->in[0] + first, w->in[1] + first, w->out[0] + first, count);
}

#define MAP(kernel)                                                                                          \
    CALL(kernel) {                                                                                           \
        (void)task;                                                                                          \
        k->kernel(w->in[0] + first, w->out[0] + first, count, 1);                                            \
    }                                                                                                        \
    CALL(kernel##_backward) {                                                                                \
        (void)task;                                                                                          \
        k->kernel##_backward(w->in[0] + first, w->in[1] + first, w->out[0] + first, count, 1);               \
    }
MAP(sigmoid)
MAP(tanh)
MAP(leaky_relu)
MAP(elu)
MAP(softplus)
MAP(silu)
MAP(hardswish)
MAP(gelu)
MAP(gelu_tanh)
#undef MAP

CALL(add) {
    (void)task;
    k->add(w->in[0] + first, w->in[1] + first, w->out[0] + first, count);
}

CALL(accumulate) {
    (void)task;
    k->accumulate(w->in[0] + first, w->out[0] + first, count);
}

CALL(dropout) {
    (void)task;
    k->dropout(w->in[0] + first, w->out[0] + first, first, count, 1, 2, UINT32_MAX / 4, (REAL)(4.0 / 3.0));
}

CALL(sum) {
    k->sum(w->in[0] + first, count, w->out[0] + task);
}

CALL(find_nonfinite) {
    size_t index;
    k->find_nonfinite(w->in[0] + first, count, &index);
    w->out[0][task] = (REAL)(index == count);
}

CALL(bytes_to_real) {
    (void)task;
    k->bytes_to_real(w->pixels + first, count, (REAL)(1.0 / 256), (REAL)-0.5, w->out[0] + first);
}

CALL(sgd) {
    (void)task;
    k->sgd(w->out[0] + first, w->in[0] + first, w->out[1] + first, count, (REAL)0x1p-10, (REAL)0.5, 0, 1);
}

CALL(nesterov) {
    (void)task;
    k->nesterov(w->out[0] + first, w->in[0] + first, w->out[1] + first, count, (REAL)0x1p-10, (REAL)0.5, 0,
                1);
}

CALL(previous_gradient) {
    (void)task;
    k->previous_gradient(w->out[0] + first, w->in[0] + first, w->out[1] + first, count, (REAL)0x1p-10,
                         (REAL)0.5, 0, 1);
}

CALL(adagrad) {
    (void)task;
    /* `initial` keeps the root's argument above zero, whatever the array holds. */
    k->adagrad(w->out[0] + first, w->in[0] + first, w->out[1] + first, count, (REAL)0x1p-10, (REAL)0x1p-20, 2,
               0, 1);
}

CALL(rmsprop) {
    (void)task;
    k->rmsprop(w->out[0] + first, w->in[0] + first, w->out[2] + first, NULL, w->out[1] + first, count,
               (REAL)0x1p-10, (REAL)0.75, (REAL)0x1p-20, (REAL)0.5, 0, 1);
}

CALL(adam) {
    (void)task;
    k->adam(w->out[0] + first, w->in[0] + first, w->out[1] + first, w->out[2] + first, count, (REAL)0x1p-10,
            (REAL)0.75, (REAL)0.875, (REAL)0x1p-20, (REAL)1.5, 0, 1);
}

CALL(clip) {
    (void)task;
    k->clip(w->out[0] + first, count, (REAL)0.5);
}

CALL(scale) {
    (void)task;
    k->scale(w->out[0] + first, count, (REAL)0.75);
}

CALL(average) {
    (void)task;
    k->average(w->out[0] + first, w->in[0] + first, count, (REAL)0.75);
}

CALL(sum_squares) {
    double sum;
    k->sum_squares(w->in[0] + first, count, &sum);
    w->out[0][task] = (REAL)sum;
}

/* Rows. */

CALL(bias_act) {
    (void)task;
    k->bias_act(w->out[0] + first * w->columns, count, w->columns, w->columns, w->in[0], true);
}

CALL(bn_moments) {
    double mean[BENCH_MOST_MOMENTS];
    double m2[BENCH_MOST_MOMENTS];
    k->bn_moments(w->in[0] + first * w->columns, count, w->columns, mean, m2);
    for (size_t c = 0; c < w->columns; c++) {
        w->out[0][task * w->columns + c] = (REAL)mean[c];
        w->out[1][task * w->columns + c] = (REAL)m2[c];
    }
}

CALL(normalize_columns) {
    (void)task;
    size_t at = first * w->columns;
    k->normalize_columns(w->in[0] + at, count, w->columns, 1, w->in[1], w->in[2], w->in[3], false,
                         w->out[0] + at);
}

CALL(bn_backward_sums) {
    size_t at = first * w->columns;
    k->bn_backward_sums(w->in[0] + at, w->in[1] + at, count, w->columns, 1, w->in[2], w->in[3], NULL, NULL,
                        w->out[0] + task * w->columns, w->out[1] + task * w->columns);
}

CALL(bn_backward) {
    (void)task;
    size_t at = first * w->columns;
    k->bn_backward(w->in[0] + at, w->in[1] + at, count, w->columns, 1, w->in[2], w->in[3], w->in[4], w->in[5],
                   NULL, NULL, w->out[0] + at);
}

CALL(softmax) {
    (void)task;
    size_t at = first * w->columns;
    k->softmax(w->in[0] + at, count, w->columns, w->out[0] + at);
}

CALL(softmax_backward) {
    (void)task;
    size_t at = first * w->columns;
    k->softmax_backward(w->in[0] + at, w->in[1] + at, count, w->columns, w->out[0] + at);
}

CALL(log_softmax) {
    (void)task;
    size_t at = first * w->columns;
    k->log_softmax(w->in[0] + at, count, w->columns, w->out[0] + at);
}

CALL(log_softmax_backward) {
    (void)task;
    size_t at = first * w->columns;
    k->log_softmax_backward(w->in[0] + at, w->in[1] + at, count, w->columns, w->out[0] + at);
}

CALL(row_moments) {
    (void)task;
    double mean[BENCH_MOST_MOMENTS];
    double m2[BENCH_MOST_MOMENTS];
    k->row_moments(w->in[0] + first * w->columns, count, w->columns, mean, m2);
    for (size_t r = 0; r < count; r++) {
        w->out[0][first + r] = (REAL)mean[r];
        w->out[1][first + r] = (REAL)m2[r];
    }
}

/* Means and scales of `count` rows. */
static void NAME(take_norm)(const struct NAME(bench_ops_work) * w, size_t input, size_t first, size_t count,
                            double mean[BENCH_MOST_MOMENTS], double scale[BENCH_MOST_MOMENTS]) {
    for (size_t r = 0; r < count; r++) {
        mean[r] = (double)w->in[input][first + r];
        scale[r] = (double)w->in[input + 1][first + r];
    }
}

CALL(normalize_rows) {
    (void)task;
    size_t at = first * w->columns;
    double mean[BENCH_MOST_MOMENTS];
    double scale[BENCH_MOST_MOMENTS];
    NAME(take_norm)(w, 1, first, count, mean, scale);
    k->normalize_rows(w->in[0] + at, count, w->columns, mean, scale, w->in[3], w->in[4], w->out[0] + at);
}

CALL(layernorm_backward) {
    (void)task;
    size_t at = first * w->columns;
    double mean[BENCH_MOST_MOMENTS];
    double scale[BENCH_MOST_MOMENTS];
    NAME(take_norm)(w, 2, first, count, mean, scale);
    k->layernorm_backward(w->in[0] + at, w->in[1] + at, count, w->columns, mean, scale, w->in[4],
                          w->out[0] + at);
}

CALL(layernorm_backward_weights) {
    size_t at = first * w->columns;
    double mean[BENCH_MOST_MOMENTS];
    double scale[BENCH_MOST_MOMENTS];
    NAME(take_norm)(w, 2, first, count, mean, scale);
    k->layernorm_backward_weights(w->in[0] + at, w->in[1] + at, count, w->columns, mean, scale,
                                  w->out[0] + task * w->columns, w->out[1] + task * w->columns);
}

CALL(prelu) {
    (void)task;
    size_t at = first * w->columns;
    k->prelu(w->in[0] + at, count, w->columns, w->in[1], w->out[0] + at);
}

CALL(prelu_backward) {
    (void)task;
    size_t at = first * w->columns;
    k->prelu_backward(w->in[0] + at, w->in[1] + at, count, w->columns, w->in[2], w->out[0] + at);
}

CALL(prelu_backward_slope) {
    size_t at = first * w->columns;
    k->prelu_backward_slope(w->in[0] + at, w->in[1] + at, count, w->columns, w->out[0] + task * w->columns);
}

CALL(softmax_xent) {
    (void)task;
    size_t at = first * w->columns;
    k->softmax_xent(w->in[0] + at, w->labels + first, count, w->columns, NULL, 0, w->out[0] + at,
                    w->out[1] + first);
}

CALL(softmax_xent_backward) {
    (void)task;
    size_t at = first * w->columns;
    k->softmax_xent_backward(w->in[0] + at, w->labels + first, w->in[1] + first, count, w->columns, NULL, 0,
                             w->out[0] + at);
}

#define ROW_LOSS(kernel)                                                                                     \
    CALL(kernel) {                                                                                           \
        (void)task;                                                                                          \
        size_t at = first * w->columns;                                                                      \
        k->kernel(w->in[0] + at, w->in[1] + at, count, w->columns, 1, (REAL)0x1p-10, w->out[0] + first);     \
    }                                                                                                        \
    CALL(kernel##_backward) {                                                                                \
        (void)task;                                                                                          \
        size_t at = first * w->columns;                                                                      \
        k->kernel##_backward(w->in[0] + at, w->in[1] + at, w->in[2] + first, count, w->columns, 1,           \
                             (REAL)0x1p-10, w->out[0] + at);                                                 \
    }
ROW_LOSS(squared_error)
ROW_LOSS(absolute_error)
ROW_LOSS(huber)
ROW_LOSS(bce)
#undef ROW_LOSS

CALL(column_sums) {
    k->column_sums(w->in[0] + first * w->columns, count, w->columns, w->columns,
                   w->out[0] + task * w->columns);
}

/* Images. */

/* An image NHWC becomes NCHW: the copy that a flatten before a dense layer of PyTorch's order needs. */
CALL(transpose) {
    (void)task;
    size_t pixels = w->window.height * w->window.width, channels = w->window.channels;
    for (size_t i = first; i < first + count; i++) {
        k->transpose(w->in[0] + i * pixels * channels, pixels, channels, channels,
                     w->out[0] + i * pixels * channels, pixels);
    }
}

CALL(copy_rows) {
    (void)task;
    size_t at = first * w->columns;
    k->copy_rows(w->in[0] + at, count, w->columns, w->columns, w->out[0] + at, w->columns);
}

/* Images before the window's stride from images behind it. */
CALL(upsample) {
    (void)task;
    const struct stoa_window *v = &w->window;
    for (size_t i = first; i < first + count; i++) {
        k->upsample(w->in[0] + i * NAME(pooled)(w), v->out_height, v->out_width, v->channels,
                    v->stride_height, v->stride_width, w->out[0] + i * NAME(image)(w));
    }
}

CALL(upsample_backward) {
    (void)task;
    const struct stoa_window *v = &w->window;
    for (size_t i = first; i < first + count; i++) {
        k->upsample_backward(w->in[0] + i * NAME(image)(w), v->out_height, v->out_width, v->channels,
                             v->stride_height, v->stride_width, w->out[0] + i * NAME(pooled)(w));
    }
}

CALL(im2col) {
    (void)task;
    size_t rows = w->window.out_height;
    k->im2col(&w->window, w->in[0], 0, w->window.channels, first * rows, count * rows, (REAL *)stoa_scratch(),
              w->out[0] + first * NAME(patch)(w));
}

CALL(col2im) {
    (void)task;
    size_t rows = w->window.out_height;
    k->col2im(&w->window, w->in[0] + first * NAME(patch)(w), 0, w->window.channels, first * rows,
              count * rows, w->out[0]);
}

CALL(maxpool) {
    (void)task;
    size_t rows = w->window.out_height, at = first * NAME(pooled)(w);
    k->maxpool(&w->window, w->in[0], first * rows, count * rows, w->out[0] + at, w->index + at);
}

CALL(maxpool_backward) {
    (void)task;
    for (size_t i = first; i < first + count; i++) {
        size_t at = i * NAME(pooled)(w);
        k->maxpool_backward(&w->window, w->in[0] + at, w->index + at, w->out[0] + i * NAME(image)(w));
    }
}

CALL(avgpool) {
    (void)task;
    size_t rows = w->window.out_height;
    k->avgpool(&w->window, true, w->in[0], first * rows, count * rows, w->out[0] + first * NAME(pooled)(w));
}

CALL(avgpool_backward) {
    (void)task;
    for (size_t i = first; i < first + count; i++) {
        k->avgpool_backward(&w->window, true, w->in[0] + i * NAME(pooled)(w), w->out[0] + i * NAME(image)(w));
    }
}

CALL(global_avgpool) {
    (void)task;
    size_t pixels = w->window.height * w->window.width, channels = w->window.channels;
    for (size_t i = first; i < first + count; i++) {
        k->global_avgpool(w->in[0] + i * NAME(image)(w), pixels, channels, w->out[0] + i * channels);
    }
}

CALL(global_avgpool_backward) {
    (void)task;
    size_t pixels = w->window.height * w->window.width, channels = w->window.channels;
    for (size_t i = first; i < first + count; i++) {
        k->global_avgpool_backward(w->in[0] + i * channels, pixels, channels, w->out[0] + i * NAME(image)(w));
    }
}

#undef CALL
