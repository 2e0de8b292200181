/* SPDX-License-Identifier: MIT */
/* CIFAR's binary files: records of one label or two, in bytes, and 32x32 pixels, all red ones first, then
 * green, then blue. Names of classes stand in a text beside them, one a line. */
#include "data/cifar.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/dataset.h"
#include "data/disk.h"
#include "data/labels.h"
#include "data/shape.h"

enum { SIDE = 32, VALUES = 3 * SIDE * SIDE, MOST_FILES = 5, MOST_LABELS = 2 };

/* A label of a record. */
struct cifar_label {
    const char *word; /* as the key `label` says it; NULL: there is one only */
    const char *names;
    size_t classes;
};

struct cifar_kind {
    const char *title, *folder; /* as the archive unpacks */
    const char *python;         /* a file of the version that is not read */
    const char *train[MOST_FILES], *test;
    size_t labels; /* of a record, the last one being the usual one */
    struct cifar_label label[MOST_LABELS];
};

static const struct cifar_kind kinds[] = {
    {"CIFAR-10",
     "cifar-10-batches-bin",
     "data_batch_1",
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
     "test_batch.bin",
     1,
     {{NULL, "batches.meta.txt", 10}}},
    {"CIFAR-100",
     "cifar-100-binary",
     "meta",
     {"train.bin"},
     "test.bin",
     2,
     {{"coarse", "coarse_label_names.txt", 20}, {"fine", "fine_label_names.txt", 100}}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* A set that was found. */
struct cifar_set {
    struct stoa_load *load;
    const struct cifar_kind *kind;
    const char *folder;
    size_t column;     /* of the label that is wanted */
    char **names;      /* of the classes, from malloc; NULL: not known */
    int32_t *class_of; /* of a label, where the options have names of their own; NULL: itself */
};

static size_t record_bytes(const struct cifar_kind *kind) {
    return kind->labels + VALUES;
}

static const struct cifar_label *label_of(const struct cifar_set *set) {
    return &set->kind->label[set->column];
}

/* ---- finding ---- */

/* Names such as train.bin are those of many things: a text with names is beside it, or records fill it. */
static bool is_kind(struct stoa_load *load, const struct cifar_kind *kind, const char *folder) {
    bool there = stoa_load_is_there(folder, kind->test);
    for (size_t i = 0; i < MOST_FILES && kind->train[i]; i++) {
        there = there || stoa_load_is_there(folder, kind->train[i]);
    }
    if (!there || kind->labels == 1 || stoa_load_is_there(folder, kind->label[kind->labels - 1].names)) {
        return there;
    }
    char *path = stoa_load_join(load->context, folder, kind->train[0]);
    size_t bytes = path ? stoa_file_size(path) : 0;
    free(path);
    return bytes > 0 && bytes % record_bytes(kind) == 0;
}

/* The set in the folder, or in one within that is called as an archive unpacks; *folder is from malloc.
 * Errors: two of them. */
static stoa_status find_set(struct stoa_load *load, const struct cifar_kind **kind, char **folder) {
    for (size_t i = 0; i < KINDS; i++) {
        if (is_kind(load, &kinds[i], load->path)) {
            *kind = &kinds[i];
            *folder = strdup(load->path);
            return *folder
                       ? STOA_OK
                       : stoa_fail(load->context, STOA_ERR_MEMORY, "%s: no memory for a path", load->path);
        }
    }
    for (size_t i = 0; i < KINDS; i++) {
        char *inner = stoa_load_join(load->context, load->path, kinds[i].folder);
        bool there = inner && is_kind(load, &kinds[i], inner);
        if (there && !*kind) {
            *kind = &kinds[i];
            *folder = inner;
            continue;
        }
        free(inner);
        if (!inner || there) {
            return !inner ? STOA_ERR_MEMORY
                          : stoa_fail(load->context, STOA_ERR_FORMAT,
                                      "%s: holds %s and %s, expected one of them", load->path,
                                      (*kind)->folder, kinds[i].folder);
        }
    }
    return STOA_OK;
}

/* Whether there are the pickles of Python, which hold programs. */
static bool is_python(const struct stoa_load *load, stoa_status *status) {
    for (size_t i = 0; i < KINDS; i++) {
        if (stoa_load_is_there(load->path, kinds[i].python) &&
            (i == 0 || (stoa_load_is_there(load->path, "train") && stoa_load_is_there(load->path, "test")))) {
            *status = stoa_fail(load->context, STOA_ERR_FORMAT,
                                "%s: holds %s for Python, expected its binary version with %s", load->path,
                                kinds[i].title, kinds[i].train[0]);
            return true;
        }
    }
    return false;
}

/* ---- labels and their names ---- */

static stoa_status choose_label(struct cifar_set *set) {
    const struct cifar_kind *kind = set->kind;
    const char *wish = set->load->options->label;
    set->column = kind->labels - 1;
    for (size_t i = 0; wish && i < kind->labels; i++) {
        if (kind->label[i].word && strcmp(wish, kind->label[i].word) == 0) {
            set->column = i;
            wish = NULL;
        }
    }
    if (wish) {
        return stoa_fail(set->load->context, STOA_ERR_ARGUMENT, "%s: label: found '%.40s', expected %s",
                         set->folder, wish,
                         kind->labels > 1 ? "coarse or fine" : "none, as CIFAR-10 has one label");
    }
    const size_t classes = set->load->options->classes;
    return classes == 0 || classes == label_of(set)->classes
               ? STOA_OK
               : stoa_fail(set->load->context, STOA_ERR_FORMAT, "%s: %s has %zu classes%s, expected %zu",
                           set->folder, kind->title, label_of(set)->classes,
                           kind->labels > 1 ? " (label = coarse: 20, fine: 100)" : "", classes);
}

/* Lines that are not empty, without white space around them. The text is cut into them. */
static size_t cut_lines(char *text, size_t bytes, char **lines, size_t most) {
    size_t count = 0;
    char *end = text + bytes;
    for (char *at = text; at < end; at++) {
        char *last = memchr(at, '\n', (size_t)(end - at));
        char *next = last = last ? last : end;
        while (last > at && isspace((unsigned char)last[-1])) {
            last--;
        }
        *last = '\0'; /* the text has a byte more */
        if (last > at) {
            if (count < most) {
                lines[count] = at;
            }
            count++;
        }
        at = next;
    }
    return count;
}

static stoa_status take_names(struct cifar_set *set, const char *path, char *text, size_t bytes) {
    const struct cifar_label *label = label_of(set);
    char *lines[100];
    size_t count = cut_lines(text, bytes, lines, label->classes);
    if (count != label->classes) {
        return stoa_fail(set->load->context, STOA_ERR_FORMAT,
                         "%s: %zu names of classes, expected %zu, one a line", path, count, label->classes);
    }
    set->names = stoa_copy_names((const char *const *)lines, count);
    return set->names
               ? STOA_OK
               : stoa_fail(set->load->context, STOA_ERR_MEMORY, "%s: no memory for the names in it", path);
}

static stoa_status read_names(struct cifar_set *set) {
    stoa_context *context = set->load->context;
    void *data = NULL;
    size_t bytes = 0;
    if (!stoa_load_is_there(set->folder, label_of(set)->names)) {
        stoa_log(context, "%s: holds no %s, so that classes are numbers", set->folder, label_of(set)->names);
        return STOA_OK;
    }
    char *path = stoa_load_join(context, set->folder, label_of(set)->names);
    stoa_status status =
        path ? stoa_file_read(&context->error, path, 1 << 20, &data, &bytes) : STOA_ERR_MEMORY;
    char *text = status == STOA_OK ? realloc(data, bytes + 1) : NULL;
    if (text) {
        status = take_names(set, path, text, bytes);
    } else if (status == STOA_OK) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for the names in it", path);
    }
    free(text ? text : data);
    free(path);
    return status;
}

/* A model knows its classes by their names, whatever their order here. */
static stoa_status map_names(struct cifar_set *set) {
    const stoa_data_options *options = set->load->options;
    const size_t classes = label_of(set)->classes;
    if (!options->names || !set->names) {
        return STOA_OK;
    }
    set->class_of = calloc(classes, sizeof *set->class_of);
    if (!set->class_of) {
        return stoa_fail(set->load->context, STOA_ERR_MEMORY, "%s: no memory for its classes", set->folder);
    }
    for (size_t i = 0; i < classes; i++) {
        size_t at = 0;
        while (at < options->name_count && strcmp(options->names[at], set->names[i]) != 0) {
            at++;
        }
        if (at == options->name_count) {
            return stoa_fail(set->load->context, STOA_ERR_FORMAT,
                             "%s: has the class '%.40s', expected one of %zu classes such as '%.40s'",
                             set->folder, set->names[i], options->name_count, options->names[0]);
        }
        set->class_of[i] = (int32_t)at;
    }
    return STOA_OK;
}

/* ---- records ---- */

static stoa_status count_records(const struct cifar_set *set, const char *path, size_t *records) {
    const size_t bytes = stoa_file_size(path), one = record_bytes(set->kind);
    *records = bytes / one;
    return bytes > 0 && bytes % one == 0
               ? STOA_OK
               : stoa_fail(set->load->context, STOA_ERR_FORMAT,
                           "%s: holds %zu bytes, expected records of %zu: %zu label%s and %d values each",
                           path, bytes, one, set->kind->labels, set->kind->labels == 1 ? "" : "s", VALUES);
}

/* The records of a file, of which there are as many as were counted, from sample `first` on. */
static stoa_status read_records(const struct cifar_set *set, const char *path, size_t records, size_t first,
                                struct stoa_store *store) {
    stoa_context *context = set->load->context;
    const size_t one = record_bytes(set->kind), classes = label_of(set)->classes;
    uint8_t *pixels = (uint8_t *)store->samples_memory.data + first * VALUES;
    int32_t *labels = (int32_t *)store->labels_memory.data + first;
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, SIZE_MAX / 4, &data, &bytes);
    if (status == STOA_OK && bytes != records * one) {
        status = stoa_fail(context, STOA_ERR_IO, "%s: changed while it was read", path);
    }
    for (size_t i = 0; status == STOA_OK && i < records; i++) {
        const uint8_t *record = (const uint8_t *)data + i * one;
        const size_t label = record[set->column];
        if (label >= classes) {
            status = stoa_fail(context, STOA_ERR_FORMAT, "%s: label of picture %zu is %zu, expected 0 to %zu",
                               path, i, label, classes - 1);
            break;
        }
        labels[i] = set->class_of ? set->class_of[label] : (int32_t)label;
        memcpy(pixels + i * VALUES, record + set->kind->labels, VALUES);
    }
    free(data);
    return status;
}

static stoa_status name_classes(const struct cifar_set *set, struct stoa_store *store) {
    const stoa_data_options *options = set->load->options;
    const char *const *names = set->class_of ? options->names : (const char *const *)set->names;
    store->classes = set->class_of ? options->name_count : label_of(set)->classes;
    store->names = names ? stoa_copy_names(names, store->classes) : NULL;
    return store->names || !names
               ? STOA_OK
               : stoa_fail(set->load->context, STOA_ERR_MEMORY, "%s: no memory for names", set->folder);
}

static stoa_status fill_store(const struct cifar_set *set, char *const *paths, size_t count,
                              struct stoa_store *store) {
    static const size_t size[] = {3, SIDE, SIDE};
    stoa_data_options options = *set->load->options;
    size_t records[MOST_FILES] = {0}, all = 0;
    stoa_status status = name_classes(set, store);
    for (size_t i = 0; status == STOA_OK && i < count; i++) {
        status = count_records(set, paths[i], &records[i]);
        all += records[i];
    }
    if (status == STOA_OK) {
        options.layout = STOA_LAYOUT_NCHW;
        store->type = STOA_SAMPLE_U8;
        status = stoa_store_arrange(store, set->folder, size, 3, &options);
    }
    if (status == STOA_OK) {
        status = stoa_store_allocate(store, set->folder, all);
    }
    for (size_t i = 0, first = 0; status == STOA_OK && i < count; first += records[i++]) {
        status = read_records(set, paths[i], records[i], first, store);
    }
    return status;
}

static stoa_status read_paths(const struct cifar_set *set, char *const *paths, size_t count,
                              stoa_dataset **dataset) {
    struct stoa_store *store = stoa_store_create(set->load->context, "cifar");
    stoa_status status = store ? fill_store(set, paths, count, store) : STOA_ERR_MEMORY;
    if (status == STOA_OK) {
        return stoa_dataset_over(store, dataset);
    }
    stoa_store_release(store);
    return status;
}

/* ---- parts ---- */

/* Read the files of a list that are there; `dataset` stays NULL when there are none. */
static stoa_status read_part(const struct cifar_set *set, const char *const *files, size_t most,
                             stoa_dataset **dataset) {
    char *paths[MOST_FILES] = {NULL};
    const char *missing = NULL;
    size_t count = 0, wanted = 0;
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && i < most && files[i]; i++, wanted++) {
        if (stoa_load_is_there(set->folder, files[i])) {
            paths[count] = stoa_load_join(set->load->context, set->folder, files[i]);
            status = paths[count++] ? STOA_OK : STOA_ERR_MEMORY;
        } else {
            missing = files[i];
        }
    }
    if (status == STOA_OK && count > 0 && missing) {
        stoa_log(set->load->context, "%s: holds %zu of %zu files to train with, not %s", set->folder, count,
                 wanted, missing);
    }
    if (status == STOA_OK && count > 0) {
        status = read_paths(set, paths, count, dataset);
    }
    for (size_t i = 0; i < count; i++) {
        free(paths[i]);
    }
    return status;
}

/* With a part of its own to test with, or divided. */
static stoa_status read_set(struct cifar_set *set) {
    struct stoa_load *load = set->load;
    const bool tested = stoa_load_is_there(set->folder, set->kind->test);
    stoa_dataset *train = NULL;
    stoa_status status = STOA_OK;
    if (load->wanted[STOA_LOAD_TRAIN] || !tested) {
        status = read_part(set, set->kind->train, MOST_FILES, &train);
        if (status == STOA_OK && !train) {
            status = stoa_fail(load->context, STOA_ERR_NOT_FOUND, "%s: holds no %s", set->folder,
                               set->kind->train[0]);
        }
    }
    if (status == STOA_OK && !tested) {
        return stoa_load_divide(load, train);
    }
    load->made[STOA_LOAD_TRAIN] = train;
    if (status == STOA_OK && load->wanted[STOA_LOAD_TEST]) {
        status = read_part(set, &set->kind->test, 1, &load->made[STOA_LOAD_TEST]);
    }
    return status;
}

bool stoa_load_cifar(struct stoa_load *load, stoa_status *status) {
    const struct cifar_kind *kind = NULL;
    char *folder = NULL;
    *status = find_set(load, &kind, &folder);
    if (*status == STOA_OK && !kind) {
        return is_python(load, status);
    }
    struct cifar_set set = {.load = load, .kind = kind, .folder = folder};
    if (*status == STOA_OK) {
        *status = choose_label(&set);
    }
    if (*status == STOA_OK) {
        *status = read_names(&set);
    }
    if (*status == STOA_OK) {
        *status = map_names(&set);
    }
    if (*status == STOA_OK) {
        *status = read_set(&set);
    }
    if (kind) {
        stoa_free_names(set.names, label_of(&set)->classes);
    }
    free(set.class_of);
    free(folder);
    return true;
}
