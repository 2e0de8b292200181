/* SPDX-License-Identifier: MIT */
/* Every public call that computes does so in the engine's floating-point state: whatever the caller rounds
 * to, traps or flushes, the results have the same bits, and the caller finds his state as it was. A public
 * function that is neither tried here nor named among those that compute nothing fails the test. */
#include <fenv.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "support.h"

static const stoa_epilogue relu = {.activation = "relu"};

/* States of a caller. The exceptions of exact arithmetic are all that a trapping one may not meet. */
#if defined(__SSE2__)
typedef unsigned float_state;
static const float_state states[] = {0x1F80, 0x9FC0, 0x5F80, 0x7F80, 0x3F80, 0x9F80, 0x1FC0, 0x1000};
static const float_state CONTROL = 0xFFC0;

static void set_state(float_state state) {
    _mm_setcsr(state);
}

static float_state get_state(void) {
    return _mm_getcsr() & CONTROL;
}
#else
typedef int float_state;
static const float_state states[] = {FE_TONEAREST, FE_UPWARD, FE_TOWARDZERO, FE_DOWNWARD};

static void set_state(float_state state) {
    (void)fesetround(state);
}

static float_state get_state(void) {
    return fegetround();
}
#endif

enum { N = 24, FLOATS = N * N, OUT = 4 * FLOATS, SAMPLES = 20, SIDE = 12 };

/* What the calls work on; made once, in the state that the test began in. */
static struct {
    float a[FLOATS], b[FLOATS], mean[FLOATS], deviation[FLOATS];
    uint16_t index[FLOATS];
    void *workspace;
    stoa_context *context;
    stoa_dataset *data;
    stoa_model *model;
} given;

/* Results of one call, bytes beyond its own being zero. */
static union {
    float f[OUT];
    double d[OUT / 2];
    unsigned char bytes[OUT * sizeof(float)];
} out;

static const size_t WORKSPACE = (size_t)8 << 20;

static void must(stoa_status status) {
    if (status != STOA_OK) {
        set_state(states[0]);
        (void)fprintf(stderr, "%s\n", stoa_context_error(given.context));
        abort();
    }
}

static const stoa_conv2d conv = {
    .batch = 2, .height = 9, .width = 9, .channels = 3, .filters = 8, .kernel_height = 3, .kernel_width = 1};
static const stoa_conv_transpose2d spread = {
    .batch = 2, .height = 4, .width = 4, .channels = 3, .filters = 8, .kernel_height = 2, .kernel_width = 2};
static const stoa_pool2d pool = {
    .batch = 1, .height = 12, .width = 12, .channels = 4, .window_height = 3, .window_width = 3};
static const stoa_batchnorm norm = {.rows = N, .channels = N, .epsilon = 1e-5F, .momentum = 0.1F};

#define CALL(name) static void call_##name(stoa_context *c)
#define W given.workspace, WORKSPACE

CALL(sgemm) {
    must(stoa_sgemm(c, false, true, N, N, N, 0.3F, given.a, N, given.b, N, 0, out.f, N));
}
CALL(linear_forward) {
    must(stoa_linear_forward(c, N, N, N, given.a, given.b, given.a, &relu, out.f));
}
CALL(linear_backward) {
    must(stoa_linear_backward(c, N, N, N, given.a, given.b, given.b, out.f, out.f + FLOATS,
                              out.f + 2 * FLOATS));
}
/* With everything that may follow. */
CALL(conv_transpose2d_forward) {
    const stoa_epilogue all = {.residual = given.b, .activation = "gelu"};
    must(stoa_conv_transpose2d_forward(c, &spread, given.a, given.b, given.a, &all, out.f, W));
}
CALL(conv_transpose2d_backward) {
    must(stoa_conv_transpose2d_backward(c, &spread, given.a, given.b, given.b, out.f, out.f + FLOATS,
                                        out.f + 2 * FLOATS, W));
}
CALL(activation) {
    must(stoa_activation_forward(c, "silu", FLOATS, given.a, out.f));
    must(stoa_activation_backward(c, "tanh", FLOATS, NULL, given.a, given.b, out.f + FLOATS));
    must(stoa_add(c, FLOATS, given.a, given.b, out.f + 2 * FLOATS));
}
CALL(softmax) {
    must(stoa_softmax_forward(c, N, N, given.a, out.f));
    must(stoa_softmax_backward(c, N, N, given.a, given.b, out.f + FLOATS));
    must(stoa_log_softmax_forward(c, N, N, given.a, out.f + 2 * FLOATS));
    must(stoa_log_softmax_backward(c, N, N, given.a, given.b, out.f + 3 * FLOATS));
}
CALL(layernorm) {
    static double moments[2 * N];
    must(stoa_layernorm_forward(c, N, N, 1e-5F, given.a, given.b, given.b, moments, out.f));
    must(stoa_layernorm_backward(c, N, N, given.a, given.b, moments, given.b, out.f + FLOATS,
                                 out.f + 2 * FLOATS, out.f + 3 * FLOATS, W));
}
CALL(loss) {
    static const int32_t labels[N] = {1, 2, 3};
    must(stoa_loss(c, "softmax_cross_entropy smoothing=0.1", N, N, given.a, labels, NULL, out.f, given.b,
                   out.f + FLOATS));
    must(stoa_loss(c, "huber", N, N, given.a, NULL, given.b, out.f + N, given.b, out.f + 2 * FLOATS));
}
CALL(conv2d_forward) {
    must(stoa_conv2d_forward(c, &conv, given.a, given.b, NULL, NULL, out.f, W));
}
CALL(conv2d_forward_prepared) {
    size_t bytes = 0;
    must(stoa_conv2d_prepared_bytes(c, &conv, &bytes));
    void *prepared = new_workspace(bytes);
    must(stoa_conv2d_prepare(c, &conv, given.b, prepared, bytes));
    must(stoa_conv2d_forward_prepared(c, &conv, given.a, given.b, prepared, bytes, NULL, NULL, out.f, W));
    free(prepared);
}
CALL(conv2d_backward_data) {
    must(stoa_conv2d_backward_data(c, &conv, given.a, given.b, out.f, W));
}
CALL(conv2d_backward_weights) {
    must(stoa_conv2d_backward_weights(c, &conv, given.a, given.b, out.f, out.f + FLOATS, W));
}
/* With slices, NCHW, OIHW, sums and prepared weights, all of which are copied on the way. */
CALL(conv2d_plan_run) {
    stoa_conv2d_plan *plan = NULL;
    stoa_conv2d_plan_options options = {.x_layout = STOA_NCHW, .y_pixel = 11, .weight_layout = STOA_OIHW};
    must(stoa_conv2d_plan_create(c, &conv, &options, &plan));
    size_t bytes = stoa_conv2d_plan_prepared_bytes(plan);
    void *prepared = new_workspace(bytes);
    must(stoa_conv2d_plan_prepare(plan, given.b, prepared, bytes, W));
    must(stoa_conv2d_plan_run(plan, 1,
                              &(stoa_conv2d_operands){.x = given.a,
                                                      .prepared = prepared,
                                                      .prepared_bytes = bytes,
                                                      .y = out.f,
                                                      .workspace = given.workspace,
                                                      .workspace_bytes = WORKSPACE}));
    stoa_conv2d_plan_free(plan);
    free(prepared);
    options.pass = STOA_CONV2D_BACKWARD_DATA;
    options.accumulate = true;
    must(stoa_conv2d_plan_create(c, &conv, &options, &plan));
    memcpy(out.f + OUT / 2, given.b, FLOATS * sizeof(float));
    must(stoa_conv2d_plan_run(plan, 1,
                              &(stoa_conv2d_operands){.dy = given.a,
                                                      .weight = given.b,
                                                      .dx = out.f + OUT / 2,
                                                      .workspace = given.workspace,
                                                      .workspace_bytes = WORKSPACE}));
    stoa_conv2d_plan_free(plan);
}
CALL(col2im) {
    must(stoa_col2im(c,
                     &(stoa_conv2d){.batch = 1,
                                    .height = 6,
                                    .width = 6,
                                    .channels = 2,
                                    .filters = 1,
                                    .kernel_height = 3,
                                    .kernel_width = 3},
                     0, given.a, out.f));
}
CALL(maxpool2d_forward) {
    must(stoa_maxpool2d_forward(c, &pool, given.a, out.f, given.index));
}
CALL(maxpool2d_backward) {
    must(stoa_maxpool2d_backward(c, &pool, given.a, given.index, out.f));
}
CALL(avgpool2d_forward) {
    must(stoa_avgpool2d_forward(c, &pool, given.a, out.f));
}
CALL(avgpool2d_backward) {
    must(stoa_avgpool2d_backward(c, &pool, given.a, out.f));
}
CALL(batchnorm_train) {
    memcpy(out.f, given.a, N * sizeof(float));
    memcpy(out.f + N, given.b, N * sizeof(float));
    must(stoa_batchnorm_train(c, &norm, given.a, given.b, given.b, out.f, out.f + N, given.mean,
                              given.deviation, out.f + 2 * N, W));
}
CALL(batchnorm_infer) {
    must(stoa_batchnorm_infer(c, &norm, given.a, given.b, given.b, given.mean, given.deviation, out.f, W));
}
CALL(batchnorm_backward) {
    must(stoa_batchnorm_backward(c, &norm, given.a, given.b, given.b, given.mean, given.deviation, out.f,
                                 out.f + FLOATS, out.f + FLOATS + N, W));
}

static const size_t some[] = {0, 3, 5, 7, 11, 13, 17, 19};
enum { SOME = sizeof some / sizeof *some };

CALL(dataset_read) {
    (void)c;
    int32_t labels[SOME];
    stoa_dataset_read(given.data, some, 0, SOME, out.f, labels);
}
CALL(dataset_measure) {
    (void)c;
    must(stoa_dataset_measure(given.data, out.f, out.f + 8));
}
CALL(dataset_class_weights) {
    (void)c;
    must(stoa_dataset_class_weights(given.data, out.f));
}
CALL(dataset_draw_digits) {
    stoa_dataset *drawn = NULL;
    int32_t labels[1];
    must(stoa_dataset_draw_digits(c, SAMPLES, SIDE, SIDE, 3, &drawn));
    must(stoa_dataset_normalize(drawn, 0.1F, 0.3F));
    stoa_dataset_read(drawn, NULL, 0, 1, out.f, labels);
    stoa_dataset_free(drawn);
}
CALL(dataset_from_csv_memory) {
    static const char text[] = "0.1,0.7,1.3e-41,a\n0.3,1.0000000000000001,0.123456789012345678,b\n";
    stoa_dataset *table = NULL;
    int32_t labels[2];
    must(stoa_dataset_from_csv_memory(c, "table", text, sizeof text - 1,
                                      &(stoa_data_options){.header = STOA_HEADER_NO}, &table));
    stoa_dataset_read(table, NULL, 0, 2, out.f, labels);
    stoa_dataset_free(table);
}
CALL(targets) {
    static const float targets[] = {0.1F, 1e-41F, 0.7F, 1.0F / 3};
    stoa_dataset *data = NULL;
    float mean, deviation;
    must(stoa_dataset_from_targets(c, given.a, targets, STOA_TASK_REGRESSION, 4, 1, 1, 1, 1, &data));
    stoa_dataset_measure_targets(data, &mean, &deviation);
    must(stoa_dataset_normalize_targets(data, &mean, &deviation));
    stoa_dataset_read_targets(data, NULL, 0, 4, out.f);
    stoa_dataset_free(data);
}
CALL(evaluate_targets) {
    stoa_dataset *data = NULL;
    stoa_target_figures each[FLOATS];
    stoa_evaluation all;
    must(stoa_dataset_from_targets(c, given.a, given.b, STOA_TASK_REGRESSION, 4, SIDE, SIDE, 1,
                                   stoa_model_output_size(given.model), &data));
    must(stoa_evaluate_targets(c, given.model, data, 3, "mse", each, &all));
    out.d[0] = all.rmse;
    out.d[1] = all.r2;
    out.d[2] = each[0].mae;
    stoa_dataset_free(data);
}
CALL(dataset_split) {
    (void)c;
    stoa_dataset *first = NULL;
    stoa_dataset *second = NULL;
    must(stoa_dataset_split(given.data, 0.35, 1, &first, &second));
    out.f[0] = (float)stoa_dataset_count(first);
    stoa_dataset_free(first);
    stoa_dataset_free(second);
}

static stoa_targets targets(void) {
    static const int32_t labels[SOME] = {1, 2, 3, 4, 5, 6, 7, 8};
    return (stoa_targets){.labels = labels};
}

CALL(model_init) {
    (void)c;
    must(stoa_model_init(given.model, 5));
    must(stoa_model_get_tensor(given.model, 0, out.f, 72));
}
CALL(plan_infer) {
    stoa_plan *plan = NULL;
    const float *y = NULL;
    must(stoa_plan_create(c, given.model, &(stoa_plan_options){.batch = SOME}, &plan));
    must(stoa_plan_bind(plan, NULL));
    memcpy(stoa_plan_input(plan), given.a, FLOATS * sizeof(float));
    must(stoa_plan_infer(plan, 4, &y));
    memcpy(out.f, y, 40 * sizeof(float));
    stoa_plan_free(plan);
}
CALL(plan_halves) {
    stoa_plan *plan = NULL;
    const float *y = NULL;
    must(stoa_plan_create(
        c, given.model,
        &(stoa_plan_options){.batch = 4, .training = true, .loss = "none", .input_gradients = true}, &plan));
    must(stoa_plan_bind(plan, NULL));
    memcpy(stoa_plan_input(plan), given.a, FLOATS * sizeof(float));
    must(stoa_plan_forward(plan, 4, 1, 0, &y));
    memcpy(out.f, y, 40 * sizeof(float));
    memcpy(stoa_plan_activation_gradient(plan, "l1"), given.b, 40 * sizeof(float));
    must(stoa_plan_backward(plan));
    must(stoa_plan_get_gradient(plan, 0, out.f + 40, 72));
    memcpy(out.f + 112, stoa_plan_activation_gradient(plan, "input"), 40 * sizeof(float));
    stoa_plan_free(plan);
}
CALL(trainer_halves) {
    stoa_trainer *trainer = NULL;
    const float *y = NULL;
    const stoa_train_options options = {.batch = 4, .loss = "none"};
    must(stoa_model_init(given.model, 5));
    must(stoa_trainer_create(c, given.model, &options, 10, &trainer));
    memcpy(stoa_plan_input(stoa_trainer_plan(trainer)), given.a, FLOATS * sizeof(float));
    must(stoa_trainer_forward(trainer, 4, &y));
    memcpy(out.f, y, 40 * sizeof(float));
    memcpy(stoa_plan_activation_gradient(stoa_trainer_plan(trainer), "l1"), given.b, 40 * sizeof(float));
    must(stoa_trainer_backward_given(trainer));
    stoa_trainer_update(trainer);
    must(stoa_model_get_tensor(given.model, 0, out.f + 40, 72));
    stoa_trainer_free(trainer);
}
CALL(plan_train) {
    stoa_plan *plan = NULL;
    must(stoa_plan_create(c, given.model,
                          &(stoa_plan_options){.batch = 4, .training = true, .loss = "softmax_cross_entropy"},
                          &plan));
    must(stoa_plan_bind(plan, NULL));
    memcpy(stoa_plan_input(plan), given.a, FLOATS * sizeof(float));
    must(stoa_plan_train(plan, 4, targets(), 1, 0, &out.d[0], NULL));
    must(stoa_plan_get_gradient(plan, 0, out.f + 8, 72));
    memcpy(stoa_plan_input(plan), given.b, FLOATS * sizeof(float));
    must(stoa_plan_evaluate(plan, 4, targets(), &out.d[1], NULL));
    stoa_plan_free(plan);
}
CALL(evaluate) {
    stoa_evaluation evaluation;
    size_t confusion[100];
    must(stoa_evaluate(c, given.model, given.data, 7, NULL, &evaluation));
    out.d[0] = evaluation.loss;
    must(stoa_evaluate_classes(c, given.model, given.data, 7, NULL, confusion, NULL, &evaluation));
    out.d[1] = evaluation.loss;
}
CALL(trainer_step) {
    stoa_trainer *trainer = NULL;
    stoa_train_options options = {.epochs = 2, .batch = 4, .optimizer = "adam", .learning_rate = 0.0123F};
    must(stoa_model_init(given.model, 5));
    must(stoa_trainer_create(c, given.model, &options, 10, &trainer));
    for (int step = 0; step < 3; step++) {
        memcpy(stoa_plan_input(stoa_trainer_plan(trainer)), given.a, FLOATS * sizeof(float));
        must(stoa_trainer_step(trainer, 4, targets(), &out.d[0], NULL));
    }
    must(stoa_trainer_backward(trainer, 4, targets(), &out.d[1], NULL));
    stoa_trainer_update(trainer);
    void *saved = NULL;
    size_t bytes = 0;
    must(stoa_trainer_save_memory(trainer, &saved, &bytes));
    must(stoa_trainer_load_memory(trainer, saved, bytes));
    stoa_buffer_free(c, saved, bytes);
    stoa_trainer_end_epoch(trainer, 0.5, 0.25);
    must(stoa_model_get_tensor(given.model, 0, out.f + 8, 72));
    stoa_trainer_free(trainer);
}

static float_state callers;

/* A callback runs in the state of the program that it belongs to. */
static bool look(void *user, const stoa_progress *progress) {
    size_t *wrong = user;
    *wrong += get_state() != callers;
    (void)progress;
    return false;
}

CALL(train) {
    size_t wrong = 0;
    stoa_train_options options = {.epochs = 2, .batch = 7, .augment = "shift=1 rotate=10"};
    must(stoa_model_init(given.model, 5));
    must(stoa_train(c, given.model, given.data, NULL, &options,
                    &(stoa_train_callbacks){.progress = look, .user = &wrong}));
    must(stoa_model_get_tensor(given.model, 0, out.f, 72));
    out.f[100] = (float)wrong;
}

static bool look_at_rate(void *user, const stoa_rate_point *point) {
    size_t *wrong = user;
    *wrong += get_state() != callers;
    (void)point;
    return false;
}

CALL(find_learning_rate) {
    size_t wrong = 0;
    stoa_rate_curve curve;
    must(stoa_model_init(given.model, 5));
    must(stoa_find_learning_rate(c, given.model, given.data, &(stoa_train_options){.batch = 7},
                                 &(stoa_rate_range){.steps = 20}, look_at_rate, &wrong, &curve));
    for (size_t i = 0; i < curve.count; i++) {
        out.d[i] = curve.points[i].smoothed_loss;
    }
    out.f[99] = curve.suggestion;
    out.f[100] = (float)wrong;
    stoa_rate_curve_free(&curve);
}

static void look_at_check(void *user, const stoa_gradcheck_result *result) {
    size_t *wrong = user;
    *wrong += get_state() != callers;
    (void)result;
}

CALL(gradcheck) {
    size_t wrong = 0;
    must(stoa_model_init(given.model, 5));
    must(stoa_gradcheck(c, given.model, &(stoa_gradcheck_options){.samples = 1}, look_at_check, &wrong));
    out.f[100] = (float)wrong;
}

/* A trace tells in the caller's state, and goes on in the library's. */
static void add_layer(void *user, const stoa_traced_step *step) {
    float **at = user;
    if (get_state() != callers) {
        fail_msg("stoa_plan_trace tells in the state 0x%x, found 0x%x", (unsigned)get_state(),
                 (unsigned)callers);
    }
    *(*at)++ = step->output[0];
}
/* An observer is told in the same state, whichever thread tells it. */
static void look_at_step(void *user, const stoa_observed_step *step) {
    (void)user;
    (void)step;
    if (get_state() != callers) {
        fail_msg("stoa_plan_observe tells in the state 0x%x, found 0x%x", (unsigned)get_state(),
                 (unsigned)callers);
    }
}
CALL(plan_observe) {
    stoa_plan *plan = NULL;
    const float *y = NULL;
    must(stoa_plan_create(c, given.model, &(stoa_plan_options){.batch = SOME}, &plan));
    must(stoa_plan_bind(plan, NULL));
    stoa_plan_observe(plan, look_at_step, NULL);
    memcpy(stoa_plan_input(plan), given.a, FLOATS * sizeof(float));
    must(stoa_plan_infer(plan, 4, &y));
    out.f[0] = y[0];
    stoa_plan_free(plan);
}
CALL(plan_trace) {
    stoa_plan *plan = NULL;
    float *at = out.f;
    must(stoa_plan_create(c, given.model, &(stoa_plan_options){.batch = SOME, .layerwise = true}, &plan));
    must(stoa_plan_bind(plan, NULL));
    memcpy(stoa_plan_input(plan), given.a, FLOATS * sizeof(float));
    must(stoa_plan_trace(plan, 4, NULL, add_layer, &at));
    stoa_plan_free(plan);
}

CALL(recipe_load_memory) {
    static const char text[] =
        "[model]\ninput = 4x4x1\nd1 = leaky_relu slope=0.123456789\nf = flatten\nl = linear units=3\n"
        "[train]\nlr = 0.0123456789\n";
    stoa_recipe *recipe = NULL;
    stoa_recipe_info info;
    stoa_model *model = NULL;
    must(stoa_recipe_load_memory(c, "text", text, sizeof text - 1, &recipe));
    stoa_recipe_describe(recipe, &info);
    must(stoa_recipe_model(c, recipe, &model));
    out.f[0] = info.train.learning_rate;
    must(stoa_recipe_set(c, recipe, "lr", "0.0234567891"));
    stoa_recipe_describe(recipe, &info);
    out.f[1] = info.train.learning_rate;
    must(stoa_model_set_fact(model, "data.mean", "0.123456789"));
    must(stoa_model_set_fact(model, "data.deviation", "0.0234567891"));
    must(stoa_model_set_fact(model, "data.white", "254.987654321"));
    memcpy(out.f + 2, given.a, 16 * sizeof(float));
    must(stoa_model_normalize(c, model, true, out.f + 2, 1));
    stoa_model_free(model);
    stoa_recipe_free(recipe);
}

struct entry {
    const char *names; /* all that it tries */
    void (*call)(stoa_context *context);
};
#define ENTRY(name)                                                                                          \
    { "stoa_" #name, call_##name }
static const struct entry entries[] = {
    ENTRY(sgemm),
    ENTRY(linear_forward),
    ENTRY(linear_backward),
    ENTRY(conv_transpose2d_forward),
    ENTRY(conv_transpose2d_backward),
    {"stoa_activation_forward stoa_activation_backward stoa_add", call_activation},
    {"stoa_softmax_forward stoa_softmax_backward stoa_log_softmax_forward stoa_log_softmax_backward",
     call_softmax},
    {"stoa_layernorm_forward stoa_layernorm_backward", call_layernorm},
    ENTRY(loss),
    ENTRY(conv2d_forward),
    {"stoa_conv2d_forward_prepared stoa_conv2d_prepare stoa_conv2d_prepared_bytes",
     call_conv2d_forward_prepared},
    ENTRY(conv2d_backward_data),
    ENTRY(conv2d_backward_weights),
    {"stoa_conv2d_plan_create stoa_conv2d_plan_prepare stoa_conv2d_plan_run", call_conv2d_plan_run},
    ENTRY(col2im),
    ENTRY(maxpool2d_forward),
    ENTRY(maxpool2d_backward),
    ENTRY(avgpool2d_forward),
    ENTRY(avgpool2d_backward),
    ENTRY(batchnorm_train),
    ENTRY(batchnorm_infer),
    ENTRY(batchnorm_backward),
    ENTRY(dataset_read),
    ENTRY(dataset_measure),
    ENTRY(dataset_class_weights),
    {"stoa_dataset_draw_digits stoa_dataset_normalize", call_dataset_draw_digits},
    {"stoa_dataset_measure_targets stoa_dataset_normalize_targets stoa_dataset_read_targets", call_targets},
    {"stoa_evaluate_targets", call_evaluate_targets},
    ENTRY(dataset_from_csv_memory),
    ENTRY(dataset_split),
    ENTRY(model_init),
    {"stoa_plan_create stoa_plan_infer", call_plan_infer},
    ENTRY(plan_observe),
    ENTRY(plan_trace),
    {"stoa_plan_train stoa_plan_evaluate", call_plan_train},
    {"stoa_plan_forward stoa_plan_backward", call_plan_halves},
    {"stoa_trainer_forward stoa_trainer_backward_given", call_trainer_halves},
    {"stoa_evaluate stoa_evaluate_classes", call_evaluate},
    {"stoa_trainer_create stoa_trainer_step stoa_trainer_backward stoa_trainer_update stoa_trainer_end_epoch "
     "stoa_trainer_save_memory stoa_trainer_load_memory",
     call_trainer_step},
    ENTRY(train),
    ENTRY(find_learning_rate),
    ENTRY(gradcheck),
    {"stoa_recipe_load_memory stoa_recipe_model stoa_recipe_describe stoa_recipe_set stoa_model_normalize",
     call_recipe_load_memory},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

/* They copy, count, describe, release or move bytes; or they are another's way in, or measure the machine. */
static const char *const without_arithmetic[] = {
    "stoa_blas_",
    "stoa_buffer_free",
    "stoa_context_",
    "stoa_conv2d_output",
    "stoa_conv2d_pack_weights",
    "stoa_conv2d_plan_describe",
    "stoa_conv2d_plan_free",
    "stoa_conv2d_plan_prepared_bytes",
    "stoa_conv2d_plan_workspace_bytes",
    "stoa_conv2d_workspace",
    "stoa_batchnorm_workspace",
    "stoa_conv_transpose2d_output",
    "stoa_conv_transpose2d_workspace",
    "stoa_layernorm_workspace",
    "stoa_pool2d_output",
    "stoa_im2col",
    "stoa_image_read",
    "stoa_isa_",
    "stoa_policy_name",
    "stoa_tuning_name",
    "stoa_status_text",
    "stoa_version",
    "stoa_machine_describe",
    "stoa_measure_",
    "stoa_nchw_to_nhwc",
    "stoa_nhwc_to_nchw",
    "stoa_operator_",
    "stoa_optimizer_slots",
    "stoa_train_check",
    "stoa_dataset_check",
    "stoa_dataset_column",
    "stoa_dataset_is_pixels",
    "stoa_dataset_label_name",
    "stoa_dataset_range",
    "stoa_dataset_class_counts",
    "stoa_dataset_class_name",
    "stoa_dataset_classes",
    "stoa_dataset_count",
    "stoa_dataset_fingerprint",
    "stoa_dataset_format",
    "stoa_dataset_free",
    "stoa_dataset_from_",
    "stoa_dataset_limit",
    "stoa_dataset_load",
    "stoa_dataset_normalize_channels",
    "stoa_dataset_open",
    "stoa_dataset_shape",
    "stoa_dataset_shuffle",
    "stoa_dataset_target_name",
    "stoa_dataset_targets",
    "stoa_nearest",
    "stoa_dataset_task",
    "stoa_dataset_type",
    "stoa_model_",
    "stoa_plan_bind",
    "stoa_plan_activation",
    "stoa_plan_bytes",
    "stoa_plan_free",
    "stoa_plan_get_gradient",
    "stoa_plan_input",
    "stoa_plan_step_",
    "stoa_plan_value_",
    "stoa_rate_curve_free",
    "stoa_recipe_",
    "stoa_trainer_describe",
    "stoa_trainer_free",
    "stoa_trainer_gradients",
    "stoa_trainer_load",
    "stoa_trainer_plan",
    "stoa_trainer_save",
    "stoa_trainer_use_average",
};

static void run(const struct entry *entry, float_state state) {
    memset(&out, 0, sizeof out);
    set_state(state);
    callers = get_state();
    entry->call(given.context);
    float_state after = get_state();
    set_state(states[0]);
    if (after != callers) {
        fail_msg("%s leaves the state 0x%x, found 0x%x", entry->names, (unsigned)after, (unsigned)callers);
    }
}

static void same_bits_in_every_state(void **state) {
    (void)state;
    static unsigned char expected[sizeof out];
    for (size_t i = 0; i < ENTRIES; i++) {
        run(&entries[i], states[0]);
        memcpy(expected, &out, sizeof out);
        for (size_t s = 1; s < sizeof states / sizeof *states; s++) {
            run(&entries[i], states[s]);
            if (memcmp(expected, &out, sizeof out) != 0) {
                fail_msg("%s: other results in a caller's state 0x%x", entries[i].names, (unsigned)states[s]);
            }
        }
    }
}

#if defined(__SSE2__) || defined(__aarch64__)
/* Numbers below the normal ones count as zero. */
static void flushes_to_zero(void **state) {
    (void)state;
    float a[4] = {1e-40F, 1e-40F, 1e-20F, 1};
    float b[4] = {1e30F, 1, 1e-20F, 0};
    float c[2] = {NAN, NAN};
    must(stoa_sgemm(given.context, false, false, 1, 1, 2, 1, a, 2, b, 1, 0, c, 1));
    must(stoa_sgemm(given.context, false, false, 1, 1, 2, 1, a + 2, 2, b + 2, 1, 0, c + 1, 1));
    assert_true(c[0] == 0 && c[1] == 0);
}
#endif

static bool is_named(const char *name) {
    for (size_t i = 0; i < ENTRIES; i++) {
        const char *at = strstr(entries[i].names, name);
        if (at && (at[strlen(name)] == '\0' || at[strlen(name)] == ' ')) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof without_arithmetic / sizeof *without_arithmetic; i++) {
        if (strncmp(name, without_arithmetic[i], strlen(without_arithmetic[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void no_function_is_forgotten(void **state) {
    FILE *file = fopen(*state, "r");
    assert_non_null(file);
    char name[128];
    size_t count = 0;
    while (fscanf(file, "%127s", name) == 1) {
        count++;
        if (!is_named(name)) {
            fail_msg("%s is neither tried in this test nor among those that compute nothing", name);
        }
    }
    (void)fclose(file);
    assert_true(count > 100);
}

static void open_given(void) {
    fill(given.a, FLOATS, 1);
    fill(given.b, FLOATS, 2);
    for (size_t i = 0; i < FLOATS; i += 5) {
        given.a[i] *= 1e-40F;
        given.b[(i * 7) % FLOATS] *= 1e-39F;
    }
    given.context = new_context(2, STOA_POLICY_DEFAULT, 0);
    given.workspace = new_workspace(WORKSPACE);
    must(stoa_dataset_draw_digits(given.context, SAMPLES, SIDE, SIDE, 1, &given.data));
    must(stoa_dataset_normalize(given.data, 0.13F, 0.31F));
    must(stoa_model_create(given.context, &given.model));
    stoa_model_input(given.model, SIDE, SIDE, 1);
    stoa_model_add(given.model, "c1", "conv2d filters=8 kernel=3 pad=1");
    stoa_model_add(given.model, "r1", "relu");
    stoa_model_add(given.model, "f1", "flatten");
    stoa_model_add(given.model, "l1", "linear units=10");
    must(stoa_model_build(given.model));
    must(stoa_model_init(given.model, 5));
}

int main(int count, char **arguments) {
    if (count != 2) {
        (void)fprintf(stderr, "usage: %s SYMBOLS\n", arguments[0]);
        return 2;
    }
    open_given();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_in_every_state),
#if defined(__SSE2__) || defined(__aarch64__)
        cmocka_unit_test(flushes_to_zero),
#endif
        cmocka_unit_test_prestate(no_function_is_forgotten, arguments[1]),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoa_model_free(given.model);
    stoa_dataset_free(given.data);
    free(given.workspace);
    stoa_context_free(given.context);
    return failed;
}
