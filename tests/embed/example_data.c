/* SPDX-License-Identifier: MIT */
/* How a program measures a trained model on its own data and asks it about new samples, without knowing how
 * the data are read or scaled: the model says that. example_data MODEL [FILE...] [= NUMBER...]. Files are
 * pictures, tables or arrays; the numbers are one more sample, in the values of the training data. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

/* Print the answer to one sample: the class, by its name where it has one, and its probability. */
static void answer(const stoa_dataset *names, const char *what, const float *output, size_t classes) {
    size_t best = 0;
    double sum = 0;
    for (size_t i = 1; i < classes; i++) {
        best = output[i] > output[best] ? i : best;
    }
    for (size_t i = 0; i < classes; i++) {
        sum += exp((double)output[i] - (double)output[best]);
    }
    const char *name = names ? stoa_dataset_class_name(names, best) : NULL;
    if (name) {
        printf("%s %s %.6f\n", what, name, 1 / sum);
    } else {
        printf("%s %zu %.6f\n", what, best, 1 / sum);
    }
}

static stoa_status ask(stoa_context *context, const stoa_model *model, stoa_plan *plan, const char *file) {
    stoa_dataset *data = NULL;
    stoa_status status = stoa_model_open_samples(context, model, file, &data);
    for (size_t i = 0; status == STOA_OK && i < stoa_dataset_count(data); i++) {
        const float *output;
        int32_t label;
        stoa_dataset_read(data, NULL, i, 1, stoa_plan_input(plan), &label);
        status = stoa_plan_infer(plan, 1, &output);
        if (status == STOA_OK) {
            answer(data, file, output, stoa_model_output_size(model));
        }
    }
    stoa_dataset_free(data);
    return status;
}

static stoa_status ask_about_numbers(stoa_context *context, const stoa_model *model, stoa_plan *plan,
                                     char **numbers, size_t count) {
    const float *output;
    float *input = stoa_plan_input(plan);
    for (size_t i = 0; i < stoa_model_input_size(model); i++) {
        input[i] = i < count ? strtof(numbers[i], NULL) : 0;
    }
    stoa_status status = stoa_model_normalize(context, model, false, input, 1);
    if (status == STOA_OK) {
        status = stoa_plan_infer(plan, 1, &output);
    }
    if (status == STOA_OK) {
        answer(NULL, "=", output, stoa_model_output_size(model));
    }
    return status;
}

/* On the data that the model was trained on, of which it has not seen the test part. */
static stoa_status measure(stoa_context *context, stoa_model *model) {
    stoa_dataset *test = NULL;
    stoa_evaluation result;
    stoa_status status = stoa_model_open_data(context, model, NULL, false, &test);
    if (status == STOA_OK) {
        status = stoa_evaluate(context, model, test, 0, stoa_model_fact(model, "loss"), &result);
    }
    if (status == STOA_OK) {
        printf("accuracy %.6f loss %.6f samples %zu\n", result.accuracy, result.loss, result.samples);
    }
    stoa_dataset_free(test);
    return status;
}

int main(int argc, char **argv) {
    stoa_context *context;
    stoa_model *model = NULL;
    stoa_plan *plan = NULL;
    if (argc < 2 || stoa_context_create(NULL, &context) != STOA_OK) {
        return 2;
    }
    stoa_status status = stoa_model_load(context, argv[1], &model);
    if (status == STOA_OK) {
        status = measure(context, model);
    }
    if (status == STOA_OK) {
        status = stoa_plan_create(context, model, &(stoa_plan_options){.batch = 1}, &plan);
    }
    if (status == STOA_OK) {
        status = stoa_plan_bind(plan, NULL);
    }
    for (int i = 2; status == STOA_OK && i < argc; i++) {
        if (strcmp(argv[i], "=") == 0) {
            status = ask_about_numbers(context, model, plan, argv + i + 1, (size_t)(argc - i - 1));
            break;
        }
        status = ask(context, model, plan, argv[i]);
    }
    if (status != STOA_OK) {
        fprintf(stderr, "%s\n", stoa_context_error(context));
    }
    stoa_plan_free(plan);
    stoa_model_free(model);
    stoa_context_free(context);
    return status == STOA_OK ? 0 : 1;
}
