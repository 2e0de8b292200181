/* SPDX-License-Identifier: MIT */
/* `stoa predict`: the class of pictures and of samples in tables. All files are read before the
 * first answer, so that a bad one stops the command before it has printed anything. Public headers
 * only. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"

enum { MOST_IN_A_BATCH = 64 };

struct choice {
    size_t class;
    double probability;
};

static int by_probability(const void *a, const void *b) {
    const struct choice *left = a, *right = b;
    if (left->probability < right->probability || left->probability > right->probability) {
        return left->probability < right->probability ? 1 : -1;
    }
    return left->class < right->class ? -1 : 1;
}

/* Probabilities from a network's output: softmax in double, unless the network ends in one. */
static void choose(const float *output, size_t classes, bool is_probability, struct choice *choices) {
    double highest = (double)output[0], sum = 0;
    for (size_t i = 1; i < classes; i++) {
        highest = (double)output[i] > highest ? (double)output[i] : highest;
    }
    for (size_t i = 0; i < classes; i++) {
        double value = (double)output[i];
        choices[i] = (struct choice){i, is_probability ? value : exp(value - highest)};
        sum += choices[i].probability;
    }
    for (size_t i = 0; i < classes && !is_probability; i++) {
        choices[i].probability /= sum;
    }
}

/* A file among the operands. */
struct source {
    const char *file;
    size_t samples;
    bool table; /* it may hold any number of samples, which are counted from 1 */
};

/* What all files share. */
struct prediction {
    const struct cli_request *request;
    const struct cli_subject *subject;
    stoa_dataset *names; /* data set of the first file, which knows the names of the classes */
    stoa_plan *plan;
    struct source *sources;
    float *samples; /* of all files, one after the other, normalised */
    size_t count, room;
    size_t size; /* floats in one */
    size_t classes;
    bool is_probability;
    json_t *list; /* NULL: text */
};

/* The name of a class, or its number. */
static const char *name_of(const struct prediction *p, size_t class, struct report_words *word) {
    const char *name = stoa_dataset_class_name(p->names, class);
    if (name) {
        return name;
    }
    (void)snprintf(word->text, sizeof word->text, "%zu", class);
    return word->text;
}

/* `number` counts the samples of a table from 1. */
static void print_text(const struct prediction *p, const struct source *source, size_t number,
                       struct choice *choices) {
    struct report_words word = {""};
    qsort(choices, p->classes, sizeof *choices, by_probability);
    cli_print("%s", source->file);
    if (source->table) {
        (void)printf(":%zu", number);
    }
    cli_print(": %s  %.2f %%\n ", name_of(p, choices[0].class, &word), 100 * choices[0].probability);
    for (size_t i = 0; i < p->classes; i++) {
        cli_print("  %s %.4f", name_of(p, choices[i].class, &word), choices[i].probability);
    }
    (void)puts("");
}

static void add_json(const struct prediction *p, const struct source *source, size_t number,
                     struct choice *choices) {
    json_t *entry = cli_json_object(), *distribution = cli_json_array();
    for (size_t i = 0; i < p->classes; i++) {
        cli_json_append(distribution, cli_json_number(choices[i].probability));
    }
    qsort(choices, p->classes, sizeof *choices, by_probability);
    cli_json_set(entry, "file", cli_json_text(source->file));
    if (source->table) {
        cli_json_set(entry, "sample", cli_json_count(number));
    }
    cli_json_set(entry, "class", cli_json_count(choices[0].class));
    const char *name = stoa_dataset_class_name(p->names, choices[0].class);
    if (name) {
        cli_json_set(entry, "name", cli_json_text(name));
    }
    cli_json_set(entry, "probability", cli_json_number(choices[0].probability));
    cli_json_set(entry, "probabilities", distribution);
    cli_json_append(p->list, entry);
}

static bool is_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

/* Report one sample: the `number`th of its file, from 1. */
static int report(const struct prediction *p, const struct source *source, size_t number, const float *output,
                  struct choice *choices) {
    if (!is_finite(output, p->classes)) {
        return cli_fail(CLI_FAILED, "%s: the model's output for %s is not finite", p->subject->path,
                        source->file);
    }
    choose(output, p->classes, p->is_probability, choices);
    if (p->list) {
        add_json(p, source, number, choices);
    } else {
        print_text(p, source, number, choices);
    }
    return CLI_DONE;
}

/* ---- reading ---- */

/* Add the samples of a file to those that are there. */
static int add_samples(struct prediction *p, const char *file, size_t at, const stoa_dataset *data) {
    size_t count = stoa_dataset_count(data);
    if (p->count + count > p->room) {
        p->room = 2 * (p->count + count);
        float *larger = cli_allocate(p->room, p->size * sizeof *larger);
        if (p->count > 0) {
            memcpy(larger, p->samples, p->count * p->size * sizeof *larger);
        }
        free(p->samples);
        p->samples = larger;
    }
    int32_t *labels = cli_allocate(count, sizeof *labels);
    stoa_dataset_read(data, NULL, 0, count, p->samples + p->count * p->size, labels);
    free(labels);
    p->sources[at] = (struct source){file, count, strcmp(stoa_dataset_format(data), "pictures") != 0};
    p->count += count;
    stoa_status status = stoa_dataset_check(data);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(p->subject->context, status);
}

/* Read every file. */
static int read_files(struct prediction *p) {
    size_t files = p->request->operand_count;
    int code = CLI_DONE;
    p->size = stoa_model_input_size(p->subject->model);
    p->sources = cli_allocate(files, sizeof *p->sources);
    for (size_t i = 0; code == CLI_DONE && i < files; i++) {
        const char *file = p->request->operands[i];
        stoa_dataset *data = NULL;
        stoa_status status = stoa_model_open_samples(p->subject->context, p->subject->model, file, &data);
        code =
            status == STOA_OK ? add_samples(p, file, i, data) : cli_fail_library(p->subject->context, status);
        if (p->names) {
            stoa_dataset_free(data);
        } else {
            p->names = data;
        }
    }
    return code;
}

/* ---- answering ---- */

static int make_plan(struct prediction *p, size_t batch) {
    stoa_plan_options options = {.batch = batch, .prepare = true};
    stoa_status status = stoa_plan_create(p->subject->context, p->subject->model, &options, &p->plan);
    if (status == STOA_OK) {
        status = stoa_plan_bind(p->plan, NULL);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(p->subject->context, status);
}

static bool ends_in_softmax(const stoa_model *model) {
    stoa_layer_info last;
    size_t layers = stoa_model_layer_count(model);
    return layers > 0 && stoa_model_layer(model, layers - 1, &last) == STOA_OK &&
           strcmp(last.op, "softmax") == 0;
}

/* Run a batch when the one before is used up; `output` is then of its first sample. */
static int run_batch(const struct prediction *p, size_t first, size_t batch, const float **output) {
    size_t left = p->count - first, count = left < batch ? left : batch;
    memcpy(stoa_plan_input(p->plan), p->samples + first * p->size, count * p->size * sizeof(float));
    stoa_status status = stoa_plan_infer(p->plan, count, output);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(p->subject->context, status);
}

static int answer(const struct prediction *p, size_t batch) {
    struct choice *choices = cli_allocate(p->classes, sizeof *choices);
    const struct source *source = p->sources;
    const float *output = NULL;
    size_t number = 0; /* in its file */
    size_t at = 0;     /* in its batch */
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < p->count; i++) {
        if (at == 0) {
            code = run_batch(p, i, batch, &output);
        }
        if (number == source->samples) {
            source++;
            number = 0;
        }
        if (code == CLI_DONE) {
            code = report(p, source, ++number, output + at * p->classes, choices);
        }
        at = at + 1 < batch ? at + 1 : 0;
    }
    free(choices);
    return code;
}

static int answer_all(struct prediction *p) {
    size_t batch = p->count < MOST_IN_A_BATCH ? p->count : MOST_IN_A_BATCH;
    int code = make_plan(p, batch);
    p->list = p->request->json ? cli_json_array() : NULL;
    if (code == CLI_DONE) {
        code = answer(p, batch);
    }
    if (p->list && code == CLI_DONE) {
        json_t *report = cli_json_object();
        cli_json_set(report, "model", cli_json_text(p->subject->path));
        cli_json_set(report, "predictions", p->list);
        cli_json_print(report);
    } else {
        json_decref(p->list);
    }
    return code;
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    /* The first operand is the model, the others are files. */
    struct cli_request files = *request;
    files.operands++;
    files.operand_count--;
    struct prediction prediction = {.request = &files, .subject = &subject};
    int code = cli_open_context(request, &subject);
    if (code == CLI_DONE) {
        code = cli_open_model(request->operands[0], NULL, &subject);
    }
    if (code == CLI_DONE) {
        code = cli_choose_layout(request, &subject);
    }
    if (code == CLI_DONE) {
        prediction.classes = stoa_model_output_size(subject.model);
        prediction.is_probability = ends_in_softmax(subject.model);
        code = read_files(&prediction);
    }
    if (code == CLI_DONE) {
        code = answer_all(&prediction);
    }
    stoa_plan_free(prediction.plan);
    free(prediction.samples);
    free(prediction.sources);
    stoa_dataset_free(prediction.names);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"layout", "threads", "json", NULL};

const struct cli_command cli_predict = {
    .name = "predict",
    .summary = "class and probabilities of pictures in PNG or JPEG files, or of samples in tables",
    .usage = "predict MODEL FILE... [options]",
    .description =
        "Tell the digit on each picture: any size, grey or colour, dark on light or light on dark; by a\n"
        "model trained on pictures or in colour, any picture of its size, or with resize of any. MODEL is a\n"
        "model file or the folder of a run. Tables (*.csv) and arrays (*.npy, *.npz) hold many samples; "
        "their\n"
        "labels are not looked at. A line a sample with the class and its probability, then a line with all "
        "classes,\n"
        "the most probable first. Nothing is printed unless all files can be read.",
    .examples = "  stoa predict runs/mnist-cnn-1 seven.png\n"
                "  stoa predict model.safetensors scans/*.png --json\n"
                "  stoa predict runs/iris-relu-1 flowers.csv",
    .options = option_names,
    .operand = "MODEL or FILE",
    .least_operands = 2,
    .most_operands = INT_MAX,
    .multiplies = true,
    .run = run,
};
