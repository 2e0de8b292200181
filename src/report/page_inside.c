/* SPDX-License-Identifier: MIT */
/* What a network looks at: the filters of its first layer, and what each layer makes of one sample. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/page_part.h"
#include "report/words.h"

/* Pictures of filters and of channels; the longer side of a channel's picture, in points; numbers of a layer
 * that is a row. */
enum { MOST_FILTERS = 64, MOST_CHANNELS = 12, MOST_SIDE = 40, MOST_ROW = 1024 };

/* ---- filters ---- */

/* The first layer with a weight that can be looked at: filters of a convolution, or rows over a picture. */
struct filters {
    char layer[64];
    size_t count, height, width, channels; /* channels lie one behind the other */
    float *weight;                         /* count x channels x height x width, as on disk */
};

/* A layer whose weight is a picture for each of its outputs. */
static bool are_filters(const stoa_model *model, const stoa_tensor_info *tensor, struct filters *filters) {
    size_t height, width, channels;
    stoa_model_input_shape(model, &height, &width, &channels);
    filters->count = tensor->shape[0];
    if (tensor->rank == 4) {
        filters->channels = tensor->shape[1];
        filters->height = tensor->shape[2];
        filters->width = tensor->shape[3];
        return filters->height > 1 || filters->width > 1;
    }
    filters->channels = channels;
    filters->height = height;
    filters->width = width;
    return tensor->rank == 2 && height > 1 && width > 1 && tensor->shape[1] == height * width * channels;
}

/* Find the first weight; false where it can be no picture. */
static bool find_filters(const stoa_model *model, struct report_out *out, struct filters *filters) {
    static const char end[] = ".weight";
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info tensor;
        if (stoa_model_tensor(model, i, &tensor) != STOA_OK || tensor.rank < 2) {
            continue;
        }
        size_t length = strlen(tensor.name);
        if (length < sizeof end || strcmp(tensor.name + length - (sizeof end - 1), end) != 0 ||
            !are_filters(model, &tensor, filters)) {
            return false;
        }
        (void)snprintf(filters->layer, sizeof filters->layer, "%.*s", (int)(length - (sizeof end - 1)),
                       tensor.name);
        filters->weight = report_memory(out, tensor.count, sizeof *filters->weight);
        return filters->weight && stoa_model_get_tensor(model, i, filters->weight, tensor.count) == STOA_OK;
    }
    return false;
}

/* One filter as pixels: colours of three channels, else the first as grey, whose middle is zero. */
static void draw_filter(const struct filters *filters, size_t at, size_t shown, unsigned char *pixels) {
    size_t plane = filters->height * filters->width;
    const float *weight = filters->weight + at * filters->channels * plane;
    if (shown == 1) {
        report_grey(weight, plane, 1, true, pixels);
        return;
    }
    unsigned char *planes = pixels + shown * plane; /* behind the filter is room for another */
    report_grey(weight, shown * plane, 1, true, planes);
    for (size_t i = 0; i < shown * plane; i++) {
        pixels[i] = planes[i % shown * plane + i / shown];
    }
}

static void draw_filters(struct report_part *part, const struct filters *filters) {
    struct report_out *out = &part->section[REPORT_INSIDE];
    size_t shown = filters->channels == 3 ? 3 : 1;
    size_t count = filters->count < MOST_FILTERS ? filters->count : MOST_FILTERS;
    size_t bytes = filters->height * filters->width * shown;
    unsigned char *pixels = report_memory(out, (count + 1), bytes);
    struct report_tile *tile = report_memory(out, count, sizeof *tile);
    struct report_words *name = report_memory(out, count, sizeof *name);
    for (size_t i = 0; pixels && tile && name && i < count; i++) {
        draw_filter(filters, i, shown, pixels + i * bytes);
        (void)snprintf(name[i].text, sizeof name[i].text, "%zu", i + 1);
        tile[i] = (struct report_tile){.pixels = pixels + i * bytes,
                                       .width = filters->width,
                                       .height = filters->height,
                                       .channels = shown,
                                       .about = name[i].text};
    }
    struct report_out title = {0}, about = {0};
    report_print(&title, "Filters of the first layer, %s", filters->layer);
    report_print(&about,
                 "%zu of %zu filters of %zux%zu%s, each on its own scale: grey is 0, white positive, "
                 "black negative.",
                 count, filters->count, filters->height, filters->width,
                 shown == 3              ? ", in colours of its three channels"
                 : filters->channels > 1 ? ", their first channel"
                                         : "");
    const struct report_tiles tiles = {.tile = tile, .count = count};
    struct report_id id = {""};
    const struct report_chart chart = {
        .id = report_id_of(&id, part, "filters"), .title = title.text, .about = about.text, .tiles = &tiles};
    if (!out->failed && title.text && about.text) {
        report_put(out, "<div class=\"narrow\">\n");
        report_html_chart(out, &chart, about.text);
        report_put(out, "</div>\n");
    }
    out->failed = out->failed || title.failed || about.failed;
    report_out_free(&title);
    report_out_free(&about);
    free(pixels);
    free(tile);
    free(name);
}

/* ---- activations ---- */

struct traced {
    struct report_part *part;
    const struct report_subject *subject;
    struct report_out *out;
};

/* A picture no larger than it is looked at: means of squares of points. */
struct shrunk {
    size_t height, width, by;
};

static struct shrunk shrink(size_t height, size_t width) {
    size_t side = height > width ? height : width, by = (side + MOST_SIDE - 1) / MOST_SIDE;
    return (struct shrunk){(height + by - 1) / by, (width + by - 1) / by, by};
}

/* One channel of an image of height x width x channels. */
static void shrink_channel(const float *image, const size_t *shape, const struct shrunk *to, float *out) {
    for (size_t i = 0; i < to->height * to->width; i++) {
        size_t top = i / to->width * to->by, left = i % to->width * to->by, points = 0;
        double sum = 0;
        for (size_t y = top; y < top + to->by && y < shape[0]; y++) {
            for (size_t x = left; x < left + to->by && x < shape[1]; x++) {
                sum += (double)image[(y * shape[1] + x) * shape[2]];
                points++;
            }
        }
        out[i] = points ? (float)(sum / (double)points) : 0;
    }
}

/* The channels of an image as tiles. */
static size_t draw_channels(struct traced *traced, const stoa_traced_step *step, const size_t *shape,
                            struct report_tile *tile, unsigned char **pixels) {
    const struct shrunk to = shrink(shape[0], shape[1]);
    size_t count = shape[2] < MOST_CHANNELS ? shape[2] : MOST_CHANNELS, points = to.height * to.width;
    float *values = report_memory(traced->out, points, sizeof *values);
    *pixels = report_memory(traced->out, count, points);
    for (size_t i = 0; values && *pixels && i < count; i++) {
        shrink_channel(step->output + i, shape, &to, values);
        report_grey(values, points, 1, false, *pixels + i * points);
        tile[i] = (struct report_tile){
            .pixels = *pixels + i * points, .width = to.width, .height = to.height, .channels = 1};
    }
    free(values);
    return count;
}

static bool is_image(const stoa_layer_info *layer) {
    return layer->rank == 3 && layer->shape[0] * layer->shape[1] > 1;
}

/* A row of numbers as one tile, line by line, about twice as wide as high. */
static size_t draw_row(struct traced *traced, const stoa_traced_step *step, struct report_tile *tile,
                       unsigned char **pixels) {
    size_t count = step->size < MOST_ROW ? step->size : MOST_ROW;
    size_t width = (size_t)ceil(sqrt(2 * (double)count)), height = (count + width - 1) / width;
    *pixels = report_memory(traced->out, height, width);
    if (*pixels) {
        report_grey(step->output, count, 1, false, *pixels);
        *tile = (struct report_tile){.pixels = *pixels, .width = width, .height = height, .channels = 1};
    }
    return 1;
}

/* Layers that leave the numbers as they are when a model is tested. */
static bool changes_nothing(const char *op) {
    static const char *const ops[] = {"flatten", "reshape", "dropout"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(op, ops[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void about_layer(const stoa_traced_step *step, const stoa_layer_info *layer, size_t tiles,
                        struct report_out *about) {
    float low = HUGE_VALF, high = -HUGE_VALF;
    size_t zeros = 0;
    for (size_t i = 0; i < step->size; i++) {
        low = fminf(low, step->output[i]);
        high = fmaxf(high, step->output[i]);
        zeros += step->output[i] >= 0 && step->output[i] <= 0;
    }
    struct report_words shape = {""};
    struct report_word least = {""}, most = {""};
    report_print(about, "%s %s, %s: from %s to %s", layer->name, layer->op,
                 report_shape_words(&shape, layer->shape, layer->rank),
                 report_number_word(&least, (double)low), report_number_word(&most, (double)high));
    if (zeros > 0) {
        report_print(about, ", %.0f %% are 0", 100 * (double)zeros / (double)step->size);
    }
    if (is_image(layer) && tiles < layer->shape[2]) {
        report_print(about, "; %zu of %zu channels", tiles, layer->shape[2]);
    } else if (!is_image(layer) && step->size > MOST_ROW) {
        report_print(about, "; the first %d", MOST_ROW);
    }
}

static void show_layer(void *user, const stoa_traced_step *step) {
    struct traced *traced = user;
    stoa_layer_info layer;
    if (stoa_model_layer(traced->subject->model, step->layer, &layer) != STOA_OK ||
        changes_nothing(layer.op)) {
        return;
    }
    struct report_tile *tile = report_memory(traced->out, MOST_CHANNELS, sizeof *tile);
    unsigned char *pixels = NULL;
    size_t count = !tile              ? 0
                   : is_image(&layer) ? draw_channels(traced, step, layer.shape, tile, &pixels)
                                      : draw_row(traced, step, tile, &pixels);
    struct report_out about = {0};
    about_layer(step, &layer, count, &about);
    char what[24];
    struct report_id id = {""};
    (void)snprintf(what, sizeof what, "layer-%zu", step->layer);
    const struct report_tiles tiles = {.tile = tile, .count = count};
    const struct report_chart chart = {.id = report_id_of(&id, traced->part, what),
                                       .title = about.text,
                                       .about =
                                           "Brightness is value, from the least to the most of each picture.",
                                       .tiles = &tiles};
    if (!traced->out->failed && about.text) {
        report_put(traced->out, "<li><p>");
        report_escape(traced->out, about.text);
        report_put(traced->out, "</p>\n");
        report_chart_svg(traced->out, &chart);
        report_put(traced->out, "</li>\n");
    }
    traced->out->failed = traced->out->failed || about.failed;
    report_out_free(&about);
    free(tile);
    free(pixels);
}

/* The sample itself, where it is a picture. */
static void show_sample(struct traced *traced, const float *sample) {
    struct report_pixels pixels;
    if (!report_pixels_open(traced->subject->model, &pixels)) {
        traced->out->failed = true;
        return;
    }
    unsigned char *bytes =
        pixels.is_picture ? report_memory(traced->out, pixels.height * pixels.width * pixels.shown, 1) : NULL;
    if (bytes) {
        report_pixels_of(&pixels, sample, bytes);
        const struct report_tile tile = {
            .pixels = bytes, .width = pixels.width, .height = pixels.height, .channels = pixels.shown};
        const struct report_tiles tiles = {.tile = &tile, .count = 1};
        struct report_id id = {""};
        const struct report_chart chart = {.id = report_id_of(&id, traced->part, "sample"),
                                           .title = "the sample itself",
                                           .about = "The picture that goes through the network.",
                                           .tiles = &tiles};
        report_put(traced->out, "<li><p>the sample</p>\n");
        report_chart_svg(traced->out, &chart);
        report_put(traced->out, "</li>\n");
    }
    free(bytes);
    report_pixels_close(&pixels);
}

static stoa_status trace_sample(struct traced *traced, stoa_plan *plan) {
    const struct report_subject *subject = traced->subject;
    int32_t label;
    stoa_status status = stoa_plan_bind(plan, NULL);
    if (status != STOA_OK) {
        return status;
    }
    stoa_dataset_read(subject->data, NULL, 0, 1, stoa_plan_input(plan), &label);
    status = stoa_dataset_check(subject->data);
    if (status != STOA_OK) {
        return status;
    }
    const char *name = stoa_dataset_class_name(subject->data, (size_t)label);
    report_put(traced->out, "<h3>The first sample on its way through the network</h3>\n<p>Its label is ");
    if (name) {
        report_escape(traced->out, name);
    } else {
        report_print(traced->out, "%d", (int)label);
    }
    report_put(traced->out,
               ". A picture a channel, each on its own scale: black is its least value, white its "
               "most.</p>\n<ol class=\"flow\">\n");
    show_sample(traced, stoa_plan_input(plan));
    status = stoa_plan_trace(plan, 1, NULL, show_layer, traced);
    report_put(traced->out, "</ol>\n");
    return status;
}

static void show_activations(struct report_part *part, const struct report_subject *subject) {
    struct traced traced = {.part = part, .subject = subject, .out = &part->section[REPORT_INSIDE]};
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = 1, .layerwise = true};
    stoa_status status = stoa_plan_create(subject->context, subject->model, &options, &plan);
    status = status == STOA_OK ? trace_sample(&traced, plan) : status;
    if (status != STOA_OK) {
        report_write_failure(part, REPORT_INSIDE, subject->context, status);
    }
    stoa_plan_free(plan);
}

void report_write_inside(struct report_part *part, const struct report_subject *subject) {
    struct report_out *out = &part->section[REPORT_INSIDE];
    struct filters filters = {.count = 0};
    if (find_filters(subject->model, out, &filters)) {
        draw_filters(part, &filters);
    } else {
        report_write_missing(out, "filters: the weights of the first layer are no pictures");
    }
    free(filters.weight);
    if (part->samples > 0) { /* the data fit the model */
        show_activations(part, subject);
    } else {
        report_write_missing(out, subject->data ? "no sample could be tested" : subject->no_data);
    }
}
