/* SPDX-License-Identifier: MIT */
/* Runs as operands: a folder of runs stands for them. */
#include "cli/run_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_files.h"

bool cli_run_has(const char *folder, const char *name) {
    char *path = cli_text("%s/%s", folder, name);
    bool there = cli_is_file(path);
    free(path);
    return there;
}

/* What shows that a folder is a run's, however far it has come. */
static bool is_run(const char *folder) {
    return cli_run_has(folder, CLI_RUN_METRICS) || cli_run_has(folder, CLI_RUN_MODEL) ||
           cli_run_has(folder, CLI_RUN_METRICS_NEW);
}

static void add(struct cli_run_list *list, char *path) {
    char **longer = cli_allocate(list->count + 1, sizeof *longer);
    if (list->count > 0) {
        memcpy(longer, list->path, list->count * sizeof *longer);
    }
    free(list->path);
    list->path = longer;
    list->path[list->count++] = path;
}

static int by_name(const void *a, const void *b) {
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* The runs in a folder that is none itself, down to so many folders below it. */
static void add_inside(struct cli_run_list *list, const char *folder, size_t depth) {
    size_t before = list->count, length = strlen(folder);
    DIR *directory = opendir(folder);
    if (!directory && errno == ENOMEM) {
        cli_out_of_memory();
    }
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        char *path = cli_text("%s%s%s", folder, folder[length - 1] == '/' ? "" : "/", entry->d_name);
        bool inside = entry->d_name[0] != '.' && cli_is_folder(path), one = inside && is_run(path);
        if (one) {
            add(list, path);
        } else if (inside && depth > 0) {
            add_inside(list, path, depth - 1);
        }
        free(one ? NULL : path);
    }
    if (directory) {
        (void)closedir(directory);
    }
    if (list->count > before) {
        qsort(list->path + before, list->count - before, sizeof *list->path, by_name);
    }
}

void cli_list_runs(const struct cli_request *request, struct cli_run_list *list) {
    *list = (struct cli_run_list){.count = 0};
    for (size_t i = 0; i < request->operand_count; i++) {
        const char *operand = request->operands[i];
        size_t before = list->count;
        if (cli_is_folder(operand) && !is_run(operand)) {
            add_inside(list, operand, 0);
        }
        if (list->count == before) {
            add(list, cli_text("%s", operand)); /* what it is not is said when it is opened */
        }
    }
}

void cli_find_runs(const struct cli_request *request, struct cli_run_list *list) {
    enum { DEPTH = 2 }; /* runs/ with a folder of several runs in it */
    *list = (struct cli_run_list){.count = 0};
    for (size_t i = 0; i < request->operand_count; i++) {
        if (is_run(request->operands[i])) {
            list->named++;
            add(list, cli_text("%s", request->operands[i]));
        } else {
            add_inside(list, request->operands[i], DEPTH);
        }
    }
}

void cli_free_runs(struct cli_run_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->path[i]);
    }
    free(list->path);
    *list = (struct cli_run_list){.count = 0};
}
