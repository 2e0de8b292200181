/* SPDX-License-Identifier: MIT */
/* Print as JSON what recipes can say, from the tables that recipes are read by: keys of sections, operators,
 * optimisers and schedules with their options. recipe_pages.py makes the pages about recipes from it. */
#include <stdio.h>
#include <string.h>

#include <stoa/recipe.h>

#include "ops/op.h"
#include "train/optimizer.h"

/* Names, defaults and meanings are words of the source: none holds a quote, a backslash or a control
 * character, and the script that reads the JSON refuses what is none. */
static void print_option(const struct stoa_option *option, const char *before) {
    char expected[160];
    stoa_option_expected(option, expected, sizeof expected);
    (void)printf("%s{\"name\": \"%s\", \"required\": %s, \"default\": \"%s\", \"expected\": \"%s\"", before,
                 option->name, option->fallback ? "false" : "true", option->fallback ? option->fallback : "",
                 expected);
    (void)printf(", \"choices\": [");
    for (size_t i = 0; option->choices && option->choices[i]; i++) {
        (void)printf("%s\"%s\"", i ? ", " : "", option->choices[i]);
    }
    (void)printf("]}");
}

static void print_entry(const char *name, const struct stoa_option *options, size_t count, const char *kind,
                        bool first) {
    (void)printf("%s\n    {\"name\": \"%s\", \"kind\": \"%s\", \"options\": [", first ? "" : ",", name, kind);
    for (size_t i = 0; i < count; i++) {
        print_option(&options[i], i ? ", " : "");
    }
    (void)printf("]}");
}

static void print_keys(void) {
    stoa_recipe_key key;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        (void)printf(
            "%s\n    {\"section\": \"%s\", \"name\": \"%s\", \"default\": \"%s\", \"expected\": \"%s\", "
            "\"meaning\": \"%s\"}",
            i ? "," : "", key.section, key.name, key.fallback, key.expected, key.meaning);
    }
}

int main(void) {
    (void)printf("{\"keys\": [");
    print_keys();
    (void)printf("],\n \"operators\": [");
    for (size_t i = 0; stoa_ops[i]; i++) {
        const struct stoa_op *op = stoa_ops[i];
        const char *kind = !op->is_loss ? "layer" : op->takes_labels ? "loss of classes" : "loss of targets";
        print_entry(op->name, op->options, op->option_count, kind, i == 0);
    }
    (void)printf("],\n \"optimizers\": [");
    for (size_t i = 0; stoa_optimizers[i]; i++) {
        const struct stoa_optimizer *o = stoa_optimizers[i];
        print_entry(o->name, o->options, o->option_count, "optimizer", i == 0);
    }
    (void)printf("],\n \"schedules\": [");
    for (size_t i = 0; stoa_schedules[i]; i++) {
        const struct stoa_schedule *s = stoa_schedules[i];
        print_entry(s->name, s->options, s->option_count, "schedule", i == 0);
    }
    (void)printf("]}\n");
    return ferror(stdout) ? 1 : 0;
}
