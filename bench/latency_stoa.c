/* SPDX-License-Identifier: MIT */
/* Stoa, one image at a time. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/size.h"
#include "bench/latency.h"
#include "bench/layer.h"

size_t bench_flush_bytes(void) {
    size_t bytes = (size_t)64 << 20;
#ifdef _SC_LEVEL3_CACHE_SIZE
    long last = sysconf(_SC_LEVEL3_CACHE_SIZE);
    bytes = last > 0 ? stoa_max(bytes, 2 * (size_t)last) : bytes;
#endif
    return bytes;
}

static void flush(struct bench_latency_stoa *stoa) {
    for (size_t i = 0; i < stoa->flush_bytes; i += 64) {
        stoa->flush[i]++;
    }
}

/* The least of many, as the rest is other work. */
static double clock_seconds(void) {
    double least = 1;
    for (int i = 0; i < 1000; i++) {
        double start = bench_now(), seconds = bench_now() - start;
        least = seconds < least ? seconds : least;
    }
    return least;
}

int bench_latency_stoa_open(const struct bench *bench, const struct bench_network *network, size_t threads,
                            struct bench_latency_stoa *stoa) {
    *stoa = (struct bench_latency_stoa){.flush_bytes = bench_flush_bytes(), .clock = clock_seconds()};
    int code = bench_context_create(bench, threads, &stoa->context);
    if (code == CLI_DONE) {
        stoa->flush = cli_allocate(stoa->flush_bytes, 1);
        code = bench_inference_open(stoa->context, network->recipe, 1, &stoa->inference);
    }
    if (code == CLI_DONE) {
        /* No number is zero: a few dark pixels would make engines that differ agree. */
        bench_draw(stoa->inference.images, stoa->inference.input_bytes / sizeof(float), 1);
    }
    return code;
}

void bench_latency_stoa_close(struct bench_latency_stoa *stoa) {
    bench_inference_close(&stoa->inference);
    stoa_context_free(stoa->context);
    free(stoa->flush);
    *stoa = (struct bench_latency_stoa){0};
}

static int measure(void *self, enum bench_caches caches, size_t count, double *seconds) {
    struct bench_latency_stoa *stoa = self;
    for (int i = 0; caches == BENCH_WARM && i < 100; i++) {
        bench_inference_step(&stoa->inference);
    }
    for (size_t i = 0; i < count; i++) {
        if (caches == BENCH_COLD) {
            flush(stoa);
        }
        double start = bench_now();
        bench_inference_step(&stoa->inference);
        double took = bench_now() - start - stoa->clock;
        seconds[i] = took > 0 ? took : 0;
    }
    return stoa->inference.status == STOA_OK ? CLI_DONE
                                             : cli_fail_library(stoa->context, stoa->inference.status);
}

struct bench_engine bench_latency_stoa_engine(struct bench_latency_stoa *stoa, size_t threads) {
    return (struct bench_engine){
        .name = "stoa", .way = "", .threads = threads, .is_stoa = true, .self = stoa, .measure = measure};
}

/* The median of means of few runs: other work on the machine spoils some of them. */
double bench_latency_stoa_steps(struct bench_latency_stoa *stoa, size_t threads) {
    enum { RUNS = 16, MEANS = 101 };
    struct bench_watch *watch = &stoa->inference.watch;
    double mean[MEANS];
    bench_watch_open(watch, stoa->inference.plan, threads);
    for (size_t m = 0; m < MEANS; m++) {
        mean[m] = 0;
        bench_watch_reset(watch, NULL, 0);
        for (size_t i = 0; i < RUNS; i++) {
            bench_inference_step(&stoa->inference);
        }
        for (size_t i = 0; i < watch->steps; i++) {
            mean[m] += bench_watch_seconds(watch, i) / RUNS - stoa->clock;
        }
    }
    bench_watch_close(watch);
    return bench_summarise(mean, MEANS).median;
}
