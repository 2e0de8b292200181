/* SPDX-License-Identifier: MIT */
/* Samples as one picture in a file. Public headers only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data_look.h"
#include "cli/report.h"
#include "cli/whole_file.h"
#include "report/chart.h"
#include "report/picture.h"

static const char svg_begin[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
static const char png_begin[] = "\x89PNG";

static bool ends_with(const char *path, const char *end) {
    size_t length = strlen(path), tail = strlen(end);
    return length > tail && strcasecmp(path + length - tail, end) == 0;
}

/* The samples as tiles, and what they are made of. */
struct picture {
    struct report_tile tile[CLI_SAMPLES];
    unsigned char *bytes[CLI_SAMPLES];
    char *label[CLI_SAMPLES];
};

static void make_tiles(const struct cli_data_look *look, struct picture *picture) {
    size_t pixels = look->shape[0] * look->shape[1], shown = cli_shown_channels(look->channels);
    for (size_t k = 0; k < look->samples; k++) {
        char number[32];
        int32_t label;
        float *values = cli_data_sample(look, k, &label);
        picture->bytes[k] = cli_allocate(pixels, shown);
        picture->label[k] =
            cli_text("%s", look->targets ? "" : cli_class_name(look->train, (size_t)label, number));
        cli_to_bytes(values, pixels, look->channels, look->low, look->high, picture->bytes[k]);
        picture->tile[k] = (struct report_tile){.pixels = picture->bytes[k],
                                                .width = look->shape[1],
                                                .height = look->shape[0],
                                                .channels = shown,
                                                .label = picture->label[k]};
        free(values);
    }
}

static void draw_svg(struct report_out *out, const struct report_tile *tile, size_t count) {
    const struct report_tiles tiles = {.tile = tile, .count = count, .columns = count};
    const struct report_chart chart = {
        .id = "samples", .title = "Samples", .width = 640, .alone = true, .tiles = &tiles};
    report_put(out, svg_begin);
    report_chart_svg(out, &chart);
}

/* Side by side with white between them, each pixel as a square of pixels where they are few. */
static void draw_png(struct report_out *out, const struct report_tile *tile, size_t count) {
    enum { GAP = 8, WANTED = 112 };
    size_t height = tile->height, width = tile->width, channels = tile->channels;
    size_t scale = 0 < height && height < WANTED ? (WANTED + height - 1) / height : 1;
    size_t across = count * (width * scale + GAP) + GAP, down = height * scale + 2 * GAP;
    unsigned char *all = report_memory(out, across * down, channels);
    if (!all) {
        return;
    }
    memset(all, 255, across * down * channels);
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < height * scale * width * scale; i++) {
            size_t x = i % (width * scale), y = i / (width * scale);
            size_t from = (y / scale * width + x / scale) * channels;
            size_t to = ((y + GAP) * across + GAP + k * (width * scale + GAP) + x) * channels;
            memcpy(all + to, tile[k].pixels + from, channels);
        }
    }
    report_png(out, all, across, down, channels);
    free(all);
}

int cli_data_picture(const struct cli_data_look *look, const char *path, bool force) {
    bool svg = ends_with(path, ".svg"), png = ends_with(path, ".png");
    if (!svg && !png) {
        return cli_fail(CLI_WRONG, "--picture: found '%s', expected FILE.svg or FILE.png", path);
    }
    if (!look->pictures) {
        return cli_fail(CLI_WRONG, "--picture: samples of %zux%zux%zu are rows of values, expected pictures",
                        look->shape[0], look->shape[1], look->shape[2]);
    }
    int code = cli_check_replaceable(path, svg ? svg_begin : png_begin, force);
    if (code != CLI_DONE) {
        return code;
    }
    struct picture picture = {.bytes = {NULL}};
    struct report_out out = {0};
    make_tiles(look, &picture);
    (svg ? draw_svg : draw_png)(&out, picture.tile, look->samples);
    if (out.failed) {
        cli_out_of_memory();
    }
    code = cli_write_whole(path, out.text, out.length);
    report_out_free(&out);
    for (size_t k = 0; k < look->samples; k++) {
        free(picture.bytes[k]);
        free(picture.label[k]);
    }
    return code;
}
