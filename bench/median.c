/* SPDX-License-Identifier: MIT */
/* `stoa-bench median`: several runs of the same as one, each result the median of its runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare.h"
#include "bench/means.h"
#include "bench/plot.h"

/* What a result is judged by, the most telling first. */
static const struct {
    const char *key, *unit;
    double scale;
    bool is_ratio;
} metrics[] = {
    {"ratio_to_peer_best", "ratio to the peer", 1, true},
    {"ratio_to_blas", "ratio to the BLAS", 1, true},
    {"items_per_second", "items/s", 1, false},
    {"flops_per_second", "GFLOP/s", 1e-9, false},
    {"bytes_per_second", "GB/s", 1e-9, false},
    {"real_time", "ms", 1e-6, false},
};
enum { METRICS = sizeof metrics / sizeof *metrics };

struct merge {
    struct bench *bench;
    const struct bench_plot_file *files;
    size_t count, apart; /* results that some file lacks */
    struct bench_means *peer;
    struct bench_mean mean[METRICS];
    struct cli_table table;
};

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_median(const json_t *row) {
    return strcmp(text_of(row, "aggregate_name"), "median") == 0 && *text_of(row, "run_name");
}

static json_t *rows_of(const struct bench_plot_file *file) {
    return json_object_get(file->json, "benchmarks");
}

/* The medians' row of this name in a file, or NULL. */
static json_t *find_row(const struct bench_plot_file *file, const char *name) {
    size_t i;
    json_t *row;
    json_array_foreach(rows_of(file), i, row) {
        if (is_median(row) && strcmp(text_of(row, "run_name"), name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* Every number that all rows have becomes the median of theirs; texts stay the first row's. */
static json_t *merge_rows(json_t *const *rows, size_t count) {
    json_t *merged = json_deep_copy(rows[0]);
    if (!merged) {
        cli_out_of_memory();
    }
    const char *key;
    json_t *value;
    json_object_foreach(rows[0], key, value) {
        double values[BENCH_PLOT_FILES];
        size_t known = 0;
        for (size_t i = 0; i < count && json_is_number(value); i++) {
            const json_t *other = json_object_get(rows[i], key);
            if (json_is_number(other)) {
                values[known++] = json_number_value(other);
            }
        }
        if (known == count) {
            cli_json_set(merged, key, cli_json_number(bench_summarise(values, count).median));
        }
    }
    cli_json_set(merged, "runs", cli_json_count(count));
    return merged;
}

static size_t metric_of(const json_t *row) {
    size_t metric = 0;
    while (metric + 1 < METRICS && !json_is_number(json_object_get(row, metrics[metric].key))) {
        metric++;
    }
    return metric;
}

/* The row as a pair beside the peer again, for the means over groups. */
static int add_to_peer(struct merge *merge, const json_t *row) {
    struct bench_layer layer = {0};
    const char *shape = text_of(row, "shape"), *name = text_of(row, "layer");
    bool linear = strcmp(text_of(row, "algorithm"), "linear") == 0;
    int code = bench_layer_of_shape(name, shape, linear, &layer);
    struct bench_contender best = {.plain = false}, plain = {.plain = true};
    best.ratio.median = json_number_value(json_object_get(row, "ratio_to_peer_best"));
    plain.ratio.median = json_number_value(json_object_get(row, "ratio_to_peer_plain"));
    struct bench_pair pair = {.layer = &layer,
                              .best = best.ratio.median > 0 ? &best : NULL,
                              .plain = plain.ratio.median > 0 ? &plain : NULL};
    while (pair.pass < BENCH_PASSES && strcmp(bench_pass_names[pair.pass], text_of(row, "pass")) != 0) {
        pair.pass++;
    }
    if (code == CLI_DONE && pair.pass == BENCH_PASSES) {
        code = cli_fail(CLI_WRONG, "%s: found pass '%s', expected forward, backward data or backward weights",
                        merge->files[0].path, text_of(row, "pass"));
    }
    if (code == CLI_DONE) {
        bench_means_add(merge->peer, &pair);
    }
    return code;
}

/* The medians of a result that all files have. */
static int add_row(struct merge *merge, json_t *first) {
    json_t *rows[BENCH_PLOT_FILES] = {first};
    double values[BENCH_PLOT_FILES];
    const char *name = text_of(first, "run_name");
    size_t metric = metric_of(first);
    for (size_t i = 1; i < merge->count; i++) {
        rows[i] = find_row(&merge->files[i], name);
        if (!rows[i]) {
            merge->apart++;
            return CLI_DONE;
        }
    }
    json_t *merged = merge_rows(rows, merge->count);
    cli_json_append(merge->bench->results, merged);
    if (*text_of(first, "engine")) { /* the peer's own */
        return CLI_DONE;
    }
    for (size_t i = 0; i < merge->count; i++) {
        values[i] = metrics[metric].scale * json_number_value(json_object_get(rows[i], metrics[metric].key));
    }
    struct bench_summary summary = bench_summarise(values, merge->count);
    cli_table_cell(&merge->table, "%s", name);
    cli_table_cell(&merge->table, "%s", metrics[metric].unit);
    cli_table_cell(&merge->table, "%.4g", summary.median);
    cli_table_cell(&merge->table, "%.4g", summary.least);
    cli_table_cell(&merge->table, "%.4g", summary.least + summary.spread * summary.median);
    if (metrics[metric].is_ratio && summary.median > 0) {
        bench_mean_add(&merge->mean[metric], summary.median, "%s", name);
    }
    return metric == 0 ? add_to_peer(merge, merged) : CLI_DONE;
}

/* Runs of one machine and one setting alone have medians in common. */
static int check_files(const struct merge *merge) {
    static const char *const keys[] = {"cpu_model", "threads", "isa", "policy", "blas_core"};
    const json_t *first = json_object_get(merge->files[0].json, "context");
    for (size_t i = 1; i < merge->count; i++) {
        const json_t *context = json_object_get(merge->files[i].json, "context");
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            const json_t *one = json_object_get(context, keys[k]), *other = json_object_get(first, keys[k]);
            if ((one || other) &&
                !(one && other && json_equal((json_t *)(uintptr_t)one, (json_t *)(uintptr_t)other))) {
                return cli_fail(CLI_WRONG, "%s: its %s is not that of %s, expected runs of one setting",
                                merge->files[i].path, keys[k], merge->files[0].path);
            }
        }
    }
    return CLI_DONE;
}

static void describe(struct merge *merge) {
    json_t *runs = cli_json_array();
    (void)json_object_update(merge->bench->about, json_object_get(merge->files[0].json, "context"));
    for (size_t i = 0; i < merge->count; i++) {
        const char *date = text_of(json_object_get(merge->files[i].json, "context"), "date");
        cli_json_append(runs, cli_json_text(date));
    }
    cli_json_set(merge->bench->about, "runs", runs);
}

static void print(struct merge *merge) {
    cli_print("Medians of %zu runs.\n\n", merge->count);
    cli_table_print(&merge->table);
    for (size_t i = 1; i < METRICS; i++) {
        const struct bench_mean *mean = &merge->mean[i];
        if (mean->rows > 0) {
            cli_print("\n%s: geometric mean of %zu rows %.3f, lowest %.3f (%s)\n", metrics[i].unit,
                      mean->rows, bench_mean_value(mean), mean->lowest, mean->lowest_row);
        }
    }
    if (merge->mean[0].rows > 0) {
        const json_t *peer = json_object_get(json_object_get(merge->files[0].json, "context"), "peer");
        char *name = cli_text("%s", text_of(peer, "name")),
             *version = cli_text("%s", text_of(peer, "version"));
        cli_print("\nBeside %s.\n", version);
        bench_means_print(merge->bench, merge->peer, name, version);
        free(version);
        free(name);
    }
    if (merge->apart > 0) {
        cli_print("\n%zu results are not in every file and are left out.\n", merge->apart);
    }
}

static int merge_files(struct merge *merge) {
    static const char *const heading[] = {"result", "in", "median", "least", "most"};
    int code = check_files(merge);
    size_t i;
    json_t *row;
    merge->table.columns = "llrrr";
    for (i = 0; i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(&merge->table, "%s", heading[i]);
    }
    json_array_foreach(rows_of(&merge->files[0]), i, row) {
        code = code == CLI_DONE && is_median(row) ? add_row(merge, row) : code;
    }
    if (code == CLI_DONE && json_array_size(merge->bench->results) == 0) {
        code = cli_fail(CLI_WRONG, "%s: found no result that all files have", merge->files[0].path);
    }
    if (code == CLI_DONE) {
        describe(merge);
        print(merge);
        code = bench_json_write(merge->bench);
    }
    cli_table_free(&merge->table);
    return code;
}

static int run(struct bench *bench) {
    const struct bench_options *options = &bench->options;
    struct bench_plot_file files[BENCH_PLOT_FILES] = {{0}};
    int code = bench_plot_read_all(options, files);
    if (code == CLI_DONE) {
        code = bench_json_begin(bench);
    }
    if (code == CLI_DONE) {
        struct merge merge = {
            .bench = bench, .files = files, .count = options->operand_count, .peer = bench_means_make()};
        code = merge_files(&merge);
        bench_means_free(merge.peer);
    }
    for (size_t i = 0; i < options->operand_count; i++) {
        bench_plot_close(&files[i]);
    }
    return code;
}

static const char *const options[] = {"json", "markdown", NULL};

const struct bench_mode bench_mode_median = {
    .name = "median",
    .summary = "several runs of the same as one: each result the median of its runs",
    .usage = "median FILE.json... [--json FILE]",
    .options = options,
    .most_operands = BENCH_PLOT_FILES,
    .run = run,
};
