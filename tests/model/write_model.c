/* SPDX-License-Identifier: MIT */
/* Saves a small model to argv[1] and prints what a reader must find: a line a tensor with name, shape and
 * values. read_model.py reads the file without any code of ours and compares. */
#include <stoa/model.h>

#include <stdio.h>
#include <stdlib.h>

static void check(stoa_context *context, stoa_status status) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
        exit(1);
    }
}

static void print_tensor(stoa_context *context, const stoa_model *model, size_t index) {
    stoa_tensor_info info;
    check(context, stoa_model_tensor(model, index, &info));
    float *values = malloc(info.count * sizeof *values);
    if (!values) {
        exit(1);
    }
    check(context, stoa_model_get_tensor(model, index, values, info.count));
    (void)printf("%s %zu", info.name, info.rank);
    for (size_t i = 0; i < info.rank; i++) {
        (void)printf(" %zu", info.shape[i]);
    }
    for (size_t i = 0; i < info.count; i++) {
        (void)printf(" %.9g", (double)values[i]);
    }
    (void)printf("\n");
    free(values);
}

int main(int count, char **arguments) {
    stoa_context *context = NULL;
    stoa_model *model = NULL;
    if (count != 2 || stoa_context_create(NULL, &context) != STOA_OK) {
        return 2;
    }
    check(context, stoa_model_create(context, &model));
    stoa_model_input(model, 7, 6, 2);
    stoa_model_add(model, "c1", "conv2d filters=3 kernel=3x2 pad=1");
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "c2", "conv2d filters=3 kernel=1 bias=false");
    stoa_model_add(model, "a1", "add from=c2,r1");
    stoa_model_add(model, "f", "flatten");
    stoa_model_add(model, "l1", "linear units=4");
    check(context, stoa_model_build(model));
    check(context, stoa_model_init(model, 5));
    check(context, stoa_model_set_fact(model, "data.set", "none"));
    check(context, stoa_model_save(model, arguments[1]));
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        print_tensor(context, model, i);
    }
    stoa_model_free(model);
    stoa_context_free(context);
    return 0;
}
