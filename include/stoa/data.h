/** @file
 * Data sets: images with class labels, read from IDX files or taken from memory. */
#ifndef STOA_DATA_H
#define STOA_DATA_H

#include <stdint.h>

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Images with labels. */
typedef struct stoa_dataset stoa_dataset;

/** Which part of a data set. */
typedef enum stoa_split {
    STOA_SPLIT_TRAIN, /**< what a model learns from */
    STOA_SPLIT_TEST   /**< what it is measured with */
} stoa_split;

/** Read the IDX pair of a split from a folder: train-images-idx3-ubyte and train-labels-idx1-ubyte, or
 * t10k-...; each plain or with ".gz", also with a '.' instead of the '-' before "idx". Pixels become p / 255.
 *
 * @param context  Borrowed; must outlive the data set.
 * @param folder  Path of the folder.
 * @param split  Which pair.
 * @param classes  Number of classes: labels must be smaller.
 * @param[out] dataset  Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT (wrong magic, truncated, longer than its header
 * says, counts that differ, a label out of range), STOA_ERR_MEMORY. The sentence names the file.
 */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_open(stoa_context *context, const char *folder,
                                                       stoa_split split, size_t classes,
                                                       stoa_dataset **dataset);
/** stoa_dataset_open() from two files, `images` and `labels`, plain or gzip (told by their content). */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_open_idx(stoa_context *context, const char *images,
                                                           const char *labels, size_t classes,
                                                           stoa_dataset **dataset);
/** stoa_dataset_open_idx() from memory: `images` of `images_bytes` and `labels` of `labels_bytes` bytes.
 * Copied, the buffers may go afterwards. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_from_idx_memory(stoa_context *context, const void *images,
                                                                  size_t images_bytes, const void *labels,
                                                                  size_t labels_bytes, size_t classes,
                                                                  stoa_dataset **dataset);
/** A data set over the caller's own arrays.
 *
 * @param context  Borrowed; must outlive the data set.
 * @param samples  (count, height, width, channels) float32. Borrowed; must outlive the data set.
 * @param labels  (count), 0 <= label < classes. Borrowed as well.
 * @param count  Number of samples, >= 1.
 * @param height  Of a sample, >= 1.
 * @param width  Of a sample, >= 1.
 * @param channels  Of a sample, >= 1.
 * @param classes  Number of classes.
 * @param[out] dataset  Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: STOA_ERR_ARGUMENT (an array or a size is missing, sizes overflow, a label out of range),
 * STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_from_arrays(stoa_context *context, const float *samples,
                                                              const int32_t *labels, size_t count,
                                                              size_t height, size_t width, size_t channels,
                                                              size_t classes, stoa_dataset **dataset);
/** Release `dataset`. NULL is allowed. */
STOA_API void stoa_dataset_free(stoa_dataset *dataset);

/** Shift and scale what stoa_dataset_read() gives of `dataset`: (value - mean) / deviation. The default is 0
 * and 1.
 * Errors: STOA_ERR_ARGUMENT (not finite, deviation not > 0). */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_normalize(stoa_dataset *dataset, float mean,
                                                            float deviation);

/** Keep only the first `count` samples of `dataset`, 1 <= count <= stoa_dataset_count(). Errors:
 * STOA_ERR_ARGUMENT. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_limit(stoa_dataset *dataset, size_t count);

/** Number of samples in `dataset`. */
STOA_API size_t stoa_dataset_count(const stoa_dataset *dataset);
/** Number of classes of `dataset`. */
STOA_API size_t stoa_dataset_classes(const stoa_dataset *dataset);
/** Shape of one sample of `dataset`: `*height` x `*width` x `*channels`. */
STOA_API void stoa_dataset_shape(const stoa_dataset *dataset, size_t *height, size_t *width,
                                 size_t *channels);

/** Copy samples, normalised, and their labels.
 *
 * @param dataset  Where from.
 * @param index  Which samples; NULL: `first`, first + 1, ... Every index must be < stoa_dataset_count()
 * (asserted).
 * @param first  First sample when `index` is NULL.
 * @param samples  How many.
 * @param[out] out  (samples, height, width, channels) float32.
 * @param[out] labels  (samples).
 * Memory: allocates nothing. Threads: a data set may be read from several threads. */
STOA_API void stoa_dataset_read(const stoa_dataset *dataset, const size_t *index, size_t first,
                                size_t samples, float *out, int32_t *labels);

/** Read a PNG of any size, grey or colour, with or without transparency, as one grey digit image of
 * height x width in [0, 1], light on dark, the way MNIST is: the ink's box is scaled to 20/28 of the size and
 * centred by its centre of mass. Which of light and dark is ink is told by the border.
 *
 * @param context  Receives the sentence of an error.
 * @param path  The PNG file.
 * @param height  Of the image to make, >= 1.
 * @param width  Of the image to make, >= 1.
 * @param[out] out  height * width floats; untouched on an error.
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_image_read_digit(stoa_context *context, const char *path,
                                                           size_t height, size_t width, float *out);

#ifdef __cplusplus
}
#endif
#endif
