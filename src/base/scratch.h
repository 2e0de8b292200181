/* SPDX-License-Identifier: MIT */
/* Memory of the calling thread for what would be too large for its stack: hosts give threads of 64 KiB. A
 * context owns it, for each of its threads, and a parallel loop lends it to those that run the tasks.
 * Whatever is put there is done with before anything else that uses it is called. */
#ifndef STOA_BASE_SCRATCH_H
#define STOA_BASE_SCRATCH_H

/* Enough for a product's copies of its operands, and for the lines that columns are made from. */
enum { STOA_SCRATCH_FLOATS = 84 << 10 };

/* STOA_SCRATCH_FLOATS floats, aligned to a cache line; NULL outside of a loop. */
float *stoa_scratch(void);

/* From now on `memory`. Returns what it was before, to be put back. */
float *stoa_scratch_use(float *memory);

#endif
