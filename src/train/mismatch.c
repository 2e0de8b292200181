/* SPDX-License-Identifier: MIT */
/* Shapes against data: see mismatch.h. */
#include "train/mismatch.h"

#include <stdio.h>
#include <string.h>

#include "data/dataset.h"
#include "model/graph.h"

enum { PART = 160, LINES = 320, PLACE = 280 };

/* "FILE:LINE: ", or nothing for a line that is not known. */
static void name_place(const stoa_model *model, size_t line, char out[PLACE]) {
    out[0] = '\0';
    if (line > 0) {
        (void)snprintf(out, PLACE, "%.250s:%zu: ", stoa_model_name(model), line);
    }
}

/* The last layer that has a number of units to be changed: activations behind it have its shape. */
static const struct stoa_node *find_output(const stoa_model *model) {
    const struct stoa_node *node = &model->nodes[stoa_output_value(model, 0) - 1];
    while (node->layer.tensors == 0 && node->input[0] > 0) {
        node = &model->nodes[node->input[0] - 1];
    }
    return node;
}

/* "units=7 in 'l2' on line 5" */
static void describe_units(const stoa_model *model, size_t classes, char out[PART]) {
    const struct stoa_node *output = find_output(model);
    const char *option = strcmp(output->layer.op->name, "linear") == 0 ? "units" : "filters";
    int used = snprintf(out, PART, "%s=%zu in '%.64s'", option, classes, output->layer.name);
    if (output->line > 0 && used > 0) {
        (void)snprintf(out + used, PART - (size_t)used, " on line %zu", output->line);
    }
}

static stoa_status fail_input(stoa_context *context, const char *what, const stoa_model *model,
                              const size_t wanted[3], const size_t found[3], const stoa_dataset *data) {
    char place[PLACE], lines[LINES] = "", units[PART];
    size_t outputs = stoa_model_output_size(model), classes = stoa_dataset_classes(data);
    bool pictures = strcmp(stoa_dataset_format(data), "pictures") == 0 && wanted[2] == found[2];
    name_place(model, model->input_line, place);
    if (place[0]) {
        describe_units(model, classes, units);
        int used = snprintf(lines, LINES, ": expected input = %zux%zux%zu", found[0], found[1], found[2]);
        if (classes > 0 && classes != outputs && used > 0) {
            (void)snprintf(lines + used, LINES - (size_t)used, ", classes = %zu and %s", classes, units);
        } else if (pictures && used > 0) {
            (void)snprintf(lines + used, LINES - (size_t)used, ", or resize = fit, crop or stretch");
        }
    }
    return stoa_fail(context, STOA_ERR_SHAPE, "%sthe model takes input %zux%zux%zu, %s has %zux%zux%zu%s",
                     place, wanted[0], wanted[1], wanted[2], what, found[0], found[1], found[2], lines);
}

/* How many outputs the data want. */
static size_t outputs_for(const stoa_dataset *data) {
    size_t targets = stoa_dataset_targets(data);
    return targets ? targets : stoa_dataset_classes(data);
}

static stoa_status fail_targets(stoa_context *context, const char *what, const stoa_model *model,
                                size_t targets) {
    char place[PLACE], units[PART];
    name_place(model, find_output(model)->line, place);
    describe_units(model, targets, units);
    return stoa_fail(context, STOA_ERR_SHAPE, "%sthe model has %zu outputs, %s has %zu target%s%s%s", place,
                     stoa_model_output_size(model), what, targets, targets == 1 ? "" : "s",
                     place[0] ? ": expected " : "", place[0] ? units : "");
}

static stoa_status fail_classes(stoa_context *context, const char *what, const stoa_model *model,
                                size_t classes) {
    char place[PLACE], units[PART];
    size_t outputs = stoa_model_output_size(model);
    name_place(model, model->classes_line ? model->classes_line : find_output(model)->line, place);
    if (!place[0]) {
        return stoa_fail(context, STOA_ERR_SHAPE, "the model has %zu outputs, %s has %zu classes", outputs,
                         what, classes);
    }
    describe_units(model, classes, units);
    return stoa_fail(
        context, STOA_ERR_SHAPE,
        "%sthe model has %zu outputs, %s has %zu classes: expected classes = %zu in [data] and %s", place,
        outputs, what, classes, classes, units);
}

static bool is_same_shape(const stoa_model *model, const size_t wanted[3], const size_t found[3]) {
    return memcmp(wanted, found, 3 * sizeof *wanted) == 0 ||
           (model->input.rank == 1 && model->input.dim[0] == found[0] * found[1] * found[2]);
}

stoa_status stoa_mismatch_check(stoa_context *context, const stoa_dataset *data, const char *what,
                                const stoa_model *model) {
    size_t wanted[3], found[3];
    stoa_port_info second;
    if (stoa_model_input_at(model, 1, &second)) {
        return stoa_fail(
            context, STOA_ERR_SHAPE,
            "the model has a second input, '%.64s', %s has one a sample: expected a model of one "
            "input, or a loop of one's own in C",
            second.name, what);
    }
    stoa_model_input_shape(model, &wanted[0], &wanted[1], &wanted[2]);
    stoa_dataset_shape(data, &found[0], &found[1], &found[2]);
    size_t size = found[0] * found[1] * found[2];
    /* A model over vectors takes images as they lie in memory, which is one order only where they have one
     * channel. */
    bool plain = found[2] == 1 || found[0] * found[1] == 1;
    if (model->input.rank == 1 && model->input.dim[0] == size && !plain) {
        return stoa_fail(context, STOA_ERR_SHAPE,
                         "the model takes rows of %zu values, %s has pictures of %zux%zux%zu, whose values "
                         "may come in two "
                         "orders: expected data read as 1x1x%zu, or a model with that input and flatten",
                         size, what, found[0], found[1], found[2], size);
    }
    if (!is_same_shape(model, wanted, found)) {
        return fail_input(context, what, model, wanted, found, data);
    }
    if (stoa_model_output_size(model) != outputs_for(data)) {
        return stoa_dataset_targets(data) ? fail_targets(context, what, model, stoa_dataset_targets(data))
                                          : fail_classes(context, what, model, stoa_dataset_classes(data));
    }
    return STOA_OK;
}

/* As many values in another layout are the reader's to explain. */
static bool has_as_many(const stoa_model *model, const stoa_dataset *data) {
    size_t height, width, channels;
    stoa_dataset_shape(data, &height, &width, &channels);
    return height * width * channels == stoa_model_input_size(model);
}

/* The sentence that stands names a label, which may be wrong: what would take it in stands behind. */
static stoa_status add_classes(stoa_context *context, const stoa_model *model, size_t classes) {
    char place[PLACE], units[PART];
    struct stoa_error before = context->error;
    name_place(model, model->classes_line, place);
    describe_units(model, classes, units);
    return stoa_fail(context, before.status, "%s; %sclasses = %zu in [data] and %s take all labels there are",
                     before.text, place, classes, units);
}

stoa_status stoa_mismatch_explain(const struct stoa_data_facts *facts, const char *path, stoa_status status) {
    stoa_context *context = facts->context;
    if (status != STOA_ERR_FORMAT && status != STOA_ERR_SHAPE && status != STOA_ERR_ARGUMENT) {
        return status;
    }
    struct stoa_error before = context->error;
    stoa_data_options options = facts->source.options;
    stoa_dataset *data = NULL;
    options.classes = options.height = options.width = options.channels = 0;
    options.names = NULL;
    options.name_count = 0;
    options.whole = true;
    /* What the log has to say of these data it says when they fit. */
    void (*log)(void *, const char *) = context->log;
    context->log = NULL;
    bool read = stoa_dataset_load(context, path, &options, NULL, &data) == STOA_OK;
    context->log = log;
    stoa_status now = read ? stoa_mismatch_check(context, data, path, facts->model) : STOA_OK;
    bool as_many = read && has_as_many(facts->model, data);
    size_t classes = read ? stoa_dataset_classes(data) : 0;
    stoa_dataset_free(data);
    if (now != STOA_OK && !as_many) {
        return now;
    }
    context->error = before;
    return now == STOA_OK || classes == 0 || classes == stoa_model_output_size(facts->model)
               ? status
               : add_classes(context, facts->model, classes);
}
