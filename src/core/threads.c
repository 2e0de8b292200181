/* OpenMP behind one function. Floor 3. */
#include "core/threads.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/size.h"
#include "blas/gemm.h"

/* libgomp's threads do not survive a fork, and its next parallel region would wait for them for ever. */
static atomic_bool after_fork;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void note_fork(void) {
    atomic_store(&after_fork, true);
}

static void watch_forks(void) {
    (void)pthread_atfork(NULL, NULL, note_fork);
}

size_t stoa_cpu_count(void) {
    int cpus = omp_get_num_procs();
    return cpus < 1 ? 1 : (size_t)cpus;
}

void stoa_parallel(const stoa_context *context, size_t tasks, stoa_task_fn *work, void *argument) {
    size_t threads = stoa_min(context->threads, tasks);
    if (threads <= 1 || omp_in_parallel() || atomic_load_explicit(&after_fork, memory_order_relaxed)) {
        for (size_t task = 0; task < tasks; task++) {
            work(argument, task, 0);
        }
        return;
    }
#pragma omp parallel num_threads((int)threads)
    {
        size_t thread = (size_t)omp_get_thread_num();
#pragma omp for schedule(dynamic, 1) nowait
        for (size_t task = 0; task < tasks; task++) {
            work(argument, task, thread);
        }
    }
}

void stoa_region_enter(void) {
    (void)pthread_once(&fork_once, watch_forks);
    /* An OpenBLAS built on OpenMP changes the calling thread's OpenMP thread count along with its own. */
    int callers_threads = omp_get_max_threads();
    stoa_blas_enter();
    omp_set_num_threads(callers_threads);
}

void stoa_region_leave(void) {
    int callers_threads = omp_get_max_threads();
    stoa_blas_leave();
    omp_set_num_threads(callers_threads);
}
