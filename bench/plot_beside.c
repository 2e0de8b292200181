/* SPDX-License-Identifier: MIT */
/* Pictures of Stoa beside what a file has measured with it: naive loops, im2col and the BLAS, other engines.
 * One for each pass, or whatever else tells rows of a name apart; each side's own numbers under its own
 * name. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plot.h"

enum { MOST_SIDES = 8, WIDE = 880 };

/* The bars of one picture: rows of one metric and series. */
struct beside {
    const struct bench_plot_file *file;
    enum bench_plot_metric metric;
    const char *series;
    bool naive;                   /* the first side is the best naive loops */
    const char *peer[MOST_SIDES]; /* behind it; Stoa is the last side */
    size_t peers;
    struct report_bar_group *group; /* the first one is the means */
    char **label;
    double *value; /* MOST_SIDES a group */
    double log_sum[MOST_SIDES];
    size_t count, whole; /* rows; those with every side that nothing disturbed, over which means go */
};

static size_t sides_of(const struct beside *beside) {
    return beside->naive + beside->peers + 1;
}

static bool belongs(const struct beside *beside, const struct bench_plot_row *row) {
    return row->metric == beside->metric && strcmp(row->series, beside->series) == 0;
}

static const struct bench_plot_row *find_peer(const struct bench_plot_file *file, const char *peer,
                                              const char *name) {
    for (size_t i = 0; i < file->peer_rows; i++) {
        const struct bench_plot_row *row = &file->peer_row[i];
        if (strcmp(row->name, name) == 0 && (!peer || strcmp(row->peer, peer) == 0)) {
            return row;
        }
    }
    return NULL;
}

static bool has_naive(const struct bench_plot_row *row) {
    return row->metric == BENCH_PLOT_FLOPS && row->naive[BENCH_PLOT_NAIVES - 1] > 0;
}

static void find_sides(struct beside *beside) {
    const struct bench_plot_file *file = beside->file;
    for (size_t i = 0; i < file->rows; i++) {
        beside->naive = beside->naive || (belongs(beside, &file->row[i]) && has_naive(&file->row[i]));
    }
    for (size_t i = 0; i < file->peer_rows; i++) {
        const struct bench_plot_row *row = &file->peer_row[i];
        bool known = !belongs(beside, row);
        for (size_t j = 0; j < beside->peers; j++) {
            known = known || strcmp(beside->peer[j], row->peer) == 0;
        }
        if (!known && sides_of(beside) < MOST_SIDES) {
            beside->peer[beside->peers++] = row->peer;
        }
    }
}

static void add_bars(struct beside *beside, const struct bench_plot_row *row) {
    size_t at = ++beside->count, sides = sides_of(beside), side = 0;
    double *value = &beside->value[MOST_SIDES * at];
    bool whole = !row->disturbed;
    if (beside->naive) {
        value[side++] = has_naive(row) ? row->value / row->naive[BENCH_PLOT_NAIVES - 1] : (double)NAN;
    }
    for (size_t i = 0; i < beside->peers; i++) {
        const struct bench_plot_row *peer = find_peer(beside->file, beside->peer[i], row->name);
        whole = whole && !(peer && peer->disturbed);
        value[side++] = peer ? peer->value : (double)NAN;
    }
    value[side] = row->value;
    for (size_t i = 0; i < sides; i++) {
        whole = whole && value[i] > 0;
    }
    for (size_t i = 0; whole && i < sides; i++) {
        beside->log_sum[i] += log(value[i]);
    }
    beside->whole += whole;
    beside->label[at] = cli_text("%s%s", row->label, row->disturbed ? " " BENCH_MARK : "");
    beside->group[at] = (struct report_bar_group){beside->label[at], value};
}

/* A power of ten below every bar. */
static double base_of(const struct beside *beside) {
    double least = HUGE_VAL;
    for (size_t i = MOST_SIDES; i < MOST_SIDES * (beside->count + 1); i++) {
        bool shown = i % MOST_SIDES < sides_of(beside) && beside->value[i] > 0;
        least = shown ? fmin(least, beside->value[i]) : least;
    }
    return isfinite(least) ? pow(10, floor(log10(least))) : 0.1;
}

static int hang(struct bench_gallery *gallery, struct beside *beside) {
    static const size_t others[] = {3, 6, 8, 5, 7};
    const struct bench_plot_file *file = beside->file;
    const char *series[MOST_SIDES];
    size_t styles[MOST_SIDES], side = 0, taken = 0, first = beside->whole > 0 ? 0 : 1;
    if (beside->naive) {
        styles[side] = BENCH_STYLE_NAIVE;
        series[side++] = bench_plot_naives[BENCH_PLOT_NAIVES - 1];
    }
    for (size_t i = 0; i < beside->peers; i++) {
        styles[side] = bench_plot_is_blas(beside->peer[i]) ? BENCH_STYLE_BLAS : others[taken++ % 5];
        series[side++] = beside->peer[i];
    }
    styles[side] = BENCH_STYLE_OURS;
    series[side++] = "Stoa";
    for (size_t i = 0; i < side; i++) {
        beside->value[i] = exp(beside->log_sum[i] / (double)beside->whole);
    }
    beside->group[0] = (struct report_bar_group){"geometric mean", beside->value};
    double limit = beside->metric == BENCH_PLOT_FLOPS ? file->fma : 0;
    char *limit_name = cli_text("FMA limit, %.1f GFLOP/s", limit);
    const struct report_bars bars = {.x = {.label = bench_plot_unit(beside->metric), .scale = REPORT_LOG},
                                     .series = series,
                                     .styles = styles,
                                     .series_count = side,
                                     .group = beside->group + first,
                                     .count = beside->count + 1 - first,
                                     .base = base_of(beside),
                                     .limit = limit,
                                     .limit_name = limit_name};
    struct report_chart chart = {.width = WIDE, .bars = &bars};
    const char *kind = beside->naive ? "steps" : "beside";
    char *name = cli_text("%s-%s%s%s", file->stem, kind, *beside->series ? "-" : "", beside->series);
    for (char *odd; (odd = strpbrk(name + strlen(file->stem), " :/")) != NULL;) {
        *odd = '-';
    }
    char *title =
        cli_text("%s: %s%s%s", file->stem, beside->naive ? "what each step brings" : "Stoa beside others",
                 *beside->series ? ", " : "", beside->series);
    int code = bench_plot_hang(gallery, file, name, title, &chart);
    free(limit_name);
    return code;
}

/* The picture of one metric and series; none where nothing stands beside Stoa. */
static int draw(struct bench_gallery *gallery, const struct bench_plot_file *file,
                const struct bench_plot_row *like) {
    struct beside beside = {.file = file, .metric = like->metric, .series = like->series};
    find_sides(&beside);
    if (sides_of(&beside) == 1) {
        return CLI_DONE;
    }
    beside.group = cli_allocate(file->rows + 1, sizeof *beside.group);
    beside.label = cli_allocate(file->rows + 1, sizeof *beside.label);
    beside.value = cli_allocate(MOST_SIDES * (file->rows + 1), sizeof *beside.value);
    for (size_t i = 0; i < file->rows; i++) {
        const struct bench_plot_row *row = &file->row[i];
        if (belongs(&beside, row) && (has_naive(row) || find_peer(file, NULL, row->name))) {
            add_bars(&beside, row);
        }
    }
    int code = beside.count > 0 ? hang(gallery, &beside) : CLI_DONE;
    for (size_t i = 0; i <= beside.count; i++) {
        free(beside.label[i]);
    }
    free(beside.label);
    free(beside.group);
    free(beside.value);
    return code;
}

int bench_plot_beside(struct bench_gallery *gallery, const struct bench_plot_file *file) {
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < file->rows; i++) {
        bool drawn = false;
        for (size_t j = 0; j < i; j++) {
            drawn = drawn || (file->row[j].metric == file->row[i].metric &&
                              strcmp(file->row[j].series, file->row[i].series) == 0);
        }
        code = drawn ? CLI_DONE : draw(gallery, file, &file->row[i]);
    }
    return code;
}
