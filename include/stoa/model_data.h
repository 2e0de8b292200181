/* SPDX-License-Identifier: MIT */
/** @file
 * The data of a model: what it was trained on is opened again, and other samples are brought to the values
 * that it learned from.
 *
 * A model says of its data what the recipe's [data] says, as facts named "data.KEY": how they are read,
 * "data.mean" and "data.deviation" (one number, or one a channel, with spaces between) or "data.normalize" =
 * "measured" before a training has measured them. A training adds "data.path" (where the data were),
 * "data.format", "data.names" (of the classes) and "data.columns" (both arrays of JSON),
 * "data.label_column", "data.table" (what the columns of a table are: their categories, what fills missing
 * fields), "data.task" and "data.target" where targets are learned, "data.target_mean" and
 * "data.target_deviation" where they are scaled, "data.range" (smallest and largest value) and "data.white"
 * (the value of white, where the data are pictures). */
#ifndef STOA_MODEL_DATA_H
#define STOA_MODEL_DATA_H

#include "data.h"
#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Open the data to measure a model with, read and normalised as it says.
 *
 * Pixels are brought to the range of those that the model was trained on. Numbers that are plainly of another
 * range are refused.
 *
 * @param context  The model's, or another. Borrowed; must outlive the data set.
 * @param model  Built, or loaded.
 * @param path  A file or folder, see stoa_dataset_load(); NULL: "data.path", or else "data.set" in the
 * current folder.
 * @param whole  Take all samples of data without a test part, not those that a training leaves out.
 * @param[out] test  The test part. Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: those of stoa_dataset_load(); STOA_ERR_FORMAT (a fact that cannot be read, or another range of
 * values), STOA_ERR_ARGUMENT (no path, and none in the model). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_open_data(stoa_context *context, const stoa_model *model,
                                                          const char *path, bool whole, stoa_dataset **test);

/** Open the data to train a model with: as stoa_model_open_data(), both parts. What the training data show
 * becomes facts of the model and travels with its file: their names of classes and columns, their range, what
 * is to be measured on them, and, where the recipe says weights = measured, a loss that weighs rare classes
 * up. stoa_model_fact(model, "loss") is the loss to train with.
 *
 * @param context  As for stoa_model_open_data().
 * @param model  Its facts change, on an error too.
 * @param path  As for stoa_model_open_data(); becomes "data.path".
 * @param[out] train  Set only on STOA_OK; release with stoa_dataset_free().
 * @param[out] test  The same.
 * Errors: those of stoa_model_open_data(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_open_training_data(stoa_context *context, stoa_model *model,
                                                                   const char *path, stoa_dataset **train,
                                                                   stoa_dataset **test);

/** Open samples that are to be classified, or whose targets are to be found: a table NAME.csv, NAME.tsv or
 * NAME.txt, arrays NAME.npy or NAME.npz, images in an IDX file, a picture in PNG or JPEG, or a folder with
 * data, see stoa_dataset_load(), of which the test part is taken, or all where there is none. Labels and
 * targets are not looked at, but for those that lie beside images in IDX and for folders of pictures, and are
 * 0 in files. A picture is read by stoa_image_read() for a model of colours or one that was trained on
 * pictures, and brought to the size of its input as its fact "data.resize" says, else by
 * stoa_image_read_digit().
 *
 * @param context  As for stoa_model_open_data().
 * @param model  As for stoa_model_open_data().
 * @param path  The file or folder.
 * @param[out] samples  Normalised, in the shape of the model's input; its format is "pictures" for a
 * picture, and stoa_dataset_class_name() or stoa_dataset_target_name() gives the names that the model knows.
 * Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: those of stoa_model_open_data(), STOA_ERR_SHAPE (samples of another shape). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_open_samples(stoa_context *context, const stoa_model *model,
                                                             const char *path, stoa_dataset **samples);

/** Bring samples of one's own to the values that a model takes: (value - mean) / deviation.
 *
 * @param context  Receives the sentence of an error.
 * @param model  Built, or loaded.
 * @param pixels  They are pixels from 0 to 1, which are scaled to the range of the training data first; else
 * they have that range already.
 * @param[in,out] values  (count, height, width, channels) of the model's input; unchanged on an error.
 * @param count  Number of samples.
 * Errors: STOA_ERR_FORMAT (a fact that cannot be read; pixels for a model whose range is another). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_normalize(stoa_context *context, const stoa_model *model,
                                                          bool pixels, float *values, size_t count);

/** Bring what a model gives into the units of the targets that it was trained on, where the recipe had them
 * scaled: output * deviation + mean. Other outputs stay as they are.
 *
 * @param context  Receives the sentence of an error.
 * @param model  Built, or loaded.
 * @param[in,out] outputs  (count, output size); unchanged on an error.
 * @param count  Number of samples.
 * Errors: STOA_ERR_FORMAT (a fact that cannot be read). */
STOA_API STOA_MUST_CHECK stoa_status stoa_model_restore_targets(stoa_context *context,
                                                                const stoa_model *model, float *outputs,
                                                                size_t count);

#ifdef __cplusplus
}
#endif
#endif
