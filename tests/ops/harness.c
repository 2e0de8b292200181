/* SPDX-License-Identifier: MIT */
/* One layer in buffers of its own: blocks with canaries, passes that may touch nothing else, and the double
 * reference. */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/random.h"
#include "base/size.h"
#include "blas/blas.h"

#if defined(__SANITIZE_ADDRESS__)
#define GUARD_WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GUARD_WITH_ASAN 1
#endif
#endif
#ifdef GUARD_WITH_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

/* A block: its size, then the bytes handed out, then the canary. */
enum { BEFORE = 64, CANARY = 128, CANARY_BYTE = 0xA5 };

static size_t size_of(const void *block) {
    size_t bytes;
    const unsigned char *before = (const unsigned char *)block - BEFORE;
    ASAN_UNPOISON_MEMORY_REGION(before, BEFORE);
    memcpy(&bytes, before, sizeof bytes);
    ASAN_POISON_MEMORY_REGION(before, BEFORE);
    return bytes;
}

void *guarded_new(size_t bytes) {
    if (bytes == 0) {
        return NULL;
    }
    unsigned char *memory = aligned_alloc(64, stoa_round_up(BEFORE + bytes + CANARY, 64));
    assert_non_null(memory);
    memcpy(memory, &bytes, sizeof bytes);
    unsigned char *block = memory + BEFORE;
    memset(block, 0xFF, bytes); /* NaN as floats and as doubles */
    memset(block + bytes, CANARY_BYTE, CANARY);
    ASAN_POISON_MEMORY_REGION(memory, BEFORE);
    ASAN_POISON_MEMORY_REGION(block + bytes, CANARY);
    return block;
}

void guarded_check(const void *block, const char *what) {
    if (!block) {
        return;
    }
    size_t bytes = size_of(block);
    const unsigned char *canary = (const unsigned char *)block + bytes;
    ASAN_UNPOISON_MEMORY_REGION(canary, CANARY);
    for (size_t i = 0; i < CANARY; i++) {
        if (canary[i] != CANARY_BYTE) {
            fail_msg("%s: %zu bytes, and byte %zu behind them was written", what, bytes, i);
        }
    }
    ASAN_POISON_MEMORY_REGION(canary, CANARY);
}

void guarded_free(void *block) {
    if (block) {
        unsigned char *memory = (unsigned char *)block - BEFORE;
        ASAN_UNPOISON_MEMORY_REGION(memory, BEFORE + size_of(block) + CANARY);
        /* size_of() closed the front again. */
        ASAN_UNPOISON_MEMORY_REGION(memory, BEFORE);
        free(memory);
    }
}

static struct stoa_shape parse_shape(const char *text) {
    struct stoa_shape shape = {.rank = 0};
    for (const char *at = text; *at;) {
        char *end;
        assert_true(shape.rank < STOA_MAX_RANK);
        shape.dim[shape.rank++] = strtoul(at, &end, 10);
        assert_true(end > at && (*end == 'x' || *end == '\0'));
        at = *end ? end + 1 : end;
    }
    assert_true(shape.rank == 1 || shape.rank == 3);
    return shape;
}

stoa_status harness_try_layer(struct stoa_error *error, struct stoa_layer *layer, const char *line,
                              const char *const *inputs) {
    struct stoa_spec spec;
    struct stoa_shape shape[STOA_MAX_INPUTS];
    size_t count = 0;
    for (; count < STOA_MAX_INPUTS && inputs[count]; count++) {
        shape[count] = parse_shape(inputs[count]);
    }
    stoa_status status = stoa_spec_parse(error, line, &spec);
    return status == STOA_OK ? stoa_layer_make(error, "t", &spec, shape, count, layer) : status;
}

void harness_layer(struct stoa_layer *layer, const char *line, const char *const *inputs) {
    struct stoa_error error = {STOA_OK, ""};
    if (harness_try_layer(&error, layer, line, inputs) != STOA_OK) {
        fail_msg("'%s' on %s: %s", line, inputs[0], error.text);
    }
}

size_t harness_examples(bool (*has)(const struct stoa_op *op),
                        void (*check)(const struct stoa_layer *layer, size_t batch)) {
    size_t count = 0;
    for (size_t i = 0; stoa_ops[i]; i++) {
        const struct stoa_op_example *e = stoa_ops[i]->examples;
        for (; (!has || has(stoa_ops[i])) && e->options; e++, count++) {
            char line[256];
            (void)snprintf(line, sizeof line, "%s %s", stoa_ops[i]->name, e->options);
            struct stoa_layer layer;
            harness_layer(&layer, line, e->input);
            check(&layer, e->batch);
            stoa_layer_clear(&layer);
        }
    }
    return count;
}

size_t harness_x_size(const struct harness *h, size_t k) {
    return h->setup.batch * stoa_shape_size(&h->layer->input[k]);
}

size_t harness_y_size(const struct harness *h) {
    return h->setup.batch * stoa_shape_size(&h->layer->output);
}

size_t harness_tensor_size(const struct harness *h, size_t t) {
    return stoa_tensor_count(&h->layer->tensor[t]);
}

/* Nobody asks for any input's gradient: a first layer. */
static bool wants_input_gradient(const struct harness *h) {
    return (~h->setup.unasked & ((1U << h->layer->inputs) - 1)) != 0;
}

/* A run with everything filled in but what only backward has. */
struct stoa_op_run harness_run(const struct harness *h) {
    struct stoa_op_run run = {.context = h->context,
                              .layer = h->layer,
                              .layer_number = h->setup.layer_number,
                              .batch = h->setup.batch,
                              .planned_batch = h->setup.planned_batch,
                              .training = h->setup.training,
                              .wants_input_gradient = wants_input_gradient(h),
                              .frozen = h->setup.frozen,
                              .seed = h->setup.seed,
                              .step = h->setup.step,
                              .x = (const float *const *)h->x,
                              .dx = stoa_no_gradients,
                              .y = h->y,
                              .targets = {h->labels, h->values},
                              .saved = h->saved,
                              .plan = h->plan,
                              .epilogue = h->epilogue,
                              .undoes_relu = h->undoes_relu};
    memcpy(run.tensor, h->tensor, sizeof run.tensor);
    return run;
}

static float *new_floats(size_t count) {
    return guarded_new(count * sizeof(float));
}

static void open_targets(struct harness *h) {
    if (h->layer->op->takes_labels) {
        h->labels = guarded_new(h->setup.batch * sizeof *h->labels);
    } else if (h->layer->op->is_loss) {
        h->values = new_floats(harness_x_size(h, 0));
    }
}

void harness_open(struct harness *h, stoa_context *context, const struct stoa_layer *layer,
                  const struct harness_setup *setup) {
    *h = (struct harness){.context = context, .layer = layer, .setup = *setup};
    if (h->setup.planned_batch == 0) {
        h->setup.planned_batch = setup->batch;
    }
    for (size_t k = 0; k < layer->inputs; k++) {
        h->x[k] = new_floats(harness_x_size(h, k));
    }
    h->y = setup->in_place ? h->x[0] : new_floats(harness_y_size(h));
    h->dy = new_floats(harness_y_size(h));
    for (size_t k = 0; k < layer->inputs; k++) {
        bool asked = !(setup->unasked & 1U << k);
        bool shared = setup->gradient_in_place && k == 0;
        h->dx[k] = !asked ? NULL : shared ? h->dy : new_floats(harness_x_size(h, k));
    }
    for (size_t t = 0; t < layer->tensors; t++) {
        h->tensor[t] = new_floats(harness_tensor_size(h, t));
        bool learns = layer->tensor[t].trainable && !setup->frozen;
        h->dtensor[t] = learns ? new_floats(harness_tensor_size(h, t)) : NULL;
    }
    open_targets(h);
    h->plan = guarded_new(layer->op->plan_bytes);
    memset(h->plan, 0, layer->op->plan_bytes);
    struct stoa_op_run run = harness_run(h);
    if (layer->op->memory) {
        assert_true(layer->op->memory(&run, &h->memory));
    }
    h->saved = guarded_new(h->memory.saved);
}

void harness_close(struct harness *h) {
    guarded_free(h->y != h->x[0] ? h->y : NULL);
    guarded_free(h->dx[0] != h->dy ? h->dx[0] : NULL);
    for (size_t k = 0; k < h->layer->inputs; k++) {
        guarded_free(h->x[k]);
        guarded_free(k > 0 ? h->dx[k] : NULL);
    }
    for (size_t t = 0; t < h->layer->tensors; t++) {
        guarded_free(h->tensor[t]);
        guarded_free(h->dtensor[t]);
    }
    guarded_free(h->dy);
    guarded_free(h->labels);
    guarded_free(h->values);
    guarded_free(h->saved);
    guarded_free(h->plan);
    *h = (struct harness){.context = NULL};
}

/* What a pass may only read, and a checksum that shows a change of any byte. */
struct readonly {
    const void *block[2 * STOA_MAX_INPUTS + STOA_MAX_TENSORS + 4];
    uint64_t sum[2 * STOA_MAX_INPUTS + STOA_MAX_TENSORS + 4];
    size_t count;
};

static uint64_t checksum(const void *block) {
    uint64_t sum = 14695981039346656037U; /* FNV-1a */
    for (size_t i = 0, bytes = size_of(block); i < bytes; i++) {
        sum = (sum ^ ((const unsigned char *)block)[i]) * 1099511628211U;
    }
    return sum;
}

static void watch(struct readonly *readonly, const void *block) {
    if (block) {
        readonly->block[readonly->count] = block;
        readonly->sum[readonly->count++] = checksum(block);
    }
}

static void check_unchanged(const struct harness *h, const struct readonly *readonly, const char *pass) {
    for (size_t i = 0; i < readonly->count; i++) {
        if (checksum(readonly->block[i]) != readonly->sum[i]) {
            fail_msg("%s %s: changed a buffer that it may only read", h->layer->op->name, pass);
        }
    }
}

static void check_all(const struct harness *h, const void *workspace, const char *pass) {
    guarded_check(workspace, pass);
    guarded_check(h->saved, "saved");
    guarded_check(h->y, "y");
    guarded_check(h->dy, "dy");
    for (size_t k = 0; k < h->layer->inputs; k++) {
        guarded_check(h->x[k], "x");
        guarded_check(h->dx[k], "dx");
    }
    for (size_t t = 0; t < h->layer->tensors; t++) {
        guarded_check(h->tensor[t], "tensor");
        guarded_check(h->dtensor[t], "gradient of a tensor");
    }
}

static void clear(float *block) {
    if (block) {
        memset(block, 0xFF, size_of(block));
    }
}

/* Forward once more as an inference plan may run it, from prepared tensors: the same bits. */
static void check_prepared(struct harness *h, struct stoa_op_run run) {
    size_t bytes = size_of(h->y);
    void *right = malloc(bytes);
    assert_non_null(right);
    memcpy(right, h->y, bytes);
    run.prepared = guarded_new(h->memory.prepared);
    h->layer->op->prepare(&run);
    clear(h->y);
    clear(run.workspace);
    stoa_blas_enter();
    h->layer->op->forward(&run);
    stoa_blas_leave();
    if (memcmp(h->y, right, bytes) != 0) {
        fail_msg("%s: other bits with prepared tensors", h->layer->op->name);
    }
    guarded_check(run.prepared, "prepared");
    guarded_free(run.prepared);
    free(right);
}

void harness_forward(struct harness *h) {
    STOA_FLOAT_STATE(); /* that of the context's threads, as plans see to */
    struct readonly readonly = {.count = 0};
    watch(&readonly, h->labels);
    watch(&readonly, h->values);
    for (size_t k = 0; k < h->layer->inputs; k++) {
        watch(&readonly, h->x[k] == h->y ? NULL : h->x[k]);
    }
    for (size_t t = 0; t < h->layer->tensors; t++) {
        bool changes = h->setup.training && !h->setup.frozen && !h->layer->tensor[t].trainable;
        watch(&readonly, changes ? NULL : h->tensor[t]);
    }
    clear(h->y == h->x[0] ? NULL : h->y);
    struct stoa_op_run run = harness_run(h);
    run.workspace = guarded_new(h->memory.workspace[STOA_FORWARD]);
    stoa_blas_enter();
    h->layer->op->forward(&run);
    stoa_blas_leave();
    if (h->memory.prepared > 0 && !h->setup.training) {
        check_prepared(h, run);
    }
    check_all(h, run.workspace, "workspace of forward");
    check_unchanged(h, &readonly, "forward");
    guarded_free(run.workspace);
}

void harness_backward(struct harness *h) {
    STOA_FLOAT_STATE();
    struct readonly readonly = {.count = 0};
    struct stoa_op_run run = harness_run(h);
    run.dy = h->dy;
    run.dx = h->dx;
    for (size_t k = 0; k < h->layer->inputs; k++) {
        clear(h->dx[k] == h->dy ? NULL : h->dx[k]);
        watch(&readonly, h->x[k]);
    }
    for (size_t t = 0; t < h->layer->tensors; t++) {
        run.dtensor[t] = h->dtensor[t];
        clear(h->dtensor[t]);
        watch(&readonly, h->tensor[t]);
    }
    const void *const others[] = {h->y, h->saved, h->labels, h->values, h->dy == h->dx[0] ? NULL : h->dy};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        watch(&readonly, others[i]);
    }
    run.workspace = guarded_new(h->memory.workspace[STOA_BACKWARD]);
    stoa_blas_enter();
    h->layer->op->backward(&run);
    stoa_blas_leave();
    check_all(h, run.workspace, "workspace of backward");
    check_unchanged(h, &readonly, "backward");
    guarded_free(run.workspace);
}

/* Values spread evenly over [low, high] in random order: no two are closer than (high - low) / count, none
 * that close to 0. */
static void fill_spread(float *out, size_t count, float low, float high, uint64_t seed, uint64_t stream) {
    if (!out) {
        return;
    }
    size_t *order = malloc(count * sizeof *order);
    assert_non_null(order);
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    stoa_random_shuffle(seed, stream, order, count);
    for (size_t i = 0; i < count; i++) {
        double part = ((double)order[i] + (count % 2 ? 0.25 : 0.5)) / (double)count;
        out[i] = (float)((double)low + part * (double)(high - low));
    }
    free(order);
}

/* Operators that only positive numbers have a value of. */
static bool wants_positive(const struct stoa_op *op) {
    return strcmp(op->name, "log") == 0 || strcmp(op->name, "sqrt") == 0;
}

void harness_fill(struct harness *h, uint64_t seed) {
    const struct stoa_layer *layer = h->layer;
    float lowest = wants_positive(layer->op) ? 0.25F : -1;
    for (size_t k = 0; k < layer->inputs; k++) {
        fill_spread(h->x[k], harness_x_size(h, k), lowest, lowest + 2, seed, 100 + k);
    }
    for (size_t t = 0; t < layer->tensors; t++) {
        bool trainable = layer->tensor[t].trainable;
        fill_spread(h->tensor[t], harness_tensor_size(h, t), trainable ? -1 : 0.5F, trainable ? 1 : 1.5F,
                    seed, 200 + t);
    }
    fill_spread(h->dy, harness_y_size(h), -1, 1, seed, 300);
    if (h->values) {
        fill_spread(h->values, harness_x_size(h, 0), -1, 1, seed, 301);
    }
    for (size_t n = 0; h->labels && n < h->setup.batch; n++) {
        struct stoa_random4 words = stoa_philox(seed, n, 302);
        h->labels[n] = (int32_t)(words.word[0] % stoa_shape_size(&layer->input[0]));
    }
}

static double *new_doubles(size_t count) {
    return guarded_new(count * sizeof(double));
}

static double *to_doubles(const float *from, size_t count) {
    double *out = from ? new_doubles(count) : NULL;
    for (size_t i = 0; out && i < count; i++) {
        out[i] = (double)from[i];
    }
    return out;
}

void harness_reference_open(struct harness_reference *r, const struct harness *h) {
    *r = (struct harness_reference){.h = h,
                                    .y = new_doubles(harness_y_size(h)),
                                    .values = to_doubles(h->values, harness_x_size(h, 0)),
                                    .dy = to_doubles(h->dy, harness_y_size(h))};
    for (size_t k = 0; k < h->layer->inputs; k++) {
        r->x[k] = to_doubles(h->x[k], harness_x_size(h, k));
        r->dx[k] = new_doubles(harness_x_size(h, k));
    }
    for (size_t t = 0; t < h->layer->tensors; t++) {
        r->tensor[t] = to_doubles(h->tensor[t], harness_tensor_size(h, t));
        r->dtensor[t] = h->layer->tensor[t].trainable ? new_doubles(harness_tensor_size(h, t)) : NULL;
    }
}

static struct stoa_op_reference prepare_reference(const struct harness_reference *r) {
    const struct harness *h = r->h;
    struct stoa_op_reference run = {.layer = h->layer,
                                    .layer_number = h->setup.layer_number,
                                    .batch = h->setup.batch,
                                    .training = h->setup.training,
                                    .frozen = h->setup.frozen,
                                    .seed = h->setup.seed,
                                    .step = h->setup.step,
                                    .x = (const double *const *)r->x,
                                    .dx = r->dx,
                                    .y = r->y,
                                    .labels = h->labels,
                                    .values = r->values,
                                    .dy = r->dy};
    memcpy(run.tensor, r->tensor, sizeof run.tensor);
    memcpy(run.dtensor, r->dtensor, sizeof run.dtensor);
    return run;
}

static void check_reference(const struct harness_reference *r) {
    guarded_check(r->y, "y of the reference");
    for (size_t k = 0; k < r->h->layer->inputs; k++) {
        guarded_check(r->dx[k], "dx of the reference");
    }
    for (size_t t = 0; t < r->h->layer->tensors; t++) {
        guarded_check(r->tensor[t], "tensor of the reference");
        guarded_check(r->dtensor[t], "gradient of the reference");
    }
}

void harness_reference_forward(struct harness_reference *r) {
    struct stoa_op_reference run = prepare_reference(r);
    r->h->layer->op->reference_forward(&run);
    check_reference(r);
}

void harness_reference_backward(struct harness_reference *r) {
    struct stoa_op_reference run = prepare_reference(r);
    r->h->layer->op->reference_backward(&run);
    check_reference(r);
}

void harness_reference_close(struct harness_reference *r) {
    for (size_t k = 0; k < STOA_MAX_INPUTS; k++) {
        guarded_free(r->x[k]);
        guarded_free(r->dx[k]);
    }
    for (size_t t = 0; t < STOA_MAX_TENSORS; t++) {
        guarded_free(r->tensor[t]);
        guarded_free(r->dtensor[t]);
    }
    guarded_free(r->y);
    guarded_free(r->dy);
    guarded_free(r->values);
    *r = (struct harness_reference){.h = NULL};
}

double harness_error(const float *a, const double *b, size_t count) {
    double largest = 0;
    double error = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite((double)a[i]) || !isfinite(b[i])) {
            return INFINITY;
        }
        largest = fmax(largest, fabs(b[i]));
        error = fmax(error, fabs((double)a[i] - b[i]));
    }
    return error == 0 ? 0 : error / largest; /* infinite when all b are 0 */
}
