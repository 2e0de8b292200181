/* Convolution with 3x3 kernels and stride 1 by Winograd's minimal filtering, forward and to the input's gradient.
 * Floor 4.
 *
 * See kernels/winograd.h for the transforms. A block of tiles is transformed to one matrix for each point, [tiles][C];
 * these are multiplied by the transformed weights, [C][K], and the products transformed to outputs, all while the block
 * is in a core's L2. The gradient of the input is the same convolution of the output's gradient with weights transposed
 * and turned by half a turn.
 *
 * Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. */
#include <stdio.h>

#include "base/size.h"
#include "blas/gemm.h"
#include "conv/cost.h"
#include "conv/winograd.h"
#include "core/threads.h"

enum { TAPS = STOA_WINOGRAD_TAPS, WEIGHT_ROWS = 16 };

/* A block's matrices take BLOCK_BYTES where that is more than LEAST_TILES: two passes of the products' kernels over the
 * weights, which come from the outer caches where the layer is wide. */
enum { LEAST_TILES = 24, TILE_UNIT = 12, BLOCK_BYTES = 448 << 10 };

/* Weights are transformed once for all threads, to 4 (F4) or 2 times their size; that is not scratch of a thread, but
 * bounded as well. */
static const size_t WEIGHT_LIMITS = 64;

/* A convolution as the transforms see it. */
struct shape {
    struct stoa_window window; /* of the tensor that is read */
    size_t channels, filters;  /* of what is read and written */
    struct stoa_winograd_grid grid;
    size_t points;                               /* of a tile, in all */
    size_t tiles;                                /* a block; 0: the workspace limit holds none */
    size_t weight_step, input_step, output_step; /* floats from point to point */
};

static size_t tiles_of(const stoa_context *context, const struct shape *s) {
    size_t bytes = s->points * (s->channels + s->filters) * sizeof(float);
    size_t gaps = 2 * s->points * (STOA_WINOGRAD_GAP + STOA_ALIGN_FLOATS) * sizeof(float);
    size_t limit = context->workspace_limit > gaps ? context->workspace_limit - gaps : 0;
    size_t tiles = stoa_max(LEAST_TILES, BLOCK_BYTES / bytes / TILE_UNIT * TILE_UNIT);
    if (tiles * bytes > limit) {
        tiles = limit / bytes;
        tiles = tiles > TILE_UNIT ? tiles / TILE_UNIT * TILE_UNIT : tiles;
    }
    return stoa_min(tiles, s->grid.end);
}

static struct shape shape_of(const stoa_context *context, const struct stoa_conv *conv,
                             enum stoa_conv_pass pass, size_t tile) {
    struct shape s = {.window = conv->window, .channels = conv->window.channels, .filters = conv->filters};
    if (pass == STOA_CONV_BACKWARD_DATA) {
        const struct stoa_window *w = &conv->window;
        s.window.height = w->out_height;
        s.window.width = w->out_width;
        s.window.out_height = w->height;
        s.window.out_width = w->width;
        s.window.pad_top = TAPS - 1 - w->pad_top;
        s.window.pad_left = TAPS - 1 - w->pad_left;
        s.window.channels = s.channels = conv->filters;
        s.filters = w->channels;
    }
    s.grid = stoa_winograd_grid_of(tile, conv->batch, s.window.out_height, s.window.out_width);
    s.points = s.grid.points * s.grid.points;
    s.tiles = tiles_of(context, &s);
    s.weight_step = stoa_winograd_step(s.channels * s.filters);
    s.input_step = stoa_winograd_step(s.tiles * s.channels);
    s.output_step = stoa_winograd_step(s.tiles * s.filters);
    return s;
}

static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                       size_t tile) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS || !stoa_winograd_fits(context, conv)) {
        return false;
    }
    struct shape s = shape_of(context, conv, pass, tile);
    return s.tiles > 0 &&
           s.weight_step <= WEIGHT_LIMITS * context->workspace_limit / (s.points * sizeof(float));
}

/* A thread's scratch. */
static size_t block_floats(const struct shape *s) {
    return s->points * (s->input_step + s->output_step);
}

/* The weights transposed, for backward data. */
static size_t transposed_floats(const struct shape *s, enum stoa_conv_pass pass) {
    size_t floats = (size_t)TAPS * TAPS * s->channels * s->filters;
    return pass == STOA_CONV_BACKWARD_DATA ? stoa_round_up(floats, STOA_ALIGN_FLOATS) : 0;
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t tile, size_t *bytes) {
    /* What applicable() has bounded cannot overflow. */
    struct shape s = shape_of(context, conv, pass, tile);
    size_t floats = 0;
    return stoa_size_mul(block_floats(&s), context->threads, &floats) &&
           stoa_size_add(floats, s.points * s.weight_step + transposed_floats(&s, pass), &floats) &&
           stoa_size_mul(floats, sizeof(float), bytes);
}

static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                   size_t tile) {
    struct shape s = shape_of(context, conv, pass, tile);
    double rows = stoa_winograd_rows(&s.grid);
    double weights = (double)s.channels * (double)s.filters;
    double pixels =
        (double)conv->batch * (double)(s.window.height * s.window.width) * (double)s.channels +
        (double)conv->batch * (double)(s.window.out_height * s.window.out_width) * (double)s.filters;
    double moved = rows * stoa_winograd_vectors(context, s.channels) +
                   rows * stoa_winograd_vectors(context, s.filters) + 2 * (double)s.points * weights;
    return stoa_cost_product(context, 2 * rows * weights, s.filters, s.channels) +
           stoa_cost_tile(context, 1.5 * moved) + stoa_cost_stream(context, pixels);
}

struct pass {
    const stoa_context *context;
    struct shape s;
    const float *x, *bias;
    float *y;
    bool relu;
    const float *weight; /* tap (0, 0) of channel 0; the next line and tap */
    ptrdiff_t line, tap;
    float *weights, *scratch; /* transformed; a block for each thread */
};

static void transform_weights(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    size_t first = task * WEIGHT_ROWS;
    size_t rows = stoa_min(WEIGHT_ROWS, p->s.channels - first);
    size_t filters = p->s.filters;
    p->context->kernels->winograd_weights(p->s.grid.points, p->weight + first * filters, p->line, p->tap,
                                          rows, filters, filters, p->weights + first * filters, filters,
                                          p->s.weight_step);
}

static void transform_inputs(const struct pass *p, size_t first, size_t end, float *v) {
    const struct stoa_window *w = &p->s.window;
    for (size_t i = first; i < end; i++, v += p->s.channels) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(&p->s.grid, i, &tile);
        p->context->kernels->winograd_input(w, &tile, p->s.grid.points,
                                            p->x + image * w->height * w->width * p->s.channels, v,
                                            p->s.input_step);
    }
}

static void transform_outputs(const struct pass *p, size_t first, size_t end, const float *sums) {
    const struct stoa_window *w = &p->s.window;
    size_t filters = p->s.filters;
    for (size_t i = first; i < end; i++, sums += filters) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(&p->s.grid, i, &tile);
        p->context->kernels->winograd_output(
            &tile, p->s.grid.points, sums, p->s.output_step, filters, p->bias, p->relu,
            p->y + image * w->out_height * w->out_width * filters, w->out_width * filters, filters);
    }
}

static void run_block(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct shape *s = &p->s;
    size_t first = task * s->tiles;
    size_t end = stoa_min(first + s->tiles, s->grid.end);
    float *v = p->scratch + thread * block_floats(s);
    float *sums = v + s->points * s->input_step;
    transform_inputs(p, first, end, v);
    for (size_t point = 0; point < s->points; point++) {
        size_t begin;
        size_t stop;
        stoa_winograd_range(&s->grid, point, first, end, &begin, &stop);
        stoa_gemm_run(&(struct stoa_gemm){.m = stop - begin,
                                          .n = s->filters,
                                          .k = s->channels,
                                          .alpha = 1,
                                          .a = v + point * s->input_step + (begin - first) * s->channels,
                                          .lda = s->channels,
                                          .b = p->weights + point * s->weight_step,
                                          .ldb = s->filters,
                                          .c = sums + point * s->output_step + (begin - first) * s->filters,
                                          .ldc = s->filters,
                                          .kernels = p->context->kernels});
    }
    transform_outputs(p, first, end, sums);
}

static void run(struct pass *p) {
    p->scratch = p->weights + p->s.points * p->s.weight_step;
    stoa_parallel(p->context, stoa_ceil_div(p->s.channels, WEIGHT_ROWS), transform_weights, p);
    stoa_parallel(p->context, stoa_ceil_div(p->s.grid.end, p->s.tiles), run_block, p);
}

static void forward(const stoa_context *context, const struct stoa_conv *conv, size_t tile, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *scratch) {
    struct pass p = {.context = context,
                     .s = shape_of(context, conv, STOA_CONV_FORWARD, tile),
                     .x = x,
                     .y = y,
                     .bias = bias,
                     .relu = relu,
                     .weight = weight,
                     .weights = scratch};
    p.tap = (ptrdiff_t)(p.s.channels * p.s.filters);
    p.line = TAPS * p.tap;
    run(&p);
}

/* One tap's matrix, for backward data. */
struct transposition {
    const stoa_context *context;
    const float *from;
    float *to;
    size_t channels, filters;
};

static void transpose_tap(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct transposition *t = argument;
    size_t at = task * t->channels * t->filters;
    t->context->kernels->transpose(t->from + at, t->channels, t->filters, t->filters, t->to + at,
                                   t->channels);
}

static void backward_data(const stoa_context *context, const struct stoa_conv *conv, size_t tile,
                          const float *dy, const float *weight, float *dx, void *scratch) {
    float *transposed = scratch;
    struct pass p = {
        .context = context, .s = shape_of(context, conv, STOA_CONV_BACKWARD_DATA, tile), .x = dy, .y = dx};
    size_t last_tap = (size_t)(TAPS * TAPS - 1) * p.s.channels * p.s.filters;
    struct transposition t = {context, weight, transposed, conv->window.channels, conv->filters};
    stoa_parallel(context, (size_t)TAPS * TAPS, transpose_tap, &t);
    p.weights = transposed + transposed_floats(&p.s, STOA_CONV_BACKWARD_DATA);
    p.weight = transposed + last_tap; /* and backwards: half a turn */
    p.tap = -(ptrdiff_t)(p.s.channels * p.s.filters);
    p.line = TAPS * p.tap;
    run(&p);
}

static void describe(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     size_t tile, char *out, size_t size) {
    struct shape s = shape_of(context, conv, pass, tile);
    (void)snprintf(out, size, "winograd%zu, %zu blocks of %zu tiles", tile,
                   stoa_ceil_div(s.grid.end, s.tiles), s.tiles);
}

/* The two algorithms differ in the size of their tiles. */
#define ALGORITHM(TILE)                                                                                      \
    static bool applicable_##TILE(const stoa_context *context, const struct stoa_conv *conv,                 \
                                  enum stoa_conv_pass pass) {                                                \
        return applicable(context, conv, pass, TILE);                                                        \
    }                                                                                                        \
    static bool workspace_##TILE(const stoa_context *context, const struct stoa_conv *conv,                  \
                                 enum stoa_conv_pass pass, size_t *bytes) {                                  \
        return workspace(context, conv, pass, TILE, bytes);                                                  \
    }                                                                                                        \
    static double cost_##TILE(const stoa_context *context, const struct stoa_conv *conv,                     \
                              enum stoa_conv_pass pass) {                                                    \
        return cost(context, conv, pass, TILE);                                                              \
    }                                                                                                        \
    static void forward_##TILE(const stoa_context *context, const struct stoa_conv *conv, const float *x,    \
                               const float *weight, const float *bias, bool relu, float *y, void *scratch) { \
        forward(context, conv, TILE, x, weight, bias, relu, y, scratch);                                     \
    }                                                                                                        \
    static void backward_data_##TILE(const stoa_context *context, const struct stoa_conv *conv,              \
                                     const float *dy, const float *weight, float *dx, void *scratch) {       \
        backward_data(context, conv, TILE, dy, weight, dx, scratch);                                         \
    }                                                                                                        \
    static void describe_##TILE(const stoa_context *context, const struct stoa_conv *conv,                   \
                                enum stoa_conv_pass pass, char *out, size_t size) {                          \
        describe(context, conv, pass, TILE, out, size);                                                      \
    }                                                                                                        \
    const struct stoa_conv_algorithm stoa_conv_winograd##TILE = {                                            \
        .name = "winograd" #TILE,                                                                            \
        .applicable = applicable_##TILE,                                                                     \
        .workspace = workspace_##TILE,                                                                       \
        .cost = cost_##TILE,                                                                                 \
        .forward = forward_##TILE,                                                                           \
        .backward_data = backward_data_##TILE,                                                               \
        .describe = describe_##TILE,                                                                         \
    };

ALGORITHM(2)
ALGORITHM(4)
