/* SPDX-License-Identifier: MIT */
/* `stoa train RECIPE --find-lr`: a short training with a growing learning rate, as a curve and one
 * suggestion. Public headers only. */
#include "cli/find_lr.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/report.h"
#include "cli/setup.h"
#include "cli/signals.h"
#include "cli/terminal.h"

enum { ROWS = 16 };

static bool on_point(void *user, const stoa_rate_point *point) {
    const bool *quiet = user;
    if (!*quiet) {
        cli_progress_line("trying learning rates: %.2g, loss %.4g", (double)point->learning_rate,
                          point->loss);
    }
    return cli_stop_signal() != 0;
}

/* Loss and smoothed loss over the rate. What explodes would press all else flat: the drawing ends at twice
 * the loss of the beginning. */
static void print_curve(const stoa_rate_curve *curve) {
    double *values = cli_allocate(3 * curve->count, sizeof *values);
    double *rate = values, *loss = values + curve->count, *smoothed = loss + curve->count;
    double most = 0;
    for (size_t i = 0; i < curve->count; i++) {
        most = fmax(most, curve->points[i].smoothed_loss);
    }
    for (size_t i = 0; i < curve->count; i++) {
        rate[i] = (double)curve->points[i].learning_rate;
        loss[i] = curve->points[i].loss < 2 * most ? curve->points[i].loss : (double)NAN;
        smoothed[i] = curve->points[i].smoothed_loss;
    }
    const struct report_line line[] = {
        {.name = "smoothed", .x = rate, .y = smoothed, .count = curve->count},
        {.name = "loss of a batch", .x = rate, .y = loss, .count = curve->count, .is_faint = true}};
    const struct report_lines lines = {.x = {.label = "learning rate", .scale = REPORT_LOG},
                                       .y = {.label = "loss", .scale = REPORT_LINEAR},
                                       .line = line,
                                       .count = 2};
    struct report_terminal terminal = cli_terminal();
    struct report_out out = {.text = NULL};
    terminal.height = ROWS;
    report_lines_text(&out, "loss", &lines, &terminal);
    if (out.failed) {
        cli_out_of_memory();
    }
    (void)fputs(out.text, stdout);
    report_out_free(&out);
    free(values);
}

static void print_result(const stoa_rate_curve *curve, const struct cli_setup *setup) {
    cli_print("%s, batches of %zu: %zu learning rates from %.1e to %.1e%s\n\n", setup->name,
              setup->options.batch, curve->count, (double)curve->points[0].learning_rate,
              (double)curve->points[curve->count - 1].learning_rate,
              curve->exploded ? ", where the loss explodes" : "");
    print_curve(curve);
    if (curve->suggestion > 0) {
        cli_print("\nsuggestion  --lr %.2g: a tenth of the rate with the smallest smoothed loss, %.2g\n",
                  (double)curve->suggestion, (double)curve->lowest_loss);
        cli_print("            (the loss falls fastest at %.2g; the recipe trains with %.2g)\n",
                  (double)curve->steepest, (double)setup->options.learning_rate);
    } else {
        cli_print("\nsuggestion  none: the smoothed loss falls by less than a twentieth at any rate\n");
    }
}

static void print_json(const stoa_rate_curve *curve, const struct cli_setup *setup) {
    json_t *all = cli_json_object(), *points = cli_json_array();
    cli_json_set(all, "recipe", cli_json_text(setup->name));
    cli_json_set(all, "batch", cli_json_count(setup->options.batch));
    cli_json_set(all, "lr", cli_json_float(setup->options.learning_rate));
    cli_json_set(all, "suggestion", curve->suggestion > 0 ? cli_json_float(curve->suggestion) : json_null());
    cli_json_set(all, "rule",
                 cli_json_text("a tenth of lowest_loss_lr; null where the smoothed loss falls by "
                               "less than a twentieth"));
    cli_json_set(all, "lowest_loss_lr", cli_json_float(curve->lowest_loss));
    cli_json_set(all, "steepest_lr", cli_json_float(curve->steepest));
    cli_json_set(all, "exploded", json_boolean(curve->exploded));
    for (size_t i = 0; i < curve->count; i++) {
        json_t *point = cli_json_object();
        cli_json_set(point, "lr", cli_json_float(curve->points[i].learning_rate));
        cli_json_set(point, "loss", cli_json_number(curve->points[i].loss));
        cli_json_set(point, "smoothed_loss", cli_json_number(curve->points[i].smoothed_loss));
        cli_json_append(points, point);
    }
    cli_json_set(all, "points", points);
    cli_json_print(all);
}

int cli_find_lr_check(const struct cli_request *request) {
    static const char *const runs[] = {"out",  "force",   "epochs", "resume",          "seeds",
                                       "jobs", "minutes", "keep",   "checkpoint-every"};
    for (size_t i = 0; request->find_lr && i < request->given_count; i++) {
        for (size_t k = 0; k < sizeof runs / sizeof runs[0]; k++) {
            if (strcmp(request->given[i].name, runs[k]) == 0) {
                return cli_fail(CLI_WRONG,
                                "--find-lr: found --%s too, expected nothing that a run needs: it only "
                                "tries learning rates and writes nothing",
                                runs[k]);
            }
        }
    }
    return CLI_DONE;
}

int cli_find_lr(const struct cli_request *request, const struct cli_subject *subject,
                const stoa_dataset *train) {
    struct cli_setup setup = {.name = NULL};
    stoa_rate_curve curve;
    int code = cli_setup_open(request->init, request->map, subject, train, NULL, &setup);
    if (code == CLI_DONE) {
        cli_listen_for_signals();
        bool quiet = request->quiet;
        stoa_status status = stoa_find_learning_rate(subject->context, subject->model, train, &setup.options,
                                                     NULL, on_point, &quiet, &curve);
        cli_progress_clear();
        if (status == STOA_OK) {
            (request->json ? print_json : print_result)(&curve, &setup);
            stoa_rate_curve_free(&curve);
        } else if (status == STOA_ERR_CANCELLED && cli_stop_signal()) {
            code = cli_fail(CLI_SIGNAL + cli_stop_signal(), "interrupted, no learning rate is found");
        } else {
            code = cli_fail_library(subject->context, status);
        }
    }
    cli_setup_free(&setup);
    return code;
}
