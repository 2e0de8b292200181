/* SPDX-License-Identifier: MIT */
/* `stoa-bench plot`: a roofline, bars, and a comparison of two files, as SVG. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/plot.h"

static int make_folder(const char *folder) {
    struct stat status;
    if (mkdir(folder, 0777) == 0 || (stat(folder, &status) == 0 && S_ISDIR(status.st_mode))) {
        return CLI_DONE;
    }
    return cli_fail(CLI_WRONG, "--out: '%s' is no folder and cannot be made: %s", folder, strerror(errno));
}

static int hang(struct bench_gallery *gallery, const char *name, struct report_chart *chart) {
    struct report_out out = {0};
    chart->alone = true;
    report_put(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    report_chart_svg(&out, chart);
    if (out.failed) {
        cli_out_of_memory();
    }
    char *path = cli_text("%s/%s.svg", (const char *)gallery->user, name);
    int code = bench_file_write("out", path, out.text);
    if (code == CLI_DONE) {
        cli_print("%s\n", path);
    }
    free(path);
    report_out_free(&out);
    return code;
}

static int draw(const char *folder, const struct bench_plot_file *files, size_t count) {
    char *user = cli_text("%s", folder);
    struct bench_gallery gallery = {.hang = hang, .user = user};
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < count; i++) {
        code = bench_plot_charts(&gallery, &files[i]);
    }
    size_t before = gallery.count;
    if (code == CLI_DONE && count == 2) {
        code = bench_plot_compare(&gallery, &files[0], &files[1]);
        if (gallery.count == before) {
            /* Results of different modes may well be drawn in one go. */
            cli_print("%s and %s have no result in common: no comparison\n", files[0].path, files[1].path);
        }
    }
    free(user);
    return code == CLI_DONE && gallery.count == 0
               ? cli_fail(CLI_WRONG, "%s: found no result to draw", files[0].path)
               : code;
}

static int run(struct bench *bench) {
    const struct bench_options *options = &bench->options;
    struct bench_plot_file files[BENCH_PLOT_FILES] = {{0}};
    int code = bench_plot_read_all(options, files);
    const char *folder = options->out ? options->out : ".";
    if (code == CLI_DONE) {
        code = make_folder(folder);
    }
    if (code == CLI_DONE) {
        code = draw(folder, files, options->operand_count);
    }
    for (size_t i = 0; i < options->operand_count; i++) {
        bench_plot_close(&files[i]);
    }
    return code;
}

static const char *const options[] = {"out", NULL};

const struct bench_mode bench_mode_plot = {
    .name = "plot",
    .summary = "draw results as SVG: a roofline, bars, and with two files their ratio",
    .usage = "plot FILE.json... [--out FOLDER]",
    .options = options,
    .most_operands = BENCH_PLOT_FILES,
    .run = run,
};
