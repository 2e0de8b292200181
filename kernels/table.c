/* SPDX-License-Identifier: MIT */
/* The table of an instruction set's kernels: its own, and those of a lower set for the groups that it
 * leaves. STOA_INPUT_ISA comes from the build and names the set whose kernels of that group these are. */
#include "kernels/isa.h"

#define NAME(slot, isa) STOA_JOIN_EXPANDED(slot, isa)
#define OWN(slot, signature) .slot = STOA_KERNEL(slot),
#define INPUT(slot, signature) .slot = NAME(slot, STOA_INPUT_ISA),
#define INPUT_PROTOTYPE(slot, signature) void NAME(slot, STOA_INPUT_ISA) signature;

/* In one file with the lower set they are declared already, and must not be again with other instructions. */
#ifndef STOA_INPUT_DECLARED
STOA_INPUT_KERNELS(INPUT_PROTOTYPE, float)
#endif

extern const struct stoa_kernels STOA_KERNEL(kernels);
const struct stoa_kernels STOA_KERNEL(kernels) = {STOA_OTHER_KERNELS(OWN, float)
                                                      STOA_INPUT_KERNELS(INPUT, float)};
