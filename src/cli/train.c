/* SPDX-License-Identifier: MIT */
/* `stoa train`: a recipe's network on its data, into a run's folder. Floor 9: public headers only. */
#include <stdio.h>

#include <stoa/blas.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/diagnosis.h"
#include "cli/find_lr.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/run_folder.h"
#include "cli/setup.h"
#include "cli/signals.h"
#include "cli/summary.h"
#include "cli/table.h"

/* What the callback needs, and what it leaves. */
struct training {
    stoa_context *context;
    stoa_model *model;
    struct cli_run_folder *folder;
    const char *name; /* the recipe's; NULL once the run is announced */
    const char *init; /* what --init has taken, or NULL */
    const stoa_dataset *train, *test;
    stoa_progress last; /* the last step or epoch reported */
    bool keep_best;     /* the file keeps the model of the epoch with the best validation */
    size_t best;        /* epoch of the model that the file is to hold */
    bool broke_off;     /* with the sentence printed */
    struct cli_summary summary;
    struct cli_diagnosis diagnosis;
};

/* What will run, once: after the first step, when the request is known to be right. */
static void announce(struct training *training) {
    if (!training->name) {
        return;
    }
    struct cli_word parameters = {""}, images = {""}, tests = {""};
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    size_t threads = stoa_context_threads(training->context);
    cli_print("%s: %s parameters, %s training and %s test images\n", training->name,
              cli_word_count(&parameters, stoa_model_parameter_count(training->model)),
              cli_word_count(&images, stoa_dataset_count(training->train)),
              cli_word_count(&tests, stoa_dataset_count(training->test)));
    cli_print("%zu thread%s, %s, %s%s%s\n", threads, threads == 1 ? "" : "s",
              stoa_isa_name(stoa_context_isa(training->context)), blas.name, blas.core[0] ? " " : "",
              blas.core);
    cli_print("%s", training->init ? training->init : "");
    (void)fflush(stdout);
    training->name = NULL;
}

static stoa_status on_start(void *user, stoa_trainer *trainer) {
    struct training *training = user;
    training->diagnosis.trainer = trainer;
    return STOA_OK;
}

static bool on_progress(void *user, const stoa_progress *progress) {
    struct training *training = user;
    training->last = *progress;
    announce(training);
    cli_diagnosis_watch(&training->diagnosis, progress);
    if (!progress->epoch_done) {
        cli_progress_step(progress);
        return cli_stop_signal() != 0;
    }
    bool keep_older = training->keep_best && !progress->best;
    training->best = keep_older ? training->best : progress->epoch;
    stoa_status status = cli_set_number(training->model, "train.epoch", progress->epoch);
    if (status != STOA_OK) {
        (void)cli_fail_library(training->context, status);
        training->broke_off = true;
        return true;
    }
    cli_progress_epoch(progress);
    cli_summary_epoch(&training->summary, progress);
    cli_run_folder_epoch(training->folder, training->context, training->model, progress, keep_older);
    return cli_stop_signal() != 0 && progress->epoch < progress->epochs;
}

static int interrupted(struct training *training) {
    const stoa_progress *last = &training->last;
    if (cli_run_folder_interrupted(training->folder, training->context, training->model) != CLI_DONE) {
        return CLI_FAILED;
    }
    return cli_fail(CLI_SIGNAL + cli_stop_signal(),
                    "interrupted, parameters saved: %s, epoch %zu, step %zu of %zu%s%s",
                    training->folder->interrupted, last->epoch, last->step, last->steps,
                    training->folder->committed ? "; last whole epoch: " : "",
                    training->folder->committed ? training->folder->model : "");
}

/* The model is that of the last epoch now, or with keep_best that of the best. */
static int finish(const struct training *training) {
    stoa_status status = cli_set_number(training->model, "train.epoch", training->best);
    return status == STOA_OK ? cli_run_folder_finish(training->folder, training->context, training->model,
                                                     training->last.epoch)
                             : cli_fail_library(training->context, status);
}

/* Train into the open folder. */
static int train_into_folder(struct training *training, const struct cli_request *request,
                             const stoa_train_options *options) {
    const struct cli_run_folder *folder = training->folder;
    training->keep_best = options->keep_best;
    stoa_status status =
        stoa_train(training->context, training->model, training->train, training->test, options,
                   &(stoa_train_callbacks){.start = on_start, .progress = on_progress, .user = training});
    if (training->broke_off) {
        return CLI_FAILED; /* its sentence is out */
    }
    if (status == STOA_ERR_CANCELLED && cli_stop_signal()) {
        return interrupted(training);
    }
    cli_progress_clear();
    if (status != STOA_OK) {
        int code = status == STOA_ERR_NONFINITE
                       ? cli_diagnosis_nonfinite(&training->diagnosis, training->context)
                       : cli_fail_library(training->context, status);
        return status == STOA_ERR_IO ? CLI_FAILED : code; /* the data were right when they were opened */
    }
    int code = finish(training);
    if (code != CLI_DONE) {
        return code;
    }
    if (!request->quiet || request->json) {
        cli_summary_print(&training->summary, folder->path, &training->last, request->json);
    }
    return CLI_DONE;
}

static void close_folder(void *folder) {
    cli_run_folder_close(folder);
}

/* Open the folder and train: from here on the request was right, as far as it can be told without computing.
 */
static int train_model(const struct cli_request *request, const struct cli_subject *subject,
                       const stoa_dataset *train, const stoa_dataset *test) {
    struct cli_run_folder folder = {0};
    struct cli_setup setup;
    int code = cli_setup_open(request, subject, train, test, &setup);
    struct training training = {.context = subject->context,
                                .model = subject->model,
                                .folder = &folder,
                                .name = request->quiet || request->json ? NULL : setup.name,
                                .init = setup.init,
                                .train = train,
                                .test = test};
    if (code == CLI_DONE) {
        cli_listen_for_signals();
        cli_progress_start(request->quiet || request->json);
        cli_summary_begin(&training.summary, setup.options.keep_best);
        cli_diagnosis_open(&training.diagnosis, subject->model, train, &setup.options, setup.name,
                           request->quiet);
        cli_set_clean_up(close_folder, &folder);
        code = cli_run_folder_open(request, setup.name, &folder);
        if (code == CLI_DONE) {
            code = train_into_folder(&training, request, &setup.options);
            cli_run_folder_close(&folder);
        }
        cli_set_clean_up(NULL, NULL);
    }
    cli_setup_free(&setup);
    return code;
}

/* The split's number travels with the model, so that it is tested on what it has not seen. */
static int choose_split(const struct cli_request *request, const struct cli_subject *subject) {
    stoa_status status = request->split_seed.given
                             ? cli_set_number(subject->model, "data.split_seed", request->split_seed.value)
                             : STOA_OK;
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    stoa_dataset *train = NULL, *test = NULL;
    int code = cli_open_context(request, &subject);
    if (code == CLI_DONE) {
        code = cli_open_recipe(request->operands[0], &subject);
    }
    if (code == CLI_DONE) {
        code = choose_split(request, &subject);
    }
    if (code == CLI_DONE) {
        code = cli_choose_layout(request, &subject);
    }
    if (code == CLI_DONE) {
        code = cli_open_data(&subject, request->data, false, &train, &test, NULL);
    }
    if (code == CLI_DONE) {
        code = request->find_lr ? cli_find_lr(request, &subject, train)
                                : train_model(request, &subject, train, test);
    }
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"epochs",  "batch", "lr",      "seed", "split-seed",
                                           "threads", "data",  "layout",  "out",  "force",
                                           "init",    "quiet", "find-lr", "json", NULL};

const struct cli_command cli_train = {
    .name = "train",
    .summary = "train the network of a recipe",
    .usage = "train RECIPE [options]",
    .description =
        "Train the network of a recipe, found by name or given as a file. The folder of the run gets\n"
        "model.safetensors and metrics.jsonl, a line an epoch, after every epoch; both are of the same\n"
        "epoch however the run ends. A folder takes one run at a time. With --force an older run's files\n"
        "stay until the first new epoch is saved. An epoch that cannot be saved is saved with the next one.\n"
        "With --init a training begins with what another has learned: tensors that fit by name and shape\n"
        "are taken, the others listed; freeze in the recipe keeps layers as they are.\n"
        "With keep_best in the recipe the model is that of the epoch with the best validation. On SIGINT\n"
        "or SIGTERM training stops after the step and saves the parameters of the moment as\n"
        "interrupted.safetensors.",
    .examples = "  stoa train mnist-cnn\n"
                "  stoa train lenet5 --epochs 1 --seed 7 --threads 2 --out runs/first\n"
                "  stoa train ./my.ini --data ~/digits --lr 3e-3\n"
                "  stoa train ./my.ini --find-lr\n"
                "  stoa train ./five-digits.ini --init runs/lenet5-1",
    .options = option_names,
    .operand = "RECIPE",
    .least_operands = 1,
    .most_operands = 1,
    .multiplies = true,
    .run = run,
};
