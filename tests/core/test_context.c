/* SPDX-License-Identifier: MIT */
/* Contexts: what is refused, what is chosen, what reaches the callbacks, how memory lies; shapes as text. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../base/cmocka_prelude.h"
#include "../base/size_text.h"
#include "../base/smaps.h"
#include "base/pages.h"
#include "base/size.h"
#include "core/context.h"
#include "core/shape.h"
#include "core/threads.h"

/* For the context's own memory only. */
static void *allocate(void *user, size_t bytes, size_t alignment) {
    (void)user;
    return bytes > 640 ? aligned_alloc(alignment, bytes) : NULL;
}

static void release(void *user, void *memory, size_t bytes) {
    (void)user;
    (void)bytes;
    free(memory);
}

static void refuses_bad_options(void **state) {
    (void)state;
    const stoa_context_options bad[] = {
        {.threads = 257},
        {.threads = (size_t)-1},
        {.workspace_limit = 1},
        {.workspace_limit = (16 << 10) - 1},
        {.policy = (stoa_policy)3},
        {.policy = (stoa_policy)-1},
        {.allocator = {.allocate = allocate}},
        {.allocator = {.release = release}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stoa_context *context = NULL;
        assert_int_equal(stoa_context_create(&bad[i], &context), STOA_ERR_ARGUMENT);
        assert_null(context);
    }
    stoa_context_free(NULL);
}

static void has_defaults(void **state) {
    (void)state;
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(NULL, &context), STOA_OK);
    assert_int_equal(stoa_context_threads(context),
                     stoa_default_threads() < 256 ? stoa_default_threads() : 256);
    assert_int_equal(stoa_context_isa(context), stoa_isa_best());
    assert_int_equal(stoa_context_policy(context), STOA_POLICY_DEFAULT);
    assert_string_equal(stoa_context_error(context), "");
    stoa_log(context, "nobody listens to %d", 1);
    stoa_context_free(context);
}

static void limits_the_instruction_set(void **state) {
    (void)state;
    for (int isa = STOA_ISA_BASE; isa < STOA_ISA_COUNT; isa++) {
        for (int limit = 0; limit < 2; limit++) {
            stoa_context_options options = {.threads = 1, .highest_isa = (stoa_isa)isa, .limit_isa = limit};
            stoa_context *context = NULL;
            assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
            stoa_isa expected = limit && (stoa_isa)isa < stoa_isa_best() ? (stoa_isa)isa : stoa_isa_best();
            assert_int_equal(stoa_context_isa(context), expected);
            assert_ptr_equal(context->kernels, stoa_kernels_for(expected));
            assert_non_null(context->kernels);
            stoa_context_free(context);
        }
    }
}

static void names_things(void **state) {
    (void)state;
    assert_string_equal(stoa_isa_name(STOA_ISA_BASE), "base");
    assert_string_equal(stoa_isa_name(STOA_ISA_AVX2), "avx2");
    assert_string_equal(stoa_isa_name(STOA_ISA_AVX512), "avx512");
    assert_null(stoa_isa_name(STOA_ISA_COUNT));
    assert_null(stoa_isa_name((stoa_isa)-1));
    assert_string_equal(stoa_policy_name(STOA_POLICY_DEFAULT), "default");
    assert_string_equal(stoa_policy_name(STOA_POLICY_EXACT), "exact");
    assert_string_equal(stoa_policy_name(STOA_POLICY_BLAS), "blas");
    assert_null(stoa_policy_name((stoa_policy)3));
}

static void listen(void *user, const char *line) {
    (void)strcpy(user, line);
}

static void tells_errors_and_advice(void **state) {
    (void)state;
    char heard[512] = "";
    stoa_context_options options = {
        .threads = 1, .log = listen, .log_user = heard, .allocator = {allocate, release, NULL}};
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    stoa_log(context, "use %s", "this");
    assert_string_equal(heard, "use this");
    assert_null(stoa_allocate(context, 640, "arena"));
    assert_string_equal(stoa_context_error(context), "arena: cannot allocate 640 bytes");
    assert_int_equal(stoa_fail(context, STOA_ERR_SHAPE, "%zu and %d", (size_t)3, 4), STOA_ERR_SHAPE);
    assert_string_equal(stoa_context_error(context), "3 and 4");
    stoa_release(context, NULL, 5);
    stoa_context_free(context);
}

enum { MIB = 1 << 20 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_OWN_ALLOCATOR 1
#elif defined(__has_feature)
#define HAS_OWN_ALLOCATOR (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define HAS_OWN_ALLOCATOR 0
#endif

/* What the default allocator gives for `bytes`, at most 8 MiB, asks for huge pages up to `asking`, if for
 * any. Returns where in its page it begins. */
static size_t check_block(size_t bytes, size_t asking) {
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = 1}, &context), STOA_OK);
    unsigned char *block = stoa_allocate(context, bytes, "block");
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % STOA_ALIGN_BYTES, 0);
    memset(block, 1, bytes);
    for (size_t place = 0; place < asking; place += MIB) {
        bool known;
        bool asked = smaps_asks_for_huge_pages(block + place, &known);
        assert_true(asked || !known);
    }
    size_t place = (uintptr_t)block % STOA_HUGE_PAGE;
    stoa_release(context, block, bytes);
    stoa_context_free(context);
    return place;
}

static void large_blocks_ask_for_huge_pages(void **state) {
    (void)state;
#ifndef MADV_HUGEPAGE
    skip();
#else
    (void)check_block((size_t)2 * MIB, (size_t)2 * MIB);
    (void)check_block((size_t)4 * MIB, (size_t)4 * MIB);
    (void)check_block((size_t)6 * MIB + 4, (size_t)7 * MIB);
    (void)check_block((size_t)2 * MIB + 4, (size_t)2 * MIB);
#endif
}

/* Arrays that all began alike would meet in the same sets of a cache. */
static void large_blocks_begin_apart(void **state) {
    (void)state;
    size_t last = check_block((size_t)2 * MIB, 0);
    for (size_t i = 0; i < 20; i++) {
        size_t next = check_block((size_t)(2 + i % 3) * MIB, 0);
        assert_true(next != last && next < 1024 && next % STOA_ALIGN_BYTES == 0);
        last = next;
    }
    void *coarse = stoa_pages_allocate((size_t)3 * MIB, 4096);
    assert_int_equal((uintptr_t)coarse % 4096, 0);
    stoa_pages_release(coarse, (size_t)3 * MIB);
    stoa_pages_release(NULL, (size_t)3 * MIB);
}

static void small_blocks_are_as_always(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 64, 65, 4096, 100000, 2 * MIB - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        (void)check_block(sizes[i], 0);
    }
}

/* The last huge page is taken whole where the block becomes larger by a third at most. */
static void large_blocks_waste_little(void **state) {
    (void)state;
    const size_t least = 2 * MIB;
    const size_t sizes[][2] = {
        {least, least},       {least + 4, least + 4},         {3 * MIB - 1, 3 * MIB - 1},
        {3 * MIB, 2 * least}, {2 * least + 4, 2 * least + 4}, {3 * least + 4, 4 * least}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(stoa_pages_taken(sizes[i][0]), sizes[i][1]);
    }
}

/* Sizes that would overflow with what is added to them. Sanitizers end the program instead. */
static void refuses_blocks_beyond_memory(void **state) {
    (void)state;
#if HAS_OWN_ALLOCATOR
    skip();
#else
    const size_t most = (size_t)-1;
    const size_t sizes[] = {most, most - STOA_HUGE_PAGE, most - 2 * (size_t)STOA_HUGE_PAGE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_null(stoa_pages_allocate(sizes[i], STOA_ALIGN_BYTES));
    }
#endif
}

static void writes_shapes(void **state) {
    (void)state;
    char text[STOA_SHAPE_TEXT];
    assert_string_equal(stoa_shape_text(&(struct stoa_shape){.rank = 3, .dim = {28, 27, 1}}, text),
                        "28x27x1");
    assert_string_equal(stoa_shape_text(&(struct stoa_shape){.rank = 1, .dim = {120}}, text), "120");
    assert_string_equal(stoa_shape_text(&(struct stoa_shape){.rank = 0}, text), "");
    size_t most = (size_t)-1;
    assert_string_equal(
        stoa_shape_text(&(struct stoa_shape){.rank = 4, .dim = {most, most, most, most}}, text),
        SIZE_MAX_TEXT "x" SIZE_MAX_TEXT "x" SIZE_MAX_TEXT "x" SIZE_MAX_TEXT);
    struct stoa_shape a = {.rank = 3, .dim = {1, 2, 3}};
    struct stoa_shape b = {.rank = 1, .dim = {1}};
    assert_false(stoa_shape_equal(&a, &b));
    assert_true(stoa_shape_equal(&a, &a));
    assert_int_equal(stoa_shape_size(&a), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_options),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(limits_the_instruction_set),
        cmocka_unit_test(names_things),
        cmocka_unit_test(tells_errors_and_advice),
        cmocka_unit_test(large_blocks_ask_for_huge_pages),
        cmocka_unit_test(large_blocks_begin_apart),
        cmocka_unit_test(small_blocks_are_as_always),
        cmocka_unit_test(large_blocks_waste_little),
        cmocka_unit_test(refuses_blocks_beyond_memory),
        cmocka_unit_test(writes_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
