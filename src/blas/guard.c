/* SPDX-License-Identifier: MIT */
/* The guard that keeps the BLAS to one thread while the engine's own threads work.
 *
 * It counts the regions of all threads of the process: OpenBLAS has one thread count for the process, so the
 * first region saves it and the last one puts it back. An OpenBLAS on OpenMP asks OpenMP for its thread count
 * instead, which every thread has for itself. */
#include <pthread.h>
#include <stdbool.h>

#include "blas/blas.h"
#include "blas/vendor.h"

struct held {
    size_t regions;
    int callers_threads; /* 0 outside of all regions */
};

static struct held process;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct held thread;

/* A count of 1 that a region set before a fork is not the caller's. */
static void hold(struct held *held, const struct stoa_blas_vendor *blas) {
    if (held->regions++ == 0) {
        int now = blas->get_threads();
        if (now != 1 || held->callers_threads == 0) {
            held->callers_threads = now;
        }
        if (now != 1) {
            blas->set_threads(1);
        }
    }
}

static void let_go(struct held *held, const struct stoa_blas_vendor *blas) {
    if (--held->regions == 0) {
        if (held->callers_threads != 1) {
            blas->set_threads(held->callers_threads);
        }
        held->callers_threads = 0;
    }
}

/* A fork waits until no thread is on its way in or out: the child would find the lock held by a thread that
 * it does not have. Regions of the parent's threads are not the child's; the count they left behind is put
 * back by the child's own first region. */
static void before_fork(void) {
    (void)pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void) {
    (void)pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void) {
    process.regions = 0;
    (void)pthread_mutex_unlock(&lock);
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void watch_forks(void) {
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* A region begins or ends. Where the BLAS has one count for the process, only regions of `callers` change
 * it: the other threads compute for one of them. */
static void count(void (*step)(struct held *, const struct stoa_blas_vendor *), bool callers) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (blas->count_is_per_thread) {
        step(&thread, blas);
    } else if (callers && blas->get_threads) {
        (void)pthread_once(&fork_once, watch_forks);
        (void)pthread_mutex_lock(&lock);
        step(&process, blas);
        (void)pthread_mutex_unlock(&lock);
    }
}

void stoa_blas_enter_thread(void) {
    count(hold, false);
}

void stoa_blas_leave_thread(void) {
    count(let_go, false);
}

void stoa_blas_enter(void) {
    count(hold, true);
}

void stoa_blas_leave(void) {
    count(let_go, true);
}
