/* SPDX-License-Identifier: MIT */
/* The page: its head with the numbers that matter, then curves, then what each run is made of. */
#include "report/page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/figure.h"
#include "report/html.h"
#include "report/page_part.h"
#include "report/words.h"

enum { DEFAULT_BATCH = 64 };

static const char *const headings[REPORT_SECTIONS] = {
    [REPORT_MISTAKES] = "Where it is right and wrong",
    [REPORT_INSIDE] = "What the network looks at",
    [REPORT_NETWORK] = "What each layer costs",
    [REPORT_MEMORY] = "Plan and memory",
    [REPORT_RECIPE] = "Recipe",
    [REPORT_ORIGIN] = "Environment and fingerprint",
};
static const char *const anchors[REPORT_SECTIONS] = {
    [REPORT_MISTAKES] = "mistakes", [REPORT_INSIDE] = "inside", [REPORT_NETWORK] = "network",
    [REPORT_MEMORY] = "plan",       [REPORT_RECIPE] = "recipe", [REPORT_ORIGIN] = "origin",
};

/* ---- making a part ---- */

const char *report_id_of(struct report_id *id, const struct report_part *part, const char *what) {
    (void)snprintf(id->text, sizeof id->text, "r%zu-%s", part->number, what);
    return id->text;
}

char *report_copy(struct report_part *part, const char *text) {
    char *copy = text ? strdup(text) : NULL;
    part->failed = part->failed || (text && !copy);
    return copy;
}

void report_write_missing(struct report_out *out, const char *reason) {
    report_put(out, "<p class=\"missing\">Not shown: ");
    report_escape(out, reason && *reason ? reason : "the reason is not known");
    report_put(out, "</p>\n");
}

void report_write_failure(struct report_part *part, enum report_section section, const stoa_context *context,
                          stoa_status status) {
    part->failed = part->failed || status == STOA_ERR_MEMORY;
    report_write_missing(&part->section[section], stoa_context_error(context));
}

/* What the recipe in a model file says of its training. */
static void read_recipe(struct report_part *part, const struct report_subject *subject) {
    const char *text = stoa_model_fact(subject->model, "recipe.text");
    stoa_recipe *recipe = NULL;
    part->settings = report_copy(part, text);
    part->loss = report_copy(part, stoa_model_fact(subject->model, "loss"));
    part->batch = DEFAULT_BATCH;
    stoa_status status =
        text ? stoa_recipe_load_memory(subject->context, "recipe.text", text, strlen(text), &recipe)
             : STOA_ERR_NOT_FOUND;
    part->failed = part->failed || status == STOA_ERR_MEMORY;
    if (status == STOA_OK) {
        stoa_recipe_info info;
        stoa_recipe_describe(recipe, &info);
        part->title = report_copy(part, *info.title ? info.title : NULL);
        part->optimizer = report_copy(part, info.train.optimizer);
        part->batch = info.train.batch ? info.train.batch : part->batch;
        stoa_recipe_free(recipe);
    }
    const char *name = stoa_model_fact(subject->model, "recipe");
    part->title = part->title ? part->title : report_copy(part, name);
}

static void measure_model(struct report_part *part, const stoa_model *model) {
    part->has_model = true;
    part->parameters = stoa_model_parameter_count(model);
    part->layers = stoa_model_layer_count(model);
    for (size_t i = 0; i < part->layers; i++) {
        stoa_layer_info layer;
        part->flops += stoa_model_layer(model, i, &layer) == STOA_OK ? layer.flops : 0;
    }
}

struct report_part *report_part_make(const struct report_subject *subject) {
    struct report_part *part = calloc(1, sizeof *part);
    if (!part) {
        return NULL;
    }
    part->number = subject->number;
    part->name = subject->name;
    part->path = subject->path;
    part->run = subject->run;
    part->no_curves = subject->run ? NULL : report_copy(part, subject->no_run);
    if (subject->model) {
        read_recipe(part, subject);
        measure_model(part, subject->model);
        /* Timing comes behind what is computed: a training step moves running statistics. */
        report_write_mistakes(part, subject);
        report_write_inside(part, subject);
        report_write_memory(part, subject);
        report_write_origin(part, subject);
        report_write_network(part, subject);
    } else {
        report_write_missing(&part->section[REPORT_MISTAKES], subject->no_model);
    }
    for (size_t i = 0; i < REPORT_SECTIONS; i++) {
        part->failed = part->failed || part->section[i].failed;
    }
    if (part->failed) {
        report_part_free(part);
        return NULL;
    }
    return part;
}

void report_part_free(struct report_part *part) {
    if (!part) {
        return;
    }
    for (size_t i = 0; i < REPORT_SECTIONS; i++) {
        report_out_free(&part->section[i]);
    }
    free(part->loss);
    free(part->optimizer);
    free(part->title);
    free(part->settings);
    free(part->no_curves);
    free(part->no_test);
    free(part);
}

const char *report_part_refusal(const struct report_part *part) {
    return part->no_test;
}

/* ---- the head ---- */

static void put_card(struct report_out *out, const char *name, const char *value, const char *note) {
    report_put(out, "<div><dt>");
    report_escape(out, name);
    report_put(out, "</dt><dd><b>");
    report_escape(out, value);
    report_put(out, "</b>");
    if (*note) {
        report_put(out, " <span>");
        report_escape(out, note);
        report_put(out, "</span>");
    }
    report_put(out, "</dd></div>\n");
}

static void put_accuracy(struct report_out *out, const struct report_part *part) {
    struct report_words share = {""}, wrong = {""}, samples = {""};
    char note[128] = "";
    double last = part->run ? report_run_last(part->run, REPORT_TEST_ACCURACY) : (double)NAN;
    if (part->samples > 0) {
        (void)snprintf(note, sizeof note, "%s of %s wrong",
                       report_count_words(&wrong, part->samples - part->correct),
                       report_count_words(&samples, part->samples));
        put_card(out, "Test accuracy",
                 report_percent_words(&share, (double)part->correct / (double)part->samples), note);
    } else if (isfinite(last)) {
        put_card(out, "Test accuracy", report_percent_words(&share, last), "after the last epoch");
    }
}

/* Of regression and of several labels the figure that the task is judged by, and the others as its note. */
static void put_figures(struct report_out *out, const struct report_run *run) {
    const struct report_figure *judge = report_run_figure(run);
    struct report_words words = {""};
    struct report_out note = {0};
    char heading[64];
    for (size_t i = 0; i < REPORT_FIGURES; i++) {
        const struct report_figure *figure = &report_figures[i];
        double last = report_run_last(run, figure->metric[REPORT_OF_TEST]);
        if (figure != judge && isfinite(last)) {
            report_print(&note, "%s%s %s", note.length > 0 ? ", " : "", figure->heading,
                         report_figure_words(&words, figure, last));
        }
    }
    report_print(&note, "%safter the last epoch", note.length > 0 ? ", " : "");
    (void)snprintf(heading, sizeof heading, "Test %s", judge->heading);
    put_card(out, heading,
             report_figure_words(&words, judge, report_run_last(run, judge->metric[REPORT_OF_TEST])),
             note.text ? note.text : "");
    out->failed = out->failed || note.failed;
    report_out_free(&note);
}

static void put_run(struct report_out *out, const struct report_run *run) {
    struct report_words words = {""};
    struct report_word word = {""}, best = {""};
    char note[128];
    size_t lowest = report_run_lowest(run, REPORT_TEST_LOSS);
    if (lowest != SIZE_MAX) {
        (void)snprintf(note, sizeof note, "least %s after epoch %.0f",
                       report_number_word(&best, run->value[REPORT_TEST_LOSS][lowest]),
                       run->value[REPORT_EPOCH][lowest]);
        put_card(out, "Test loss", report_number_word(&word, report_run_last(run, REPORT_TEST_LOSS)), note);
    }
    (void)snprintf(note, sizeof note, "%s", "");
    if (run->best) {
        (void)snprintf(note, sizeof note, "best by validation: %.0f",
                       run->value[REPORT_EPOCH][run->best - 1]);
    }
    put_card(out, "Epochs", report_count_words(&words, (size_t)report_run_last(run, REPORT_EPOCH)), note);
    double seconds = report_run_sum(run, REPORT_SECONDS);
    if (isfinite(seconds)) {
        double rate = report_run_last(run, REPORT_IMAGES_PER_SECOND);
        struct report_words speed = {""};
        (void)snprintf(note, sizeof note, "%s images a second",
                       report_count_words(&speed, rate >= 0 && rate < 1e15 ? (size_t)rate : 0));
        put_card(out, "Training time", report_time_words(&words, seconds), isfinite(rate) ? note : "");
    }
}

static void write_cards(struct report_out *out, const struct report_part *part) {
    struct report_words words = {""}, flops = {""};
    char note[128];
    report_put(out, "<dl class=\"cards\">\n");
    if (part->run && report_run_figure(part->run)->format) {
        put_figures(out, part->run);
    } else {
        put_accuracy(out, part);
    }
    if (part->run) {
        put_run(out, part->run);
    }
    if (part->has_model) {
        (void)snprintf(note, sizeof note, "%zu layers, %s flops a sample", part->layers,
                       report_flops_words(&flops, part->flops));
        put_card(out, "Parameters", report_count_words(&words, part->parameters), note);
    }
    report_put(out, "</dl>\n");
}

/* ---- the page ---- */

static const char style[] =
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,11rem),1fr));gap:.8rem;"
    "margin:1rem 0}\n"
    ".cards div{padding:.7rem .9rem;background:var(--panel);border:1px solid var(--grid);"
    "border-radius:.5rem}\n"
    ".cards dt{font-size:.8125rem;color:var(--dim)}.cards dd{margin:0}\n"
    ".cards b{display:block;font-size:1.5rem;line-height:1.3;font-weight:600;"
    "font-variant-numeric:tabular-nums}\n"
    ".cards span{font-size:.8125rem;color:var(--dim)}\n"
    ".cards div:first-child b{font-size:2rem;line-height:1.1}\n"
    ".pairs{grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr))}\n"
    ".narrow{max-width:42rem;margin:0 0 1rem}.narrow .chart{max-width:none}\n"
    ".wrap td{white-space:normal;overflow-wrap:anywhere}\n"
    ".missing{color:var(--dim);font-style:italic}\n"
    ".swatch{display:inline-block;width:.8em;height:.8em;border-radius:2px;background:var(--c)}\n"
    ".runs label{display:inline-flex;gap:.4rem;align-items:center;cursor:pointer}\n"
    ".runs td:nth-child(2){font-weight:600}\n"
    ".share{position:relative;min-width:7rem}\n"
    ".share span{position:absolute;left:.6rem;bottom:.1rem;height:3px;width:calc(100% - 1.2rem);"
    "background:linear-gradient(var(--s1) 0 0) 0 0/var(--w) 100% no-repeat}\n"
    ".layers tfoot th,.layers tfoot td{font-weight:600;border-top:2px solid var(--grid)}\n"
    ".layers .options{color:var(--dim)}\n"
    ".flow{list-style:none;margin:0;padding:0;display:grid;gap:.8rem;"
    "grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr))}\n"
    ".flow li{padding:.6rem .7rem;background:var(--panel);border:1px solid var(--grid);border-radius:.5rem;"
    "min-width:0}\n"
    ".flow p{margin:0 0 .4rem;font-size:.8125rem;overflow-wrap:anywhere}\n"
    ".flow .chart{display:block;width:100%;height:auto;--bg:var(--panel)}\n"
    ".run>details>summary{font-size:1rem;padding:.4rem 0}\n"
    "button.theme{float:right;font:inherit;font-size:.8125rem;padding:.3rem .7rem;color:var(--ink);"
    "background:var(--panel);border:1px solid var(--axis);border-radius:.4rem;cursor:pointer}\n"
    "@media print{button.theme,.runs input{display:none}.flow{grid-template-columns:repeat(3,1fr)}"
    ".flow li{break-inside:avoid}.pairs{grid-template-columns:1fr 1fr}"
    "th,td{padding:.1rem .3rem}table{font-size:8pt}.layers .options,.layers "
    "th{white-space:normal}.share{min-width:3rem}}\n";

/* The script only adds: a button for the theme, which the browser remembers where it may. */
static const char script[] =
    "<script>\n"
    "(() => {\n"
    "  const root = document.documentElement, key = 'stoa-theme';\n"
    "  const button = document.createElement('button');\n"
    "  let theme = '';\n"
    "  try { theme = localStorage.getItem(key) || ''; } catch (refused) {}\n"
    "  const dark = () => theme ? theme === 'dark' : matchMedia('(prefers-color-scheme:dark)').matches;\n"
    "  const show = () => {\n"
    "    if (theme) root.dataset.theme = theme;\n"
    "    button.textContent = dark() ? 'Light' : 'Dark';\n"
    "    button.setAttribute('aria-label', dark() ? 'Use the light theme' : 'Use the dark theme');\n"
    "  };\n"
    "  button.type = 'button';\n"
    "  button.className = 'theme';\n"
    "  button.onclick = () => {\n"
    "    theme = dark() ? 'light' : 'dark';\n"
    "    try { localStorage.setItem(key, theme); } catch (refused) {}\n"
    "    show();\n"
    "  };\n"
    "  show();\n"
    "  document.querySelector('header').prepend(button);\n"
    "})();\n"
    "</script>\n";

/* Which lines a box that is not ticked takes away: a rule a run, no script. */
static void write_style(struct report_out *more, size_t count) {
    report_put(more, style);
    for (size_t i = 1; count > 1 && i <= count; i++) {
        report_print(more, "body:has(#show-%zu:not(:checked)) .g%zu{display:none}\n", i, i);
    }
}

static void begin_section(struct report_out *out, const struct report_part *part, enum report_section section,
                          bool alone) {
    struct report_id id = {""};
    report_id_of(&id, part, anchors[section]);
    if (alone) {
        report_html_section(out, id.text, headings[section]);
    } else {
        report_print(out, "<section aria-labelledby=\"%s\">\n<h3 id=\"%s\">%s</h3>\n", id.text, id.text,
                     headings[section]);
    }
}

static void write_sections(struct report_out *out, const struct report_part *part, bool alone) {
    for (size_t i = 0; i < REPORT_SECTIONS; i++) {
        if (part->section[i].length > 0) {
            begin_section(out, part, (enum report_section)i, alone);
            report_put(out, part->section[i].text);
            report_html_section_end(out);
        }
    }
}

static void write_contents(struct report_out *out, const struct report_part *const *parts, size_t count) {
    report_put(out, "<nav aria-label=\"Contents\"><a href=\"#curves\">Curves</a>");
    for (size_t i = 0; count == 1 && i < REPORT_SECTIONS; i++) {
        if (parts[0]->section[i].length > 0) {
            report_print(out, "<a href=\"#r1-%s\">%s</a>", anchors[i], headings[i]);
        }
    }
    for (size_t i = 0; count > 1 && i < count; i++) {
        report_print(out, "<a href=\"#run-%zu\">", parts[i]->number);
        report_escape(out, parts[i]->name);
        report_put(out, "</a>");
    }
    report_put(out, "</nav>\n");
}

/* The details of one run among several; those of the first are open. */
static void write_run(struct report_out *out, const struct report_part *part) {
    report_print(out, "<section class=\"run\" aria-labelledby=\"run-%zu\">\n<h2 id=\"run-%zu\">",
                 part->number, part->number);
    report_escape(out, part->name);
    report_put(out, "</h2>\n");
    if (part->title) {
        report_html_text(out, part->title);
    }
    write_cards(out, part);
    report_print(out, "<details%s><summary>Mistakes, layers, memory, recipe</summary>\n",
                 part->number == 1 ? " open" : "");
    write_sections(out, part, false);
    report_put(out, "</details>\n</section>\n");
}

static void write_body(struct report_out *out, const struct report_part *const *parts, size_t count) {
    if (count == 1) {
        write_cards(out, parts[0]);
    } else {
        report_html_section(out, "runs", "Runs");
        report_write_comparison(out, parts, count);
        report_html_section_end(out);
    }
    write_contents(out, parts, count);
    report_html_section(out, "curves", "Curves");
    report_write_curves(out, parts, count);
    report_html_section_end(out);
    if (count == 1) {
        write_sections(out, parts[0], true);
    }
    for (size_t i = 0; count > 1 && i < count; i++) {
        write_run(out, parts[i]);
    }
}

void report_page(struct report_out *out, const struct report_part *const *parts, size_t count) {
    struct report_out more = {0}, title = {0};
    write_style(&more, count);
    if (count == 1) {
        report_put(&title, parts[0]->name);
    } else {
        report_print(&title, "%zu runs", count);
    }
    if (!more.failed && !title.failed) {
        report_html_begin(out, title.text, count == 1 ? parts[0]->title : NULL, more.text);
        write_body(out, parts, count);
        report_put(out, script);
        report_html_end(out, "Made by stoa report. This file asks for nothing from anywhere.");
    }
    out->failed = out->failed || more.failed || title.failed;
    report_out_free(&more);
    report_out_free(&title);
}
