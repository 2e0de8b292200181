/* A pool of threads that serves one parallel loop at a time. Floor 3.
 *
 * Why not OpenMP: its loops end in a barrier that every thread must reach. When other work on the machine
 * keeps one thread off its CPU, all wait for it, even if it has nothing to do; small networks run thousands
 * of loops a second and become ten times slower. Here the calling thread takes tasks like the others and
 * waits only for tasks that somebody has begun. The program's own OpenMP settings stay untouched as well.
 *
 * A loop is published as one word: its generation and the next task. A worker claims a task by
 * compare-and-swap on that word, so what it read of a loop that has ended since is never used. Idle workers
 * look for work for some ten microseconds, about as long as the serial parts between two loops, and then
 * sleep. */
#include "core/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/size.h"
#include "blas/gemm.h"

enum { SPINS = 3000, TASK_BITS = 32 };

/* The next task while a loop is being written: no number of tasks reaches it. */
static const uint64_t CLOSED = ((uint64_t)1 << TASK_BITS) - 1;

struct stoa_pool {
    pthread_t *threads;
    size_t workers;
    atomic_size_t workers_started; /* gives each its number */
    /* The loop. Written before `claim` publishes it. */
    _Atomic(stoa_task_fn *) work;
    _Atomic(void *) argument;
    _Atomic uint64_t tasks;
    _Alignas(64) _Atomic uint64_t claim; /* generation << TASK_BITS | next task */
    _Alignas(64) _Atomic uint64_t done;  /* tasks that have ended */
    _Alignas(64) atomic_size_t sleepers;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

/* Set in a task: a loop inside a loop runs serially. */
static _Thread_local bool inside_task;

/* Threads do not survive a fork. */
static atomic_bool after_fork;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void note_fork(void) {
    atomic_store(&after_fork, true);
}

static void watch_forks(void) {
    (void)pthread_atfork(NULL, NULL, note_fork);
}

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

size_t stoa_cpu_count(void) {
    cpu_set_t cpus;
    /* Fails on machines with more CPUs than the set has room for. */
    long count =
        sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (size_t)count;
}

/* Claim tasks of the published loop and run them until there are none left. */
static void run_tasks(struct stoa_pool *pool, size_t thread) {
    uint64_t claim = atomic_load_explicit(&pool->claim, memory_order_acquire);
    for (;;) {
        stoa_task_fn *work = atomic_load_explicit(&pool->work, memory_order_acquire);
        void *argument = atomic_load_explicit(&pool->argument, memory_order_acquire);
        uint64_t tasks = atomic_load_explicit(&pool->tasks, memory_order_acquire);
        uint64_t task = claim & CLOSED;
        if (task >= tasks) {
            return;
        }
        if (atomic_compare_exchange_weak_explicit(&pool->claim, &claim, claim + 1, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            inside_task = true;
            work(argument, (size_t)task, thread);
            inside_task = false;
            atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
            claim = atomic_load_explicit(&pool->claim, memory_order_acquire);
        }
    }
}

static uint64_t generation(struct stoa_pool *pool) {
    return atomic_load(&pool->claim) >> TASK_BITS;
}

/* Wait for a loop newer than `seen`: a while on the CPU, then asleep. */
static void await_loop(struct stoa_pool *pool, uint64_t seen) {
    for (size_t spin = 0; spin < SPINS; spin++) {
        if (generation(pool) != seen || atomic_load_explicit(&pool->stop, memory_order_relaxed)) {
            return;
        }
        relax();
    }
    (void)pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (generation(pool) == seen && !atomic_load(&pool->stop)) {
        (void)pthread_cond_wait(&pool->wake, &pool->lock);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
    (void)pthread_mutex_unlock(&pool->lock);
}

static void *worker(void *argument) {
    struct stoa_pool *pool = argument;
    size_t thread = atomic_fetch_add(&pool->workers_started, 1) + 1;
    stoa_blas_own_thread();
    uint64_t seen = 0;
    while (!atomic_load(&pool->stop)) {
        await_loop(pool, seen);
        seen = generation(pool);
        run_tasks(pool, thread);
    }
    return NULL;
}

static void wake_sleepers(struct stoa_pool *pool) {
    if (atomic_load(&pool->sleepers) > 0) {
        (void)pthread_mutex_lock(&pool->lock);
        (void)pthread_cond_broadcast(&pool->wake);
        (void)pthread_mutex_unlock(&pool->lock);
    }
}

/* What a fault raises stays open, so that handlers of faults see those of the thread, and so does a profiler's
 * clock. */
bool stoa_thread_start(pthread_t *thread, void *(*work)(void *), void *argument) {
    static const int open_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};
    sigset_t blocked;
    sigset_t callers;
    (void)sigfillset(&blocked);
    for (size_t i = 0; i < sizeof open_signals / sizeof *open_signals; i++) {
        (void)sigdelset(&blocked, open_signals[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &callers);
    bool started = pthread_create(thread, NULL, work, argument) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &callers, NULL);
    return started;
}

/* Start up to `workers` threads; as many as the system gives. NULL when there is no memory. */
static struct stoa_pool *make_pool(size_t workers) {
    struct stoa_pool *pool = aligned_alloc(64, stoa_round_up(sizeof *pool, 64));
    pthread_t *threads = calloc(workers, sizeof *threads);
    if (!pool || !threads) {
        free(pool);
        free(threads);
        return NULL;
    }
    *pool = (struct stoa_pool){.threads = threads};
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->wake, NULL);
    while (pool->workers < workers && stoa_thread_start(&pool->threads[pool->workers], worker, pool)) {
        pool->workers++;
    }
    return pool;
}

void stoa_pool_free(struct stoa_pool *pool) {
    if (!pool) {
        return;
    }
    if (!atomic_load(&after_fork)) {
        atomic_store(&pool->stop, true);
        (void)pthread_mutex_lock(&pool->lock);
        (void)pthread_cond_broadcast(&pool->wake);
        (void)pthread_mutex_unlock(&pool->lock);
        for (size_t i = 0; i < pool->workers; i++) {
            (void)pthread_join(pool->threads[i], NULL);
        }
        (void)pthread_cond_destroy(&pool->wake);
        (void)pthread_mutex_destroy(&pool->lock);
    }
    free(pool->threads);
    free(pool);
}

/* The context's pool, made on first use; NULL when it should or must do without. */
static struct stoa_pool *pool_of(const stoa_context *context) {
    (void)pthread_once(&fork_once, watch_forks);
    if (inside_task || atomic_load_explicit(&after_fork, memory_order_relaxed)) {
        return NULL;
    }
    if (!*context->pool) {
        *context->pool = make_pool(context->threads - 1);
    }
    return *context->pool;
}

void stoa_parallel(const stoa_context *context, size_t tasks, stoa_task_fn *work, void *argument) {
    struct stoa_pool *pool = context->threads > 1 && tasks > 1 && tasks < CLOSED ? pool_of(context) : NULL;
    if (!pool) {
        for (size_t task = 0; task < tasks; task++) {
            work(argument, task, 0);
        }
        return;
    }
    /* Close first: a worker that still holds the old claim and reads the new loop must not succeed in
     * claiming. The release order of what follows makes the closing visible before it. */
    uint64_t old = generation(pool);
    atomic_store(&pool->claim, old << TASK_BITS | CLOSED);
    atomic_store_explicit(&pool->done, 0, memory_order_release);
    atomic_store_explicit(&pool->work, work, memory_order_release);
    atomic_store_explicit(&pool->argument, argument, memory_order_release);
    atomic_store_explicit(&pool->tasks, tasks, memory_order_release);
    atomic_store(&pool->claim, (old + 1) << TASK_BITS);
    wake_sleepers(pool);
    run_tasks(pool, 0);
    for (size_t spin = 0; atomic_load_explicit(&pool->done, memory_order_acquire) < tasks; spin++) {
        if (spin < SPINS) {
            relax();
        } else {
            (void)sched_yield();
        }
    }
}
