/* SPDX-License-Identifier: MIT */
/* Training with augmentation: the same bits for any number of threads and from any epoch on, and only what is
 * trained is changed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "data/dataset.h"
#include "model/graph.h"
#include "train/prepare.h"

enum {
    SIDE = 8,
    CHANNELS = 2,
    SIZE = SIDE * SIDE * CHANNELS,
    CLASSES = 3,
    SAMPLES = 70,
    BATCH = 16,
    MOST = 2048
};

static const char everything[] = "shift=1 rotate=15 scale=0.2 shear=5 elastic=1 flip=0.5 erase=0.5 noise=0.1";

static float samples[SAMPLES * SIZE];
static int32_t labels[SAMPLES];

static int set_up(void **state) {
    (void)state;
    uint32_t random = 9;
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = (int32_t)(i % CLASSES);
        for (size_t j = 0; j < SIZE; j++) {
            random = random * 1664525U + 1013904223U;
            samples[i * SIZE + j] = (float)(random >> 8) / 16777216.0F + (j / 40 == i % CLASSES ? 0.3F : 0);
        }
    }
    return 0;
}

static stoa_context *make_context(size_t threads) {
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = threads}, &context), STOA_OK);
    return context;
}

static stoa_dataset *make_data(stoa_context *context) {
    stoa_dataset *data = NULL;
    assert_int_equal(
        stoa_dataset_from_arrays(context, samples, labels, SAMPLES, SIDE, SIDE, CHANNELS, CLASSES, &data),
        STOA_OK);
    assert_int_equal(
        stoa_dataset_normalize_channels(data, (const float[]){0.5F, 0.25F}, (const float[]){0.25F, 0.5F}),
        STOA_OK);
    return data;
}

static stoa_model *make_model(stoa_context *context) {
    static const char *const layers[] = {"conv2d filters=6 kernel=3",
                                         "batchnorm",
                                         "relu",
                                         "maxpool2d size=2",
                                         "dropout p=0.3",
                                         "flatten",
                                         "linear units=3"};
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, SIDE, SIDE, CHANNELS);
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        char name[] = {(char)('a' + (char)i), '\0'};
        stoa_model_add(model, name, layers[i]);
    }
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 2), STOA_OK);
    assert_true(model->parameter_floats <= MOST);
    return model;
}

static bool keep_last(void *user, const stoa_progress *progress) {
    *(stoa_progress *)user = *progress;
    return false;
}

static stoa_progress train(size_t threads, const stoa_train_options *options, float parameters[MOST]) {
    stoa_context *context = make_context(threads);
    stoa_dataset *data = make_data(context);
    stoa_model *model = make_model(context);
    stoa_progress last;
    stoa_status status = stoa_train(context, model, data, data, options,
                                    &(stoa_train_callbacks){.progress = keep_last, .user = &last});
    if (status != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    memset(parameters, 0, MOST * sizeof *parameters);
    memcpy(parameters, model->parameters, model->parameter_floats * sizeof *parameters);
    stoa_model_free(model);
    stoa_dataset_free(data);
    stoa_context_free(context);
    return last;
}

static void threads_do_not_matter(void **state) {
    (void)state;
    static float first[MOST];
    static float found[MOST];
    stoa_train_options options = {.epochs = 4,
                                  .batch = BATCH,
                                  .seed = 3,
                                  .learning_rate = 0.02F,
                                  .augment = everything,
                                  .average = 0.9F,
                                  .validation = 0.2F};
    (void)train(1, &options, first);
    for (size_t threads = 2; threads <= 7; threads++) {
        (void)train(threads, &options, found);
        assert_memory_equal(found, first, sizeof first);
    }
    options.loss = "mse"; /* takes vectors in place of labels */
    (void)train(1, &options, first);
    assert_memory_not_equal(found, first, sizeof first);
    (void)train(3, &options, found);
    assert_memory_equal(found, first, sizeof first);
    options.augment = NULL;
    (void)train(3, &options, found);
    assert_memory_not_equal(found, first, sizeof first);
    options.augment = "rotate=0 noise=0 erase=0";
    (void)train(2, &options, first);
    assert_memory_equal(found, first, sizeof first);
}

/* At a rate of nearly nothing all epochs have the same network: what it makes of samples tells whether they
 * were changed. */
static void only_training_samples_are_changed(void **state) {
    (void)state;
    static float ignored[MOST];
    stoa_train_options options = {.epochs = 2,
                                  .batch = BATCH,
                                  .seed = 3,
                                  .learning_rate = 1e-30F,
                                  .optimizer = "sgd",
                                  .validation = 0.3F};
    stoa_progress plain = train(2, &options, ignored);
    options.augment = "erase=1 erase_area=1";
    stoa_progress changed = train(2, &options, ignored);
    assert_true(fabs(plain.train_loss - changed.train_loss) > 1e-3);
    /* Running statistics of batch norm follow what is trained, so losses move a little; labels of other
     * samples would move them more. */
    options.augment = "flip=0.0000001";
    changed = train(2, &options, ignored);
    assert_true(plain.train_loss == changed.train_loss && plain.validation_loss == changed.validation_loss &&
                plain.test_loss == changed.test_loss);
}

/* A batch of any epoch can be made without those before it: what a training that goes on later relies on. */
static void a_batch_needs_no_history(void **state) {
    (void)state;
    enum { EPOCHS = 3 };
    static float history[EPOCHS][BATCH * SIZE];
    size_t index[BATCH];
    struct stoa_train_settings settings = {.options = {.batch = BATCH, .seed = 11}};
    struct stoa_error error;
    assert_int_equal(stoa_augment_read(&error, everything, &settings.augment), STOA_OK);
    for (size_t i = 0; i < BATCH; i++) {
        index[i] = (i * 29 + 3) % SAMPLES;
    }
    stoa_context *context = make_context(2);
    stoa_dataset *data = make_data(context);
    struct stoa_preparer preparer;
    assert_int_equal(stoa_preparer_open(context, data, &settings, &preparer), STOA_OK);
    for (size_t epoch = 0; epoch < EPOCHS; epoch++) {
        stoa_preparer_begin(&preparer, epoch, index, BATCH);
        stoa_preparer_finish(&preparer);
        memcpy(history[epoch], preparer.images, sizeof history[epoch]);
        for (size_t i = 0; i < BATCH; i++) {
            assert_int_equal(preparer.labels[i], labels[index[i]]);
        }
    }
    stoa_preparer_close(&preparer);
    assert_memory_not_equal(history[0], history[1], sizeof history[0]);
    assert_int_equal(stoa_preparer_open(context, data, &settings, &preparer), STOA_OK);
    /* Also in other company, and one at a time. */
    for (size_t i = BATCH; i-- > 0;) {
        stoa_preparer_begin(&preparer, 2, index + i, 1);
        stoa_preparer_finish(&preparer);
        assert_memory_equal(preparer.images, history[2] + i * SIZE, SIZE * sizeof(float));
    }
    stoa_preparer_begin(&preparer, 2, index, BATCH);
    stoa_preparer_close(&preparer); /* in the middle of it */
    stoa_dataset_free(data);
    stoa_context_free(context);
}

/* What lies beyond the edges is 0 before normalisation. */
static void fills_with_the_datas_zero(void **state) {
    (void)state;
    size_t index[1] = {5};
    struct stoa_train_settings settings = {.options = {.batch = 1}};
    struct stoa_error error;
    assert_int_equal(stoa_augment_read(&error, "erase=1 erase_area=1", &settings.augment), STOA_OK);
    stoa_context *context = make_context(1);
    stoa_dataset *data = make_data(context);
    struct stoa_preparer preparer;
    assert_int_equal(stoa_preparer_open(context, data, &settings, &preparer), STOA_OK);
    size_t erased = 0;
    stoa_preparer_begin(&preparer, 1, index, 1);
    stoa_preparer_finish(&preparer);
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        erased += preparer.images[2 * i] == -2.0F && preparer.images[2 * i + 1] == -0.5F;
    }
    assert_true(erased > 0);
    stoa_preparer_close(&preparer);
    stoa_dataset_free(data);
    stoa_context_free(context);
}

static bool stop_in_the_middle(void *user, const stoa_progress *progress) {
    (void)user;
    return progress->step == 2;
}

static void refuses_and_stops(void **state) {
    (void)state;
    stoa_context *context = make_context(2);
    stoa_dataset *data = make_data(context);
    stoa_model *model = make_model(context);
    stoa_train_options options = {.batch = BATCH, .augment = "shift=x"};
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_ERR_ARGUMENT);
    assert_non_null(strstr(stoa_context_error(context), "augment: option 'shift': found 'x', expected"));
    options.augment = everything;
    assert_int_equal(stoa_train(context, model, data, NULL, &options,
                                &(stoa_train_callbacks){.progress = stop_in_the_middle}),
                     STOA_ERR_CANCELLED);
    stoa_dataset_free(data);
    stoa_model_free(model);
    assert_int_equal(stoa_dataset_from_arrays(context, samples, labels, SAMPLES, 1, 1, 4, CLASSES, &data),
                     STOA_OK);
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, 4);
    stoa_model_add(model, "l", "linear units=3");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 2), STOA_OK);
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context),
                        "augment: the data has samples of 1x1x4, expected images, or noise only");
    options.augment = "noise=0.1";
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_OK);
    stoa_dataset_free(data);
    stoa_model_free(model);
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),    cmocka_unit_test(only_training_samples_are_changed),
        cmocka_unit_test(a_batch_needs_no_history), cmocka_unit_test(fills_with_the_datas_zero),
        cmocka_unit_test(refuses_and_stops),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
