/* SPDX-License-Identifier: MIT */
/* `stoa train`: a recipe's network on its data, into a run's folder. Public headers only. */
#include <stdio.h>
#include <stdlib.h>

#include <stoa/blas.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/find_lr.h"
#include "cli/grid.h"
#include "cli/init.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/resume.h"
#include "cli/run_checkpoint.h"
#include "cli/run_folder.h"
#include "cli/run_record.h"
#include "cli/setup.h"
#include "cli/signals.h"
#include "cli/summary.h"
#include "cli/table.h"
#include "cli/words.h"

/* What the callbacks need, and what they leave. */
struct training {
    const struct cli_subject *subject;
    stoa_context *context;
    stoa_model *model;
    struct cli_run_folder *folder;
    struct cli_resume *resume; /* NULL: a new run */
    const stoa_train_options *options;
    const char *name; /* the recipe's; NULL once the run is announced */
    const stoa_dataset *train, *test;
    stoa_progress last; /* the last step or epoch reported */
    bool keep_best;     /* the file keeps the model of the epoch with the best validation */
    size_t best;        /* epoch of the model that the file is to hold */
    stoa_train_callbacks callbacks;
    bool broke_off;             /* with the sentence printed */
    int code;                   /* and with this one */
    stoa_trainer_info from;     /* where a continued run began */
    bool went_on;               /* and has made a step */
    bool state_saved;           /* by the last checkpoint */
    char why[CLI_RUN_SENTENCE]; /* it was not */
    double deadline;            /* on cli_now()'s clock; 0: none */
    double saved_at;            /* the last checkpoint, on that clock */
    bool has_rhythm;            /* --checkpoint-every is given */
    struct cli_summary summary;
    char *data; /* where the data are; from malloc */
    struct cli_record record;
    stoa_progress kept; /* of the epoch whose model the file is to hold, as far as this process has made it */
};

/* What will run, once: after the first step, when the request is known to be right. */
static void announce(struct training *training) {
    if (!training->name) {
        return;
    }
    struct report_words parameters = {""}, trained = {""}, images = {""}, tests = {""};
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    size_t threads = stoa_context_threads(training->context);
    size_t count = stoa_model_parameter_count(training->model);
    bool frozen = training->from.parameters < count;
    cli_print("%s: %s parameters%s%s%s, %s training and %s test images\n", training->name,
              report_count_words(&parameters, count), frozen ? " (trained: " : "",
              frozen ? report_count_words(&trained, training->from.parameters) : "", frozen ? ")" : "",
              report_count_words(&images, stoa_dataset_count(training->train)),
              report_count_words(&tests, stoa_dataset_count(training->test)));
    cli_print("%zu thread%s, %s, %s%s%s\n", threads, threads == 1 ? "" : "s",
              stoa_isa_name(stoa_context_isa(training->context)), blas.name, blas.core[0] ? " " : "",
              blas.core);
    if (training->summary.init) {
        cli_init_print(training->summary.init);
    }
    if (training->resume) {
        cli_print("continues %s after step %zu, %zu of %zu epochs are done\n", training->folder->path,
                  training->from.steps, training->from.epochs, training->options->epochs);
    }
    (void)fflush(stdout);
    training->name = NULL;
    training->summary.first_note = training->subject->note_count;
}

/* A continued run begins where its newest checkpoint was saved. */
static stoa_status on_start(void *user, stoa_trainer *trainer) {
    struct training *training = user;
    stoa_trainer_describe(trainer, &training->from);
    if (!training->resume) {
        return STOA_OK;
    }
    training->code = CLI_FAILED;
    stoa_status status = cli_resume_load(training->resume, training->subject, training->folder,
                                         training->options, trainer, &training->code);
    training->broke_off = status != STOA_OK;
    stoa_trainer_describe(trainer, &training->from);
    training->last.epoch = training->from.epochs;
    training->last.epochs = training->options->epochs;
    training->best = training->keep_best ? training->from.best_epoch : training->from.epochs;
    return status;
}

static bool is_to_stop(const struct training *training) {
    return cli_stop_signal() != 0 || (training->deadline > 0 && cli_now() >= training->deadline);
}

/* Epochs of milliseconds would mostly wait for the disk: without a rhythm that was asked for, one that ends
 * within a second of the last checkpoint has none. */
static bool is_early(const struct training *training, const stoa_progress *progress) {
    enum { SECONDS = 1 };
    return !training->has_rhythm && training->folder->checkpoint && !progress->last &&
           !is_to_stop(training) && cli_now() - training->saved_at < SECONDS;
}

/* A checkpoint that cannot be saved is no end: the one before stays. */
static bool on_checkpoint(void *user, stoa_trainer *trainer, const stoa_progress *progress) {
    struct training *training = user;
    if (is_early(training, progress)) {
        return false;
    }
    training->saved_at = cli_now();
    training->state_saved =
        cli_run_folder_checkpoint(training->folder, training->context, trainer, training->why) == CLI_DONE;
    if (!training->state_saved && training->why[0] && (!is_to_stop(training) || progress->last)) {
        (void)cli_fail(CLI_DONE, "%s; the state of epoch %zu, step %zu is not saved", training->why,
                       progress->epoch, progress->step);
    }
    return false;
}

static bool on_progress(void *user, const stoa_progress *progress) {
    struct training *training = user;
    training->last = *progress;
    training->went_on = true;
    announce(training);
    if (!progress->epoch_done) {
        cli_progress_step(progress);
        return is_to_stop(training);
    }
    bool keep_older = training->keep_best && !progress->best;
    training->best = keep_older ? training->best : progress->epoch;
    training->kept = keep_older ? training->kept : *progress;
    stoa_status status = cli_set_number(training->model, "train.epoch", progress->epoch);
    if (status == STOA_OK) {
        status = cli_record_figures(training->model, progress);
    }
    if (status != STOA_OK) {
        training->code = cli_fail_library(training->context, status);
        training->broke_off = true;
        return true;
    }
    cli_progress_epoch(progress);
    cli_summary_epoch(&training->summary, progress);
    cli_run_folder_epoch(training->folder, training->context, training->model, progress, keep_older);
    if (training->folder->committed && !training->record.written) {
        char sentence[CLI_RUN_SENTENCE] = "";
        cli_keep_sentences(sentence, sizeof sentence);
        int code = cli_record_write(&training->record, training->folder->path, "running");
        cli_keep_sentences(NULL, 0);
        if (code != CLI_DONE) {
            (void)cli_fail(CLI_DONE, "%s; this is not said yet, the next epoch tries again", sentence);
        }
    }
    return !progress->last && is_to_stop(training);
}

/* By a signal, or at the end of --minutes, which is no failure. `again` is the command that goes on. */
static int stopped(const struct training *training, const struct cli_request *request, const char *again) {
    const stoa_progress *last = &training->last;
    const struct cli_run_folder *folder = training->folder;
    if (training->state_saved && cli_stop_signal()) {
        return cli_fail(CLI_SIGNAL + cli_stop_signal(),
                        "interrupted, state saved: epoch %zu, step %zu of %zu; %s continues", last->epoch,
                        last->step, last->steps, again);
    }
    cli_progress_clear();
    if (training->state_saved && request->json) {
        struct cli_summary summary = training->summary;
        summary.timed_out = true;
        return cli_summary_print(&summary, folder->path, last, true);
    }
    if (training->state_saved && !request->quiet) {
        cli_print("stopped after %g minutes, state saved: epoch %zu, step %zu of %zu\nnext    %s\n",
                  request->minutes, last->epoch, last->step, last->steps, again);
    }
    if (training->state_saved) {
        return CLI_DONE;
    }
    return cli_fail(CLI_FAILED, "%s, state not saved: %s; %s%s",
                    cli_stop_signal() ? "interrupted" : "stopped",
                    training->why[0] ? training->why : "an epoch before it is not saved",
                    folder->checkpoint ? again : "no checkpoint is there",
                    folder->checkpoint ? " continues from an earlier one" : "");
}

/* The model is that of the last epoch now, or with keep_best that of the best. */
static int finish(const struct training *training) {
    stoa_status status = cli_set_number(training->model, "train.epoch", training->best);
    if (status == STOA_OK) {
        status = training->kept.epoch == training->best
                     ? cli_record_figures(training->model, &training->kept)
                     : cli_record_older_figures(training->model, training->folder->path, training->best);
    }
    return status == STOA_OK ? cli_run_folder_finish(training->folder, training->context, training->model,
                                                     training->last.epoch)
                             : cli_fail_library(training->context, status);
}

/* Loss or parameters became infinite: the library's sentence says where. */
static int fail_nonfinite(const struct training *training, const stoa_train_options *options) {
    bool clips = options->clip_norm > 0 || options->clip_value > 0;
    return cli_fail(CLI_FAILED, "%s; try --lr %.2g (it is %.3g)%s; --find-lr suggests one",
                    stoa_context_error(training->context), (double)options->learning_rate / 10,
                    (double)options->learning_rate, clips ? "" : " or clip_norm = 1");
}

/* Train into the open folder. */
static int train_into_folder(struct training *training, const struct cli_request *request,
                             const stoa_train_options *options) {
    const struct cli_run_folder *folder = training->folder;
    training->keep_best = options->keep_best;
    training->options = options;
    training->callbacks.user = training;
    training->callbacks.start = on_start;
    training->callbacks.progress = on_progress;
    training->callbacks.checkpoint = on_checkpoint;
    stoa_status status = stoa_train(training->context, training->model, training->train, training->test,
                                    options, &training->callbacks);
    if (training->broke_off) {
        return training->code; /* its sentence is out */
    }
    if (status == STOA_ERR_CANCELLED) {
        if (folder->committed) {
            (void)cli_record_write(&training->record, folder->path, "stopped");
        }
        char *own = cli_own_word(), *run = cli_path_word(folder->path);
        char *again = cli_text("%s train --resume %s", own, run);
        int code = stopped(training, request, again);
        free(own);
        free(run);
        free(again);
        return code;
    }
    cli_progress_clear();
    if (status != STOA_OK) {
        int code = status == STOA_ERR_NONFINITE ? fail_nonfinite(training, options)
                                                : cli_fail_library(training->context, status);
        return status == STOA_ERR_IO ? CLI_FAILED : code; /* the data were right when they were opened */
    }
    int code = finish(training);
    if (code == CLI_DONE && (!training->resume || training->went_on)) {
        bool early = training->last.epoch < training->last.epochs;
        code = cli_record_write(&training->record, folder->path, early ? "patience" : "done");
    }
    if (code != CLI_DONE) {
        return code;
    }
    if (training->resume && !training->went_on && !request->quiet && !request->json) {
        bool early = training->last.epoch < training->last.epochs;
        cli_print("%s is complete with %zu epochs; %s\n", folder->path, training->last.epoch,
                  early ? "it stopped as validation did not get better, and more --epochs do not change that"
                        : "--epochs goes on to a larger number");
        return CLI_DONE;
    }
    return request->quiet && !request->json
               ? CLI_DONE
               : cli_summary_print(&training->summary, folder->path, &training->last, request->json);
}

static void close_folder(void *folder) {
    cli_run_folder_close(folder);
}

/* The folder of a new run, and what the run will say of itself. */
static int open_folder(const struct cli_request *request, const struct cli_setup *setup,
                       struct training *training) {
    struct cli_run_folder *folder = training->folder;
    int code = training->resume ? CLI_DONE : cli_run_folder_open(request, setup->name, folder);
    if (code == CLI_DONE) {
        code = cli_record_check(folder->path);
    }
    const struct cli_record_begin begin = {.subject = training->subject,
                                           .setup = setup,
                                           .train = training->train,
                                           .test = training->test,
                                           .data = training->data,
                                           .folder = folder->path,
                                           .resumed = training->resume != NULL};
    return code == CLI_DONE ? cli_record_open(&training->record, &begin) : code;
}

/* What the run is called, how it is trained and where it goes: from here on the request was right, as far as
 * it can be told without computing. */
static int train_model(const struct cli_request *request, struct training *training) {
    struct cli_setup setup;
    int code = cli_setup_open(request->init, request->map, training->subject, training->train, training->test,
                              &setup);
    training->model = training->subject->model;
    training->name = request->quiet || request->json ? NULL : setup.name;
    if (code == CLI_DONE && training->resume) {
        code = cli_resume_facts(training->resume, training->subject, true);
    }
    if (code == CLI_DONE) {
        cli_listen_for_signals();
        cli_progress_start(request->quiet || request->json);
        training->deadline = request->minutes > 0 ? cli_now() + 60 * request->minutes : 0;
        cli_summary_begin(&training->summary, setup.options.keep_best);
        training->summary.init = setup.init;
        training->summary.subject = training->subject;
        training->summary.data = training->data;
        code = open_folder(request, &setup, training);
    }
    if (code == CLI_DONE) {
        code = train_into_folder(training, request, &setup.options);
    }
    cli_setup_free(&setup);
    return code;
}

/* The recipe's network and data, or those of a run that is continued. */
static int open_all(const struct cli_request *request, struct cli_subject *subject, struct training *training,
                    stoa_dataset **train, stoa_dataset **test) {
    int code = training->resume ? cli_resume_open(request, subject, training->folder, training->resume)
               : request->operand_count > 0
                   ? cli_open_recipe(request->operands[0], request, subject)
                   : cli_fail(CLI_WRONG, "train: RECIPE missing, expected stoa %s", cli_train.usage);
    if (code == CLI_DONE && training->resume) {
        code = cli_resume_facts(training->resume, subject, false);
    }
    return code == CLI_DONE ? cli_open_data(subject, request->data, false, train, test, &training->data)
                            : code;
}

static int train(const struct cli_request *request) {
    struct cli_subject subject = {0};
    struct cli_run_folder folder = {.descriptor = -1, .lock = -1};
    struct cli_resume resume = {.steps = NULL};
    struct training training = {.subject = &subject,
                                .folder = &folder,
                                .resume = request->resume ? &resume : NULL,
                                .has_rhythm = request->checkpoint_every != NULL};
    stoa_dataset *train = NULL, *test = NULL;
    cli_set_clean_up(close_folder, &folder);
    int code = cli_checkpoint_rhythm(request->checkpoint_every, &training.callbacks);
    if (code == CLI_DONE) {
        code = cli_open_context(request, &subject);
    }
    if (code == CLI_DONE) {
        code = open_all(request, &subject, &training, &train, &test);
    }
    if (code == CLI_DONE) {
        training.context = subject.context;
        training.train = train;
        training.test = test;
        code = request->find_lr ? cli_find_lr(request, &subject, train) : train_model(request, &training);
    }
    cli_run_folder_close(&folder);
    cli_set_clean_up(NULL, NULL);
    cli_resume_close(&resume);
    cli_record_free(&training.record);
    free(training.data);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    cli_close(&subject);
    return code;
}

static int run(const struct cli_request *request) {
    bool several = false;
    int code = cli_find_lr_check(request);
    code = code == CLI_DONE ? cli_grid_is_wanted(request, &several) : code;
    if (code != CLI_DONE) {
        return code;
    }
    if (request->resume && cli_grid_is_folder(request->resume)) {
        return cli_grid_resume(request);
    }
    return several ? cli_grid(request) : train(request);
}

static const char *const option_names[] = {"epochs",  "batch",   "lr",     "seed",   "split-seed",
                                           "threads", "data",    "layout", "resize", "out",
                                           "force",   "quiet",   "init",   "resume", "checkpoint-every",
                                           "keep",    "find-lr", "json",   "set",    "seeds",
                                           "jobs",    "minutes", "map",    NULL};

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
        "are taken, the others listed; freeze in the recipe keeps layers as they are. --map FILE says which\n"
        "tensor is which where names differ: where there is no such file, one is written to be edited.\n"
        "With keep_best in the recipe the model is that of the epoch with the best validation.\n"
        "\n"
        "The whole state of the training is saved as checkpoint-STEP.safetensors after every epoch, within\n"
        "long ones, and on SIGINT or SIGTERM. --resume RUN continues the run in a folder from there,\n"
        "whatever has ended it, to the same files as if nothing had. It needs no RECIPE; options other\n"
        "than --epochs, --data and those that change no result have to be those of the run.\n"
        "\n"
        "With --seeds N and with several values of --set KEY=A,B all combinations are trained, side by\n"
        "side on the CPUs, each into a folder below one folder, and a table compares them. A comma that\n"
        "belongs to a value stands in double quotes, as in CSV: --set 'freeze=\"c1,c2\",c1'. What was\n"
        "stopped goes on with --resume FOLDER.",
    .examples = "  stoa train mnist-cnn\n"
                "  stoa train lenet5 --epochs 1 --seed 7 --threads 2 --out runs/first\n"
                "  stoa train ./my.ini --data ~/digits --lr 3e-3\n"
                "  stoa train ./my.ini --find-lr\n"
                "  stoa train ./my.ini --set lr=1e-3,3e-3 --set batch=32,64 --set validation=0.1 --seeds 3\n"
                "  stoa train ./five-digits.ini --init runs/lenet5-1\n"
                "  stoa train --resume runs/first --epochs 20",
    .options = option_names,
    .operand = "RECIPE",
    .least_operands = 0,
    .most_operands = 1,
    .multiplies = true,
    .run = run,
};
