/* SPDX-License-Identifier: MIT */
/* The choice of BLAS core: what OpenBLAS chose, what the CPU could have, and the switch in place.
 *
 * OpenBLAS chooses its kernels when it is loaded, by a list of CPUs that ends at its release date; a newer
 * CPU gets an older core. gotoblas_dynamic_quit() and _init() run that choice again, and OPENBLAS_CORETYPE
 * decides it. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <stoa/blas.h>
#include <string.h>

#include "base/cpu.h"
#include "blas/blas.h"
#include "blas/vendor.h"
#include "blas/workarounds.h"

static const char CORE_VARIABLE[] = "OPENBLAS_CORETYPE";

/* OpenBLAS core names that run AVX-512 (Cooperlake and Sapphire Rapids need more than the flags we check, so
 * they are only ever its own choice), and those that run AVX2. */
int stoa_blas_core_rank(const char *core) {
    static const char *const avx512[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    static const char *const avx2[] = {"Haswell", "Zen", "Excavator"};
    for (size_t i = 0; i < sizeof avx512 / sizeof *avx512; i++) {
        if (strcasecmp(core, avx512[i]) == 0) {
            return STOA_CORE_AVX512;
        }
    }
    for (size_t i = 0; i < sizeof avx2 / sizeof *avx2; i++) {
        if (strcasecmp(core, avx2[i]) == 0) {
            return STOA_CORE_AVX2;
        }
    }
    return 0;
}

static const char *better_core(const struct stoa_blas_vendor *blas) {
    const char *wanted = stoa_cpu_blas_core();
    if (!wanted || !blas->core || !blas->quit ||
        stoa_blas_core_rank(blas->core()) >= stoa_blas_core_rank(wanted)) {
        return NULL;
    }
    return wanted;
}

/* Only OpenBLAS says; its symbols have the same names either way. */
static int integer_bits(const struct stoa_blas_vendor *blas) {
    if (!blas->version || strcmp(blas->name, "OpenBLAS") != 0) {
        return 0;
    }
    return strstr(blas->version(), "USE64BITINT") ? 64 : 32;
}

void stoa_blas_describe(stoa_blas_info *info) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    *info = (stoa_blas_info){
        .name = blas->name,
        .version = blas->version ? blas->version() : "",
        .core = blas->core ? blas->core() : "",
        .threading = blas->threading,
        .threads = blas->get_threads ? (size_t)blas->get_threads() : 0,
        .integer_bits = integer_bits(blas),
        .better_core = better_core(blas),
    };
}

/* A product large enough to leave any special path for small ones, against plain loops. No other thread is
 * here. */
static bool product_is_right(void) {
    enum { SIZE = 70 };
    static float a[SIZE * SIZE];
    static float b[SIZE * SIZE];
    static float c[SIZE * SIZE];
    for (size_t i = 0; i < (size_t)SIZE * SIZE; i++) {
        a[i] = (float)(i % 13) - 6.0F;
        b[i] = (float)(i % 7) - 3.0F;
        c[i] = NAN;
    }
    stoa_blas_sgemm(&(struct stoa_gemm){.m = SIZE,
                                        .n = SIZE,
                                        .k = SIZE,
                                        .alpha = 1,
                                        .a = a,
                                        .lda = SIZE,
                                        .b = b,
                                        .ldb = SIZE,
                                        .beta = 0,
                                        .c = c,
                                        .ldc = SIZE});
    for (size_t i = 0; i < SIZE; i++) {
        for (size_t j = 0; j < SIZE; j++) {
            double sum = 0;
            for (size_t l = 0; l < SIZE; l++) {
                sum += (double)a[i * SIZE + l] * (double)b[l * SIZE + j];
            }
            /* Small integers: every order of summation is exact. NaN fails. */
            if (!((double)c[i * SIZE + j] == sum)) {
                return false;
            }
        }
    }
    return true;
}

static void switch_core(const struct stoa_blas_vendor *blas, const char *core) {
    (void)setenv(CORE_VARIABLE, core, 1);
    blas->quit();
    blas->init();
    stoa_gemm_look_at_core();
    (void)unsetenv(CORE_VARIABLE);
}

stoa_status stoa_blas_tune(stoa_context *context) {
    (void)context;
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (getenv(CORE_VARIABLE)) {
        return STOA_OK;
    }
    if (!blas->core || !blas->quit || !blas->init) {
        return STOA_ERR_UNSUPPORTED;
    }
    const char *wanted = better_core(blas);
    if (!wanted) {
        return STOA_OK;
    }
    char *old = strdup(blas->core());
    if (!old) {
        return STOA_ERR_MEMORY;
    }
    switch_core(blas, wanted);
    bool right = strcasecmp(blas->core(), wanted) == 0 && product_is_right();
    if (!right) {
        switch_core(blas, old);
    }
    free(old);
    return right ? STOA_OK : STOA_ERR_NONFINITE;
}
