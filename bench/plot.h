/* SPDX-License-Identifier: MIT */
/* Pictures of results: rows read from JSON, and the charts that are drawn of them. */
#ifndef STOA_BENCH_PLOT_H
#define STOA_BENCH_PLOT_H

#include <stdbool.h>

#include "bench/bench.h"
#include "report/chart.h"

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

/* The naive loops that a row was held against, and what they are called. */
enum { BENCH_PLOT_NAIVES = 3 };
extern const char *const bench_plot_naives[BENCH_PLOT_NAIVES];

/* One result: the median of its repetitions. */
struct bench_plot_row {
    char *name;   /* "layers/lenet c2/forward" */
    char *label;  /* "lenet c2" */
    char *series; /* "forward"; "" where rows of a label are not told apart */
    char *peer;   /* "oneDNN best" for a row of another engine, whose name is that of the row beside it; NULL:
                     this one's */
    enum bench_plot_metric metric;
    double value; /* in the metric's unit */
    double seconds;
    double intensity;                /* flops a byte; 0: unknown */
    double naive[BENCH_PLOT_NAIVES]; /* times as fast as these; 0: not measured */
    bool disturbed;                  /* it is drawn, marked where it can be, and in no mean */
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
/* The operands, files of the same name in different folders told apart. The same codes. */
enum { BENCH_PLOT_FILES = 64 };
int bench_plot_read_all(const struct bench_options *options, struct bench_plot_file *files);

/* Where charts go: hang() takes each with a name of its own, "layers-roofline", and gives CLI_DONE, or
 * another code with the sentence printed. Names and charts last as long as the call. */
struct bench_gallery {
    int (*hang)(struct bench_gallery *gallery, const char *name, struct report_chart *chart);
    void *user;
    size_t count;
};

/* Hang a chart that the file's machine is written under, and release its texts. */
int bench_plot_hang(struct bench_gallery *gallery, const struct bench_plot_file *file, char *name,
                    char *title, struct report_chart *chart);

/* The engine has the first colour, the BLAS the second, naive loops quiet ones. */
enum { BENCH_STYLE_OURS = 1, BENCH_STYLE_BLAS = 2, BENCH_STYLE_NAIVE = 4 };

/* Whether another engine of this name is im2col and the BLAS, between naive loops and Stoa. */
bool bench_plot_is_blas(const char *peer);
/* What a metric is measured in, for an axis. */
const char *bench_plot_unit(enum bench_plot_metric metric);
/* A picture a pass of Stoa beside naive loops, the BLAS and other engines; none where a file has no
 * others. */
int bench_plot_beside(struct bench_gallery *gallery, const struct bench_plot_file *file);

/* The charts of a file: a roofline, bars for each metric, and a comparison with each engine beside this one.
 * Each gives CLI_DONE when there is nothing of its kind. */
int bench_plot_charts(struct bench_gallery *gallery, const struct bench_plot_file *file);
/* How much faster the second file's results are; nothing where none is in both. */
int bench_plot_compare(struct bench_gallery *gallery, const struct bench_plot_file *before,
                       const struct bench_plot_file *after);

/* For qsort() of series names: forward before backward, numbers by their size. */
int bench_plot_by_series(const void *a, const void *b);

#endif
