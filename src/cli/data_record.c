/* SPDX-License-Identifier: MIT */
/* Data as a run describes them: see data_record.h. Public headers only. */
#include "cli/data_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/data.h"
#include "cli/report.h"
#include "cli/words.h"

/* Eight digits, as a fact and as JSON have it. */
struct sum {
    char text[9];
};

static stoa_status sum_of(const stoa_dataset *data, struct sum *sum) {
    uint32_t fingerprint = 0;
    stoa_status status = stoa_dataset_fingerprint(data, &fingerprint);
    (void)snprintf(sum->text, sizeof sum->text, "%08lx", (unsigned long)fingerprint);
    return status;
}

json_t *cli_data_part(const stoa_dataset *part) {
    json_t *json = cli_json_object();
    size_t shape[3];
    stoa_dataset_shape(part, &shape[0], &shape[1], &shape[2]);
    cli_json_set(json, "samples", cli_json_count(stoa_dataset_count(part)));
    cli_json_set(json, "shape", cli_json_shape(shape, 3));
    cli_json_set(json, "type", cli_json_text(stoa_dataset_type(part)));
    return json;
}

/* Names of classes or columns; NULL where not all have one. */
static json_t *names_of(const stoa_dataset *data, size_t count,
                        const char *(*name)(const stoa_dataset *, size_t)) {
    json_t *names = cli_json_array();
    for (size_t i = 0; i < count; i++) {
        const char *text = name(data, i);
        if (!text) {
            json_decref(names);
            return NULL;
        }
        cli_json_append(names, cli_json_text(text));
    }
    return names;
}

void cli_data_describe(json_t *json, const stoa_dataset *data) {
    size_t shape[3], classes = stoa_dataset_classes(data);
    stoa_dataset_shape(data, &shape[0], &shape[1], &shape[2]);
    json_t *names = names_of(data, classes, stoa_dataset_class_name);
    json_t *columns = names_of(data, shape[0] * shape[1] * shape[2], stoa_dataset_column_name);
    const char *label = stoa_dataset_label_name(data);
    cli_json_set(json, "format", cli_json_text(stoa_dataset_format(data)));
    cli_json_set(json, "classes", cli_json_count(classes));
    if (names) {
        cli_json_set(json, "names", names);
    }
    if (columns) {
        cli_json_set(json, "columns", columns);
    }
    if (label) {
        cli_json_set(json, "label", cli_json_text(label));
    }
}

json_t *cli_data_notes(const struct cli_subject *subject) {
    json_t *notes = cli_json_array();
    for (size_t i = 0; i < subject->note_count; i++) {
        cli_json_append(notes, cli_json_text(subject->notes[i]));
    }
    return notes;
}

/* Facts of the model beside those that the library sets. */
static stoa_status set_facts(const struct cli_subject *subject, const stoa_dataset *train,
                             const stoa_dataset *test, const struct sum sums[2]) {
    char text[64];
    stoa_model *model = subject->model;
    (void)snprintf(text, sizeof text, "%zu %zu", stoa_dataset_count(train), stoa_dataset_count(test));
    stoa_status status = stoa_model_set_fact(model, "data.parts", text);
    (void)snprintf(text, sizeof text, "%s %s", sums[0].text, sums[1].text);
    if (status == STOA_OK) {
        status = stoa_model_set_fact(model, "data.checksum", text);
    }
    json_t *notes = cli_data_notes(subject);
    char *line = json_array_size(notes) > 0 ? cli_json_line(notes) : NULL;
    if (status == STOA_OK) {
        status = stoa_model_set_fact(model, "data.notes", line);
    }
    free(line);
    json_decref(notes);
    return status;
}

int cli_data_record(const struct cli_subject *subject, const stoa_dataset *train, const stoa_dataset *test,
                    const char *path, json_t **json) {
    struct sum sums[2];
    stoa_status status = sum_of(train, &sums[0]);
    if (status == STOA_OK) {
        status = sum_of(test, &sums[1]);
    }
    if (status == STOA_OK) {
        status = set_facts(subject, train, test, sums);
    }
    if (status != STOA_OK) {
        return cli_fail_library(subject->context, status);
    }
    const stoa_dataset *const parts[] = {train, test};
    static const char *const names[] = {"train", "test"};
    char *place = cli_data_place(path);
    json_t *data = cli_json_object();
    cli_json_set(data, "path", cli_json_text(place));
    cli_json_set(data, "named", json_boolean(stoa_model_fact(subject->model, "data.path") == NULL));
    cli_data_describe(data, train);
    for (size_t i = 0; i < 2; i++) {
        json_t *part = cli_data_part(parts[i]);
        cli_json_set(part, "checksum", cli_json_text(sums[i].text));
        cli_json_set(data, names[i], part);
    }
    cli_json_set(data, "notes", cli_data_notes(subject));
    free(place);
    *json = data;
    return CLI_DONE;
}

int cli_data_compare(const struct cli_subject *subject, const stoa_dataset *test, const char *path,
                     bool *same) {
    const char *parts = stoa_model_fact(subject->model, "data.parts");
    const char *sums = stoa_model_fact(subject->model, "data.checksum");
    size_t train_count = 0, test_count = 0;
    struct sum train = {""}, known = {""}, found = {""};
    *same = true;
    if (!parts || !sums || sscanf(parts, "%zu %zu", &train_count, &test_count) != 2 ||
        sscanf(sums, "%8s %8s", train.text, known.text) != 2) {
        return CLI_DONE;
    }
    stoa_status status = sum_of(test, &found);
    if (status != STOA_OK) {
        return cli_fail_library(subject->context, status);
    }
    *same = test_count == stoa_dataset_count(test) && strcmp(known.text, found.text) == 0;
    return *same || subject->quiet
               ? CLI_DONE
               : cli_fail(CLI_DONE,
                          "note: %s: its test part is not the one of the training: found %zu samples with "
                          "checksum %s, expected %zu with %s",
                          path, stoa_dataset_count(test), found.text, test_count, known.text);
}
