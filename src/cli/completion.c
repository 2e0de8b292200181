/* SPDX-License-Identifier: MIT */
/* `stoa completion`: what a shell needs to complete command lines of this program. Public headers only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/recipe.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/complete.h"
#include "cli/find.h"
#include "cli/report.h"

/* The words of a key, "auto or nhwc or nchw", with spaces between; false where it is no choice. */
static bool read_words(const char *key_name, char words[256]) {
    static const char between[] = " or ";
    stoa_recipe_key key;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        if (strcmp(key.name, key_name) == 0 && strstr(key.expected, between) && !strchr(key.expected, ',')) {
            char *out = words;
            for (const char *at = key.expected; *at; at++) {
                bool skip = strncmp(at, between, sizeof between - 1) == 0;
                at += skip ? sizeof between - 2 : 0;
                *out++ = skip ? ' ' : *at;
            }
            *out = '\0';
            return true;
        }
    }
    return false;
}

static const char *command_at(size_t index, const char **summary, const char **operand) {
    const struct cli_command *command = cli_commands[index];
    if (!command) {
        return NULL;
    }
    *summary = command->summary;
    *operand = command->most_operands > 0 ? command->operand : "";
    return command->name;
}

static int option_at(size_t index, size_t at, struct cli_completed_option *option, char words[256]) {
    if (!cli_arguments_option(cli_commands[index], at, &option->name, &option->value, &option->meaning)) {
        return 0;
    }
    option->words = option->value && read_words(option->name, words) ? words : NULL;
    if (strcmp(option->name, "weights") == 0) {
        option->words = "inside separate";
    }
    return 1;
}

static void print_keys(void) {
    stoa_recipe_key key;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        (void)printf("%s=\n", key.name);
    }
}

static int run(const struct cli_request *request) {
    static const struct cli_completed completed = {"stoa", "stoa", command_at, option_at};
    const char *what = request->operands[0];
    if (strcmp(what, "recipes") == 0) {
        cli_print_recipe_names();
        return CLI_DONE;
    }
    if (strcmp(what, "keys") == 0) {
        print_keys();
        return CLI_DONE;
    }
    return cli_complete_print(what, &completed);
}

static const char *const option_names[] = {NULL};

const struct cli_command cli_completion = {
    .name = "completion",
    .summary = "print what a shell needs to complete commands",
    .usage = "completion bash|zsh|fish",
    .description =
        "Print completion of commands, options, their values, recipes and files for a shell. An "
        "installation\n"
        "puts it where bash, zsh and fish look, for stoa-bench too; elsewhere, for one shell only, see the\n"
        "examples. 'completion recipes' and 'completion keys' print what the scripts ask for.",
    .examples = "  source <(stoa completion bash)\n"
                "  stoa completion zsh > ~/.zfunc/_stoa\n"
                "  stoa completion fish | source",
    .options = option_names,
    .operand = "SHELL",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
