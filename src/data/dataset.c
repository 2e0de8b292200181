/* Data sets: pixels stay the bytes they were read as and become floats when a batch is read, a quarter of the
 * memory and of the traffic; the caller's own float arrays are borrowed. Floor 6. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <stoa/data.h>

#include "base/size.h"
#include "core/context.h"
#include "data/idx.h"

struct stoa_dataset {
    stoa_context *context;
    size_t count; /* samples to be seen: stoa_dataset_limit() lowers it */
    size_t classes;
    size_t height, width, channels;
    float mean, deviation;
    struct stoa_idx pixels, labels; /* from IDX; else data are NULL and the arrays below hold */
    const float *samples;
    const int32_t *array_labels;
};

static stoa_status check_classes(stoa_context *context, size_t classes) {
    if (classes == 0 || classes > STOA_MAX_DIMENSION) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "data set: %zu classes, expected 1 to %zu", classes,
                         STOA_MAX_DIMENSION);
    }
    return STOA_OK;
}

/* NULL with the context's error set when it cannot be made. */
static stoa_dataset *new_dataset(stoa_context *context, size_t classes) {
    if (check_classes(context, classes) != STOA_OK) {
        return NULL;
    }
    stoa_dataset *made = calloc(1, sizeof *made);
    if (!made) {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "data set: cannot allocate %zu bytes", sizeof *made);
        return NULL;
    }
    made->context = context;
    made->classes = classes;
    made->deviation = 1;
    return made;
}

void stoa_dataset_free(stoa_dataset *dataset) {
    if (dataset) {
        stoa_idx_release(dataset->context, &dataset->pixels);
        stoa_idx_release(dataset->context, &dataset->labels);
        free(dataset);
    }
}

/* Take over the sizes of what was read, once images and labels fit each other. */
static stoa_status finish_idx(stoa_dataset *dataset, const char *images, const char *labels) {
    const struct stoa_idx *pixels = &dataset->pixels;
    if (pixels->size[0] != dataset->labels.size[0]) {
        return stoa_fail(dataset->context, STOA_ERR_FORMAT,
                         "%s: holds %zu labels, expected %zu: %s has as many images", labels,
                         dataset->labels.size[0], pixels->size[0], images);
    }
    for (size_t i = 0; i < dataset->labels.bytes; i++) {
        if (dataset->labels.data[i] >= dataset->classes) {
            return stoa_fail(dataset->context, STOA_ERR_FORMAT, "%s: label %zu is %u, expected 0 to %zu",
                             labels, i, (unsigned)dataset->labels.data[i], dataset->classes - 1);
        }
    }
    dataset->count = pixels->size[0];
    dataset->height = pixels->size[1];
    dataset->width = pixels->size[2];
    dataset->channels = 1;
    return STOA_OK;
}

/* The last step of both readers: `status` is that of reading the two arrays. */
static stoa_status hand_over(stoa_status status, stoa_dataset *made, const char *images, const char *labels,
                             stoa_dataset **dataset) {
    if (status == STOA_OK) {
        status = finish_idx(made, images, labels);
    }
    if (status != STOA_OK) {
        stoa_dataset_free(made);
        return status;
    }
    *dataset = made;
    return STOA_OK;
}

stoa_status stoa_dataset_open_idx(stoa_context *context, const char *images, const char *labels,
                                  size_t classes, stoa_dataset **dataset) {
    stoa_dataset *made = new_dataset(context, classes);
    if (!made) {
        return context->error.status;
    }
    /* Labels first: they are small, and a mistake shows at once. */
    stoa_status status = stoa_idx_read(context, labels, 1, &made->labels);
    if (status == STOA_OK) {
        status = stoa_idx_read(context, images, 3, &made->pixels);
    }
    return hand_over(status, made, images, labels, dataset);
}

stoa_status stoa_dataset_from_idx_memory(stoa_context *context, const void *images, size_t images_bytes,
                                         const void *labels, size_t labels_bytes, size_t classes,
                                         stoa_dataset **dataset) {
    static const char images_name[] = "images in memory";
    static const char labels_name[] = "labels in memory";
    stoa_dataset *made = new_dataset(context, classes);
    if (!made) {
        return context->error.status;
    }
    stoa_status status = stoa_idx_parse(context, labels_name, labels, labels_bytes, 1, &made->labels);
    if (status == STOA_OK) {
        status = stoa_idx_parse(context, images_name, images, images_bytes, 3, &made->pixels);
    }
    return hand_over(status, made, images_name, labels_name, dataset);
}

/* Path of one file of a split, in any of its spellings; NULL with the error set when there is none. */
static char *find_idx(stoa_context *context, const char *folder, const char *what, const char *kind) {
    size_t size = strlen(folder) + 64;
    char *path = malloc(size);
    if (!path) {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "%s: cannot allocate %zu bytes", folder, size);
        return NULL;
    }
    for (int spelling = 0; spelling < 4; spelling++) {
        (void)snprintf(path, size, "%s/%s%s%s%s", folder, what, spelling & 1 ? "." : "-", kind,
                       spelling & 2 ? ".gz" : "");
        struct stat about;
        if (stat(path, &about) == 0) {
            return path;
        }
    }
    free(path);
    (void)stoa_fail(context, STOA_ERR_NOT_FOUND, "%s: holds no %s-%s, neither plain nor with .gz", folder,
                    what, kind);
    return NULL;
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

stoa_status stoa_dataset_open(stoa_context *context, const char *folder, stoa_split split, size_t classes,
                              stoa_dataset **dataset) {
    const char *part = split == STOA_SPLIT_TRAIN ? "train" : "t10k";
    stoa_status status = check_folder(context, folder);
    if (status != STOA_OK) {
        return status;
    }
    char images_name[32], labels_name[32];
    (void)snprintf(images_name, sizeof images_name, "%s-images", part);
    (void)snprintf(labels_name, sizeof labels_name, "%s-labels", part);
    char *images = find_idx(context, folder, images_name, "idx3-ubyte");
    char *labels = images ? find_idx(context, folder, labels_name, "idx1-ubyte") : NULL;
    status =
        labels ? stoa_dataset_open_idx(context, images, labels, classes, dataset) : context->error.status;
    free(images);
    free(labels);
    return status;
}

/* No object is larger than half of the address space. */
static bool sizes_fit(size_t count, size_t height, size_t width, size_t channels) {
    size_t total = sizeof(float);
    const size_t factors[] = {count, height, width, channels};
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        if (factors[i] == 0 || factors[i] > STOA_MAX_DIMENSION || !stoa_size_scale(&total, factors[i])) {
            return false;
        }
    }
    return total <= SIZE_MAX / 2;
}

stoa_status stoa_dataset_from_arrays(stoa_context *context, const float *samples, const int32_t *labels,
                                     size_t count, size_t height, size_t width, size_t channels,
                                     size_t classes, stoa_dataset **dataset) {
    if (!samples || !labels) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "data set: the array of %s is NULL",
                         samples ? "labels" : "samples");
    }
    if (!sizes_fit(count, height, width, channels)) {
        return stoa_fail(
            context, STOA_ERR_ARGUMENT,
            "data set: sizes %zu x %zu x %zu x %zu, each expected from 1 to %zu, together in memory", count,
            height, width, channels, STOA_MAX_DIMENSION);
    }
    stoa_status status = check_classes(context, classes);
    for (size_t i = 0; status == STOA_OK && i < count; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= classes) {
            status = stoa_fail(context, STOA_ERR_ARGUMENT, "data set: label %zu is %ld, expected 0 to %zu", i,
                               (long)labels[i], classes - 1);
        }
    }
    stoa_dataset *made = status == STOA_OK ? new_dataset(context, classes) : NULL;
    if (!made) {
        return context->error.status;
    }
    made->samples = samples;
    made->array_labels = labels;
    made->count = count;
    made->height = height;
    made->width = width;
    made->channels = channels;
    *dataset = made;
    return STOA_OK;
}

stoa_status stoa_dataset_normalize(stoa_dataset *dataset, float mean, float deviation) {
    /* The quotients too: a tiny deviation would make every pixel infinite. */
    if (!isfinite(mean) || !isfinite(deviation) || !(deviation > 0) || !isfinite(1.0F / deviation) ||
        !isfinite(mean / deviation)) {
        return stoa_fail(dataset->context, STOA_ERR_ARGUMENT,
                         "data set: mean %g and deviation %g, expected finite numbers, the deviation above 0",
                         (double)mean, (double)deviation);
    }
    dataset->mean = mean;
    dataset->deviation = deviation;
    return STOA_OK;
}

stoa_status stoa_dataset_limit(stoa_dataset *dataset, size_t count) {
    if (count == 0 || count > dataset->count) {
        return stoa_fail(dataset->context, STOA_ERR_ARGUMENT,
                         "data set: a limit of %zu samples, expected 1 to %zu", count, dataset->count);
    }
    dataset->count = count;
    return STOA_OK;
}

size_t stoa_dataset_count(const stoa_dataset *dataset) {
    return dataset->count;
}

size_t stoa_dataset_classes(const stoa_dataset *dataset) {
    return dataset->classes;
}

void stoa_dataset_shape(const stoa_dataset *dataset, size_t *height, size_t *width, size_t *channels) {
    *height = dataset->height;
    *width = dataset->width;
    *channels = dataset->channels;
}

/* `samples` neighbours from `at` on, as floats. */
static void read_pixels(const stoa_dataset *dataset, size_t at, size_t samples, float *out) {
    size_t size = dataset->height * dataset->width * dataset->channels;
    if (dataset->pixels.data) {
        float scale = (float)(1.0 / (255.0 * (double)dataset->deviation));
        float shift = -dataset->mean / dataset->deviation;
        dataset->context->kernels->bytes_to_real(dataset->pixels.data + at * size, samples * size, scale,
                                                 shift, out);
        return;
    }
    const float *from = dataset->samples + at * size;
    if (dataset->mean == 0.0F && dataset->deviation == 1.0F) {
        memcpy(out, from, samples * size * sizeof *out);
        return;
    }
    for (size_t i = 0; i < samples * size; i++) {
        out[i] = (from[i] - dataset->mean) / dataset->deviation;
    }
}

static int32_t label_of(const stoa_dataset *dataset, size_t at) {
    return dataset->labels.data ? dataset->labels.data[at] : dataset->array_labels[at];
}

void stoa_dataset_read(const stoa_dataset *dataset, const size_t *index, size_t first, size_t samples,
                       float *out, int32_t *labels) {
    size_t size = dataset->height * dataset->width * dataset->channels;
    if (!index) {
        assert(first <= dataset->count && samples <= dataset->count - first);
        read_pixels(dataset, first, samples, out);
        for (size_t i = 0; i < samples; i++) {
            labels[i] = label_of(dataset, first + i);
        }
        return;
    }
    for (size_t i = 0; i < samples; i++) {
        assert(index[i] < dataset->count);
        read_pixels(dataset, index[i], 1, out + i * size);
        labels[i] = label_of(dataset, index[i]);
    }
}
