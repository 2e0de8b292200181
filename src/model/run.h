/* SPDX-License-Identifier: MIT */
/* Running steps: one over the whole batch, or over a block of samples in a section. */
#ifndef STOA_MODEL_RUN_H
#define STOA_MODEL_RUN_H

#include "base/float_state.h"
#include "model/plan.h"

/* What one call runs: which samples, which mode. */
struct stoa_call {
    struct stoa_plan *plan;
    size_t samples;
    bool training;
    stoa_targets targets;
    uint64_t seed, step;
    bool told;                       /* somebody hears of its steps: the plan's observer, or `trace` */
    stoa_trace_fn *trace;            /* NULL: none */
    void *user;                      /* handed to `trace` */
    struct stoa_float_state callers; /* which those run in */
};

/* The samples of a run that a thread takes through a step. */
struct stoa_share {
    size_t thread, samples;
    struct stoa_place place;
    bool sums;    /* gradients of tensors go to the task's partial ones, else they are the whole run's */
    bool further; /* the task has had a block before: its gradients are added */
};

/* The share of steps that are cut inside. */
static inline struct stoa_share stoa_whole_share(const struct stoa_call *call) {
    return (struct stoa_share){.samples = call->samples};
}

/* A node's run with the pointers to its inputs and their gradients, of which only as many are set as the
 * layer has. */
struct stoa_node_run {
    struct stoa_op_run run;
    const float *x[STOA_MAX_INPUTS];
    float *dx[STOA_MAX_INPUTS];
};

/* A node's run without what only backward passes have. */
void stoa_run_of(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                 enum stoa_pass pass, struct stoa_node_run *made);

/* Run a node's pass over a share, and tell whoever wants to hear of it. */
void stoa_run_step(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                   enum stoa_pass pass);

/* model/run_section.c: run the steps of a section up to step `last`, and sum what its tasks have summed. */
void stoa_run_section(const struct stoa_call *call, const struct stoa_section *section, size_t last);

/* The first node of those whose forward steps a section has, up to step `last`, whose output is not finite
 * when they run once more; STOA_NO_VALUE: all are finite. */
size_t stoa_section_nonfinite(const struct stoa_call *call, const struct stoa_section *section, size_t last);

/* Run a node's forward step once more; the first of the nodes that it does whose output is not finite, or
 * STOA_NO_VALUE. */
size_t stoa_step_nonfinite(const struct stoa_call *call, const struct stoa_share *share, size_t node);

/* Whether what lies in the memory of a node's output (or the input, for model value 0) is not finite. */
bool stoa_is_nonfinite(const struct stoa_call *call, const struct stoa_share *share, size_t model_value);

#endif
