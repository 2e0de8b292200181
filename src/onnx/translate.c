/* SPDX-License-Identifier: MIT */
/* A checked graph becomes a model: its input, its nodes one after the other, its output, weights and facts.
 * What cannot be taken is told of node by node; only then does the translation fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                                                           stoa_onnx_repeat_rows,
                                                           stoa_onnx_gather_rows,
                                                           stoa_onnx_reduce_rows,
                                                           NULL};
static const struct stoa_onnx_row *const fold_tables[] = {stoa_onnx_fold_rows, stoa_onnx_fold_shape_rows,
                                                          stoa_onnx_fold_move_rows, NULL};

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

/* Functions of the file's own are no messages of the schema either: a model's field 25. */
static bool has_functions(const StoaOnnx__Model *message) {
    for (size_t i = 0; i < message->base.n_unknown_fields; i++) {
        if (message->base.unknown_fields[i].tag == 25) {
            return true;
        }
    }
    return false;
}

static stoa_status refuse_domain(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return has_functions(import->message)
               ? stoa_onnx_refuse(import,
                                  "it calls a function of '" NAME
                                  "' whose nodes the file keeps apart, expected "
                                  "them in the graph (onnx.inliner puts them there)",
                                  node->domain)
               : stoa_onnx_refuse(import, "found the operators of '" NAME "', expected those of ONNX itself",
                                  node->domain);
}

/* Nothing is known of what a refused node makes, but that the network computes it: from what it computes,
 * unless it asks for a shape only. */
static void mark_unknown(struct stoa_onnx_import *import, const StoaOnnx__Node *node, bool computed) {
    for (size_t i = 0; i < node->n_output; i++) {
        struct stoa_onnx_value *value = *node->output[i] ? stoa_onnx_find(import, node->output[i]) : NULL;
        if (value && value->state == STOA_ONNX_UNKNOWN) {
            value->computed = computed;
        }
    }
}

static bool is_computed(const struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const char *op = node->op_type ? node->op_type : "";
    bool computed = has_state(import, node, STOA_ONNX_ACTIVATION);
    for (size_t i = 0; i < node->n_input && !computed; i++) {
        const struct stoa_onnx_value *value = stoa_onnx_input(import, node, i);
        computed = value && value->computed;
    }
    return computed && strcmp(op, "Shape") != 0 && strcmp(op, "Size") != 0;
}

static bool is_made(const struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_value *value =
        node->n_output > 0 && *node->output[0] ? stoa_onnx_find(import, node->output[0]) : NULL;
    return value && value->state != STOA_ONNX_UNKNOWN;
}

/* Translate one node, or refuse it. Of a node whose inputs were refused only the operator is looked at:
 * nothing is known of their shapes. */
static stoa_status translate_node(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const char *op = node->op_type ? node->op_type : "";
    const bool standard = !node->domain || !*node->domain || strcmp(node->domain, "ai.onnx") == 0;
    const struct stoa_onnx_row *row = standard ? find_row(layer_tables, op) : NULL;
    const struct stoa_onnx_row *fold = standard ? find_row(fold_tables, op) : NULL;
    if (has_subgraph(node)) {
        return stoa_onnx_refuse(import, "it has a graph inside");
    }
    if (!standard) {
        return refuse_domain(import, node);
    }
    if (!row && !fold) {
        return stoa_onnx_refuse(import, "there is no such operator here");
    }
    if (is_made(import, node)) {
        return STOA_OK;
    }
    if (!row && (has_state(import, node, STOA_ONNX_ACTIVATION) || is_computed(import, node))) {
        return stoa_onnx_refuse(import, "it is computed for constants only, found what the network computes");
    }
    if (has_state(import, node, STOA_ONNX_UNKNOWN)) {
        return STOA_OK;
    }
    if (!*node->output[0]) {
        return stoa_onnx_refuse(import, "its first output is left out");
    }
    if (row && has_state(import, node, STOA_ONNX_ACTIVATION)) {
        return row->translate(import, node);
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
        mark_unknown(import, node, is_computed(import, node));
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
            status = stoa_onnx_note_axes(import, value);
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
        /* What an export of a model here says of its data holds again. */
        const bool ours = entry->key && message->producer_name &&
                          strcmp(message->producer_name, "stoa") == 0 && strncmp(entry->key, "data.", 5) == 0;
        if (entry->key && entry->value &&
            (size_t)snprintf(key, sizeof key, "%s%s", ours ? "" : "onnx.meta.", entry->key) < sizeof key) {
            status = stoa_model_set_fact(import->model, key, entry->value);
        }
    }
    return status;
}

stoa_status stoa_onnx_translate(struct stoa_onnx_import *import) {
    stoa_status status = stoa_onnx_inputs_make(import);
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
