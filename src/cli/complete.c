/* SPDX-License-Identifier: MIT */
/* Completion scripts: see complete.h. Names of recipes come from 'stoa completion recipes' when they are
 * wanted, keys of --set from 'stoa completion keys'; everything else stands in the script. Public headers
 * only. */
#include "cli/complete.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <stoa/status.h>

#include "cli/command.h"
#include "cli/report.h"

/* What completes a value or an operand. */
enum completed_kind { NOTHING, FILES, RECIPES, KEYS };

static enum completed_kind kind_of(const char *value) {
    static const char *const files[] = {"PATH", "FILE", "DIR", "MODEL", "RUN"};
    if (strstr(value, "RECIPE") || strcmp(value, "NAME") == 0) {
        return RECIPES; /* and files */
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (strstr(value, files[i])) {
            return FILES;
        }
    }
    return strstr(value, "KEY") ? KEYS : NOTHING;
}

/* ---- bash ---- */

static void print_bash_command(const struct cli_completed *c, size_t index, const char *name,
                               const char *operand) {
    static const char *const kinds[] = {"none", "files", "recipes", "keys"};
    struct cli_completed_option option;
    char words[256];
    (void)printf("    %s)\n        options='", name);
    for (size_t i = 0; c->option(index, i, &option, words); i++) {
        (void)printf("--%s ", option.name);
    }
    (void)printf("--help' operand=%s\n        case $previous in\n", kinds[kind_of(operand)]);
    for (size_t i = 0; c->option(index, i, &option, words); i++) {
        if (option.words) {
            (void)printf("        --%s) kind=words words='%s' ;;\n", option.name, option.words);
        } else if (option.value) {
            (void)printf("        --%s) kind=%s ;;\n", option.name, kinds[kind_of(option.value)]);
        }
    }
    (void)puts("        esac\n        ;;");
}

static void print_bash(const struct cli_completed *c) {
    const char *name, *summary, *operand;
    (void)printf("# bash completion of %s, printed by '%s completion bash'\n\n_%s_complete() {\n", c->program,
                 c->program, c->stem);
    (void)printf("    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "    local options='' operand=none kind='' words='' program=${COMP_WORDS[0]}\n"
                 "    COMPREPLY=()\n"
                 "    # The shell takes '--data=PATH' apart at the '='.\n"
                 "    if [ \"$current\" = = ]; then\n"
                 "        current=''\n"
                 "    elif [ \"$previous\" = = ]; then\n"
                 "        previous=${COMP_WORDS[COMP_CWORD-2]}\n"
                 "    fi\n"
                 "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                 "        mapfile -t COMPREPLY < <(compgen -W '");
    for (size_t i = 0; (name = c->command(i, &summary, &operand)) != NULL; i++) {
        (void)printf("%s ", name);
    }
    (void)printf(
        "help --help --version' -- \"$current\")\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n    "
        "help)\n        kind=words words='");
    for (size_t i = 0; (name = c->command(i, &summary, &operand)) != NULL; i++) {
        (void)printf("%s%s", i ? " " : "", name);
    }
    (void)puts("'\n        ;;");
    for (size_t i = 0; (name = c->command(i, &summary, &operand)) != NULL; i++) {
        print_bash_command(c, i, name, operand);
    }
    (void)printf(
        "    esac\n"
        "    case $current,$kind in\n"
        "    -*,) kind=words words=$options ;;\n"
        "    *,) kind=$operand ;;\n"
        "    esac\n"
        "    case $kind in\n"
        "    recipes) words=$(\"$program\" completion recipes 2>/dev/null) ;;\n"
        "    keys)\n"
        "        words=$(\"$program\" completion keys 2>/dev/null)\n"
        "        compopt -o nospace 2>/dev/null\n"
        "        ;;\n"
        "    esac\n"
        "    case $kind in\n"
        "    words | keys | recipes) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\") ;;\n"
        "    esac\n"
        "    case $kind in\n"
        "    files | recipes)\n"
        "        compopt -o filenames 2>/dev/null\n"
        "        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$current\")\n"
        "        ;;\n"
        "    esac\n"
        "}\n"
        "complete -F _%s_complete %s\n",
        c->stem, c->program);
}

/* ---- zsh ---- */

/* Text in single quotes within brackets of _arguments. */
static void print_zsh_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", stdout);
        } else if (strchr("[]:\\", *text)) {
            (void)printf("\\%c", *text);
        } else {
            (void)putchar(*text);
        }
    }
}

static void print_zsh_action(const struct cli_completed *c, enum completed_kind kind) {
    static const char *const actions[] = {" ", "_files", "recipes", "keys"};
    if (kind == RECIPES || kind == KEYS) {
        (void)printf("_%s_", c->stem);
    }
    (void)fputs(actions[kind], stdout);
}

static void print_zsh(const struct cli_completed *c) {
    const char *name, *summary, *operand;
    struct cli_completed_option option;
    char words[256];
    (void)printf("#compdef %s\n# zsh completion of %s, printed by '%s completion zsh'\n\n", c->program,
                 c->program, c->program);
    (void)printf("_%s_recipes() {\n    _alternative 'recipes:recipe:(${(f)\"$(%s completion recipes "
                 "2>/dev/null)\"})' 'files:file:_files'\n}\n\n"
                 "_%s_keys() {\n    compadd -S '' -- ${(f)\"$(%s completion keys 2>/dev/null)\"}\n}\n\n",
                 c->stem, c->program, c->stem, c->program);
    (void)printf("_%s_complete() {\n    local -a commands\n    commands=(\n", c->stem);
    for (size_t i = 0; (name = c->command(i, &summary, &operand)) != NULL; i++) {
        (void)printf("        '%s:", name);
        print_zsh_text(summary);
        (void)puts("'");
    }
    (void)puts(
        "        'help:explain a command'\n    )\n"
        "    if (( CURRENT == 2 )); then\n"
        "        _describe command commands\n"
        "        _arguments '--help[print this]' '--version[print version, instruction set and BLAS]'\n"
        "        return\n    fi\n    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n"
        "    case $command in\n    help) _describe command commands ;;");
    for (size_t i = 0; (name = c->command(i, &summary, &operand)) != NULL; i++) {
        (void)printf("    %s)\n        _arguments \\\n", name);
        for (size_t k = 0; c->option(i, k, &option, words); k++) {
            (void)printf("            '--%s%s[", option.name, option.value ? "=" : "");
            print_zsh_text(option.meaning);
            (void)printf("]");
            if (option.words) {
                (void)printf(":%s:(%s)", option.value, option.words);
            } else if (option.value) {
                (void)printf(":%s:", option.value);
                print_zsh_action(c, kind_of(option.value));
            }
            (void)puts("' \\");
        }
        (void)fputs("            '--help[print this]'", stdout);
        if (*operand) {
            (void)fputs(" '*:operand:", stdout);
            print_zsh_action(c, kind_of(operand));
            (void)fputs("'", stdout);
        }
        (void)puts("\n        ;;");
    }
    /* Of a file in fpath the first call runs all of it, and has to complete as well. */
    (void)printf("    esac\n}\n\nif [[ $funcstack[1] == _%s ]]; then\n    _%s_complete \"$@\"\nelse\n"
                 "    compdef _%s_complete %s\nfi\n",
                 c->program, c->stem, c->stem, c->program);
}

/* ---- fish ---- */

/* Text in single quotes. */
static void print_fish_text(const char *text) {
    (void)putchar('\'');
    for (; *text; text++) {
        (void)printf(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    (void)putchar('\'');
}

static void print_fish_option(const struct cli_completed *c, const char *name,
                              const struct cli_completed_option *option) {
    (void)printf("complete -c %s -n '__fish_seen_subcommand_from %s' -l %s", c->program, name, option->name);
    enum completed_kind kind = option->value ? kind_of(option->value) : NOTHING;
    if (option->words) {
        (void)printf(" -x -a '%s'", option->words);
    } else if (kind == KEYS || kind == RECIPES) {
        (void)printf("%s -a '(%s completion %s 2>/dev/null)'", kind == KEYS ? " -x" : " -r", c->program,
                     kind == KEYS ? "keys" : "recipes");
    } else if (option->value) {
        (void)fputs(kind == FILES ? " -r -F" : " -x", stdout);
    }
    (void)fputs(" -d ", stdout);
    print_fish_text(option->meaning);
    (void)puts("");
}

static void print_fish(const struct cli_completed *c) {
    const char *name, *summary, *operand;
    struct cli_completed_option option;
    char words[256];
    (void)printf("# fish completion of %s, printed by '%s completion fish'\n", c->program, c->program);
    (void)printf("complete -c %s -n __fish_use_subcommand -f -a help -d 'explain a command'\n", c->program);
    for (size_t i = 0; (name = c->command(i, &summary, &operand)) != NULL; i++) {
        (void)printf("complete -c %s -n __fish_use_subcommand -f -a %s -d ", c->program, name);
        print_fish_text(summary);
        (void)printf("\ncomplete -c %s -n '__fish_seen_subcommand_from help' -f -a %s\n", c->program, name);
        enum completed_kind kind = kind_of(operand);
        if (kind == RECIPES) {
            (void)printf("complete -c %s -n '__fish_seen_subcommand_from %s' -a '(%s completion recipes "
                         "2>/dev/null)'\n",
                         c->program, name, c->program);
        } else if (kind == NOTHING) {
            (void)printf("complete -c %s -n '__fish_seen_subcommand_from %s' -f\n", c->program, name);
        }
        for (size_t k = 0; c->option(i, k, &option, words); k++) {
            print_fish_option(c, name, &option);
        }
    }
}

int cli_complete_print(const char *shell, const struct cli_completed *completed) {
    static const struct {
        const char *shell;
        void (*print)(const struct cli_completed *completed);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    static const char *const names[] = {"bash", "zsh", "fish"};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(shells[i].shell, shell) == 0) {
            shells[i].print(completed);
            return CLI_DONE;
        }
    }
    const char *near = stoa_nearest(shell, names, 3);
    return near ? cli_fail(CLI_WRONG,
                           "completion: unknown shell '%s', did you mean '%s'? Expected bash, zsh or fish",
                           shell, near)
                : cli_fail(CLI_WRONG, "completion: unknown shell '%s', expected bash, zsh or fish", shell);
}
