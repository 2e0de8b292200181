/* SPDX-License-Identifier: MIT */
/** @file
 * A network as one file of C: for programs and machines where there is no library.
 *
 * What is written is C99, and C++ as well. It needs a compiler and libm, takes no memory from the heap, and
 * computes one sample at a time:
 *
 *     int NAME_run(const float *input, float *output);                      in its own arena
 *     int NAME_run_in(float *arena, const float *input, float *output);     in the caller's
 *
 * The head of the file says how input and output lie and which other functions there are. */
#ifndef STOA_CCODE_H
#define STOA_CCODE_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How a model is written as C. Zeros mean the default. */
typedef struct stoa_c_options {
    const char *name; /**< what all names of the file begin with, an identifier of C of up to 40 characters;
                         NULL: from the file's own name */
    const char *weights; /**< path of a second file that takes the weights, which the program hands to
                            NAME_init(); NULL: they stand in the C file */
} stoa_c_options;

/** What was written, in bytes. */
typedef struct stoa_c_sizes {
    size_t source_bytes;   /**< of the C file */
    size_t code_bytes;     /**< of it without the constants */
    size_t constant_bytes; /**< floats of weights, in memory: those of the model, padded to whole blocks */
    size_t arena_bytes;    /**< that a run needs beside input and output */
    size_t weights_bytes;  /**< of the second file; 0: there is none */
} stoa_c_sizes;

/** Write inference of `model` as C, weights included; batch norm is part of the weights before it where the
 * engine folds it, dropout is gone, activations are computed where their input is.
 *
 * @param model  Built. Unchanged.
 * @param path  The C file, which is whole or not there; one that is there is replaced.
 * @param options  NULL: the defaults. Not kept.
 * @param[out] sizes  What was written; NULL: nobody asks. Set only on STOA_OK.
 * Errors: STOA_ERR_ARGUMENT (not built, a name that is none, a weight that is not finite), STOA_ERR_SHAPE (a
 * tensor that an int of C cannot count), STOA_ERR_UNSUPPORTED (an operator that is not written as C),
 * STOA_ERR_FORMAT (facts of data that cannot be read), STOA_ERR_IO, STOA_ERR_MEMORY. The
 * sentence names the layer; nothing is written then. */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_export_c(stoa_model *model, const char *path,
                                                         const stoa_c_options *options, stoa_c_sizes *sizes);

#ifdef __cplusplus
}
#endif
#endif
