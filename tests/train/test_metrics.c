/* SPDX-License-Identifier: MIT */
/* Confusion matrix and ranks, counted by hand from outputs that are the samples themselves. */
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "model/graph.h"
#include "train/trainer.h"

enum { CLASSES = 3, SAMPLES = 8 };

/* The label's rank and the answer behind each. */
static const float samples[SAMPLES * CLASSES] = {
    3, 2, 1, /* 0 of class 0: answer 0 */
    1, 2, 3, /* 2 of class 0: answer 2 */
    1, 3, 2, /* 1 of class 0: answer 1, behind class 2 */
    5, 6, 4, /* 0 of class 1: answer 1 */
    6, 5, 4, /* 1 of class 1: answer 0 */
    7, 7, 1, /* a tie, of class 1: the lower class first */
    7, 7, 7, /* the same, of class 0 */
    7, 7, 7, /* the same, of class 2 */
};
static const int32_t labels[SAMPLES] = {0, 0, 0, 1, 1, 1, 0, 2};
static const size_t confusion_expected[CLASSES * CLASSES] = {2, 1, 1, 2, 1, 0, 1, 0, 0};
static const size_t ranks_expected[CLASSES] = {3, 2, 3};

static stoa_context *context;

static int set_up(void **state) {
    (void)state;
    return stoa_context_create(&(stoa_context_options){.threads = 2}, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

static stoa_model *make_identity(void) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, CLASSES);
    stoa_model_add(model, "l", "linear units=3 bias=false init=constant");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 1), STOA_OK);
    for (size_t i = 0; i < CLASSES; i++) {
        stoa_model_change(model)[i * CLASSES + i] = 1;
    }
    return model;
}

static stoa_dataset *make_data(size_t classes) {
    stoa_dataset *data = NULL;
    assert_int_equal(
        stoa_dataset_from_arrays(context, samples, labels, SAMPLES, 1, 1, CLASSES, classes, &data), STOA_OK);
    return data;
}

static void counts_by_hand(void **state) {
    (void)state;
    stoa_model *model = make_identity();
    stoa_dataset *data = make_data(CLASSES);
    stoa_evaluation plain;
    assert_int_equal(stoa_evaluate(context, model, data, 0, NULL, &plain), STOA_OK);
    for (size_t batch = 0; batch <= SAMPLES + 1; batch++) {
        size_t confusion[CLASSES * CLASSES] = {9, 9, 9, 9, 9, 9, 9, 9, 9};
        size_t ranks[CLASSES] = {9, 9, 9};
        stoa_evaluation result;
        /* One, the other, both and neither. */
        assert_int_equal(stoa_evaluate_classes(context, model, data, batch, NULL,
                                               batch % 2 ? confusion : NULL, batch % 4 > 1 ? ranks : NULL,
                                               &result),
                         STOA_OK);
        assert_int_equal(result.correct, 3);
        assert_true(result.correct == plain.correct && result.samples == SAMPLES);
        if (batch % 2) {
            assert_memory_equal(confusion, confusion_expected, sizeof confusion);
        }
        if (batch % 4 > 1) {
            assert_memory_equal(ranks, ranks_expected, sizeof ranks);
        }
    }
    stoa_dataset_free(data);
    stoa_model_free(model);
}

static void errors_leave_the_arrays(void **state) {
    (void)state;
    stoa_model *model = make_identity();
    stoa_dataset *data = make_data(4);
    size_t confusion[16] = {7}, ranks[4] = {7};
    stoa_evaluation result = {.samples = 7};
    assert_int_equal(stoa_evaluate_classes(context, model, data, 0, NULL, confusion, ranks, &result),
                     STOA_ERR_SHAPE);
    assert_string_equal(stoa_context_error(context), "the model has 3 outputs, the data has 4 classes");
    assert_true(confusion[0] == 7 && ranks[0] == 7 && result.samples == 7);
    stoa_dataset_free(data);
    stoa_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_by_hand),
        cmocka_unit_test(errors_leave_the_arrays),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
