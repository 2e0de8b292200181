/* SPDX-License-Identifier: MIT */
/* See guard.h. */
#include "model/guard.h"

#ifdef STOA_GUARD_ARENA
#include <sanitizer/asan_interface.h>

void stoa_guard_open(const struct stoa_plan *plan) {
    ASAN_UNPOISON_MEMORY_REGION(plan->arena, plan->bytes);
}

/* Where a step's values lie that are not open yet: `area` is the scratch of its section, beside which all is
 * open, or STOA_NO_VALUE. */
struct room {
    const struct stoa_plan *plan;
    const struct stoa_place *place;
    size_t area;
};

static void open_value(const struct room *room, size_t value) {
    if (value != STOA_NO_VALUE && room->plan->values[value].area == room->area) {
        ASAN_UNPOISON_MEMORY_REGION(stoa_value_at(room->plan, value, room->place),
                                    room->plan->values[value].bytes);
    }
}

static void open_backward(const struct room *room, size_t node) {
    const struct stoa_plan *plan = room->plan;
    const struct stoa_node_plan *p = &plan->node[node];
    for (size_t k = 0; k < stoa_plan_layer(plan, node)->inputs; k++) {
        open_value(room, p->dx[k]);
        if (p->adds[k]) {
            open_value(room, stoa_plan_gradient_of(plan, stoa_plan_input_of(plan, node, k)));
        }
    }
    open_value(room, p->gradient);
    open_value(room, p->further);
    open_value(room, plan->gradients);
}

static void open_values(const struct room *room, size_t node, enum stoa_pass pass) {
    const struct stoa_plan *plan = room->plan;
    const struct stoa_node_plan *p = &plan->node[node];
    bool backward = pass == STOA_BACKWARD;
    for (size_t k = 0; k < stoa_plan_layer(plan, node)->inputs; k++) {
        if (!backward || (stoa_plan_needs(plan, node) & STOA_NEEDS_X)) {
            open_value(room, stoa_plan_place_of(plan, stoa_plan_input_of(plan, node, k)));
        }
    }
    if (!backward || (stoa_plan_needs(plan, node) & STOA_NEEDS_Y)) {
        open_value(room, p->output);
    }
    open_value(room, p->saved);
    open_value(room, p->prepared);
    open_value(room, p->folded);
    open_value(room, p->workspace[pass]);
    if (backward) {
        open_backward(room, node);
    }
}

void stoa_guard_step(const struct stoa_plan *plan, const struct stoa_place *place, size_t node,
                     enum stoa_pass pass) {
    size_t section = plan->section_of[stoa_done_in(plan, node, pass)];
    struct room room = {plan, place, STOA_NO_VALUE};
    if (section == STOA_NO_SECTION) {
        ASAN_POISON_MEMORY_REGION(plan->arena, plan->bytes);
    } else {
        room.area = plan->sections[section].scratch;
        const struct stoa_value *scratch = &plan->values[room.area];
        ASAN_POISON_MEMORY_REGION(plan->arena + scratch->offset + place->area * scratch->apart,
                                  scratch->apart);
    }
    for (; node != STOA_NO_VALUE; node = plan->node[node].next[pass]) {
        open_values(&room, node, pass);
        if (plan->node[node].gives_gradient) {
            open_backward(&room, node);
        }
    }
}

void stoa_guard_section(const struct stoa_plan *plan, const struct stoa_section *section) {
    ASAN_POISON_MEMORY_REGION(plan->arena, plan->bytes);
    for (size_t i = 0; i < plan->value_count; i++) {
        const struct stoa_value *value = &plan->values[i];
        if (value->area == STOA_NO_VALUE && i != section->scratch && value->first <= section->last &&
            section->first <= value->last) {
            ASAN_UNPOISON_MEMORY_REGION(plan->arena + value->offset, value->bytes);
        }
    }
}
#else
typedef int stoa_guard_is_off; /* a translation unit has to have something */
#endif
