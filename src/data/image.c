/* SPDX-License-Identifier: MIT */
/* A picture of one digit, prepared as MNIST was: the ink's box scaled into 20 of 28 pixels, centred by its
 * centre of mass, light on dark. Everything up to the scaling works on 8-bit grey, so that "how much ink is
 * this" is a table of 256 numbers. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include <stoa/data.h>

#include "base/float_state.h"
#include "base/size.h"
#include "core/context.h"
#include "data/picture.h"
#include "data/read.h"

/* Ink starts this far (of 255) from the paper at least, and a picture whose ink nowhere gets further than
 * LEAST_CONTRAST is blank. */
enum { LEAST_INK = 4, LEAST_CONTRAST = 25 };

struct grey_picture {
    size_t height, width;
    size_t bytes;
    uint8_t *grey; /* from stoa_allocate(); first pairs of grey and alpha, then grey alone */
};

struct box {
    size_t top, left, height, width;
};

static stoa_status read_grey(stoa_context *context, const char *path, struct grey_picture *picture) {
    struct stoa_picture file;
    stoa_status status = stoa_picture_open(context, path, &file);
    if (status != STOA_OK) {
        return status;
    }
    picture->height = file.height;
    picture->width = file.width;
    picture->bytes = 2 * file.height * file.width; /* bounded by the reader */
    picture->grey = stoa_allocate(context, picture->bytes, path);
    status = picture->grey ? stoa_picture_decode(&file, 2, picture->grey) : STOA_ERR_MEMORY;
    if (status != STOA_OK) {
        stoa_release(context, picture->grey, picture->bytes);
        picture->grey = NULL;
    }
    stoa_picture_close(&file);
    return status;
}

static bool on_border(const struct grey_picture *picture, size_t row, size_t column) {
    return row == 0 || column == 0 || row == picture->height - 1 || column == picture->width - 1;
}

/* What stands behind transparent pixels. A border that is itself see-through belongs to a cut-out: it goes on
 * white when what is drawn is dark, on black when it is light. Otherwise the border's own colour continues.
 */
static unsigned choose_backdrop(const struct grey_picture *picture) {
    double all = 0, all_alpha = 0, border = 0, border_alpha = 0;
    size_t border_pixels = 0;
    for (size_t row = 0; row < picture->height; row++) {
        for (size_t column = 0; column < picture->width; column++) {
            const uint8_t *pixel = picture->grey + 2 * (row * picture->width + column);
            double weighted = (double)pixel[0] * pixel[1];
            all += weighted;
            all_alpha += pixel[1];
            if (on_border(picture, row, column)) {
                border += weighted;
                border_alpha += pixel[1];
                border_pixels++;
            }
        }
    }
    if (border_alpha >= 127.5 * (double)border_pixels) {
        return (unsigned)(border / border_alpha + 0.5);
    }
    return all > 127.5 * all_alpha ? 0 : 255;
}

/* Pairs of grey and alpha to grey alone, in place. */
static void compose(struct grey_picture *picture) {
    unsigned backdrop = choose_backdrop(picture);
    for (size_t i = 0; i < picture->height * picture->width; i++) {
        unsigned grey = picture->grey[2 * i];
        unsigned alpha = picture->grey[2 * i + 1];
        picture->grey[i] = (uint8_t)((grey * alpha + backdrop * (255 - alpha) + 127) / 255);
    }
}

/* Smallest value that at least `share` of the histogram's entries do not exceed. */
static int quantile(const size_t histogram[256], double share) {
    double total = 0, sum = 0;
    for (int value = 0; value < 256; value++) {
        total += (double)histogram[value];
    }
    int value = 0;
    for (sum = (double)histogram[0]; sum < share * total && value < 255; sum += (double)histogram[value]) {
        value++;
    }
    return value;
}

/* The paper's grey and how far its noise goes, from the border: its median, and what nine tenths of it stay
 * within, so that a stroke which runs into the border does no harm. */
static void look_at_border(const struct grey_picture *picture, int *paper, int *noise) {
    size_t greys[256] = {0}, distances[256] = {0};
    for (size_t row = 0; row < picture->height; row++) {
        bool edge = row == 0 || row == picture->height - 1;
        size_t step = edge || picture->width == 1 ? 1 : picture->width - 1;
        for (size_t column = 0; column < picture->width; column += step) {
            greys[picture->grey[row * picture->width + column]]++;
        }
    }
    *paper = quantile(greys, 0.5);
    for (int value = 0; value < 256; value++) {
        distances[abs(value - *paper)] += greys[value];
    }
    *noise = quantile(distances, 0.9);
}

/* Fill the table "how much ink is grey g", in steps of grey; false when the picture shows none. Ink is
 * whichever side of the paper's grey holds more. */
static bool make_ink_table(const struct grey_picture *picture, float ink[256]) {
    int paper = 0, noise = 0;
    look_at_border(picture, &paper, &noise);
    size_t greys[256] = {0};
    for (size_t i = 0; i < picture->height * picture->width; i++) {
        greys[picture->grey[i]]++;
    }
    double dark = 0, light = 0;
    for (int value = 0; value < 256; value++) {
        double weight = (double)greys[value] * abs(value - paper);
        *(value < paper ? &dark : &light) += weight;
    }
    int sign = dark > light ? -1 : 1;
    int least = noise + noise / 2 > LEAST_INK ? noise + noise / 2 : LEAST_INK;
    int most = 0;
    for (int value = 0; value < 256; value++) {
        int distance = sign * (value - paper);
        ink[value] = distance >= least ? (float)distance : 0.0F;
        if (greys[value] > 0 && distance > most) {
            most = distance;
        }
    }
    return most >= least && most >= LEAST_CONTRAST;
}

static struct box find_box(const struct grey_picture *picture, const float ink[256]) {
    size_t top = picture->height, bottom = 0, left = picture->width, right = 0;
    for (size_t row = 0; row < picture->height; row++) {
        for (size_t column = 0; column < picture->width; column++) {
            if (ink[picture->grey[row * picture->width + column]] > 0) {
                top = stoa_min(top, row);
                bottom = row;
                left = stoa_min(left, column);
                right = stoa_max(right, column);
            }
        }
    }
    return (struct box){top, left, bottom - top + 1, right - left + 1};
}

/* The part of source pixel `at` that lies between `from` and `to`. */
static double overlap(size_t at, double from, double to) {
    double low = from > (double)at ? from : (double)at;
    double high = to < (double)at + 1 ? to : (double)at + 1;
    return high > low ? high - low : 0;
}

/* Mean ink over the rectangle of the picture that output pixel (row, column) of `size` covers. */
static float mean_ink(const struct grey_picture *picture, const float ink[256], const struct box *box,
                      const struct box *size, size_t row, size_t column) {
    double y0 = (double)(row * box->height) / (double)size->height;
    double y1 = (double)((row + 1) * box->height) / (double)size->height;
    double x0 = (double)(column * box->width) / (double)size->width;
    double x1 = (double)((column + 1) * box->width) / (double)size->width;
    double sum = 0;
    for (size_t y = (size_t)y0; y < box->height && (double)y < y1; y++) {
        const uint8_t *line = picture->grey + (box->top + y) * picture->width + box->left;
        double part = 0;
        for (size_t x = (size_t)x0; x < box->width && (double)x < x1; x++) {
            part += overlap(x, x0, x1) * (double)ink[line[x]];
        }
        sum += part * overlap(y, y0, y1);
    }
    return (float)(sum / ((y1 - y0) * (x1 - x0)));
}

/* Size of the ink's box in the output: the largest with its proportions within 20/28 of both sides. */
static struct box fit_box(const struct box *box, size_t height, size_t width) {
    double room_y = fmax(1, (double)height * 20 / 28);
    double room_x = fmax(1, (double)width * 20 / 28);
    double scale = fmin(room_y / (double)box->height, room_x / (double)box->width);
    double fitted_y = fmax(1, fmin(floor(room_y), round((double)box->height * scale)));
    double fitted_x = fmax(1, fmin(floor(room_x), round((double)box->width * scale)));
    return (struct box){.height = (size_t)fitted_y, .width = (size_t)fitted_x};
}

/* Where a run of `length` goes in `room` so that its centre of mass comes to the middle, without leaving it.
 */
static size_t place(double centre, size_t length, size_t room) {
    double start = round((double)room / 2 - centre);
    return (size_t)fmax(0, fmin(start, (double)(room - length)));
}

/* Scale the ink's box into the top left corner of `out`, which is zero; returns its largest value and its
 * centre of mass. */
static float scale_ink(const struct grey_picture *picture, const float ink[256], const struct box *box,
                       const struct box *size, size_t width, float *out, double *centre_y, double *centre_x) {
    double sum = 0, sum_y = 0, sum_x = 0;
    float largest = 0;
    for (size_t row = 0; row < size->height; row++) {
        for (size_t column = 0; column < size->width; column++) {
            float value = mean_ink(picture, ink, box, size, row, column);
            out[row * width + column] = value;
            largest = value > largest ? value : largest;
            sum += (double)value;
            sum_y += (double)value * (double)row;
            sum_x += (double)value * (double)column;
        }
    }
    *centre_y = sum_y / sum;
    *centre_x = sum_x / sum;
    return largest;
}

static void draw_digit(const struct grey_picture *picture, const float ink[256], size_t height, size_t width,
                       float *out) {
    for (size_t i = 0; i < height * width; i++) {
        out[i] = 0;
    }
    struct box box = find_box(picture, ink);
    struct box size = fit_box(&box, height, width);
    double centre_y = 0, centre_x = 0;
    float largest = scale_ink(picture, ink, &box, &size, width, out, &centre_y, &centre_x);
    size_t top = place(centre_y, size.height, height);
    size_t left = place(centre_x, size.width, width);
    /* Backwards, so that no value is overwritten before it has moved; thin strokes, pale once averaged, get
     * MNIST's full range back on the way. */
    for (size_t row = size.height; row-- > 0;) {
        for (size_t column = size.width; column-- > 0;) {
            float value = out[row * width + column] / largest;
            out[row * width + column] = 0;
            out[(row + top) * width + column + left] = value;
        }
    }
}

stoa_status stoa_image_read_digit(stoa_context *context, const char *path, size_t height, size_t width,
                                  float *out) {
    STOA_FLOAT_STATE();
    if (height == 0 || width == 0 || height > STOA_MAX_DIMENSION / width) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "%s: asked for as %zux%zu pixels, expected 1 to %zu in all", path, height, width,
                         STOA_MAX_DIMENSION);
    }
    struct grey_picture picture = {0};
    stoa_status status = read_grey(context, path, &picture);
    if (!picture.grey) {
        return status;
    }
    compose(&picture);
    float ink[256];
    if (make_ink_table(&picture, ink)) {
        draw_digit(&picture, ink, height, width, out);
    } else {
        status = stoa_fail(context, STOA_ERR_FORMAT, "%s: no ink found: all of its %zux%zu pixels look alike",
                           path, picture.width, picture.height);
    }
    stoa_release(context, picture.grey, picture.bytes);
    return status;
}

/* Channels that the picture is to be read with: those asked for, or for a row of values as many as its pixels
 * need. 0 with the error set: it does not fit. */
static size_t choose_channels(const struct stoa_picture *picture, const stoa_data_options *wanted) {
    size_t pixels = picture->height * picture->width; /* bounded by the reader */
    if (wanted->channels == 1 || wanted->channels == 3) {
        bool same = picture->height == wanted->height && picture->width == wanted->width;
        if (same || wanted->resize != STOA_RESIZE_NONE) {
            return wanted->channels;
        }
        (void)stoa_fail(picture->context, STOA_ERR_SHAPE,
                        "%s: %zux%zu pixels, expected %zux%zu, or resize = fit, crop or stretch",
                        picture->path, picture->height, picture->width, wanted->height, wanted->width);
        return 0;
    }
    if (wanted->channels == pixels || wanted->channels == 3 * pixels) {
        return wanted->channels / pixels;
    }
    (void)stoa_fail(
        picture->context, STOA_ERR_SHAPE,
        "%s: %zux%zu pixels, expected %zu values: a grey picture of as many pixels, or a third of it in "
        "colour",
        picture->path, picture->height, picture->width, wanted->channels);
    return 0;
}

/* Pixel by pixel, or plane by plane. */
static void copy_values(const float *values, size_t pixels, size_t channels, bool planes, float *out) {
    for (size_t i = 0; i < pixels * channels; i++) {
        out[planes ? i % channels * pixels + i / channels : i] = values[i];
    }
}

/* Pixels that are resized as bytes are rounded on the way, as those of a data set are. */
static stoa_status read_bytes(struct stoa_picture *picture, stoa_resize how, const struct stoa_plane *to) {
    const size_t values = to->height * to->width * to->channels;
    uint8_t *bytes = stoa_allocate(picture->context, values, picture->path);
    if (!bytes) {
        return STOA_ERR_MEMORY;
    }
    struct stoa_plane rounded = *to;
    rounded.bytes = bytes;
    stoa_status status = stoa_picture_read(picture, how, &rounded);
    for (size_t i = 0; status == STOA_OK && i < values; i++) {
        to->numbers[i] = (float)bytes[i] / 255.0F;
    }
    stoa_release(picture->context, bytes, values);
    return status;
}

/* The values of a picture that fits, of `read` channels. */
static stoa_status read_values(struct stoa_picture *picture, size_t read, const stoa_data_options *wanted,
                               float *out) {
    const bool resized = wanted->resize != STOA_RESIZE_NONE;
    struct stoa_plane plane = {.height = resized ? wanted->height : picture->height,
                               .width = resized ? wanted->width : picture->width,
                               .channels = read};
    const size_t pixels = plane.height * plane.width, bytes = pixels * read * sizeof(float);
    plane.numbers = stoa_allocate(picture->context, bytes, picture->path);
    if (!plane.numbers) {
        return STOA_ERR_MEMORY;
    }
    stoa_status status = resized && !picture->deep ? read_bytes(picture, wanted->resize, &plane)
                                                   : stoa_picture_read(picture, wanted->resize, &plane);
    if (status == STOA_OK) {
        copy_values(plane.numbers, pixels, read, wanted->channels != 1 && wanted->channels != 3, out);
    }
    stoa_release(picture->context, plane.numbers, bytes);
    return status;
}

stoa_status stoa_image_take(stoa_context *context, const char *path, const stoa_data_options *wanted,
                            float *out) {
    struct stoa_picture picture;
    bool row = wanted->height == 1 && wanted->width == 1 && wanted->channels != 3;
    if (wanted->channels != 1 && wanted->channels != 3 && (!row || wanted->channels == 0)) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: asked for with %zu channels, expected 1 or 3", path,
                         wanted->channels);
    }
    stoa_status status = stoa_picture_open(context, path, &picture);
    if (status != STOA_OK) {
        return status;
    }
    size_t read = choose_channels(&picture, wanted);
    status = read > 0 ? read_values(&picture, read, wanted, out) : context->error.status;
    stoa_picture_close(&picture);
    return status;
}

stoa_status stoa_image_read(stoa_context *context, const char *path, size_t height, size_t width,
                            size_t channels, float *out) {
    STOA_FLOAT_STATE();
    const stoa_data_options wanted = {.height = height, .width = width, .channels = channels};
    return stoa_image_take(context, path, &wanted, out);
}
