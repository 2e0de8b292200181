/* SPDX-License-Identifier: MIT */
/* `stoa recipes --keys`: what a recipe can say. Public headers only. */
#include <stdio.h>
#include <string.h>

#include <stoa/recipe.h>

#include "cli/command.h"
#include "cli/report.h"
#include "cli/table.h"

static void print_json(void) {
    json_t *report = cli_json_array();
    stoa_recipe_key key;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        json_t *entry = cli_json_object();
        cli_json_set(entry, "section", cli_json_text(key.section));
        cli_json_set(entry, "key", cli_json_text(key.name));
        cli_json_set(entry, "default", cli_json_text(key.fallback));
        cli_json_set(entry, "expected", cli_json_text(key.expected));
        cli_json_set(entry, "meaning", cli_json_text(key.meaning));
        cli_json_append(report, entry);
    }
    cli_json_print(report);
}

/* A table a section, each row followed by what the key means. */
static void print_text(void) {
    stoa_recipe_key key;
    const char *section = NULL;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        if (!section || strcmp(section, key.section) != 0) {
            section = key.section;
            (void)printf("%s%s%s%s\n", i ? "\n" : "", *section ? "[" : "before the first section", section,
                         *section ? "]" : "");
        }
        cli_print("  %-10s  %s%s%s\n", key.name, key.expected, key.fallback[0] ? "; default " : "",
                  key.fallback);
        cli_print("  %-10s  %s\n", "", key.meaning);
    }
}

int cli_print_keys(const struct cli_request *request) {
    if (request->json) {
        print_json();
    } else {
        print_text();
    }
    return CLI_DONE;
}
