/* SPDX-License-Identifier: MIT */
/* What tests of a training's state train: noisy images with a bright quarter, and a small network. Included
 * by one source of a test each. */
#ifndef STOA_TESTS_TRAIN_STATE_SUBJECT_H
#define STOA_TESTS_TRAIN_STATE_SUBJECT_H

#include <stoa/stoa.h>

#include "../base/cmocka_prelude.h"
#include "quarters.h"

enum { SIZE = 8, PIXELS = SIZE * SIZE, CLASSES = 4, SAMPLES = 59, BATCH = 8 };

static float images[SAMPLES * PIXELS];
static int32_t labels[SAMPLES];

static void make_images(void) {
    fill_quarters(SIZE, SAMPLES, 0.5F, images, labels);
}

static const char *const net[] = {"conv2d filters=5 kernel=3 pad=1",
                                  "batchnorm",
                                  "relu",
                                  "maxpool2d size=2",
                                  "dropout p=0.25",
                                  "linear units=4",
                                  NULL};

/* What one training needs, all of its own. */
struct subject {
    stoa_context *context;
    stoa_model *model;
    stoa_dataset *data;
};

static struct subject open_subject(size_t threads, const char *const *layers, uint64_t seed) {
    struct subject s;
    stoa_context_options options = {.threads = threads};
    assert_int_equal(stoa_context_create(&options, &s.context), STOA_OK);
    assert_int_equal(stoa_model_create(s.context, &s.model), STOA_OK);
    stoa_model_input(s.model, SIZE, SIZE, 1);
    for (size_t i = 0; layers[i]; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        stoa_model_add(s.model, name, layers[i]);
    }
    assert_int_equal(stoa_model_build(s.model), STOA_OK);
    assert_int_equal(stoa_model_init(s.model, seed), STOA_OK);
    assert_int_equal(
        stoa_dataset_from_arrays(s.context, images, labels, SAMPLES, SIZE, SIZE, 1, CLASSES, &s.data),
        STOA_OK);
    return s;
}

static void close_subject(struct subject *s) {
    stoa_dataset_free(s->data);
    stoa_model_free(s->model);
    stoa_context_free(s->context);
}

#endif
