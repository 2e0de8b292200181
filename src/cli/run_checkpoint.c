/* SPDX-License-Identifier: MIT */
/* The checkpoints of a run: see run_checkpoint.h. Public headers only. */
#include "cli/run_checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/report.h"
#include "cli/run_files.h"

#define BEGIN "checkpoint-"
#define END ".safetensors"
#define ALONE ".new"

enum { NAME = sizeof BEGIN END ALONE + 24 };

static void name_of(uint64_t step, bool alone, char name[NAME]) {
    (void)snprintf(name, NAME, BEGIN "%llu" END "%s", (unsigned long long)step, alone ? ALONE : "");
}

/* Whether a name is one that name_of() gives. */
static bool is_checkpoint(const char *name, bool alone, uint64_t *step) {
    char text[NAME], again[NAME];
    if (strncmp(name, BEGIN, sizeof BEGIN - 1) != 0 || strlen(name) >= sizeof text) {
        return false;
    }
    (void)snprintf(text, sizeof text, "%s", name + sizeof BEGIN - 1);
    text[strcspn(text, ".")] = '\0';
    if (!cli_read_count(text, 0, UINT64_MAX, step)) {
        return false;
    }
    name_of(*step, alone, again);
    return strcmp(name, again) == 0;
}

int cli_checkpoint_rhythm(const char *text, stoa_train_callbacks *callbacks) {
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    uint64_t steps;
    double number;
    const char *given = text ? text : "5m";
    size_t length = strlen(given);
    if (cli_read_count(given, 1, SIZE_MAX, &steps)) {
        callbacks->checkpoint_steps = (size_t)steps;
        return CLI_DONE;
    }
    for (size_t i = 0; length > 0 && i < sizeof units / sizeof units[0]; i++) {
        char *digits = cli_text("%.*s", (int)length - 1, given);
        bool good = given[length - 1] == units[i].unit && cli_read_number(digits, 1e-3, 1e9, &number);
        free(digits);
        if (good) {
            callbacks->checkpoint_seconds = number * units[i].seconds;
            return CLI_DONE;
        }
    }
    return cli_fail(
        CLI_WRONG,
        "--checkpoint-every: found '%s', expected a time such as 30s, 5m or 2h, or steps such as 500", given);
}

struct list {
    bool alone; /* look for those that count alone */
    uint64_t *step;
    size_t count, room;
};

static bool note(int folder, const char *name, void *user) {
    struct list *list = user;
    uint64_t step;
    (void)folder;
    if (!is_checkpoint(name, list->alone, &step)) {
        return true;
    }
    if (list->count == list->room) {
        size_t room = 2 * list->room;
        uint64_t *more = realloc(list->step, room * sizeof *more);
        if (!more) {
            return false;
        }
        list->step = more;
        list->room = room;
    }
    list->step[list->count++] = step;
    return true;
}

static int newer_first(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left > right ? -1 : left < right;
}

static uint64_t *list_of(int folder, bool alone, size_t *count) {
    enum { ROOM = 16 };
    struct list list = {.alone = alone, .step = malloc(ROOM * sizeof *list.step), .room = ROOM};
    int result = list.step ? cli_run_visit(folder, note, &list) : -1;
    if (result != 0) {
        int reason = result > 0 ? ENOMEM : errno;
        free(list.step);
        errno = reason;
        return NULL;
    }
    qsort(list.step, list.count, sizeof *list.step, newer_first);
    *count = list.count;
    return list.step;
}

uint64_t *cli_checkpoints_list(int folder, size_t *count) {
    return list_of(folder, false, count);
}

char *cli_checkpoint_path(const char *path, uint64_t step) {
    char name[NAME];
    name_of(step, false, name);
    return cli_text("%s/%s", path, name);
}

static int remove_step(int folder, uint64_t step, bool alone) {
    char name[NAME];
    name_of(step, alone, name);
    return unlinkat(folder, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

/* What cannot be removed now is removed behind the next checkpoint. */
static void prune(int folder, uint64_t newest, size_t keep) {
    size_t count = 0, kept = 0;
    uint64_t *steps = cli_checkpoints_list(folder, &count);
    for (size_t i = 0; steps && i < count; i++) {
        if (steps[i] > newest || kept >= keep) {
            (void)remove_step(folder, steps[i], false);
        } else {
            kept++;
        }
    }
    free(steps);
}

static int remove_all(int folder, bool alone) {
    size_t count = 0;
    uint64_t *steps = list_of(folder, alone, &count);
    int result = steps ? 0 : -1;
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = remove_step(folder, steps[i], alone);
    }
    int reason = errno;
    free(steps);
    errno = reason;
    return result;
}

int cli_checkpoints_remove(int folder) {
    return remove_all(folder, false);
}

/* From now on the others do not count; they go, and this one gets the name of all. */
static int settle(int folder, uint64_t step) {
    char waiting[NAME], name[NAME];
    name_of(step, true, waiting);
    name_of(step, false, name);
    int result = remove_all(folder, false);
    result = result == 0 ? renameat(folder, waiting, folder, name) : -1;
    result = result == 0 ? remove_all(folder, true) : -1; /* those that an earlier attempt left */
    cli_run_sync(folder);
    return result;
}

int cli_checkpoints_recover(int folder) {
    size_t count = 0;
    uint64_t *steps = list_of(folder, true, &count);
    int result = steps ? 0 : -1;
    if (count > 0) {
        result = settle(folder, steps[0]);
    }
    int reason = errno;
    free(steps);
    errno = reason;
    return result;
}

stoa_status cli_checkpoint_save(int folder, const char *path, stoa_trainer *trainer, size_t keep, bool *alone,
                                uint64_t *step) {
    char name[NAME];
    stoa_trainer_info info;
    stoa_trainer_describe(trainer, &info);
    *step = info.steps;
    name_of(*step, *alone, name);
    char *file = cli_text("%s/%s", path, name);
    stoa_status status = stoa_trainer_save(trainer, file);
    free(file);
    if (status == STOA_OK && *alone) {
        *alone = settle(folder, *step) != 0; /* it counts already: the next one or who comes next tidies up */
    }
    if (status == STOA_OK && !*alone) {
        prune(folder, *step, keep);
    }
    return status;
}
