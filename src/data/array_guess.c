/* SPDX-License-Identifier: MIT */
/* Arrays whose names say nothing, such as arr_0 and arr_1: what they are follows from their shapes, where
 * only one way fits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/arrays.h"
#include "data/disk.h"
#include "data/zip.h"

enum { MOST_ARRAYS = 8, SHAPE_TEXT = 64 };

/* An array with its header. */
struct seen {
    const char *name;
    struct stoa_npy npy;
    bool readable; /* its header is one */
};

static stoa_status read_member(const struct stoa_zip *zip, const char *file, struct stoa_npy *npy) {
    struct stoa_zip_member member;
    stoa_status status = stoa_zip_find(zip, file, &member);
    if (status == STOA_OK) {
        status = stoa_zip_check(zip, &member, file);
    }
    void *data = status == STOA_OK ? stoa_allocate(zip->context, member.bytes, file) : NULL;
    if (!data) {
        return status == STOA_OK ? STOA_ERR_MEMORY : status;
    }
    status = stoa_zip_unpack(zip, &member, file, data);
    if (status == STOA_OK) {
        status = stoa_npy_read(zip->context, file, data, member.bytes, npy);
    }
    stoa_release(zip->context, data, member.bytes);
    return status;
}

static stoa_status read_file(const struct stoa_arrays *arrays, const char *file, struct stoa_npy *npy) {
    stoa_context *context = arrays->load->context;
    uint8_t head[STOA_NPY_MAX_HEAD];
    size_t known = 0;
    char *path = stoa_load_join(context, arrays->path, file);
    stoa_status status =
        path ? stoa_file_begin(&context->error, path, head, sizeof head, &known) : STOA_ERR_MEMORY;
    if (status == STOA_OK) {
        status = stoa_npy_read(context, path, head, stoa_file_size(path), npy);
    }
    free(path);
    return status;
}

/* Headers that cannot be read are those of something else; want of memory is an error. */
static stoa_status look(const struct stoa_arrays *arrays, struct seen *seen, size_t *count) {
    stoa_status status = STOA_OK;
    *count = arrays->names.count < MOST_ARRAYS ? arrays->names.count : MOST_ARRAYS;
    for (size_t i = 0; status == STOA_OK && i < *count; i++) {
        char file[256];
        seen[i] = (struct seen){.name = arrays->names.text[i]};
        (void)snprintf(file, sizeof file, "%s.npy", seen[i].name);
        status = arrays->zip ? read_member(arrays->zip, file, &seen[i].npy)
                             : read_file(arrays, file, &seen[i].npy);
        seen[i].readable = status == STOA_OK;
        status = status == STOA_ERR_MEMORY ? status : STOA_OK;
    }
    return status;
}

/* One value a sample. */
static bool are_labels(const struct seen *seen) {
    return seen->readable && seen->npy.values == seen->npy.size[0];
}

static bool are_samples(const struct seen *seen) {
    return seen->readable && seen->npy.text == 0 && !are_labels(seen);
}

static const char *shape_of(const struct seen *seen, char text[SHAPE_TEXT]) {
    size_t used = 0;
    for (size_t i = 0; i < seen->npy.rank && used < SHAPE_TEXT; i++) {
        used +=
            (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s%zu", i > 0 ? "x" : "", seen->npy.size[i]);
    }
    return seen->readable ? text : "of another type";
}

/* The one array of labels that has as many as there are samples; NULL: none, or several. */
static const struct seen *labels_for(const struct seen *seen, size_t count, const struct seen *of) {
    const struct seen *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (are_labels(&seen[i]) && seen[i].npy.size[0] == of->npy.size[0]) {
            if (found) {
                return NULL;
            }
            found = &seen[i];
        }
    }
    return found;
}

static void take(struct stoa_arrays *arrays, enum stoa_array_part part, const struct seen *of,
                 const struct seen *labels) {
    char one[SHAPE_TEXT] = "", two[SHAPE_TEXT] = "";
    static const char *const words[] = {"", " to train with", " to test with"};
    arrays->part[part] = (struct stoa_pair_names){of->name, labels ? labels->name : NULL};
    if (labels) {
        stoa_log(arrays->load->context,
                 "%s: by their shapes %s (%s) is taken for samples%s, %s (%s) for their labels", arrays->path,
                 of->name, shape_of(of, one), words[part], labels->name, shape_of(labels, two));
    } else {
        stoa_log(arrays->load->context, "%s: by its shape %s (%s) is taken for samples", arrays->path,
                 of->name, shape_of(of, one));
    }
}

/* One array of samples, or two with unlike counts of which the larger one is to train with. */
static bool choose(struct stoa_arrays *arrays, const struct seen *seen, size_t count) {
    const struct seen *of[2] = {NULL, NULL}, *labels[2] = {NULL, NULL};
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (are_samples(&seen[i]) || (count == 1 && seen[i].readable && seen[i].npy.text == 0)) {
            if (found == 2) {
                return false;
            }
            of[found++] = &seen[i];
        }
    }
    if (arrays->load->options->unlabelled && found == 1) {
        take(arrays, STOA_ARRAY_WHOLE, of[0], NULL);
        return true;
    }
    for (size_t i = 0; i < found; i++) {
        labels[i] = labels_for(seen, count, of[i]);
        if (!labels[i]) {
            return false;
        }
    }
    if (found == 1) {
        take(arrays, STOA_ARRAY_WHOLE, of[0], labels[0]);
    } else if (found == 2 && of[0]->npy.size[0] != of[1]->npy.size[0]) {
        const size_t larger = of[1]->npy.size[0] > of[0]->npy.size[0];
        take(arrays, STOA_ARRAY_TRAIN, of[larger], labels[larger]);
        take(arrays, STOA_ARRAY_TEST, of[!larger], labels[!larger]);
    }
    return found == 1 || arrays->part[STOA_ARRAY_TEST].samples;
}

stoa_status stoa_arrays_guess(struct stoa_arrays *arrays, bool *found) {
    struct seen seen[MOST_ARRAYS];
    size_t count = 0;
    *found = false;
    if (arrays->names.count > MOST_ARRAYS) {
        return STOA_OK;
    }
    stoa_status status = look(arrays, seen, &count);
    *found = status == STOA_OK && choose(arrays, seen, count);
    return status;
}

stoa_status stoa_arrays_refuse(const struct stoa_arrays *arrays) {
    struct seen seen[MOST_ARRAYS];
    char list[240] = "", shape[SHAPE_TEXT] = "";
    size_t count = 0, used = 0;
    stoa_status status = look(arrays, seen, &count);
    for (size_t i = 0; i < count && used < sizeof list; i++) {
        int length = snprintf(list + used, sizeof list - used, "%s%.40s (%s)", i > 0 ? ", " : "",
                              seen[i].name, shape_of(&seen[i], shape));
        used += length > 0 ? (size_t)length : 0;
    }
    return status != STOA_OK
               ? status
               : stoa_fail(
                     arrays->load->context, STOA_ERR_FORMAT,
                     "%s: holds %s%s, expected x_train, y_train, x_test and y_test, or x and y (also: images "
                     "and labels, data and target)",
                     arrays->path, count > 0 ? list : "no arrays",
                     arrays->names.count > count ? " and more" : "");
}
