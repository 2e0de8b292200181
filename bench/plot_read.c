/* SPDX-License-Identifier: MIT */
/* Results read back from JSON: any file in Google Benchmark's schema, ours with more to draw. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench/plot.h"
#include "model/json.h"

/* A number of a row or a context, 0 where there is none. */
static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    double number = json_is_number(value) ? json_number_value(value) : 0;
    return isfinite(number) ? number : 0;
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double seconds_of(const json_t *row) {
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text_of(row, "time_unit"), units[i].unit) == 0) {
            return number_of(row, "real_time") * units[i].seconds;
        }
    }
    return number_of(row, "real_time") * 1e-9; /* the schema's default */
}

const char *const bench_plot_naives[BENCH_PLOT_NAIVES] = {"naive -O2", "naive -O3", "naive -O3, best order"};

static void measure(struct bench_plot_row *row, const json_t *json) {
    static const char *const naives[BENCH_PLOT_NAIVES] = {"speedup_over_naive_o2", "speedup_over_naive_o3",
                                                          "speedup_over_naive_best"};
    static const struct {
        const char *key;
        double scale;
    } metrics[BENCH_PLOT_METRICS] = {
        [BENCH_PLOT_SPEEDUP] = {"speedup", 1},           [BENCH_PLOT_FLOPS] = {"flops_per_second", 1e-9},
        [BENCH_PLOT_BYTES] = {"bytes_per_second", 1e-9}, [BENCH_PLOT_IMAGES] = {"items_per_second", 1},
        [BENCH_PLOT_SHARE] = {"share_of_step", 100},
    };
    for (int i = 0; i < BENCH_PLOT_NAIVES; i++) {
        row->naive[i] = number_of(json, naives[i]);
    }
    row->disturbed = json_is_true(json_object_get(json, "disturbed"));
    row->seconds = seconds_of(json);
    double flops = number_of(json, "flops"), bytes = number_of(json, "bytes");
    row->intensity = bytes > 0 ? flops / bytes : 0;
    row->metric = BENCH_PLOT_TIME;
    row->value = 1e3 * row->seconds;
    for (int i = BENCH_PLOT_TIME - 1; i >= 0; i--) {
        double value = number_of(json, metrics[i].key) * metrics[i].scale;
        if (value > 0) {
            row->metric = (enum bench_plot_metric)i;
            row->value = value;
        }
    }
}

/* "layers/lenet c2/forward" is series "forward" of "lenet c2": the mode goes, and the last part where
 * there is one more in front of it. Layers inside a step name their pass themselves; what has none stands
 * alone. */
static void name_row(struct bench_plot_row *row, const json_t *json) {
    const char *slash = strchr(row->name, '/');
    row->label = cli_text("%s", slash ? slash + 1 : row->name);
    char *last = strrchr(row->label, '/');
    const json_t *pass = json_object_get(json, "pass");
    bool alone = json_is_string(pass) && !*json_string_value(pass);
    if (last && !alone) {
        row->series = cli_text("%s", last + 1);
        *last = '\0';
    } else {
        row->series = cli_text("%s", "");
    }
}

/* "relu/elements" reads better as "relu, elements". Names of layers may hold a slash of their own
 * ("3x3/2"): they stay as they are. */
static void separate(struct bench_plot_row *row) {
    char *slash = strchr(row->label, '/');
    while (slash && (row->metric == BENCH_PLOT_BYTES || row->metric == BENCH_PLOT_SHARE)) {
        *slash = '\0';
        char *joined = cli_text("%s, %s", row->label, slash + 1);
        free(row->label);
        row->label = joined;
        slash = strchr(row->label, '/');
    }
}

static bool is_aggregate(const json_t *json, const char *which) {
    return strcmp(text_of(json, "run_type"), "aggregate") == 0 &&
           strcmp(text_of(json, "aggregate_name"), which) == 0;
}

static const char *run_name(const json_t *json) {
    const char *name = text_of(json, "run_name");
    return *name ? name : text_of(json, "name");
}

/* Whether the medians hold this row's result already. */
static bool is_known(const json_t *rows, const char *name) {
    size_t i;
    const json_t *json;
    json_array_foreach(rows, i, json) {
        if (is_aggregate(json, "median") && seconds_of(json) > 0 && strcmp(run_name(json), name) == 0) {
            return true;
        }
    }
    return false;
}

/* "oneDNN best/lenet c2/forward" of another engine is what "layers/lenet c2/forward" is of this one; rows of
 * other modes say which they stand beside. */
static void name_peer(struct bench_plot_row *row, const char *beside) {
    const char *slash = strchr(row->name, '/');
    row->peer = cli_text("%.*s", (int)strcspn(row->name, "/"), row->name);
    char *name = cli_text("%s%s", *beside ? beside : "layers", slash ? slash : "");
    free(row->name);
    row->name = name;
}

bool bench_plot_is_blas(const char *peer) {
    static const char beginning[] = "im2col + ";
    return strncmp(peer, beginning, strlen(beginning)) == 0;
}

/* Whether a row is another engine's: those of this one may say so too. */
static bool is_other(const json_t *json) {
    const char *engine = text_of(json, "engine");
    return *engine && strcmp(engine, "stoa") != 0;
}

static void add_row(struct bench_plot_file *file, const json_t *json) {
    bool other = is_other(json);
    struct bench_plot_row *row = other ? &file->peer_row[file->peer_rows++] : &file->row[file->rows++];
    *row = (struct bench_plot_row){.name = cli_text("%s", run_name(json))};
    if (other) {
        name_peer(row, text_of(json, "beside"));
    }
    name_row(row, json);
    measure(row, json);
    separate(row);
}

/* Medians; a benchmark that ran once and has none gives its only row. Failed ones are left out. */
static void read_rows(struct bench_plot_file *file, const json_t *rows) {
    size_t i;
    json_t *json;
    file->row = cli_allocate(json_array_size(rows) + 1, sizeof *file->row);
    file->peer_row = cli_allocate(json_array_size(rows) + 1, sizeof *file->peer_row);
    json_array_foreach(rows, i, json) {
        if (is_aggregate(json, "median") && seconds_of(json) > 0) {
            add_row(file, json);
        }
    }
    json_array_foreach(rows, i, json) {
        bool single = strcmp(text_of(json, "run_type"), "aggregate") != 0 && *run_name(json);
        if (single && seconds_of(json) > 0 && !is_known(rows, run_name(json))) {
            add_row(file, json);
        }
    }
}

static char *stem_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char *stem = cli_text("%s", slash ? slash + 1 : path);
    size_t length = strlen(stem);
    if (length > 5 && strcmp(stem + length - 5, ".json") == 0) {
        stem[length - 5] = '\0';
    }
    return stem;
}

static void read_context(struct bench_plot_file *file) {
    const json_t *context = json_object_get(file->json, "context");
    file->fma = 1e-9 * number_of(context, "fma_flops_per_second");
    file->bandwidth = 1e-9 * number_of(context, "memory_bytes_per_second");
    double threads = number_of(context, "threads");
    char *count =
        threads > 0 ? cli_text(", %.0f thread%s", threads, threads > 1 ? "s" : "") : cli_text("%s", "");
    const char *core = text_of(context, "blas_core"), *isa = text_of(context, "isa");
    const char *cpu = text_of(context, "cpu_model");
    file->machine = cli_text("%s%s%s%s%s%s%s%s", cpu, count, *isa ? ", " : "", isa, *core ? ", " : "",
                             *core ? text_of(context, "blas_name") : "", *core ? " " : "", core);
    free(count);
}

/* Parse a file; its sentences begin with its name. */
static stoa_status parse_file(struct stoa_error *error, const char *path, json_t **json) {
    static const struct stoa_json_limits limits = {"the file", 8, 1 << 20};
    void *text = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(error, path, SIZE_MAX / 2, &text, &bytes);
    if (status == STOA_OK) {
        status = stoa_json_parse(error, &limits, text, bytes, json);
        status = status == STOA_OK ? status : stoa_error_prefix(error, "%s: ", path);
        free(text);
    }
    return status;
}

int bench_plot_read(const char *path, struct bench_plot_file *file) {
    struct stoa_error error;
    *file = (struct bench_plot_file){.path = path, .stem = stem_of(path)};
    stoa_status status = parse_file(&error, path, &file->json);
    if (status != STOA_OK) {
        return cli_fail(cli_code_of(status), "%s", error.text);
    }
    const json_t *rows = json_object_get(file->json, "benchmarks");
    if (!json_is_array(rows)) {
        return cli_fail(CLI_WRONG, "%s: found no list 'benchmarks', expected results that --json has written",
                        path);
    }
    read_rows(file, rows);
    read_context(file);
    return file->rows + file->peer_rows > 0
               ? CLI_DONE
               : cli_fail(CLI_WRONG, "%s: found no result in 'benchmarks'", path);
}

static void free_rows(struct bench_plot_row *row, size_t rows) {
    for (size_t i = 0; i < rows; i++) {
        free(row[i].name);
        free(row[i].label);
        free(row[i].series);
        free(row[i].peer);
    }
    free(row);
}

void bench_plot_close(struct bench_plot_file *file) {
    free_rows(file->row, file->rows);
    free_rows(file->peer_row, file->peer_rows);
    free(file->stem);
    free(file->machine);
    json_decref(file->json);
    *file = (struct bench_plot_file){0};
}

/* Files of the same name in different folders must not draw over each other. */
static void tell_apart(struct bench_plot_file *files, size_t count) {
    for (size_t i = 1; i < count; i++) {
        size_t same = 1;
        for (size_t j = 0; j < i; j++) {
            same += strcmp(files[i].stem, files[j].stem) == 0;
        }
        if (same > 1) {
            char *stem = cli_text("%s-%zu", files[i].stem, same);
            free(files[i].stem);
            files[i].stem = stem;
        }
    }
}

int bench_plot_read_all(const struct bench_options *options, struct bench_plot_file *files) {
    if (options->operand_count == 0) {
        return cli_fail(CLI_WRONG, "file missing, expected results that --json has written");
    }
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < options->operand_count; i++) {
        code = bench_plot_read(options->operands[i], &files[i]);
    }
    if (code == CLI_DONE) {
        tell_apart(files, options->operand_count);
    }
    return code;
}
