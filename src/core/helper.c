/* SPDX-License-Identifier: MIT */
/* One thread that sleeps until there is work. Tasks are handed out under the lock: each is the work of
 * microseconds, and two take part at most. */
#include "core/helper.h"

#include <stdlib.h>

#include "base/float_state.h"

struct stoa_helper {
    pthread_t thread;
    bool started, stop;
    pthread_mutex_t lock;
    pthread_cond_t work_came, task_ended;
    stoa_task_fn *work;
    void *argument;
    size_t tasks, next; /* how many there are, and the first that nobody has taken */
    bool busy;          /* the thread is in a task */
};

/* With the lock held: take a task and run it without the lock. */
static void run_one(struct stoa_helper *helper, size_t thread) {
    size_t task = helper->next++;
    stoa_task_fn *work = helper->work;
    void *argument = helper->argument;
    (void)pthread_mutex_unlock(&helper->lock);
    work(argument, task, thread);
    (void)pthread_mutex_lock(&helper->lock);
}

static void *help(void *argument) {
    struct stoa_helper *helper = argument;
    (void)stoa_float_enter();
    (void)pthread_mutex_lock(&helper->lock);
    while (!helper->stop) {
        if (helper->next == helper->tasks) {
            (void)pthread_cond_wait(&helper->work_came, &helper->lock);
            continue;
        }
        helper->busy = true;
        run_one(helper, 1);
        helper->busy = false;
        if (helper->next == helper->tasks) {
            (void)pthread_cond_signal(&helper->task_ended);
        }
    }
    (void)pthread_mutex_unlock(&helper->lock);
    return NULL;
}

struct stoa_helper *stoa_helper_create(stoa_context *context) {
    struct stoa_helper *helper = calloc(1, sizeof *helper);
    if (!helper) {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "helping thread: out of memory");
        return NULL;
    }
    (void)pthread_mutex_init(&helper->lock, NULL);
    (void)pthread_cond_init(&helper->work_came, NULL);
    (void)pthread_cond_init(&helper->task_ended, NULL);
    helper->started = context->threads > 1 && !context->workers->parallel_for &&
                      stoa_thread_start(&helper->thread, help, helper);
    return helper;
}

void stoa_helper_begin(struct stoa_helper *helper, size_t tasks, stoa_task_fn *work, void *argument) {
    (void)pthread_mutex_lock(&helper->lock);
    helper->work = work;
    helper->argument = argument;
    helper->tasks = tasks;
    helper->next = 0;
    (void)pthread_cond_signal(&helper->work_came);
    (void)pthread_mutex_unlock(&helper->lock);
}

void stoa_helper_finish(struct stoa_helper *helper) {
    (void)pthread_mutex_lock(&helper->lock);
    while (helper->next < helper->tasks) {
        run_one(helper, 0);
    }
    while (helper->busy) {
        (void)pthread_cond_wait(&helper->task_ended, &helper->lock);
    }
    (void)pthread_mutex_unlock(&helper->lock);
}

void stoa_helper_free(struct stoa_helper *helper) {
    if (!helper) {
        return;
    }
    (void)pthread_mutex_lock(&helper->lock);
    helper->stop = true;
    helper->tasks = helper->next;
    (void)pthread_cond_signal(&helper->work_came);
    (void)pthread_mutex_unlock(&helper->lock);
    if (helper->started) {
        (void)pthread_join(helper->thread, NULL);
    }
    (void)pthread_cond_destroy(&helper->work_came);
    (void)pthread_cond_destroy(&helper->task_ended);
    (void)pthread_mutex_destroy(&helper->lock);
    free(helper);
}
