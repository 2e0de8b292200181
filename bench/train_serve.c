/* SPDX-License-Identifier: MIT */
/* Stoa as a process that trains when it is asked, so that its memory is its own. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/allocations.h"
#include "bench/recipes.h"
#include "bench/train_peer.h"
#include "cli/arguments.h"

static int take_steps(struct bench_training *training, size_t count) {
    double start = bench_now();
    for (size_t i = 0; i < count; i++) {
        bench_training_step(training);
    }
    (void)printf("%.9g\n", bench_now() - start);
    return training->status == STOA_OK ? CLI_DONE : cli_fail_library(training->context, training->status);
}

static int answer(struct bench_training *training, char *question) {
    static const char steps[] = "steps ";
    enum { MOST = 1 << 30 };
    uint64_t count;
    question[strcspn(question, "\n")] = '\0';
    if (strcmp(question, "memory") == 0) {
        (void)printf("%zu %zu\n", bench_resident_peak(),
                     stoa_plan_bytes(stoa_trainer_plan(training->trainer)));
        return CLI_DONE;
    }
    if (strncmp(question, steps, strlen(steps)) == 0 &&
        cli_read_count(question + strlen(steps), 1, MOST, &count)) {
        return take_steps(training, (size_t)count);
    }
    return cli_fail(CLI_WRONG, "--serve: found '%s', expected 'steps N' or 'memory'", question);
}

int bench_train_serve(struct bench *bench, const char *path) {
    struct bench_training training;
    int code = bench_training_open(bench->context, path, bench->options.batch, true, &training);
    (void)signal(SIGINT, SIG_IGN); /* who asks says when it ends */
    if (code == CLI_DONE) {
        (void)printf("stoa\n%zu thread%s\n%zu", bench->threads, bench->threads == 1 ? "" : "s",
                     stoa_model_parameter_count(training.model));
        for (int i = 0; i < BENCH_FIRST_LOSSES; i++) {
            bench_training_step(&training);
            (void)printf(" %.9g", training.loss);
        }
        (void)puts("");
        (void)fflush(stdout);
    }
    char line[64];
    while (code == CLI_DONE && fgets(line, sizeof line, stdin)) {
        code = answer(&training, line);
        (void)fflush(stdout);
    }
    bench_training_close(&training);
    return code;
}
