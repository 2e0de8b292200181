/* SPDX-License-Identifier: MIT */
/* A checked graph becomes a model: its input, its nodes one after the other, its output, weights and facts.
 * What cannot be taken is told of node by node; only then does the translation fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "model/graph.h"
#include "onnx/import.h"

#define NAME "%.80s"

static const struct stoa_onnx_row *find_row(const struct stoa_onnx_row *const *tables, const char *op) {
    for (size_t i = 0; tables[i]; i++) {
        for (const struct stoa_onnx_row *row = tables[i]; row->op; row++) {
            if (strcmp(row->op, op) == 0) {
                return row;
            }
        }
    }
    return NULL;
}

static const struct stoa_onnx_row *const layer_tables[] = {stoa_onnx_movement_rows,
                                                           stoa_onnx_arithmetic_rows,
                                                           stoa_onnx_conv_rows,
                                                           stoa_onnx_pool_rows,
                                                           stoa_onnx_map_rows,
                                                           stoa_onnx_norm_rows,
                                                           stoa_onnx_shape_rows,
                                                           stoa_onnx_join_rows,
                                                           stoa_onnx_product_rows,
                                                           stoa_onnx_reduce_rows,
                                                           NULL};
static const struct stoa_onnx_row *const fold_tables[] = {stoa_onnx_fold_rows, stoa_onnx_fold_shape_rows,
                                                          NULL};

static bool has_state(const struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                      enum stoa_onnx_state state) {
    for (size_t i = 0; i < node->n_input; i++) {
        const struct stoa_onnx_value *value = stoa_onnx_input(import, node, i);
        if (value && value->state == state) {
            return true;
        }
    }
    return false;
}

/* Subgraphs are no messages of the schema: an attribute's fields 6 and 11. */
static bool has_subgraph(const StoaOnnx__Node *node) {
    for (size_t i = 0; i < node->n_attribute; i++) {
        const ProtobufCMessage *base = &node->attribute[i]->base;
        for (size_t k = 0; k < base->n_unknown_fields; k++) {
            if (base->unknown_fields[k].tag == 6 || base->unknown_fields[k].tag == 11) {
                return true;
            }
        }
    }
    return false;
}

static bool is_made(const struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_value *value =
        node->n_output > 0 && *node->output[0] ? stoa_onnx_find(import, node->output[0]) : NULL;
    return value && value->state != STOA_ONNX_UNKNOWN;
}

/* Translate one node, or refuse it. A node whose inputs were refused is not looked at: nothing is known of
 * them. */
static stoa_status translate_node(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const char *op = node->op_type ? node->op_type : "";
    const bool standard = !node->domain || !*node->domain || strcmp(node->domain, "ai.onnx") == 0;
    const struct stoa_onnx_row *row = standard ? find_row(layer_tables, op) : NULL;
    const struct stoa_onnx_row *fold = standard ? find_row(fold_tables, op) : NULL;
    if (has_subgraph(node)) {
        return stoa_onnx_refuse(import, "it has a graph inside");
    }
    if (!standard) {
        return stoa_onnx_refuse(import, "found the operators of '" NAME "', expected those of ONNX itself",
                                node->domain);
    }
    if (!row && !fold) {
        return stoa_onnx_refuse(import, "there is no such operator here");
    }
    if (is_made(import, node) || has_state(import, node, STOA_ONNX_UNKNOWN)) {
        return STOA_OK;
    }
    if (!*node->output[0]) {
        return stoa_onnx_refuse(import, "its first output is left out");
    }
    if (has_state(import, node, STOA_ONNX_ACTIVATION)) {
        return row ? row->translate(import, node)
                   : stoa_onnx_refuse(import,
                                      "it is computed for constants only, found what the network computes");
    }
    return fold ? fold->translate(import, node) : stoa_onnx_refuse(import, "all its inputs are constants");
}

static stoa_status note_refusal(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const stoa_onnx_refusal refusal = {.node = stoa_onnx_node_name(node),
                                       .op = node->op_type ? node->op_type : "",
                                       .reason = import->error->text};
    if (import->options->refuse) {
        import->options->refuse(import->options->user, &refusal);
    }
    if (import->refused++ == 0) {
        (void)stoa_error_set(&import->first, STOA_ERR_UNSUPPORTED, "'" NAME "' (%.40s): %.300s", refusal.node,
                             refusal.op, refusal.reason);
    }
    return STOA_OK;
}

static stoa_status translate_nodes(struct stoa_onnx_import *import) {
    for (size_t i = 0; i < import->graph->n_node; i++) {
        const StoaOnnx__Node *node = import->graph->node[i];
        stoa_status status = import->needed[i] ? translate_node(import, node) : STOA_OK;
        if (status == STOA_ERR_UNSUPPORTED || status == STOA_ERR_SHAPE || status == STOA_ERR_ARGUMENT) {
            status = note_refusal(import, node);
        }
        if (status != STOA_OK) {
            return stoa_error_prefix(import->error, "node '" NAME "': ", stoa_onnx_node_name(node));
        }
    }
    if (import->refused > 0) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED, "%zu of %zu nodes cannot be taken: %s%s",
                              import->refused, import->graph->n_node, import->first.text,
                              import->refused > 1 ? ", and others" : "");
    }
    return STOA_OK;
}

static stoa_status read_input_shape(struct stoa_onnx_import *import, const StoaOnnx__Value *input,
                                    size_t *rank, size_t *dim) {
    const StoaOnnx__TensorType *type = input->type ? input->type->tensor_type : NULL;
    if (!type || !type->shape || type->shape->n_dim > STOA_ONNX_RANK) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "its input '" NAME "' has no shape of up to %d dimensions", input->name,
                              STOA_ONNX_RANK);
    }
    if (type->elem_type != STOA_ONNX_FLOAT && type->elem_type != STOA_ONNX_DOUBLE &&
        type->elem_type != STOA_ONNX_FLOAT16 && type->elem_type != STOA_ONNX_BFLOAT16) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "its input '" NAME "' is of type %s, expected float", input->name,
                              stoa_onnx_type_name(type->elem_type));
    }
    *rank = type->shape->n_dim;
    for (size_t i = 0; i < *rank; i++) {
        const StoaOnnx__Dimension *found = type->shape->dim[i];
        const bool is_batch = i < import->lead;
        dim[i] = found->has_dim_value && found->dim_value > 0 ? (size_t)found->dim_value : 0;
        if ((!found->has_dim_value && !is_batch) || found->dim_value < 0 ||
            (found->has_dim_value && dim[i] == 0 && !is_batch) || dim[i] > STOA_MAX_DIMENSION) {
            return stoa_error_set(
                import->error, found->has_dim_value ? STOA_ERR_FORMAT : STOA_ERR_UNSUPPORTED,
                "dimension %zu of its input '" NAME "': found '%.40s' %lld, expected a number "
                "from 1 to %zu",
                i, input->name, found->dim_param ? found->dim_param : "", (long long)found->dim_value,
                STOA_MAX_DIMENSION);
        }
    }
    if (*rank < import->lead) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "its input '" NAME "' is a single number, expected a batch in front",
                              input->name);
    }
    return STOA_OK;
}

/* Whether a graph whose input has three axes, or two, takes the first of them for channels: what reads it, or
 * what reads that behind operators of one number at a time, works on channels. */
static bool reads_channels(const struct stoa_onnx_import *import, const char *name, size_t from, bool image) {
    static const char *const channels[] = {"Conv",
                                           "ConvTranspose",
                                           "BatchNormalization",
                                           "MaxPool",
                                           "AveragePool",
                                           "GlobalAveragePool",
                                           "GlobalMaxPool",
                                           "LRN",
                                           "Upsample",
                                           "InstanceNormalization",
                                           "Resize",
                                           "PRelu",
                                           NULL};
    static const char *const rows[] = {"Transpose", "MatMul", "LayerNormalization", "Gemm", "Reshape", NULL};
    for (size_t i = from; i < import->graph->n_node; i++) {
        const StoaOnnx__Node *node = import->graph->node[i];
        if (!import->needed[i] || node->n_input == 0 || strcmp(node->input[0], name) != 0 || !node->op_type) {
            continue;
        }
        for (size_t k = 0; channels[k]; k++) {
            if (strcmp(node->op_type, channels[k]) == 0) {
                return true;
            }
        }
        for (size_t k = 0; rows[k]; k++) {
            if (strcmp(node->op_type, rows[k]) == 0) {
                return false;
            }
        }
        return node->n_output > 0 ? reads_channels(import, node->output[0], i + 1, image) : image;
    }
    return image;
}

/* What is kept of a port's order: ONNX's axes one behind the other as memory has them. */
static stoa_status note_axes(struct stoa_onnx_import *import, const struct stoa_onnx_value *value) {
    size_t order[STOA_ONNX_AXES], length = 0;
    char text[8 * STOA_ONNX_AXES] = "", key[256];
    if (stoa_onnx_layout_is(&value->layout, NULL)) {
        return STOA_OK;
    }
    if (!stoa_onnx_layout_order(&value->layout, order) ||
        (size_t)snprintf(key, sizeof key, "onnx.axes.%s", value->name) >= sizeof key) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "'" NAME "' lies in parts of axes, or its name "
                              "is too long to note the order",
                              value->name);
    }
    for (size_t i = 0; i < value->layout.rank; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%zu", i == 0 ? "" : ",",
                                   order[i] + import->lead);
    }
    return stoa_model_set_fact(import->model, key, text);
}

static stoa_status make_input(struct stoa_onnx_import *import, const StoaOnnx__Value *input) {
    size_t rank = 0, dim[STOA_ONNX_RANK], order[STOA_ONNX_AXES], count, shape[3] = {1, 1, 1};
    stoa_status status = read_input_shape(import, input, &rank, dim);
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_onnx_value *value = stoa_onnx_find(import, input->name);
    import->batch = import->lead && import->batch == 0 ? dim[0] : import->batch;
    if (import->lead && dim[0] != 0 && dim[0] != import->batch) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "found batches of %zu and, in its input '" NAME "', of %zu, expected one size",
                              import->batch, input->name, dim[0]);
    }
    const size_t sample = rank - import->lead, first = 1 - import->lead;
    for (size_t i = 0; i < sample; i++) {
        order[i] = i;
    }
    if (!stoa_onnx_count(sample, dim + import->lead, &count)) {
        return stoa_error_set(import->error, STOA_ERR_FORMAT, "its input '" NAME "' has too many numbers",
                              input->name);
    }
    const bool has_channels = sample > first + 1 && (first == 0 || dim[0] == 1);
    if (has_channels && reads_channels(import, input->name, 0, sample == first + 3)) {
        for (size_t i = first; i + 1 < sample; i++) {
            order[i] = i + 1;
        }
        order[sample - 1] = first;
    }
    stoa_onnx_layout_make(&value->layout, sample, dim + import->lead, sample ? order : NULL);
    for (size_t i = 0; i < sample; i++) {
        shape[i + 3 >= sample ? i + 3 - sample : 0] *= dim[import->lead + order[i]];
    }
    if ((size_t)snprintf(value->layer, sizeof value->layer, "%s", input->name) >= sizeof value->layer) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "its input '" NAME "' has a name of %zu bytes, expected at most 63",
                              input->name, strlen(input->name));
    }
    stoa_model_add_input(import->model, value->layer, shape[0], shape[1], shape[2]);
    value->state = STOA_ONNX_ACTIVATION;
    value->shape_rank = shape[0] == 1 && shape[1] == 1 ? 1 : 3;
    value->shape[0] = value->shape_rank == 1 ? shape[2] : shape[0];
    value->shape[1] = shape[1];
    value->shape[2] = shape[2];
    if (import->model->error.status != STOA_OK) {
        *import->error = import->model->error;
        return import->error->status;
    }
    return note_axes(import, value);
}

/* Every input of the graph that is no constant and that an output depends on; one at least. */
static stoa_status make_inputs(struct stoa_onnx_import *import) {
    size_t count = 0;
    for (size_t i = 0; i < import->graph->n_input; i++) {
        const StoaOnnx__Value *input = import->graph->input[i];
        const struct stoa_onnx_value *value = input->name ? stoa_onnx_find(import, input->name) : NULL;
        if (value && value->state == STOA_ONNX_UNKNOWN && value->readers > 0) {
            stoa_status status = make_input(import, input);
            if (status != STOA_OK) {
                return status;
            }
            count++;
        }
    }
    return count > 0 ? STOA_OK
                     : stoa_error_set(import->error, STOA_ERR_UNSUPPORTED, "no output depends on an input");
}

/* Whether an output before this one is the same layer, or the layer is an input. */
static bool is_taken(const struct stoa_onnx_import *import, size_t output,
                     const struct stoa_onnx_value *value) {
    for (size_t i = 0; i < output; i++) {
        if (strcmp(stoa_onnx_find(import, import->graph->output[i]->name)->layer, value->layer) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < import->graph->n_input; i++) {
        if (import->graph->input[i]->name && strcmp(import->graph->input[i]->name, value->layer) == 0) {
            return true;
        }
    }
    return false;
}

/* Each output is a layer of its own, and lies as ONNX has it or by whole axes. */
static stoa_status make_outputs(struct stoa_onnx_import *import) {
    size_t order[STOA_ONNX_AXES];
    for (size_t i = 0; i < import->graph->n_output; i++) {
        const char *name = import->graph->output[i]->name;
        struct stoa_onnx_value *value = stoa_onnx_find(import, name);
        if (value->state != STOA_ONNX_ACTIVATION) {
            return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED, "its output '" NAME "' is a constant",
                                  name);
        }
        stoa_status status =
            stoa_onnx_layout_order(&value->layout, order) ? STOA_OK : stoa_onnx_bring(import, value, NULL);
        if (status == STOA_OK && is_taken(import, i, value)) {
            status = stoa_onnx_copy(import, value);
        }
        if (status == STOA_OK) {
            stoa_model_add_output(import->model, name, value->layer);
            status = note_axes(import, value);
        }
        if (status != STOA_OK) {
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status set_weights(struct stoa_onnx_import *import) {
    for (size_t i = 0; i < import->weight_count; i++) {
        const struct stoa_onnx_weights *weights = &import->weights[i];
        size_t tensor = stoa_model_find_tensor(import->model, weights->name);
        stoa_status status = stoa_model_set_tensor(import->model, tensor, weights->values, weights->count);
        if (status != STOA_OK) {
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status set_facts(struct stoa_onnx_import *import) {
    const StoaOnnx__Model *message = import->message;
    char number[32];
    (void)snprintf(number, sizeof number, "%lld", (long long)import->opset);
    const char *const facts[][2] = {{"onnx.opset", number},
                                    {"onnx.producer", message->producer_name},
                                    {"onnx.producer_version", message->producer_version}};
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < sizeof facts / sizeof *facts && status == STOA_OK; i++) {
        if (facts[i][1] && *facts[i][1]) {
            status = stoa_model_set_fact(import->model, facts[i][0], facts[i][1]);
        }
    }
    for (size_t i = 0; i < message->n_metadata_props && status == STOA_OK; i++) {
        char key[128];
        const StoaOnnx__Entry *entry = message->metadata_props[i];
        if (entry->key && entry->value &&
            (size_t)snprintf(key, sizeof key, "onnx.meta.%s", entry->key) < sizeof key) {
            status = stoa_model_set_fact(import->model, key, entry->value);
        }
    }
    return status;
}

stoa_status stoa_onnx_translate(struct stoa_onnx_import *import) {
    stoa_status status = make_inputs(import);
    if (status == STOA_OK) {
        status = translate_nodes(import);
    }
    if (status == STOA_OK) {
        status = make_outputs(import);
    }
    if (status == STOA_OK) {
        status = stoa_model_build(import->model);
    }
    if (status == STOA_OK) {
        status = set_weights(import);
    }
    return status == STOA_OK ? set_facts(import) : status;
}
