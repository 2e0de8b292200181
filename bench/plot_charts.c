/* SPDX-License-Identifier: MIT */
/* The charts of a file of results, as src/report draws them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plot.h"

/* Many bars are high: a wider drawing is shown smaller. */
enum { MOST_SERIES = 8, WIDE = 640, WIDER = 880, MANY = 60 };

/* Shares below this many percent are left out. */
static const double LEAST_SHARE = 0.5;

static const struct {
    const char *chart, *unit;
} metrics[BENCH_PLOT_METRICS] = {
    [BENCH_PLOT_SPEEDUP] = {"speedup", "speed-up over one thread"},
    [BENCH_PLOT_FLOPS] = {"gflops", "GFLOP/s"},
    [BENCH_PLOT_BYTES] = {"bandwidth", "GB/s"},
    [BENCH_PLOT_IMAGES] = {"images", "images/s"},
    [BENCH_PLOT_SHARE] = {"shares", "% of a step; parts under 0.5 % are left out"},
    [BENCH_PLOT_TIME] = {"times", "ms"},
};

const char *bench_plot_unit(enum bench_plot_metric metric) {
    return metrics[metric].unit;
}

int bench_plot_by_series(const void *a, const void *b) {
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    bool left_first = strcmp(left, "forward") == 0, right_first = strcmp(right, "forward") == 0;
    /* What has no series comes last. */
    if (left_first != right_first || !*left != !*right) {
        return left_first || !*right ? -1 : 1;
    }
    return strverscmp(left, right);
}

int bench_plot_hang(struct bench_gallery *gallery, const struct bench_plot_file *file, char *name,
                    char *title, struct report_chart *chart) {
    chart->id = "chart";
    chart->title = title;
    chart->note = file->machine;
    gallery->count++;
    int code = gallery->hang(gallery, name, chart);
    free(name);
    free(title);
    return code;
}

/* ---- bars ---- */

/* The rows of one metric, sorted into groups. */
struct bars {
    const struct bench_plot_file *file;
    enum bench_plot_metric metric;
    const char *series[MOST_SERIES];
    size_t series_count;
    struct group {
        const char *label;
        size_t family; /* order of the recipe, for shares */
        double best, value[MOST_SERIES];
    } * groups;
    size_t count;
};

static size_t find_series(const char *const *series, size_t count, const char *name) {
    size_t i = 0;
    while (i < count && strcmp(series[i], name) != 0) {
        i++;
    }
    return i;
}

/* Shares of one recipe stay together, in the order of the file: "mlp" of "mlp, l1". */
static size_t family_of(const struct bars *bars, const char *label) {
    const char *comma = strrchr(label, ',');
    size_t length = comma ? (size_t)(comma - label) : strlen(label);
    for (size_t i = 0; bars->metric == BENCH_PLOT_SHARE && i < bars->count; i++) {
        if (strncmp(bars->groups[i].label, label, length) == 0 &&
            strcspn(bars->groups[i].label + length, ",") == 0) {
            return bars->groups[i].family;
        }
    }
    return bars->metric == BENCH_PLOT_SHARE ? bars->count : 0;
}

static struct group *find_group(struct bars *bars, const char *label) {
    for (size_t i = 0; i < bars->count; i++) {
        if (strcmp(bars->groups[i].label, label) == 0) {
            return &bars->groups[i];
        }
    }
    struct group *group = &bars->groups[bars->count];
    *group = (struct group){.label = label, .family = family_of(bars, label)};
    for (size_t i = 0; i < MOST_SERIES; i++) {
        group->value[i] = (double)NAN;
    }
    bars->count++;
    return group;
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
        if (!is_drawn(bars, row) ||
            find_series(bars->series, bars->series_count, row->series) < bars->series_count) {
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
    for (size_t i = 0; i < bars->file->rows; i++) {
        const struct bench_plot_row *row = &bars->file->row[i];
        if (is_drawn(bars, row)) {
            const char *slash = strchr(row->name, '/');
            struct group *group = find_group(bars, together ? row->label : slash ? slash + 1 : row->name);
            group->value[find_series(bars->series, bars->series_count, together ? row->series : "")] =
                row->value;
            group->best = fmax(group->best, row->value);
        }
    }
    qsort(bars->groups, bars->count, sizeof *bars->groups, by_best);
}

static size_t rows_of(const struct bars *bars) {
    size_t rows = 0;
    for (size_t i = 0; i < bars->count * MOST_SERIES; i++) {
        rows += isfinite(bars->groups[i / MOST_SERIES].value[i % MOST_SERIES]);
    }
    return rows;
}

static int draw_bars(struct bench_gallery *gallery, const struct bench_plot_file *file,
                     enum bench_plot_metric metric) {
    struct bars bars = {
        .file = file, .metric = metric, .groups = cli_allocate(file->rows + 1, sizeof *bars.groups)};
    sort_rows(&bars);
    struct report_bar_group *groups = cli_allocate(bars.count + 1, sizeof *groups);
    for (size_t i = 0; i < bars.count; i++) {
        groups[i] = (struct report_bar_group){bars.groups[i].label, bars.groups[i].value};
    }
    double limit = metric == BENCH_PLOT_FLOPS ? file->fma : metric == BENCH_PLOT_BYTES ? file->bandwidth : 0;
    char *limit_name = cli_text(
        metric == BENCH_PLOT_FLOPS ? "FMA limit, %.1f GFLOP/s" : "memory bandwidth, %.1f GB/s", limit);
    for (size_t i = 0; i < bars.series_count && bars.series_count > 1; i++) {
        bars.series[i] = *bars.series[i] ? bars.series[i] : "beside the layers";
    }
    const struct report_bars drawn = {.x = {.label = metrics[metric].unit},
                                      .series = bars.series,
                                      .series_count = bars.series_count,
                                      .group = groups,
                                      .count = bars.count,
                                      .limit = limit,
                                      .limit_name = limit_name};
    struct report_chart chart = {.width = rows_of(&bars) > MANY ? WIDER : WIDE, .bars = &drawn};
    int code = bars.count == 0
                   ? CLI_DONE
                   : bench_plot_hang(gallery, file, cli_text("%s-%s", file->stem, metrics[metric].chart),
                                     cli_text("%s: %.*s", file->stem, (int)strcspn(metrics[metric].unit, ";"),
                                              metrics[metric].unit),
                                     &chart);
    free(limit_name);
    free(groups);
    free(bars.groups);
    return code;
}

/* ---- roofline ---- */

static int draw_roofline(struct bench_gallery *gallery, const struct bench_plot_file *file) {
    const char *series[MOST_SERIES];
    size_t series_count = 0, count = 0;
    struct report_point *points = cli_allocate(file->rows + 1, sizeof *points);
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < file->rows; i++) {
            const struct bench_plot_row *row = &file->row[i];
            if (row->metric != BENCH_PLOT_FLOPS || !(row->intensity > 0)) {
                continue;
            }
            size_t at = find_series(series, series_count, row->series);
            if (pass == 1) {
                /* The last colour is shared where there are more series. */
                points[count++] = (struct report_point){row->intensity, row->value, row->label,
                                                        at < MOST_SERIES ? at : MOST_SERIES - 1};
            } else if (at == series_count && at < MOST_SERIES) {
                series[series_count++] = row->series;
            }
        }
        if (pass == 0) {
            qsort(series, series_count, sizeof *series, bench_plot_by_series);
        }
    }
    char *flat = cli_text("FMA limit, %.1f GFLOP/s", file->fma);
    char *slope = cli_text("memory, %.1f GB/s", file->bandwidth);
    const struct report_roofline roofline = {.x = {.label = "flops for each byte that has to move"},
                                             .y = {.label = "GFLOP/s"},
                                             .series = series,
                                             .series_count = series_count,
                                             .point = points,
                                             .count = count,
                                             .flat = file->fma,
                                             .slope = file->bandwidth,
                                             .flat_name = flat,
                                             .slope_name = slope};
    struct report_chart chart = {
        .width = count > MANY ? WIDER : WIDE, .height = count > MANY ? 600 : 460, .roofline = &roofline};
    int code = CLI_DONE;
    if (count > 0 && file->fma > 0 && file->bandwidth > 0) {
        code = bench_plot_hang(gallery, file, cli_text("%s-roofline", file->stem),
                               cli_text("%s: roofline", file->stem), &chart);
    }
    free(flat);
    free(slope);
    free(points);
    return code;
}

/* ---- two files, or two engines ---- */

struct ratio {
    const struct bench_plot_row *row;
    double value[2]; /* time before over time after: faster from 1 on, slower below; NaN in the other */
    bool disturbed;
};

static double ratio_of(const struct ratio *ratio) {
    return isnan(ratio->value[0]) ? ratio->value[1] : ratio->value[0];
}

static int by_ratio(const void *a, const void *b) {
    double left = ratio_of(a), right = ratio_of(b);
    return (left < right) - (left > right);
}

static size_t pair_rows(const struct bench_plot_file *before, const struct bench_plot_file *after,
                        struct ratio *ratios) {
    size_t count = 0;
    for (size_t i = 0; i < after->rows; i++) {
        for (size_t j = 0; j < before->rows; j++) {
            if (strcmp(after->row[i].name, before->row[j].name) == 0) {
                double ratio = before->row[j].seconds / after->row[i].seconds, none = (double)NAN;
                bool disturbed = after->row[i].disturbed || before->row[j].disturbed;
                ratios[count++] = (struct ratio){
                    &after->row[i], {ratio >= 1 ? ratio : none, ratio < 1 ? ratio : none}, disturbed};
                break;
            }
        }
    }
    qsort(ratios, count, sizeof *ratios, by_ratio);
    return count;
}

static int draw_ratios(struct bench_gallery *gallery, const struct bench_plot_file *before,
                       const struct bench_plot_file *after, const struct ratio *ratios, size_t count) {
    static const char *const series[2] = {"faster", "slower"};
    struct report_bar_group *groups = cli_allocate(count, sizeof *groups);
    char **names = cli_allocate(count, sizeof *names);
    double sum = 0;
    size_t steady = 0;
    for (size_t i = 0; i < count; i++) {
        const struct bench_plot_row *row = ratios[i].row;
        names[i] = cli_text("%s%s%s%s", row->label, *row->series ? ", " : "", row->series,
                            ratios[i].disturbed ? " " BENCH_MARK : "");
        groups[i] = (struct report_bar_group){names[i], ratios[i].value};
        sum += ratios[i].disturbed ? 0 : log(ratio_of(&ratios[i]));
        steady += !ratios[i].disturbed;
    }
    char *title = steady > 0 ? cli_text("%s over %s: %.3f times as fast (geometric mean of %zu)", after->stem,
                                        before->stem, exp(sum / (double)steady), steady)
                             : cli_text("%s over %s: every row was disturbed", after->stem, before->stem);
    char *label = cli_text("median time of %s / median time of %s", before->stem, after->stem);
    const struct report_bars bars = {.x = {.label = label, .scale = REPORT_LOG},
                                     .series = series,
                                     .series_count = 2,
                                     .group = groups,
                                     .count = count,
                                     .base = 1};
    struct report_chart chart = {.width = WIDE, .bars = &bars};
    int code =
        bench_plot_hang(gallery, after, cli_text("%s-over-%s", after->stem, before->stem), title, &chart);
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    free(label);
    free(groups);
    return code;
}

int bench_plot_compare(struct bench_gallery *gallery, const struct bench_plot_file *before,
                       const struct bench_plot_file *after) {
    struct ratio *ratios = cli_allocate(after->rows + 1, sizeof *ratios);
    size_t count = pair_rows(before, after, ratios);
    int code = count > 0 ? draw_ratios(gallery, before, after, ratios, count) : CLI_DONE;
    free(ratios);
    return code;
}

/* The rows of the first engine that is not taken yet, as a file. What they hold stays the file's. */
static struct bench_plot_file take_peer(const struct bench_plot_file *file, bool *taken) {
    struct bench_plot_file peer = {.row = cli_allocate(file->peer_rows, sizeof *peer.row)};
    for (size_t i = 0; i < file->peer_rows; i++) {
        const struct bench_plot_row *row = &file->peer_row[i];
        if (!taken[i] && (!peer.path || strcmp(row->peer, peer.path) == 0)) {
            peer.path = row->peer;
            peer.row[peer.rows++] = *row;
            taken[i] = true;
        }
    }
    peer.stem = cli_text("%s", peer.path);
    for (char *space = peer.stem; (space = strchr(space, ' ')) != NULL;) {
        *space = '-';
    }
    return peer;
}

int bench_plot_charts(struct bench_gallery *gallery, const struct bench_plot_file *file) {
    bool *taken = cli_allocate(file->peer_rows + 1, sizeof *taken);
    int code = draw_roofline(gallery, file);
    code = code == CLI_DONE ? bench_plot_beside(gallery, file) : code;
    for (int metric = 0; code == CLI_DONE && metric < BENCH_PLOT_METRICS; metric++) {
        code = draw_bars(gallery, file, (enum bench_plot_metric)metric);
    }
    for (size_t i = 0; code == CLI_DONE && i < file->peer_rows; i++) {
        if (!taken[i]) {
            struct bench_plot_file peer = take_peer(file, taken);
            code = bench_plot_compare(gallery, &peer, file);
            free(peer.stem);
            free(peer.row);
        }
    }
    free(taken);
    return code;
}
