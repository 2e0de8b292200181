/* SPDX-License-Identifier: MIT */
/* What a model file says of its model: graph and facts as one JSON text. Nothing of the host's time, name or
 * threads goes in, so that equal models give equal bytes. */
#include "model/describe.h"

#include <errno.h>
#include <stdio.h>

#include <stoa/blas.h>
#include <stoa/version.h>

#include "core/context.h"
#include "core/tuning.h"
#include "model/files.h"
#include "model/json_write.h"
#include "model/model.h"

/* How much of a fact's name an error sentence repeats. */
#define NAME "%.80s"

static bool describe_fingerprint(const stoa_context *context, json_t *fingerprint) {
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    char tuning[STOA_TUNING_NAME + STOA_TUNING_SUM];
    (void)snprintf(tuning, sizeof tuning, "%s %s", context->tuning->name, context->tuning->sum);
    return stoa_json_put_text(fingerprint, "isa", stoa_isa_name(stoa_context_isa(context))) &&
           stoa_json_put_text(fingerprint, "blas", blas.name) &&
           stoa_json_put_text(fingerprint, "blas_version", blas.version) &&
           stoa_json_put_text(fingerprint, "blas_core", blas.core) &&
           stoa_json_put_text(fingerprint, "policy", stoa_policy_name(stoa_context_policy(context))) &&
           stoa_json_put_text(fingerprint, "tuning", tuning);
}

bool stoa_describe_build(const stoa_context *context, json_t *build) {
    return stoa_json_put_text(build, "version", stoa_version()) && describe_fingerprint(context, build);
}

static bool describe_input(const stoa_model *model, json_t *input) {
    size_t shape[3] = {0, 0, 0};
    stoa_model_input_shape(model, &shape[0], &shape[1], &shape[2]);
    bool good = true;
    for (size_t i = 0; i < 3 && good; i++) {
        good = stoa_json_append(input, json_integer((json_int_t)shape[i]));
    }
    return good;
}

/* Whether a reader that knows one input and one output would take the model for another. */
static int format_of(const stoa_model *model) {
    stoa_port_info second;
    return model->output_count > 0 || model->input_name || stoa_model_input_at(model, 1, &second)
               ? STOA_MODEL_FORMAT_PORTS
               : STOA_MODEL_FORMAT;
}

/* What is not as it is by itself: the first input's name, and the outputs as [["logits", "fc"], ...]. */
static bool describe_ports(const stoa_model *model, json_t *graph) {
    bool good = !model->input_name || stoa_json_put_text(graph, "input_name", model->input_name);
    json_t *outputs = json_array();
    for (size_t i = 0; i < model->output_count && good; i++) {
        json_t *output = json_array();
        good = stoa_json_append(output, json_string(model->outputs[i].name)) &&
               stoa_json_append(output, json_string(stoa_value_name(model, model->outputs[i].value)));
        good = stoa_json_append(outputs, output) && good;
    }
    good = good && outputs && (model->output_count == 0 || json_object_set(graph, "outputs", outputs) == 0);
    json_decref(outputs);
    return good;
}

/* ["c1", "conv2d filters=6 kernel=5"] */
static bool describe_layer(const stoa_layer_info *info, json_t *layer) {
    return stoa_json_append(layer, json_string(info->name)) &&
           stoa_json_append(layer,
                            json_sprintf("%s%s%s", info->op, info->options[0] ? " " : "", info->options));
}

static bool describe_layers(const stoa_model *model, json_t *layers) {
    bool good = true;
    for (size_t i = 0; i < stoa_model_layer_count(model) && good; i++) {
        stoa_layer_info info;
        json_t *layer = json_array();
        good = stoa_model_layer(model, i, &info) == STOA_OK && describe_layer(&info, layer);
        good = stoa_json_append(layers, layer) && good;
    }
    return good;
}

static bool describe_graph(const stoa_model *model, json_t *graph) {
    json_t *fingerprint = json_object(), *input = json_array(), *layers = json_array();
    bool good = describe_fingerprint(stoa_model_context(model), fingerprint) &&
                describe_input(model, input) && describe_layers(model, layers) &&
                stoa_json_put(graph, "format", json_integer(format_of(model))) &&
                stoa_json_put_text(graph, "version", stoa_version()) &&
                json_object_set(graph, "fingerprint", fingerprint) == 0 &&
                json_object_set(graph, "input", input) == 0 &&
                json_object_set(graph, "layers", layers) == 0 && describe_ports(model, graph);
    json_decref(layers);
    json_decref(input);
    json_decref(fingerprint);
    return good;
}

static stoa_status describe_facts(const stoa_model *model, const char *name, const struct stoa_fact *list,
                                  size_t count, json_t *graph) {
    json_t *facts = json_object();
    size_t done = 0;
    bool good = facts != NULL;
    errno = 0; /* malloc says ENOMEM, the check of the text nothing */
    for (; good && done < count; done++) {
        good = stoa_json_put_text(facts, list[done].key, list[done].value);
    }
    bool unfit = !good && facts && errno != ENOMEM;
    good = good && json_object_set(graph, name, facts) == 0;
    json_decref(facts);
    if (unfit) {
        return stoa_fail(stoa_model_context(model), STOA_ERR_ARGUMENT,
                         "the fact '" NAME "' is not UTF-8 text", list[done - 1].key);
    }
    return good ? STOA_OK : stoa_fail(stoa_model_context(model), STOA_ERR_MEMORY, "no memory for the facts");
}

stoa_status stoa_describe_model(const stoa_model *model, const struct stoa_fact *training,
                                size_t training_count, char **text) {
    json_t *graph = json_object();
    stoa_status status = STOA_OK;
    if (!describe_graph(model, graph)) {
        status = stoa_fail(stoa_model_context(model), STOA_ERR_MEMORY, "no memory for the graph");
    }
    if (status == STOA_OK) {
        status = describe_facts(model, "facts", model->facts, model->fact_count, graph);
    }
    if (status == STOA_OK && training) {
        status = describe_facts(model, STOA_TRAINING_KEY, training, training_count, graph);
    }
    if (status == STOA_OK) {
        *text = stoa_json_print(graph);
        status = *text ? STOA_OK
                       : stoa_fail(stoa_model_context(model), STOA_ERR_MEMORY, "no memory for the graph");
    }
    json_decref(graph);
    return status;
}
