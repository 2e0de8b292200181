/* SPDX-License-Identifier: MIT */
/* What /proc/self/smaps says of a place in memory. */
#ifndef STOA_TESTS_BASE_SMAPS_H
#define STOA_TESTS_BASE_SMAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The limits at the start of a line; others begin with "Name:". */
static inline bool smaps_limits(const char *line, uintptr_t *low, uintptr_t *high) {
    char *end = NULL;
    *low = (uintptr_t)strtoull(line, &end, 16);
    if (end == line || *end != '-') {
        return false;
    }
    *high = (uintptr_t)strtoull(end + 1, &end, 16);
    return *end == ' ';
}

/* Whether huge pages were asked for there. `*known` is false where this system has none, or does not say. */
static inline bool smaps_asks_for_huge_pages(const void *place, bool *known) {
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    bool inside = false, asked = false;
    *known = false;
    while (file && !*known && fgets(line, sizeof line, file)) {
        uintptr_t low, high;
        if (smaps_limits(line, &low, &high)) {
            inside = low <= (uintptr_t)place && (uintptr_t)place < high;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            *known = access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) == 0;
            asked = strstr(line, " hg") != NULL;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return asked;
}

#endif
