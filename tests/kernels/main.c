/* SPDX-License-Identifier: MIT */
/* Runs the test of every kernel for every instruction set that this CPU has, and for the float reference. */
#include <stdio.h>
#include <string.h>

#include "base/isa_list.h"
#include "tests/kernels/kernel_test.h"

enum { SEED = 20240611 };

typedef void (*kernel_test)(const struct subject *s);

struct slot_test {
    const char *name;
    kernel_test run;
};

/* A slot without a test does not link. */
#define SLOT_TEST(slot, signature) {#slot, test_kernel_##slot},
static const struct slot_test slot_tests[] = {STOA_KERNEL_LIST(SLOT_TEST, float)};
enum { SLOTS = sizeof slot_tests / sizeof *slot_tests };

struct run {
    const struct slot_test *test;
    struct subject subject;
};

static void run_slot(void **state) {
    const struct run *run = *state;
    random_seed(SEED);
    run->test->run(&run->subject);
}

static int release(void **state) {
    (void)state;
    arrays_release();
    return 0;
}

static int reference_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_polynomials, release),
        cmocka_unit_test_teardown(test_reference_gemm, release),
        cmocka_unit_test_teardown(test_reference_adjoint, release),
        cmocka_unit_test_teardown(test_reference_part_of_a_row, release),
        cmocka_unit_test_teardown(test_reference_conv_finite_differences, release),
        cmocka_unit_test_teardown(test_reference_conv_is_im2col_gemm, release),
        cmocka_unit_test_teardown(test_reference_winograd_is_convolution, release),
    };
    random_seed(SEED);
    return cmocka_run_group_tests_name("references", tests, NULL, NULL);
}

static int subject_tests(struct subject subject) {
    static struct run runs[SLOTS];
    static char names[SLOTS][64];
    struct CMUnitTest tests[SLOTS];
    for (size_t i = 0; i < SLOTS; i++) {
        runs[i] = (struct run){&slot_tests[i], subject};
        snprintf(names[i], sizeof names[i], "%s %s", subject.name, slot_tests[i].name);
        tests[i] = (struct CMUnitTest){names[i], run_slot, NULL, release, &runs[i]};
    }
    return _cmocka_run_group_tests(subject.name, tests, SLOTS, NULL, NULL);
}

/* Whether a set's table has what the list says: of a group that it leaves the kernels of the set below, else
 * its own. */
#define NEEDS(feature)
#define WITH(option)
#define LEAVES(group) [STOA_LEFT_##group] = true,
#define LEFT(name, NAME, lanes, registers, core, features) [STOA_ISA_##NAME] = {false, features},
enum { STOA_LEFT_NONE, STOA_LEFT_INPUT, STOA_LEFT_GROUPS };

static int overlay_tests(stoa_isa best) {
    static const bool left[STOA_ISA_COUNT][STOA_LEFT_GROUPS] = {STOA_ISA_BUILT(LEFT)};
    int failed = 0;
    for (int isa = STOA_ISA_BASE + 1; isa <= (int)best; isa++) {
        const struct stoa_kernels *below = stoa_kernels_for((stoa_isa)(isa - 1));
        const struct stoa_kernels *own = stoa_kernels_for((stoa_isa)isa);
        if ((own->bytes_to_real == below->bytes_to_real) != left[isa][STOA_LEFT_INPUT] ||
            own->relu == below->relu) {
            printf("%s has kernels of another set than the list says\n", stoa_isa_name((stoa_isa)isa));
            failed++;
        }
    }
    return failed;
}

#define REFERENCE_MEMBER(slot, signature) .slot = stoa_reference_f32.slot,

int main(void) {
    const struct stoa_kernels reference = {STOA_KERNEL_LIST(REFERENCE_MEMBER, float)};
    char checked[64] = "";
    int failed = 0;
    printf("seed %d\n", SEED);
    failed += reference_tests();
    failed += subject_tests((struct subject){&reference, "reference", 200});
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        const struct stoa_kernels *kernels = stoa_kernels_for((stoa_isa)isa);
        if (kernels == NULL) {
            printf("no kernels for %s\n", stoa_isa_name((stoa_isa)isa));
            failed++;
            continue;
        }
        failed += subject_tests((struct subject){kernels, stoa_isa_name((stoa_isa)isa), 1});
        strcat(checked, " ");
        strcat(checked, stoa_isa_name((stoa_isa)isa));
    }
    failed += overlay_tests(stoa_isa_best());
    if (stoa_kernels_for(STOA_ISA_COUNT) != NULL) {
        printf("stoa_kernels_for() accepts an instruction set out of range\n");
        failed++;
    }
    printf("kernels checked:%s\n", checked);
    return failed == 0 ? 0 : 1;
}
