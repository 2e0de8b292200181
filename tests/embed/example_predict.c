/* SPDX-License-Identifier: MIT */
/* How a program loads a model once and predicts from several threads: the model is shared read-only, each
 * thread has a context and a plan of its own. example_predict MODEL_FILE, a file that example_train wrote. */
#include <pthread.h>
#include <stdio.h>
#include <stoa/stoa.h>

enum { SIZE = 6, PIXELS = SIZE * SIZE, CLASSES = 3, BATCH = 4, THREADS = 4, ROUNDS = 50 };

struct reader {
    stoa_model *model;
    int right, asked;
};

/* Fill the plan's input; sample n has its band where class n % CLASSES has it. */
static void draw(float *input, int first) {
    for (int i = 0; i < BATCH * PIXELS; i++) {
        input[i] = i % PIXELS / SIZE / 2 == (first + i / PIXELS) % CLASSES ? 1.0F : 0.1F;
    }
}

static int class_of(const float *scores) {
    int best = 0;
    for (int c = 1; c < CLASSES; c++) {
        best = scores[c] > scores[best] ? c : best;
    }
    return best;
}

static stoa_status ask(stoa_plan *plan, struct reader *reader) {
    for (int round = 0; round < ROUNDS; round++) {
        const float *output;
        draw(stoa_plan_input(plan), round);
        stoa_status status = stoa_plan_infer(plan, BATCH, &output); /* allocates nothing */
        if (status != STOA_OK) {
            return status;
        }
        for (int n = 0; n < BATCH; n++, reader->asked++) {
            reader->right += class_of(output + n * CLASSES) == (round + n) % CLASSES;
        }
    }
    return STOA_OK;
}

static void *predict(void *argument) {
    struct reader *reader = argument;
    /* Many readers at once are best served with one thread each. */
    const stoa_context_options options = {.threads = 1};
    stoa_context *context;
    stoa_plan *plan = NULL;
    if (stoa_context_create(&options, &context) != STOA_OK) {
        return NULL;
    }
    /* Many runs with the same weights: let the plan keep them prepared. */
    stoa_status status = stoa_plan_create(context, reader->model,
                                          &(stoa_plan_options){.batch = BATCH, .prepare = true}, &plan);
    if (status == STOA_OK) {
        status = stoa_plan_bind(plan, NULL);
    }
    if (status == STOA_OK) {
        status = ask(plan, reader);
    }
    if (status != STOA_OK) {
        fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
    }
    stoa_plan_free(plan);
    stoa_context_free(context);
    return NULL;
}

int main(int argc, char **argv) {
    stoa_context *context;
    if (argc != 2 || stoa_context_create(NULL, &context) != STOA_OK) {
        return 2;
    }
    stoa_model *model = NULL;
    if (stoa_model_load(context, argv[1], &model) != STOA_OK) {
        fprintf(stderr, "%s\n", stoa_context_error(context));
        stoa_context_free(context);
        return 1;
    }
    struct reader readers[THREADS] = {0};
    pthread_t threads[THREADS];
    int started = 0, right = 0;
    while (started < THREADS) {
        readers[started].model = model;
        if (pthread_create(&threads[started], NULL, predict, &readers[started]) != 0) {
            break;
        }
        started++;
    }
    for (int i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
        right += readers[i].right;
    }
    printf("%d of %d right\n", right, THREADS * ROUNDS * BATCH);
    stoa_model_free(model);
    stoa_context_free(context);
    return right == THREADS * ROUNDS * BATCH ? 0 : 1;
}
