/* SPDX-License-Identifier: MIT */
/* The shape of samples. In memory they are NHWC, pixel by pixel. Files have them so, or plane by plane as
 * PyTorch does; where both fit, only the options tell. A row of values means planes, which is what flatten
 * gives, in PyTorch too. */
#include "data/shape.h"

#include <stdio.h>

#include "base/size.h"

/* Height, width and channels. */
struct shape {
    size_t height, width, channels;
};

static struct shape wanted_shape(const stoa_data_options *options) {
    return (struct shape){options->height, options->width, options->channels};
}

static bool is_same(struct shape a, struct shape b) {
    return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

/* 0 where it is not said, or overflows. */
static size_t values_of(struct shape shape) {
    size_t values = shape.height;
    return stoa_size_scale(&values, shape.width) && stoa_size_scale(&values, shape.channels) ? values : 0;
}

/* Whether pixels and planes are in the same order. */
static bool has_one_order(struct shape shape) {
    return shape.channels == 1 || shape.height * shape.width == 1;
}

bool stoa_wants_row(const stoa_data_options *options, size_t values) {
    return options->height == 1 && options->width == 1 && options->channels == values;
}

static void set_shape(struct stoa_store *store, struct shape shape) {
    store->height = shape.height;
    store->width = shape.width;
    store->channels = shape.channels;
}

/* Samples lie pixel by pixel, or plane by plane, and are read in the order that is wanted. */
static void set_order(struct stoa_store *store, struct shape shape, bool planes,
                      const stoa_data_options *options) {
    size_t pixels = shape.height * shape.width;
    set_shape(store, shape);
    if (has_one_order(shape)) {
        return;
    }
    bool row = stoa_wants_row(options, pixels * shape.channels);
    if (row) {
        set_shape(store, (struct shape){1, 1, pixels * shape.channels});
    }
    if (row != planes) {
        store->rows = planes ? shape.channels : pixels;
        store->columns = planes ? pixels : shape.channels;
    }
}

void stoa_store_flatten(struct stoa_store *store, const stoa_data_options *options) {
    set_order(store, (struct shape){store->height, store->width, store->channels}, false, options);
}

static stoa_status fail_open(const struct stoa_store *store, const char *name, const char *what) {
    return stoa_fail(
        store->context, STOA_ERR_FORMAT,
        "%s: %s, whose values may come pixel by pixel or plane by plane: expected layout = nhwc or "
        "layout = nchw",
        name, what);
}

/* Rows of values, such as those of a table. */
static stoa_status arrange_row(struct stoa_store *store, const char *name, size_t values,
                               const stoa_data_options *options) {
    struct shape wanted = wanted_shape(options);
    if (values_of(wanted) != values) {
        set_shape(store, (struct shape){1, 1, values});
        return STOA_OK;
    }
    if (options->layout == STOA_LAYOUT_AUTO && !has_one_order(wanted)) {
        char what[120];
        (void)snprintf(what, sizeof what, "rows of %zu values for pictures of %zux%zux%zu", values,
                       wanted.height, wanted.width, wanted.channels);
        return fail_open(store, name, what);
    }
    set_order(store, wanted, options->layout == STOA_LAYOUT_NCHW, options);
    return STOA_OK;
}

/* Grey, with alpha, colour, or colour with alpha. */
static bool are_channels(size_t size) {
    return size <= 4;
}

/* Which layouts fit three sizes. */
struct fit {
    bool pixels, planes;
};

static struct fit find_fit(const size_t *size, const stoa_data_options *options) {
    struct shape wanted = wanted_shape(options);
    struct fit fit = {is_same(wanted, (struct shape){size[0], size[1], size[2]}),
                      is_same(wanted, (struct shape){size[1], size[2], size[0]})};
    size_t values = size[0] * size[1] * size[2]; /* checked by the reader */
    if (!fit.pixels && !fit.planes && stoa_wants_row(options, values)) {
        bool last = are_channels(size[2]), first = are_channels(size[0]);
        /* Where neither looks like channels, both may be. */
        fit = (struct fit){last || !first, first || !last};
    }
    return fit;
}

static stoa_status arrange_cube(struct stoa_store *store, const char *name, const size_t *size,
                                const stoa_data_options *options) {
    struct fit fit = find_fit(size, options);
    bool planes = options->layout == STOA_LAYOUT_NCHW;
    if (options->layout == STOA_LAYOUT_AUTO) {
        if (fit.pixels && fit.planes && size[0] > 1 && size[2] > 1) {
            char what[80];
            (void)snprintf(what, sizeof what, "samples of %zux%zux%zu", size[0], size[1], size[2]);
            return fail_open(store, name, what);
        }
        planes = fit.planes && (!fit.pixels || size[0] == 1);
    }
    set_order(store,
              planes ? (struct shape){size[1], size[2], size[0]} : (struct shape){size[0], size[1], size[2]},
              planes, options);
    return STOA_OK;
}

stoa_status stoa_store_arrange(struct stoa_store *store, const char *name, const size_t *size, size_t rank,
                               const stoa_data_options *options) {
    switch (rank) {
    case 1:
        return arrange_row(store, name, size[0], options);
    case 2:
        set_shape(store, (struct shape){size[0], size[1], 1});
        return STOA_OK;
    default:
        return arrange_cube(store, name, size, options);
    }
}
