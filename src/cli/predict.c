/* `stoa predict`: the class of images in PNG files. All files are read before the first answer, so that a bad
 * one stops the command before it has printed anything. Floor 9: public headers only. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/open.h"
#include "cli/report.h"

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

static void print_text(const char *file, struct choice *choices, size_t classes) {
    qsort(choices, classes, sizeof *choices, by_probability);
    (void)printf("%s: %zu  %.2f %%\n ", file, choices[0].class, 100 * choices[0].probability);
    for (size_t i = 0; i < classes; i++) {
        (void)printf("  %zu %.4f", choices[i].class, choices[i].probability);
    }
    (void)puts("");
}

static void add_json(json_t *list, const char *file, struct choice *choices, size_t classes) {
    json_t *entry = cli_json_object(), *distribution = cli_json_array();
    for (size_t i = 0; i < classes; i++) {
        cli_json_append(distribution, cli_json_number(choices[i].probability));
    }
    qsort(choices, classes, sizeof *choices, by_probability);
    cli_json_set(entry, "file", cli_json_text(file));
    cli_json_set(entry, "class", cli_json_count(choices[0].class));
    cli_json_set(entry, "probability", cli_json_number(choices[0].probability));
    cli_json_set(entry, "probabilities", distribution);
    cli_json_append(list, entry);
}

/* What all files share. */
struct prediction {
    const struct cli_request *request;
    const struct cli_subject *subject;
    stoa_plan *plan;
    float *images; /* (files, height, width), normalised */
    size_t image;  /* floats in one */
    size_t classes;
    bool is_probability;
    json_t *list; /* NULL: text */
};

static bool is_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

/* Run `count` images from `first` on and report them. */
static int answer(const struct prediction *p, size_t first, size_t count, struct choice *choices) {
    const float *output;
    memcpy(stoa_plan_input(p->plan), p->images + first * p->image, count * p->image * sizeof(float));
    stoa_status status = stoa_plan_infer(p->plan, count, &output);
    if (status != STOA_OK) {
        return cli_fail_library(p->subject->context, status);
    }
    for (size_t i = 0; i < count; i++) {
        const char *file = p->request->operands[first + i];
        const float *logits = output + i * p->classes;
        if (!is_finite(logits, p->classes)) {
            return cli_fail(CLI_FAILED, "%s: the model's output for %s is not finite", p->subject->path,
                            file);
        }
        choose(logits, p->classes, p->is_probability, choices);
        if (p->list) {
            add_json(p->list, file, choices, p->classes);
        } else {
            print_text(file, choices, p->classes);
        }
    }
    return CLI_DONE;
}

/* Read and normalise every file. */
static int read_images(struct prediction *p) {
    struct cli_facts facts;
    int code = cli_read_facts(p->subject, &facts);
    size_t height, width, channels;
    stoa_model_input_shape(p->subject->model, &height, &width, &channels);
    if (code == CLI_DONE && channels != 1) {
        code = cli_fail(CLI_WRONG, "%s: takes %zux%zux%zu images, expected one channel for a PNG's digit",
                        p->subject->path, height, width, channels);
    }
    if (code != CLI_DONE) {
        return code;
    }
    p->image = height * width;
    p->images = cli_allocate(p->request->operand_count, p->image * sizeof(float));
    for (size_t i = 0; i < p->request->operand_count; i++) {
        float *image = p->images + i * p->image;
        stoa_status status =
            stoa_image_read_digit(p->subject->context, p->request->operands[i], height, width, image);
        if (status != STOA_OK) {
            return cli_fail_library(p->subject->context, status);
        }
        for (size_t j = 0; j < p->image; j++) {
            image[j] = (image[j] - facts.mean) / facts.deviation;
        }
    }
    return CLI_DONE;
}

static int make_plan(struct prediction *p, size_t batch) {
    stoa_plan_options options = {.batch = batch};
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

static int answer_all(struct prediction *p) {
    size_t files = p->request->operand_count, batch = MOST_IN_A_BATCH;
    if (files < batch) {
        batch = files;
    }
    int code = make_plan(p, batch);
    struct choice *choices = cli_allocate(p->classes, sizeof *choices);
    p->list = p->request->json ? cli_json_array() : NULL;
    for (size_t first = 0; code == CLI_DONE && first < files; first += batch) {
        code = answer(p, first, files - first < batch ? files - first : batch, choices);
    }
    free(choices);
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
        prediction.classes = stoa_model_output_size(subject.model);
        prediction.is_probability = ends_in_softmax(subject.model);
        code = read_images(&prediction);
    }
    if (code == CLI_DONE) {
        code = answer_all(&prediction);
    }
    stoa_plan_free(prediction.plan);
    free(prediction.images);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"threads", "json", NULL};

const struct cli_command cli_predict = {
    .name = "predict",
    .summary = "class and probabilities of images in PNG files",
    .usage = "predict MODEL FILE... [options]",
    .description =
        "Tell the digit on each PNG: any size, grey or colour, dark on light or light on dark. MODEL is a\n"
        "model file or the folder of a run. A line a file with the class and its probability, then a line\n"
        "with all classes, the most probable first. Nothing is printed unless all files can be read.",
    .examples = "  stoa predict runs/mnist-cnn-1 seven.png\n"
                "  stoa predict model.safetensors scans/*.png --json",
    .options = option_names,
    .operand = "MODEL or FILE",
    .least_operands = 2,
    .most_operands = INT_MAX,
    .multiplies = true,
    .run = run,
};
