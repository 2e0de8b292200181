/* SPDX-License-Identifier: MIT */
/* oneDNN as a peer: convolutions by its direct and Winograd algorithms, linear layers as inner products and
 * as products of matrices. In its own layouts, whose reorders are not counted, and with NHWC activations,
 * where those it needs are. Float32 throughout; its threads are OpenMP's or SYCL's. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/onednn_api.h"
#include "bench/peers/peer.h"

enum { SRC = ONEDNN_SRC, WEIGHTS = ONEDNN_WEIGHTS, DST = ONEDNN_DST, OPERANDS = ONEDNN_OPERANDS };

enum primitive { CONVOLUTION, INNER_PRODUCT, MATMUL };
enum layout { OWN, PLAIN, PLAIN_BY_REORDERS };

static const struct way {
    enum primitive primitive;
    enum layout layout;
    dnnl_alg_kind_t algorithm;
    dnnl_prop_kind_t forward; /* a Winograd inference has its weights transformed beforehand */
} ways[] = {
    {CONVOLUTION, OWN, dnnl_convolution_direct, dnnl_forward_training},
    {CONVOLUTION, OWN, dnnl_convolution_winograd, dnnl_forward_training},
    {CONVOLUTION, OWN, dnnl_convolution_winograd, dnnl_forward_inference},
    {CONVOLUTION, OWN, dnnl_convolution_auto, dnnl_forward_training},
    {CONVOLUTION, PLAIN, dnnl_convolution_direct, dnnl_forward_training},
    {CONVOLUTION, PLAIN, dnnl_convolution_auto, dnnl_forward_training},
    {CONVOLUTION, PLAIN_BY_REORDERS, dnnl_convolution_direct, dnnl_forward_training},
    {CONVOLUTION, PLAIN_BY_REORDERS, dnnl_convolution_winograd, dnnl_forward_training},
    {CONVOLUTION, PLAIN_BY_REORDERS, dnnl_convolution_winograd, dnnl_forward_inference},
    {INNER_PRODUCT, OWN, dnnl_alg_kind_undef, dnnl_forward_training},
    {INNER_PRODUCT, PLAIN, dnnl_alg_kind_undef, dnnl_forward_training},
    {INNER_PRODUCT, PLAIN_BY_REORDERS, dnnl_alg_kind_undef, dnnl_forward_training},
    {MATMUL, OWN, dnnl_alg_kind_undef, dnnl_forward_training},
    {MATMUL, PLAIN, dnnl_alg_kind_undef, dnnl_forward_training},
};

/* One of the three arrays: as the library lays it out, and as oneDNN wants it. */
struct operand {
    int rank;
    dnnl_dims_t dims, strides;
    const float *from; /* NULL: the output */
    bool activation;
    int argument;
    dnnl_query_t query;
    onednn_made ours, asked;
    onednn_desc theirs; /* the primitive's */
    dnnl_memory_t our_memory, their_memory;
};

struct step {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t argument[OPERANDS];
    int arguments;
};

enum { MOST_STEPS = 4 };
struct bench_peer_run {
    struct operand operand[OPERANDS];
    int out;
    dnnl_primitive_desc_t description;
    struct step step[MOST_STEPS];
    size_t steps;
    char name[96];
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static bool start(size_t threads, const stoa_isa *held, char *text, size_t size) {
    const char *limit, *kind;
    const dnnl_version_t *version = dnnl_version();
    if (!onednn_set_threads(version, threads, &kind, text, size)) {
        return false;
    }
    if (!onednn_hold(held, &limit)) {
        (void)snprintf(text, size, "this oneDNN cannot be held to an instruction set");
        return false;
    }
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success) {
        (void)snprintf(text, size, "oneDNN %d.%d.%d gives no engine", version->major, version->minor,
                       version->patch);
        return false;
    }
    (void)snprintf(text, size, "oneDNN %d.%d.%d, float32, %zu %s threads%s", version->major, version->minor,
                   version->patch, threads, kind, limit);
    return true;
}

static void stop(void) {
    (void)dnnl_stream_destroy(stream);
    (void)dnnl_engine_destroy(engine);
}

static bool plain(size_t way) {
    return ways[way].layout != OWN;
}

/* Which array a pass writes, and what oneDNN calls each in it. */
static const int written[BENCH_PEER_PASSES] = {DST, SRC, WEIGHTS};
static const struct {
    int argument;
    dnnl_query_t query;
} called[BENCH_PEER_PASSES][OPERANDS] = {
    {{DNNL_ARG_SRC, dnnl_query_src_md},
     {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
     {DNNL_ARG_DST, dnnl_query_dst_md}},
    {{DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md},
     {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
     {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md}},
    {{DNNL_ARG_SRC, dnnl_query_src_md},
     {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md},
     {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md}},
};

static void shape(struct operand *operand, int rank, const dnnl_dims_t dims, const dnnl_dims_t strides) {
    operand->rank = rank;
    memcpy(operand->dims, dims, sizeof operand->dims);
    memcpy(operand->strides, strides, sizeof operand->strides);
}

static void shape_matrix(struct operand *operand, int64_t rows, int64_t columns, bool transposed) {
    shape(operand, 2, (dnnl_dims_t){rows, columns},
          transposed ? (dnnl_dims_t){1, rows} : (dnnl_dims_t){columns, 1});
}

static void shape_images(struct operand *operand, int64_t count, int64_t channels, int64_t height,
                         int64_t width) {
    shape(operand, 4, (dnnl_dims_t){count, channels, height, width},
          (dnnl_dims_t){height * width * channels, 1, width * channels, channels});
}

/* The library's (KH, KW, C / groups, K) seen as (groups, K / groups, C / groups, KH, KW). */
static void shape_filters(struct operand *operand, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    int64_t groups = (int64_t)conv->groups, all = (int64_t)conv->filters, filters = all / groups;
    int64_t channels = (int64_t)w->channels / groups;
    int64_t height = (int64_t)w->kernel_height, width = (int64_t)w->kernel_width;
    if (groups == 1) {
        shape(operand, 4, (dnnl_dims_t){filters, channels, height, width},
              (dnnl_dims_t){1, all, width * channels * all, channels * all});
    } else {
        shape(operand, 5, (dnnl_dims_t){groups, filters, channels, height, width},
              (dnnl_dims_t){filters, 1, all, width * channels * all, channels * all});
    }
}

static void name_operands(struct bench_peer_run *run, const struct bench_peer_problem *problem) {
    const float *from[OPERANDS] = {problem->x, problem->weight, problem->dy};
    run->out = written[problem->pass];
    for (int i = 0; i < OPERANDS; i++) {
        struct operand *operand = &run->operand[i];
        operand->argument = called[problem->pass][i].argument;
        operand->query = called[problem->pass][i].query;
        operand->activation = i != WEIGHTS;
        operand->from = i == run->out ? NULL : from[i];
    }
}

/* Each pass of a linear layer is a forward product of its own two inputs. */
static void set_matmul(struct bench_peer_run *run, const struct bench_peer_problem *problem) {
    int64_t rows = (int64_t)problem->conv->batch, in = (int64_t)problem->conv->window.channels;
    int64_t out = (int64_t)problem->conv->filters;
    struct operand *a = &run->operand[SRC], *b = &run->operand[WEIGHTS], *c = &run->operand[DST];
    for (int i = 0; i < OPERANDS; i++) {
        run->operand[i].argument = called[STOA_CONV_FORWARD][i].argument;
        run->operand[i].query = called[STOA_CONV_FORWARD][i].query;
        run->operand[i].activation = true;
    }
    run->out = DST;
    switch (problem->pass) {
    case STOA_CONV_FORWARD:
        shape_matrix(a, rows, in, false);
        shape_matrix(b, in, out, false);
        shape_matrix(c, rows, out, false);
        a->from = problem->x;
        b->from = problem->weight;
        b->activation = false;
        break;
    case STOA_CONV_BACKWARD_DATA:
        shape_matrix(a, rows, out, false);
        shape_matrix(b, out, in, true);
        shape_matrix(c, rows, in, false);
        a->from = problem->dy;
        b->from = problem->weight;
        b->activation = false;
        break;
    case STOA_CONV_BACKWARD_WEIGHTS:
        shape_matrix(a, in, rows, true);
        shape_matrix(b, rows, out, false);
        shape_matrix(c, in, out, false);
        a->from = problem->x;
        b->from = problem->dy;
        c->activation = false;
        break;
    }
}

static void set_inner_product(struct bench_peer_run *run, const struct bench_peer_problem *problem) {
    int64_t rows = (int64_t)problem->conv->batch, in = (int64_t)problem->conv->window.channels;
    int64_t out = (int64_t)problem->conv->filters;
    name_operands(run, problem);
    shape_matrix(&run->operand[SRC], rows, in, false);
    shape_matrix(&run->operand[WEIGHTS], out, in, true);
    shape_matrix(&run->operand[DST], rows, out, false);
}

static int64_t padding_after(size_t in, size_t out, size_t kernel, size_t stride, size_t dilation,
                             size_t before) {
    int64_t read = (int64_t)((out - 1) * stride + (kernel - 1) * dilation + 1);
    int64_t after = read - (int64_t)in - (int64_t)before;
    return after > 0 ? after : 0;
}

static void set_convolution(struct bench_peer_run *run, const struct bench_peer_problem *problem,
                            const struct way *way, struct onednn_geometry *geometry) {
    const struct stoa_window *w = &problem->conv->window;
    int64_t count = (int64_t)problem->conv->batch;
    name_operands(run, problem);
    shape_images(&run->operand[SRC], count, (int64_t)w->channels, (int64_t)w->height, (int64_t)w->width);
    shape_filters(&run->operand[WEIGHTS], problem->conv);
    shape_images(&run->operand[DST], count, (int64_t)problem->conv->filters, (int64_t)w->out_height,
                 (int64_t)w->out_width);
    *geometry =
        (struct onednn_geometry){.forward = way->forward,
                                 .algorithm = way->algorithm,
                                 .strides = {(int64_t)w->stride_height, (int64_t)w->stride_width},
                                 .dilates = {(int64_t)w->dilation_height - 1, (int64_t)w->dilation_width - 1},
                                 .before = {(int64_t)w->pad_top, (int64_t)w->pad_left},
                                 .after = {padding_after(w->height, w->out_height, w->kernel_height,
                                                         w->stride_height, w->dilation_height, w->pad_top),
                                           padding_after(w->width, w->out_width, w->kernel_width,
                                                         w->stride_width, w->dilation_width, w->pad_left)}};
}

static bool describe_operands(struct bench_peer_run *run, enum layout layout) {
    bool described = true;
    for (int i = 0; i < OPERANDS; i++) {
        struct operand *operand = &run->operand[i];
        bool fixed = layout == PLAIN && operand->activation;
        described =
            described && onednn_describe(operand->rank, operand->dims, operand->strides, &operand->ours) &&
            onednn_describe(operand->rank, operand->dims, fixed ? operand->strides : NULL, &operand->asked);
    }
    return described;
}

/* The primitive's description. A backward one takes its forward one, which may like other layouts, as a
 * hint. */
static bool describe_primitive(struct bench_peer_run *run, const struct bench_peer_problem *problem,
                               const struct way *way, const struct onednn_geometry *geometry) {
    onednn_desc asked[OPERANDS];
    for (int i = 0; i < OPERANDS; i++) {
        asked[i] = onednn_borrow(&run->operand[i].asked);
    }
    if (way->primitive == MATMUL) {
        return onednn_matmul(engine, asked, &run->description);
    }
    bool forward = problem->pass == STOA_CONV_FORWARD;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_primitive_desc_t *first = forward ? &run->description : &hint;
    bool made = way->primitive == CONVOLUTION
                    ? onednn_convolution(engine, STOA_CONV_FORWARD, geometry, asked, NULL, first)
                    : onednn_inner_product(engine, STOA_CONV_FORWARD, way->forward, asked, NULL, first);
    if (made && !forward) {
        made =
            way->primitive == CONVOLUTION
                ? onednn_convolution(engine, problem->pass, geometry, asked, hint, &run->description)
                : onednn_inner_product(engine, problem->pass, way->forward, asked, hint, &run->description);
    }
    if (hint) {
        (void)dnnl_primitive_desc_destroy(hint);
    }
    return made;
}

/* What oneDNN calls the code, and how the arrays lie. Its reference loops are not what anybody would
 * compare. */
static bool name_run(struct bench_peer_run *run, const struct way *way) {
    static const char *const primitive[] = {"", "inner product ", "matmul "};
    static const char *const layout[] = {"", ", nhwc", ", nhwc by reorders"};
    const char *code = NULL;
    if (dnnl_primitive_desc_query(run->description, dnnl_query_impl_info_str, 0, &code) != dnnl_success ||
        strncmp(code, "ref", 3) == 0) {
        return false;
    }
    bool prepared = way->algorithm == dnnl_convolution_winograd && way->forward == dnnl_forward_inference;
    (void)snprintf(run->name, sizeof run->name, "%s%s%s%s", primitive[way->primitive], code,
                   prepared ? ", weights ready" : "", layout[way->layout]);
    return true;
}

static bool make_memory(struct operand *operand) {
    void *from = operand->from ? (void *)(uintptr_t)operand->from : DNNL_MEMORY_ALLOCATE;
    return dnnl_memory_create(&operand->our_memory, onednn_borrow(&operand->ours), engine, from) ==
               dnnl_success &&
           dnnl_memory_create(&operand->their_memory, operand->theirs, engine, DNNL_MEMORY_ALLOCATE) ==
               dnnl_success;
}

static bool fill_with_nan(dnnl_memory_t memory, onednn_desc description) {
    void *numbers = NULL;
    if (dnnl_memory_get_data_handle(memory, &numbers) != dnnl_success) {
        return false;
    }
    memset(numbers, 0xff, dnnl_memory_desc_get_size(description));
    return true;
}

/* From the library's layout to oneDNN's, or back. */
static bool make_reorder(const struct operand *operand, bool back, struct step *step) {
    onednn_desc ours = onednn_borrow(&operand->ours);
    dnnl_primitive_desc_t description = NULL;
    bool made =
        dnnl_reorder_primitive_desc_create(&description, back ? operand->theirs : ours, engine,
                                           back ? ours : operand->theirs, engine, NULL) == dnnl_success &&
        dnnl_primitive_create(&step->primitive, description) == dnnl_success;
    if (description) {
        (void)dnnl_primitive_desc_destroy(description);
    }
    step->argument[0] = (dnnl_exec_arg_t){DNNL_ARG_FROM, back ? operand->their_memory : operand->our_memory};
    step->argument[1] = (dnnl_exec_arg_t){DNNL_ARG_TO, back ? operand->our_memory : operand->their_memory};
    step->arguments = 2;
    return made;
}

static bool execute(const struct step *step) {
    return dnnl_primitive_execute(step->primitive, stream, step->arguments, step->argument) == dnnl_success &&
           dnnl_stream_wait(stream) == dnnl_success;
}

static bool reorder_once(const struct operand *operand, bool back) {
    struct step step = {0};
    bool done = make_reorder(operand, back, &step) && execute(&step);
    if (step.primitive) {
        (void)dnnl_primitive_destroy(step.primitive);
    }
    return done;
}

/* Whether a reorder of this array is part of what is timed. */
static bool is_counted(const struct operand *operand, enum layout layout) {
    return layout == PLAIN_BY_REORDERS && operand->activation &&
           !dnnl_memory_desc_equal(onednn_borrow(&operand->ours), operand->theirs);
}

static bool add_reorder(struct bench_peer_run *run, const struct operand *operand, bool back) {
    struct step *step = &run->step[run->steps++];
    return make_reorder(operand, back, step);
}

static bool make_steps(struct bench_peer_run *run, enum layout layout) {
    struct step main = {.arguments = OPERANDS};
    bool made = dnnl_primitive_create(&main.primitive, run->description) == dnnl_success;
    for (int i = 0; i < OPERANDS; i++) {
        const struct operand *operand = &run->operand[i];
        main.argument[i] = (dnnl_exec_arg_t){operand->argument, operand->their_memory};
        if (made && i != run->out) {
            made =
                is_counted(operand, layout) ? add_reorder(run, operand, false) : reorder_once(operand, false);
        }
    }
    run->step[run->steps++] = main;
    const struct operand *out = &run->operand[run->out];
    return made && (!is_counted(out, layout) || add_reorder(run, out, true));
}

static void free_run(struct bench_peer_run *run) {
    for (size_t i = 0; i < run->steps; i++) {
        if (run->step[i].primitive) {
            (void)dnnl_primitive_destroy(run->step[i].primitive);
        }
    }
    for (int i = 0; i < OPERANDS; i++) {
        struct operand *operand = &run->operand[i];
        if (operand->our_memory) {
            (void)dnnl_memory_destroy(operand->our_memory);
        }
        if (operand->their_memory) {
            (void)dnnl_memory_destroy(operand->their_memory);
        }
        onednn_forget(&operand->ours);
        onednn_forget(&operand->asked);
    }
    if (run->description) {
        (void)dnnl_primitive_desc_destroy(run->description);
    }
    free(run);
}

static bool prepare(struct bench_peer_run *run, const struct bench_peer_problem *problem,
                    const struct way *way) {
    struct onednn_geometry geometry = {.algorithm = dnnl_alg_kind_undef};
    switch (way->primitive) {
    case CONVOLUTION:
        set_convolution(run, problem, way, &geometry);
        break;
    case INNER_PRODUCT:
        set_inner_product(run, problem);
        break;
    case MATMUL:
        set_matmul(run, problem);
        break;
    }
    bool made = describe_operands(run, way->layout) && describe_primitive(run, problem, way, &geometry) &&
                name_run(run, way);
    for (int i = 0; made && i < OPERANDS; i++) {
        struct operand *operand = &run->operand[i];
        operand->theirs = dnnl_primitive_desc_query_md(run->description, operand->query, 0);
        made = operand->theirs && make_memory(operand);
    }
    const struct operand *out = &run->operand[run->out];
    return made && fill_with_nan(out->our_memory, onednn_borrow(&out->ours)) &&
           fill_with_nan(out->their_memory, out->theirs) && make_steps(run, way->layout);
}

static struct bench_peer_run *make(const struct bench_peer_problem *problem, size_t way) {
    const struct way *how = &ways[way];
    if ((how->primitive != CONVOLUTION) != problem->linear ||
        (how->forward == dnnl_forward_inference && problem->pass != STOA_CONV_FORWARD)) {
        return NULL;
    }
    struct bench_peer_run *run = calloc(1, sizeof *run);
    if (run && !prepare(run, problem, how)) {
        free_run(run);
        return NULL;
    }
    return run;
}

static const char *describe(const struct bench_peer_run *run) {
    return run->name;
}

static void run_steps(struct bench_peer_run *run) {
    for (size_t i = 0; i < run->steps; i++) {
        (void)execute(&run->step[i]); /* a failed one leaves its NaN, and is found wrong */
    }
}

static bool read_out(struct bench_peer_run *run, float *out) {
    const struct operand *operand = &run->operand[run->out];
    bool is_back = run->step[run->steps - 1].argument[1].memory == operand->our_memory;
    void *numbers = NULL;
    if ((!is_back && !reorder_once(operand, true)) ||
        dnnl_memory_get_data_handle(operand->our_memory, &numbers) != dnnl_success) {
        return false;
    }
    memcpy(out, numbers, dnnl_memory_desc_get_size(onednn_borrow(&operand->ours)));
    return true;
}

const struct bench_peer bench_peer = {
    .name = ONEDNN_NAME,
    .passes = {true, true, true},
    .ways = sizeof ways / sizeof ways[0],
    .plain = plain,
    .start = start,
    .stop = stop,
    .make = make,
    .describe = describe,
    .run = run_steps,
    .read = read_out,
    .free = free_run,
};
