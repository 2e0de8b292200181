/* SPDX-License-Identifier: MIT */
/* Stateless epilogues, activations, sums, softmax, layer norm, losses and transposed convolutions against
 * their formulas in double. */
#include "support.h"

static stoa_context *context;

static int set_up(void **state) {
    (void)state;
    context = new_context(3, STOA_POLICY_DEFAULT, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

/* ---- Activations, by their formulas; derivatives by differences ---- */

typedef double formula(double x);

static double relu(double x) {
    return x < 0 ? 0 : x;
}
static double leaky(double x) {
    return x < 0 ? 0.2 * x : x;
}
static double elu(double x) {
    return x < 0 ? 0.5 * expm1(x) : x;
}
static double gelu(double x) {
    return 0.5 * x * (1 + erf(x * sqrt(0.5)));
}
static double gelu_tanh(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}
static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static double silu(double x) {
    return x / (1 + exp(-x));
}
static double hardswish(double x) {
    return x * fmin(fmax(x + 3, 0), 6) / 6;
}
static double softplus(double x) {
    return log1p(exp(x));
}

static const struct {
    const char *line;
    formula *f;
} activations[] = {{"relu", relu},           {"leaky_relu slope=0.2", leaky},
                   {"elu alpha=0.5", elu},   {"gelu", gelu},
                   {"sigmoid", sigmoid},     {"gelu approximate=tanh", gelu_tanh},
                   {"tanh", tanh},           {"silu", silu},
                   {"hardswish", hardswish}, {"softplus", softplus}};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

static void activates(void **state) {
    (void)state;
    enum { N = 40000 };
    float *x = new_filled(N, 1), *dy = new_filled(N, 2), *y = new_floats(N), *dx = new_floats(N);
    double *expected = new_doubles(N), *gradient = new_doubles(N);
    for (size_t a = 0; a < ACTIVATIONS; a++) {
        for (size_t i = 0; i < N; i++) {
            double at = (double)x[i], h = 1e-6;
            expected[i] = activations[a].f(at);
            gradient[i] = (double)dy[i] * (activations[a].f(at + h) - activations[a].f(at - h)) / (2 * h);
        }
        assert_int_equal(stoa_activation_forward(context, activations[a].line, N, x, y), STOA_OK);
        check_close(activations[a].line, y, expected, N, 1e-6);
        assert_int_equal(stoa_activation_backward(context, activations[a].line, N, x, y, dy, dx), STOA_OK);
        check_close(activations[a].line, dx, gradient, N, 1e-5);
        memcpy(dx, x, N * sizeof *x);
        assert_int_equal(stoa_activation_forward(context, activations[a].line, N, dx, dx), STOA_OK);
        assert_memory_equal(dx, y, N * sizeof *y);
    }
    assert_int_equal(stoa_add(context, N, x, dy, y), STOA_OK);
    for (size_t i = 0; i < N; i++) {
        assert_true(y[i] == x[i] + dy[i]);
    }
    check_refused(context, stoa_activation_forward(context, "prelu", N, x, y), STOA_ERR_ARGUMENT,
                  "'prelu' is no function of one number without parameters");
    check_refused(context, stoa_activation_forward(context, "softmax", N, x, y), STOA_ERR_ARGUMENT,
                  "is no function of one number");
    check_refused(context, stoa_activation_forward(context, "reluu", N, x, y), STOA_ERR_ARGUMENT,
                  "unknown operator 'reluu'");
    check_refused(context, stoa_activation_forward(context, "elu alpha=x", N, x, y), STOA_ERR_ARGUMENT,
                  "alpha");
    check_refused(context, stoa_activation_forward(context, NULL, N, x, y), STOA_ERR_ARGUMENT,
                  "activation is NULL");
    check_refused(context, stoa_activation_forward(context, "relu", 0, x, y), STOA_ERR_ARGUMENT,
                  "count is 0");
    check_refused(context, stoa_activation_backward(context, "gelu", N, NULL, y, dy, dx), STOA_ERR_ARGUMENT,
                  "x is NULL");
    check_refused(context, stoa_activation_backward(context, "tanh", N, x, NULL, dy, dx), STOA_ERR_ARGUMENT,
                  "y is NULL");
    free_floats(x, N);
    free_floats(dy, N);
    free_floats(y, N);
    free_floats(dx, N);
    free(expected);
    free(gradient);
}

/* ---- Epilogues: every activation and a residual, against the calls one by one ---- */

static void same(const char *what, const float *fused, const float *apart, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (fused[i] != apart[i]) {
            fail_msg("%s: number %zu is %.9g with an epilogue, %.9g apart", what, i, (double)fused[i],
                     (double)apart[i]);
        }
    }
}

/* The way one by one, in place of `y`, which has everything but the epilogue. */
static void apply(const stoa_epilogue *e, size_t count, float *y) {
    if (e->residual) {
        assert_int_equal(stoa_add(context, count, y, e->residual, y), STOA_OK);
    }
    if (e->activation) {
        assert_int_equal(stoa_activation_forward(context, e->activation, count, y, y), STOA_OK);
    }
}

static void check_linear(const stoa_epilogue *e, const float *bias) {
    enum { BATCH = 33, IN = 20, OUT = 37, N = BATCH * OUT };
    for (size_t batch = 1; batch <= BATCH; batch += BATCH - 1) {
        float *x = new_filled(batch * IN, 3), *w = new_filled(IN * OUT, 4), *y = new_floats(batch * OUT);
        float *apart = new_floats(batch * OUT);
        assert_int_equal(stoa_linear_forward(context, batch, IN, OUT, x, w, bias, e, y), STOA_OK);
        assert_int_equal(stoa_linear_forward(context, batch, IN, OUT, x, w, bias, NULL, apart), STOA_OK);
        apply(e, batch * OUT, apart);
        same("linear", y, apart, batch * OUT);
        free_floats(x, batch * IN);
        free_floats(w, IN * OUT);
        free_floats(y, batch * OUT);
        free_floats(apart, batch * OUT);
    }
}

static const stoa_conv2d conv = {.batch = 3,
                                 .height = 12,
                                 .width = 11,
                                 .channels = 16,
                                 .filters = 37,
                                 .kernel_height = 3,
                                 .kernel_width = 3,
                                 .pad_top = 1,
                                 .pad_bottom = 1,
                                 .pad_left = 1,
                                 .pad_right = 1};
enum { CONV_X = 3 * 12 * 11 * 16, CONV_W = 9 * 16 * 37, CONV_Y = 3 * 12 * 11 * 37 };

static void check_conv(const stoa_epilogue *e, const float *bias) {
    size_t bytes;
    float *x = new_filled(CONV_X, 5), *w = new_filled(CONV_W, 6), *y = new_floats(CONV_Y);
    float *apart = new_floats(CONV_Y);
    assert_int_equal(stoa_conv2d_workspace(context, &conv, STOA_CONV2D_FORWARD, &bytes), STOA_OK);
    void *workspace = new_workspace(bytes);
    assert_int_equal(stoa_conv2d_forward(context, &conv, x, w, bias, e, y, workspace, bytes), STOA_OK);
    assert_int_equal(stoa_conv2d_forward(context, &conv, x, w, bias, NULL, apart, workspace, bytes), STOA_OK);
    apply(e, CONV_Y, apart);
    same("conv2d", y, apart, CONV_Y);
    free(workspace);

    /* And planned, into the first channels of a wider tensor. */
    enum { PIXEL = 50 };
    const stoa_conv2d_plan_options options = {.activation = e->activation, .y_pixel = PIXEL};
    stoa_conv2d_plan *plan = NULL;
    assert_int_equal(stoa_conv2d_plan_create(context, &conv, &options, &plan), STOA_OK);
    bytes = stoa_conv2d_plan_workspace_bytes(plan);
    workspace = new_workspace(bytes);
    float *wide = new_floats(CONV_Y / 37 * PIXEL);
    assert_int_equal(stoa_conv2d_plan_run(plan, 3,
                                          &(stoa_conv2d_operands){.x = x,
                                                                  .weight = w,
                                                                  .bias = bias,
                                                                  .residual = e->residual,
                                                                  .y = wide,
                                                                  .workspace = workspace,
                                                                  .workspace_bytes = bytes}),
                     STOA_OK);
    for (size_t i = 0; i < CONV_Y / 37; i++) {
        same("conv2d into a slice", wide + i * PIXEL, apart + i * 37, 37);
        assert_true(isnan(wide[i * PIXEL + 37]));
    }
    stoa_conv2d_plan_free(plan);
    free(workspace);
    free_floats(wide, CONV_Y / 37 * PIXEL);
    free_floats(x, CONV_X);
    free_floats(w, CONV_W);
    free_floats(y, CONV_Y);
    free_floats(apart, CONV_Y);
}

static const stoa_conv_transpose2d transposed = {.batch = 2,
                                                 .height = 5,
                                                 .width = 6,
                                                 .channels = 8,
                                                 .filters = 6,
                                                 .kernel_height = 4,
                                                 .kernel_width = 3,
                                                 .stride_height = 2,
                                                 .stride_width = 2,
                                                 .pad_top = 1,
                                                 .pad_bottom = 1,
                                                 .output_pad_width = 1,
                                                 .groups = 2};
enum { T_X = 2 * 5 * 6 * 8, T_W = 4 * 3 * 3 * 8, T_OH = 10, T_OW = 14, T_Y = 2 * T_OH * T_OW * 6 };

static void check_transposed(const stoa_epilogue *e, const float *bias) {
    size_t bytes;
    float *x = new_filled(T_X, 7), *w = new_filled(T_W, 8), *y = new_floats(T_Y), *apart = new_floats(T_Y);
    assert_int_equal(stoa_conv_transpose2d_workspace(context, &transposed, false, &bytes), STOA_OK);
    void *workspace = new_workspace(bytes);
    assert_int_equal(stoa_conv_transpose2d_forward(context, &transposed, x, w, bias, e, y, workspace, bytes),
                     STOA_OK);
    assert_int_equal(
        stoa_conv_transpose2d_forward(context, &transposed, x, w, bias, NULL, apart, workspace, bytes),
        STOA_OK);
    apply(e, T_Y, apart);
    same("conv_transpose2d", y, apart, T_Y);
    free(workspace);
    free_floats(x, T_X);
    free_floats(w, T_W);
    free_floats(y, T_Y);
    free_floats(apart, T_Y);
}

static void epilogues_are_the_calls_apart(void **state) {
    (void)state;
    float *residual = new_filled(CONV_Y, 9), *bias = new_filled(37, 10);
    for (size_t i = 0; i < 4 * (ACTIVATIONS + 1); i++) {
        const stoa_epilogue e = {.activation = i / 4 < ACTIVATIONS ? activations[i / 4].line : NULL,
                                 .residual = i & 1 ? residual : NULL};
        const float *with = i & 2 ? bias : NULL;
        check_linear(&e, with);
        check_conv(&e, with);
        check_transposed(&e, with);
    }
    free_floats(residual, CONV_Y);
    free_floats(bias, 37);
}

/* ---- Rows ---- */

enum { ROWS = 150, COLUMNS = 37, CELLS = ROWS * COLUMNS };

/* log(sum(exp(x))) of a row. */
static double log_sum(const float *x) {
    double sum = 0;
    for (size_t c = 0; c < COLUMNS; c++) {
        sum += exp((double)x[c]);
    }
    return log(sum);
}

static void softens(void **state) {
    (void)state;
    float *x = new_filled(CELLS, 11), *dy = new_filled(CELLS, 12), *y = new_floats(CELLS),
          *dx = new_floats(CELLS);
    double *soft = new_doubles(CELLS), *logs = new_doubles(CELLS), *dsoft = new_doubles(CELLS);
    double *dlogs = new_doubles(CELLS);
    for (size_t r = 0; r < ROWS; r++) {
        size_t at = r * COLUMNS;
        double dot = 0, sum = 0;
        for (size_t c = 0; c < COLUMNS; c++) {
            logs[at + c] = (double)x[at + c] - log_sum(x + at);
            soft[at + c] = exp(logs[at + c]);
            dot += soft[at + c] * (double)dy[at + c];
            sum += (double)dy[at + c];
        }
        for (size_t c = 0; c < COLUMNS; c++) {
            dsoft[at + c] = soft[at + c] * ((double)dy[at + c] - dot);
            dlogs[at + c] = (double)dy[at + c] - soft[at + c] * sum;
        }
    }
    assert_int_equal(stoa_softmax_forward(context, ROWS, COLUMNS, x, y), STOA_OK);
    check_close("softmax", y, soft, CELLS, 1e-6);
    assert_int_equal(stoa_softmax_backward(context, ROWS, COLUMNS, y, dy, dx), STOA_OK);
    check_close("softmax, backward", dx, dsoft, CELLS, 1e-6);
    assert_int_equal(stoa_log_softmax_forward(context, ROWS, COLUMNS, x, y), STOA_OK);
    check_close("log_softmax", y, logs, CELLS, 2e-6);
    assert_int_equal(stoa_log_softmax_backward(context, ROWS, COLUMNS, y, dy, dx), STOA_OK);
    check_close("log_softmax, backward", dx, dlogs, CELLS, 5e-6);
    check_refused(context, stoa_softmax_forward(context, 0, COLUMNS, x, y), STOA_ERR_ARGUMENT, "rows is 0");
    check_refused(context, stoa_softmax_backward(context, ROWS, COLUMNS, y, NULL, dx), STOA_ERR_ARGUMENT,
                  "dy is NULL");
    float *const arrays[] = {x, dy, y, dx};
    double *const doubles[] = {soft, logs, dsoft, dlogs};
    for (size_t i = 0; i < 4; i++) {
        free_floats(arrays[i], CELLS);
        free(doubles[i]);
    }
}

/* What layer norm has to give. */
struct normed {
    double y[CELLS], dx[CELLS], dscale[COLUMNS], dshift[COLUMNS], moments[2 * ROWS];
};

static void norm_rows(const float *x, const float *scale, const float *shift, const float *dy,
                      struct normed *n) {
    memset(n, 0, sizeof *n);
    for (size_t r = 0; r < ROWS; r++) {
        double mean = 0, variance = 0, g_mean = 0, gx_mean = 0;
        const float *row = x + r * COLUMNS;
        for (size_t c = 0; c < COLUMNS; c++) {
            mean += (double)row[c] / COLUMNS;
        }
        for (size_t c = 0; c < COLUMNS; c++) {
            variance += ((double)row[c] - mean) * ((double)row[c] - mean) / COLUMNS;
        }
        double inverse = 1 / sqrt(variance + (double)1e-3F);
        n->moments[r] = mean;
        n->moments[ROWS + r] = inverse;
        for (size_t c = 0; c < COLUMNS; c++) {
            double xhat = ((double)row[c] - mean) * inverse, d = (double)dy[r * COLUMNS + c];
            double g = d * (scale ? (double)scale[c] : 1);
            n->y[r * COLUMNS + c] = xhat * (scale ? (double)scale[c] : 1) + (shift ? (double)shift[c] : 0);
            n->dscale[c] += d * xhat;
            n->dshift[c] += d;
            g_mean += g / COLUMNS;
            gx_mean += g * xhat / COLUMNS;
        }
        for (size_t c = 0; c < COLUMNS; c++) {
            double xhat = ((double)row[c] - mean) * inverse;
            double g = (double)dy[r * COLUMNS + c] * (scale ? (double)scale[c] : 1);
            n->dx[r * COLUMNS + c] = inverse * (g - g_mean - xhat * gx_mean);
        }
    }
}

static void check_layernorm(const float *x, const float *dy, const float *scale, const float *shift) {
    static struct normed n;
    static double moments[2 * ROWS];
    float *y = new_floats(CELLS), *dx = new_floats(CELLS), *dscale = new_floats(COLUMNS);
    float *dshift = new_floats(COLUMNS);
    size_t bytes;
    norm_rows(x, scale, shift, dy, &n);
    assert_int_equal(stoa_layernorm_forward(context, ROWS, COLUMNS, 1e-3F, x, scale, shift, NULL, y),
                     STOA_OK);
    check_close("layernorm", y, n.y, CELLS, 1e-5);
    assert_int_equal(stoa_layernorm_forward(context, ROWS, COLUMNS, 1e-3F, x, scale, shift, moments, y),
                     STOA_OK);
    check_close("layernorm", y, n.y, CELLS, 1e-5);
    for (size_t i = 0; i < 2 * ROWS; i++) {
        assert_true(fabs(moments[i] - n.moments[i]) <= 1e-5 * fabs(n.moments[i]) + 1e-7);
    }
    assert_int_equal(stoa_layernorm_workspace(context, ROWS, COLUMNS, &bytes), STOA_OK);
    void *workspace = new_workspace(bytes);
    assert_int_equal(stoa_layernorm_backward(context, ROWS, COLUMNS, x, scale, moments, dy, dx,
                                             scale ? dscale : NULL, scale ? dshift : NULL, workspace, bytes),
                     STOA_OK);
    check_close("layernorm dx", dx, n.dx, CELLS, 1e-5);
    if (scale) {
        check_close("layernorm dscale", dscale, n.dscale, COLUMNS, 1e-4);
        check_close("layernorm dshift", dshift, n.dshift, COLUMNS, 1e-4);
    }
    check_refused(context,
                  stoa_layernorm_backward(context, ROWS, COLUMNS, x, scale, moments, dy, dx, dscale, NULL,
                                          workspace, bytes),
                  STOA_ERR_ARGUMENT, "one of dscale and dshift is NULL");
    free(workspace);
    free_floats(y, CELLS);
    free_floats(dx, CELLS);
    free_floats(dscale, COLUMNS);
    free_floats(dshift, COLUMNS);
}

static void normalises_rows(void **state) {
    (void)state;
    float *x = new_filled(CELLS, 13), *dy = new_filled(CELLS, 14), *scale = new_filled(COLUMNS, 15);
    float *shift = new_filled(COLUMNS, 16), *y = new_floats(CELLS);
    check_layernorm(x, dy, scale, shift);
    check_layernorm(x, dy, NULL, NULL);
    check_refused(context, stoa_layernorm_forward(context, ROWS, COLUMNS, 1e-3F, x, scale, NULL, NULL, y),
                  STOA_ERR_ARGUMENT, "one of scale and shift is NULL");
    check_refused(context, stoa_layernorm_forward(context, ROWS, COLUMNS, 0, x, NULL, NULL, NULL, y),
                  STOA_ERR_ARGUMENT, "epsilon");
    float *const arrays[] = {x, dy, y};
    for (size_t i = 0; i < 3; i++) {
        free_floats(arrays[i], CELLS);
    }
    free_floats(scale, COLUMNS);
    free_floats(shift, COLUMNS);
}

/* ---- Losses ---- */

static void loses(void **state) {
    (void)state;
    float *x = new_filled(CELLS, 17), *values = new_filled(CELLS, 18), *each = new_filled(ROWS, 19);
    float *losses = new_floats(ROWS), *alone = new_floats(ROWS), *dx = new_floats(CELLS);
    double *xent = new_doubles(ROWS), *mse = new_doubles(ROWS), *dxent = new_doubles(CELLS);
    double *dmse = new_doubles(CELLS);
    int32_t labels[ROWS];
    for (size_t r = 0; r < ROWS; r++) {
        size_t at = r * COLUMNS;
        labels[r] = (int32_t)(r * 7 % COLUMNS);
        double logs = log_sum(x + at);
        for (size_t c = 0; c < COLUMNS; c++) {
            double t = (c == (size_t)labels[r] ? 0.9 : 0) + 0.1 / COLUMNS;
            double d = (double)x[at + c] - (double)values[at + c];
            xent[r] += t * (logs - (double)x[at + c]);
            dxent[at + c] = (exp((double)x[at + c] - logs) - t) * (double)each[r];
            mse[r] += d * d / COLUMNS;
            dmse[at + c] = 2 * d / COLUMNS * (double)each[r];
        }
    }
    const char *const line = "softmax_cross_entropy smoothing=0.1";
    assert_int_equal(stoa_loss(context, line, ROWS, COLUMNS, x, labels, NULL, losses, each, dx), STOA_OK);
    check_close("cross entropy", losses, xent, ROWS, 2e-6);
    check_close("cross entropy dx", dx, dxent, CELLS, 1e-6);
    assert_int_equal(stoa_loss(context, line, ROWS, COLUMNS, x, labels, NULL, alone, NULL, NULL), STOA_OK);
    check_close("cross entropy alone", alone, xent, ROWS, 2e-6);
    assert_int_equal(stoa_loss(context, "mse", ROWS, COLUMNS, x, NULL, values, losses, each, dx), STOA_OK);
    check_close("mse", losses, mse, ROWS, 2e-6);
    check_close("mse dx", dx, dmse, CELLS, 1e-6);
    labels[3] = COLUMNS;
    check_refused(context, stoa_loss(context, line, ROWS, COLUMNS, x, labels, NULL, losses, each, dx),
                  STOA_ERR_ARGUMENT, "label 3 is 37, expected 0 to 36");
    check_refused(context, stoa_loss(context, line, ROWS, COLUMNS, x, NULL, values, losses, each, dx),
                  STOA_ERR_ARGUMENT, "labels is NULL");
    check_refused(context, stoa_loss(context, "mse", ROWS, COLUMNS, x, labels, NULL, losses, each, dx),
                  STOA_ERR_ARGUMENT, "values is NULL");
    check_refused(context, stoa_loss(context, "mse", ROWS, COLUMNS, x, NULL, values, losses, NULL, dx),
                  STOA_ERR_ARGUMENT, "dlosses is NULL");
    check_refused(context, stoa_loss(context, "relu", ROWS, COLUMNS, x, NULL, values, losses, each, dx),
                  STOA_ERR_ARGUMENT, "unknown loss 'relu', expected softmax_cross_entropy");
    float *const cells[] = {x, values, dx};
    float *const rows[] = {each, losses, alone};
    double *const doubles[] = {xent, mse, dxent, dmse};
    for (size_t i = 0; i < 3; i++) {
        free_floats(cells[i], CELLS);
        free_floats(rows[i], ROWS);
    }
    for (size_t i = 0; i < 4; i++) {
        free(doubles[i]);
    }
}

/* ---- Transposed convolution ---- */

/* Calls each with every pair of numbers that a weight joins. */
static void for_each_tap(void (*join)(void *with, size_t x, size_t w, size_t y), void *with) {
    enum { GROUP_IN = 4, GROUP_OUT = 3 };
    for (size_t i = 0; i < T_X; i++) {
        size_t c = i % 8, w = i / 8 % 6, h = i / 48 % 5, n = i / 240;
        for (size_t tap = 0; tap < 12; tap++) {
            size_t oh = 2 * h + tap / 3, ow = 2 * w + tap % 3;
            for (size_t k = 0; oh >= 1 && oh - 1 < T_OH && ow < T_OW && k < GROUP_OUT; k++) {
                size_t filter = c / GROUP_IN * GROUP_OUT + k;
                join(with, i, (tap * GROUP_OUT + k) * 8 + c, ((n * T_OH + oh - 1) * T_OW + ow) * 6 + filter);
            }
        }
    }
}

struct taps {
    const float *x, *w, *dy;
    double *y, *dx, *dw;
};

static void join(void *with, size_t x, size_t w, size_t y) {
    const struct taps *t = with;
    t->y[y] += (double)t->x[x] * (double)t->w[w];
    t->dx[x] += (double)t->dy[y] * (double)t->w[w];
    t->dw[w] += (double)t->dy[y] * (double)t->x[x];
}

static void transposes(void **state) {
    (void)state;
    size_t height, width, bytes;
    assert_int_equal(stoa_conv_transpose2d_output(context, &transposed, &height, &width), STOA_OK);
    assert_true(height == T_OH && width == T_OW);
    float *x = new_filled(T_X, 20), *w = new_filled(T_W, 21), *dy = new_filled(T_Y, 22),
          *bias = new_filled(6, 23);
    float *y = new_floats(T_Y), *dx = new_floats(T_X), *dw = new_floats(T_W), *dbias = new_floats(6);
    struct taps t = {x, w, dy, new_doubles(T_Y), new_doubles(T_X), new_doubles(T_W)};
    double *sums = new_doubles(6);
    for (size_t i = 0; i < T_Y; i++) {
        t.y[i] = (double)bias[i % 6];
        sums[i % 6] += (double)dy[i];
    }
    for_each_tap(join, &t);
    assert_int_equal(stoa_conv_transpose2d_workspace(context, &transposed, false, &bytes), STOA_OK);
    void *workspace = new_workspace(bytes);
    assert_int_equal(
        stoa_conv_transpose2d_forward(context, &transposed, x, w, bias, NULL, y, workspace, bytes), STOA_OK);
    check_close("transposed y", y, t.y, T_Y, 1e-5);
    free(workspace);
    assert_int_equal(stoa_conv_transpose2d_workspace(context, &transposed, true, &bytes), STOA_OK);
    workspace = new_workspace(bytes);
    assert_int_equal(
        stoa_conv_transpose2d_backward(context, &transposed, x, w, dy, dx, dw, dbias, workspace, bytes),
        STOA_OK);
    check_close("transposed dx", dx, t.dx, T_X, 1e-5);
    check_close("transposed dweight", dw, t.dw, T_W, 1e-5);
    check_close("transposed dbias", dbias, sums, 6, 1e-5);
    fill(dx, T_X, 99);
    assert_int_equal(
        stoa_conv_transpose2d_backward(context, &transposed, NULL, w, dy, dx, NULL, NULL, workspace, bytes),
        STOA_OK);
    check_close("transposed dx alone", dx, t.dx, T_X, 1e-5);
    check_refused(
        context,
        stoa_conv_transpose2d_backward(context, &transposed, NULL, w, dy, dx, dw, dbias, workspace, bytes),
        STOA_ERR_ARGUMENT, "x is NULL");
    stoa_conv_transpose2d bad = transposed;
    bad.groups = 3;
    check_refused(context, stoa_conv_transpose2d_output(context, &bad, &height, &width), STOA_ERR_SHAPE,
                  "groups=3 does not divide 8 input channels");
    free(workspace);
    float *const arrays[] = {x, w, dy, bias, y, dx, dw, dbias};
    const size_t sizes[] = {T_X, T_W, T_Y, 6, T_Y, T_X, T_W, 6};
    for (size_t i = 0; i < 8; i++) {
        free_floats(arrays[i], sizes[i]);
    }
    free(t.y);
    free(t.dx);
    free(t.dw);
    free(sums);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activates), cmocka_unit_test(epilogues_are_the_calls_apart),
        cmocka_unit_test(softens),   cmocka_unit_test(normalises_rows),
        cmocka_unit_test(loses),     cmocka_unit_test(transposes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
