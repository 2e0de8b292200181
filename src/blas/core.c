/* SPDX-License-Identifier: MIT */
/* The choice of BLAS core: what OpenBLAS chose, what the CPU could have, and the switch in place.
 *
 * OpenBLAS chooses its kernels when it is loaded, by a list of CPUs that ends at its release date; a newer
 * CPU gets an older core. gotoblas_dynamic_quit() and _init() run that choice again, and OPENBLAS_CORETYPE
 * decides it. */
#include <stdlib.h>
#include <stoa/blas.h>
#include <string.h>

#include "base/cpu.h"
#include "blas/vendor.h"
#include "blas/workarounds.h"

static const char CORE_VARIABLE[] = "OPENBLAS_CORETYPE";

/* OpenBLAS core names that run AVX-512 (Cooperlake and Sapphire Rapids need more than the flags we check, so
 * they are only ever its own choice), and those that run AVX2. */
int stoa_blas_core_rank(const char *core) {
    static const struct {
        const char *core;
        int rank;
    } cores[] = {{"SkylakeX", STOA_CORE_AVX512},
                 {"Cooperlake", STOA_CORE_AVX512},
                 {"SapphireRapids", STOA_CORE_AVX512},
                 {"Haswell", STOA_CORE_AVX2},
                 {"Zen", STOA_CORE_AVX2},
                 {"Excavator", STOA_CORE_AVX2}};
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++) {
        if (strcasecmp(core, cores[i].core) == 0) {
            return cores[i].rank;
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

/* Only OpenBLAS tells; its symbols have the same names either way. */
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

static void switch_core(const struct stoa_blas_vendor *blas, const char *core) {
    (void)setenv(CORE_VARIABLE, core, 1);
    blas->quit();
    blas->init();
    stoa_blas_look();
    (void)unsetenv(CORE_VARIABLE);
}

/* The product is large enough to leave any special path for small ones, in every form. */
static bool products_are_right(void) {
    enum { SIDE = 112, FORMS = 8 };
    static float memory[3 * SIDE * SIDE];
    bool right = true;
    for (size_t form = 0; form < FORMS; form++) {
        right = right && stoa_blas_is_right(memory, SIDE, form, 1);
    }
    return right;
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
    bool right = strcasecmp(blas->core(), wanted) == 0 && products_are_right();
    if (!right) {
        switch_core(blas, old);
    }
    free(old);
    return right ? STOA_OK : STOA_ERR_NONFINITE;
}
