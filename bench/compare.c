/* SPDX-License-Identifier: MIT */
/* Mode layers with --peer: each pass in turn with another engine at its best.
 *
 * Rounds: every repetition goes over the whole list, so that a row's pairs lie minutes apart and each has
 * arrays of its own. On a machine that is slower for a while, or where memory lies badly once, a row's
 * median does not depend on it. The first round tries the peer in every way it has; the fastest that is
 * right is timed beside the engine from then on, and so is the fastest with NHWC in and out. */
#include "bench/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/allocations.h"
#include "bench/columns.h"
#include "bench/progress.h"
#include "cli/signals.h"

struct comparison {
    struct bench *bench;
    struct bench_columns columns;
    const struct bench_loaded *loaded;
    struct bench_means *means;
    struct bench_pair *pairs; /* of every layer and pass, wanted or not */
    size_t round;
    size_t begun, layers; /* steps of all rounds: layers */
    size_t rows, wrong, missing, disturbed, running_on;
};

struct our_run {
    const struct bench_work *work;
    enum stoa_conv_pass pass;
};

static void run_ours(void *argument) {
    const struct our_run *ours = argument;
    bench_work_run(ours->work, ours->pass);
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

/* Time the engine and the contenders in turn, once. False, with the sentence printed, when there is no
 * memory. */
static bool time_pair(struct comparison *comparison, const struct bench_work *work, struct bench_pair *pair) {
    const struct bench_peer *peer = comparison->loaded->peer;
    struct our_run ours = {work, (enum stoa_conv_pass)pair->pass};
    struct bench_peer_problem problem = bench_peer_problem_of(work, ours.pass);
    struct bench_peer_case theirs[BENCH_MOST_CONTENDERS];
    struct bench_case cases[BENCH_MOST_CONTENDERS + 1] = {{run_ours, &ours}};
    size_t made = 0;
    for (; made < pair->contenders; made++) {
        theirs[made] = (struct bench_peer_case){peer, peer->make(&problem, pair->contender[made].way)};
        cases[made + 1] = (struct bench_case){bench_peer_run_case, &theirs[made]};
        if (!theirs[made].run) {
            break;
        }
    }
    bool whole = made == pair->contenders;
    if (whole) {
        comparison->running_on +=
            bench_time_apart(comparison->bench, cases, made + 1, comparison->round, pair->times);
    }
    while (made > 0) {
        peer->free(theirs[--made].run);
    }
    return whole || cli_fail(CLI_FAILED, "%s %s: out of memory", pair->layer->name,
                             bench_pass_names[pair->pass]) == CLI_DONE;
}

/* The fastest contenders, by the medians over all repetitions. */
static void judge(struct bench_pair *pair) {
    for (size_t i = 0; i < pair->contenders; i++) {
        struct bench_contender *one = &pair->contender[i];
        one->ratio = ratios(&pair->times[i + 1], &pair->times[0]);
        if (!pair->best || one->ratio.median < pair->best->ratio.median) {
            pair->best = one;
        }
        if (one->plain && (!pair->plain || one->ratio.median < pair->plain->ratio.median)) {
            pair->plain = one;
        }
    }
}

static const struct bench_times *times_of(const struct bench_pair *pair,
                                          const struct bench_contender *contender) {
    return &pair->times[contender - pair->contender + 1];
}

/* The ratios are what a row says: both sides' times may well be driven apart together. */
static bool is_disturbed(const struct bench_pair *pair) {
    const struct bench_times ratio = {.alike = true,
                                      .others = pair->others,
                                      .summary = pair->best ? pair->best->ratio : (struct bench_summary){0}};
    return bench_is_disturbed(&ratio);
}

static double rate(const struct bench_pair *pair, double seconds) {
    return 1e-9 * bench_layer_flops(&pair->layer->conv) / seconds;
}

/* In the order of print_pair(). */
static const struct bench_column columns[] = {
    {"", "layer", 8, true, 0, false},         {"", "pass", 16, true, 0, false},
    {"GFLOP/s", "Stoa", 8, false, 0, false},  {"GFLOP/s", "best", 8, false, 4, false},
    {"best", "ratio", 6, false, 0, false},    {"+-", "%", 5, false, 2, false},
    {"GFLOP/s", "plain", 8, false, 5, false}, {"plain", "ratio", 6, false, 1, false},
    {"+-", "%", 5, false, 3, false},          {"", "", 1, true, 0, false},
    {"median", "ms", 9, false, 9, true},      {"", "algorithms", 10, true, 9, true},
};

static void print_contender(struct bench_columns *table, const struct bench_pair *pair,
                            const struct bench_contender *contender) {
    if (contender) {
        bench_columns_cell(table, "%.1f", rate(pair, times_of(pair, contender)->summary.median));
        bench_columns_cell(table, "%.3f", contender->ratio.median);
        bench_columns_cell(table, "%.0f", 100 * contender->ratio.spread);
    } else {
        bench_columns_cell(table, "-");
        bench_columns_cell(table, "-");
        bench_columns_cell(table, "-");
    }
}

static void print_pair(struct bench_columns *table, const struct bench_pair *pair) {
    bench_columns_cell(table, "%s", pair->layer->name);
    bench_columns_cell(table, "%s", bench_pass_names[pair->pass]);
    if (!pair->error.right) {
        bench_columns_sentence(table, "WRONG: error %.1e, allowed %.0e; right ways of the peer: %zu",
                               pair->error.largest, pair->error.bound, pair->contenders);
        return;
    }
    double median = pair->times[0].summary.median;
    bench_columns_cell(table, "%.1f", rate(pair, median));
    print_contender(table, pair, pair->best);
    print_contender(table, pair, pair->plain);
    bench_columns_cell(table, "%s", is_disturbed(pair) ? BENCH_MARK : "");
    bench_columns_cell(table, "%.4f", 1e3 * median);
    const char *plain = pair->plain ? pair->plain->name : "none";
    bench_columns_cell(table, "%s | %s%s%s", pair->algorithm, pair->best ? pair->best->name : "none",
                       pair->plain != pair->best ? " | " : "", pair->plain != pair->best ? plain : "");
    bench_columns_end(table);
}

/* A row for the contender itself. */
static void report_contender(const struct comparison *comparison, const struct bench_pair *pair,
                             const char *shape, const char *layout, const struct bench_contender *contender) {
    char *name = cli_text("%s %s/%s/%s", comparison->loaded->peer->name, layout, pair->layer->name,
                          bench_pass_names[pair->pass]);
    struct bench_record record = {
        .name = name, .threads = comparison->bench->threads, .times = times_of(pair, contender)};
    bench_layer_note(&record, pair->layer, pair->pass, shape, contender->name, &contender->error);
    bench_note(&record, "engine", comparison->loaded->version);
    bench_note(&record, "beside", "layers");
    bench_flag(&record, "disturbed", is_disturbed(pair));
    bench_report(comparison->bench, &record);
    free(name);
}

static void report_pair(const struct comparison *comparison, const struct bench_pair *pair) {
    char *name = cli_text("layers/%s/%s", pair->layer->name, bench_pass_names[pair->pass]);
    char *shape = bench_layer_shape(&pair->layer->conv);
    struct bench_record record = {
        .name = name, .threads = comparison->bench->threads, .times = pair->error.right ? pair->times : NULL};
    bench_layer_note(&record, pair->layer, pair->pass, shape, pair->algorithm, &pair->error);
    bench_counter(&record, "other_programs", pair->others);
    if (pair->error.right) {
        bench_flag(&record, "disturbed", is_disturbed(pair));
    }
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
    for (size_t i = 0; i <= pair->contenders; i++) {
        bench_times_free(&pair->times[i]);
    }
}

/* A repetition, again where other programs took more than a little of the machine. */
static bool time_undisturbed(struct comparison *comparison, const struct bench_work *work,
                             struct bench_pair *pair) {
    enum { ATTEMPTS = 3 };
    for (int attempt = 1;; attempt++) {
        struct bench_others others;
        bench_others_begin(&others);
        if (!time_pair(comparison, work, pair)) {
            return false;
        }
        double share = bench_others_share(&others);
        if (share <= BENCH_MOST_OTHERS || attempt == ATTEMPTS) {
            pair->others = fmax(pair->others, share);
            return true;
        }
        if (comparison->round == 0) { /* which makes them */
            free_times(pair);
        }
    }
}

static void begin_pass(const struct comparison *comparison, const struct bench_work *work,
                       struct bench_pair *pair) {
    memcpy(pair->algorithm, work->algorithm[pair->pass], sizeof pair->algorithm);
    pair->error = bench_work_verify(comparison->bench, work, (enum stoa_conv_pass)pair->pass);
    bench_ways_choose(comparison->bench, comparison->loaded->peer, work, pair);
}

static void finish_pass(struct comparison *comparison, struct bench_pair *pair) {
    if (pair->error.right) {
        judge(pair);
        if (!is_disturbed(pair)) {
            bench_means_add(comparison->means, pair);
        }
        comparison->rows++;
        comparison->missing += !pair->best;
        comparison->disturbed += is_disturbed(pair);
    } else {
        comparison->wrong++;
    }
    print_pair(&comparison->columns, pair);
    report_pair(comparison, pair);
}

static size_t count_wanted(const struct bench_pair *pairs) {
    size_t wanted = 0;
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        wanted += pairs[i].wanted;
    }
    return wanted;
}

/* A round over the wanted passes of a layer. False when the run cannot go on. */
static bool compare_layer(struct comparison *comparison, struct bench_pair *pairs) {
    size_t wanted = count_wanted(pairs);
    if (wanted == 0 || cli_stop_signal()) {
        return true;
    }
    /* Rows are printed in the last round. */
    bench_progress_step(comparison->begun++, wanted, "round %zu of %zu, %s", comparison->round + 1,
                        comparison->bench->options.repetitions, pairs->layer->name);
    struct bench_work work;
    bool going =
        bench_work_make(comparison->bench->context, pairs->layer, &work) && bench_work_prepare(&work);
    for (size_t i = 0; going && i < BENCH_PASSES && !cli_stop_signal(); i++) {
        if (!pairs[i].wanted) {
            continue;
        }
        if (comparison->round == 0) {
            begin_pass(comparison, &work, &pairs[i]);
        }
        going = !pairs[i].error.right || time_undisturbed(comparison, &work, &pairs[i]);
        pairs[i].rounds += going;
        if (going && comparison->round + 1 == comparison->bench->options.repetitions) {
            finish_pass(comparison, &pairs[i]);
        }
    }
    bench_work_free(&work);
    return going;
}

/* The run has been asked to stop: rows are what their repetitions so far say. */
static void finish_early(struct comparison *comparison, size_t count) {
    size_t repetitions = comparison->bench->options.repetitions;
    for (size_t i = 0; i < count; i++) {
        struct bench_pair *pair = &comparison->pairs[i];
        if (pair->rounds == 0 || pair->rounds == repetitions) {
            continue;
        }
        for (size_t j = 0; pair->error.right && j <= pair->contenders; j++) {
            pair->times[j].repetitions = pair->rounds;
            pair->times[j].summary = bench_summarise(pair->times[j].real, pair->rounds);
            pair->times[j].alike = true;
        }
        finish_pass(comparison, pair);
    }
}

static int finish(struct comparison *comparison) {
    const struct bench_loaded *loaded = comparison->loaded;
    bench_progress_end();
    bench_print_disturbed(comparison->disturbed, comparison->rows);
    bench_means_print(comparison->bench, comparison->means, loaded->peer->name, loaded->version);
    if (comparison->missing) {
        (void)printf(
            "\n%zu rows without ratio: the peer has no code of its own for them, or its results were "
            "wrong.\n",
            comparison->missing);
    }
    if (comparison->running_on) {
        (void)printf("\nIn %zu blocks threads of the other engine ran on: do not trust the ratios.\n",
                     comparison->running_on);
    }
    return comparison->wrong ? cli_fail(CLI_FAILED, "%zu results are wrong", comparison->wrong) : CLI_DONE;
}

static struct bench_pair *make_pairs(const struct bench *bench, const struct bench_peer *peer,
                                     const struct bench_layers *layers) {
    struct bench_pair *pairs = cli_allocate(layers->count * BENCH_PASSES, sizeof *pairs);
    for (size_t i = 0; i < layers->count * BENCH_PASSES; i++) {
        const struct bench_layer *layer = &layers->layer[i / BENCH_PASSES];
        size_t pass = i % BENCH_PASSES;
        pairs[i] =
            (struct bench_pair){.layer = layer,
                                .pass = pass,
                                .wanted = peer->passes[pass] && bench_layer_wanted(bench, layer, pass)};
    }
    return pairs;
}

/* The heading, with the peer's name over its columns, and how much there is to do. */
static void begin(struct comparison *comparison, const struct bench_peer *peer, size_t layers) {
    enum { COUNT = sizeof columns / sizeof *columns };
    struct bench_column named[COUNT];
    size_t longest = 0;
    memcpy(named, columns, sizeof columns);
    for (size_t i = 0; i < COUNT; i++) {
        named[i].unit = strcmp(named[i].unit, "best") == 0 ? peer->name : named[i].unit;
    }
    for (size_t i = 0; i < layers; i++) {
        const struct bench_pair *pairs = &comparison->pairs[i * BENCH_PASSES];
        size_t length = strlen(pairs->layer->name);
        if (count_wanted(pairs) > 0) {
            longest = length > longest ? length : longest;
            comparison->layers++;
        }
    }
    bench_columns_begin(&comparison->columns, comparison->bench, named, COUNT, longest);
    bench_progress_begin("layers", comparison->layers * comparison->bench->options.repetitions);
}

int bench_compare(struct bench *bench, const struct bench_layers *layers) {
    struct bench_loaded loaded;
    bench_allocations_in_heap();
    int code =
        bench_peer_load(bench->options.peer, bench->threads, stoa_context_isa(bench->context), &loaded);
    if (code != CLI_DONE) {
        return code;
    }
    bench_print_text("Beside %s.", loaded.version);
    bench_print_text(
        "best: its best of all algorithms in any layout, reorders not counted; plain: with NHWC in and out, "
        "reorders counted where it needs them. Weights of forward passes are ready for both. ratio: its time "
        "over Stoa's, median of %zu pairs, each in a round of its own over the list; above 1 Stoa is "
        "faster.%s",
        bench->options.repetitions, bench->options.wide ? "" : " --wide names the algorithms.");
    (void)puts("");
    struct comparison comparison = {.bench = bench,
                                    .loaded = &loaded,
                                    .means = bench_means_make(),
                                    .pairs = make_pairs(bench, loaded.peer, layers)};
    begin(&comparison, loaded.peer, layers->count);
    bool going = true;
    for (; going && !cli_stop_signal() && comparison.round < bench->options.repetitions; comparison.round++) {
        for (size_t i = 0; going && i < layers->count; i++) {
            going = compare_layer(&comparison, &comparison.pairs[i * BENCH_PASSES]);
        }
    }
    if (going && cli_stop_signal()) {
        finish_early(&comparison, layers->count * BENCH_PASSES);
    }
    bench_progress_end();
    code = going ? finish(&comparison) : CLI_FAILED;
    bench_means_free(comparison.means);
    for (size_t i = 0; i < layers->count * BENCH_PASSES; i++) {
        free_times(&comparison.pairs[i]);
    }
    free(comparison.pairs);
    bench_peer_unload(&loaded);
    return code;
}
