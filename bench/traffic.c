/* SPDX-License-Identifier: MIT */
/* Bytes of a step on a single sample against what the same memory gives to a loop that does nothing else. */
#include "bench/traffic.h"

#include "bench/columns.h"

#include <stdio.h>
#include <string.h>

#include "core/context.h"

static void run_pass(void *argument) {
    const struct bench_traffic *traffic = argument;
    bench_ops_run(traffic->arrays, traffic->context, traffic->context->kernels);
}

/* y = x + y: like a step it reads twice as much as it writes. */
static const struct bench_ops_case *find_pass(void) {
    const struct bench_ops_case *found = bench_ops_cases;
    while (strcmp(found->kernel, "accumulate") != 0) {
        found++;
    }
    return found;
}

static double count_bytes(const stoa_model *model, size_t slots) {
    size_t all = stoa_model_parameter_count(model), first = 0;
    for (size_t i = 0; first == 0 && i < stoa_model_layer_count(model); i++) {
        stoa_layer_info layer;
        first = stoa_model_layer(model, i, &layer) == STOA_OK ? layer.parameters : 0;
    }
    enum { FORWARD = 1, GRADIENT = 1, UPDATE = 3 };
    double numbers = (double)all * (FORWARD + GRADIENT + UPDATE + 2 * (double)slots) + (double)(all - first);
    return sizeof(float) * numbers;
}

bool bench_traffic_open(const struct bench *bench, const stoa_model *model, size_t slots,
                        struct bench_traffic *traffic) {
    size_t parameters = stoa_model_parameter_count(model);
    *traffic = (struct bench_traffic){.bytes = count_bytes(model, slots),
                                      .array_bytes = (double)parameters * sizeof(float),
                                      .arrays = bench_ops_make(find_pass(), parameters),
                                      .context = bench->context};
    traffic->pass = (struct bench_case){run_pass, traffic};
    if (!traffic->arrays) {
        (void)cli_fail(CLI_FAILED, "out of memory for arrays of %zu numbers", parameters);
    }
    return traffic->arrays != NULL;
}

void bench_traffic_close(struct bench_traffic *traffic) {
    bench_ops_free(traffic->arrays);
    *traffic = (struct bench_traffic){0};
}

static double moved(const struct bench_traffic *traffic, const struct bench_times *step) {
    return traffic->bytes / step->summary.median;
}

static double possible(const struct bench_traffic *traffic, const struct bench_times *pass) {
    return 3 * traffic->array_bytes / pass->summary.median;
}

void bench_traffic_report(const struct bench_traffic *traffic, const struct bench_times *step,
                          const struct bench_times *pass, struct bench_record *record) {
    bench_counter(record, "weight_bytes", traffic->bytes);
    bench_counter(record, "weight_bytes_per_second", moved(traffic, step));
    bench_counter(record, "weight_bandwidth_per_second", possible(traffic, pass));
    bench_counter(record, "weight_bandwidth_share", moved(traffic, step) / possible(traffic, pass));
}

void bench_traffic_print(const struct bench_traffic *traffic, const struct bench_times *step,
                         const struct bench_times *pass) {
    bench_print_text(
        "A step moves at least %.1f MB of weights and gradients, here at %.1f GB/s: %.0f %% of the %.1f GB/s "
        "that y = x + y reaches on arrays of their size, twice %.1f MB",
        1e-6 * traffic->bytes, 1e-9 * moved(traffic, step),
        100 * moved(traffic, step) / possible(traffic, pass), 1e-9 * possible(traffic, pass),
        1e-6 * traffic->array_bytes);
    (void)puts("");
}
