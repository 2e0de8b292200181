/* What this CPU can run, beyond the public stoa_isa_best(). Floor 0. */
#ifndef STOA_BASE_CPU_H
#define STOA_BASE_CPU_H

#include <stoa/context.h>

/* OpenBLAS core that suits this CPU's flags: "SkylakeX", "Haswell", or NULL when nothing better than
 * its own choice is known. */
const char *stoa_cpu_blas_core(void);

#endif
