/* SPDX-License-Identifier: MIT */
/* Geometric means of the ratios to a peer, over the rows that each name stands for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare.h"

enum { FEW_CHANNELS = 8 };

static bool is_square_3(const struct bench_pair *pair) {
    const struct stoa_window *w = &pair->layer->conv.window;
    return !pair->layer->linear && w->kernel_height == 3 && w->kernel_width == 3 && w->stride_height == 1 &&
           w->stride_width == 1;
}

static bool in_pass(const struct bench_pair *pair, enum stoa_conv_pass pass) {
    return pair->pass == (size_t)pass;
}

static bool is_forward(const struct bench_pair *pair) {
    return in_pass(pair, STOA_CONV_FORWARD);
}

static bool is_backward_data(const struct bench_pair *pair) {
    return in_pass(pair, STOA_CONV_BACKWARD_DATA);
}

static bool is_backward_weights(const struct bench_pair *pair) {
    return in_pass(pair, STOA_CONV_BACKWARD_WEIGHTS);
}

static bool is_forward_3(const struct bench_pair *pair) {
    return is_forward(pair) && is_square_3(pair);
}

static bool is_forward_3_whole(const struct bench_pair *pair) {
    return is_forward_3(pair) && pair->layer->conv.groups == 1;
}

static bool has_few_channels(const struct bench_pair *pair) {
    return pair->layer->conv.window.channels < FEW_CHANNELS;
}

static bool is_any(const struct bench_pair *pair) {
    (void)pair;
    return true;
}

static const struct {
    const char *name;
    bool (*holds)(const struct bench_pair *pair);
} sets[] = {
    {"forward", is_forward},
    {"backward data", is_backward_data},
    {"backward weights", is_backward_weights},
    {"forward, 3x3 stride 1", is_forward_3},
    {"forward, 3x3 stride 1, one group", is_forward_3_whole},
    {"fewer than 8 input channels", has_few_channels},
    {"all", is_any},
};
enum { SETS = sizeof sets / sizeof sets[0] };

struct mean {
    size_t rows;
    double log_sum, lowest;
    char lowest_row[96];
};

struct bench_means {
    struct mean best[SETS], plain[SETS];
};

struct bench_means *bench_means_make(void) {
    struct bench_means *means = cli_allocate(1, sizeof *means);
    *means = (struct bench_means){0};
    return means;
}

void bench_means_free(struct bench_means *means) {
    free(means);
}

static void add(struct mean *mean, const struct bench_pair *pair, const struct bench_contender *contender) {
    if (!contender) {
        return;
    }
    double ratio = contender->ratio.median;
    if (mean->rows == 0 || ratio < mean->lowest) {
        mean->lowest = ratio;
        (void)snprintf(mean->lowest_row, sizeof mean->lowest_row, "%s %s", pair->layer->name,
                       bench_pass_names[pair->pass]);
    }
    mean->rows++;
    mean->log_sum += log(ratio);
}

void bench_means_add(struct bench_means *means, const struct bench_pair *pair) {
    for (size_t i = 0; i < SETS; i++) {
        if (sets[i].holds(pair)) {
            add(&means->best[i], pair, pair->best);
            add(&means->plain[i], pair, pair->plain);
        }
    }
}

static double value_of(const struct mean *mean) {
    return exp(mean->log_sum / (double)mean->rows);
}

static void print_mean(struct cli_table *table, const struct mean *mean) {
    if (mean->rows == 0) {
        cli_table_cell(table, "-");
        cli_table_cell(table, "-");
        cli_table_cell(table, "-");
        return;
    }
    cli_table_cell(table, "%.3f", value_of(mean));
    cli_table_cell(table, "%.3f", mean->lowest);
    cli_table_cell(table, "%s", mean->lowest_row);
}

static json_t *json_of(const struct mean *mean) {
    json_t *out = cli_json_object();
    cli_json_set(out, "rows", cli_json_count(mean->rows));
    if (mean->rows > 0) {
        cli_json_set(out, "geometric_mean", cli_json_number(value_of(mean)));
        cli_json_set(out, "lowest", cli_json_number(mean->lowest));
        cli_json_set(out, "lowest_row", cli_json_text(mean->lowest_row));
    }
    return out;
}

void bench_means_print(struct bench *bench, const struct bench_means *means, const char *peer,
                       const char *version) {
    (void)printf("\nGeometric means of the ratios, passes that a training step runs:\n\n");
    struct cli_table table = {.columns = "lrrrlrrl"};
    static const char *const heading[] = {"rows of",    "rows",  "best",   "lowest",
                                          "lowest row", "plain", "lowest", "lowest row"};
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    json_t *all = cli_json_array();
    for (size_t i = 0; i < SETS; i++) {
        json_t *set = cli_json_object();
        cli_json_set(set, "rows_of", cli_json_text(sets[i].name));
        cli_json_set(set, "best", json_of(&means->best[i]));
        cli_json_set(set, "plain", json_of(&means->plain[i]));
        cli_json_append(all, set);
        if (means->best[i].rows == 0) {
            continue;
        }
        cli_table_cell(&table, "%s", sets[i].name);
        cli_table_cell(&table, "%zu", means->best[i].rows);
        print_mean(&table, &means->best[i]);
        print_mean(&table, &means->plain[i]);
    }
    cli_table_print(&table);
    json_t *about = cli_json_object();
    cli_json_set(about, "name", cli_json_text(peer));
    cli_json_set(about, "version", cli_json_text(version));
    cli_json_set(about, "ratios", all);
    cli_json_set(bench->about, "peer", about);
}
