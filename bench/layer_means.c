/* SPDX-License-Identifier: MIT */
/* Means of layers by group and pass. */
#include "bench/layer_means.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_GROUPS = 200 };
static const char ALL[] = "all";

/* The numbers that means go over. */
enum { NAIVE, BLAS, ENGINE, SHARE, OVER_NAIVE, OVER_BLAS, FIGURES };

struct mean_group {
    char name[64], pass[24];
    struct bench_mean mean[FIGURES];
};

struct bench_layer_means {
    struct mean_group group[MOST_GROUPS]; /* in the order in which they come */
    size_t groups, rows;
};

struct bench_layer_means *bench_layer_means_make(void) {
    struct bench_layer_means *means = cli_allocate(1, sizeof *means);
    means->groups = means->rows = 0;
    return means;
}

void bench_layer_means_free(struct bench_layer_means *means) {
    free(means);
}

size_t bench_layer_means_rows(const struct bench_layer_means *means) {
    return means->rows;
}

/* NULL where there is no room for another. */
static struct mean_group *find(struct bench_layer_means *means, const char *name, const char *pass) {
    for (size_t i = 0; i < means->groups; i++) {
        struct mean_group *group = &means->group[i];
        if (strcmp(group->pass, pass) == 0 && strcmp(group->name, name) == 0) {
            return group;
        }
    }
    if (means->groups == MOST_GROUPS) {
        return NULL;
    }
    struct mean_group *group = &means->group[means->groups++];
    *group = (struct mean_group){.mean = {{0}}};
    (void)snprintf(group->name, sizeof group->name, "%s", name);
    (void)snprintf(group->pass, sizeof group->pass, "%s", pass);
    return group;
}

static void add(struct mean_group *group, const char *layer, const struct bench_layer_figures *figures) {
    const double value[FIGURES] = {figures->naive, figures->blas,       figures->engine,
                                   figures->share, figures->over_naive, figures->over_blas};
    for (int i = 0; group && i < FIGURES; i++) {
        if (value[i] > 0) {
            bench_mean_add(&group->mean[i], value[i], "%s", layer);
        }
    }
}

void bench_layer_means_add(struct bench_layer_means *means, const char *layer, const char *pass,
                           const struct bench_layer_figures *figures) {
    const char *last = strrchr(layer, ' ');
    char *name = cli_text("%.*s", last ? (int)(last - layer) : (int)strlen(layer), layer);
    add(find(means, name, pass), layer, figures);
    add(find(means, ALL, pass), layer, figures);
    means->rows++;
    free(name);
}

/* "-" where no row of the group has such a number. */
static void mean_cell(const struct bench_mean *mean, double scale, int digits, struct cli_table *table) {
    if (mean->rows > 0) {
        cli_table_cell(table, "%.*f", digits, scale * bench_mean_value(mean));
    } else {
        cli_table_cell(table, "-");
    }
}

static void fill_row(const struct mean_group *group, struct cli_table *table) {
    const struct bench_mean *mean = group->mean;
    cli_table_cell(table, "%s", group->name);
    cli_table_cell(table, "%s", group->pass);
    cli_table_cell(table, "%zu", mean[ENGINE].rows);
    mean_cell(&mean[NAIVE], 1, 1, table);
    mean_cell(&mean[BLAS], 1, 1, table);
    mean_cell(&mean[ENGINE], 1, 1, table);
    mean_cell(&mean[SHARE], 100, 0, table);
    mean_cell(&mean[OVER_NAIVE], 1, 1, table);
    mean_cell(&mean[OVER_BLAS], 1, 2, table);
    cli_table_cell(table, mean[OVER_BLAS].rows ? "%.2f" : "-", mean[OVER_BLAS].lowest);
}

static bool is_over_all(const struct mean_group *group) {
    return strcmp(group->name, ALL) == 0;
}

/* One group alone is all there is. */
static bool has_several_groups(const struct bench_layer_means *means) {
    const char *first = NULL;
    for (size_t i = 0; i < means->groups; i++) {
        const struct mean_group *group = &means->group[i];
        if (!is_over_all(group) && first && strcmp(group->name, first) != 0) {
            return true;
        }
        first = !first && !is_over_all(group) ? group->name : first;
    }
    return false;
}

void bench_layer_means_fill(const struct bench_layer_means *means, struct cli_table *table) {
    static const char *const heading[] = {"group", "pass",    "rows",    "naive",  "BLAS",
                                          "Stoa",  "% limit", "x naive", "x BLAS", "least"};
    table->columns = "llrrrrrrrr";
    for (size_t i = 0; i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(table, "%s", heading[i]);
    }
    for (int over_all = 0; over_all < (has_several_groups(means) ? 2 : 1); over_all++) {
        for (size_t i = 0; i < means->groups; i++) {
            if (is_over_all(&means->group[i]) == (over_all == 1)) {
                fill_row(&means->group[i], table);
            }
        }
    }
}

json_t *bench_layer_means_json(const struct bench_layer_means *means) {
    static const struct {
        const char *key;
        double scale;
    } plain[] = {[NAIVE] = {"naive_flops_per_second", 1e9},
                 [BLAS] = {"blas_flops_per_second", 1e9},
                 [ENGINE] = {"engine_flops_per_second", 1e9},
                 [SHARE] = {"share_of_fma_limit", 1}};
    json_t *all = cli_json_array();
    for (size_t i = 0; i < means->groups; i++) {
        const struct mean_group *group = &means->group[i];
        json_t *json = cli_json_object();
        cli_json_set(json, "group", cli_json_text(group->name));
        cli_json_set(json, "pass", cli_json_text(group->pass));
        cli_json_set(json, "rows", cli_json_count(group->mean[ENGINE].rows));
        for (int f = 0; f <= SHARE; f++) {
            if (group->mean[f].rows > 0) {
                cli_json_set(json, plain[f].key,
                             cli_json_number(plain[f].scale * bench_mean_value(&group->mean[f])));
            }
        }
        cli_json_set(json, "speedup_over_naive_best", bench_mean_json(&group->mean[OVER_NAIVE]));
        cli_json_set(json, "speedup_over_blas", bench_mean_json(&group->mean[OVER_BLAS]));
        cli_json_append(all, json);
    }
    return all;
}
