/* SPDX-License-Identifier: MIT */
/* Every operator that finishes what it writes, with every operator of one number at a time as its epilogue:
 * the same bits as the two one after the other, forward and backward, on every instruction set. Both sides
 * come from the registry: a new operator is tested by being in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv/conv.h"
#include "harness.h"

enum { SEED = 515, MOST_SAMPLES = 9 };

static stoa_context *context;

static void shape_text(const struct stoa_shape *shape, char out[64]) {
    size_t used = 0;
    for (size_t i = 0; i < shape->rank; i++) {
        used += (size_t)snprintf(out + used, 64 - used, "%s%zu", i ? "x" : "", shape->dim[i]);
    }
}

/* Which pair is checked, and how it runs. */
struct pair {
    const struct stoa_layer *layer;
    const struct stoa_layer *map; /* of the layer's output, or of its input where the pass goes backward */
    struct harness_setup setup;
    size_t flow;
    bool apart;  /* the epilogue writes elsewhere */
    bool longer; /* a ReLU and dropout follow */
};

static void same_bits(const struct pair *p, const char *what, const float *fused, const float *separate,
                      size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&fused[i], &separate[i], sizeof *fused) != 0) {
            fail_msg(
                "%s, epilogue %s (%s, %zu threads, %s, %s): %s %zu of %zu is %.9g, and %.9g without fusion",
                p->layer->op->name, p->map->op->name, stoa_isa_name(stoa_context_isa(context)),
                context->threads, stoa_context_conv(context) ? stoa_context_conv(context) : "default",
                p->apart ? "apart" : "in place", what, i, count, (double)fused[i], (double)separate[i]);
        }
    }
}

static void open_filled(struct harness *h, const struct stoa_layer *layer, const struct harness_setup *setup,
                        uint64_t seed) {
    harness_open(h, context, layer, setup);
    harness_fill(h, seed);
}

/* Of one number at a time, to be done after `layer`'s pass, by name and options. */
static void map_layer(struct stoa_layer *map, const char *line, const struct stoa_shape *shape,
                      size_t inputs) {
    char text[64];
    shape_text(shape, text);
    harness_layer(map, line, (const char *[]){text, inputs > 1 ? text : NULL, NULL});
}

/* What may follow the epilogue under test. */
enum { TAIL = 2 };
static const char *const tail_lines[TAIL] = {"relu", "dropout p=0.4"};

/* Forward of layers one after the other, each with its own buffers; the last one's numbers in `out`. */
static void forward_apart(const struct pair *p, const struct stoa_layer *tail, float *out) {
    struct harness h[2 + TAIL];
    size_t count = p->longer ? 2 + TAIL : 2;
    for (size_t i = 0; i < count; i++) {
        const struct stoa_layer *layer = i == 0 ? p->layer : i == 1 ? p->map : &tail[i - 2];
        open_filled(&h[i], layer, &p->setup, SEED + i);
        if (i > 0) {
            memcpy(h[i].x[i == 1 ? p->flow : 0], h[i - 1].y, harness_y_size(&h[i]) * sizeof(float));
        }
        harness_forward(&h[i]);
    }
    memcpy(out, h[count - 1].y, harness_y_size(&h[0]) * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        harness_close(&h[i]);
    }
}

/* The same in one pass. */
static void forward_fused(const struct pair *p, const struct stoa_layer *tail, float *out) {
    struct harness h[2 + TAIL];
    struct stoa_op_run run[2 + TAIL];
    const float *x[2 + TAIL][2];
    size_t count = p->longer ? 2 + TAIL : 2;
    for (size_t i = 0; i < count; i++) {
        const struct stoa_layer *layer = i == 0 ? p->layer : i == 1 ? p->map : &tail[i - 2];
        open_filled(&h[i], layer, &p->setup, SEED + i);
        run[i] = harness_run(&h[i]);
        if (i > 0) {
            run[i].flow = i == 1 ? p->flow : 0;
            x[i][0] = h[i].x[0];
            x[i][1] = h[i].x[1];
            x[i][run[i].flow] = run[i - 1].y;
            run[i].x = x[i];
            run[i].y = p->apart ? h[i].y : run[i - 1].y;
            run[i - 1].epilogue = &run[i];
        }
    }
    h[0].epilogue = &run[1];
    harness_forward(&h[0]);
    memcpy(out, run[count - 1].y, harness_y_size(&h[0]) * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        guarded_check(h[i].y, "y of an epilogue");
        harness_close(&h[i]);
    }
}

static void check_forward(const struct pair *p) {
    struct stoa_layer tail[TAIL];
    for (size_t i = 0; i < TAIL; i++) {
        map_layer(&tail[i], tail_lines[i], &p->layer->output, 1);
    }
    size_t count = p->setup.batch * stoa_shape_size(&p->layer->output);
    float *fused = guarded_new(count * sizeof *fused);
    float *separate = guarded_new(count * sizeof *separate);
    forward_fused(p, tail, fused);
    forward_apart(p, tail, separate);
    same_bits(p, "y", fused, separate, count);
    guarded_free(fused);
    guarded_free(separate);
    for (size_t i = 0; i < TAIL; i++) {
        stoa_layer_clear(&tail[i]);
    }
}

/* The gradient of `layer`'s input goes through `map`, which made that input. */
static void check_backward(const struct pair *p) {
    struct harness before[2];
    struct harness h[2];
    for (size_t fused = 0; fused < 2; fused++) {
        open_filled(&before[fused], p->map, &p->setup, SEED + 1);
        open_filled(&h[fused], p->layer, &p->setup, SEED);
        harness_forward(&before[fused]);
        harness_forward(&h[fused]);
    }
    size_t count = harness_x_size(&h[0], 0);
    harness_backward(&h[0]);
    memcpy(before[0].dy, h[0].dx[0], count * sizeof(float));
    harness_backward(&before[0]);

    struct stoa_op_run run = harness_run(&before[1]);
    run.dy = h[1].dx[0];
    float *dx = p->apart ? before[1].dx[0] : h[1].dx[0];
    run.dx = &dx;
    h[1].epilogue = &run;
    harness_backward(&h[1]);
    same_bits(p, "dx", run.dx[0], before[0].dx[0], count);
    for (size_t t = 0; t < p->layer->tensors; t++) {
        if (h[0].dtensor[t]) {
            same_bits(p, "a tensor's gradient", h[1].dtensor[t], h[0].dtensor[t],
                      harness_tensor_size(&h[0], t));
        }
    }
    for (size_t fused = 0; fused < 2; fused++) {
        guarded_check(before[fused].dx[0], "dx of an epilogue");
        harness_close(&before[fused]);
        harness_close(&h[fused]);
    }
}

/* All that a layer finishes, with `op` as it stands in `line`. */
static void check_map(const struct stoa_layer *layer, size_t batch, const struct stoa_op *op,
                      const char *line, size_t inputs) {
    struct stoa_layer map;
    struct pair p = {
        .layer = layer, .map = &map, .setup = {.batch = batch, .seed = 5, .step = 6, .layer_number = 7}};
    bool finishes = layer->op->map != NULL;
    if (finishes || (layer->op->finishes & 1U << STOA_FORWARD)) {
        map_layer(&map, line, &layer->output, inputs);
        /* Every two of the three in all four ways. */
        for (size_t way = 0; way < 4; way++) {
            p.setup.training = way & 1;
            p.apart = way & 2;
            p.longer = way == 1 || way == 2;
            for (p.flow = 0; p.flow < map.inputs; p.flow++) {
                check_forward(&p);
            }
        }
        stoa_layer_clear(&map);
    }
    p.flow = 0;
    p.setup.training = true;
    finishes = layer->op->map_backward != NULL;
    if (op->map_backward && (finishes || (layer->op->finishes & 1U << STOA_BACKWARD))) {
        map_layer(&map, line, &layer->input[0], 1);
        for (size_t way = 0; way < 4; way++) {
            p.apart = way & 1;
            p.setup.frozen = way & 2;
            check_backward(&p);
        }
        stoa_layer_clear(&map);
    }
}

static size_t pairs;

/* `layer` with every operator of one number at a time, each as its first two examples have it, or its
 * second. */
static void check_layer(const struct stoa_layer *layer, size_t batch) {
    for (size_t i = 0; stoa_ops[i]; i++) {
        const struct stoa_op_example *e = stoa_ops[i]->examples;
        for (size_t k = layer->op->finishes ? 0 : 1; stoa_ops[i]->map && k < 2 && e[k].options; k++) {
            char line[256];
            (void)snprintf(line, sizeof line, "%s %s", stoa_ops[i]->name, e[k].options);
            check_map(layer, batch, stoa_ops[i], line, e[k].input[1] ? 2 : 1);
            pairs++;
        }
    }
}

/* One that every number goes through alike, one with a second input, and two that go by where a number
 * lies. */
static void check_some(const struct stoa_layer *layer, size_t batch) {
    static const char *const lines[] = {"relu", "add", "prelu per_channel=true", "dropout p=0.3"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char name[16];
        (void)sscanf(lines[i], "%15s", name);
        check_map(layer, batch, stoa_op_find(name), lines[i], strcmp(name, "add") == 0 ? 2 : 1);
    }
}

static void check_operator(const struct stoa_op *op, void (*check)(const struct stoa_layer *, size_t)) {
    for (const struct stoa_op_example *e = op->examples; e->options; e++) {
        char line[256];
        (void)snprintf(line, sizeof line, "%s %s", op->name, e->options);
        struct stoa_layer layer;
        harness_layer(&layer, line, e->input);
        check(&layer, e->batch < MOST_SAMPLES ? e->batch : MOST_SAMPLES);
        stoa_layer_clear(&layer);
    }
}

static bool finishes(const struct stoa_op *op) {
    return op->finishes || op->map;
}

static stoa_context *open_context(stoa_isa isa, size_t threads) {
    stoa_context *made = NULL;
    stoa_context_options options = {.threads = threads, .highest_isa = isa, .limit_isa = true};
    assert_int_equal(stoa_context_create(&options, &made), STOA_OK);
    return made;
}

static void epilogues_give_the_bits_of_layers(void **state) {
    (void)state;
    size_t operators = 0;
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        context = open_context((stoa_isa)isa, isa % 2 ? 3 : 1);
        for (size_t i = 0; stoa_ops[i]; i++) {
            if (finishes(stoa_ops[i])) {
                check_operator(stoa_ops[i], check_layer);
                operators++;
            }
        }
        stoa_context_free(context);
    }
    assert_true(operators > 0 && pairs > operators);
    print_message("%zu pairs\n", pairs);
}

/* Each algorithm of convolutions writes its results in a way of its own. */
static void every_convolution_finishes(void **state) {
    (void)state;
    context = open_context(stoa_isa_best(), 3);
    for (size_t a = 0; stoa_conv_algorithms[a]; a++) {
        assert_int_equal(stoa_context_set_conv(context, stoa_conv_algorithms[a]->name), STOA_OK);
        for (size_t i = 0; stoa_ops[i]; i++) {
            if (strncmp(stoa_ops[i]->name, "conv", 4) == 0) {
                check_operator(stoa_ops[i], check_some);
            }
        }
    }
    stoa_context_free(context);
}

/* Forward with a ReLU in place, backward from that one's dy: the bits of both layers apart. */
static void check_undoing(const struct stoa_layer *layer, size_t batch) {
    struct stoa_layer relu;
    const struct pair p = {.layer = layer, .map = &relu, .setup = {.batch = batch, .training = true}};
    struct harness h[2], behind;
    map_layer(&relu, "relu", &layer->output, 1);
    open_filled(&h[0], layer, &p.setup, SEED);
    open_filled(&h[1], layer, &p.setup, SEED);
    open_filled(&behind, &relu, &p.setup, SEED + 1);
    size_t count = harness_y_size(&behind);
    harness_forward(&h[0]);
    memcpy(behind.x[0], h[0].y, count * sizeof(float));
    harness_forward(&behind);
    harness_backward(&behind);
    memcpy(h[0].dy, behind.dx[0], count * sizeof(float));
    harness_backward(&h[0]);

    struct stoa_op_run run = harness_run(&behind);
    const float *x = run.y = h[1].y;
    run.x = &x;
    h[1].epilogue = &run;
    harness_forward(&h[1]);
    same_bits(&p, "y", h[1].y, behind.y, count);
    h[1].epilogue = NULL;
    h[1].undoes_relu = true;
    memcpy(h[1].dy, behind.dy, count * sizeof(float));
    harness_backward(&h[1]);
    same_bits(&p, "dx", h[1].dx[0], h[0].dx[0], harness_x_size(&h[0], 0));
    for (size_t t = 0; t < layer->tensors; t++) {
        if (h[0].dtensor[t]) {
            same_bits(&p, "a tensor's gradient", h[1].dtensor[t], h[0].dtensor[t],
                      harness_tensor_size(&h[0], t));
        }
    }
    harness_close(&h[0]);
    harness_close(&h[1]);
    harness_close(&behind);
    stoa_layer_clear(&relu);
}

static void relu_is_undone_on_the_way(void **state) {
    (void)state;
    size_t operators = 0;
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        context = open_context((stoa_isa)isa, 3);
        for (size_t i = 0; stoa_ops[i]; i++) {
            if (stoa_ops[i]->undoes_relu) {
                check_operator(stoa_ops[i], check_undoing);
                operators++;
            }
        }
        stoa_context_free(context);
    }
    assert_true(operators > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epilogues_give_the_bits_of_layers),
        cmocka_unit_test(every_convolution_finishes),
        cmocka_unit_test(relu_is_undone_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
