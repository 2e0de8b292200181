/* SPDX-License-Identifier: MIT */
/* A pool of threads that serves one parallel loop at a time.
 *
 * Why not OpenMP: its loops end in a barrier that every thread must reach. When other work on the machine
 * keeps one thread off its CPU, all wait for it, even if it has nothing to do; small networks run thousands
 * of loops a second and become ten times slower. Here the calling thread takes tasks like the others and
 * waits only for tasks that somebody has begun. The program's own OpenMP settings stay untouched as well.
 *
 * Each thread has a share of the tasks, the same in every loop of as many tasks, so that what it wrote in one
 * loop is still in its own caches in the next; who has done his share helps the others from the end of
 * theirs. A share is published as one word, its generation and the tasks taken at both ends, in one cache
 * line with all that belongs to it. A task is claimed by compare-and-swap on that word, so what a thread read
 * of a loop that has ended since is never used. Idle workers look for work for some ten microseconds, about
 * as long as the serial parts between two loops, and then sleep. */
#include "core/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/float_state.h"
#include "base/size.h"
#include "blas/blas.h"

enum { SPINS = 3000, TASK_BITS = 20 };

/* The library's calls need 32 KiB of stack, OpenBLAS's products 12 KiB (0.3.21, the core that needs most),
 * the C library some for the thread-local variables of the program; what is never touched takes no memory. */
static const size_t STACK_BYTES = (size_t)1 << 20;

/* Taken from the front while a share is being written: no share is larger. */
static const uint64_t CLOSED = ((uint64_t)1 << TASK_BITS) - 1;

/* Tasks [first, first + count) of the loop, written before `claim` publishes them. */
struct share {
    _Alignas(64) _Atomic uint64_t
        claim; /* (generation << TASK_BITS | taken from the end) << TASK_BITS | from the front */
    _Atomic(stoa_task_fn *) work;
    _Atomic(void *) argument;
    _Atomic uint64_t first, count;
};

/* A counter that no other write takes from a CPU's cache. */
struct counter {
    _Alignas(64) _Atomic uint64_t value;
};

struct stoa_pool {
    struct counter done; /* tasks that have ended, told by each thread when it finds no more */
    struct counter sleepers;
    pthread_t *threads;
    struct share *shares; /* the caller's and one for each worker */
    float *scratch;       /* the context's that it was made for: the same order */
    float *callers;       /* of the thread whose loop runs */
    size_t workers;       /* those of the host are not started here */
    size_t started;
    atomic_size_t workers_started; /* gives each its number */
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

/* Claim a task of `share`, from its front or its end, and run it; false when none is left. */
static bool run_task(struct share *share, bool from_end, size_t thread) {
    uint64_t claim = atomic_load_explicit(&share->claim, memory_order_acquire);
    for (;;) {
        stoa_task_fn *work = atomic_load_explicit(&share->work, memory_order_acquire);
        void *argument = atomic_load_explicit(&share->argument, memory_order_acquire);
        uint64_t first = atomic_load_explicit(&share->first, memory_order_acquire);
        uint64_t count = atomic_load_explicit(&share->count, memory_order_acquire);
        uint64_t front = claim & CLOSED;
        uint64_t end = claim >> TASK_BITS & CLOSED;
        if (front + end >= count) {
            return false;
        }
        uint64_t taken = claim + (from_end ? (uint64_t)1 << TASK_BITS : 1);
        if (atomic_compare_exchange_weak_explicit(&share->claim, &claim, taken, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            inside_task = true;
            work(argument, (size_t)(first + (from_end ? count - 1 - end : front)), thread);
            inside_task = false;
            return true;
        }
    }
}

/* Run the thread's own tasks, then what others have not begun. */
static void run_tasks(struct stoa_pool *pool, size_t thread) {
    size_t threads = pool->workers + 1;
    uint64_t ran = 0;
    for (size_t i = 0; i < threads; i++) {
        while (run_task(&pool->shares[(thread + i) % threads], i > 0, thread)) {
            ran++;
        }
    }
    if (ran > 0) {
        atomic_fetch_add_explicit(&pool->done.value, ran, memory_order_release);
    }
}

static uint64_t generation(struct share *share) {
    return atomic_load(&share->claim) >> 2 * TASK_BITS;
}

/* Wait for a share newer than `seen`: a while on the CPU, then asleep. */
static void await_share(struct stoa_pool *pool, struct share *share, uint64_t seen) {
    for (size_t spin = 0; spin < SPINS; spin++) {
        if (generation(share) != seen || atomic_load_explicit(&pool->stop, memory_order_relaxed)) {
            return;
        }
        relax();
    }
    (void)pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers.value, 1);
    while (generation(share) == seen && !atomic_load(&pool->stop)) {
        (void)pthread_cond_wait(&pool->wake, &pool->lock);
    }
    atomic_fetch_sub(&pool->sleepers.value, 1);
    (void)pthread_mutex_unlock(&pool->lock);
}

static void *worker(void *argument) {
    struct stoa_pool *pool = argument;
    size_t thread = atomic_fetch_add(&pool->workers_started, 1) + 1;
    struct share *share = &pool->shares[thread];
    stoa_blas_enter_thread();
    (void)stoa_float_enter();
    (void)stoa_scratch_use(pool->scratch + thread * STOA_SCRATCH_FLOATS);
    uint64_t seen = 0;
    while (!atomic_load(&pool->stop)) {
        await_share(pool, share, seen);
        seen = generation(share);
        run_tasks(pool, thread);
    }
    return NULL;
}

static void wake_sleepers(struct stoa_pool *pool) {
    if (atomic_load(&pool->sleepers.value) > 0) {
        (void)pthread_mutex_lock(&pool->lock);
        (void)pthread_cond_broadcast(&pool->wake);
        (void)pthread_mutex_unlock(&pool->lock);
    }
}

/* What a fault raises stays open, so that handlers of faults see those of the thread, and so does a
 * profiler's clock. */
bool stoa_thread_start(pthread_t *thread, void *(*work)(void *), void *argument) {
    static const int open_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};
    sigset_t blocked;
    sigset_t callers;
    (void)sigfillset(&blocked);
    for (size_t i = 0; i < sizeof open_signals / sizeof *open_signals; i++) {
        (void)sigdelset(&blocked, open_signals[i]);
    }
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &callers);
    bool started = pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
                   pthread_create(thread, &attributes, work, argument) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &callers, NULL);
    (void)pthread_attr_destroy(&attributes);
    return started;
}

/* With `starts` start up to `workers` threads; as many as the system gives. NULL when there is no memory. */
static struct stoa_pool *make_pool(size_t workers, bool starts, float *scratch) {
    struct stoa_pool *pool = aligned_alloc(64, stoa_round_up(sizeof *pool, 64));
    struct share *shares = aligned_alloc(64, (workers + 1) * sizeof *shares);
    pthread_t *threads = calloc(workers, sizeof *threads);
    if (!pool || !shares || !threads) {
        free(pool);
        free(shares);
        free(threads);
        return NULL;
    }
    *pool = (struct stoa_pool){.threads = threads, .shares = shares, .scratch = scratch};
    memset(shares, 0, (workers + 1) * sizeof *shares);
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->wake, NULL);
    while (starts && pool->started < workers &&
           stoa_thread_start(&pool->threads[pool->started], worker, pool)) {
        pool->started++;
    }
    pool->workers = starts ? pool->started : workers;
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
        for (size_t i = 0; i < pool->started; i++) {
            (void)pthread_join(pool->threads[i], NULL);
        }
        (void)pthread_cond_destroy(&pool->wake);
        (void)pthread_mutex_destroy(&pool->lock);
    }
    free(pool->threads);
    free(pool->shares);
    free(pool);
}

/* The context's pool for one loop, made on first use; NULL when the loop should or must do without: another
 * context that shares the pool may be using it. */
static struct stoa_pool *take_pool(const stoa_context *context) {
    struct stoa_workers *workers = context->workers;
    (void)pthread_once(&fork_once, watch_forks);
    if (inside_task || atomic_load_explicit(&after_fork, memory_order_relaxed) ||
        atomic_flag_test_and_set_explicit(&workers->busy, memory_order_acquire)) {
        return NULL;
    }
    if (!workers->pool) {
        const stoa_context *owner = context->lender ? context->lender : context;
        workers->pool = make_pool(context->threads - 1, !workers->parallel_for, owner->scratch);
    }
    if (workers->pool) {
        workers->pool->callers = context->scratch;
    } else {
        atomic_flag_clear_explicit(&workers->busy, memory_order_release);
    }
    return workers->pool;
}

/* Close first: a thread that still holds the old claim and reads the new share must not succeed in claiming.
 * The release order of what follows makes the closing visible before it. */
static void publish(struct share *share, stoa_task_fn *work, void *argument, size_t first, size_t count) {
    uint64_t next = generation(share) + 1;
    atomic_store_explicit(&share->claim, (next - 1) << 2 * TASK_BITS | CLOSED, memory_order_relaxed);
    atomic_store_explicit(&share->work, work, memory_order_release);
    atomic_store_explicit(&share->argument, argument, memory_order_release);
    atomic_store_explicit(&share->first, first, memory_order_release);
    atomic_store_explicit(&share->count, count, memory_order_release);
    atomic_store(&share->claim, next << 2 * TASK_BITS);
}

/* What a host's parallel_for calls in a thread of the host's: a worker for one loop. Bodies do not wait for
 * each other: who comes first does what the others have not begun. */
static void host_body(void *argument, size_t index) {
    struct stoa_pool *pool = argument;
    if (index > pool->workers) {
        return;
    }
    STOA_FLOAT_STATE();
    float *mine = index == 0 ? pool->callers : pool->scratch + index * STOA_SCRATCH_FLOATS;
    float *before = stoa_scratch_use(mine);
    stoa_blas_enter_thread();
    run_tasks(pool, index);
    stoa_blas_leave_thread();
    (void)stoa_scratch_use(before);
}

/* One loop over tasks [first, first + tasks). */
static void run_loop(const struct stoa_workers *workers, size_t first, size_t tasks, stoa_task_fn *work,
                     void *argument) {
    struct stoa_pool *pool = workers->pool;
    size_t threads = pool->workers + 1;
    atomic_store_explicit(&pool->done.value, 0, memory_order_release);
    /* Workers begin while the caller still publishes; nobody is woken for an empty share. */
    for (size_t i = 1; i <= threads; i++) {
        size_t thread = i % threads;
        size_t begin = stoa_ceil_div(thread * tasks, threads);
        size_t end = stoa_ceil_div((thread + 1) * tasks, threads);
        if (end > begin) {
            publish(&pool->shares[thread], work, argument, first + begin, end - begin);
        }
    }
    if (workers->parallel_for) {
        workers->parallel_for(workers->user, stoa_min(tasks, threads), host_body, pool);
    } else {
        wake_sleepers(pool);
    }
    run_tasks(pool, 0);
    for (size_t spin = 0; atomic_load_explicit(&pool->done.value, memory_order_acquire) < tasks; spin++) {
        if (spin < SPINS) {
            relax();
        } else {
            (void)sched_yield();
        }
    }
}

void stoa_parallel(const stoa_context *context, size_t tasks, stoa_task_fn *work, void *argument) {
    bool pooled = context->threads > 1 && tasks > 1 && take_pool(context);
    float *before = inside_task ? stoa_scratch() : stoa_scratch_use(context->scratch);
    for (size_t task = 0; !pooled && task < tasks; task++) {
        work(argument, task, 0);
    }
    for (size_t first = 0; pooled && first < tasks; first += CLOSED) {
        run_loop(context->workers, first, stoa_min(tasks - first, CLOSED), work, argument);
    }
    if (pooled) {
        atomic_flag_clear_explicit(&context->workers->busy, memory_order_release);
    }
    (void)stoa_scratch_use(before);
}
