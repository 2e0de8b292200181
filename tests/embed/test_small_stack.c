/* SPDX-License-Identifier: MIT */
/* How much stack the library's calls take: each runs on a thread whose stack is painted before and looked at
 * afterwards, since a write beyond a small stack may miss the page that guards it. The documented bound is 32
 * KiB beyond what the BLAS takes. */
#include <pthread.h>
#include <sys/mman.h>

#include "support.h"

static const stoa_epilogue relu = {.activation = "relu"};

enum { STACK = 1 << 20, OWN = 32 << 10, BLAS = 12 << 10 };
static const unsigned char PAINT = 0xA5;
static size_t deepest;

/* A call, and what it is about in the sentence of a failure. */
typedef void work_fn(void *argument);
struct job {
    work_fn *work;
    void *argument;
};

static void *run_job(void *argument) {
    const struct job *job = argument;
    if (job->work) {
        job->work(job->argument);
    }
    return NULL;
}

/* Bytes from the top of the stack to the lowest that has changed. */
static size_t depth_of(struct job job) {
    unsigned char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(stack != MAP_FAILED);
    memset(stack, PAINT, STACK);
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run_job, &job), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_attr_destroy(&attributes);
    size_t clean = 0;
    while (clean < STACK && stack[clean] == PAINT) {
        clean++;
    }
    (void)munmap(stack, STACK);
    return STACK - clean;
}

/* What the C library keeps there for any thread, the BLAS's thread-local variables among it, does not
 * count. */
static void check_depth(const char *what, work_fn *work, void *argument, size_t most) {
    static size_t empty;
    empty = empty ? empty : depth_of((struct job){NULL, NULL});
    size_t used = depth_of((struct job){work, argument}) - empty;
    if (used > deepest) {
        deepest = used;
        print_message("%s: %zu bytes\n", what, used);
    }
    if (used > most) {
        fail_msg("%s takes %zu bytes of stack, expected at most %zu", what, used, most);
    }
}

static stoa_context *context_for(stoa_isa isa, stoa_policy policy) {
    stoa_context_options options = {.threads = 1, .policy = policy, .limit_isa = true, .highest_isa = isa};
    stoa_context *context = NULL;
    if (stoa_context_create(&options, &context) != STOA_OK) {
        abort();
    }
    return context;
}

static void must(stoa_status status) {
    if (status != STOA_OK) {
        abort();
    }
}

struct setting {
    stoa_isa isa;
    stoa_policy policy;
    const char *algorithm;
    size_t size[3];
    const stoa_conv2d *conv;
};

static void run_linear(void *argument) {
    const struct setting *s = argument;
    size_t batch = s->size[0];
    size_t inputs = s->size[1];
    size_t outputs = s->size[2];
    stoa_context *context = context_for(s->isa, s->policy);
    float *x = new_filled(batch * inputs, 1);
    float *weight = new_filled(inputs * outputs, 2);
    float *y = new_floats(batch * outputs);
    float *dx = new_floats(batch * inputs);
    float *dweight = new_floats(inputs * outputs);
    must(stoa_linear_forward(context, batch, inputs, outputs, x, weight, NULL, &relu, y));
    must(stoa_linear_backward(context, batch, inputs, outputs, x, weight, y, dx, dweight, NULL));
    for (int way = 0; way < 4; way++) {
        bool a = way & 1;
        bool b = way & 2;
        must(stoa_sgemm(context, a, b, batch, outputs, inputs, 1, x, a ? batch : inputs, weight,
                        b ? inputs : outputs, 1, y, outputs));
    }
    free_floats(x, batch * inputs);
    free_floats(weight, inputs * outputs);
    free_floats(y, batch * outputs);
    free_floats(dx, batch * inputs);
    free_floats(dweight, inputs * outputs);
    stoa_context_free(context);
}

static size_t workspace_of(stoa_context *context, const stoa_conv2d *conv) {
    size_t most = 64;
    for (int pass = 0; pass < 3; pass++) {
        size_t bytes = 0;
        must(stoa_conv2d_workspace(context, conv, (stoa_conv2d_pass)pass, &bytes));
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* A plan of a pass whose operands all lie otherwise than an algorithm reads and writes them. */
static void run_plan(stoa_context *context, const stoa_conv2d *c, stoa_conv2d_pass pass,
                     stoa_conv2d_operands operands) {
    stoa_conv2d_plan *plan = NULL;
    stoa_conv2d_plan_options options = {.pass = pass,
                                        .x_layout = STOA_NCHW,
                                        .y_layout = STOA_NCHW,
                                        .weight_layout = STOA_OIHW,
                                        .accumulate = pass != STOA_CONV2D_FORWARD};
    must(stoa_conv2d_plan_create(context, c, &options, &plan));
    size_t bytes = stoa_conv2d_plan_workspace_bytes(plan);
    operands.prepared_bytes = stoa_conv2d_plan_prepared_bytes(plan);
    void *workspace = new_workspace(bytes);
    void *prepared = new_workspace(operands.prepared_bytes);
    operands.workspace = workspace;
    operands.workspace_bytes = bytes;
    operands.prepared = prepared;
    must(
        stoa_conv2d_plan_prepare(plan, operands.weight, prepared, operands.prepared_bytes, workspace, bytes));
    must(stoa_conv2d_plan_run(plan, c->batch, &operands));
    free(prepared);
    free(workspace);
    stoa_conv2d_plan_free(plan);
}

static void run_conv(void *argument) {
    const struct setting *s = argument;
    const stoa_conv2d *c = s->conv;
    stoa_context *context = context_for(s->isa, s->policy);
    must(stoa_context_set_conv(context, s->algorithm));
    size_t height = 0;
    size_t width = 0;
    must(stoa_conv2d_output(context, c, &height, &width));
    size_t groups = c->groups ? c->groups : 1;
    size_t in = c->batch * c->height * c->width * c->channels;
    size_t out = c->batch * height * width * c->filters;
    size_t weights = c->kernel_height * c->kernel_width * c->channels / groups * c->filters;
    float *x = new_filled(in, 1);
    float *weight = new_filled(weights, 2);
    float *y = new_floats(out);
    float *dx = new_floats(in);
    float *dweight = new_floats(weights);
    size_t bytes = workspace_of(context, c);
    void *workspace = new_workspace(bytes);
    must(stoa_conv2d_forward(context, c, x, weight, NULL, NULL, y, workspace, bytes));
    must(stoa_conv2d_backward_data(context, c, y, weight, dx, workspace, bytes));
    must(stoa_conv2d_backward_weights(context, c, x, y, dweight, NULL, workspace, bytes));
    free(workspace);
    for (int pass = 0; pass < 3; pass++) {
        run_plan(
            context, c, (stoa_conv2d_pass)pass,
            (stoa_conv2d_operands){.x = x, .weight = weight, .dy = y, .y = y, .dx = dx, .dweight = dweight});
    }
    free_floats(x, in);
    free_floats(weight, weights);
    free_floats(y, out);
    free_floats(dx, in);
    free_floats(dweight, weights);
    stoa_context_free(context);
}

static void each_setting(const char *what, work_fn *work, struct setting setting) {
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        for (int policy = STOA_POLICY_DEFAULT; policy <= STOA_POLICY_BLAS; policy++) {
            char name[160];
            setting.isa = (stoa_isa)isa;
            setting.policy = (stoa_policy)policy;
            (void)snprintf(name, sizeof name, "%s, %s, policy %s, %s", what, stoa_isa_name(setting.isa),
                           stoa_policy_name(setting.policy),
                           setting.algorithm ? setting.algorithm : "chosen");
            check_depth(name, work, &setting, OWN + BLAS);
        }
    }
}

static void products(void **state) {
    (void)state;
    const size_t sizes[][3] = {{8, 300, 300}, {256, 1024, 512}, {100, 1024, 5},
                               {1, 40, 10},   {130, 77, 200},   {97, 600, 70}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "linear %zux%zux%zu", sizes[i][0], sizes[i][1], sizes[i][2]);
        each_setting(name, run_linear, (struct setting){.size = {sizes[i][0], sizes[i][1], sizes[i][2]}});
    }
}

#define SQUARE(size, in, out, kernel)                                                                        \
    .batch = 2, .height = (size), .width = (size), .channels = (in), .filters = (out),                       \
    .kernel_height = (kernel), .kernel_width = (kernel), .pad_top = (kernel) / 2,                            \
    .pad_bottom = (kernel) / 2, .pad_left = (kernel) / 2, .pad_right = (kernel) / 2

static void convolutions(void **state) {
    (void)state;
    static const stoa_conv2d shapes[] = {
        {SQUARE(14, 64, 64, 3)},
        {SQUARE(28, 1, 8, 5)},
        {SQUARE(20, 3, 5, 3)},
        {SQUARE(9, 130, 70, 1)},
        {SQUARE(14, 6, 10, 5)},
        {SQUARE(14, 128, 128, 3), .groups = 128},
        {SQUARE(28, 64, 48, 3)},
        {SQUARE(12, 20, 40, 4)},
        {SQUARE(14, 24, 7, 3), .stride_height = 2, .stride_width = 2},
    };
    static const char *const algorithms[] = {NULL,        "im2col",    "implicit",  "planes",   "pointwise",
                                             "depthwise", "winograd2", "winograd4", "winograd6"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (size_t k = 0; k < sizeof algorithms / sizeof *algorithms; k++) {
            const stoa_conv2d *c = &shapes[i];
            char name[96];
            (void)snprintf(name, sizeof name, "conv2d %zux%zux%zu to %zu, kernel %zu", c->height, c->width,
                           c->channels, c->filters, c->kernel_height);
            each_setting(name, run_conv, (struct setting){.conv = c, .algorithm = algorithms[k]});
        }
    }
}

enum { IMAGES = 40, SIDE = 12 };

/* A whole life: data, model, training with augmentation, evaluation, gradients, a file in memory. */
static void run_model(void *argument) {
    const struct setting *s = argument;
    stoa_context *context = context_for(s->isa, s->policy);
    stoa_dataset *data = NULL;
    must(stoa_dataset_draw_digits(context, IMAGES, SIDE, SIDE, 1, &data));
    stoa_model *model = NULL;
    must(stoa_model_create(context, &model));
    stoa_model_input(model, SIDE, SIDE, 1);
    static const char *const layers[][2] = {{"c1", "conv2d filters=16 kernel=3 pad=1"},
                                            {"b1", "batchnorm"},
                                            {"r1", "relu"},
                                            {"p1", "maxpool2d size=2"},
                                            {"d1", "dropout"},
                                            {"c2", "conv2d filters=16 kernel=3 pad=1"},
                                            {"l1", "layernorm"},
                                            {"f1", "flatten"},
                                            {"f2", "linear units=10"}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        stoa_model_add(model, layers[i][0], layers[i][1]);
    }
    must(stoa_model_build(model));
    must(stoa_model_init(model, 1));
    stoa_train_options options = {.epochs = 1, .batch = 16, .augment = "shift=1"};
    must(stoa_train(context, model, data, data, &options, NULL));
    stoa_evaluation evaluation;
    must(stoa_evaluate(context, model, data, 10, NULL, &evaluation));
    void *file = NULL;
    size_t bytes = 0;
    must(stoa_model_save_memory(model, &file, &bytes));
    stoa_model_free(model);
    must(stoa_model_load_memory(context, file, bytes, &model));
    stoa_buffer_free(context, file, bytes);
    stoa_model_free(model);
    stoa_dataset_free(data);
    stoa_context_free(context);
}

static void models(void **state) {
    (void)state;
    each_setting("a model's life", run_model, (struct setting){0});
}

int main(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
    (void)puts("skipped: in this build every variable has a place of its own");
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
