/* SPDX-License-Identifier: MIT */
/* Which steps run as sections, and how samples are cut there. A section is a maximal run of consecutive
 * steps in which no sample depends on another, and whose layers lose nothing when they are computed a
 * block of samples at a time: those with many weights read these again for each block, and those with much
 * to compute are cut inside as well as any. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/tuning.h"
#include "model/plan.h"

/* What a pass over one sample is, roughly. */
struct work {
    double products; /* multiply-adds, or numbers of the output */
    size_t weights;
};

static struct work work_of(const struct stoa_layer *layer) {
    struct work work = {
        layer->op->flops ? layer->op->flops(layer) / 2 : (double)stoa_shape_size(&layer->output), 0};
    for (size_t t = 0; t < layer->tensors; t++) {
        work.weights += stoa_tensor_count(&layer->tensor[t]);
    }
    return work;
}

/* Whether a step has nothing to do: it hinders no section and makes none. */
static bool is_idle(const struct stoa_plan *plan, size_t step) {
    size_t node = stoa_step_node(plan, step);
    const struct stoa_op *op = stoa_plan_layer(plan, node)->op;
    return op->is_view || op->is_input || plan->node[node].leader[stoa_step_pass(plan, step)] != node ||
           (stoa_step_pass(plan, step) == STOA_BACKWARD &&
            (!stoa_plan_goes_back(plan, node) || plan->node[node].gives_gradient));
}

/* The largest power of two up to a number. */
static size_t power_below(size_t most) {
    size_t power = 1;
    while (power * 2 <= most) {
        power *= 2;
    }
    return power;
}

static size_t most_tasks(const struct stoa_plan *plan) {
    return power_below(stoa_min(plan->tuning->section_tasks, plan->batch));
}

/* Whether a step may belong to a section. */
static bool fits(const struct stoa_plan *plan, size_t step) {
    const struct stoa_tuning *tuning = plan->tuning;
    size_t node = stoa_step_node(plan, step);
    enum stoa_pass pass = stoa_step_pass(plan, step);
    const struct stoa_layer *layer = stoa_plan_layer(plan, node);
    struct stoa_op_run run;
    stoa_plan_run(plan, node, pass, &run);
    if (is_idle(plan, step)) {
        return true;
    }
    if (layer->op->crosses_samples && layer->op->crosses_samples(&run, pass)) {
        return false;
    }
    struct work work = work_of(layer);
    size_t tasks = most_tasks(plan);
    double products = work.products * (double)stoa_ceil_div(plan->batch, tasks);
    bool few_weights = work.products * (double)plan->batch < tuning->section_task_products || tasks == 1 ||
                       work.weights <= tuning->section_weights;
    bool sums = pass == STOA_BACKWARD && plan->node[node].trains;
    double most =
        tasks == 1 ? fmin(2 * tuning->layer_task, tuning->section_products) : tuning->section_products;
    return products < most &&
           (few_weights || (!sums && products >= tuning->section_rows * (double)work.weights));
}

/* What both passes of a node know of each other lies as one of the two wants it: they are cut alike. */
static bool unite_passes(struct stoa_plan *plan, const bool *saves, bool *fit) {
    bool changed = false;
    for (size_t node = 0; node < stoa_plan_all_nodes(plan); node++) {
        if (saves[node] && stoa_plan_goes_back(plan, node)) {
            bool *forward = &fit[stoa_done_in(plan, node, STOA_FORWARD)];
            bool *backward = &fit[stoa_done_in(plan, node, STOA_BACKWARD)];
            changed = changed || *forward != *backward;
            *forward = *backward = *forward && *backward;
        }
    }
    return changed;
}

/* Steps that are alone run as they are. */
static bool drop_single(const struct stoa_plan *plan, bool *fit) {
    bool changed = false;
    for (size_t first = 0, end = 0; first < plan->steps; first = end + 1) {
        size_t busy = 0;
        for (end = first; end < plan->steps && fit[end]; end++) {
            busy += !is_idle(plan, end);
        }
        if (busy < 2) {
            changed = changed || end > first;
            memset(fit + first, 0, (end - first) * sizeof *fit);
        }
    }
    return changed;
}

static void make_sections(struct stoa_plan *plan, const bool *fit) {
    for (size_t step = 0; step < plan->steps; step++) {
        if (fit[step] && (step == 0 || !fit[step - 1])) {
            plan->sections[plan->section_count++] =
                (struct stoa_section){.first = step, .scratch = STOA_NO_VALUE, .partials = STOA_NO_VALUE};
        }
        if (fit[step]) {
            plan->section_of[step] = plan->section_count - 1;
            plan->sections[plan->section_count - 1].last = step;
        }
    }
}

/* Samples whose values in a section stay in half of the inner cache while a thread takes them through it. */
static size_t choose_block(const struct stoa_plan *plan, const struct stoa_section *section) {
    size_t largest = 1;
    for (size_t step = section->first; step <= section->last; step++) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, stoa_step_node(plan, step));
        size_t floats = stoa_shape_size(&layer->output);
        for (size_t k = 0; k < layer->inputs; k++) {
            floats += stoa_shape_size(&layer->input[k]);
        }
        largest = stoa_max(largest, stoa_step_pass(plan, step) == STOA_BACKWARD ? 2 * floats : floats);
    }
    size_t most = plan->tuning->l2_bytes / 2 / sizeof(float) / largest;
    return stoa_max(1, stoa_min(most, stoa_ceil_div(plan->batch, section->cut.tasks)));
}

/* Little work is not cut at all: what a loop costs is more than what its other threads save. */
static void choose_cut(const struct stoa_plan *plan, struct stoa_section *section) {
    double products = 0;
    for (size_t step = section->first; step <= section->last; step++) {
        products +=
            is_idle(plan, step) ? 0 : work_of(stoa_plan_layer(plan, stoa_step_node(plan, step))).products;
    }
    double tasks = products * (double)plan->batch / plan->tuning->section_task_products;
    size_t most = most_tasks(plan);
    section->cut.tasks = tasks < (double)most ? power_below((size_t)tasks) : most;
    section->cut.block = choose_block(plan, section);
    section->cut.areas = stoa_min(plan->context->threads, section->cut.tasks);
}

/* Where data is kept a block from a section to another, both cut alike: as the one with more tasks. */
static void choose_cuts(struct stoa_plan *plan, const bool *saves) {
    for (size_t i = 0; i < plan->section_count; i++) {
        choose_cut(plan, &plan->sections[i]);
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t node = 0; node < stoa_plan_all_nodes(plan); node++) {
            struct stoa_section *a = stoa_section_of(plan, node, STOA_FORWARD);
            struct stoa_section *b = saves[node] && stoa_plan_goes_back(plan, node)
                                         ? stoa_section_of(plan, node, STOA_BACKWARD)
                                         : NULL;
            if (a && b && (a->cut.tasks != b->cut.tasks || a->cut.block != b->cut.block)) {
                bool first = a->cut.tasks > b->cut.tasks ||
                             (a->cut.tasks == b->cut.tasks && a->cut.block < b->cut.block);
                *(first ? &b->cut : &a->cut) = first ? a->cut : b->cut;
                changed = true;
            }
        }
    }
}

/* Which nodes keep data from their forward pass to the one backwards. */
static bool ask_saved(struct stoa_plan *plan, bool *saves) {
    for (size_t node = 0; node < stoa_plan_all_nodes(plan); node++) {
        struct stoa_op_memory memory = {0};
        bool asked = stoa_plan_ask(plan, node, STOA_FORWARD, &memory);
        saves[node] = memory.saved > 0 && !plan->node[node].gives_gradient;
        /* It was asked for the whole batch. */
        free(plan->node[node].plan[STOA_FORWARD]);
        plan->node[node].plan[STOA_FORWARD] = NULL;
        if (!asked) {
            return false;
        }
    }
    return true;
}

static bool find(struct stoa_plan *plan, bool *saves, bool *fit) {
    if (!ask_saved(plan, saves)) {
        return false;
    }
    for (size_t step = 0; step < plan->steps; step++) {
        fit[step] = fits(plan, step);
    }
    for (bool changed = true; changed;) {
        changed = drop_single(plan, fit);
        changed = unite_passes(plan, saves, fit) || changed;
    }
    make_sections(plan, fit);
    choose_cuts(plan, saves);
    return true;
}

bool stoa_plan_find_sections(struct stoa_plan *plan) {
    size_t steps = plan->steps;
    plan->section_of = malloc((steps + 1) * sizeof *plan->section_of);
    plan->sections = calloc(steps + 1, sizeof *plan->sections);
    if (!plan->section_of || !plan->sections) {
        return false;
    }
    for (size_t step = 0; step <= steps; step++) {
        plan->section_of[step] = STOA_NO_SECTION;
    }
    if (plan->layerwise) {
        return true;
    }
    bool *flags = calloc(2 * steps + 2, sizeof *flags);
    bool found = flags && find(plan, flags, flags + steps + 1);
    free(flags);
    return found;
}
