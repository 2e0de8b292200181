/* SPDX-License-Identifier: MIT */
/* Geometric means of ratios. */
#include "bench/means.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void bench_mean_add(struct bench_mean *mean, double ratio, const char *row, ...) {
    if (mean->rows == 0 || ratio < mean->lowest) {
        mean->lowest = ratio;
        va_list arguments;
        va_start(arguments, row);
        (void)vsnprintf(mean->lowest_row, sizeof mean->lowest_row, row, arguments);
        va_end(arguments);
    }
    mean->rows++;
    mean->log_sum += log(ratio);
}

double bench_mean_value(const struct bench_mean *mean) {
    return mean->rows > 0 ? exp(mean->log_sum / (double)mean->rows) : (double)NAN;
}

void bench_mean_cells(const struct bench_mean *mean, bool with_row, struct cli_table *table) {
    if (mean->rows > 0) {
        cli_table_cell(table, "%.3f", bench_mean_value(mean));
        cli_table_cell(table, "%.3f", mean->lowest);
    } else {
        cli_table_cell(table, "-");
        cli_table_cell(table, "-");
    }
    if (with_row) {
        cli_table_cell(table, "%s", mean->rows > 0 ? mean->lowest_row : "-");
    }
}

json_t *bench_mean_json(const struct bench_mean *mean) {
    json_t *out = cli_json_object();
    cli_json_set(out, "rows", cli_json_count(mean->rows));
    if (mean->rows > 0) {
        cli_json_set(out, "geometric_mean", cli_json_number(bench_mean_value(mean)));
        cli_json_set(out, "lowest", cli_json_number(mean->lowest));
        cli_json_set(out, "lowest_row", cli_json_text(mean->lowest_row));
    }
    return out;
}
