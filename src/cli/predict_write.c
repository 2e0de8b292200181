/* SPDX-License-Identifier: MIT */
/* How the answers of `stoa predict` are written: lines, a table, JSON or CSV. Public headers only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data_look.h"
#include "cli/predict.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/targets.h"
#include "cli/whole_file.h"

/* More samples than these have a table, with a line each. */
enum { MOST_LINES = 20 };

struct choice {
    size_t class;
    double probability;
};

struct cli_predictions {
    const struct cli_request *request;
    const struct cli_subject *subject;
    const stoa_dataset *names;
    size_t classes, count;
    struct choice *choices; /* of one sample, the most probable first */
    json_t *list;           /* NULL: no JSON */
    struct report_out csv;
    struct cli_table table;
    bool tabular;
};

static int by_probability(const void *a, const void *b) {
    const struct choice *left = a, *right = b;
    if (left->probability < right->probability || left->probability > right->probability) {
        return left->probability < right->probability ? 1 : -1;
    }
    return left->class < right->class ? -1 : 1;
}

static void sort(struct cli_predictions *p, const struct cli_answer *answer) {
    for (size_t i = 0; i < p->classes; i++) {
        p->choices[i] = (struct choice){i, answer->share[i]};
    }
    qsort(p->choices, p->classes, sizeof *p->choices, by_probability);
}

/* ---- text ---- */

/* "FILE", or "FILE:ROW"; from malloc. */
static char *place_of(const struct cli_answer *answer) {
    const struct cli_source *source = answer->source;
    return source->many ? cli_text("%s:%zu", source->name, answer->number) : cli_text("%s", source->name);
}

static bool has_targets(const struct cli_predictions *p) {
    return stoa_dataset_targets(p->names) > 0;
}

static void print_lines(const struct cli_predictions *p, const struct cli_answer *answer) {
    char *place = place_of(answer), number[32];
    if (has_targets(p)) {
        cli_print("%s: ", place);
        cli_print_targets(p->names, answer->share);
        free(place);
        return;
    }
    cli_print("%s: %s  %.2f %%\n ", place, cli_class_name(p->names, p->choices[0].class, number),
              100 * p->choices[0].probability);
    for (size_t i = 0; i < p->classes; i++) {
        cli_print("  %s %.4f", cli_class_name(p->names, p->choices[i].class, number),
                  p->choices[i].probability);
    }
    (void)puts("");
    free(place);
}

/* The two most probable classes. */
static void add_row(struct cli_predictions *p, const struct cli_answer *answer) {
    char *place = place_of(answer), number[32];
    cli_table_cell(&p->table, "%s", place);
    for (size_t i = 0; i < 2; i++) {
        bool known = i < p->classes;
        cli_table_cell(&p->table, "%s", known ? cli_class_name(p->names, p->choices[i].class, number) : "");
        if (known) {
            cli_table_cell(&p->table, "%.2f %%", 100 * p->choices[i].probability);
        } else {
            cli_table_cell(&p->table, "%s", "");
        }
    }
    free(place);
}

static void begin_table(struct cli_predictions *p) {
    static const char *const heading[] = {"sample", "class", "probability", "then", "probability"};
    p->table.columns = "llrlr";
    for (size_t i = 0; i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(&p->table, "%s", heading[i]);
    }
}

/* ---- JSON ---- */

static void add_json(struct cli_predictions *p, const struct cli_answer *answer) {
    json_t *entry = cli_json_object();
    if (has_targets(p)) {
        cli_json_set(entry, "file", cli_json_text(answer->source->name));
        if (answer->source->many) {
            cli_json_set(entry, "sample", cli_json_count(answer->number));
        }
        cli_add_targets(entry, p->names, answer->share);
        cli_json_append(p->list, entry);
        return;
    }
    json_t *distribution = cli_json_array();
    for (size_t i = 0; i < p->classes; i++) {
        cli_json_append(distribution, cli_json_number(answer->share[i]));
    }
    cli_json_set(entry, "file", cli_json_text(answer->source->name));
    if (answer->source->many) {
        cli_json_set(entry, "sample", cli_json_count(answer->number));
    }
    cli_json_set(entry, "class", cli_json_count(p->choices[0].class));
    const char *name = stoa_dataset_class_name(p->names, p->choices[0].class);
    if (name) {
        cli_json_set(entry, "name", cli_json_text(name));
    }
    cli_json_set(entry, "probability", cli_json_number(p->choices[0].probability));
    cli_json_set(entry, "probabilities", distribution);
    cli_json_append(p->list, entry);
}

/* ---- CSV ---- */

static const char csv_begin[] = "file,row,class,name,probability";
static const char csv_begin_targets[] = "file,row"; /* then the targets */

void cli_csv_field(struct report_out *out, const char *text) {
    if (!text[strcspn(text, ",\"\r\n")]) {
        report_put(out, text);
        return;
    }
    report_put(out, "\"");
    for (; *text; text++) {
        report_put_bytes(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    }
    report_put(out, "\"");
}

static void begin_csv(struct cli_predictions *p) {
    char number[32];
    if (has_targets(p)) {
        report_put(&p->csv, csv_begin_targets);
        for (size_t i = 0; i < p->classes; i++) {
            report_put(&p->csv, ",");
            cli_csv_field(&p->csv, cli_target_name(p->names, i, number));
        }
        report_put(&p->csv, "\n");
        return;
    }
    report_put(&p->csv, csv_begin);
    for (size_t i = 0; i < p->classes; i++) {
        char *name = cli_text("p_%s", cli_class_name(p->names, i, number));
        report_put(&p->csv, ",");
        cli_csv_field(&p->csv, name);
        free(name);
    }
    report_put(&p->csv, "\n");
}

static void add_csv(struct cli_predictions *p, const struct cli_answer *answer) {
    char number[32];
    cli_csv_field(&p->csv, answer->source->name);
    report_print(&p->csv, answer->source->many ? ",%zu" : ",", answer->number);
    if (!has_targets(p)) {
        report_print(&p->csv, ",%zu,", p->choices[0].class);
        cli_csv_field(&p->csv, cli_class_name(p->names, p->choices[0].class, number));
        report_print(&p->csv, ",%.6g", p->choices[0].probability);
    }
    for (size_t i = 0; i < p->classes; i++) {
        report_print(&p->csv, ",%.6g", answer->share[i]);
    }
    report_put(&p->csv, "\n");
}

static bool to_output(const struct cli_request *request) {
    return strcmp(request->csv, "-") == 0;
}

static int write_csv(const struct cli_predictions *p) {
    const char *path = p->request->csv;
    if (p->csv.failed) {
        cli_out_of_memory();
    }
    if (to_output(p->request)) {
        (void)fputs(p->csv.text, stdout);
        return CLI_DONE;
    }
    int code = cli_check_replaceable(path, has_targets(p) ? csv_begin_targets : csv_begin, p->request->force);
    code = code == CLI_DONE ? cli_write_whole(path, p->csv.text, p->csv.length) : code;
    if (code == CLI_DONE && !p->list) {
        struct report_words words = {""};
        cli_print("%s: %s sample%s\n", path, report_count_words(&words, p->count), p->count == 1 ? "" : "s");
    }
    return code;
}

/* ---- all of it ---- */

struct cli_predictions *cli_predictions_open(const struct cli_request *request,
                                             const struct cli_subject *subject, const stoa_dataset *names,
                                             size_t samples) {
    struct cli_predictions *p = cli_allocate(1, sizeof *p);
    *p = (struct cli_predictions){.request = request,
                                  .subject = subject,
                                  .names = names,
                                  .classes = stoa_model_output_size(subject->model),
                                  .list = request->json ? cli_json_array() : NULL,
                                  .tabular = !request->json && !request->csv && samples > MOST_LINES &&
                                             stoa_dataset_targets(names) == 0};
    p->choices = cli_allocate(p->classes, sizeof *p->choices);
    if (request->csv) {
        begin_csv(p);
    }
    if (p->tabular) {
        begin_table(p);
    }
    return p;
}

void cli_predictions_add(struct cli_predictions *p, const struct cli_answer *answer) {
    sort(p, answer);
    p->count++;
    if (p->request->csv) {
        add_csv(p, answer);
    }
    if (p->list) {
        add_json(p, answer);
    } else if (p->tabular) {
        add_row(p, answer);
    } else if (!p->request->csv) {
        print_lines(p, answer);
    }
}

int cli_predictions_finish(struct cli_predictions *p) {
    int code = p->request->csv ? write_csv(p) : CLI_DONE;
    if (code == CLI_DONE && p->list) {
        json_t *report = cli_json_object();
        cli_json_set(report, "model", cli_json_text(p->subject->path));
        cli_json_set(report, "predictions", json_incref(p->list));
        cli_json_print(report);
    } else if (code == CLI_DONE && p->tabular) {
        cli_table_print(&p->table);
    }
    return code;
}

void cli_predictions_close(struct cli_predictions *p) {
    if (p) {
        cli_table_free(&p->table);
        report_out_free(&p->csv);
        json_decref(p->list);
        free(p->choices);
        free(p);
    }
}
