/* Any data set by its path: what it is follows from what is there. Formats come in two kinds: with a training and a
 * test part of their own, and whole, which are divided here. Floor 6. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/dataset.h"
#include "data/read.h"

struct request {
    stoa_context *context;
    const char *path;
    const stoa_data_options *options;
    bool train, test; /* what is wanted */
    stoa_dataset *made[2];
};

enum { TRAIN, TEST };

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

static char *join(stoa_context *context, const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) {
        (void)snprintf(path, size, "%s/%s", folder, name);
    } else {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for a path", folder);
    }
    return path;
}

static bool is_there(const char *folder, const char *name) {
    char path[4096];
    struct stat about;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length > 0 && (size_t)length < sizeof path && stat(path, &about) == 0;
}

/* ---- whole sets ---- */

/* Hand out a whole set, or its parts. */
static stoa_status divide(struct request *request, stoa_dataset *whole) {
    float share = request->options->test;
    if (request->options->unlabelled || request->options->whole) {
        request->made[TEST] = whole;
        return STOA_OK;
    }
    stoa_status status = stoa_dataset_split(whole, share > 0 ? (double)share : 0.2, request->options->seed,
                                            &request->made[TRAIN], &request->made[TEST]);
    stoa_dataset_free(whole);
    return status == STOA_OK ? status : stoa_error_prefix(&request->context->error, "%s: ", request->path);
}

static stoa_status load_csv(struct request *request, const char *path) {
    stoa_dataset *whole = NULL;
    stoa_status status = stoa_dataset_open_csv(request->context, path, request->options, &whole);
    return status == STOA_OK ? divide(request, whole) : status;
}

/* ---- sets in parts ---- */

/* train.csv and test.csv: names of classes are those of train.csv. */
static stoa_status load_csv_pair(struct request *request) {
    stoa_context *context = request->context;
    stoa_data_options options = *request->options;
    char *train = join(context, request->path, "train.csv");
    char *test = join(context, request->path, "test.csv");
    stoa_status status = train && test ? STOA_OK : STOA_ERR_MEMORY;
    if (status == STOA_OK && !options.unlabelled && (request->train || !options.names)) {
        status = stoa_dataset_open_csv(context, train, &options, &request->made[TRAIN]);
    }
    if (request->made[TRAIN]) {
        const struct stoa_store *store = request->made[TRAIN]->store;
        options.classes = store->classes;
        options.names = (const char *const *)store->names;
        options.name_count = store->names ? store->classes : 0;
    }
    if (status == STOA_OK && request->test) {
        status = stoa_dataset_open_csv(context, test, &options, &request->made[TEST]);
    }
    free(train);
    free(test);
    return status;
}

static stoa_status load_idx(struct request *request) {
    stoa_status status = STOA_OK;
    const bool wanted[] = {request->train, request->test};
    for (int part = TRAIN; status == STOA_OK && part <= TEST; part++) {
        if (wanted[part]) {
            status = stoa_idx_open_folder(request->context, request->path,
                                          part == TRAIN ? STOA_SPLIT_TRAIN : STOA_SPLIT_TEST,
                                          request->options->classes, &request->made[part]);
        }
    }
    return status;
}

/* ---- which one it is ---- */

/* The one name in the folder that ends so; NULL when there is none or, with the error set, several. */
static char *find_only(struct request *request, const char *end, bool *several) {
    char *found = NULL;
    DIR *folder = opendir(request->path);
    *several = false;
    for (struct dirent *entry; folder && !*several && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || !ends_with(entry->d_name, end)) {
            continue;
        }
        *several = found != NULL;
        found = found ? found : join(request->context, request->path, entry->d_name);
    }
    if (folder) {
        (void)closedir(folder);
    }
    if (*several) {
        (void)stoa_fail(request->context, STOA_ERR_FORMAT,
                        "%s: holds several files *%s, expected one, or train%s and test%s", request->path,
                        end, end, end);
        free(found);
        found = NULL;
    }
    return found;
}

/* A folder that holds a single table. False when it holds none. */
static bool load_only_file(struct request *request, stoa_status *status) {
    bool several;
    char *path = find_only(request, ".csv", &several);
    if (path) {
        *status = load_csv(request, path);
        free(path);
    } else if (several) {
        *status = STOA_ERR_FORMAT;
    }
    return path != NULL || several;
}

static stoa_status load_folder(struct request *request) {
    stoa_status status = STOA_OK;
    if (is_there(request->path, "train.csv") && is_there(request->path, "test.csv")) {
        return load_csv_pair(request);
    }
    if (load_only_file(request, &status)) {
        return status;
    }
    return load_idx(request); /* which says what is missing */
}

static stoa_status load_path(struct request *request) {
    struct stat about;
    if (stat(request->path, &about) != 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        return stoa_fail(request->context, missing ? STOA_ERR_NOT_FOUND : STOA_ERR_IO, "%s: %s",
                         request->path, missing ? "no such file or folder" : "cannot be looked into");
    }
    if (S_ISDIR(about.st_mode)) {
        return load_folder(request);
    }
    if (ends_with(request->path, ".csv")) {
        return load_csv(request, request->path);
    }
    return stoa_fail(request->context, STOA_ERR_FORMAT,
                     "%s: is a file of an unknown kind, expected *.csv or a folder", request->path);
}

static stoa_status check_options(stoa_context *context, const stoa_data_options *options, bool train) {
    if (options->test != 0.0F && !(options->test > 0 && options->test < 1)) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "data set: a test part of %g, expected more than 0 and less than 1",
                         (double)options->test);
    }
    if ((options->whole || options->unlabelled) && train) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "data set: samples that are not divided have no training part");
    }
    return options->classes ? stoa_require_classes(context, options->classes) : STOA_OK;
}

stoa_status stoa_dataset_load(stoa_context *context, const char *path, const stoa_data_options *options,
                              stoa_dataset **train, stoa_dataset **test) {
    static const stoa_data_options defaults = {.classes = 0};
    struct request request = {.context = context,
                              .path = path,
                              .options = options ? options : &defaults,
                              .train = train != NULL,
                              .test = test != NULL};
    stoa_status status = check_options(context, request.options, request.train);
    if (status == STOA_OK) {
        status = load_path(&request);
    }
    /* What was made on the way, but is not wanted. */
    stoa_dataset **const out[] = {train, test};
    for (int part = TRAIN; part <= TEST; part++) {
        if (status == STOA_OK && out[part]) {
            *out[part] = request.made[part];
        } else {
            stoa_dataset_free(request.made[part]);
        }
    }
    return status;
}
