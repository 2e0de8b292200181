/* Which BLAS is linked: by the symbols it exports. Floor 2. */
#include "blas/vendor.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static struct stoa_blas_vendor vendor;
static pthread_once_t vendor_once = PTHREAD_ONCE_INIT;

/* ISO C has no conversion from an object pointer to a function pointer; POSIX promises that the bytes mean
 * the same. */
static void look_up(const char *symbol, void *function_pointer) {
    void *address = dlsym(RTLD_DEFAULT, symbol);
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
    if (vendor.version) {
        vendor.name = "OpenBLAS";
        vendor.threading = openblas_threading();
        look_up("openblas_get_corename", &vendor.core);
        look_up("openblas_get_num_threads", &vendor.get_threads);
        look_up("openblas_set_num_threads", &vendor.set_threads);
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
