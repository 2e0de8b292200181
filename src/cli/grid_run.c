/* SPDX-License-Identifier: MIT */
/* The runs of a grid as processes of this command, so many at once. Public headers only.
 *
 * Each has a share of the threads, which decides no result. They are in process groups of their own: a Ctrl-C
 * reaches this process, which hands it on once, so that each saves its state; a second one would end them at
 * once. Should this process be killed, the system tells them to end as SIGTERM does. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/grid.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/run_checkpoint.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "report/figure.h"

enum { LINE = 2048 };

struct child {
    struct cli_grid_run *run; /* NULL: the place is free */
    pid_t process;
    int errors; /* the end of a pipe that its stderr is */
    char line[LINE];
    size_t used;
    bool spoke;
};

struct children {
    struct cli_grid *grid;
    struct child *child; /* as many as run at once */
    size_t next;         /* run that is looked at next */
    int nowhere;         /* /dev/null */
    double deadline;     /* on cli_now()'s clock; 0: none */
    bool told;           /* to stop */
    char **notes;        /* that were handed on */
    size_t note_count;
};

/* ---- starting one ---- */

/* Not those that are the grid's own, or said anew for each run; nor that a run that goes on has no need
 * of. */
static bool is_handed_on(const char *name, bool goes_on) {
    static const char *const own[] = {"seeds", "set",   "jobs",   "seed", "threads", "out",  "minutes",
                                      "json",  "quiet", "resume", "init", "map",     "force"};
    enum { OWN = sizeof own / sizeof own[0], FIRST = OWN - 3 };
    for (size_t i = 0; i < (goes_on ? OWN : FIRST); i++) {
        if (strcmp(own[i], name) == 0) {
            return false;
        }
    }
    return true;
}

/* Whether there is something to go on from. */
static bool has_checkpoint(const char *path) {
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t count = 0;
    if (folder >= 0) {
        free(cli_checkpoints_list(folder, &count));
        (void)close(folder);
    }
    return count > 0;
}

/* The words of a run's command line, NULL at the end; all from malloc. */
static char **words_of(const struct cli_grid *grid, const struct cli_grid_run *run, size_t threads) {
    const struct cli_request *request = grid->request;
    const struct cli_settings *settings = &grid->settings;
    char **words = cli_allocate(request->given_count + settings->count + 9, sizeof *words);
    size_t count = 0;
    /* Of a grid that is continued, some runs have not begun, or have nothing to go on from. */
    bool goes_on = request->resume && has_checkpoint(run->path);
    words[count++] = cli_text("stoa");
    words[count++] = cli_text("train");
    for (size_t i = 0; i < request->given_count; i++) {
        const struct cli_given *given = &request->given[i];
        if (is_handed_on(given->name, goes_on)) {
            words[count++] =
                given->value ? cli_text("--%s=%s", given->name, given->value) : cli_text("--%s", given->name);
        }
    }
    for (size_t i = 0; i < settings->count; i++) {
        char *setting =
            cli_settings_word(settings->list[i].key, cli_settings_value(settings, run->combination, i));
        words[count++] = cli_text("--set=%s", setting);
        free(setting);
    }
    words[count++] = cli_text("--seed=%llu", (unsigned long long)run->seed);
    words[count++] = cli_text("--threads=%zu", threads);
    if (request->resume && !goes_on) {
        words[count++] = cli_text("--force");
    }
    words[count++] = cli_text("--%s=%s", goes_on ? "resume" : "out", run->path);
    words[count++] = cli_text("--");
    if (!goes_on) {
        words[count++] = cli_text("%s", grid->recipe);
    }
    words[count] = NULL;
    return words;
}

static void free_words(char **words) {
    for (size_t i = 0; words[i]; i++) {
        free(words[i]);
    }
    free(words);
}

/* In the new process: nothing but calls that are safe behind fork() in a process with threads. */
_Noreturn static void become(char **words, pid_t parent, int nowhere, int errors) {
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent && dup2(nowhere, STDIN_FILENO) >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 &&
        dup2(errors, STDERR_FILENO) >= 0) {
        (void)execv("/proc/self/exe", words);
    }
    _exit(CLI_FAILED);
}

static bool start(struct children *all, size_t place, struct cli_grid_run *run) {
    const struct cli_grid *grid = all->grid;
    struct child *child = &all->child[place];
    size_t share = grid->threads / grid->jobs + (place < grid->threads % grid->jobs);
    share = share == 0 ? 1 : share > CLI_MOST_THREADS ? CLI_MOST_THREADS : share;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    char **words = words_of(grid, run, share);
    pid_t parent = getpid(), process = fork();
    if (process == 0) {
        become(words, parent, all->nowhere, ends[1]);
    }
    int reason = errno;
    free_words(words);
    (void)close(ends[1]);
    if (process < 0) {
        (void)close(ends[0]);
        errno = reason;
        return false;
    }
    *child = (struct child){.run = run, .process = process, .errors = ends[0]};
    run->state = CLI_GRID_RUNS;
    return true;
}

/* ---- hearing of one ---- */

/* A note that several runs give is told once; what is an error is told of each. */
static bool is_news(struct children *all, const char *line) {
    if (strncmp(line, "note: ", 6) != 0) {
        return true;
    }
    for (size_t i = 0; i < all->note_count; i++) {
        if (strcmp(all->notes[i], line) == 0) {
            return false;
        }
    }
    if ((all->note_count & (all->note_count + 1)) == 0) {
        char **more = cli_allocate(2 * all->note_count + 1, sizeof *more);
        if (all->note_count) {
            memcpy(more, all->notes, all->note_count * sizeof *more);
        }
        free(all->notes);
        all->notes = more;
    }
    all->notes[all->note_count++] = cli_text("%s", line);
    return true;
}

static void hand_on(struct children *all, struct child *child) {
    static const char own[] = "stoa: ";
    const char *line = child->line;
    child->line[child->used] = '\0';
    child->used = 0;
    line += strncmp(line, own, sizeof own - 1) == 0 ? sizeof own - 1 : 0;
    /* What it says of having been stopped is said for all of them. */
    bool wanted = *line && !(all->told && strncmp(line, "interrupted", 11) == 0);
    if (wanted && !(all->grid->request->quiet && strncmp(line, "note: ", 6) == 0) && is_news(all, line)) {
        (void)cli_fail(CLI_DONE, "%s: %s", child->run->name, line);
    }
    child->spoke = true;
}

/* Whether its stderr has come to its end. */
static bool listen_to(struct children *all, struct child *child) {
    char text[512];
    ssize_t bytes = read(child->errors, text, sizeof text);
    for (ssize_t i = 0; i < bytes; i++) {
        if (text[i] == '\n' || child->used + 1 == LINE) {
            hand_on(all, child);
        }
        if (text[i] != '\n') {
            child->line[child->used++] = text[i];
        }
    }
    return bytes == 0 || (bytes < 0 && errno != EINTR && errno != EAGAIN);
}

/* ---- the end of one ---- */

static void tell_result(const struct children *all, const struct cli_grid_run *run) {
    const struct cli_grid *grid = all->grid;
    if (grid->request->quiet || grid->request->json || run->state != CLI_GRID_DONE) {
        return;
    }
    size_t done = 0;
    for (size_t i = 0; i < grid->count; i++) {
        done += grid->run[i].state == CLI_GRID_DONE;
    }
    cli_progress_clear();
    double figures[REPORT_METRICS];
    bool known = cli_grid_figures(grid, run, figures);
    cli_print("%zu of %zu  %s", done, grid->count, run->name);
    if (known) {
        struct report_words words = {""};
        const struct report_figure *figure = report_main_figure(figures, REPORT_OF_TEST);
        (void)printf("  test %s",
                     report_figure_named(&words, figure, figures[figure->metric[REPORT_OF_TEST]]));
    }
    (void)puts("");
    (void)fflush(stdout);
}

static void end(struct children *all, struct child *child) {
    struct cli_grid_run *run = child->run;
    int status = 0;
    if (child->used > 0) {
        hand_on(all, child);
    }
    (void)close(child->errors);
    while (waitpid(child->process, &status, 0) < 0 && errno == EINTR) {
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : CLI_SIGNAL + WTERMSIG(status);
    run->state = code == CLI_DONE                  ? CLI_GRID_DONE
                 : all->told && code >= CLI_SIGNAL ? CLI_GRID_STOPPED
                                                   : CLI_GRID_FAILED;
    if (run->state == CLI_GRID_FAILED && !child->spoke) {
        (void)(WIFEXITED(status)
                   ? cli_fail(CLI_DONE, "%s: ended with status %d", run->name, code)
                   : cli_fail(CLI_DONE, "%s: killed by signal %d", run->name, code - CLI_SIGNAL));
    }
    tell_result(all, run);
    if (run->state == CLI_GRID_DONE) {
        (void)cli_grid_save(all->grid);
    }
    child->run = NULL;
}

/* ---- all of them ---- */

static size_t fill_places(struct children *all) {
    struct cli_grid *grid = all->grid;
    size_t going = 0;
    for (size_t i = 0; i < grid->jobs; i++) {
        while (!all->child[i].run && all->next < grid->count && !all->told) {
            struct cli_grid_run *run = &grid->run[all->next++];
            if (run->state == CLI_GRID_WAITS && !start(all, i, run)) {
                (void)cli_fail(CLI_FAILED, "%s: cannot start: %s", run->name, strerror(errno));
                run->state = CLI_GRID_FAILED;
            }
        }
        going += all->child[i].run != NULL;
    }
    return going;
}

/* A signal, or the end of --minutes, is handed on once. */
static void stop_all(struct children *all) {
    bool late = all->deadline > 0 && cli_now() >= all->deadline;
    if ((!cli_stop_signal() && !late) || all->told) {
        return;
    }
    all->told = true;
    for (size_t i = 0; i < all->grid->jobs; i++) {
        if (all->child[i].run) {
            (void)kill(all->child[i].process, cli_stop_signal() ? cli_stop_signal() : SIGTERM);
        }
    }
}

static void show(const struct children *all, size_t going) {
    const struct cli_grid *grid = all->grid;
    size_t ended = 0;
    for (size_t i = 0; i < grid->count; i++) {
        ended += grid->run[i].state > CLI_GRID_RUNS;
    }
    if (!grid->request->quiet) {
        cli_progress_line("%zu of %zu runs have ended, %zu go on%s", ended, grid->count, going,
                          all->told ? " to save their state" : "");
    }
}

/* Wait for a word or an end of any, but not long: a signal may have come just before. */
static void wait_for_any(struct children *all, struct pollfd *files) {
    size_t jobs = all->grid->jobs;
    for (size_t i = 0; i < jobs; i++) {
        files[i] = (struct pollfd){.fd = all->child[i].run ? all->child[i].errors : -1, .events = POLLIN};
    }
    if (poll(files, (nfds_t)jobs, 200) <= 0) {
        return;
    }
    for (size_t i = 0; i < jobs; i++) {
        if (all->child[i].run && files[i].revents != 0 && listen_to(all, &all->child[i])) {
            end(all, &all->child[i]);
        }
    }
}

int cli_grid_run_all(struct cli_grid *grid) {
    struct children all = {.grid = grid, .nowhere = open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (all.nowhere < 0) {
        return cli_fail(CLI_FAILED, "/dev/null: %s", strerror(errno));
    }
    all.deadline = grid->request->minutes > 0 ? cli_now() + 60 * grid->request->minutes : 0;
    all.child = cli_allocate(grid->jobs, sizeof *all.child);
    struct pollfd *files = cli_allocate(grid->jobs, sizeof *files);
    for (size_t going; (going = fill_places(&all)) > 0;) {
        show(&all, going);
        wait_for_any(&all, files);
        stop_all(&all);
    }
    for (size_t i = 0; i < all.note_count; i++) {
        free(all.notes[i]);
    }
    free(all.notes);
    free(files);
    free(all.child);
    (void)close(all.nowhere);
    return cli_stop_signal() ? CLI_SIGNAL + cli_stop_signal() : CLI_DONE;
}
