/* SPDX-License-Identifier: MIT */
/* Which metrics of runs belong in one chart, and which of them is the strong one. */
#include "report/curves.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 3 };

/* A chart: what it shows of each run, the most telling first. */
static const struct curve {
    const char *id, *title, *label;
    enum report_metric metric[LINES];
    size_t count;
    enum report_scale scale;
    int better; /* -1: the lowest is the best, 1: the highest, 0: neither */
} curves[] = {
    {"loss",
     "Loss",
     "loss",
     {REPORT_TEST_LOSS, REPORT_VALIDATION_LOSS, REPORT_TRAIN_LOSS},
     LINES,
     REPORT_AUTO,
     -1},
    {"accuracy",
     "Accuracy",
     "accuracy",
     {REPORT_TEST_ACCURACY, REPORT_VALIDATION_ACCURACY, REPORT_TRAIN_ACCURACY},
     LINES,
     REPORT_LINEAR,
     1},
    {"rmse", "RMSE", "RMSE", {REPORT_TEST_RMSE, REPORT_VALIDATION_RMSE}, 2, REPORT_AUTO, -1},
    {"r2", "R2", "R2", {REPORT_TEST_R2, REPORT_VALIDATION_R2}, 2, REPORT_LINEAR, 1},
    {"f1", "F1", "F1", {REPORT_TEST_F1, REPORT_VALIDATION_F1}, 2, REPORT_LINEAR, 1},
    {"average-precision",
     "Average precision",
     "average precision",
     {REPORT_TEST_AVERAGE_PRECISION, REPORT_VALIDATION_AVERAGE_PRECISION},
     2,
     REPORT_LINEAR,
     1},
    {"rate", "Learning rate", "learning rate", {REPORT_LEARNING_RATE}, 1, REPORT_AUTO, 0},
    {"speed", "Images per second", "images per second", {REPORT_IMAGES_PER_SECOND}, 1, REPORT_LINEAR, 0},
};
static const char *const parts[LINES] = {"test", "validation", "training"};

/* The epoch that was best by validation, else by this metric. */
static size_t best_of(const struct report_run *run, const struct curve *curve, enum report_metric metric) {
    if (run->best || curve->better == 0) {
        return curve->better == 0 ? 0 : run->best;
    }
    size_t place = curve->better < 0 ? report_run_lowest(run, metric) : report_run_highest(run, metric);
    return place == SIZE_MAX ? 0 : place + 1;
}

/* Lines in the making; names[i] is the text of line[i]'s name. */
struct drawing {
    struct report_line *line;
    struct report_out *names;
    size_t count;
    bool mixed;
};

static void add_line(struct drawing *drawing, const struct curve *curve, const struct report_named_run *one,
                     size_t part, bool alone, bool strong) {
    const struct report_run *run = one->run;
    struct report_out *name = &drawing->names[drawing->count];
    report_print(name, "%s%s%s", alone ? "" : one->name, alone || curve->count == 1 ? "" : ", ",
                 curve->count > 1 ? parts[part]
                 : alone          ? curve->label
                                  : "");
    drawing->line[drawing->count++] =
        (struct report_line){.name = name->text,
                             .x = run->value[REPORT_EPOCH],
                             .y = run->value[curve->metric[part]],
                             .count = run->epochs,
                             .best = strong ? best_of(run, curve, curve->metric[part]) : 0,
                             .style = alone ? part + 1 : one->number,
                             .is_faint = !alone && !strong,
                             .no_key = alone ? curve->count == 1 : !strong,
                             .group = alone ? 0 : one->number};
    drawing->mixed = drawing->mixed || (!alone && !strong);
}

static void add_lines(struct drawing *drawing, const struct curve *curve, const struct report_named_run *runs,
                      size_t count, bool alone) {
    for (size_t i = 0; i < count; i++) {
        bool strong = true;
        for (size_t part = 0; part < curve->count; part++) {
            if (report_run_has(runs[i].run, curve->metric[part])) {
                add_line(drawing, curve, &runs[i], part, alone, strong);
                strong = false;
            }
        }
    }
}

static void draw(struct report_out *out, const struct curve *curve, const struct report_named_run *runs,
                 size_t count, bool alone, report_take_chart *take, void *user) {
    struct drawing drawing = {.line = report_memory(out, LINES * count, sizeof *drawing.line),
                              .names = report_memory(out, LINES * count, sizeof *drawing.names)};
    if (drawing.line && drawing.names) {
        add_lines(&drawing, curve, runs, count, alone);
        const struct report_lines lines = {.x = {.label = "epoch", .whole = true},
                                           .y = {.label = curve->label, .scale = curve->scale},
                                           .line = drawing.line,
                                           .count = drawing.count};
        const struct report_chart chart = {.id = curve->id, .title = curve->title, .lines = &lines};
        for (size_t i = 0; i < drawing.count; i++) {
            out->failed = out->failed || drawing.names[i].failed;
        }
        if (drawing.count > 0 && !out->failed) {
            take(user, &chart, drawing.mixed);
        }
        for (size_t i = 0; i < drawing.count; i++) {
            report_out_free(&drawing.names[i]);
        }
    }
    free(drawing.names);
    free(drawing.line);
}

void report_curves(struct report_out *out, const struct report_named_run *runs, size_t count, bool alone,
                   report_take_chart *take, void *user) {
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        draw(out, &curves[i], runs, count, alone, take, user);
    }
}

/* A field of a table: in quotes where it needs them. */
static void put_field(struct report_out *out, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        report_put(out, text);
        return;
    }
    report_put(out, "\"");
    for (const char *c = text; *c; c++) {
        report_put_bytes(out, "\"\"", *c == '"' ? 2 : 0);
        report_put_bytes(out, c, *c == '"' ? 0 : 1);
    }
    report_put(out, "\"");
}

void report_csv(struct report_out *out, const struct report_named_run *runs, size_t count) {
    report_put(out, "Run,Tag,Wall time,Step,Value\n");
    for (size_t i = 0; i < count; i++) {
        const struct report_run *run = runs[i].run;
        for (int metric = 0; metric < REPORT_METRICS; metric++) {
            bool is_value = metric != REPORT_EPOCH && metric != REPORT_TIME;
            for (size_t j = 0; is_value && j < run->epochs; j++) {
                double time = run->value[REPORT_TIME][j], value = run->value[metric][j];
                if (!isfinite(value)) {
                    continue;
                }
                put_field(out, runs[i].name);
                report_print(out, ",%s,", report_metric_key[metric]);
                if (isfinite(time)) {
                    report_print(out, "%.0f", time);
                }
                report_print(out, ",%.0f,%.10g\n", run->value[REPORT_EPOCH][j], value);
            }
        }
    }
}
