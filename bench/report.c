/* SPDX-License-Identifier: MIT */
/* `stoa-bench report`: files of results as one page. Who measures reads first how much faster the engine
 * is than naive loops, than im2col and the BLAS, and than other engines; then the same layer by layer;
 * then the rest. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/sides.h"
#include "report/html.h"

/* The page in progress. */
struct page {
    struct report_out out;
    const struct bench_plot_file *files;
    size_t count;
    struct bench_sides sides;
    size_t charts;
};

static void put_chart(struct page *page, struct report_chart *chart, const char *caption) {
    char *id = cli_text("chart-%zu", ++page->charts);
    chart->id = id;
    report_html_chart(&page->out, chart, caption);
    free(id);
}

static bool is_compared(const struct page *page) {
    return page->sides.sides > 1 && page->sides.rows > 0;
}

/* ---- side by side ---- */

/* The means as large numbers: what is read first. */
static void put_headline(struct page *page) {
    const struct bench_sides *sides = &page->sides;
    struct report_out *out = &page->out;
    double rate, ratio;
    size_t rows = bench_sides_mean(sides, sides->ours, BENCH_PASSES, &rate, &ratio);
    if (rows == 0) {
        report_html_text(out, "No row was measured on every side: there are no means to compare.");
        return;
    }
    struct report_word word;
    report_put(out, "<p>");
    report_escape(out, sides->side[sides->ours].name);
    report_print(out,
                 " runs %zu passes of layers at %s GFLOP/s (geometric mean). Times as fast as</p>\n<ul "
                 "class=\"big\">\n",
                 rows, report_digits_word(&word, rate, 3));
    for (size_t i = 0; i < sides->sides; i++) {
        if (i != sides->ours) {
            (void)bench_sides_mean(sides, i, BENCH_PASSES, &rate, &ratio);
            report_print(out, "<li><b>%s&#215;</b> ", report_digits_word(&word, ratio, 3));
            report_escape(out, sides->side[i].name);
            report_put(out, "</li>\n");
        }
    }
    report_put(out, "</ul>\n");
}

static const char *pass_name(size_t pass) {
    return pass < BENCH_PASSES ? bench_pass_names[pass] : "all passes";
}

/* Bars of all sides; `groups` stand in their order. */
static void put_sides(struct page *page, const char *title, const struct report_bar_group *groups,
                      size_t count, const char *caption) {
    const struct bench_sides *sides = &page->sides;
    const char **names = cli_allocate(sides->sides, sizeof *names);
    size_t *styles = cli_allocate(sides->sides, sizeof *styles);
    double limit = 0;
    for (size_t i = 0; i < sides->sides; i++) {
        names[i] = sides->side[i].name;
        styles[i] = sides->side[i].style;
    }
    for (size_t i = 0; i < page->count; i++) {
        limit = fmax(limit, page->files[i].fma);
    }
    char *limit_name = cli_text("FMA limit, %.1f GFLOP/s", limit);
    const struct report_bars bars = {.x = {.label = "GFLOP/s"},
                                     .series = names,
                                     .styles = styles,
                                     .series_count = sides->sides,
                                     .group = groups,
                                     .count = count,
                                     .limit = limit,
                                     .limit_name = limit_name};
    put_chart(page, &(struct report_chart){.title = title, .bars = &bars}, caption);
    free(limit_name);
    free(names);
    free(styles);
}

static void put_means(struct page *page) {
    const struct bench_sides *sides = &page->sides;
    struct report_bar_group groups[BENCH_PASSES + 1];
    double *values = cli_allocate((BENCH_PASSES + 1) * sides->sides, sizeof *values);
    size_t count = 0;
    for (size_t i = 0; i <= BENCH_PASSES; i++) {
        size_t pass = i == 0 ? BENCH_PASSES : i - 1, rows = 0;
        double *value = &values[i * sides->sides], ratio;
        for (size_t s = 0; s < sides->sides; s++) {
            rows = bench_sides_mean(sides, s, pass, &value[s], &ratio);
        }
        if (rows > 0) {
            groups[count++] = (struct report_bar_group){pass_name(pass), value};
        }
    }
    if (count > 0) {
        put_sides(page, "Geometric means", groups, count, "Longer is faster. Rows that every side has.");
    }
    free(values);
}

/* How many times as fast the engine is, for each side and pass, and where it is least so. */
static void put_ratio(struct page *page, struct report_html_table *table, size_t side) {
    const struct bench_sides *sides = &page->sides;
    struct report_word word;
    report_html_cell(&page->out, table, sides->side[side].name);
    for (size_t i = 0; i <= BENCH_PASSES; i++) {
        double rate, ratio;
        size_t rows = bench_sides_mean(sides, side, i == 0 ? BENCH_PASSES : i - 1, &rate, &ratio);
        report_html_cell(&page->out, table, rows ? report_digits_word(&word, ratio, 3) : "");
    }
    double least = INFINITY;
    size_t at = 0;
    for (size_t i = 0; i < sides->rows; i++) {
        if (sides->row[i].ratio[side] < least) {
            least = sides->row[i].ratio[side];
            at = i;
        }
    }
    char *text = isfinite(least) ? cli_text("%s, %s %s", report_digits_word(&word, least, 3),
                                            sides->row[at].label, bench_pass_names[sides->row[at].pass])
                                 : cli_text("%s", "");
    report_html_cell(&page->out, table, text);
    free(text);
}

static void put_ratios(struct page *page) {
    const struct bench_sides *sides = &page->sides;
    struct report_html_table table;
    char *caption = cli_text("Times as fast is %s as", sides->side[sides->ours].name);
    report_html_table_begin(&page->out, &table, "lrrrrl", caption);
    report_html_cell(&page->out, &table, "side");
    for (size_t i = 0; i <= BENCH_PASSES; i++) {
        report_html_cell(&page->out, &table, pass_name(i == 0 ? BENCH_PASSES : i - 1));
    }
    report_html_cell(&page->out, &table, "least");
    for (size_t i = 0; i < sides->sides; i++) {
        if (i != sides->ours) {
            put_ratio(page, &table, i);
        }
    }
    report_html_table_end(&page->out, &table);
    free(caption);
}

static void put_layers(struct page *page) {
    const struct bench_sides *sides = &page->sides;
    struct report_bar_group *groups = cli_allocate(sides->rows, sizeof *groups);
    for (size_t pass = 0; pass < BENCH_PASSES; pass++) {
        size_t count = 0;
        for (size_t i = 0; i < sides->rows; i++) {
            if (sides->row[i].pass == pass) {
                groups[count++] = (struct report_bar_group){sides->row[i].label, sides->row[i].rate};
            }
        }
        if (count > 0) {
            put_sides(page, bench_pass_names[pass], groups, count, NULL);
        }
    }
    free(groups);
}

static void put_comparison(struct page *page) {
    struct report_out *out = &page->out;
    report_html_section(out, "sides", "Side by side");
    put_headline(page);
    report_put(out, "<div class=\"beside\">\n");
    put_means(page);
    report_put(out, "<div>\n");
    put_ratios(page);
    if (page->count > 1) {
        report_html_text(out,
                         "Ratios to naive loops and to other engines are those of one run each, in which "
                         "both were measured. Others, and the bars, bring runs together: a machine may "
                         "have changed between them.");
    }
    report_put(out, "</div>\n</div>\n");
    report_html_section_end(out);
    report_html_section(out, "layers", "Layer by layer");
    report_html_figures(out);
    put_layers(page);
    report_html_figures_end(out);
    report_html_section_end(out);
}

/* ---- each file ---- */

/* GFLOP/s of layers, and their steps, stand side by side already. */
static int hang(struct bench_gallery *gallery, const char *name, struct report_chart *chart) {
    struct page *page = gallery->user;
    const char *end = strrchr(name, '-');
    if (!is_compared(page) ||
        (strcmp(end, "-gflops") != 0 && !strstr(name, "-steps-") && !strstr(name, "-beside-"))) {
        chart->width = chart->height = 0;
        put_chart(page, chart, NULL);
    }
    return CLI_DONE;
}

static int put_files(struct page *page, struct bench_gallery *gallery) {
    report_html_section(&page->out, "charts", "Charts of each file");
    report_html_figures(&page->out);
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < page->count; i++) {
        code = bench_plot_charts(gallery, &page->files[i]);
    }
    if (code == CLI_DONE && page->count == 2) {
        code = bench_plot_compare(gallery, &page->files[0], &page->files[1]);
    }
    report_html_figures_end(&page->out);
    report_html_section_end(&page->out);
    return code;
}

/* ---- where it was measured ---- */

/* A value of a context as text; "" where there is none. From malloc. */
static char *context_text(const struct bench_plot_file *file, const char *key) {
    const json_t *value = json_object_get(json_object_get(file->json, "context"), key);
    struct report_word word;
    return json_is_string(value)   ? cli_text("%s", json_string_value(value))
           : json_is_number(value) ? cli_text("%s", report_number_word(&word, json_number_value(value)))
           : json_is_true(value)   ? cli_text("yes")
                                   : cli_text("%s", "");
}

static size_t wrong_rows(const struct bench_plot_file *file) {
    size_t i, wrong = 0;
    const json_t *row;
    json_array_foreach(json_object_get(file->json, "benchmarks"), i, row) {
        wrong += json_is_true(json_object_get(row, "error_occurred"));
    }
    return wrong;
}

static void put_context_row(struct page *page, struct report_html_table *table, const char *name,
                            const char *key) {
    char *texts[BENCH_PLOT_FILES];
    bool any = false;
    for (size_t i = 0; i < page->count; i++) {
        texts[i] = context_text(&page->files[i], key);
        any = any || *texts[i];
    }
    if (any) {
        report_html_cell(&page->out, table, name);
    }
    for (size_t i = 0; i < page->count; i++) {
        if (any) {
            report_html_cell(&page->out, table, texts[i]);
        }
        free(texts[i]);
    }
}

static void put_context(struct page *page) {
    static const char *const keys[][2] = {
        {"date", "date"},
        {"CPU", "cpu_model"},
        {"CPUs", "num_cpus"},
        {"threads", "threads"},
        {"instruction set", "isa"},
        {"policy", "policy"},
        {"tuning table", "tuning"},
        {"its checksum", "tuning_sum"},
        {"algorithm asked for", "conv"},
        {"BLAS", "blas_version"},
        {"BLAS core", "blas_core"},
        {"Stoa", "stoa_version"},
        {"commit", "commit"},
        {"compiler", "compiler"},
        {"flags", "flags"},
        {"multiply-adds, flops a second", "fma_flops_per_second"},
        {"memory, bytes a second", "memory_bytes_per_second"},
        {"core to core before, ns", "core_latency_before_ns"},
        {"core to core after, ns", "core_latency_after_ns"},
        {"interrupted", "interrupted"},
    };
    struct report_html_table table;
    char columns[BENCH_PLOT_FILES + 2] = "l";
    memset(columns + 1, 'l', page->count);
    report_html_section(&page->out, "context", "Where and how");
    report_html_table_begin(&page->out, &table, columns, "What the files say of their runs");
    report_html_cell(&page->out, &table, "");
    for (size_t i = 0; i < page->count; i++) {
        report_html_cell(&page->out, &table, page->files[i].stem);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        put_context_row(page, &table, keys[i][0], keys[i][1]);
    }
    report_html_table_end(&page->out, &table);
    for (size_t i = 0; i < page->count; i++) {
        size_t wrong = wrong_rows(&page->files[i]);
        if (wrong > 0) {
            char *text = cli_text("%s: %zu results were wrong and are left out.", page->files[i].stem, wrong);
            report_html_text(&page->out, text);
            free(text);
        }
    }
    report_html_section_end(&page->out);
}

/* ---- the mode ---- */

static int write_page(struct page *page, const char *path) {
    struct bench_gallery gallery = {.hang = hang, .user = page};
    bench_sides_collect(page->files, page->count, &page->sides);
    report_html_begin(
        &page->out, is_compared(page) ? "Layers side by side" : "Measurements of Stoa",
        page->files[0].machine,
        ".big{display:flex;flex-wrap:wrap;gap:.2rem 2rem;list-style:none;margin:.2rem 0 1rem;padding:0}"
        ".big b{display:block;font-size:1.9rem;line-height:1.2}\n"
        ".beside{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}"
        ".beside>figure{flex:1 1 min(100%,22rem)}.beside>div{flex:2 1 min(100%,30rem);min-width:0}\n");
    if (is_compared(page)) {
        put_comparison(page);
    }
    int code = put_files(page, &gallery);
    put_context(page);
    report_html_end(&page->out, "Written by stoa-bench report. Flops are those of a direct convolution.");
    if (page->out.failed) {
        cli_out_of_memory();
    }
    if (code == CLI_DONE && gallery.count == 0 && !is_compared(page)) {
        code = cli_fail(CLI_WRONG, "%s: found no result to draw", page->files[0].path);
    }
    if (code == CLI_DONE) {
        code = bench_file_write("out", path, page->out.text);
    }
    if (code == CLI_DONE) {
        cli_print("%s\n", path);
    }
    report_out_free(&page->out);
    bench_sides_free(&page->sides);
    return code;
}

static int run(struct bench *bench) {
    const struct bench_options *options = &bench->options;
    const char *path = options->out ? options->out : "report.html";
    struct bench_plot_file files[BENCH_PLOT_FILES] = {{0}};
    int code = bench_plot_read_all(options, files);
    if (code == CLI_DONE) {
        code = bench_file_check("out", path);
    }
    if (code == CLI_DONE) {
        struct page page = {.files = files, .count = options->operand_count};
        code = write_page(&page, path);
    }
    for (size_t i = 0; i < options->operand_count; i++) {
        bench_plot_close(&files[i]);
    }
    return code;
}

static const char *const options[] = {"out", NULL};

const struct bench_mode bench_mode_report = {
    .name = "report",
    .summary = "results as one page: naive loops, im2col and the BLAS, Stoa and other engines side by side",
    .usage = "report FILE.json... [--out PAGE.html]",
    .options = options,
    .most_operands = BENCH_PLOT_FILES,
    .run = run,
};
