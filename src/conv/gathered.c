/* SPDX-License-Identifier: MIT */
/* A convolution as products whose left operand has one row for every output pixel:
 *   forward           y[pixels][K] = rows[pixels][terms] * weight[terms][K]
 *   backward data     drows = dy[pixels][K] * weight^T, added into dx by col2im
 *   backward weights  dweight = rows^T * dy
 * The rows are columns that im2col writes, a tile of pixels at a time, or the image where it lies. Either
 * each thread makes tiles that stay in its L2 and multiplies them at once, with gradients in blocks of
 * samples that are summed in a fixed tree; or all threads make a larger tile and multiply it together, so
 * that not every thread reads all of a deep layer's weights. */
#include "conv/gathered.h"

#include <string.h>

#include "base/scratch.h"
#include "conv/cost.h"
#include "core/layout.h"
#include "core/threads.h"
#include "product/product.h"

/* A task that all threads share has about so many pixels, and so many filters of a bias's gradient. */
enum { TASK_PIXELS = 64, TASK_FILTERS = 64 };

size_t stoa_gathered_stride(const struct stoa_gathered *cut, size_t channels) {
    const struct stoa_window *w = &cut->conv.window;
    return w->kernel_height * w->kernel_width * (cut->in_place ? stoa_conv_x_pixel(&cut->conv) : channels);
}

void stoa_gathered_tiles(struct stoa_gathered *cut, size_t pixels, size_t rows) {
    size_t width = cut->conv.window.out_width;
    size_t parts = stoa_ceil_div(width, stoa_min(pixels, width));
    cut->rows =
        stoa_ceil_div(rows, stoa_max(1, stoa_ceil_div(rows, stoa_max(1, stoa_min(pixels / width, rows)))));
    cut->columns = stoa_ceil_div(width, parts);
    cut->across = stoa_ceil_div(width, cut->columns);
}

size_t stoa_gathered_count(const struct stoa_gathered *cut, size_t rows) {
    return stoa_ceil_div(rows, cut->rows) * cut->across;
}

struct areas {
    float *turned, *sums, *rows;
};

static struct areas carve(const struct stoa_gathered *cut, struct stoa_carve *carve) {
    struct areas areas = {.turned = stoa_carve_floats(carve, cut->turned)};
    areas.sums = stoa_partials_carve(&cut->sums, carve);
    areas.rows = stoa_carve_bytes(carve, cut->threads, cut->step * sizeof(float));
    return areas;
}

/* The cost of products, of columns that are written and read again, and of the sums of blocks. */
static double cost_of(const stoa_context *context, const struct stoa_gathered *cut, enum stoa_conv_pass pass,
                      double times) {
    const struct stoa_conv *conv = &cut->conv;
    size_t column = stoa_conv_column(conv);
    size_t filters = stoa_conv_group_filters(conv);
    double pixels = (double)stoa_conv_pixels(conv);
    double weights = (double)stoa_conv_weights(conv);
    double columns = cut->in_place ? 0 : pixels * (double)column * (double)conv->groups;
    double sums = cut->sums.blocks > 1 ? 3 * (double)cut->sums.blocks * weights : 0;
    bool to_data = pass == STOA_CONV_BACKWARD_DATA;
    return stoa_cost_product(context, 2 * pixels * weights, to_data ? column : filters,
                             to_data ? filters : column) +
           stoa_cost_tile(context, 2 * columns + sums) + stoa_cost_weights(context, weights, times);
}

bool stoa_gathered_plan(const stoa_context *context, struct stoa_gathered *cut, double times,
                        struct stoa_conv_plan *plan) {
    struct stoa_carve room = {.memory = NULL};
    size_t channels = stoa_ceil_div(stoa_conv_group_channels(&cut->conv), cut->parts);
    size_t floats = cut->in_place ? 0 : cut->rows * cut->columns * stoa_gathered_stride(cut, channels);
    cut->threads = cut->together ? 1 : context->threads;
    cut->step = cut->together ? floats : stoa_conv_thread_step(context, floats);
    (void)carve(cut, &room);
    plan->finishes = plan->pass == STOA_CONV_FORWARD || (cut->in_place && cut->parts == 1);
    plan->bytes = room.bytes;
    plan->cost = cost_of(context, cut, plan->pass, times);
    memcpy(plan->cut.bytes, cut, sizeof *cut);
    return !room.overflow;
}

/* Write the weight of all groups in panels, as the pass reads it. */
static void pack(const stoa_context *context, const struct stoa_conv *conv, bool to_data, const float *weight,
                 float *panels) {
    size_t column = stoa_conv_column(conv);
    size_t filters = stoa_conv_group_filters(conv);
    struct stoa_gemm product = {.transpose_b = to_data != conv->oihw,
                                .n = to_data ? column : filters,
                                .k = to_data ? filters : column,
                                .ldb = conv->oihw ? column : conv->filters};
    for (size_t g = 0; g < conv->groups; g++) {
        product.b = weight + g * filters * (conv->oihw ? column : 1);
        stoa_pack_panels(context, &product, panels + g * stoa_panel_floats(product.k, product.n));
    }
}

void stoa_gathered_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                           const float *weight, float *prepared) {
    const struct stoa_gathered *cut = (const void *)plan->cut.bytes;
    pack(context, &cut->conv, false, weight, prepared);
}

/* What the tasks of a pass share. */
struct pass {
    const stoa_context *context;
    const struct stoa_gathered *cut;
    const struct stoa_conv_run *run;
    enum stoa_conv_pass pass;
    struct stoa_conv conv; /* of this run */
    struct areas areas;
    /* How products read the weight or write its gradient: the floats from row to row and from group to
     * group, and whether a row is a filter. */
    const float *weight;
    size_t stride, group;
    bool panels, by_filters;
    struct stoa_partials sums;
    size_t shares; /* of the output rows: a task for each of them and each part of the channels */
};

/* A task has output rows [row, end), some of whose tiles it multiplies, and a part of the channels. */
struct share {
    const struct pass *p;
    size_t number, row, end, first, tiles, part;
};

static struct share share_of(const struct pass *p, size_t task) {
    struct share s = {p, .number = task % p->shares, .end = stoa_conv_rows(&p->conv),
                      .part = task / p->shares};
    if (p->pass == STOA_CONV_BACKWARD_DATA) {
        size_t rows = p->cut->images * p->conv.window.out_height;
        s.row = s.number * rows;
        s.end = stoa_min(s.row + rows, s.end);
    } else if (p->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        stoa_partial_rows(&p->sums, &p->conv, s.number, &s.row, &s.end);
    }
    bool one = p->pass == STOA_CONV_FORWARD && !p->cut->together;
    s.first = one ? s.number : 0;
    s.tiles = one ? 1 : stoa_gathered_count(p->cut, s.end - s.row);
    return s;
}

/* A tile has columns [left, left + columns) of some output rows, and channels of a group: `first` counts in
 * the group, `at` in the pixel. */
struct tile {
    const struct pass *p;
    size_t row, rows, left, columns;
    size_t group, first, count, at;
    float *memory, *dweight;
    bool adds; /* to dweight, or to dx in place */
    void (*step)(const struct tile *tile);
    size_t share; /* output rows of a step's task */
};

/* The tile's first output pixel. */
static size_t pixel_of(const struct tile *t) {
    return t->row * t->p->conv.window.out_width + t->left;
}

static void step_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    struct tile tile = *(const struct tile *)argument;
    size_t at = task * tile.share;
    tile.row += at;
    tile.rows = stoa_min(tile.share, tile.rows - at);
    if (tile.memory) {
        tile.memory += at * tile.columns * stoa_gathered_stride(tile.p->cut, tile.count);
    }
    tile.step(&tile);
}

/* Do a step of the work on a tile, in parallel where all threads work on it. */
static void run_step(struct tile tile, void (*step)(const struct tile *tile)) {
    tile.step = step;
    tile.share = tile.p->cut->together ? stoa_ceil_div(TASK_PIXELS, tile.columns) : tile.rows;
    stoa_parallel(tile.p->context, stoa_ceil_div(tile.rows, tile.share), step_task, &tile);
}

/* Finish a tile of a forward pass, or of a gradient in place, whose rows are image pixels. */
static void finish(const struct tile *t) {
    const struct stoa_conv_run *run = t->p->run;
    const struct stoa_conv *conv = &t->p->conv;
    size_t pixels = t->rows * t->columns;
    if (t->p->pass == STOA_CONV_FORWARD) {
        stoa_conv_finish(run, conv, run->bias, pixel_of(t), pixels);
    } else {
        size_t numbers = stoa_conv_column(conv) * conv->groups;
        size_t row = stoa_gathered_stride(t->p->cut, t->count);
        stoa_finish_pixels(&run->finish, run->dx, numbers, row, pixel_of(t), pixels, 0, numbers);
    }
}

/* Set a tile's channels to 0 in the image rows that belong to output rows [row, row + rows) alone, which end
 * where the next output row's begin. */
static void clear(const struct tile *t, size_t row, size_t rows) {
    const struct stoa_window *w = &t->p->conv.window;
    size_t pixel = stoa_conv_x_pixel(&t->p->conv);
    size_t at[2];
    for (size_t i = 0; i < 2; i++, row += rows) {
        at[i] = (row / w->out_height * w->height + row % w->out_height * w->stride_height) * w->width;
    }
    size_t run = t->count == pixel ? at[1] - at[0] : 1; /* pixels that lie side by side */
    float *dx = t->p->run->dx + at[0] * pixel + t->at;
    for (size_t i = at[0]; i < at[1]; i += run, dx += run * pixel) {
        memset(dx, 0, run * t->count * sizeof *dx);
    }
}

/* Write the tile's columns, or in backward data add them into dx. */
static void move_columns(const struct tile *t) {
    const struct pass *p = t->p;
    const struct stoa_kernels *kernels = p->context->kernels;
    struct stoa_window window = p->conv.window;
    window.channels = stoa_conv_x_pixel(&p->conv);
    window.out_left = t->left;
    window.out_width = t->columns;
    if (p->pass == STOA_CONV_BACKWARD_DATA) {
        if (p->cut->together && !p->conv.adds && t->left == 0) {
            clear(t, t->row, t->rows);
        }
        kernels->col2im(&window, t->memory, t->at, t->count, t->row, t->rows, p->run->dx);
    } else {
        kernels->im2col(&window, p->run->x, t->at, t->count, t->row, t->rows, stoa_scratch(), t->memory);
    }
}

/* The product of a tile with all taps, or with one of several. */
static struct stoa_gemm product_of(const struct tile *t, size_t tap, size_t taps) {
    const struct pass *p = t->p;
    const struct stoa_conv *conv = &p->conv;
    const struct stoa_conv_run *run = p->run;
    bool to_data = p->pass == STOA_CONV_BACKWARD_DATA;
    bool to_weights = p->pass == STOA_CONV_BACKWARD_WEIGHTS;
    bool in_place = p->cut->in_place;
    size_t channels = stoa_conv_group_channels(conv);
    size_t filters = stoa_conv_group_filters(conv);
    size_t pixels = t->rows * t->columns;
    size_t column = stoa_conv_column(conv) / channels / taps * t->count;
    size_t row = stoa_gathered_stride(p->cut, t->count);
    size_t y_row = stoa_conv_y_pixel(conv);
    size_t x = in_place ? pixel_of(t) * row + t->at : tap * t->count;
    size_t y = pixel_of(t) * y_row + t->group * filters;
    size_t weight = t->group * p->group + (tap * channels + t->first) * (p->by_filters ? 1 : p->stride);
    if (to_weights) { /* or its transpose, from exchanged operands */
        const float *rows = (in_place ? run->x : t->memory) + x;
        bool turned = p->by_filters;
        return (struct stoa_gemm){.transpose_a = true,
                                  .m = turned ? filters : column,
                                  .n = turned ? column : filters,
                                  .k = pixels,
                                  .alpha = 1,
                                  .a = turned ? run->dy + y : rows,
                                  .lda = turned ? y_row : row,
                                  .b = turned ? rows : run->dy + y,
                                  .ldb = turned ? row : y_row,
                                  .beta = t->adds ? 1 : 0,
                                  .c = t->dweight + weight,
                                  .ldc = p->stride};
    }
    return (struct stoa_gemm){.transpose_b = !p->panels && p->by_filters != to_data,
                              .by_kernel = p->cut->by_kernel,
                              .panels = p->panels,
                              .packed_now = p->panels && to_data,
                              .m = pixels,
                              .n = to_data ? column : filters,
                              .k = to_data ? filters : column,
                              .alpha = 1,
                              .a = to_data ? run->dy + y : (in_place ? run->x : t->memory) + x,
                              .lda = to_data ? y_row : row,
                              .b = p->weight + weight,
                              .ldb = p->stride,
                              .beta = t->adds ? 1 : 0,
                              .c = to_data ? (in_place ? run->dx : t->memory) + x : run->y + y,
                              .ldc = to_data ? row : y_row};
}

static void run_tile(const struct share *s, size_t number, float *memory) {
    const struct pass *p = s->p;
    const struct stoa_gathered *cut = p->cut;
    const struct stoa_window *w = &p->conv.window;
    bool to_data = p->pass == STOA_CONV_BACKWARD_DATA;
    size_t taps = cut->parts == 1 ? 1 : w->kernel_height * w->kernel_width;
    size_t channels = stoa_conv_group_channels(&p->conv);
    struct tile tile = {.p = p, .row = s->row + number / cut->across * cut->rows, .memory = memory};
    tile.rows = stoa_min(cut->rows, s->end - tile.row);
    tile.left = number % cut->across * cut->columns;
    tile.columns = stoa_min(cut->columns, w->out_width - tile.left);
    tile.first = s->part * channels / cut->parts;
    tile.count = (s->part + 1) * channels / cut->parts - tile.first;
    if (p->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        tile.dweight = stoa_partial_weights(&p->sums, s->number);
        tile.adds = number > 0 || stoa_partials_adds(&p->sums);
    } else {
        tile.adds = to_data && cut->in_place && p->conv.adds;
    }
    for (; tile.group < p->conv.groups; tile.group++) {
        tile.at = tile.group * channels + tile.first;
        if (to_data && !cut->together && number == 0 && !p->conv.adds) {
            clear(&tile, s->row, s->end - s->row);
        }
        if (!to_data && !cut->in_place) {
            run_step(tile, move_columns);
        }
        for (size_t tap = 0; tap < taps; tap++) {
            struct stoa_gemm product = product_of(&tile, tap, taps);
            (cut->together ? stoa_product : stoa_gemm_run)(p->context, &product);
        }
        if (to_data && !cut->in_place) {
            run_step(tile, move_columns);
        }
    }
    if (p->run->bias || p->run->relu || p->run->finish.map) {
        run_step(tile, finish);
    }
}

/* Compute some filters of the bias's gradient of a share. */
static void bias_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct share *s = argument;
    const struct pass *p = s->p;
    size_t width = p->conv.window.out_width;
    size_t pixel = stoa_conv_y_pixel(&p->conv);
    size_t first = task * TASK_FILTERS;
    p->context->kernels->column_sums(p->run->dy + s->row * width * pixel + first, (s->end - s->row) * width,
                                     stoa_min(TASK_FILTERS, p->conv.filters - first), pixel,
                                     stoa_partial_bias(&p->sums, s->number) + first);
}

static void run_share(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    struct share s = share_of(p, task);
    for (size_t i = s.first; i < s.first + s.tiles; i++) {
        run_tile(&s, i, p->areas.rows + thread * p->cut->step);
    }
    if (p->sums.dbias && s.part == 0) {
        stoa_parallel(p->context, stoa_ceil_div(p->conv.filters, TASK_FILTERS), bias_task, &s);
    }
}

/* Set how the pass reads the weight, or writes its gradient. */
static void begin(struct pass *p) {
    const struct stoa_gathered *cut = p->cut;
    const struct stoa_conv *conv = &p->conv;
    const struct stoa_conv_run *run = p->run;
    size_t column = stoa_conv_column(conv);
    size_t filters = stoa_conv_group_filters(conv);
    bool to_data = p->pass == STOA_CONV_BACKWARD_DATA;
    bool turns = cut->turned > 0 && !run->prepared;
    p->weight = run->prepared ? run->prepared : turns ? p->areas.turned : run->weight;
    p->panels = run->prepared || (turns && cut->by_kernel);
    p->by_filters = conv->oihw != (turns && !p->panels);
    p->stride = p->by_filters ? column : conv->filters;
    p->group = p->panels       ? stoa_panel_floats(to_data ? filters : column, to_data ? column : filters)
               : p->by_filters ? filters * column
                               : filters;
    if (turns && p->panels) {
        pack(p->context, conv, to_data, run->weight, p->areas.turned);
    } else if (turns) {
        struct stoa_foreign rows = {
            .images = 1, .rows = conv->filters, .columns = column, .planar = true, .taps = 1};
        stoa_layout_read(p->context, &rows, run->weight, p->areas.turned);
    }
    if (p->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        p->sums = stoa_partials_begin(&cut->sums, stoa_conv_rows(conv), run, p->areas.sums);
        p->shares = p->sums.blocks;
    } else if (to_data) {
        p->shares = stoa_ceil_div(conv->batch, cut->images);
    } else {
        p->shares = cut->together ? 1 : stoa_gathered_count(cut, stoa_conv_rows(conv));
    }
}

void stoa_gathered_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const struct stoa_gathered *cut = (const void *)plan->cut.bytes;
    struct stoa_carve room = {.memory = run->workspace};
    struct pass p = {.context = run->context,
                     .cut = cut,
                     .run = run,
                     .pass = plan->pass,
                     .conv = cut->conv,
                     .areas = carve(cut, &room)};
    p.conv.batch = run->batch;
    begin(&p);
    if (cut->together) {
        run_share(&p, 0, 0);
    } else {
        stoa_parallel(p.context, p.shares * cut->parts, run_share, &p);
    }
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        stoa_partials_reduce(p.context, &p.sums);
    }
}
