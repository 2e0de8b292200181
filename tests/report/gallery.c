/* SPDX-License-Identifier: MIT */
/* A drawing of each kind with hostile names, as files of their own and on one page, for test_drawings.py.
 * Run: report_gallery FOLDER */
#include <stdio.h>
#include <stdlib.h>

#include "tests/report/charts.h"

/* Write what there is to a file of the folder. */
static int save(const char *folder, const char *name, const char *end, struct report_out *out) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s.%s", folder, name, end);
    FILE *file = out->failed ? NULL : fopen(path, "w");
    int failed = !file || fwrite(out->text, 1, out->length, file) != out->length;
    failed |= file && fclose(file) != 0;
    report_out_free(out);
    return failed;
}

int main(int count, char **arguments) {
    if (count != 2) {
        return 2;
    }
    struct report_out page = {0}, drawing = {0};
    int failed = 0;
    report_html_begin(&page, HOSTILE, HOSTILE, NULL);
    report_html_section(&page, "charts", HOSTILE);
    report_html_figures(&page);
    for (size_t i = 0; i < CHARTS; i++) {
        struct report_chart chart = charts[i];
        report_html_chart(&page, &chart, HOSTILE);
        chart.alone = true;
        report_chart_svg(&drawing, &chart);
        failed |= save(arguments[1], chart.id, "svg", &drawing);
    }
    report_html_figures_end(&page);
    struct report_html_table table;
    report_html_table_begin(&page, &table, "lr", HOSTILE);
    const char *const cells[] = {"layer", "bytes", HOSTILE, "12"};
    for (size_t i = 0; i < 4; i++) {
        report_html_cell(&page, &table, cells[i]);
    }
    report_html_table_end(&page, &table);
    report_html_text(&page, HOSTILE);
    report_html_pre(&page, HOSTILE);
    report_html_section_end(&page);
    report_html_end(&page, HOSTILE);
    return failed | save(arguments[1], "page", "html", &page);
}
