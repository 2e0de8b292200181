/* SPDX-License-Identifier: MIT */
/* A roofline (Williams, Waterman and Patterson, 2009): GFLOP/s against flops a byte that has to move,
 * under the limits of arithmetic and of memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plot.h"

/* The picture in points. The chart's place in it is fixed, so that labels can be placed here, without one
 * lying on another. */
enum { WIDTH = 960, HEIGHT = 640, LEFT = 76, RIGHT = 30, TOP = BENCH_PLOT_ABOVE, BOTTOM = 58 };
enum { MOST_SERIES = BENCH_PLOT_COLOURS, POINT = 9, LETTER = 6, LINE = 12 };

/* Edges in points from the picture's upper left corner. */
struct box {
    double left, right, top, bottom;
};

struct roofline {
    const struct bench_plot_file *file;
    const struct bench_plot_row **row; /* those with an intensity */
    size_t rows;
    const char *series[MOST_SERIES];
    size_t series_count;
    double x_least, x_most, y_least, y_most;
    struct box *taken; /* points, then labels */
    size_t boxes;
};

static double place_x(const struct roofline *r, double intensity) {
    double part = log(intensity / r->x_least) / log(r->x_most / r->x_least);
    return LEFT + part * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct roofline *r, double rate) {
    double part = log(rate / r->y_least) / log(r->y_most / r->y_least);
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM);
}

static double roof_at(const struct roofline *r, double x) {
    double part = (x - LEFT) / (WIDTH - LEFT - RIGHT);
    double intensity = r->x_least * pow(r->x_most / r->x_least, part);
    return place_y(r, fmin(r->file->fma, r->file->bandwidth * intensity));
}

/* Series of a row; the last colour is shared where there are more. */
static size_t series_of(struct roofline *r, const struct bench_plot_row *row) {
    size_t i = 0;
    while (i < r->series_count && strcmp(r->series[i], row->series) != 0) {
        i++;
    }
    if (i == r->series_count && i < MOST_SERIES) {
        r->series[r->series_count++] = row->series;
    }
    return i < MOST_SERIES ? i : MOST_SERIES - 1;
}

static void find_ranges(struct roofline *r) {
    double ridge = r->file->fma / r->file->bandwidth;
    r->x_least = ridge / 4;
    r->x_most = ridge * 4;
    r->y_least = r->y_most = r->file->fma;
    for (size_t i = 0; i < r->rows; i++) {
        r->x_least = fmin(r->x_least, r->row[i]->intensity / 1.6);
        r->x_most = fmax(r->x_most, r->row[i]->intensity * 1.6);
        r->y_least = fmin(r->y_least, r->row[i]->value);
        r->y_most = fmax(r->y_most, r->row[i]->value);
    }
    r->y_least /= 1.6;
    r->y_most *= 1.4;
}

static bool is_free(const struct roofline *r, const struct box *box) {
    if (box->left < LEFT + 2 || box->right > WIDTH - RIGHT - 2 || box->top < TOP + 2 ||
        box->bottom > HEIGHT - BOTTOM - 2) {
        return false;
    }
    /* The roof rises to the right: its lowest place over the box is at the left edge. */
    if (box->bottom > roof_at(r, box->right) - 2 && box->top < roof_at(r, box->left) + 2) {
        return false;
    }
    for (size_t i = 0; i < r->boxes; i++) {
        const struct box *other = &r->taken[i];
        if (box->left < other->right && box->right > other->left && box->top < other->bottom &&
            box->bottom > other->top) {
            return false;
        }
    }
    return true;
}

/* Write a point's label beside it where there is room, in one of eight places. */
static bool place_label(struct roofline *r, const struct bench_plot_row *row, FILE *script) {
    static const double places[8][2] = {{1, 0},      {-1, 0},    {0, -1},      {0, 1},
                                        {0.8, -0.8}, {0.8, 0.8}, {-0.8, -0.8}, {-0.8, 0.8}};
    double x = place_x(r, row->intensity), y = place_y(r, row->value);
    double width = LETTER * (double)strlen(row->label);
    for (int i = 0; i < 8; i++) {
        double middle = x + places[i][0] * (width / 2 + POINT), line = y + places[i][1] * (LINE + 1);
        struct box box = {middle - width / 2, middle + width / 2, line - LINE / 2.0, line + LINE / 2.0};
        if (is_free(r, &box)) {
            r->taken[r->boxes++] = box;
            char *text = bench_plot_text(row->label);
            (void)fprintf(script,
                          "set label '%s' at screen %.5f, screen %.5f center font ',9' textcolor '#444444'\n",
                          text, middle / WIDTH, 1 - line / HEIGHT);
            free(text);
            return true;
        }
    }
    return false;
}

/* Every label once: at the point of its first series where one of them has room. */
static void write_labels(struct roofline *r, FILE *script) {
    for (size_t i = 0; i < r->rows; i++) {
        double x = place_x(r, r->row[i]->intensity), y = place_y(r, r->row[i]->value);
        r->taken[r->boxes++] =
            (struct box){x - POINT / 2.0, x + POINT / 2.0, y - POINT / 2.0, y + POINT / 2.0};
    }
    bool *done = cli_allocate(r->rows, sizeof *done);
    for (size_t series = 0; series < r->series_count; series++) {
        for (size_t i = 0; i < r->rows; i++) {
            if (series_of(r, r->row[i]) != series || done[i] || !place_label(r, r->row[i], script)) {
                continue;
            }
            for (size_t j = 0; j < r->rows; j++) {
                done[j] = done[j] || strcmp(r->row[j]->label, r->row[i]->label) == 0;
            }
        }
    }
    free(done);
}

static void write_points(struct roofline *r, FILE *script) {
    for (size_t series = 0; series < r->series_count; series++) {
        (void)fprintf(script, "$s%zu << EOD\n", series);
        for (size_t i = 0; i < r->rows; i++) {
            if (series_of(r, r->row[i]) == series) {
                (void)fprintf(script, "%.9g\t%.9g\n", r->row[i]->intensity, r->row[i]->value);
            }
        }
        (void)fputs("EOD\n", script);
    }
}

/* What the roofs are, written along them; the slanted one's angle is that of the picture. */
static void write_roofs(struct roofline *r, FILE *script) {
    double fma = r->file->fma, bandwidth = r->file->bandwidth;
    double ridge = place_x(r, fma / bandwidth), top = place_y(r, fma);
    double angle = atan2(place_y(r, bandwidth * r->x_least) - top, ridge - LEFT);
    /* Off the slanted line by the height of the letters. */
    double x = LEFT + (ridge - LEFT) * 0.5, y = roof_at(r, x);
    (void)fprintf(
        script,
        "set label 'memory, %.1f GB/s' at screen %.5f, screen %.5f center rotate by %.1f font ',10'\n",
        bandwidth, (x - LINE * sin(angle)) / WIDTH, 1 - (y - LINE * cos(angle)) / HEIGHT,
        angle * 180 / acos(-1));
    char *limit = cli_text("FMA limit, %.1f GFLOP/s", fma);
    double right = WIDTH - RIGHT - POINT;
    (void)fprintf(script, "set label '%s' at screen %.5f, screen %.5f right font ',10'\n", limit,
                  right / WIDTH, 1 - (top - LINE) / HEIGHT);
    r->taken[r->boxes++] =
        (struct box){right - (LETTER + 1) * (double)strlen(limit), WIDTH - RIGHT, top - 2 * LINE, top};
    free(limit);
}

static void write_settings(const struct roofline *r, const struct bench_plot_picture *picture) {
    char *title = cli_text("%s: roofline", r->file->stem);
    bench_plot_heading(picture, title, r->file->machine, LEFT);
    free(title);
    bench_plot_margins(picture, LEFT, RIGHT, BOTTOM);
    (void)fprintf(picture->script,
                  "set xlabel 'flops for each byte that has to move'\nset ylabel 'GFLOP/s'\nset logscale xy\n"
                  "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\nset format x '%%g'\nset format y '%%g'\n"
                  "set grid x y\nset samples 1000\n",
                  r->x_least, r->x_most, r->y_least, r->y_most);
}

static void write_plot(const struct roofline *r, FILE *script) {
    static const int shapes[MOST_SERIES] = {7, 9, 5, 13, 11, 15, 6};
    double fma = r->file->fma, bandwidth = r->file->bandwidth;
    (void)fprintf(script,
                  "plot [x=%.9g:%.9g] (%.9g * x < %.9g ? %.9g * x : %.9g) with lines lc rgb '#222222' lw 1.5 "
                  "notitle",
                  r->x_least, r->x_most, bandwidth, fma, bandwidth, fma);
    for (size_t i = 0; i < r->series_count; i++) {
        char *title = bench_plot_text(*r->series[i] ? r->series[i] : "results");
        (void)fprintf(script, ", \\\n     $s%zu using 1:2 with points pt %d ps 0.9 lc rgb '%s' title '%s'", i,
                      shapes[i], bench_plot_colours[i], title);
        free(title);
    }
    (void)fputs("\n", script);
}

static int draw(const char *gnuplot, const char *folder, struct roofline *r) {
    struct bench_plot_picture picture;
    int code = bench_plot_open(folder, r->file->stem, "roofline", WIDTH, HEIGHT, &picture);
    if (code != CLI_DONE) {
        return code;
    }
    find_ranges(r);
    write_settings(r, &picture);
    write_points(r, picture.script);
    write_roofs(r, picture.script);
    write_labels(r, picture.script);
    write_plot(r, picture.script);
    return bench_plot_finish(gnuplot, &picture);
}

int bench_plot_roofline(const char *gnuplot, const char *folder, const struct bench_plot_file *file,
                        int *drawn) {
    struct roofline r = {.file = file,
                         .row = cli_allocate(file->rows, sizeof(struct bench_plot_row *)),
                         .taken = cli_allocate(2 * file->rows + 1, sizeof *r.taken)};
    for (size_t i = 0; i < file->rows; i++) {
        if (file->row[i].metric == BENCH_PLOT_FLOPS && file->row[i].intensity > 0) {
            r.row[r.rows++] = &file->row[i];
            (void)series_of(&r, &file->row[i]);
        }
    }
    qsort(r.series, r.series_count, sizeof *r.series, bench_plot_by_series);
    int code = CLI_DONE;
    if (r.rows > 0 && file->fma > 0 && file->bandwidth > 0) {
        code = draw(gnuplot, folder, &r);
        *drawn += 1;
    }
    free(r.row);
    free(r.taken);
    return code;
}
