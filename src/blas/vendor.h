/* SPDX-License-Identifier: MIT */
/* Functions that only some BLAS have, looked up at run time so that any cblas links. */
#ifndef STOA_BLAS_VENDOR_H
#define STOA_BLAS_VENDOR_H

#include <stdbool.h>
#include <stddef.h>

/* Members are NULL where the BLAS has no such function. */
struct stoa_blas_vendor {
    const char *name;
    const char *threading;
    const char *(*version)(void);
    const char *(*core)(void);
    int (*get_threads)(void);
    void (*set_threads)(int threads);
    bool count_is_per_thread; /* the two functions above speak of the calling thread, not of the process */
    void (*quit)(void);       /* leave the CPU core's tables, then choose anew: OpenBLAS only */
    void (*init)(void);
};

/* What an OpenBLAS core's kernels are made for; 0: less, or unknown. */
enum { STOA_CORE_AVX2 = 1, STOA_CORE_AVX512 = 2 };
int stoa_blas_core_rank(const char *core);

/* Look again at what the product path depends on: after a change of core. */
void stoa_gemm_look_at_core(void);

/* The BLAS of this process; looked up once. Safe from several threads. */
const struct stoa_blas_vendor *stoa_blas_vendor(void);

#endif
