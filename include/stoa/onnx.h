/* SPDX-License-Identifier: MIT */
/** @file
 * Models from ONNX files, and ONNX files from models.
 *
 *     stoa_model *model;
 *     status = stoa_model_load_onnx(context, "resnet18.onnx", NULL, &model);
 *     status = stoa_model_save_onnx(model, "mine.onnx", NULL, NULL);
 *
 * What comes back is a model like any other: it predicts, is trained on, and is saved. A library that was
 * built without protobuf-c says so in one sentence (STOA_ERR_UNSUPPORTED). */
#ifndef STOA_ONNX_H
#define STOA_ONNX_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A node that cannot be taken; strings are valid during the call. */
typedef struct stoa_onnx_refusal {
    const char *node;   /**< its name, or that of its first output */
    const char *op;     /**< its operator, "LSTM" */
    const char *reason; /**< why: "there is no such operator here" */
} stoa_onnx_refusal;

/** Told of one `refusal` with the `user` pointer given in stoa_onnx_options. */
typedef void stoa_onnx_refuse_fn(void *user, const stoa_onnx_refusal *refusal);

/** Numbers for an input of the graph that is no input of the network: a weight, or a shape, that the file
 * leaves open. Or, without values, the sizes of an input of the network that the file leaves open. */
typedef struct stoa_onnx_binding {
    const char *name;     /**< of the graph's input */
    size_t rank;          /**< dimensions, up to 8 */
    const size_t *shape;  /**< their sizes, each from 1 on; the batch's in front */
    const double *values; /**< row-major; become the input's type. NULL: it stays an input, of this shape */
} stoa_onnx_binding;

/** How an ONNX file is taken; all zeros where nothing is said. */
typedef struct stoa_onnx_options {
    stoa_onnx_refuse_fn *refuse;       /**< told of every node that cannot be taken; NULL: nobody */
    void *user;                        /**< handed to `refuse` */
    const stoa_onnx_binding *bindings; /**< inputs that are constants or of fixed sizes; borrowed */
    size_t binding_count;              /**< how many */
    bool whole; /**< the first axis of the input is no batch: the whole input is one sample */
} stoa_onnx_options;

/** Load the network of an ONNX file.
 *
 * Images become height x width x channels, and weights are the file's to the bit. Inputs and outputs have the
 * names that they have in the file. The fact "onnx.axes.NAME" of one of them, such as "2,3,1", says which of
 * ONNX's axes follow one another in a sample here, and is not there where the order is ONNX's. The file's
 * metadata become facts, "onnx.meta.KEY"; what an export of stoa_model_save_onnx() says of its data is the
 * model's again.
 *
 * @param context  Borrowed; must outlive the model.
 * @param path  The file. Weights in files beside it are read from its own folder only.
 * @param options  NULL: as all zeros.
 * @param[out] model  Set only on STOA_OK; release with stoa_model_free().
 * Errors: STOA_ERR_UNSUPPORTED (nodes that cannot be taken, all of which `refuse` has been told of; no
 * protobuf-c), STOA_ERR_FORMAT, STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_ARGUMENT (a binding that does not
 * fit), STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_load_onnx(stoa_context *context, const char *path,
                                                          const stoa_onnx_options *options,
                                                          stoa_model **model);
/** stoa_model_load_onnx() from `data` of `bytes` bytes, which are not needed afterwards. Weights in other
 * files are refused. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_load_onnx_memory(stoa_context *context, const void *data,
                                                                 size_t bytes,
                                                                 const stoa_onnx_options *options,
                                                                 stoa_model **model);

/** How a model is written as ONNX; all zeros where nothing is said. */
typedef struct stoa_onnx_save_options {
    bool preprocessing; /**< begin with the nodes that take the mean of the training data from the first input
                           and divide it by their deviation, as the model's facts say; without them the caller
                           does that */
} stoa_onnx_save_options;

/** What was written. */
typedef struct stoa_onnx_saved {
    size_t bytes;        /**< of the file */
    size_t nodes;        /**< of the graph */
    size_t weight_bytes; /**< of all its constants */
    int opset;           /**< 17, or the first that has all of its operators */
} stoa_onnx_saved;

/** Write inference of `model` as an ONNX file.
 *
 * Images become N, C, H, W with the batch "N" open, vectors N, K; a flattened image has ONNX's order C, H, W.
 * Weights are the model's to the bit, in the layout of PyTorch and under their own names; nodes, inputs and
 * outputs have the names of layers, inputs and outputs, with a number behind one that is taken. Dropout is
 * gone. Facts become metadata, but for the path of the data; where the graph normalises, they say mean 0 and
 * deviation 1.
 *
 * @param model  Built. Unchanged.
 * @param path  The file, which is whole or not there; one that is there is replaced.
 * @param options  NULL: as all zeros.
 * @param[out] saved  What was written; NULL: nobody asks. Set only on STOA_OK.
 * Errors: STOA_ERR_ARGUMENT (not built; preprocessing by numbers that the model does not know),
 * STOA_ERR_UNSUPPORTED (layers whose operators ONNX does not have, all of which are named; more than 2 GB; no
 * protobuf-c), STOA_ERR_FORMAT (facts of data that cannot be read), STOA_ERR_IO, STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_save_onnx(stoa_model *model, const char *path,
                                                          const stoa_onnx_save_options *options,
                                                          stoa_onnx_saved *saved);
/** The same to memory: `*data` of `*bytes` bytes, set only on STOA_OK, to be released with
 * stoa_buffer_free(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_save_onnx_memory(stoa_model *model,
                                                                 const stoa_onnx_save_options *options,
                                                                 void **data, size_t *bytes,
                                                                 stoa_onnx_saved *saved);

#ifdef __cplusplus
}
#endif
#endif
