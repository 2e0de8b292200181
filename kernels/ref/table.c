/* SPDX-License-Identifier: MIT */
/* The table of references in one type. */
#include "kernels/ref/ref.h"

#define STOA_TABLE_EXPANDED(name) stoa_reference_##name
#define STOA_TABLE(name) STOA_TABLE_EXPANDED(name)
#define STOA_TABLE_MEMBER(slot, signature) .slot = STOA_REFERENCE(slot),

const struct STOA_TABLE(STOA_REAL_NAME) STOA_TABLE(STOA_REAL_NAME) = {
    STOA_KERNEL_LIST(STOA_TABLE_MEMBER, real) STOA_REFERENCE_LIST(STOA_TABLE_MEMBER, real)};
