/* SPDX-License-Identifier: MIT */
/* Recipes on synthetic images. Reading data files is no part of what these modes measure; shuffled access and
 * conversion into the batch are. */
#include "bench/recipes.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/size.h"
#include "cli/find.h"

/* A rate at which labels without meaning move the parameters by nothing that could make them diverge, however
 * long a measurement lasts. The work of a step does not depend on it. */
static const float LEARNING_RATE = 1e-6F;

enum { BATCHES = 16 }; /* of different images */

/* Fail with the recipe's name in front, as the library's sentences name what they know only. */
static int fail(const char *path, const stoa_context *context, stoa_status status) {
    const char *sentence = stoa_context_error(context);
    bool named = strncmp(sentence, path, strlen(path)) == 0;
    return cli_fail(cli_code_of(status), "%s%s%s", named ? "" : path, named ? "" : ": ", sentence);
}

/* Readable here and now, rather than after minutes of measuring the ones before. */
static int try_recipe(stoa_context *context, const char *path) {
    stoa_recipe *recipe;
    stoa_status status = stoa_recipe_load(context, path, &recipe);
    if (status != STOA_OK) {
        /* A recipe that cannot be read is a wrong request, whatever is wrong with it. */
        (void)fail(path, context, status);
        return CLI_WRONG;
    }
    stoa_recipe_free(recipe);
    return CLI_DONE;
}

int bench_recipes_open(const struct bench *bench, const char *const *defaults,
                       struct bench_recipes *recipes) {
    size_t count = bench->options.operand_count;
    bool given = count > 0;
    while (!given && defaults[count]) {
        count++;
    }
    *recipes = (struct bench_recipes){.path = cli_allocate(count, sizeof(char *)),
                                      .name = cli_allocate(count, sizeof(char *))};
    for (size_t i = 0; i < count; i++) {
        char *path = cli_find_recipe(given ? bench->options.operands[i] : defaults[i]);
        if (!path) {
            return CLI_WRONG;
        }
        recipes->path[recipes->count] = path;
        recipes->name[recipes->count++] = cli_recipe_name(path);
        int code = try_recipe(bench->context, path);
        if (code != CLI_DONE) {
            return code;
        }
    }
    return CLI_DONE;
}

void bench_recipes_close(struct bench_recipes *recipes) {
    for (size_t i = 0; i < recipes->count; i++) {
        free(recipes->path[i]);
        free(recipes->name[i]);
    }
    free(recipes->path);
    free(recipes->name);
    *recipes = (struct bench_recipes){0};
}

/* Pixels between 0 and 1, most of them dark as in a picture of a digit. */
static void draw_images(float *images, size_t count) {
    for (size_t i = 0; i < count; i += 4) {
        struct stoa_random4 random = stoa_philox(11, i / 4, 1);
        for (size_t j = i; j < stoa_min(i + 4, count); j++) {
            float unit = stoa_random_unit(random.word[j - i]);
            images[j] = unit < 0.8F ? 0 : 5 * (unit - 0.8F);
        }
    }
}

static stoa_status load(stoa_context *context, const char *path, stoa_recipe **recipe, stoa_model **model) {
    stoa_status status = stoa_recipe_load(context, path, recipe);
    if (status == STOA_OK) {
        status = stoa_recipe_model(context, *recipe, model);
    }
    return status == STOA_OK ? stoa_model_init(*model, 1) : status;
}

static stoa_status make_data(struct bench_training *t) {
    size_t shape[3], size = stoa_model_input_size(t->model), floats;
    stoa_model_input_shape(t->model, &shape[0], &shape[1], &shape[2]);
    size_t classes = stoa_model_output_size(t->model);
    t->samples = BATCHES * t->batch;
    if (!stoa_size_mul(t->samples, size, &floats)) {
        return stoa_fail(t->context, STOA_ERR_MEMORY, "synthetic images: their size overflows");
    }
    t->images = cli_allocate(floats, sizeof *t->images);
    t->labels = cli_allocate(t->samples, sizeof *t->labels);
    t->order = cli_allocate(t->samples, sizeof *t->order);
    draw_images(t->images, floats);
    for (size_t i = 0; i < t->samples; i++) {
        t->labels[i] = (int32_t)(i % classes);
        t->order[i] = i;
    }
    stoa_random_shuffle(1, 1, t->order, t->samples);
    return stoa_dataset_from_arrays(t->context, t->images, t->labels, t->samples, shape[0], shape[1],
                                    shape[2], classes, &t->data);
}

int bench_training_open(stoa_context *context, const char *path, size_t batch, bool plain,
                        struct bench_training *t) {
    *t = (struct bench_training){.context = context};
    t->feeder.context = context;
    stoa_status status = load(context, path, &t->recipe, &t->model);
    if (status == STOA_OK) {
        stoa_recipe_info info;
        stoa_recipe_describe(t->recipe, &info);
        stoa_train_options options = info.train;
        if (plain) {
            options = (stoa_train_options){.batch = info.train.batch, .loss = info.train.loss};
        }
        options.learning_rate = LEARNING_RATE;
        options.batch = batch ? batch : options.batch;
        status = stoa_trainer_create(context, t->model, &options, 1000, &t->trainer);
    }
    if (status == STOA_OK) {
        t->batch = t->trainer->settings.options.batch;
        status = make_data(t);
    }
    if (status == STOA_OK) {
        status = stoa_feeder_open(context, t->data, t->trainer->plan, &t->feeder);
    }
    return status == STOA_OK ? CLI_DONE : fail(path, context, status);
}

void bench_training_close(struct bench_training *t) {
    stoa_feeder_close(&t->feeder);
    stoa_dataset_free(t->data);
    stoa_trainer_free(t->trainer);
    stoa_model_free(t->model);
    stoa_recipe_free(t->recipe);
    free(t->images);
    free(t->labels);
    free(t->order);
    *t = (struct bench_training){0};
}

void bench_training_step(void *training) {
    struct bench_training *t = training;
    bool watched = bench_watch_is_open(&t->watch);
    double start = watched ? bench_now() : 0;
    stoa_targets targets = stoa_feeder_read(&t->feeder, t->trainer->plan, t->order + t->next, 0, t->batch);
    t->next = (t->next + t->batch) % t->samples;
    if (watched) {
        bench_watch_beside(&t->watch, BENCH_DATA, start, bench_now());
    }
    stoa_status status = stoa_trainer_step(t->trainer, t->batch, targets, &t->loss, NULL);
    if (watched) {
        bench_watch_beside(&t->watch, BENCH_UPDATE, bench_watch_last_end(&t->watch), bench_now());
    }
    t->status = t->status == STOA_OK ? status : t->status;
}

int bench_inference_open(stoa_context *context, const char *path, size_t batch,
                         struct bench_inference *inference) {
    *inference = (struct bench_inference){.context = context, .batch = batch};
    stoa_status status = load(context, path, &inference->recipe, &inference->model);
    stoa_plan_options options = {.batch = batch, .prepare = true};
    if (status == STOA_OK) {
        status = stoa_plan_create(context, inference->model, &options, &inference->plan);
    }
    if (status == STOA_OK) {
        status = stoa_plan_bind(inference->plan, NULL);
    }
    if (status == STOA_OK) {
        size_t floats = batch * stoa_model_input_size(inference->model); /* the plan has made sure it fits */
        inference->images = cli_allocate(floats, sizeof(float));
        inference->input_bytes = floats * sizeof(float);
        draw_images(inference->images, floats);
    }
    return status == STOA_OK ? CLI_DONE : fail(path, context, status);
}

void bench_inference_close(struct bench_inference *inference) {
    free(inference->images);
    stoa_plan_free(inference->plan);
    stoa_model_free(inference->model);
    stoa_recipe_free(inference->recipe);
    *inference = (struct bench_inference){0};
}

void bench_inference_step(void *argument) {
    struct bench_inference *inference = argument;
    bool watched = bench_watch_is_open(&inference->watch);
    double start = watched ? bench_now() : 0;
    memcpy(stoa_plan_input(inference->plan), inference->images, inference->input_bytes);
    if (watched) {
        bench_watch_beside(&inference->watch, BENCH_DATA, start, bench_now());
    }
    stoa_status status = stoa_plan_infer(inference->plan, inference->batch, NULL);
    inference->status = inference->status == STOA_OK ? status : inference->status;
}
