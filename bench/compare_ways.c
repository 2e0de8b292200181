/* SPDX-License-Identifier: MIT */
/* The ways a peer has to run a pass: all of them tried, those that will be timed verified and chosen. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare.h"

static const double TRIAL_SECONDS = 0.01; /* a way, to find the fastest */
enum { MOST_WAYS = 32, LEAST_TRIALS = 3 };

/* A way to run a problem, tried. */
struct way {
    size_t number;
    bool plain, taken;
    char name[96];
    double seconds;
};

void bench_peer_run_case(void *argument) {
    const struct bench_peer_case *one = argument;
    one->peer->run(one->run);
}

struct bench_peer_problem bench_peer_problem_of(const struct bench_work *work, enum stoa_conv_pass pass) {
    return (struct bench_peer_problem){.conv = &work->layer->conv,
                                       .linear = work->layer->linear,
                                       .pass = pass,
                                       .x = work->x,
                                       .weight = work->weight,
                                       .dy = work->dy};
}

/* The least time of some runs; of one where the way is hopeless. */
static double try_way(const struct bench_peer *peer, struct bench_peer_run *run, double least) {
    static const double HOPELESS = 4;
    double begun = bench_now();
    peer->run(run);
    if (bench_now() - begun > TRIAL_SECONDS && bench_now() - begun > HOPELESS * least) {
        return bench_now() - begun;
    }
    struct bench_peer_case one = {peer, run};
    (void)bench_enter_block(&(struct bench_case){bench_peer_run_case, &one});
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

/* What is being tried. */
struct trial {
    const struct bench *bench;
    const struct bench_peer *peer;
    const struct bench_work *work;
    struct bench_peer_problem problem;
};

static struct bench_error verify(const struct trial *trial, struct bench_peer_run *run, const char *name) {
    size_t pass = (size_t)trial->problem.pass;
    struct bench_error error = {.largest = (double)NAN};
    float *out = cli_allocate(trial->work->out_count[pass], sizeof *out);
    trial->peer->run(run);
    if (trial->peer->read(run, out)) {
        out[0] += trial->bench->options.self_test; /* the first number is always looked at */
        error = bench_verify(trial->work, trial->problem.pass, bench_layer_rows(trial->problem.conv), out,
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

/* Take the fastest ways that are right into the pair: two, as trials are short, unless the second is far
 * behind. */
static void take_ways(const struct trial *trial, struct way *ways, size_t count, bool plain,
                      struct bench_pair *pair) {
    static const double FAR = 1.15;
    double least = HUGE_VAL;
    for (size_t taken = 0; taken < 2;) {
        struct way *way = fastest(ways, count, plain);
        struct bench_peer_run *run =
            way && way->seconds <= FAR * least ? trial->peer->make(&trial->problem, way->number) : NULL;
        if (!run) {
            return;
        }
        way->taken = true;
        struct bench_contender *contender = &pair->contender[pair->contenders];
        *contender = (struct bench_contender){.way = way->number, .plain = way->plain};
        memcpy(contender->name, way->name, sizeof contender->name);
        contender->error = verify(trial, run, way->name);
        if (contender->error.right) {
            pair->contenders++;
            least = fmin(least, way->seconds);
            taken++;
        }
        trial->peer->free(run);
    }
}

void bench_ways_choose(const struct bench *bench, const struct bench_peer *peer,
                       const struct bench_work *work, struct bench_pair *pair) {
    struct trial trial = {bench, peer, work, bench_peer_problem_of(work, (enum stoa_conv_pass)pair->pass)};
    struct way ways[MOST_WAYS];
    size_t count = try_ways(peer, &trial.problem, ways);
    take_ways(&trial, ways, count, false, pair);
    bool any_plain = false;
    for (size_t i = 0; i < pair->contenders; i++) {
        any_plain = any_plain || pair->contender[i].plain;
    }
    if (!any_plain) {
        take_ways(&trial, ways, count, true, pair);
    }
}
