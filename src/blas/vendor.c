/* SPDX-License-Identifier: MIT */
/* Which BLAS is linked: by the symbols it exports. */
#include "blas/vendor.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static struct stoa_blas_vendor vendor;
static pthread_once_t vendor_once = PTHREAD_ONCE_INIT;

/* What a BLAS may have, bound by the linker where it is there: a fully static program has no symbols for
 * dlsym() to find. Under names of our own: cblas.h may declare some with types that differ between
 * versions. */
#define VENDOR_FUNCTIONS(X)                                                                                  \
    X(openblas_get_config)                                                                                   \
    X(openblas_get_parallel)                                                                                 \
    X(openblas_get_corename)                                                                                 \
    X(openblas_get_num_threads)                                                                              \
    X(openblas_set_num_threads)                                                                              \
    X(gotoblas_corename)                                                                                     \
    X(gotoblas_dynamic_quit)                                                                                 \
    X(gotoblas_dynamic_init)                                                                                 \
    X(omp_get_max_threads)                                                                                   \
    X(omp_set_num_threads)                                                                                   \
    X(bli_info_get_version_str)                                                                              \
    X(bli_thread_get_num_threads)                                                                            \
    X(bli_thread_set_num_threads)                                                                            \
    X(MKL_Get_Max_Threads)                                                                                   \
    X(MKL_Set_Num_Threads)

#ifdef __ELF__
#define DECLARE_WEAK(name)                                                                                   \
    extern void stoa_linked_##name(void) __asm__(STOA_BLAS_NAME(name))                                       \
        __attribute__((weak, visibility("default")));
VENDOR_FUNCTIONS(DECLARE_WEAK)
#undef DECLARE_WEAK
#define LINKED(name) stoa_linked_##name
#else
#define LINKED(name) NULL
#endif

/* The function of this name, or NULL. ISO C has no conversion from an object pointer to a function pointer;
 * POSIX promises that the bytes mean the same. */
static void look_up(const char *symbol, void *function_pointer) {
    static const struct {
        const char *name, *symbol;
        void (*function)(void);
    } linked[] = {
#define LIST_LINKED(name) {#name, STOA_BLAS_NAME(name), LINKED(name)},
        VENDOR_FUNCTIONS(LIST_LINKED)
#undef LIST_LINKED
    };
    void *address = NULL;
    for (size_t i = 0; i < sizeof linked / sizeof *linked; i++) {
        if (strcmp(linked[i].name, symbol) == 0) {
            if (linked[i].function) {
                memcpy(function_pointer, &linked[i].function, sizeof linked[i].function);
                return;
            }
            address = dlsym(RTLD_DEFAULT, linked[i].symbol);
        }
    }
    address = address ? address : dlsym(RTLD_DEFAULT, symbol);
    memcpy(function_pointer, &address, sizeof address);
}

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

static const char *openblas_threading(void) {
    int (*parallel)(void) = NULL;
    look_up("openblas_get_parallel", &parallel);
    switch (parallel ? parallel() : -1) {
    case 0:
        return "single";
    case 1:
        return "pthread";
    case 2:
        return "openmp";
    default:
        return "";
    }
}

static void find_vendor(void) {
    vendor = (struct stoa_blas_vendor){.name = "cblas", .threading = ""};
    look_up("openblas_get_config", &vendor.version);
    look_up("openblas_set_num_threads", &vendor.set_threads);
    /* An archive brings what products need, which the function that tells the version is no part of. */
    if (vendor.version || vendor.set_threads) {
        vendor.name = "OpenBLAS";
        vendor.threading = openblas_threading();
        look_up("openblas_get_corename", &vendor.core);
        if (!vendor.core) {
            look_up("gotoblas_corename", &vendor.core);
        }
        look_up("openblas_get_num_threads", &vendor.get_threads);
        if (strcmp(vendor.threading, "openmp") == 0) {
            vendor.count_is_per_thread = true;
            look_up("omp_get_max_threads", &vendor.get_threads);
            look_up("omp_set_num_threads", &vendor.set_threads);
        }
        look_up("gotoblas_dynamic_quit", &vendor.quit);
        look_up("gotoblas_dynamic_init", &vendor.init);
        return;
    }
    look_up("bli_info_get_version_str", &vendor.version);
    if (vendor.version) {
        vendor.name = "BLIS";
        look_up("bli_thread_get_num_threads", &blis_get);
        look_up("bli_thread_set_num_threads", &blis_set);
        if (blis_get && blis_set) {
            vendor.get_threads = blis_get_threads;
            vendor.set_threads = blis_set_threads;
        }
        return;
    }
    look_up("MKL_Set_Num_Threads", &vendor.set_threads);
    if (vendor.set_threads) {
        vendor.name = "MKL";
        look_up("MKL_Get_Max_Threads", &vendor.get_threads);
    }
}

const struct stoa_blas_vendor *stoa_blas_vendor(void) {
    (void)pthread_once(&vendor_once, find_vendor);
    return &vendor;
}
