/* SPDX-License-Identifier: MIT */
/* A model asked about samples: see answers.h. Public headers only. */
#include "cli/answers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "cli/targets.h"

enum { MOST_IN_A_BATCH = 64 };

static bool ends_in_softmax(const stoa_model *model) {
    stoa_port_info output;
    stoa_layer_info layer = {.op = ""};
    bool found = false;
    for (size_t i = 0;
         !found && stoa_model_output_at(model, 0, &output) && stoa_model_layer(model, i, &layer) == STOA_OK;
         i++) {
        found = strcmp(layer.name, output.layer) == 0;
    }
    return found && strcmp(layer.op, "softmax") == 0;
}

int cli_answers_open(const struct cli_subject *subject, size_t samples, struct cli_answers *answers) {
    stoa_port_info second;
    if (stoa_model_input_at(subject->model, 1, &second)) {
        return cli_fail(
            CLI_FAILED,
            "the model has a second input, '%.64s', a sample has one: expected a model of one input",
            second.name);
    }
    *answers = (struct cli_answers){.subject = subject,
                                    .batch = samples < MOST_IN_A_BATCH ? samples : MOST_IN_A_BATCH,
                                    .classes = stoa_model_output_size(subject->model),
                                    .is_probability = ends_in_softmax(subject->model),
                                    .task = cli_task_of(subject->model),
                                    .gives_logits = cli_gives_logits(subject->model)};
    if (answers->task == STOA_TASK_REGRESSION) {
        answers->restored = cli_allocate(answers->batch * answers->classes, sizeof *answers->restored);
    }
    stoa_plan_options options = {.batch = answers->batch, .prepare = true};
    stoa_status status = stoa_plan_create(subject->context, subject->model, &options, &answers->plan);
    if (status == STOA_OK) {
        status = stoa_plan_bind(answers->plan, NULL);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

void cli_answers_close(struct cli_answers *answers) {
    stoa_plan_free(answers->plan);
    free(answers->restored);
    answers->plan = NULL;
    answers->restored = NULL;
}

int cli_answers_run(const struct cli_answers *answers, size_t count, const float **output) {
    stoa_status status = stoa_plan_infer(answers->plan, count, output);
    if (status == STOA_OK && answers->restored) {
        memcpy(answers->restored, *output, count * answers->classes * sizeof *answers->restored);
        *output = answers->restored;
        status = stoa_model_restore_targets(answers->subject->context, answers->subject->model,
                                            answers->restored, count);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(answers->subject->context, status);
}

bool cli_answers_shares(const struct cli_answers *answers, const float *output, double *share) {
    double highest = (double)output[0], sum = 0;
    for (size_t i = 0; i < answers->classes; i++) {
        if (!isfinite(output[i])) {
            return false;
        }
        highest = fmax(highest, (double)output[i]);
    }
    if (answers->task == STOA_TASK_REGRESSION || answers->task == STOA_TASK_MULTILABEL) {
        for (size_t i = 0; i < answers->classes; i++) {
            share[i] = answers->gives_logits ? 1 / (1 + exp(-(double)output[i])) : (double)output[i];
        }
        return true;
    }
    for (size_t i = 0; i < answers->classes; i++) {
        double value = (double)output[i];
        share[i] = answers->is_probability ? value : exp(value - highest);
        sum += share[i];
    }
    for (size_t i = 0; i < answers->classes && !answers->is_probability; i++) {
        share[i] /= sum;
    }
    return true;
}
