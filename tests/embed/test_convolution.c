/* SPDX-License-Identifier: MIT */
/* Stateless convolution on the caller's own buffers against naive loops in double. */
#include "support.h"

static const stoa_epilogue relu = {.activation = "relu"};

/* One problem: all sizes, and its naive results. */
struct problem {
    stoa_conv2d conv;
    size_t out_height, out_width, x_size, y_size, weight_size, columns_size;
    float *x, *weight, *bias, *dy;
    double *y, *dx, *dweight, *dbias, *columns, *summed;
};

static const stoa_conv2d problems[] = {
    {.batch = 3,
     .height = 9,
     .width = 8,
     .channels = 1,
     .filters = 6,
     .kernel_height = 5,
     .kernel_width = 5,
     .pad_top = 2,
     .pad_bottom = 2,
     .pad_left = 2,
     .pad_right = 2},
    {.batch = 2,
     .height = 7,
     .width = 6,
     .channels = 3,
     .filters = 4,
     .kernel_height = 3,
     .kernel_width = 2,
     .stride_height = 2,
     .stride_width = 1,
     .pad_top = 1,
     .pad_right = 1},
    {.batch = 5,
     .height = 8,
     .width = 7,
     .channels = 4,
     .filters = 6,
     .kernel_height = 3,
     .kernel_width = 3,
     .dilation_height = 2,
     .dilation_width = 1,
     .groups = 2,
     .pad_bottom = 3},
    {.batch = 3,
     .height = 6,
     .width = 5,
     .channels = 6,
     .filters = 6,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride_height = 2,
     .stride_width = 2,
     .pad_top = 1,
     .pad_left = 1,
     .groups = 6},
    {.batch = 17,
     .height = 4,
     .width = 5,
     .channels = 6,
     .filters = 7,
     .kernel_height = 1,
     .kernel_width = 1},
    {.batch = 2,
     .height = 5,
     .width = 4,
     .channels = 3,
     .filters = 5,
     .kernel_height = 1,
     .kernel_width = 1,
     .stride_height = 2,
     .stride_width = 2},
    {.batch = 2,
     .height = 3,
     .width = 3,
     .channels = 4,
     .filters = 5,
     .kernel_height = 1,
     .kernel_width = 1,
     .pad_bottom = 1,
     .pad_right = 2},
    {.batch = 1,
     .height = 20,
     .width = 21,
     .channels = 16,
     .filters = 70,
     .kernel_height = 3,
     .kernel_width = 3,
     .pad_top = 1,
     .pad_bottom = 1,
     .pad_left = 1,
     .pad_right = 1},
    {.batch = 2,
     .height = 4,
     .width = 4,
     .channels = 2,
     .filters = 6,
     .kernel_height = 2,
     .kernel_width = 2,
     .groups = 2,
     .stride_height = 5,
     .stride_width = 5},
};

static size_t or_one(size_t value) {
    return value ? value : 1;
}

/* The sums of one tap of one output pixel; all three products share their indices. */
static void add_tap(struct problem *p, size_t out_pixel, size_t pixel, size_t tap) {
    size_t groups = or_one(p->conv.groups);
    size_t channels = p->conv.channels / groups;
    size_t filters = p->conv.filters / groups;
    for (size_t k = 0; k < p->conv.filters; k++) {
        for (size_t c = 0; c < channels; c++) {
            size_t i = pixel * p->conv.channels + k / filters * channels + c;
            size_t j = (tap * channels + c) * p->conv.filters + k;
            size_t o = out_pixel * p->conv.filters + k;
            p->y[o] += (double)p->x[i] * (double)p->weight[j];
            p->dx[i] += (double)p->dy[o] * (double)p->weight[j];
            p->dweight[j] += (double)p->dy[o] * (double)p->x[i];
        }
    }
    /* Columns of the last group, and their sum back. */
    size_t taps = p->conv.kernel_height * p->conv.kernel_width;
    for (size_t c = 0; c < channels; c++) {
        size_t i = pixel * p->conv.channels + (groups - 1) * channels + c;
        p->columns[(out_pixel * taps + tap) * channels + c] = (double)p->x[i];
        p->summed[i] += (double)p->x[i];
    }
}

static void add_pixel(struct problem *p, size_t n, size_t oh, size_t ow) {
    const stoa_conv2d *c = &p->conv;
    size_t out_pixel = (n * p->out_height + oh) * p->out_width + ow;
    for (size_t kh = 0; kh < c->kernel_height; kh++) {
        for (size_t kw = 0; kw < c->kernel_width; kw++) {
            size_t ih = oh * or_one(c->stride_height) + kh * or_one(c->dilation_height);
            size_t iw = ow * or_one(c->stride_width) + kw * or_one(c->dilation_width);
            if (ih >= c->pad_top && ih - c->pad_top < c->height && iw >= c->pad_left &&
                iw - c->pad_left < c->width) {
                add_tap(p, out_pixel, (n * c->height + ih - c->pad_top) * c->width + iw - c->pad_left,
                        kh * c->kernel_width + kw);
            }
        }
    }
}

static void problem_open(struct problem *p, const stoa_conv2d *conv) {
    *p = (struct problem){.conv = *conv};
    p->out_height = (conv->height + conv->pad_top + conv->pad_bottom -
                     or_one(conv->dilation_height) * (conv->kernel_height - 1) - 1) /
                        or_one(conv->stride_height) +
                    1;
    p->out_width = (conv->width + conv->pad_left + conv->pad_right -
                    or_one(conv->dilation_width) * (conv->kernel_width - 1) - 1) /
                       or_one(conv->stride_width) +
                   1;
    size_t pixels = conv->batch * p->out_height * p->out_width;
    size_t column = conv->kernel_height * conv->kernel_width * conv->channels / or_one(conv->groups);
    p->x_size = conv->batch * conv->height * conv->width * conv->channels;
    p->y_size = pixels * conv->filters;
    p->weight_size = column * conv->filters;
    p->columns_size = pixels * column;
    p->x = new_filled(p->x_size, 1);
    p->weight = new_filled(p->weight_size, 2);
    p->bias = new_filled(conv->filters, 3);
    p->dy = new_filled(p->y_size, 4);
    p->y = new_doubles(p->y_size);
    p->dx = new_doubles(p->x_size);
    p->dweight = new_doubles(p->weight_size);
    p->dbias = new_doubles(conv->filters);
    p->columns = new_doubles(p->columns_size);
    p->summed = new_doubles(p->x_size);
    for (size_t i = 0; i < p->y_size; i++) {
        p->y[i] = (double)p->bias[i % conv->filters];
        p->dbias[i % conv->filters] += (double)p->dy[i];
    }
    for (size_t n = 0; n < conv->batch; n++) {
        for (size_t oh = 0; oh < p->out_height; oh++) {
            for (size_t ow = 0; ow < p->out_width; ow++) {
                add_pixel(p, n, oh, ow);
            }
        }
    }
}

static void problem_close(struct problem *p) {
    free_floats(p->x, p->x_size);
    free_floats(p->weight, p->weight_size);
    free_floats(p->bias, p->conv.filters);
    free_floats(p->dy, p->y_size);
    double *doubles[] = {p->y, p->dx, p->dweight, p->dbias, p->columns, p->summed};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        free(doubles[i]);
    }
}

/* The workspace of a pass, exactly as large as the query says. */
static void *pass_workspace(stoa_context *context, const struct problem *p, stoa_conv2d_pass pass,
                            size_t *bytes) {
    assert_int_equal(stoa_conv2d_workspace(context, &p->conv, pass, bytes), STOA_OK);
    return new_workspace(*bytes);
}

static void check_forward(stoa_context *context, const struct problem *p) {
    size_t bytes;
    void *workspace = pass_workspace(context, p, STOA_CONV2D_FORWARD, &bytes);
    float *y = new_floats(p->y_size);
    assert_int_equal(
        stoa_conv2d_forward(context, &p->conv, p->x, p->weight, p->bias, NULL, y, workspace, bytes), STOA_OK);
    check_close("y", y, p->y, p->y_size, 1e-4);
    assert_int_equal(
        stoa_conv2d_forward(context, &p->conv, p->x, p->weight, p->bias, &relu, y, workspace, bytes),
        STOA_OK);
    double *expected = new_doubles(p->y_size);
    for (size_t i = 0; i < p->y_size; i++) {
        expected[i] = fmax(0, p->y[i]);
    }
    check_close("relu(y)", y, expected, p->y_size, 1e-4);
    for (size_t i = 0; i < p->y_size; i++) {
        expected[i] = fmax(0, p->y[i] - (double)p->bias[i % p->conv.filters]);
    }
    assert_int_equal(
        stoa_conv2d_forward(context, &p->conv, p->x, p->weight, NULL, &relu, y, workspace, bytes), STOA_OK);
    check_close("relu(y) without bias", y, expected, p->y_size, 1e-4);
    free(expected);
    free_floats(y, p->y_size);
    free(workspace);
}

/* With weights prepared once: the bits of check_forward()'s call, and again after they have changed. */
static void check_prepared(stoa_context *context, const struct problem *p) {
    size_t bytes;
    void *workspace = pass_workspace(context, p, STOA_CONV2D_FORWARD, &bytes);
    size_t prepared_bytes = 77;
    assert_int_equal(stoa_conv2d_prepared_bytes(context, &p->conv, &prepared_bytes), STOA_OK);
    void *prepared = prepared_bytes ? new_workspace(prepared_bytes) : NULL;
    float *y = new_floats(p->y_size);
    float *expected = new_floats(p->y_size);
    for (int i = 0; i < 2; i++) {
        p->weight[p->weight_size / 2] += (float)i;
        assert_int_equal(stoa_conv2d_prepare(context, &p->conv, p->weight, prepared, prepared_bytes),
                         STOA_OK);
        assert_int_equal(stoa_conv2d_forward(context, &p->conv, p->x, p->weight, p->bias, &relu, expected,
                                             workspace, bytes),
                         STOA_OK);
        assert_int_equal(stoa_conv2d_forward_prepared(context, &p->conv, p->x, p->weight, prepared,
                                                      prepared_bytes, p->bias, &relu, y, workspace, bytes),
                         STOA_OK);
        assert_memory_equal(y, expected, p->y_size * sizeof *y);
        p->weight[p->weight_size / 2] -= (float)i;
    }
    free_floats(y, p->y_size);
    free_floats(expected, p->y_size);
    free(prepared);
    free(workspace);
}

static void check_backward(stoa_context *context, const struct problem *p) {
    size_t bytes;
    void *workspace = pass_workspace(context, p, STOA_CONV2D_BACKWARD_DATA, &bytes);
    float *dx = new_floats(p->x_size);
    assert_int_equal(stoa_conv2d_backward_data(context, &p->conv, p->dy, p->weight, dx, workspace, bytes),
                     STOA_OK);
    check_close("dx", dx, p->dx, p->x_size, 3e-4);
    free_floats(dx, p->x_size);
    free(workspace);
    workspace = pass_workspace(context, p, STOA_CONV2D_BACKWARD_WEIGHTS, &bytes);
    float *dweight = new_floats(p->weight_size);
    float *dbias = new_floats(p->conv.filters);
    assert_int_equal(
        stoa_conv2d_backward_weights(context, &p->conv, p->x, p->dy, dweight, dbias, workspace, bytes),
        STOA_OK);
    check_close("dweight", dweight, p->dweight, p->weight_size, 3e-4);
    check_close("dbias", dbias, p->dbias, p->conv.filters, 3e-4);
    fill(dweight, p->weight_size, 9);
    assert_int_equal(
        stoa_conv2d_backward_weights(context, &p->conv, p->x, p->dy, dweight, NULL, workspace, bytes),
        STOA_OK);
    check_close("dweight without dbias", dweight, p->dweight, p->weight_size, 3e-4);
    free_floats(dbias, p->conv.filters);
    free_floats(dweight, p->weight_size);
    free(workspace);
}

static void check_columns(stoa_context *context, const struct problem *p) {
    size_t group = or_one(p->conv.groups) - 1;
    float *columns = new_floats(p->columns_size);
    assert_int_equal(stoa_im2col(context, &p->conv, group, p->x, columns), STOA_OK);
    check_close("columns", columns, p->columns, p->columns_size, 0);
    /* Added to what the caller has set. */
    float *dx = new_filled(p->x_size, 5);
    float *before = new_filled(p->x_size, 5);
    assert_int_equal(stoa_col2im(context, &p->conv, group, columns, dx), STOA_OK);
    for (size_t i = 0; i < p->x_size; i++) {
        double expected = (double)before[i] + p->summed[i];
        assert_true(fabs((double)dx[i] - expected) < 1e-4);
    }
    free_floats(before, p->x_size);
    free_floats(dx, p->x_size);
    free_floats(columns, p->columns_size);
}

static void equals_naive_loops(void **state) {
    (void)state;
    stoa_context *contexts[] = {new_context(1, STOA_POLICY_DEFAULT, 0),
                                new_context(3, STOA_POLICY_EXACT, 16 << 10),
                                new_context(2, STOA_POLICY_BLAS, 0)};
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        struct problem p;
        problem_open(&p, &problems[i]);
        for (size_t j = 0; j < sizeof contexts / sizeof *contexts; j++) {
            size_t height = 0;
            size_t width = 0;
            assert_int_equal(stoa_conv2d_output(contexts[j], &p.conv, &height, &width), STOA_OK);
            assert_int_equal(height, p.out_height);
            assert_int_equal(width, p.out_width);
            check_forward(contexts[j], &p);
            check_prepared(contexts[j], &p);
            check_backward(contexts[j], &p);
            check_columns(contexts[j], &p);
        }
        problem_close(&p);
    }
    for (size_t j = 0; j < sizeof contexts / sizeof *contexts; j++) {
        stoa_context_free(contexts[j]);
    }
}

static void packs_weights(void **state) {
    (void)state;
    stoa_context *context = new_context(1, STOA_POLICY_DEFAULT, 0);
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        const stoa_conv2d *c = &problems[i];
        size_t channels = c->channels / or_one(c->groups);
        size_t count = c->filters * channels * c->kernel_height * c->kernel_width;
        float *oihw = new_filled(count, 6);
        float *hwio = new_floats(count);
        assert_int_equal(stoa_conv2d_pack_weights(context, c, oihw, hwio), STOA_OK);
        for (size_t j = 0; j < count; j++) {
            size_t k = j % c->filters;
            size_t in = j / c->filters % channels;
            size_t tap = j / c->filters / channels;
            assert_true(hwio[j] == oihw[(k * channels + in) * c->kernel_height * c->kernel_width + tap]);
        }
        free_floats(oihw, count);
        free_floats(hwio, count);
    }
    stoa_context_free(context);
}

/* A good description with one size changed. */
static void refuse_description(stoa_context *context, size_t offset, size_t value, stoa_status status,
                               const char *text) {
    stoa_conv2d conv = problems[0];
    memcpy((char *)&conv + offset, &value, sizeof value);
    size_t height = 77;
    size_t width = 78;
    check_refused(context, stoa_conv2d_output(context, &conv, &height, &width), status, text);
    assert_int_equal(height, 77);
    assert_int_equal(width, 78);
    size_t bytes = 79;
    check_refused(context, stoa_conv2d_workspace(context, &conv, STOA_CONV2D_FORWARD, &bytes), status, text);
    assert_int_equal(bytes, 79);
    check_refused(context, stoa_conv2d_prepared_bytes(context, &conv, &bytes), status, text);
    assert_int_equal(bytes, 79);
}

static void refuses_descriptions(void **state) {
    (void)state;
    stoa_context *context = new_context(1, STOA_POLICY_DEFAULT, 0);
    const size_t huge = 2147483647;
    refuse_description(context, offsetof(stoa_conv2d, batch), 0, STOA_ERR_ARGUMENT,
                       "batch is 0, expected 1 to");
    refuse_description(context, offsetof(stoa_conv2d, kernel_width), 0, STOA_ERR_ARGUMENT,
                       "kernel_width is 0");
    refuse_description(context, offsetof(stoa_conv2d, height), huge, STOA_ERR_SHAPE, "height is 2147483647");
    refuse_description(context, offsetof(stoa_conv2d, pad_left), huge, STOA_ERR_SHAPE, "pad_left is");
    refuse_description(context, offsetof(stoa_conv2d, dilation_width), huge, STOA_ERR_SHAPE,
                       "dilation_width is");
    refuse_description(context, offsetof(stoa_conv2d, groups), 2, STOA_ERR_SHAPE,
                       "groups = 2 does not divide 1 channels and 6 filters");
    refuse_description(context, offsetof(stoa_conv2d, kernel_height), 14, STOA_ERR_SHAPE,
                       "kernel 14x5 with dilation 1x1 does not fit input 9x8 with padding 2+2x2+2");
    refuse_description(context, offsetof(stoa_conv2d, filters), (size_t)1 << 30, STOA_ERR_SHAPE,
                       "y has more than 1073741824 elements a sample");
    refuse_description(context, offsetof(stoa_conv2d, channels), (size_t)1 << 28, STOA_ERR_SHAPE,
                       "x has more than 1073741824 elements a sample");
    stoa_context_free(context);
}

/* x and y can be addressed, the columns that they need cannot; nor do those of one pixel fit the limit. */
static void refuses_sizes_that_overflow(void **state) {
    (void)state;
    stoa_context *context = new_context(1, STOA_POLICY_DEFAULT, 0);
    stoa_conv2d conv = {.batch = sizeof(size_t) == 8 ? (size_t)1 << 30 : 1,
                        .height = 1 << 14,
                        .width = 1 << 14,
                        .channels = 1,
                        .filters = 1,
                        .kernel_height = 1 << 13,
                        .kernel_width = 1 << 13};
    size_t bytes = 5;
    check_refused(context, stoa_conv2d_workspace(context, &conv, STOA_CONV2D_BACKWARD_DATA, &bytes),
                  STOA_ERR_MEMORY,
                  "stoa_conv2d_workspace: the columns of one pixel take 268435456 bytes, and the context's "
                  "workspace limit is 1048576");
    float x[1] = {1};
    float columns[1] = {2};
    check_refused(context, stoa_im2col(context, &conv, 0, x, columns), STOA_ERR_SHAPE,
                  "the size of columns overflows");
    check_refused(context, stoa_conv2d_workspace(context, &problems[0], (stoa_conv2d_pass)7, &bytes),
                  STOA_ERR_ARGUMENT, "pass is 7");
    assert_int_equal(bytes, 5);
    stoa_context_free(context);
}

static void refuses_buffers(void **state) {
    (void)state;
    stoa_context *context = new_context(1, STOA_POLICY_DEFAULT, 0);
    struct problem p;
    problem_open(&p, &problems[0]);
    float *y = new_floats(p.y_size);
    size_t bytes;
    void *workspace = pass_workspace(context, &p, STOA_CONV2D_FORWARD, &bytes);
    assert_true(bytes > 64);
    const stoa_epilogue unknown = {.activation = "tanhh"};
    const struct {
        const float *x;
        void *workspace;
        size_t bytes;
        const stoa_epilogue *epilogue;
        const char *text;
    } bad[] = {
        {NULL, workspace, bytes, NULL, "stoa_conv2d_forward: x is NULL"},
        {p.x, NULL, bytes, NULL, "found a workspace of 0 bytes"},
        {p.x, workspace, bytes - 1, NULL, "bytes, expected"},
        {p.x, (char *)workspace + 32, bytes, NULL, "the workspace is not aligned to 64 bytes"},
        {p.x, workspace, bytes, &unknown, "activation 'tanhh': unknown operator 'tanhh'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_refused(context,
                      stoa_conv2d_forward(context, &p.conv, bad[i].x, p.weight, NULL, bad[i].epilogue, y,
                                          bad[i].workspace, bad[i].bytes),
                      STOA_ERR_ARGUMENT, bad[i].text);
        assert_true(isnan(y[0]) && isnan(y[p.y_size - 1]));
    }
    check_refused(context, stoa_conv2d_forward(context, NULL, p.x, p.weight, NULL, NULL, y, workspace, bytes),
                  STOA_ERR_ARGUMENT, "conv is NULL");
    check_refused(context, stoa_im2col(context, &p.conv, 1, p.x, y), STOA_ERR_ARGUMENT,
                  "group is 1, expected 0 to 0");
    free(workspace);
    free_floats(y, p.y_size);
    problem_close(&p);
    stoa_context_free(context);
}

static void refuses_prepared_buffers(void **state) {
    (void)state;
    stoa_context *context = new_context(1, STOA_POLICY_DEFAULT, 0);
    struct problem p;
    /* It packs every weight, whatever the instruction set. */
    assert_int_equal(stoa_context_set_conv(context, "implicit"), STOA_OK);
    stoa_conv2d conv = problems[0];
    conv.filters = 20;
    problem_open(&p, &conv);
    float *y = new_floats(p.y_size);
    size_t bytes;
    size_t prepared_bytes;
    void *workspace = pass_workspace(context, &p, STOA_CONV2D_FORWARD, &bytes);
    assert_int_equal(stoa_conv2d_prepared_bytes(context, &p.conv, &prepared_bytes), STOA_OK);
    assert_true(prepared_bytes > 64);
    float *prepared = new_workspace(prepared_bytes);
    memset(prepared, 0xFF, prepared_bytes);
    const struct {
        void *prepared;
        size_t bytes;
        const char *text;
    } bad[] = {
        {NULL, prepared_bytes, "found a prepared buffer of 0 bytes, expected"},
        {prepared, prepared_bytes - 1, "bytes, expected"},
        {prepared + 4, prepared_bytes, "the prepared buffer is not aligned to 64 bytes"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_refused(context, stoa_conv2d_prepare(context, &p.conv, p.weight, bad[i].prepared, bad[i].bytes),
                      STOA_ERR_ARGUMENT, bad[i].text);
        assert_true(isnan(prepared[0]));
        check_refused(context,
                      stoa_conv2d_forward_prepared(context, &p.conv, p.x, p.weight, bad[i].prepared,
                                                   bad[i].bytes, NULL, NULL, y, workspace, bytes),
                      STOA_ERR_ARGUMENT, bad[i].text);
        assert_true(isnan(y[0]) && isnan(y[p.y_size - 1]));
    }
    check_refused(context, stoa_conv2d_prepare(context, &p.conv, NULL, prepared, prepared_bytes),
                  STOA_ERR_ARGUMENT, "stoa_conv2d_prepare: weight is NULL");
    check_refused(context, stoa_conv2d_prepare(context, NULL, p.weight, prepared, prepared_bytes),
                  STOA_ERR_ARGUMENT, "stoa_conv2d_prepare: conv is NULL");
    check_refused(context, stoa_conv2d_prepared_bytes(context, &p.conv, NULL), STOA_ERR_ARGUMENT,
                  "bytes is NULL");
    check_refused(context,
                  stoa_conv2d_forward_prepared(context, &p.conv, p.x, p.weight, prepared, prepared_bytes,
                                               NULL, NULL, y, workspace, bytes - 1),
                  STOA_ERR_ARGUMENT, "stoa_conv2d_forward_prepared: found a workspace of");
    free(prepared);
    free(workspace);
    free_floats(y, p.y_size);
    problem_close(&p);
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_naive_loops),   cmocka_unit_test(packs_weights),
        cmocka_unit_test(refuses_descriptions), cmocka_unit_test(refuses_sizes_that_overflow),
        cmocka_unit_test(refuses_buffers),      cmocka_unit_test(refuses_prepared_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
