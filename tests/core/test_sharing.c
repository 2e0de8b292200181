/* SPDX-License-Identifier: MIT */
/* Threads that contexts share, and threads that are the host's: every task once, each thread number in one
 * place at a time with scratch of its own, whoever else computes and however the host calls the bodies. Also
 * clean under -fsanitize=thread. */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/cmocka_prelude.h"
#include "core/helper.h"
#include "core/threads.h"

enum { MOST_TASKS = 200, MOST_THREADS = 8 };

/* What one loop did; not atomic where the loop promises that only one thread writes. */
struct tally {
    size_t threads;
    unsigned runs[MOST_TASKS];
    atomic_uint users[MOST_THREADS];
    pthread_t caller;
    atomic_size_t elsewhere; /* tasks that did not run in the caller */
    atomic_bool wrong;
};

static void count(void *argument, size_t task, size_t thread) {
    struct tally *tally = argument;
    if (thread >= tally->threads || atomic_fetch_add(&tally->users[thread], 1) != 0) {
        atomic_store(&tally->wrong, true);
    }
    /* Whoever has the same scratch at the same time is a race. */
    float *scratch = stoa_scratch();
    scratch[0] = (float)task;
    scratch[STOA_SCRATCH_FLOATS - 1] = (float)task;
    tally->runs[task]++;
    if (task % 8 == 0) {
        (void)sched_yield(); /* others come in between, even on one CPU */
    }
    if (!pthread_equal(pthread_self(), tally->caller)) {
        atomic_fetch_add(&tally->elsewhere, 1);
    }
    if (scratch[0] != (float)task || scratch[STOA_SCRATCH_FLOATS - 1] != (float)task) {
        atomic_store(&tally->wrong, true);
    }
    atomic_fetch_sub(&tally->users[thread], 1);
}

/* Returns how many tasks ran in other threads. */
static size_t run_loop(const stoa_context *context, size_t tasks) {
    struct tally *tally = calloc(1, sizeof *tally);
    if (!tally) {
        abort();
    }
    tally->threads = context->threads;
    tally->caller = pthread_self();
    stoa_parallel(context, tasks, count, tally);
    bool right = !atomic_load(&tally->wrong);
    for (size_t i = 0; i < MOST_TASKS; i++) {
        right = right && tally->runs[i] == (i < tasks ? 1 : 0);
    }
    size_t elsewhere = atomic_load(&tally->elsewhere);
    free(tally);
    if (!right) {
        /* Not cmocka's: it may not be the thread that runs the test. */
        (void)fprintf(stderr, "%zu tasks on %zu threads: not each once, or two in one place\n", tasks,
                      context->threads);
        abort();
    }
    return elsewhere;
}

static stoa_context *make(stoa_context_options options) {
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    return context;
}

/* Threads of this process; 0 where the system does not tell. */
static size_t process_threads(void) {
    DIR *folder = opendir("/proc/self/task");
    size_t threads = 0;
    while (folder && readdir(folder)) {
        threads++;
    }
    if (folder) {
        (void)closedir(folder);
    }
    return threads;
}

/* A thread that was joined may be seen a moment longer. */
static void expect_threads(size_t expected) {
    for (size_t i = 0; i < 2000 && process_threads() != expected; i++) {
        (void)usleep(1000);
    }
    assert_int_equal(process_threads(), expected);
}

static void *end_at_once(void *argument) {
    return argument;
}

/* Threads before a test: a sanitizer begins its own beside a program's first. */
static size_t threads_before(void) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, end_at_once, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)usleep(20000);
    return process_threads();
}

struct user {
    stoa_context *context;
    size_t loops, elsewhere;
};

static void *use(void *argument) {
    struct user *user = argument;
    for (size_t i = 0; i < user->loops; i++) {
        user->elsewhere += run_loop(user->context, 1 + i % MOST_TASKS);
    }
    return NULL;
}

static void contexts_share_threads(void **state) {
    (void)state;
    size_t before = threads_before();
    stoa_context *lender = make((stoa_context_options){.threads = 3});
    struct user users[] = {
        {lender, 3000, 0}, {make((stoa_context_options){.threads_of = lender}), 3000, 0}, {NULL, 3000, 0}};
    users[2].context = make((stoa_context_options){.threads_of = users[1].context, .threads = 3});
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stoa_context_threads(users[i].context), 3);
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    expect_threads(before > 0 ? before + 2 : 0);
    /* One by one each has the threads for itself. */
    for (size_t i = 0; i < 3; i++) {
        size_t elsewhere = 0;
        for (size_t loop = 0; loop < 10000 && elsewhere == 0; loop++) {
            elsewhere = run_loop(users[i].context, MOST_TASKS);
        }
        assert_true(elsewhere > 0);
    }
    for (size_t i = 0; i < 3; i++) {
        stoa_context_free(users[i].context); /* the lender first */
        if (i < 2) {
            (void)run_loop(users[2].context, MOST_TASKS);
            expect_threads(before > 0 ? before + 2 : 0);
        }
    }
    expect_threads(before);
}

/* Threads that a task holds are busy: another context's loop runs in its caller. */
struct held {
    stoa_context *other;
    atomic_bool holds, tried;
    size_t elsewhere;
};

static void *try_other(void *argument) {
    struct held *held = argument;
    while (!atomic_load(&held->holds)) {
        (void)usleep(100);
    }
    held->elsewhere = run_loop(held->other, MOST_TASKS);
    atomic_store(&held->tried, true);
    return NULL;
}

static void hold(void *argument, size_t task, size_t thread) {
    (void)task;
    (void)thread;
    struct held *held = argument;
    atomic_store(&held->holds, true);
    while (!atomic_load(&held->tried)) {
        (void)usleep(100);
    }
}

static void a_loop_runs_alone_while_the_threads_are_busy(void **state) {
    (void)state;
    stoa_context *lender = make((stoa_context_options){.threads = 2});
    stoa_context *borrower = make((stoa_context_options){.threads_of = lender});
    for (size_t i = 0; i < 2; i++) {
        struct held held = {.other = i == 0 ? borrower : lender};
        pthread_t thread;
        const stoa_context *holder = i == 0 ? lender : borrower;
        assert_int_equal(pthread_create(&thread, NULL, try_other, &held), 0);
        stoa_parallel(holder, 2, hold, &held);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(held.elsewhere, 0);
    }
    stoa_context_free(borrower);
    stoa_context_free(lender);
}

/* Ways in which a host may call the bodies. */
typedef void body_fn(void *argument, size_t index);
struct call {
    body_fn *body;
    void *argument;
    size_t index;
};

struct host {
    size_t calls, bodies, most;
};

static void note(struct host *host, size_t bodies) {
    host->calls++;
    host->bodies += bodies;
    host->most = bodies > host->most ? bodies : host->most;
}

static void in_order(void *user, size_t bodies, body_fn *body, void *argument) {
    note(user, bodies);
    for (size_t i = 0; i < bodies; i++) {
        body(argument, i);
    }
}

static void backwards(void *user, size_t bodies, body_fn *body, void *argument) {
    note(user, bodies);
    for (size_t i = bodies; i-- > 0;) {
        body(argument, i);
    }
}

static void *call_body(void *argument) {
    struct call *call = argument;
    call->body(call->argument, call->index);
    return NULL;
}

static void in_threads(void *user, size_t bodies, body_fn *body, void *argument) {
    note(user, bodies);
    pthread_t threads[MOST_THREADS];
    struct call calls[MOST_THREADS];
    for (size_t i = 0; i < bodies; i++) {
        calls[i] = (struct call){body, argument, i};
        assert_int_equal(pthread_create(&threads[i], NULL, call_body, &calls[i]), 0);
    }
    for (size_t i = 0; i < bodies; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* What the contract forbids is survived: bodies left out, and an index that nobody asked for. */
static void carelessly(void *user, size_t bodies, body_fn *body, void *argument) {
    note(user, bodies);
    body(argument, MOST_THREADS + 1);
    if (bodies % 2 == 0) {
        body(argument, bodies - 1);
    }
}

static void the_host_lends_threads(void **state) {
    (void)state;
    void (*const ways[])(void *, size_t, body_fn *, void *) = {in_order, backwards, in_threads, carelessly};
    size_t before = threads_before();
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        for (size_t threads = 1; threads <= MOST_THREADS; threads += way == 2 ? 3 : 1) {
            struct host host = {0};
            stoa_context *context = make((stoa_context_options){
                .threads = threads, .parallel_for = ways[way], .parallel_for_user = &host});
            size_t loops = 0;
            for (size_t tasks = 0; tasks <= MOST_TASKS; tasks += 1 + tasks / 3) {
                (void)run_loop(context, tasks);
                loops += tasks > 1 && threads > 1;
            }
            assert_int_equal(host.calls, loops);
            expect_threads(before);
            assert_true(host.most <= threads);
            stoa_context_free(context);
        }
    }
}

/* A loop inside a task of a host's thread runs there, and the thread has no scratch when it is over. */
static void nest(void *argument, size_t task, size_t thread) {
    (void)task;
    (void)thread;
    assert_int_equal(run_loop(argument, 20), 0);
}

static void a_host_thread_nests_serially(void **state) {
    (void)state;
    struct host host = {0};
    stoa_context *context =
        make((stoa_context_options){.threads = 3, .parallel_for = in_order, .parallel_for_user = &host});
    stoa_parallel(context, 6, nest, context);
    assert_int_equal(host.calls, 1);
    assert_null(stoa_scratch());
    stoa_context_free(context);
}

/* Two contexts, one host, two threads. */
static void borrowers_share_the_hosts_threads(void **state) {
    (void)state;
    struct host host = {0};
    stoa_context *lender =
        make((stoa_context_options){.threads = 3, .parallel_for = in_threads, .parallel_for_user = &host});
    struct user users[] = {{lender, 300, 0}, {make((stoa_context_options){.threads_of = lender}), 300, 0}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(host.calls > 0);
    stoa_context_free(users[1].context);
    stoa_context_free(lender);
}

static void nothing(void *argument, size_t task, size_t thread) {
    (void)task;
    (void)thread;
    ++*(size_t *)argument;
}

/* Nor is there a thread that prepares data. */
static void the_hosts_threads_are_all(void **state) {
    (void)state;
    struct host host = {0};
    stoa_context *context =
        make((stoa_context_options){.threads = 4, .parallel_for = in_order, .parallel_for_user = &host});
    size_t before = threads_before();
    size_t ran = 0;
    struct stoa_helper *helper = stoa_helper_create(context);
    assert_non_null(helper);
    stoa_helper_begin(helper, 50, nothing, &ran);
    (void)usleep(2000);
    assert_int_equal(ran, 0);
    stoa_helper_finish(helper);
    assert_int_equal(ran, 50);
    expect_threads(before);
    stoa_helper_free(helper);
    stoa_context_free(context);
}

static void refuses_what_does_not_fit(void **state) {
    (void)state;
    stoa_context *lender = make((stoa_context_options){.threads = 3});
    stoa_context *context = NULL;
    const stoa_context_options bad[] = {{.threads_of = lender, .threads = 2},
                                        {.threads_of = lender, .threads = 4},
                                        {.threads_of = lender, .parallel_for = in_order}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(stoa_context_create(&bad[i], &context), STOA_ERR_ARGUMENT);
        assert_null(context);
    }
    stoa_context_free(lender);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_share_threads),
        cmocka_unit_test(a_loop_runs_alone_while_the_threads_are_busy),
        cmocka_unit_test(the_host_lends_threads),
        cmocka_unit_test(a_host_thread_nests_serially),
        cmocka_unit_test(borrowers_share_the_hosts_threads),
        cmocka_unit_test(the_hosts_threads_are_all),
        cmocka_unit_test(refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
