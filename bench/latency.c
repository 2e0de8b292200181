/* SPDX-License-Identifier: MIT */
/* `stoa-bench latency`: how long one image takes, on one thread and on several, with warm caches and with
 * cold ones, beside other engines that run the same network. */
#include "bench/latency.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/columns.h"
#include "bench/progress.h"
#include "cli/signals.h"

/* Stoa on one thread and on several, plain loops, and each peer on as many threads as Stoa. */
enum { MOST_PEERS = 2, COUNTS = 2, MOST_ENGINES = COUNTS * (1 + MOST_PEERS) + 1 };

static const char *const cache_names[BENCH_CACHE_STATES] = {"warm", "cold"};

enum { P50, P90, P99, PERCENTILES };
static const double part_of[PERCENTILES] = {0.5, 0.9, 0.99};
static const char *const percentile_names[PERCENTILES] = {"p50", "p90", "p99"};

/* A network with all that runs it. */
struct latency {
    struct bench *bench;
    struct bench_network *network;
    size_t threads[COUNTS], counts;
    struct bench_latency_stoa stoa[COUNTS];
    struct bench_loops *loops;
    struct bench_peer_process *peer[COUNTS * MOST_PEERS];
    size_t peers;
    struct bench_engine engine[MOST_ENGINES];
    size_t engines;
    struct cli_table *table;
    size_t repetitions; /* that are measured */
    size_t begun;       /* steps of the networks before, for the progress line */
};

/* Of an engine with caches in one state: a number a repetition. */
struct measured {
    size_t runs;
    double *percentile[PERCENTILES], *cpu;
};

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void take_percentiles(double *seconds, size_t count, size_t repetition, struct measured *measured) {
    qsort(seconds, count, sizeof *seconds, compare);
    for (size_t p = 0; p < PERCENTILES; p++) {
        size_t rank = (size_t)ceil(part_of[p] * (double)count);
        measured->percentile[p][repetition] = seconds[rank > 0 ? rank - 1 : 0];
    }
}

/* ---- what runs ---- */

static int open_stoa(struct latency *l) {
    int code = CLI_DONE;
    l->threads[l->counts++] = 1;
    if (l->bench->threads > 1) {
        l->threads[l->counts++] = l->bench->threads;
    }
    for (size_t i = 0; code == CLI_DONE && i < l->counts; i++) {
        code = bench_latency_stoa_open(l->bench, l->network, l->threads[i], &l->stoa[i]);
        l->engine[l->engines++] = bench_latency_stoa_engine(&l->stoa[i], l->threads[i]);
    }
    return code == CLI_DONE ? bench_network_fill(l->network, &l->stoa[0].inference) : code;
}

/* A peer that is named has to be there; of "all" those that are, and each other says why it is not. */
static int open_peers(struct latency *l) {
    const char *names = l->bench->options.peer;
    bool all = names && strcmp(names, "all") == 0;
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && bench_peer_name(i); i++) {
        bool wanted = bench_peer_is_named(names, bench_peer_name(i));
        for (size_t c = 0; wanted && code == CLI_DONE && c < l->counts; c++) {
            struct bench_peer_process **peer = &l->peer[l->peers++];
            code = bench_peer_start(l->bench, bench_peer_name(i), l->network, l->threads[c], peer);
            if (code == CLI_DONE) {
                l->engine[l->engines++] = bench_peer_engine(*peer, l->threads[c]);
            } else if (code == CLI_WRONG && all) {
                code = CLI_DONE;
                wanted = false;
            }
        }
    }
    return code;
}

static int open_engines(struct latency *l) {
    int code = open_stoa(l);
    l->loops = code == CLI_DONE ? bench_loops_open(l->network, l->stoa[0].inference.model) : NULL;
    if (l->loops) {
        l->engine[l->engines++] = bench_loops_engine(l->loops);
    }
    return code == CLI_DONE ? open_peers(l) : code;
}

static void close_engines(struct latency *l) {
    for (size_t i = 0; i < l->peers; i++) {
        bench_peer_stop(l->peer[i]);
    }
    bench_loops_close(l->loops);
    for (size_t i = 0; i < l->counts; i++) {
        bench_latency_stoa_close(&l->stoa[i]);
    }
}

/* ---- measuring ---- */

/* As many runs a repetition as last --min-time, or ten times that with what empties the caches. */
static int count_runs(const struct latency *l, const struct bench_engine *engine, enum bench_caches caches,
                      size_t *runs) {
    enum { TRIAL = 5, LEAST = 20, MOST = 100000 };
    double seconds[TRIAL], start = bench_now();
    int code = engine->measure(engine->self, caches, TRIAL, seconds);
    double wanted = l->bench->options.min_time;
    qsort(seconds, TRIAL, sizeof *seconds, compare);
    double each = caches == BENCH_COLD ? (bench_now() - start) / TRIAL : seconds[TRIAL / 2];
    double count = (caches == BENCH_COLD ? 10 * wanted : wanted) / fmax(each, 1e-8);
    *runs = (size_t)fmin(fmax(count, LEAST), MOST);
    return code;
}

/* Engines in turn; every other repetition the last one begins. */
static int measure(struct latency *l, enum bench_caches caches, struct measured *measured) {
    int code = CLI_DONE;
    l->repetitions = l->bench->options.repetitions;
    for (size_t e = 0; code == CLI_DONE && e < l->engines; e++) {
        code = count_runs(l, &l->engine[e], caches, &measured[e].runs);
    }
    for (size_t r = 0; code == CLI_DONE && r < l->repetitions; r++) {
        for (size_t turn = 0; code == CLI_DONE && turn < l->engines; turn++) {
            size_t e = r % 2 ? l->engines - 1 - turn : turn;
            double *seconds = cli_allocate(measured[e].runs, sizeof *seconds), cpu = bench_cpu_now();
            code = l->engine[e].measure(l->engine[e].self, caches, measured[e].runs, seconds);
            measured[e].cpu[r] = (bench_cpu_now() - cpu) / (double)measured[e].runs;
            take_percentiles(seconds, measured[e].runs, r, &measured[e]);
            free(seconds);
        }
        l->repetitions = cli_stop_signal() ? r + 1 : l->repetitions;
        bench_progress_within((double)(r + 1) / (double)l->repetitions);
    }
    return code;
}

/* ---- telling ---- */

static void begin_table(struct cli_table *table) {
    static const char *const heading[] = {"network", "engine", "caches", "threads", "p50 us",
                                          "p90 us",  "p99 us", "+- %",   "to Stoa"};
    *table = (struct cli_table){.columns = "llllrrrrr"};
    for (size_t i = 0; i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(table, "%s", heading[i]);
    }
}

/* The median of the engine's over Stoa's medians, pair by pair. */
static double ratio_of(const struct measured *engine, const struct measured *stoa, size_t repetitions) {
    double *ratio = cli_allocate(repetitions, sizeof *ratio);
    for (size_t r = 0; r < repetitions; r++) {
        ratio[r] = engine->percentile[P50][r] / fmax(stoa->percentile[P50][r], 1e-12);
    }
    double median = bench_summarise(ratio, repetitions).median;
    free(ratio);
    return median;
}

static void tell_engine(struct latency *l, size_t e, enum bench_caches caches, const struct measured *all) {
    const struct bench_engine *engine = &l->engine[e];
    const struct measured *m = &all[e];
    size_t repetitions = l->repetitions;
    double ratio = ratio_of(m, &all[engine->threads == 1 ? 0 : l->counts - 1], repetitions);
    struct bench_times times = {
        repetitions, m->runs, m->percentile[P50], m->cpu, bench_summarise(m->percentile[P50], repetitions),
        true,        0};
    char *name = cli_text("%s/%s/threads:%zu/%s", engine->is_stoa ? "latency" : engine->name,
                          l->network->name, engine->threads, cache_names[caches]);
    struct bench_record record = {.name = name, .threads = engine->threads, .times = &times};
    bench_note(&record, "network", l->network->name);
    bench_note(&record, "engine", engine->name);
    bench_note(&record, "way", engine->way);
    if (!engine->is_stoa) {
        bench_note(&record, "beside", "latency");
    }
    bench_note(&record, "caches", cache_names[caches]);
    bench_counter(&record, "runs", (double)m->runs);
    bench_counter(&record, "ratio_to_stoa", ratio);
    char key[PERCENTILES][32];
    for (size_t p = 0; p < PERCENTILES; p++) {
        (void)snprintf(key[p], sizeof key[p], "%s_seconds", percentile_names[p]);
        bench_series(&record, key[p], m->percentile[p]);
    }
    bench_report(l->bench, &record);
    free(name);
    cli_table_cell(l->table, "%s", l->network->name);
    cli_table_cell(l->table, "%s%s%s", engine->name, *engine->way ? ", " : "", engine->way);
    cli_table_cell(l->table, "%s", cache_names[caches]);
    cli_table_cell(l->table, "%zu", engine->threads);
    for (size_t p = 0; p < PERCENTILES; p++) {
        cli_table_cell(l->table, "%.3f", 1e6 * bench_summarise(m->percentile[p], repetitions).median);
    }
    cli_table_cell(l->table, "%.0f%s", 100 * times.summary.spread, bench_mark(&times));
    cli_table_cell(l->table, engine->is_stoa ? "-" : "%.2f", ratio);
}

/* What a call costs beyond its arithmetic, by plain loops where the network can be written so, and by the
 * steps of its plan. */
static void tell_overhead(struct latency *l, const struct measured *all) {
    size_t repetitions = l->repetitions;
    for (size_t i = 0; i < l->counts; i++) {
        double call = bench_summarise(all[i].percentile[P50], repetitions).median;
        double beside = call - bench_latency_stoa_steps(&l->stoa[i], l->threads[i]);
        double over[2] = {beside, beside};
        char *name = cli_text("latency/%s/threads:%zu/overhead", l->network->name, l->threads[i]);
        struct bench_times times = {1, 1, over, over, bench_summarise(over, 1), false, 0};
        struct bench_record record = {.name = name, .threads = l->threads[i], .times = &times};
        bench_note(&record, "network", l->network->name);
        bench_counter(&record, "beside_steps_seconds", beside);
        char *over_loops = cli_text("%s", "");
        if (l->loops) {
            double loops = bench_summarise(all[l->counts].percentile[P50], repetitions).median;
            bench_counter(&record, "beyond_loops_seconds", call - loops);
            free(over_loops);
            over_loops = cli_text(", %.3f us beyond plain loops", 1e6 * (call - loops));
        }
        bench_print_text("%s, %zu thread%s: %.3f us of a call are beside the steps of its plan%s",
                         l->network->name, l->threads[i], l->threads[i] == 1 ? "" : "s", 1e6 * beside,
                         over_loops);
        free(over_loops);
        bench_report(l->bench, &record);
        free(name);
    }
    (void)fflush(stdout);
}

static int run_caches(struct latency *l, enum bench_caches caches) {
    struct measured all[MOST_ENGINES] = {{0}};
    size_t repetitions = l->bench->options.repetitions;
    for (size_t e = 0; e < l->engines; e++) {
        for (size_t p = 0; p < PERCENTILES; p++) {
            all[e].percentile[p] = cli_allocate(repetitions, sizeof(double));
        }
        all[e].cpu = cli_allocate(repetitions, sizeof(double));
    }
    int code = measure(l, caches, all);
    for (size_t e = 0; code == CLI_DONE && e < l->engines; e++) {
        /* Loops on weights that are in no cache are not what a call's overhead is held against. */
        if (caches == BENCH_WARM || l->engine[e].self != l->loops) {
            tell_engine(l, e, caches, all);
        }
    }
    if (code == CLI_DONE && caches == BENCH_WARM) {
        tell_overhead(l, all);
    }
    for (size_t e = 0; e < l->engines; e++) {
        for (size_t p = 0; p < PERCENTILES; p++) {
            free(all[e].percentile[p]);
        }
        free(all[e].cpu);
    }
    return code;
}

static int run_network(struct latency *l) {
    struct bench *bench = l->bench;
    bool wanted[BENCH_CACHE_STATES], any = false;
    for (int c = 0; c < BENCH_CACHE_STATES; c++) {
        char *full = cli_text("latency/%s/%s", l->network->name, cache_names[c]);
        wanted[c] = bench_wanted(bench, full);
        any = any || wanted[c];
        if (bench->options.list && wanted[c]) {
            (void)puts(full);
        }
        free(full);
    }
    if (bench->options.list || !any) {
        return CLI_DONE;
    }
    int code = open_engines(l);
    for (enum bench_caches c = 0; code == CLI_DONE && c < BENCH_CACHE_STATES; c++) {
        if (wanted[c] && !cli_stop_signal()) {
            bench_progress_step(l->begun + c, 1, "%s, %s", l->network->name, cache_names[c]);
            code = run_caches(l, c);
        }
    }
    close_engines(l);
    return code;
}

/* All networks are opened first: a name that is wrong is known before anything is measured. */
static int run(struct bench *bench) {
    static const char *const defaults[] = {"lenet5", "mlp", "4-8-2"};
    size_t given = bench->options.operand_count, count = given ? given : sizeof defaults / sizeof *defaults;
    struct bench_network *networks = cli_allocate(count, sizeof *networks);
    struct cli_table table = {0};
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < count; i++) {
        code = bench_network_open(given ? bench->options.operands[i] : defaults[i], &networks[i]);
    }
    if (!bench->options.list && code == CLI_DONE) {
        begin_table(&table);
    }
    bench_progress_begin("latency", count * BENCH_CACHE_STATES);
    for (size_t i = 0; code == CLI_DONE && i < count; i++) {
        struct latency l = {
            .bench = bench, .network = &networks[i], .table = &table, .begun = i * BENCH_CACHE_STATES};
        code = run_network(&l);
    }
    bench_progress_end();
    if (table.columns) {
        cli_table_print(&table);
        bench_print_mark();
    }
    for (size_t i = 0; i < count; i++) {
        bench_network_close(&networks[i]);
    }
    free(networks);
    return code;
}

static int check(const struct bench_options *chosen) {
    return bench_peer_names_check(chosen->peer);
}

static const char *const options[] = {"filter", "json",     "threads", "repetitions", "min-time",
                                      "peer",   "python",   "policy",  "isa",         "list",
                                      "wide",   "markdown", NULL};

const struct bench_mode bench_mode_latency = {
    .name = "latency",
    .summary = "one image at a time, warm and cold, beside other engines",
    .usage = "latency [RECIPE | SIZES]... [options]",
    .options = options,
    .most_operands = 64,
    .holds_isa = true,
    .measures = true,
    .check = check,
    .run = run,
};
