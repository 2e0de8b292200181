/* SPDX-License-Identifier: MIT */
/* Functions that only some BLAS have, looked up at run time so that any cblas links. */
#ifndef STOA_BLAS_VENDOR_H
#define STOA_BLAS_VENDOR_H

#include <stdbool.h>
#include <stddef.h>

/* Members are NULL where the BLAS has no such function; of the two for its threads both or none. */
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

/* Symbols of an OpenBLAS whose pkg-config file says that they begin with a prefix. */
#ifdef BLAS_SYMBOL_PREFIX
#define STOA_BLAS_JOIN(prefix, name) prefix##name
#define STOA_BLAS_EXPAND(prefix, name) STOA_BLAS_JOIN(prefix, name)
#define STOA_BLAS_SYMBOL(name) STOA_BLAS_EXPAND(BLAS_SYMBOL_PREFIX, name)
#else
#define STOA_BLAS_SYMBOL(name) name
#endif
#define STOA_BLAS_TEXT(symbol) #symbol
#define STOA_BLAS_QUOTE(symbol) STOA_BLAS_TEXT(symbol)
#define STOA_BLAS_NAME(name) STOA_BLAS_QUOTE(STOA_BLAS_SYMBOL(name))

/* What an OpenBLAS core's kernels are made for; 0: less, or unknown. */
enum { STOA_CORE_AVX2 = 1, STOA_CORE_AVX512 = 2, STOA_CORE_UNKNOWN = 3 };
int stoa_blas_core_rank(const char *core);

/* The BLAS of this process; looked up once. Safe from several threads. */
const struct stoa_blas_vendor *stoa_blas_vendor(void);

#endif
