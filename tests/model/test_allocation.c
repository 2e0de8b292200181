/* SPDX-License-Identifier: MIT */
/* After the first step, training and inference allocate nothing: malloc and its siblings are counted, in all
 * threads.
 *
 * The program defines the symbols itself, so that the library, OpenBLAS and libc call these; glibc's own are
 * behind them. Exit 77 (skipped) where that does not work: under a sanitizer, and without glibc. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_COUNT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CAN_COUNT 0
#endif
#endif
#if !defined(CAN_COUNT) && defined(__GLIBC__)
#define CAN_COUNT 1
#elif !defined(CAN_COUNT)
#define CAN_COUNT 0
#endif

#if CAN_COUNT

static atomic_size_t calls;

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

/* Exported, whatever the build's visibility: the shared libraries must find them. */
#pragma GCC visibility push(default)
void *malloc(size_t bytes) {
    atomic_fetch_add(&calls, 1);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    atomic_fetch_add(&calls, 1);
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
    atomic_fetch_add(&calls, 1);
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    atomic_fetch_add(&calls, 1);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    atomic_fetch_add(&calls, 1);
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : ENOMEM;
}
#pragma GCC visibility pop

enum { BATCH = 32, STEPS = 20, PIXELS = 28 * 28, CLASSES = 10 };

static const char *const lenet5[] = {"conv2d filters=6 kernel=5 pad=2",
                                     "relu",
                                     "avgpool2d size=2",
                                     "conv2d filters=16 kernel=5",
                                     "relu",
                                     "avgpool2d size=2",
                                     "linear units=120",
                                     "relu",
                                     "linear units=84",
                                     "relu",
                                     "linear units=10",
                                     NULL};
static const char *const modern[] = {"conv2d filters=8 kernel=3 pad=1",
                                     "batchnorm",
                                     "relu",
                                     "maxpool2d size=2",
                                     "conv2d filters=8 kernel=3 groups=8 pad=same",
                                     "batchnorm",
                                     "relu",
                                     "dropout p=0.25",
                                     "conv2d filters=12 kernel=1",
                                     "maxpool2d size=3 stride=2 pad=1",
                                     "flatten",
                                     "linear units=10",
                                     NULL};

static float images[BATCH * PIXELS];
static int32_t labels[BATCH];

static void must(stoa_status status, const stoa_context *context) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
        exit(1);
    }
}

static stoa_model *make_model(stoa_context *context, const char *const *layers) {
    stoa_model *model;
    must(stoa_model_create(context, &model), context);
    stoa_model_input(model, 28, 28, 1);
    for (int i = 0; layers[i]; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "n%d", i);
        stoa_model_add(model, name, layers[i]);
    }
    must(stoa_model_build(model), context);
    must(stoa_model_init(model, 1), context);
    return model;
}

static void step(stoa_context *context, stoa_trainer *trainer, size_t samples) {
    double loss;
    const float *output;
    memcpy(stoa_plan_input(stoa_trainer_plan(trainer)), images, samples * PIXELS * sizeof *images);
    must(stoa_trainer_step(trainer, samples, (stoa_targets){.labels = labels}, &loss, &output), context);
}

/* What stoa_train() reports: the count after the first step of the epoch, and after the last. */
struct epoch_calls {
    size_t first, last;
};

static bool note_calls(void *user, const stoa_progress *progress) {
    struct epoch_calls *noted = user;
    if (!progress->epoch_done) {
        noted->last = atomic_load(&calls);
        noted->first = progress->step == 1 ? noted->last : noted->first;
    }
    return false;
}

/* Allocations between the first and the last step of an epoch with augmentation. */
static size_t count_augmented(stoa_context *context, stoa_model *model) {
    enum { SAMPLES = BATCH * 4 + 7 };
    static float many[SAMPLES * PIXELS];
    static int32_t classes[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++) {
        memcpy(many + i * PIXELS, images + i % BATCH * PIXELS, PIXELS * sizeof *many);
        classes[i] = labels[i % BATCH];
    }
    stoa_dataset *data;
    must(stoa_dataset_from_arrays(context, many, classes, SAMPLES, 28, 28, 1, CLASSES, &data), context);
    stoa_train_options options = {
        .batch = BATCH,
        .augment = "shift=2 rotate=10 scale=0.1 shear=5 elastic=1 flip=0.5 erase=0.5 noise=0.1"};
    struct epoch_calls noted = {0, 0};
    must(stoa_train(context, model, data, NULL, &options,
                    &(stoa_train_callbacks){.progress = note_calls, .user = &noted}),
         context);
    stoa_dataset_free(data);
    return noted.last - noted.first;
}

static void count_step(void *user, const stoa_observed_step *observed) {
    (void)observed;
    (void)atomic_fetch_add((atomic_size_t *)user, 1);
}

/* Allocations of training steps after the first, whole batches and partial ones, some of them observed. */
static size_t count_training(stoa_context *context, stoa_model *model, const char *optimizer) {
    stoa_train_options options = {.batch = BATCH, .optimizer = optimizer, .schedule = "one_cycle"};
    stoa_trainer *trainer;
    must(stoa_trainer_create(context, model, &options, 1 + STEPS, &trainer), context);
    step(context, trainer, BATCH);
    atomic_size_t observed = 0;
    size_t before = atomic_load(&calls);
    for (int i = 0; i < STEPS; i++) {
        stoa_plan_observe(stoa_trainer_plan(trainer), i % 4 == 2 ? count_step : NULL, &observed);
        step(context, trainer, i % 3 == 1 ? 7 : BATCH);
    }
    size_t after = atomic_load(&calls);
    stoa_trainer_free(trainer);
    if (atomic_load(&observed) == 0) {
        (void)fprintf(stderr, "no step was told of\n");
        exit(1);
    }
    return after - before;
}

static void infer(stoa_context *context, stoa_plan *plan, size_t samples) {
    const float *output;
    memcpy(stoa_plan_input(plan), images, samples * PIXELS * sizeof *images);
    must(stoa_plan_infer(plan, samples, &output), context);
}

/* Also while the weights change, so that they are prepared again. */
static size_t count_inference(stoa_context *context, stoa_model *model) {
    stoa_plan_options options = {.batch = BATCH, .prepare = true};
    stoa_plan *plan;
    float weight[8 * 25] = {0};
    stoa_tensor_info first;
    must(stoa_model_tensor(model, 0, &first), context);
    if (first.count > sizeof weight / sizeof *weight) {
        exit(1);
    }
    must(stoa_plan_create(context, model, &options, &plan), context);
    must(stoa_plan_bind(plan, NULL), context);
    infer(context, plan, BATCH);
    size_t before = atomic_load(&calls);
    for (int i = 0; i < STEPS; i++) {
        if (i % 4 == 3) {
            must(stoa_model_set_tensor(model, 0, weight, first.count), context);
        }
        infer(context, plan, i % 3 == 1 ? 1 : BATCH);
    }
    size_t after = atomic_load(&calls);
    stoa_plan_free(plan);
    return after - before;
}

static size_t check(const char *name, const char *const *layers, size_t threads, const char *optimizer) {
    stoa_context_options options = {.threads = threads};
    stoa_context *context;
    if (stoa_context_create(&options, &context) != STOA_OK) {
        exit(1);
    }
    stoa_model *model = make_model(context, layers);
    size_t training = count_training(context, model, optimizer);
    size_t inference = count_inference(context, model);
    size_t augmented = count_augmented(context, model);
    (void)printf("%s, %zu threads, %s: %zu allocations in %d training steps, %zu in %d inferences, %zu with "
                 "augmentation\n",
                 name, threads, optimizer, training, STEPS, inference, STEPS, augmented);
    stoa_model_free(model);
    stoa_context_free(context);
    return training + inference + augmented;
}

/* Allocations in runs of a plan of one convolution, made for operands that are all copied. */
static size_t check_conv(size_t threads, stoa_conv2d_pass pass) {
    enum { SIDE = 12, C = 8, K = 20, FLOATS = BATCH * SIDE * SIDE * K };
    static float x[FLOATS];
    static float y[FLOATS];
    static float weight[3 * 3 * C * K];
    static float dbias[K];
    const stoa_conv2d conv = {.batch = BATCH,
                              .height = SIDE,
                              .width = SIDE,
                              .channels = C,
                              .filters = K,
                              .kernel_height = 3,
                              .kernel_width = 3};
    const stoa_conv2d_plan_options planned = {.pass = pass,
                                              .x_layout = STOA_NCHW,
                                              .y_layout = STOA_NCHW,
                                              .weight_layout = STOA_OIHW,
                                              .accumulate = pass != STOA_CONV2D_FORWARD};
    stoa_context_options options = {.threads = threads};
    stoa_context *context;
    stoa_conv2d_plan *plan;
    if (stoa_context_create(&options, &context) != STOA_OK ||
        stoa_conv2d_plan_create(context, &conv, &planned, &plan) != STOA_OK) {
        exit(1);
    }
    size_t bytes = stoa_conv2d_plan_workspace_bytes(plan);
    void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
    const stoa_conv2d_operands operands = {.x = x,
                                           .weight = weight,
                                           .dy = y,
                                           .y = y,
                                           .dx = x,
                                           .dweight = weight,
                                           .dbias = dbias,
                                           .workspace = workspace,
                                           .workspace_bytes = bytes};
    size_t before = 0;
    for (size_t i = 0; i < STEPS; i++) {
        if (i == 1) {
            before = atomic_load(&calls);
        }
        if (stoa_conv2d_plan_run(plan, i % 3 == 1 ? 1 : BATCH, &operands) != STOA_OK) {
            exit(1);
        }
    }
    size_t found = atomic_load(&calls) - before;
    (void)printf("pass %d of a planned convolution, %zu threads: %zu allocations\n", (int)pass, threads,
                 found);
    free(workspace);
    stoa_conv2d_plan_free(plan);
    stoa_context_free(context);
    return found;
}

int main(void) {
    for (size_t i = 0; i < (size_t)BATCH * PIXELS; i++) {
        images[i] = (float)(i * 31 % 97) / 97.0F;
    }
    for (int i = 0; i < BATCH; i++) {
        labels[i] = i % CLASSES;
    }
    size_t found = 0;
    size_t before = atomic_load(&calls);
    for (size_t threads = 1; threads <= 3; threads += 2) {
        found += check("lenet5", lenet5, threads, "adam");
        found += check("batch norm, dropout, max pooling", modern, threads, "sgd momentum=0.9");
        for (int pass = 0; pass < 3; pass++) {
            found += check_conv(threads, (stoa_conv2d_pass)pass);
        }
    }
    if (atomic_load(&calls) == before) {
        (void)fprintf(stderr, "building models allocated nothing: the counter does not count\n");
        return 1;
    }
    return found == 0 ? 0 : 1;
}

#else

int main(void) {
    (void)puts("cannot count allocations here");
    return 77;
}

#endif
