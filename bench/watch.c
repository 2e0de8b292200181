/* SPDX-License-Identifier: MIT */
/* Where a plan's time goes. */
#include "bench/watch.h"

#include <stdlib.h>

#include "bench/bench.h"

static void run_pass(const struct stoa_op_run *run, enum stoa_pass pass) {
    /* The operator is a watched node's first member. */
    struct bench_watch_node *node = &((struct bench_watch_node *)(uintptr_t)run->layer->op)[0];
    double start = bench_now();
    if (pass == STOA_FORWARD) {
        node->original->forward(run);
    } else {
        node->original->backward(run);
    }
    double end = bench_now();
    node->seconds[pass] += end - start;
    node->watch->last_end = end;
}

static void forward(const struct stoa_op_run *run) {
    run_pass(run, STOA_FORWARD);
}

static void backward(const struct stoa_op_run *run) {
    run_pass(run, STOA_BACKWARD);
}

static struct stoa_layer *layer_of(stoa_plan *plan, size_t node) {
    return node == plan->nodes ? &plan->loss : &plan->model->nodes[node].layer;
}

void bench_watch_open(struct bench_watch *watch, stoa_plan *plan) {
    *watch = (struct bench_watch){.plan = plan, .nodes = plan->nodes + (plan->has_loss ? 1 : 0)};
    watch->node = cli_allocate(watch->nodes, sizeof *watch->node);
    for (size_t i = 0; i < watch->nodes; i++) {
        struct bench_watch_node *node = &watch->node[i];
        struct stoa_layer *layer = layer_of(plan, i);
        *node = (struct bench_watch_node){.op = *layer->op, .original = layer->op, .watch = watch};
        node->op.forward = forward;
        node->op.backward = backward;
        layer->op = &node->op;
    }
}

void bench_watch_reset(struct bench_watch *watch) {
    for (size_t i = 0; i < watch->nodes; i++) {
        watch->node[i].seconds[STOA_FORWARD] = 0;
        watch->node[i].seconds[STOA_BACKWARD] = 0;
    }
}

void bench_watch_close(struct bench_watch *watch) {
    for (size_t i = 0; i < watch->nodes; i++) {
        layer_of(watch->plan, i)->op = watch->node[i].original;
    }
    free(watch->node);
    *watch = (struct bench_watch){0};
}
