/* SPDX-License-Identifier: MIT */
/* ONNX's own backend tests, one line of the expectation file each: "passes", or "refused: why". Whatever
 * differs from its line fails the test, for better or worse.
 *
 * test_testdata DATA EXPECTED [OUT]: OUT gets the lines as they are now. Status 77: no such data. */
#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/onnx.h>
#include <stoa/plan.h>

#include "base/error.h"
#include "base/file.h"
#include "onnx/tensor.h"

enum { LINE = 512, MOST_INPUTS = 16, MOST_NUMBERS = 1 << 24 };

struct parameters {
    struct stoa_error error;
    StoaOnnx__Model *message;
    void *data;
    size_t bytes;
    size_t inputs;
    const char *name[MOST_INPUTS];
    struct stoa_onnx_tensor tensor[MOST_INPUTS];
    double *values[MOST_INPUTS];
};

/* printf() into a text of LINE bytes. */
__attribute__((format(printf, 2, 3))) static void say(char out[LINE], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out, LINE, format, arguments);
    va_end(arguments);
}

static bool read_tensor(const char *folder, const char *kind, size_t index, struct stoa_onnx_tensor *tensor,
                        struct stoa_error *error) {
    char path[3 * LINE];
    void *data = NULL;
    size_t bytes;
    StoaOnnx__Tensor *message = NULL;
    struct stoa_onnx_source source = {.error = error, .budget = MOST_NUMBERS};
    (void)snprintf(path, sizeof path, "%s/test_data_set_0/%s_%zu.pb", folder, kind, index);
    bool good = stoa_file_read(error, path, SIZE_MAX / 2, &data, &bytes) == STOA_OK &&
                stoa_onnx_unpack_tensor(error, data, bytes, &message) == STOA_OK &&
                stoa_onnx_tensor_read(&source, message, tensor) == STOA_OK;
    stoa_onnx_release_tensor(message);
    free(data);
    return good;
}

static bool is_weight(const StoaOnnx__Graph *graph, const char *name) {
    for (size_t i = 0; i < graph->n_initializer; i++) {
        if (graph->initializer[i]->name && strcmp(graph->initializer[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The model's bytes, and the numbers of its inputs; false with the reason in `out`. */
static bool read_case(const char *folder, struct parameters *p, char out[LINE]) {
    char path[3 * LINE];
    (void)snprintf(path, sizeof path, "%s/model.onnx", folder);
    if (stoa_file_read(&p->error, path, SIZE_MAX / 2, &p->data, &p->bytes) != STOA_OK) {
        say(out, "refused: no model.onnx");
        return false;
    }
    if (stoa_onnx_unpack(&p->error, p->data, p->bytes, &p->message) != STOA_OK || !p->message->graph) {
        say(out, "refused: %.200s", p->error.text);
        return false;
    }
    const StoaOnnx__Graph *graph = p->message->graph;
    for (size_t i = 0; i < graph->n_input && p->inputs < MOST_INPUTS; i++) {
        if (is_weight(graph, graph->input[i]->name)) {
            continue;
        }
        struct stoa_onnx_tensor *tensor = &p->tensor[p->inputs];
        if (!read_tensor(folder, "input", p->inputs, tensor, &p->error)) {
            say(out, "refused: input %zu is no tensor of numbers", p->inputs);
            return false;
        }
        const StoaOnnx__Type *type = graph->input[i]->type;
        if (type && type->tensor_type && type->tensor_type->elem_type != tensor->type) {
            say(out, "refused: its input %zu is of type %s in its file of numbers", p->inputs,
                stoa_onnx_type_name(tensor->type));
            p->inputs++;
            return false;
        }
        p->name[p->inputs] = graph->input[i]->name;
        p->values[p->inputs] = malloc((tensor->count + 1) * sizeof(double));
        for (size_t k = 0; k < tensor->count; k++) {
            p->values[p->inputs][k] = stoa_onnx_at(tensor, k);
        }
        p->inputs++;
    }
    if (p->inputs == 0) {
        say(out, "refused: has no input");
        return false;
    }
    return true;
}

static void free_case(struct parameters *p) {
    for (size_t i = 0; i < p->inputs; i++) {
        stoa_onnx_tensor_free(&p->tensor[i]);
        free(p->values[i]);
    }
    stoa_onnx_release(p->message);
    free(p->data);
}

/* Where number `index` of a tensor lies in memory whose axes stand as the fact says: "2,3,1", axes in front
 * of the first of them as they are. */
static size_t place_of(const struct stoa_onnx_tensor *tensor, const char *axes, size_t index) {
    size_t order[STOA_ONNX_RANK], place[STOA_ONNX_RANK], rank = tensor->rank, listed = 0;
    for (const char *at = axes; at && *at; at++) {
        listed += *at != ',';
    }
    for (size_t i = 0; i < rank; i++) {
        order[i] = i < rank - listed || !axes ? i : (size_t)(axes[2 * (i - (rank - listed))] - '0');
    }
    for (size_t i = rank; i-- > 0; index /= tensor->dim[i]) {
        place[i] = index % tensor->dim[i];
    }
    size_t at = 0;
    for (size_t i = 0; i < rank; i++) {
        at = at * tensor->dim[order[i]] + place[order[i]];
    }
    return at;
}

static void compare(const struct stoa_onnx_tensor *expected, const char *axes, const float *found,
                    char out[LINE]) {
    for (size_t i = 0; i < expected->count; i++) {
        const double want = stoa_onnx_at(expected, i);
        const double have = (double)found[place_of(expected, axes, i)];
        const bool same = want == have || (isnan(want) && isnan(have));
        if (fabs(want) > 3.4028235e38 && !isinf(want) && isinf(have)) {
            say(out, "refused: expects a number that float does not hold");
            return;
        }
        if (!same && !(fabs(want - have) <= 1e-7 + 1e-3 * fabs(want))) {
            say(out, "wrong: number %zu is %g, expected %g", i, have, want);
            return;
        }
    }
    say(out, "passes");
}

/* The order of a port's axes, or NULL where it is ONNX's. */
static const char *axes_of(const stoa_model *model, const char *name) {
    char key[LINE];
    (void)snprintf(key, sizeof key, "onnx.axes.%s", name);
    return stoa_model_fact(model, key);
}

/* Write every input of the network; false with the reason in `out`. */
static bool write_inputs(struct parameters *p, const stoa_model *model, stoa_plan *plan, size_t batch,
                         char out[LINE]) {
    stoa_port_info port;
    for (size_t k = 0; stoa_model_input_at(model, k, &port); k++) {
        for (size_t i = 0; i < p->inputs; i++) {
            if (strcmp(port.name, p->name[i]) != 0) {
                continue;
            }
            if (batch * port.size != p->tensor[i].count) {
                say(out, "wrong: input '%s' has %zu numbers a sample", port.name, port.size);
                return false;
            }
            float *to = stoa_plan_activation(plan, port.name);
            for (size_t n = 0; n < p->tensor[i].count; n++) {
                to[place_of(&p->tensor[i], axes_of(model, port.name), n)] = (float)p->values[i][n];
            }
        }
    }
    return true;
}

static void check_outputs(const char *folder, struct parameters *p, const stoa_model *model, stoa_plan *plan,
                          size_t batch, char out[LINE]) {
    stoa_port_info port;
    say(out, "passes");
    for (size_t k = 0; stoa_model_output_at(model, k, &port) && strcmp(out, "passes") == 0; k++) {
        struct stoa_onnx_tensor expected = {.type = 0};
        if (!read_tensor(folder, "output", k, &expected, &p->error)) {
            say(out, "refused: its output is no tensor of numbers");
        } else if (batch * port.size != expected.count) {
            say(out, "wrong: output '%s' has %zu numbers a sample, expected %zu in all", port.name, port.size,
                expected.count);
        } else {
            compare(&expected, axes_of(model, port.name), stoa_plan_activation(plan, port.name), out);
        }
        stoa_onnx_tensor_free(&expected);
    }
}

static void run_model(const char *folder, struct parameters *p, stoa_context *context, stoa_model *model,
                      bool whole, char out[LINE]) {
    const size_t batch = whole ? 1 : p->tensor[0].dim[0];
    stoa_plan *plan = NULL;
    const float *found;
    if (stoa_plan_create(context, model, &(stoa_plan_options){.batch = batch}, &plan) != STOA_OK ||
        stoa_plan_bind(plan, NULL) != STOA_OK) {
        say(out, "wrong: %.300s", stoa_context_error(context));
    } else if (write_inputs(p, model, plan, batch, out)) {
        if (stoa_plan_infer(plan, batch, &found) == STOA_OK) {
            check_outputs(folder, p, model, plan, batch, out);
        } else {
            say(out, "wrong: %.300s", stoa_context_error(context));
        }
    }
    stoa_plan_free(plan);
}

/* Import with inputs from number `bound` on as constants, and run: with the first axis as the batch, or with
 * the whole input as a sample. */
static void try_case(const char *folder, struct parameters *p, stoa_context *context, bool whole,
                     size_t bound, char out[LINE]) {
    stoa_onnx_binding bindings[MOST_INPUTS];
    for (size_t i = bound; i < p->inputs; i++) {
        bindings[i - bound] =
            (stoa_onnx_binding){p->name[i], p->tensor[i].rank, p->tensor[i].dim, p->values[i]};
    }
    const stoa_onnx_options options = {
        .bindings = bindings, .binding_count = p->inputs - bound, .whole = whole};
    stoa_model *model = NULL;
    if (stoa_model_load_onnx_memory(context, p->data, p->bytes, &options, &model) != STOA_OK) {
        const char *text = stoa_context_error(context);
        say(out, "refused: %.400s", strncmp(text, "model: ", 7) == 0 ? text + 7 : text);
        return;
    }
    run_model(folder, p, context, model, whole, out);
    stoa_model_free(model);
}

/* All inputs but the first are constants, or what the network computes with; the first way that is taken
 * counts, and the reason is that of the first, or of a sample that is the whole input where the batch stood
 * in the way. */
static void run_case(const char *folder, stoa_context *context, char out[LINE]) {
    struct parameters p = {.inputs = 0};
    if (read_case(folder, &p, out)) {
        try_case(folder, &p, context, false, 1, out);
        for (int way = 1; way < 4 && strncmp(out, "refused", 7) == 0; way++) {
            char again[LINE];
            if (way % 2 == 1 && p.inputs == 1) {
                continue;
            }
            try_case(folder, &p, context, way >= 2, way % 2 == 1 ? p.inputs : 1, again);
            if (strncmp(again, "refused", 7) != 0 || (way == 2 && strstr(out, "batch"))) {
                memcpy(out, again, LINE);
            }
        }
    }
    free_case(&p);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of "GROUP/TEST" below a folder, in order. */
static size_t list_cases(const char *data, char ***names) {
    static const char *const groups[] = {"node", "pytorch-converted", "pytorch-operator", "real", "simple"};
    size_t count = 0;
    *names = NULL;
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        char path[LINE];
        (void)snprintf(path, sizeof path, "%s/%s", data, groups[g]);
        DIR *folder = opendir(path);
        for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
            if (strncmp(entry->d_name, "test_", 5) != 0) {
                continue;
            }
            char name[LINE];
            (void)snprintf(name, sizeof name, "%s/%.300s", groups[g], entry->d_name);
            *names = realloc(*names, (count + 1) * sizeof **names);
            (*names)[count++] = strdup(name);
        }
        if (folder) {
            (void)closedir(folder);
        }
    }
    if (count > 0) {
        qsort(*names, count, sizeof **names, by_name);
    }
    return count;
}

/* The line of a name, without the name: "passes". Lines stand in any order. */
static bool find_line(const char *text, const char *name, char out[LINE]) {
    const size_t length = strlen(name);
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            const char *rest = line + length + strspn(line + length, " ");
            (void)snprintf(out, LINE, "%.*s", (int)strcspn(rest, "\n"), rest);
            return true;
        }
    }
    return false;
}

int main(int count, char **arguments) {
    char **names = NULL;
    void *text = NULL;
    size_t bytes = 0, passed = 0, differ = 0;
    struct stoa_error error;
    const size_t cases = count > 2 ? list_cases(arguments[1], &names) : 0;
    if (cases == 0) {
        (void)printf("no tests of ONNX in %s\n", count > 1 ? arguments[1] : "no folder");
        return 77;
    }
    if (stoa_file_read(&error, arguments[2], SIZE_MAX / 2, &text, &bytes) != STOA_OK) {
        (void)printf("%s\n", error.text);
        return 1;
    }
    char *expected = strndup(text, bytes);
    FILE *out = count > 3 ? fopen(arguments[3], "w") : NULL;
    stoa_context *context = NULL;
    const stoa_context_options options = {.threads = 1};
    if (stoa_context_create(&options, &context) != STOA_OK) {
        return 1;
    }
    for (size_t i = 0; i < cases; i++) {
        char folder[2 * LINE], found[LINE], want[LINE] = "nothing";
        (void)snprintf(folder, sizeof folder, "%s/%s", arguments[1], names[i]);
        run_case(folder, context, found);
        passed += strcmp(found, "passes") == 0;
        if (out) {
            (void)fprintf(out, "%s %s\n", names[i], found);
        }
        (void)find_line(expected, names[i], want);
        if (strcmp(found, want) != 0) {
            differ++;
            (void)printf("%s\n  expected %s\n  found    %s\n", names[i], want, found);
        }
        free(names[i]);
    }
    (void)printf("%zu of %zu pass, %.1f %%; %zu differ from %s\n", passed, cases,
                 100.0 * (double)passed / (double)cases, differ, arguments[2]);
    stoa_context_free(context);
    free(names);
    free(expected);
    free(text);
    if (out) {
        (void)fclose(out);
    }
    return differ > 0;
}
