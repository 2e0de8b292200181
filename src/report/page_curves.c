/* SPDX-License-Identifier: MIT */
/* Curves over the epochs, of one run or of several above each other, and runs side by side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/recipe.h>

#include "report/curves.h"
#include "report/figure.h"
#include "report/html.h"
#include "report/page_part.h"
#include "report/words.h"

static void write_chart(void *page, const struct report_chart *chart, bool mixed) {
    report_html_chart(page, chart, mixed ? "Strong: test. Faint: validation and training." : NULL);
}

void report_write_curves(struct report_out *out, const struct report_part *const *parts, size_t count) {
    report_put(out, "<div class=\"figures pairs\">\n");
    struct report_named_run *runs = report_memory(out, count, sizeof *runs);
    size_t known = 0;
    for (size_t i = 0; runs && i < count; i++) {
        if (parts[i]->run) {
            runs[known++] = (struct report_named_run){parts[i]->name, parts[i]->run, parts[i]->number};
        }
    }
    if (runs) {
        report_curves(out, runs, known, count == 1, write_chart, out);
    }
    free(runs);
    report_html_figures_end(out);
    for (size_t i = 0; i < count; i++) {
        if (!parts[i]->run) {
            report_write_missing(out, parts[i]->no_curves);
        } else if (parts[i]->run->cut) {
            report_put(out, "<p>The last line of ");
            report_escape(out, parts[i]->name);
            report_put(out, " is not whole and is left out: the run goes on, or was killed.</p>\n");
        }
    }
}

/* ---- runs side by side ---- */

/* A number of a run; true: it is known. */
struct figure {
    const char *head;
    bool (*text)(const struct report_part *part, struct report_words *words);
};

/* What the last epoch says of the test part; an accuracy as it was tested here, where it was. */
static bool last_of(const struct report_part *part, struct report_words *words,
                    const struct report_figure *figure) {
    bool tested = !figure->format && part->samples > 0;
    double last = tested      ? (double)part->correct / (double)part->samples
                  : part->run ? report_run_last(part->run, figure->metric[REPORT_OF_TEST])
                              : (double)NAN;
    (void)report_figure_words(words, figure, last);
    return isfinite(last);
}

/* The best epoch by the figure that the run's task is judged by. */
static bool best_epoch(const struct report_part *part, struct report_words *words) {
    const struct report_figure *judge = part->run ? report_run_figure(part->run) : NULL;
    size_t at = judge ? report_run_best(part->run, judge) : SIZE_MAX;
    if (at == SIZE_MAX) {
        return false;
    }
    struct report_words best = {""};
    double epoch = part->run->value[REPORT_EPOCH][at];
    report_figure_words(&best, judge, part->run->value[judge->metric[REPORT_OF_TEST]][at]);
    (void)snprintf(words->text, sizeof words->text, "%.40s (%.0f)", best.text, epoch);
    return true;
}

static bool last_loss(const struct report_part *part, struct report_words *words) {
    double loss = part->run ? report_run_last(part->run, REPORT_TEST_LOSS) : (double)NAN;
    struct report_word word = {""};
    (void)snprintf(words->text, sizeof words->text, "%s", report_number_word(&word, loss));
    return isfinite(loss);
}

static bool parameters(const struct report_part *part, struct report_words *words) {
    (void)report_count_words(words, part->parameters);
    return part->has_model;
}

static bool flops(const struct report_part *part, struct report_words *words) {
    (void)report_flops_words(words, part->flops);
    return part->has_model;
}

static bool epochs(const struct report_part *part, struct report_words *words) {
    (void)report_count_words(words, part->run ? (size_t)report_run_last(part->run, REPORT_EPOCH) : 0);
    return part->run != NULL;
}

static bool seconds(const struct report_part *part, struct report_words *words) {
    double sum = part->run ? report_run_sum(part->run, REPORT_SECONDS) : (double)NAN;
    (void)report_time_words(words, sum);
    return isfinite(sum);
}

static bool speed(const struct report_part *part, struct report_words *words) {
    double rate = part->run ? report_run_last(part->run, REPORT_IMAGES_PER_SECOND) : (double)NAN;
    if (isfinite(rate) && rate >= 0 && rate < 1e15) {
        (void)report_count_words(words, (size_t)rate);
        return true;
    }
    return false;
}

static const struct figure figures[] = {
    {"best (epoch)", best_epoch}, {"loss", last_loss},   {"parameters", parameters}, {"flops", flops},
    {"epochs", epochs},           {"training", seconds}, {"images/s", speed},
};
enum { FIGURES = sizeof figures / sizeof *figures };

/* Whether a figure of a task is one of any of the runs; accuracy is where all of them lack a figure. */
static bool is_shown(const struct report_part *const *parts, size_t count,
                     const struct report_figure *figure) {
    bool shown = false, others = false;
    for (size_t i = 0; i < count; i++) {
        const struct report_run *run = parts[i]->run;
        shown = shown || (run && report_run_has(run, figure->metric[REPORT_OF_TEST]));
        shown = shown || (!figure->format && parts[i]->samples > 0);
        others = others || (run && report_run_figure(run)->format);
    }
    return shown || (!figure->format && !others);
}

static void put_head(struct report_out *out, const char *head) {
    report_print(out, "<th scope=\"col\" class=\"r\">%s</th>", head);
}

static void put_number(struct report_out *out, bool known, const struct report_words *words) {
    report_print(out, "<td class=\"r\">%s</td>", known ? words->text : "\342\200\223");
}

static void compare_one(struct report_out *out, const struct report_part *const *parts, size_t count,
                        const struct report_part *part) {
    struct report_words words = {""};
    report_print(out, "<tr><th scope=\"row\"><label><input type=\"checkbox\" id=\"show-%zu\" checked> ",
                 part->number);
    report_print(out, "<span class=\"swatch s%zu\"></span> ", (part->number - 1) % 8 + 1);
    report_escape(out, part->name);
    report_put(out, "</label></th>");
    for (size_t i = 0; i < REPORT_FIGURES; i++) {
        if (is_shown(parts, count, &report_figures[i])) {
            bool known = last_of(part, &words, &report_figures[i]);
            put_number(out, known, &words);
        }
    }
    for (size_t i = 0; i < FIGURES; i++) {
        bool known = figures[i].text(part, &words);
        put_number(out, known, &words);
    }
    report_put(out, "</tr>\n");
}

/* ---- settings that differ ---- */

/* One line of a recipe's text. */
struct setting {
    char section[32], key[64];
    const char *value;
    size_t length;
};

/* The next setting behind `*at`; false at the end. */
static bool next_setting(const char **at, struct setting *setting) {
    while (**at) {
        const char *line = *at;
        size_t length = strcspn(line, "\n");
        *at = line + length + (line[length] == '\n');
        const char *equals = memchr(line, '=', length);
        if (*line == '[') {
            (void)snprintf(setting->section, sizeof setting->section, "%.*s", (int)strcspn(line + 1, "]\n"),
                           line + 1);
        } else if (equals && *line != ';' && *line != '#') {
            size_t key = (size_t)(equals - line);
            while (key > 0 && line[key - 1] == ' ') {
                key--;
            }
            (void)snprintf(setting->key, sizeof setting->key, "%.*s", (int)key, line);
            setting->value = equals + 1 + strspn(equals + 1, " ");
            setting->length = (size_t)(line + length - setting->value);
            return true;
        }
    }
    return false;
}

static bool find_setting(const char *text, const struct setting *wanted, struct setting *found) {
    *found = (struct setting){.value = NULL};
    while (text && next_setting(&text, found)) {
        if (strcmp(found->section, wanted->section) == 0 && strcmp(found->key, wanted->key) == 0) {
            return true;
        }
    }
    found->length = 0;
    return false;
}

/* The setting of a recipe's text, which is the default where it says none. */
static bool find_meaning(const char *text, const struct setting *wanted, struct setting *found) {
    stoa_recipe_key key;
    bool there = find_setting(text, wanted, found);
    for (size_t i = 0; text && !there && stoa_recipe_key_at(i, &key); i++) {
        if (strcmp(key.section, wanted->section) == 0 && strcmp(key.name, wanted->key) == 0) {
            found->value = key.fallback;
            found->length = strlen(key.fallback);
            return found->length > 0;
        }
    }
    return there;
}

/* Whether any of the parts means something else, or nothing. */
static bool differs(const struct report_part *const *parts, size_t count, const struct setting *setting) {
    for (size_t i = 0; i < count; i++) {
        struct setting other;
        if (parts[i]->settings &&
            (!find_meaning(parts[i]->settings, setting, &other) || other.length != setting->length ||
             memcmp(other.value, setting->value, other.length) != 0)) {
            return true;
        }
    }
    return false;
}

static void put_setting(struct report_out *out, const struct report_part *const *parts, size_t count,
                        const struct setting *setting) {
    report_put(out, "<tr><th scope=\"row\">");
    report_escape(out, setting->section);
    report_put(out, *setting->section ? "." : "");
    report_escape(out, setting->key);
    report_put(out, "</th>");
    for (size_t i = 0; i < count; i++) {
        struct setting own;
        bool has = find_meaning(parts[i]->settings, setting, &own);
        char *value = has ? strndup(own.value, own.length) : NULL;
        out->failed = out->failed || (has && !value);
        report_put(out, "<td>");
        report_escape(out, has ? value : "\342\200\223");
        report_put(out, "</td>");
        free(value);
    }
    report_put(out, "</tr>\n");
}

/* Every setting of any part that another has not, or not so, once. */
static void write_differences(struct report_out *out, const struct report_part *const *parts, size_t count) {
    struct report_out rows = {0};
    for (size_t i = 0; i < count; i++) {
        struct setting setting = {.value = NULL}, earlier;
        const char *at = parts[i]->settings;
        while (at && next_setting(&at, &setting)) {
            bool known = false;
            for (size_t j = 0; j < i; j++) {
                known = known || find_setting(parts[j]->settings, &setting, &earlier);
            }
            if (!known && differs(parts, count, &setting)) {
                put_setting(&rows, parts, count, &setting);
            }
        }
    }
    if (rows.length > 0) {
        report_put(out, "<h3>What differs between the recipes</h3>\n<div class=\"scroll\" role=\"region\" "
                        "tabindex=\"0\" aria-label=\"Settings that differ\"><table><caption>Settings that "
                        "differ</caption><thead><tr><th "
                        "scope=\"col\">setting</th>");
        for (size_t i = 0; i < count; i++) {
            report_put(out, "<th scope=\"col\">");
            report_escape(out, parts[i]->name);
            report_put(out, "</th>");
        }
        report_put(out, "</tr></thead>\n<tbody>\n");
        report_put(out, rows.text);
        report_put(out, "</tbody></table></div>\n");
    }
    out->failed = out->failed || rows.failed;
    report_out_free(&rows);
}

void report_write_comparison(struct report_out *out, const struct report_part *const *parts, size_t count) {
    report_html_text(out,
                     "Figures and loss are of the test data. A run whose box is not ticked is not in the "
                     "curves.");
    report_put(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Runs\"><table "
                    "class=\"runs\"><caption>Runs</caption>\n<thead><tr><th scope=\"col\">run</th>");
    for (size_t i = 0; i < REPORT_FIGURES; i++) {
        if (is_shown(parts, count, &report_figures[i])) {
            put_head(out, report_figures[i].heading);
        }
    }
    for (size_t i = 0; i < FIGURES; i++) {
        put_head(out, figures[i].head);
    }
    report_put(out, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < count; i++) {
        compare_one(out, parts, count, parts[i]);
    }
    report_put(out, "</tbody></table></div>\n");
    write_differences(out, parts, count);
}
