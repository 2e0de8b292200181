/* Mode layers with --peer: each pass in turn with another engine at its best. The peer is tried in every way it
 * has; the fastest that is right is timed beside the engine, and so is the fastest with NHWC in and out. */
#include "bench/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/allocations.h"

static const double TRIAL_SECONDS = 0.01; /* a way, to find the fastest */
enum { MOST_WAYS = 32, LEAST_TRIALS = 3 };

struct comparison {
    struct bench *bench;
    const struct bench_loaded *loaded;
    struct bench_means *means;
    size_t wrong, missing, disturbed, crowded;
};

struct our_run {
    const struct bench_work *work;
    enum stoa_conv_pass pass;
};

static void run_ours(void *argument) {
    const struct our_run *ours = argument;
    bench_work_run(ours->work, ours->pass);
}

struct peer_run {
    const struct bench_peer *peer;
    struct bench_peer_run *run;
};

static void run_peer(void *argument) {
    const struct peer_run *theirs = argument;
    theirs->peer->run(theirs->run);
}

/* A way to run a problem, tried. */
struct way {
    size_t number;
    bool plain, taken;
    char name[96];
    double seconds;
};

/* The least time of some runs; of one where the way is hopeless. */
static double try_way(const struct bench_peer *peer, struct bench_peer_run *run, double least) {
    static const double HOPELESS = 4;
    double begun = bench_now();
    peer->run(run);
    if (bench_now() - begun > TRIAL_SECONDS && bench_now() - begun > HOPELESS * least) {
        return bench_now() - begun;
    }
    (void)bench_enter_block(&(struct bench_case){run_peer, &(struct peer_run){peer, run}});
    double best = HUGE_VAL;
    begun = bench_now();
    for (size_t i = 0; i < LEAST_TRIALS || bench_now() - begun < TRIAL_SECONDS; i++) {
        double start = bench_now();
        peer->run(run);
        best = fmin(best, bench_now() - start);
    }
    return best;
}

/* Try every way; those that come to the same code and layout once. */
static size_t try_ways(const struct bench_peer *peer, const struct bench_peer_problem *problem,
                       struct way *ways) {
    size_t count = 0;
    double least = HUGE_VAL;
    for (size_t i = 0; i < peer->ways && count < MOST_WAYS; i++) {
        struct bench_peer_run *run = peer->make(problem, i);
        if (!run) {
            continue;
        }
        struct way *way = &ways[count];
        *way = (struct way){.number = i, .plain = peer->plain(i)};
        (void)snprintf(way->name, sizeof way->name, "%s", peer->describe(run));
        bool known = false;
        for (size_t j = 0; j < count; j++) {
            known = known || strcmp(ways[j].name, way->name) == 0;
        }
        if (!known) {
            way->seconds = try_way(peer, run, least);
            least = fmin(least, way->seconds);
            count++;
        }
        peer->free(run);
    }
    return count;
}

static struct bench_error verify_peer(const struct comparison *comparison, const struct our_run *ours,
                                      struct bench_peer_run *run, const char *name) {
    const struct bench_peer *peer = comparison->loaded->peer;
    struct bench_error error = {.largest = (double)NAN};
    float *out = cli_allocate(ours->work->out_count[ours->pass], sizeof *out);
    peer->run(run);
    if (peer->read(run, out)) {
        out[0] += comparison->bench->options.self_test; /* the first number is always looked at */
        error = bench_verify(ours->work, ours->pass, bench_layer_rows(&ours->work->layer->conv), out,
                             bench_error_bound(name));
    }
    free(out);
    return error;
}

/* The fastest way that nobody took yet, among all or the plain ones; NULL when there is none. */
static struct way *fastest(struct way *ways, size_t count, bool plain) {
    struct way *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!ways[i].taken && (ways[i].plain || !plain) && (!best || ways[i].seconds < best->seconds)) {
            best = &ways[i];
        }
    }
    return best;
}

/* Take the fastest ways that are right into the pair: two, as trials are short, unless the second is far behind. */
static void take_ways(const struct comparison *comparison, const struct our_run *ours,
                      const struct bench_peer_problem *problem, struct way *ways, size_t count, bool plain,
                      struct bench_pair *pair, struct bench_peer_run **runs) {
    static const double FAR = 1.15;
    const struct bench_peer *peer = comparison->loaded->peer;
    double least = HUGE_VAL;
    for (size_t taken = 0; taken < 2;) {
        struct way *way = fastest(ways, count, plain);
        struct bench_peer_run *run =
            way && way->seconds <= FAR * least ? peer->make(problem, way->number) : NULL;
        if (!run) {
            return;
        }
        way->taken = true;
        struct bench_contender *contender = &pair->contender[pair->contenders];
        *contender = (struct bench_contender){.plain = way->plain};
        memcpy(contender->name, way->name, sizeof contender->name);
        contender->error = verify_peer(comparison, ours, run, way->name);
        if (contender->error.right) {
            runs[pair->contenders++] = run;
            least = fmin(least, way->seconds);
            taken++;
        } else {
            peer->free(run);
        }
    }
}

/* Ratios of the times of one repetition. */
static struct bench_summary ratios(const struct bench_times *theirs, const struct bench_times *ours) {
    double *ratio = cli_allocate(ours->repetitions, sizeof *ratio);
    for (size_t i = 0; i < ours->repetitions; i++) {
        ratio[i] = theirs->real[i] / ours->real[i];
    }
    struct bench_summary summary = bench_summarise(ratio, ours->repetitions);
    free(ratio);
    return summary;
}

/* Time the engine and the contenders in turn. */
static void time_pair(struct comparison *comparison, const struct our_run *ours, struct bench_peer_run **runs,
                      struct bench_pair *pair) {
    struct our_run mine = *ours;
    struct peer_run theirs[BENCH_MOST_CONTENDERS];
    struct bench_case cases[BENCH_MOST_CONTENDERS + 1] = {{run_ours, &mine}};
    struct bench_times times[BENCH_MOST_CONTENDERS + 1];
    for (size_t i = 0; i < pair->contenders; i++) {
        theirs[i] = (struct peer_run){comparison->loaded->peer, runs[i]};
        cases[i + 1] = (struct bench_case){run_peer, &theirs[i]};
    }
    comparison->disturbed += bench_time_apart(comparison->bench, cases, pair->contenders + 1, times);
    pair->times = times[0];
    for (size_t i = 0; i < pair->contenders; i++) {
        struct bench_contender *one = &pair->contender[i];
        one->times = times[i + 1];
        one->ratio = ratios(&one->times, &pair->times);
        if (!pair->best || one->ratio.median < pair->best->ratio.median) {
            pair->best = one;
        }
        if (one->plain && (!pair->plain || one->ratio.median < pair->plain->ratio.median)) {
            pair->plain = one;
        }
    }
}

static void measure_pair(struct comparison *comparison, const struct our_run *ours, struct bench_pair *pair) {
    const struct bench_peer *peer = comparison->loaded->peer;
    const struct bench_work *work = ours->work;
    struct bench_peer_problem problem = {.conv = &work->layer->conv,
                                         .linear = work->layer->linear,
                                         .pass = ours->pass,
                                         .x = work->x,
                                         .weight = work->weight,
                                         .dy = work->dy};
    struct way ways[MOST_WAYS];
    struct bench_peer_run *runs[BENCH_MOST_CONTENDERS];
    size_t count = try_ways(peer, &problem, ways);
    take_ways(comparison, ours, &problem, ways, count, false, pair, runs);
    bool any_plain = false;
    for (size_t i = 0; i < pair->contenders; i++) {
        any_plain = any_plain || pair->contender[i].plain;
    }
    if (!any_plain) {
        take_ways(comparison, ours, &problem, ways, count, true, pair, runs);
    }
    if (pair->error.right) {
        time_pair(comparison, ours, runs, pair);
    }
    for (size_t i = 0; i < pair->contenders; i++) {
        peer->free(runs[i]);
    }
}

static double rate(const struct bench_pair *pair, double seconds) {
    return 1e-9 * bench_layer_flops(&pair->layer->conv) / seconds;
}

static void print_heading(const struct bench_peer *peer) {
    (void)printf("%-20s %-16s %9s %8s  %8s %6s %5s  %8s %6s %5s  %s\n", "layer", "pass", "median ms",
                 "GFLOP/s", peer->name, "ratio", "+-%", "plain", "ratio", "+-%", "algorithms");
}

static void print_contender(const struct bench_pair *pair, const struct bench_contender *contender) {
    if (contender) {
        (void)printf("  %8.1f %6.3f %5.1f", rate(pair, contender->times.summary.median),
                     contender->ratio.median, 100 * contender->ratio.spread);
    } else {
        (void)printf("  %8s %6s %5s", "-", "-", "-");
    }
}

static void print_pair(const struct bench_pair *pair) {
    (void)printf("%-20s %-16s ", pair->layer->name, bench_pass_names[pair->pass]);
    if (!pair->error.right) {
        (void)printf(
            "WRONG: error %.1e of the largest sum(|x||w|), allowed %.0e; right ways of the peer: %zu\n",
            pair->error.largest, pair->error.bound, pair->contenders);
        return;
    }
    double median = pair->times.summary.median;
    (void)printf("%9.4f %8.1f", 1e3 * median, rate(pair, median));
    print_contender(pair, pair->best);
    print_contender(pair, pair->plain);
    (void)printf("  %s | %s", pair->algorithm, pair->best ? pair->best->name : "none");
    if (pair->plain != pair->best) {
        (void)printf(" | %s", pair->plain ? pair->plain->name : "none");
    }
    (void)puts(pair->others > BENCH_MOST_OTHERS ? "  (other programs ran)" : "");
    (void)fflush(stdout);
}

/* A row for the contender itself. */
static void report_contender(const struct comparison *comparison, const struct bench_pair *pair,
                             const char *shape, const char *layout, const struct bench_contender *contender) {
    char *name = cli_text("%s %s/%s/%s", comparison->loaded->peer->name, layout, pair->layer->name,
                          bench_pass_names[pair->pass]);
    struct bench_record record = {
        .name = name, .threads = comparison->bench->threads, .times = &contender->times};
    bench_layer_note(&record, pair->layer, pair->pass, shape, contender->name, &contender->error);
    bench_note(&record, "engine", comparison->loaded->version);
    bench_report(comparison->bench, &record);
    free(name);
}

static void report_pair(const struct comparison *comparison, const struct bench_pair *pair) {
    char *name = cli_text("layers/%s/%s", pair->layer->name, bench_pass_names[pair->pass]);
    char *shape = bench_layer_shape(&pair->layer->conv);
    struct bench_record record = {.name = name,
                                  .threads = comparison->bench->threads,
                                  .times = pair->error.right ? &pair->times : NULL};
    bench_layer_note(&record, pair->layer, pair->pass, shape, pair->algorithm, &pair->error);
    bench_counter(&record, "other_programs", pair->others);
    if (pair->best) {
        bench_note(&record, "peer_best_algorithm", pair->best->name);
        bench_counter(&record, "ratio_to_peer_best", pair->best->ratio.median);
        bench_counter(&record, "ratio_to_peer_best_spread", pair->best->ratio.spread);
    }
    if (pair->plain) {
        bench_note(&record, "peer_plain_algorithm", pair->plain->name);
        bench_counter(&record, "ratio_to_peer_plain", pair->plain->ratio.median);
        bench_counter(&record, "ratio_to_peer_plain_spread", pair->plain->ratio.spread);
    }
    bench_report(comparison->bench, &record);
    if (pair->best) {
        report_contender(comparison, pair, shape, "best", pair->best);
    }
    if (pair->plain) {
        report_contender(comparison, pair, shape, "plain", pair->plain);
    }
    free(shape);
    free(name);
}

static void free_times(struct bench_pair *pair) {
    bench_times_free(&pair->times);
    for (size_t i = 0; i < pair->contenders; i++) {
        bench_times_free(&pair->contender[i].times);
    }
}

/* Measure again where other programs took more than a little of the machine. */
static void measure_undisturbed(struct comparison *comparison, const struct our_run *ours,
                                struct bench_pair *pair) {
    enum { ATTEMPTS = 3 };
    const struct bench_pair empty = *pair;
    for (int attempt = 1;; attempt++) {
        struct bench_others others;
        bench_others_begin(&others);
        measure_pair(comparison, ours, pair);
        pair->others = bench_others_share(&others);
        if (pair->others <= BENCH_MOST_OTHERS || attempt == ATTEMPTS) {
            return;
        }
        free_times(pair);
        *pair = empty;
    }
}

static void compare_pass(struct comparison *comparison, const struct our_run *ours) {
    struct bench_pair pair = {.layer = ours->work->layer,
                              .pass = (size_t)ours->pass,
                              .algorithm = ours->work->algorithm[ours->pass]};
    pair.error = bench_work_verify(comparison->bench, ours->work, ours->pass);
    measure_undisturbed(comparison, ours, &pair);
    if (pair.error.right) {
        bench_means_add(comparison->means, &pair);
        comparison->missing += !pair.best;
        comparison->crowded += pair.others > BENCH_MOST_OTHERS;
    } else {
        comparison->wrong++;
    }
    print_pair(&pair);
    report_pair(comparison, &pair);
    free_times(&pair);
}

/* All wanted passes of a layer that the peer has. False when the run cannot go on. */
static bool compare_layer(struct comparison *comparison, const struct bench_layer *layer) {
    bool wanted[BENCH_PASSES], any = false;
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        wanted[i] = comparison->loaded->peer->passes[i] && bench_layer_wanted(comparison->bench, layer, i);
        any = any || wanted[i];
    }
    if (!any) {
        return true;
    }
    struct bench_work work;
    bool going = bench_work_make(comparison->bench->context, layer, &work) && bench_work_prepare(&work);
    for (size_t i = 0; going && i < BENCH_PASSES; i++) {
        if (wanted[i]) {
            compare_pass(comparison, &(struct our_run){&work, (enum stoa_conv_pass)i});
        }
    }
    bench_work_free(&work);
    return going;
}

static int finish(struct comparison *comparison) {
    const struct bench_loaded *loaded = comparison->loaded;
    bench_means_print(comparison->bench, comparison->means, loaded->peer->name, loaded->version);
    if (comparison->missing) {
        (void)printf(
            "\n%zu rows without ratio: the peer has no code of its own for them, or its results were "
            "wrong.\n",
            comparison->missing);
    }
    if (comparison->disturbed) {
        (void)printf("\nIn %zu blocks threads of the other engine ran on: do not trust the ratios.\n",
                     comparison->disturbed);
    }
    if (comparison->crowded) {
        (void)printf("\n%zu rows were measured while other programs ran, three times over: repeat them.\n",
                     comparison->crowded);
    }
    return comparison->wrong ? cli_fail(CLI_FAILED, "%zu results are wrong", comparison->wrong) : CLI_DONE;
}

int bench_compare(struct bench *bench, const struct bench_layers *layers) {
    struct bench_loaded loaded;
    bench_allocations_in_heap();
    int code = bench_peer_load(bench->options.peer, bench->threads, &loaded);
    if (code != CLI_DONE) {
        return code;
    }
    (void)printf(
        "Beside %s.\nIts best of all algorithms in any layout, reorders not counted; plain: its best "
        "with NHWC in and out, reorders counted\nwhere it needs them. Weights of forward passes are ready "
        "for "
        "both, in each one's own form. Ratio: its time over this\nengine's, median of %zu pairs; above 1 "
        "this "
        "engine is faster.\n\n",
        loaded.version, bench->options.repetitions);
    print_heading(loaded.peer);
    struct comparison comparison = {.bench = bench, .loaded = &loaded, .means = bench_means_make()};
    bool going = true;
    for (size_t i = 0; going && i < layers->count; i++) {
        going = compare_layer(&comparison, &layers->layer[i]);
    }
    code = going ? finish(&comparison) : CLI_FAILED;
    bench_means_free(comparison.means);
    bench_peer_unload(&loaded);
    return code;
}
