/* SPDX-License-Identifier: MIT */
/* `stoa data`: what a data set holds, as a training would read it. Public headers only. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/data_look.h"
#include "cli/data_record.h"
#include "cli/find.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/table.h"
#include "cli/targets.h"

/* Most channels or columns, and classes, with a line each; all of them are in the JSON. */
enum { MOST_LINES = 30 };

/* ---- how to read ---- */

/* A recipe to say keys of [data] in, where none is given; its network is never built. */
static const char plain_recipe[] = "[model]\ninput = 1x1x1\nl = linear units=1\n[train]\nloss = mse\n";

/* [data] of the recipe, or of --set alone. CLI_DONE, or another code with the sentence printed. */
static int read_options(const struct cli_request *request, struct cli_subject *subject,
                        stoa_data_options *options) {
    stoa_recipe_info info;
    struct cli_settings settings;
    stoa_context *context = subject->context;
    int given = cli_settings_read(request, &settings);
    size_t combinations = given == CLI_DONE ? cli_settings_combinations(&settings) : 1;
    cli_settings_free(&settings);
    if (given != CLI_DONE || combinations > 1) {
        return given != CLI_DONE ? given
                                 : cli_fail(CLI_WRONG, "--set: found several values, expected one; one that "
                                                       "has a comma stands in double quotes");
    }
    if (request->resize && !request->recipe) {
        return cli_fail(CLI_WRONG,
                        "--resize: found without a size, expected --recipe NAME, whose input has one");
    }
    if (request->recipe) {
        int code = cli_open_recipe(request->recipe, request, subject);
        if (code == CLI_DONE) {
            stoa_recipe_describe(subject->recipe, &info);
            *options = info.data;
        }
        return code;
    }
    stoa_status status =
        stoa_recipe_load_memory(context, "--set", plain_recipe, sizeof plain_recipe - 1, &subject->recipe);
    int code = status == STOA_OK ? cli_settings_apply(request, context, subject->recipe)
                                 : cli_fail_library(context, status);
    if (code == CLI_DONE) {
        stoa_recipe_key key;
        stoa_recipe_describe(subject->recipe, &info);
        *options = info.data;
        options->height = options->width = options->channels = 0; /* as the data have them */
        for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
            bool said = true;
            if (strcmp(key.name, "classes") == 0 && stoa_recipe_value(subject->recipe, &key, &said) &&
                !said) {
                options->classes = 0; /* as many as the labels show */
            }
        }
    }
    return code;
}

/* ---- text ---- */

static void print_parts(const struct cli_data_look *look) {
    const stoa_dataset *const parts[] = {look->train, look->test};
    static const char *const names[] = {"train", "test"};
    struct cli_table table = {.columns = "lrll"};
    static const char *const heading[] = {"part", "samples", "shape", "type"};
    for (size_t i = 0; i < 4; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        size_t shape[3];
        struct report_words count = {""}, words = {""};
        stoa_dataset_shape(parts[i], &shape[0], &shape[1], &shape[2]);
        cli_table_cell(&table, "%s", names[i]);
        cli_table_cell(&table, "%s", report_count_words(&count, stoa_dataset_count(parts[i])));
        cli_table_cell(&table, "%s", report_shape_words(&words, shape, 3));
        cli_table_cell(&table, "%s%s", stoa_dataset_type(parts[i]),
                       stoa_dataset_is_pixels(parts[i]) ? ", read as 0 to 1" : "");
    }
    cli_table_print(&table);
}

/* A channel of pictures, or a column of a table, by its name. */
static void add_channel_name(struct cli_table *table, const struct cli_data_look *look, size_t channel) {
    static const char *const colours[] = {"red", "green", "blue"};
    const char *name = stoa_dataset_column_name(look->train, channel);
    if (look->size == look->channels && name) {
        cli_table_cell(table, "%s", name);
    } else if (look->pictures && look->channels == 1) {
        cli_table_cell(table, "grey");
    } else if (look->pictures && look->channels == 3) {
        cli_table_cell(table, "%s", colours[channel]);
    } else {
        cli_table_cell(table, "%zu", channel + 1);
    }
}

static void print_more(size_t count, const char *what) {
    if (count > MOST_LINES) {
        cli_print("and %zu more %s, which --json lists\n", count - MOST_LINES, what);
    }
}

static void print_values(const struct cli_data_look *look) {
    static const char *const heading[] = {"least", "most", "mean", "deviation", ""};
    struct cli_table table = {.columns = "lrrrrl"};
    cli_table_cell(&table, "%s", look->size == look->channels ? "column" : "channel");
    for (size_t i = 0; i < 5; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t i = 0; i < look->channels && i < MOST_LINES; i++) {
        const float *const numbers[] = {look->least, look->most, look->mean, look->deviation};
        bool constant = look->least[i] >= look->most[i];
        add_channel_name(&table, look, i);
        for (size_t k = 0; k < 4; k++) {
            cli_table_cell(&table, "%.6g", (double)(k == 3 && constant ? 0 : numbers[k][i]));
        }
        cli_table_cell(&table, "%s", constant ? "always the same" : "");
    }
    cli_table_print(&table);
    print_more(look->channels, look->size == look->channels ? "columns" : "channels");
}

static void print_classes(const struct cli_data_look *look) {
    static const char *const heading[] = {"class", "train", "test", "share"};
    struct cli_table table = {.columns = "lrrr"};
    double all = (double)(stoa_dataset_count(look->train) + stoa_dataset_count(look->test));
    for (size_t i = 0; i < 4; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t i = 0; i < look->classes && i < MOST_LINES; i++) {
        char number[32];
        size_t train = look->counts[0][i], test = look->counts[1][i];
        struct report_words words[2] = {{""}, {""}};
        cli_table_cell(&table, "%s", cli_class_name(look->train, i, number));
        cli_table_cell(&table, "%s", report_count_words(&words[0], train));
        cli_table_cell(&table, "%s", report_count_words(&words[1], test));
        cli_table_cell(&table, "%.2f %%", 100 * (double)(train + test) / all);
    }
    cli_table_print(&table);
    print_more(look->classes, "classes");
}

/* Numbers by their range; of labels the mean is the share of the samples that have them. */
static void print_targets(const struct cli_data_look *look) {
    static const char *const heading[] = {"target", "least", "most", "mean", "deviation"};
    struct cli_table table = {.columns = "lrrrr"};
    for (size_t i = 0; i < 5; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t i = 0; i < look->targets && i < MOST_LINES; i++) {
        char number[32];
        const float *const numbers[] = {look->target_least, look->target_most, look->target_mean,
                                        look->target_deviation};
        cli_table_cell(&table, "%s", cli_target_name(look->train, i, number));
        for (size_t k = 0; k < 4; k++) {
            cli_table_cell(&table, "%.6g", (double)numbers[k][i]);
        }
    }
    cli_table_print(&table);
    print_more(look->targets, "targets");
}

static void print_text(const struct cli_subject *subject, const struct cli_data_look *look,
                       const char *path) {
    struct report_words words = {""};
    cli_print("%s: %s\n\n", path, stoa_dataset_format(look->train));
    print_parts(look);
    (void)puts("");
    print_values(look);
    (void)puts("");
    if (look->targets > 0) {
        print_targets(look);
    } else {
        print_classes(look);
    }
    for (size_t i = 0; i < subject->note_count; i++) {
        cli_print("%s%s\n", i ? "" : "\n", subject->notes[i]);
    }
    (void)puts("");
    cli_data_draw(look);
    cli_print("\nin a recipe: input = %s", report_shape_words(&words, look->shape, 3));
    cli_print(look->targets ? "; %zu targets\n" : ", classes = %zu\n",
              look->targets ? look->targets : look->classes);
}

/* ---- JSON ---- */

static json_t *values_json(const struct cli_data_look *look) {
    json_t *list = cli_json_array();
    for (size_t i = 0; i < look->channels; i++) {
        json_t *entry = cli_json_object();
        bool constant = look->least[i] >= look->most[i];
        const char *name = stoa_dataset_column_name(look->train, i);
        if (look->size == look->channels && name) {
            cli_json_set(entry, "name", cli_json_text(name));
        }
        cli_json_set(entry, "least", cli_json_float(look->least[i]));
        cli_json_set(entry, "most", cli_json_float(look->most[i]));
        cli_json_set(entry, "mean", cli_json_float(look->mean[i]));
        cli_json_set(entry, "deviation", cli_json_float(constant ? 0 : look->deviation[i]));
        cli_json_append(list, entry);
    }
    return list;
}

static json_t *targets_json(const struct cli_data_look *look) {
    json_t *list = cli_json_array();
    for (size_t i = 0; i < look->targets; i++) {
        char number[32];
        json_t *entry = cli_json_object();
        cli_json_set(entry, "name", cli_json_text(cli_target_name(look->train, i, number)));
        cli_json_set(entry, "least", cli_json_float(look->target_least[i]));
        cli_json_set(entry, "most", cli_json_float(look->target_most[i]));
        cli_json_set(entry, "mean", cli_json_float(look->target_mean[i]));
        cli_json_set(entry, "deviation", cli_json_float(look->target_deviation[i]));
        cli_json_append(list, entry);
    }
    return list;
}

static int print_json(const struct cli_subject *subject, const struct cli_data_look *look, const char *path) {
    const stoa_dataset *const parts[] = {look->train, look->test};
    static const char *const names[] = {"train", "test"};
    json_t *all = cli_json_object();
    cli_json_set(all, "path", cli_json_text(path));
    cli_data_describe(all, look->train);
    for (size_t i = 0; i < 2; i++) {
        uint32_t fingerprint;
        char sum[16];
        json_t *part = cli_data_part(parts[i]);
        stoa_status status = stoa_dataset_fingerprint(parts[i], &fingerprint);
        if (status != STOA_OK) {
            json_decref(part);
            json_decref(all);
            return cli_fail_library(subject->context, status);
        }
        (void)snprintf(sum, sizeof sum, "%08lx", (unsigned long)fingerprint);
        cli_json_set(part, "checksum", cli_json_text(sum));
        if (look->classes > 0) {
            cli_json_set(part, "counts", cli_json_shape(look->counts[i], look->classes));
        }
        cli_json_set(all, names[i], part);
    }
    cli_json_set(all, "values", values_json(look));
    if (look->targets > 0) {
        cli_json_set(all, "targets", targets_json(look));
    }
    cli_json_set(all, "notes", cli_data_notes(subject));
    cli_json_print(all);
    return CLI_DONE;
}

/* ---- the command ---- */

static int show(const struct cli_request *request, const struct cli_subject *subject, const char *path,
                const stoa_dataset *train, const stoa_dataset *test) {
    struct cli_data_look look;
    stoa_status status = cli_data_look(train, test, &look);
    int code = status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
    if (code == CLI_DONE && request->picture) {
        code = cli_data_picture(&look, request->picture, request->force);
    }
    if (code == CLI_DONE && request->json) {
        code = print_json(subject, &look, path);
    } else if (code == CLI_DONE && request->picture) {
        cli_print("%s\n", request->picture);
    } else if (code == CLI_DONE) {
        print_text(subject, &look, path);
    }
    cli_data_look_free(&look);
    return code;
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    stoa_data_options options = {.classes = 0};
    stoa_dataset *train = NULL, *test = NULL;
    const char *operand = request->operands[0];
    int code = cli_open_context(request, &subject);
    subject.quiet = true; /* what is left out stands in the output */
    char *path = code != CLI_DONE                                 ? NULL
                 : cli_is_file(operand) || cli_is_folder(operand) ? cli_text("%s", operand)
                                                                  : cli_find_data(operand);
    if (code == CLI_DONE) {
        code = path ? read_options(request, &subject, &options) : CLI_WRONG;
    }
    if (code == CLI_DONE) {
        stoa_status status = stoa_dataset_load(subject.context, path, &options, &train, &test);
        code = status == STOA_OK ? show(request, &subject, path, train, test)
                                 : cli_fail_reading(&subject, status);
    }
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    free(path);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"recipe",  "set",   "layout", "resize", "split-seed",
                                           "picture", "force", "json",   NULL};

const struct cli_command cli_data = {
    .name = "data",
    .summary = "what a data set holds",
    .usage = "data PATH [options]",
    .description =
        "Describe a file or folder with data, or a set by its name, as a training would read it: both parts\n"
        "with their samples, shape and type, the range, mean and deviation of each channel or column, the\n"
        "classes with their samples, what is left out or converted, and five samples, drawn in the terminal\n"
        "or as rows of a table. Nothing is trained.\n"
        "--set says keys of [data], such as label=kind or test=0.3, and --recipe takes them and the shape "
        "of\n"
        "a sample from a recipe. --picture writes the samples as one picture instead.",
    .examples = "  stoa data mnist\n"
                "  stoa data flowers.csv --set label=kind\n"
                "  stoa data ~/photos --picture photos.png\n"
                "  stoa data arrays.npz --recipe ./my.ini --json",
    .options = option_names,
    .operand = "PATH",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
