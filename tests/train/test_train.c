/* SPDX-License-Identifier: MIT */
/* The loop over epochs: the same bits on any number of threads, every sample used once, what stops it, and
 * that it learns. */
#include <math.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "quarters.h"

enum { SIZE = 8, PIXELS = SIZE * SIZE, CLASSES = 4, SAMPLES = 107, BATCH = 16, STEPS = 7 };

static float images[SAMPLES * PIXELS];
static int32_t labels[SAMPLES];

static void make_images(void) {
    fill_quarters(SIZE, SAMPLES, 0.7F, images, labels);
}

static stoa_context *make_context(size_t threads) {
    stoa_context *context = NULL;
    stoa_context_options options = {.threads = threads};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    return context;
}

static const char *const net[] = {"conv2d filters=6 kernel=3 pad=1",
                                  "batchnorm",
                                  "relu",
                                  "maxpool2d size=2",
                                  "conv2d filters=8 kernel=3",
                                  "relu",
                                  "dropout p=0.25",
                                  "linear units=4",
                                  NULL};
static const char *const plain_net[] = {"linear units=12", "relu", "linear units=4", NULL};

static stoa_model *make_model(stoa_context *context, const size_t input[3], const char *const *layers) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, input[0], input[1], input[2]);
    for (size_t i = 0; layers[i]; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        stoa_model_add(model, name, layers[i]);
    }
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 21), STOA_OK);
    return model;
}

static const size_t image_shape[3] = {SIZE, SIZE, 1};

static stoa_dataset *make_data(stoa_context *context, size_t count) {
    stoa_dataset *data = NULL;
    assert_int_equal(stoa_dataset_from_arrays(context, images, labels, count, SIZE, SIZE, 1, CLASSES, &data),
                     STOA_OK);
    return data;
}

/* All tensors of a model, one behind the other. */
static float *snapshot(const stoa_model *model, size_t *count) {
    *count = 0;
    float *all = NULL;
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        assert_int_equal(stoa_model_tensor(model, i, &info), STOA_OK);
        all = realloc(all, (*count + info.count) * sizeof *all);
        assert_non_null(all);
        assert_int_equal(stoa_model_get_tensor(model, i, all + *count, info.count), STOA_OK);
        *count += info.count;
    }
    return all;
}

/* What the callback saw, and when it says stop. */
struct watcher {
    size_t steps, epochs, stop_after;
    stoa_progress last_step, last_epoch;
};

static bool watch(void *user, const stoa_progress *progress) {
    struct watcher *w = user;
    if (progress->epoch_done) {
        w->epochs++;
        w->last_epoch = *progress;
    } else {
        w->steps++;
        w->last_step = *progress;
        assert_true(isnan(progress->test_loss) && isnan(progress->test_accuracy));
    }
    return w->stop_after && w->steps >= w->stop_after;
}

/* Train a new model and give its tensors. */
static float *train_to_bits(size_t threads, const stoa_train_options *options, struct watcher *w,
                            size_t *count) {
    stoa_context *context = make_context(threads);
    stoa_model *model = make_model(context, image_shape, net);
    stoa_dataset *data = make_data(context, SAMPLES);
    assert_int_equal(stoa_train(context, model, data, data, options,
                                &(stoa_train_callbacks){.progress = watch, .user = w}),
                     STOA_OK);
    assert_int_equal(w->last_epoch.threads, threads);
    float *bits = snapshot(model, count);
    stoa_dataset_free(data);
    stoa_model_free(model);
    stoa_context_free(context);
    return bits;
}

static void is_the_same_on_any_number_of_threads(void **state) {
    (void)state;
    const size_t threads[] = {1, 2, 3, 7};
    stoa_train_options options = {
        .epochs = 3, .batch = BATCH, .seed = 5, .learning_rate = 0.01F, .schedule = "one_cycle"};
    float *expected = NULL;
    size_t count = 0;
    struct watcher first = {0};
    for (size_t i = 0; i < 4; i++) {
        struct watcher w = {0};
        float *bits = train_to_bits(threads[i], &options, &w, &count);
        if (i == 0) {
            expected = bits;
            first = w;
            continue;
        }
        assert_memory_equal(bits, expected, count * sizeof *bits);
        assert_true(w.last_epoch.train_loss == first.last_epoch.train_loss);
        assert_true(w.last_epoch.test_loss == first.last_epoch.test_loss);
        free(bits);
    }
    /* Another seed shuffles and drops otherwise. */
    options.seed = 6;
    struct watcher w = {0};
    float *bits = train_to_bits(1, &options, &w, &count);
    assert_memory_not_equal(bits, expected, count * sizeof *bits);
    free(bits);
    free(expected);
}

static void tells_its_progress(void **state) {
    (void)state;
    stoa_train_options options = {.epochs = 2, .batch = BATCH, .learning_rate = 0.01F};
    struct watcher w = {0};
    size_t count;
    free(train_to_bits(2, &options, &w, &count));
    assert_int_equal(w.steps, 2 * STEPS);
    assert_int_equal(w.epochs, 2);
    const stoa_progress *p = &w.last_step;
    assert_true(p->epoch == 2 && p->epochs == 2 && p->step == STEPS && p->steps == STEPS);
    assert_true(p->learning_rate == 0.01F && p->threads == 2);
    assert_true(p->seconds > 0 && p->images_per_second > 0 && p->seconds_left >= 0);
    assert_true(p->train_loss > 0 && p->train_accuracy >= 0 && p->train_accuracy <= 1);
    p = &w.last_epoch;
    assert_true(p->epoch == 2 && p->test_loss > 0 && p->test_accuracy >= 0 && p->test_accuracy <= 1);
    assert_true(p->train_loss == w.last_step.train_loss);
}

/* As by hand: batch after batch as the samples lie in the data, every epoch. */
static void visits_the_samples_in_order(void **state) {
    (void)state;
    stoa_train_options options = {
        .epochs = 2, .batch = BATCH, .seed = 3, .learning_rate = 0.01F, .in_order = true};
    struct watcher w = {0};
    size_t count;
    float *bits = train_to_bits(2, &options, &w, &count);
    stoa_context *context = make_context(1);
    stoa_model *model = make_model(context, image_shape, net);
    stoa_trainer *trainer = NULL;
    assert_int_equal(stoa_trainer_create(context, model, &options, 2 * STEPS, &trainer), STOA_OK);
    for (size_t step = 0; step < 2 * STEPS; step++) {
        size_t first = step % STEPS * BATCH;
        size_t samples = first + BATCH < SAMPLES ? BATCH : SAMPLES - first;
        memcpy(stoa_plan_input(stoa_trainer_plan(trainer)), images + first * PIXELS,
               samples * PIXELS * sizeof *images);
        double loss;
        assert_int_equal(
            stoa_trainer_step(trainer, samples, (stoa_targets){.labels = labels + first}, &loss, NULL),
            STOA_OK);
    }
    stoa_trainer_free(trainer);
    float *expected = snapshot(model, &count);
    assert_memory_equal(bits, expected, count * sizeof *bits);
    free(expected);
    free(bits);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* In plain SGD the sum of a batch's losses is their mean at a rate as many times as large. */
static void sums_the_losses_of_a_batch(void **state) {
    (void)state;
    stoa_context *context = make_context(1);
    stoa_dataset *data = make_data(context, 24);
    float *bits[2];
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        stoa_model *model = make_model(context, image_shape, plain_net);
        stoa_train_options options = {
            .batch = 8, .optimizer = "sgd", .learning_rate = i ? 0.02F : 0.16F, .summed = i == 1};
        assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_OK);
        bits[i] = snapshot(model, &count);
        stoa_model_free(model);
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(fabsf(bits[0][i] - bits[1][i]) < 1e-6F);
    }
    free(bits[0]);
    free(bits[1]);
    stoa_dataset_free(data);
    stoa_context_free(context);
}

/* With a rate too small to move anything, the mean over an epoch is the mean over all samples, the last 11 of
 * 107 included, as evaluation in batches of any size gives it. */
static void uses_every_sample_once(void **state) {
    (void)state;
    stoa_context *context = make_context(2);
    stoa_model *model = make_model(context, image_shape, plain_net);
    stoa_dataset *data = make_data(context, SAMPLES);
    struct watcher w = {0};
    stoa_train_options options = {.batch = BATCH, .learning_rate = 1e-30F, .optimizer = "sgd"};
    assert_int_equal(stoa_train(context, model, data, NULL, &options,
                                &(stoa_train_callbacks){.progress = watch, .user = &w}),
                     STOA_OK);
    assert_true(isnan(w.last_epoch.test_loss));
    const size_t batches[] = {0, 1, 10, SAMPLES, 1000};
    for (size_t i = 0; i < 5; i++) {
        stoa_evaluation result;
        assert_int_equal(stoa_evaluate(context, model, data, batches[i], NULL, &result), STOA_OK);
        assert_int_equal(result.samples, SAMPLES);
        assert_true(fabs(result.loss - w.last_epoch.train_loss) < 1e-6);
        assert_true(result.accuracy == (double)result.correct / SAMPLES);
        assert_true(fabs(result.accuracy - w.last_epoch.train_accuracy) < 1e-12);
    }
    stoa_dataset_free(data);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* Samples 0..95 fill six batches; the seventh holds the rest. Poisoning them must show: they are trained. */
static void trains_the_last_partial_batch(void **state) {
    (void)state;
    stoa_context *context = make_context(1);
    for (size_t extra = 0; extra < 2; extra++) {
        float values[3] = {0, 0, NAN};
        int32_t numbers[3] = {0, 1, 0};
        stoa_dataset *data = NULL;
        assert_int_equal(stoa_dataset_from_arrays(context, values, numbers, 2 + extra, 1, 1, 1, 2, &data),
                         STOA_OK);
        stoa_model *model =
            make_model(context, (const size_t[]){1, 1, 1}, (const char *const[]){"linear units=2", NULL});
        stoa_train_options options = {.batch = 2, .seed = 1};
        assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL),
                         extra ? STOA_ERR_NONFINITE : STOA_OK);
        stoa_evaluation result;
        assert_int_equal(stoa_evaluate(context, model, data, 2, NULL, &result),
                         extra ? STOA_ERR_NONFINITE : STOA_OK);
        stoa_model_free(model);
        stoa_dataset_free(data);
    }
    stoa_context_free(context);
}

static void stops_when_told(void **state) {
    (void)state;
    stoa_context *context = make_context(2);
    stoa_model *model = make_model(context, image_shape, net);
    stoa_dataset *data = make_data(context, SAMPLES);
    struct watcher w = {.stop_after = STEPS + 3};
    stoa_train_options options = {.epochs = 50, .batch = BATCH};
    assert_int_equal(stoa_train(context, model, data, data, &options,
                                &(stoa_train_callbacks){.progress = watch, .user = &w}),
                     STOA_ERR_CANCELLED);
    assert_string_equal(stoa_context_error(context), "cancelled in epoch 2 at step 3");
    assert_int_equal(w.steps, STEPS + 3);
    assert_int_equal(w.epochs, 1);
    stoa_dataset_free(data);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* A rate that makes the first step overflow; the sentence names epoch, step and layer. */
static void names_where_it_became_nonfinite(void **state) {
    (void)state;
    stoa_context *context = make_context(1);
    stoa_model *model = make_model(context, image_shape, plain_net);
    stoa_dataset *data = make_data(context, SAMPLES);
    stoa_train_options options = {.epochs = 2, .batch = BATCH, .learning_rate = 1e30F, .optimizer = "sgd"};
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_ERR_NONFINITE);
    const char *sentence = stoa_context_error(context);
    assert_memory_equal(sentence, "epoch 1, step 2: the loss is ", 29);
    assert_non_null(strstr(sentence, ": the first layer with a non-finite value is linear '"));
    stoa_dataset_free(data);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* Without a test set nobody would see what the very last update did. */
static void looks_at_the_last_update(void **state) {
    (void)state;
    stoa_context *context = make_context(1);
    stoa_model *model = make_model(context, image_shape, plain_net);
    stoa_dataset *data = make_data(context, SAMPLES);
    stoa_train_options options = {.epochs = 1, .batch = SAMPLES, .learning_rate = 1e-3F, .optimizer = "adam"};
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_OK);
    /* Gradients grow with the values, so that the update is more than a float holds. */
    assert_int_equal(stoa_dataset_normalize(data, 0, 1e-12F), STOA_OK);
    assert_int_equal(stoa_model_init(model, 1), STOA_OK);
    options.learning_rate = 1e30F;
    options.optimizer = "sgd";
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_ERR_NONFINITE);
    assert_non_null(
        strstr(stoa_context_error(context), "epoch 1, step 1: the first tensor with a non-finite"));
    stoa_dataset_free(data);
    stoa_model_free(model);
    stoa_context_free(context);
}

static void learns_xor(void **state) {
    (void)state;
    const float corners[8] = {0, 0, 0, 1, 1, 0, 1, 1};
    const int32_t classes[4] = {0, 1, 1, 0};
    static const char *const losses[] = {NULL, "mse"};
    stoa_context *context = make_context(1);
    for (size_t i = 0; i < 2; i++) {
        stoa_dataset *data = NULL;
        assert_int_equal(stoa_dataset_from_arrays(context, corners, classes, 4, 1, 1, 2, 2, &data), STOA_OK);
        stoa_model *model =
            make_model(context, (const size_t[]){1, 1, 2},
                       (const char *const[]){"linear units=16", "relu", "linear units=2", NULL});
        stoa_train_options options = {.epochs = 400, .batch = 4, .learning_rate = 0.02F, .loss = losses[i]};
        assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_OK);
        stoa_evaluation result;
        assert_int_equal(stoa_evaluate(context, model, data, 0, losses[i], &result), STOA_OK);
        assert_int_equal(result.correct, 4);
        assert_true(result.loss < 0.05);
        stoa_model_free(model);
        stoa_dataset_free(data);
    }
    stoa_context_free(context);
}

static void learns_images(void **state) {
    (void)state;
    static const char *const optimizers[] = {"adam", "sgd momentum=0.9"};
    for (size_t i = 0; i < 2; i++) {
        struct watcher w = {0};
        size_t count;
        stoa_train_options options = {.epochs = 12,
                                      .batch = BATCH,
                                      .seed = 2,
                                      .optimizer = optimizers[i],
                                      .learning_rate = 0.02F,
                                      .schedule = "one_cycle"};
        free(train_to_bits(2, &options, &w, &count));
        assert_true(w.last_epoch.test_accuracy == 1);
    }
}

/* mse takes class numbers as vectors with a one at the class: the loss of a zero model is 1 / classes. */
static void measures_classes_with_mse(void **state) {
    (void)state;
    stoa_context *context = make_context(1);
    stoa_model *model = make_model(context, image_shape, (const char *const[]){"linear units=4", NULL});
    stoa_dataset *data = make_data(context, SAMPLES);
    float zeros[CLASSES * PIXELS] = {0};
    assert_int_equal(stoa_model_set_tensor(model, 0, zeros, (size_t)CLASSES * PIXELS), STOA_OK);
    stoa_evaluation result;
    assert_int_equal(stoa_evaluate(context, model, data, 10, "mse", &result), STOA_OK);
    assert_true(fabs(result.loss - 1.0 / CLASSES) < 1e-6);
    assert_int_equal(result.correct, 27); /* ties: the first output wins, and 27 samples have class 0 */
    stoa_dataset_free(data);
    stoa_model_free(model);
    stoa_context_free(context);
}

static void refuses_data_that_does_not_match(void **state) {
    (void)state;
    stoa_context *context = make_context(1);
    stoa_dataset *data = make_data(context, SAMPLES);
    stoa_train_options options = {.batch = BATCH};
    stoa_model *model = make_model(context, (const size_t[]){SIZE, SIZE + 1, 1}, net);
    stoa_evaluation result;
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_ERR_SHAPE);
    assert_string_equal(stoa_context_error(context), "the model takes input 8x9x1, the data has 8x8x1");
    assert_int_equal(stoa_evaluate(context, model, data, 0, NULL, &result), STOA_ERR_SHAPE);
    stoa_model_free(model);
    /* Found before memory for the run is asked for, and there is none for this one: a quarter of a
     * terabyte. */
    static const char *const wide[] = {"flatten", "linear units=65536", "linear units=3", NULL};
    model = make_model(context, (const size_t[]){SIZE, SIZE + 1, 1}, wide);
    options.batch = STOA_MOST_BATCH;
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_ERR_SHAPE);
    assert_int_equal(stoa_train(context, model, data, data, &options, NULL), STOA_ERR_SHAPE);
    options.batch = BATCH;
    stoa_model_free(model);
    model = make_model(context, image_shape, (const char *const[]){"linear units=5", NULL});
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_ERR_SHAPE);
    assert_string_equal(stoa_context_error(context), "the model has 5 outputs, the data has 4 classes");
    stoa_model_free(model);
    /* A model over vectors takes images as they lie in memory, unless they have more than one channel: their
     * order is not known then. */
    model = make_model(context, (const size_t[]){1, 1, PIXELS}, plain_net);
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_OK);
    stoa_dataset_free(data);
    const float colour[2 * PIXELS] = {0};
    const int32_t classes[] = {0, 1};
    assert_int_equal(stoa_dataset_from_arrays(context, colour, classes, 2, PIXELS / 8, 2, 4, 4, &data),
                     STOA_OK);
    assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_ERR_SHAPE);
    assert_string_equal(
        stoa_context_error(context),
        "the model takes rows of 64 values, the data has pictures of 8x2x4, whose values may come in two "
        "orders: expected data read as 1x1x64, or a model with that input and flatten");
    stoa_model_free(model);
    stoa_dataset_free(data);
    stoa_context_free(context);
}

/* Batch norm behind a dense layer has nothing to normalise in a batch of one, whichever batch that is. */
static void refuses_batches_of_one(void **state) {
    (void)state;
    static const char *const dense[] = {"linear units=12", "batchnorm", "relu", "linear units=4", NULL};
    static const char full[] =
        "batchnorm 'b': found 1 sample in a batch, expected 2 or more to train with: one "
        "value a channel has no deviation";
    static const char last[] =
        "batchnorm 'b': found 1 sample in the last batch of an epoch, expected 2 or more";
    static const struct {
        size_t samples, batch;
        float validation;
        const char *sentence; /* NULL: it trains */
    } cases[] = {
        {20, 1, 0, full}, {21, 4, 0, last}, {20, 19, 0, last},   {1, 4, 0, last},     {20, 4, 0, NULL},
        {22, 4, 0, NULL}, {2, 64, 0, NULL}, {26, 4, 0.2F, last}, {25, 4, 0.2F, NULL},
    };
    stoa_context *context = make_context(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_dataset *data = make_data(context, cases[i].samples);
        stoa_model *model = make_model(context, image_shape, dense);
        stoa_train_options options = {.batch = cases[i].batch, .validation = cases[i].validation};
        stoa_status expected = cases[i].sentence ? STOA_ERR_ARGUMENT : STOA_OK;
        assert_int_equal(stoa_train_check(context, model, data, data, &options), expected);
        struct watcher w = {0};
        assert_int_equal(stoa_train(context, model, data, data, &options,
                                    &(stoa_train_callbacks){.progress = watch, .user = &w}),
                         expected);
        assert_true(cases[i].sentence ? w.steps == 0 : w.epochs == 1);
        if (cases[i].sentence) {
            assert_memory_equal(stoa_context_error(context), cases[i].sentence, strlen(cases[i].sentence));
        }
        stoa_model_free(model);
        stoa_dataset_free(data);
    }
    /* Pictures have many values a channel, and without batch norm one sample is as good as any. */
    stoa_dataset *data = make_data(context, 5);
    const char *const *const nets[] = {net, plain_net};
    for (size_t i = 0; i < 2; i++) {
        stoa_model *model = make_model(context, image_shape, nets[i]);
        stoa_train_options options = {.batch = i == 0 ? 1 : 4};
        assert_int_equal(stoa_train_check(context, model, data, NULL, &options), STOA_OK);
        assert_int_equal(stoa_train(context, model, data, NULL, &options, NULL), STOA_OK);
        stoa_model_free(model);
    }
    stoa_dataset_free(data);
    stoa_context_free(context);
}

/* The same of those who step by themselves; evaluation takes any number. */
static void steps_of_one_are_refused(void **state) {
    (void)state;
    static const char *const dense[] = {"linear units=12", "batchnorm", "relu", "linear units=4", NULL};
    stoa_context *context = make_context(1);
    stoa_model *model = make_model(context, image_shape, dense);
    stoa_trainer *trainer = NULL;
    stoa_train_options options = {.batch = 1};
    assert_int_equal(stoa_trainer_create(context, model, &options, 9, &trainer), STOA_ERR_ARGUMENT);
    options.batch = 4;
    assert_int_equal(stoa_trainer_create(context, model, &options, 9, &trainer), STOA_OK);
    stoa_plan *plan = stoa_trainer_plan(trainer);
    memset(stoa_plan_input(plan), 0, 4 * PIXELS * sizeof(float));
    const stoa_targets targets = {.labels = labels};
    double loss;
    assert_int_equal(stoa_trainer_step(trainer, 1, targets, &loss, NULL), STOA_ERR_ARGUMENT);
    assert_non_null(strstr(stoa_context_error(context), "batchnorm 'b': found 1 sample in a batch"));
    assert_int_equal(stoa_plan_evaluate(plan, 1, targets, &loss, NULL), STOA_OK);
    assert_int_equal(stoa_trainer_step(trainer, 2, targets, &loss, NULL), STOA_OK);
    stoa_trainer_free(trainer);
    stoa_model_free(model);
    stoa_context_free(context);
}

int main(void) {
    make_images();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_same_on_any_number_of_threads),
        cmocka_unit_test(tells_its_progress),
        cmocka_unit_test(uses_every_sample_once),
        cmocka_unit_test(visits_the_samples_in_order),
        cmocka_unit_test(sums_the_losses_of_a_batch),
        cmocka_unit_test(trains_the_last_partial_batch),
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(names_where_it_became_nonfinite),
        cmocka_unit_test(looks_at_the_last_update),
        cmocka_unit_test(learns_xor),
        cmocka_unit_test(learns_images),
        cmocka_unit_test(measures_classes_with_mse),
        cmocka_unit_test(refuses_data_that_does_not_match),
        cmocka_unit_test(refuses_batches_of_one),
        cmocka_unit_test(steps_of_one_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
