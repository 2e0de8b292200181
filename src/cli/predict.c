/* SPDX-License-Identifier: MIT */
/* `stoa predict`: the class of images in PNG files and of samples in tables. All files are read before the
 * first answer, so that a bad one stops the command before it has printed anything. Floor 9: public headers
 * only. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/open.h"
#include "cli/range.h"
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
    struct cli_facts facts;
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
static const char *name_of(const struct prediction *p, size_t class, struct cli_word *word) {
    if (p->facts.name_of_a_class) {
        return p->facts.name_of_a_class[class];
    }
    (void)snprintf(word->text, sizeof word->text, "%zu", class);
    return word->text;
}

/* `number` counts the samples of a table from 1. */
static void print_text(const struct prediction *p, const struct source *source, size_t number,
                       struct choice *choices) {
    struct cli_word word = {""};
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
    if (p->facts.name_of_a_class) {
        cli_json_set(entry, "name", cli_json_text(p->facts.name_of_a_class[choices[0].class]));
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

/* Make room for `count` more samples of a file. */
static float *add_source(struct prediction *p, const char *file, size_t count, bool table, size_t at) {
    if (p->count + count > p->room) {
        p->room = 2 * (p->count + count);
        float *larger = cli_allocate(p->room, p->size * sizeof *larger);
        if (p->count > 0) {
            memcpy(larger, p->samples, p->count * p->size * sizeof *larger);
        }
        free(p->samples);
        p->samples = larger;
    }
    p->sources[at] = (struct source){file, count, table};
    p->count += count;
    return p->samples + (p->count - count) * p->size;
}

/* A picture of a digit, brought into the form of MNIST; for models that were trained on pictures or in
 * colour, as it is. */
static int read_picture(struct prediction *p, const char *file, size_t at) {
    size_t height, width, channels;
    const char *format = stoa_model_fact(p->subject->model, "data.format");
    stoa_model_input_shape(p->subject->model, &height, &width, &channels);
    bool plain = channels == 3 || (format && strcmp(format, "pictures") == 0);
    if (channels != 1 && !plain) {
        return cli_fail(CLI_WRONG, "%s: takes %zux%zux%zu samples, expected one channel or three for a PNG",
                        p->subject->path, height, width, channels);
    }
    float scale = 1;
    int code = cli_pixel_scale(p->subject, &p->facts, file, &scale);
    if (code != CLI_DONE) {
        return code;
    }
    float *image = add_source(p, file, 1, false, at);
    stoa_context *context = p->subject->context;
    stoa_status status = plain ? stoa_image_read(context, file, height, width, channels, image)
                               : stoa_image_read_digit(context, file, height, width, image);
    for (size_t i = 0; status == STOA_OK && i < p->size; i++) {
        image[i] *= scale;
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(p->subject->context, status);
}

/* The samples of a data set, brought to the range of those that the model was trained on. */
static int add_samples(struct prediction *p, const char *file, size_t at, const stoa_dataset *data) {
    float scale = 1;
    size_t count = stoa_dataset_count(data);
    int code = cli_value_scale(p->subject, &p->facts, file, data, &scale);
    if (code != CLI_DONE) {
        return code;
    }
    int32_t *labels = cli_allocate(count, sizeof *labels);
    float *samples = add_source(p, file, count, true, at);
    stoa_dataset_read(data, NULL, 0, count, samples, labels);
    for (size_t i = 0; i < count * p->size; i++) {
        samples[i] *= scale;
    }
    free(labels);
    stoa_status status = stoa_dataset_check(data);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(p->subject->context, status);
}

/* As many values are not enough: they must be the model's shape, or a row of one channel for a model over
 * rows. */
static int check_shape(const struct prediction *p, const char *file, size_t height, size_t width,
                       size_t channels) {
    size_t wanted[3];
    stoa_model_input_shape(p->subject->model, &wanted[0], &wanted[1], &wanted[2]);
    if (height * width * channels != p->size) {
        return cli_fail(CLI_WRONG, "%s: has %zu values a sample, expected %zu, the model's input", file,
                        height * width * channels, p->size);
    }
    bool row = wanted[0] * wanted[1] == 1 && (channels == 1 || height * width == 1);
    bool same = height == wanted[0] && width == wanted[1] && channels == wanted[2];
    return row || same ? CLI_DONE
                       : cli_fail(CLI_WRONG,
                                  "%s: has samples of %zux%zux%zu, expected %zux%zux%zu, the model's input",
                                  file, height, width, channels, wanted[0], wanted[1], wanted[2]);
}

/* All samples of a file that may hold many. */
static int read_table(struct prediction *p, const char *file, size_t at) {
    stoa_data_options options = p->facts.options;
    stoa_dataset *data = NULL;
    size_t height, width, channels;
    options.unlabelled = true;
    stoa_status status = stoa_dataset_load(p->subject->context, file, &options, NULL, &data);
    if (status != STOA_OK) {
        return cli_fail_library(p->subject->context, status);
    }
    stoa_dataset_shape(data, &height, &width, &channels);
    int code = check_shape(p, file, height, width, channels);
    if (code == CLI_DONE) {
        code = add_samples(p, file, at, data);
    }
    stoa_dataset_free(data);
    return code;
}

static bool is_table(const char *file) {
    static const char *const ends[] = {".csv", ".npy", ".npz"};
    size_t length = strlen(file);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t tail = strlen(ends[i]);
        if (length > tail && strcmp(file + length - tail, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Read and normalise every file. */
static int read_files(struct prediction *p) {
    size_t height, width, channels, files = p->request->operand_count;
    int code = cli_read_facts(p->subject, &p->facts);
    if (code != CLI_DONE) {
        return code;
    }
    stoa_model_input_shape(p->subject->model, &height, &width, &channels);
    p->size = height * width * channels;
    p->sources = cli_allocate(files, sizeof *p->sources);
    for (size_t i = 0; code == CLI_DONE && i < files; i++) {
        const char *file = p->request->operands[i];
        code = is_table(file) ? read_table(p, file, i) : read_picture(p, file, i);
    }
    return code == CLI_DONE ? cli_scale(p->subject, &p->facts, p->samples, p->count) : code;
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
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < p->count; i++) {
        if (i % batch == 0) {
            code = run_batch(p, i, batch, &output);
        }
        if (number == source->samples) {
            source++;
            number = 0;
        }
        if (code == CLI_DONE) {
            code = report(p, source, ++number, output + i % batch * p->classes, choices);
        }
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
    cli_free_facts(&prediction.facts);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"layout", "threads", "json", NULL};

const struct cli_command cli_predict = {
    .name = "predict",
    .summary = "class and probabilities of images in PNG files, or of samples in tables",
    .usage = "predict MODEL FILE... [options]",
    .description =
        "Tell the digit on each PNG: any size, grey or colour, dark on light or light on dark; by a model\n"
        "trained on pictures or in colour, any PNG of its size. MODEL is a\n"
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
