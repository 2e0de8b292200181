/* SPDX-License-Identifier: MIT */
/* Where a model is right and where it is wrong: classes, and the worst mistakes with their pictures. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/frame.h"
#include "report/html.h"
#include "report/page_test.h"
#include "report/words.h"

/* Classes whose matrix is drawn, and those with a line each; values of a sample that is no picture. */
enum { MOST_DRAWN = 50, MOST_LINES = 100, MOST_VALUES = 8 };

static void write_matrix(const struct report_test *test) {
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

static double samples_of(const struct report_test *test, size_t label) {
    double sum = 0;
    for (size_t i = 0; i < test->classes; i++) {
        sum += test->confusion[label * test->classes + i];
    }
    return sum;
}

/* The class that samples of this one are taken for most often, when not for their own; itself: none. */
static size_t worst_of(const struct report_test *test, size_t label) {
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

static void write_classes(const struct report_test *test) {
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
static void about_mistake(const struct report_test *test, const struct report_mistake *mistake,
                          struct report_out *about) {
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
    struct report_tile tile[REPORT_MOST_MISTAKES];
    struct report_out label[REPORT_MOST_MISTAKES], about[REPORT_MOST_MISTAKES];
    unsigned char *pixels;
    float *sample;
};

static void fill_album(const struct report_test *test, const struct report_pixels *pixels,
                       struct album *album) {
    size_t bytes = pixels->height * pixels->width * pixels->shown;
    for (size_t i = 0; i < test->mistakes; i++) {
        const struct report_mistake *mistake = &test->mistake[i];
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

static void write_album(const struct report_test *test, const struct report_pixels *pixels) {
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
    for (size_t i = 0; album && i < REPORT_MOST_MISTAKES; i++) {
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

static void put_heads(const struct report_test *test, struct report_html_table *table, size_t shown) {
    static const char *const heads[] = {"sample", "label", "answer", "sure", "label had"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        report_html_cell(test->out, table, heads[i]);
    }
    json_t *names = column_names(test->subject->model);
    for (size_t i = 0; i < shown; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        struct report_word word = {""};
        (void)snprintf(word.text, sizeof word.text, "value %zu", i + 1);
        report_html_cell(test->out, table, name ? name : word.text);
    }
    json_decref(names);
}

static void put_row(const struct report_test *test, struct report_html_table *table,
                    const struct report_mistake *mistake, const float *sample,
                    const struct report_pixels *pixels, size_t shown) {
    struct report_words words = {""};
    struct report_word word = {""};
    report_html_cell(test->out, table, report_count_words(&words, mistake->sample + 1));
    report_html_cell(test->out, table, test->class_name[mistake->label]);
    report_html_cell(test->out, table, test->class_name[mistake->answer]);
    report_html_cell(test->out, table, report_percent_words(&words, mistake->sure));
    report_html_cell(test->out, table, report_percent_words(&words, mistake->own));
    for (size_t i = 0; i < shown; i++) {
        double value = (double)report_pixels_value(pixels, sample, i);
        report_html_cell(test->out, table, report_number_word(&word, value));
    }
}

/* Samples that are rows of numbers, with the first of their values. */
static void write_rows(const struct report_test *test, const struct report_pixels *pixels) {
    size_t values = stoa_model_input_size(test->subject->model);
    size_t shown = values < MOST_VALUES ? values : MOST_VALUES;
    float *sample = report_memory(test->out, values, sizeof *sample);
    char columns[6 + MOST_VALUES] = "rllrr";
    struct report_html_table table;
    memset(columns + 5, 'r', shown);
    report_put(test->out, "<figure><h3>The worst mistakes</h3>\n");
    report_html_table_begin(test->out, &table, columns,
                            "Samples that the model is surest of and wrong about");
    put_heads(test, &table, shown);
    for (size_t i = 0; sample && i < test->mistakes; i++) {
        int32_t label;
        stoa_dataset_read(test->subject->data, &test->mistake[i].sample, 0, 1, sample, &label);
        put_row(test, &table, &test->mistake[i], sample, pixels, shown);
    }
    report_html_table_end(test->out, &table);
    if (shown < values) {
        report_print(test->out, "<figcaption>The first %zu of %zu values.</figcaption>\n", shown, values);
    }
    report_put(test->out, "</figure>\n");
    free(sample);
}

static void write_mistakes(const struct report_test *test) {
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

static void write_head(const struct report_test *test) {
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

static void write_findings(const struct report_test *test) {
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
    struct report_test test = {.part = part, .subject = subject, .out = out};
    char reason[512];
    if (!subject->data) {
        report_write_missing(out, subject->no_data);
        return;
    }
    bool good = report_test_run(&test, reason, sizeof reason);
    if (good) {
        write_findings(&test);
    } else {
        part->samples = part->correct = 0;
        part->no_test = report_copy(part, reason);
        report_write_missing(out, reason);
    }
    report_test_close(&test);
}
