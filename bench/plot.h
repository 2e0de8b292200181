/* SPDX-License-Identifier: MIT */
/* Pictures of results: rows read from JSON, and charts written as scripts for gnuplot. */
#ifndef STOA_BENCH_PLOT_H
#define STOA_BENCH_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/bench.h"

/* What a row is measured in, the most telling one first; time where there is nothing else. */
enum bench_plot_metric {
    BENCH_PLOT_SPEEDUP,
    BENCH_PLOT_FLOPS,
    BENCH_PLOT_BYTES,
    BENCH_PLOT_IMAGES,
    BENCH_PLOT_SHARE,
    BENCH_PLOT_TIME,
    BENCH_PLOT_METRICS
};

/* One result: the median of its repetitions. */
struct bench_plot_row {
    char *name;   /* "layers/lenet c2/forward" */
    char *label;  /* "lenet c2" */
    char *series; /* "forward"; "" where rows of a label are not told apart */
    char *
        peer; /* "onednn best" for a row of another engine, whose name is that of the row beside it; NULL: this one's */
    enum bench_plot_metric metric;
    double value; /* in the metric's unit */
    double seconds;
    double intensity; /* flops a byte; 0: unknown */
};

struct bench_plot_file {
    const char *path;
    char *stem; /* of its name: "layers" for "results/layers.json" */
    json_t *json;
    struct bench_plot_row *row; /* of this engine; those of others stand apart */
    size_t rows;
    struct bench_plot_row *peer_row;
    size_t peer_rows;
    double fma, bandwidth; /* of its machine, GFLOP/s and GB/s; 0: not in the file */
    char *machine;         /* a line for under a title */
};

/* CLI_DONE, or CLI_WRONG with the sentence printed. Close in any case. */
int bench_plot_read(const char *path, struct bench_plot_file *file);
void bench_plot_close(struct bench_plot_file *file);

/* A script being written. Charts write settings, data blocks and one plot command; the picture's size is
 * known when it opens. Texts from outside go through bench_plot_text(). */
struct bench_plot_picture {
    FILE *script;
    char *script_path, *base; /* "out/layers-roofline" */
    int width, height;        /* points */
};

/* Path of gnuplot, or NULL with the sentence printed. From malloc. */
char *bench_plot_gnuplot(void);
/* CLI_DONE, or CLI_FAILED with the sentence printed. */
int bench_plot_open(const char *folder, const char *stem, const char *chart, int width, int height,
                    struct bench_plot_picture *picture);
/* Title, machine and key, from the left edge of the chart; how much of the picture's top they take. */
enum { BENCH_PLOT_ABOVE = 92 };
void bench_plot_heading(const struct bench_plot_picture *picture, const char *title, const char *machine,
                        int left);
/* The chart's edges, in points from those of the picture. */
void bench_plot_margins(const struct bench_plot_picture *picture, int left, int right, int below);
/* Run gnuplot for BASE.svg and BASE.png, and print their names. */
int bench_plot_finish(const char *gnuplot, struct bench_plot_picture *picture);
/* A text without anything that a quoted string or a column of data could trip over. From malloc. */
char *bench_plot_text(const char *text);

/* For qsort() of series names: forward before backward, numbers by their size. */
int bench_plot_by_series(const void *a, const void *b);

/* Points that a text takes to the left of an axis, more rather than less: fonts differ. */
int bench_plot_label_width(size_t letters);

/* Colours that most eyes tell apart (Okabe and Ito), and the name and unit of a metric. */
enum { BENCH_PLOT_COLOURS = 7 };
extern const char *const bench_plot_colours[BENCH_PLOT_COLOURS];
extern const char *const bench_plot_units[BENCH_PLOT_METRICS];

/* The charts. Each gives CLI_DONE when there is nothing of its kind in the file, and counts what it drew. */
int bench_plot_bars(const char *gnuplot, const char *folder, const struct bench_plot_file *file, int *drawn);
int bench_plot_roofline(const char *gnuplot, const char *folder, const struct bench_plot_file *file,
                        int *drawn);
int bench_plot_compare(const char *gnuplot, const char *folder, const struct bench_plot_file *before,
                       const struct bench_plot_file *after, int *drawn);
/* A comparison with each engine that was measured beside this one. */
int bench_plot_peers(const char *gnuplot, const char *folder, const struct bench_plot_file *file, int *drawn);

#endif
