/* SPDX-License-Identifier: MIT */
/* What has to be said to oneDNN before its first engine: its threads and the instruction set that it is held
 * to. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/peers/onednn_api.h"

/* Whichever OpenMP oneDNN was linked with; absent when it was built for other threads. */
extern void omp_set_num_threads(int threads) __attribute__((weak));

bool onednn_hold(const stoa_isa *held, const char **name) {
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } known[STOA_ISA_COUNT] = {[STOA_ISA_BASE] = {dnnl_cpu_isa_sse41, ", held to SSE4.1"},
                               [STOA_ISA_AVX2] = {dnnl_cpu_isa_avx2, ", held to AVX2"},
                               [STOA_ISA_AVX512] = {dnnl_cpu_isa_avx512_core, ", held to AVX-512"}};
    *name = held ? known[*held].name : "";
    return !held || dnnl_set_max_cpu_isa(known[*held].isa) == dnnl_success;
}

bool onednn_set_threads(const dnnl_version_t *version, size_t threads, const char **kind, char *text,
                        size_t size) {
    if (version->cpu_runtime == DNNL_RUNTIME_OMP && omp_set_num_threads) {
        omp_set_num_threads((int)threads);
        *kind = "OpenMP";
        return true;
    }
#ifdef ONEDNN_DRIVER
    cpu_set_t cpus;
    if (version->cpu_runtime == DNNL_RUNTIME_SYCL && sched_getaffinity(0, sizeof cpus, &cpus) == 0) {
        *kind = "SYCL";
        size_t count = (size_t)CPU_COUNT(&cpus);
        (void)snprintf(text, size, "this oneDNN %d.%d.%d runs on one thread a CPU, expected --threads %zu",
                       version->major, version->minor, version->patch, count);
        return threads == count && setenv("OCL_ICD_FILENAMES", ONEDNN_DRIVER, 0) == 0;
    }
#endif
    (void)snprintf(text, size, "this oneDNN %d.%d.%d was not built for OpenMP", version->major,
                   version->minor, version->patch);
    return false;
}
