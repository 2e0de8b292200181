/* SPDX-License-Identifier: MIT */
/* `stoa-bench plot`: a roofline, bars, and a comparison of two files, as SVG and PNG. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/plot.h"

enum { MOST_FILES = 64 };

static int make_folder(const char *folder) {
    struct stat status;
    if (mkdir(folder, 0777) == 0 || (stat(folder, &status) == 0 && S_ISDIR(status.st_mode))) {
        return CLI_DONE;
    }
    return cli_fail(CLI_WRONG, "--out: '%s' is no folder and cannot be made: %s", folder, strerror(errno));
}

/* Files of the same name in different folders must not draw over each other. */
static void tell_apart(struct bench_plot_file *files, size_t count) {
    for (size_t i = 1; i < count; i++) {
        size_t same = 1;
        for (size_t j = 0; j < i; j++) {
            same += strcmp(files[i].stem, files[j].stem) == 0;
        }
        if (same > 1) {
            char *stem = cli_text("%s-%zu", files[i].stem, same);
            free(files[i].stem);
            files[i].stem = stem;
        }
    }
}

static int draw(const char *gnuplot, const char *folder, const struct bench_plot_file *files, size_t count) {
    int drawn = 0, code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < count; i++) {
        code = bench_plot_roofline(gnuplot, folder, &files[i], &drawn);
        if (code == CLI_DONE) {
            code = bench_plot_bars(gnuplot, folder, &files[i], &drawn);
        }
        if (code == CLI_DONE) {
            code = bench_plot_peers(gnuplot, folder, &files[i], &drawn);
        }
    }
    if (code == CLI_DONE && count == 2) {
        code = bench_plot_compare(gnuplot, folder, &files[0], &files[1], &drawn);
    }
    if (code == CLI_DONE && drawn == 0) {
        return cli_fail(CLI_WRONG, "%s: found no result to draw", files[0].path);
    }
    return code;
}

static int run(struct bench *bench) {
    const struct bench_options *options = &bench->options;
    size_t count = options->operand_count;
    if (count == 0) {
        return cli_fail(CLI_WRONG, "plot: file missing, expected results that --json has written");
    }
    struct bench_plot_file files[MOST_FILES] = {{0}};
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < count; i++) {
        code = bench_plot_read(options->operands[i], &files[i]);
    }
    if (code == CLI_DONE) {
        tell_apart(files, count);
    }
    char *gnuplot = code == CLI_DONE ? bench_plot_gnuplot() : NULL;
    const char *folder = options->out ? options->out : ".";
    if (code == CLI_DONE) {
        code = gnuplot ? make_folder(folder) : CLI_WRONG;
    }
    if (code == CLI_DONE) {
        code = draw(gnuplot, folder, files, count);
    }
    free(gnuplot);
    for (size_t i = 0; i < count; i++) {
        bench_plot_close(&files[i]);
    }
    return code;
}

static const char *const options[] = {"out", NULL};

const struct bench_mode bench_mode_plot = {
    .name = "plot",
    .summary =
        "draw results: a roofline, bars, and with two files their ratio, as SVG and PNG through gnuplot",
    .usage = "plot FILE.json... [--out FOLDER]",
    .options = options,
    .most_operands = MOST_FILES,
    .run = run,
};
