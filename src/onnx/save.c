/* SPDX-License-Identifier: MIT */
/* A model to an ONNX file: what can be written, in which version, and the graph's ends. */
#include <stdlib.h>
#include <string.h>

#include <stoa/onnx.h>
#include <stoa/version.h>

#include "base/float_state.h"
#include "base/size.h"
#include "model/files.h"
#include "onnx/write.h"
#include "train/data_facts.h"

/* protobuf's limit for a message. */
#define MOST_BYTES (((size_t)1 << 31) - 1)

enum { LOWEST_OPSET = 17 };

/* ---- what can be written ---- */

/* All layers that ONNX has nothing for, in one sentence. */
static stoa_status check_operators(struct stoa_onnx_export *export) {
    const stoa_model *model = export->model;
    const char *list = "";
    for (size_t i = 0; i < model->node_count && list; i++) {
        const struct stoa_layer *layer = &model->nodes[i].layer;
        if (!stoa_onnx_writer_find(layer->op)) {
            list = stoa_onnx_print(export, "%s%s'%s' (%s)", list, *list ? ", " : "", layer->name,
                                   layer->op->name);
        }
    }
    return !list || !*list ? STOA_OK
                           : stoa_fail(model->context, STOA_ERR_UNSUPPORTED,
                                       "export: found layers without a counterpart in ONNX: %.700s", list);
}

/* The first opset that has all that is written. */
static int opset_of(const stoa_model *model) {
    int opset = LOWEST_OPSET;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct stoa_layer *layer = &model->nodes[i].layer;
        const struct stoa_onnx_writer *writer = stoa_onnx_writer_find(layer->op);
        const int needed = writer->opset_of ? writer->opset_of(layer) : writer->opset;
        opset = needed > opset ? needed : opset;
    }
    return opset;
}

/* The version of the format that came with an opset. */
static int64_t format_of(int opset) {
    return opset <= 18 ? 8 : opset <= 20 ? 9 : 10;
}

/* ---- names, inputs and outputs ---- */

/* "N" x C x H x W, or "N" x K. */
static StoaOnnx__Value *describe(struct stoa_onnx_export *export, const char *name, size_t value) {
    const struct stoa_shape *shape = stoa_value_shape(export->model, value);
    static const size_t order[] = {2, 0, 1};
    struct {
        StoaOnnx__Value value;
        StoaOnnx__Type type;
        StoaOnnx__TensorType tensor;
        StoaOnnx__Shape shape;
        StoaOnnx__Dimension dim[4], *dims[4];
    } *all = stoa_onnx_take(export, sizeof *all);
    if (!all) {
        return NULL;
    }
    stoa_onnx__value__init(&all->value);
    stoa_onnx__type__init(&all->type);
    stoa_onnx__tensor_type__init(&all->tensor);
    stoa_onnx__shape__init(&all->shape);
    for (size_t i = 0; i <= shape->rank; i++) {
        all->dims[i] = &all->dim[i];
        stoa_onnx__dimension__init(&all->dim[i]);
        all->dim[i].has_dim_value = i > 0;
        all->dim[i].dim_value = i > 0 ? (int64_t)shape->dim[shape->rank == 3 ? order[i - 1] : i - 1] : 0;
    }
    all->dim[0].dim_param = stoa_onnx_lend("N");
    all->shape.n_dim = shape->rank + 1;
    all->shape.dim = all->dims;
    all->tensor.has_elem_type = 1;
    all->tensor.elem_type = 1; /* float */
    all->tensor.shape = &all->shape;
    all->type.tensor_type = &all->tensor;
    all->value.name = stoa_onnx_lend(name);
    all->value.type = &all->type;
    return &all->value;
}

/* The ends of the graph first, whose names are kept. An output is called so from its layer on, unless it has
 * several names or is what another is. */
static void name_ends(struct stoa_onnx_export *export) {
    const stoa_model *model = export->model;
    StoaOnnx__Graph *graph = &export->graph;
    stoa_port_info port;
    graph->input = stoa_onnx_take(export, (model->node_count + 1) * sizeof(void *));
    graph->output = stoa_onnx_take(export, (stoa_output_count(model) + 1) * sizeof(void *));
    if (export->failed) {
        return;
    }
    for (size_t value = 0; value <= model->node_count; value++) {
        if (stoa_value_is_input(model, value)) {
            export->value[value] = stoa_onnx_unique(export, stoa_value_name(model, value));
            graph->input[graph->n_input++] = describe(export, export->value[value], value);
        }
    }
    for (size_t i = 0; stoa_model_output_at(model, i, &port); i++) {
        const size_t value = stoa_output_value(model, i);
        const char *name = stoa_onnx_unique(export, port.name);
        export->value[value] = export->value[value] ? export->value[value] : name;
        graph->output[graph->n_output++] = describe(export, name, value);
    }
}

/* Outputs that are a value under another name. */
static void write_aliases(struct stoa_onnx_export *export) {
    const StoaOnnx__Graph *graph = &export->graph;
    for (size_t i = 0; i < graph->n_output && !export->failed; i++) {
        const char *name = graph->output[i]->name;
        const char *value = export->value[stoa_output_value(export->model, i)];
        if (strcmp(name, value) != 0) {
            (void)stoa_onnx_put_node(export, "Identity", name, STOA_ONNX_INPUTS(value));
        }
    }
}

/* ---- preprocessing ---- */

static void put_scaling(struct stoa_onnx_export *export, const struct stoa_data_facts *facts) {
    const struct stoa_shape *input = &export->model->input;
    const size_t shape[] = {facts->scales, 1, 1};
    const size_t rank = facts->scales == 1 ? 0 : input->rank;
    const char *mean =
        stoa_onnx_put_floats(export, stoa_onnx_within(export, "mean"), rank, shape, facts->mean);
    const char *deviation =
        stoa_onnx_put_floats(export, stoa_onnx_within(export, "deviation"), rank, shape, facts->deviation);
    const char *centred = stoa_onnx_within(export, "centred");
    const char *normal = stoa_onnx_within(export, "normalised");
    (void)stoa_onnx_put_node(export, "Sub", centred, STOA_ONNX_INPUTS(export->value[0], mean));
    (void)stoa_onnx_put_node(export, "Div", normal, STOA_ONNX_INPUTS(centred, deviation));
    export->value[0] = normal;
}

static stoa_status preprocess(struct stoa_onnx_export *export) {
    const stoa_model *model = export->model;
    const struct stoa_shape *input = &model->input;
    struct stoa_data_facts facts;
    stoa_status status = stoa_data_facts_read(model->context, model, &facts);
    if (status != STOA_OK) {
        return status;
    }
    const size_t channels = input->dim[input->rank - 1];
    if (facts.scales == 0) {
        status = stoa_fail(model->context, STOA_ERR_ARGUMENT,
                           "export: found a model that was to be normalised by its data but does not know "
                           "their mean and deviation, expected a trained one for its preprocessing");
    } else if (facts.scales != 1 && facts.scales != channels) {
        status = stoa_fail(model->context, STOA_ERR_FORMAT,
                           "export: data.mean has %zu numbers, expected 1 or one for each of %zu channels",
                           facts.scales, channels);
    } else if (facts.scales > 1 || facts.mean[0] != 0.0F || facts.deviation[0] != 1.0F) {
        put_scaling(export, &facts);
    }
    stoa_data_facts_free(&facts);
    return status;
}

/* ---- the graph ---- */

static void write_layers(struct stoa_onnx_export *export) {
    const stoa_model *model = export->model;
    for (size_t i = 0; i < model->node_count && !export->failed; i++) {
        const struct stoa_node *node = &model->nodes[i];
        const struct stoa_onnx_writer *writer = stoa_onnx_writer_find(node->layer.op);
        const char **value = &export->value[i + 1];
        if (writer->is_identity) {
            *value = node->layer.inputs > 0 ? export->value[node->input[0]] : *value;
            continue;
        }
        *value = *value ? *value : stoa_onnx_unique(export, node->layer.name);
        export->at = node;
        export->out = *value;
        if (writer->write) {
            writer->write(export);
        } else {
            (void)stoa_onnx_put_node(export, writer->onnx, NULL,
                                     STOA_ONNX_INPUTS(stoa_onnx_image_of(export, 0)));
        }
    }
}

/* What a reader has still to do where the graph normalises: nothing. */
static char *fact_value(const struct stoa_fact *fact, bool preprocessing) {
    const char *const key = preprocessing ? fact->key : "";
    return strcmp(key, "data.mean") == 0        ? stoa_onnx_lend("0")
           : strcmp(key, "data.deviation") == 0 ? stoa_onnx_lend("1")
                                                : fact->value;
}

/* Facts as they are, but for the folder of the data, which is nobody else's; those that came with an ONNX
 * file under the keys that they had there. */
static void write_facts(struct stoa_onnx_export *export, bool preprocessing, StoaOnnx__Model *message) {
    static const char from_file[] = "onnx.meta.", axes[] = "onnx.axes.";
    const stoa_model *model = export->model;
    StoaOnnx__Entry *entry = stoa_onnx_take(export, (model->fact_count + 1) * sizeof *entry);
    StoaOnnx__Entry **list = stoa_onnx_take(export, (model->fact_count + 1) * sizeof(void *));
    message->metadata_props = list;
    for (size_t i = 0; i < model->fact_count && !export->failed; i++) {
        char *key = model->facts[i].key;
        if (strncmp(key, axes, sizeof axes - 1) == 0 || strcmp(key, "data.path") == 0) {
            continue; /* said of another file, or of a folder here */
        }
        StoaOnnx__Entry *to = &entry[message->n_metadata_props];
        stoa_onnx__entry__init(to);
        to->key = strncmp(key, from_file, sizeof from_file - 1) == 0 ? key + sizeof from_file - 1 : key;
        to->value = fact_value(&model->facts[i], preprocessing);
        list[message->n_metadata_props++] = to;
    }
}

static stoa_status write_graph(struct stoa_onnx_export *export, const stoa_onnx_save_options *options) {
    stoa_onnx__graph__init(&export->graph);
    export->graph.name = stoa_onnx_lend("stoa");
    export->value = stoa_onnx_take(export, (export->model->node_count + 1) * sizeof(void *));
    if (!export->failed) {
        name_ends(export);
    }
    stoa_status status = options && options->preprocessing && !export->failed ? preprocess(export) : STOA_OK;
    if (status == STOA_OK) {
        write_layers(export);
        write_aliases(export);
    }
    return status;
}

/* ---- the file ---- */

static stoa_status fail_memory(const struct stoa_onnx_export *export) {
    return stoa_fail(export->model->context, STOA_ERR_MEMORY, "export: out of memory");
}

static stoa_status pack(struct stoa_onnx_export *export, bool preprocessing, void **data, size_t *bytes) {
    StoaOnnx__Opset opset = STOA_ONNX__OPSET__INIT;
    StoaOnnx__Opset *opsets = &opset;
    StoaOnnx__Model message = STOA_ONNX__MODEL__INIT;
    opset.domain = stoa_onnx_lend("");
    opset.has_version = 1;
    opset.version = export->opset;
    message.has_ir_version = 1;
    message.ir_version = format_of(export->opset);
    message.producer_name = stoa_onnx_lend("stoa");
    message.producer_version = stoa_onnx_lend(STOA_VERSION_STRING);
    message.graph = &export->graph;
    message.n_opset_import = 1;
    message.opset_import = &opsets;
    write_facts(export, preprocessing, &message);
    if (export->failed) {
        return fail_memory(export);
    }
    *bytes = stoa_onnx__model__get_packed_size(&message);
    if (*bytes > MOST_BYTES) {
        return stoa_fail(export->model->context, STOA_ERR_UNSUPPORTED,
                         "export: found a model of %zu bytes, expected at most 2 GB, protobuf's limit",
                         *bytes);
    }
    *data = stoa_allocate(export->model->context, *bytes, "an ONNX file");
    if (!*data) {
        return STOA_ERR_MEMORY;
    }
    (void)stoa_onnx__model__pack(&message, *data);
    return STOA_OK;
}

stoa_status stoa_model_save_onnx_memory(stoa_model *model, const stoa_onnx_save_options *options, void **data,
                                        size_t *bytes, stoa_onnx_saved *saved) {
    STOA_FLOAT_STATE();
    struct stoa_onnx_export export = {.model = model};
    void *packed = NULL;
    size_t packed_bytes = 0;
    stoa_status status = stoa_model_check_built(model);
    if (status == STOA_OK) {
        status = check_operators(&export);
    }
    if (status == STOA_OK) {
        export.opset = opset_of(model);
        status = write_graph(&export, options);
    }
    if (status == STOA_OK) {
        status = pack(&export, options && options->preprocessing, &packed, &packed_bytes);
    }
    if (status == STOA_OK) {
        *data = packed;
        *bytes = packed_bytes;
    }
    if (status == STOA_OK && saved) {
        *saved = (stoa_onnx_saved){.bytes = packed_bytes,
                                   .nodes = export.graph.n_node,
                                   .weight_bytes = export.bytes,
                                   .opset = export.opset};
    }
    stoa_onnx_give_all(&export);
    return status;
}

stoa_status stoa_model_save_onnx(stoa_model *model, const char *path, const stoa_onnx_save_options *options,
                                 stoa_onnx_saved *saved) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_onnx_saved made;
    stoa_status status = stoa_model_save_onnx_memory(model, options, &data, &bytes, &made);
    status = stoa_model_write_file(stoa_model_context(model), path, status, data, bytes);
    if (status == STOA_OK && saved) {
        *saved = made;
    }
    return status;
}
