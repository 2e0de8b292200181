/* SPDX-License-Identifier: MIT */
/* Stateless products, linear layers, pooling, batch norm and layout conversion against their formulas in
 * double. */
#include <limits.h>

#include "support.h"

static const stoa_epilogue relu = {.activation = "relu"};

static stoa_context *contexts[2];

static int set_up(void **state) {
    (void)state;
    contexts[0] = new_context(1, STOA_POLICY_DEFAULT, 0);
    contexts[1] = new_context(3, STOA_POLICY_DEFAULT, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(contexts[0]);
    stoa_context_free(contexts[1]);
    return 0;
}

struct product {
    bool ta, tb;
    size_t m, n, k;
    float alpha, beta;
};

static void check_sgemm(stoa_context *context, const struct product *p) {
    size_t lda = (p->ta ? p->m : p->k) + 3;
    size_t ldb = (p->tb ? p->k : p->n) + 1;
    size_t ldc = p->n + 2;
    size_t a_size = (p->ta ? p->k : p->m) * lda;
    size_t b_size = (p->tb ? p->n : p->k) * ldb;
    size_t c_size = p->m * ldc;
    float *a = new_filled(a_size, 1);
    float *b = new_filled(b_size, 2);
    float *c = new_floats(c_size);
    if (p->beta != 0) {
        fill(c, c_size, 3);
    }
    double *expected = new_doubles(c_size);
    for (size_t i = 0; i < c_size; i++) {
        expected[i] = p->beta != 0 ? (double)p->beta * (double)c[i] : 0;
        for (size_t l = 0; i % ldc < p->n && l < p->k; l++) {
            expected[i] += (double)p->alpha * (double)a[p->ta ? l * lda + i / ldc : i / ldc * lda + l] *
                           (double)b[p->tb ? i % ldc * ldb + l : l * ldb + i % ldc];
        }
    }
    float *before = new_floats(c_size);
    memcpy(before, c, c_size * sizeof *c);
    assert_int_equal(
        stoa_sgemm(context, p->ta, p->tb, p->m, p->n, p->k, p->alpha, a, lda, b, ldb, p->beta, c, ldc),
        STOA_OK);
    for (size_t i = 0; i < p->m; i++) {
        check_close("c", c + i * ldc, expected + i * ldc, p->n, 1e-4);
        assert_memory_equal(c + i * ldc + p->n, before + i * ldc + p->n, (ldc - p->n) * sizeof *c);
    }
    free_floats(before, c_size);
    free(expected);
    free_floats(a, a_size);
    free_floats(b, b_size);
    free_floats(c, c_size);
}

static void multiplies(void **state) {
    (void)state;
    const struct product products[] = {
        {false, false, 3, 5, 7, 1, 0},       {true, false, 130, 65, 9, 0.5F, 0.25F},
        {false, true, 1, 200, 33, -2, 1},    {true, true, 257, 2, 64, 1, 0},
        {false, false, 300, 140, 20, 1, 0},  {false, false, 3, 5, 0, 1, 0},
        {true, false, 130, 65, 0, 2, 0.25F}, {false, true, 1, 200, 0, 1, 1},
        {true, true, 300, 140, 0, -1, -3},
    };
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        check_sgemm(contexts[0], &products[i]);
        check_sgemm(contexts[1], &products[i]);
    }
}

static void refuses_products(void **state) {
    (void)state;
    float a[4] = {1, 2, 3, 4};
    float c[4] = {5, 5, 5, 5};
    stoa_context *x = contexts[0];
    check_refused(x, stoa_sgemm(x, 0, 0, 2, 2, 2, 1, NULL, 2, a, 2, 0, c, 2), STOA_ERR_ARGUMENT, "a is NULL");
    check_refused(x, stoa_sgemm(x, 0, 0, 0, 2, 2, 1, a, 2, a, 2, 0, c, 2), STOA_ERR_ARGUMENT, "m is 0");
    check_refused(x, stoa_sgemm(x, 0, 0, 2, 2, 0, 1, a, 2, a, 2, 0, NULL, 2), STOA_ERR_ARGUMENT, "c is NULL");
    check_refused(x, stoa_sgemm(x, 0, 0, 2, 2, 0, 1, a, 2, a, 2, 0, c, 1), STOA_ERR_SHAPE, "ldc is 1");
    check_refused(x, stoa_sgemm(x, 0, 0, 2, 2, 2, 1, a, 1, a, 2, 0, c, 2), STOA_ERR_SHAPE,
                  "lda is 1, expected 2");
    check_refused(x, stoa_sgemm(x, 0, 1, 2, 2, 2, 1, a, 2, a, 1, 0, c, 2), STOA_ERR_SHAPE, "ldb is 1");
    check_refused(x, stoa_sgemm(x, 0, 0, 2, 2, 2, 1, a, 2, a, 2, 0, c, (size_t)INT_MAX + 1), STOA_ERR_SHAPE,
                  "ldc is");
    check_refused(x, stoa_sgemm(x, 0, 0, SIZE_MAX / 4 + 1, 2, 2, 1, a, 2, a, 2, 0, c, 2), STOA_ERR_SHAPE,
                  "the size of a overflows");
    for (int i = 0; i < 4; i++) {
        assert_true(c[i] == 5);
    }
    /* Nothing to multiply: no a, no b, whatever their strides. */
    assert_int_equal(stoa_sgemm(x, 1, 0, 2, 2, 0, 1, NULL, 0, NULL, 0, 2, c, 2), STOA_OK);
    for (int i = 0; i < 4; i++) {
        assert_true(c[i] == 10);
    }
}

/* Naive results of a linear layer. */
struct linear {
    size_t batch, in, out;
    float *x, *weight, *bias, *dy;
    double *y, *dx, *dweight, *dbias;
};

static void linear_open(struct linear *l, size_t batch, size_t in, size_t out) {
    *l = (struct linear){batch,
                         in,
                         out,
                         new_filled(batch * in, 1),
                         new_filled(in * out, 2),
                         new_filled(out, 3),
                         new_filled(batch * out, 4),
                         new_doubles(batch * out),
                         new_doubles(batch * in),
                         new_doubles(in * out),
                         new_doubles(out)};
    for (size_t n = 0; n < batch; n++) {
        for (size_t o = 0; o < out; o++) {
            double dy = (double)l->dy[n * out + o];
            l->y[n * out + o] = (double)l->bias[o];
            l->dbias[o] += dy;
            for (size_t i = 0; i < in; i++) {
                l->y[n * out + o] += (double)l->x[n * in + i] * (double)l->weight[i * out + o];
                l->dx[n * in + i] += dy * (double)l->weight[i * out + o];
                l->dweight[i * out + o] += dy * (double)l->x[n * in + i];
            }
        }
    }
}

static void linear_close(struct linear *l) {
    free_floats(l->x, l->batch * l->in);
    free_floats(l->weight, l->in * l->out);
    free_floats(l->bias, l->out);
    free_floats(l->dy, l->batch * l->out);
    free(l->y);
    free(l->dx);
    free(l->dweight);
    free(l->dbias);
}

static void check_linear_forward(stoa_context *context, const struct linear *l) {
    size_t count = l->batch * l->out;
    float *y = new_floats(count);
    assert_int_equal(stoa_linear_forward(context, l->batch, l->in, l->out, l->x, l->weight, l->bias, NULL, y),
                     STOA_OK);
    check_close("y", y, l->y, count, 1e-4);
    double *expected = new_doubles(count);
    for (size_t i = 0; i < count; i++) {
        expected[i] = fmax(0, l->y[i] - (double)l->bias[i % l->out]);
    }
    assert_int_equal(stoa_linear_forward(context, l->batch, l->in, l->out, l->x, l->weight, NULL, &relu, y),
                     STOA_OK);
    check_close("relu(y) without bias", y, expected, count, 1e-4);
    free(expected);
    free_floats(y, count);
}

/* Every choice of what is asked for. */
static void check_linear_backward(stoa_context *context, const struct linear *l) {
    for (unsigned asked = 1; asked < 8; asked++) {
        float *dx = asked & 1 ? new_floats(l->batch * l->in) : NULL;
        float *dweight = asked & 2 ? new_floats(l->in * l->out) : NULL;
        float *dbias = asked & 4 ? new_floats(l->out) : NULL;
        assert_int_equal(stoa_linear_backward(context, l->batch, l->in, l->out, dweight ? l->x : NULL,
                                              dx ? l->weight : NULL, l->dy, dx, dweight, dbias),
                         STOA_OK);
        if (dx) {
            check_close("dx", dx, l->dx, l->batch * l->in, 1e-4);
        }
        if (dweight) {
            check_close("dweight", dweight, l->dweight, l->in * l->out, 1e-4);
        }
        if (dbias) {
            check_close("dbias", dbias, l->dbias, l->out, 1e-4);
        }
        free_floats(dx, l->batch * l->in);
        free_floats(dweight, l->in * l->out);
        free_floats(dbias, l->out);
    }
}

static void linear_layers(void **state) {
    (void)state;
    const size_t sizes[][3] = {{5, 7, 10}, {1, 1, 1}, {140, 30, 150}};
    for (size_t i = 0; i < 3; i++) {
        struct linear l;
        linear_open(&l, sizes[i][0], sizes[i][1], sizes[i][2]);
        for (size_t j = 0; j < 2; j++) {
            check_linear_forward(contexts[j], &l);
            check_linear_backward(contexts[j], &l);
        }
        linear_close(&l);
    }
    float y[1] = {5};
    check_refused(contexts[0], stoa_linear_forward(contexts[0], 0, 1, 1, y, y, NULL, NULL, y),
                  STOA_ERR_ARGUMENT, "stoa_linear_forward: batch is 0");
    check_refused(contexts[0], stoa_linear_backward(contexts[0], 1, 1, 1, NULL, y, y, NULL, y, NULL),
                  STOA_ERR_ARGUMENT, "x is NULL");
    assert_true(y[0] == 5);
}

/* Naive results of pooling over x and dy. */
struct pooled {
    size_t height, width, x_size, y_size;
    double *max, *mean, *max_dx, *mean_dx;
    uint16_t *index;
};

static void pool_pixel(const stoa_pool2d *p, struct pooled *r, const float *x, const float *dy, size_t o) {
    size_t c = o % p->channels;
    size_t ow = o / p->channels % r->width;
    size_t oh = o / p->channels / r->width % r->height;
    size_t n = o / p->channels / r->width / r->height;
    size_t strides[2] = {p->stride_height ? p->stride_height : p->window_height,
                         p->stride_width ? p->stride_width : p->window_width};
    for (int pass = 0; pass < 2; pass++) { /* find, then give back the gradient */
        size_t inside = 0;
        size_t winner = 0;
        double divisor = 0;
        double sum = 0;
        for (size_t t = 0; t < p->window_height * p->window_width; t++) {
            size_t ih = oh * strides[0] + t / p->window_width * (p->dilation_height ? p->dilation_height : 1);
            size_t iw = ow * strides[1] + t % p->window_width * (p->dilation_width ? p->dilation_width : 1);
            bool counts = ih < p->pad_top + p->height + p->pad_bottom &&
                          iw < p->pad_left + p->width + p->pad_right && !p->exclude_pad;
            if (ih < p->pad_top || ih - p->pad_top >= p->height || iw < p->pad_left ||
                iw - p->pad_left >= p->width) {
                divisor += counts;
                continue;
            }
            divisor++;
            size_t i = ((n * p->height + ih - p->pad_top) * p->width + iw - p->pad_left) * p->channels + c;
            if (pass == 1) {
                r->mean_dx[i] += (double)dy[o] / r->mean[o];
                r->max_dx[i] += t == r->index[o] ? (double)dy[o] : 0;
            }
            if (inside++ == 0 || (double)x[i] > r->max[o]) {
                r->max[o] = (double)x[i];
                winner = t;
            }
            sum += (double)x[i];
        }
        r->index[o] = (uint16_t)winner;
        /* Between the passes the mean holds its divisor. */
        r->mean[o] = pass == 0 ? divisor : sum / divisor;
    }
}

static void check_pool(stoa_context *context, const stoa_pool2d *p) {
    struct pooled r = {.x_size = p->batch * p->height * p->width * p->channels};
    assert_int_equal(stoa_pool2d_output(context, p, &r.height, &r.width), STOA_OK);
    r.y_size = p->batch * r.height * r.width * p->channels;
    float *x = new_filled(r.x_size, 1);
    for (size_t i = 0; i < r.x_size; i++) {
        x[i] = floorf(x[i] * 4); /* many equals: the first wins */
    }
    float *dy = new_filled(r.y_size, 2);
    r.max = new_doubles(r.y_size);
    r.mean = new_doubles(r.y_size);
    r.max_dx = new_doubles(r.x_size);
    r.mean_dx = new_doubles(r.x_size);
    r.index = calloc(r.y_size, sizeof *r.index);
    uint16_t *index = calloc(r.y_size, sizeof *index);
    assert_true(r.index && index);
    for (size_t o = 0; o < r.y_size; o++) {
        pool_pixel(p, &r, x, dy, o);
    }
    float *y = new_floats(r.y_size);
    float *dx = new_floats(r.x_size);
    assert_int_equal(stoa_maxpool2d_forward(context, p, x, y, index), STOA_OK);
    check_close("max", y, r.max, r.y_size, 0);
    assert_memory_equal(index, r.index, r.y_size * sizeof *index);
    assert_int_equal(stoa_maxpool2d_backward(context, p, dy, index, dx), STOA_OK);
    check_close("max dx", dx, r.max_dx, r.x_size, 1e-5);
    assert_int_equal(stoa_avgpool2d_forward(context, p, x, y), STOA_OK);
    check_close("mean", y, r.mean, r.y_size, 1e-5);
    assert_int_equal(stoa_avgpool2d_backward(context, p, dy, dx), STOA_OK);
    check_close("mean dx", dx, r.mean_dx, r.x_size, 1e-5);
    free_floats(x, r.x_size);
    free_floats(dy, r.y_size);
    free_floats(y, r.y_size);
    free_floats(dx, r.x_size);
    free(r.max);
    free(r.mean);
    free(r.max_dx);
    free(r.mean_dx);
    free(r.index);
    free(index);
}

static void pools(void **state) {
    (void)state;
    const stoa_pool2d cases[] = {
        {.batch = 3, .height = 6, .width = 8, .channels = 5, .window_height = 2, .window_width = 2},
        {.batch = 2,
         .height = 7,
         .width = 5,
         .channels = 17,
         .window_height = 3,
         .window_width = 2,
         .stride_height = 2,
         .stride_width = 1,
         .pad_top = 1,
         .pad_bottom = 1,
         .pad_left = 1,
         .pad_right = 1},
        {.batch = 2,
         .height = 7,
         .width = 5,
         .channels = 3,
         .window_height = 3,
         .window_width = 3,
         .stride_height = 2,
         .stride_width = 2,
         .pad_top = 1,
         .pad_bottom = 1,
         .exclude_pad = true},
        /* 4 rows and 3 columns, each last one hanging over. */
        {.batch = 2,
         .height = 7,
         .width = 6,
         .channels = 9,
         .window_height = 3,
         .window_width = 2,
         .stride_height = 2,
         .stride_width = 3,
         .dilation_height = 1,
         .dilation_width = 2,
         .pad_top = 1,
         .pad_left = 2,
         .pad_right = 1,
         .ceil_mode = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_pool(contexts[0], &cases[i]);
        check_pool(contexts[1], &cases[i]);
    }
    float y[1] = {5};
    uint16_t index[1];
    stoa_pool2d bad = cases[0];
    stoa_context *c = contexts[0];
    check_refused(c, stoa_maxpool2d_forward(c, &bad, y, y, NULL), STOA_ERR_ARGUMENT, "index is NULL");
    bad.window_width = 9;
    check_refused(c, stoa_avgpool2d_forward(c, &bad, y, y), STOA_ERR_SHAPE,
                  "stoa_avgpool2d_forward: kernel 2x9");
    bad.pad_left = 9;
    check_refused(c, stoa_avgpool2d_forward(c, &bad, y, y), STOA_ERR_SHAPE,
                  "pad 0,9,0,0 leaves a window 2x9 with dilation 1x1 in the padding alone");
    bad.pad_top = (size_t)1 << 40;
    check_refused(c, stoa_avgpool2d_forward(c, &bad, y, y), STOA_ERR_SHAPE, "pad_top");
    bad.batch = 0;
    check_refused(c, stoa_maxpool2d_forward(c, &bad, y, y, index), STOA_ERR_ARGUMENT, "batch is 0");
    assert_true(y[0] == 5);
}

/* Batch norm of (rows, channels) by its formulas. */
static void check_batchnorm(stoa_context *context, size_t rows, size_t channels) {
    stoa_batchnorm norm = {.rows = rows, .channels = channels, .epsilon = 1e-3F, .momentum = 0.3F};
    size_t count = rows * channels;
    float *x = new_filled(count, 1), *dy = new_filled(count, 2), *y = new_floats(count),
          *dx = new_floats(count);
    float *v[8]; /* scale, shift, running mean and variance, mean, inverse, dscale, dshift */
    for (uint32_t i = 0; i < 8; i++) {
        v[i] = i < 4 ? new_filled(channels, 10 + i) : new_floats(channels);
    }
    float *old_mean = new_filled(channels, 12), *old_var = new_filled(channels, 13);
    size_t bytes = 0;
    assert_int_equal(stoa_batchnorm_workspace(context, &norm, &bytes), STOA_OK);
    void *workspace = new_workspace(bytes);
    assert_int_equal(
        stoa_batchnorm_train(context, &norm, x, v[0], v[1], v[2], v[3], v[4], v[5], y, workspace, bytes),
        STOA_OK);
    memset(workspace, 0xFF, bytes);
    assert_int_equal(
        stoa_batchnorm_backward(context, &norm, x, dy, v[0], v[4], v[5], dx, v[6], v[7], workspace, bytes),
        STOA_OK);
    for (size_t c = 0; c < channels; c++) {
        double mean = 0, variance = 0, sum = 0, product = 0;
        for (size_t r = 0; r < rows; r++) {
            mean += (double)x[r * channels + c] / (double)rows;
        }
        for (size_t r = 0; r < rows; r++) {
            variance += pow((double)x[r * channels + c] - mean, 2) / (double)rows;
        }
        double inverse = 1 / sqrt(variance + (double)norm.epsilon);
        for (size_t i = c; i < count; i += channels) {
            sum += (double)dy[i];
            product += (double)dy[i] * ((double)x[i] - mean) * inverse;
        }
        double unbiased = rows > 1 ? variance * (double)rows / (double)(rows - 1) : variance;
        const double expected[] = {0.7 * (double)old_mean[c] + 0.3 * mean,
                                   0.7 * (double)old_var[c] + 0.3 * unbiased,
                                   mean,
                                   inverse,
                                   product,
                                   sum};
        for (size_t i = 0; i < 6; i++) {
            check_close("vector", &v[2 + i][c], &expected[i], 1, 2e-5 * (1 + fabs(expected[i])));
        }
        for (size_t i = c; i < count; i += channels) {
            double xhat = ((double)x[i] - mean) * inverse;
            double y_expected = (double)v[0][c] * xhat + (double)v[1][c];
            double dx_expected = (double)v[0][c] * inverse *
                                 ((double)dy[i] - sum / (double)rows - xhat * product / (double)rows);
            check_close("y", &y[i], &y_expected, 1, 3e-5);
            check_close("dx", &dx[i], &dx_expected, 1, 1e-4 * (1 + inverse));
        }
    }
    /* In place, and only what is asked for. */
    memcpy(y, dy, count * sizeof *y);
    assert_int_equal(
        stoa_batchnorm_backward(context, &norm, x, y, v[0], v[4], v[5], y, v[6], v[7], workspace, bytes),
        STOA_OK);
    assert_memory_equal(y, dx, count * sizeof *y);
    assert_int_equal(
        stoa_batchnorm_backward(context, &norm, x, dy, v[0], v[4], v[5], NULL, v[6], v[7], workspace, bytes),
        STOA_OK);
    fill(v[3], channels, 5);
    for (size_t c = 0; c < channels; c++) {
        v[3][c] = fabsf(v[3][c]);
    }
    memcpy(y, x, count * sizeof *y);
    assert_int_equal(stoa_batchnorm_infer(context, &norm, y, v[0], v[1], v[2], v[3], y, workspace, bytes),
                     STOA_OK);
    for (size_t i = 0; i < count; i++) {
        size_t c = i % channels;
        double expected = (double)v[0][c] * ((double)x[i] - (double)v[2][c]) /
                              sqrt((double)v[3][c] + (double)norm.epsilon) +
                          (double)v[1][c];
        check_close("y in evaluation", &y[i], &expected, 1, 1e-5 * (1 + fabs(expected)) * 30);
    }
    check_refused(context,
                  stoa_batchnorm_infer(context, &norm, x, v[0], v[1], v[2], v[3], y, workspace, bytes - 1),
                  STOA_ERR_ARGUMENT, "found a workspace of");
    free(workspace);
    float *all[] = {x, dy, y, dx};
    for (size_t i = 0; i < 4; i++) {
        free_floats(all[i], count);
    }
    for (size_t i = 0; i < 8; i++) {
        free_floats(v[i], channels);
    }
    free_floats(old_mean, channels);
    free_floats(old_var, channels);
}

static void normalises(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        check_batchnorm(contexts[i], 37, 20);
        check_batchnorm(contexts[i], 2, 3);
        check_batchnorm(contexts[i], 500, 70);
    }
    size_t bytes = 5;
    stoa_batchnorm bad = {.rows = 3, .channels = 2, .epsilon = 0, .momentum = 0.1F};
    check_refused(contexts[0], stoa_batchnorm_workspace(contexts[0], &bad, &bytes), STOA_ERR_ARGUMENT,
                  "found epsilon 0 and momentum 0.1");
    bad = (stoa_batchnorm){.rows = 3, .channels = 2, .epsilon = 1, .momentum = NAN};
    check_refused(contexts[0], stoa_batchnorm_workspace(contexts[0], &bad, &bytes), STOA_ERR_ARGUMENT,
                  "momentum");
    bad = (stoa_batchnorm){.rows = 0, .channels = 2, .epsilon = 1};
    check_refused(contexts[0], stoa_batchnorm_workspace(contexts[0], &bad, &bytes), STOA_ERR_ARGUMENT,
                  "rows is 0");
    assert_int_equal(bytes, 5);
    /* One value a channel is its own mean. */
    float v[9][3] = {{0}};
    unsigned char *workspace = aligned_alloc(64, 1 << 16);
    assert_non_null(workspace);
    bad = (stoa_batchnorm){.rows = 1, .channels = 3, .epsilon = 1e-5F, .momentum = 0.1F};
    check_refused(contexts[0],
                  stoa_batchnorm_train(contexts[0], &bad, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7],
                                       workspace, 1 << 16),
                  STOA_ERR_ARGUMENT, "stoa_batchnorm_train: found 1 row, expected 2 or more");
    assert_int_equal(
        stoa_batchnorm_infer(contexts[0], &bad, v[0], v[1], v[2], v[3], v[4], v[7], workspace, 1 << 16),
        STOA_OK);
    free(workspace);
}

static void converts_layouts(void **state) {
    (void)state;
    const size_t n = 3, c = 5, h = 4, w = 7, count = n * c * h * w;
    float *x = new_filled(count, 1), *y = new_floats(count), *z = new_floats(count);
    assert_int_equal(stoa_nchw_to_nhwc(contexts[1], n, c, h, w, x, y), STOA_OK);
    for (size_t i = 0; i < count; i++) {
        size_t in = i / (h * w * c) * c * h * w + i % c * h * w + i / c % (h * w);
        assert_true(y[i] == x[in]);
    }
    assert_int_equal(stoa_nhwc_to_nchw(contexts[1], n, c, h, w, y, z), STOA_OK);
    assert_memory_equal(z, x, count * sizeof *x);
    check_refused(contexts[1], stoa_nhwc_to_nchw(contexts[1], n, 0, h, w, y, z), STOA_ERR_ARGUMENT,
                  "channels is 0");
    check_refused(contexts[1], stoa_nhwc_to_nchw(contexts[1], n, SIZE_MAX / 2, h, w, y, z), STOA_ERR_SHAPE,
                  "the size of x overflows");
    free_floats(x, count);
    free_floats(y, count);
    free_floats(z, count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiplies), cmocka_unit_test(refuses_products), cmocka_unit_test(linear_layers),
        cmocka_unit_test(pools),      cmocka_unit_test(normalises),       cmocka_unit_test(converts_layouts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
