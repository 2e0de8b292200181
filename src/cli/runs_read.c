/* SPDX-License-Identifier: MIT */
/* A run's folder read for `stoa runs`. Public headers only. */
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/open.h"
#include "cli/report.h"
#include "cli/run_files.h"
#include "cli/run_list.h"
#include "cli/run_lock.h"
#include "cli/run_record.h"
#include "cli/runs.h"

enum { SENTENCE = 1024 };

/* ---- runs of before run.json ---- */

static void copy_fact(json_t *object, const char *key, const stoa_model *model, const char *fact) {
    const char *value = stoa_model_fact(model, fact);
    if (value) {
        cli_json_set(object, key, cli_json_text(value));
    }
}

/* What the model file says of it. */
static void read_model(const char *path, json_t *record) {
    const struct cli_request request = {.quiet = true, .threads = 1};
    struct cli_subject subject = {0};
    char sentence[SENTENCE] = "";
    cli_keep_sentences(sentence, sizeof sentence); /* what cannot be read is not known */
    int code = cli_open_context(&request, &subject);
    code = code == CLI_DONE ? cli_open_model(path, NULL, &subject) : code;
    cli_keep_sentences(NULL, 0);
    if (code == CLI_DONE) {
        const char *key, *value;
        json_t *data = cli_json_object(), *fingerprint = cli_json_object();
        for (size_t i = 0; stoa_model_origin_at(subject.model, i, &key, &value); i++) {
            cli_json_set(fingerprint, key, cli_json_text(value));
        }
        copy_fact(record, "recipe", subject.model, "recipe");
        copy_fact(data, "path", subject.model, "data.path");
        copy_fact(data, "format", subject.model, "data.format");
        cli_json_set(record, "data", data);
        cli_json_set(record, "fingerprint", fingerprint);
        cli_json_set(record, "settings", cli_record_settings(subject.context, subject.model));
    }
    cli_close(&subject);
}

/* ---- all of it ---- */

/* The record's own word, unless it says that the run goes on and nobody has its folder. */
static const char *state_of(const char *path, const json_t *record) {
    static const char *const ends[] = {"done", "stopped", "patience"};
    const char *state = json_string_value(json_object_get(record, "state"));
    pid_t holder;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool held = folder >= 0 && cli_run_lock_held(folder, &holder);
    if (folder >= 0) {
        (void)close(folder);
    }
    for (size_t i = 0; !held && state && i < sizeof ends / sizeof ends[0]; i++) {
        if (strcmp(ends[i], state) == 0) {
            return ends[i];
        }
    }
    return held ? "runs" : state ? "killed" : "?";
}

static bool keeps_best(const json_t *record) {
    const char *said =
        json_string_value(json_object_get(json_object_get(record, "settings"), "train.keep_best"));
    return said && strcmp(said, "true") == 0;
}

int cli_run_read(const char *path, struct cli_run *run) {
    char sentence[SENTENCE];
    *run = (struct cli_run){.path = cli_text("%s", path), .name = report_run_name(path), .kept = SIZE_MAX};
    if (!run->name) {
        cli_out_of_memory();
    }
    cli_run_recover_unlocked(path);
    run->record = cli_record_read(path);
    if (!run->record) {
        run->record = cli_json_object();
        if (cli_run_has(path, CLI_RUN_MODEL)) {
            read_model(path, run->record);
        }
    }
    run->state = state_of(path, run->record);
    if (!cli_run_has(path, CLI_RUN_METRICS)) {
        return CLI_DONE;
    }
    cli_json_begin_reading();
    bool good = report_run_read(path, &run->metrics, sentence, sizeof sentence);
    cli_json_end_reading();
    if (!good) {
        return cli_fail(run->metrics.no_memory ? CLI_FAILED : CLI_WRONG, "%s", sentence);
    }
    size_t epochs = run->metrics.epochs, best = run->metrics.best;
    run->kept = keeps_best(run->record) && best > 0 ? best - 1 : epochs > 0 ? epochs - 1 : SIZE_MAX;
    return CLI_DONE;
}

void cli_run_free(struct cli_run *run) {
    report_run_free(&run->metrics);
    json_decref(run->record);
    free(run->path);
    free(run->name);
    *run = (struct cli_run){.path = NULL};
}

double cli_run_figure(const struct cli_run *run, enum report_metric metric) {
    return run->kept < run->metrics.epochs ? run->metrics.value[metric][run->kept] : (double)NAN;
}

const char *cli_run_text(const struct cli_run *run, const char *key) {
    return json_string_value(json_object_get(run->record, key));
}
