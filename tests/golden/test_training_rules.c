/* SPDX-License-Identifier: MIT */
/* Optimisers against PyTorch, step by step on given gradients, for every instruction set; learning rates of
 * schedules. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/threads.h"
#include "golden.h"
#include "train/options.h"

enum { COUNT = 37 };
static const double BOUND = 1e-6;        /* of the largest number */
static const double MATRIX_BOUND = 1e-5; /* the same: the iteration magnifies what is rounded */

static json_t *file;
static stoa_context *context;

static int set_up(void **state) {
    (void)state;
    return stoa_context_create(&(stoa_context_options){.threads = 1}, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

static struct stoa_train_settings read_settings(const stoa_train_options *options) {
    struct stoa_train_settings settings;
    if (stoa_train_settings_read(context, options, &settings) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    return settings;
}

/* Apply all gradients; compare wherever the file has values. */
static void follow(const json_t *one, const struct stoa_kernels *kernels, const char *isa) {
    const char *line = golden_text(one, "optimizer");
    const struct stoa_train_settings settings = read_settings(&(stoa_train_options){.optimizer = line});
    const json_t *gradients = golden_get(file, "gradients");
    size_t every = golden_size(file, "every");
    float p[COUNT];
    float g[COUNT];
    float slot[STOA_MAX_SLOTS][COUNT] = {{0}};
    golden_floats(golden_get(file, "start"), p, COUNT);
    for (size_t step = 0; step < json_array_size(gradients); step++) {
        golden_floats(json_array_get(gradients, step), g, COUNT);
        struct stoa_update update = {.kernels = kernels,
                                     .options = settings.optimizer_options,
                                     .parameter = p,
                                     .gradient = g,
                                     .count = COUNT,
                                     .learning_rate = (float)json_number_value(golden_get(file, "rate")),
                                     .decays = true,
                                     .step = step + 1};
        for (size_t i = 0; i < settings.optimizer_slots; i++) {
            update.slot[i] = slot[i];
        }
        if (settings.optimizer->begin) {
            settings.optimizer->begin(&update);
        }
        settings.optimizer->update(&update);
        if ((step + 1) % every == 0) {
            char where[192];
            (void)snprintf(where, sizeof where, "%s on %s, step %zu", line, isa, step + 1);
            golden_compare(where, "parameters", p, json_array_get(golden_get(one, "after"), step / every),
                           COUNT, BOUND);
        }
    }
    /* What the optimiser says it does not keep, it does not touch. */
    for (size_t i = settings.optimizer_slots; i < STOA_MAX_SLOTS; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            assert_true(slot[i][j] == 0);
        }
    }
}

static void optimisers_follow_pytorchs(void **state) {
    (void)state;
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)golden_get(file, "optimizers"), i, one) {
        for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
            const struct stoa_kernels *kernels = stoa_kernels_for((stoa_isa)isa);
            assert_non_null(kernels);
            follow(one, kernels, stoa_isa_name((stoa_isa)isa));
        }
    }
    assert_true(i > 0);
}

struct task {
    const struct stoa_optimizer *optimizer;
    struct stoa_update update;
};

static void run_task(void *argument, size_t task, size_t thread) {
    (void)task;
    (void)thread;
    const struct task *t = argument;
    t->optimizer->update(&t->update);
}

/* A whole weight, with exactly the scratch that is asked for. */
static void follow_matrix(const json_t *one, const struct stoa_kernels *kernels, const char *isa) {
    enum { MOST = 64, WORK = 512 };
    static const float guard = 12345;
    const char *line = golden_text(one, "optimizer");
    const struct stoa_train_settings settings = read_settings(&(stoa_train_options){.optimizer = line});
    size_t rows = golden_size(one, "rows"), columns = golden_size(one, "columns"), floats = 0;
    float p[MOST], g[MOST], work[WORK], slot[STOA_MAX_SLOTS][MOST] = {{0}};
    assert_true(rows * columns <= MOST && settings.optimizer->workspace(rows, columns, &floats) &&
                floats < WORK);
    work[floats] = guard;
    golden_floats(golden_get(one, "start"), p, rows * columns);
    const json_t *gradients = golden_get(one, "gradients");
    size_t every = golden_size(file, "every");
    for (size_t step = 0; step < json_array_size(gradients); step++) {
        golden_floats(json_array_get(gradients, step), g, rows * columns);
        struct task task = {settings.optimizer,
                            {.context = context,
                             .kernels = kernels,
                             .options = settings.optimizer_options,
                             .parameter = p,
                             .gradient = g,
                             .slot = {slot[0], slot[1]},
                             .count = rows * columns,
                             .rows = rows,
                             .columns = columns,
                             .work = work,
                             .learning_rate = (float)json_number_value(golden_get(file, "rate")),
                             .decays = true,
                             .step = step + 1}};
        stoa_parallel(context, 1, run_task, &task); /* products take the scratch of a thread */
        if ((step + 1) % every == 0) {
            char where[192];
            (void)snprintf(where, sizeof where, "%s on %s, step %zu", line, isa, step + 1);
            golden_compare(where, "weight", p, json_array_get(golden_get(one, "after"), step / every),
                           rows * columns, MATRIX_BOUND);
        }
    }
    assert_true(work[floats] == guard);
    for (size_t i = 0; i < MOST; i++) {
        assert_true(slot[1][i] == 0); /* a weight has no second moment */
    }
}

static void weights_follow_the_formula(void **state) {
    (void)state;
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)golden_get(file, "matrices"), i, one) {
        for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
            follow_matrix(one, stoa_kernels_for((stoa_isa)isa), stoa_isa_name((stoa_isa)isa));
        }
    }
    assert_true(i > 0);
}

/* A new optimiser needs golden values too. */
static bool is_there(const char *list, const char *key, const char *name) {
    size_t i;
    json_t *one;
    size_t length = strlen(name);
    json_array_foreach((json_t *)(uintptr_t)golden_get(file, list), i, one) {
        const char *line = golden_text(one, key);
        if (strncmp(line, name, length) == 0 && (line[length] == '\0' || line[length] == ' ')) {
            return true;
        }
    }
    return false;
}

static void all_optimisers_are_here(void **state) {
    (void)state;
    for (size_t i = 0; stoa_optimizers[i]; i++) {
        const char *name = stoa_optimizers[i]->name;
        if (!is_there("optimizers", "optimizer", name) ||
            (stoa_optimizers[i]->workspace && !is_there("matrices", "optimizer", name))) {
            fail_msg("no golden values of optimizer %s", name);
        }
    }
}

/* A schedule of one epoch counts steps; of several, with one step or more each, what its line says. */
static void schedules_follow_pytorchs(void **state) {
    (void)state;
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)golden_get(file, "schedules"), i, one) {
        const char *line = golden_text(one, "schedule");
        const struct stoa_train_settings settings =
            read_settings(&(stoa_train_options){.schedule = line, .epochs = golden_size(one, "epochs")});
        const json_t *factors = golden_get(one, "factors");
        const json_t *losses = json_object_get(one, "losses");
        size_t total = json_array_size(factors);
        struct stoa_schedule_state memory = {.factor = 1, .best = (double)INFINITY};
        for (size_t step = 0; step < total; step++) {
            double found = stoa_schedule_factor(&settings, &memory, step, total);
            double expected = json_number_value(json_array_get(factors, step));
            if (!(fabs(found - expected) <= 1e-7)) {
                fail_msg("%s: factor of step %zu is %.9g, PyTorch's %.9g", line, step, found, expected);
            }
            if (losses) {
                double loss = json_number_value(json_array_get(losses, step));
                bool validates = settings.schedule->needs_validation(settings.schedule_options);
                const struct stoa_epoch_losses both = {validates ? (double)NAN : loss,
                                                       validates ? loss : (double)NAN};
                settings.schedule->observe(settings.schedule_options, &memory, &both);
            }
        }
        /* Steps beyond the last are as the last. */
        assert_true(stoa_schedule_factor(&settings, &memory, total + 7, total) >= 0);
    }
    assert_true(i > 0);
}

static void all_schedules_are_here(void **state) {
    (void)state;
    for (size_t i = 0; stoa_schedules[i]; i++) {
        /* one_cycle has its values in training.json. */
        if (strcmp(stoa_schedules[i]->name, "one_cycle") != 0 &&
            !is_there("schedules", "schedule", stoa_schedules[i]->name)) {
            fail_msg("no golden values of schedule %s", stoa_schedules[i]->name);
        }
    }
}

int main(int count, char **arguments) {
    if (count != 2) {
        (void)fprintf(stderr, "usage: test_golden_training_rules FOLDER\n");
        return 2;
    }
    file = golden_load(arguments[1], "training-rules.json");
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_optimisers_are_here), TEST(optimisers_follow_pytorchs), TEST(weights_follow_the_formula),
        TEST(all_schedules_are_here),  TEST(schedules_follow_pytorchs),
    };
#undef TEST
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(file);
    return failed;
}
