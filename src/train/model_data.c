/* SPDX-License-Identifier: MIT */
/* Data as a model wants them: read as its facts say, in the range that it was trained on, normalised. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/float_state.h"
#include "base/size.h"
#include "data/csv_list.h"
#include "data/dataset.h"
#include "data/read.h"
#include "model/model.h"
#include "train/data_facts.h"
#include "train/mismatch.h"
#include "train/table_facts.h"

/* One pair for everything, or one for each channel; measured ones are there once a model is trained. */
static stoa_status check_scales(const struct stoa_data_facts *facts, size_t channels) {
    const char *name = stoa_model_name(facts->model);
    if (facts->scales == 1 || facts->scales == channels) {
        return STOA_OK;
    }
    return facts->scales == 0
               ? stoa_fail(facts->context, STOA_ERR_FORMAT,
                           "%s: data.normalize is measured, but data.mean is missing", name)
               : stoa_fail(facts->context, STOA_ERR_FORMAT,
                           "%s: data.mean has %zu numbers, expected 1 or %zu, the channels of the data", name,
                           facts->scales, channels);
}

/* `scale` stands before mean and deviation: (value * scale - mean) / deviation. */
static stoa_status normalize(const struct stoa_data_facts *facts, float scale, stoa_dataset *data) {
    stoa_status status = check_scales(facts, data->store->channels);
    if (status != STOA_OK || facts->scales == 1) {
        return status == STOA_OK
                   ? stoa_dataset_normalize(data, *facts->mean / scale, *facts->deviation / scale)
                   : status;
    }
    float *pairs = malloc(2 * facts->scales * sizeof *pairs);
    if (!pairs) {
        return stoa_fail(facts->context, STOA_ERR_MEMORY, "data set: no memory for %zu channels",
                         facts->scales);
    }
    for (size_t i = 0; i < facts->scales; i++) {
        pairs[i] = facts->mean[i] / scale;
        pairs[facts->scales + i] = facts->deviation[i] / scale;
    }
    status = stoa_dataset_normalize_channels(data, pairs, pairs + facts->scales);
    free(pairs);
    return status;
}

/* A mean and a deviation for each channel of the training data. */
static stoa_status measure(struct stoa_data_facts *facts, const stoa_dataset *train) {
    size_t channels = train->store->channels;
    facts->mean = malloc(channels * sizeof *facts->mean);
    facts->deviation = malloc(channels * sizeof *facts->deviation);
    if (!facts->mean || !facts->deviation) {
        return stoa_fail(facts->context, STOA_ERR_MEMORY, "data set: no memory for %zu channels", channels);
    }
    facts->scales = channels;
    return stoa_dataset_measure(train, facts->mean, facts->deviation);
}

static const char *place_of(const stoa_model *model, const char *path) {
    const char *trained = stoa_model_fact(model, "data.path");
    return path ? path : trained ? trained : stoa_model_fact(model, "data.set");
}

static stoa_status fail_placeless(stoa_context *context, const stoa_model *model) {
    return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: names no data set, expected a path of data",
                     stoa_model_name(model));
}

/* The test part, and the training part where it is wanted or there is something to measure on it. */
static stoa_status load(struct stoa_data_facts *facts, const char *path, bool whole, bool trains,
                        stoa_dataset **train, stoa_dataset **test) {
    stoa_data_options options = facts->source.options;
    bool learns = trains || facts->scales == 0;
    stoa_status status = STOA_OK;
    if (whole && learns) {
        status = stoa_dataset_load(facts->context, path, &options, train, NULL);
    }
    if (status == STOA_OK) {
        options.whole = whole;
        status = stoa_dataset_load(facts->context, path, &options, learns && !whole ? train : NULL, test);
    }
    return status == STOA_OK && facts->scales == 0 ? measure(facts, *train) : status;
}

/* Targets in the scale that they are learned in. */
static stoa_status scale_targets(const struct stoa_data_facts *facts, stoa_dataset *data) {
    bool scaled = facts->target_scales > 0 && stoa_dataset_task(data) == STOA_TASK_REGRESSION &&
                  stoa_dataset_targets(data) == facts->target_scales;
    return scaled ? stoa_dataset_normalize_targets(data, facts->target_mean, facts->target_deviation)
                  : STOA_OK;
}

/* Test data in the range of the training data, normalised. */
static stoa_status adapt(const struct stoa_data_facts *facts, const char *path, stoa_dataset *data) {
    float scale = 1;
    stoa_status status = stoa_range_of_values(facts, path, data, &scale);
    if (status == STOA_OK) {
        status = scale_targets(facts, data);
    }
    return status == STOA_OK ? normalize(facts, scale, data) : status;
}

stoa_status stoa_model_open_data(stoa_context *context, const stoa_model *model, const char *path, bool whole,
                                 stoa_dataset **test) {
    STOA_FLOAT_STATE();
    struct stoa_data_facts facts;
    stoa_dataset *train = NULL, *opened = NULL;
    const char *place = place_of(model, path);
    if (!place || !*place) {
        return fail_placeless(context, model);
    }
    stoa_status status = stoa_data_facts_read(context, model, &facts);
    if (status != STOA_OK) {
        return status;
    }
    status = load(&facts, place, whole, false, &train, &opened);
    if (status == STOA_OK) {
        status = adapt(&facts, place, opened);
    }
    stoa_data_facts_free(&facts);
    stoa_dataset_free(train);
    if (status != STOA_OK) {
        stoa_dataset_free(opened);
        return status;
    }
    *test = opened;
    return STOA_OK;
}

/* ---- what training data tell a model ---- */

static const char *input_name(const stoa_dataset *train, size_t index) {
    stoa_column column;
    stoa_dataset_column(train, index, &column);
    return column.name;
}

/* Names of columns, so that other tables are read by them, and what they are. */
static stoa_status keep_columns(stoa_context *context, stoa_model *model, const stoa_dataset *train) {
    const char *label = stoa_dataset_label_name(train);
    stoa_status status = STOA_OK;
    if (train->store->columns_named > 0) {
        status = stoa_data_facts_set_names(context, model, "data.columns", train, stoa_dataset_columns(train),
                                           input_name, false);
    }
    if (status == STOA_OK) {
        status = stoa_table_facts_write(context, model, train);
    }
    return status == STOA_OK && label && stoa_model_fact(model, "data.columns")
               ? stoa_data_facts_set_text(context, model, "data.label_column", label, false)
               : status;
}

static stoa_status keep_names(stoa_context *context, stoa_model *model, const stoa_dataset *train) {
    bool named = stoa_dataset_class_name(train, 0) && !stoa_model_fact(model, "data.names");
    stoa_status status = stoa_model_set_fact(model, "data.format", stoa_dataset_format(train));
    if (status == STOA_OK && named) {
        status = stoa_data_facts_set_names(context, model, "data.names", train, stoa_dataset_classes(train),
                                           stoa_dataset_class_name, true);
    }
    return status == STOA_OK ? keep_columns(context, model, train) : status;
}

/* The task as it was found, the names of targets, so that other tables are read by them, and their scales. */
static stoa_status keep_targets(struct stoa_data_facts *facts, stoa_model *model, const stoa_dataset *train) {
    size_t targets = stoa_dataset_targets(train);
    const char *const *names = (const char *const *)train->store->target_names;
    if (targets == 0) {
        return STOA_OK;
    }
    bool labels = stoa_dataset_task(train) == STOA_TASK_MULTILABEL;
    stoa_status status = stoa_model_set_fact(model, "data.task", labels ? "multilabel" : "regression");
    if (status == STOA_OK && names) {
        char *list = stoa_csv_list_text(names, targets);
        status = list ? stoa_data_facts_set_text(facts->context, model, "data.target", list, false)
                      : stoa_fail(facts->context, STOA_ERR_MEMORY, "data.target: no memory for it");
        free(list);
    }
    if (status == STOA_OK && facts->target_scales > 0) {
        status = stoa_data_facts_set_numbers(model, "data.target_mean", facts->target_mean, targets);
    }
    if (status == STOA_OK && facts->target_scales > 0) {
        status =
            stoa_data_facts_set_numbers(model, "data.target_deviation", facts->target_deviation, targets);
    }
    return status;
}

/* Where the recipe asks for it, unless the model knows already. */
static stoa_status measure_targets(struct stoa_data_facts *facts, const stoa_dataset *train) {
    size_t targets = stoa_dataset_targets(train);
    if (!facts->source.normalize_targets || facts->target_scales > 0) {
        return STOA_OK;
    }
    if (stoa_dataset_task(train) != STOA_TASK_REGRESSION) {
        return stoa_fail(
            facts->context, STOA_ERR_ARGUMENT,
            "normalize_targets = measured: the data have no numbers to scale, expected a task of "
            "regression");
    }
    facts->target_mean = calloc(targets, sizeof *facts->target_mean);
    facts->target_deviation = calloc(targets, sizeof *facts->target_deviation);
    if (!facts->target_mean || !facts->target_deviation) {
        return stoa_fail(facts->context, STOA_ERR_MEMORY, "data set: no memory for %zu targets", targets);
    }
    facts->target_scales = targets;
    stoa_dataset_measure_targets(train, facts->target_mean, facts->target_deviation);
    return STOA_OK;
}

/* The loss with weights that make up for rare classes. */
static stoa_status weigh_loss(stoa_model *model, const stoa_dataset *train) {
    const char *plain = stoa_model_fact(model, "loss");
    size_t classes = stoa_dataset_classes(train);
    if (!plain || strstr(plain, " weights=")) {
        return STOA_OK;
    }
    float *weights = malloc(classes * sizeof *weights);
    stoa_status status = weights ? stoa_dataset_class_weights(train, weights) : STOA_ERR_MEMORY;
    char *list = status == STOA_OK ? stoa_numbers_text(weights, classes, ',') : NULL;
    size_t bytes = list ? strlen(plain) + strlen(" weights=") + strlen(list) + 1 : 0;
    char *loss = list ? malloc(bytes) : NULL;
    if (loss) {
        (void)snprintf(loss, bytes, "%s weights=%s", plain, list);
        status = stoa_model_set_fact(model, "loss", loss);
    } else if (status == STOA_OK || !weights) {
        status = stoa_fail(train->context, STOA_ERR_MEMORY, "loss: no memory for %zu weights", classes);
    }
    free(weights);
    free(list);
    free(loss);
    return status;
}

/* All that the training data show becomes facts. */
static stoa_status keep(struct stoa_data_facts *facts, stoa_model *model, const char *path,
                        const stoa_dataset *train) {
    stoa_context *context = facts->context;
    stoa_status status = keep_names(context, model, train);
    if (status == STOA_OK && path) {
        status = stoa_data_facts_set_text(context, model, "data.path", path, true);
    }
    if (status == STOA_OK && facts->source.normalize) {
        status = stoa_data_facts_set_numbers(model, "data.mean", facts->mean, facts->scales);
    }
    if (status == STOA_OK && facts->source.normalize) {
        status = stoa_data_facts_set_numbers(model, "data.deviation", facts->deviation, facts->scales);
    }
    if (status == STOA_OK) {
        status = keep_targets(facts, model, train);
    }
    if (status == STOA_OK && facts->source.weights) {
        status = weigh_loss(model, train);
    }
    return status == STOA_OK ? stoa_range_keep(facts, model, train) : status;
}

stoa_status stoa_model_open_training_data(stoa_context *context, stoa_model *model, const char *path,
                                          stoa_dataset **train, stoa_dataset **test) {
    STOA_FLOAT_STATE();
    struct stoa_data_facts facts;
    stoa_dataset *learn = NULL, *check = NULL;
    const char *place = place_of(model, path);
    if (!place || !*place) {
        return fail_placeless(context, model);
    }
    stoa_status status = stoa_data_facts_read(context, model, &facts);
    if (status != STOA_OK) {
        return status;
    }
    status = load(&facts, place, false, true, &learn, &check);
    if (status == STOA_OK) {
        status = stoa_mismatch_check(context, learn, place, model);
    } else {
        status = stoa_mismatch_explain(&facts, place, status);
    }
    if (status == STOA_OK) {
        status = measure_targets(&facts, learn);
    }
    if (status == STOA_OK) {
        status = scale_targets(&facts, learn);
    }
    if (status == STOA_OK) {
        status = keep(&facts, model, path, learn);
    }
    if (status == STOA_OK) {
        status = normalize(&facts, 1, learn);
    }
    if (status == STOA_OK) {
        status = adapt(&facts, place, check);
    }
    stoa_data_facts_free(&facts);
    if (status != STOA_OK) {
        stoa_dataset_free(learn);
        stoa_dataset_free(check);
        return status;
    }
    *train = learn;
    *test = check;
    return STOA_OK;
}

/* ---- samples to be classified ---- */

static bool is_table(const char *file) {
    static const char *const ends[] = {".csv", ".tsv", ".txt", ".npy", ".npz"};
    size_t length = strlen(file);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t tail = strlen(ends[i]);
        if (length > tail && strcmp(file + length - tail, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* As many values are not enough: they must be the model's shape, or a row of one channel for a model over
 * rows. */
static stoa_status take_shape(const struct stoa_data_facts *facts, const char *path,
                              struct stoa_store *store) {
    const stoa_data_options *wanted = &facts->source.options;
    size_t size = wanted->height * wanted->width * wanted->channels;
    if (store->height * store->width * store->channels != size) {
        return stoa_fail(facts->context, STOA_ERR_SHAPE,
                         "%s: has %zu values a sample, expected %zu, the model's input", path,
                         store->height * store->width * store->channels, size);
    }
    bool row =
        wanted->height * wanted->width == 1 && (store->channels == 1 || store->height * store->width == 1);
    bool same = store->height == wanted->height && store->width == wanted->width;
    if (!row && !same) {
        return stoa_fail(facts->context, STOA_ERR_SHAPE,
                         "%s: has samples of %zux%zux%zu, expected %zux%zux%zu, the model's input", path,
                         store->height, store->width, store->channels, wanted->height, wanted->width,
                         wanted->channels);
    }
    store->height = wanted->height;
    store->width = wanted->width;
    store->channels = wanted->channels;
    return STOA_OK;
}

/* A picture of a digit, brought into the form of MNIST; for models that were trained on pictures or in
 * colour, as it is. */
static stoa_status open_picture(const struct stoa_data_facts *facts, const char *path, stoa_dataset **data) {
    const stoa_data_options *shape = &facts->source.options;
    const char *format = stoa_model_fact(facts->model, "data.format");
    bool plain = shape->channels == 3 || (format && strcmp(format, "pictures") == 0);
    if (shape->channels != 1 && !plain) {
        return stoa_fail(facts->context, STOA_ERR_SHAPE,
                         "%s: takes %zux%zux%zu samples, expected one channel or three for a picture",
                         stoa_model_name(facts->model), shape->height, shape->width, shape->channels);
    }
    struct stoa_store *store = stoa_store_create(facts->context, "pictures");
    if (!store) {
        return STOA_ERR_MEMORY;
    }
    store->type = STOA_SAMPLE_F32;
    store->pixels = true;
    store->classes = shape->classes;
    store->height = shape->height;
    store->width = shape->width;
    store->channels = shape->channels;
    stoa_status status = stoa_store_allocate(store, path, 1);
    float *image = store->samples_memory.data;
    if (status == STOA_OK) {
        *(int32_t *)store->labels_memory.data = 0;
        status = plain ? stoa_image_take(facts->context, path, shape, image)
                       : stoa_image_read_digit(facts->context, path, shape->height, shape->width, image);
    }
    if (status != STOA_OK) {
        stoa_store_release(store);
        return status;
    }
    return stoa_dataset_over(store, data);
}

/* Targets that are not known, with the names of those that the model gives. */
static stoa_status name_targets(const struct stoa_data_facts *facts, struct stoa_store *store) {
    const stoa_data_options *options = &facts->source.options;
    size_t outputs = stoa_model_output_size(facts->model);
    struct stoa_names list = {.count = 0};
    stoa_status status = stoa_store_allocate_targets(store, "samples", options->task, outputs);
    if (status == STOA_OK) {
        memset(store->targets_memory.data, 0, store->targets_memory.bytes);
        status = stoa_csv_list(facts->context, "samples", "target", options->target, &list);
    }
    if (status == STOA_OK && list.count == outputs) {
        store->target_names = list.text;
        return STOA_OK;
    }
    stoa_names_clear(&list);
    return status;
}

/* The classes have the names that the model knows. */
static stoa_status name_classes(const struct stoa_data_facts *facts, struct stoa_store *store) {
    const stoa_data_options *options = &facts->source.options;
    if (stoa_task_of(options) != STOA_TASK_CLASSES) {
        return name_targets(facts, store);
    }
    stoa_free_names(store->names, store->classes);
    store->names = NULL;
    store->classes = options->classes;
    if (options->names) {
        store->names = stoa_copy_names(options->names, options->name_count);
        return store->names ? STOA_OK
                            : stoa_fail(facts->context, STOA_ERR_MEMORY, "data set: no memory for %zu names",
                                        options->name_count);
    }
    return STOA_OK;
}

/* The samples of a file, as they are; NULL with the context's error set. */
static stoa_dataset *read_samples(const struct stoa_data_facts *facts, const char *path) {
    stoa_data_options options = facts->source.options;
    stoa_dataset *data = NULL;
    options.unlabelled = true;
    struct stat about;
    bool folder = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
    stoa_status status;
    if (folder || is_table(path)) {
        status = stoa_dataset_load(facts->context, path, &options, NULL, &data);
    } else {
        status = stoa_idx_is_file(path) ? stoa_idx_open_images(facts->context, path, &options, &data)
                                        : open_picture(facts, path, &data);
    }
    return status == STOA_OK ? data : NULL;
}

stoa_status stoa_model_open_samples(stoa_context *context, const stoa_model *model, const char *path,
                                    stoa_dataset **samples) {
    STOA_FLOAT_STATE();
    struct stoa_data_facts facts;
    stoa_status status = stoa_data_facts_read(context, model, &facts);
    if (status != STOA_OK) {
        return status;
    }
    stoa_dataset *data = read_samples(&facts, path);
    if (!data) {
        stoa_data_facts_free(&facts);
        return context->error.status;
    }
    status = take_shape(&facts, path, data->store);
    if (status == STOA_OK) {
        status = adapt(&facts, path, data);
    }
    if (status == STOA_OK) {
        status = name_classes(&facts, data->store);
    }
    stoa_data_facts_free(&facts);
    if (status != STOA_OK) {
        stoa_dataset_free(data);
        return status;
    }
    *samples = data;
    return STOA_OK;
}

stoa_status stoa_model_normalize(stoa_context *context, const stoa_model *model, bool pixels, float *values,
                                 size_t count) {
    STOA_FLOAT_STATE();
    struct stoa_data_facts facts;
    float scale = 1;
    stoa_status status = stoa_data_facts_read(context, model, &facts);
    if (status != STOA_OK) {
        return status;
    }
    if (pixels) {
        status = stoa_range_of_pixels(&facts, "the samples", &scale);
    }
    size_t channels = facts.source.options.channels;
    if (status == STOA_OK) {
        status = check_scales(&facts, channels);
    }
    for (size_t i = 0; status == STOA_OK && i < count * stoa_model_input_size(model); i++) {
        size_t at = facts.scales == 1 ? 0 : i % channels;
        values[i] = (values[i] - facts.mean[at] / scale) / (facts.deviation[at] / scale);
    }
    stoa_data_facts_free(&facts);
    return status;
}

stoa_status stoa_model_restore_targets(stoa_context *context, const stoa_model *model, float *outputs,
                                       size_t count) {
    STOA_FLOAT_STATE();
    struct stoa_data_facts facts;
    size_t size = stoa_model_output_size(model);
    stoa_status status = stoa_data_facts_read(context, model, &facts);
    if (status != STOA_OK) {
        return status;
    }
    for (size_t i = 0; i < count * size && facts.target_scales > 0; i++) {
        outputs[i] = outputs[i] * facts.target_deviation[i % size] + facts.target_mean[i % size];
    }
    stoa_data_facts_free(&facts);
    return STOA_OK;
}
