/* SPDX-License-Identifier: MIT */
/* XNNPACK as a peer: forward only, NHWC, weights packed when a run is made. Its threads are pthreadpool's. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xnnpack.h>

#include "bench/peers/peer.h"

struct bench_peer_run {
    xnn_operator_t layer;
    float *in, *out;
    size_t count;
    char name[64];
};

static pthreadpool_t pool;

static bool start(size_t threads, const stoa_isa *held, char *text, size_t size) {
    if (xnn_initialize(NULL) != xnn_status_success) {
        (void)snprintf(text, size, "XNNPACK does not know this CPU");
        return false;
    }
    pool = pthreadpool_create(threads);
    if (!pool) {
        (void)snprintf(text, size, "pthreadpool starts no %zu threads", threads);
        return false;
    }
    (void)snprintf(text, size, "XNNPACK %s, float32, %zu pthreadpool threads%s", BENCH_XNNPACK_VERSION,
                   threads, held ? ", with all instructions of the CPU: it cannot be held to fewer" : "");
    return true;
}

static void stop(void) {
    pthreadpool_destroy(pool);
    (void)xnn_deinitialize();
}

static bool plain(size_t way) {
    (void)way;
    return true;
}

/* XNNPACK reads a few floats past the ends of its arrays. */
static float *allocate(size_t count) {
    return malloc(count * sizeof(float) + XNN_EXTRA_BYTES);
}

/* (KH, KW, C / groups, K) to XNNPACK's (K, KH, KW, C / groups). */
static float *filters_first(const struct stoa_conv *conv, const float *weight) {
    size_t inputs =
        conv->window.kernel_height * conv->window.kernel_width * (conv->window.channels / conv->groups);
    float *first = allocate(inputs * conv->filters);
    for (size_t i = 0; first && i < inputs; i++) {
        for (size_t k = 0; k < conv->filters; k++) {
            first[k * inputs + i] = weight[i * conv->filters + k];
        }
    }
    return first;
}

static uint32_t padding_after(size_t in, size_t out, size_t kernel, size_t stride, size_t dilation,
                              size_t before) {
    size_t read = (out - 1) * stride + (kernel - 1) * dilation + 1;
    return read > in + before ? (uint32_t)(read - in - before) : 0;
}

static bool make_convolution(struct bench_peer_run *run, const struct bench_peer_problem *problem,
                             const float *weight) {
    const struct stoa_conv *conv = problem->conv;
    const struct stoa_window *w = &conv->window;
    uint32_t bottom = padding_after(w->height, w->out_height, w->kernel_height, w->stride_height,
                                    w->dilation_height, w->pad_top);
    uint32_t right = padding_after(w->width, w->out_width, w->kernel_width, w->stride_width,
                                   w->dilation_width, w->pad_left);
    return xnn_create_convolution2d_nhwc_f32(
               (uint32_t)w->pad_top, right, bottom, (uint32_t)w->pad_left, (uint32_t)w->kernel_height,
               (uint32_t)w->kernel_width, (uint32_t)w->stride_height, (uint32_t)w->stride_width,
               (uint32_t)w->dilation_height, (uint32_t)w->dilation_width, (uint32_t)conv->groups,
               w->channels / conv->groups, conv->filters / conv->groups, w->channels, conv->filters, weight,
               NULL, -INFINITY, INFINITY, 0, &run->layer) == xnn_status_success &&
           xnn_setup_convolution2d_nhwc_f32(run->layer, conv->batch, w->height, w->width, run->in, run->out,
                                            pool) == xnn_status_success;
}

static bool make_linear(struct bench_peer_run *run, const struct bench_peer_problem *problem,
                        const float *weight) {
    size_t in = problem->conv->window.channels, out = problem->conv->filters;
    return xnn_create_fully_connected_nc_f32(in, out, in, out, weight, NULL, -INFINITY, INFINITY, 0,
                                             &run->layer) == xnn_status_success &&
           xnn_setup_fully_connected_nc_f32(run->layer, problem->conv->batch, run->in, run->out, pool) ==
               xnn_status_success;
}

static void free_run(struct bench_peer_run *run) {
    if (run->layer) {
        (void)xnn_delete_operator(run->layer);
    }
    free(run->in);
    free(run->out);
    free(run);
}

static struct bench_peer_run *make(const struct bench_peer_problem *problem, size_t way) {
    const struct stoa_conv *conv = problem->conv;
    const struct stoa_window *w = &conv->window;
    (void)way;
    struct bench_peer_run *run = calloc(1, sizeof *run);
    float *weight = filters_first(conv, problem->weight);
    if (!run || !weight) {
        free(run);
        free(weight);
        return NULL;
    }
    run->count = conv->batch * w->out_height * w->out_width * conv->filters;
    run->out = allocate(run->count);
    size_t inputs = conv->batch * w->height * w->width * w->channels;
    run->in = allocate(inputs);
    if (run->in) {
        memcpy(run->in, problem->x, inputs * sizeof(float));
    }
    (void)snprintf(run->name, sizeof run->name, "%s",
                   problem->linear ? "fully connected" : "convolution, nhwc");
    bool made =
        run->in && run->out &&
        (problem->linear ? make_linear(run, problem, weight) : make_convolution(run, problem, weight));
    free(weight); /* packed by now */
    if (!made) {
        free_run(run);
        return NULL;
    }
    memset(run->out, 0xff, run->count * sizeof(float));
    return run;
}

static const char *describe(const struct bench_peer_run *run) {
    return run->name;
}

static void run_once(struct bench_peer_run *run) {
    (void)xnn_run_operator(run->layer, pool); /* a failed one leaves its NaN, and is found wrong */
}

static bool read_out(struct bench_peer_run *run, float *out) {
    memcpy(out, run->out, run->count * sizeof(float));
    return true;
}

const struct bench_peer bench_peer = {
    .name = "XNNPACK",
    .passes = {true, false, false},
    .ways = 1,
    .plain = plain,
    .start = start,
    .stop = stop,
    .make = make,
    .describe = describe,
    .run = run_once,
    .read = read_out,
    .free = free_run,
};
