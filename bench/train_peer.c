/* SPDX-License-Identifier: MIT */
/* Training beside another engine. Stoa trains in a process of its own too, so that the most memory of both is
 * measured alike, in the same run; each process stands still while the other trains. */
#include "bench/train_peer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/size.h"
#include "bench/columns.h"
#include "bench/latency.h"
#include "bench/others.h"
#include "bench/process.h"
#include "bench/progress.h"
#include "cli/signals.h"

enum { STOA, PEER, SIDES };

/* One of the two processes. */
struct trainee {
    struct bench_process process;
    char *what;         /* "--peer pytorch", for sentences */
    char *engine, *way; /* as it names itself */
    double said[1 + BENCH_FIRST_LOSSES];
    size_t steps; /* of a repetition */
    double *seconds;
    double peak_bytes, plan_bytes; /* plan: 0 where the engine has none */
};

struct match {
    struct bench *bench;
    struct bench_network network; /* its files */
    struct trainee side[SIDES];
    size_t batch, repetitions;
    bool draws;    /* dropout: losses differ */
    double others; /* share of the CPUs that other programs had, in the worst repetition */
};

/* ---- what both train on ---- */

/* The batches in the order in which Stoa takes them: images as (N, C, H, W), and labels. */
static int write_batches(struct match *match, const struct bench_training *t) {
    size_t shape[3], size = stoa_model_input_size(t->model);
    stoa_model_input_shape(t->model, &shape[0], &shape[1], &shape[2]);
    size_t pixels = shape[0] * shape[1], channels = shape[2];
    float *images = cli_allocate(t->samples * size, sizeof *images);
    int32_t *labels = cli_allocate(t->samples, sizeof *labels);
    for (size_t i = 0; i < t->samples; i++) {
        const float *from = t->images + t->order[i] * size;
        labels[i] = t->labels[t->order[i]];
        for (size_t j = 0; j < size; j++) {
            images[i * size + j % channels * pixels + j / channels] = from[j];
        }
    }
    int code = bench_network_write(&match->network, "images.f32", images, t->samples * size * sizeof *images);
    if (code == CLI_DONE) {
        code = bench_network_write(&match->network, "labels.i32", labels, t->samples * sizeof *labels);
    }
    free(images);
    free(labels);
    return code;
}

static bool has_dropout(const stoa_model *model) {
    for (size_t i = 0; i < stoa_model_layer_count(model); i++) {
        stoa_layer_info info;
        if (stoa_model_layer(model, i, &info) == STOA_OK && strcmp(info.op, "dropout") == 0) {
            return true;
        }
    }
    return false;
}

static int write_network(struct match *match, const char *path) {
    struct bench_training training;
    int code = bench_network_open(path, &match->network);
    if (code != CLI_DONE) {
        return code;
    }
    code = bench_training_open(match->bench->context, path, match->bench->options.batch, true, &training);
    if (code == CLI_DONE) {
        match->batch = training.batch;
        match->draws = has_dropout(training.model);
        char *file = cli_text("%s/model.safetensors", match->network.folder);
        stoa_status status = stoa_model_save(training.model, file);
        free(file);
        code = status == STOA_OK ? write_batches(match, &training)
                                 : cli_fail_library(match->bench->context, status);
    }
    bench_training_close(&training);
    return code;
}

/* ---- the processes ---- */

/* What it says of itself first. */
static int shake_hands(struct trainee *side, const char *option, const char *program) {
    side->engine = bench_process_line(&side->process);
    side->way = side->engine ? bench_process_line(&side->process) : NULL;
    char *line = side->way ? bench_process_line(&side->process) : NULL;
    int code = CLI_DONE;
    if (!line) {
        code = bench_process_code(&side->process, side->what, option, program);
    } else if (!bench_process_numbers(line, sizeof side->said / sizeof side->said[0], side->said)) {
        code = cli_fail(CLI_FAILED, "%s: found '%s', expected parameters and losses", side->what, line);
    }
    if (code == CLI_DONE) {
        bench_process_rest(&side->process, true);
    }
    free(line);
    return code;
}

static int start(struct trainee *side, char **command, const char *option) {
    int code = bench_process_start(&side->process, command)
                   ? shake_hands(side, option, command[0])
                   : cli_fail(CLI_FAILED, "%s: %s", side->what, strerror(errno));
    for (size_t i = 0; command[i]; i++) {
        free(command[i]);
    }
    return code;
}

static char *own_path(void) {
    char *path = realpath("/proc/self/exe", NULL);
    return path ? path : cli_text("stoa-bench");
}

static int start_stoa(struct match *match) {
    const struct bench *bench = match->bench;
    char *command[] = {own_path(),
                       cli_text("train"),
                       cli_text("%s", match->network.recipe),
                       cli_text("--serve"),
                       cli_text("--batch=%zu", match->batch),
                       cli_text("--threads=%zu", bench->threads),
                       cli_text("--policy=%s", stoa_policy_name(stoa_context_policy(bench->context))),
                       cli_text("--isa=%s", stoa_isa_name(stoa_context_isa(bench->context))),
                       NULL};
    match->side[STOA].what = cli_text("--serve");
    return start(&match->side[STOA], command, "stoa-bench");
}

static int start_peer(struct match *match) {
    const struct bench_options *options = &match->bench->options;
    char *command[] = {cli_text("%s", options->python ? options->python : "python3"),
                       cli_text("-B"),
                       cli_text("-Wignore"),
                       bench_shipped_script("train.py"),
                       cli_text("%s", match->network.folder),
                       cli_text("%zu", match->bench->threads),
                       cli_text("%zu", match->batch),
                       cli_text("%s", options->is_held ? options->isa : "best"),
                       NULL};
    match->side[PEER].what = cli_text("--peer %s", options->peer);
    bench_progress_show(0, "%s, looking for the fastest way of %s", match->network.name, options->peer);
    return start(&match->side[PEER], command, "--python");
}

/* Engines sum in other orders; another network, or another batch, is far beyond. */
static int compare_networks(const struct match *match) {
    static const double BOUND = 1e-3;
    const double *ours = match->side[STOA].said, *theirs = match->side[PEER].said;
    const char *what = match->side[PEER].what, *name = match->network.name;
    if (ours[0] != theirs[0]) {
        return cli_fail(CLI_FAILED,
                        "%s: the networks '%s' differ: found %.0f parameters, expected Stoa's %.0f", what,
                        name, theirs[0], ours[0]);
    }
    for (int i = 1; i <= BENCH_FIRST_LOSSES && !match->draws; i++) {
        if (!(fabs(ours[i] - theirs[i]) <= BOUND * fabs(ours[i]))) {
            return cli_fail(CLI_FAILED,
                            "%s: the networks '%s' differ: found loss %.6g in step %d, expected "
                            "Stoa's %.6g",
                            what, name, theirs[i], i, ours[i]);
        }
    }
    return CLI_DONE;
}

static int ask(struct trainee *side, const char *question, size_t count, double *numbers) {
    char *line = bench_process_ask(&side->process, question);
    bool good = line && bench_process_numbers(line, count, numbers);
    free(line);
    return good ? CLI_DONE : cli_fail(CLI_FAILED, "%s: it ended without an answer", side->what);
}

/* Seconds of a step. */
static int take_steps(struct trainee *side, size_t steps, double *seconds) {
    char *question = cli_text("steps %zu", steps);
    int code = ask(side, question, 1, seconds);
    *seconds /= (double)steps;
    free(question);
    return code;
}

/* ---- measuring ---- */

/* As many steps a repetition as last ten times --min-time. */
static int count_steps(struct match *match, struct trainee *side) {
    enum { TRIAL = 5, MOST = 1000000 };
    double each = 0;
    int code = take_steps(side, TRIAL, &each);
    double steps = ceil(10 * match->bench->options.min_time / fmax(each, 1e-9));
    side->steps = (size_t)fmin(fmax(steps, 1), MOST);
    side->seconds = cli_allocate(match->repetitions, sizeof *side->seconds);
    return code;
}

static int measure(struct match *match) {
    int code = CLI_DONE;
    match->repetitions = match->bench->options.repetitions;
    for (int s = 0; code == CLI_DONE && s < SIDES; s++) {
        code = count_steps(match, &match->side[s]);
    }
    for (size_t r = 0; code == CLI_DONE && r < match->repetitions; r++) {
        for (int turn = 0; code == CLI_DONE && turn < SIDES; turn++) {
            struct trainee *side = &match->side[r % 2 ? SIDES - 1 - turn : turn];
            code = take_steps(side, side->steps, &side->seconds[r]);
        }
        match->repetitions = cli_stop_signal() ? r + 1 : match->repetitions;
        bench_progress_within((double)(r + 1) / (double)match->repetitions);
    }
    for (int s = 0; code == CLI_DONE && s < SIDES; s++) {
        double bytes[2] = {0, 0};
        code = ask(&match->side[s], "memory", 2, bytes);
        match->side[s].peak_bytes = bytes[0];
        match->side[s].plan_bytes = bytes[1];
    }
    return code;
}

/* ---- telling ---- */

void bench_train_peer_begin(const struct bench *bench, struct cli_table *table) {
    static const char *const heading[] = {"recipe", "batch", "Stoa images/s", "PyTorch images/s", "ratio",
                                          "+- %",   "plan",  "Stoa peak",     "PyTorch peak",     "ratio"};
    (void)bench;
    *table = (struct cli_table){.columns = "lrrrrrrrrr"};
    for (size_t i = 0; i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(table, "%s", heading[i]);
    }
    bench_print_text(
        "Adam on drawn images, in turn. ratio: of the medians, above 1 Stoa is faster. peak: the most memory "
        "that was resident in each engine's process; its ratio above 1: Stoa needs less. plan: what Stoa's "
        "plan says before it begins.");
}

static struct bench_summary summarise(const struct match *match, int side) {
    return bench_summarise(match->side[side].seconds, match->repetitions);
}

/* Of the seconds of single repetitions: how far they lie apart is what a pair says. */
static struct bench_summary ratios(const struct match *match) {
    double *ratio = cli_allocate(match->repetitions, sizeof *ratio);
    for (size_t r = 0; r < match->repetitions; r++) {
        ratio[r] = match->side[PEER].seconds[r] / match->side[STOA].seconds[r];
    }
    struct bench_summary summary = bench_summarise(ratio, match->repetitions);
    free(ratio);
    return summary;
}

static void report_side(const struct match *match, int which, const char *recipe, double ratio,
                        const struct bench_times *pairs) {
    const struct trainee *side = &match->side[which], *peer = &match->side[PEER];
    char *name = cli_text("%s/%s", which == STOA ? "train" : side->engine, recipe);
    struct bench_times times = {
        match->repetitions, side->steps, side->seconds, side->seconds, summarise(match, which), true, 0};
    struct bench_record record = {.name = name, .threads = match->bench->threads, .times = &times};
    bench_note(&record, "recipe", recipe);
    bench_note(&record, "way", side->way);
    bench_counter(&record, "batch", (double)match->batch);
    bench_counter(&record, "parameters", side->said[0]);
    bench_counter(&record, "items_per_second", (double)match->batch / times.summary.median);
    bench_counter(&record, "resident_peak_bytes", side->peak_bytes);
    bench_flag(&record, "disturbed", bench_is_disturbed(pairs));
    if (which == STOA) {
        bench_note(&record, "peer", peer->engine);
        bench_note(&record, "peer_way", peer->way);
        bench_counter(&record, "ratio_to_peer", ratio);
        bench_counter(&record, "ratio_to_peer_spread", pairs->summary.spread);
        bench_counter(&record, "plan_bytes", side->plan_bytes);
        bench_counter(&record, "peak_ratio_to_peer", peer->peak_bytes / side->peak_bytes);
        bench_counter(&record, "peer_resident_peak_bytes", peer->peak_bytes);
        bench_counter(&record, "peer_items_per_second", (double)match->batch / summarise(match, PEER).median);
    } else {
        bench_note(&record, "engine", side->engine);
        bench_note(&record, "beside", "train");
    }
    bench_report(match->bench, &record);
    free(name);
}

static void tell(const struct match *match, const char *recipe, struct cli_table *table) {
    const struct trainee *ours = &match->side[STOA], *theirs = &match->side[PEER];
    const struct bench_times pairs = {.alike = true, .summary = ratios(match)};
    double step = summarise(match, STOA).median, their_step = summarise(match, PEER).median;
    struct report_words word;
    bench_print_text("%s beside %s, %s%s", recipe, theirs->engine, theirs->way,
                     match->draws ? "; dropout draws, so that losses were not compared" : "");
    report_side(match, STOA, recipe, their_step / step, &pairs);
    report_side(match, PEER, recipe, their_step / step, &pairs);
    cli_table_cell(table, "%s", recipe);
    cli_table_cell(table, "%zu", match->batch);
    cli_table_cell(table, "%s", report_count_words(&word, (size_t)((double)match->batch / step)));
    cli_table_cell(table, "%s", report_count_words(&word, (size_t)((double)match->batch / their_step)));
    cli_table_cell(table, "%.2f", their_step / step);
    cli_table_cell(table, "%.0f%s", 100 * pairs.summary.spread, bench_mark(&pairs));
    cli_table_cell(table, "%s", report_bytes_words(&word, (size_t)ours->plan_bytes));
    cli_table_cell(table, "%s", report_bytes_words(&word, (size_t)ours->peak_bytes));
    cli_table_cell(table, "%s", report_bytes_words(&word, (size_t)theirs->peak_bytes));
    cli_table_cell(table, "%.1f", theirs->peak_bytes / ours->peak_bytes);
}

int bench_train_peer(struct bench *bench, const char *path, const char *recipe, struct cli_table *table) {
    struct match match = {.bench = bench};
    int code = write_network(&match, path);
    if (code == CLI_DONE) {
        code = start_peer(&match);
    }
    if (code == CLI_DONE) {
        code = start_stoa(&match);
    }
    if (code == CLI_DONE) {
        code = compare_networks(&match);
    }
    if (code == CLI_DONE && !cli_stop_signal()) {
        code = measure(&match);
        if (code == CLI_DONE) {
            tell(&match, recipe, table);
        }
    }
    for (int s = 0; s < SIDES; s++) {
        struct trainee *side = &match.side[s];
        bench_process_stop(&side->process);
        free(side->what);
        free(side->engine);
        free(side->way);
        free(side->seconds);
    }
    bench_network_close(&match.network);
    return code;
}
