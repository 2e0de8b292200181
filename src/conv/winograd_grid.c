/* The tiles of Winograd's convolution in their order: see winograd.h. Floor 4. */
#include "base/size.h"
#include "conv/cost.h"
#include "conv/winograd.h"

struct stoa_winograd_grid stoa_winograd_grid_of(size_t tile, size_t batch, size_t out_height,
                                                size_t out_width) {
    struct stoa_winograd_grid grid = {
        .tile = tile,
        .points = tile + 2,
        .down = out_height / tile,
        .across = out_width / tile,
        .rest_height = out_height % tile,
        .rest_width = out_width % tile,
        .batch = batch,
    };
    grid.whole = grid.rest_height ? batch * grid.across : 0;
    grid.beside = grid.whole + batch * grid.down * grid.across;
    grid.corner = grid.beside + (grid.rest_width ? batch * grid.down : 0);
    grid.end = grid.corner + (grid.rest_height && grid.rest_width ? batch : 0);
    return grid;
}

size_t stoa_winograd_locate(const struct stoa_winograd_grid *grid, size_t number,
                            struct stoa_winograd_tile *tile) {
    *tile = (struct stoa_winograd_tile){.height = grid->tile, .width = grid->tile};
    size_t rows = grid->down; /* of tiles of this kind in an image */
    size_t columns = grid->across;
    size_t row = 0;
    size_t column = 0;
    if (number < grid->whole) {
        rows = 1;
        row = grid->down;
        tile->height = grid->rest_height;
    } else if (number < grid->beside) {
        number -= grid->whole;
    } else if (number < grid->corner) {
        number -= grid->beside;
        columns = 1;
        column = grid->across;
        tile->width = grid->rest_width;
    } else {
        number -= grid->corner;
        rows = columns = 1;
        row = grid->down;
        column = grid->across;
        tile->height = grid->rest_height;
        tile->width = grid->rest_width;
    }
    size_t in_image = number % (rows * columns);
    tile->row = (row + in_image / columns) * grid->tile;
    tile->column = (column + in_image % columns) * grid->tile;
    return number / (rows * columns);
}

void stoa_winograd_range(const struct stoa_winograd_grid *grid, size_t point, size_t first, size_t end,
                         size_t *begin, size_t *stop) {
    bool in_short_height = point / grid->points < grid->rest_height + 2;
    bool in_short_width = point % grid->points < grid->rest_width + 2;
    size_t from = in_short_height ? 0 : grid->whole;
    size_t to = !in_short_width ? grid->beside : !in_short_height ? grid->corner : grid->end;
    *begin = stoa_max(first, from);
    *stop = stoa_max(*begin, stoa_min(end, to));
}

double stoa_winograd_rows(const struct stoa_winograd_grid *grid) {
    double full = (double)(grid->points * grid->points);
    double below = (double)((grid->rest_height + 2) * grid->points);
    double beside = (double)(grid->points * (grid->rest_width + 2));
    double corner = (double)((grid->rest_height + 2) * (grid->rest_width + 2));
    return (double)grid->whole * below + (double)(grid->beside - grid->whole) * full +
           (double)(grid->corner - grid->beside) * beside + (double)(grid->end - grid->corner) * corner;
}

size_t stoa_winograd_step(size_t floats) {
    return stoa_round_up(floats, STOA_ALIGN_FLOATS) + STOA_WINOGRAD_GAP;
}

bool stoa_winograd_fits(const stoa_context *context, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    return context->policy == STOA_POLICY_DEFAULT && conv->groups == 1 &&
           w->kernel_height == STOA_WINOGRAD_TAPS && w->kernel_width == STOA_WINOGRAD_TAPS &&
           w->stride_height == 1 && w->stride_width == 1 && w->dilation_height == 1 &&
           w->dilation_width == 1 && w->pad_top < STOA_WINOGRAD_TAPS && w->pad_left < STOA_WINOGRAD_TAPS;
}

/* Fewer numbers than a vector has are copied to and fro. */
double stoa_winograd_vectors(const stoa_context *context, size_t channels) {
    size_t width = stoa_cost_lanes(context);
    return channels < width ? 4 * (double)width : (double)stoa_round_up(channels, width);
}

void stoa_winograd_inputs(const stoa_context *context, const struct stoa_winograd *p, size_t first,
                          size_t end, float *v, size_t v_step) {
    const struct stoa_window *w = &p->window;
    for (size_t i = first; i < end; i++, v += p->channels) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(&p->grid, i, &tile);
        context->kernels->winograd_input(w, &tile, p->grid.points,
                                         p->x + image * w->height * w->width * p->channels, v, v_step);
    }
}

void stoa_winograd_outputs(const stoa_context *context, const struct stoa_winograd *p, size_t first,
                           size_t end, size_t filter, size_t filters, const float *sums, size_t sums_step) {
    const struct stoa_window *w = &p->window;
    const float *bias = p->bias ? p->bias + filter : NULL;
    for (size_t i = first; i < end; i++, sums += filters) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(&p->grid, i, &tile);
        float *y = p->y + image * w->out_height * w->out_width * p->filters + filter;
        context->kernels->winograd_output(&tile, p->grid.points, sums, sums_step, filters, bias, p->relu, y,
                                          w->out_width * p->filters, p->filters);
    }
}
