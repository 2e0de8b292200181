/* Convolution with 3x3 kernels and stride 1 by Winograd's minimal filtering: the algorithms winograd2, winograd4 and
 * winograd6, with tiles of 2x2, 4x4 and 6x6 outputs. Floor 4.
 *
 * See kernels/winograd.h for the transforms. Inputs and weights are transformed to one matrix for each point of a tile;
 * the matrices of a point are multiplied, [tiles][C] by [C][K], and the products transformed to outputs. The gradient of
 * the input is the same convolution of the output's gradient; that of the weights has a file of its own.
 *
 * A number that is not finite reaches all outputs of the tiles that read it, not only those whose kernel does.
 *
 * Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. */
#include <stdio.h>

#include "base/size.h"
#include "conv/cost.h"
#include "conv/winograd.h"

/* Weights of more than C K floats a point are transformed where they are needed. */
enum { NARROW = 128 * 128 };

static struct stoa_winograd pass_of(const struct stoa_conv *conv, enum stoa_conv_pass pass, size_t tile) {
    const struct stoa_window *w = &conv->window;
    struct stoa_winograd p = {.window = *w, .channels = w->channels, .filters = conv->filters};
    if (pass == STOA_CONV_BACKWARD_DATA) {
        p.window.height = w->out_height;
        p.window.width = w->out_width;
        p.window.out_height = w->height;
        p.window.out_width = w->width;
        p.window.pad_top = STOA_WINOGRAD_TAPS - 1 - w->pad_top;
        p.window.pad_left = STOA_WINOGRAD_TAPS - 1 - w->pad_left;
        p.window.channels = p.channels = conv->filters;
        p.filters = w->channels;
        p.to_data = true;
    }
    p.grid = stoa_winograd_grid_of(tile, conv->batch, p.window.out_height, p.window.out_width);
    p.points = p.grid.points * p.grid.points;
    return p;
}

static bool is_narrow(const stoa_context *context, const struct stoa_winograd *p) {
    return p->channels * p->filters <= NARROW && stoa_winograd_narrow_applicable(context, p);
}

/* The largest tiles move the fewest numbers, but only while a block of them stays in L2 with all its points: wider layers
 * are faster with tiles of 4x4 (measured by as much as a third). Their errors are ten times as large, too large where a sum
 * over few channels does not even them out. */
static bool suits_large_tiles(const struct stoa_conv *conv, enum stoa_conv_pass pass, size_t points) {
    enum { TILES = 24, INNER_BYTES = 5 << 18, LEAST_CHANNELS = 16 };
    size_t channels = conv->window.channels;
    bool fits = (channels + conv->filters) * points * TILES * sizeof(float) <= INNER_BYTES;
    return channels >= LEAST_CHANNELS && conv->filters >= LEAST_CHANNELS &&
           (fits || pass == STOA_CONV_BACKWARD_WEIGHTS);
}

static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                       size_t tile) {
    size_t points = (tile + STOA_WINOGRAD_TAPS - 1) * (tile + STOA_WINOGRAD_TAPS - 1);
    if (!stoa_winograd_fits(context, conv) ||
        (tile == STOA_WINOGRAD_LARGE_TILE && !suits_large_tiles(conv, pass, points))) {
        return false;
    }
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_winograd_weights_applicable(context, conv, tile);
    }
    struct stoa_winograd p = pass_of(conv, pass, tile);
    return is_narrow(context, &p) || stoa_winograd_wide_applicable(context, &p);
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t tile, size_t *bytes) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_winograd_weights_workspace(context, conv, tile, bytes);
    }
    struct stoa_winograd p = pass_of(conv, pass, tile);
    return is_narrow(context, &p) ? stoa_winograd_narrow_workspace(context, &p, bytes)
                                  : stoa_winograd_wide_workspace(context, &p, bytes);
}

static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                   size_t tile) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_winograd_weights_cost(context, conv, tile);
    }
    struct stoa_winograd p = pass_of(conv, pass, tile);
    const struct stoa_window *w = &p.window;
    double rows = stoa_winograd_rows(&p.grid);
    double weights = (double)p.channels * (double)p.filters;
    double transforms = is_narrow(context, &p) ? 1 : (double)stoa_winograd_wide_transforms(context, &p);
    double tensors = (double)conv->batch * ((double)(w->height * w->width) * (double)p.channels +
                                            (double)(w->out_height * w->out_width) * (double)p.filters);
    double moved =
        rows * (stoa_winograd_vectors(context, p.channels) + stoa_winograd_vectors(context, p.filters)) +
        transforms * (double)p.points * weights;
    return stoa_cost_product(context, 2 * rows * weights, p.filters, p.channels) +
           stoa_cost_tile(context, 1.5 * moved) + stoa_cost_stream(context, tensors);
}

static void run(const stoa_context *context, const struct stoa_winograd *p, void *scratch) {
    if (is_narrow(context, p)) {
        stoa_winograd_narrow_run(context, p, scratch);
    } else {
        stoa_winograd_wide_run(context, p, scratch);
    }
}

/* With one of weight and prepared. */
static void forward(const stoa_context *context, const struct stoa_conv *conv, size_t tile, const float *x,
                    const float *weight, const void *prepared, const float *bias, bool relu, float *y,
                    void *scratch) {
    struct stoa_winograd p = pass_of(conv, STOA_CONV_FORWARD, tile);
    p.x = x;
    p.weight = weight;
    p.prepared = prepared;
    p.bias = bias;
    p.relu = relu;
    p.y = y;
    run(context, &p, scratch);
}

/* Wide layers keep none: four times the weights come from an outer cache no faster than a core transforms the weights
 * themselves (measured: 0.5 to 1.15 times the speed at 1 to 64 images). */
static size_t prepared_bytes(const stoa_context *context, const struct stoa_conv *conv, size_t tile) {
    struct stoa_winograd p = pass_of(conv, STOA_CONV_FORWARD, tile);
    return is_narrow(context, &p) ? stoa_winograd_narrow_prepared_bytes(context, &p) : 0;
}

static void prepare(const stoa_context *context, const struct stoa_conv *conv, size_t tile,
                    const float *weight, void *prepared) {
    struct stoa_winograd p = pass_of(conv, STOA_CONV_FORWARD, tile);
    p.weight = weight;
    stoa_winograd_narrow_prepare(context, &p, prepared);
}

static void backward_data(const stoa_context *context, const struct stoa_conv *conv, size_t tile,
                          const float *dy, const float *weight, float *dx, void *scratch) {
    struct stoa_winograd p = pass_of(conv, STOA_CONV_BACKWARD_DATA, tile);
    p.x = dy;
    p.weight = weight;
    p.y = dx;
    run(context, &p, scratch);
}

static void describe(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     size_t tile, char *out, size_t size) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        stoa_winograd_weights_describe(context, conv, tile, out, size);
        return;
    }
    struct stoa_winograd p = pass_of(conv, pass, tile);
    if (is_narrow(context, &p)) {
        (void)snprintf(out, size, "winograd%zu, %zu tiles in %zu blocks", tile, p.grid.end,
                       stoa_winograd_narrow_blocks(context, &p));
    } else {
        (void)snprintf(out, size, "winograd%zu, %zu tiles, weights transformed %zu times", tile, p.grid.end,
                       stoa_winograd_wide_transforms(context, &p));
    }
}

/* The algorithms differ in the size of their tiles. */
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
        forward(context, conv, TILE, x, weight, NULL, bias, relu, y, scratch);                               \
    }                                                                                                        \
    static size_t prepared_bytes_##TILE(const stoa_context *context, const struct stoa_conv *conv) {         \
        return prepared_bytes(context, conv, TILE);                                                          \
    }                                                                                                        \
    static void prepare_##TILE(const stoa_context *context, const struct stoa_conv *conv,                    \
                               const float *weight, void *prepared) {                                        \
        prepare(context, conv, TILE, weight, prepared);                                                      \
    }                                                                                                        \
    static void forward_prepared_##TILE(const stoa_context *context, const struct stoa_conv *conv,           \
                                        const float *x, const void *prepared, const float *bias, bool relu,  \
                                        float *y, void *scratch) {                                           \
        forward(context, conv, TILE, x, NULL, prepared, bias, relu, y, scratch);                             \
    }                                                                                                        \
    static void backward_data_##TILE(const stoa_context *context, const struct stoa_conv *conv,              \
                                     const float *dy, const float *weight, float *dx, void *scratch) {       \
        backward_data(context, conv, TILE, dy, weight, dx, scratch);                                         \
    }                                                                                                        \
    static void backward_weights_##TILE(const stoa_context *context, const struct stoa_conv *conv,           \
                                        const float *x, const float *dy, float *dweight, float *dbias,       \
                                        void *scratch) {                                                     \
        stoa_winograd_weights_run(context, conv, TILE, x, dy, dweight, dbias, scratch);                      \
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
        .prepared_bytes = prepared_bytes_##TILE,                                                             \
        .prepare = prepare_##TILE,                                                                           \
        .forward_prepared = forward_prepared_##TILE,                                                         \
        .backward_data = backward_data_##TILE,                                                               \
        .backward_weights = backward_weights_##TILE,                                                         \
        .describe = describe_##TILE,                                                                         \
    };

ALGORITHM(2)
ALGORITHM(4)
ALGORITHM(6)
