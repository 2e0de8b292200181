/* SPDX-License-Identifier: MIT */
/* Geometric means of the ratios to a peer, over the rows that each name stands for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare.h"
#include "bench/means.h"

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
    {"forward 3x3, stride 1", is_forward_3},
    {"forward 3x3, ungrouped", is_forward_3_whole},
    {"fewer than 8 input channels", has_few_channels},
    {"all", is_any},
};
enum { SETS = sizeof sets / sizeof sets[0] };

/* Rows of one name in the list, or of one kind; all but the last word of a layer's name is its group. */
enum { MOST_GROUPS = 64 };
struct group {
    char name[64];
    struct bench_mean best[BENCH_PASSES], plain[BENCH_PASSES];
};

struct bench_means {
    size_t rows;
    struct bench_mean best[SETS], plain[SETS];
    struct group group[MOST_GROUPS];
    size_t groups;
};

struct bench_means *bench_means_make(void) {
    struct bench_means *means = cli_allocate(1, sizeof *means);
    *means = (struct bench_means){0};
    return means;
}

void bench_means_free(struct bench_means *means) {
    free(means);
}

static void add(struct bench_mean *mean, const struct bench_pair *pair,
                const struct bench_contender *contender) {
    if (contender) {
        bench_mean_add(mean, contender->ratio.median, "%s %s", pair->layer->name,
                       bench_pass_names[pair->pass]);
    }
}

/* Groups beyond the most that fit are counted in the sets alone. */
static void add_to_group(struct bench_means *means, const struct bench_pair *pair, const char *name) {
    size_t at = 0;
    while (at < means->groups && strcmp(means->group[at].name, name) != 0) {
        at++;
    }
    if (at == MOST_GROUPS) {
        return;
    }
    struct group *group = &means->group[at];
    if (at == means->groups) {
        (void)snprintf(group->name, sizeof group->name, "%s", name);
        means->groups++;
    }
    add(&group->best[pair->pass], pair, pair->best);
    add(&group->plain[pair->pass], pair, pair->plain);
}

/* What a layer is by its shape, whatever its name; NULL: nothing that is summed up. */
static const char *kind_of(const struct bench_layer *layer) {
    const struct stoa_conv *conv = &layer->conv;
    if (layer->linear) {
        return "all linear";
    }
    if (conv->groups > 1) {
        return conv->groups == conv->window.channels ? "all depthwise" : NULL;
    }
    return conv->window.kernel_height == 1 && conv->window.kernel_width == 1 ? "all 1x1" : NULL;
}

void bench_means_add(struct bench_means *means, const struct bench_pair *pair) {
    const char *layer = pair->layer->name, *kind = kind_of(pair->layer);
    means->rows += pair->best != NULL;
    for (size_t i = 0; i < SETS; i++) {
        if (sets[i].holds(pair)) {
            add(&means->best[i], pair, pair->best);
            add(&means->plain[i], pair, pair->plain);
        }
    }
    const char *last = strrchr(layer, ' ');
    char *name = cli_text("%.*s", last ? (int)(last - layer) : (int)strlen(layer), layer);
    add_to_group(means, pair, name);
    free(name);
    if (kind) {
        add_to_group(means, pair, kind);
    }
}

static bool is_kind(const struct group *group) {
    return strncmp(group->name, "all ", 4) == 0;
}

/* The groups of the list, and behind them the kinds. */
static void print_groups(const struct bench_means *means) {
    struct cli_table table = {.columns = "lrrrrrr"};
    (void)puts("\nBest by groups, passes that a training step runs:\n");
    cli_table_cell(&table, "group");
    for (size_t pass = 0; pass < BENCH_PASSES; pass++) {
        cli_table_cell(&table, "%s", bench_pass_names[pass]);
        cli_table_cell(&table, "lowest");
    }
    for (int kinds = 0; kinds < 2; kinds++) {
        for (size_t i = 0; i < means->groups; i++) {
            const struct group *group = &means->group[i];
            if (is_kind(group) == (kinds == 1)) {
                cli_table_cell(&table, "%s", group->name);
                for (size_t pass = 0; pass < BENCH_PASSES; pass++) {
                    bench_mean_cells(&group->best[pass], false, &table);
                }
            }
        }
    }
    cli_table_print(&table);
}

static json_t *json_of_groups(const struct bench_means *means) {
    json_t *all = cli_json_array();
    for (size_t i = 0; i < means->groups; i++) {
        for (size_t pass = 0; pass < BENCH_PASSES; pass++) {
            const struct group *group = &means->group[i];
            if (group->best[pass].rows > 0) {
                json_t *json = cli_json_object();
                cli_json_set(json, "group", cli_json_text(group->name));
                cli_json_set(json, "pass", cli_json_text(bench_pass_names[pass]));
                cli_json_set(json, "best", bench_mean_json(&group->best[pass]));
                cli_json_set(json, "plain", bench_mean_json(&group->plain[pass]));
                cli_json_append(all, json);
            }
        }
    }
    return all;
}

void bench_means_print(struct bench *bench, const struct bench_means *means, const char *peer,
                       const char *version) {
    static const char *const heading[] = {"rows of", "rows",   "best",          "lowest",
                                          "plain",   "lowest", "lowest of best"};
    struct cli_table table = {.columns = "lrrrrrl"};
    (void)puts(means->rows > 0 ? "\nGeometric means of the ratios, passes that a training step runs:\n"
                               : "\nThere are no means: no row has a ratio that nothing disturbed.");
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    json_t *all = cli_json_array();
    for (size_t i = 0; i < SETS; i++) {
        json_t *set = cli_json_object();
        cli_json_set(set, "rows_of", cli_json_text(sets[i].name));
        cli_json_set(set, "best", bench_mean_json(&means->best[i]));
        cli_json_set(set, "plain", bench_mean_json(&means->plain[i]));
        cli_json_append(all, set);
        if (means->best[i].rows == 0) {
            continue;
        }
        cli_table_cell(&table, "%s", sets[i].name);
        cli_table_cell(&table, "%zu", means->best[i].rows);
        bench_mean_cells(&means->best[i], false, &table);
        bench_mean_cells(&means->plain[i], false, &table);
        cli_table_cell(&table, "%s", means->best[i].lowest_row);
    }
    if (means->rows > 0) {
        cli_table_print(&table);
        print_groups(means);
    } else {
        cli_table_free(&table);
    }
    json_t *about = cli_json_object();
    cli_json_set(about, "name", cli_json_text(peer));
    cli_json_set(about, "version", cli_json_text(version));
    cli_json_set(about, "ratios", all);
    cli_json_set(about, "groups", json_of_groups(means));
    cli_json_set(bench->about, "peer", about);
}
