/* SPDX-License-Identifier: MIT */
/* A convolution as products, one row of the left operand for every output pixel:
 *   forward           y[pixels][K] = rows[pixels][terms] * weight[terms][K]
 *   backward data     drows = dy[pixels][K] * weight^T, put back into dx
 *   backward weights  dweight = rows^T * dy
 * Rows are made a tile of pixels at a time. Either each thread makes tiles that stay in its L2 and multiplies
 * them at once, gradients in blocks of samples that are summed in a fixed tree; or all threads make a larger
 * one and multiply it together, so that not every thread reads all of a deep layer's weights. */
#include "conv/gathered.h"

#include <string.h>

#include "base/scratch.h"
#include "core/threads.h"
#include "product/product.h"

/* Tasks of work that all threads share: pixels, and filters of a bias's gradient. */
enum { TASK_PIXELS = 64, TASK_FILTERS = 64 };

size_t stoa_gathered_stride(const struct stoa_gathered *cut, size_t channels) {
    const struct stoa_window *w = &cut->conv.window;
    return cut->kind == STOA_ROWS_COLUMNS  ? w->kernel_height * w->kernel_width * channels
           : cut->kind == STOA_ROWS_PIXELS ? stoa_conv_stride(w->channels)
                                           : stoa_conv_x_pixel(&cut->conv);
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
    float *transposed, *sums, *rows;
};

static struct areas carve(const struct stoa_gathered *cut, struct stoa_carve *carve) {
    struct areas areas = {.transposed = stoa_carve_floats(carve, cut->transposed)};
    areas.sums = stoa_partials_carve(&cut->sums, carve);
    areas.rows = stoa_carve_bytes(carve, cut->threads, cut->step * sizeof(float));
    return areas;
}

bool stoa_gathered_plan(const stoa_context *context, struct stoa_gathered *cut, struct stoa_conv_plan *plan) {
    struct stoa_carve room = {.memory = NULL};
    size_t channels = stoa_ceil_div(stoa_conv_group_channels(&cut->conv), cut->parts);
    cut->floats =
        cut->kind == STOA_ROWS_IN_PLACE ? 0 : cut->rows * cut->columns * stoa_gathered_stride(cut, channels);
    cut->threads = cut->together ? 1 : context->threads;
    cut->step = cut->together ? cut->floats : stoa_conv_thread_step(context, cut->floats);
    (void)carve(cut, &room);
    plan->bytes = room.bytes;
    memcpy(plan->cut.bytes, cut, sizeof *cut);
    return !room.overflow;
}

/* Of the weight of one group as the right operand, or `turned` as its transpose. */
struct operand {
    size_t terms, columns;
};

static struct operand operand_of(const struct stoa_conv *conv, bool turned) {
    size_t column = stoa_conv_column(conv);
    size_t filters = stoa_conv_group_filters(conv);
    return turned ? (struct operand){filters, column} : (struct operand){column, filters};
}

static size_t group_panels(const struct stoa_conv *conv, bool turned) {
    struct operand b = operand_of(conv, turned);
    return stoa_panel_floats(b.terms, b.columns);
}

size_t stoa_gathered_panels(const struct stoa_conv *conv, bool turned) {
    return conv->groups * group_panels(conv, turned);
}

void stoa_gathered_pack(const stoa_context *context, const struct stoa_conv *conv, bool turned,
                        const float *weight, float *panels) {
    struct operand b = operand_of(conv, turned);
    for (size_t g = 0; g < conv->groups; g++) {
        stoa_pack_panels(context,
                         &(struct stoa_gemm){.transpose_b = turned,
                                             .n = b.columns,
                                             .k = b.terms,
                                             .b = weight + g * stoa_conv_group_filters(conv),
                                             .ldb = conv->filters},
                         panels + g * group_panels(conv, turned));
    }
}

/* What the tasks of a pass share. */
struct pass {
    const stoa_context *context;
    const struct stoa_gathered *cut;
    const struct stoa_conv_run *run;
    struct stoa_conv conv; /* of this run */
    const float *weight;   /* as it is, turned or in panels */
    bool panels, adds;
    size_t stride, group; /* of the weight: floats from row to row, from group to group */
    float *rows;          /* of the first thread */
    struct stoa_partials sums;
};

/* Some pixels of the output: of whole rows, or of a part of one. */
struct tile {
    size_t first, count;
};

/* Tile `number` of output rows [row, end). */
static struct tile tile_at(const struct stoa_gathered *cut, size_t row, size_t end, size_t number) {
    size_t width = cut->conv.window.out_width;
    row += number / cut->across * cut->rows;
    size_t left = number % cut->across * cut->columns;
    return (struct tile){row * width + left, cut->across > 1 ? stoa_min(cut->columns, width - left)
                                                             : stoa_min(cut->rows, end - row) * width};
}

/* A range of one group's channels; `first` counts in the group. */
struct channels {
    size_t group, first, count;
};

static struct channels channels_of(const struct pass *p, size_t part) {
    size_t channels = stoa_conv_group_channels(&p->conv);
    size_t first = part * channels / p->cut->parts;
    return (struct channels){.first = first, .count = (part + 1) * channels / p->cut->parts - first};
}

/* Products of a tile: all taps at once, or one a tap where the channels are not all. */
static size_t products_of(const struct pass *p) {
    return p->cut->parts == 1 ? 1 : p->conv.window.kernel_height * p->conv.window.kernel_width;
}

/* The window that gives the tile's columns only. */
static struct stoa_window window_of(const struct stoa_conv *conv, const struct tile *tile) {
    struct stoa_window window = conv->window;
    window.channels = stoa_conv_x_pixel(conv);
    window.out_left = tile->first % window.out_width;
    window.out_width = stoa_min(tile->count, window.out_width);
    return window;
}

/* Output pixels [column, column + count) of one row, and the input pixels that belong to them alone: from the
 * one that each reads up to the next one's. */
struct run {
    size_t count, columns, lines; /* columns, lines: of the input */
    size_t input;                 /* the first input pixel */
};

/* The run that begins at `pixel` and ends before `end`. */
static struct run run_at(const struct stoa_window *w, size_t pixel, size_t end) {
    size_t row = pixel / w->out_width;
    size_t column = pixel % w->out_width;
    size_t count = stoa_min(end - pixel, w->out_width - column);
    size_t line = row % w->out_height * w->stride_height;
    size_t left = column * w->stride_width;
    size_t right = column + count == w->out_width ? w->width : (column + count) * w->stride_width;
    size_t below = row % w->out_height + 1 == w->out_height ? w->height : line + w->stride_height;
    return (struct run){.count = count,
                        .columns = right - left,
                        .lines = below - line,
                        .input = (row / w->out_height * w->height + line) * w->width + left};
}

/* What a tile's pixels read of x, to `rows`. */
static void gather(const struct pass *p, const struct tile *tile, float *rows) {
    const struct stoa_window *w = &p->conv.window;
    size_t pixel = stoa_conv_x_pixel(&p->conv);
    size_t step = w->stride_width * pixel;
    size_t end = tile->first + tile->count;
    for (size_t at = tile->first; at < end;) {
        struct run run = run_at(w, at, end);
        p->context->kernels->copy_rows(p->run->x + run.input * pixel, run.count, w->channels, step, rows,
                                       stoa_gathered_stride(p->cut, 0));
        rows += run.count * stoa_gathered_stride(p->cut, 0);
        at += run.count;
    }
}

/* Zeros for the first channels of `count` pixels. */
static void clear(const struct pass *p, size_t channels, size_t count, float *dx) {
    size_t pixel = stoa_conv_x_pixel(&p->conv);
    size_t run = channels == pixel ? count : 1; /* pixels that lie side by side */
    for (size_t i = 0; i < count; i += run, dx += run * pixel) {
        memset(dx, 0, run * channels * sizeof *dx);
    }
}

/* A tile's rows back to dx: added, or with zeros for the pixels between them, up to the next output
 * pixel's. */
static void scatter(const struct pass *p, const struct tile *tile, float *rows) {
    const struct stoa_window *w = &p->conv.window;
    size_t pixel = stoa_conv_x_pixel(&p->conv);
    size_t end = tile->first + tile->count;
    for (size_t at = tile->first; at < end;) {
        struct run run = run_at(w, at, end);
        float *line = p->run->dx + run.input * pixel;
        float *to = line;
        for (size_t i = 0; i < run.count; i++, rows += stoa_gathered_stride(p->cut, 0)) {
            size_t last = run.columns - i * w->stride_width;
            size_t columns = i + 1 == run.count ? last : w->stride_width;
            if (p->adds) {
                p->context->kernels->accumulate(rows, to, w->channels);
            } else {
                memcpy(to, rows, w->channels * sizeof *to);
                clear(p, w->channels, columns - 1, to + pixel);
            }
            to += columns * pixel;
        }
        for (size_t i = 1; i < run.lines && !p->adds; i++) {
            clear(p, w->channels, run.columns, line + i * w->width * pixel);
        }
        at += run.count;
    }
}

static void finish(const struct pass *p, const struct tile *tile, float *rows) {
    (void)rows;
    stoa_conv_finish(p->context, &p->conv, p->run->bias, p->run->relu, tile->first, tile->count, p->run->y);
}

/* Work on a tile, in parallel where threads are together at it. */
struct work {
    const struct pass *p;
    const struct tile *tile;
    float *rows;
    void (*run)(const struct pass *p, const struct tile *tile, float *rows);
};

static void work_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct work *work = argument;
    size_t at = task * TASK_PIXELS;
    struct tile share = {work->tile->first + at, stoa_min(TASK_PIXELS, work->tile->count - at)};
    work->run(work->p, &share, work->rows + at * stoa_gathered_stride(work->p->cut, 0));
}

static void do_work(struct work work) {
    if (work.p->cut->together) {
        stoa_parallel(work.p->context, stoa_ceil_div(work.tile->count, TASK_PIXELS), work_task, &work);
    } else {
        work.run(work.p, work.tile, work.rows);
    }
}

/* The tile's rows for some channels, in `memory` unless they lie in x: pixels of all groups at once. */
static const float *make_rows(const struct pass *p, const struct tile *tile, const struct channels *c,
                              float *memory) {
    size_t width = p->conv.window.out_width;
    size_t channel = c->group * stoa_conv_group_channels(&p->conv) + c->first;
    if (p->cut->kind == STOA_ROWS_COLUMNS) {
        struct stoa_window window = window_of(&p->conv, tile);
        p->context->kernels->im2col(&window, p->run->x, channel, c->count, tile->first / width,
                                    stoa_ceil_div(tile->count, width), stoa_scratch(), memory);
        return memory;
    }
    if (p->cut->kind == STOA_ROWS_IN_PLACE) {
        return p->run->x + tile->first * stoa_conv_x_pixel(&p->conv) + channel;
    }
    if (c->group == 0) {
        do_work((struct work){p, tile, memory, gather});
    }
    return memory + channel;
}

/* Where the gradient of those rows is written, to be put back. */
static float *gradient_rows(const struct pass *p, const struct tile *tile, const struct channels *c,
                            float *memory) {
    size_t channel = c->group * stoa_conv_group_channels(&p->conv) + c->first;
    return p->cut->kind == STOA_ROWS_COLUMNS ? memory
           : p->cut->kind == STOA_ROWS_PIXELS
               ? memory + channel
               : p->run->dx + tile->first * stoa_conv_x_pixel(&p->conv) + channel;
}

static void put_rows(const struct pass *p, const struct tile *tile, const struct channels *c, float *rows) {
    size_t width = p->conv.window.out_width;
    size_t channel = c->group * stoa_conv_group_channels(&p->conv) + c->first;
    if (p->cut->kind == STOA_ROWS_COLUMNS) {
        struct stoa_window window = window_of(&p->conv, tile);
        p->context->kernels->col2im(&window, rows, channel, c->count, tile->first / width,
                                    stoa_ceil_div(tile->count, width), p->run->dx);
    } else if (p->cut->kind == STOA_ROWS_PIXELS && c->group + 1 == p->conv.groups) {
        do_work((struct work){p, tile, rows, scatter});
    }
}

/* `packed`: its panels were written just now. */
static void multiply(const struct pass *p, const struct stoa_gemm *product, bool packed) {
    if (!p->cut->together) {
        stoa_gemm_run(p->context, product);
    } else if (packed) {
        stoa_product_packed(p->context, product);
    } else {
        stoa_product(p->context, product);
    }
}

static void forward_tile(const struct pass *p, const struct tile *tile, float *memory) {
    size_t filters = stoa_conv_group_filters(&p->conv);
    struct channels c = channels_of(p, 0);
    for (c.group = 0; c.group < p->conv.groups; c.group++) {
        struct stoa_gemm product = {.m = tile->count,
                                    .n = filters,
                                    .k = stoa_conv_column(&p->conv),
                                    .alpha = 1,
                                    .a = make_rows(p, tile, &c, memory),
                                    .lda = stoa_gathered_stride(p->cut, c.count),
                                    .b = p->weight + c.group * p->group,
                                    .ldb = p->stride,
                                    .by_kernel = p->cut->by_kernel,
                                    .panels = p->panels,
                                    .c = p->run->y + tile->first * stoa_conv_y_pixel(&p->conv) +
                                         c.group * filters,
                                    .ldc = stoa_conv_y_pixel(&p->conv)};
        multiply(p, &product, false);
    }
    if (p->run->bias || p->run->relu) {
        do_work((struct work){p, tile, NULL, finish});
    }
}

/* The gradient of a tile's rows, put back. */
static void data_tile(const struct pass *p, const struct tile *tile, struct channels c, float *memory) {
    size_t channels = stoa_conv_group_channels(&p->conv);
    size_t filters = stoa_conv_group_filters(&p->conv);
    size_t products = products_of(p);
    bool turned = p->cut->transposed > 0;
    bool direct = p->cut->kind == STOA_ROWS_IN_PLACE;
    for (c.group = 0; c.group < p->conv.groups; c.group++) {
        float *rows = gradient_rows(p, tile, &c, memory);
        struct stoa_gemm product = {.transpose_b = !turned,
                                    .by_kernel = p->cut->by_kernel,
                                    .panels = p->panels,
                                    .m = tile->count,
                                    .n = stoa_conv_column(&p->conv) / channels / products * c.count,
                                    .k = filters,
                                    .alpha = 1,
                                    .a = p->run->dy + tile->first * stoa_conv_y_pixel(&p->conv) +
                                         c.group * filters,
                                    .lda = stoa_conv_y_pixel(&p->conv),
                                    .ldb = p->stride,
                                    .beta = direct && p->adds ? 1 : 0,
                                    .ldc = stoa_gathered_stride(p->cut, c.count)};
        for (size_t tap = 0; tap < products; tap++) {
            product.b =
                p->weight + c.group * p->group + (tap * channels + c.first) * (turned ? 1 : p->stride);
            product.c = rows + tap * c.count;
            multiply(p, &product, p->panels && tile->first == 0);
        }
        put_rows(p, tile, &c, memory);
    }
}

/* What one tile gives to the weight's gradient. */
static void weights_tile(const struct pass *p, const struct tile *tile, struct channels c, bool adds,
                         float *dweight, float *memory) {
    size_t channels = stoa_conv_group_channels(&p->conv);
    size_t filters = stoa_conv_group_filters(&p->conv);
    size_t products = products_of(p);
    for (c.group = 0; c.group < p->conv.groups; c.group++) {
        const float *rows = make_rows(p, tile, &c, memory);
        struct stoa_gemm product = {.transpose_a = true,
                                    .m = stoa_conv_column(&p->conv) / channels / products * c.count,
                                    .n = filters,
                                    .k = tile->count,
                                    .alpha = 1,
                                    .lda = stoa_gathered_stride(p->cut, c.count),
                                    .b = p->run->dy + tile->first * stoa_conv_y_pixel(&p->conv) +
                                         c.group * filters,
                                    .ldb = stoa_conv_y_pixel(&p->conv),
                                    .beta = adds ? 1 : 0,
                                    .ldc = p->conv.filters};
        for (size_t tap = 0; tap < products; tap++) {
            product.a = rows + tap * c.count;
            product.c = dweight + (tap * channels + c.first) * p->conv.filters + c.group * filters;
            multiply(p, &product, false);
        }
    }
}

static float *memory_of(const struct pass *p, size_t thread) {
    return p->rows + thread * p->cut->step;
}

static void forward_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    struct tile tile = tile_at(p->cut, 0, stoa_conv_rows(&p->conv), task);
    forward_tile(p, &tile, memory_of(p, thread));
}

static void data_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_window *w = &p->conv.window;
    size_t ranges = stoa_ceil_div(p->conv.batch, p->cut->images);
    size_t image = task % ranges * p->cut->images;
    size_t images = stoa_min(p->cut->images, p->conv.batch - image);
    size_t row = image * w->out_height;
    size_t rows = images * w->out_height;
    struct channels c = channels_of(p, task / ranges);
    for (c.group = 0; c.group < p->conv.groups && !p->adds; c.group++) {
        size_t pixels = w->height * w->width;
        clear(p, c.count, images * pixels,
              p->run->dx + image * pixels * stoa_conv_x_pixel(&p->conv) +
                  c.group * stoa_conv_group_channels(&p->conv) + c.first);
    }
    for (size_t i = 0; i < stoa_gathered_count(p->cut, rows); i++) {
        struct tile tile = tile_at(p->cut, row, row + rows, i);
        data_tile(p, &tile, c, memory_of(p, thread));
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
        weights_tile(p, &tile, channels_of(p, part), i > 0 || stoa_partials_adds(&p->sums),
                     stoa_partial_weights(&p->sums, block), memory_of(p, thread));
    }
    float *bias = part == 0 ? stoa_partial_bias(&p->sums, block) : NULL;
    if (bias) {
        size_t width = p->conv.window.out_width;
        p->context->kernels->column_sums(p->run->dy + row * width * stoa_conv_y_pixel(&p->conv),
                                         (end - row) * width, p->conv.filters, stoa_conv_y_pixel(&p->conv),
                                         bias);
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
static void run_together(const struct pass *p, enum stoa_conv_pass pass) {
    size_t rows = stoa_conv_rows(&p->conv);
    struct channels all = channels_of(p, 0);
    for (size_t i = 0; i < stoa_gathered_count(p->cut, rows); i++) {
        struct tile tile = tile_at(p->cut, 0, rows, i);
        if (pass == STOA_CONV_FORWARD) {
            forward_tile(p, &tile, p->rows);
        } else if (pass == STOA_CONV_BACKWARD_DATA) {
            data_tile(p, &tile, all, p->rows);
        } else {
            weights_tile(p, &tile, all, i > 0 || p->adds, p->sums.dweight, p->rows);
        }
    }
}

/* The weight as the pass reads it. */
static void turn_weight(struct pass *p, enum stoa_conv_pass pass, float *transposed) {
    const struct stoa_gathered *cut = p->cut;
    bool turned = cut->transposed > 0;
    size_t filters = stoa_conv_group_filters(&p->conv);
    p->panels = turned && cut->panels;
    if (pass == STOA_CONV_FORWARD && p->run->prepared) {
        p->panels = true;
        p->weight = p->run->prepared;
    } else if (p->panels) {
        stoa_gathered_pack(p->context, &p->conv, true, p->weight, transposed);
    } else if (turned) {
        stoa_conv_transpose(p->context, &p->conv, p->weight, transposed);
        p->stride = stoa_conv_stride(stoa_conv_column(&p->conv));
    }
    p->weight = turned ? transposed : p->weight;
    p->group = p->panels ? group_panels(&p->conv, turned) : turned ? filters * p->stride : filters;
}

void stoa_gathered_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const struct stoa_gathered *cut = stoa_gathered_of(plan);
    struct stoa_carve room = {.memory = run->workspace};
    struct areas areas = carve(cut, &room);
    struct pass p = {.context = run->context,
                     .cut = cut,
                     .run = run,
                     .conv = cut->conv,
                     .weight = run->weight,
                     .adds = cut->conv.adds,
                     .stride = cut->conv.filters,
                     .rows = areas.rows};
    p.conv.batch = run->batch;
    size_t rows = stoa_conv_rows(&p.conv);
    p.sums = stoa_partials_begin(&cut->sums, rows, run, areas.sums);
    turn_weight(&p, plan->pass, areas.transposed);
    if (cut->together) {
        run_together(&p, plan->pass);
        if (p.sums.dbias) {
            stoa_parallel(p.context, stoa_ceil_div(p.conv.filters, TASK_FILTERS), bias_task, &p);
        }
    } else if (plan->pass == STOA_CONV_FORWARD) {
        stoa_parallel(p.context, stoa_gathered_count(cut, rows), forward_task, &p);
    } else if (plan->pass == STOA_CONV_BACKWARD_DATA) {
        stoa_parallel(p.context, cut->parts * stoa_ceil_div(run->batch, cut->images), data_task, &p);
    } else {
        stoa_parallel(p.context, p.sums.blocks * cut->parts, weights_task, &p);
    }
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        stoa_partials_reduce(p.context, &p.sums);
    }
}
