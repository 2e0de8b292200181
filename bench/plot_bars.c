/* Bars: a chart for each metric of a file, a group of lying bars a label, the best group on top. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plot.h"

enum { MOST_SERIES = BENCH_PLOT_COLOURS, BAR = 11, GAP = 7, LEFT_CHARACTER = 7 };

/* The rows of one metric, sorted into groups. */
struct bars {
    const struct bench_plot_file *file;
    enum bench_plot_metric metric;
    const char *series[MOST_SERIES];
    size_t series_count;
    struct group {
        const char *label;
        double best;
        const struct bench_plot_row *row[MOST_SERIES];
        size_t rows;
    } * groups;
    size_t group_count;
    bool short_of_colours;
};

static size_t find_series(struct bars *bars, const char *name) {
    size_t i = 0;
    while (i < bars->series_count && strcmp(bars->series[i], name) != 0) {
        i++;
    }
    if (i == bars->series_count && i < MOST_SERIES) {
        bars->series[bars->series_count++] = name;
    }
    return i;
}

static struct group *find_group(struct bars *bars, const char *label) {
    for (size_t i = 0; i < bars->group_count; i++) {
        if (strcmp(bars->groups[i].label, label) == 0) {
            return &bars->groups[i];
        }
    }
    bars->groups[bars->group_count] = (struct group){.label = label};
    return &bars->groups[bars->group_count++];
}

static int by_best(const void *a, const void *b) {
    const struct group *left = a, *right = b;
    return (left->best < right->best) - (left->best > right->best);
}

/* Groups and series of a metric. Where there are more series than colours each row stands alone. */
static void sort_rows(struct bars *bars, bool together) {
    bars->series_count = bars->group_count = 0;
    bars->short_of_colours = false;
    for (size_t i = 0; i < bars->file->rows; i++) {
        const struct bench_plot_row *row = &bars->file->row[i];
        if (row->metric != bars->metric) {
            continue;
        }
        size_t series = find_series(bars, together ? row->series : "");
        if (series >= MOST_SERIES) {
            bars->short_of_colours = true;
            return;
        }
        const char *slash = strchr(row->name, '/');
        struct group *group = find_group(bars, together ? row->label : slash ? slash + 1 : row->name);
        group->rows += group->row[series] == NULL;
        group->row[series] = row;
        group->best = fmax(group->best, row->value);
    }
    qsort(bars->groups, bars->group_count, sizeof *bars->groups, by_best);
}

/* The limit that a metric is held against, 0 where there is none. */
static double limit_of(const struct bars *bars) {
    return bars->metric == BENCH_PLOT_FLOPS   ? bars->file->fma
           : bars->metric == BENCH_PLOT_BYTES ? bars->file->bandwidth
                                              : 0;
}

static const char *limit_name(const struct bars *bars) {
    return bars->metric == BENCH_PLOT_FLOPS ? "FMA limit" : "memory bandwidth";
}

static const char *series_title(const char *series) {
    return *series ? series : "alone";
}

/* Data blocks: a row a bar: value, centre, lower and upper edge in points from the top. Gives the height. */
static int write_data(const struct bars *bars, FILE *script) {
    int top = 0;
    for (size_t s = 0; s < bars->series_count; s++) {
        (void)fprintf(script, "$s%zu << EOD\n", s);
        top = GAP;
        for (size_t g = 0; g < bars->group_count; g++) {
            for (size_t i = 0; i < bars->series_count; i++) {
                const struct bench_plot_row *row = bars->groups[g].row[i];
                if (row && i == s) {
                    (void)fprintf(script, "%.9g\t%.1f\t%d\t%d\n", row->value, top + BAR / 2.0, top,
                                  top + BAR - 1);
                }
                top += row ? BAR : 0;
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
        double height = BAR * (double)bars->groups[g].rows;
        char *label = bench_plot_text(bars->groups[g].label);
        (void)fprintf(script, "%s'%s' %.1f", g ? ", " : "", label, top + height / 2);
        free(label);
        top += height + GAP;
    }
    (void)fputs(") scale 0 nomirror\nset grid x noy\n", script);
}

static void write_plot(const struct bars *bars, FILE *script) {
    double limit = limit_of(bars);
    bool named = bars->series_count > 1 || limit > 0;
    (void)fprintf(script, "set style fill solid noborder\nset key %s\nplot ",
                  named ? "tmargin center horizontal width 2" : "off");
    for (size_t s = 0; s < bars->series_count; s++) {
        char *title = bench_plot_text(bars->series_count > 1 ? series_title(bars->series[s])
                                                             : bench_plot_units[bars->metric]);
        (void)fprintf(script, "%s$s%zu using ($1/2):2:(0):1:3:4 with boxxyerror lc rgb '%s' title '%s'",
                      s ? ", \\\n     " : "", s, bench_plot_colours[s], title);
        free(title);
    }
    if (limit > 0) {
        char *title = cli_text("%s, %.1f %s", limit_name(bars), limit, bench_plot_units[bars->metric]);
        (void)fprintf(
            script,
            ", \\\n     [t=0:1] '+' using (%.9g):($1*bottom) with lines lc rgb '#222222' dt 2 lw 1.5 "
            "title '%s'",
            limit, title);
        free(title);
    }
    (void)fputs("\n", script);
}

static int draw(const char *gnuplot, const char *folder, const struct bars *bars, const char *chart) {
    size_t bar_count = 0, longest = 0;
    for (size_t g = 0; g < bars->group_count; g++) {
        bar_count += bars->groups[g].rows;
        size_t length = strlen(bars->groups[g].label);
        longest = length > longest ? length : longest;
    }
    int inside = GAP * ((int)bars->group_count + 1) + BAR * (int)bar_count;
    enum { ABOVE = 96, BELOW = 56, WIDTH = 900, RIGHT = 30 };
    int height = inside + ABOVE + BELOW, left = 20 + LEFT_CHARACTER * (int)longest;
    struct bench_plot_picture picture;
    int code = bench_plot_open(folder, bars->file->stem, chart, WIDTH, height, &picture);
    if (code != CLI_DONE) {
        return code;
    }
    int bottom = write_data(bars, picture.script);
    write_labels(bars, picture.script);
    char *machine = bench_plot_text(bars->file->machine), *stem = bench_plot_text(bars->file->stem);
    (void)fprintf(
        picture.script,
        "bottom = %d\nset title \"%s: %s\\n%s\"\nset xlabel '%s'\nset xrange [0:*]\nset yrange [%d:0]\n"
        "set lmargin at screen %.6f\nset rmargin at screen %.6f\nset tmargin at screen %.6f\n"
        "set bmargin at screen %.6f\n",
        bottom, stem, bench_plot_units[bars->metric], machine, bench_plot_units[bars->metric], bottom,
        (double)left / WIDTH, 1 - (double)RIGHT / WIDTH, 1 - (double)ABOVE / height, (double)BELOW / height);
    free(machine);
    free(stem);
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
        sort_rows(&bars, true);
        if (bars.short_of_colours) {
            sort_rows(&bars, false);
        }
        if (bars.group_count > 0) {
            code = draw(gnuplot, folder, &bars, charts[metric]);
            *drawn += 1;
        }
    }
    free(bars.groups);
    return code;
}
