/* SPDX-License-Identifier: MIT */
/* NumPy's arrays by their usual names: x and y, images and labels, data and target, each with _train and
 * _test behind or train_ and test_ before it where there are two parts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/dataset.h"
#include "data/read.h"
#include "data/zip.h"

/* Where arrays are looked for: an archive, or a folder when there is none. */
struct place {
    struct stoa_load *load;
    const struct stoa_zip *zip;
};

enum { NAME = 32 };
struct pair {
    char samples[NAME], labels[NAME];
};

static const char *const names[][2] = {
    {"x", "y"}, {"X", "y"}, {"images", "labels"}, {"data", "target"}, {"samples", "labels"}};
static const char *const parts[STOA_LOAD_PARTS] = {"train", "test"};
static const char *const validations[] = {"val", "valid", "validation", "dev"};
enum { NAMES = sizeof names / sizeof names[0] };

static void spell(char *out, const char *name, const char *part, bool before) {
    if (!part) {
        (void)snprintf(out, NAME, "%s", name);
    } else if (before) {
        (void)snprintf(out, NAME, "%s_%s", part, name);
    } else {
        (void)snprintf(out, NAME, "%s_%s", name, part);
    }
}

static stoa_status has(const struct place *place, const char *array, bool *there) {
    char file[NAME + 4];
    if (place->zip) {
        return stoa_npz_has(place->zip, array, there);
    }
    (void)snprintf(file, sizeof file, "%s.npy", array);
    *there = stoa_load_is_there(place->load->path, file);
    return STOA_OK;
}

/* Names of the arrays of a part (NULL: of a whole set) in the first spelling that is there. Without labels
 * wanted, samples are enough. */
static stoa_status find(const struct place *place, const char *part, struct pair *pair, bool *found) {
    *found = false;
    for (size_t i = 0; i < NAMES * (part ? 2 : 1); i++) {
        bool labels = true;
        spell(pair->samples, names[i % NAMES][0], part, i >= NAMES);
        spell(pair->labels, names[i % NAMES][1], part, i >= NAMES);
        stoa_status status = has(place, pair->samples, found);
        if (status == STOA_OK && *found && !place->load->options->unlabelled) {
            status = has(place, pair->labels, &labels);
        }
        *found = *found && labels;
        if (status != STOA_OK || *found) {
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status read_files(const struct place *place, const struct pair *pair, stoa_dataset **dataset) {
    const struct stoa_load *load = place->load;
    char samples[NAME + 4], labels[NAME + 4];
    (void)snprintf(samples, sizeof samples, "%s.npy", pair->samples);
    (void)snprintf(labels, sizeof labels, "%s.npy", pair->labels);
    char *samples_path = stoa_load_join(load->context, load->path, samples);
    char *labels_path = stoa_load_join(load->context, load->path, labels);
    stoa_status status =
        samples_path && labels_path
            ? stoa_dataset_open_npy(load->context, samples_path, labels_path, load->options, dataset)
            : STOA_ERR_MEMORY;
    free(samples_path);
    free(labels_path);
    return status;
}

static stoa_status read_pair(const struct place *place, const struct pair *pair, stoa_dataset **dataset) {
    return place->zip ? stoa_npz_read(place->zip, pair->samples, pair->labels, place->load->options, dataset)
                      : read_files(place, pair, dataset);
}

/* Arrays for validation beside those to train with: for want of others they are the test part. */
static stoa_status take_validation(const struct place *place, struct pair *test, bool *there) {
    const struct stoa_load *load = place->load;
    struct pair pair;
    bool found = false;
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && !found && i < sizeof validations / sizeof validations[0]; i++) {
        status = find(place, validations[i], &pair, &found);
    }
    if (status != STOA_OK || !found) {
        return status;
    }
    if (*there) {
        stoa_log(load->context,
                 "%s: %s is left out; samples for validation are held out where the recipe asks for it",
                 load->path, pair.samples);
    } else {
        stoa_log(load->context, "%s: %s is taken as the test part, as there is none of that name", load->path,
                 pair.samples);
        *test = pair;
        *there = true;
    }
    return STOA_OK;
}

/* Sets *found when there is anything, before it is read. */
static stoa_status load_place(const struct place *place, bool *found) {
    struct stoa_load *load = place->load;
    struct pair pair[STOA_LOAD_PARTS];
    bool there[STOA_LOAD_PARTS];
    stoa_status status = STOA_OK;
    for (int part = 0; status == STOA_OK && part < STOA_LOAD_PARTS; part++) {
        status = find(place, parts[part], &pair[part], &there[part]);
    }
    if (status == STOA_OK && there[STOA_LOAD_TRAIN]) {
        status = take_validation(place, &pair[STOA_LOAD_TEST], &there[STOA_LOAD_TEST]);
    }
    if (status != STOA_OK) {
        return status;
    }
    *found = there[STOA_LOAD_TEST] && (there[STOA_LOAD_TRAIN] || load->options->unlabelled);
    if (*found) {
        for (int part = 0; status == STOA_OK && part < STOA_LOAD_PARTS; part++) {
            if (load->wanted[part]) {
                status = read_pair(place, &pair[part], &load->made[part]);
            }
        }
        return status;
    }
    stoa_dataset *whole = NULL;
    status = find(place, NULL, &pair[0], found);
    if (status == STOA_OK && *found) {
        status = read_pair(place, &pair[0], &whole);
        status = status == STOA_OK ? stoa_load_divide(load, whole) : status;
    }
    return status;
}

stoa_status stoa_load_npz(struct stoa_load *load, const char *path) {
    void *data = NULL;
    size_t bytes = 0;
    struct stoa_zip zip;
    const struct place place = {load, &zip};
    stoa_status status = stoa_file_read(&load->context->error, path, SIZE_MAX / 4, &data, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_zip_open(load->context, path, data, bytes, &zip);
    if (status == STOA_OK) {
        bool found = false;
        status = load_place(&place, &found);
        if (status == STOA_OK && !found) {
            status = stoa_fail(
                load->context, STOA_ERR_FORMAT,
                "%s: holds no arrays of known names, expected x_train, y_train, x_test and y_test, or x "
                "and y (also: images and labels, data and target)",
                path);
        }
    }
    free(data);
    return status;
}

bool stoa_load_npy_folder(struct stoa_load *load, stoa_status *status) {
    const struct place place = {load, NULL};
    bool found = false;
    stoa_status result = load_place(&place, &found);
    if (found || result != STOA_OK) {
        *status = result;
        return true;
    }
    return false;
}
