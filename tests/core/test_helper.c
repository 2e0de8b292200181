/* SPDX-License-Identifier: MIT */
/* The helping thread: every task once, whoever runs it, and an end at any time. */
#include <stdatomic.h>
#include <time.h>

#include "../base/cmocka_prelude.h"
#include "core/helper.h"

enum { TASKS = 200, ROUNDS = 300 };

struct tally {
    atomic_size_t ran[TASKS];
    atomic_size_t inside[2]; /* a thread's scratch is its own */
    atomic_size_t wrong;
};

static void count(void *argument, size_t task, size_t thread) {
    struct tally *tally = argument;
    if (task >= TASKS || thread > 1 || atomic_fetch_add(&tally->inside[thread], 1) != 0) {
        atomic_fetch_add(&tally->wrong, 1);
        return;
    }
    if (thread == 1) {
        /* Slow, so that its owner has to wait for it. */
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    atomic_fetch_add(&tally->ran[task], 1);
    atomic_fetch_sub(&tally->inside[thread], 1);
}

static stoa_context *make_context(size_t threads) {
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = threads}, &context), STOA_OK);
    return context;
}

static void runs_every_task_once(void **state) {
    (void)state;
    for (size_t threads = 1; threads <= 3; threads++) {
        stoa_context *context = make_context(threads);
        struct stoa_helper *helper = stoa_helper_create(context);
        struct tally tally = {.wrong = 0};
        assert_non_null(helper);
        stoa_helper_finish(helper); /* nothing was begun */
        for (size_t round = 1; round <= ROUNDS; round++) {
            size_t tasks = round % 3 == 0 ? TASKS : round % 7;
            stoa_helper_begin(helper, tasks, count, &tally);
            if (round % 10 == 0) {
                /* The helper is in the middle of a task then. */
                (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            }
            stoa_helper_finish(helper);
            for (size_t i = 0; i < tasks; i++) {
                assert_int_equal(atomic_exchange(&tally.ran[i], 0), 1);
            }
        }
        assert_int_equal(atomic_load(&tally.wrong), 0);
        for (size_t i = 0; i < TASKS; i++) {
            assert_int_equal(atomic_load(&tally.ran[i]), 0);
        }
        stoa_helper_free(helper);
        stoa_context_free(context);
    }
}

/* Once it is released no task is under way, and none begins. */
static void ends_with_work_left(void **state) {
    (void)state;
    stoa_context *context = make_context(2);
    for (size_t round = 0; round < ROUNDS; round++) {
        struct stoa_helper *helper = stoa_helper_create(context);
        struct tally tally = {.wrong = 0};
        stoa_helper_begin(helper, TASKS, count, &tally);
        stoa_helper_free(helper);
        assert_int_equal(atomic_load(&tally.inside[0]) + atomic_load(&tally.inside[1]), 0);
        assert_int_equal(atomic_load(&tally.wrong), 0);
    }
    stoa_helper_free(NULL);
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_every_task_once),
        cmocka_unit_test(ends_with_work_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
