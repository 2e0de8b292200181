/* SPDX-License-Identifier: MIT */
/* The reader's way to the tables of kernels, one per instruction set.
 *
 * Compiled for the platform's baseline. The tables hold addresses only: nothing of a higher instruction set
 * runs before somebody has asked stoa_isa_best() and called through a table. */
#include "base/isa_list.h"
#include "kernels/kernels.h"

#define DECLARE(name, NAME, lanes, registers, core, features)                                                \
    extern const struct stoa_kernels stoa_kernels_##name;
#define ADDRESS(name, NAME, lanes, registers, core, features) [STOA_ISA_##NAME] = &stoa_kernels_##name,

DECLARE(base, BASE, , , , )
STOA_ISA_BUILT(DECLARE)
static const struct stoa_kernels *const tables[STOA_ISA_COUNT] = {ADDRESS(base, BASE, , , , )
                                                                      STOA_ISA_BUILT(ADDRESS)};

const struct stoa_kernels *stoa_kernels_for(stoa_isa isa) {
    return (size_t)isa < STOA_ISA_COUNT ? tables[isa] : NULL;
}
