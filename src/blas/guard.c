/* SPDX-License-Identifier: MIT */
/* The guard that keeps the BLAS to one thread while the engine's own threads work.
 *
 * It counts the regions of all threads of the process: OpenBLAS has one thread count for the process, so the
 * first region saves it and the last one puts it back. */
#include <pthread.h>
#include <stdbool.h>

#include "blas/blas.h"
#include "blas/vendor.h"

static struct {
    pthread_mutex_t lock;
    size_t regions;
    int callers_threads;
    bool inherited; /* forked inside a region: `callers_threads` is still to be put back */
} guard = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* An OpenBLAS on OpenMP asks OpenMP for its thread count instead, which every thread has for itself. */
static _Thread_local struct {
    size_t regions;
    int callers_threads;
} openmp_guard;

static bool has_count(const struct stoa_blas_vendor *blas) {
    return blas->set_threads && blas->get_threads;
}

/* A fork waits until no thread is on its way in or out: the child would find the lock held by a thread that
 * it does not have. Regions of the parent's threads are not the child's; the count they left behind is put
 * back by the child's own first region. */
static void before_fork(void) {
    (void)pthread_mutex_lock(&guard.lock);
}

static void after_fork_in_parent(void) {
    (void)pthread_mutex_unlock(&guard.lock);
}

static void after_fork_in_child(void) {
    guard.inherited = guard.inherited || guard.regions > 0;
    guard.regions = 0;
    (void)pthread_mutex_unlock(&guard.lock);
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void watch_forks(void) {
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static void enter_process(const struct stoa_blas_vendor *blas) {
    (void)pthread_once(&fork_once, watch_forks);
    (void)pthread_mutex_lock(&guard.lock);
    if (guard.regions++ == 0) {
        int now = blas->get_threads();
        if (!guard.inherited || now != 1) {
            guard.callers_threads = now;
        }
        guard.inherited = false;
        if (guard.callers_threads != 1) {
            blas->set_threads(1);
        }
    }
    (void)pthread_mutex_unlock(&guard.lock);
}

static void leave_process(const struct stoa_blas_vendor *blas) {
    (void)pthread_mutex_lock(&guard.lock);
    if (--guard.regions == 0 && guard.callers_threads != 1) {
        blas->set_threads(guard.callers_threads);
    }
    (void)pthread_mutex_unlock(&guard.lock);
}

void stoa_blas_enter_thread(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (has_count(blas) && blas->count_is_per_thread && openmp_guard.regions++ == 0) {
        openmp_guard.callers_threads = blas->get_threads();
        blas->set_threads(1);
    }
}

void stoa_blas_leave_thread(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (has_count(blas) && blas->count_is_per_thread && --openmp_guard.regions == 0) {
        blas->set_threads(openmp_guard.callers_threads);
    }
}

void stoa_blas_enter(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (!has_count(blas)) {
        return;
    }
    if (!blas->count_is_per_thread) {
        enter_process(blas);
    } else {
        stoa_blas_enter_thread();
    }
}

void stoa_blas_leave(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (!has_count(blas)) {
        return;
    }
    if (!blas->count_is_per_thread) {
        leave_process(blas);
    } else {
        stoa_blas_leave_thread();
    }
}
