/* SPDX-License-Identifier: MIT */
/* `stoa-bench seeds`: recipes trained with several seeds each, and whether they reach their figures.
 *
 * Runs wait in the order of the list. Those of a row that asks for it have one thread each, and as many
 * threads take them one after the other; all others have the machine to themselves. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/columns.h"
#include "bench/progress.h"
#include "bench/seeds.h"
#include "cli/arguments.h"
#include "cli/progress.h"
#include "cli/signals.h"

struct session {
    struct bench *bench;
    struct bench_rows rows; /* the wanted ones */
    size_t first, end;      /* rows whose runs are to be taken now */
    pthread_mutex_t lock;   /* of all below, and of the rows' results */
    size_t runs, runs_done; /* in all rows */
    int code;               /* the worst so far */
};

/* ---- the terminal ---- */

/* What a run that is going on needs to be heard of. */
struct listener {
    struct session *session;
    const struct bench_seed_run *run;
    double last; /* when it was shown */
};

static bool on_progress(void *user, const stoa_progress *progress) {
    struct listener *listener = user;
    struct session *session = listener->session;
    double now = bench_now();
    if (now - listener->last > 0.2) {
        listener->last = now;
        (void)pthread_mutex_lock(&session->lock);
        double within = ((double)progress->epoch - 1) / (double)progress->epochs;
        bench_progress_show(((double)session->runs_done + within) / (double)session->runs,
                            "%s, seed %llu, epoch %zu of %zu, train %.2f %%", listener->run->row->name,
                            (unsigned long long)listener->run->seed, progress->epoch, progress->epochs,
                            100 * progress->train_accuracy);
        (void)pthread_mutex_unlock(&session->lock);
    }
    return cli_stop_signal() != 0;
}

/* ---- runs ---- */

/* The next run, or NULL when none is left. */
static struct bench_row *take(struct session *session, size_t *number) {
    struct bench_row *taken = NULL;
    (void)pthread_mutex_lock(&session->lock);
    for (size_t i = session->first; i < session->end && !taken && !cli_stop_signal(); i++) {
        struct bench_row *row = &session->rows.row[i];
        if (row->begun == 0) {
            bench_others_begin(&row->others);
        }
        if (row->begun < row->runs) {
            *number = row->begun++;
            taken = row;
        }
    }
    (void)pthread_mutex_unlock(&session->lock);
    return taken;
}

static void worsen(struct session *session, int code) {
    session->code = session->code == CLI_DONE ? code : session->code;
}

/* All runs of a row are done: print it, and keep it should the rest never come. */
static void finish_row(struct session *session, struct bench_row *row) {
    struct bench *bench = session->bench;
    row->others_share = bench_others_share(&row->others);
    bench_seeds_print(bench, row);
    bench_seeds_report(bench, row);
    if (bench_row_judge(row) == BENCH_FAILS) {
        worsen(session, CLI_FAILED);
    }
    if (bench->options.out) {
        worsen(session, bench_seeds_write(bench, &session->rows, bench->options.out));
    }
}

static void finish_run(struct session *session, struct bench_row *row, size_t number,
                       const struct bench_seed_run *run, int code) {
    if (code == CLI_SIGNAL) {
        return;
    }
    (void)pthread_mutex_lock(&session->lock);
    bench_progress_clear();
    row->failed = row->failed || code != CLI_DONE;
    for (int i = 0; i < BENCH_MEASURES; i++) {
        row->value[i][number] = run->value[i];
    }
    if (cli_progress_on_terminal() && code == CLI_DONE) {
        (void)fprintf(stderr, "%s, seed %zu: %.2f %%, %.1f s\n", row->name, number + 1,
                      run->value[BENCH_TEST], run->value[BENCH_SECONDS]);
    }
    row->done++;
    session->runs_done++;
    if (row->done == row->runs) {
        finish_row(session, row);
    }
    (void)pthread_mutex_unlock(&session->lock);
}

static void *work(void *argument) {
    struct session *session = argument;
    size_t number = 0;
    for (struct bench_row *row; (row = take(session, &number)) != NULL;) {
        struct listener listener = {.session = session};
        struct bench_seed_run run = {
            .row = row,
            .seed = number + 1,
            .threads = row->single ? 1 : session->bench->threads,
            .mnist = session->bench->options.data,
            .told = on_progress,
            .user = &listener,
        };
        listener.run = &run;
        finish_run(session, row, number, &run, bench_seed_run(&run));
    }
    return NULL;
}

/* The rows from `first` on that are alike, by as many workers as they allow. */
static void run_alike(struct session *session, size_t first) {
    pthread_t helper[CLI_MOST_THREADS];
    size_t helpers = 0, wanted = session->rows.row[first].single ? session->bench->threads - 1 : 0;
    session->first = first;
    session->end = first + 1;
    while (session->end < session->rows.count &&
           session->rows.row[session->end].single == session->rows.row[first].single) {
        session->end++;
    }
    /* Without a helper the work is done all the same. */
    while (helpers < wanted && pthread_create(&helper[helpers], NULL, work, session) == 0) {
        helpers++;
    }
    (void)work(session);
    for (size_t i = 0; i < helpers; i++) {
        (void)pthread_join(helper[i], NULL);
    }
}

static int run_all(struct session *session) {
    double start = bench_now();
    bench_progress_begin("seeds", session->runs);
    bench_seeds_head(session->bench, &session->rows);
    for (session->end = 0; session->end < session->rows.count && !cli_stop_signal();) {
        run_alike(session, session->end);
    }
    bench_progress_end();
    size_t whole = 0, passed = 0;
    for (size_t i = 0; i < session->rows.count; i++) {
        const struct bench_row *row = &session->rows.row[i];
        whole += row->done == row->runs;
        passed += row->done == row->runs && bench_row_judge(row) != BENCH_FAILS;
    }
    struct report_words time = {""};
    (void)printf("\n%zu of %zu rows pass, in %s.\n", passed, session->rows.count,
                 cli_seconds_words(&time, bench_now() - start));
    bench_print_text("%s", bench_seeds_note);
    if (cli_stop_signal()) {
        return cli_fail(CLI_SIGNAL + cli_stop_signal(), "interrupted: %zu of %zu rows are whole", whole,
                        session->rows.count);
    }
    return session->code;
}

/* ---- the mode ---- */

/* A list that cannot be read is known before the machine is looked at. */
static int check_list(const struct bench_options *wanted) {
    struct bench all = {.options = *wanted};
    struct bench_rows rows;
    all.options.filter = NULL;
    int code = bench_rows_read(&all, &rows);
    bench_rows_free(&rows);
    return code;
}

/* Whatever is missing or cannot be written is better known now than after half an hour. */
static int check_rows(const struct bench *bench, const struct bench_rows *rows) {
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < rows->count; i++) {
        struct bench_seed_run run = {
            .row = &rows->row[i], .seed = 1, .threads = 1, .mnist = bench->options.data};
        code = bench_seed_check(&run);
    }
    if (code == CLI_DONE && bench->options.out) {
        code = bench_seeds_write(bench, rows, bench->options.out);
    }
    return code == CLI_DONE ? CLI_DONE : CLI_WRONG;
}

static void list(const struct bench_rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        char *name = bench_row_name(&rows->row[i]);
        (void)puts(name);
        free(name);
    }
}

static int run(struct bench *bench) {
    struct session session = {.bench = bench, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct bench_rows *rows = &session.rows;
    int code = bench_rows_read(bench, rows);
    if (code == CLI_DONE && bench->options.list) {
        list(rows);
    } else if (code == CLI_DONE && (code = check_rows(bench, rows)) == CLI_DONE) {
        for (size_t i = 0; i < rows->count; i++) {
            session.runs += rows->row[i].runs;
        }
        code = run_all(&session);
    }
    bench_rows_free(rows);
    (void)pthread_mutex_destroy(&session.lock);
    return code;
}

static const char *const options[] = {"filter", "json", "rows",    "data", "seeds",
                                      "out",    "list", "threads", NULL};

const struct bench_mode bench_mode_seeds = {
    .name = "seeds",
    .summary = "recipes trained with several seeds each, beside the figures that they have to reach",
    .usage = "seeds [options]",
    .options = options,
    .measures = true,
    .check = check_list,
    .run = run,
};
