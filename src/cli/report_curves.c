/* SPDX-License-Identifier: MIT */
/* `stoa report --text, --svg, --csv`: what the metrics of runs say, without their models. */
#include "cli/report_curves.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_files.h"
#include "cli/terminal.h"
#include "cli/whole_file.h"
#include "report/curves.h"
#include "report/text.h"

enum { SENTENCE = 1024 };

char **cli_run_names(const struct cli_request *request) {
    char **names = cli_allocate(request->operand_count, sizeof *names);
    for (size_t i = 0; i < request->operand_count; i++) {
        names[i] = report_run_name(request->operands[i]);
        if (!names[i]) {
            cli_out_of_memory();
        }
    }
    for (size_t i = 0; i < request->operand_count; i++) {
        bool twice = false;
        for (size_t j = 0; j < request->operand_count; j++) {
            char *other = report_run_name(request->operands[j]);
            twice = twice || (j != i && other && strcmp(other, names[i]) == 0);
            free(other);
        }
        if (twice) {
            free(names[i]);
            names[i] = cli_text("%s", request->operands[i]);
        }
    }
    return names;
}

/* ---- the terminal ---- */

static void take_text(void *user, const struct report_chart *chart, bool mixed) {
    struct report_out *out = user;
    const struct report_terminal terminal = cli_terminal();
    /* Behind others faint lines would only cover them. */
    struct report_line *strong = cli_allocate(chart->lines->count, sizeof *strong);
    struct report_lines lines = *chart->lines;
    lines.count = 0;
    lines.line = strong;
    for (size_t i = 0; i < chart->lines->count; i++) {
        if (!mixed || !chart->lines->line[i].is_faint) {
            strong[lines.count++] = chart->lines->line[i];
        }
    }
    report_put(out, out->length > 0 ? "\n" : "");
    report_lines_text(out, chart->title, &lines, &terminal);
    free(strong);
}

/* ---- files ---- */

static int make_folder(const char *folder) {
    struct stat status;
    if (mkdir(folder, 0777) == 0 || (stat(folder, &status) == 0 && S_ISDIR(status.st_mode))) {
        return CLI_DONE;
    }
    return cli_fail(CLI_WRONG, "--svg: '%s' is no folder and cannot be made: %s", folder, strerror(errno));
}

/* Where drawings go, and how it went. */
struct folder {
    const struct cli_request *request;
    int code;
};

/* Write a file that is new or replaces one of its kind. */
static int write_one(const char *path, const char *begin, const struct report_out *out,
                     const struct cli_request *request) {
    int code = cli_check_replaceable(path, begin, request->force);
    code = code == CLI_DONE ? cli_write_whole(path, out->text, out->length) : code;
    bool table = request->csv && strcmp(request->csv, "-") == 0; /* it has the standard output */
    if (code == CLI_DONE && !request->quiet && !table) {
        cli_print("%s\n", path);
    }
    return code;
}

static void take_svg(void *user, const struct report_chart *chart, bool mixed) {
    static const char begin[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    struct folder *folder = user;
    struct report_chart alone = *chart;
    struct report_out out = {0};
    alone.alone = true;
    alone.width = 640;
    alone.note = mixed ? "Strong: test. Faint: validation and training." : NULL;
    report_put(&out, begin);
    report_chart_svg(&out, &alone);
    if (out.failed) {
        cli_out_of_memory();
    }
    char *path = cli_text("%s/%s.svg", folder->request->svg, chart->id);
    folder->code = folder->code == CLI_DONE ? write_one(path, begin, &out, folder->request) : folder->code;
    free(path);
    report_out_free(&out);
}

static int write_csv(const struct cli_request *request, const struct report_named_run *runs) {
    struct report_out out = {0};
    int code = CLI_DONE;
    report_csv(&out, runs, request->operand_count);
    if (out.failed) {
        cli_out_of_memory();
    }
    if (strcmp(request->csv, "-") == 0) {
        (void)fputs(out.text, stdout);
    } else {
        code = write_one(request->csv, "Run,Tag,Wall time,Step,Value\n", &out, request);
    }
    report_out_free(&out);
    return code;
}

/* ---- the runs ---- */

static int read_run(const char *operand, struct report_run *run) {
    char sentence[SENTENCE];
    cli_run_recover_unlocked(operand);
    cli_json_begin_reading();
    bool good = report_run_read(operand, run, sentence, sizeof sentence);
    cli_json_end_reading();
    if (!good) {
        return cli_fail(run->no_memory ? CLI_FAILED : CLI_WRONG, "%s", sentence);
    }
    return run->epochs > 0
               ? CLI_DONE
               : cli_fail(CLI_WRONG, "%s: found no whole line in " CLI_RUN_METRICS ", no epoch is done yet",
                          operand);
}

static void print_text(const struct report_named_run *runs, size_t count) {
    struct report_out out = {0};
    report_curves(&out, runs, count, count == 1, take_text, &out);
    if (out.failed) {
        cli_out_of_memory();
    }
    for (size_t i = 0; i < count; i++) {
        const struct report_run *run = runs[i].run;
        cli_print("%s: epoch %.0f%s\n", runs[i].name, run->value[REPORT_EPOCH][run->epochs - 1],
                  run->cut ? ", its last line is not whole: the run goes on, or was killed" : "");
    }
    (void)printf("\n%s", out.text ? out.text : "");
    report_out_free(&out);
}

static int show(const struct cli_request *request, const struct report_named_run *runs) {
    size_t count = request->operand_count;
    if (request->text) {
        print_text(runs, count);
    }
    struct folder folder = {.request = request, .code = request->svg ? make_folder(request->svg) : CLI_DONE};
    if (request->svg && folder.code == CLI_DONE) {
        struct report_out memory = {0};
        report_curves(&memory, runs, count, count == 1, take_svg, &folder);
        if (memory.failed) {
            cli_out_of_memory();
        }
    }
    return request->csv && folder.code == CLI_DONE ? write_csv(request, runs) : folder.code;
}

int cli_report_curves(const struct cli_request *request) {
    size_t count = request->operand_count;
    char **names = cli_run_names(request);
    struct report_run *read = cli_allocate(count, sizeof *read);
    struct report_named_run *runs = cli_allocate(count, sizeof *runs);
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < count; i++) {
        code = read_run(request->operands[i], &read[i]);
        runs[i] = (struct report_named_run){names[i], &read[i], i + 1};
    }
    if (code == CLI_DONE) {
        code = show(request, runs);
    }
    for (size_t i = 0; i < count; i++) {
        report_run_free(&read[i]);
        free(names[i]);
    }
    free(names);
    free(read);
    free(runs);
    return code;
}
