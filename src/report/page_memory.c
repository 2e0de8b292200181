/* SPDX-License-Identifier: MIT */
/* The plan of a training step as a picture: what lies where in the arena, and from which step to which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/page_part.h"
#include "report/words.h"

enum kind { ACTIVATIONS, GRADIENTS, SCRATCH, OPTIMIZER, KINDS };
static const char *const kinds[KINDS] = {"activations", "gradients", "workspace, saved", "optimizer"};

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static enum kind kind_of(const stoa_plan_value *value) {
    if (strcmp(value->name, "optimizer state") == 0) {
        return OPTIMIZER;
    }
    if (ends_with(value->name, " gradient") || ends_with(value->name, " gradients") ||
        ends_with(value->name, " gradient to add")) {
        return GRADIENTS;
    }
    return ends_with(value->name, " workspace") || ends_with(value->name, " saved") ||
                   ends_with(value->name, " prepared weights")
               ? SCRATCH
               : ACTIVATIONS;
}

/* Values that lie in the memory of others are drawn once. */
static size_t collect_blocks(const stoa_plan *plan, double unit, struct report_block *block) {
    size_t count = 0;
    for (size_t i = 0; i < stoa_plan_value_count(plan); i++) {
        stoa_plan_value value;
        if (stoa_plan_value_at(plan, i, &value) == STOA_OK && !value.shares && value.bytes > 0) {
            block[count++] = (struct report_block){.from = (double)value.first,
                                                   .to = (double)value.last + 1,
                                                   .low = (double)value.offset / unit,
                                                   .high = (double)(value.offset + value.bytes) / unit,
                                                   .label = value.name,
                                                   .series = (size_t)kind_of(&value)};
        }
    }
    return count;
}

static void draw_map(struct report_part *part, const stoa_plan *plan, const char *caption) {
    struct report_out *out = &part->section[REPORT_MEMORY];
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
    double unit = 1;
    size_t at = 0;
    while (at + 1 < sizeof units / sizeof *units && (double)stoa_plan_bytes(plan) / unit >= 2048) {
        unit *= 1024;
        at++;
    }
    struct report_block *block = report_memory(out, stoa_plan_value_count(plan), sizeof *block);
    struct report_id id = {""};
    if (block) {
        const struct report_blocks blocks = {.x = {.label = "step: forwards, loss, backwards"},
                                             .y = {.label = units[at]},
                                             .series = kinds,
                                             .series_count = KINDS,
                                             .block = block,
                                             .count = collect_blocks(plan, unit, block)};
        const struct report_chart chart = {.id = report_id_of(&id, part, "memory"),
                                           .title = "Memory of a training step",
                                           .width = 520,
                                           .blocks = &blocks};
        report_put(out, "<div class=\"narrow\">\n");
        report_html_chart(out, &chart, caption);
        report_put(out, "</div>\n");
    }
    free(block);
}

/* The step with the most live bytes, and what is alive in it. */
static void put_peak(struct report_out *out, const stoa_plan *plan) {
    stoa_plan_step peak = {.live_bytes = 0}, step;
    size_t at = 0;
    for (size_t i = 0; i < stoa_plan_step_count(plan); i++) {
        if (stoa_plan_step_at(plan, i, &step) == STOA_OK && step.live_bytes > peak.live_bytes) {
            peak = step;
            at = i;
        }
    }
    struct report_words words = {""};
    if (peak.live_bytes > 0) {
        report_print(out, " Most is alive in step %zu, the %s pass of %s: %s.", at, peak.pass, peak.layer,
                     report_bytes_words(&words, peak.live_bytes));
    }
}

static void write_algorithms(struct report_out *out, const stoa_plan *plan) {
    struct report_html_table table;
    static const char *const heads[] = {"step",      "layer", "operator", "pass",
                                        "workspace", "alive", "algorithm"};
    report_put(out, "<details><summary>Steps and algorithms</summary>\n");
    report_html_table_begin(out, &table, "rlllrrl", "Every step of the plan");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        report_html_cell(out, &table, heads[i]);
    }
    for (size_t i = 0; i < stoa_plan_step_count(plan); i++) {
        stoa_plan_step step;
        struct report_words words = {""};
        if (stoa_plan_step_at(plan, i, &step) == STOA_OK) {
            report_html_cell(out, &table, report_count_words(&words, i));
            report_html_cell(out, &table, step.layer);
            report_html_cell(out, &table, step.op);
            report_html_cell(out, &table, step.pass);
            report_html_cell(out, &table, report_bytes_words(&words, step.workspace_bytes));
            report_html_cell(out, &table, report_bytes_words(&words, step.live_bytes));
            report_html_cell(out, &table, step.algorithm);
        }
    }
    report_html_table_end(out, &table);
    report_put(out, "</details>\n");
}

/* Bytes of an inference plan for one sample; 0 where there is none. */
static size_t inference_bytes(struct report_part *part, const struct report_subject *subject) {
    stoa_plan *plan = NULL;
    stoa_plan_options options = {.batch = 1, .prepare = true};
    size_t bytes = 0;
    stoa_status status = stoa_plan_create(subject->context, subject->model, &options, &plan);
    if (status == STOA_OK) {
        bytes = stoa_plan_bytes(plan);
    }
    part->failed = part->failed || status == STOA_ERR_MEMORY;
    stoa_plan_free(plan);
    return bytes;
}

static void write_plan(struct report_part *part, const struct report_subject *subject,
                       const stoa_plan *plan) {
    struct report_out *out = &part->section[REPORT_MEMORY];
    struct report_words bytes = {""}, unshared = {""}, one = {""}, parameters = {""};
    struct report_out caption = {0};
    report_print(&caption, "A training step of %zu samples takes %s, without reuse it would take %s.",
                 part->batch, report_bytes_words(&bytes, stoa_plan_bytes(plan)),
                 report_bytes_words(&unshared, stoa_plan_bytes_unshared(plan)));
    put_peak(&caption, plan);
    report_print(&caption, " Inference of one sample takes %s; the parameters, %s, lie beside both.",
                 report_bytes_words(&one, inference_bytes(part, subject)),
                 report_bytes_words(&parameters, part->parameters * sizeof(float)));
    if (!caption.failed) {
        draw_map(part, plan, caption.text);
    }
    out->failed = out->failed || caption.failed;
    report_out_free(&caption);
    write_algorithms(out, plan);
}

void report_write_memory(struct report_part *part, const struct report_subject *subject) {
    stoa_plan *plan = NULL;
    stoa_plan_options options = {
        .batch = part->batch, .training = true, .loss = stoa_model_fact(subject->model, "loss")};
    stoa_status status = stoa_optimizer_slots(subject->context, part->optimizer, &options.optimizer_slots);
    if (status == STOA_OK) {
        status = stoa_plan_create(subject->context, subject->model, &options, &plan);
    }
    if (status == STOA_OK) {
        write_plan(part, subject, plan);
    } else {
        report_write_failure(part, REPORT_MEMORY, subject->context, status);
    }
    stoa_plan_free(plan);
}
