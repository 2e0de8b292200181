/* SPDX-License-Identifier: MIT */
/* Data sets from NumPy's arrays: one of samples and one of labels, from two .npy files or out of an .npz
 * archive. Values stay in the type of the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/float_state.h"
#include "base/size.h"
#include "data/disk.h"
#include "data/npy_labels.h"
#include "data/read.h"
#include "data/shape.h"
#include "data/zip.h"

/* An array with its file around it. */
struct array {
    const char *name;
    struct stoa_held file;
    struct stoa_disk_file *on_disk; /* instead of memory */
    struct stoa_npy npy;
};

static const stoa_data_options defaults = {.classes = 0};

static const uint8_t *values_of(const struct array *array) {
    return (const uint8_t *)array->file.data + array->npy.offset;
}

static void release(stoa_context *context, struct array *array) {
    stoa_release(context, array->file.data, array->file.bytes);
    array->file.data = NULL;
    stoa_disk_close(array->on_disk);
    array->on_disk = NULL;
}

/* ---- samples ---- */

/* Bring an array into C order. Values on disk stay where they are, so those must be in it. */
static stoa_status to_c_order(stoa_context *context, struct array *array) {
    struct stoa_npy *npy = &array->npy;
    if (!npy->fortran) {
        return STOA_OK;
    }
    if (array->on_disk) {
        return stoa_fail(
            context, STOA_ERR_ARGUMENT,
            "%s: %zu bytes in Fortran order, expected no more than the memory of %zu, or C order, "
            "which is read piece by piece: save numpy.ascontiguousarray(array)",
            array->name, stoa_disk_bytes(array->on_disk), stoa_disk_memory(array->on_disk));
    }
    size_t bytes = npy->values * npy->value_bytes;
    void *ordered = stoa_allocate(context, bytes, array->name);
    if (!ordered) {
        return STOA_ERR_MEMORY;
    }
    stoa_values_to_c_order(values_of(array), npy->value_bytes, npy->size, npy->rank, ordered);
    release(context, array);
    array->file = (struct stoa_held){ordered, bytes};
    npy->offset = 0;
    npy->fortran = false;
    return STOA_OK;
}

stoa_status stoa_npy_check_file(stoa_context *context, const char *name, const struct stoa_npy *npy,
                                struct stoa_disk_file *file) {
    enum { PIECE_BYTES = 8192 };
    uint8_t piece[PIECE_BYTES];
    size_t bytes = stoa_sample_bytes(npy->type), count;
    stoa_status status = STOA_OK;
    for (size_t first = 0; status == STOA_OK && first < npy->values && stoa_sample_is_float(npy->type);
         first += count) {
        count = stoa_min(PIECE_BYTES / bytes, npy->values - first);
        status = stoa_disk_read(file, npy->offset + first * bytes, count * bytes, piece)
                     ? stoa_npy_check_values(context, name, npy, piece, first, count)
                     : stoa_disk_check(file, context);
    }
    return status;
}

/* All of them once, a piece at a time where they are on disk. */
static stoa_status check_values(stoa_context *context, const struct array *samples) {
    const struct stoa_npy *npy = &samples->npy;
    return samples->on_disk
               ? stoa_npy_check_file(context, samples->name, npy, samples->on_disk)
               : stoa_npy_check_values(context, samples->name, npy, values_of(samples), 0, npy->values);
}

/* Takes over the memory of the samples. */
static stoa_status fill_store(struct stoa_store *store, struct array *samples, struct array *labels,
                              const stoa_data_options *options) {
    stoa_context *context = store->context;
    stoa_status status =
        samples->npy.text > 0
            ? stoa_fail(context, STOA_ERR_FORMAT,
                        "%s: found texts, expected numbers; only labels may be texts", samples->name)
            : check_values(context, samples);
    if (status == STOA_OK) {
        status = to_c_order(context, samples);
    }
    if (status != STOA_OK) {
        return status;
    }
    const size_t one = 1, *size = samples->npy.size + 1;
    store->count = samples->npy.size[0];
    status = samples->npy.rank == 1
                 ? stoa_store_arrange(store, samples->name, &one, 1, options)
                 : stoa_store_arrange(store, samples->name, size, samples->npy.rank - 1, options);
    if (status != STOA_OK) {
        return status;
    }
    store->type = samples->npy.type;
    store->swapped = samples->npy.swapped;
    store->samples = samples->on_disk ? NULL : values_of(samples);
    store->samples_memory = samples->file;
    samples->file.data = NULL;
    store->file = samples->on_disk;
    store->offset = samples->npy.offset;
    samples->on_disk = NULL;
    store->classes = options->classes;
    store->labels_memory.bytes = store->count * sizeof(int32_t);
    store->labels_memory.data = stoa_allocate(context, store->labels_memory.bytes, samples->name);
    store->labels = store->labels_memory.data;
    if (!store->labels_memory.data) {
        return STOA_ERR_MEMORY;
    }
    if (labels) {
        status = to_c_order(context, labels);
        return status == STOA_OK ? stoa_npy_take_labels(store, labels->name, &labels->npy, values_of(labels),
                                                        samples->name, options)
                                 : status;
    }
    memset(store->labels_memory.data, 0, store->labels_memory.bytes);
    store->classes = stoa_max(store->classes, 1);
    return STOA_OK;
}

/* The last step of all readers: `status` is that of reading the arrays, which are released. */
static stoa_status hand_over(stoa_status status, stoa_context *context, const char *format,
                             struct array *samples, struct array *labels, bool labelled,
                             const stoa_data_options *options, stoa_dataset **dataset) {
    struct stoa_store *store = NULL;
    if (status == STOA_OK) {
        store = stoa_store_create(context, format);
        status = store ? fill_store(store, samples, labelled ? labels : NULL, options) : STOA_ERR_MEMORY;
    }
    release(context, samples);
    release(context, labels);
    if (status == STOA_OK) {
        return stoa_dataset_over(store, dataset);
    }
    stoa_store_release(store);
    return status;
}

/* ---- from .npy ---- */

static stoa_status copy_array(stoa_context *context, const void *data, size_t bytes, struct array *array) {
    stoa_status status = stoa_npy_read(context, array->name, data, bytes, &array->npy);
    if (status != STOA_OK) {
        return status;
    }
    array->file = (struct stoa_held){stoa_allocate(context, bytes, array->name), bytes};
    if (!array->file.data) {
        return STOA_ERR_MEMORY;
    }
    memcpy(array->file.data, data, bytes);
    return STOA_OK;
}

stoa_status stoa_dataset_from_npy_memory(stoa_context *context, const void *samples, size_t samples_bytes,
                                         const void *labels, size_t labels_bytes,
                                         const stoa_data_options *options, stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    struct array x = {.name = "samples in memory"}, y = {.name = "labels in memory"};
    options = options ? options : &defaults;
    bool labelled = !options->unlabelled;
    stoa_status status = labelled ? copy_array(context, labels, labels_bytes, &y) : STOA_OK;
    if (status == STOA_OK) {
        status = copy_array(context, samples, samples_bytes, &x);
    }
    return hand_over(status, context, "npy", &x, &y, labelled, options, dataset);
}

static stoa_status read_array(stoa_context *context, struct array *array) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, array->name, SIZE_MAX / 4, &data, &bytes);
    if (status == STOA_OK) {
        status = copy_array(context, data, bytes, array);
        free(data);
    }
    return status;
}

static stoa_status leave_on_disk(stoa_context *context, size_t memory, struct array *array) {
    stoa_status status = stoa_disk_open(context, array->name, memory, &array->on_disk);
    if (status != STOA_OK) {
        return status;
    }
    size_t bytes = stoa_disk_bytes(array->on_disk), known = stoa_min(bytes, STOA_NPY_MAX_HEAD);
    void *head = malloc(known);
    if (!head) {
        return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for its header", array->name);
    }
    status = stoa_disk_read(array->on_disk, 0, known, head)
                 ? stoa_npy_read(context, array->name, head, bytes, &array->npy)
                 : stoa_disk_check(array->on_disk, context);
    free(head);
    return status;
}

stoa_status stoa_dataset_open_npy(stoa_context *context, const char *samples, const char *labels,
                                  const stoa_data_options *options, stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    struct array x = {.name = samples}, y = {.name = labels};
    options = options ? options : &defaults;
    bool labelled = !options->unlabelled;
    /* Labels first: they are small, and a mistake shows at once. */
    stoa_status status = labelled ? read_array(context, &y) : STOA_OK;
    if (status == STOA_OK) {
        status = options->memory > 0 && stoa_file_size(samples) > options->memory
                     ? leave_on_disk(context, options->memory, &x)
                     : read_array(context, &x);
    }
    return hand_over(status, context, "npy", &x, &y, labelled, options, dataset);
}

/* ---- out of .npz ---- */

/* "ARCHIVE: MEMBER", which begins sentences; from malloc. */
static char *member_name(const struct stoa_zip *zip, const char *array, const char *end) {
    size_t size = strlen(zip->name) + strlen(array) + strlen(end) + 3;
    char *name = malloc(size);
    if (name) {
        (void)snprintf(name, size, "%s%s%s%s", end[0] ? "" : zip->name, end[0] ? "" : ": ", array, end);
    } else {
        (void)stoa_fail(zip->context, STOA_ERR_MEMORY, "%s: no memory for a name", zip->name);
    }
    return name;
}

static stoa_status find_member(const struct stoa_zip *zip, const char *array,
                               struct stoa_zip_member *member) {
    char *file = member_name(zip, array, ".npy");
    stoa_status status = file ? stoa_zip_find(zip, file, member) : STOA_ERR_MEMORY;
    free(file);
    return status;
}

static stoa_status unpack_array(const struct stoa_zip *zip, const char *name, struct array *array) {
    struct stoa_zip_member member;
    stoa_status status = find_member(zip, name, &member);
    if (status == STOA_ERR_NOT_FOUND) {
        return stoa_fail(zip->context, status, "%s: holds no array '%s'", zip->name, name);
    }
    if (status == STOA_OK) {
        status = stoa_zip_check(zip, &member, array->name);
    }
    if (status != STOA_OK) {
        return status;
    }
    array->file = (struct stoa_held){stoa_allocate(zip->context, member.bytes, array->name), member.bytes};
    if (!array->file.data) {
        return STOA_ERR_MEMORY;
    }
    status = stoa_zip_unpack(zip, &member, array->name, array->file.data);
    return status == STOA_OK
               ? stoa_npy_read(zip->context, array->name, array->file.data, member.bytes, &array->npy)
               : status;
}

stoa_status stoa_npz_read(const struct stoa_zip *zip, const char *samples, const char *labels,
                          const stoa_data_options *options, stoa_dataset **dataset) {
    bool labelled = !options->unlabelled;
    char *samples_name = member_name(zip, samples, ""), *labels_name = member_name(zip, labels, "");
    struct array x = {.name = samples_name}, y = {.name = labels_name};
    stoa_status status = samples_name && labels_name ? STOA_OK : STOA_ERR_MEMORY;
    if (status == STOA_OK && labelled) {
        status = unpack_array(zip, labels, &y);
    }
    if (status == STOA_OK) {
        status = unpack_array(zip, samples, &x);
    }
    status = hand_over(status, zip->context, "npz", &x, &y, labelled, options, dataset);
    free(samples_name);
    free(labels_name);
    return status;
}

stoa_status stoa_dataset_from_npz_memory(stoa_context *context, const char *name, const void *data,
                                         size_t bytes, const char *samples, const char *labels,
                                         const stoa_data_options *options, stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    struct stoa_zip zip;
    stoa_status status = stoa_zip_open(context, name ? name : "archive in memory", data, bytes, &zip);
    return status == STOA_OK ? stoa_npz_read(&zip, samples, labels, options ? options : &defaults, dataset)
                             : status;
}

stoa_status stoa_dataset_open_npz(stoa_context *context, const char *path, const char *samples,
                                  const char *labels, const stoa_data_options *options,
                                  stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, SIZE_MAX / 4, &data, &bytes);
    if (status == STOA_OK) {
        status = stoa_dataset_from_npz_memory(context, path, data, bytes, samples, labels, options, dataset);
        free(data);
    }
    return status;
}
