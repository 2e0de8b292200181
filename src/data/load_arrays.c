/* SPDX-License-Identifier: MIT */
/* NumPy's arrays by their names: samples and labels, of a training and a test part or of a whole set; or,
 * where names say nothing, by their shapes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/arrays.h"
#include "data/dataset.h"
#include "data/zip.h"

static const char end[] = ".npy";

/* ---- what is there ---- */

/* Keep the names of arrays, without their end. */
static void keep_arrays(struct stoa_names *names) {
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        char *name = names->text[i];
        size_t length = strlen(name);
        if (length > sizeof end - 1 && strcmp(name + length - (sizeof end - 1), end) == 0) {
            name[length - (sizeof end - 1)] = '\0';
            names->text[kept++] = name;
        } else {
            free(name);
        }
    }
    names->count = kept;
}

static stoa_status list_arrays(struct stoa_arrays *arrays) {
    stoa_context *context = arrays->load->context;
    stoa_status status = arrays->zip ? stoa_zip_list(arrays->zip, &arrays->names)
                                     : stoa_folder_list(context, arrays->path, &arrays->names);
    const size_t all = arrays->names.count;
    keep_arrays(&arrays->names);
    arrays->alone = arrays->zip || arrays->names.count == all;
    return status;
}

/* The preferred array of each role and part. */
static void name_parts(struct stoa_arrays *arrays) {
    size_t rank[STOA_ARRAY_PARTS][STOA_ARRAY_ROLES] = {{0}};
    for (size_t i = 0; i < arrays->names.count; i++) {
        const struct stoa_array_name name = stoa_array_name(arrays->names.text[i]);
        struct stoa_pair_names *pair = &arrays->part[name.part];
        const char **place = name.role == STOA_ARRAY_SAMPLES ? &pair->samples : &pair->labels;
        if (name.role != STOA_ARRAY_OTHER && (!*place || name.rank < rank[name.part][name.role])) {
            *place = arrays->names.text[i];
            rank[name.part][name.role] = name.rank;
        }
    }
}

/* SciPy's matrices have their values in an array called data. */
static stoa_status refuse_sparse(const struct stoa_arrays *arrays) {
    for (size_t i = 0; i < arrays->names.count; i++) {
        if (strcmp(arrays->names.text[i], "indptr") == 0) {
            return stoa_fail(arrays->load->context, STOA_ERR_FORMAT,
                             "%s: holds a sparse matrix of SciPy, expected arrays: save its toarray()",
                             arrays->path);
        }
    }
    return STOA_OK;
}

/* ---- which of it is read ---- */

/* What is read for the two parts; with one of them NULL the other is a whole set. */
struct chosen {
    const struct stoa_pair_names *train, *test;
    bool divided;
};

static const struct stoa_pair_names *complete(const struct stoa_arrays *arrays, enum stoa_array_part part) {
    const struct stoa_pair_names *pair = &arrays->part[part];
    return pair->samples && (pair->labels || arrays->load->options->unlabelled) ? pair : NULL;
}

static struct chosen choose_unlabelled(const struct stoa_arrays *arrays) {
    static const enum stoa_array_part order[] = {STOA_ARRAY_TEST, STOA_ARRAY_WHOLE, STOA_ARRAY_VALIDATION,
                                                 STOA_ARRAY_TRAIN};
    struct chosen chosen = {NULL, NULL, false};
    for (size_t i = 0; i < sizeof order / sizeof order[0] && !chosen.test; i++) {
        chosen.test = complete(arrays, order[i]);
    }
    return chosen;
}

/* Arrays for validation beside those to train with are the test part for want of another. */
static struct chosen choose(const struct stoa_arrays *arrays) {
    const struct stoa_pair_names *train = complete(arrays, STOA_ARRAY_TRAIN),
                                 *test = complete(arrays, STOA_ARRAY_TEST);
    const struct stoa_pair_names *whole = complete(arrays, STOA_ARRAY_WHOLE);
    const struct stoa_pair_names *validation = complete(arrays, STOA_ARRAY_VALIDATION);
    if (arrays->load->options->unlabelled) {
        return choose_unlabelled(arrays);
    }
    if (train && (test || validation)) {
        return (struct chosen){train, test ? test : validation, false};
    }
    if (train || whole) {
        return (struct chosen){NULL, train ? train : whole, true};
    }
    return (struct chosen){NULL, arrays->load->wanted[STOA_LOAD_TRAIN] ? NULL : test, false};
}

static bool is_read(const struct chosen *chosen, const char *name) {
    const struct stoa_pair_names *pairs[] = {chosen->train, chosen->test};
    for (size_t i = 0; i < 2; i++) {
        if (pairs[i] && (pairs[i]->samples == name || pairs[i]->labels == name)) {
            return true;
        }
    }
    return false;
}

/* Say what the arrays are taken for, where that is not what their names say, and which are left out. */
static void explain(const struct stoa_arrays *arrays, const struct chosen *chosen) {
    stoa_context *context = arrays->load->context;
    const struct stoa_pair_names *validation = complete(arrays, STOA_ARRAY_VALIDATION);
    const char *example = NULL;
    size_t count = 0;
    bool divides = !arrays->load->options->unlabelled && !arrays->load->options->whole;
    if (chosen->train && chosen->test == validation) {
        stoa_log(context, "%s: %s is taken as the test part, as there is none of that name", arrays->path,
                 validation->samples);
    } else if (chosen->train && validation) {
        stoa_log(context,
                 "%s: %s is left out; samples for validation are held out where the recipe asks for it",
                 arrays->path, validation->samples);
    } else if (chosen->divided && divides && chosen->test == complete(arrays, STOA_ARRAY_TRAIN)) {
        stoa_log(context, "%s: %s is divided, as there is no part to test with", arrays->path,
                 chosen->test->samples);
    }
    for (size_t i = 0; divides && i < arrays->names.count; i++) {
        const char *name = arrays->names.text[i];
        bool told = validation && (name == validation->samples || name == validation->labels);
        bool left = !is_read(chosen, name) && !told;
        example = left && !example ? name : example;
        count += left;
    }
    if (count > 0) {
        stoa_log(context, "%s: %zu more array%s left out: %s%s", arrays->path, count, count == 1 ? "" : "s",
                 example, count == 1 ? "" : " and others");
    }
}

/* ---- reading ---- */

static stoa_status read_files(const struct stoa_arrays *arrays, const struct stoa_pair_names *pair,
                              const stoa_data_options *options, stoa_dataset **dataset) {
    stoa_context *context = arrays->load->context;
    const char *names[] = {pair->samples, pair->labels};
    char *paths[2] = {NULL, NULL};
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && i < 2 && names[i]; i++) {
        size_t size = strlen(arrays->path) + strlen(names[i]) + sizeof end + 1;
        paths[i] = malloc(size);
        if (paths[i]) {
            (void)snprintf(paths[i], size, "%s/%s%s", arrays->path, names[i], end);
        } else {
            status = stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for a path", arrays->path);
        }
    }
    if (status == STOA_OK) {
        status = stoa_dataset_open_npy(context, paths[0], paths[1], options, dataset);
    }
    free(paths[0]);
    free(paths[1]);
    return status;
}

static stoa_status read_pair(const struct stoa_arrays *arrays, const struct stoa_pair_names *pair,
                             const stoa_data_options *options, stoa_dataset **dataset) {
    return arrays->zip
               ? stoa_npz_read(arrays->zip, pair->samples, pair->labels ? pair->labels : "", options, dataset)
               : read_files(arrays, pair, options, dataset);
}

/* Labels that are texts mean the classes that the training part has. */
static stoa_status read_parts(const struct stoa_arrays *arrays, const struct chosen *chosen) {
    struct stoa_load *load = arrays->load;
    stoa_data_options options = *load->options;
    stoa_dataset **train = &load->made[STOA_LOAD_TRAIN], **test = &load->made[STOA_LOAD_TEST];
    stoa_status status = STOA_OK;
    if (load->wanted[STOA_LOAD_TRAIN]) {
        status = read_pair(arrays, chosen->train, &options, train);
    } else {
        status = read_pair(arrays, chosen->test, &options, test);
        bool open = status == STOA_OK && (*test)->store->names && !options.names;
        if (!open) {
            return status;
        }
        stoa_dataset_free(*test);
        *test = NULL;
        status = read_pair(arrays, chosen->train, &options, train);
    }
    if (status == STOA_OK && load->wanted[STOA_LOAD_TEST]) {
        const struct stoa_store *store = (*train)->store;
        options.classes = store->names ? store->classes : options.classes;
        options.names = (const char *const *)store->names;
        options.name_count = store->names ? store->classes : 0;
        status = read_pair(arrays, chosen->test, &options, test);
    }
    return status;
}

static stoa_status read_chosen(const struct stoa_arrays *arrays, const struct chosen *chosen) {
    struct stoa_load *load = arrays->load;
    stoa_dataset *whole = NULL;
    if (chosen->train) {
        return read_parts(arrays, chosen);
    }
    stoa_status status = read_pair(arrays, chosen->test, load->options, &whole);
    if (status == STOA_OK && chosen->divided) {
        return stoa_load_divide(load, whole);
    }
    load->made[STOA_LOAD_TEST] = whole;
    return status;
}

/* Whether there are both samples and labels by their names, though not of one part. */
static bool are_named(const struct stoa_arrays *arrays) {
    bool samples = false, labels = false;
    for (size_t i = 0; i < STOA_ARRAY_PARTS; i++) {
        samples = samples || arrays->part[i].samples;
        labels = labels || arrays->part[i].labels;
    }
    return samples && labels;
}

/* Nothing that can be read was found by names. In a folder with other files the arrays may be theirs, and a
 * single one is a file of its own. */
static stoa_status choose_by_shapes(struct stoa_arrays *arrays, struct chosen *chosen, bool *found) {
    bool guessed = false;
    stoa_status status = STOA_OK;
    *found = arrays->alone && (arrays->zip || arrays->names.count > 1);
    if (*found && !are_named(arrays)) {
        memset(arrays->part, 0, sizeof arrays->part);
        status = stoa_arrays_guess(arrays, &guessed);
        *chosen = choose(arrays);
    }
    return status == STOA_OK && *found && !guessed ? stoa_arrays_refuse(arrays) : status;
}

/* Sets *found when there are arrays to be read. */
static stoa_status load_arrays(struct stoa_arrays *arrays, bool *found) {
    stoa_status status = list_arrays(arrays);
    *found = arrays->names.count > 0;
    if (status == STOA_OK && *found) {
        name_parts(arrays);
        status = refuse_sparse(arrays);
    }
    if (status != STOA_OK || !*found) {
        return status;
    }
    struct chosen chosen = choose(arrays);
    if (!chosen.test) {
        status = choose_by_shapes(arrays, &chosen, found);
    }
    if (status != STOA_OK || !*found) {
        return status;
    }
    if (!chosen.test) {
        return stoa_arrays_refuse(arrays);
    }
    status = read_chosen(arrays, &chosen);
    if (status == STOA_OK) {
        explain(arrays, &chosen);
    }
    return status;
}

stoa_status stoa_load_npz(struct stoa_load *load, const char *path) {
    void *data = NULL;
    size_t bytes = 0;
    struct stoa_zip zip;
    struct stoa_arrays arrays = {.load = load, .path = path, .zip = &zip};
    stoa_status status = stoa_file_read(&load->context->error, path, SIZE_MAX / 4, &data, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_zip_open(load->context, path, data, bytes, &zip);
    if (status == STOA_OK) {
        bool found = false;
        status = load_arrays(&arrays, &found);
        if (status == STOA_OK && !found) {
            status = stoa_arrays_refuse(&arrays);
        }
    }
    stoa_names_clear(&arrays.names);
    free(data);
    return status;
}

bool stoa_load_npy_folder(struct stoa_load *load, stoa_status *status) {
    struct stoa_arrays arrays = {.load = load, .path = load->path};
    bool found = false;
    stoa_status result = load_arrays(&arrays, &found);
    stoa_names_clear(&arrays.names);
    *status = result;
    return found || result != STOA_OK;
}
