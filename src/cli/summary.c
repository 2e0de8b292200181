/* SPDX-License-Identifier: MIT */
/* What a training has come to: see summary.h. The figures are those of the run's metrics, so that they are of
 * the whole run where it was continued. Public headers only. */
#include "cli/summary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/run_files.h"
#include "cli/table.h"
#include "cli/words.h"
#include "report/figure.h"

bool cli_summary_read(const char *folder, struct report_run *run, char sentence[CLI_SUMMARY_SENTENCE]) {
    cli_json_begin_reading();
    bool good = report_run_read(folder, run, sentence, CLI_SUMMARY_SENTENCE);
    cli_json_end_reading();
    if (good && run->epochs == 0) {
        (void)snprintf(sentence, CLI_SUMMARY_SENTENCE, "%s: has metrics of no epoch", folder);
        report_run_free(run);
        good = false;
    }
    return good;
}

void cli_summary_begin(struct cli_summary *summary, bool keeps_best) {
    *summary = (struct cli_summary){.start = cli_now(), .keeps_best = keeps_best};
}

void cli_summary_epoch(struct cli_summary *summary, const stoa_progress *progress) {
    summary->epochs++;
    summary->training_seconds += progress->seconds;
    summary->images += progress->images_per_second * progress->seconds;
}

static void print_time(const struct cli_summary *summary) {
    struct report_words time = {""}, rate = {""};
    double seconds = summary->training_seconds;
    cli_print("done    %zu epoch%s in %s, %s images/s while training\n", summary->epochs,
              summary->epochs == 1 ? "" : "s", cli_seconds_words(&time, cli_now() - summary->start),
              report_count_words(&rate, seconds > 0 ? (size_t)(summary->images / seconds) : 0));
}

/* "test    99.28 %, loss 0.0251; highest 99.31 % in epoch 8" */
static void print_set(const struct report_run *run, const char *name, enum report_metric accuracy,
                      enum report_metric loss) {
    if (!report_run_has(run, accuracy)) {
        return;
    }
    struct report_words word = {""};
    size_t highest = report_run_highest(run, accuracy);
    double last = report_run_last(run, accuracy), most = run->value[accuracy][highest];
    cli_print("%-7s %.2f %%, loss %s", name, 100 * last, cli_loss_words(&word, report_run_last(run, loss)));
    if (most > last) {
        cli_print("; highest %.2f %% in epoch %.0f", 100 * most, run->value[REPORT_EPOCH][highest]);
    }
    cli_print("\n");
}

/* "test    rmse 2.31, mae 1.7, r2 0.97, loss 0.0251", of one epoch. */
static void print_targets(const struct report_run *run, const char *head, size_t at) {
    struct report_words words = {""}, loss = {""};
    cli_print("%s", head);
    for (size_t i = 0; i < REPORT_FIGURES; i++) {
        double value = run->value[report_figures[i].metric[REPORT_OF_TEST]][at];
        if (report_figures[i].format && isfinite(value)) {
            cli_print("%s, ", report_figure_named(&words, &report_figures[i], value));
        }
    }
    cli_print("loss %s\n", cli_loss_words(&loss, run->value[REPORT_TEST_LOSS][at]));
}

static void print_figures(const struct report_run *run, bool keeps_best) {
    struct report_words loss = {""};
    if (report_run_has(run, REPORT_TEST_RMSE) || report_run_has(run, REPORT_TEST_F1)) {
        print_targets(run, "test    ", run->epochs - 1);
        if (keeps_best && run->best > 0) {
            cli_print("best    epoch %.0f by validation: ", run->value[REPORT_EPOCH][run->best - 1]);
            print_targets(run, "test ", run->best - 1);
        }
        return;
    }
    print_set(run, "train", REPORT_TRAIN_ACCURACY, REPORT_TRAIN_LOSS);
    print_set(run, "valid", REPORT_VALIDATION_ACCURACY, REPORT_VALIDATION_LOSS);
    print_set(run, "test", REPORT_TEST_ACCURACY, REPORT_TEST_LOSS);
    if (keeps_best && run->best > 0) {
        size_t at = run->best - 1;
        cli_print("best    epoch %.0f by validation: test %.2f %%, loss %s\n", run->value[REPORT_EPOCH][at],
                  100 * run->value[REPORT_TEST_ACCURACY][at],
                  cli_loss_words(&loss, run->value[REPORT_TEST_LOSS][at]));
    }
}

/* Lines that a shell can run as they stand. */
static void print_next(const struct cli_summary *summary, const char *folder) {
    char *own = cli_own_word(), *run = cli_path_word(folder);
    char *data = summary->data ? cli_path_word(summary->data) : NULL;
    cli_print("next    %s eval %s\n", own, run);
    if (data) {
        cli_print("        %s predict %s %s --csv answers.csv\n", own, run, data);
    }
    cli_print("        %s report %s\n", own, run);
    free(own);
    free(run);
    free(data);
}

static void print_text(const struct cli_summary *summary, const struct report_run *run, const char *folder,
                       const stoa_progress *last) {
    if (last->epoch < last->epochs) {
        cli_print("stopped after epoch %zu: validation does not get better\n", last->epoch);
    }
    print_time(summary);
    if (run) {
        print_figures(run, summary->keeps_best);
    }
    cli_print("model   %s/" CLI_RUN_MODEL "\nmetrics %s/" CLI_RUN_METRICS "\n", folder, folder);
    for (size_t i = summary->first_note; summary->subject && i < summary->subject->note_count; i++) {
        cli_print("note    %s\n", summary->subject->notes[i]);
    }
    print_next(summary, folder);
}

json_t *cli_summary_figures(const struct report_run *run, size_t at) {
    json_t *figures = cli_json_object();
    for (int i = REPORT_EPOCH; i <= REPORT_LEARNING_RATE; i++) {
        if (report_run_has(run, i)) {
            cli_json_set(figures, report_metric_key[i],
                         i == REPORT_EPOCH ? cli_json_count((size_t)run->value[i][at])
                                           : cli_json_number(run->value[i][at]));
        }
    }
    return figures;
}

static void print_json(const struct cli_summary *summary, const struct report_run *run, const char *folder,
                       const stoa_progress *last) {
    json_t *all = cli_json_object();
    double seconds = summary->training_seconds;
    cli_json_set(all, "run", cli_json_text(folder));
    cli_json_set(all, "epochs", cli_json_count(last->epochs));
    cli_json_set(all, "stopped",
                 summary->timed_out           ? cli_json_text("minutes")
                 : last->epoch < last->epochs ? cli_json_text("patience")
                                              : json_null());
    cli_json_set(all, "seconds", cli_json_number(cli_now() - summary->start));
    cli_json_set(all, "images_per_second", cli_json_number(seconds > 0 ? summary->images / seconds : 0));
    json_t *notes = cli_json_array();
    for (size_t i = 0; summary->subject && i < summary->subject->note_count; i++) {
        cli_json_append(notes, cli_json_text(summary->subject->notes[i]));
    }
    cli_json_set(all, "notes", notes);
    if (summary->init) {
        cli_json_set(all, "init", json_incref(summary->init));
    }
    if (run) {
        cli_json_set(all, "last", cli_summary_figures(run, run->epochs - 1));
    }
    if (run && run->best > 0) {
        cli_json_set(all, "best", cli_summary_figures(run, run->best - 1));
    }
    cli_json_print(all);
}

int cli_summary_print(const struct cli_summary *summary, const char *folder, const stoa_progress *last,
                      bool json) {
    struct report_run run;
    char sentence[CLI_SUMMARY_SENTENCE];
    bool known = cli_summary_read(folder, &run, sentence);
    if (!known && summary->epochs > 0) {
        return cli_fail(CLI_FAILED, "%s", sentence);
    }
    if (json) {
        print_json(summary, known ? &run : NULL, folder, last);
    } else {
        print_text(summary, known ? &run : NULL, folder, last);
    }
    if (known) {
        report_run_free(&run);
    }
    return CLI_DONE;
}
