/* SPDX-License-Identifier: MIT */
/* Holds a model that was exported as C against the engine, sample by sample:
 *
 *     compare MODEL NET.so NAME DATA
 *
 * NET.so is NAME.c as a shared library. Prints the samples, those with another class, the largest difference
 * of outputs over the largest output, and the samples a second of both, one at a time on one thread. Fails
 * where a class differs, or outputs by more than 1e-5. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/stoa.h>

#include "base/clock.h"

typedef int run_fn(const float *input, float *output);

static stoa_context *context;

static void must(stoa_status status) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s\n", stoa_context_error(context));
        exit(2);
    }
}

struct compared {
    stoa_plan *plan;
    run_fn *run;
    size_t inputs, outputs, samples;
    float *values, *output;
    size_t classes_differ;
    double difference, largest;
};

static size_t class_of(const float *output, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        best = output[i] > output[best] ? i : best;
    }
    return best;
}

static void compare(struct compared *c) {
    for (size_t n = 0; n < c->samples; n++) {
        const float *engine;
        memcpy(stoa_plan_input(c->plan), c->values + n * c->inputs, c->inputs * sizeof(float));
        must(stoa_plan_infer(c->plan, 1, &engine));
        if (c->run(c->values + n * c->inputs, c->output) != 0) {
            (void)fprintf(stderr, "the C code gave up\n");
            exit(2);
        }
        c->classes_differ += class_of(engine, c->outputs) != class_of(c->output, c->outputs);
        for (size_t i = 0; i < c->outputs; i++) {
            c->difference = fmax(c->difference, fabs((double)engine[i] - (double)c->output[i]));
            c->largest = fmax(c->largest, fabs((double)engine[i]));
        }
    }
}

/* Samples a second: the fastest of rounds of about a tenth of a second. */
static double speed(const struct compared *c, bool engine) {
    double best = 0;
    for (int round = 0; round < 10; round++) {
        double begin = stoa_clock();
        size_t done = 0;
        while (stoa_clock() - begin < 0.1) {
            const float *output;
            if (engine) {
                must(stoa_plan_infer(c->plan, 1, &output));
            } else {
                (void)c->run(c->values + done % c->samples * c->inputs, c->output);
            }
            done++;
        }
        best = fmax(best, (double)done / (stoa_clock() - begin));
    }
    return best;
}

int main(int count, char **arguments) {
    const stoa_context_options options = {.threads = 1};
    stoa_model *model;
    stoa_dataset *data;
    struct compared c = {0};
    if (count != 5 || stoa_context_create(&options, &context) != STOA_OK) {
        return 2;
    }
    void *library = dlopen(arguments[2], RTLD_NOW);
    char name[96];
    (void)snprintf(name, sizeof name, "%s_run", arguments[3]);
    void *symbol = library ? dlsym(library, name) : NULL;
    if (!symbol) {
        (void)fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    memcpy(&c.run, &symbol, sizeof c.run);
    must(stoa_model_load(context, arguments[1], &model));
    must(stoa_model_open_samples(context, model, arguments[4], &data));
    const stoa_plan_options planned = {.batch = 1, .prepare = true};
    must(stoa_plan_create(context, model, &planned, &c.plan));
    must(stoa_plan_bind(c.plan, NULL));
    c.inputs = stoa_model_input_size(model);
    c.outputs = stoa_model_output_size(model);
    c.samples = stoa_dataset_count(data);
    c.values = malloc(c.samples * c.inputs * sizeof *c.values);
    c.output = malloc(c.outputs * sizeof *c.output);
    int32_t *labels = malloc(c.samples * sizeof *labels);
    if (!c.values || !c.output || !labels) {
        exit(2);
    }
    stoa_dataset_read(data, NULL, 0, c.samples, c.values, labels);
    compare(&c);
    (void)printf("%s: %zu samples, %zu with another class, largest difference %.2e of the largest output, ",
                 arguments[3], c.samples, c.classes_differ, c.difference / c.largest);
    (void)printf("%.0f samples/s as C, %.0f by the engine\n", speed(&c, false), speed(&c, true));
    free(labels);
    free(c.output);
    free(c.values);
    stoa_plan_free(c.plan);
    stoa_dataset_free(data);
    stoa_model_free(model);
    stoa_context_free(context);
    (void)dlclose(library);
    return c.classes_differ > 0 || !(c.difference <= 1e-5 * c.largest);
}
