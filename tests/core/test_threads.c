/* SPDX-License-Identifier: MIT */
/* The engine's threads: every task once, whatever surrounds the loop. Also clean under -fsanitize=thread. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cmocka_prelude.h"
#include "core/threads.h"

enum { MOST_TASKS = 1000 };

static stoa_context *make_context(size_t threads) {
    stoa_context *context = NULL;
    stoa_context_options options = {.threads = threads};
    if (stoa_context_create(&options, &context) != STOA_OK) {
        abort();
    }
    return context;
}

/* What one loop did. The counts are not atomic on purpose: a task is run by one thread, and the end of the
 * loop makes what it wrote visible. */
struct loop {
    size_t threads;
    bool alone; /* only this thread may run tasks */
    pthread_t only;
    unsigned runs[MOST_TASKS];
    atomic_uint users[256]; /* tasks inside per thread number */
    atomic_bool wrong;
};

static void count(void *argument, size_t task, size_t thread) {
    struct loop *loop = argument;
    if (thread >= loop->threads || atomic_fetch_add(&loop->users[thread % 256], 1) != 0) {
        atomic_store(&loop->wrong, true); /* two tasks with the same scratch */
    }
    loop->runs[task]++;
    atomic_fetch_sub(&loop->users[thread % 256], 1);
}

static bool each_once(const struct loop *loop, size_t tasks) {
    for (size_t i = 0; i < MOST_TASKS; i++) {
        if (loop->runs[i] != (i < tasks ? 1 : 0)) {
            return false;
        }
    }
    return !loop->wrong;
}

static bool run_loop(const stoa_context *context, size_t tasks) {
    struct loop loop = {.threads = context->threads};
    stoa_parallel(context, tasks, count, &loop);
    return each_once(&loop, tasks);
}

static void runs_each_task_once(void **state) {
    (void)state;
    const size_t threads[] = {1, 2, 3, 8, 64};
    const size_t tasks[] = {0, 1, 2, 3, 7, 64, 65, MOST_TASKS};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        stoa_context *context = make_context(threads[t]);
        for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
            assert_true(run_loop(context, tasks[i]));
        }
        stoa_context_free(context);
    }
}

/* Tasks that last, so that all threads are inside one at the same time if there are several. */
static void stay(void *argument, size_t task, size_t thread) {
    struct loop *loop = argument;
    if (thread >= loop->threads || atomic_fetch_add(&loop->users[thread % 256], 1) != 0 ||
        (loop->alone && !pthread_equal(pthread_self(), loop->only))) {
        atomic_store(&loop->wrong, true);
    }
    (void)usleep(500);
    loop->runs[task]++;
    atomic_fetch_sub(&loop->users[thread % 256], 1);
}

static void numbers_its_threads(void **state) {
    (void)state;
    stoa_context *context = make_context(6);
    struct loop loop = {.threads = 6};
    stoa_parallel(context, 200, stay, &loop);
    assert_true(each_once(&loop, 200));
    stoa_context_free(context);
}

struct masks {
    sigset_t of[2]; /* by thread number */
    atomic_bool seen[2];
};

/* The first task of one share waits until all tasks but itself have run: those of its own share must run
 * elsewhere. */
struct waiting {
    size_t tasks, waits;
    atomic_size_t ran;
};

static void wait_for_others(void *argument, size_t task, size_t thread) {
    (void)thread;
    struct waiting *waiting = argument;
    while (task == waiting->waits && atomic_load(&waiting->ran) < waiting->tasks - 1) {
        (void)usleep(100);
    }
    atomic_fetch_add(&waiting->ran, 1);
}

static void takes_over_from_the_slow(void **state) {
    (void)state;
    stoa_context *context = make_context(3);
    const size_t firsts[] = {0, 4, 8}; /* of the shares of 12 tasks */
    for (size_t i = 0; i < 3; i++) {
        struct waiting waiting = {.tasks = 12, .waits = firsts[i]};
        stoa_parallel(context, waiting.tasks, wait_for_others, &waiting);
        assert_int_equal(atomic_load(&waiting.ran), waiting.tasks);
    }
    stoa_context_free(context);
}

/* Where each task ran. */
static void note_thread(void *argument, size_t task, size_t thread) {
    atomic_size_t *threads = argument;
    atomic_store(&threads[task], thread + 1);
    (void)usleep(20000); /* both threads are there, and neither finishes early */
}

/* Not every time, as the system may keep a thread away, but not never. */
static void gives_each_thread_its_share(void **state) {
    (void)state;
    stoa_context *context = make_context(2);
    size_t kept = 0;
    for (size_t i = 0; i < 20; i++) {
        atomic_size_t threads[4] = {0};
        stoa_parallel(context, 4, note_thread, threads);
        kept += threads[0] == 1 && threads[1] == 1 && threads[2] == 2 && threads[3] == 2;
    }
    assert_true(kept > 0);
    stoa_context_free(context);
}

static void look_at_mask(void *argument, size_t task, size_t thread) {
    (void)task;
    struct masks *masks = argument;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &masks->of[thread]);
    atomic_store(&masks->seen[thread], true);
    (void)usleep(500);
}

/* A signal to the process goes to the program's own threads; a fault in a worker is still seen. */
static void leaves_signals_alone(void **state) {
    (void)state;
    stoa_context *context = make_context(2);
    sigset_t before;
    sigset_t after;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &before);
    struct masks masks = {.seen = {false}};
    for (size_t i = 0; i < 100 && !masks.seen[1]; i++) {
        stoa_parallel(context, 20, look_at_mask, &masks);
    }
    assert_true(masks.seen[0] && masks.seen[1]);
    const int left[] = {SIGINT, SIGTERM, SIGCHLD, SIGALRM, SIGUSR1, SIGHUP};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        assert_int_equal(sigismember(&masks.of[1], left[i]), 1);
    }
    assert_int_equal(sigismember(&masks.of[1], SIGSEGV), 0);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int signal = 1; signal < 32; signal++) {
        assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
    }
    stoa_context_free(context);
}

static void runs_many_short_loops(void **state) {
    (void)state;
    stoa_context *context = make_context(3);
    for (size_t i = 0; i < 20000; i++) {
        struct loop *loop = calloc(1, sizeof *loop); /* a late task would write into freed memory */
        assert_non_null(loop);
        loop->threads = 3;
        stoa_parallel(context, i % 5, count, loop);
        assert_true(each_once(loop, i % 5));
        free(loop);
        if (i % 4000 == 0) {
            (void)usleep(2000); /* the workers fall asleep */
        }
    }
    stoa_context_free(context);
}

struct nest {
    const stoa_context *context;
    struct loop inner[8];
    pthread_t caller[8];
    atomic_bool moved;
};

struct nested_task {
    struct nest *nest;
    size_t outer;
};

static void inner_task(void *argument, size_t task, size_t thread) {
    struct nested_task *nested = argument;
    if (!pthread_equal(pthread_self(), nested->nest->caller[nested->outer])) {
        atomic_store(&nested->nest->moved, true);
    }
    count(&nested->nest->inner[nested->outer], task, thread);
}

static void outer_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    struct nested_task nested = {argument, task};
    nested.nest->caller[task] = pthread_self();
    nested.nest->inner[task].threads = 1;
    stoa_parallel(nested.nest->context, 50, inner_task, &nested);
}

/* A loop inside a task runs in the task's own thread. */
static void nests_serially(void **state) {
    (void)state;
    stoa_context *context = make_context(4);
    struct nest *nest = calloc(1, sizeof *nest);
    assert_non_null(nest);
    nest->context = context;
    stoa_parallel(context, 8, outer_task, nest);
    for (size_t i = 0; i < 8; i++) {
        assert_true(each_once(&nest->inner[i], 50));
    }
    assert_false(nest->moved);
    assert_true(run_loop(context, 100));
    free(nest);
    stoa_context_free(context);
}

static void *use_own_context(void *argument) {
    bool *right = argument;
    stoa_context *context = make_context(3);
    *right = true;
    for (size_t i = 0; i < 500; i++) {
        *right = *right && run_loop(context, i % 20);
    }
    stoa_context_free(context);
    return NULL;
}

static void serves_several_contexts(void **state) {
    (void)state;
    pthread_t threads[4];
    bool right[4] = {false};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_own_context, &right[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(right[i]);
    }
}

static bool runs_serially(const stoa_context *context) {
    struct loop loop = {.threads = 1, .alone = true, .only = pthread_self()};
    stoa_parallel(context, 100, stay, &loop);
    return each_once(&loop, 100);
}

static int child_runs(stoa_context *parents) {
    (void)alarm(60); /* waiting for threads that do not exist is a failure */
    stoa_context *own = make_context(4);
    bool right = runs_serially(parents) && runs_serially(own);
    stoa_context_free(own);
    stoa_context_free(parents);
    return right ? 0 : 1;
}

static void runs_after_a_fork(void **state) {
    (void)state;
    stoa_context *context = make_context(3);
    assert_true(run_loop(context, 100));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(child_runs(context));
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(run_loop(context, 100));
    stoa_context_free(context);
}

static void counts_cpus(void **state) {
    (void)state;
    assert_true(stoa_cpu_count() >= 1 && stoa_cpu_count() <= 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_each_task_once),      cmocka_unit_test(numbers_its_threads),
        cmocka_unit_test(leaves_signals_alone),     cmocka_unit_test(runs_many_short_loops),
        cmocka_unit_test(nests_serially),           cmocka_unit_test(serves_several_contexts),
        cmocka_unit_test(takes_over_from_the_slow), cmocka_unit_test(gives_each_thread_its_share),
        cmocka_unit_test(runs_after_a_fork),        cmocka_unit_test(counts_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
