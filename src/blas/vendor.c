/* SPDX-License-Identifier: MIT */
/* Which BLAS is linked: by the symbols it exports. */
#include "blas/vendor.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static struct stoa_blas_vendor vendor;
static pthread_once_t vendor_once = PTHREAD_ONCE_INIT;

/* The function of this name, or NULL. `linked` is what the linker bound: a fully static program has no
 * symbols for dlsym() to find, and one that was linked with another BLAS has no others. ISO C has no
 * conversion from an object pointer to a function pointer; POSIX promises that the bytes mean the same. */
static void find(void *function_pointer, void (*linked)(void), const char *symbol, const char *name) {
    void *address = NULL;
    if (linked) {
        memcpy(&address, &linked, sizeof address);
    } else {
        address = dlsym(RTLD_DEFAULT, symbol);
    }
    if (!address && strcmp(symbol, name) != 0) {
        address = dlsym(RTLD_DEFAULT, name);
    }
    memcpy(function_pointer, &address, sizeof address);
}

/* The names are our own: cblas.h may declare some with types that differ between versions. */
#ifdef __ELF__
#define FIND(function_pointer, name)                                                                         \
    do {                                                                                                     \
        extern void stoa_linked_##name(void) __asm__(STOA_BLAS_NAME(name))                                   \
            __attribute__((weak, visibility("default")));                                                    \
        find(function_pointer, stoa_linked_##name, STOA_BLAS_NAME(name), #name);                             \
    } while (0)
#else
#define FIND(function_pointer, name) find(function_pointer, NULL, STOA_BLAS_NAME(name), #name)
#endif

/* BLIS counts threads in its own 64-bit integer and gives -1 for "not set". */
static long (*blis_get)(void);
static void (*blis_set)(long threads);

static int blis_get_threads(void) {
    long threads = blis_get();
    return threads < 1 ? 1 : (int)threads;
}

static void blis_set_threads(int threads) {
    blis_set(threads);
}

/* An archive brings what products need, which the functions that tell version and core are no part of. */
static void find_openblas(void) {
    static const char *const threading[] = {"single", "pthread", "openmp"};
    int (*parallel)(void) = NULL;
    vendor.name = "OpenBLAS";
    FIND(&parallel, openblas_get_parallel);
    unsigned kind = parallel ? (unsigned)parallel() : 3;
    vendor.threading = kind < 3 ? threading[kind] : "";
    FIND(&vendor.core, openblas_get_corename);
    if (!vendor.core) {
        FIND(&vendor.core, gotoblas_corename);
    }
    FIND(&vendor.quit, gotoblas_dynamic_quit);
    FIND(&vendor.init, gotoblas_dynamic_init);
    vendor.count_is_per_thread = kind == 2;
    if (vendor.count_is_per_thread) {
        FIND(&vendor.get_threads, omp_get_max_threads);
        FIND(&vendor.set_threads, omp_set_num_threads);
    } else {
        FIND(&vendor.get_threads, openblas_get_num_threads);
    }
}

static void find_blis(void) {
    vendor.name = "BLIS";
    FIND(&blis_get, bli_thread_get_num_threads);
    FIND(&blis_set, bli_thread_set_num_threads);
    vendor.get_threads = blis_get ? blis_get_threads : NULL;
    vendor.set_threads = blis_set ? blis_set_threads : NULL;
}

static void find_vendor(void) {
    vendor = (struct stoa_blas_vendor){.name = "cblas", .threading = ""};
    FIND(&vendor.version, openblas_get_config);
    FIND(&vendor.set_threads, openblas_set_num_threads);
    if (vendor.version || vendor.set_threads) {
        find_openblas();
    } else {
        FIND(&vendor.version, bli_info_get_version_str);
        FIND(&vendor.set_threads, MKL_Set_Num_Threads);
        if (vendor.version) {
            find_blis();
        } else if (vendor.set_threads) {
            vendor.name = "MKL";
            FIND(&vendor.get_threads, MKL_Get_Max_Threads);
        }
    }
    if (!vendor.get_threads || !vendor.set_threads) {
        vendor.get_threads = NULL;
        vendor.set_threads = NULL;
        vendor.count_is_per_thread = false;
    }
}

const struct stoa_blas_vendor *stoa_blas_vendor(void) {
    (void)pthread_once(&vendor_once, find_vendor);
    return &vendor;
}
