/* SPDX-License-Identifier: MIT */
/* `stoa recipes`: the recipes there are, or the text of one. Public headers only. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/find.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"

/* One recipe of the list; the strings are its own. */
struct entry {
    char *name, *title, *needs, *reaches, *path;
    size_t parameters;
};

struct list {
    struct entry *entries;
    size_t count, capacity;
};

static bool is_listed(const struct list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static struct entry *append(struct list *list) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        struct entry *entries = cli_allocate(list->capacity, sizeof *entries);
        if (list->count) {
            memcpy(entries, list->entries, list->count * sizeof *entries);
        }
        free(list->entries);
        list->entries = entries;
    }
    return &list->entries[list->count++];
}

/* Whether a recipe did not load for a reason that lies outside it: the list would be wrong without it. */
static bool is_fault(stoa_status status, const char *path) {
    bool readable = access(path, R_OK) == 0 || errno != EACCES;
    return status == STOA_ERR_MEMORY || (status == STOA_ERR_IO && readable && cli_is_regular(path));
}

static void add_entry(struct list *list, const struct cli_subject *opened, stoa_status status) {
    bool sound = status == STOA_OK;
    stoa_recipe_info info = {0};
    if (sound) {
        stoa_recipe_describe(opened->recipe, &info);
    }
    struct entry *entry = append(list);
    *entry = (struct entry){.name = cli_recipe_name(opened->path), .path = cli_text("%s", opened->path)};
    entry->title = sound ? cli_text("%s", info.title)
                         : cli_text("does not load: %s", stoa_context_error(opened->context));
    entry->needs = cli_text("%s", sound ? info.needs : "");
    entry->reaches = cli_text("%s", sound ? info.reaches : "");
    entry->parameters = sound ? stoa_model_parameter_count(opened->model) : 0;
}

/* Add the recipe at `path`. Files that do not load are passed over in the current folder, where an INI file
 * can be anything; elsewhere they are listed with what is wrong with them. */
static int add_recipe(struct list *list, stoa_context *context, const char *path, bool here) {
    struct cli_subject opened = {.context = context, .path = cli_text("%s", path)};
    char *name = cli_recipe_name(path);
    int code = CLI_DONE;
    if (!is_listed(list, name)) {
        stoa_status status = stoa_recipe_load(context, path, &opened.recipe);
        if (status == STOA_OK) {
            status = stoa_recipe_model(context, opened.recipe, &opened.model);
        }
        if (is_fault(status, path)) {
            (void)cli_fail_library(context, status);
            code = CLI_FAILED;
        } else if (status == STOA_OK || !here) {
            add_entry(list, &opened, status);
        }
    }
    free(name);
    opened.context = NULL; /* not its own */
    cli_close(&opened);
    return code;
}

static int is_recipe(const struct dirent *file) {
    size_t length = strlen(file->d_name);
    return length > 4 && file->d_name[0] != '.' && strcmp(file->d_name + length - 4, ".ini") == 0;
}

static int add_folder(struct list *list, stoa_context *context, const char *folder) {
    struct dirent **files;
    bool here = strcmp(folder, ".") == 0;
    int count = cli_is_folder(folder) ? scandir(folder, &files, is_recipe, alphasort) : 0;
    if (count < 0 && errno != EACCES) {
        return cli_fail(CLI_FAILED, "%s: cannot be looked into: %s", folder, strerror(errno));
    }
    int code = CLI_DONE;
    for (int i = 0; i < count; i++) {
        char *path = here ? cli_text("%s", files[i]->d_name) : cli_text("%s/%s", folder, files[i]->d_name);
        code = code == CLI_DONE ? add_recipe(list, context, path, here) : code;
        free(path);
        free(files[i]);
    }
    if (count > 0) {
        free(files);
    }
    return code;
}

/* How much of a path is its folder. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* A heading for the folder that a recipe lies in, unless the one before it lies there too. */
static void print_folder(const struct entry *entry, const struct entry *before) {
    size_t length = folder_length(entry->path);
    if (before && folder_length(before->path) == length && strncmp(before->path, entry->path, length) == 0) {
        return;
    }
    cli_print("%.*s:\n", length ? (int)length : 1, length ? entry->path : ".");
}

/* Two lines a recipe: beside its name what it is, below that what it takes and gives. */
static void print_text(const struct list *list) {
    int width = (int)strlen("recipe");
    for (size_t i = 0; i < list->count; i++) {
        int length = (int)strlen(list->entries[i].name);
        width = length > width ? length : width;
    }
    cli_print("  %-*s  %10s  title, needs and reaches\n", width, "recipe", "parameters");
    for (size_t i = 0; i < list->count; i++) {
        const struct entry *entry = &list->entries[i];
        struct report_words word = {""};
        print_folder(entry, i ? entry - 1 : NULL);
        cli_print("  %-*s  %10s  %s\n", width, entry->name, report_count_words(&word, entry->parameters),
                  entry->title);
        bool both = entry->needs[0] && entry->reaches[0];
        if (entry->needs[0] || entry->reaches[0]) {
            cli_print("  %*s  %s%s%s%s%s\n", width + 12, "", entry->needs[0] ? "needs " : "", entry->needs,
                      both ? "; " : "", entry->reaches[0] ? "reaches " : "", entry->reaches);
        }
    }
}

static void print_json(const struct list *list) {
    json_t *report = cli_json_array();
    for (size_t i = 0; i < list->count; i++) {
        json_t *entry = cli_json_object();
        cli_json_set(entry, "name", cli_json_text(list->entries[i].name));
        cli_json_set(entry, "title", cli_json_text(list->entries[i].title));
        cli_json_set(entry, "needs", cli_json_text(list->entries[i].needs));
        cli_json_set(entry, "reaches", cli_json_text(list->entries[i].reaches));
        cli_json_set(entry, "parameters", cli_json_count(list->entries[i].parameters));
        cli_json_set(entry, "file", cli_json_text(list->entries[i].path));
        cli_json_append(report, entry);
    }
    cli_json_print(report);
}

static int list_all(const struct cli_request *request) {
    struct cli_subject subject = {0};
    struct list list = {0};
    int code = cli_open_context(request, &subject);
    if (code == CLI_DONE) {
        struct cli_places places;
        cli_find_places(true, &places);
        for (size_t i = 0; code == CLI_DONE && i < places.count; i++) {
            code = add_folder(&list, subject.context, places.folder[i]);
        }
        cli_find_free(&places);
    }
    if (code == CLI_DONE && request->json) {
        print_json(&list);
    } else if (code == CLI_DONE) {
        print_text(&list);
    }
    for (size_t i = 0; i < list.count; i++) {
        free(list.entries[i].name);
        free(list.entries[i].title);
        free(list.entries[i].needs);
        free(list.entries[i].reaches);
        free(list.entries[i].path);
    }
    free(list.entries);
    cli_close(&subject);
    return code;
}

/* Print the file itself: a recipe is its own best description. */
static int print_file(const char *name) {
    char *path = cli_find_recipe(name);
    if (!path) {
        return CLI_WRONG;
    }
    if (cli_is_file(path) && !cli_is_regular(path)) {
        int code = cli_fail(CLI_WRONG, "%s: is a device, pipe or socket, expected a file", path);
        free(path);
        return code;
    }
    FILE *file = fopen(path, "re");
    char block[4096];
    size_t bytes;
    int code = CLI_DONE;
    if (!file) {
        code = cli_fail(CLI_WRONG, "%s: %s", path, strerror(errno));
    }
    while (file && (bytes = fread(block, 1, sizeof block, file)) > 0) {
        (void)fwrite(block, 1, bytes, stdout);
    }
    if (file && ferror(file)) {
        code = cli_fail(CLI_WRONG, "%s: cannot read: %s", path, strerror(errno));
    }
    if (file) {
        (void)fclose(file);
    }
    free(path);
    return code;
}

static int run(const struct cli_request *request) {
    if (request->operand_count == 0) {
        return request->keys ? cli_print_keys(request) : list_all(request);
    }
    if (request->json || request->keys) {
        return cli_fail(CLI_WRONG, "--%s: found with '%s', expected with the list only",
                        request->json ? "json" : "keys", request->operands[0]);
    }
    return print_file(request->operands[0]);
}

static const char *const option_names[] = {"keys", "json", NULL};

const struct cli_command cli_recipes = {
    .name = "recipes",
    .summary = "list the recipes, or print one",
    .usage = "recipes [NAME] [options]",
    .description =
        "List the recipes with their parameters, what a training needs and what it has reached: those found\n"
        "in the current folder, data/recipes, the user's data folder ($XDG_DATA_HOME/stoa/recipes),\n"
        "$XDG_DATA_DIRS and the installed data folder; the first of a name counts. With a name, print that\n"
        "recipe's file. With --keys, print what recipes can say in [data] and [train].",
    .examples = "  stoa recipes\n"
                "  stoa recipes --keys\n"
                "  stoa recipes lenet5 > mine.ini",
    .options = option_names,
    .operand = "NAME",
    .least_operands = 0,
    .most_operands = 1,
    .run = run,
};
