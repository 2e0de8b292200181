/* SPDX-License-Identifier: MIT */
/* Which algorithm computes a convolution: the cheapest, or the one asked for; plans keep theirs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "model/plan.h"
#include "tests/conv/strided.h"

static stoa_context *make_context(size_t threads, size_t limit) {
    stoa_context *context = NULL;
    stoa_context_options options = {.threads = threads, .workspace_limit = limit};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    return context;
}

/* Square images, kernels and strides, "same" padding; `groups` of them. */
static struct stoa_conv shape(size_t batch, size_t channels, size_t side, size_t filters, size_t kernel,
                              size_t stride, size_t groups) {
    struct stoa_conv conv = strided(kernel, stride, batch, channels, side, side, filters, kernel / 2, 0);
    conv.groups = groups;
    return conv;
}

static size_t shapes(struct stoa_conv *out) {
    const struct stoa_conv all[] = {
        shape(64, 1, 28, 6, 5, 1, 1),    shape(8, 64, 56, 64, 3, 1, 1),   shape(8, 512, 7, 512, 3, 1, 1),
        shape(8, 256, 56, 64, 1, 1, 1),  shape(8, 256, 56, 512, 1, 2, 1), shape(8, 128, 56, 128, 3, 1, 128),
        shape(8, 128, 56, 128, 3, 2, 4), shape(2, 3, 224, 64, 7, 2, 1),   shape(1, 5, 4, 7, 3, 1, 1),
    };
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}
enum { MOST_SHAPES = 16, PASSES = 3 };

/* The algorithm that is planned. */
static const struct stoa_conv_algorithm *choose(stoa_context *context, const struct stoa_conv *conv,
                                                enum stoa_conv_pass pass) {
    struct stoa_conv_plan plan;
    assert_true(stoa_conv_plan(context, conv, pass, "test", &plan));
    return plan.algorithm;
}

/* A few filters do not fill a vector: pixels do. A gradient keeps a vector of sums for each weight, which
 * pays where less than half of a vector would be filled; a single filter takes as long as two. */
static void few_filters_take_planes(void **state) {
    (void)state;
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        stoa_context *context = NULL;
        stoa_context_options options = {.threads = 2, .highest_isa = (stoa_isa)isa, .limit_isa = true};
        assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
        for (size_t filters = 1; filters <= 16; filters++) {
            const struct stoa_conv conv = shape(64, 1, 28, filters, 5, 1, 1);
            const struct stoa_conv strided = shape(64, 1, 28, filters, 5, 2, 1);
            bool few = filters <= STOA_PLANES_FILTERS;
            bool half = 2 * stoa_max(2, filters) < stoa_cost_lanes(context);
            assert_int_equal(few, choose(context, &conv, STOA_CONV_FORWARD) == &stoa_conv_planes);
            const struct stoa_conv_algorithm *gradient = choose(context, &conv, STOA_CONV_BACKWARD_WEIGHTS);
            assert_true(few && half ? gradient == &stoa_conv_planes : few || gradient != &stoa_conv_planes);
            assert_ptr_not_equal(choose(context, &conv, STOA_CONV_BACKWARD_DATA), &stoa_conv_planes);
            assert_ptr_not_equal(choose(context, &strided, STOA_CONV_FORWARD), &stoa_conv_planes);
        }
        stoa_context_free(context);
    }
}

/* The only column of an image is the image as it lies. */
static void a_kernel_as_large_as_the_image_needs_no_columns(void **state) {
    (void)state;
    stoa_context *context = make_context(2, 0);
    struct stoa_conv covers = strided(5, 1, 64, 16, 5, 5, 120, 0, 0);
    struct stoa_conv less = strided(5, 1, 64, 16, 6, 5, 120, 0, 0);
    for (int pass = 0; pass < STOA_CONV_PASSES; pass++) {
        assert_ptr_equal(choose(context, &covers, (enum stoa_conv_pass)pass), &stoa_conv_pointwise);
        assert_ptr_not_equal(choose(context, &less, (enum stoa_conv_pass)pass), &stoa_conv_pointwise);
    }
    stoa_context_free(context);
}

static void takes_the_cheapest(void **state) {
    (void)state;
    struct stoa_conv conv[MOST_SHAPES];
    size_t count = shapes(conv);
    stoa_context *context = make_context(2, 0);
    for (size_t i = 0; i < count * PASSES; i++) {
        enum stoa_conv_pass pass = (enum stoa_conv_pass)(i % PASSES);
        struct stoa_conv_plan chosen;
        assert_true(stoa_conv_plan(context, &conv[i / PASSES], pass, "test", &chosen));
        for (const struct stoa_conv_algorithm *const *at = stoa_conv_algorithms; *at; at++) {
            struct stoa_conv_plan plan;
            if (stoa_conv_plan_with(context, *at, &conv[i / PASSES], pass, &plan)) {
                assert_true(isfinite(plan.cost) && plan.cost > 0 && plan.cost < 1000);
                assert_true(chosen.cost <= plan.cost);
            }
        }
    }
    stoa_context_free(context);
}

/* Cost, cut, key and choice: the same on any number of threads, which take more memory only. */
static void does_not_count_threads(void **state) {
    (void)state;
    struct stoa_conv conv[MOST_SHAPES];
    size_t count = shapes(conv);
    stoa_context *one = make_context(1, 0);
    stoa_context *many = make_context(7, 0);
    for (size_t i = 0; i < count * PASSES; i++) {
        enum stoa_conv_pass pass = (enum stoa_conv_pass)(i % PASSES);
        const struct stoa_conv *c = &conv[i / PASSES];
        assert_ptr_equal(choose(one, c, pass), choose(many, c, pass));
        for (const struct stoa_conv_algorithm *const *at = stoa_conv_algorithms; *at; at++) {
            struct stoa_conv_plan alone;
            struct stoa_conv_plan plan;
            bool can = stoa_conv_plan_with(one, *at, c, pass, &alone);
            assert_int_equal(can, stoa_conv_plan_with(many, *at, c, pass, &plan));
            if (can) {
                assert_memory_equal(&alone.cost, &plan.cost, sizeof plan.cost);
                assert_true(alone.key == plan.key && alone.prepared_bytes == plan.prepared_bytes);
                assert_true(alone.bytes <= plan.bytes);
            }
        }
    }
    stoa_context_free(one);
    stoa_context_free(many);
}

/* Weights that were prepared for anything else are told apart. */
static void keys_differ(void **state) {
    (void)state;
    struct stoa_conv conv[MOST_SHAPES];
    size_t count = shapes(conv);
    uint64_t keys[4 * MOST_SHAPES];
    size_t made = 0;
    for (size_t limit = 0; limit < 2; limit++) {
        stoa_context *context = make_context(2, limit * 100000);
        for (size_t i = 0; i < 2 * count; i++) {
            struct stoa_conv_plan plan;
            struct stoa_conv one = conv[i / 2];
            one.batch += i % 2;
            assert_true(stoa_conv_plan(context, &one, STOA_CONV_FORWARD, "test", &plan));
            for (size_t k = 0; k < made; k++) {
                assert_true(keys[k] != plan.key);
            }
            keys[made++] = plan.key;
        }
        stoa_context_free(context);
    }
}

static void takes_the_one_asked_for(void **state) {
    (void)state;
    stoa_context *context = make_context(1, 0);
    struct stoa_conv depthwise = shape(8, 128, 56, 128, 3, 1, 128);
    struct stoa_conv plain = shape(8, 64, 56, 64, 3, 1, 1);
    assert_null(stoa_context_conv(context));
    const struct stoa_conv_algorithm *free_choice = choose(context, &depthwise, STOA_CONV_FORWARD);
    assert_string_equal(free_choice->name, "depthwise");
    for (const struct stoa_conv_algorithm *const *at = stoa_conv_algorithms; *at; at++) {
        assert_int_equal(stoa_context_set_conv(context, (*at)->name), STOA_OK);
        assert_string_equal(stoa_context_conv(context), (*at)->name);
        const struct stoa_conv_algorithm *got = choose(context, &depthwise, STOA_CONV_FORWARD);
        struct stoa_conv_plan plan;
        bool can = stoa_conv_plan_with(context, *at, &depthwise, STOA_CONV_FORWARD, &plan);
        assert_ptr_equal(got, can ? *at : free_choice);
        /* Where it cannot, the cheapest. */
        assert_true(choose(context, &plain, STOA_CONV_FORWARD) != &stoa_conv_depthwise);
    }
    assert_int_equal(stoa_context_set_conv(context, NULL), STOA_OK);
    assert_null(stoa_context_conv(context));
    assert_ptr_equal(choose(context, &depthwise, STOA_CONV_FORWARD), free_choice);
    stoa_context_free(context);
}

static void lists_the_names(void **state) {
    (void)state;
    stoa_context *context = make_context(1, 0);
    assert_int_equal(stoa_context_set_conv(context, "im2col"), STOA_OK);
    assert_int_equal(stoa_context_set_conv(context, "fft"), STOA_ERR_ARGUMENT);
    const char *sentence = stoa_context_error(context);
    assert_non_null(strstr(sentence, "found 'fft', expected "));
    for (const struct stoa_conv_algorithm *const *at = stoa_conv_algorithms; *at; at++) {
        assert_non_null(strstr(sentence, (*at)->name));
    }
    assert_int_equal(stoa_context_set_conv(context, ""), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_conv(context), "im2col");
    stoa_context_free(context);
}

static void describes_itself_by_name(void **state) {
    (void)state;
    struct stoa_conv conv[MOST_SHAPES];
    size_t count = shapes(conv);
    stoa_context *context = make_context(2, 0);
    for (size_t i = 0; i < count * PASSES; i++) {
        for (const struct stoa_conv_algorithm *const *at = stoa_conv_algorithms; *at; at++) {
            enum stoa_conv_pass pass = (enum stoa_conv_pass)(i % PASSES);
            struct stoa_conv_plan plan;
            if (stoa_conv_plan_with(context, *at, &conv[i / PASSES], pass, &plan)) {
                char text[96];
                stoa_conv_describe(&plan, text, sizeof text);
                assert_int_equal(strncmp(text, (*at)->name, strlen((*at)->name)), 0);
            }
        }
    }
    stoa_context_free(context);
}

static size_t workspace_of(const stoa_plan *plan, size_t step, char *algorithm, size_t size) {
    stoa_plan_step at;
    assert_int_equal(stoa_plan_step_at(plan, step, &at), STOA_OK);
    (void)snprintf(algorithm, size, "%s", at.algorithm);
    return at.workspace_bytes;
}

/* What is set after planning changes plans to come only: a plan's workspace fits its own algorithms. */
static void plans_keep_their_choice(void **state) {
    (void)state;
    stoa_context *context = make_context(2, 0);
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 12, 12, 8);
    stoa_model_add(model, "c1", "conv2d filters=8 kernel=3 pad=1 groups=8");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 3), STOA_OK);
    stoa_plan *plan[2] = {NULL};
    char before[256];
    char after[256];
    assert_int_equal(stoa_plan_create(context, model, &(stoa_plan_options){.batch = 5}, &plan[0]), STOA_OK);
    assert_int_equal(workspace_of(plan[0], 0, before, sizeof before), 0);
    assert_int_equal(strncmp(before, "depthwise", 9), 0);
    assert_int_equal(stoa_context_set_conv(context, "im2col"), STOA_OK);
    assert_int_equal(workspace_of(plan[0], 0, after, sizeof after), 0);
    assert_string_equal(before, after);
    assert_int_equal(stoa_plan_create(context, model, &(stoa_plan_options){.batch = 5}, &plan[1]), STOA_OK);
    assert_true(workspace_of(plan[1], 0, after, sizeof after) > 0);
    assert_int_equal(strncmp(after, "im2col", 6), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(stoa_plan_bind(plan[i], NULL), STOA_OK);
        memset(stoa_plan_input(plan[i]), 0, (size_t)3 * 12 * 12 * 8 * sizeof(float));
        const float *output = NULL;
        assert_int_equal(stoa_plan_infer(plan[i], 3, &output), STOA_OK);
        assert_true(isfinite(output[0]));
        stoa_plan_free(plan[i]);
    }
    stoa_model_free(model);
    stoa_context_free(context);
}

/* A row of 48 MiB of columns is cut until a tile fits what a thread may take. */
static void keeps_to_the_limit(void **state) {
    (void)state;
    struct stoa_conv wide = shape(1, 64, 4096, 8, 7, 1, 1);
    const size_t limits[] = {16 << 10, 100000, 1 << 20};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        stoa_context *context = make_context(3, limits[i]);
        for (int pass = 0; pass < PASSES; pass++) {
            struct stoa_conv_plan plan;
            assert_true(stoa_conv_plan(context, &wide, (enum stoa_conv_pass)pass, "test", &plan));
            assert_true(plan.bytes <= limits[i] * (3 + STOA_CONV_SHARED_LIMITS));
            assert_int_equal(stoa_context_set_conv(context, "im2col"), STOA_OK);
            assert_ptr_equal(choose(context, &wide, (enum stoa_conv_pass)pass), &stoa_conv_im2col);
            assert_true(stoa_conv_plan(context, &wide, STOA_CONV_FORWARD, "test", &plan));
            assert_true(plan.bytes > 0 && plan.bytes <= 4 * limits[i]);
            assert_int_equal(stoa_context_set_conv(context, NULL), STOA_OK);
        }
        stoa_context_free(context);
    }
}

/* What cannot be cut further is refused in planning, with what it needs. */
static void refuses_what_no_tile_holds(void **state) {
    (void)state;
    stoa_context *context = NULL;
    /* This policy leaves columns only. */
    stoa_context_options options = {.threads = 2, .workspace_limit = 16 << 10, .policy = STOA_POLICY_BLAS};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    const size_t channels[] = {512, 448};
    for (size_t i = 0; i < 2; i++) {
        stoa_model *model = NULL;
        stoa_plan *plan = NULL;
        assert_int_equal(stoa_model_create(context, &model), STOA_OK);
        stoa_model_input(model, 5, 5, channels[i]);
        stoa_model_add(model, "c7", "conv2d filters=4 kernel=3 pad=1");
        assert_int_equal(stoa_model_build(model), STOA_OK);
        stoa_status status = stoa_plan_create(context, model, &(stoa_plan_options){.batch = 2}, &plan);
        if (i == 0) {
            assert_int_equal(status, STOA_ERR_MEMORY);
            assert_null(plan);
            assert_string_equal(stoa_context_error(context),
                                "conv2d 'c7': the columns of one pixel take 18432 bytes, and the context's "
                                "workspace limit is 16384");
        } else {
            assert_int_equal(status, STOA_OK);
            stoa_plan_free(plan);
        }
        stoa_model_free(model);
    }
    stoa_context_free(context);
}

/* An algorithm gets what it says it takes, for every way to ask and to take. A result that is added apart is
 * dense before. */
static void check_taken(struct stoa_conv asked, enum stoa_conv_pass pass, unsigned native) {
    struct stoa_conv_plan plan = {.asked = asked, .conv = asked, .pass = pass};
    const struct stoa_conv *own = &plan.conv;
    bool to_x = pass == STOA_CONV_BACKWARD_DATA;
    bool to_weight = pass == STOA_CONV_BACKWARD_WEIGHTS;
    stoa_conv_take(&plan, native);
    bool apart = asked.adds && !own->adds;
    assert_true(own->x_pixel == (to_x && apart ? 0 : native & STOA_CONV_X_PIXEL ? asked.x_pixel : 0));
    assert_true(own->y_pixel == (native & STOA_CONV_Y_PIXEL ? asked.y_pixel : 0));
    assert_true(own->oihw == (asked.oihw && (native & STOA_CONV_OIHW) && !(to_weight && apart)));
    bool result_lies = to_x ? !asked.x_planar && own->x_pixel == asked.x_pixel : asked.oihw == own->oihw;
    assert_true(!asked.adds || own->adds == ((native & STOA_CONV_ADDS) && result_lies));
}

static void takes_what_it_says(void **state) {
    (void)state;
    struct stoa_conv conv = shape(2, 4, 6, 8, 3, 1, 1);
    for (unsigned asked = 0; asked < 32; asked++) {
        conv.x_planar = asked & 1;
        conv.x_pixel = asked & 2 && !conv.x_planar ? 9 : 0;
        conv.y_pixel = asked & 4 ? 10 : 0;
        conv.oihw = asked & 8;
        conv.adds = asked & 16;
        for (unsigned native = 0; native < 16; native++) {
            check_taken(conv, STOA_CONV_BACKWARD_DATA, native);
            check_taken(conv, STOA_CONV_BACKWARD_WEIGHTS, native);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_as_large_as_the_image_needs_no_columns),
        cmocka_unit_test(takes_the_cheapest),
        cmocka_unit_test(few_filters_take_planes),
        cmocka_unit_test(does_not_count_threads),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(takes_the_one_asked_for),
        cmocka_unit_test(lists_the_names),
        cmocka_unit_test(describes_itself_by_name),
        cmocka_unit_test(plans_keep_their_choice),
        cmocka_unit_test(keeps_to_the_limit),
        cmocka_unit_test(refuses_what_no_tile_holds),
        cmocka_unit_test(takes_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
