/* SPDX-License-Identifier: MIT */
/* Under AddressSanitizer only what a step may touch is open: an operator that reads a dead value or writes
 * past its own is caught at once. In a section all threads' steps may touch what lives through it, and
 * each those values of its own area that its step has. */
#ifndef STOA_MODEL_GUARD_H
#define STOA_MODEL_GUARD_H

#include "model/plan.h"

#if defined(__SANITIZE_ADDRESS__)
#define STOA_GUARD_ARENA 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STOA_GUARD_ARENA 1
#endif
#endif

#ifdef STOA_GUARD_ARENA
void stoa_guard_open(const struct stoa_plan *plan);
void stoa_guard_step(const struct stoa_plan *plan, const struct stoa_place *place, size_t node,
                     enum stoa_pass pass);
void stoa_guard_section(const struct stoa_plan *plan, const struct stoa_section *section);
#else
/* Open all of the arena. */
static inline void stoa_guard_open(const struct stoa_plan *plan) {
    (void)plan;
}

/* Open what a node's pass over these samples may touch. */
static inline void stoa_guard_step(const struct stoa_plan *plan, const struct stoa_place *place, size_t node,
                                   enum stoa_pass pass) {
    (void)plan;
    (void)place;
    (void)node;
    (void)pass;
}

/* Open what lives through a section, and none of its areas. */
static inline void stoa_guard_section(const struct stoa_plan *plan, const struct stoa_section *section) {
    (void)plan;
    (void)section;
}
#endif

#endif
