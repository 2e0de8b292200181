/* SPDX-License-Identifier: MIT */
/* Every sample of the test data through the model. */
#include "report/page_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Samples of a run, and classes whose confusion is counted. */
enum { BATCH = 256, MOST_COUNTED = 2000 };

/* Whether the data are what the model takes, as a test of the library would have it. */
static bool fits(const struct report_test *test, char *reason, size_t size) {
    const struct report_subject *subject = test->subject;
    size_t wanted[3], found[3];
    stoa_model_input_shape(subject->model, &wanted[0], &wanted[1], &wanted[2]);
    stoa_dataset_shape(subject->data, &found[0], &found[1], &found[2]);
    bool row = wanted[0] * wanted[1] == 1 && (found[2] == 1 || found[0] * found[1] == 1) &&
               found[0] * found[1] * found[2] == wanted[2];
    if (!row && memcmp(wanted, found, sizeof wanted) != 0) {
        (void)snprintf(reason, size, "the model takes samples of %zux%zux%zu, the data have %zux%zux%zu",
                       wanted[0], wanted[1], wanted[2], found[0], found[1], found[2]);
        return false;
    }
    if (stoa_dataset_targets(subject->data) > 0) {
        (void)snprintf(reason, size, "the data have targets, whose figures 'stoa eval' tells");
        return false;
    }
    if (stoa_dataset_classes(subject->data) != stoa_model_output_size(subject->model)) {
        (void)snprintf(reason, size, "the model has %zu outputs, the data have %zu classes",
                       stoa_model_output_size(subject->model), stoa_dataset_classes(subject->data));
        return false;
    }
    return true;
}

static bool ends_in_softmax(const stoa_model *model) {
    stoa_layer_info last;
    size_t layers = stoa_model_layer_count(model);
    return layers > 0 && stoa_model_layer(model, layers - 1, &last) == STOA_OK &&
           strcmp(last.op, "softmax") == 0;
}

static bool name_classes(struct report_test *test) {
    test->class_name = report_memory(test->out, test->classes, sizeof *test->class_name);
    for (size_t i = 0; test->class_name && i < test->classes; i++) {
        const char *name = stoa_dataset_class_name(test->subject->data, i);
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", i);
        test->class_name[i] = report_copy(test->part, name ? name : number);
        if (!test->class_name[i]) {
            return false;
        }
    }
    return test->class_name != NULL;
}

static stoa_status open_test(struct report_test *test) {
    const struct report_subject *subject = test->subject;
    test->classes = stoa_dataset_classes(subject->data);
    test->count = stoa_dataset_count(subject->data);
    test->part->all_samples = test->count;
    if (subject->samples > 0 && subject->samples < test->count) {
        test->count = subject->samples;
    }
    test->is_probability = ends_in_softmax(subject->model);
    test->labels = report_memory(test->out, BATCH, sizeof *test->labels);
    test->index = report_memory(test->out, BATCH, sizeof *test->index);
    test->share = report_memory(test->out, test->classes, sizeof *test->share);
    if (test->classes <= MOST_COUNTED) {
        test->confusion = report_memory(test->out, test->classes * test->classes, sizeof *test->confusion);
    }
    if (!name_classes(test) || test->out->failed) {
        return STOA_ERR_MEMORY;
    }
    stoa_plan_options options = {.batch = BATCH, .prepare = true};
    stoa_status status = stoa_plan_create(subject->context, subject->model, &options, &test->plan);
    return status == STOA_OK ? stoa_plan_bind(test->plan, NULL) : status;
}

void report_test_close(struct report_test *test) {
    stoa_plan_free(test->plan);
    for (size_t i = 0; test->class_name && i < test->classes; i++) {
        free(test->class_name[i]);
    }
    free(test->class_name);
    free(test->labels);
    free(test->index);
    free(test->share);
    free(test->confusion);
}

/* Probabilities from a network's output, in double. */
static void to_shares(const struct report_test *test, const float *output) {
    double highest = (double)output[0], sum = 0;
    for (size_t i = 1; i < test->classes; i++) {
        highest = fmax(highest, (double)output[i]);
    }
    for (size_t i = 0; i < test->classes; i++) {
        double value = (double)output[i];
        test->share[i] = test->is_probability ? value : exp(value - highest);
        sum += test->share[i];
    }
    for (size_t i = 0; i < test->classes && !test->is_probability; i++) {
        test->share[i] /= sum;
    }
}

/* Keep the mistakes that the model is surest of, the surest first. */
static void keep_mistake(struct report_test *test, const struct report_mistake *mistake) {
    size_t at = test->mistakes;
    while (at > 0 && test->mistake[at - 1].sure < mistake->sure) {
        at--;
    }
    if (at == REPORT_MOST_MISTAKES) {
        return;
    }
    test->mistakes += test->mistakes < REPORT_MOST_MISTAKES;
    memmove(&test->mistake[at + 1], &test->mistake[at], (test->mistakes - at - 1) * sizeof *mistake);
    test->mistake[at] = *mistake;
}

/* Judge one sample; false where its output is not finite. */
static bool judge(struct report_test *test, size_t sample, size_t label, const float *output) {
    size_t answer = 0;
    for (size_t i = 0; i < test->classes; i++) {
        if (!isfinite(output[i])) {
            return false;
        }
        answer = output[i] > output[answer] ? i : answer;
    }
    test->part->samples++;
    test->part->correct += answer == label;
    if (test->confusion) {
        test->confusion[label * test->classes + answer]++;
    }
    if (answer != label) {
        to_shares(test, output);
        const struct report_mistake mistake = {sample, label, answer, test->share[answer],
                                               test->share[label]};
        keep_mistake(test, &mistake);
    }
    return true;
}

/* The sample of the data that is tested as number `i`: one of each of as many equal parts, at places in them
 * that keep no step with classes that take turns (multiples of the golden section). */
static size_t sample_at(const struct report_test *test, size_t i) {
    double place = (double)i + fmod((double)i * 0.6180339887498949, 1);
    size_t sample = (size_t)(place * (double)test->part->all_samples / (double)test->count);
    return sample < test->part->all_samples ? sample : test->part->all_samples - 1;
}

/* Test all samples; false with the reason. */
static bool run_test(struct report_test *test, char *reason, size_t size) {
    const stoa_dataset *data = test->subject->data;
    for (size_t first = 0; first < test->count; first += BATCH) {
        size_t count = test->count - first < BATCH ? test->count - first : BATCH;
        for (size_t i = 0; i < count; i++) {
            test->index[i] = sample_at(test, first + i);
        }
        const float *output;
        stoa_dataset_read(data, test->index, 0, count, stoa_plan_input(test->plan), test->labels);
        stoa_status status = stoa_dataset_check(data);
        status = status == STOA_OK ? stoa_plan_infer(test->plan, count, &output) : status;
        if (status != STOA_OK) {
            test->part->failed = test->part->failed || status == STOA_ERR_MEMORY;
            (void)snprintf(reason, size, "%s", stoa_context_error(test->subject->context));
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (!judge(test, test->index[i], (size_t)test->labels[i], output + i * test->classes)) {
                (void)snprintf(reason, size, "the model's output for sample %zu is not finite",
                               test->index[i] + 1);
                return false;
            }
        }
    }

    return true;
}

bool report_test_run(struct report_test *test, char *reason, size_t size) {
    bool good = fits(test, reason, size);
    if (good) {
        stoa_status status = open_test(test);
        good = status == STOA_OK;
        test->part->failed = test->part->failed || status == STOA_ERR_MEMORY;
        (void)snprintf(reason, size, "%s", stoa_context_error(test->subject->context));
    }
    return good && run_test(test, reason, size);
}
