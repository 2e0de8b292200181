/* SPDX-License-Identifier: MIT */
/* Tensors that fit by name and shape, taken from files that hold others: what is taken, what is told, and
 * what is refused while the model stays as it was. */
#include <math.h>
#include <stoa/train.h>

#include "tests/base/scratch.h"
#include "tests/model/builder.h"

/* What was told, a line a tensor. */
struct told {
    char lines[2048];
    size_t count[4];
};

static void note(void *user, const stoa_tensor_match *match) {
    static const char *const words[] = {"taken", "shape", "missing", "extra"};
    struct told *told = user;
    size_t used = strlen(told->lines);
    told->count[match->match]++;
    if (match->match != STOA_MATCH_TAKEN) {
        (void)snprintf(told->lines + used, sizeof told->lines - used, "%s %s %s %s\n", words[match->match],
                       match->name, match->shape, match->found);
    }
}

/* The small model with another last layer, or another first one. */
static stoa_model *other_model(const char *first, const char *last) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 6, 5, 3);
    stoa_model_add(model, "c1", first);
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "p1", "maxpool2d size=2");
    stoa_model_add(model, "l1", last);
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 9), STOA_OK);
    return model;
}

static float *values_of(const stoa_model *model, const char *name, size_t *count) {
    size_t index = stoa_model_find_tensor(model, name);
    stoa_tensor_info info;
    assert_int_equal(stoa_model_tensor(model, index, &info), STOA_OK);
    float *values = malloc(info.count * sizeof *values);
    assert_non_null(values);
    assert_int_equal(stoa_model_get_tensor(model, index, values, info.count), STOA_OK);
    *count = info.count;
    return values;
}

static void assert_same_values(const stoa_model *model, const stoa_model *other, const char *name) {
    size_t counts[2];
    float *values[2] = {values_of(model, name, &counts[0]), values_of(other, name, &counts[1])};
    assert_int_equal(counts[0], counts[1]);
    assert_memory_equal(values[0], values[1], counts[0] * sizeof(float));
    free(values[0]);
    free(values[1]);
}

static const char first[] = "conv2d filters=2 kernel=3x2 pad=1";

/* PyTorch's dictionary, of every type and behind wrappers, for a network of seven classes. */
static void test_another_last_layer(void **state) {
    (void)state;
    static const char *const types[] = {"F32", "F16", "F64"};
    static const char *const prefixes[] = {"", "module.", "_orig_mod.module."};
    const float two[2] = {1, 2};
    for (size_t i = 0; i < 3; i++) {
        struct builder builder;
        struct told told = {.lines = ""};
        char extra[64], expected[256];
        stoa_model *model = other_model(first, "linear units=7");
        stoa_model *fresh = other_model(first, "linear units=7");
        build_state_as(&builder, STATE_TENSORS, types[i], types[i], prefixes[i]);
        (void)snprintf(extra, sizeof extra, "%sl2.bias", prefixes[i]);
        builder_tensor(&builder, extra, "F32", "[2]", two, sizeof two);
        size_t bytes = 0;
        unsigned char *file = builder_finish(&builder, &bytes);
        assert_int_equal(stoa_model_load_matching_memory(model, file, bytes, note, &told), STOA_OK);
        (void)snprintf(expected, sizeof expected,
                       "shape l1.weight (7, 18) (4, 18)\nmissing l1.bias (7) \nextra %sl2.bias  (2)\n",
                       prefixes[i]);
        assert_string_equal(told.lines, expected);
        assert_int_equal(told.count[STOA_MATCH_TAKEN], 6);
        for (size_t t = 1; t < STATE_TENSORS; t++) { /* without l1.weight */
            assert_values(model, state_tensors[t].name, t);
        }
        assert_same_values(model, fresh, "l1.weight");
        assert_same_values(model, fresh, "l1.bias");
        free(file);
        stoa_model_free(fresh);
        stoa_model_free(model);
    }
}

/* Nobody needs to listen; a file on disk, which a model was saved to. */
static void test_saved_model(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "model.safetensors");
    stoa_model *saved = small_model();
    stoa_model *model = other_model(first, "linear units=5");
    assert_int_equal(stoa_model_save(saved, path), STOA_OK);
    assert_int_equal(stoa_model_load_matching(model, path, NULL, NULL), STOA_OK);
    assert_same_values(model, saved, "c1.weight");
    assert_same_values(model, saved, "b1.running_var");
    assert_int_equal(remove(path), 0);
    assert_int_equal(stoa_model_load_matching(model, path, NULL, NULL), STOA_ERR_NOT_FOUND);
    scratch_close(&scratch);
    stoa_model_free(saved);
    stoa_model_free(model);
}

/* The state of a training gives the parameters that are trained, and its other arrays are no strangers. */
static void test_training_state(void **state) {
    (void)state;
    stoa_model *trained = small_model();
    stoa_trainer *trainer = NULL;
    stoa_train_options options = {.batch = 2, .optimizer = "adam", .average = 0.5F};
    assert_int_equal(stoa_trainer_create(context, trained, &options, 4, &trainer), STOA_OK);
    double loss;
    float *input = stoa_plan_input(stoa_trainer_plan(trainer));
    for (size_t i = 0; i < (size_t)2 * 6 * 5 * 3; i++) {
        input[i] = (float)(i % 7);
    }
    assert_int_equal(
        stoa_trainer_step(trainer, 2, (stoa_targets){.labels = (const int32_t[]){0, 1}}, &loss, NULL),
        STOA_OK);
    void *data = NULL;
    size_t bytes = 0;
    assert_int_equal(stoa_trainer_save_memory(trainer, &data, &bytes), STOA_OK);
    stoa_model *model = other_model(first, "linear units=5 bias=false");
    struct told told = {.lines = ""};
    assert_int_equal(stoa_model_load_matching_memory(model, data, bytes, note, &told), STOA_OK);
    assert_string_equal(told.lines, "shape l1.weight (5, 18) (4, 18)\n");
    assert_same_values(model, trained, "c1.weight");
    stoa_buffer_free(context, data, bytes);
    stoa_trainer_free(trainer);
    stoa_model_free(trained);
    stoa_model_free(model);
}

/* The builder's file is refused, nobody hears of a tensor, and the model stays as it was. */
static void assert_refused(stoa_model *model, struct builder *builder, stoa_status status,
                           const char *sentence) {
    unsigned char *before = NULL, *after = NULL;
    size_t before_bytes = 0, after_bytes = 0, bytes = 0;
    struct told told = {.lines = ""};
    save_memory(model, &before, &before_bytes);
    unsigned char *file = builder_finish(builder, &bytes);
    assert_int_equal(stoa_model_load_matching_memory(model, file, bytes, note, &told), status);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_int_equal(told.count[STOA_MATCH_TAKEN] + told.count[STOA_MATCH_EXTRA], 0);
    save_memory(model, &after, &after_bytes);
    assert_int_equal(before_bytes, after_bytes);
    assert_memory_equal(before, after, before_bytes);
    free(file);
    stoa_buffer_free(context, before, before_bytes);
    stoa_buffer_free(context, after, after_bytes);
    stoa_model_free(model);
}

static void test_refused(void **state) {
    (void)state;
    struct builder builder;
    const float two[2] = {1, 2};
    build_state_as(&builder, STATE_TENSORS, "F32", "F32", "net.");
    assert_refused(small_model(), &builder, STOA_ERR_SHAPE,
                   "model: nothing in it fits the model: found 'net.l1.weight' of shape (4, 18), expected "
                   "names and shapes such as 'c1.weight' of shape (2, 3, 3, 2)");
    /* Names without shapes. */
    builder = (struct builder){.used = 0};
    say(&builder, "{\"__metadata__\":{}");
    builder_tensor(&builder, "x", "F32", "[2]", two, sizeof two);
    builder_tensor(&builder, "l1.weight", "F32", "[2]", two, sizeof two);
    assert_refused(
        small_model(), &builder, STOA_ERR_SHAPE,
        "model: nothing in it fits the model: found 'l1.weight' of shape (2), expected names and shapes "
        "such as 'l1.weight' of shape (4, 18)");
    builder = (struct builder){.used = 0};
    say(&builder, "{\"__metadata__\":{}");
    assert_refused(small_model(), &builder, STOA_ERR_SHAPE,
                   "model: nothing in it fits the model: found no tensor, expected names and shapes such as "
                   "'c1.weight' of shape (2, 3, 3, 2)");
    /* What fits has to be a number that float32 can hold. */
    build_state(&builder, STATE_TENSORS, "I32");
    assert_refused(small_model(), &builder, STOA_ERR_FORMAT,
                   "model: tensor 'b1.running_var': found dtype I32, expected F32, F16, BF16 or F64");
    unsigned char wide[16];
    build_state(&builder, 1, "F32");
    stoa_store_le64(wide, 0);
    stoa_store_le64(wide + 8, 0x7FE1CCF385EBC8A0); /* 1e308 */
    builder_tensor(&builder, "c1.bias", "F64", "[2]", wide, sizeof wide);
    assert_refused(
        small_model(), &builder, STOA_ERR_FORMAT,
        "model: tensor 'c1.bias': value 1 is 2^1023 or more in size, expected less than 2^128: F64 "
        "becomes F32");
    build_state(&builder, STATE_TENSORS, "F32");
    builder.data_bytes -= 1;
    assert_refused(
        small_model(), &builder, STOA_ERR_FORMAT,
        "model: tensor 'b1.running_var': found data_offsets 472 to 480, expected a part of the 479 "
        "data bytes");
}

/* A type that is no float does not matter where the shape does not fit either. */
static void test_other_types_that_do_not_fit(void **state) {
    (void)state;
    struct builder builder;
    struct told told = {.lines = ""};
    const int32_t three[3] = {1, 2, 3};
    stoa_model *model = other_model(first, "linear units=4 bias=false");
    build_state(&builder, 1, "F32");
    builder_tensor(&builder, "c1.bias", "I32", "[3]", three, sizeof three);
    size_t bytes = 0;
    unsigned char *file = builder_finish(&builder, &bytes);
    assert_int_equal(stoa_model_load_matching_memory(model, file, bytes, note, &told), STOA_OK);
    assert_string_equal(told.lines, "shape c1.bias (2) (3)\n");
    free(file);
    stoa_model_free(model);
}

int main(void) {
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 99;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_last_layer),
        cmocka_unit_test(test_saved_model),
        cmocka_unit_test(test_training_state),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_other_types_that_do_not_fit),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoa_context_free(context);
    return failed;
}
