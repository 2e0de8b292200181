/* SPDX-License-Identifier: MIT */
/* The tally of choices and its table. */
#include "bench/choices.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void bench_choices_count(struct bench_choices *choices, enum stoa_conv_pass pass, const char *layer,
                         double chosen, double fastest) {
    struct bench_choices_of_pass *of = &choices->pass[pass];
    double loss = chosen / fastest;
    of->rows++;
    of->missed += loss > 1 + BENCH_CHOICE_NOISE;
    of->log_loss += log(loss);
    if (loss > of->worst) {
        of->worst = loss;
        (void)snprintf(of->worst_row, sizeof of->worst_row, "%s", layer);
    }
}

struct bench_choices_of_pass bench_choices_all(const struct bench_choices *choices) {
    struct bench_choices_of_pass all = {.rows = 0};
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        const struct bench_choices_of_pass *of = &choices->pass[i];
        all.rows += of->rows;
        all.missed += of->missed;
        all.log_loss += of->log_loss;
        if (of->worst > all.worst) {
            all.worst = of->worst;
            memcpy(all.worst_row, of->worst_row, sizeof all.worst_row);
        }
    }
    return all;
}

double bench_choices_mean(const struct bench_choices_of_pass *of) {
    return of->rows > 0 ? exp(of->log_loss / (double)of->rows) : 1;
}

static void add_row(struct cli_table *table, const char *name, const struct bench_choices_of_pass *of) {
    cli_table_cell(table, "%s", name);
    cli_table_cell(table, "%zu", of->rows);
    cli_table_cell(table, "%zu", of->missed);
    cli_table_cell(table, "%.3f", bench_choices_mean(of));
    cli_table_cell(table, "%.3f", of->worst);
    cli_table_cell(table, "%s", of->worst_row);
}

void bench_choices_print(const struct bench_choices *choices) {
    (void)puts("\nWhat choices cost: the time of the chosen over the fastest.\n");
    struct cli_table table = {.columns = "lrrrrl"};
    static const char *const heading[] = {"pass", "rows", "missed", "mean", "worst", "worst layer"};
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    size_t passes = 0;
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        if (choices->pass[i].rows > 0) {
            add_row(&table, bench_pass_names[i], &choices->pass[i]);
            passes++;
        }
    }
    if (passes > 1) {
        const struct bench_choices_of_pass all = bench_choices_all(choices);
        add_row(&table, "all", &all);
    }
    cli_table_print(&table);
}
