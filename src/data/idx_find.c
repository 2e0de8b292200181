/* SPDX-License-Identifier: MIT */
/* The files of MNIST and its family by their names, as its many copies have them: train-images-idx3-ubyte,
 * with a dot before "idx", with another type or number of dimensions behind it or nothing at all, with the
 * set's name in front, packed, in a folder of the file's name, in capitals. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "data/dataset.h"
#include "data/folder.h"
#include "data/read.h"

/* One file of a set, and what was met in search of it. */
struct search {
    stoa_context *context;
    const char *const *parts; /* words for the part */
    const char *role;         /* "images", "labels" */
    char *found;              /* path, from malloc, or NULL */
    char *empty;              /* the same: a file without bytes, as a broken download leaves it */
    char *other;              /* the same: a file of another set */
    int cost;                 /* of the name that was found: the smaller, the better */
    size_t prefix;            /* length of the set's name in it */
};

static const char *const trains[] = {"train", "training", NULL};
static const char *const tests[] = {"t10k", "test", "testing", NULL};

static bool is_between(char c) {
    return c == '-' || c == '_' || c == '.';
}

/* The word at `text`, in any case, with something between it and the next; its length with that, or 0. */
static size_t match_word(const char *text, const char *word) {
    size_t length = strlen(word);
    return strncasecmp(text, word, length) == 0 && is_between(text[length]) ? length + 1 : 0;
}

/* What follows "train-images": nothing, or the kind of file. */
static bool is_kind(const char *text, bool *packed) {
    size_t length = strlen(text);
    *packed = length >= 3 && strcasecmp(text + length - 3, ".gz") == 0;
    length -= *packed ? 3 : 0;
    return length == 0 || (is_between(text[0]) && strncasecmp(text + 1, "idx", 3) == 0 && length > 3);
}

/* Whether a name is that of the file; its cost, and how much of it is the set's. A plain file is better than
 * a packed one, '-' better than another sign. */
static bool match(const struct search *search, const char *name, int *cost, size_t *prefix) {
    for (size_t at = 0; name[at]; at++) {
        for (size_t i = 0; search->parts[i] && (at == 0 || is_between(name[at - 1])); i++) {
            const size_t part = match_word(name + at, search->parts[i]), role = strlen(search->role);
            const char *rest = name + at + part + role;
            bool packed = false;
            if (part > 0 && strncasecmp(name + at + part, search->role, role) == 0 &&
                is_kind(rest, &packed)) {
                *cost = 4 * packed + 2 * (*rest != '-') + (i > 0);
                *prefix = at;
                return true;
            }
        }
    }
    return false;
}

/* ---- looking ---- */

static void keep(char **place, char *path) {
    free(*place);
    *place = path;
}

/* Takes over the path of a file with a name that matches. */
static void take(struct search *search, char *path, int cost, size_t prefix) {
    struct stat about;
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode) && about.st_size == 0) {
        keep(&search->empty, path);
    } else if (search->found && prefix != search->prefix) {
        keep(&search->other, path);
    } else if (search->found && cost >= search->cost) {
        free(path);
    } else {
        keep(&search->found, path);
        search->cost = cost;
        search->prefix = prefix;
    }
}

/* Look at the names in a folder: at files, or into folders with the names of files. */
static stoa_status look(struct search *search, const char *folder, bool inside) {
    struct stoa_names names = {.count = 0};
    stoa_status status = stoa_folder_list(search->context, folder, &names);
    for (size_t i = 0; status == STOA_OK && i < names.count; i++) {
        int cost = 0;
        size_t prefix = 0;
        bool is_folder = false;
        if (!match(search, names.text[i], &cost, &prefix)) {
            continue;
        }
        char *path = stoa_load_join(search->context, folder, names.text[i]);
        status = path ? stoa_folder_is(search->context, path, &is_folder) : STOA_ERR_MEMORY;
        if (status == STOA_OK && is_folder && inside) {
            status = look(search, path, false);
        }
        if (status == STOA_OK && !is_folder && !inside) {
            take(search, path, cost, prefix);
        } else {
            free(path);
        }
    }
    stoa_names_clear(&names);
    return status;
}

/* In the folder, or in one within that is called like the file, as some archives have it. */
static stoa_status look_for(struct search *search, const char *folder) {
    stoa_status status = look(search, folder, false);
    return status == STOA_OK && !search->found ? look(search, folder, true) : status;
}

static void clear(struct search *search) {
    free(search->found);
    free(search->empty);
    free(search->other);
}

/* ---- sets ---- */

static stoa_status settle(struct search *search, const char *folder, stoa_split split) {
    if (search->found && search->other) {
        return stoa_fail(search->context, STOA_ERR_FORMAT,
                         "%s: holds %s and %s, expected the files of one set", folder,
                         search->found + strlen(folder) + 1, search->other + strlen(folder) + 1);
    }
    if (search->found) {
        if (search->empty) {
            stoa_log(search->context, "%s: is empty, %s is taken instead", search->empty, search->found);
        }
        return STOA_OK;
    }
    return search->empty ? stoa_fail(search->context, STOA_ERR_FORMAT, "%s: is empty, expected an IDX file",
                                     search->empty)
                         : stoa_fail(search->context, STOA_ERR_NOT_FOUND,
                                     "%s: holds no %s-%s-idx%c-ubyte, neither plain nor with .gz", folder,
                                     split == STOA_SPLIT_TRAIN ? "train" : "t10k", search->role,
                                     search->role[0] == 'i' ? '3' : '1');
}

static stoa_status check_folder(stoa_context *context, const char *folder) {
    struct stat about;
    if (stat(folder, &about) != 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        return stoa_fail(context, missing ? STOA_ERR_NOT_FOUND : STOA_ERR_IO, "%s: %s", folder,
                         missing ? "no such folder" : "this folder cannot be looked into");
    }
    if (!S_ISDIR(about.st_mode)) {
        return stoa_fail(context, STOA_ERR_IO, "%s: is a file, expected a folder with IDX files", folder);
    }
    return STOA_OK;
}

static struct search begin(stoa_context *context, stoa_split split, const char *role) {
    return (struct search){
        .context = context, .parts = split == STOA_SPLIT_TRAIN ? trains : tests, .role = role};
}

stoa_status stoa_idx_open_folder(stoa_context *context, const char *folder, stoa_split split,
                                 const stoa_data_options *options, stoa_dataset **dataset) {
    struct search images = begin(context, split, "images"), labels = begin(context, split, "labels");
    stoa_status status = check_folder(context, folder);
    if (status == STOA_OK) {
        status = look_for(&images, folder);
    }
    if (status == STOA_OK) {
        status = settle(&images, folder, split);
    }
    if (status == STOA_OK) {
        status = look_for(&labels, folder);
    }
    if (status == STOA_OK) {
        status = settle(&labels, folder, split);
    }
    if (status == STOA_OK) {
        status = stoa_idx_open(context, images.found, labels.found, options, dataset);
    }
    clear(&images);
    clear(&labels);
    return status;
}

/* ---- a set by its path ---- */

/* Folders with more entries than this are no copies of MNIST, and looking into each takes long. */
enum { MOST_ENTRIES = 6, DEPTH = 2 };

/* Whether a folder has a file of that part. */
static stoa_status is_there(stoa_context *context, const char *folder, stoa_split split, bool *there) {
    static const char *const roles[] = {"images", "labels"};
    stoa_status status = STOA_OK;
    *there = false;
    for (size_t i = 0; status == STOA_OK && !*there && i < 2; i++) {
        struct search search = begin(context, split, roles[i]);
        status = look_for(&search, folder);
        *there = search.found || search.empty;
        clear(&search);
    }
    return status;
}

/* The folder of the set, from malloc: this one, or the one within, at most `depth` deep, that holds a file
 * of either part, as download programs lay them out (MNIST/raw). *found stays NULL when there is none. */
static stoa_status find_folder(stoa_context *context, const char *folder, int depth, char **found) {
    struct stoa_names names = {.count = 0};
    bool there[2] = {false, false};
    stoa_status status = is_there(context, folder, STOA_SPLIT_TRAIN, &there[0]);
    if (status == STOA_OK) {
        status = is_there(context, folder, STOA_SPLIT_TEST, &there[1]);
    }
    if (status == STOA_OK && (there[0] || there[1])) {
        bool two = *found != NULL;
        status = two ? stoa_fail(context, STOA_ERR_FORMAT,
                                 "%s: holds a set, as %s does, expected one of them", folder, *found)
                     : STOA_OK;
        *found = two ? *found : strdup(folder);
        return status == STOA_OK && !*found
                   ? stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for a path", folder)
                   : status;
    }
    if (status == STOA_OK && depth > 0) {
        status = stoa_folder_list(context, folder, &names);
    }
    for (size_t i = 0; status == STOA_OK && i < names.count && names.count <= MOST_ENTRIES; i++) {
        bool is_folder = false;
        char *inner = stoa_load_join(context, folder, names.text[i]);
        status = inner ? stoa_folder_is(context, inner, &is_folder) : STOA_ERR_MEMORY;
        if (status == STOA_OK && is_folder) {
            status = find_folder(context, inner, depth - 1, found);
        }
        free(inner);
    }
    stoa_names_clear(&names);
    return status;
}

/* With both parts, or with one that is divided. */
static stoa_status load_set(struct stoa_load *load, const char *folder) {
    bool tested = false;
    stoa_dataset *whole = NULL;
    stoa_status status = is_there(load->context, folder, STOA_SPLIT_TEST, &tested);
    if (status == STOA_OK && !tested) {
        stoa_log(load->context, "%s: is divided, as it holds no part to test with", folder);
        status = stoa_idx_open_folder(load->context, folder, STOA_SPLIT_TRAIN, load->options, &whole);
        return status == STOA_OK ? stoa_load_divide(load, whole) : status;
    }
    for (int part = STOA_LOAD_TRAIN; status == STOA_OK && part < STOA_LOAD_PARTS; part++) {
        if (load->wanted[part]) {
            status = stoa_idx_open_folder(load->context, folder,
                                          part == STOA_LOAD_TRAIN ? STOA_SPLIT_TRAIN : STOA_SPLIT_TEST,
                                          load->options, &load->made[part]);
        }
    }
    return status;
}

bool stoa_load_idx(struct stoa_load *load, size_t entries, stoa_status *status) {
    char *folder = NULL;
    *status = find_folder(load->context, load->path, entries <= MOST_ENTRIES ? DEPTH : 0, &folder);
    if (*status == STOA_OK && folder) {
        *status = load_set(load, folder);
    }
    bool found = folder || *status != STOA_OK;
    free(folder);
    return found;
}
