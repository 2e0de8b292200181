/* SPDX-License-Identifier: MIT */
/* A program around the library, with memory hooks of its own, as something whose calls can be made to fail:
 * it builds, trains, saves, loads and infers, and asks once more for what lacked memory or failed on the
 * disk, which must then be as if nothing had happened. Blocks that are not given back end it with another
 * code than 0 or 1. faults_host DATA MODEL_FILE */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>

enum { BATCH = 4, LEAKS = 3 };

static void *take(void *user, size_t bytes, size_t alignment) {
    long *blocks = user;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, bytes) != 0) {
        return NULL;
    }
    ++*blocks;
    return memory;
}

static void give_back(void *user, void *memory, size_t bytes) {
    long *blocks = user;
    (void)bytes;
    --*blocks;
    free(memory);
}

static bool is_worth_another_try(stoa_status status) {
    return status == STOA_ERR_MEMORY || status == STOA_ERR_IO;
}

/* Leave the function with the second status of a call that failed for want of memory or a disk that did. */
#define DO(call)                                                                                             \
    do {                                                                                                     \
        stoa_status done = (call);                                                                           \
        if (is_worth_another_try(done)) {                                                                    \
            done = (call);                                                                                   \
        }                                                                                                    \
        if (done != STOA_OK) {                                                                               \
            return done;                                                                                     \
        }                                                                                                    \
    } while (0)

struct host {
    stoa_context *context;
    stoa_model *model, *loaded, *copy;
    stoa_dataset *train, *test;
    stoa_plan *plan;
};

static void clear(struct host *host) {
    stoa_plan_free(host->plan);
    stoa_dataset_free(host->test);
    stoa_dataset_free(host->train);
    stoa_model_free(host->copy);
    stoa_model_free(host->loaded);
    stoa_model_free(host->model);
    stoa_context_free(host->context);
}

/* Layers that cannot be added are refused when the model is built, which then begins anew. */
static stoa_status build(stoa_context *context, stoa_model **model) {
    stoa_status status = stoa_model_create(context, model);
    if (status != STOA_OK) {
        return status;
    }
    stoa_model_input(*model, 6, 6, 1);
    stoa_model_add(*model, "c1", "conv2d filters=4 kernel=3");
    stoa_model_add(*model, "b1", "batchnorm");
    stoa_model_add(*model, "r1", "relu");
    stoa_model_add(*model, "p1", "maxpool2d size=2");
    stoa_model_add(*model, "l1", "linear units=3");
    status = stoa_model_build(*model);
    if (status != STOA_OK) {
        stoa_model_free(*model);
        *model = NULL;
    }
    return status;
}

/* From the same first weights each time. */
static stoa_status train(const struct host *host) {
    const stoa_train_options options = {
        .epochs = 2, .batch = 8, .learning_rate = 0.01F, .seed = 1, .freeze = "c1", .lr_scale = "l1=2"};
    DO(stoa_model_init(host->model, 1));
    return stoa_train(host->context, host->model, host->train, host->test, &options, NULL);
}

static stoa_status save_and_load(struct host *host, const char *path) {
    void *data = NULL;
    size_t bytes = 0;
    DO(stoa_model_set_fact(host->model, "note", "a fact that is longer than a few words"));
    DO(stoa_model_save(host->model, path));
    DO(stoa_model_load(host->context, path, &host->loaded));
    DO(stoa_model_load_matching(host->loaded, path, NULL, NULL));
    DO(stoa_model_save_memory(host->loaded, &data, &bytes));
    stoa_status status = stoa_model_load_memory(host->context, data, bytes, &host->copy);
    if (is_worth_another_try(status)) {
        status = stoa_model_load_memory(host->context, data, bytes, &host->copy);
    }
    stoa_buffer_free(host->context, data, bytes);
    return status;
}

static stoa_status infer(struct host *host) {
    const stoa_plan_options options = {.batch = BATCH, .prepare = true};
    const float *output = NULL;
    DO(stoa_plan_create(host->context, host->copy, &options, &host->plan));
    DO(stoa_plan_bind(host->plan, NULL));
    for (int i = 0; i < BATCH * 36; i++) {
        stoa_plan_input(host->plan)[i] = (float)(i % 17) / 17.0F;
    }
    DO(stoa_plan_infer(host->plan, BATCH, &output));
    for (int i = 0; i < BATCH * 3; i++) {
        (void)printf("%.9g\n", (double)output[i]);
    }
    return STOA_OK;
}

static stoa_status run(struct host *host, const char *data, const char *path) {
    const stoa_data_options options = {.classes = 3, .height = 6, .width = 6, .channels = 1};
    DO(build(host->context, &host->model));
    DO(stoa_dataset_load(host->context, data, &options, &host->train, &host->test));
    DO(train(host));
    DO(save_and_load(host, path));
    return infer(host);
}

int main(int count, char **arguments) {
    long blocks = 0;
    struct host host = {0};
    const stoa_context_options options = {.threads = 1, .allocator = {take, give_back, &blocks}};
    if (count != 3) {
        return 2;
    }
    stoa_status status = stoa_context_create(&options, &host.context);
    if (is_worth_another_try(status)) {
        status = stoa_context_create(&options, &host.context);
    }
    const char *sentence = stoa_status_text(status);
    if (status == STOA_OK) {
        status = run(&host, arguments[1], arguments[2]);
        sentence = stoa_context_error(host.context);
    }
    bool failed = status != STOA_OK;
    if (failed) {
        (void)fprintf(stderr, "stoa: %s\n", sentence);
    } else if (fflush(stdout) != 0) {
        failed = true;
        (void)fputs("stoa: standard output: a write failed\n", stderr);
    }
    clear(&host);
    if (blocks != 0) {
        (void)fprintf(stderr, "%ld blocks were not given back\n", blocks);
        return LEAKS;
    }
    return failed ? 1 : 0;
}
