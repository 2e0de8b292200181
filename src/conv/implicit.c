/* Convolution without columns: the engine's own product kernel reads every patch of the image where it lies. Floor 4.
 *
 * In NHWC a line of a patch is one run of KW * C numbers, so a patch is KH segments, a line of the image apart. Where the
 * image needs padding, the lines under a tile of output rows are copied into a padded one first. Few filters would
 * leave lanes of a vector empty: then `group` pixels side by side are one row of the product, over a patch that is as much
 * wider, against a banded weight (a patch that reaches beyond a pixel's own window meets zeros there, so that a
 * NaN also reaches the other pixels of its group):
 *   forward           y[pixels / group][group K] = patches[pixels / group][KH (KW + group - 1) C] * banded weight
 *   backward data     the same over dy with the weight turned by 180 degrees; stride 1 only
 *   backward weights  band = patches^T * dy, in blocks of samples that are summed in a fixed tree, then folded
 *
 * Zhang, Franchetti and Low, "High Performance Zero-Memory Overhead Direct Convolutions", 2018, for the idea. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "core/threads.h"

/* Pixels of a tile; bytes of its padded image, which shares L2 with the weight; columns and terms of the weight that a
 * product takes at once, so that they stay in L1. */
enum { TILE_PIXELS = 512, TILE_BYTES = 1 << 18, PANEL = 64, PANEL_TERMS = 320, MOST_GROUP = 4 };
/* A block of samples for each so many pixels; tasks that a weight gradient is cut into, over patches if need be. */
enum { BLOCK_PIXELS = 256, LEAST_TASKS = 16, MOST_RUN = 48 };

/* How a pass is cut: follows from the shape, the instruction set and the workspace limit. */
struct layout {
    struct stoa_conv conv;
    size_t group;           /* pixels side by side in a row of the product */
    size_t taps, terms;     /* of a patch: its pixels, its numbers */
    size_t columns, stride; /* of the product; the weight's padded rows */
    size_t rows, images;    /* a tile: output rows of one image, or whole images */
    bool pads;              /* the image is copied */
    size_t line, image;     /* floats between lines and images of what the kernel reads */
    size_t view_floats;     /* of the copy */
    /* Backward weights: a patch is cut into runs of neighbouring numbers; blocks of samples by parts of the patch are tasks;
     * floats of one block's sums. */
    size_t run, blocks, parts, sum_floats;
};

static size_t lanes(const stoa_context *context) {
    static const size_t of[STOA_ISA_COUNT] = {
        [STOA_ISA_BASE] = 4, [STOA_ISA_AVX2] = 8, [STOA_ISA_AVX512] = 16};
    return of[context->isa];
}

/* The part of the multiplications that counts. */
static double useful(const stoa_context *context, const struct stoa_conv *conv, size_t group) {
    const struct stoa_window *w = &conv->window;
    double columns = (double)(group * conv->filters);
    return columns / (double)stoa_round_up(group * conv->filters, lanes(context)) * (double)w->kernel_width /
           (double)(w->kernel_width + (group - 1) * w->stride_width);
}

static size_t choose_group(const stoa_context *context, const struct stoa_conv *conv) {
    size_t best = 1;
    for (size_t group = 2; group <= MOST_GROUP; group++) {
        if (conv->window.out_width % group == 0 && conv->window.dilation_width == 1 &&
            group * conv->filters <= PANEL &&
            useful(context, conv, group) > 1.1 * useful(context, conv, best)) {
            best = group;
        }
    }
    return best;
}

/* Lines and columns of the image that output rows or columns read. */
static size_t reach(size_t outputs, size_t stride, size_t kernel, size_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
}

static void cut_tiles(const stoa_context *context, struct layout *l) {
    const struct stoa_window *w = &l->conv.window;
    size_t pixels = w->out_height * w->out_width;
    size_t width = reach(w->out_width, w->stride_width, w->kernel_width, w->dilation_width);
    l->pads = w->pad_top > 0 || w->pad_left > 0 || width > w->width ||
              reach(w->out_height, w->stride_height, w->kernel_height, w->dilation_height) > w->height;
    l->line = (l->pads ? width : w->width) * w->channels;
    l->rows = stoa_min(w->out_height, stoa_ceil_div(TILE_PIXELS, w->out_width));
    l->rows = stoa_ceil_div(w->out_height, stoa_ceil_div(w->out_height, l->rows));
    size_t limit = stoa_min(TILE_BYTES, context->workspace_limit) / sizeof(float);
    while (l->pads && l->rows > 1 &&
           reach(l->rows, w->stride_height, w->kernel_height, w->dilation_height) * l->line > limit) {
        l->rows = stoa_ceil_div(l->rows, 2);
    }
    size_t lines = reach(l->rows, w->stride_height, w->kernel_height, w->dilation_height);
    l->image = l->pads ? lines * l->line : w->height * l->line;
    l->images = 1;
    if (l->rows == w->out_height) {
        l->images = stoa_max(1, stoa_min(TILE_PIXELS / pixels, stoa_ceil_div(l->conv.batch, LEAST_TASKS)));
        l->images = l->pads ? stoa_max(1, stoa_min(l->images, limit / l->image)) : l->images;
    }
    l->view_floats = l->pads ? stoa_round_up(l->images * l->image, STOA_ALIGN_FLOATS) : 0;
}

/* A line of a patch, or a part of it that divides it evenly. */
static size_t choose_run(const struct stoa_window *w, size_t taps) {
    size_t line = w->dilation_width == 1 ? taps / w->kernel_height * w->channels : w->channels;
    size_t pieces = stoa_max(1, line / MOST_RUN);
    while (line % pieces != 0) {
        pieces--;
    }
    return line / pieces;
}

static struct layout layout_of(const stoa_context *context, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    struct layout l = {.conv = *conv, .group = choose_group(context, conv)};
    l.taps = w->kernel_height * (w->kernel_width + (l.group - 1) * w->stride_width);
    l.terms = l.taps * w->channels;
    l.columns = l.group * conv->filters;
    l.stride = stoa_round_up(l.columns, STOA_PRODUCT_LANES);
    cut_tiles(context, &l);
    l.sum_floats = stoa_round_up(l.terms * l.stride + conv->filters, STOA_ALIGN_FLOATS);
    size_t most = stoa_max(1, stoa_conv_pixels(conv) / BLOCK_PIXELS);
    l.blocks = stoa_reduction_blocks(context, l.sum_floats, stoa_min(conv->batch, most));
    l.run = choose_run(w, l.taps);
    l.parts = stoa_max(1, stoa_min(LEAST_TASKS / l.blocks, l.terms / l.run));
    return l;
}

/* Offsets of a patch's numbers. */
static void find_terms(const struct layout *l, size_t *term) {
    const struct stoa_window *w = &l->conv.window;
    size_t across = l->taps / w->kernel_height;
    for (size_t tap = 0; tap < l->taps; tap++) {
        size_t offset =
            tap / across * w->dilation_height * l->line + tap % across * w->dilation_width * w->channels;
        for (size_t c = 0; c < w->channels; c++) {
            *term++ = offset + c;
        }
    }
}

/* Offsets of a tile's output rows, and of their pixel groups one by one. */
static size_t row_offset(const struct layout *l, size_t row) {
    return row / l->rows * l->image + row % l->rows * l->conv.window.stride_height * l->line;
}

static size_t group_step(const struct layout *l) {
    return l->group * l->conv.window.stride_width * l->conv.window.channels;
}

static void find_rows(const struct layout *l, size_t *row) {
    for (size_t i = 0; i < l->images * l->rows; i++) {
        row[i] = row_offset(l, i);
    }
}

static void find_pixels(const struct layout *l, size_t *pixel) {
    size_t across = l->conv.window.out_width / l->group;
    for (size_t i = 0; i < l->images * l->rows * across; i++) {
        pixel[i] = row_offset(l, i / across) + i % across * group_step(l);
    }
}

/* Room for so many offsets. */
static size_t offsets(size_t count) {
    return stoa_round_up(count, STOA_ALIGN_BYTES / sizeof(size_t));
}

static size_t tile_groups(const struct layout *l) {
    return l->images * l->rows * l->conv.window.out_width / l->group;
}

/* The convolution over dy whose output is dx. */
static struct stoa_conv transposed(const struct stoa_conv *conv) {
    struct stoa_conv t = *conv;
    const struct stoa_window *w = &conv->window;
    t.filters = w->channels;
    t.window.height = w->out_height;
    t.window.width = w->out_width;
    t.window.channels = conv->filters;
    t.window.out_height = w->height;
    t.window.out_width = w->width;
    t.window.pad_top = (w->kernel_height - 1) * w->dilation_height - w->pad_top;
    t.window.pad_left = (w->kernel_width - 1) * w->dilation_width - w->pad_left;
    return t;
}

/* The convolution that a pass computes as a forward one, or whose weight gradient it is. */
static struct stoa_conv problem_of(const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    return pass == STOA_CONV_BACKWARD_DATA ? transposed(conv) : *conv;
}

/* Floats of one thread's copies: of the image, and of dy's rows where they do not fill vectors. */
static size_t thread_floats(const struct layout *l, enum stoa_conv_pass pass) {
    bool copies = pass == STOA_CONV_BACKWARD_WEIGHTS && l->stride != l->columns;
    return l->view_floats + (copies ? stoa_round_up(tile_groups(l) * l->stride, STOA_ALIGN_FLOATS) : 0);
}

/* What all threads share: offsets, and the packed weight or the sums of blocks. */
static size_t shared_bytes(const struct layout *l, enum stoa_conv_pass pass) {
    size_t room = offsets(l->terms) + offsets(l->terms / l->run) + offsets(tile_groups(l));
    size_t floats =
        pass == STOA_CONV_BACKWARD_WEIGHTS ? l->blocks * l->sum_floats : (l->terms + 1) * l->stride;
    return room * sizeof(size_t) + floats * sizeof(float);
}

static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    const struct stoa_window *w = &conv->window;
    /* 1x1 kernels have products of their own, without columns either. */
    if (conv->groups != 1 || stoa_plain_products(context) || w->kernel_height * w->kernel_width == 1) {
        return false;
    }
    if (pass == STOA_CONV_BACKWARD_DATA && (w->stride_height != 1 || w->stride_width != 1 ||
                                            w->pad_top > (w->kernel_height - 1) * w->dilation_height ||
                                            w->pad_left > (w->kernel_width - 1) * w->dilation_width)) {
        return false;
    }
    struct stoa_conv problem = problem_of(conv, pass);
    struct layout l = layout_of(context, &problem);
    return thread_floats(&l, pass) * sizeof(float) <= context->workspace_limit &&
           stoa_conv_shared_fits(context, shared_bytes(&l, pass));
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t *bytes) {
    struct stoa_conv problem = problem_of(conv, pass);
    struct layout l = layout_of(context, &problem);
    return stoa_size_mul(thread_floats(&l, pass) * sizeof(float), context->threads, bytes) &&
           stoa_size_add(*bytes, shared_bytes(&l, pass), bytes);
}

static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    struct stoa_conv problem = problem_of(conv, pass);
    struct layout l = layout_of(context, &problem);
    double pixels = (double)stoa_conv_pixels(&problem);
    double flops = 2 * pixels * (double)stoa_conv_column(&problem) * (double)problem.filters;
    double copied = l.pads ? 2 * pixels / (double)l.conv.window.out_width * (double)l.line : 0;
    bool to_weights = pass == STOA_CONV_BACKWARD_WEIGHTS;
    double sums = to_weights ? 3 * (double)l.blocks * (double)l.sum_floats : (double)(l.terms * l.stride);
    return stoa_cost_kernel(context, flops / useful(context, &problem, l.group), l.stride, l.terms,
                            to_weights ? l.run : l.conv.window.out_width / l.group) +
           stoa_cost_tile(context, copied + sums) +
           stoa_cost_stream(context, pixels * (double)problem.filters +
                                         (double)(conv->batch * conv->window.height * conv->window.width) *
                                             (double)conv->window.channels);
}

/* What the tasks of a pass share. */
struct pass {
    const stoa_context *context;
    struct layout layout;
    const float *x, *weight, *bias, *dy;
    float *y;
    bool relu, turned; /* the weight is [KH KW C][K] of the other direction: backward data */
    float *packed;     /* [terms][stride] in panels of PANEL columns, then the bias once a pixel of a group */
    float *sums;       /* backward weights: of blocks, [terms][stride] and the bias's */
    float *dweight, *dbias;
    size_t *row, *pixel, *term; /* offsets in the view */
    float *views;               /* threads x thread_floats */
    size_t thread_floats;
};

/* Tiles of a range of images. */
struct tile {
    size_t image, images, row, rows;
};

static size_t tile_count(const struct layout *l, size_t images) {
    return stoa_ceil_div(images, l->images) * stoa_ceil_div(l->conv.window.out_height, l->rows);
}

static struct tile tile_at(const struct layout *l, size_t first, size_t images, size_t number) {
    size_t down = stoa_ceil_div(l->conv.window.out_height, l->rows);
    struct tile t = {.image = number / down * l->images, .row = number % down * l->rows};
    t.images = stoa_min(l->images, images - t.image);
    t.image += first;
    t.rows = stoa_min(l->rows, l->conv.window.out_height - t.row);
    return t;
}

/* One line of the padded copy; `line` counts from the top of the image and may lie outside. */
static void copy_line(const struct layout *l, const float *image, size_t line, float *out) {
    const struct stoa_window *w = &l->conv.window;
    if (line < w->pad_top || line - w->pad_top >= w->height) {
        memset(out, 0, l->line * sizeof *out);
        return;
    }
    size_t left = stoa_min(w->pad_left * w->channels, l->line);
    size_t inside = stoa_min(w->width * w->channels, l->line - left);
    memset(out, 0, left * sizeof *out);
    memcpy(out + left, image + (line - w->pad_top) * w->width * w->channels, inside * sizeof *out);
    memset(out + left + inside, 0, (l->line - left - inside) * sizeof *out);
}

/* The image under a tile: where it lies, or a padded copy of it. */
static const float *view_of(const struct pass *p, const struct tile *t, float *copy) {
    const struct layout *l = &p->layout;
    const struct stoa_window *w = &l->conv.window;
    const float *image = p->x + t->image * w->height * w->width * w->channels;
    if (!l->pads) {
        return image + t->row * w->stride_height * l->line;
    }
    size_t lines = reach(t->rows, w->stride_height, w->kernel_height, w->dilation_height);
    for (size_t i = 0; i < t->images; i++) {
        for (size_t line = 0; line < lines; line++) {
            copy_line(l, image + i * w->height * w->width * w->channels, t->row * w->stride_height + line,
                      copy + i * l->image + line * l->line);
        }
    }
    return copy;
}

static size_t first_pixel(const struct layout *l, const struct tile *t) {
    return (t->image * l->conv.window.out_height + t->row) * l->conv.window.out_width;
}

/* Pixel groups of a tile: the first ones of a whole tile's. */
static size_t groups_of(const struct layout *l, const struct tile *t) {
    return t->images * t->rows * l->conv.window.out_width / l->group;
}

static void forward_tile(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct layout *l = &p->layout;
    struct tile t = tile_at(l, 0, l->conv.batch, task);
    const float *view = view_of(p, &t, p->views + thread * p->thread_floats);
    size_t pixel = first_pixel(l, &t);
    for (size_t j = 0; j < l->columns; j += PANEL) {
        float *y = p->y + pixel * l->conv.filters + j;
        const float *start = p->bias ? p->packed + l->terms * l->stride + j : NULL;
        size_t width = stoa_min(PANEL, l->stride - j);
        for (size_t k = 0; k < l->terms; k += PANEL_TERMS) {
            struct stoa_gather gather = {.row = p->row,
                                         .run = l->conv.window.out_width / l->group,
                                         .step = group_step(l),
                                         .term = p->term + k};
            p->context->kernels->product(&gather, groups_of(l, &t), stoa_min(PANEL, l->columns - j),
                                         stoa_min(PANEL_TERMS, l->terms - k), view,
                                         p->packed + j * l->terms + k * width, width, k == 0 ? start : y, y,
                                         l->columns);
        }
    }
    stoa_conv_finish(p->context, &l->conv, NULL, p->relu, pixel, groups_of(l, &t) * l->group, p->y);
}

/* One tap of a panel: channels by the columns of the panel. */
static void pack_tap(const struct pass *p, size_t tap, size_t first, size_t width, float *out) {
    const struct layout *l = &p->layout;
    const struct stoa_window *w = &l->conv.window;
    size_t filters = l->conv.filters;
    size_t across = l->taps / w->kernel_height;
    memset(out, 0, w->channels * width * sizeof *out);
    for (size_t g = 0; g < l->group; g++) {
        size_t kw = tap % across - g * w->stride_width; /* wraps to the left of the window */
        if (kw >= w->kernel_width) {
            continue;
        }
        size_t from = tap / across * w->kernel_width + kw;
        size_t count = stoa_min(width, filters - first);
        if (p->turned) {
            from = w->kernel_height * w->kernel_width - 1 - from;
            const float *weight = p->weight + (from * filters + first) * w->channels;
            p->context->kernels->transpose(weight, count, w->channels, w->channels, out + g * filters, width);
            continue;
        }
        for (size_t c = 0; c < w->channels; c++) {
            memcpy(out + c * width + g * filters, p->weight + (from * w->channels + c) * filters + first,
                   count * sizeof *out);
        }
    }
}

static void pack_taps(void *argument, size_t tap, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct layout *l = &p->layout;
    size_t channels = l->conv.window.channels;
    for (size_t j = 0; j < l->columns; j += PANEL) {
        size_t width = stoa_min(PANEL, l->stride - j);
        pack_tap(p, tap, j, width, p->packed + j * l->terms + tap * channels * width);
    }
}

static void run_forward(struct pass *p, void *scratch) {
    const struct layout *l = &p->layout;
    size_t filters = l->conv.filters;
    p->packed = scratch;
    p->term = (size_t *)(void *)(p->packed + (l->terms + 1) * l->stride);
    p->row = p->term + offsets(l->terms);
    p->views = (float *)(void *)(p->row + offsets(tile_groups(l)));
    p->thread_floats = thread_floats(l, STOA_CONV_FORWARD);
    find_rows(l, p->row);
    find_terms(l, p->term);
    for (size_t g = 0; p->bias && g < l->group; g++) {
        memcpy(p->packed + l->terms * l->stride + g * filters, p->bias, filters * sizeof(float));
    }
    stoa_parallel(p->context, l->taps, pack_taps, p);
    stoa_parallel(p->context, tile_count(l, l->conv.batch), forward_tile, p);
}

static void forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *scratch) {
    struct pass p = {.context = context,
                     .layout = layout_of(context, conv),
                     .x = x,
                     .weight = weight,
                     .bias = bias,
                     .relu = relu,
                     .y = y};
    run_forward(&p, scratch);
}

static void backward_data(const stoa_context *context, const struct stoa_conv *conv, const float *dy,
                          const float *weight, float *dx, void *scratch) {
    struct stoa_conv problem = transposed(conv);
    struct pass p = {.context = context,
                     .layout = layout_of(context, &problem),
                     .x = dy,
                     .weight = weight,
                     .y = dx,
                     .turned = true};
    run_forward(&p, scratch);
}

/* dy of a tile in rows of whole vectors: where it lies, or a copy. */
static const float *rows_of_dy(const struct pass *p, const struct tile *t, float *copy) {
    const struct layout *l = &p->layout;
    const float *dy = p->dy + first_pixel(l, t) * l->conv.filters;
    if (l->stride == l->columns) {
        return dy;
    }
    for (size_t i = 0; i < groups_of(l, t); i++) {
        memcpy(copy + i * l->stride, dy + i * l->columns, l->columns * sizeof *copy);
        memset(copy + i * l->stride + l->columns, 0, (l->stride - l->columns) * sizeof *copy);
    }
    return copy;
}

static void weights_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct layout *l = &p->layout;
    const struct stoa_window *w = &l->conv.window;
    size_t block = task / l->parts;
    size_t part = task % l->parts;
    size_t first = block * l->conv.batch / l->blocks;
    size_t images = (block + 1) * l->conv.batch / l->blocks - first;
    size_t runs = l->terms / l->run;
    size_t run = part * runs / l->parts;
    size_t terms = ((part + 1) * runs / l->parts - run) * l->run;
    float *sums = p->sums + block * l->sum_floats;
    float *view_copy = p->views + thread * p->thread_floats;
    for (size_t i = 0; i < tile_count(l, images); i++) {
        struct tile t = tile_at(l, first, images, i);
        const float *view = view_of(p, &t, view_copy);
        const float *dy = rows_of_dy(p, &t, view_copy + l->view_floats);
        struct stoa_gather gather = {.row = p->row + run, .run = l->run, .step = 1, .term = p->pixel};
        for (size_t j = 0; j < l->stride; j += PANEL) {
            float *sum = sums + run * l->run * l->stride + j;
            p->context->kernels->product(&gather, terms, stoa_min(PANEL, l->stride - j), groups_of(l, &t),
                                         view, dy + j, l->stride, i > 0 ? sum : NULL, sum, l->stride);
        }
    }
    if (p->dbias && part == 0) {
        size_t filters = l->conv.filters;
        size_t pixels = w->out_height * w->out_width;
        p->context->kernels->column_sums(p->dy + first * pixels * filters, images * pixels, filters, filters,
                                         sums + l->terms * l->stride);
    }
}

/* One tap of the gradient: the sum of its places in the band. */
static void fold_tap(void *argument, size_t tap, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct layout *l = &p->layout;
    const struct stoa_window *w = &l->conv.window;
    size_t across = l->taps / w->kernel_height;
    for (size_t c = 0; c < w->channels; c++) {
        float *out = p->dweight + (tap * w->channels + c) * l->conv.filters;
        for (size_t g = 0; g < l->group; g++) {
            size_t kw = tap % w->kernel_width + g * w->stride_width;
            size_t term = (tap / w->kernel_width * across + kw) * w->channels + c;
            const float *sum = p->sums + term * l->stride + g * l->conv.filters;
            if (g == 0) {
                memcpy(out, sum, l->conv.filters * sizeof *out);
            } else {
                p->context->kernels->accumulate(sum, out, l->conv.filters);
            }
        }
    }
}

static void backward_weights(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const float *dy, float *dweight, float *dbias, void *scratch) {
    struct pass p = {.context = context,
                     .layout = layout_of(context, conv),
                     .x = x,
                     .dy = dy,
                     .dweight = dweight,
                     .dbias = dbias,
                     .sums = scratch};
    const struct layout *l = &p.layout;
    p.term = (size_t *)(void *)(p.sums + l->blocks * l->sum_floats);
    p.row = p.term + offsets(l->terms);
    p.pixel = p.row + offsets(l->terms / l->run);
    p.views = (float *)(void *)(p.pixel + offsets(tile_groups(l)));
    p.thread_floats = thread_floats(l, STOA_CONV_BACKWARD_WEIGHTS);
    find_terms(l, p.term);
    find_pixels(l, p.pixel);
    for (size_t i = 0; i < l->terms / l->run; i++) {
        p.row[i] = p.term[i * l->run];
    }
    stoa_parallel(context, l->blocks * l->parts, weights_task, &p);
    stoa_reduce_blocks(context, p.sums, l->sum_floats, l->blocks, l->sum_floats, p.sums);
    stoa_parallel(context, conv->window.kernel_height * conv->window.kernel_width, fold_tap, &p);
    if (dbias) {
        memcpy(dbias, p.sums + l->terms * l->stride, conv->filters * sizeof *dbias);
    }
}

static void describe(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     char *out, size_t size) {
    struct stoa_conv problem = problem_of(conv, pass);
    struct layout l = layout_of(context, &problem);
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        (void)snprintf(out, size, "implicit, %zu pixels a row, %zu blocks of samples, %zu of patches",
                       l.group, l.blocks, l.parts);
    } else {
        (void)snprintf(out, size, "implicit, %zu pixels a row, %zu tiles of %zu pixels", l.group,
                       tile_count(&l, problem.batch), tile_groups(&l) * l.group);
    }
}

const struct stoa_conv_algorithm stoa_conv_implicit = {
    .name = "implicit",
    .applicable = applicable,
    .workspace = workspace,
    .cost = cost,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .describe = describe,
};
