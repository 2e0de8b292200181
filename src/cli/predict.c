/* SPDX-License-Identifier: MIT */
/* `stoa predict`: the class of pictures and of samples in tables, arrays and sets. Everything is read
 * before the first answer, so that a bad file stops the command before it has printed anything. Public
 * headers only. */
#include "cli/predict.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/answers.h"
#include "cli/data.h"
#include "cli/report.h"

/* Samples on their way through the model: the next one to be read. */
struct place {
    size_t source, number; /* number in its source, from 0 */
};

/* Fill the plan's input from `at` on; how many samples. */
static size_t fill(const struct cli_sources *sources, const struct cli_answers *answers, struct place at,
                   int32_t *labels) {
    size_t size = stoa_model_input_size(answers->subject->model), count = 0;
    float *input = stoa_plan_input(answers->plan);
    for (; count < answers->batch && at.source < sources->count; at.source++, at.number = 0) {
        const struct cli_source *source = &sources->source[at.source];
        size_t left = source->samples - at.number, room = answers->batch - count;
        size_t some = left < room ? left : room;
        stoa_dataset_read(source->data, NULL, at.number, some, input + count * size, labels + count);
        count += some;
    }
    return count;
}

/* What a file on disk could not give any more is found out here. */
static int check(const struct cli_sources *sources, const struct cli_subject *subject) {
    for (size_t i = 0; i < sources->count; i++) {
        stoa_status status = stoa_dataset_check(sources->source[i].data);
        if (status != STOA_OK) {
            return cli_fail_library(subject->context, status);
        }
    }
    return CLI_DONE;
}

/* Hand on the answers of a batch, and step over its samples. */
static int take(const struct cli_sources *sources, const struct cli_answers *answers, const float *output,
                size_t count, struct place *at, double *share, struct cli_predictions *predictions) {
    for (size_t i = 0; i < count; i++) {
        while (at->number == sources->source[at->source].samples) {
            *at = (struct place){at->source + 1, 0};
        }
        const struct cli_source *source = &sources->source[at->source];
        if (!cli_answers_shares(answers, output + i * answers->classes, share)) {
            return cli_fail(CLI_FAILED, "%s: the model's output for %s is not finite", answers->subject->path,
                            source->name);
        }
        const struct cli_answer answer = {source, ++at->number, share};
        cli_predictions_add(predictions, &answer);
    }
    return CLI_DONE;
}

static int answer_all(const struct cli_sources *sources, const struct cli_answers *answers,
                      struct cli_predictions *predictions) {
    double *share = cli_allocate(answers->classes, sizeof *share);
    int32_t *labels = cli_allocate(answers->batch, sizeof *labels);
    struct place at = {0, 0};
    int code = CLI_DONE;
    for (size_t done = 0; code == CLI_DONE && done < sources->samples;) {
        const float *output = NULL;
        size_t count = fill(sources, answers, at, labels);
        code = check(sources, answers->subject);
        code = code == CLI_DONE ? cli_answers_run(answers, count, &output) : code;
        code = code == CLI_DONE ? take(sources, answers, output, count, &at, share, predictions) : code;
        done += count;
    }
    free(labels);
    free(share);
    return code == CLI_DONE ? cli_predictions_finish(predictions) : code;
}

static int check_options(const struct cli_request *request) {
    if (request->csv && strcmp(request->csv, "-") == 0 && request->json) {
        return cli_fail(CLI_WRONG,
                        "--csv -: found beside --json, expected one of them on the standard output");
    }
    if (request->force && !request->csv) {
        return cli_fail(CLI_WRONG, "--force: found without --csv FILE, expected it beside one");
    }
    return CLI_DONE;
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    /* The first operand is the model, the others are data. */
    struct cli_request data = *request;
    data.operands++;
    data.operand_count--;
    struct cli_sources sources = {.count = 0};
    struct cli_answers answers = {.plan = NULL};
    struct cli_predictions *predictions = NULL;
    int code = check_options(request);
    code = code == CLI_DONE ? cli_open_context(request, &subject) : code;
    code = code == CLI_DONE ? cli_open_model(request->operands[0], NULL, &subject) : code;
    code = code == CLI_DONE ? cli_choose_reading(request, &subject) : code;
    code = code == CLI_DONE ? cli_sources_open(&data, &subject, &sources) : code;
    code = code == CLI_DONE ? cli_answers_open(&subject, sources.samples, &answers) : code;
    if (code == CLI_DONE) {
        predictions = cli_predictions_open(request, &subject, sources.source[0].data, sources.samples);
        code = answer_all(&sources, &answers, predictions);
    }
    cli_predictions_close(predictions);
    cli_answers_close(&answers);
    cli_sources_close(&sources);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"csv", "layout", "resize", "threads", "force", "json", NULL};

const struct cli_command cli_predict = {
    .name = "predict",
    .summary = "class and probabilities of pictures, or of samples in tables and sets",
    .usage = "predict MODEL PATH... [options]",
    .description =
        "Tell the class of every sample. MODEL is a model file or the folder of a run. PATH is a picture: a\n"
        "digit of any size, grey or colour, dark on light or light on dark; by a model trained on pictures\n"
        "or in colour, a picture as those were, or with --resize one of any size. It is a table (*.csv),\n"
        "arrays (*.npy, *.npz) or an IDX file, whose labels are not looked at. It is a folder of pictures,\n"
        "also one with a folder a class, or any other set, of which the test part is taken where there is\n"
        "one. Or it is - for a table or a picture on the standard input.\n"
        "A line a sample with the class and its probability, then a line with all classes, the most\n"
        "probable first; of more than 20 samples a table with the two most probable classes. --csv writes a\n"
        "table with the columns file, row, class, name, probability, and p_NAME for every class. Nothing is\n"
        "printed unless everything can be read.",
    .examples = "  stoa predict runs/mnist-cnn-1 seven.png\n"
                "  stoa predict model.safetensors scans/*.png --json\n"
                "  stoa predict runs/iris-relu-1 flowers.csv --csv answers.csv\n"
                "  stoa predict runs/photos-1 ~/photos --csv -\n"
                "  stoa predict runs/iris-relu-1 - < flowers.csv",
    .options = option_names,
    .operand = "MODEL or PATH",
    .least_operands = 2,
    .most_operands = INT_MAX,
    .multiplies = true,
    .run = run,
};
