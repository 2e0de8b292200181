/* SPDX-License-Identifier: MIT */
/* What a host program may rely on: a network trained with a callback, its own allocator, its own threads, its
 * own stdout, and fork. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

enum { SIZE = 8, PIXELS = SIZE * SIZE, CLASSES = 3, SAMPLES = 100 };

static float images[SAMPLES * PIXELS];
static int32_t labels[SAMPLES];

/* A bright band at a height that says the class. */
static void make_images(void) {
    fill(images, SAMPLES * PIXELS, 7);
    for (size_t n = 0; n < SAMPLES; n++) {
        labels[n] = (int32_t)(n * 7 % CLASSES);
        for (size_t i = 0; i < PIXELS; i++) {
            images[n * PIXELS + i] =
                0.3F * images[n * PIXELS + i] + (i / SIZE / 3 == (size_t)labels[n] ? 1.0F : 0.0F);
        }
    }
}

static stoa_model *make_model(stoa_context *context) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, SIZE, SIZE, 1);
    stoa_model_add(model, "c1", "conv2d filters=6 kernel=3 pad=1");
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "p1", "maxpool2d size=2");
    stoa_model_add(model, "d1", "dropout p=0.1");
    stoa_model_add(model, "f1", "linear units=3");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 5), STOA_OK);
    return model;
}

struct seen {
    size_t steps, epochs;
    double accuracy;
};

static bool watch(void *user, const stoa_progress *progress) {
    struct seen *seen = user;
    seen->steps += !progress->epoch_done;
    seen->epochs += progress->epoch_done;
    seen->accuracy = progress->epoch_done ? progress->test_accuracy : seen->accuracy;
    return false;
}

/* Train a new model; the caller frees it. */
static stoa_model *train(stoa_context *context, struct seen *seen) {
    stoa_model *model = make_model(context);
    stoa_dataset *data = NULL;
    assert_int_equal(
        stoa_dataset_from_arrays(context, images, labels, SAMPLES, SIZE, SIZE, 1, CLASSES, &data), STOA_OK);
    stoa_train_options options = {.epochs = 8, .batch = 16, .seed = 3, .learning_rate = 0.01F};
    assert_int_equal(stoa_train(context, model, data, data, &options,
                                &(stoa_train_callbacks){.progress = watch, .user = seen}),
                     STOA_OK);
    stoa_dataset_free(data);
    return model;
}

static void trains_with_a_callback(void **state) {
    (void)state;
    stoa_context *context = new_context(2, STOA_POLICY_DEFAULT, 0);
    struct seen seen = {0};
    stoa_model *model = train(context, &seen);
    assert_int_equal(seen.steps, 8 * 7);
    assert_int_equal(seen.epochs, 8);
    assert_true(seen.accuracy == 1);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* Counts blocks and bytes, and checks that every block comes back with its size. */
struct ledger {
    size_t blocks, bytes, calls, largest;
};

static void *ledger_allocate(void *user, size_t bytes, size_t alignment) {
    struct ledger *ledger = user;
    assert_true(alignment >= 64 && (alignment & (alignment - 1)) == 0);
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, bytes + alignment) != 0) {
        return NULL;
    }
    memcpy(memory, &bytes, sizeof bytes);
    ledger->blocks++;
    ledger->calls++;
    ledger->bytes += bytes;
    ledger->largest = bytes > ledger->largest ? bytes : ledger->largest;
    return (char *)memory + alignment;
}

static void ledger_release(void *user, void *memory, size_t bytes) {
    struct ledger *ledger = user;
    size_t stored;
    char *block = (char *)memory - 64;
    memcpy(&stored, block, sizeof stored);
    assert_int_equal(stored, bytes);
    ledger->blocks--;
    ledger->bytes -= bytes;
    free(block);
}

static void balances_its_allocator(void **state) {
    (void)state;
    struct ledger ledger = {0};
    stoa_context_options options = {.threads = 2, .allocator = {ledger_allocate, ledger_release, &ledger}};
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    struct seen seen = {0};
    stoa_model *model = train(context, &seen);
    stoa_plan *plan = NULL;
    assert_int_equal(stoa_plan_create(context, model, &(stoa_plan_options){.batch = 2000}, &plan), STOA_OK);
    size_t before = ledger.blocks;
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    assert_int_equal(ledger.blocks, before + 1);
    assert_int_equal(ledger.largest, stoa_plan_bytes(plan));
    stoa_plan_free(plan);
    void *data = NULL;
    size_t bytes = 0;
    assert_int_equal(stoa_model_save_memory(model, &data, &bytes), STOA_OK);
    stoa_buffer_free(context, data, bytes);
    stoa_model_free(model);
    stoa_context_free(context);
    assert_true(ledger.calls >= 4);
    assert_int_equal(ledger.blocks, 0);
    assert_int_equal(ledger.bytes, 0);
}

/* An allocator that gives so many blocks. */
struct poor {
    size_t gives, asked, given_back;
};

static void *poor_allocate(void *user, size_t bytes, size_t alignment) {
    struct poor *poor = user;
    return poor->asked++ < poor->gives ? aligned_alloc(alignment, bytes) : NULL;
}

static void poor_release(void *user, void *memory, size_t bytes) {
    (void)bytes;
    ((struct poor *)user)->given_back++;
    free(memory);
}

static void survives_an_allocator_without_memory(void **state) {
    (void)state;
    struct poor poor = {0};
    stoa_context_options options = {.threads = 1, .allocator = {poor_allocate, poor_release, &poor}};
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&options, &context), STOA_ERR_MEMORY);
    assert_null(context);
    poor = (struct poor){.gives = 1}; /* the context's own */
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, 4);
    stoa_model_add(model, "f1", "linear units=2");
    check_refused(context, stoa_model_build(model), STOA_ERR_MEMORY, "cannot allocate");
    assert_true(poor.asked > 1);
    stoa_model_free(model);
    stoa_context_free(context);
    assert_int_equal(poor.given_back, 1);
}

struct reader {
    stoa_model *model;
    const float *expected;
    size_t threads;
    bool same;
};

/* Inference in batches of several sizes with a context and a plan of its own. */
static void infer_all(stoa_context *context, stoa_model *model, float *out) {
    stoa_plan *plan = NULL;
    assert_int_equal(stoa_plan_create(context, model, &(stoa_plan_options){.batch = 32}, &plan), STOA_OK);
    assert_int_equal(stoa_plan_bind(plan, NULL), STOA_OK);
    for (size_t first = 0; first < SAMPLES;) {
        size_t samples = SAMPLES - first < 32 ? SAMPLES - first : 32;
        const float *output;
        memcpy(stoa_plan_input(plan), images + first * PIXELS, samples * PIXELS * sizeof(float));
        assert_int_equal(stoa_plan_infer(plan, samples, &output), STOA_OK);
        memcpy(out + first * CLASSES, output, samples * CLASSES * sizeof(float));
        first += samples;
    }
    stoa_plan_free(plan);
}

static void *read_model(void *argument) {
    struct reader *reader = argument;
    stoa_context *context = new_context(reader->threads, STOA_POLICY_DEFAULT, 0);
    float out[SAMPLES * CLASSES];
    reader->same = true;
    for (int i = 0; i < 20; i++) {
        infer_all(context, reader->model, out);
        reader->same = reader->same && memcmp(out, reader->expected, sizeof out) == 0;
    }
    stoa_context_free(context);
    return NULL;
}

static void shares_a_model_between_threads(void **state) {
    (void)state;
    stoa_context *context = new_context(1, STOA_POLICY_DEFAULT, 0);
    struct seen seen = {0};
    stoa_model *model = train(context, &seen);
    float expected[SAMPLES * CLASSES];
    infer_all(context, model, expected);
    pthread_t threads[4];
    struct reader readers[4];
    for (size_t i = 0; i < 4; i++) {
        readers[i] = (struct reader){.model = model, .expected = expected, .threads = 1 + i % 3};
        assert_int_equal(pthread_create(&threads[i], NULL, read_model, &readers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(readers[i].same);
    }
    stoa_model_free(model);
    stoa_context_free(context);
}

/* After a fork the child goes on with its parent's context and with one of its own. */
static void runs_after_a_fork(void **state) {
    (void)state;
    stoa_context *context = new_context(3, STOA_POLICY_DEFAULT, 0);
    struct seen seen = {0};
    stoa_model *model = train(context, &seen);
    float expected[SAMPLES * CLASSES];
    infer_all(context, model, expected);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(60); /* a child that waits for threads it does not have is a failure */
        float out[SAMPLES * CLASSES];
        infer_all(context, model, out);
        bool same = memcmp(out, expected, sizeof out) == 0;
        stoa_context *own = new_context(2, STOA_POLICY_DEFAULT, 0);
        infer_all(own, model, out);
        same = same && memcmp(out, expected, sizeof out) == 0;
        stoa_context_free(own);
        stoa_model_free(model);
        stoa_context_free(context);
        _exit(same ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    float out[SAMPLES * CLASSES];
    infer_all(context, model, out);
    assert_memory_equal(out, expected, sizeof out);
    stoa_model_free(model);
    stoa_context_free(context);
}

/* Everything once with stdout in a file, errors included: the file stays empty. */
static void prints_nothing(void **state) {
    (void)state;
    (void)fflush(stdout);
    FILE *file = tmpfile();
    assert_non_null(file);
    int keep = dup(STDOUT_FILENO);
    assert_true(keep >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    stoa_context *context = new_context(2, STOA_POLICY_DEFAULT, 0);
    struct seen seen = {0};
    stoa_model *model = train(context, &seen);
    stoa_plan *plan = NULL;
    stoa_status refused = stoa_plan_create(context, model, &(stoa_plan_options){.batch = 0}, &plan);
    stoa_blas_info info;
    stoa_blas_describe(&info);
    stoa_model_free(model);
    stoa_context_free(context);
    (void)fflush(stdout);
    (void)dup2(keep, STDOUT_FILENO);
    (void)close(keep);
    assert_int_equal(refused, STOA_ERR_ARGUMENT);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    assert_int_equal(ftell(file), 0);
    (void)fclose(file);
}

/* The ceiling that the tests are linked with holds the shared library too, or they would not see what other
 * CPUs do. */
static void is_held_at_an_instruction_set(void **state) {
    (void)state;
    const char *set = getenv("STOA_CPU");
    char *kept = set ? strdup(set) : NULL;
    assert_int_equal(setenv("STOA_CPU", "base", 1), 0);
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(NULL, &context), STOA_OK);
    assert_int_equal(kept ? setenv("STOA_CPU", kept, 1) : unsetenv("STOA_CPU"), 0);
    assert_int_equal(stoa_context_isa(context), STOA_ISA_BASE);
    stoa_context_free(context);
    free(kept);
}

int main(void) {
    make_images();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trains_with_a_callback),
        cmocka_unit_test(balances_its_allocator),
        cmocka_unit_test(survives_an_allocator_without_memory),
        cmocka_unit_test(shares_a_model_between_threads),
        cmocka_unit_test(runs_after_a_fork),
        cmocka_unit_test(prints_nothing),
        cmocka_unit_test(is_held_at_an_instruction_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
