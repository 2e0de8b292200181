/* SPDX-License-Identifier: MIT */
/* CPUs that the process may use: its affinity, and the quota of its control group. */
#include <errno.h>
#include <unistd.h>

#include "base/size.h"
#include "core/machine.h"

size_t stoa_affinity_count(stoa_affinity_fn *get) {
    enum { FIRST = 1024, MOST = 1 << 20 };
    /* The call fails with EINVAL on machines with more CPUs than the set has room for. */
    for (int cpus = FIRST; cpus <= MOST; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set) {
            return 0;
        }
        int failed = get(0, CPU_ALLOC_SIZE(cpus), set);
        bool too_small = failed && errno == EINVAL;
        size_t count = failed ? 0 : (size_t)CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), set);
        CPU_FREE(set);
        if (!too_small) {
            return count;
        }
    }
    return 0;
}

size_t stoa_cpu_count(void) {
    size_t count = stoa_affinity_count(sched_getaffinity);
    long online = count > 0 ? 0 : sysconf(_SC_NPROCESSORS_ONLN);
    return stoa_max(1, stoa_max(count, online > 0 ? (size_t)online : 0));
}

size_t stoa_threads_within(size_t cpus, double quota) {
    size_t threads = cpus;
    if (quota > 0 && quota < (double)cpus) {
        threads = (size_t)quota;
        threads += (double)threads < quota;
    }
    return threads;
}

size_t stoa_default_threads(void) {
    return stoa_threads_within(stoa_cpu_count(), stoa_quota());
}
