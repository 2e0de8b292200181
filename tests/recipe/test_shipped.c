/* SPDX-License-Identifier: MIT */
/* The recipes that ship: each loads, says what it is, builds, and makes a training step that moves its
 * weights. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/recipe.h>
#include <stoa/train.h>

#include "tests/base/cmocka_prelude.h"

enum { MOST_RECIPES = 100, SAMPLES = 4 };

static stoa_context *context;

static stoa_recipe *load(const char *name) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", STOA_RECIPES, name);
    stoa_recipe *recipe = NULL;
    stoa_status status = stoa_recipe_load(context, path, &recipe);
    if (status != STOA_OK) {
        print_error("%s\n", stoa_context_error(context));
    }
    assert_int_equal(status, STOA_OK);
    return recipe;
}

static float *first_tensor(const stoa_model *model, size_t *count) {
    stoa_tensor_info info;
    assert_int_equal(stoa_model_tensor(model, 0, &info), STOA_OK);
    float *values = calloc(info.count, sizeof *values);
    assert_non_null(values);
    assert_int_equal(stoa_model_get_tensor(model, 0, values, info.count), STOA_OK);
    *count = info.count;
    return values;
}

/* The recipe's optimiser, schedule and loss, on a few samples of any content. */
static void step(stoa_model *model, const stoa_recipe_info *info) {
    stoa_train_options options = info->train;
    options.batch = options.batch < SAMPLES ? options.batch : SAMPLES;
    stoa_trainer *trainer = NULL;
    assert_int_equal(stoa_trainer_create(context, model, &options, 1000, &trainer), STOA_OK);
    size_t height, width, channels, count;
    stoa_model_input_shape(model, &height, &width, &channels);
    float *input = stoa_plan_input(stoa_trainer_plan(trainer));
    for (size_t i = 0; i < options.batch * height * width * channels; i++) {
        input[i] = 0.5F + 0.5F * sinf((float)i);
    }
    /* Classes as numbers and as vectors: the loss takes what it needs. */
    int32_t labels[SAMPLES];
    float *vectors = calloc(SAMPLES * info->classes, sizeof *vectors);
    assert_non_null(vectors);
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = (int32_t)(i % info->classes);
        vectors[i * info->classes + i % info->classes] = 1;
    }
    float *before = first_tensor(model, &count);
    double loss = NAN;
    assert_int_equal(stoa_trainer_step(trainer, options.batch,
                                       (stoa_targets){.labels = labels, .values = vectors}, &loss, NULL),
                     STOA_OK);
    assert_true(isfinite(loss) && loss > 0);
    stoa_trainer_use_average(trainer, false);
    float *after = first_tensor(model, &count);
    assert_memory_not_equal(before, after, count * sizeof *before);
    free(vectors);
    free(before);
    free(after);
    stoa_trainer_free(trainer);
}

static void check(void **state) {
    const char *name = *state;
    stoa_recipe *recipe = load(name);
    stoa_recipe_info info;
    stoa_recipe_describe(recipe, &info);
    assert_true(info.title[0] != '\0' && info.needs[0] != '\0' && info.reaches[0] != '\0');
    assert_true(info.train.epochs > 0 && info.train.batch > 0 && info.train.learning_rate > 0);
    stoa_model *model = NULL;
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_OK);
    assert_int_equal(stoa_model_output_size(model), info.classes);
    if (strcmp(name, "lenet5.ini") == 0) {
        assert_int_equal(stoa_model_parameter_count(model), 61706);
    }
    assert_int_equal(stoa_model_init(model, info.train.seed), STOA_OK);
    step(model, &info);
    stoa_model_free(model);
    stoa_recipe_free(recipe);
}

/* Names of the recipes, from malloc. */
static size_t list_recipes(char *names[MOST_RECIPES]) {
    size_t count = 0;
    DIR *folder = opendir(STOA_RECIPES);
    for (struct dirent *entry; folder && count < MOST_RECIPES && (entry = readdir(folder));) {
        size_t length = strlen(entry->d_name);
        if (length > 4 && strcmp(entry->d_name + length - 4, ".ini") == 0 &&
            (names[count] = malloc(length + 1)) != NULL) {
            memcpy(names[count++], entry->d_name, length + 1);
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
    return count;
}

int main(void) {
    char *names[MOST_RECIPES];
    struct CMUnitTest tests[MOST_RECIPES];
    size_t count = list_recipes(names);
    if (count == 0 || stoa_context_create(NULL, &context) != STOA_OK) {
        return 99;
    }
    for (size_t i = 0; i < count; i++) {
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = check, .initial_state = names[i]};
    }
    int failed = _cmocka_run_group_tests("shipped", tests, count, NULL, NULL);
    stoa_context_free(context);
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    return failed;
}
