/* SPDX-License-Identifier: MIT */
/* Draws a set of pictures as people have them, for the tests of the command: a square, a disc or a cross on
 * noise, PNG and JPEG in turn, grey, in colour, with alpha, of 16 bits, lying, of every size. draw_pictures
 * FOLDER COUNT SEED: FOLDER/square/0.png and so on, COUNT in all. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <png.h>

#include "../data/jpeg_writer.h"

enum { LARGEST = 96 };

static const char *const shapes[] = {"cross", "disc", "square"};
static uint64_t state;

static unsigned draw(unsigned below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(state >> 33) % below;
}

struct canvas {
    unsigned height, width, channels; /* 1, 3 or 4 */
    uint8_t pixels[LARGEST * LARGEST * 4];
};

/* How much of the shape is at a place, from -1 to 1 in both directions. */
static int is_shape(unsigned shape, double y, double x) {
    switch (shape) {
    case 0:
        return (fabs(x) < 0.16 && fabs(y) < 0.7) || (fabs(y) < 0.16 && fabs(x) < 0.7);
    case 1:
        return x * x + y * y < 0.4;
    default:
        return fmax(fabs(x), fabs(y)) < 0.65 && fmax(fabs(x), fabs(y)) > 0.4;
    }
}

static void paint(struct canvas *canvas, unsigned shape) {
    const double side = fmin(canvas->height, canvas->width), shift = (draw(21) - 10.0) / 100;
    const unsigned first = 150 + draw(80), second = 150 + draw(80), third = 150 + draw(80);
    const unsigned colour[] = {first, canvas->channels == 1 ? first : second, third, 255};
    for (unsigned i = 0; i < canvas->height * canvas->width; i++) {
        const double y = ((double)(i / canvas->width) - canvas->height / 2.0) / side * 2 + shift;
        const double x = ((double)(i % canvas->width) - canvas->width / 2.0) / side * 2 - shift;
        const int ink = is_shape(shape, y, x);
        for (unsigned c = 0; c < canvas->channels; c++) {
            canvas->pixels[i * canvas->channels + c] = (uint8_t)(c == 3 ? (ink ? 255 : 128 + draw(128))
                                                                 : ink  ? colour[c]
                                                                        : draw(60));
        }
    }
}

static void save_png(const char *path, const struct canvas *canvas, int deep) {
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    FILE *file = fopen(path, "wb");
    const unsigned values = canvas->width * canvas->channels;
    if (!file) {
        perror(path);
        exit(1);
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, canvas->width, canvas->height, deep ? 16 : 8,
                 canvas->channels == 1   ? PNG_COLOR_TYPE_GRAY
                 : canvas->channels == 3 ? PNG_COLOR_TYPE_RGB
                                         : PNG_COLOR_TYPE_RGB_ALPHA,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (unsigned y = 0; y < canvas->height; y++) {
        uint8_t row[LARGEST * 4 * 2];
        for (unsigned i = 0; i < values; i++) {
            const uint8_t value = canvas->pixels[y * values + i];
            row[deep ? 2 * i : i] = value;
            row[deep ? 2 * i + 1 : i] = value;
        }
        png_write_row(png, row);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    if (fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void save_jpeg(const char *path, const struct canvas *canvas) {
    struct jpeg_writer w = {.width = canvas->width,
                            .height = canvas->height,
                            .channels = (int)canvas->channels,
                            .quality = 60 + (int)draw(40),
                            .progressive = draw(2),
                            .subsampled = draw(2),
                            .turn = draw(9)};
    jpeg_write(&w, canvas->pixels);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(w.bytes, 1, w.used, file) != w.used || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    free(w.bytes);
}

int main(int count, char **arguments) {
    static struct canvas canvas;
    char path[4096];
    if (count != 4) {
        (void)fprintf(stderr, "usage: %s FOLDER COUNT SEED\n", arguments[0]);
        return 2;
    }
    state = strtoul(arguments[3], NULL, 10) * 7919 + 1;
    (void)mkdir(arguments[1], 0777);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", arguments[1], shapes[i]);
        (void)mkdir(path, 0777);
    }
    for (unsigned i = 0; i < strtoul(arguments[2], NULL, 10); i++) {
        const unsigned jpeg = i / 3 % 2;
        canvas.height = 24 + draw(LARGEST - 24);
        canvas.width = 24 + draw(LARGEST - 24);
        canvas.channels = draw(2) ? 3 : jpeg || draw(2) ? 1 : 4;
        paint(&canvas, i % 3);
        (void)snprintf(path, sizeof path, "%s/%s/%u.%s", arguments[1], shapes[i % 3], i,
                       jpeg ? "jpg" : "png");
        if (jpeg) {
            save_jpeg(path, &canvas);
        } else {
            save_png(path, &canvas, draw(10) == 0);
        }
    }
    return 0;
}
