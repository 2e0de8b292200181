/* SPDX-License-Identifier: MIT */
/* Where a model is right and where it is wrong: every sample of the test data, the classes that are taken for
 * each other, and the mistakes that it is surest of. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/frame.h"
#include "report/html.h"
#include "report/page_part.h"
#include "report/words.h"

/* Classes whose matrix is counted, those that are drawn, and those with a line each; mistakes, and values of a
 * sample that is no picture. */
enum {
    BATCH = 256,
    MOST_COUNTED = 2000,
    MOST_DRAWN = 50,
    MOST_LINES = 100,
    MOST_MISTAKES = 24,
    MOST_VALUES = 8
};

struct mistake {
    size_t sample; /* in the data */
    size_t label, answer;
    double sure, own; /* probability of the answer, and of the label */
};

/* The test in progress, and what it has found. */
struct test {
    struct report_part *part;
    const struct report_subject *subject;
    struct report_out *out;
    stoa_plan *plan;
    size_t classes, count;
    bool is_probability; /* the network ends in softmax */
    int32_t *labels;
    size_t *index;
    double *share;     /* probabilities of one sample */
    double *confusion; /* classes x classes, rows are labels; NULL: too many */
    char **class_name; /* of each class */
    struct mistake mistake[MOST_MISTAKES];
    size_t mistakes; /* in the list */
};

/* Whether the data are what the model takes, as a test of the library would have it. */
static bool fits(const struct test *test, char *reason, size_t size) {
    const struct report_subject *subject = test->subject;
    size_t wanted[3], found[3];
    stoa_model_input_shape(subject->model, &wanted[0], &wanted[1], &wanted[2]);
    stoa_dataset_shape(subject->data, &found[0], &found[1], &found[2]);
    bool row = wanted[0] * wanted[1] == 1 && (found[2] == 1 || found[0] * found[1] == 1) &&
               found[0] * found[1] * found[2] == wanted[2];
    if (!row && memcmp(wanted, found, sizeof wanted) != 0) {
        (void)snprintf(reason, size, "the model takes samples of %zux%zux%zu, the data have %zux%zux%zu",
                       wanted[0], wanted[1], wanted[2], found[0], found[1], found[2]);
        return false;
    }
    if (stoa_dataset_classes(subject->data) != stoa_model_output_size(subject->model)) {
        (void)snprintf(reason, size, "the model has %zu outputs, the data have %zu classes",
                       stoa_model_output_size(subject->model), stoa_dataset_classes(subject->data));
        return false;
    }
    return true;
}

static bool ends_in_softmax(const stoa_model *model) {
    stoa_layer_info last;
    size_t layers = stoa_model_layer_count(model);
    return layers > 0 && stoa_model_layer(model, layers - 1, &last) == STOA_OK &&
           strcmp(last.op, "softmax") == 0;
}

static bool name_classes(struct test *test) {
    test->class_name = report_memory(test->out, test->classes, sizeof *test->class_name);
    for (size_t i = 0; test->class_name && i < test->classes; i++) {
        const char *name = stoa_dataset_class_name(test->subject->data, i);
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", i);
        test->class_name[i] = report_copy(test->part, name ? name : number);
        if (!test->class_name[i]) {
            return false;
        }
    }
    return test->class_name != NULL;
}

static stoa_status open_test(struct test *test) {
    const struct report_subject *subject = test->subject;
    test->classes = stoa_dataset_classes(subject->data);
    test->count = stoa_dataset_count(subject->data);
    test->part->all_samples = test->count;
    if (subject->samples > 0 && subject->samples < test->count) {
        test->count = subject->samples;
    }
    test->is_probability = ends_in_softmax(subject->model);
    test->labels = report_memory(test->out, BATCH, sizeof *test->labels);
    test->index = report_memory(test->out, BATCH, sizeof *test->index);
    test->share = report_memory(test->out, test->classes, sizeof *test->share);
    if (test->classes <= MOST_COUNTED) {
        test->confusion = report_memory(test->out, test->classes * test->classes, sizeof *test->confusion);
    }
    if (!name_classes(test) || test->out->failed) {
        return STOA_ERR_MEMORY;
    }
    stoa_plan_options options = {.batch = BATCH, .prepare = true};
    stoa_status status = stoa_plan_create(subject->context, subject->model, &options, &test->plan);
    return status == STOA_OK ? stoa_plan_bind(test->plan, NULL) : status;
}

static void close_test(struct test *test) {
    stoa_plan_free(test->plan);
    for (size_t i = 0; test->class_name && i < test->classes; i++) {
        free(test->class_name[i]);
    }
    free(test->class_name);
    free(test->labels);
    free(test->index);
    free(test->share);
    free(test->confusion);
}

/* Probabilities from a network's output, in double. */
static void to_shares(const struct test *test, const float *output) {
    double highest = (double)output[0], sum = 0;
    for (size_t i = 1; i < test->classes; i++) {
        highest = fmax(highest, (double)output[i]);
    }
    for (size_t i = 0; i < test->classes; i++) {
        double value = (double)output[i];
        test->share[i] = test->is_probability ? value : exp(value - highest);
        sum += test->share[i];
    }
    for (size_t i = 0; i < test->classes && !test->is_probability; i++) {
        test->share[i] /= sum;
    }
}

/* Keep the mistakes that the model is surest of, the surest first. */
static void keep_mistake(struct test *test, const struct mistake *mistake) {
    size_t at = test->mistakes;
    while (at > 0 && test->mistake[at - 1].sure < mistake->sure) {
        at--;
    }
    if (at == MOST_MISTAKES) {
        return;
    }
    test->mistakes += test->mistakes < MOST_MISTAKES;
    memmove(&test->mistake[at + 1], &test->mistake[at], (test->mistakes - at - 1) * sizeof *mistake);
    test->mistake[at] = *mistake;
}

/* Judge one sample; false where its output is not finite. */
static bool judge(struct test *test, size_t sample, size_t label, const float *output) {
    size_t answer = 0;
    for (size_t i = 0; i < test->classes; i++) {
        if (!isfinite(output[i])) {
            return false;
        }
        answer = output[i] > output[answer] ? i : answer;
    }
    test->part->samples++;
    test->part->correct += answer == label;
    if (test->confusion) {
        test->confusion[label * test->classes + answer]++;
    }
    if (answer != label) {
        to_shares(test, output);
        const struct mistake mistake = {sample, label, answer, test->share[answer], test->share[label]};
        keep_mistake(test, &mistake);
    }
    return true;
}

/* The sample of the data that is tested as number `i`: one of each of as many equal parts, at places in them
 * that keep no step with classes that take turns (multiples of the golden section). */
static size_t sample_at(const struct test *test, size_t i) {
    double place = (double)i + fmod((double)i * 0.6180339887498949, 1);
    size_t sample = (size_t)(place * (double)test->part->all_samples / (double)test->count);
    return sample < test->part->all_samples ? sample : test->part->all_samples - 1;
}

/* Test all samples; false with the reason. */
static bool run_test(struct test *test, char *reason, size_t size) {
    const stoa_dataset *data = test->subject->data;
    for (size_t first = 0; first < test->count; first += BATCH) {
        size_t count = test->count - first < BATCH ? test->count - first : BATCH;
        for (size_t i = 0; i < count; i++) {
            test->index[i] = sample_at(test, first + i);
        }
        const float *output;
        stoa_dataset_read(data, test->index, 0, count, stoa_plan_input(test->plan), test->labels);
        stoa_status status = stoa_dataset_check(data);
        status = status == STOA_OK ? stoa_plan_infer(test->plan, count, &output) : status;
        if (status != STOA_OK) {
            test->part->failed = test->part->failed || status == STOA_ERR_MEMORY;
            (void)snprintf(reason, size, "%s", stoa_context_error(test->subject->context));
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (!judge(test, test->index[i], (size_t)test->labels[i], output + i * test->classes)) {
                (void)snprintf(reason, size, "the model's output for sample %zu is not finite",
                               test->index[i] + 1);
                return false;
            }
        }
    }

    return true;
}

/* ---- what is shown ---- */

static void write_matrix(const struct test *test) {
    const struct report_matrix matrix = {.row_title = "label",
                                         .column_title = "answer",
                                         .row_label = (const char *const *)test->class_name,
                                         .column_label = (const char *const *)test->class_name,
                                         .rows = test->classes,
                                         .columns = test->classes,
                                         .value = test->confusion,
                                         .is_confusion = true};
    struct report_id id = {""};
    const struct report_chart chart = {.id = report_id_of(&id, test->part, "confusion"),
                                       .title = "Which class is taken for which",
                                       .matrix = &matrix};
    report_html_chart(test->out, &chart,
                      "A row is a label, a column an answer: right ones lie on the diagonal.");
}

static double samples_of(const struct test *test, size_t label) {
    double sum = 0;
    for (size_t i = 0; i < test->classes; i++) {
        sum += test->confusion[label * test->classes + i];
    }
    return sum;
}

/* The class that samples of this one are taken for most often, when not for their own; itself: none. */
static size_t worst_of(const struct test *test, size_t label) {
    const double *row = test->confusion + label * test->classes;
    size_t worst = label;
    for (size_t i = 0; i < test->classes; i++) {
        worst = i != label && row[i] > (worst == label ? 0 : row[worst]) ? i : worst;
    }
    return worst;
}

static void number_cell(struct report_out *out, struct report_html_table *table, double number) {
    struct report_words words = {""};
    report_html_cell(out, table, report_count_words(&words, (size_t)number));
}

static void write_classes(const struct test *test) {
    static const char *const heads[] = {"class", "samples", "right", "accuracy", "most taken for", "times"};
    struct report_html_table table;
    report_put(test->out, "<figure><h3>Each class</h3>\n");
    report_html_table_begin(test->out, &table, "lrrrlr", "Accuracy of each class");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        report_html_cell(test->out, &table, heads[i]);
    }
    for (size_t i = 0; i < test->classes; i++) {
        size_t worst = worst_of(test, i);
        double samples = samples_of(test, i), right = test->confusion[i * test->classes + i];
        struct report_words words = {""};
        report_html_cell(test->out, &table, test->class_name[i]);
        number_cell(test->out, &table, samples);
        number_cell(test->out, &table, right);
        report_html_cell(test->out, &table, samples > 0 ? report_percent_words(&words, right / samples) : "");
        report_html_cell(test->out, &table, worst == i ? "" : test->class_name[worst]);
        if (worst == i) {
            report_html_cell(test->out, &table, "");
        } else {
            number_cell(test->out, &table, test->confusion[i * test->classes + worst]);
        }
    }
    report_html_table_end(test->out, &table);
    report_put(test->out, "</figure>\n");
}

/* "sample 1234: 4 taken for 9 with 99.9 %, 4 had 0.1 %" */
static void about_mistake(const struct test *test, const struct mistake *mistake, struct report_out *about) {
    const char *label = test->class_name[mistake->label], *answer = test->class_name[mistake->answer];
    report_print(about, "sample %zu: ", mistake->sample + 1);
    report_put(about, label);
    report_put(about, " taken for ");
    report_put(about, answer);
    report_print(about, " with %.1f %%; ", 100 * mistake->sure);
    report_put(about, label);
    report_print(about, " had %.1f %%", 100 * mistake->own);
}

struct album {
    struct report_tile tile[MOST_MISTAKES];
    struct report_out label[MOST_MISTAKES], about[MOST_MISTAKES];
    unsigned char *pixels;
    float *sample;
};

static void fill_album(const struct test *test, const struct report_pixels *pixels, struct album *album) {
    size_t bytes = pixels->height * pixels->width * pixels->shown;
    for (size_t i = 0; i < test->mistakes; i++) {
        const struct mistake *mistake = &test->mistake[i];
        int32_t label;
        stoa_dataset_read(test->subject->data, &mistake->sample, 0, 1, album->sample, &label);
        report_pixels_of(pixels, album->sample, album->pixels + i * bytes);
        report_put(&album->label[i], test->class_name[mistake->label]);
        report_put(&album->label[i], " \342\206\222 "); /* an arrow to the right */
        report_put(&album->label[i], test->class_name[mistake->answer]);
        about_mistake(test, mistake, &album->about[i]);
        test->out->failed = test->out->failed || album->label[i].failed || album->about[i].failed;
        album->tile[i] = (struct report_tile){.pixels = album->pixels + i * bytes,
                                              .width = pixels->width,
                                              .height = pixels->height,
                                              .channels = pixels->shown,
                                              .label = album->label[i].text,
                                              .about = album->about[i].text};
    }
}

/* Pictures in a line: so many that their names have room; 0: as many as look well. */
static size_t columns_of(const struct album *album, size_t count) {
    enum { SIDE = 60, MOST = 7 };
    double widest = SIDE;
    for (size_t i = 0; i < count; i++) {
        widest = fmax(widest, report_text_width(album->label[i].text, 11) + 2 * REPORT_GAP);
    }
    double columns = REPORT_WIDTH / widest;
    return columns >= MOST ? 0 : columns < 1 ? 1 : (size_t)columns;
}

static void write_album(const struct test *test, const struct report_pixels *pixels) {
    struct album *album = report_memory(test->out, 1, sizeof *album);
    if (album) {
        size_t bytes = pixels->height * pixels->width * pixels->shown;
        album->pixels = report_memory(test->out, test->mistakes, bytes);
        album->sample =
            report_memory(test->out, stoa_model_input_size(test->subject->model), sizeof *album->sample);
    }
    if (album && album->pixels && album->sample) {
        fill_album(test, pixels, album);
        const struct report_tiles tiles = {
            .tile = album->tile, .count = test->mistakes, .columns = columns_of(album, test->mistakes)};
        struct report_id id = {""};
        const struct report_chart chart = {.id = report_id_of(&id, test->part, "album"),
                                           .title = "The worst mistakes",
                                           .about =
                                               "Pictures of the mistakes that the model is surest of, with "
                                               "label and answer; the table below tells of each.",
                                           .tiles = &tiles};
        if (!test->out->failed) {
            report_html_chart(test->out, &chart,
                              "Label and answer of the samples that the model is surest of and wrong about.");
        }
    }
    for (size_t i = 0; album && i < MOST_MISTAKES; i++) {
        report_out_free(&album->label[i]);
        report_out_free(&album->about[i]);
    }
    if (album) {
        free(album->pixels);
        free(album->sample);
    }
    free(album);
}

/* Of the table that the model was trained with; NULL: not known. */
static json_t *column_names(const stoa_model *model) {
    const char *text = stoa_model_fact(model, "data.columns");
    json_error_t place;
    return text ? json_loads(text, 0, &place) : NULL;
}

/* Samples that are rows of numbers, with the first of their values. */
static void write_rows(const struct test *test, const struct report_pixels *pixels) {
    static const char *const heads[] = {"sample", "label", "answer", "sure", "label had"};
    size_t values = stoa_model_input_size(test->subject->model);
    size_t shown = values < MOST_VALUES ? values : MOST_VALUES;
    float *sample = report_memory(test->out, values, sizeof *sample);
    struct report_html_table table;
    struct report_words words = {""};
    struct report_word word = {""};
    report_put(test->out, "<figure><h3>The worst mistakes</h3>\n");
    char columns[6 + MOST_VALUES] = "rllrr";
    memset(columns + 5, 'r', shown);
    report_html_table_begin(test->out, &table, columns,
                            "Samples that the model is surest of and wrong about");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        report_html_cell(test->out, &table, heads[i]);
    }
    json_t *names = column_names(test->subject->model);
    for (size_t i = 0; i < shown; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        (void)snprintf(word.text, sizeof word.text, "value %zu", i + 1);
        report_html_cell(test->out, &table, name ? name : word.text);
    }
    json_decref(names);
    for (size_t i = 0; sample && i < test->mistakes; i++) {
        const struct mistake *mistake = &test->mistake[i];
        int32_t label;
        stoa_dataset_read(test->subject->data, &mistake->sample, 0, 1, sample, &label);
        report_html_cell(test->out, &table, report_count_words(&words, mistake->sample + 1));
        report_html_cell(test->out, &table, test->class_name[mistake->label]);
        report_html_cell(test->out, &table, test->class_name[mistake->answer]);
        report_html_cell(test->out, &table, report_percent_words(&words, mistake->sure));
        report_html_cell(test->out, &table, report_percent_words(&words, mistake->own));
        for (size_t j = 0; j < shown; j++) {
            double value = (double)report_pixels_value(pixels, sample, j);
            report_html_cell(test->out, &table, report_number_word(&word, value));
        }
    }
    report_html_table_end(test->out, &table);
    if (shown < values) {
        report_print(test->out, "<figcaption>The first %zu of %zu values.</figcaption>\n", shown, values);
    }
    report_put(test->out, "</figure>\n");
    free(sample);
}

static void write_mistakes(const struct test *test) {
    struct report_pixels pixels;
    if (test->mistakes == 0) {
        report_put(test->out, "<p>No sample is taken for another class.</p>\n");
    } else if (!report_pixels_open(test->subject->model, &pixels)) {
        test->out->failed = true;
    } else {
        if (pixels.is_picture) {
            write_album(test, &pixels);
        } else {
            write_rows(test, &pixels);
        }
        report_pixels_close(&pixels);
    }
}

static void write_head(const struct test *test) {
    const struct report_part *part = test->part;
    struct report_words percent = {""}, wrong = {""}, samples = {""}, all = {""};
    report_print(test->out, "<p><strong>%s</strong> right: %s of %s samples are taken for another class",
                 report_percent_words(&percent, (double)part->correct / (double)part->samples),
                 report_count_words(&wrong, part->samples - part->correct),
                 report_count_words(&samples, part->samples));
    if (part->samples < part->all_samples) {
        report_print(test->out, ", evenly taken from %s", report_count_words(&all, part->all_samples));
    }
    report_put(test->out, ". Tested with ");
    report_escape(test->out, test->subject->data_path);
    report_put(test->out, ".</p>\n");
}

static void write_findings(const struct test *test) {
    write_head(test);
    report_put(test->out, "<div class=\"figures pairs\">\n");
    if (test->confusion && test->classes <= MOST_DRAWN) {
        write_matrix(test);
    }
    write_mistakes(test);
    if (test->confusion && test->classes <= MOST_LINES) {
        write_classes(test);
    }
    report_html_figures_end(test->out);
    if (test->classes > MOST_DRAWN) {
        report_print(test->out, "<p>%zu classes are too many to draw a matrix of.</p>\n", test->classes);
    }
}

void report_write_mistakes(struct report_part *part, const struct report_subject *subject) {
    struct report_out *out = &part->section[REPORT_MISTAKES];
    struct test test = {.part = part, .subject = subject, .out = out};
    char reason[512];
    if (!subject->data) {
        report_write_missing(out, subject->no_data);
        return;
    }
    bool good = fits(&test, reason, sizeof reason);
    if (good) {
        stoa_status status = open_test(&test);
        good = status == STOA_OK;
        part->failed = part->failed || status == STOA_ERR_MEMORY;
        (void)snprintf(reason, sizeof reason, "%s", stoa_context_error(subject->context));
    }
    good = good && run_test(&test, reason, sizeof reason);
    if (good) {
        write_findings(&test);
    } else {
        part->samples = part->correct = 0;
        part->no_test = report_copy(part, reason);
        report_write_missing(out, reason);
    }
    close_test(&test);
}
