/* SPDX-License-Identifier: MIT */
/* One training of a row's recipe, from its files on, as `stoa train RECIPE --seed N` does it, with nothing
 * saved. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/seeds.h"
#include "cli/setup.h"

/* What a run works on. */
struct trial {
    struct bench_seed_run *run;
    struct cli_subject subject;
    stoa_dataset *train, *test;
    stoa_recipe_info info;
    double images, training_seconds; /* of epochs that are done */
    double accuracy, loss;           /* on the test data after the last of them */
};

/* --data says where MNIST lies; other sets are found by their names. */
static const char *place_of(const struct trial *trial) {
    return strcmp(trial->info.set, "mnist") == 0 ? trial->run->mnist : NULL;
}

static int open_trial(struct bench_seed_run *run, struct trial *trial) {
    *trial = (struct trial){.run = run};
    char seed[32];
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)run->seed);
    struct cli_given given[] = {{"seed", seed}, {"split-seed", seed}};
    const struct cli_request request = {
        .threads = run->threads, .given = given, .given_count = run->row->splits ? 2 : 1};
    int code = cli_open_context(&request, &trial->subject);
    if (code == CLI_DONE) {
        code = cli_open_recipe(run->row->recipe, &request, &trial->subject);
    }
    if (code == CLI_DONE) {
        stoa_recipe_describe(trial->subject.recipe, &trial->info);
    }
    return code == CLI_DONE
               ? cli_open_data(&trial->subject, place_of(trial), false, &trial->train, &trial->test, NULL)
               : code;
}

static void close_trial(struct trial *trial) {
    stoa_dataset_free(trial->train);
    stoa_dataset_free(trial->test);
    cli_close(&trial->subject);
}

/* The test data are looked at after every epoch, as always; only the last one counts. */
static bool on_progress(void *user, const stoa_progress *progress) {
    struct trial *trial = user;
    if (progress->epoch_done) {
        trial->images += progress->images_per_second * progress->seconds;
        trial->training_seconds += progress->seconds;
        trial->accuracy = progress->test_accuracy;
        trial->loss = progress->test_loss;
    }
    return trial->run->told(trial->run->user, progress);
}

/* How much of what it learned from the trained network knows: not what it got right on the way. */
static int measure_training(struct trial *trial, const char *loss) {
    stoa_evaluation result = {.accuracy = NAN};
    stoa_status status =
        trial->run->row->goal[BENCH_TRAIN].kind == BENCH_NO_GOAL
            ? STOA_OK
            : stoa_evaluate(trial->subject.context, trial->subject.model, trial->train, 0, loss, &result);
    trial->run->value[BENCH_TRAIN] = 100 * result.accuracy;
    return status == STOA_OK ? CLI_DONE : cli_fail_library(trial->subject.context, status);
}

static int train(struct trial *trial) {
    struct cli_setup setup;
    const struct cli_subject *subject = &trial->subject;
    int code = cli_setup_open(NULL, NULL, subject, trial->train, trial->test, &setup);
    stoa_status status = STOA_OK;
    if (code == CLI_DONE) {
        status = stoa_train(subject->context, subject->model, trial->train, trial->test, &setup.options,
                            &(stoa_train_callbacks){.progress = on_progress, .user = trial});
    }
    if (status == STOA_ERR_CANCELLED) {
        code = CLI_SIGNAL;
    } else if (status != STOA_OK) {
        code = cli_fail_library(subject->context, status);
    }
    if (code == CLI_DONE) {
        code = measure_training(trial, setup.options.loss);
    }
    cli_setup_free(&setup);
    return code;
}

/* Of this thread where it is the run's only one. */
static double cpu_now(const struct bench_seed_run *run) {
    struct timespec time = {0};
    if (run->threads != 1) {
        return bench_cpu_now();
    }
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int bench_seed_run(struct bench_seed_run *run) {
    struct trial trial;
    double start = bench_now(), cpu = cpu_now(run);
    int code = open_trial(run, &trial);
    if (code == CLI_DONE) {
        code = train(&trial);
    }
    run->value[BENCH_TEST] = 100 * trial.accuracy;
    run->value[BENCH_LOSS] = trial.loss;
    run->value[BENCH_RATE] = trial.training_seconds > 0 ? trial.images / trial.training_seconds : 0;
    close_trial(&trial);
    run->value[BENCH_SECONDS] = bench_now() - start;
    run->value[BENCH_CPU] = cpu_now(run) - cpu;
    return code;
}

int bench_seed_check(struct bench_seed_run *run) {
    struct trial trial;
    int code = open_trial(run, &trial);
    close_trial(&trial);
    return code;
}
