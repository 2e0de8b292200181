/* `stoa eval`: accuracy and loss over a whole test set. Floor 9: public headers only. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"

static void print_json(const struct cli_subject *subject, const stoa_evaluation *result) {
    json_t *report = cli_json_object();
    cli_json_set(report, "model", cli_json_text(subject->path));
    cli_json_set(report, "samples", cli_json_count(result->samples));
    cli_json_set(report, "correct", cli_json_count(result->correct));
    cli_json_set(report, "accuracy", cli_json_number(result->accuracy));
    cli_json_set(report, "loss", cli_json_number(result->loss));
    cli_json_set(report, "seconds", cli_json_number(result->seconds));
    cli_json_set(report, "threads", cli_json_count(stoa_context_threads(subject->context)));
    cli_json_print(report);
}

static void print_text(const stoa_evaluation *result) {
    struct cli_word correct = {""}, samples = {""};
    (void)printf("accuracy %.2f %% (%s of %s)\nloss     %.6f\nseconds  %.2f\n", 100 * result->accuracy,
                 cli_word_count(&correct, result->correct), cli_word_count(&samples, result->samples),
                 result->loss, result->seconds);
}

static int evaluate(const struct cli_request *request, const struct cli_subject *subject,
                    const stoa_dataset *data) {
    stoa_evaluation result;
    stoa_status status = stoa_evaluate(subject->context, subject->model, data, request->batch,
                                       stoa_model_fact(subject->model, "loss"), &result);
    if (status != STOA_OK) {
        return cli_fail_library(subject->context, status);
    }
    if (request->json) {
        print_json(subject, &result);
    } else {
        print_text(&result);
    }
    return CLI_DONE;
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    stoa_dataset *data = NULL;
    int code = cli_open_context(request, &subject);
    if (code == CLI_DONE) {
        code = cli_open_model(request->operands[0], request->recipe, &subject);
    }
    if (code == CLI_DONE) {
        code = cli_open_data(&subject, request->data, request->all, NULL, &data);
    }
    if (code == CLI_DONE) {
        code = evaluate(request, &subject, data);
    }
    stoa_dataset_free(data);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"data", "all", "recipe", "batch", "threads", "json", NULL};

const struct cli_command cli_eval = {
    .name = "eval",
    .summary = "accuracy and loss of a model over a whole test set",
    .usage = "eval MODEL [options]",
    .description =
        "Measure a model on every sample of a test set. MODEL is a model file or the folder of a run. The\n"
        "model file names its data set; --data takes another file or folder. Of data\n"
        "without a test part those samples are taken that training leaves out, or --all of them.\n"
        "With --recipe the file need hold tensors only, such as a PyTorch state dictionary.",
    .examples = "  stoa eval runs/mnist-cnn-1\n"
                "  stoa eval model.safetensors --data ~/digits --json\n"
                "  stoa eval from-pytorch.safetensors --recipe lenet5",
    .options = option_names,
    .operand = "MODEL",
    .least_operands = 1,
    .most_operands = 1,
    .multiplies = true,
    .run = run,
};
