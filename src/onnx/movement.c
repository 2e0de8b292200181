/* SPDX-License-Identifier: MIT */
/* Operators that take a part of a value, put a border around it, or change its size. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "onnx/windows.h"

/* One axis of memory in the middle of an image, what lies around it and what lies inside it beside it, or an
 * image's own axis. Returns what the option `axis` calls it, NULL with an error. */
static const char *bring_axis(struct stoa_onnx_import *import, struct stoa_onnx_value *value, size_t axis,
                              size_t order[STOA_ONNX_AXES], stoa_status *status) {
    static const char *const names[] = {"height", "width", "channels"};
    const size_t rank = value->layout.rank, *dim = value->layout.dim;
    size_t shape[3] = {1, 1, 1}, place = 0;
    *status = STOA_OK;
    if (!stoa_onnx_layout_order(&value->layout, order)) {
        for (size_t i = 0; i < rank; i++) {
            order[i] = i;
        }
        *status = stoa_onnx_bring(import, value, NULL);
    }
    for (size_t i = 0; i < rank; i++) {
        place = order[i] == axis ? i : place;
    }
    if (rank == 3 && value->shape_rank == 3 && value->shape[0] == dim[order[0]] &&
        value->shape[1] == dim[order[1]]) {
        return names[place];
    }
    for (size_t i = 0; i < rank; i++) {
        shape[i < place ? 0 : i == place ? 1 : 2] *= dim[order[i]];
    }
    if (*status == STOA_OK) {
        *status = stoa_onnx_view(import, value, 3, shape);
    }
    return names[1];
}

stoa_status stoa_onnx_cut(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                          struct stoa_onnx_value *value, const struct stoa_onnx_cut *cut) {
    size_t order[STOA_ONNX_AXES], dim[STOA_ONNX_AXES];
    struct stoa_onnx_layout layout;
    stoa_status status;
    if (cut->count == 0) {
        return stoa_onnx_refuse(import, "leaves nothing of an axis");
    }
    const char *name = bring_axis(import, value, cut->axis, order, &status);
    if (status != STOA_OK) {
        return status;
    }
    /* Behind the last number that is taken; in front of the first, -1 would be the end. */
    int64_t end = cut->first + (int64_t)(cut->count - 1) * cut->step + (cut->step < 0 ? -1 : 1);
    end = end < 0 ? -2147483647 : end;
    memcpy(dim, value->layout.dim, sizeof dim);
    dim[cut->axis] = cut->count;
    stoa_onnx_layout_make(&layout, value->layout.rank, dim, order);
    return stoa_onnx_layer(import, node, NULL, &value, 1, &layout,
                           "slice axis=%s start=%lld end=%lld step=%lld", name, (long long)cut->first,
                           (long long)end, (long long)cut->step);
}

static stoa_status slice(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value, *made = stoa_onnx_find(import, node->output[0]);
    struct stoa_onnx_cut cuts[STOA_ONNX_AXES + 1];
    size_t dim[STOA_ONNX_AXES + 1], count = 0;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status != STOA_OK) {
        return status;
    }
    const size_t rank = value->layout.rank + import->lead;
    dim[0] = import->batch ? import->batch : (size_t)1 << 30;
    memcpy(dim + import->lead, value->layout.dim, value->layout.rank * sizeof *dim);
    status = stoa_onnx_cuts_read(import, node, rank, dim, cuts, &count);
    const struct stoa_onnx_value *last = value;
    for (size_t i = 0; i < count && status == STOA_OK; i++) {
        const struct stoa_onnx_cut *c = &cuts[i];
        if (c->count == dim[c->axis] && c->step == 1) {
            continue;
        }
        if (c->axis < import->lead) {
            return stoa_onnx_refuse(import, "takes a part of the batch");
        }
        const struct stoa_onnx_cut cut = {c->axis - import->lead, c->count, c->first, c->step};
        status = stoa_onnx_cut(import, node, last == value ? value : made, &cut);
        last = made;
    }
    return status == STOA_OK && last == value ? stoa_onnx_alias(import, node, 0, value, &value->layout)
                                              : status;
}

/* Sizes of the parts: given, or as equal as can be, the last one smaller. */
static stoa_status read_parts(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t size,
                              size_t *parts, size_t most) {
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, "split");
    const struct stoa_onnx_tensor *input = NULL;
    stoa_status status = stoa_onnx_constant(import, node, 1, &input);
    const size_t given = attribute ? attribute->n_ints : input ? input->count : 0, n = node->n_output;
    size_t total = 0;
    if (status != STOA_OK || n > most || (given > 0 && given != n)) {
        return status != STOA_OK ? status
                                 : stoa_onnx_refuse(import, "has %zu parts and %zu outputs", given, n);
    }
    const size_t each = (size + n - 1) / n;
    for (size_t i = 0; i < n; i++) {
        const int64_t part = attribute   ? attribute->ints[i]
                             : input     ? stoa_onnx_integer_at(input, i)
                             : i + 1 < n ? (int64_t)each
                                         : (int64_t)size - (int64_t)(each * (n - 1));
        if (part < 0 || part > (int64_t)size) {
            return stoa_onnx_refuse(import, "has a part of %lld numbers, its axis has %zu", (long long)part,
                                    size);
        }
        parts[i] = (size_t)part;
        total += parts[i];
    }
    return total == size ? STOA_OK
                         : stoa_onnx_refuse(import, "its parts are %zu numbers, its axis %zu", total, size);
}

/* Each output is a slice; the last first, for each becomes output 0 before it gets its own place. */
static stoa_status split(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    enum { MOST_PARTS = 64 };
    struct stoa_onnx_value *value;
    size_t axis = 0, parts[MOST_PARTS] = {0}, end = 0;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_sample_axis(import, value, stoa_onnx_int(node, "axis", 0), &axis);
    }
    if (status == STOA_OK) {
        end = value->layout.dim[axis];
        status = read_parts(import, node, end, parts, MOST_PARTS);
    }
    for (size_t i = node->n_output; i-- > 0 && status == STOA_OK;) {
        const struct stoa_onnx_cut cut = {axis, parts[i], (int64_t)(end - parts[i]), 1};
        const struct stoa_onnx_value *out = *node->output[i] ? stoa_onnx_find(import, node->output[i]) : NULL;
        end -= parts[i];
        if (!out || out->readers == 0) {
            continue;
        }
        status = stoa_onnx_cut(import, node, value, &cut);
        const struct stoa_onnx_value *made = stoa_onnx_find(import, node->output[0]);
        if (status == STOA_OK && i > 0) {
            status = stoa_onnx_alias(import, node, i, made, &made->layout);
        }
    }
    return status;
}

/* ---- Borders ---- */

/* Numbers before and behind each axis of the whole tensor. */
static stoa_status read_pads(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t rank,
                             int64_t pads[2][STOA_ONNX_AXES + 1]) {
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, "pads");
    const struct stoa_onnx_tensor *input = NULL, *axes = NULL;
    stoa_status status = stoa_onnx_constant(import, node, 1, &input);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 3, &axes);
    }
    const size_t found = attribute ? attribute->n_ints
                         : input   ? input->count
                                   : 0,
                 listed = axes ? axes->count : rank;
    if (status == STOA_OK && found != 2 * listed) {
        return stoa_onnx_refuse(import, "pads: found %zu numbers, expected %zu", found, 2 * listed);
    }
    for (size_t i = 0; i < listed && status == STOA_OK; i++) {
        size_t axis = i;
        status = axes ? stoa_onnx_axis(import, stoa_onnx_integer_at(axes, i), rank, &axis) : STOA_OK;
        for (size_t k = 0; k < 2 && status == STOA_OK; k++) {
            const size_t at = k * listed + i;
            pads[k][axis] = attribute ? attribute->ints[at] : stoa_onnx_integer_at(input, at);
            if (pads[k][axis] < -65535 || pads[k][axis] > 65535) {
                return stoa_onnx_refuse(import, "pads: found %lld", (long long)pads[k][axis]);
            }
        }
    }
    return status;
}

static stoa_status pad(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    static const char *const modes[] = {"reflect", "edge", "wrap"};
    struct stoa_onnx_value *value;
    const struct stoa_onnx_tensor *constant = NULL;
    int64_t pads[2][STOA_ONNX_AXES + 1] = {{0}};
    size_t channels = 0, spatial = 0, out[2] = {1, 1};
    char number[32], mode[32] = "";
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_channels(import, value, &channels, &spatial);
    }
    if (status == STOA_OK) {
        status = read_pads(import, node, value->layout.rank + import->lead, pads);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 2, &constant);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (spatial < 1 || spatial > 2 || pads[0][0] != 0 || pads[1][0] != 0) {
        return stoa_onnx_refuse(import, "puts a border around the batch or %zu spatial axes, expected 1 or 2",
                                spatial);
    }
    for (size_t i = 0; i < 3; i++) {
        if (stoa_onnx_says(node, "mode", modes[i])) {
            (void)snprintf(mode, sizeof mode, " mode=%s", modes[i]);
        }
    }
    status = stoa_onnx_image(import, value);
    if (status != STOA_OK) {
        return status;
    }
    const int64_t *before = pads[0] + import->lead + channels, *behind = pads[1] + import->lead + channels;
    int64_t sides[2][2] = {{0}};
    for (size_t i = 0; i < spatial; i++) {
        sides[0][2 - spatial + i] = before[1 + i];
        sides[1][2 - spatial + i] = behind[1 + i];
    }
    stoa_onnx_spatial(import, value, out);
    const int64_t height = (int64_t)out[0] + sides[0][0] + sides[1][0],
                  width = (int64_t)out[1] + sides[0][1] + sides[1][1];
    const int64_t depth = (int64_t)value->layout.dim[channels] + before[0] + behind[0];
    if (height < 1 || width < 1 || depth < 1) {
        return stoa_onnx_refuse(import, "cuts everything off");
    }
    struct stoa_onnx_layout layout;
    stoa_onnx_window_layout(import, value, (size_t)depth, (size_t[]){(size_t)height, (size_t)width}, &layout);
    stoa_format_float(constant && constant->count > 0 ? (float)stoa_onnx_at(constant, 0)
                                                      : stoa_onnx_float(node, "value", 0),
                      number);
    return stoa_onnx_layer(import, node, NULL, &value, 1, &layout,
                           "pad top=%lld bottom=%lld left=%lld right=%lld front=%lld back=%lld value=%s%s",
                           (long long)sides[0][0], (long long)sides[1][0], (long long)sides[0][1],
                           (long long)sides[1][1], (long long)before[0], (long long)behind[0], number, mode);
}

/* ---- Sizes ---- */

/* The text of an attribute in `out`, or what ONNX takes where it is left out. */
static void read_word(const StoaOnnx__Node *node, const char *name, const char *fallback, char out[40]) {
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, name);
    if (attribute && attribute->s.len > 0) {
        (void)snprintf(out, 40, "%.*s", (int)(attribute->s.len < 39 ? attribute->s.len : 39),
                       (const char *)attribute->s.data);
    } else {
        (void)snprintf(out, 40, "%s", fallback);
    }
}

/* Sizes or factors of the spatial axes, behind those of batch and channels, which stay. */
static stoa_status read_factors(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t spatial,
                                const size_t in[2], size_t out[2], double factor[2], bool *sized) {
    const bool old = strcmp(node->op_type, "Upsample") == 0 || import->opset < 11;
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, "scales");
    const struct stoa_onnx_tensor *scales = NULL, *sizes = NULL;
    stoa_status status = stoa_onnx_constant(import, node, old ? 1 : 2, &scales);
    if (status == STOA_OK && !old) {
        status = stoa_onnx_constant(import, node, 3, &sizes);
    }
    const StoaOnnx__Attribute *listed = stoa_onnx_attribute(node, "axes");
    *sized = sizes && sizes->count > 0;
    const size_t found = attribute ? attribute->n_floats : *sized ? sizes->count : scales ? scales->count : 0;
    const size_t skip = listed ? 0 : 2;
    if (status != STOA_OK || found != spatial + skip || (listed && listed->n_ints != spatial)) {
        return status != STOA_OK
                   ? status
                   : stoa_onnx_refuse(import, "resizes %zu axes, expected %zu", found, spatial + 2);
    }
    for (size_t i = 0; i < found; i++) {
        const double number =
            attribute ? (double)attribute->floats[i] : stoa_onnx_at(*sized ? sizes : scales, i);
        if (i < skip && !*sized && number != 1) {
            return stoa_onnx_refuse(import, "resizes batch or channels");
        }
        if (i >= skip) {
            const size_t axis = 2 - spatial + i - skip;
            const double size = *sized ? number : floor((double)in[axis] * number);
            if (!(size >= 1 && size <= 1 << 20)) {
                return stoa_onnx_refuse(import, "an axis of %zu becomes one of %g", in[axis], size);
            }
            factor[axis] = number;
            out[axis] = (size_t)size;
        }
    }
    return STOA_OK;
}

static stoa_status resize(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    const bool old = strcmp(node->op_type, "Upsample") == 0 || import->opset < 11;
    size_t channels = 0, spatial = 0, in[2], out[2] = {1, 1};
    double factor[2] = {1, 1};
    char mode[40], places[40], rounding[40], width[32], height[32];
    bool sized = false;
    struct stoa_onnx_layout layout;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_channels(import, value, &channels, &spatial);
    }
    if (status != STOA_OK) {
        return status;
    }
    read_word(node, "mode", "nearest", mode);
    read_word(node, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel", places);
    read_word(node, "nearest_mode", old ? "floor" : "round_prefer_floor", rounding);
    if (spatial < 1 || spatial > 2 || stoa_onnx_int(node, "antialias", 0) != 0 ||
        (stoa_onnx_attribute(node, "keep_aspect_ratio_policy") &&
         !stoa_onnx_says(node, "keep_aspect_ratio_policy", "stretch"))) {
        return stoa_onnx_refuse(
            import, "smooths, keeps the aspect or resizes %zu axes, expected plain ones of 1 or 2", spatial);
    }
    stoa_onnx_spatial(import, value, in);
    status = read_factors(import, node, spatial, in, out, factor, &sized);
    if (status == STOA_OK) {
        status = stoa_onnx_image(import, value);
    }
    if (status != STOA_OK) {
        return status;
    }
    /* Versions of ONNX differ in where the last pixel stands then. */
    const bool whole =
        (double)out[0] == (double)in[0] * factor[0] && (double)out[1] == (double)in[1] * factor[1];
    if (!sized && !whole && strcmp(places, "align_corners") == 0) {
        return stoa_onnx_refuse(import, "align_corners: found scales that give no whole size");
    }
    stoa_format_float((float)factor[0], height);
    stoa_format_float((float)factor[1], width);
    if (sized) {
        (void)snprintf(height, sizeof height, "%zu", out[0]);
        (void)snprintf(width, sizeof width, "%zu", out[1]);
    }
    stoa_onnx_window_layout(import, value, value->layout.dim[channels], out, &layout);
    return stoa_onnx_layer(import, node, NULL, &value, 1, &layout,
                           "resize %s=%sx%s mode=%s coordinates=%s rounding=%s", sized ? "size" : "scale",
                           height, width, mode, places, rounding);
}

/* Channels to pixels, or back. */
static stoa_status depth(struct stoa_onnx_import *import, const StoaOnnx__Node *node, bool deepens) {
    struct stoa_onnx_value *value;
    size_t channels = 0, spatial = 0, in[2];
    const int64_t block = stoa_onnx_int(node, "blocksize", 0);
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_channels(import, value, &channels, &spatial);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (spatial != 2 || block < 1 || block > 4096) {
        return stoa_onnx_refuse(import, "has blocks of %lld in %zu axes, expected 1 to 4096 in 2",
                                (long long)block, spatial);
    }
    const size_t size = (size_t)block, square = size * size, depth = value->layout.dim[channels];
    stoa_onnx_spatial(import, value, in);
    if (deepens ? in[0] % size != 0 || in[1] % size != 0 : depth % square != 0) {
        return stoa_onnx_refuse(import, "its blocks do not divide its image");
    }
    status = stoa_onnx_image(import, value);
    if (status != STOA_OK) {
        return status;
    }
    const size_t out[2] = {deepens ? in[0] / size : in[0] * size, deepens ? in[1] / size : in[1] * size};
    struct stoa_onnx_layout layout;
    stoa_onnx_window_layout(import, value, deepens ? depth * square : depth / square, out, &layout);
    return stoa_onnx_layer(import, node, NULL, &value, 1, &layout, "%s block=%zu mode=%s",
                           deepens ? "space_to_depth" : "depth_to_space", size,
                           stoa_onnx_says(node, "mode", "CRD") ? "crd" : "dcr");
}

static stoa_status depth_to_space(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return depth(import, node, false);
}

static stoa_status space_to_depth(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return depth(import, node, true);
}

const struct stoa_onnx_row stoa_onnx_movement_rows[] = {
    {"Slice", 1, slice},
    {"Split", 2, split},
    {"Pad", 2, pad},
    {"Resize", 10, resize},
    {"Upsample", 7, resize},
    {"DepthToSpace", 1, depth_to_space},
    {"SpaceToDepth", 1, space_to_depth},
    {NULL, 0, NULL},
};
