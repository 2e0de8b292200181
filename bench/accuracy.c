/* SPDX-License-Identifier: MIT */
/* `stoa-bench accuracy`: `stoa train RECIPE --seed N` for several seeds, each a process of its own as a user
 * starts it: how many reach a test accuracy at the last epoch, and how long that takes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/bench.h"
#include "bench/progress.h"
#include "bench/recipes.h"
#include "cli/find.h"
#include "cli/signals.h"

enum { SEEDS = 10 };
static const double TARGET = 0.99;

/* What the runs of a recipe have given, a number a seed. */
struct accuracy {
    struct bench *bench;
    const char *name, *path, *command, *folder; /* `folder`: where runs write */
    size_t seeds;                               /* of them, those that are done in the end */
    size_t begun;                               /* runs of the recipes before */
    double target;
    double *reached, *training, *process, *cpu; /* accuracy, seconds */
};

/* The command that lies beside this one, installed or in the build folder; from malloc. */
static char *find_command(const struct bench *bench) {
    if (bench->options.stoa) {
        return cli_text("%s", bench->options.stoa);
    }
    char *found = cli_find_beside("stoa");
    found = found ? found : cli_find_beside("../src/cli/stoa");
    return found ? found : cli_text("stoa");
}

/* ---- a run ---- */

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

/* CPU seconds of all processes that have been waited for. */
static double children_cpu(void) {
    struct rusage used = {0};
    (void)getrusage(RUSAGE_CHILDREN, &used);
    return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

/* Run it with its standard output thrown away; its exit status, or that of a command that cannot be run. */
static int run_command(char **command) {
    int status = 0;
    pid_t process = fork();
    if (process == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        if (nothing >= 0 && dup2(nothing, STDOUT_FILENO) >= 0) {
            (void)execvp(command[0], command);
        }
        _exit(127);
    }
    while (process > 0 && waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    return process > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

/* The number `key` of the lines of a file in the run's folder: the last one, or the sum. */
static bool read_lines(const struct accuracy *a, const char *file, const char *key, bool sum, double *out) {
    enum { MOST_BYTES = 1 << 26 };
    struct stoa_error error;
    void *text = NULL;
    size_t bytes = 0;
    bool found = false;
    char *path = cli_text("%s/run/%s", a->folder, file);
    if (stoa_file_read(&error, path, MOST_BYTES, &text, &bytes) == STOA_OK) {
        const char *at = text, *end = at + bytes;
        for (const char *stop; at < end && (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1) {
            json_t *line = json_loadb(at, (size_t)(stop - at), 0, NULL);
            const json_t *value = json_object_get(line, key);
            if (json_is_number(value)) {
                *out = json_number_value(value) + (sum && found ? *out : 0);
                found = true;
            }
            json_decref(line);
        }
    }
    free(text);
    free(path);
    return found;
}

static int run_seed(struct accuracy *a, size_t seed) {
    const struct bench *bench = a->bench;
    char *number = cli_text("%zu", seed + 1), *threads = cli_text("%zu", bench->threads);
    char *words[] = {cli_text("%s", a->command),
                     cli_text("train"),
                     cli_text("%s", a->path),
                     cli_text("--quiet"),
                     cli_text("--force"),
                     cli_text("--seed=%s", number),
                     cli_text("--threads=%s", threads),
                     cli_text("--out=%s/run", a->folder),
                     bench->options.data ? cli_text("--data=%s", bench->options.data) : NULL,
                     NULL};
    double start = bench_now(), cpu = children_cpu();
    int code = run_command(words);
    a->process[seed] = bench_now() - start;
    a->cpu[seed] = children_cpu() - cpu;
    if (cli_stop_signal()) {
        code = CLI_SIGNAL + cli_stop_signal(); /* which the run has heard too, where a terminal sent it */
    } else if (code >= 126 && code <= 127) {
        code = cli_fail(CLI_WRONG, "--stoa: cannot run '%s'", a->command);
    } else if (code == CLI_DONE &&
               (!read_lines(a, "metrics.jsonl", "test_accuracy", false, &a->reached[seed]) ||
                !read_lines(a, "timing.jsonl", "seconds", true, &a->training[seed]))) {
        code = cli_fail(CLI_FAILED, "%s: the run of seed %s wrote no test accuracy or no seconds", a->name,
                        number);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        free(words[i]);
    }
    free(number);
    free(threads);
    return code;
}

/* ---- a recipe ---- */

static void tell(const struct accuracy *a, struct cli_table *table) {
    struct bench_summary reached = bench_summarise(a->reached, a->seeds);
    double hits = 0;
    for (size_t i = 0; i < a->seeds; i++) {
        hits += a->reached[i] >= a->target;
    }
    struct bench_times times = {a->seeds, 1, a->process, a->cpu, bench_summarise(a->process, a->seeds),
                                false,    0};
    char *name = cli_text("accuracy/%s", a->name);
    struct bench_record record = {.name = name, .threads = a->bench->threads, .times = &times};
    bench_note(&record, "recipe", a->name);
    bench_counter(&record, "target", a->target);
    bench_counter(&record, "share_at_target", hits / (double)a->seeds);
    bench_series(&record, "test_accuracy", a->reached);
    bench_series(&record, "training_seconds", a->training);
    bench_report(a->bench, &record);
    free(name);
    cli_table_cell(table, "%s", a->name);
    cli_table_cell(table, "%.0f of %zu", hits, a->seeds);
    cli_table_cell(table, "%.2f %%", 100 * a->target);
    cli_table_cell(table, "%.3f %%", 100 * reached.mean);
    cli_table_cell(table, "%.3f", 100 * reached.deviation);
    cli_table_cell(table, "%.3f %%", 100 * reached.least);
    cli_table_cell(table, "%.3f", bench_summarise(a->training, a->seeds).mean);
    cli_table_cell(table, "%.3f", times.summary.mean);
}

static int run_recipe(struct accuracy *a, struct cli_table *table) {
    double **values[] = {&a->reached, &a->training, &a->process, &a->cpu};
    enum { VALUES = sizeof values / sizeof values[0] };
    for (int i = 0; i < VALUES; i++) {
        *values[i] = cli_allocate(a->seeds, sizeof(double));
    }
    int code = CLI_DONE;
    size_t wanted = a->seeds;
    for (size_t seed = 0; code == CLI_DONE && seed < wanted && !cli_stop_signal(); seed++) {
        bench_progress_step(a->begun + seed, 1, "%s, seed %zu", a->name, seed + 1);
        code = run_seed(a, seed);
        a->seeds = code == CLI_DONE ? seed + 1 : seed;
    }
    code = code > CLI_SIGNAL ? CLI_DONE : code; /* the seeds before the signal are kept */
    if (code == CLI_DONE && a->seeds > 0) {
        tell(a, table);
    }
    for (int i = 0; i < VALUES; i++) {
        free(*values[i]);
    }
    return code;
}

static void begin_table(struct cli_table *table) {
    static const char *const heading[] = {"recipe",    "reach it", "target",     "mean",
                                          "deviation", "least",    "training s", "process s"};
    *table = (struct cli_table){.columns = "lrrrrrrr"};
    for (size_t i = 0; i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(table, "%s", heading[i]);
    }
}

/* What runs have written. */
static void remove_folder(const char *folder) {
    char *words[] = {cli_text("rm"), cli_text("-rf"), cli_text("--"), cli_text("%s", folder), NULL};
    (void)run_command(words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        free(words[i]);
    }
}

static int run_recipes(struct bench *bench, const struct bench_recipes *recipes) {
    const char *temporary = getenv("TMPDIR");
    char *folder = cli_text("%s/stoa-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    char *command = find_command(bench);
    struct cli_table table;
    begin_table(&table);
    int code = mkdtemp(folder) ? CLI_DONE : cli_fail(CLI_FAILED, "%s: %s", folder, strerror(errno));
    bool made = code == CLI_DONE;
    size_t seeds = bench->options.seeds ? bench->options.seeds : SEEDS;
    bench_progress_begin("accuracy", recipes->count * seeds);
    for (size_t i = 0; code == CLI_DONE && i < recipes->count && !cli_stop_signal(); i++) {
        struct accuracy a = {.bench = bench,
                             .name = recipes->name[i],
                             .path = recipes->path[i],
                             .command = command,
                             .folder = folder,
                             .seeds = seeds,
                             .begun = i * seeds,
                             .target = bench->options.target > 0 ? bench->options.target : TARGET};
        code = run_recipe(&a, &table);
    }
    bench_progress_end();
    if (code != CLI_WRONG) {
        cli_table_print(&table);
    } else {
        cli_table_free(&table);
    }
    if (made) {
        remove_folder(folder);
    }
    free(command);
    free(folder);
    return code;
}

static int run(struct bench *bench) {
    static const char *const defaults[] = {"mnist-cnn", NULL};
    struct bench_recipes recipes;
    int code = bench_recipes_open(bench, defaults, &recipes);
    if (code == CLI_DONE) {
        code = run_recipes(bench, &recipes);
    }
    bench_recipes_close(&recipes);
    return code;
}

static const char *const options[] = {"target", "seeds", "data", "stoa", "json", "threads", "markdown", NULL};

const struct bench_mode bench_mode_accuracy = {
    .name = "accuracy",
    .summary = "how many seeds of recipes reach a test accuracy, and in how many seconds",
    .usage = "accuracy [RECIPE]... [options]",
    .options = options,
    .most_operands = 64,
    .measures = true,
    .run = run,
};
