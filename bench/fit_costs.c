/* SPDX-License-Identifier: MIT */
/* The costs of a tuning table, chosen by coordinate descent, a key at a time, and then by moves of a few keys
 * at once: what makes choices that lose less is kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "bench/fit.h"
#include "bench/progress.h"
#include "cli/signals.h"

/* A choice between ways whose costs are nearer than this share counts as a little of both: what is chosen by
 * a hair would be chosen by chance. */
static const double SOFT = 0.03;
/* Large losses count more than many small ones of the same sum. */
static const double SQUARES = 4;
/* What a key's move away from where it began costs, for its logarithm squared: keys that decide nothing
 * stay. */
static const double STAY = 2e-5;

/* The loss of a row for costs of its ways, softened. */
static double row_loss(const struct bench_fit_row *row, const double *costs) {
    double cheapest = HUGE_VAL, fastest = HUGE_VAL, weight = 0, loss = 0;
    for (size_t i = 0; i < row->count; i++) {
        cheapest = fmin(cheapest, costs[i]);
        fastest = fmin(fastest, row->way[i].seconds);
    }
    for (size_t i = 0; i < row->count; i++) {
        double share = exp(-log(costs[i] / cheapest) / SOFT);
        double lost = log(row->way[i].seconds / fastest);
        weight += share;
        loss += share * (lost + SQUARES * lost * lost);
    }
    return weight > 0 ? loss / weight : 0;
}

/* Costs of a row's ways by the context's table. */
static void find_costs(const struct bench_fit *fit, const struct bench_fit_row *row, double *costs) {
    for (size_t i = 0; i < row->count; i++) {
        struct stoa_conv_plan plan;
        bool can = stoa_conv_plan_with(fit->bench->context, row->way[i].algorithm, &row->layer->conv,
                                       row->pass, &plan);
        costs[i] = can ? plan.cost : HUGE_VAL;
    }
}

struct bench_choices bench_fit_judge(const struct bench_fit *fit, const struct stoa_tuning *table) {
    struct bench_choices choices = {.pass = {{0}}};
    STOA_TUNING_TURN(fit->bench->context, table);
    for (size_t i = 0; i < fit->rows; i++) {
        const struct bench_fit_row *row = &fit->row[i];
        double costs[BENCH_MOST_RIVALS];
        size_t chosen = 0, fastest = 0;
        find_costs(fit, row, costs);
        for (size_t j = 1; j < row->count; j++) {
            chosen = costs[j] < costs[chosen] ? j : chosen;
            fastest = row->way[j].seconds < row->way[fastest].seconds ? j : fastest;
        }
        if (row->count > 0) {
            bench_choices_count(&choices, row->pass, row->layer->name, row->way[chosen].seconds,
                                row->way[fastest].seconds);
        }
    }
    return choices;
}

static double objective(const struct bench_fit *fit, const struct stoa_tuning *table,
                        const struct stoa_tuning *began) {
    double loss = 0;
    STOA_TUNING_TURN(fit->bench->context, table);
    for (size_t i = 0; i < fit->rows; i++) {
        const struct bench_fit_row *row = &fit->row[i];
        double costs[BENCH_MOST_RIVALS];
        find_costs(fit, row, costs);
        loss += row_loss(row, costs) / (double)fit->rows;
    }
    for (size_t i = 0; i < stoa_tuning_key_count(); i++) {
        double now = stoa_tuning_get(table, &stoa_tuning_keys[i]);
        double then = stoa_tuning_get(began, &stoa_tuning_keys[i]);
        loss += now > 0 && then > 0 ? STAY * log(now / then) * log(now / then) : 0;
    }
    return loss;
}

static bool is_cost(const struct stoa_tuning_key *key) {
    return strncmp(key->name, "cost_", 5) == 0;
}

/* Try a key's value times `factor`; keep it where that is better. */
static bool try_move(struct bench_fit *fit, const struct stoa_tuning *began,
                     const struct stoa_tuning_key *key, double factor, double *best) {
    struct stoa_tuning moved = fit->table;
    double value = stoa_tuning_get(&moved, key);
    value = value > 0 ? value * factor : key->real && factor > 1 ? factor - 1 : value;
    value = fmin(fmax(value, key->least), key->most);
    stoa_tuning_put(&moved, key, value);
    if (stoa_tuning_get(&moved, key) == stoa_tuning_get(&fit->table, key)) {
        return false;
    }
    double loss = objective(fit, &moved, began);
    if (loss >= *best) {
        return false;
    }
    *best = loss;
    fit->table = moved;
    return true;
}

/* One step size for all keys, as often as it helps. */
static void descend(struct bench_fit *fit, const struct stoa_tuning *began, double factor, double *best) {
    enum { MOST_TURNS = 6 };
    bool moved = true;
    for (int turn = 0; moved && turn < MOST_TURNS; turn++) {
        moved = false;
        for (size_t i = 0; i < stoa_tuning_key_count() && !cli_stop_signal(); i++) {
            const struct stoa_tuning_key *key = &stoa_tuning_keys[i];
            if (is_cost(key)) {
                moved = try_move(fit, began, key, factor, best) ||
                        try_move(fit, began, key, 1 / factor, best) || moved;
            }
        }
    }
}

/* A few keys at once, by chance, first far and then near: what one key alone would make worse. The numbers
 * are the same in every run. */
static void wander(struct bench_fit *fit, const struct stoa_tuning *began, double *best) {
    enum { TRIES = 10000, MOST_KEYS = 3 };
    static const double FAR = 0.5, NEAR = 0.02; /* of a logarithm */
    struct stoa_random_sequence chance = {.key = 1};
    for (int i = 0; i < TRIES && !cli_stop_signal(); i++) {
        struct stoa_tuning moved = fit->table;
        double reach = FAR * pow(NEAR / FAR, (double)i / TRIES);
        for (uint32_t keys = 1 + stoa_random_next(&chance) % MOST_KEYS; keys > 0;) {
            const struct stoa_tuning_key *key =
                &stoa_tuning_keys[stoa_random_next(&chance) % stoa_tuning_key_count()];
            if (is_cost(key)) {
                double value = stoa_tuning_get(&moved, key);
                value *= exp(reach * (double)stoa_random_between(&chance, -1, 1));
                stoa_tuning_put(&moved, key, fmin(fmax(value, key->least), key->most));
                keys--;
            }
        }
        double loss = objective(fit, &moved, began);
        if (loss < *best) {
            *best = loss;
            fit->table = moved;
        }
    }
}

/* Keys go back to where they began wherever that loses nothing: what stays moved is what was measured. */
static void go_back(struct bench_fit *fit, const struct stoa_tuning *began, double *best) {
    for (size_t i = 0; i < stoa_tuning_key_count(); i++) {
        struct stoa_tuning moved = fit->table;
        stoa_tuning_put(&moved, &stoa_tuning_keys[i], stoa_tuning_get(began, &stoa_tuning_keys[i]));
        double loss = is_cost(&stoa_tuning_keys[i]) ? objective(fit, &moved, began) : HUGE_VAL;
        if (loss <= *best) {
            *best = loss;
            fit->table = moved;
        }
    }
}

void bench_fit_costs(struct bench_fit *fit) {
    static const double steps[] = {4, 2, 1.5, 1.25, 1.12, 1.06, 1.03};
    enum { STEPS = sizeof steps / sizeof steps[0] };
    const struct stoa_tuning began = fit->table;
    double best = objective(fit, &fit->table, &began);
    for (size_t i = 0; i < STEPS; i++) {
        bench_progress_show(0.5 * (double)i / STEPS, "loss %.4f", best);
        descend(fit, &began, steps[i], &best);
    }
    bench_progress_show(0.5, "loss %.4f", best);
    wander(fit, &began, &best);
    go_back(fit, &began, &best);
    stoa_tuning_finish(&fit->table);
}
