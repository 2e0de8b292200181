/* SPDX-License-Identifier: MIT */
/* gnuplot: found, given a script, and run for both kinds of file. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/plot.h"

extern char **environ;

const char *const bench_plot_colours[BENCH_PLOT_COLOURS] = {"#0072B2", "#E69F00", "#009E73", "#CC79A7",
                                                            "#56B4E9", "#D55E00", "#777777"};
const char *const bench_plot_units[BENCH_PLOT_METRICS] = {
    [BENCH_PLOT_SPEEDUP] = "speed-up over one thread",
    [BENCH_PLOT_FLOPS] = "GFLOP/s",
    [BENCH_PLOT_BYTES] = "GB/s",
    [BENCH_PLOT_IMAGES] = "images/s",
    [BENCH_PLOT_SHARE] = "% of a step",
    [BENCH_PLOT_TIME] = "ms",
};

char *bench_plot_gnuplot(void) {
    const char *folders = getenv("PATH");
    while (folders && *folders) {
        size_t length = strcspn(folders, ":");
        char *path = cli_text("%.*s/gnuplot", (int)length, folders);
        if (length > 0 && access(path, X_OK) == 0) {
            return path;
        }
        free(path);
        folders += length + (folders[length] == ':');
    }
    (void)cli_fail(CLI_WRONG, "plot: gnuplot not found, it draws the pictures: apt install gnuplot-nox");
    return NULL;
}

char *bench_plot_text(const char *text) {
    char *copy = cli_text("%s", text);
    for (char *c = copy; *c; c++) {
        if ((unsigned char)*c < ' ' || strchr("'\"\\`$", *c)) {
            *c = ' ';
        }
    }
    return copy;
}

/* Terminals differ in nothing but their names: PNG is drawn at twice the size, for sharp text. */
static void begin_svg(const struct bench_plot_picture *p) {
    (void)fprintf(p->script,
                  "set terminal svg size %d,%d font 'Arial,12' noenhanced background '#ffffff'\n"
                  "set output '%s.svg'\n",
                  p->width, p->height, p->base);
}

static void again_as_png(const struct bench_plot_picture *p) {
    (void)fprintf(p->script,
                  "set terminal pngcairo size %d,%d font 'Arial,12' fontscale 2 linewidth 2 pointscale 2 "
                  "noenhanced background '#ffffff'\nset output '%s.png'\nreplot\nunset output\n",
                  2 * p->width, 2 * p->height, p->base);
}

int bench_plot_open(const char *folder, const char *stem, const char *chart, int width, int height,
                    struct bench_plot_picture *picture) {
    *picture = (struct bench_plot_picture){.width = width, .height = height};
    if (strpbrk(folder, "'\n") || strpbrk(stem, "'\n")) {
        return cli_fail(CLI_WRONG, "plot: '%s/%s' holds a quote or a newline, which gnuplot cannot write to",
                        folder, stem);
    }
    picture->base = cli_text("%s/%s-%s", folder, stem, chart);
    picture->script_path = cli_text("%s/.%s-%s.gp", folder, stem, chart);
    picture->script = fopen(picture->script_path, "we");
    if (!picture->script) {
        int code = cli_fail(CLI_FAILED, "plot: cannot write '%s': %s", picture->script_path, strerror(errno));
        free(picture->base);
        free(picture->script_path);
        return code;
    }
    begin_svg(picture);
    (void)fputs("set encoding utf8\nset datafile separator \"\\t\"\nset border lc '#888888'\n"
                "set tics textcolor '#222222'\nset grid lc '#dddddd' lt 1 lw 0.5\n",
                picture->script);
    return CLI_DONE;
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

int bench_plot_label_width(size_t letters) {
    return 20 + (int)(7 * letters);
}

void bench_plot_heading(const struct bench_plot_picture *p, const char *title, const char *machine,
                        int left) {
    char *clean_title = bench_plot_text(title), *clean_machine = bench_plot_text(machine);
    double x = (double)left / p->width, line = 1.0 / p->height;
    (void)fprintf(
        p->script,
        "set label '%s' at screen %.5f, screen %.5f left font ',14' textcolor '#111111'\n"
        "set label '%s' at screen %.5f, screen %.5f left font ',10' textcolor '#666666'\n"
        "set key at screen %.5f, screen %.5f left top horizontal Left reverse samplen 2 maxrows 1\n",
        clean_title, x, 1 - 18 * line, clean_machine, x, 1 - 37 * line, x, 1 - 48 * line);
    free(clean_title);
    free(clean_machine);
}

void bench_plot_margins(const struct bench_plot_picture *p, int left, int right, int below) {
    (void)fprintf(p->script,
                  "set lmargin at screen %.5f\nset rmargin at screen %.5f\nset tmargin at screen %.5f\n"
                  "set bmargin at screen %.5f\n",
                  (double)left / p->width, 1 - (double)right / p->width,
                  1 - (double)BENCH_PLOT_ABOVE / p->height, (double)below / p->height);
}

static int run_gnuplot(const char *gnuplot, const struct bench_plot_picture *picture) {
    char name[] = "gnuplot";
    char *arguments[] = {name, picture->script_path, NULL};
    pid_t child;
    int status;
    if (posix_spawn(&child, gnuplot, NULL, NULL, arguments, environ) != 0) {
        return cli_fail(CLI_FAILED, "plot: cannot run '%s'", gnuplot);
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return cli_fail(CLI_FAILED, "plot: lost '%s'", gnuplot);
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return cli_fail(CLI_FAILED, "plot: '%s' failed on %s.svg", gnuplot, picture->base);
    }
    (void)printf("%s.svg\n%s.png\n", picture->base, picture->base);
    return CLI_DONE;
}

int bench_plot_finish(const char *gnuplot, struct bench_plot_picture *picture) {
    again_as_png(picture);
    bool written = !ferror(picture->script);
    written = fclose(picture->script) == 0 && written;
    int code = written ? run_gnuplot(gnuplot, picture)
                       : cli_fail(CLI_FAILED, "plot: cannot write '%s'", picture->script_path);
    (void)unlink(picture->script_path);
    free(picture->script_path);
    free(picture->base);
    return code;
}
