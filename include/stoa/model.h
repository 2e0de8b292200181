/* SPDX-License-Identifier: MIT */
/** @file
 * Models: a graph of layers with their parameters.
 *
 * A model is built with one call a layer; the first error sticks, names its layer, and is returned by
 * stoa_model_build():
 *
 *     stoa_model *model;
 *     stoa_model_create(context, &model);
 *     stoa_model_input(model, 28, 28, 1);
 *     stoa_model_add(model, "c1", "conv2d filters=6 kernel=5 pad=2");
 *     stoa_model_add(model, "r1", "relu");
 *     stoa_model_add(model, "s1", "add from=r1,c1");
 *     status = stoa_model_build(model);
 *
 * Further inputs and outputs have names: stoa_model_add_input(), stoa_model_add_output().
 *
 * Images are float32, NHWC (channels last). On disk, names and layouts are PyTorch's. */
#ifndef STOA_MODEL_H
#define STOA_MODEL_H

#include <stdint.h>

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A graph of layers with its parameters. Used by one thread at a time, or by many that only read it. */
typedef struct stoa_model stoa_model;

/** Most dimensions a tensor has. */
enum {
    STOA_MAX_RANK = 4 /**< (out, in, kh, kw) */
};

/** Make an empty model, `*model`. It borrows `context`, which must outlive it. Release with
 * stoa_model_free(). Errors: STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_create(stoa_context *context, stoa_model **model);
/** Release `model` and its parameters. NULL is allowed. */
STOA_API void stoa_model_free(stoa_model *model);

/** Set the shape of one sample of the first input of `model`, "input": `height` x `width` x `channels`. For
 * vectors height = width = 1. Comes before the first layer. Errors stick. */
STOA_API void stoa_model_input(stoa_model *model, size_t height, size_t width, size_t channels);

/** Add an input. The first one, before any layer, is what stoa_model_input() sets, with a name of its own in
 * the place of "input". A further one stands among the layers, from where it is added on, as the layer
 * "input size=HEIGHTxWIDTH channels=CHANNELS", which stoa_model_add() takes as well: it has a number among
 * them, and layers read it by `from=NAME`, or where it was added just before.
 *
 * @param model  Not built yet.
 * @param name  Unique among inputs and layers, as for stoa_model_add(). Copied.
 * @param height  Of one sample; 1 for a vector.
 * @param width  Of one sample; 1 for a vector.
 * @param channels  Of one sample, or the numbers of a vector.
 * Errors stick. */
STOA_API void stoa_model_add_input(stoa_model *model, const char *name, size_t height, size_t width,
                                   size_t channels);

/** Add a layer.
 *
 * @param model  Not built yet.
 * @param name  Unique; UTF-8 text of 1 to 65535 bytes without control characters, kept to the byte:
 * "c1", "/block.0/Conv". (A recipe is content with letters, digits, '_', '-' and '.', up to 63 of them.)
 * Copied. Names its tensors: "c1.weight".
 * @param layer  Operator and options, of any length: "conv2d filters=6 kernel=5x3 stride=2 pad=same".
 * `from=a,b` names the inputs, in double quotes where a name holds white space, ',' or the like, with '\'
 * before a quote or a backslash in it; without `from` the input is the layer added before.
 * stoa_operator_help() lists operators and options.
 * Errors stick: STOA_ERR_ARGUMENT, STOA_ERR_SHAPE; the sentence names the layer. */
STOA_API void stoa_model_add(stoa_model *model, const char *name, const char *layer);

/** One option of a layer. */
typedef struct stoa_layer_option {
    const char *name;  /**< "kernel"; NULL ends the list */
    const char *value; /**< "5x3" */
} stoa_layer_option;

/** A layer as a struct. All strings are copied. */
typedef struct stoa_layer_spec {
    const char *name;                 /**< as for stoa_model_add() */
    const char *op;                   /**< operator */
    const stoa_layer_option *options; /**< ends with a name of NULL; NULL: none */
    const char *const *inputs; /**< names of layers and inputs, as they are; ends with NULL. NULL: the layer
                                    added before */
} stoa_layer_spec;

/** Add the layer `layer` to `model`: what stoa_model_add() does, for programs that have the parts and not the
 * line. Errors stick, as there. */
STOA_API void stoa_model_add_layer(stoa_model *model, const stoa_layer_spec *layer);

/** Make a layer an output, beside those that this call has made before. The first is the one that a loss
 * looks at and that stoa_plan_infer() gives. Without any call the last layer added is the only output.
 *
 * @param model  Not built yet.
 * @param name  Unique among the outputs, as for stoa_model_add(); NULL: the layer's. Copied.
 * @param layer  One that has been added. Other layers may read it as well.
 * Errors stick: STOA_ERR_ARGUMENT. */
STOA_API void stoa_model_add_output(stoa_model *model, const char *name, const char *layer);

/** Finish the graph of `model` and allocate parameters (zeros; batch norm at its neutral values).
 * Errors: the first error of the calls before; STOA_ERR_ARGUMENT (an input or a layer that nothing reads and
 * that is no output), STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_build(stoa_model *model);

/** Fill the parameters of a built `model` with initial values: weights as the option `init` of their layer
 * says (he: N(0, 2 / fan_in), xavier: N(0, 2 / (fan_in + fan_out)), he_uniform, xavier_uniform, normal,
 * uniform, orthogonal, constant), He's where it says nothing; biases 0. The same `seed` gives the same
 * values. Errors: STOA_ERR_ARGUMENT (not built), STOA_ERR_MEMORY (orthogonal). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_init(stoa_model *model, uint64_t seed);

/** Shape of one sample of the first input of `model`: `*height` x `*width` x `*channels`. */
STOA_API void stoa_model_input_shape(const stoa_model *model, size_t *height, size_t *width,
                                     size_t *channels);
/** Floats in one sample of the first input of `model`. */
STOA_API size_t stoa_model_input_size(const stoa_model *model);
/** Floats in one sample of the first output of a built `model`. */
STOA_API size_t stoa_model_output_size(const stoa_model *model);

/** An input or an output of a model; strings belong to the model. */
typedef struct stoa_port_info {
    const char *name;  /**< of the input or output */
    const char *layer; /**< whose result it is, or that stands for a further input; "" for the first */
    size_t rank;       /**< of one sample: 3 for an image, 1 for a vector */
    size_t shape[STOA_MAX_RANK]; /**< of one sample: H, W, C or features */
    size_t size;                 /**< floats in one sample */
} stoa_port_info;

/** Describe input number `index` of `model`, from 0, in `*info`; false past the last, and nothing is set. */
STOA_API bool stoa_model_input_at(const stoa_model *model, size_t index, stoa_port_info *info);
/** Describe output number `index` of `model`, from 0, in `*info`; false past the last, and nothing is set. */
STOA_API bool stoa_model_output_at(const stoa_model *model, size_t index, stoa_port_info *info);

/** Number of trainable parameters of `model`. */
STOA_API size_t stoa_model_parameter_count(const stoa_model *model);

/** One layer of a model; strings belong to the model. */
typedef struct stoa_layer_info {
    const char *name;            /**< "c1" */
    const char *op;              /**< operator */
    const char *options;         /**< its line in a recipe, without the operator's name; may be "" */
    size_t rank;                 /**< of one output sample */
    size_t shape[STOA_MAX_RANK]; /**< of one output sample: H, W, C or features */
    size_t parameters;           /**< trainable */
    double flops;                /**< of one sample's forward pass, multiply and add counted as two */
    size_t inputs;               /**< how many it reads; stoa_model_layer_input() names them */
} stoa_layer_info;

/** Number of layers of `model`. */
STOA_API size_t stoa_model_layer_count(const stoa_model *model);
/** Describe layer `index` of `model` in `*info`. Errors: STOA_ERR_ARGUMENT (there is none). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_layer(const stoa_model *model, size_t index,
                                                      stoa_layer_info *info);
/** Name of what layer `index` of `model` reads as its input number `which`: a layer or an input of the model.
 * NULL where there is none. */
STOA_API const char *stoa_model_layer_input(const stoa_model *model, size_t index, size_t which);

/** One named tensor: a parameter or a running statistic; strings and data belong to the model. */
typedef struct stoa_tensor_info {
    const char *name;            /**< "c1.weight", "b1.running_mean" */
    size_t rank;                 /**< dimensions */
    size_t shape[STOA_MAX_RANK]; /**< PyTorch's: (out, in/groups, kh, kw), (out, in), (channels) */
    size_t count;                /**< elements */
    bool trainable;              /**< a parameter; else a running statistic */
} stoa_tensor_info;

/** Number of tensors of a built `model`. */
STOA_API size_t stoa_model_tensor_count(const stoa_model *model);
/** Describe tensor `index` of `model` in `*info`. Errors: STOA_ERR_ARGUMENT (there is none). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_tensor(const stoa_model *model, size_t index,
                                                       stoa_tensor_info *info);
/** Index of the tensor of `model` with this `name`, or stoa_model_tensor_count() when there is none. */
STOA_API size_t stoa_model_find_tensor(const stoa_model *model, const char *name);
/** Copy tensor `index` of `model` to `values` of `count` floats, in PyTorch's layout and order. Errors:
 * STOA_ERR_ARGUMENT (no such tensor, or not its count). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_get_tensor(const stoa_model *model, size_t index,
                                                           float *values, size_t count);
/** Copy `values` of `count` floats, in PyTorch's layout and order, to tensor `index` of `model`. Errors as of
 * stoa_model_get_tensor(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_set_tensor(stoa_model *model, size_t index,
                                                           const float *values, size_t count);

/** Set a free-form fact that travels with the model file of `model`, such as "data.set" or "data.mean". `key`
 * and `value` are copied; a NULL value removes the key. Errors: STOA_ERR_ARGUMENT (more than 1024 facts),
 * STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_set_fact(stoa_model *model, const char *key,
                                                         const char *value);
/** Value of the fact `key` of `model`, or NULL. Valid until the fact changes. */
STOA_API const char *stoa_model_fact(const stoa_model *model, const char *key);
/** Fact number `index` of `model` in the order of the keys, in `*key` and `*value`; false past the end, and
 * nothing is set. */
STOA_API bool stoa_model_fact_at(const stoa_model *model, size_t index, const char **key, const char **value);

/** What the file of a loaded `model` says of its making, number `index`, in `*key` and `*value`: "version" of
 * the library, and its fingerprint "isa", "blas", "blas_version", "blas_core", "policy" and "tuning" (a
 * table's name and checksum), on which the last bits of its numbers depend. False past the end, and for a
 * model that was not loaded; nothing is set then. */
STOA_API bool stoa_model_origin_at(const stoa_model *model, size_t index, const char **key,
                                   const char **value);

/** Save `model` to the file `path`: safetensors, the graph and the facts in its metadata. What is to be
 * written is read again and compared first, written to a temporary name in the same folder, synced and
 * renamed: the file is whole or not there. Errors: STOA_ERR_ARGUMENT (not built, a fact that is not UTF-8),
 * STOA_ERR_IO, STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_save(stoa_model *model, const char *path);
/** Save `model` to memory: `*data` of `*bytes` bytes, set only on STOA_OK, to be released with
 * stoa_buffer_free(). Errors: STOA_ERR_ARGUMENT (not built, a fact that is not UTF-8), STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_save_memory(stoa_model *model, void **data, size_t *bytes);
/** Release `data` of `bytes` bytes from stoa_model_save_memory(); `context` is the model's. NULL is allowed.
 */
STOA_API void stoa_buffer_free(stoa_context *context, void *data, size_t bytes);

/** Load a model that stoa_model_save() wrote: graph, facts and tensors.
 *
 * @param context  Borrowed; must outlive the model.
 * @param path  The file.
 * @param[out] model  Set only on STOA_OK; release with stoa_model_free().
 * Errors: STOA_ERR_IO, STOA_ERR_NOT_FOUND, STOA_ERR_FORMAT, STOA_ERR_SHAPE, STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_load(stoa_context *context, const char *path,
                                                     stoa_model **model);
/** stoa_model_load() from `data` of `bytes` bytes; copied. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_load_memory(stoa_context *context, const void *data,
                                                            size_t bytes, stoa_model **model);
/** Load only tensors into a built `model`, from any safetensors file `path` that has all of them by name and
 * shape, such as a PyTorch state dictionary. F16, BF16 and F64 become float32, a double beyond its range is
 * an error; `module.` and `_orig_mod.` in front of all names, also one behind the other, are taken off;
 * `*.num_batches_tracked` and `n_averaged` are passed over, any other extra tensor is an error. On an error
 * the model is unchanged. Errors: those of stoa_model_load(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_load_tensors(stoa_model *model, const char *path);
/** stoa_model_load_tensors() from `data` of `bytes` bytes. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_load_tensors_memory(stoa_model *model, const void *data,
                                                                    size_t bytes);

/** What stoa_model_load_matching() found of a tensor. */
typedef enum stoa_match {
    STOA_MATCH_TAKEN,   /**< name and shape are the model's: its values are in the model now */
    STOA_MATCH_SHAPE,   /**< the file's has another shape: the model's stays as it was */
    STOA_MATCH_MISSING, /**< the file has none of this name: the model's stays as it was */
    STOA_MATCH_EXTRA    /**< the model has none of this name */
} stoa_match;

/** One tensor of the model, or one that only the file has; strings are valid during the call. */
typedef struct stoa_tensor_match {
    stoa_match match;  /**< what became of it */
    const char *name;  /**< the model's; with STOA_MATCH_EXTRA the file's */
    const char *shape; /**< the model's, as PyTorch prints it: "(6, 1, 5, 5)"; "" with STOA_MATCH_EXTRA */
    const char *found; /**< the file's; "" with STOA_MATCH_MISSING */
} stoa_tensor_match;

/** Told of one `match` with the `user` pointer given to stoa_model_load_matching(). */
typedef void stoa_match_fn(void *user, const stoa_tensor_match *match);

/** Load the tensors that fit by name and shape into a built `model`, from any safetensors file `path`, and
 * leave the others as they are: to begin a training with what another one has learned. Types, and names that
 * wrappers left, are read as by stoa_model_load_tensors().
 *
 * @param model  Built; initialise it first, so that what is not taken has its first values.
 * @param path  The file: a saved model, a checkpoint of a training, a PyTorch state dictionary.
 * @param tell  Told of every tensor of the model in its order, and then of those that only the file has;
 * NULL: nobody.
 * @param user  Handed to `tell`.
 * Errors: those of stoa_model_load_tensors(), but for missing, extra and differing tensors; STOA_ERR_SHAPE
 * where not one fits. Then nothing is told and the model is unchanged. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_load_matching(stoa_model *model, const char *path,
                                                              stoa_match_fn *tell, void *user);
/** stoa_model_load_matching() from `data` of `bytes` bytes. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_load_matching_memory(stoa_model *model, const void *data,
                                                                     size_t bytes, stoa_match_fn *tell,
                                                                     void *user);

/** stoa_model_load_matching() from a file whose names are others.
 *
 * @param model  As there.
 * @param path  As there.
 * @param map  Lines "THEIRS = OURS": a tensor of the file, and the one of the model that takes its values;
 * names in double quotes where they hold white space or the like. "THEIRS =" leaves one out. '#' begins a
 * comment. What is not named keeps its name.
 * @param tell  As there, with the names that the mapping gives.
 * @param user  Handed to `tell`.
 * Errors: as there; STOA_ERR_ARGUMENT (a line that is none, a tensor that the file does not have, two of one
 * name). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_load_mapped(stoa_model *model, const char *path,
                                                            const char *map, stoa_match_fn *tell, void *user);
/** Suggest such a mapping, ready to be edited: pairs of one name and shape, then of one shape and kind
 * ("weight", "running_var", ...) in the order of both sides, the file's by its names with numbers as numbers.
 * A line has the shape and how the pair was found; what is left of either side stands as comments.
 *
 * @param model  Built. Unchanged.
 * @param path  Any safetensors file.
 * @param[out] text  Set only on STOA_OK, ends with a NUL; release with stoa_buffer_free().
 * @param[out] bytes  Of it, with the NUL.
 * Errors: STOA_ERR_IO, STOA_ERR_NOT_FOUND, STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_suggest_map(stoa_model *model, const char *path, void **text,
                                                            size_t *bytes);

/** Name of operator `index`, from 0; NULL at the end. Static storage. */
STOA_API const char *stoa_operator_name(size_t index);
/** Write the options of operator `name` as text into `out` of `size` bytes: "filters (required), kernel
 * (required), stride=1, ...". STOA_ERR_NOT_FOUND when there is no such operator; STOA_ERR_ARGUMENT when
 * `size` is too small. */
STOA_API STOA_MUST_CHECK stoa_status stoa_operator_help(const char *name, char *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
