/* SPDX-License-Identifier: MIT */
/* A graph's names put in order and checked: every value is made once, before it is read. */
#include <stdlib.h>
#include <string.h>

#include "base/carve.h"
#include "base/size.h"
#include "onnx/import.h"

#define NAME "%.80s"

/* What the tests have seen; a later version may mean another thing by the same name. */
enum { OLDEST_OPSET = 6, NEWEST_OPSET = 25, NEWEST_IR = 13 };

static stoa_status check_versions(struct stoa_onnx_import *import) {
    const StoaOnnx__Model *message = import->message;
    if (!message->graph) {
        return stoa_error_set(import->error, STOA_ERR_FORMAT, "found no graph, expected an ONNX model");
    }
    if (message->ir_version < 1 || message->ir_version > NEWEST_IR) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "found version %lld of ONNX's format, expected 1 to %d",
                              (long long)message->ir_version, NEWEST_IR);
    }
    import->opset = message->n_opset_import == 0 ? 1 : 0; /* files older than the list of opsets */
    for (size_t i = 0; i < message->n_opset_import; i++) {
        const StoaOnnx__Opset *opset = message->opset_import[i];
        if (!opset->domain || !*opset->domain || strcmp(opset->domain, "ai.onnx") == 0) {
            import->opset = opset->version;
        }
    }
    if (import->opset < OLDEST_OPSET || import->opset > NEWEST_OPSET) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "found ONNX's opset %lld, expected %d to %d", (long long)import->opset,
                              OLDEST_OPSET, NEWEST_OPSET);
    }
    return STOA_OK;
}

const char *stoa_onnx_node_name(const StoaOnnx__Node *node) {
    return node->name && *node->name                                   ? node->name
           : node->n_output > 0 && node->output[0] && *node->output[0] ? node->output[0]
                                                                       : "without a name";
}

static int compare(const void *a, const void *b) {
    const struct stoa_onnx_value *left = a, *right = b;
    STOA_ASSUME(left->name && right->name); /* add_value() takes no other */
    return strcmp(left->name, right->name);
}

struct stoa_onnx_value *stoa_onnx_find(const struct stoa_onnx_import *import, const char *name) {
    const struct stoa_onnx_value key = {.name = name};
    return bsearch(&key, import->values, import->value_count, sizeof key, compare);
}

static void add_value(struct stoa_onnx_import *import, const char *name, const StoaOnnx__Tensor *message,
                      size_t maker) {
    if (name && *name) {
        import->values[import->value_count++] = (struct stoa_onnx_value){
            .name = name,
            .state = message ? STOA_ONNX_CONSTANT : STOA_ONNX_UNKNOWN,
            .message = message,
            .maker = maker,
        };
    }
}

/* Everything that has a name, in the order of names. */
static stoa_status list_values(struct stoa_onnx_import *import) {
    const StoaOnnx__Graph *graph = import->graph;
    size_t count = graph->n_input + graph->n_initializer;
    for (size_t i = 0; i < graph->n_node; i++) {
        count += graph->node[i]->n_output; /* parts of one file: no overflow */
    }
    import->values = calloc(count + 1, sizeof *import->values);
    import->needed = calloc(graph->n_node + 1, sizeof *import->needed);
    if (!import->values || !import->needed) {
        return stoa_error_set(import->error, STOA_ERR_MEMORY, "no memory for a graph of %zu values", count);
    }
    for (size_t i = 0; i < graph->n_input; i++) {
        add_value(import, graph->input[i]->name, NULL, SIZE_MAX);
    }
    for (size_t i = 0; i < graph->n_initializer; i++) {
        add_value(import, graph->initializer[i]->name, graph->initializer[i], SIZE_MAX);
    }
    for (size_t i = 0; i < graph->n_node; i++) {
        for (size_t k = 0; k < graph->node[i]->n_output; k++) {
            add_value(import, graph->node[i]->output[k], NULL, i);
        }
    }
    qsort(import->values, import->value_count, sizeof *import->values, compare);
    return STOA_OK;
}

/* Before version 4 of the format a weight was an input as well; nothing else has a name twice. */
static stoa_status merge_names(struct stoa_onnx_import *import) {
    size_t kept = 0;
    for (size_t i = 0; i < import->value_count; i++) {
        struct stoa_onnx_value *value = &import->values[i];
        struct stoa_onnx_value *last = kept > 0 ? &import->values[kept - 1] : NULL;
        if (!last || compare(last, value) != 0) {
            import->values[kept++] = *value;
            continue;
        }
        if (last->maker != SIZE_MAX || value->maker != SIZE_MAX || !last->message == !value->message) {
            const size_t maker = value->maker != SIZE_MAX ? value->maker : last->maker;
            return maker == SIZE_MAX
                       ? stoa_error_set(import->error, STOA_ERR_FORMAT,
                                        "found the name '" NAME "' twice among inputs and weights",
                                        value->name)
                       : stoa_error_set(import->error, STOA_ERR_FORMAT,
                                        "node '" NAME "' makes '" NAME "', a name that is taken already",
                                        stoa_onnx_node_name(import->graph->node[maker]), value->name);
        }
        last->message = last->message ? last->message : value->message;
        last->state = STOA_ONNX_CONSTANT;
    }
    import->value_count = kept;
    return STOA_OK;
}

static stoa_status check_order(struct stoa_onnx_import *import) {
    const StoaOnnx__Graph *graph = import->graph;
    for (size_t i = 0; i < graph->n_node; i++) {
        const StoaOnnx__Node *node = graph->node[i];
        for (size_t k = 0; k < node->n_input; k++) {
            const char *name = node->input[k];
            const struct stoa_onnx_value *value = *name ? stoa_onnx_find(import, name) : NULL;
            if (*name && !value) {
                return stoa_error_set(import->error, STOA_ERR_FORMAT,
                                      "node '" NAME "' reads '" NAME "', which nothing makes",
                                      stoa_onnx_node_name(node), name);
            }
            if (value && value->maker != SIZE_MAX && value->maker >= i) {
                return stoa_error_set(import->error, STOA_ERR_FORMAT,
                                      "node '" NAME "' reads '" NAME "', which node '" NAME
                                      "' makes later: expected nodes in order and no cycle",
                                      stoa_onnx_node_name(node), name,
                                      stoa_onnx_node_name(graph->node[value->maker]));
            }
        }
    }
    return STOA_OK;
}

/* Which nodes the outputs depend on, and how many of those read each value. */
static stoa_status mark_needed(struct stoa_onnx_import *import) {
    const StoaOnnx__Graph *graph = import->graph;
    for (size_t i = 0; i < graph->n_output; i++) {
        const char *name = graph->output[i]->name;
        struct stoa_onnx_value *value = name ? stoa_onnx_find(import, name) : NULL;
        if (!value) {
            return stoa_error_set(import->error, STOA_ERR_FORMAT, "nothing makes its output '" NAME "'",
                                  name ? name : "");
        }
        value->readers++;
        if (value->maker != SIZE_MAX) {
            import->needed[value->maker] = true;
        }
    }
    for (size_t i = graph->n_node; i-- > 0;) {
        const StoaOnnx__Node *node = graph->node[i];
        for (size_t k = 0; k < node->n_input && import->needed[i]; k++) {
            struct stoa_onnx_value *value = *node->input[k] ? stoa_onnx_find(import, node->input[k]) : NULL;
            if (value) {
                value->readers++;
                if (value->maker != SIZE_MAX) {
                    import->needed[value->maker] = true;
                }
            }
        }
    }
    return STOA_OK;
}

static stoa_status bind(struct stoa_onnx_import *import, const StoaOnnx__Value *input) {
    const stoa_onnx_options *options = import->options;
    for (size_t i = 0; i < options->binding_count; i++) {
        const stoa_onnx_binding *binding = &options->bindings[i];
        struct stoa_onnx_value *value = stoa_onnx_find(import, binding->name);
        if (!binding->values || !input->name || strcmp(input->name, binding->name) != 0 || !value) {
            continue;
        }
        const StoaOnnx__TensorType *type = input->type ? input->type->tensor_type : NULL;
        struct stoa_onnx_tensor tensor = {.type = type && type->elem_type ? type->elem_type : STOA_ONNX_FLOAT,
                                          .rank = binding->rank};
        size_t count;
        if (binding->rank > STOA_ONNX_RANK || !stoa_onnx_count(binding->rank, binding->shape, &count)) {
            return stoa_error_set(import->error, STOA_ERR_ARGUMENT,
                                  "binding '" NAME
                                  "': found a shape of rank %zu, expected up to %d dimensions",
                                  binding->name, binding->rank, STOA_ONNX_RANK);
        }
        memcpy(tensor.dim, binding->shape, binding->rank * sizeof *tensor.dim);
        struct stoa_onnx_source own = {.error = import->error, .budget = count};
        stoa_status status = stoa_onnx_tensor_make(&own, &tensor);
        for (size_t k = 0; k < count && status == STOA_OK; k++) {
            stoa_onnx_put(&tensor, k, binding->values[k]);
        }
        stoa_onnx_tensor_free(&value->constant);
        value->constant = tensor;
        value->message = NULL;
        value->state = STOA_ONNX_CONSTANT;
        return status;
    }
    return STOA_OK;
}

/* A binding of something that the graph has not is a mistake of whoever wrote it. */
static stoa_status check_bindings(struct stoa_onnx_import *import) {
    for (size_t i = 0; i < import->options->binding_count; i++) {
        const char *name = import->options->bindings[i].name;
        bool is_there = false;
        for (size_t k = 0; k < import->graph->n_input && !is_there; k++) {
            is_there = import->graph->input[k]->name && strcmp(import->graph->input[k]->name, name) == 0;
        }
        if (!is_there) {
            return stoa_error_set(
                import->error, STOA_ERR_ARGUMENT,
                "found sizes or values for '" NAME "', expected the name of an input%s" NAME, name,
                import->graph->n_input > 0 ? ", such as " : "",
                import->graph->n_input > 0 && import->graph->input[0]->name ? import->graph->input[0]->name
                                                                            : "");
        }
    }
    return STOA_OK;
}

stoa_status stoa_onnx_graph_read(struct stoa_onnx_import *import) {
    stoa_status status = check_versions(import);
    if (status != STOA_OK) {
        return status;
    }
    import->graph = import->message->graph;
    status = list_values(import);
    if (status == STOA_OK) {
        status = merge_names(import);
    }
    if (status == STOA_OK) {
        status = check_bindings(import);
    }
    if (status == STOA_OK) {
        status = check_order(import);
    }
    if (status == STOA_OK) {
        status = mark_needed(import);
    }
    for (size_t i = 0; i < import->graph->n_input && status == STOA_OK; i++) {
        status = bind(import, import->graph->input[i]);
    }
    return status;
}

void stoa_onnx_graph_free(struct stoa_onnx_import *import) {
    for (size_t i = 0; i < import->value_count; i++) {
        stoa_onnx_tensor_free(&import->values[i].constant);
    }
    for (size_t i = 0; i < import->weight_count; i++) {
        free(import->weights[i].values);
    }
    free(import->weights);
    free(import->values);
    free(import->needed);
}
