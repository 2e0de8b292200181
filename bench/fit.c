/* SPDX-License-Identifier: MIT */
/* Mode fit: a tuning table for the machine at hand, from times measured on it; or, with --check, what the
 * table in use loses. */
#include "bench/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoa/machine.h>
#include <stoa/version.h>

#include "bench/progress.h"
#include "cli/signals.h"

/* Caches as the system tells of them; those of which it does not are left as they were. */
static void take_caches(struct bench_fit *fit) {
    static const struct {
        const char *key, *type;
        unsigned level;
    } caches[] = {{"l1_bytes", "Data", 1}, {"l2_bytes", "Unified", 2}, {"l3_bytes", "Unified", 3}};
    const json_t *list = json_object_get(fit->bench->about, "caches");
    size_t index;
    const json_t *cache;
    json_array_foreach(list, index, cache) {
        for (size_t i = 0; i < sizeof caches / sizeof caches[0]; i++) {
            const char *type = json_string_value(json_object_get(cache, "type"));
            double bytes = json_number_value(json_object_get(cache, "size"));
            if (type && strcmp(type, caches[i].type) == 0 &&
                json_integer_value(json_object_get(cache, "level")) == caches[i].level) {
                const struct stoa_tuning_key *key = stoa_tuning_key_find(caches[i].key);
                stoa_tuning_put(&fit->table, key, fmin(fmax(bytes, key->least), key->most));
            }
        }
    }
    (void)printf("caches: %zu, %zu and %zu bytes\n", fit->table.l1_bytes, fit->table.l2_bytes,
                 fit->table.l3_bytes);
}

/* Rates of arithmetic and memory, for the head of the file. */
static int take_rates(struct bench_fit *fit) {
    static const double SECONDS = 0.5;
    stoa_context *context = fit->bench->context;
    stoa_status status = stoa_measure_fma(context, 1, SECONDS, &fit->fma);
    if (status == STOA_OK) {
        status = stoa_measure_bandwidth(context, SECONDS, &fit->memory);
    }
    if (status != STOA_OK) {
        return cli_fail_library(context, status);
    }
    (void)printf("multiply-adds: %.1f GFLOP/s on one core; memory: %.1f GB/s on %zu thread%s\n", fit->fma,
                 fit->memory, fit->bench->threads, fit->bench->threads == 1 ? "" : "s");
    return CLI_DONE;
}

/* Bring the predicted seconds, of one core, near those that were measured; the choices stay. */
static void scale(struct bench_fit *fit) {
    static const char *const rates[] = {"cost_flops", "cost_stream_floats", "cost_tile_floats",
                                        "cost_outer_rate"};
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < fit->rows; i++) {
        const struct bench_fit_row *row = &fit->row[i];
        struct stoa_conv_plan plan;
        for (size_t j = 0; j < row->count; j++) {
            if (stoa_conv_plan_with(fit->bench->context, row->way[j].algorithm, &row->layer->conv, row->pass,
                                    &plan)) {
                sum += log(plan.cost / (row->way[j].seconds * (double)fit->bench->threads));
                count++;
            }
        }
    }
    for (size_t i = 0; count > 0 && i < sizeof rates / sizeof rates[0]; i++) {
        const struct stoa_tuning_key *key = stoa_tuning_key_find(rates[i]);
        double value = stoa_tuning_get(&fit->table, key) * exp(sum / (double)count);
        stoa_tuning_put(&fit->table, key, fmin(fmax(value, key->least), key->most));
    }
}

/* Four digits are more than a measurement has. */
static void round_costs(struct stoa_tuning *table) {
    for (size_t i = 0; i < stoa_tuning_key_count(); i++) {
        const struct stoa_tuning_key *key = &stoa_tuning_keys[i];
        double value = stoa_tuning_get(table, key);
        if (key->real && value > 0) {
            double unit = pow(10, floor(log10(value)) - 3);
            stoa_tuning_put(
                table, key,
                fmin(fmax(unit < 1 ? round(value / unit) / round(1 / unit) : round(value / unit) * unit,
                          key->least),
                     key->most));
        }
    }
    stoa_tuning_finish(table);
}

static void tell(struct bench_fit *fit, const struct bench_choices *choices) {
    bench_progress_end();
    bench_choices_print(choices);
    const struct bench_choices_of_pass all = bench_choices_all(choices);
    json_t *out = cli_json_object();
    cli_json_set(out, "rows", cli_json_count(all.rows));
    cli_json_set(out, "mean_loss", cli_json_number(bench_choices_mean(&all) - 1));
    cli_json_set(out, "worst_loss", cli_json_number(all.rows > 0 ? all.worst - 1 : 0));
    cli_json_set(out, "worst_row", cli_json_text(all.worst_row));
    cli_json_set(fit->bench->about, "choices", out);
    (void)printf("\nTable %s: %.1f %% lost in the mean, %.0f %% at worst.\n",
                 fit->bench->context->tuning->name, 100 * (bench_choices_mean(&all) - 1),
                 all.rows > 0 ? 100 * (all.worst - 1) : 0);
}

/* All measurements are there, and right. */
static int finish(const struct bench_fit *fit, int code) {
    bench_progress_end();
    if (code == CLI_DONE && cli_stop_signal()) {
        code = cli_fail(CLI_SIGNAL + cli_stop_signal(), "interrupted: no table is written");
    }
    if (code == CLI_DONE && fit->rows == 0) {
        code = cli_fail(CLI_WRONG, "fit: found no convolution to measure, expected some in the list");
    }
    return code == CLI_DONE && fit->wrong > 0 ? cli_fail(CLI_FAILED, "%zu results are wrong", fit->wrong)
                                              : code;
}

static int check_table(struct bench_fit *fit) {
    bench_progress_begin("measuring", 1);
    int code = finish(fit, bench_fit_measure(fit));
    if (code == CLI_DONE) {
        const struct bench_choices choices = bench_fit_judge(fit, fit->bench->context->tuning);
        tell(fit, &choices);
    }
    return code;
}

static const char *path_of(const struct bench *bench) {
    return bench->options.out ? bench->options.out : "my.tuning";
}

/* The table as a file: what was measured, then every key. */
static char *text_of(const struct bench_fit *fit, const struct bench_choices *choices) {
    const struct bench_choices_of_pass all = bench_choices_all(choices);
    const char *cpu = json_string_value(json_object_get(fit->bench->about, "cpu_model"));
    size_t bytes = stoa_tuning_write(&fit->table, NULL, 0) + 1;
    char *keys = cli_allocate(bytes, 1);
    (void)stoa_tuning_write(&fit->table, keys, bytes);
    char *text = cli_text(
        "# %s, %zu thread%s, %s. Written by stoa-bench fit, Stoa %s: %.1f GFLOP/s of multiply-adds on\n"
        "# a core, %.1f GB/s. On %zu rows its choices lose %.1f %% in the mean and %.0f %% at worst.\n%s",
        cpu && *cpu ? cpu : "A CPU", fit->bench->threads, fit->bench->threads == 1 ? "" : "s",
        stoa_isa_name(fit->bench->context->isa), stoa_version(), fit->fma, fit->memory, all.rows,
        100 * (bench_choices_mean(&all) - 1), 100 * (all.worst - 1), keys);
    free(keys);
    return text;
}

/* Write the table, when its text reads back as itself. */
static int write_table(const struct bench_fit *fit, const struct bench_choices *choices) {
    const char *path = path_of(fit->bench);
    struct stoa_error error;
    struct stoa_tuning again;
    char *text = text_of(fit, choices);
    int code = stoa_tuning_read(&error, path, text, strlen(text), &again) != STOA_OK
                   ? cli_fail(CLI_FAILED, "%s", error.text)
               : strcmp(again.sum, fit->table.sum) != 0
                   ? cli_fail(CLI_FAILED, "%s: found another table in its text", path)
                   : bench_file_write("out", path, text);
    free(text);
    if (code == CLI_DONE) {
        (void)printf("\n%s is written: use it with STOA_TUNING=%s%s, or stoa_context_set_tuning().\n", path,
                     strchr(path, '/') ? "" : "./", path);
    }
    return code;
}

/* Times of a second measurement of their own, which the choices are judged by, before both are put
 * together. */
static int measure_again(struct bench_fit *fit) {
    size_t bytes = fit->rows * sizeof *fit->row;
    struct bench_fit_row *first = cli_allocate(fit->rows, sizeof *first);
    memcpy(first, fit->row, bytes);
    for (size_t i = 0; i < fit->rows; i++) {
        fit->row[i].count = 0;
    }
    (void)json_array_clear(
        fit->bench->results); /* rows of the first go into a file where there is no second */
    int code = finish(fit, bench_fit_measure(fit));
    if (code == CLI_DONE) {
        const struct bench_choices choices = bench_fit_judge(fit, &fit->table);
        const struct bench_choices_of_pass all = bench_choices_all(&choices);
        (void)printf(
            "costs of the first measurement lose %.1f %% in the mean, %.0f %% at worst (%s) in the second\n",
            100 * (bench_choices_mean(&all) - 1), 100 * (all.worst - 1), all.worst_row);
        bench_fit_merge(fit, first);
    }
    free(first);
    return code;
}

static int make_table(struct bench_fit *fit) {
    take_caches(fit);
    int code = take_rates(fit);
    if (code == CLI_DONE) {
        bench_progress_begin("blocks", 1);
        code = bench_fit_blocks(fit);
    }
    if (code == CLI_DONE) {
        bench_progress_begin("measuring, 1 of 2", 1);
        code = finish(fit, bench_fit_measure(fit));
    }
    if (code == CLI_DONE) {
        bench_progress_begin("costs, 1 of 2", 1);
        bench_fit_costs(fit);
        bench_progress_begin("measuring, 2 of 2", 1);
        code = measure_again(fit);
    }
    if (code == CLI_DONE) {
        bench_progress_begin("costs, 2 of 2", 1);
        bench_fit_costs(fit);
        scale(fit);
        round_costs(&fit->table);
        const struct bench_choices choices = bench_fit_judge(fit, &fit->table);
        tell(fit, &choices);
        code = write_table(fit, &choices);
    }
    return code;
}

static int check(const struct bench_options *options) {
    const char *path = options->out ? options->out : "my.tuning";
    if (options->check) {
        return options->out || options->force
                   ? cli_fail(CLI_WRONG, "--check: found beside --%s, expected it without: it writes nothing",
                              options->out ? "out" : "force")
                   : CLI_DONE;
    }
    if (!strpbrk(path, "./")) {
        return cli_fail(CLI_WRONG,
                        "--out: found '%s', expected a name with a '.' or '/', such as '%s.tuning'", path,
                        path);
    }
    if (access(path, F_OK) == 0 && !options->force) {
        return cli_fail(CLI_WRONG, "--out: '%s' exists; --force replaces it", path);
    }
    return bench_file_check("out", path);
}

static int run(struct bench *bench) {
    struct bench_fit fit = {.bench = bench, .table = *bench->context->tuning};
    int code = bench_layers_read(bench, &fit.layers);
    if (code != CLI_DONE) {
        return code;
    }
    const struct stoa_tuning *before = bench->context->tuning;
    if (bench->options.check) {
        code = check_table(&fit);
    } else {
        stoa_tuning_rename(&fit.table, path_of(bench));
        bench->context->tuning = &fit.table;
        code = make_table(&fit);
        bench->context->tuning = before;
    }
    bench_progress_end();
    free(fit.row);
    bench_layers_free(&fit.layers);
    return code;
}

static const char *const takes[] = {"filter", "threads", "min-time", "repetitions", "policy", "isa",
                                    "layers", "json",    "out",      "check",       "force",  NULL};

const struct bench_mode bench_mode_fit = {
    .name = "fit",
    .summary = "a tuning table for this machine, from times measured on it; what the present one loses",
    .usage = "fit [options]",
    .options = takes,
    .most_operands = 0,
    .compares = true,
    .measures = true,
    .check = check,
    .run = run,
};
