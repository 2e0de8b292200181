/* SPDX-License-Identifier: MIT */
/* Recipes on synthetic images, ready to train or to infer: what `train`, `infer` and `scale` share. */
#ifndef STOA_BENCH_RECIPES_H
#define STOA_BENCH_RECIPES_H

#include <stdint.h>
#include <stoa/recipe.h>

#include "bench/bench.h"
#include "bench/watch.h"
#include "train/trainer.h"

/* A recipe being trained: one step is data, forward, backward and update, as in stoa_train(). */
struct bench_training {
    stoa_context *context;
    stoa_recipe *recipe;
    stoa_model *model;
    stoa_trainer *trainer;
    stoa_dataset *data;
    struct stoa_feeder feeder;
    float *images;
    int32_t *labels;
    size_t *order; /* of the samples */
    size_t samples, batch, next;
    double loss;              /* of the last step */
    stoa_status status;       /* of the first step that failed */
    struct bench_watch watch; /* tells of the plan, of data and of updates while it is open */
};

/* A recipe's model with a plan for inference: one step copies the batch into the plan's input, whose memory
 * later layers may reuse, and infers. */
struct bench_inference {
    stoa_context *context;
    stoa_recipe *recipe;
    stoa_model *model;
    stoa_plan *plan;
    float *images;
    size_t batch, input_bytes;
    stoa_status status;
    struct bench_watch watch; /* as above */
};

/* Recipe operands, or the default ones: names or paths. All of them can be read: CLI_DONE, or CLI_WRONG with
 * the sentence printed. */
struct bench_recipes {
    char **path, **name;
    size_t count;
};
int bench_recipes_open(const struct bench *bench, const char *const *defaults, struct bench_recipes *recipes);
void bench_recipes_close(struct bench_recipes *recipes);

/* `batch` 0: the recipe's own; `plain`: Adam and the recipe's loss, whatever else it says. CLI_DONE, or
 * another code with the sentence printed; close in any case. */
int bench_training_open(stoa_context *context, const char *path, size_t batch, bool plain,
                        struct bench_training *t);
void bench_training_close(struct bench_training *training);
/* One step; takes a struct bench_training. */
void bench_training_step(void *training);

int bench_inference_open(stoa_context *context, const char *path, size_t batch,
                         struct bench_inference *inference);
void bench_inference_close(struct bench_inference *inference);
void bench_inference_step(void *inference);

#endif
