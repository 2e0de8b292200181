/* SPDX-License-Identifier: MIT */
/* What the context's log is told before and during a training: each mistake its line, and nothing of a
 * training that goes well. */
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "quarters.h"

enum { SIZE = 8, PIXELS = SIZE * SIZE, CLASSES = 4, SAMPLES = 128, TESTED = 64 };

static float images[SAMPLES * PIXELS], others[TESTED * PIXELS];
static int32_t labels[SAMPLES], other_labels[TESTED];

/* All lines that the log was told, one behind the other. */
static char told[4096];

static void tell(void *user, const char *line) {
    (void)user;
    size_t used = strlen(told);
    (void)snprintf(told + used, sizeof told - used, "%s\n", line);
}

static const char *const good[] = {"linear units=24", "relu", "linear units=4", NULL};

static stoa_model *make_model(stoa_context *context, const char *const *layers) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, SIZE, SIZE, 1);
    for (size_t i = 0; layers[i]; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        stoa_model_add(model, name, layers[i]);
    }
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 21), STOA_OK);
    return model;
}

/* Fresh pictures; the test part's are others. */
static void make_images(void) {
    static float both[(SAMPLES + TESTED) * PIXELS];
    static int32_t both_labels[SAMPLES + TESTED];
    fill_quarters(SIZE, SAMPLES + TESTED, 0.7F, both, both_labels);
    memcpy(images, both, sizeof images);
    memcpy(labels, both_labels, sizeof labels);
    memcpy(others, both + (size_t)SAMPLES * PIXELS, sizeof others);
    memcpy(other_labels, both_labels + SAMPLES, sizeof other_labels);
}

/* Train and return what the log was told. */
static const char *train(const char *const *layers, size_t count, const stoa_train_options *options) {
    stoa_context *context = NULL;
    const stoa_context_options logged = {.threads = 1, .log = tell};
    stoa_dataset *data = NULL, *test = NULL;
    told[0] = '\0';
    assert_int_equal(stoa_context_create(&logged, &context), STOA_OK);
    stoa_model *model = make_model(context, layers);
    assert_int_equal(stoa_dataset_from_arrays(context, images, labels, count, SIZE, SIZE, 1, CLASSES, &data),
                     STOA_OK);
    assert_int_equal(
        stoa_dataset_from_arrays(context, others, other_labels, TESTED, SIZE, SIZE, 1, CLASSES, &test),
        STOA_OK);
    assert_int_equal(stoa_train(context, model, data, test, options, NULL), STOA_OK);
    stoa_dataset_free(data);
    stoa_dataset_free(test);
    stoa_model_free(model);
    stoa_context_free(context);
    return told;
}

static const stoa_train_options plain = {.epochs = 12, .batch = 16, .learning_rate = 5e-3F, .seed = 3};

static void assert_says(const char *text, const char *words) {
    if (!strstr(text, words)) {
        fail_msg("found \"%s\", expected a line with \"%s\"", text, words);
    }
}

static void says_nothing_of_a_good_training(void **state) {
    (void)state;
    make_images();
    assert_string_equal(train(good, SAMPLES, &plain), "");
}

static void names_losses_that_do_not_fit(void **state) {
    (void)state;
    static const struct {
        const char *layer, *loss, *words;
    } cases[] = {
        {"softmax", NULL,
         "softmax 'd' stands before the loss softmax_cross_entropy, which takes the softmax itself"},
        {"sigmoid", NULL, "sigmoid 'd' stands before the loss softmax_cross_entropy"},
        {"sigmoid", "bce_with_logits", "sigmoid 'd' stands before the loss bce_with_logits"},
        {"softmax", "cross_entropy", NULL},
        {"linear units=4", "cross_entropy epsilon=1e-6",
         "linear 'd' stands before the loss cross_entropy, which takes "
         "probabilities"},
    };
    make_images();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const layers[] = {good[0], good[1], good[2], cases[i].layer, NULL};
        stoa_train_options options = plain;
        options.epochs = 1;
        options.loss = cases[i].loss;
        const char *text = train(layers, SAMPLES, &options);
        if (cases[i].words) {
            assert_says(text, cases[i].words);
        } else {
            assert_null(strstr(text, "stands before"));
        }
    }
}

static void names_classes_without_samples(void **state) {
    (void)state;
    stoa_train_options options = plain;
    options.epochs = 1;
    make_images();
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = labels[i] == 2 ? 1 : labels[i];
    }
    assert_says(train(good, SAMPLES, &options),
                "the training part has no sample of class 2, which the test part has (1 of "
                "4 classes");
    make_images();
    for (size_t i = 0; i < TESTED; i++) {
        other_labels[i] = other_labels[i] == 3 ? 0 : other_labels[i];
    }
    assert_says(train(good, SAMPLES, &options), "the test part has no sample of class 3");
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = labels[i] == 3 ? 0 : labels[i];
    }
    assert_says(train(good, SAMPLES, &options),
                "no sample is of class 3 (1 of 4 classes are so): expected classes = 3");
    memset(labels, 0, sizeof labels);
    assert_says(train(good, SAMPLES, &options), "all 128 training samples are of class 0, one class");
}

static void names_values_far_from_1(void **state) {
    (void)state;
    stoa_train_options options = plain;
    options.epochs = 1;
    make_images();
    for (size_t i = 0; i < (size_t)SAMPLES * PIXELS; i++) {
        images[i] *= 200;
    }
    assert_says(train(good, SAMPLES, &options),
                "expected about 1, which normalize = measured in [data] gives");
    static const char *const normed[] = {"batchnorm", "linear units=24", "relu", "linear units=4", NULL};
    assert_null(strstr(train(normed, SAMPLES, &options), "expected about 1"));
    for (size_t i = 0; i < (size_t)SAMPLES * PIXELS; i++) {
        images[i] /= 1e7F;
    }
    assert_says(train(good, SAMPLES, &options), "expected about 1");
}

static void names_samples_in_both_parts(void **state) {
    (void)state;
    stoa_train_options options = plain;
    options.epochs = 1;
    make_images();
    memcpy(others, images, 20 * PIXELS * sizeof *images);
    assert_says(train(good, SAMPLES, &options), "20 of 64 test samples are training samples too");
    /* Where training samples repeat each other as often, that is what such data are. */
    for (size_t i = 0; i < SAMPLES; i++) {
        memcpy(images + i * PIXELS, images + i % 8 * PIXELS, PIXELS * sizeof *images);
    }
    assert_null(strstr(train(good, SAMPLES, &options), "training samples too"));
}

static void names_steps_that_do_not_fit(void **state) {
    (void)state;
    static const struct {
        const char *schedule, *words;
    } cases[] = {
        {"cosine warmup=96", "warmup=96 is longer than the training, 96 steps: the rate never gets to lr"},
        {"step every=97", "schedule step: every=97 is longer than the training, 96 steps"},
        {"step every=13 per=epoch", "every=13 is longer than the training, 12 epochs"},
        {"cosine length=1000", "length=1000 is longer than the training"},
        {"step every=12 per=epoch", NULL},
        {"one_cycle", NULL},
    };
    make_images();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_train_options options = plain;
        options.schedule = cases[i].schedule;
        const char *text = train(good, SAMPLES, &options);
        if (cases[i].words) {
            assert_says(text, cases[i].words);
        } else {
            assert_null(strstr(text, "longer"));
        }
    }
    stoa_train_options options = plain;
    options.batch = 200;
    assert_says(train(good, SAMPLES, &options), "batch = 200, but there are fewer training samples, 128");
}

static void names_what_goes_wrong(void **state) {
    (void)state;
    stoa_train_options options = plain;
    make_images();
    static const char *const even[] = {"linear units=8 init=constant", "relu", "linear units=4 init=constant",
                                       NULL};
    assert_says(train(even, SAMPLES, &options),
                "as by guessing; every sample gets the same outputs; layer 'c' gets "
                "nothing but zeros, as all units in front of it are dead; try lr = 0.0005");
    options.learning_rate = 1e4F;
    options.optimizer = "sgd";
    options.epochs = 4;
    assert_says(train(good, SAMPLES, &options), "the loss explodes: ");
    /* The first layer's units are all off, the last layer's bias learns the classes. */
    static const char *const dead[] = {"linear units=8 init=constant", "relu", "linear units=4", NULL};
    options = plain;
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = i % 3 ? 0 : labels[i];
    }
    assert_says(train(dead, SAMPLES, &options),
                "layer 'c' gets nothing but zeros, as all units in front of it are dead");
    /* Labels of the test part that have nothing to do with its pictures. */
    make_images();
    for (size_t i = 0; i < TESTED; i++) {
        other_labels[i] = (other_labels[i] + 1) % CLASSES;
    }
    assert_says(train(good, SAMPLES, &plain), "is no better than naming the largest class always, 25.00 %");
}

static void says_nothing_while_it_looks_for_a_rate(void **state) {
    (void)state;
    stoa_context *context = NULL;
    const stoa_context_options logged = {.threads = 1, .log = tell};
    stoa_dataset *data = NULL;
    stoa_rate_curve curve;
    make_images();
    told[0] = '\0';
    assert_int_equal(stoa_context_create(&logged, &context), STOA_OK);
    stoa_model *model = make_model(context, good);
    assert_int_equal(
        stoa_dataset_from_arrays(context, images, labels, SAMPLES, SIZE, SIZE, 1, CLASSES, &data), STOA_OK);
    assert_int_equal(stoa_find_learning_rate(context, model, data, &plain, NULL, NULL, NULL, &curve),
                     STOA_OK);
    assert_string_equal(told, "");
    stoa_rate_curve_free(&curve);
    stoa_dataset_free(data);
    stoa_model_free(model);
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_nothing_of_a_good_training),
        cmocka_unit_test(names_losses_that_do_not_fit),
        cmocka_unit_test(names_classes_without_samples),
        cmocka_unit_test(names_values_far_from_1),
        cmocka_unit_test(names_samples_in_both_parts),
        cmocka_unit_test(names_steps_that_do_not_fit),
        cmocka_unit_test(names_what_goes_wrong),
        cmocka_unit_test(says_nothing_while_it_looks_for_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
