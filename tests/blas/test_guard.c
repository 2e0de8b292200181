/* SPDX-License-Identifier: MIT */
/* The guard that holds the BLAS to one thread. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cmocka_prelude.h"
#include "blas/blas.h"
#include "blas/vendor.h"
#include "tests/blas/forced.h"

static int blas_threads(void) {
    return stoa_blas_vendor()->get_threads();
}

static int guard_set_up(void **state) {
    (void)state;
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (blas->set_threads && blas->get_threads) {
        blas->set_threads(2);
    }
    return 0;
}

/* A BLAS that cannot count to two threads has nothing to restore. */
static bool can_count(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    return blas->set_threads && blas->get_threads && blas->get_threads() == 2;
}

static void restores_the_callers_threads(void **state) {
    (void)state;
    if (!can_count()) {
        skip();
    }
    stoa_blas_enter();
    assert_int_equal(blas_threads(), 1);
    stoa_blas_enter();
    assert_int_equal(blas_threads(), 1);
    stoa_blas_leave();
    assert_int_equal(blas_threads(), 1);
    stoa_blas_leave();
    assert_int_equal(blas_threads(), 2);
    /* What the caller sets in between is the caller's. */
    stoa_blas_vendor()->set_threads(1);
    stoa_blas_enter();
    stoa_blas_leave();
    assert_int_equal(blas_threads(), 1);
}

static void *enter_and_leave(void *argument) {
    bool *right = argument;
    for (int i = 0; i < 3000; i++) {
        stoa_blas_enter();
        if (i % 3 == 0) {
            stoa_blas_enter();
            stoa_blas_leave();
        }
        *right = *right && blas_threads() == 1;
        stoa_blas_leave();
    }
    return NULL;
}

static void guards_several_threads(void **state) {
    (void)state;
    if (!can_count()) {
        skip();
    }
    pthread_t threads[4];
    bool right[4];
    for (size_t i = 0; i < 4; i++) {
        right[i] = true;
        assert_int_equal(pthread_create(&threads[i], NULL, enter_and_leave, &right[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(right[i]);
    }
    assert_int_equal(blas_threads(), 2);
}

static atomic_bool enough;

static void *enter_until_enough(void *argument) {
    while (!atomic_load(&enough)) {
        stoa_blas_enter();
        stoa_blas_leave();
    }
    return argument;
}

static int child_enters(void) {
    (void)alarm(20); /* waiting for a thread that does not exist is a failure */
    stoa_blas_enter();
    bool right = blas_threads() == 1;
    stoa_blas_leave();
    return right && blas_threads() == 2 ? 0 : 1;
}

/* Another thread is anywhere in a region, or on its way in or out, when the program forks. */
static void survives_a_fork_beside_regions(void **state) {
    (void)state;
    if (!can_count()) {
        skip();
    }
    pthread_t thread;
    atomic_store(&enough, false);
    assert_int_equal(pthread_create(&thread, NULL, enter_until_enough, NULL), 0);
    int failed = 0;
    for (int i = 0; i < 40; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            _exit(child_enters());
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    atomic_store(&enough, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(failed, 0);
    assert_int_equal(blas_threads(), 2);
}

int main(void) {
    if (forced_core_is_beyond()) {
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(restores_the_callers_threads, guard_set_up),
        cmocka_unit_test_setup(guards_several_threads, guard_set_up),
        cmocka_unit_test_setup(survives_a_fork_beside_regions, guard_set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
