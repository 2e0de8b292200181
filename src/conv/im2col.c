/* Convolution as tiled im2col and sgemm. Floor 4.
 *
 * The columns of a few output rows, possibly of several images, fill a tile that stays in a core's L2; the
 * thread that wrote them multiplies them at once:
 *   forward           y[pixels][K] = columns[pixels][KH KW C] * weight[KH KW C][K]
 *   backward data     dcolumns = dy[pixels][K] * weight^T, added into dx by col2im
 *   backward weights  dweight = columns^T * dy, in blocks of samples that are summed in a fixed tree
 * A 1x1 kernel with stride 1 and no padding needs no columns: x itself is the matrix.
 *
 * Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document Processing",
 * 2006. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "blas/gemm.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "core/product.h"
#include "core/threads.h"

/* Columns of 512 KiB were fastest on cores with 1 MiB of L2; at least 8 tiles keep several threads busy. */
static const size_t TILE_BYTES = (size_t)512 << 10;
enum { LEAST_TILES = 8, SPLIT_FILTERS = 64 };

static bool is_pointwise(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    return w->kernel_height == 1 && w->kernel_width == 1 && w->stride_height == 1 && w->stride_width == 1 &&
           w->pad_top == 0 && w->pad_left == 0 && w->out_height == w->height && w->out_width == w->width;
}

static size_t group_channels(const struct stoa_conv *conv) {
    return conv->window.channels / conv->groups;
}

/* Length of a column: the inner size of the forward product. */
static size_t column_size(const struct stoa_conv *conv) {
    return conv->window.kernel_height * conv->window.kernel_width * group_channels(conv);
}

static size_t output_rows(const struct stoa_conv *conv) {
    return conv->batch * conv->window.out_height;
}

static size_t weight_size(const struct stoa_conv *conv) {
    return column_size(conv) * conv->filters;
}

/* Output rows a tile: from the shape and the workspace limit only. */
static size_t tile_rows(const stoa_context *context, const struct stoa_conv *conv) {
    size_t row_bytes = conv->window.out_width * column_size(conv) * sizeof(float);
    size_t fit = stoa_min(TILE_BYTES, context->workspace_limit) / row_bytes;
    return stoa_max(1, stoa_min(fit, stoa_ceil_div(output_rows(conv), LEAST_TILES)));
}

/* Backward data cuts at images: neighbouring rows of an image add into the same pixels. */
static size_t images_per_task(const stoa_context *context, const struct stoa_conv *conv) {
    size_t images = tile_rows(context, conv) / conv->window.out_height;
    return stoa_max(1, stoa_min(images, stoa_ceil_div(conv->batch, LEAST_TILES)));
}

static size_t column_floats(const stoa_context *context, const struct stoa_conv *conv) {
    if (is_pointwise(conv)) {
        return 0;
    }
    return stoa_round_up(tile_rows(context, conv) * conv->window.out_width * column_size(conv),
                         STOA_ALIGN_FLOATS);
}

/* One block's partial sums: weights, then bias. */
static size_t partial_floats(const struct stoa_conv *conv) {
    return stoa_round_up(weight_size(conv), STOA_ALIGN_FLOATS) +
           stoa_round_up(conv->filters, STOA_ALIGN_FLOATS);
}

static size_t weight_blocks(const struct stoa_conv *conv) {
    return stoa_reduction_blocks(weight_size(conv), conv->batch);
}

/* Where few blocks of samples can run side by side, wide layers are also cut over their filters: no partial
 * sums. */
static size_t filter_splits(const struct stoa_conv *conv) {
    size_t filters = conv->filters / conv->groups;
    return weight_blocks(conv) >= LEAST_TILES ? 1
                                              : stoa_min(LEAST_TILES, stoa_ceil_div(filters, SPLIT_FILTERS));
}

static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    (void)context;
    (void)conv;
    (void)pass;
    return true;
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t *bytes) {
    const struct stoa_window *w = &conv->window;
    /* Everything below multiplies sizes that this product bounds. */
    size_t check = conv->batch;
    const size_t factors[] = {w->out_height,   w->out_width,         w->kernel_height,
                              w->kernel_width, group_channels(conv), sizeof(float)};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        if (!stoa_size_scale(&check, factors[i])) {
            return false;
        }
    }
    size_t columns;
    size_t floats = 0;
    if (!stoa_size_mul(column_floats(context, conv), context->threads, &columns)) {
        return false;
    }
    if (pass == STOA_CONV_BACKWARD_DATA) {
        floats = stoa_round_up(weight_size(conv), STOA_ALIGN_FLOATS);
    } else if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        floats = weight_blocks(conv) * partial_floats(conv);
    }
    return stoa_size_add(columns, floats, &floats) && stoa_size_mul(floats, sizeof(float), bytes);
}

/* The columns written and read again, beside the products. */
static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    const struct stoa_window *w = &conv->window;
    double pixels = (double)output_rows(conv) * (double)w->out_width;
    double flops = 2 * pixels * (double)column_size(conv) * (double)conv->filters;
    double columns = is_pointwise(conv) ? 0 : pixels * (double)column_size(conv) * (double)conv->groups;
    double tensors = (double)conv->batch * (double)(w->height * w->width) * (double)w->channels +
                     pixels * (double)conv->filters;
    size_t filters = conv->filters / conv->groups;
    bool to_data = pass == STOA_CONV_BACKWARD_DATA;
    return stoa_cost_product(context, flops, to_data ? column_size(conv) : filters,
                             to_data ? filters : column_size(conv)) +
           stoa_cost_tile(context, 2 * columns) + stoa_cost_stream(context, tensors);
}

/* What the tasks of a pass share. */
struct pass {
    const stoa_context *context;
    const struct stoa_conv *conv;
    const float *x, *weight, *bias, *dy;
    float *y, *dx;
    bool relu;
    float *columns; /* threads x column_floats */
    size_t column_floats;
    size_t rows;    /* a tile */
    float *partial; /* sums of blocks; backward data: the transposed weight */
    size_t blocks, splits;
    bool wants_bias;
};

struct columns {
    const float *data;
    size_t stride;
};

/* The matrix whose rows are the windows of output rows [row, row + rows) over one group's channels. */
static struct columns columns_of(const struct pass *p, size_t group, size_t row, size_t rows, size_t thread) {
    const struct stoa_window *w = &p->conv->window;
    size_t channels = group_channels(p->conv);
    if (is_pointwise(p->conv)) {
        return (struct columns){p->x + row * w->out_width * w->channels + group * channels, w->channels};
    }
    float *columns = p->columns + thread * p->column_floats;
    p->context->kernels->im2col(w, p->x, group * channels, channels, row, rows, columns);
    return (struct columns){columns, column_size(p->conv)};
}

/* Bias and ReLU of one tile of output rows. */
static void finish_tile(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    size_t row = task * p->rows;
    size_t pixels = stoa_min(p->rows, output_rows(p->conv) - row) * p->conv->window.out_width;
    float *y = p->y + row * p->conv->window.out_width * p->conv->filters;
    if (p->bias) {
        p->context->kernels->bias_act(y, pixels, p->conv->filters, p->conv->filters, p->bias, p->relu);
    } else if (p->relu) {
        p->context->kernels->relu(y, y, pixels * p->conv->filters);
    }
}

static void forward_tile(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_conv *conv = p->conv;
    size_t row = task * p->rows;
    size_t rows = stoa_min(p->rows, output_rows(conv) - row);
    size_t pixels = rows * conv->window.out_width;
    size_t filters = conv->filters / conv->groups;
    float *y = p->y + row * conv->window.out_width * conv->filters;
    for (size_t g = 0; g < conv->groups; g++) {
        struct columns columns = columns_of(p, g, row, rows, thread);
        stoa_gemm_run(&(struct stoa_gemm){.m = pixels,
                                          .n = filters,
                                          .k = column_size(conv),
                                          .alpha = 1,
                                          .a = columns.data,
                                          .lda = columns.stride,
                                          .b = p->weight + g * filters,
                                          .ldb = conv->filters,
                                          .c = y + g * filters,
                                          .ldc = conv->filters,
                                          .whole = stoa_plain_products(p->context),
                                          .kernels = p->context->kernels});
    }
    finish_tile(argument, task, thread);
}

/* y = x * weight: no columns, so the product may be cut over filters as well as over pixels. */
static void forward_pointwise(struct pass *p) {
    size_t channels = p->conv->window.channels;
    size_t filters = p->conv->filters;
    stoa_product(p->context, &(struct stoa_gemm){.m = output_rows(p->conv) * p->conv->window.out_width,
                                                 .n = filters,
                                                 .k = channels,
                                                 .alpha = 1,
                                                 .a = p->x,
                                                 .lda = channels,
                                                 .b = p->weight,
                                                 .ldb = filters,
                                                 .c = p->y,
                                                 .ldc = filters});
    stoa_parallel(p->context, stoa_ceil_div(output_rows(p->conv), p->rows), finish_tile, p);
}

static void forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *scratch) {
    struct pass p = {.context = context,
                     .conv = conv,
                     .x = x,
                     .weight = weight,
                     .bias = bias,
                     .relu = relu,
                     .y = y,
                     .columns = scratch,
                     .column_floats = column_floats(context, conv),
                     .rows = tile_rows(context, conv)};
    if (is_pointwise(conv) && conv->groups == 1) {
        forward_pointwise(&p);
        return;
    }
    stoa_parallel(context, stoa_ceil_div(output_rows(conv), p.rows), forward_tile, &p);
}

/* dcolumns of one tile, then their sum into dx. `weight` is transposed here: [K][KH KW C]. */
static void backward_data_tile(const struct pass *p, size_t row, size_t rows, size_t thread) {
    const struct stoa_conv *conv = p->conv;
    const struct stoa_window *w = &conv->window;
    size_t pixels = rows * w->out_width;
    size_t filters = conv->filters / conv->groups;
    size_t channels = group_channels(conv);
    bool pointwise = is_pointwise(conv);
    for (size_t g = 0; g < conv->groups; g++) {
        float *columns = pointwise ? p->dx + row * w->out_width * w->channels + g * channels
                                   : p->columns + thread * p->column_floats;
        stoa_gemm_run(&(struct stoa_gemm){.m = pixels,
                                          .n = column_size(conv),
                                          .k = filters,
                                          .alpha = 1,
                                          .a = p->dy + row * w->out_width * conv->filters + g * filters,
                                          .lda = conv->filters,
                                          .b = p->weight + g * filters * column_size(conv),
                                          .ldb = column_size(conv),
                                          .c = columns,
                                          .ldc = pointwise ? w->channels : column_size(conv),
                                          .whole = stoa_plain_products(p->context),
                                          .kernels = p->context->kernels});
        if (!pointwise) {
            p->context->kernels->col2im(w, columns, g * channels, channels, row, rows, p->dx);
        }
    }
}

static void backward_data_images(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_window *w = &p->conv->window;
    size_t per_task = images_per_task(p->context, p->conv);
    size_t image = task * per_task;
    size_t images = stoa_min(per_task, p->conv->batch - image);
    size_t pixels = w->height * w->width * w->channels;
    memset(p->dx + image * pixels, 0, images * pixels * sizeof(float));
    size_t end = (image + images) * w->out_height;
    for (size_t row = image * w->out_height; row < end; row += p->rows) {
        backward_data_tile(p, row, stoa_min(p->rows, end - row), thread);
    }
}

/* Rows of the weight, which become columns of its transpose. */
enum { TRANSPOSE_ROWS = 64 };

static void transpose_rows(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    size_t filters = p->conv->filters;
    size_t row = task * TRANSPOSE_ROWS;
    size_t rows = stoa_min(TRANSPOSE_ROWS, column_size(p->conv) - row);
    p->context->kernels->transpose(p->weight + row * filters, rows, filters, filters, p->partial + row,
                                   column_size(p->conv));
}

/* dx = dy * weight^T: every input pixel has one output pixel. */
static void backward_data_pointwise(const struct pass *p) {
    size_t channels = p->conv->window.channels;
    stoa_product(p->context, &(struct stoa_gemm){.m = output_rows(p->conv) * p->conv->window.out_width,
                                                 .n = channels,
                                                 .k = p->conv->filters,
                                                 .alpha = 1,
                                                 .a = p->dy,
                                                 .lda = p->conv->filters,
                                                 .b = p->weight,
                                                 .ldb = channels,
                                                 .c = p->dx,
                                                 .ldc = channels});
}

static void backward_data(const stoa_context *context, const struct stoa_conv *conv, const float *dy,
                          const float *weight, float *dx, void *scratch) {
    float *transposed = scratch;
    struct pass p = {.context = context,
                     .conv = conv,
                     .weight = weight,
                     .dy = dy,
                     .dx = dx,
                     .partial = transposed,
                     .columns = transposed + stoa_round_up(weight_size(conv), STOA_ALIGN_FLOATS),
                     .column_floats = column_floats(context, conv),
                     .rows = tile_rows(context, conv)};
    stoa_parallel(context, stoa_ceil_div(column_size(conv), TRANSPOSE_ROWS), transpose_rows, &p);
    p.weight = transposed;
    if (is_pointwise(conv) && conv->groups == 1) {
        backward_data_pointwise(&p);
        return;
    }
    stoa_parallel(context, stoa_ceil_div(conv->batch, images_per_task(context, conv)), backward_data_images,
                  &p);
}

/* Weight gradient of filters [first, first + count) of a group over rows [row, end), into the block's partial
 * sum. */
static void weights_of_rows(const struct pass *p, size_t group, size_t first, size_t count, size_t row,
                            size_t end, float *partial, size_t thread) {
    const struct stoa_conv *conv = p->conv;
    float beta = 0;
    /* Without columns there is no tile to fill. */
    size_t most = is_pointwise(conv) ? end - row : p->rows;
    for (; row < end; row += most) {
        size_t rows = stoa_min(most, end - row);
        struct columns columns = columns_of(p, group, row, rows, thread);
        stoa_gemm_run(&(struct stoa_gemm){.transpose_a = true,
                                          .m = column_size(conv),
                                          .n = count,
                                          .k = rows * conv->window.out_width,
                                          .alpha = 1,
                                          .a = columns.data,
                                          .lda = columns.stride,
                                          .b = p->dy + row * conv->window.out_width * conv->filters + first,
                                          .ldb = conv->filters,
                                          .beta = beta,
                                          .c = partial + first,
                                          .ldc = conv->filters,
                                          .whole = stoa_plain_products(p->context),
                                          .kernels = p->context->kernels});
        beta = 1;
    }
}

static void backward_weights_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_conv *conv = p->conv;
    size_t block = task / p->splits;
    size_t split = task % p->splits;
    size_t row = block * conv->batch / p->blocks * conv->window.out_height;
    size_t end = (block + 1) * conv->batch / p->blocks * conv->window.out_height;
    float *partial = p->partial + block * partial_floats(conv);
    size_t filters = conv->filters / conv->groups;
    size_t first = split * filters / p->splits;
    size_t count = (split + 1) * filters / p->splits - first;
    for (size_t g = 0; g < conv->groups; g++) {
        weights_of_rows(p, g, g * filters + first, count, row, end, partial, thread);
    }
    if (p->wants_bias && split == 0) {
        size_t pixel = row * conv->window.out_width;
        p->context->kernels->column_sums(p->dy + pixel * conv->filters, end * conv->window.out_width - pixel,
                                         conv->filters, conv->filters,
                                         partial + stoa_round_up(weight_size(conv), STOA_ALIGN_FLOATS));
    }
}

static void backward_weights(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const float *dy, float *dweight, float *dbias, void *scratch) {
    struct pass p = {.context = context,
                     .conv = conv,
                     .x = x,
                     .dy = dy,
                     .partial = scratch,
                     .column_floats = column_floats(context, conv),
                     .rows = tile_rows(context, conv),
                     .blocks = weight_blocks(conv),
                     .splits = filter_splits(conv),
                     .wants_bias = dbias != NULL};
    size_t stride = partial_floats(conv);
    p.columns = p.partial + p.blocks * stride;
    stoa_parallel(context, p.blocks * p.splits, backward_weights_task, &p);
    stoa_reduce_blocks(context, p.partial, stride, p.blocks, weight_size(conv), dweight);
    if (dbias) {
        stoa_reduce_blocks(context, p.partial + stoa_round_up(weight_size(conv), STOA_ALIGN_FLOATS), stride,
                           p.blocks, conv->filters, dbias);
    }
}

static void describe(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     char *out, size_t size) {
    const char *name = is_pointwise(conv) ? "im2col, 1x1 without columns" : "im2col";
    size_t rows = tile_rows(context, conv);
    size_t tiles = stoa_ceil_div(output_rows(conv), rows);
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        (void)snprintf(out, size, "%s, %zu blocks of samples, %zu of filters", name, weight_blocks(conv),
                       filter_splits(conv));
    } else if (pass == STOA_CONV_BACKWARD_DATA) {
        (void)snprintf(out, size, "%s, %zu images a task", name, images_per_task(context, conv));
    } else {
        (void)snprintf(out, size, "%s, %zu tiles of %zu rows", name, tiles, rows);
    }
}

const struct stoa_conv_algorithm stoa_conv_im2col = {
    .name = "im2col",
    .applicable = applicable,
    .workspace = workspace,
    .cost = cost,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .describe = describe,
};
