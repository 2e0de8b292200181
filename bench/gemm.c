/* SPDX-License-Identifier: MIT */
/* Mode gemm: the engine's products at square sizes and at the shapes that the layers ask for, on one thread
 * and on all, in turn with the plain cblas_sgemm that stands under them, whose threads are its own then. */
#include "bench/gemm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/machine.h>

#include "base/size.h"
#include "bench/columns.h"
#include "bench/layer.h"
#include "bench/means.h"
#include "bench/progress.h"
#include "blas/blas.h"
#include "blas/vendor.h"
#include "cli/signals.h"
#include "product/product.h"

enum { SAMPLES = 64, INPUTS_KEY = 5, MOST_COUNTS = 2, LOWEST_ROWS = 8 };
static const double LIMIT_SECONDS = 0.1, BOUND = 1e-6;

/* A product to time: the engine's on a context, or the BLAS's on threads of its own. */
struct product {
    stoa_context *context; /* NULL: the BLAS's */
    size_t blas_threads;
    struct stoa_gemm gemm;
};

/* One product on a number of threads, by both. */
struct result {
    struct bench_summary ratio; /* the BLAS's time over the engine's; above 1 the engine is faster */
    double error, blas_error;
    struct bench_times times, blas_times;
};

/* What is kept of a result for the end. */
struct kept {
    const struct bench_product_shape *shape;
    double ratio[MOST_COUNTS]; /* 0: disturbed */
};

struct gemm {
    struct bench *bench;
    struct bench_columns columns;
    stoa_context *context[MOST_COUNTS]; /* of one thread, and of all */
    size_t threads[MOST_COUNTS], counts;
    double limit[MOST_COUNTS]; /* GFLOP/s of multiply-adds */
    float *memory;   /* operands of the largest product, then results, which never become operands */
    size_t operands; /* floats of the first */
    size_t bytes;
    struct kept *kept;
    size_t count, wrong;
    size_t results, disturbed; /* of rows on a number of threads */
};

static void run_product(void *argument) {
    const struct product *product = argument;
    if (!product->context) {
        stoa_blas_sgemm(&product->gemm);
    } else {
        stoa_product(product->context, &product->gemm);
    }
}

/* The bench holds the BLAS at one thread for the engine's sake. */
static void set_blas_threads(void *argument, bool begin) {
    const struct product *product = argument;
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (!product->context && blas->set_threads && blas->get_threads) {
        blas->set_threads(begin ? (int)product->blas_threads : 1);
    }
}

/* The threads that the BLAS takes when asked for so many; 0: it does not say. */
static size_t blas_threads_of(size_t threads) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (!blas->set_threads || !blas->get_threads) {
        return 0;
    }
    blas->set_threads((int)threads);
    int taken = blas->get_threads();
    blas->set_threads(1);
    return taken > 0 ? (size_t)taken : 0;
}

/* Largest error of a fixed sample, in units of the largest sum(|a||b|). */
static double error_of(const struct stoa_gemm *p) {
    double largest = 0, magnitude = 0;
    for (size_t s = 0; s < SAMPLES; s++) {
        size_t i = s * 7919 % p->m, j = s * 104729 % p->n;
        double sum = 0, sizes = 0;
        for (size_t l = 0; l < p->k; l++) {
            double a = (double)p->a[p->transpose_a ? l * p->lda + i : i * p->lda + l];
            double product = a * (double)p->b[p->transpose_b ? j * p->ldb + l : l * p->ldb + j];
            sum += product;
            sizes += fabs(product);
        }
        double error = fabs((double)p->c[i * p->ldc + j] - sum);
        largest = error <= largest ? largest : error; /* keeps NaN */
        magnitude = fmax(magnitude, sizes);
    }
    return largest / magnitude;
}

static double flops_of(const struct bench_product_shape *shape) {
    return 2 * (double)shape->m * (double)shape->n * (double)shape->k;
}

static bool is_disturbed(const struct result *result) {
    const struct bench_times ratio = {
        .alike = true, .others = result->times.others, .summary = result->ratio};
    return bench_is_disturbed(&ratio);
}

static void report_side(const struct gemm *gemm, const struct bench_product_shape *shape, size_t count,
                        const struct result *result, bool of_blas) {
    const struct bench_times *times = of_blas ? &result->blas_times : &result->times;
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    double m = (double)shape->m, n = (double)shape->n, k = (double)shape->k;
    double error = of_blas ? result->blas_error : result->error;
    char *name =
        cli_text("%s/%s/threads:%zu", of_blas ? blas->name : "gemm", shape->name, gemm->threads[count]);
    struct bench_record record = {
        .name = name, .threads = gemm->threads[count], .times = times->real ? times : NULL};
    bench_counter(&record, "m", m);
    bench_counter(&record, "n", n);
    bench_counter(&record, "k", k);
    bench_note(&record, "transpose", bench_product_form(shape));
    bench_note(&record, "kind", shape->kind);
    bench_flag(&record, "verified", error <= BOUND);
    if (times->real) {
        bench_flag(&record, "disturbed", is_disturbed(result));
    }
    bench_counter(&record, "error", error);
    if (of_blas) {
        bench_note(&record, "engine", blas->version ? blas->version() : blas->name);
        bench_note(&record, "beside", "gemm");
    }
    if (times->real) {
        double rate = flops_of(shape) / times->summary.median;
        bench_counter(&record, "flops", flops_of(shape));
        bench_counter(&record, "bytes", 4 * (m * k + k * n + m * n));
        bench_counter(&record, "flops_per_second", rate);
        bench_counter(&record, "share_of_fma_limit", 1e-9 * rate / gemm->limit[count]);
        if (!of_blas) {
            bench_counter(&record, "ratio_to_blas", result->ratio.median);
            bench_counter(&record, "ratio_to_blas_spread", result->ratio.spread);
        }
    }
    bench_report(gemm->bench, &record);
    free(name);
}

static void print_result(struct gemm *gemm, const struct bench_product_shape *shape, size_t count,
                         const struct result *result) {
    double rate = 1e-9 * flops_of(shape) / result->times.summary.median;
    bench_columns_cell(&gemm->columns, "%.1f", rate);
    bench_columns_cell(&gemm->columns, "%.1f", 1e-9 * flops_of(shape) / result->blas_times.summary.median);
    bench_columns_cell(&gemm->columns, "%.3f", result->ratio.median);
    bench_columns_cell(&gemm->columns, "%.0f", 100 * rate / gemm->limit[count]);
    bench_columns_cell(&gemm->columns, "%.0f", 100 * result->ratio.spread);
    bench_columns_cell(&gemm->columns, "%s", is_disturbed(result) ? BENCH_MARK : "");
}

static struct bench_summary ratio_of(const struct bench_times *theirs, const struct bench_times *ours) {
    double ratio[BENCH_MOST_REPETITIONS];
    for (size_t i = 0; i < ours->repetitions; i++) {
        ratio[i] = theirs->real[i] / ours->real[i];
    }
    return bench_summarise(ratio, ours->repetitions);
}

static struct stoa_gemm place(const struct gemm *gemm, const struct bench_product_shape *shape) {
    float *b = gemm->memory + stoa_round_up(shape->m * shape->k, STOA_ALIGN_FLOATS);
    return (struct stoa_gemm){.transpose_a = shape->transpose_a,
                              .transpose_b = shape->transpose_b,
                              .m = shape->m,
                              .n = shape->n,
                              .k = shape->k,
                              .alpha = 1,
                              .a = gemm->memory,
                              .lda = shape->transpose_a ? shape->m : shape->k,
                              .b = b,
                              .ldb = shape->transpose_b ? shape->k : shape->n,
                              .c = gemm->memory + gemm->operands,
                              .ldc = shape->n};
}

/* A first run of each side into NaN: seconds and error. False when one is wrong. */
static bool verify(struct bench_case *cases, size_t count, double *first, double *error) {
    bool right = true;
    for (size_t i = 0; i < count; i++) {
        const struct stoa_gemm *p = &((const struct product *)cases[i].argument)->gemm;
        memset(p->c, 0xff, p->m * p->n * sizeof(float));
        first[i] = bench_time_first(&cases[i], set_blas_threads);
        error[i] = error_of(p);
        right = right && error[i] <= BOUND;
    }
    return right;
}

/* One shape on one thread and on all, by the engine and the BLAS. */
static void measure_shape(struct gemm *gemm, const struct bench_product_shape *shape) {
    enum { SIDES = 2, CASES = MOST_COUNTS * SIDES };
    struct product product[CASES];
    struct bench_case cases[CASES];
    struct bench_times times[CASES] = {{0}};
    double first[CASES], error[CASES];
    size_t count = SIDES * gemm->counts;
    for (size_t i = 0; i < count; i++) {
        bool of_blas = i % SIDES;
        product[i] = (struct product){of_blas ? NULL : gemm->context[i / SIDES], gemm->threads[i / SIDES],
                                      place(gemm, shape)};
        cases[i] = (struct bench_case){run_product, &product[i]};
    }
    bool right = verify(cases, count, first, error);
    bench_columns_cell(&gemm->columns, "%s", shape->name);
    bench_columns_cell(&gemm->columns, "%s", bench_product_form(shape));
    bench_columns_cell(&gemm->columns, "%zu", shape->m);
    bench_columns_cell(&gemm->columns, "%zu", shape->n);
    bench_columns_cell(&gemm->columns, "%zu", shape->k);
    if (right) {
        bench_time_turns(gemm->bench, cases, first, count, set_blas_threads, times);
    }
    struct kept *kept = &gemm->kept[gemm->count];
    kept->shape = shape;
    for (size_t i = 0; i < gemm->counts; i++) {
        struct result result = {.error = error[SIDES * i],
                                .blas_error = error[SIDES * i + 1],
                                .times = times[SIDES * i],
                                .blas_times = times[SIDES * i + 1]};
        if (right) {
            result.ratio = ratio_of(&result.blas_times, &result.times);
            gemm->results++;
            gemm->disturbed += is_disturbed(&result);
            kept->ratio[i] = is_disturbed(&result) ? 0 : result.ratio.median;
            print_result(gemm, shape, i, &result);
        }
        report_side(gemm, shape, i, &result, false);
        report_side(gemm, shape, i, &result, true);
        bench_times_free(&times[SIDES * i]);
        bench_times_free(&times[SIDES * i + 1]);
    }
    gemm->count += right;
    gemm->wrong += !right;
    if (right) {
        bench_columns_end(&gemm->columns);
    } else {
        bench_columns_sentence(&gemm->columns, "WRONG");
    }
}

/* ---- the end ---- */

static const struct {
    const char *title, *kind; /* NULL: all */
} kinds[] = {{"squares", "square"},
             {"single rows", "row"},
             {"dense layers", "dense"},
             {"convolutions", "convolution"},
             {"all", NULL}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static struct bench_mean mean_of(const struct gemm *gemm, size_t kind, size_t count) {
    struct bench_mean mean = {0};
    for (size_t i = 0; i < gemm->count; i++) {
        const struct kept *kept = &gemm->kept[i];
        if (kept->ratio[count] > 0 &&
            (!kinds[kind].kind || strcmp(kept->shape->kind, kinds[kind].kind) == 0)) {
            bench_mean_add(&mean, kept->ratio[count], "%s", kept->shape->name);
        }
    }
    return mean;
}

static void print_means(const struct gemm *gemm) {
    struct cli_table table = {.columns = gemm->counts > 1 ? "lrrrlrrrl" : "lrrrl"};
    json_t *all = cli_json_array();
    bench_print_disturbed(gemm->disturbed, gemm->results);
    if (gemm->disturbed == gemm->results) {
        (void)puts("\nThere are no means: every row was disturbed.");
        cli_json_set(gemm->bench->about, "ratios_to_blas", all);
        return;
    }
    (void)printf("\nGeometric means of the ratios to %s alone:\n\n", stoa_blas_vendor()->name);
    cli_table_cell(&table, "products");
    for (size_t i = 0; i < gemm->counts; i++) {
        cli_table_cell(&table, "rows");
        cli_table_cell(&table, gemm->threads[i] == 1 ? "1 thread" : "%zu threads", gemm->threads[i]);
        cli_table_cell(&table, "lowest");
        cli_table_cell(&table, "lowest product");
    }
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct bench_mean mean = mean_of(gemm, kind, 0);
        if (mean.rows + mean_of(gemm, kind, gemm->counts - 1).rows == 0) {
            continue;
        }
        cli_table_cell(&table, "%s", kinds[kind].title);
        for (size_t i = 0; i < gemm->counts; i++) {
            mean = mean_of(gemm, kind, i);
            cli_table_cell(&table, "%zu", mean.rows);
            bench_mean_cells(&mean, true, &table);
            json_t *json = bench_mean_json(&mean);
            cli_json_set(json, "rows_of", cli_json_text(kinds[kind].title));
            cli_json_set(json, "threads", cli_json_count(gemm->threads[i]));
            cli_json_append(all, json);
        }
    }
    cli_table_print(&table);
    cli_json_set(gemm->bench->about, "ratios_to_blas", all);
}

static int by_first(const void *a, const void *b) {
    double left = ((const struct kept *)a)->ratio[0], right = ((const struct kept *)b)->ratio[0];
    return (left > right) - (left < right);
}

static int by_second(const void *a, const void *b) {
    double left = ((const struct kept *)a)->ratio[1], right = ((const struct kept *)b)->ratio[1];
    return (left > right) - (left < right);
}

static void print_lowest(struct gemm *gemm) {
    for (size_t count = 0; count < gemm->counts && gemm->disturbed < gemm->results; count++) {
        qsort(gemm->kept, gemm->count, sizeof *gemm->kept, count == 0 ? by_first : by_second);
        char *line =
            cli_text("Lowest on %zu thread%s:", gemm->threads[count], gemm->threads[count] > 1 ? "s" : "");
        for (size_t i = 0, told = 0; i < gemm->count && told < LOWEST_ROWS; i++) {
            if (gemm->kept[i].ratio[count] > 0) {
                char *longer = cli_text("%s%s %s %.3f", line, told++ > 0 ? "," : "",
                                        gemm->kept[i].shape->name, gemm->kept[i].ratio[count]);
                free(line);
                line = longer;
            }
        }
        (void)puts("");
        bench_print_text("%s", line);
        free(line);
    }
}

/* ---- the mode ---- */

static stoa_status measure_limits(struct gemm *gemm) {
    static const char *const keys[MOST_COUNTS] = {"fma_flops_per_second_one_thread", "fma_flops_per_second"};
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && i < gemm->counts; i++) {
        status = stoa_measure_fma(gemm->bench->context, gemm->threads[i], LIMIT_SECONDS, &gemm->limit[i]);
        cli_json_set(gemm->bench->about, keys[i], cli_json_number(1e9 * gemm->limit[i]));
    }
    return status;
}

static void begin_table(struct gemm *gemm, const struct bench_products *products) {
    enum { FIXED = 5, OF_COUNT = 6 };
    static const struct bench_column fixed[FIXED] = {{"", "product", 8, true, 0, false},
                                                     {"", "", 2, true, 9, true},
                                                     {"", "m", 5, false, 9, true},
                                                     {"", "n", 5, false, 9, true},
                                                     {"", "k", 5, false, 9, true}};
    struct bench_column column[FIXED + OF_COUNT * MOST_COUNTS];
    char *threads[MOST_COUNTS] = {NULL};
    size_t longest = 0;
    memcpy(column, fixed, sizeof fixed);
    for (size_t i = 0; i < gemm->counts; i++) {
        threads[i] = cli_text(gemm->threads[i] == 1 ? "1 thr." : "%zu thr.", gemm->threads[i]);
        const struct bench_column those[OF_COUNT] = {
            {threads[i], "Stoa", 7, false, 1, false},
            {"GFLOP/s", stoa_blas_vendor()->name, 8, false, 2, false},
            {"", "ratio", 6, false, 0, false},
            {"% of", "limit", 5, false, 3, false},
            {"+-", "%", 4, false, 9, true},
            {"", "", 1, true, 0, false}};
        memcpy(column + FIXED + OF_COUNT * i, those, sizeof those);
    }
    for (size_t i = 0; i < products->count; i++) {
        size_t length = strlen(products->shape[i].name);
        longest = length > longest ? length : longest;
    }
    bench_columns_begin(&gemm->columns, gemm->bench, column, FIXED + OF_COUNT * gemm->counts, longest);
    for (size_t i = 0; i < gemm->counts; i++) {
        free(threads[i]);
    }
}

static void print_heading(struct gemm *gemm, const struct bench_products *products) {
    const char *blas = stoa_blas_vendor()->name;
    bench_print_text(
        "Products of one image, or of a batch, beside cblas_sgemm of %s alone, on as many threads of its "
        "own, in turn: GFLOP/s. ratio: its time over Stoa's, median of the repetitions (of 3 where they "
        "are long); above 1 Stoa is faster. limit: Stoa's share of multiply-adds in registers.",
        blas);
    for (size_t i = 0; i < gemm->counts; i++) {
        (void)printf("The limit on %zu thread%s is %.1f GFLOP/s.\n", gemm->threads[i],
                     gemm->threads[i] > 1 ? "s" : "", gemm->limit[i]);
    }
    for (size_t i = 0; i < gemm->counts; i++) {
        size_t taken = blas_threads_of(gemm->threads[i]);
        if (taken != gemm->threads[i]) {
            (void)printf(taken ? "%s takes %zu of %zu threads.\n" : "The threads of %s cannot be set.\n",
                         blas, taken, gemm->threads[i]);
        }
    }
    (void)puts("");
    begin_table(gemm, products);
}

static size_t operand_floats(const struct bench_product_shape *shape) {
    return stoa_round_up(shape->m * shape->k, STOA_ALIGN_FLOATS) +
           stoa_round_up(shape->k * shape->n, STOA_ALIGN_FLOATS);
}

static int open(struct gemm *gemm, struct bench *bench, const struct bench_products *products) {
    *gemm = (struct gemm){.bench = bench, .counts = bench->threads > 1 ? 2 : 1};
    gemm->kept = cli_allocate(products->count, sizeof *gemm->kept);
    gemm->threads[0] = 1;
    gemm->threads[1] = bench->threads;
    size_t results = 0;
    for (size_t i = 0; i < products->count; i++) {
        const struct bench_product_shape *shape = &products->shape[i];
        gemm->operands = stoa_max(gemm->operands, operand_floats(shape));
        results = stoa_max(results, shape->m * shape->n);
    }
    gemm->bytes = (gemm->operands + results) * sizeof(float);
    gemm->memory = stoa_allocate(bench->context, gemm->bytes, "bench");
    if (!gemm->memory) {
        return cli_fail_library(bench->context, STOA_ERR_MEMORY);
    }
    bench_draw(gemm->memory, gemm->operands, INPUTS_KEY);
    for (size_t i = 0; i < gemm->counts; i++) {
        int code = bench_context_create(bench, gemm->threads[i], &gemm->context[i]);
        if (code != CLI_DONE) {
            return code;
        }
    }
    stoa_status status = measure_limits(gemm);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(bench->context, status);
}

static void close_all(struct gemm *gemm) {
    for (size_t i = 0; i < gemm->counts; i++) {
        stoa_context_free(gemm->context[i]);
    }
    stoa_release(gemm->bench->context, gemm->memory, gemm->bytes);
    free(gemm->kept);
}

static int measure(struct bench *bench, const struct bench_products *products) {
    struct gemm gemm;
    int code = open(&gemm, bench, products);
    if (code == CLI_DONE) {
        print_heading(&gemm, products);
        bench_progress_begin("gemm", products->count);
    }
    for (size_t i = 0; code == CLI_DONE && i < products->count && !cli_stop_signal(); i++) {
        bench_progress_step(i, 1, "%s", products->shape[i].name);
        measure_shape(&gemm, &products->shape[i]);
    }
    bench_progress_end();
    if (code == CLI_DONE && gemm.count > 0) {
        print_means(&gemm);
        print_lowest(&gemm);
    }
    if (code == CLI_DONE && gemm.wrong > 0) {
        code = cli_fail(CLI_FAILED, "%zu products are wrong", gemm.wrong);
    }
    close_all(&gemm);
    return code;
}

static int run(struct bench *bench) {
    struct bench_products products;
    int code = bench_products_collect(bench, &products);
    if (code == CLI_DONE && bench->options.list) {
        for (size_t i = 0; i < products.count; i++) {
            (void)puts(products.shape[i].name);
        }
    } else if (code == CLI_DONE && products.count == 0 && !cli_stop_signal()) {
        code = cli_fail(CLI_WRONG, "--filter: '%s' finds no product, 'stoa-bench gemm --list' names them",
                        bench->options.filter ? bench->options.filter : "");
    } else if (code == CLI_DONE) {
        code = measure(bench, &products);
    }
    bench_products_free(&products);
    return code;
}

static const char *const takes[] = {"filter", "threads", "min-time", "repetitions", "policy",   "isa",
                                    "layers", "json",    "list",     "wide",        "markdown", NULL};

const struct bench_mode bench_mode_gemm = {
    .name = "gemm",
    .summary = "products of the layers' shapes and square sizes beside the BLAS alone",
    .usage = "gemm [options]",
    .options = takes,
    .compares = true,
    .holds_isa = true,
    .measures = true,
    .run = run,
};
