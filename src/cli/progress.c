/* SPDX-License-Identifier: MIT */
/* The progress bar. One process has one terminal, so its state is this file's. Public headers only. */
#include "cli/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/figures.h"
#include "cli/report.h"
#include "cli/table.h"

static struct {
    bool lines, bar; /* what is shown */
    bool drawn;      /* a bar or line stands on the terminal's last line */
    double last;     /* when it was drawn */
} shown;

double cli_now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

bool cli_progress_on_terminal(void) {
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

void cli_progress_start(bool quiet) {
    shown.lines = !quiet;
    shown.bar = !quiet && cli_progress_on_terminal();
    shown.drawn = false;
    shown.last = 0;
}

static void draw(const char *line) {
    (void)fprintf(stderr, "\r%s\033[K", line);
    (void)fflush(stderr);
    shown.drawn = true;
}

void cli_progress_clear(void) {
    if (shown.drawn) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        shown.drawn = false;
    }
}

static size_t terminal_width(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

enum { LEFT = 24, PARTS = 6, PART = 32, LONGEST_BAR = 40, SHORTEST_BAR = 10, ROOMY = 79, LONGEST_LINE = 256 };

/* Fill in the words of the line: what there is to say, the most wanted first. */
static void say(const stoa_progress *progress, char part[PARTS][PART]) {
    struct report_words left = {""}, rate = {""}, loss = {""};
    bool testing = progress->step == progress->steps;
    (void)snprintf(part[0], PART, "%.13s left", cli_seconds_words(&left, progress->seconds_left));
    if (testing) {
        (void)snprintf(part[0], PART, "testing");
    }
    if (cli_is_regression(progress)) {
        (void)snprintf(part[1], PART, "step loss %.20s", cli_loss_words(&loss, progress->step_loss));
    } else {
        (void)snprintf(part[1], PART, "acc %5.2f %%", 100 * progress->train_accuracy);
    }
    (void)snprintf(part[2], PART, "loss %.20s", cli_loss_words(&loss, progress->train_loss));
    double speed = isfinite(progress->images_per_second) ? progress->images_per_second : 0;
    (void)snprintf(part[3], PART, "%.20s img/s", report_count_words(&rate, (size_t)speed));
    (void)snprintf(part[4], PART, "lr %.3g", (double)progress->learning_rate);
    (void)snprintf(part[5], PART, "%3.0f %%", 100.0 * (double)progress->step / (double)progress->steps);
}

/* "epoch 3/10 [=====>    ]  45 %  lr 0.001  52,000 img/s  loss 0.0931  acc 97.12 %  0:12 left" in at most
 * `width` bytes: the bar takes what is left of the line, then words are dropped from the end of their
 * list. */
static void compose(const stoa_progress *progress, size_t width, char line[LONGEST_LINE]) {
    static const size_t order[PARTS] = {5, 4, 3, 2, 1, 0}; /* on the line, left to right */
    char head[LEFT * 2], part[PARTS][PART], words[PARTS * PART] = "";
    (void)snprintf(head, sizeof head, "epoch %zu/%zu", progress->epoch, progress->epochs);
    say(progress, part);
    if (width > LONGEST_LINE - 1) {
        width = LONGEST_LINE - 1;
    }
    size_t kept = PARTS, used = 0;
    for (;; kept--) {
        used = strlen(head);
        for (size_t i = 0; i < kept; i++) {
            used += 2 + strlen(part[i]);
        }
        /* Words make room for the bar, but not on a terminal too narrow for most of them. */
        if (used + (width >= ROOMY ? SHORTEST_BAR + 3 : 0) <= width || kept == 0) {
            break;
        }
    }
    for (size_t i = 0; i < PARTS; i++) {
        if (order[i] < kept) {
            size_t length = strlen(words);
            (void)snprintf(words + length, sizeof words - length, "  %s", part[order[i]]);
        }
    }
    size_t space = width > used + 3 ? width - used - 3 : 0;
    if (space > LONGEST_BAR) {
        space = LONGEST_BAR;
    }
    char bar[LONGEST_BAR + 8] = "";
    if (space >= SHORTEST_BAR) {
        size_t full = space * progress->step / (progress->steps ? progress->steps : 1);
        (void)snprintf(bar, sizeof bar, " [%*s]", (int)space, "");
        memset(bar + 2, '=', full);
        if (full < space) {
            bar[2 + full] = '>';
        }
    }
    (void)snprintf(line, width + 1, "%s%s%s", head, bar, words);
}

void cli_progress_step(const stoa_progress *progress) {
    if (!shown.bar || progress->steps == 0) {
        return;
    }
    double time = cli_now();
    if (time - shown.last < 0.1 && progress->step != progress->steps) {
        return;
    }
    char line[LONGEST_LINE];
    size_t width = terminal_width();
    compose(progress, width > 1 ? width - 1 : 1, line); /* the last column would wrap on some terminals */
    draw(line);
    shown.last = time;
}

void cli_progress_line(const char *format, ...) {
    if (!cli_progress_on_terminal()) {
        return;
    }
    char line[LONGEST_LINE];
    va_list arguments;
    va_start(arguments, format);
    size_t width = terminal_width();
    (void)vsnprintf(line, width < sizeof line ? width : sizeof line, format, arguments);
    va_end(arguments);
    draw(line);
}

/* The line of an epoch of data with targets: losses, and the figures of their task. */
static void print_targets(const stoa_progress *progress) {
    int digits = snprintf(NULL, 0, "%zu", progress->epochs);
    struct report_words train = {""};
    struct cli_figures_words words;
    (void)printf("epoch %*zu/%zu  lr %-7.3g  train %s", digits, progress->epoch, progress->epochs,
                 (double)progress->learning_rate, cli_loss_words(&train, progress->train_loss));
    if (progress->validation.samples > 0) {
        (void)printf("  valid %s%s", cli_figures_words(&words, &progress->validation),
                     progress->best ? "*" : " ");
    }
    (void)printf("  test %s\n", cli_figures_words(&words, &progress->test));
    (void)fflush(stdout); /* whoever follows a log wants the line now */
}

void cli_progress_epoch(const stoa_progress *progress) {
    if (!shown.lines) {
        return;
    }
    cli_progress_clear();
    if (isfinite(progress->test.rmse) || isfinite(progress->test.f1)) {
        print_targets(progress);
        return;
    }
    int digits = snprintf(NULL, 0, "%zu", progress->epochs);
    struct report_words rate = {""}, train = {""}, other = {""};
    /* Short enough for 80 columns; metrics.jsonl has the rest. */
    cli_print("epoch %*zu/%zu  lr %-7.3g  train %5.2f %% %s", digits, progress->epoch, progress->epochs,
              (double)progress->learning_rate, 100 * progress->train_accuracy,
              cli_loss_words(&train, progress->train_loss));
    if (isfinite(progress->validation_loss)) {
        cli_print("  valid %5.2f %% %s%s  test %5.2f %%\n", 100 * progress->validation_accuracy,
                  cli_loss_words(&other, progress->validation_loss), progress->best ? "*" : " ",
                  100 * progress->test_accuracy);
    } else {
        double speed = isfinite(progress->images_per_second) ? progress->images_per_second : 0;
        cli_print("  test %5.2f %% %s  %s img/s\n", 100 * progress->test_accuracy,
                  cli_loss_words(&other, progress->test_loss), report_count_words(&rate, (size_t)speed));
    }
    (void)fflush(stdout); /* whoever follows a log wants the line now */
}
