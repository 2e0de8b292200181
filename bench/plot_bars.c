/* SPDX-License-Identifier: MIT */
/* Bars: a chart for each metric of a file, a group of lying bars a label, the best group on top. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plot.h"

enum { MOST_SERIES = BENCH_PLOT_COLOURS, LONE_BAR = 12, NUMBERED_BAR = 11, BAR = 8, GAP = 6 };
enum { INSIDE_WIDTH = 620, RIGHT = 40, BELOW = 56, MOST_NUMBERS = 60 };

/* Shares below this many percent are left out. */
static const double LEAST_SHARE = 0.5;

/* The rows of one metric, sorted into groups. */
struct bars {
    const struct bench_plot_file *file;
    enum bench_plot_metric metric;
    const char *series[MOST_SERIES];
    size_t series_count;
    struct group {
        const char *label;
        size_t family; /* order of the recipe, for shares */
        double best;
        const struct bench_plot_row *row[MOST_SERIES];
        size_t rows;
    } * groups;
    size_t group_count, rows;
    int bar; /* thickness */
};

static size_t find_series(const struct bars *bars, const char *name) {
    size_t i = 0;
    while (i < bars->series_count && strcmp(bars->series[i], name) != 0) {
        i++;
    }
    return i;
}

/* Shares of one recipe stay together, in the order of the file: "mlp" of "mlp, l1". */
static size_t family_length(const char *label) {
    const char *comma = strrchr(label, ',');
    return comma ? (size_t)(comma - label) : strlen(label);
}

static size_t family_of(const struct bars *bars, const char *label) {
    size_t length = family_length(label);
    for (size_t i = 0; i < bars->group_count; i++) {
        const char *other = bars->groups[i].label;
        if (family_length(other) == length && strncmp(other, label, length) == 0) {
            return bars->groups[i].family;
        }
    }
    return bars->group_count;
}

static struct group *find_group(struct bars *bars, const char *label) {
    for (size_t i = 0; i < bars->group_count; i++) {
        if (strcmp(bars->groups[i].label, label) == 0) {
            return &bars->groups[i];
        }
    }
    size_t family = bars->metric == BENCH_PLOT_SHARE ? family_of(bars, label) : 0;
    bars->groups[bars->group_count] = (struct group){.label = label, .family = family};
    return &bars->groups[bars->group_count++];
}

static int by_best(const void *a, const void *b) {
    const struct group *left = a, *right = b;
    if (left->family != right->family) {
        return left->family < right->family ? -1 : 1;
    }
    return (left->best < right->best) - (left->best > right->best);
}

/* One thread's speed-up over one thread says nothing, nor do parts of a step that take no time. */
static bool is_drawn(const struct bars *bars, const struct bench_plot_row *row) {
    if (row->metric == BENCH_PLOT_SPEEDUP && strcmp(row->series, "threads:1") == 0) {
        return false;
    }
    return row->metric == bars->metric && (row->metric != BENCH_PLOT_SHARE || row->value >= LEAST_SHARE);
}

/* The series that there are, in their order; more than there are colours for: each row stands alone. */
static bool find_all_series(struct bars *bars) {
    bars->series_count = 0;
    for (size_t i = 0; i < bars->file->rows; i++) {
        const struct bench_plot_row *row = &bars->file->row[i];
        if (!is_drawn(bars, row) || find_series(bars, row->series) < bars->series_count) {
            continue;
        }
        if (bars->series_count == MOST_SERIES) {
            bars->series[0] = "";
            bars->series_count = 1;
            return false;
        }
        bars->series[bars->series_count++] = row->series;
    }
    qsort(bars->series, bars->series_count, sizeof *bars->series, bench_plot_by_series);
    return true;
}

static void sort_rows(struct bars *bars) {
    bool together = find_all_series(bars);
    bars->group_count = bars->rows = 0;
    for (size_t i = 0; i < bars->file->rows; i++) {
        const struct bench_plot_row *row = &bars->file->row[i];
        if (!is_drawn(bars, row)) {
            continue;
        }
        const char *slash = strchr(row->name, '/');
        struct group *group = find_group(bars, together ? row->label : slash ? slash + 1 : row->name);
        size_t series = find_series(bars, together ? row->series : "");
        bars->rows += group->row[series] == NULL;
        group->rows += group->row[series] == NULL;
        group->row[series] = row;
        group->best = fmax(group->best, row->value);
    }
    qsort(bars->groups, bars->group_count, sizeof *bars->groups, by_best);
    bars->bar = bars->series_count == 1 ? LONE_BAR : bars->rows <= MOST_NUMBERS ? NUMBERED_BAR : BAR;
}

/* The limit that a metric is held against, 0 where there is none. */
static double limit_of(const struct bars *bars) {
    return bars->metric == BENCH_PLOT_FLOPS   ? bars->file->fma
           : bars->metric == BENCH_PLOT_BYTES ? bars->file->bandwidth
                                              : 0;
}

/* Data blocks: a row a bar: value, centre, upper and lower edge in points from the top. Gives the height. */
static int write_data(const struct bars *bars, FILE *script) {
    int top = 0;
    for (size_t s = 0; s < bars->series_count; s++) {
        (void)fprintf(script, "$s%zu << EOD\n", s);
        top = GAP;
        for (size_t g = 0; g < bars->group_count; g++) {
            for (size_t i = 0; i < bars->series_count; i++) {
                const struct bench_plot_row *row = bars->groups[g].row[i];
                if (row && i == s) {
                    (void)fprintf(script, "%.9g\t%.1f\t%d\t%d\n", row->value, top + bars->bar / 2.0, top,
                                  top + bars->bar - 1);
                }
                top += row ? bars->bar : 0;
            }
            top += GAP;
        }
        (void)fputs("EOD\n", script);
    }
    return top;
}

/* Labels at the middle of their groups. */
static void write_labels(const struct bars *bars, FILE *script) {
    (void)fputs("set ytics (", script);
    double top = GAP;
    for (size_t g = 0; g < bars->group_count; g++) {
        double height = bars->bar * (double)bars->groups[g].rows;
        char *label = bench_plot_text(bars->groups[g].label);
        (void)fprintf(script, "%s'%s' %.1f", g ? ", " : "", label, top + height / 2);
        free(label);
        top += height + GAP;
    }
    (void)fputs(") scale 0 nomirror font ',11'\nset grid x noy\n", script);
}

/* The limit as a line, named at its top, to the side where there is room. */
static void write_limit(const struct bars *bars, double most, FILE *script) {
    double limit = limit_of(bars);
    if (limit > 0) {
        bool left = limit > 0.6 * most;
        (void)fprintf(
            script,
            "set arrow from %.9g, graph 0 to %.9g, graph 1 nohead lc rgb '#222222' dt 2 lw 1.5 front\n"
            "set label '%s%s, %.1f %s%s' at %.9g, graph 1 %s offset 0,0.6 font ',10'\n",
            limit, limit, left ? "" : " ",
            bars->metric == BENCH_PLOT_FLOPS ? "FMA limit" : "memory bandwidth", limit,
            bench_plot_units[bars->metric], left ? " " : "", limit, left ? "right" : "left");
    }
}

static void write_plot(const struct bars *bars, FILE *script) {
    bool several = bars->series_count > 1;
    (void)fprintf(script, "set style fill solid noborder\n%splot ", several ? "" : "unset key\n");
    for (size_t s = 0; s < bars->series_count; s++) {
        const char *name = bars->series[s];
        char *title = bench_plot_text(*name ? name : "beside the layers");
        (void)fprintf(script, "%s$s%zu using ($1/2):2:(0):1:3:4 with boxxyerror lc rgb '%s' title '%s'",
                      s ? ", \\\n     " : "", s, bench_plot_colours[s], title);
        free(title);
        if (bars->rows <= MOST_NUMBERS) {
            (void)fprintf(
                script,
                ", \\\n     $s%zu using 1:2:(sprintf($1 < 10 ? '%%.2f' : $1 < 100 ? '%%.1f' : '%%.0f', "
                "$1)) with labels left offset 0.4,0 font ',8' notitle",
                s);
        }
    }
    (void)fputs("\n", script);
}

static void write_settings(const struct bars *bars, const struct bench_plot_picture *picture, int left,
                           int bottom) {
    const char *unit = bench_plot_units[bars->metric];
    const char *only = bars->series_count == 1 ? bars->series[0] : "";
    char *title = cli_text("%s: %s%s%s", bars->file->stem, unit, *only ? ", " : "", only);
    bench_plot_heading(picture, title, bars->file->machine, left);
    free(title);
    bench_plot_margins(picture, left, RIGHT, BELOW);
    double most = limit_of(bars);
    for (size_t g = 0; g < bars->group_count; g++) {
        most = fmax(most, bars->groups[g].best);
    }
    most *= bars->rows <= MOST_NUMBERS ? 1.08 : 1.03;
    (void)fprintf(picture->script, "set xlabel '%s%s'\nset xrange [0:%.9g]\nset yrange [%d:0]\n", unit,
                  bars->metric == BENCH_PLOT_SHARE ? "; parts under 0.5 % are left out" : "", most, bottom);
    (void)fputs(bars->metric == BENCH_PLOT_IMAGES ? "set format x '%.0s%c'\n" : "", picture->script);
    write_limit(bars, most, picture->script);
}

static int draw(const char *gnuplot, const char *folder, const struct bars *bars, const char *chart) {
    size_t longest = 0;
    for (size_t g = 0; g < bars->group_count; g++) {
        size_t length = strlen(bars->groups[g].label);
        longest = length > longest ? length : longest;
    }
    int inside = GAP * ((int)bars->group_count + 1) + bars->bar * (int)bars->rows;
    int left = bench_plot_label_width(longest);
    struct bench_plot_picture picture;
    int code = bench_plot_open(folder, bars->file->stem, chart, left + INSIDE_WIDTH + RIGHT,
                               inside + BENCH_PLOT_ABOVE + BELOW, &picture);
    if (code != CLI_DONE) {
        return code;
    }
    int bottom = write_data(bars, picture.script);
    write_labels(bars, picture.script);
    write_settings(bars, &picture, left, bottom);
    write_plot(bars, picture.script);
    return bench_plot_finish(gnuplot, &picture);
}

int bench_plot_bars(const char *gnuplot, const char *folder, const struct bench_plot_file *file, int *drawn) {
    static const char *const charts[BENCH_PLOT_METRICS] = {
        [BENCH_PLOT_SPEEDUP] = "speedup", [BENCH_PLOT_FLOPS] = "gflops", [BENCH_PLOT_BYTES] = "bandwidth",
        [BENCH_PLOT_IMAGES] = "images",   [BENCH_PLOT_SHARE] = "shares", [BENCH_PLOT_TIME] = "times",
    };
    struct bars bars = {.file = file, .groups = cli_allocate(file->rows, sizeof *bars.groups)};
    int code = CLI_DONE;
    for (int metric = 0; code == CLI_DONE && metric < BENCH_PLOT_METRICS; metric++) {
        bars.metric = (enum bench_plot_metric)metric;
        sort_rows(&bars);
        if (bars.group_count > 0) {
            code = draw(gnuplot, folder, &bars, charts[metric]);
            *drawn += 1;
        }
    }
    free(bars.groups);
    return code;
}
