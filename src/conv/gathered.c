/* SPDX-License-Identifier: MIT */
/* A convolution as products, one row of the left operand for every output pixel:
 *   forward           y[pixels][K] = rows[pixels][terms] * weight[terms][K]
 *   backward data     drows = dy[pixels][K] * weight^T, added into dx by col2im
 *   backward weights  dweight = rows^T * dy
 * Rows are columns that im2col writes, a tile of pixels at a time, or the image as it lies. Either each
 * thread makes tiles that stay in its L2 and multiplies them at once, gradients in blocks of samples that are
 * summed in a fixed tree; or all threads make a larger one and multiply it together, so that not every thread
 * reads all of a deep layer's weights. */
#include "conv/gathered.h"

#include <string.h>

#include "base/scratch.h"
#include "conv/cost.h"
#include "core/threads.h"
#include "product/product.h"

/* Tasks of work that all threads share: about so many pixels, and filters of a bias's gradient. */
enum { TASK_PIXELS = 64, TASK_FILTERS = 64 };

size_t stoa_gathered_stride(const struct stoa_gathered *cut, size_t channels) {
    const struct stoa_window *w = &cut->conv.window;
    return cut->in_place ? stoa_conv_x_pixel(&cut->conv) : w->kernel_height * w->kernel_width * channels;
}

void stoa_gathered_tiles(struct stoa_gathered *cut, size_t pixels, size_t rows) {
    size_t width = cut->conv.window.out_width;
    size_t parts = stoa_ceil_div(width, stoa_min(pixels, width));
    cut->rows = stoa_max(1, stoa_min(pixels / width, rows));
    cut->columns = stoa_ceil_div(width, parts);
    cut->across = stoa_ceil_div(width, cut->columns);
}

size_t stoa_gathered_count(const struct stoa_gathered *cut, size_t rows) {
    return stoa_ceil_div(rows, cut->rows) * cut->across;
}

struct areas {
    float *turned, *result, *sums, *rows;
};

static struct areas carve(const struct stoa_gathered *cut, struct stoa_carve *carve) {
    struct areas areas = {.turned = stoa_carve_floats(carve, cut->turned)};
    areas.result = stoa_carve_floats(carve, cut->swapped ? stoa_conv_weights(&cut->conv) : 0);
    areas.sums = stoa_partials_carve(&cut->sums, carve);
    areas.rows = stoa_carve_bytes(carve, cut->threads, cut->step * sizeof(float));
    return areas;
}

bool stoa_gathered_plan(const stoa_context *context, struct stoa_gathered *cut, struct stoa_conv_plan *plan) {
    struct stoa_carve room = {.memory = NULL};
    size_t channels = stoa_ceil_div(stoa_conv_group_channels(&cut->conv), cut->parts);
    size_t floats = cut->in_place ? 0 : cut->rows * cut->columns * stoa_gathered_stride(cut, channels);
    cut->threads = cut->together ? 1 : context->threads;
    cut->step = cut->together ? floats : stoa_conv_thread_step(context, floats);
    (void)carve(cut, &room);
    plan->bytes = room.bytes;
    memcpy(plan->cut.bytes, cut, sizeof *cut);
    return !room.overflow;
}

double stoa_gathered_cost(const stoa_context *context, const struct stoa_gathered *cut,
                          enum stoa_conv_pass pass, double times) {
    const struct stoa_conv *conv = &cut->conv;
    const struct stoa_window *w = &conv->window;
    size_t column = stoa_conv_column(conv);
    size_t filters = stoa_conv_group_filters(conv);
    double pixels = (double)stoa_conv_pixels(conv);
    double weights = (double)stoa_conv_weights(conv);
    double columns = cut->in_place ? 0 : pixels * (double)column * (double)conv->groups;
    double tensors = (double)conv->batch * (double)(w->height * w->width) * (double)w->channels +
                     pixels * (double)conv->filters;
    double sums = cut->sums.blocks > 1 ? 3 * (double)cut->sums.blocks * weights : 0;
    bool to_data = pass == STOA_CONV_BACKWARD_DATA;
    return stoa_cost_product(context, 2 * pixels * weights, to_data ? column : filters,
                             to_data ? filters : column) +
           stoa_cost_tile(context, 2 * columns + sums) + stoa_cost_stream(context, tensors) +
           stoa_cost_weights(context, weights, times);
}

/* The weight of one group as the right operand has its column as terms; `turned` its filters. */
static size_t group_panels(const struct stoa_conv *conv, bool turned) {
    size_t column = stoa_conv_column(conv);
    size_t filters = stoa_conv_group_filters(conv);
    return turned ? stoa_panel_floats(filters, column) : stoa_panel_floats(column, filters);
}

size_t stoa_gathered_panels(const struct stoa_conv *conv, bool turned) {
    return conv->groups * group_panels(conv, turned);
}

void stoa_gathered_pack(const stoa_context *context, const struct stoa_conv *conv, bool turned,
                        const float *weight, float *panels) {
    size_t column = stoa_conv_column(conv);
    size_t filters = stoa_conv_group_filters(conv);
    struct stoa_gemm product = {.transpose_b = turned,
                                .n = turned ? column : filters,
                                .k = turned ? filters : column,
                                .ldb = conv->filters};
    for (size_t g = 0; g < conv->groups; g++) {
        product.b = weight + g * filters;
        stoa_pack_panels(context, &product, panels + g * group_panels(conv, turned));
    }
}

/* What the tasks of a pass share. */
struct pass {
    const stoa_context *context;
    const struct stoa_gathered *cut;
    const struct stoa_conv_run *run;
    struct stoa_conv conv; /* of this run */
    struct areas areas;
    const float *weight; /* as it is, turned or in panels */
    bool panels;
    size_t stride, group; /* of the weight: floats from row to row, from group to group */
    struct stoa_partials sums;
};

/* Columns [left, left + columns) of some output rows. */
struct tile {
    size_t row, rows, left, columns;
};

/* Tile `number` of output rows [row, end). */
static struct tile tile_at(const struct stoa_gathered *cut, size_t row, size_t end, size_t number) {
    row += number / cut->across * cut->rows;
    size_t left = number % cut->across * cut->columns;
    return (struct tile){row, stoa_min(cut->rows, end - row), left,
                         stoa_min(cut->columns, cut->conv.window.out_width - left)};
}

static size_t pixels_of(const struct tile *tile) {
    return tile->rows * tile->columns;
}

/* Its first output pixel. */
static size_t pixel_at(const struct pass *p, const struct tile *tile) {
    return tile->row * p->conv.window.out_width + tile->left;
}

static size_t y_at(const struct pass *p, const struct tile *tile) {
    return pixel_at(p, tile) * stoa_conv_y_pixel(&p->conv);
}

/* Some channels of a group: `part` of the cut's parts. `first` counts in the group, `at` in the pixel. */
struct channels {
    size_t group, first, count, at;
};

static struct channels channels_of(const struct pass *p, size_t group, size_t part) {
    size_t channels = stoa_conv_group_channels(&p->conv);
    size_t first = part * channels / p->cut->parts;
    return (struct channels){group, first, (part + 1) * channels / p->cut->parts - first,
                             group * channels + first};
}

/* Products of a tile: all taps at once, or one a tap where the channels are not all. */
static size_t products_of(const struct pass *p) {
    return p->cut->parts == 1 ? 1 : p->conv.window.kernel_height * p->conv.window.kernel_width;
}

/* Work on a tile, in parallel where threads are together at it. */
struct work {
    const struct pass *p;
    struct tile tile;
    struct channels channels;
    float *rows;
    void (*run)(const struct work *work);
    size_t share; /* output rows of a task */
};

static void work_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    struct work work = *(const struct work *)argument;
    size_t at = task * work.share;
    work.tile.row += at;
    work.tile.rows = stoa_min(work.share, work.tile.rows - at);
    work.rows += at * work.tile.columns * stoa_gathered_stride(work.p->cut, work.channels.count);
    work.run(&work);
}

static void do_work(struct work work) {
    if (work.p->cut->together) {
        work.share = stoa_ceil_div(TASK_PIXELS, work.tile.columns);
        stoa_parallel(work.p->context, stoa_ceil_div(work.tile.rows, work.share), work_task, &work);
    } else {
        work.run(&work);
    }
}

static void finish(const struct work *work) {
    const struct pass *p = work->p;
    stoa_conv_finish(p->context, &p->conv, p->run->bias, p->run->relu, pixel_at(p, &work->tile),
                     pixels_of(&work->tile), p->run->y);
}

/* Zeros for some channels of what belongs to output rows [row, row + rows) alone: the lines of the image from
 * the first one's to those of the row behind. */
static void clear(const struct pass *p, const struct channels *c, size_t row, size_t rows) {
    const struct stoa_window *w = &p->conv.window;
    size_t pixel = stoa_conv_x_pixel(&p->conv);
    size_t at[2];
    for (size_t i = 0; i < 2; i++, row += rows) {
        at[i] = (row / w->out_height * w->height + row % w->out_height * w->stride_height) * w->width;
    }
    size_t run = c->count == pixel ? at[1] - at[0] : 1; /* pixels that lie side by side */
    float *dx = p->run->dx + at[0] * pixel + c->at;
    for (size_t i = at[0]; i < at[1]; i += run, dx += run * pixel) {
        memset(dx, 0, run * c->count * sizeof *dx);
    }
}

/* The tile's columns, written or, in backward data, added into dx. */
static void move_columns(const struct work *work) {
    const struct pass *p = work->p;
    const struct tile *tile = &work->tile;
    const struct channels *c = &work->channels;
    struct stoa_window window = p->conv.window;
    window.channels = stoa_conv_x_pixel(&p->conv);
    window.out_left = tile->left;
    window.out_width = tile->columns;
    if (!p->run->dx) {
        p->context->kernels->im2col(&window, p->run->x, c->at, c->count, tile->row, tile->rows,
                                    stoa_scratch(), work->rows);
        return;
    }
    if (p->cut->together && !p->conv.adds && tile->left == 0) {
        clear(p, c, tile->row, tile->rows);
    }
    p->context->kernels->col2im(&window, work->rows, c->at, c->count, tile->row, tile->rows, p->run->dx);
}

/* The tile's rows for some channels: in `memory` unless they lie in x. */
static const float *make_rows(const struct pass *p, const struct tile *tile, const struct channels *c,
                              float *memory) {
    if (p->cut->in_place) {
        return p->run->x + pixel_at(p, tile) * stoa_conv_x_pixel(&p->conv) + c->at;
    }
    do_work((struct work){p, *tile, *c, memory, move_columns, 0});
    return memory;
}

static void multiply(const struct pass *p, const struct stoa_gemm *product) {
    if (p->cut->together) {
        stoa_product(p->context, product);
    } else {
        stoa_gemm_run(p->context, product);
    }
}

static void forward_tile(const struct pass *p, const struct tile *tile, float *memory) {
    size_t filters = stoa_conv_group_filters(&p->conv);
    for (size_t g = 0; g < p->conv.groups; g++) {
        struct channels c = channels_of(p, g, 0);
        struct stoa_gemm product = {.m = pixels_of(tile),
                                    .n = filters,
                                    .k = stoa_conv_column(&p->conv),
                                    .alpha = 1,
                                    .a = make_rows(p, tile, &c, memory),
                                    .lda = stoa_gathered_stride(p->cut, c.count),
                                    .b = p->weight + g * p->group,
                                    .ldb = p->stride,
                                    .by_kernel = p->cut->by_kernel,
                                    .panels = p->panels,
                                    .c = p->run->y + y_at(p, tile) + g * filters,
                                    .ldc = stoa_conv_y_pixel(&p->conv)};
        multiply(p, &product);
    }
    if (p->run->bias || p->run->relu) {
        do_work((struct work){p, *tile, {0}, NULL, finish, 0});
    }
}

/* The gradient of a tile's rows, added into dx. */
static void data_tile(const struct pass *p, const struct tile *tile, size_t part, float *memory) {
    size_t channels = stoa_conv_group_channels(&p->conv);
    size_t filters = stoa_conv_group_filters(&p->conv);
    size_t products = products_of(p);
    bool turned = p->cut->turned > 0;
    for (size_t g = 0; g < p->conv.groups; g++) {
        struct channels c = channels_of(p, g, part);
        float *rows =
            p->cut->in_place ? p->run->dx + pixel_at(p, tile) * stoa_conv_x_pixel(&p->conv) + c.at : memory;
        struct stoa_gemm product = {.transpose_b = !turned,
                                    .by_kernel = p->cut->by_kernel,
                                    .panels = p->panels,
                                    .m = pixels_of(tile),
                                    .n = stoa_conv_column(&p->conv) / channels / products * c.count,
                                    .k = filters,
                                    .alpha = 1,
                                    .a = p->run->dy + y_at(p, tile) + g * filters,
                                    .lda = stoa_conv_y_pixel(&p->conv),
                                    .ldb = p->stride,
                                    .beta = p->cut->in_place && p->conv.adds ? 1 : 0,
                                    .ldc = stoa_gathered_stride(p->cut, c.count)};
        for (size_t tap = 0; tap < products; tap++) {
            product.b = p->weight + g * p->group + (tap * channels + c.first) * (turned ? 1 : p->stride);
            product.c = rows + tap * c.count;
            if (p->panels && tile->row == 0 && p->cut->together) { /* packed just now */
                stoa_product_packed(p->context, &product);
            } else {
                multiply(p, &product);
            }
        }
        if (!p->cut->in_place) {
            do_work((struct work){p, *tile, c, memory, move_columns, 0});
        }
    }
}

/* What one tile gives to the weight's gradient. */
static void weights_tile(const struct pass *p, const struct tile *tile, size_t part, bool adds,
                         float *dweight, float *memory) {
    size_t channels = stoa_conv_group_channels(&p->conv);
    size_t filters = stoa_conv_group_filters(&p->conv);
    size_t products = products_of(p);
    for (size_t g = 0; g < p->conv.groups; g++) {
        struct channels c = channels_of(p, g, part);
        const float *rows = make_rows(p, tile, &c, memory);
        struct stoa_gemm product = {.transpose_a = true,
                                    .by_kernel = p->cut->by_kernel,
                                    .m = stoa_conv_column(&p->conv) / channels / products * c.count,
                                    .n = filters,
                                    .k = pixels_of(tile),
                                    .alpha = 1,
                                    .lda = stoa_gathered_stride(p->cut, c.count),
                                    .b = p->run->dy + y_at(p, tile) + g * filters,
                                    .ldb = stoa_conv_y_pixel(&p->conv),
                                    .beta = adds ? 1 : 0,
                                    .ldc = p->conv.filters};
        for (size_t tap = 0; tap < products; tap++) {
            product.a = rows + tap * c.count;
            product.c = dweight + (tap * channels + c.first) * p->conv.filters + g * filters;
            multiply(p, &product);
        }
    }
}

/* The same of one group, from the transpose of the operand with fewer numbers a pixel: terms of the sums that
 * lie side by side are read faster than those of rows far apart. Swapped, dy is that operand and the result
 * the transposed gradient. */
static void turned_tile(const struct pass *p, const struct tile *tile, bool adds) {
    const struct stoa_conv *conv = &p->conv;
    struct channels c = channels_of(p, 0, 0);
    const float *rows = make_rows(p, tile, &c, p->areas.rows);
    const float *dy = p->run->dy + y_at(p, tile);
    size_t column = stoa_conv_column(conv);
    size_t stride = stoa_gathered_stride(p->cut, c.count);
    bool swapped = p->cut->swapped;
    struct stoa_gemm product = {.by_kernel = p->cut->by_kernel,
                                .m = swapped ? conv->filters : column,
                                .n = swapped ? column : conv->filters,
                                .k = pixels_of(tile),
                                .alpha = 1,
                                .a = p->areas.turned,
                                .lda = stoa_conv_stride(p->cut->rows * p->cut->columns),
                                .b = swapped ? rows : dy,
                                .ldb = swapped ? stride : stoa_conv_y_pixel(conv),
                                .beta = adds ? 1 : 0,
                                .c = swapped ? p->areas.result : p->run->dweight};
    product.ldc = product.n;
    stoa_conv_transpose(p->context, swapped ? dy : rows, product.k, product.m,
                        swapped ? stoa_conv_y_pixel(conv) : stride, p->areas.turned, product.lda);
    stoa_product(p->context, &product);
}

static float *memory_of(const struct pass *p, size_t thread) {
    return p->areas.rows + thread * p->cut->step;
}

static void forward_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    struct tile tile = tile_at(p->cut, 0, stoa_conv_rows(&p->conv), task);
    forward_tile(p, &tile, memory_of(p, thread));
}

static void data_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    size_t height = p->conv.window.out_height;
    size_t ranges = stoa_ceil_div(p->conv.batch, p->cut->images);
    size_t image = task % ranges * p->cut->images;
    size_t row = image * height;
    size_t rows = stoa_min(p->cut->images, p->conv.batch - image) * height;
    STOA_ASSUME(p->conv.groups > 0);
    for (size_t g = 0; g < p->conv.groups && !p->conv.adds; g++) {
        struct channels c = channels_of(p, g, task / ranges);
        clear(p, &c, row, rows);
    }
    for (size_t i = 0; i < stoa_gathered_count(p->cut, rows); i++) {
        struct tile tile = tile_at(p->cut, row, row + rows, i);
        data_tile(p, &tile, task / ranges, memory_of(p, thread));
    }
}

static void weights_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    size_t block = task / p->cut->parts;
    size_t part = task % p->cut->parts;
    size_t row;
    size_t end;
    stoa_partial_rows(&p->sums, &p->conv, block, &row, &end);
    for (size_t i = 0; i < stoa_gathered_count(p->cut, end - row); i++) {
        struct tile tile = tile_at(p->cut, row, end, i);
        weights_tile(p, &tile, part, i > 0 || stoa_partials_adds(&p->sums),
                     stoa_partial_weights(&p->sums, block), memory_of(p, thread));
    }
    float *bias = part == 0 ? stoa_partial_bias(&p->sums, block) : NULL;
    if (bias) {
        struct tile rows = {.row = row};
        p->context->kernels->column_sums(p->run->dy + y_at(p, &rows), (end - row) * p->conv.window.out_width,
                                         p->conv.filters, stoa_conv_y_pixel(&p->conv), bias);
    }
}

static void bias_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    size_t first = task * TASK_FILTERS;
    p->context->kernels->column_sums(p->run->dy + first, stoa_conv_pixels(&p->conv),
                                     stoa_min(TASK_FILTERS, p->conv.filters - first),
                                     stoa_conv_y_pixel(&p->conv), stoa_partial_bias(&p->sums, 0) + first);
}

/* All threads at one tile after the other. */
static void run_together(struct pass *p, enum stoa_conv_pass pass) {
    size_t rows = stoa_conv_rows(&p->conv);
    for (size_t i = 0; i < stoa_gathered_count(p->cut, rows); i++) {
        struct tile tile = tile_at(p->cut, 0, rows, i);
        bool adds = i > 0 || p->conv.adds;
        if (pass == STOA_CONV_FORWARD) {
            forward_tile(p, &tile, p->areas.rows);
        } else if (pass == STOA_CONV_BACKWARD_DATA) {
            data_tile(p, &tile, 0, p->areas.rows);
        } else if (p->cut->turned > 0) {
            turned_tile(p, &tile, adds);
        } else {
            weights_tile(p, &tile, 0, adds, p->run->dweight, p->areas.rows);
        }
    }
    if (p->sums.dbias) {
        stoa_parallel(p->context, stoa_ceil_div(p->conv.filters, TASK_FILTERS), bias_task, p);
    }
}

/* dweight to the transposed gradient, where that is added to, or back. */
static void turn_gradient(const struct pass *p, bool back) {
    size_t rows = back ? p->conv.filters : stoa_conv_column(&p->conv);
    size_t columns = back ? stoa_conv_column(&p->conv) : p->conv.filters;
    stoa_conv_transpose(p->context, back ? p->areas.result : p->run->dweight, rows, columns, columns,
                        back ? p->run->dweight : p->areas.result, rows);
}

static void backward_weights(struct pass *p) {
    p->sums = stoa_partials_begin(&p->cut->sums, stoa_conv_rows(&p->conv), p->run, p->areas.sums);
    if (p->cut->swapped && p->conv.adds) {
        turn_gradient(p, false);
    }
    if (p->cut->together) {
        run_together(p, STOA_CONV_BACKWARD_WEIGHTS);
    } else {
        stoa_parallel(p->context, p->sums.blocks * p->cut->parts, weights_task, p);
    }
    if (p->cut->swapped) {
        turn_gradient(p, true);
    }
    stoa_partials_reduce(p->context, &p->sums);
}

/* The weight as the pass reads it. */
static void turn_weight(struct pass *p, enum stoa_conv_pass pass) {
    bool turned = pass == STOA_CONV_BACKWARD_DATA && p->cut->turned > 0;
    size_t filters = stoa_conv_group_filters(&p->conv);
    size_t column = stoa_conv_column(&p->conv);
    p->panels = pass == STOA_CONV_FORWARD ? p->run->prepared != NULL : turned && p->cut->by_kernel;
    p->stride = turned && !p->panels ? stoa_conv_stride(column) : p->conv.filters;
    p->group = p->panels ? group_panels(&p->conv, turned) : turned ? filters * p->stride : filters;
    p->weight = turned ? p->areas.turned : p->run->prepared ? p->run->prepared : p->run->weight;
    if (turned && p->panels) {
        stoa_gathered_pack(p->context, &p->conv, true, p->run->weight, p->areas.turned);
    } else if (turned) {
        stoa_conv_transpose(p->context, p->run->weight, column, p->conv.filters, p->conv.filters,
                            p->areas.turned, p->stride);
    }
}

void stoa_gathered_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const struct stoa_gathered *cut = stoa_gathered_of(plan);
    struct stoa_carve room = {.memory = run->workspace};
    struct pass p = {
        .context = run->context, .cut = cut, .run = run, .conv = cut->conv, .areas = carve(cut, &room)};
    p.conv.batch = run->batch;
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        backward_weights(&p);
        return;
    }
    turn_weight(&p, plan->pass);
    if (cut->together) {
        run_together(&p, plan->pass);
    } else if (plan->pass == STOA_CONV_FORWARD) {
        stoa_parallel(p.context, stoa_gathered_count(cut, stoa_conv_rows(&p.conv)), forward_task, &p);
    } else {
        stoa_parallel(p.context, cut->parts * stoa_ceil_div(run->batch, cut->images), data_task, &p);
    }
}
