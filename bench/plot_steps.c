/* SPDX-License-Identifier: MIT */
/* The pictures of layers in three steps: naive loops, im2col and the BLAS, the engine, a picture a pass. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/layer.h"
#include "bench/plot.h"

enum { NAIVE, BLAS, ENGINE, STEPS, WIDE = 880 };

/* The bars of one pass. */
struct picture {
    const char *blas; /* what the BLAS's rows are called */
    struct report_bar_group *group;
    double (*value)[STEPS];
    double log_sum[STEPS];
    size_t count, whole; /* rows with every step, over which the means go */
};

static const struct bench_plot_row *find_blas(const struct bench_plot_file *file, const char *name) {
    for (size_t i = 0; i < file->peer_rows; i++) {
        const struct bench_plot_row *row = &file->peer_row[i];
        if (bench_plot_is_blas(row) && strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

static void add_bars(struct picture *picture, const struct bench_plot_file *file,
                     const struct bench_plot_row *row) {
    const struct bench_plot_row *blas = find_blas(file, row->name);
    double naive = row->naive[BENCH_PLOT_NAIVES - 1];
    double *value = picture->value[picture->count + 1];
    value[NAIVE] = naive > 0 ? row->value / naive : (double)NAN;
    value[BLAS] = blas ? blas->value : (double)NAN;
    value[ENGINE] = row->value;
    picture->group[++picture->count] = (struct report_bar_group){row->label, value};
    picture->blas = blas ? blas->peer : picture->blas;
    if (blas && naive > 0) {
        picture->whole++;
        for (size_t i = 0; i < STEPS; i++) {
            picture->log_sum[i] += log(value[i]);
        }
    }
}

static int draw_pass(struct bench_gallery *gallery, const struct bench_plot_file *file, const char *pass) {
    struct picture picture = {.group = cli_allocate(file->rows + 1, sizeof *picture.group),
                              .value = cli_allocate(file->rows + 1, sizeof *picture.value)};
    for (size_t i = 0; i < file->rows; i++) {
        if (file->row[i].metric == BENCH_PLOT_FLOPS && strcmp(file->row[i].series, pass) == 0) {
            add_bars(&picture, file, &file->row[i]);
        }
    }
    int code = CLI_DONE;
    if (picture.whole > 0) {
        static const size_t styles[STEPS] = {BENCH_STYLE_NAIVE, BENCH_STYLE_BLAS, BENCH_STYLE_OURS};
        const char *series[STEPS] = {bench_plot_naives[BENCH_PLOT_NAIVES - 1], picture.blas, "Stoa"};
        for (size_t i = 0; i < STEPS; i++) {
            picture.value[0][i] = exp(picture.log_sum[i] / (double)picture.whole);
        }
        picture.group[0] = (struct report_bar_group){"geometric mean", picture.value[0]};
        char *limit = cli_text("FMA limit, %.1f GFLOP/s", file->fma);
        const struct report_bars bars = {.x = {.label = "GFLOP/s", .scale = REPORT_LOG},
                                         .series = series,
                                         .styles = styles,
                                         .series_count = STEPS,
                                         .group = picture.group,
                                         .count = picture.count + 1,
                                         .base = 0.1,
                                         .limit = file->fma,
                                         .limit_name = limit};
        struct report_chart chart = {.width = WIDE, .bars = &bars};
        char *name = cli_text("%s-steps-%s", file->stem, pass);
        for (char *space = name; (space = strchr(space, ' ')) != NULL;) {
            *space = '-';
        }
        code = bench_plot_hang(gallery, file, name,
                               cli_text("%s: what each step brings, %s", file->stem, pass), &chart);
        free(limit);
    }
    free(picture.group);
    free(picture.value);
    return code;
}

int bench_plot_steps(struct bench_gallery *gallery, const struct bench_plot_file *file) {
    int code = CLI_DONE;
    for (size_t pass = 0; code == CLI_DONE && pass < BENCH_PASSES; pass++) {
        code = draw_pass(gallery, file, bench_pass_names[pass]);
    }
    return code;
}
