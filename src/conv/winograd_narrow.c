/* Winograd's convolution for narrow layers, whose transformed weights stay in a core's L2 or near it. Floor 4.
 *
 * The weights are transformed once for all threads, [points][C][K]. A block of tiles is transformed, [points][tiles][C],
 * multiplied by them and transformed to outputs, all while it is in a core's L2. */
#include "base/size.h"
#include "blas/gemm.h"
#include "conv/winograd.h"
#include "core/threads.h"

enum { WEIGHT_ROWS = 16 };

/* Two passes of the products' kernels over the weights pay for their way from the outer caches; where weights are small
 * a block may take more tiles, which saves calls. */
enum { LEAST_TILES = 24, TILE_UNIT = 12, BLOCK_BYTES = 448 << 10 };

struct cut {
    size_t tiles; /* a block; 0: the workspace limit holds none */
    size_t weight_step, input_step, output_step;
    size_t patch, block, transposed; /* floats of a thread, and of the weights transposed for backward data */
};

static size_t tiles_of(const stoa_context *context, const struct stoa_winograd *p) {
    size_t bytes = p->points * (p->in.row + p->filters) * sizeof(float);
    size_t gaps = 2 * p->points * (STOA_WINOGRAD_GAP + STOA_ALIGN_FLOATS) * sizeof(float) +
                  stoa_winograd_patch(&p->in, p->grid.points) * sizeof(float);
    size_t limit = context->workspace_limit > gaps ? context->workspace_limit - gaps : 0;
    size_t tiles = stoa_max(LEAST_TILES, BLOCK_BYTES / bytes / TILE_UNIT * TILE_UNIT);
    if (tiles * bytes > limit) {
        tiles = limit / bytes;
        tiles = tiles > TILE_UNIT ? tiles / TILE_UNIT * TILE_UNIT : tiles;
    }
    return stoa_min(tiles, p->grid.end);
}

static size_t taps_of(const struct stoa_winograd *p) {
    return p->in.taps * p->in.taps;
}

static struct cut cut_of(const stoa_context *context, const struct stoa_winograd *p) {
    struct cut cut = {.tiles = tiles_of(context, p), .patch = stoa_winograd_patch(&p->in, p->grid.points)};
    size_t matrix = p->in.channels * p->filters;
    cut.weight_step = stoa_winograd_step(matrix);
    cut.input_step = stoa_winograd_step(cut.tiles * p->in.row);
    cut.output_step = stoa_winograd_step(cut.tiles * p->filters);
    cut.block = cut.patch + p->points * (cut.input_step + cut.output_step);
    cut.transposed = p->to_data ? stoa_round_up(taps_of(p) * matrix, STOA_ALIGN_FLOATS) : 0;
    return cut;
}

bool stoa_winograd_narrow_applicable(const stoa_context *context, const struct stoa_winograd *p) {
    struct cut cut = cut_of(context, p);
    return cut.tiles > 0 && stoa_conv_shared_fits(context, cut.weight_step * p->points * sizeof(float));
}

bool stoa_winograd_narrow_workspace(const stoa_context *context, const struct stoa_winograd *p,
                                    size_t *bytes) {
    struct cut cut = cut_of(context, p);
    size_t floats;
    return stoa_size_mul(cut.block, context->threads, &floats) &&
           stoa_size_add(floats, p->points * cut.weight_step + cut.transposed, &floats) &&
           stoa_size_mul(floats, sizeof(float), bytes);
}

struct pass {
    const stoa_context *context;
    const struct stoa_winograd *p;
    struct cut cut;
    float *transposed, *transformed, *scratch;
    const float *weights; /* as transformed here, or before */
};

static void transpose_tap(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *pass = argument;
    const struct stoa_winograd *p = pass->p;
    size_t channels = p->in.channels;
    size_t at = task * channels * p->filters;
    pass->context->kernels->transpose(p->weight + at, p->filters, channels, channels, pass->transposed + at,
                                      p->filters);
}

static void transform_weights(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *pass = argument;
    const struct stoa_winograd *p = pass->p;
    size_t channel = task * WEIGHT_ROWS;
    size_t channels = stoa_min(WEIGHT_ROWS, p->in.channels - channel);
    float *u = pass->transformed + channel * p->filters;
    if (!p->to_data) {
        stoa_winograd_weights(pass->context, p, channel, channels, 0, p->filters, u, pass->cut.weight_step);
        return;
    }
    struct stoa_winograd_taps taps;
    const float *last = pass->transposed + stoa_winograd_turned(p, p->in.channels * p->filters, &taps);
    pass->context->kernels->winograd_weights(p->grid.points, last + channel * p->filters, &taps, channels,
                                             p->filters, p->filters, u, p->filters, pass->cut.weight_step);
}

static void run_block(void *argument, size_t task, size_t thread) {
    const struct pass *pass = argument;
    const struct stoa_winograd *p = pass->p;
    const struct cut *cut = &pass->cut;
    size_t first = task * cut->tiles;
    size_t end = stoa_min(first + cut->tiles, p->grid.end);
    float *patch = pass->scratch + thread * cut->block;
    float *v = patch + cut->patch;
    float *sums = v + p->points * cut->input_step;
    stoa_winograd_inputs(pass->context, &p->in, &p->grid, p->x, first, end, patch, v, cut->input_step);
    for (size_t point = 0; point < p->points; point++) {
        size_t begin;
        size_t stop;
        stoa_winograd_range(&p->grid, point, first, end, &begin, &stop);
        stoa_gemm_run(&(struct stoa_gemm){.m = stop - begin,
                                          .n = p->filters,
                                          .k = p->in.channels,
                                          .alpha = 1,
                                          .a = v + point * cut->input_step + (begin - first) * p->in.row,
                                          .lda = p->in.row,
                                          .b = pass->weights + point * cut->weight_step,
                                          .ldb = p->filters,
                                          .c = sums + point * cut->output_step + (begin - first) * p->filters,
                                          .ldc = p->filters,
                                          .kernels = pass->context->kernels});
    }
    stoa_winograd_outputs(pass->context, p, first, end, 0, p->filters, sums, cut->output_step);
}

static void transform(struct pass *pass) {
    if (pass->p->to_data) {
        stoa_parallel(pass->context, taps_of(pass->p), transpose_tap, pass);
    }
    stoa_parallel(pass->context, stoa_ceil_div(pass->p->in.channels, WEIGHT_ROWS), transform_weights, pass);
}

static size_t transformed_floats(const struct pass *pass) {
    return pass->p->points * pass->cut.weight_step;
}

size_t stoa_winograd_narrow_prepared_bytes(const stoa_context *context, const struct stoa_winograd *p) {
    struct pass pass = {.p = p, .cut = cut_of(context, p)};
    return transformed_floats(&pass) * sizeof(float);
}

void stoa_winograd_narrow_prepare(const stoa_context *context, const struct stoa_winograd *p,
                                  float *prepared) {
    struct pass pass = {.context = context, .p = p, .cut = cut_of(context, p), .transformed = prepared};
    transform(&pass);
}

void stoa_winograd_narrow_run(const stoa_context *context, const struct stoa_winograd *p, void *scratch) {
    struct pass pass = {.context = context, .p = p, .cut = cut_of(context, p), .transposed = scratch};
    pass.transformed = pass.transposed + pass.cut.transposed;
    pass.scratch = pass.transformed + transformed_floats(&pass);
    pass.weights = p->prepared ? p->prepared : pass.transformed;
    if (!p->prepared) {
        transform(&pass);
    }
    stoa_parallel(context, stoa_winograd_narrow_blocks(context, p), run_block, &pass);
}

size_t stoa_winograd_narrow_blocks(const stoa_context *context, const struct stoa_winograd *p) {
    size_t tiles = cut_of(context, p).tiles;
    return tiles > 0 ? stoa_ceil_div(p->grid.end, tiles) : 0;
}
