/* SPDX-License-Identifier: MIT */
/* Optimisers and schedules through the trainer, against their formulas in double: the gradients are taken
 * from the plan, the parameters followed step by step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "../base/size_text.h"
#include "train/trainer.h"

enum { STEPS = 12, BATCH = 6, INPUTS = 10, CLASSES = 3, MOST = 600 };

static stoa_context *context;
static float input[BATCH * INPUTS];
static int32_t labels[BATCH];

static int set_up(void **state) {
    (void)state;
    for (size_t i = 0; i < (size_t)BATCH * INPUTS; i++) {
        input[i] = sinf((float)i * 1.7F);
    }
    for (int32_t i = 0; i < BATCH; i++) {
        labels[i] = i % CLASSES;
    }
    stoa_context_options options = {.threads = 2};
    return stoa_context_create(&options, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

/* Weights decay, biases and scales do not. */
static stoa_model *make_model(void) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, INPUTS);
    stoa_model_add(model, "l1", "linear units=17");
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "l2", "linear units=3");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 4), STOA_OK);
    return model;
}

/* One parameter in double with up to two moments. */
struct followed {
    double p[MOST], m[MOST], v[MOST];
};

struct rule {
    const char *line;
    void (*step)(const struct rule *rule, double *p, double g, double *m, double *v, double rate, double t);
    double a, b, epsilon, decay; /* momentum; or beta1, beta2 */
};

static void sgd(const struct rule *r, double *p, double g, double *m, double *v, double rate, double t) {
    (void)v;
    (void)t;
    *m = r->a * *m + g;
    *p -= rate * *m;
}

static void adam(const struct rule *r, double *p, double g, double *m, double *v, double rate, double t) {
    *m = r->a * *m + (1 - r->a) * g;
    *v = r->b * *v + (1 - r->b) * g * g;
    double corrected_m = *m / (1 - pow(r->a, t));
    double corrected_v = *v / (1 - pow(r->b, t));
    *p -= rate * corrected_m / (sqrt(corrected_v) + r->epsilon);
}

/* torch.optim.lr_scheduler.OneCycleLR with anneal_strategy cos, three_phase false: start / 1 is 1 /
 * div_factor, end is relative to the highest rate here. */
static double one_cycle(double step, double total, double warmup, double start, double end) {
    double peak = warmup * total - 1;
    double last = total - 1;
    double from = step <= peak ? start : 1;
    double to = step <= peak ? 1 : end;
    double part = step <= peak ? step / peak : (step - peak) / (last - peak);
    return to + (from - to) / 2 * (1 + cos(acos(-1.0) * part));
}

static void take_parameters(const stoa_model *model, double *out) {
    for (size_t i = 0; i < model->parameter_floats; i++) {
        out[i] = (double)model->parameters[i];
    }
}

/* Whether weight decay applies to this place of the flat array. */
static bool decays(const stoa_model *model, size_t place) {
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *t = &model->tensors[i];
        if (t->spec.trainable && place >= t->offset && place < t->offset + t->count) {
            return strstr(t->name, "l1.weight") || strstr(t->name, "l2.weight");
        }
    }
    return false;
}

static void step_and_follow(stoa_trainer *trainer, const stoa_model *model, const struct rule *rule,
                            double rate, size_t step, struct followed *f) {
    memcpy(stoa_plan_input(trainer->plan), input, sizeof input);
    size_t samples = step % 4 == 3 ? 4 : BATCH;
    double loss;
    const float *output;
    assert_int_equal(stoa_trainer_step(trainer, samples, (stoa_targets){.labels = labels}, &loss, &output),
                     STOA_OK);
    stoa_trainer_info info;
    stoa_trainer_describe(trainer, &info);
    assert_true(fabs((double)info.learning_rate - rate) < 1e-6 * rate);
    const float *gradient = stoa_plan_gradients(trainer->plan);
    for (size_t i = 0; i < model->parameter_floats; i++) {
        double g = (double)gradient[i] + (decays(model, i) ? rule->decay * f->p[i] : 0);
        rule->step(rule, &f->p[i], g, &f->m[i], &f->v[i], rate, (double)step + 1);
        if (!(fabs((double)model->parameters[i] - f->p[i]) <= 2e-6 * (1 + fabs(f->p[i])))) {
            fail_msg("%s: step %zu, parameter %zu is %.9g, expected %.9g", rule->line, step, i,
                     (double)model->parameters[i], f->p[i]);
        }
        f->p[i] = (double)model->parameters[i]; /* from here on again, so that errors do not add up */
    }
}

static const struct rule rules[] = {
    {"sgd", sgd, 0, 0, 0, 0},
    {"sgd momentum=0.9", sgd, 0.9, 0, 0, 0},
    {"sgd momentum=0.5 decay=0.1", sgd, 0.5, 0, 0, 0.1},
    {"adam", adam, 0.9, 0.999, 1e-8, 0},
    {"adam beta1=0.8 beta2=0.95 epsilon=1e-3 decay=0.2", adam, 0.8, 0.95, 1e-3, 0.2},
};

static void follows_the_formulas(void **state) {
    (void)state;
    for (size_t r = 0; r < 2 * sizeof rules / sizeof *rules; r++) {
        const struct rule *rule = &rules[r / 2];
        bool cycle = r % 2 == 1;
        stoa_model *model = make_model();
        assert_true(model->parameter_floats <= MOST);
        stoa_train_options options = {.batch = BATCH,
                                      .learning_rate = 0.02F,
                                      .optimizer = rule->line,
                                      .schedule = cycle ? "one_cycle warmup=0.25 start=0.1 end=0.01" : NULL};
        stoa_trainer *trainer = NULL;
        assert_int_equal(stoa_trainer_create(context, model, &options, STEPS, &trainer), STOA_OK);
        static struct followed f;
        memset(&f, 0, sizeof f);
        take_parameters(model, f.p);
        for (size_t step = 0; step < STEPS; step++) {
            double factor = cycle ? one_cycle((double)step, STEPS, 0.25, 0.1, 0.01) : 1;
            step_and_follow(trainer, model, rule, (double)0.02F * factor, step, &f);
        }
        stoa_trainer_free(trainer);
        stoa_model_free(model);
    }
}

static const struct stoa_schedule *find_schedule(const char *name) {
    for (size_t i = 0; stoa_schedules[i]; i++) {
        if (strcmp(stoa_schedules[i]->name, name) == 0) {
            return stoa_schedules[i];
        }
    }
    fail_msg("no schedule %s", name);
    return NULL;
}

/* The corners: the first step, the peak, the last step, a warm-up of none and of all, one step in all. */
static void bends_one_cycle(void **state) {
    (void)state;
    const struct stoa_schedule *schedule = find_schedule("one_cycle");
    const struct {
        double warmup, start, end;
        uint64_t step, total;
        double expected;
    } cases[] = {
        {0.25, 0.04, 1e-4, 0, 100, 0.04},
        {0.25, 0.04, 1e-4, 24, 100, 1},
        {0.25, 0.04, 1e-4, 12, 100, 0.52},
        {0.25, 0.04, 1e-4, 99, 100, 1e-4},
        {0, 0.04, 0.5, 0, 1, 0.5}, /* the way down alone, of which a single step is the end */
        {0, 0, 0, 0, 2, 0.5},      /* and of two the first its middle */
        {0, 0.04, 0.5, 9, 10, 0.5},
        {1, 0.04, 0.5, 9, 10, 1},
        {1, 0.04, 0.5, 0, 10, 0.04},
        {0.3, 0.04, 0.5, 0, 1, 0.5},
        {1, 0.04, 0.5, 0, 1, 1}, /* where PyTorch divides 0 by 0 */
        {0.3, 0.04, 0.5, 1, 2, 0.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double options[3] = {cases[i].warmup, cases[i].start, cases[i].end}; /* in the order of the table */
        double got = schedule->factor(options, cases[i].step, cases[i].total);
        if (!(fabs(got - cases[i].expected) < 1e-6)) {
            fail_msg("case %zu: factor %g, expected %g", i, got, cases[i].expected);
        }
    }
    for (uint64_t total = 1; total < 40; total++) {
        for (uint64_t step = 0; step < total; step++) {
            double options[3] = {0.3, 0.04, 1e-4};
            double factor = schedule->factor(options, step, total);
            assert_true(factor >= 1e-4 - 1e-9 && factor <= 1);
        }
    }
}

/* Improvements by a hair more than the threshold count, and by a hair less do not: in double, as losses
 * are. */
static void watches_the_plateau_in_double(void **state) {
    (void)state;
    const struct {
        const char *line;
        double loss;
        bool improves;
    } cases[] = {
        {"plateau watch=training patience=0 threshold=0.1", 0.9 - 1e-10, true},
        {"plateau watch=training patience=0 threshold=0.1", 0.9 + 1e-10, false},
        {"plateau watch=training patience=0", (1 - 1e-4) - 1e-13, true},
        {"plateau watch=training patience=0", (1 - 1e-4) + 1e-13, false},
        {"plateau watch=training patience=0 threshold=1e-9", 1 - 1.1e-9, true},
        {"plateau watch=training patience=0 threshold=1e-9", 1 - 0.9e-9, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stoa_train_settings settings;
        assert_int_equal(
            stoa_train_settings_read(context, &(stoa_train_options){.schedule = cases[i].line}, &settings),
            STOA_OK);
        struct stoa_schedule_state memory = {.factor = 1, .best = 1};
        const struct stoa_epoch_losses losses = {cases[i].loss, (double)NAN};
        settings.schedule->observe(settings.schedule_options, &memory, &losses);
        if ((memory.factor == 1) != cases[i].improves) {
            fail_msg("%s: a loss of %.17g after 1 %s", cases[i].line, cases[i].loss,
                     cases[i].improves ? "counts as no better" : "counts as better");
        }
    }
}

static void expect_refusal(const stoa_train_options *options, const char *sentence) {
    stoa_model *model = make_model();
    stoa_trainer *trainer = NULL;
    assert_int_equal(stoa_trainer_create(context, model, options, 1, &trainer), STOA_ERR_ARGUMENT);
    assert_null(trainer);
    /* Lists of what there is may follow. */
    if (strncmp(stoa_context_error(context), sentence, strlen(sentence)) != 0) {
        fail_msg("found \"%s\", expected \"%s\"", stoa_context_error(context), sentence);
    }
    stoa_model_free(model);
}

static void refuses_settings(void **state) {
    (void)state;
    expect_refusal(&(stoa_train_options){.learning_rate = -1},
                   "lr: found '-1', expected a number from 1e-30 to 1e+30");
    expect_refusal(&(stoa_train_options){.learning_rate = NAN}, "lr: found ");
    expect_refusal(&(stoa_train_options){.learning_rate = INFINITY}, "lr: found 'inf'");
    expect_refusal(&(stoa_train_options){.batch = (size_t)-1},
                   "batch: found '" SIZE_MAX_TEXT "', expected a number from 1 to 1000000");
    expect_refusal(&(stoa_train_options){.epochs = SIZE_MAX},
                   "epochs: found '" SIZE_MAX_TEXT "', expected a number from 1");
    expect_refusal(&(stoa_train_options){.optimizer = "lion"}, "unknown optimizer 'lion'");
    expect_refusal(&(stoa_train_options){.optimizer = "sgd momentum=2"}, "optimizer sgd: ");
    expect_refusal(&(stoa_train_options){.optimizer = "sgd nesterov=true"}, "optimizer sgd: ");
    expect_refusal(&(stoa_train_options){.optimizer = ""}, "optimizer: ");
    expect_refusal(&(stoa_train_options){.schedule = "steps"}, "unknown schedule 'steps'");
    expect_refusal(&(stoa_train_options){.schedule = "one_cycle warmup=x"}, "schedule one_cycle: ");
    expect_refusal(&(stoa_train_options){.loss = "hinge"}, "unknown loss 'hinge'");
    expect_refusal(&(stoa_train_options){.loss = "relu"}, "unknown loss 'relu'");
    stoa_trainer_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_formulas),
        cmocka_unit_test(bends_one_cycle),
        cmocka_unit_test(watches_the_plateau_in_double),
        cmocka_unit_test(refuses_settings),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
