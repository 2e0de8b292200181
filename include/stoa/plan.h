/* SPDX-License-Identifier: MIT */
/** @file
 * Plans: where every activation, gradient and workspace of a run lies, and the runs themselves.
 *
 * Planning computes the exact number of bytes and allocates nothing; stoa_plan_bind() gives the plan its
 * arena; from then on running allocates nothing. A plan for batch n runs any batch from 1 to n. */
#ifndef STOA_PLAN_H
#define STOA_PLAN_H

#include <stdint.h>

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A plan: it says where everything of a run lies. */
typedef struct stoa_plan stoa_plan;

/** Options of stoa_plan_create(). */
typedef struct stoa_plan_options {
    size_t batch;  /**< largest number of samples per run, >= 1 */
    bool training; /**< plan the loss and all gradients */
    /** "softmax_cross_entropy smoothing=0.1", "mse", ... NULL: the first with training, else none. With
     * training also "none": the loss is the caller's, see stoa_plan_forward(). */
    const char *loss;
    size_t optimizer_slots; /**< arrays of the size of the parameters kept for an optimiser */
    const char *freeze; /**< training: layers that stay as they are, "c1,c2", with a star all that begin so,
                                 "c*"; NULL: none. They run as in evaluation (batch norm with its running
                                 statistics, dropout as identity), and no gradient of theirs is computed, nor
                                 of what lies before the first layer that learns */
    bool summed;        /**< gradients are those of the sum of the samples' losses, not of their mean */
    bool prepare;       /**< inference: keep the weights of convolutions, and of linear layers where that pays
                                 (for single samples where L2 does not hold the weight, for batches where each
                                 run would copy it), in the arena as their algorithms read them, prepared by
                                 the first run and by the next one after a change of the model's parameters,
                                 instead of by every run; and scale and shift of a batch norm in the weights
                                 of the layer before it. Faster, most of all for small batches; more memory;
                                 the same results but for last bits where there is a batch norm. Between runs
                                 nobody else may write to the arena, the input aside. Not with `training` */
    bool layerwise;     /**< every layer is a step of its own that runs over the whole batch, and what it
                                 gives is there for stoa_plan_trace(). Else a step may do the work of others,
                                 and steps whose samples do not depend on each other run together, a block of
                                 samples at a time: faster, and where sums over samples are cut otherwise,
                                 last bits differ */
    const char *const *keep; /**< names of layers, and inputs, that the caller looks at after a run as at the
                                 outputs, with stoa_plan_activation(); ends with NULL. NULL: none. What is not
                                 kept is overwritten by what comes later. Of a kept input the content
                                 survives a run */
    bool input_gradients;    /**< training: the gradients of the inputs are computed, too, and read with
                               stoa_plan_activation_gradient(). Then all layers may be frozen */
} stoa_plan_options;

/** Plan memory for `model`; computes nothing.
 *
 * @param context  Decides threads, instruction set and policy. Borrowed; must outlive the plan.
 * @param model  Built model. Borrowed; must outlive the plan. A training plan changes its parameters'
 * gradients and running statistics, so it must be the only user; inference plans share a model.
 * @param options  What to plan for; copied.
 * @param[out] plan  Set only on STOA_OK; release with stoa_plan_free().
 * Errors: STOA_ERR_SHAPE (loss does not fit), STOA_ERR_MEMORY (size overflows), STOA_ERR_ARGUMENT (also: a
 * layer to freeze that the model does not have, or nothing left to train).
 * Threads: one plan per thread.
 */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_create(stoa_context *context, stoa_model *model,
                                                      const stoa_plan_options *options, stoa_plan **plan);
/** Release `plan`, and its arena unless that is the caller's. NULL is allowed. */
STOA_API void stoa_plan_free(stoa_plan *plan);

/** Exact size of the arena of `plan`. */
STOA_API size_t stoa_plan_bytes(const stoa_plan *plan);
/** What the same values of `plan` would take without sharing. */
STOA_API size_t stoa_plan_bytes_unshared(const stoa_plan *plan);

/** Give `plan` its arena: `memory` of stoa_plan_bytes() bytes, 64-byte aligned, borrowed; or NULL to
 * allocate it with the context's allocator. Called once, before the first run. Errors: STOA_ERR_MEMORY,
 * STOA_ERR_ARGUMENT (not aligned, bound already). */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_bind(stoa_plan *plan, void *memory);

/** Where to write the next batch for the first input of `plan`: (batch, H, W, C) float32 inside the arena;
 * NULL before stoa_plan_bind(). Its content does not survive a run of an inference plan. */
STOA_API float *stoa_plan_input(stoa_plan *plan);
/** Where an input, an output or a kept layer lies in the arena of `plan`: the same place for all of the
 * plan's life. An input is written before each run, as its content survives one only where it is kept; the
 * others are read after a run, until the next one.
 *
 * @param plan  Bound.
 * @param name  Of an output (see stoa_model_output_at()), else of an input or a layer.
 * @return (batch, its shape) float32; NULL where there is none of this name, or it was not kept, or before
 * stoa_plan_bind(). */
STOA_API float *stoa_plan_activation(stoa_plan *plan, const char *name);
/** The gradient of what stoa_plan_activation() gives, in the same shape: of an input, to be read after a run
 * backwards of a `plan` with `input_gradients` (zeros where nothing leads from it to the loss); of an output
 * or a kept layer, to be written between stoa_plan_forward() and stoa_plan_backward(). NULL where there is
 * none. */
STOA_API float *stoa_plan_activation_gradient(stoa_plan *plan, const char *name);

/** Inference (evaluation mode) on samples that stand in stoa_plan_input().
 *
 * The same plan, samples and parameters give the same bits, on any number of threads. Algorithms and cuts are
 * chosen by the plan's batch, and rows of a product may be summed in another order at its edges: the outputs
 * of one sample may differ in the last bits between plans of other batches, with the number of samples of a
 * run and with its place among them.
 *
 * @param plan  Bound.
 * @param samples  1 to the plan's batch.
 * @param[out] output  (samples, output size) float32 inside the arena, valid until the next run.
 * Errors: STOA_ERR_ARGUMENT.
 * Memory: allocates nothing. */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_infer(stoa_plan *plan, size_t samples, const float **output);

/** What a loss is measured against: class numbers, or vectors of the output's size. */
typedef struct stoa_targets {
    const int32_t *labels; /**< (samples), 0 <= label < output size; for the cross entropies */
    const float *values;   /**< (samples, output size); for the other losses */
} stoa_targets;

/** Forward and backward on samples that stand in stoa_plan_input().
 *
 * @param plan  A training plan, bound.
 * @param samples  1 to the plan's batch.
 * @param targets  What the loss is measured against. Borrowed for the call.
 * @param seed  Of the training.
 * @param step  Number of the step: with `seed` it decides dropout's masks.
 * @param[out] loss  Mean over the samples, or over the weights of their classes where the loss says
 * `mean=weights`.
 * @param[out] output  (samples, output size), may be NULL.
 * Errors: STOA_ERR_NONFINITE: the loss is not finite; the sentence names the first layer whose output is not.
 * No gradient is valid then. */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_train(stoa_plan *plan, size_t samples, stoa_targets targets,
                                                     uint64_t seed, uint64_t step, double *loss,
                                                     const float **output);
/** Mean `*loss` and `*output` of `samples` samples against `targets` in evaluation mode, without gradients;
 * needs a `plan` with a loss. Errors: those of stoa_plan_train(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_evaluate(stoa_plan *plan, size_t samples, stoa_targets targets,
                                                        double *loss, const float **output);

/** The first half of a training step whose loss is the caller's: all layers in training mode, on samples that
 * stand in the inputs. Then the caller looks at the outputs and the kept layers, and writes the gradient of
 * its loss by them to stoa_plan_activation_gradient(), where all are zero: those of the `samples` first
 * samples, of a mean over them already divided by their number. stoa_plan_backward() does the rest.
 *
 * @param plan  Bound, and made with `training` and the loss "none".
 * @param samples  1 to the plan's batch.
 * @param seed  As for stoa_plan_train().
 * @param step  As for stoa_plan_train().
 * @param[out] output  The first output, (samples, output size), may be NULL.
 * Errors: STOA_ERR_ARGUMENT. Nothing is checked for values that are not finite.
 * Memory: allocates nothing. */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_forward(stoa_plan *plan, size_t samples, uint64_t seed,
                                                       uint64_t step, const float **output);
/** The second half: gradients of all parameters (stoa_plan_get_gradient()) and, where they are asked for, of
 * the inputs, from those that the caller has written. What the forward half has left in `plan` is used up:
 * each call follows a stoa_plan_forward() of its own, without another run of the plan between them. Errors:
 * STOA_ERR_ARGUMENT. Memory: allocates nothing. */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_backward(stoa_plan *plan);

/** What stoa_plan_observe() tells of a step, or of a part of one, that is done. */
typedef struct stoa_observed_step {
    const char *layer; /**< name of its layer, "loss" for the loss; belongs to the plan */
    const char *op;    /**< its operator */
    const char *pass;  /**< "forward" or "backward" */
    size_t step;       /**< its number; stoa_plan_step_at() describes it */
    double begin;      /**< when it began, in seconds of CLOCK_MONOTONIC in every thread */
    double end;        /**< when it ended */
    size_t thread;     /**< number of the thread, below the context's; 0: the one that called the run */
    size_t first;      /**< first of the samples that were computed */
    size_t samples;    /**< of them: all of the run, or a part beside which other threads compute others */
    size_t batch;      /**< samples of the run */
} stoa_observed_step;

/** Told of one `step`, valid during the call, with the `user` pointer given to stoa_plan_observe(). */
typedef void stoa_observe_fn(void *user, const stoa_observed_step *step);

/** Watch a plan: from now on every run of `plan` tells of each step as it ends, whoever runs it: inference,
 * evaluation, stoa_trainer_step() on stoa_trainer_plan(). Results keep their bits. A step of a section is
 * told of for each block of samples. A backward pass that is not run, as no parameter needs it, is not
 * told of, nor is a step that another one does (see stoa_plan_step's done_by). stoa_plan_trace() gives the
 * layers' outputs beside, of a plan that is layerwise.
 *
 * @param plan  Whose. Not while it runs.
 * @param observe  Told from whichever of the context's threads computed it, from several at once where steps
 * run in several at once; a thread's own steps are told in their order. It computes in the floating-point
 * state of the caller of the run, must not call the engine with this context, and what it takes is part of
 * the run's time. NULL: nobody is told any more.
 * @param user  Handed to `observe`.
 * Memory: allocates nothing. While nobody is told, a step costs one branch more. */
STOA_API void stoa_plan_observe(stoa_plan *plan, stoa_observe_fn *observe, void *user);

/** What stoa_plan_trace() tells of a step that is done. */
typedef struct stoa_traced_step {
    size_t step;    /**< its number; stoa_plan_step_at() describes it */
    size_t layer;   /**< index of its layer, see stoa_model_layer(); stoa_model_layer_count(): the loss */
    bool backward;  /**< the layer's backward pass; else its forward pass */
    double seconds; /**< it took */
    size_t samples; /**< in the run */
    size_t size;    /**< floats in the layer's output of one sample; 1 for the loss */
    const float *output; /**< of a forward pass: (samples, size) float32 in the shape that stoa_model_layer()
                            gives, channels last, or the loss of each sample; valid during the call.
                            NULL for a backward pass */
} stoa_traced_step;

/** Told of one `step`, valid during the call, with the `user` pointer given to stoa_plan_trace(). */
typedef void stoa_trace_fn(void *user, const stoa_traced_step *step);

/** A run of `plan` that tells of each step with the time that it took and what the layer gave, before a later
 * one may take its memory: activations of all layers, and where the time goes.
 *
 * @param plan  Bound, and made with `layerwise`: other plans do not keep what every layer gives. The samples
 * stand in stoa_plan_input().
 * @param samples  1 to the plan's batch.
 * @param targets  NULL: what stoa_plan_infer() runs. Else what stoa_plan_train() runs with seed 0 and step 0,
 * where `plan` is a training plan (running statistics move, no parameter does), or stoa_plan_evaluate().
 * @param tell  Called after each step, in the order of the run.
 * @param user  Handed to `tell`.
 * Errors: those of the call that it stands for, and STOA_ERR_ARGUMENT where the plan is not layerwise. */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_trace(stoa_plan *plan, size_t samples,
                                                     const stoa_targets *targets, stoa_trace_fn *tell,
                                                     void *user);

/** Gradient of tensor `index` (see stoa_model_tensor()) after stoa_plan_train() of `plan`, to `values` of
 * `count` floats in PyTorch's layout and order. After stoa_trainer_step() with `clip_value` or `clip_norm` it
 * is the clipped one, which the update took; weight decay is not in it. Errors: STOA_ERR_ARGUMENT (not
 * trainable, frozen, wrong count, not a training plan, not bound). */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_get_gradient(const stoa_plan *plan, size_t index,
                                                            float *values, size_t count);

/** One planned value, for people and tools; strings belong to the plan. */
typedef struct stoa_plan_value {
    const char *name; /**< "c1", "c1 gradient", "c1 saved", "c1 backward workspace", "gradients", ... */
    size_t rank;      /**< of one sample; 0 for values that are not tensors */
    size_t shape[STOA_MAX_RANK]; /**< of one sample */
    size_t bytes;  /**< of the whole batch, or of a block where only steps of one section touch it */
    size_t offset; /**< in the arena */
    size_t first;  /**< step of the run that it is there from */
    size_t last;   /**< last step that it is needed in */
    bool shares; /**< lies in the memory of another value: in place, or in a section's scratch, of which each
                        thread has one: `offset` is the first's */
} stoa_plan_value;

/** Number of values of `plan`. */
STOA_API size_t stoa_plan_value_count(const stoa_plan *plan);
/** Describe value `index` of `plan` in `*value`. Errors: STOA_ERR_ARGUMENT (there is none). */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_value_at(const stoa_plan *plan, size_t index,
                                                        stoa_plan_value *value);

/** One step of the run: an operator's forward or backward pass, done by itself or with another's. */
typedef struct stoa_plan_step {
    const char *layer;      /**< its name */
    const char *op;         /**< its operator */
    const char *pass;       /**< "forward" or "backward" */
    char algorithm[256];    /**< how it is computed, "" when there is only one way: "im2col, 10 tiles of 187
                            rows"; "none" for a backward pass that no parameter needs */
    size_t workspace_bytes; /**< scratch of the step */
    size_t live_bytes;      /**< bytes of all values that live during the step */
    const char *done_by; /**< name of the layer whose step does this one's work while its own results are in
                                 cache: itself, or where the engine has lowered it another. A loss whose
                                 forward pass gives its gradient does both passes in one step, and
                                 `algorithm` says so of the backward one */
    size_t section; /**< number, from 1, of the section whose steps run together over blocks of samples; 0:
                                 the step runs alone, over the whole batch */
    size_t block;   /**< most samples that it takes at a time */
} stoa_plan_step;

/** Number of steps of `plan`. */
STOA_API size_t stoa_plan_step_count(const stoa_plan *plan);
/** Describe step `index` of `plan` in `*step`. Errors: STOA_ERR_ARGUMENT (there is none). */
STOA_API STOA_MUST_CHECK stoa_status stoa_plan_step_at(const stoa_plan *plan, size_t index,
                                                       stoa_plan_step *step);

/** Options of stoa_gradcheck(). Zeros mean the default. */
typedef struct stoa_gradcheck_options {
    size_t batch;     /**< samples drawn; 2 */
    size_t samples;   /**< elements looked at in each tensor, beside one direction through all of them; 16 */
    uint64_t seed;    /**< of inputs, targets, dropout and the elements; taken as it is */
    double tolerance; /**< largest relative error that passes; 1e-5 */
    const char *freeze; /**< as in stoa_plan_options: layers that are not trained are not told of */
    const char *loss;   /**< as in stoa_plan_options; NULL: softmax_cross_entropy */
} stoa_gradcheck_options;

/** What stoa_gradcheck() found of one tensor, or of an input of the network. Errors are relative to the
 * tensor's largest gradient, or to a thousandth of the largest of all tensors where that is more. */
typedef struct stoa_gradcheck_result {
    const char *tensor; /**< "c1.weight", or the name of an input, "input" */
    size_t count;       /**< its elements */
    size_t checked;     /**< those looked at one by one */
    double largest;     /**< largest gradient */
    double error;       /**< largest difference between the double reference and finite differences */
    /** Largest difference between the engine's own gradient and the double reference; NAN for the input,
     * which has none. */
    double fast_error;
    bool passed; /**< error is within the tolerance, fast_error below 0.01, all are numbers */
} stoa_gradcheck_result;

/** Told of one `result`, valid during the call, with the `user` pointer given to stoa_gradcheck(). */
typedef void stoa_gradcheck_fn(void *user, const stoa_gradcheck_result *result);

/** Check the gradients of a network: the double reference of each operator against central differences of the
 * loss, and the engine's own gradients against the double reference, on drawn inputs and targets in training
 * mode.
 *
 * @param context  Receives the sentence of an error.
 * @param model  Built and initialised. Unchanged when the call returns; must have no other user during it.
 * @param options  Zeros for the defaults. Not kept.
 * @param tell  Called for every input and then for every trainable tensor.
 * @param user  Handed to `tell`.
 * Errors: those of stoa_plan_create() and stoa_plan_train(); a gradient that is wrong is not one of them. */
STOA_API STOA_MUST_CHECK stoa_status stoa_gradcheck(stoa_context *context, stoa_model *model,
                                                    const stoa_gradcheck_options *options,
                                                    stoa_gradcheck_fn *tell, void *user);

#ifdef __cplusplus
}
#endif
#endif
