/* SPDX-License-Identifier: MIT */
/* Any data set by its path: what it is follows from what is there. Formats come in two kinds: with a training
 * and a test part of their own, and whole, which are divided here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/float_state.h"
#include "data/cifar.h"
#include "data/csv_list.h"
#include "data/dataset.h"
#include "data/folder.h"
#include "data/keys.h"
#include "data/read.h"
#include "data/table.h"

enum { TRAIN = STOA_LOAD_TRAIN, TEST = STOA_LOAD_TEST };

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

char *stoa_load_join(stoa_context *context, const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) {
        (void)snprintf(path, size, "%s/%s", folder, name);
    } else {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for a path", folder);
    }
    return path;
}

bool stoa_load_is_there(const char *folder, const char *name) {
    char path[4096];
    struct stat about;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length > 0 && (size_t)length < sizeof path && stat(path, &about) == 0;
}

/* ---- whole sets ---- */

stoa_status stoa_load_divide(struct stoa_load *load, stoa_dataset *whole) {
    float share = load->options->test;
    if (load->options->unlabelled || load->options->whole) {
        load->made[TEST] = whole;
        return STOA_OK;
    }
    stoa_status status = stoa_dataset_split(whole, share > 0 ? (double)share : STOA_DEFAULT_TEST_SHARE,
                                            load->options->seed, &load->made[TRAIN], &load->made[TEST]);
    stoa_dataset_free(whole);
    return status == STOA_OK ? status : stoa_error_prefix(&load->context->error, "%s: ", load->path);
}

/* What fills missing values is found in the training part. */
static stoa_status load_csv(struct stoa_load *load, const char *path) {
    stoa_dataset *whole = NULL;
    stoa_status status = stoa_csv_open_unfilled(load->context, path, load->options, &whole);
    if (status == STOA_OK) {
        status = stoa_load_divide(load, whole);
    }
    const stoa_dataset *known = load->made[TRAIN] ? load->made[TRAIN] : load->made[TEST];
    return status == STOA_OK ? stoa_table_fill(known, path, load->options) : status;
}

static stoa_status load_pictures(struct stoa_load *load, const char *folder) {
    stoa_dataset *whole = NULL;
    stoa_status status = stoa_dataset_open_pictures(load->context, folder, load->options, &whole);
    return status == STOA_OK ? stoa_load_divide(load, whole) : status;
}

/* ---- sets in parts ---- */

typedef stoa_status reader(stoa_context *context, const char *path, const stoa_data_options *options,
                           stoa_dataset **dataset);

/* What the second of two parts is read with, beside the options: what the first has shown. */
struct shown {
    stoa_data_options options;
    stoa_column *columns; /* from malloc */
    char *target;         /* the same */
};

/* Names of classes, columns and targets are those of the training part, and what stands for missing
 * values. */
static stoa_status learn_names(const stoa_dataset *train, struct shown *shown) {
    const struct stoa_store *store = train->store;
    stoa_data_options *options = &shown->options;
    const char *const *targets = (const char *const *)store->target_names;
    options->classes = store->classes;
    options->names = (const char *const *)store->names;
    options->name_count = store->names ? store->classes : 0;
    options->label_column = store->label_name;
    options->channels = options->channels ? options->channels : store->channels;
    if (!store->table) {
        return STOA_OK;
    }
    shown->columns = stoa_table_columns(store->table);
    shown->target = targets ? stoa_csv_list_text(targets, store->target_count) : NULL;
    if (!shown->columns || (targets && !shown->target)) {
        return stoa_fail(train->context, STOA_ERR_MEMORY, "data set: no memory for names of columns");
    }
    options->fitted = shown->columns;
    options->fitted_count = store->table->count;
    options->target = targets ? shown->target : options->target;
    return STOA_OK;
}

/* Two tables or folders of pictures. */
static stoa_status load_named(struct stoa_load *load, reader *read, const char *first, const char *second) {
    stoa_context *context = load->context;
    struct shown shown = {.options = *load->options};
    char *train = stoa_load_join(context, load->path, first);
    char *test = stoa_load_join(context, load->path, second);
    stoa_status status = train && test ? STOA_OK : STOA_ERR_MEMORY;
    bool known = shown.options.names || shown.options.fitted;
    if (status == STOA_OK && !shown.options.unlabelled && (load->wanted[TRAIN] || !known)) {
        status = read(context, train, &shown.options, &load->made[TRAIN]);
    }
    if (load->made[TRAIN]) {
        status = learn_names(load->made[TRAIN], &shown);
    }
    if (status == STOA_OK && load->wanted[TEST]) {
        status = read(context, test, &shown.options, &load->made[TEST]);
    }
    free(train);
    free(test);
    free(shown.columns);
    free(shown.target);
    return status;
}

/* Samples alone. */
static stoa_status load_npy(struct stoa_load *load, const char *path) {
    if (!load->options->unlabelled) {
        return stoa_fail(
            load->context, STOA_ERR_FORMAT,
            "%s: has no labels, expected a folder with x.npy and y.npy, or with x_train.npy, y_train.npy, "
            "x_test.npy and y_test.npy",
            path);
    }
    return stoa_dataset_open_npy(load->context, path, NULL, load->options, &load->made[TEST]);
}

/* ---- which one it is ---- */

/* Files that are a set of their own. */
static const struct {
    const char *end;
    stoa_status (*read)(struct stoa_load *load, const char *path);
    bool named; /* only where it is named: in folders such files are mostly something else */
} files[] = {{".csv", load_csv, false},
             {".tsv", load_csv, false},
             {".npz", stoa_load_npz, false},
             {".npy", load_npy, false},
             {".txt", load_csv, true}};
enum { FILES = sizeof files / sizeof files[0] };

/* The one name in the folder that ends so, as a path; NULL when there is none or, with the error set,
 * several. */
static char *find_only(struct stoa_load *load, const struct stoa_names *names, const char *end,
                       stoa_status *status) {
    const char *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (ends_with(names->text[i], end)) {
            found = names->text[i];
            count++;
        }
    }
    if (count > 1) {
        *status = stoa_fail(load->context, STOA_ERR_FORMAT,
                            "%s: holds several files *%s, expected one, or train%s and test%s", load->path,
                            end, end, end);
    }
    if (count != 1) {
        return NULL;
    }
    char *path = stoa_load_join(load->context, load->path, found);
    *status = path ? STOA_OK : STOA_ERR_MEMORY;
    return path;
}

/* Whether a name in the folder is that of a folder or of a file of a kind that is read. */
static stoa_status may_be_data(const struct stoa_load *load, const char *name, bool *data) {
    for (size_t i = 0; i < FILES; i++) {
        if (!files[i].named && ends_with(name, files[i].end)) {
            *data = true;
            return STOA_OK;
        }
    }
    char *path = stoa_load_join(load->context, load->path, name);
    stoa_status status = path ? stoa_folder_is(load->context, path, data) : STOA_ERR_MEMORY;
    free(path);
    return status;
}

/* Say what may be data too, but for the names that were read. */
static stoa_status explain_others(const struct stoa_load *load, const struct stoa_names *names,
                                  const char *const *known, size_t known_count) {
    const char *example = NULL;
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++) {
        bool other = true;
        for (size_t k = 0; k < known_count; k++) {
            other = other && (!known[k] || strcmp(names->text[i], known[k]) != 0);
        }
        stoa_status status = other ? may_be_data(load, names->text[i], &other) : STOA_OK;
        if (status != STOA_OK) {
            return status;
        }
        count += other;
        example = other ? names->text[i] : example;
    }
    if (count > 0) {
        stoa_log(load->context, "%s: %zu more beside what is read left out: %s%s", load->path, count, example,
                 count == 1 ? "" : " and others");
    }
    return STOA_OK;
}

/* A folder that holds a single file with a set. False when it holds none. */
static bool load_only_file(struct stoa_load *load, const struct stoa_names *names, stoa_status *status) {
    *status = STOA_OK;
    for (size_t i = 0; i < FILES; i++) {
        char *path = files[i].named ? NULL : find_only(load, names, files[i].end, status);
        if (path) {
            const char *known = path + strlen(load->path) + 1;
            *status = files[i].read(load, path);
            if (*status == STOA_OK) {
                *status = explain_others(load, names, &known, 1);
            }
            free(path);
            return true;
        }
        if (*status != STOA_OK) {
            return true;
        }
    }
    return false;
}

/* ---- parts by their usual names ---- */

/* The names of the parts in a folder; NULL where there is none. */
struct parts {
    const char *train, *test, *validation;
};

/* The first of the words that, with this end, is a name in the folder, in small or large letters. */
static const char *find_part(const struct stoa_names *names, const char *const *words, const char *end) {
    for (; *words; words++) {
        size_t length = strlen(*words);
        for (size_t i = 0; i < names->count; i++) {
            const char *name = names->text[i];
            if (strncasecmp(name, *words, length) == 0 && strcmp(name + length, end) == 0) {
                return name;
            }
        }
    }
    return NULL;
}

/* Whether there is a part to train with and one to test with. For want of another, that is the one for
 * validation. */
static bool find_parts(const struct stoa_names *names, const char *end, struct parts *parts) {
    static const char *const trains[] = {"train", "training", NULL};
    static const char *const tests[] = {"test", "testing", NULL};
    static const char *const validations[] = {"val", "valid", "validation", "dev", NULL};
    *parts = (struct parts){find_part(names, trains, end), find_part(names, tests, end),
                            find_part(names, validations, end)};
    return parts->train && (parts->test || parts->validation);
}

/* Say what the parts are taken for, where that is not what their names say. */
static void explain_parts(const struct stoa_load *load, const struct parts *parts) {
    if (!parts->test) {
        stoa_log(load->context, "%s: %s is taken as the test part, as there is none of that name", load->path,
                 parts->validation);
    } else if (parts->validation) {
        stoa_log(load->context,
                 "%s: %s is left out; samples for validation are held out of %s where the recipe asks for it",
                 load->path, parts->validation, parts->train);
    }
}

static stoa_status load_parts(struct stoa_load *load, const struct stoa_names *names, reader *read,
                              const struct parts *parts) {
    const char *const known[] = {parts->train, parts->test, parts->validation};
    stoa_status status = load_named(load, read, parts->train, parts->test ? parts->test : parts->validation);
    if (status == STOA_OK) {
        explain_parts(load, parts);
        status = explain_others(load, names, known, sizeof known / sizeof known[0]);
    }
    return status;
}

/* A training part alone is divided like a whole set. */
static stoa_status load_train_alone(struct stoa_load *load, const struct stoa_names *names, const char *train,
                                    const char *folder) {
    stoa_log(load->context, "%s: %s is divided, as there is no part to test with", load->path, train);
    stoa_status status = load_pictures(load, folder);
    return status == STOA_OK ? explain_others(load, names, &train, 1) : status;
}

/* Folders of pictures: in parts that hold folders, or whole. */
static stoa_status load_folders(struct stoa_load *load, const struct stoa_names *names) {
    struct parts parts;
    bool nested = false;
    stoa_status status = STOA_OK;
    bool two = find_parts(names, "", &parts);
    char *train = NULL;
    if (parts.train) {
        train = stoa_load_join(load->context, load->path, parts.train);
        status = train ? stoa_folder_is(load->context, train, &nested) : STOA_ERR_MEMORY;
    }
    if (status == STOA_OK && nested) {
        status = stoa_pictures_are_there(load->context, train, &nested);
    }
    if (status == STOA_OK) {
        status = !nested ? load_pictures(load, load->path)
                 : two   ? load_parts(load, names, stoa_dataset_open_pictures, &parts)
                         : load_train_alone(load, names, parts.train, train);
    }
    free(train);
    return status;
}

static stoa_status load_listed(struct stoa_load *load, const struct stoa_names *names) {
    stoa_status status = STOA_OK;
    struct parts parts;
    bool folders = false;
    if (find_parts(names, ".csv", &parts) || find_parts(names, ".tsv", &parts)) {
        return load_parts(load, names, stoa_dataset_open_csv, &parts);
    }
    if (stoa_load_cifar(load, &status) || stoa_load_npy_folder(load, &status) ||
        load_only_file(load, names, &status)) {
        return status;
    }
    if (stoa_load_idx(load, names->count, &status)) {
        return status;
    }
    status = stoa_pictures_are_there(load->context, load->path, &folders);
    if (status != STOA_OK || folders) {
        return status == STOA_OK ? load_folders(load, names) : status;
    }
    return stoa_fail(
        load->context, STOA_ERR_NOT_FOUND,
        "%s: holds no data of a known kind: IDX files (train-images-idx3-ubyte and so on), *.csv, *.tsv, "
        "*.npz, *.npy, CIFAR's *.bin, or folders of PNG or JPEG pictures",
        load->path);
}

static stoa_status load_folder(struct stoa_load *load) {
    struct stoa_names names = {.count = 0};
    stoa_status status = stoa_folder_list(load->context, load->path, &names);
    if (status == STOA_OK) {
        status = load_listed(load, &names);
    }
    stoa_names_clear(&names);
    return status;
}

/* Pictures of the model's size, where it is given. */
static stoa_status load_digits(struct stoa_load *load) {
    const stoa_data_options *options = load->options;
    bool sized = options->height > 1 && options->width > 1;
    stoa_dataset *whole = NULL;
    if (options->classes && options->classes != 10) {
        return stoa_fail(load->context, STOA_ERR_ARGUMENT, "digits: has 10 classes, expected %zu",
                         options->classes);
    }
    stoa_status status = stoa_dataset_draw_digits(
        load->context, options->samples ? options->samples : STOA_DEFAULT_DIGITS,
        sized ? options->height : 28, sized ? options->width : 28, options->seed, &whole);
    return status == STOA_OK ? stoa_load_divide(load, whole) : status;
}

static stoa_status load_path(struct stoa_load *load) {
    struct stat about;
    if (stat(load->path, &about) != 0) {
        if (errno == ENOENT && strcmp(load->path, "digits") == 0) {
            return load_digits(load);
        }
        bool missing = errno == ENOENT || errno == ENOTDIR;
        return stoa_fail(load->context, missing ? STOA_ERR_NOT_FOUND : STOA_ERR_IO, "%s: %s", load->path,
                         missing ? "no such file or folder" : "cannot be looked into");
    }
    if (S_ISDIR(about.st_mode)) {
        return load_folder(load);
    }
    for (size_t i = 0; i < FILES; i++) {
        if (ends_with(load->path, files[i].end)) {
            return files[i].read(load, load->path);
        }
    }
    return stoa_fail(
        load->context, STOA_ERR_FORMAT,
        "%s: is a file of an unknown kind, expected *.csv, *.tsv, *.txt, *.npz, *.npy or a folder",
        load->path);
}

static stoa_status check_options(stoa_context *context, const stoa_data_options *options, bool train) {
    /* As a recipe would say it. Sizes have no bounds here but memory's. */
    struct stoa_data_source said = {.options = {.header = options->header,
                                                .layout = options->layout,
                                                .test = options->test,
                                                .resize = options->resize}};
    stoa_status status = stoa_keys_complete(&context->error, &stoa_data_keys, &said, NULL);
    if (status != STOA_OK) {
        return stoa_error_prefix(&context->error, "data set: ");
    }
    if ((options->whole || options->unlabelled) && train) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "data set: samples that are not divided have no training part");
    }
    return options->classes ? stoa_require_classes(context, options->classes) : STOA_OK;
}

/* What does not stay on disk has to fit. */
static stoa_status check_memory(const struct stoa_load *load, const stoa_dataset *made) {
    size_t most = load->options->memory;
    if (!made || most == 0 || made->store->samples_memory.bytes <= most) {
        return STOA_OK;
    }
    return stoa_fail(
        load->context, STOA_ERR_ARGUMENT,
        "%s: its samples take %zu bytes, expected no more than the memory of %zu; only plain IDX and NPY "
        "files can be larger",
        load->path, made->store->samples_memory.bytes, most);
}

/* Pictures have no numbers beside them. */
static stoa_status check_task(const struct stoa_load *load, const stoa_dataset *made) {
    stoa_task task = stoa_task_of(load->options);
    if (!made || load->options->unlabelled || task == STOA_TASK_CLASSES || stoa_dataset_targets(made) > 0) {
        return STOA_OK;
    }
    return stoa_fail(load->context, STOA_ERR_ARGUMENT,
                     "%s: is %s, which has classes, expected a table or arrays for task = %s", load->path,
                     stoa_dataset_format(made), task == STOA_TASK_REGRESSION ? "regression" : "multilabel");
}

stoa_status stoa_dataset_load(stoa_context *context, const char *path, const stoa_data_options *options,
                              stoa_dataset **train, stoa_dataset **test) {
    STOA_FLOAT_STATE();
    static const stoa_data_options defaults = {.classes = 0};
    struct stoa_load load = {.context = context,
                             .path = path,
                             .options = options ? options : &defaults,
                             .wanted = {train != NULL, test != NULL}};
    stoa_status status = check_options(context, load.options, load.wanted[TRAIN]);
    if (status == STOA_OK) {
        status = load_path(&load);
    }
    for (int part = TRAIN; status == STOA_OK && part <= TEST; part++) {
        status = check_memory(&load, load.made[part]);
        if (status == STOA_OK) {
            status = check_task(&load, load.made[part]);
        }
    }
    /* What was made on the way, but is not wanted. */
    stoa_dataset **const out[] = {train, test};
    for (int part = TRAIN; part <= TEST; part++) {
        if (status == STOA_OK && out[part]) {
            *out[part] = load.made[part];
        } else {
            stoa_dataset_free(load.made[part]);
        }
    }
    return status;
}
