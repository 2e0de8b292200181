/* SPDX-License-Identifier: MIT */
/* Contexts: made, read and released. */
#include "core/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pages.h"
#include "base/size.h"
#include "core/threads.h"
#include "core/tuning.h"

enum { MAX_THREADS = 256 };
static const size_t DEFAULT_WORKSPACE = (size_t)1 << 20;
static const size_t LEAST_WORKSPACE = (size_t)16 << 10;

static void *default_allocate(void *user, size_t bytes, size_t alignment) {
    (void)user;
    return stoa_pages_allocate(bytes, alignment);
}

static void default_release(void *user, void *memory, size_t bytes) {
    (void)user;
    stoa_pages_release(memory, bytes);
}

/* A borrower has as many threads as the lender, who has said already whose they are. */
static bool shares_well(const stoa_context_options *o) {
    return !o->threads_of || (!o->parallel_for && (o->threads == 0 || o->threads == o->threads_of->threads));
}

static void take_workers(const stoa_context_options *options, stoa_context *made) {
    atomic_init(&made->users, 1);
    atomic_flag_clear(&made->own_workers.busy);
    made->workers = &made->own_workers;
    made->own_workers.parallel_for = options->parallel_for;
    made->own_workers.user = options->parallel_for_user;
    if (options->threads_of) {
        made->lender = options->threads_of->lender ? options->threads_of->lender : options->threads_of;
        made->workers = made->lender->workers;
        atomic_fetch_add(&made->lender->users, 1);
    }
}

stoa_status stoa_context_create(const stoa_context_options *options, stoa_context **context) {
    stoa_context_options chosen = options ? *options : (stoa_context_options){0};
    bool one_hook = !chosen.allocator.allocate != !chosen.allocator.release;
    if (chosen.threads > MAX_THREADS || one_hook || (unsigned)chosen.policy > STOA_POLICY_BLAS ||
        (chosen.workspace_limit != 0 && chosen.workspace_limit < LEAST_WORKSPACE) || !shares_well(&chosen)) {
        return STOA_ERR_ARGUMENT;
    }
    stoa_context *made = calloc(1, sizeof *made);
    if (!made) {
        return STOA_ERR_MEMORY;
    }
    made->threads = chosen.threads_of ? chosen.threads_of->threads
                    : chosen.threads  ? chosen.threads
                                      : stoa_min(stoa_default_threads(), MAX_THREADS);
    made->workspace_limit = chosen.workspace_limit ? chosen.workspace_limit : DEFAULT_WORKSPACE;
    made->policy = chosen.policy;
    made->isa = stoa_isa_best();
    if (chosen.limit_isa && chosen.highest_isa < made->isa) {
        made->isa = chosen.highest_isa;
    }
    made->kernels = stoa_kernels_for(made->isa);
    const struct stoa_cpu cpu = stoa_cpu_of_machine();
    made->tuning = stoa_tuning_of_cpu(&cpu, made->isa);
    made->allocator = chosen.allocator.allocate
                          ? chosen.allocator
                          : (stoa_allocator){.allocate = default_allocate, .release = default_release};
    made->log = chosen.log;
    made->log_user = chosen.log_user;
    /* A borrower's loops run in its caller's thread, with scratch of its own, and in the lender's. */
    made->scratch_bytes = stoa_scratch_bytes(chosen.threads_of ? 1 : made->threads);
    made->scratch = stoa_allocate(made, made->scratch_bytes, "context");
    if (!made->scratch) {
        free(made);
        return STOA_ERR_MEMORY;
    }
    take_workers(&chosen, made);
    *context = made;
    return STOA_OK;
}

void stoa_context_free(stoa_context *context) {
    if (context && atomic_fetch_sub(&context->users, 1) == 1) {
        stoa_context_free(context->lender);
        stoa_pool_free(context->own_workers.pool);
        stoa_tuning_release(context);
        stoa_release(context, context->scratch, context->scratch_bytes);
        free(context);
    }
}

void stoa_context_view_serial(const stoa_context *context, stoa_context *view) {
    *view = (struct stoa_context){.kernels = context->kernels,
                                  .tuning = context->tuning,
                                  .isa = context->isa,
                                  .policy = context->policy,
                                  .threads = 1,
                                  .alone = true,
                                  .workspace_limit = context->workspace_limit,
                                  .conv = context->conv,
                                  .allocator = context->allocator,
                                  .scratch = context->scratch,
                                  .scratch_bytes = context->scratch_bytes,
                                  .log = context->log,
                                  .log_user = context->log_user,
                                  .workers = context->workers};
}

const char *stoa_context_error(const stoa_context *context) {
    return context->error.text;
}

size_t stoa_context_threads(const stoa_context *context) {
    return context->threads;
}

stoa_isa stoa_context_isa(const stoa_context *context) {
    return context->isa;
}

stoa_policy stoa_context_policy(const stoa_context *context) {
    return context->policy;
}

const char *stoa_policy_name(stoa_policy policy) {
    switch (policy) {
    case STOA_POLICY_DEFAULT:
        return "default";
    case STOA_POLICY_EXACT:
        return "exact";
    case STOA_POLICY_BLAS:
        return "blas";
    }
    return NULL;
}

stoa_status stoa_fail(stoa_context *context, stoa_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)stoa_error_vset(&context->error, status, format, arguments);
    va_end(arguments);
    return status;
}

void *stoa_allocate(stoa_context *context, size_t bytes, const char *what) {
    void *memory = context->allocator.allocate(context->allocator.user, stoa_max(bytes, STOA_ALIGN_BYTES),
                                               STOA_ALIGN_BYTES);
    if (!memory) {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "%s: cannot allocate %zu bytes", what, bytes);
    }
    return memory;
}

void stoa_release(stoa_context *context, void *memory, size_t bytes) {
    if (memory) {
        context->allocator.release(context->allocator.user, memory, stoa_max(bytes, STOA_ALIGN_BYTES));
    }
}

void stoa_log(const stoa_context *context, const char *format, ...) {
    if (!context->log) {
        return;
    }
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    context->log(context->log_user, line);
}
