/* SPDX-License-Identifier: MIT */
/* Two files: how much faster each result of the second is, sorted, on a scale where twice and half are as
 * far. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plot.h"

enum { BAR = 13, GAP = 4, BELOW = 56, INSIDE_WIDTH = 620, RIGHT = 60 };

struct ratio {
    const char *name;
    double value; /* time before over time after: above 1 is faster */
};

static int by_value(const void *a, const void *b) {
    const struct ratio *left = a, *right = b;
    return (left->value < right->value) - (left->value > right->value);
}

static size_t pair_rows(const struct bench_plot_file *before, const struct bench_plot_file *after,
                        struct ratio *ratios) {
    size_t count = 0;
    for (size_t i = 0; i < after->rows; i++) {
        for (size_t j = 0; j < before->rows; j++) {
            if (strcmp(after->row[i].name, before->row[j].name) == 0) {
                ratios[count++] =
                    (struct ratio){after->row[i].name, before->row[j].seconds / after->row[i].seconds};
                break;
            }
        }
    }
    qsort(ratios, count, sizeof *ratios, by_value);
    return count;
}

static double geometric_mean(const struct ratio *ratios, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += log(ratios[i].value);
    }
    return exp(sum / (double)count);
}

/* Faster and slower are blocks of their own, so that they get colours of their own. */
static void write_data(const struct ratio *ratios, size_t count, FILE *script) {
    for (int slower = 0; slower < 2; slower++) {
        (void)fprintf(script, "$s%d << EOD\n", slower);
        for (size_t i = 0; i < count; i++) {
            if ((ratios[i].value < 1) == slower) {
                size_t top = GAP + i * (BAR + GAP);
                (void)fprintf(script, "%.6g\t%.1f\t%zu\t%zu\n", ratios[i].value, (double)top + BAR / 2.0, top,
                              top + BAR);
            }
        }
        (void)fputs("EOD\n", script);
    }
    (void)fputs("set ytics (", script);
    for (size_t i = 0; i < count; i++) {
        char *label = bench_plot_text(ratios[i].name);
        (void)fprintf(script, "%s'%s' %.1f", i ? ", " : "", label, GAP + (double)i * (BAR + GAP) + BAR / 2.0);
        free(label);
    }
    (void)fputs(") scale 0 nomirror font ',11'\nset grid x noy\n", script);
}

static void write_axes(const struct ratio *ratios, size_t count, FILE *script) {
    /* Room behind the ends of the bars for their numbers, and at least 10 % to either side. */
    double most = fmax(1.1, ratios[0].value), least = fmin(1 / 1.1, ratios[count - 1].value);
    double room = pow(most / least, 0.1);
    (void)fprintf(script, "set logscale x\nset xrange [%.6g:%.6g]\n", least / room, most * room);
    /* Ticks at round ratios, as many as fit. */
    static const double ticks[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 0.95, 1,   1.05,
                                   1.1,  1.25, 1.5,  2,   3,   5,    10,  20,   50,  100, 200,  500, 1000};
    double span = log(most / least) + 2 * log(room), last = -INFINITY;
    (void)fputs("set xtics (", script);
    const char *comma = "";
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
        double at = log(ticks[i]) / span;
        /* 1 always stands: what comes just before it makes way. */
        bool crowds = ticks[i] < 1 && -at < 0.07;
        if (ticks[i] >= least / room && ticks[i] <= most * room && !crowds && at - last >= 0.07) {
            (void)fprintf(script, "%s'%g' %g", comma, ticks[i], ticks[i]);
            comma = ", ";
            last = at;
        }
    }
    (void)fputs(")\n", script);
}

/* gnuplot warns of a block without a row: either way there may be none. */
static void write_plot(const struct ratio *ratios, size_t count, FILE *script) {
    static const char *const titles[2] = {"faster", "slower"};
    static const int colours[2] = {0, 5};
    const bool any[2] = {ratios[0].value >= 1, ratios[count - 1].value < 1};
    (void)fputs("set style fill solid noborder\n"
                "set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb '#222222' lw 1 front\nplot ",
                script);
    for (int s = 0; s < 2; s++) {
        if (!any[s]) {
            continue;
        }
        (void)fprintf(
            script,
            "$s%d using (sqrt($1)):2:($1 < 1 ? $1 : 1):($1 < 1 ? 1 : $1):3:4 with boxxyerror lc rgb "
            "'%s' title '%s', \\\n"
            "     $s%d using 1:2:(sprintf('%%.2f', $1)) with labels %s offset character %s,0 "
            "font ',10' notitle%s",
            s, bench_plot_colours[colours[s]], titles[s], s, s ? "right" : "left", s ? "-0.4" : "0.4",
            s || !any[1] ? "\n" : ", \\\n     ");
    }
}

static int draw(const char *gnuplot, const char *folder, const struct bench_plot_file *before,
                const struct bench_plot_file *after, const struct ratio *ratios, size_t count) {
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(ratios[i].name);
        longest = length > longest ? length : longest;
    }
    int inside = GAP + (BAR + GAP) * (int)count, left = bench_plot_label_width(longest);
    struct bench_plot_picture picture;
    char *chart = cli_text("over-%s", before->stem);
    int code = bench_plot_open(folder, after->stem, chart, left + INSIDE_WIDTH + RIGHT,
                               inside + BENCH_PLOT_ABOVE + BELOW, &picture);
    free(chart);
    if (code != CLI_DONE) {
        return code;
    }
    write_data(ratios, count, picture.script);
    write_axes(ratios, count, picture.script);
    char *title = cli_text("%s over %s: %.3f times as fast (geometric mean of %zu)", after->stem,
                           before->stem, geometric_mean(ratios, count), count);
    bench_plot_heading(&picture, title, after->machine, left);
    free(title);
    bench_plot_margins(&picture, left, RIGHT, BELOW);
    char *old = bench_plot_text(before->stem), *new = bench_plot_text(after->stem);
    (void)fprintf(picture.script, "set xlabel 'median time of %s / median time of %s'\nset yrange [%d:0]\n",
                  old, new, inside);
    free(old);
    free(new);
    write_plot(ratios, count, picture.script);
    return bench_plot_finish(gnuplot, &picture);
}

int bench_plot_compare(const char *gnuplot, const char *folder, const struct bench_plot_file *before,
                       const struct bench_plot_file *after, int *drawn) {
    struct ratio *ratios = cli_allocate(after->rows, sizeof *ratios);
    size_t count = pair_rows(before, after, ratios);
    int code = CLI_DONE;
    if (count > 0) {
        code = draw(gnuplot, folder, before, after, ratios, count);
        *drawn += 1;
    } else {
        /* Results of different modes may well be drawn in one go. */
        (void)printf("%s and %s have no result in common: no comparison\n", before->path, after->path);
    }
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

int bench_plot_peers(const char *gnuplot, const char *folder, const struct bench_plot_file *file,
                     int *drawn) {
    bool *taken = cli_allocate(file->peer_rows, sizeof *taken);
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < file->peer_rows; i++) {
        if (!taken[i]) {
            struct bench_plot_file peer = take_peer(file, taken);
            code = bench_plot_compare(gnuplot, folder, &peer, file, drawn);
            free(peer.stem);
            free(peer.row);
        }
    }
    free(taken);
    return code;
}
