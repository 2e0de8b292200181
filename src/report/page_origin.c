/* SPDX-License-Identifier: MIT */
/* Where a model comes from: its recipe, what it knows of its data and training, and what it was made by,
 * beside what this page was made by. */
#include <stdio.h>
#include <string.h>

#include <stoa/blas.h>
#include <stoa/machine.h>
#include <stoa/version.h>

#include "report/html.h"
#include "report/page_part.h"

static void put_pair(struct report_out *out, struct report_html_table *table, const char *key,
                     const char *value) {
    report_html_cell(out, table, key);
    report_html_cell(out, table, value);
}

/* Facts but for the recipe, which has a place of its own. */
static void write_facts(struct report_part *part, const stoa_model *model) {
    struct report_out *out = &part->section[REPORT_RECIPE];
    struct report_html_table table;
    const char *key, *value;
    report_put(out, "<div class=\"wrap\">\n");
    report_html_table_begin(out, &table, "ll", "What the model file says of its data and its training");
    put_pair(out, &table, "fact", "value");
    for (size_t i = 0; stoa_model_fact_at(model, i, &key, &value); i++) {
        if (strcmp(key, "recipe.text") != 0) {
            put_pair(out, &table, key, value);
        }
    }
    report_html_table_end(out, &table);
    report_put(out, "</div>\n");
}

static void write_recipe(struct report_part *part, const stoa_model *model) {
    struct report_out *out = &part->section[REPORT_RECIPE];
    if (part->settings) {
        report_html_pre(out, part->settings);
    } else {
        report_write_missing(out, "the model file does not hold its recipe");
    }
    write_facts(part, model);
}

/* What an origin's key is called for people, and what stands for it here. */
struct origin {
    const char *key, *name;
    char here[128];
};

enum { ORIGINS = 7 };

static void describe_here(const stoa_context *context, struct origin origin[ORIGINS]) {
    stoa_blas_info blas;
    char tuning[80];
    stoa_blas_describe(&blas);
    (void)snprintf(tuning, sizeof tuning, "%s %s", stoa_context_tuning(context),
                   stoa_context_tuning_sum(context));
    const char *const here[ORIGINS] = {
        stoa_version(), stoa_isa_name(stoa_context_isa(context)),       blas.name, blas.version,
        blas.core,      stoa_policy_name(stoa_context_policy(context)), tuning};
    for (size_t i = 0; i < ORIGINS; i++) {
        (void)snprintf(origin[i].here, sizeof origin[i].here, "%s", here[i]);
    }
}

static const char *origin_of(const stoa_model *model, const char *wanted) {
    const char *key, *value;
    for (size_t i = 0; stoa_model_origin_at(model, i, &key, &value); i++) {
        if (strcmp(key, wanted) == 0) {
            return value;
        }
    }
    return "";
}

static void put_row(struct report_out *out, struct report_html_table *table, const char *name,
                    const char *then, const char *here) {
    report_html_cell(out, table, name);
    report_html_cell(out, table, then);
    report_html_cell(out, table, here);
}

void report_write_origin(struct report_part *part, const struct report_subject *subject) {
    struct report_out *out = &part->section[REPORT_ORIGIN];
    struct origin origin[ORIGINS] = {{"version", "Stoa", ""},       {"isa", "instruction set", ""},
                                     {"blas", "BLAS", ""},          {"blas_version", "its version", ""},
                                     {"blas_core", "its core", ""}, {"policy", "numeric policy", ""},
                                     {"tuning", "tuning table", ""}};
    struct report_html_table table;
    stoa_machine_state machine;
    char then[32] = "", here[32];
    write_recipe(part, subject->model);
    stoa_machine_describe(&machine);
    describe_here(subject->context, origin);
    report_put(out, "<div class=\"wrap\">\n");
    report_html_table_begin(out, &table, "lll",
                            "The fingerprint of the model file, and of what made this page");
    put_row(out, &table, "", "model", "page");
    for (size_t i = 0; i < ORIGINS; i++) {
        put_row(out, &table, origin[i].name, origin_of(subject->model, origin[i].key), origin[i].here);
    }
    if (part->run && report_run_has(part->run, REPORT_THREADS)) {
        (void)snprintf(then, sizeof then, "%.0f", report_run_last(part->run, REPORT_THREADS));
    }
    (void)snprintf(here, sizeof here, "%zu", stoa_context_threads(subject->context));
    put_row(out, &table, "threads", then, here);
    put_row(out, &table, "CPU", "", machine.cpu_model);
    report_html_table_end(out, &table);
    report_put(out, "</div>\n");
    report_html_text(out,
                     "Models of equal fingerprints, recipes, data and seeds have equal bits; threads make no "
                     "difference. The times of layers were measured when this page was made.");
}
