/* SPDX-License-Identifier: MIT */
/* Sections: a parallel loop over blocks of samples; a thread takes each block through all steps. */
#include "base/size.h"
#include "conv/conv.h"
#include "core/threads.h"
#include "model/guard.h"
#include "model/run.h"

struct section_run {
    const struct stoa_call *call;
    const struct stoa_section *section;
    size_t last;
    size_t tasks, blocks; /* blocks in each task, at most */
};

/* A smaller batch has fewer tasks. */
static struct section_run begin(const struct stoa_call *call, const struct stoa_section *section,
                                size_t last) {
    const struct stoa_sample_cut *cut = &section->cut;
    struct section_run run = {call, section, stoa_min(last, section->last), cut->tasks, 0};
    while (run.tasks > call->samples) {
        run.tasks /= 2;
    }
    run.blocks = stoa_blocks_of_task(cut, call->samples, run.tasks);
    return run;
}

/* Block `block` of a task; no samples where the task has fewer blocks. */
static struct stoa_share share_of(const struct section_run *run, size_t task, size_t block, size_t thread) {
    const struct stoa_sample_cut *cut = &run->section->cut;
    size_t end = stoa_block_begin(run->call->samples, run->tasks, task + 1);
    size_t first = stoa_block_begin(run->call->samples, run->tasks, task) + block * cut->block;
    return (struct stoa_share){.thread = thread,
                               .samples = first < end ? stoa_min(cut->block, end - first) : 0,
                               .place = {.first = first,
                                         .block = task * run->blocks + block,
                                         .task = task,
                                         /* There are as many areas as threads, or as tasks. */
                                         .area = cut->areas < cut->tasks ? thread : task},
                               .sums = run->tasks > 1,
                               .further = block > 0};
}

static void run_task(void *argument, size_t task, size_t thread) {
    const struct section_run *run = argument;
    const struct stoa_plan *plan = run->call->plan;
    for (size_t block = 0; block < run->blocks; block++) {
        struct stoa_share share = share_of(run, task, block, thread);
        for (size_t step = run->section->first; share.samples > 0 && step <= run->last; step++) {
            stoa_run_step(run->call, &share, stoa_step_node(plan, step), stoa_step_pass(plan, step));
        }
    }
}

/* Sum the tasks' gradients of tensors. */
static void sum_partials(const struct section_run *run) {
    const struct stoa_plan *plan = run->call->plan;
    for (size_t step = run->section->first; step <= run->last; step++) {
        size_t node = stoa_step_node(plan, step);
        if (stoa_step_pass(plan, step) == STOA_FORWARD || !plan->node[node].trains) {
            continue;
        }
        float *part = stoa_partial_gradients(plan, node, 0);
        for (size_t t = 0; t < stoa_plan_layer(plan, node)->tensors; t++) {
            const struct stoa_tensor *tensor = &plan->model->tensors[plan->model->nodes[node].tensor[t]];
            if (tensor->spec.trainable) {
                stoa_reduce_blocks(plan->context, part, run->section->partial_floats, run->tasks,
                                   tensor->count, false, stoa_plan_gradients(plan) + tensor->offset);
                part += stoa_round_up(tensor->count, STOA_ALIGN_FLOATS);
            }
        }
    }
}

void stoa_run_section(const struct stoa_call *call, const struct stoa_section *section, size_t last) {
    struct section_run run = begin(call, section, last);
    stoa_guard_section(call->plan, section);
    stoa_parallel(call->plan->context, run.tasks, run_task, &run);
    if (run.tasks > 1 && section->partials != STOA_NO_VALUE) {
        stoa_guard_open(call->plan);
        sum_partials(&run);
    }
}

size_t stoa_section_nonfinite(const struct stoa_call *call, const struct stoa_section *section, size_t last) {
    struct section_run run = begin(call, section, last);
    const struct stoa_plan *plan = call->plan;
    size_t found = STOA_NO_VALUE;
    stoa_guard_section(plan, section);
    for (size_t block = 0; block < run.tasks * run.blocks; block++) {
        struct stoa_share share = share_of(&run, block / run.blocks, block % run.blocks, 0);
        for (size_t node = section->first; share.samples > 0 && node <= run.last && node < found; node++) {
            found = stoa_min(found, stoa_step_nonfinite(call, &share, node));
        }
    }
    return found;
}
