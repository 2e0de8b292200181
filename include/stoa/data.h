/* SPDX-License-Identifier: MIT */
/** @file
 * Data sets: samples with what is to be learned of them, a class or numbers, read from files, drawn, or taken
 * from memory. */
#ifndef STOA_DATA_H
#define STOA_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Samples with labels. Data sets may share the memory that holds the samples; it goes with the last of
 * them. */
typedef struct stoa_dataset stoa_dataset;

/** Which part of a data set. */
typedef enum stoa_split {
    STOA_SPLIT_TRAIN, /**< what a model learns from */
    STOA_SPLIT_TEST   /**< what it is measured with */
} stoa_split;

/** Whether a table begins with a line of names. */
typedef enum stoa_header {
    STOA_HEADER_AUTO, /**< it does when no field of its first line is a number, the label's aside, or when
                         they count: 0, 1, 2, ... */
    STOA_HEADER_YES,  /**< it does */
    STOA_HEADER_NO    /**< it does not */
} stoa_header;

/** In which order the values of a sample lie in arrays and tables. */
typedef enum stoa_layout {
    STOA_LAYOUT_AUTO, /**< as fits the shape in the options; refused where both fit. Without a shape: NHWC */
    STOA_LAYOUT_NHWC, /**< pixel by pixel: height, width, channels */
    STOA_LAYOUT_NCHW  /**< plane by plane: channels, height, width, as PyTorch has them */
} stoa_layout;

/** How pictures of other sizes are brought to that of the options. */
typedef enum stoa_resize {
    STOA_RESIZE_NONE,   /**< they are not: all must have one size */
    STOA_RESIZE_FIT,    /**< scaled to fit, their sides in proportion, with black beside them */
    STOA_RESIZE_CROP,   /**< scaled to fill, their sides in proportion, and cut off on both sides */
    STOA_RESIZE_STRETCH /**< scaled in each direction by itself */
} stoa_resize;

/** What is to be learned of a sample. */
typedef enum stoa_task {
    STOA_TASK_AUTO,       /**< classes, or with `target` in the options regression */
    STOA_TASK_CLASSES,    /**< its class: one label a sample */
    STOA_TASK_REGRESSION, /**< numbers: any targets */
    STOA_TASK_MULTILABEL  /**< several labels, each of which it has or has not: targets of 1 and 0 */
} stoa_task;

/** What becomes of lines of a table that lack a value. A field is missing where it is empty, or NA, N/A, NaN,
 * null, None (in small or large letters), \<NA\> or ?. */
typedef enum stoa_missing {
    STOA_MISSING_REFUSE,       /**< an error that names the first */
    STOA_MISSING_DROP,         /**< they are left out; of samples that are only to be read it is an error */
    STOA_MISSING_MEAN,         /**< the column's mean; of categories the most frequent one */
    STOA_MISSING_MEDIAN,       /**< the column's median; of categories the most frequent one */
    STOA_MISSING_MOST_FREQUENT /**< the column's most frequent value, of equally frequent ones the smallest */
} stoa_missing;

/** What becomes of a category that the training data do not have. */
typedef enum stoa_unknown {
    STOA_UNKNOWN_REFUSE, /**< an error */
    STOA_UNKNOWN_ZERO    /**< all values of the column are 0 */
} stoa_unknown;

/** What the fields of a table's column are. */
typedef enum stoa_column_kind {
    STOA_COLUMN_NUMBER,   /**< numbers */
    STOA_COLUMN_CATEGORY, /**< texts; each makes a value that is 1 where the field is this text, else 0 */
    STOA_COLUMN_DATE      /**< dates or times after ISO 8601, as days since the beginning of 1970 */
} stoa_column_kind;

/** A column of a table that is an input. */
typedef struct stoa_column {
    const char *name;              /**< by the header; NULL: it has none of its own */
    stoa_column_kind kind;         /**< what its fields are */
    const char *const *categories; /**< of a category: all its texts, in the order of the values */
    size_t category_count;         /**< how many there are */
    float fill; /**< stands for missing fields: a number, days, or the number of a category; NAN: none does */
} stoa_column;

/** What readers are told; all zero is a good default. */
typedef struct stoa_data_options {
    size_t classes; /**< number of classes; 0: as many as the labels show */
    size_t height;  /**< with width and channels the shape to give to samples of as many values, such as the
                         lines of a table; 0: as the file has it */
    size_t width;   /**< see height */
    /** See height. A shape 1 x 1 x VALUES is a row: pictures and arrays of more than one channel come plane
     * by plane then, as flatten gives them. */
    size_t channels;
    const char *label;  /**< of a table: the label's column by name, or by number from 1; NULL: the last */
    stoa_header header; /**< of a table */
    stoa_layout layout; /**< of arrays and tables */
    const char *const *names; /**< names of the classes in their order, where labels are names; NULL: the
                                   data's own, sorted */
    size_t name_count;        /**< how many there are */
    /** A table's columns that are a sample's values, by name and in their order, where it has a header;
     * NULL: all but the label, in the order of the table. */
    const char *const *columns;
    size_t column_count; /**< how many there are */
    /** The name of the label's column, with `columns`; NULL: `label`, or the one column that is left. */
    const char *label_column;
    float test;    /**< share that becomes the test part of data which have none; 0: 0.2 */
    uint64_t seed; /**< decides which samples that are, and what digits are drawn */
    /** Bytes of samples to hold in memory: plain IDX and NPY files that are larger stay on disk, other data
     * refused; 0: no bound. */
    size_t memory;
    size_t samples;  /**< of drawn digits: how many; 0: 12000 */
    bool whole;      /**< do not divide data without a test part: all of them are the test part */
    bool unlabelled; /**< samples alone are wanted: labels need not be there, and are 0; like whole */
    stoa_task task;  /**< what is to be learned */
    /** A table's columns of targets, with a task of targets: "price, rooms", by names or by numbers from 1.
     * A name with a comma stands in double quotes. NULL: the last. */
    const char *target;
    const char *ignore;        /**< of a table: columns that are left out, the same way; NULL: none */
    const char *only;          /**< of a table: the columns that are inputs, the same way; NULL: all others */
    const char *categories;    /**< of a table: input columns of STOA_COLUMN_CATEGORY, the same way */
    const char *dates;         /**< of a table: input columns of STOA_COLUMN_DATE, the same way */
    stoa_missing missing;      /**< of a table: what becomes of lines that lack a value */
    stoa_unknown unknown;      /**< of a table: what becomes of categories that `fitted` does not have */
    const stoa_column *fitted; /**< of a table: its input columns as stoa_dataset_column() told them of the
                                  data that were learned from; NULL: they are found here */
    size_t fitted_count;       /**< how many there are */
    stoa_resize resize;        /**< of pictures: whether those of any size are brought to height x width */
} stoa_data_options;

/** Read a data set given as a file or a folder, whatever it holds: a folder with IDX pairs, see
 * stoa_dataset_open(); a table NAME.csv, NAME.tsv or NAME.txt, see stoa_dataset_open_csv(), or a folder with
 * one NAME.csv or NAME.tsv, or with train.csv and test.csv (or .tsv); NAME.npz, or a folder with one, or
 * with .npy files, whose arrays are called x_train, y_train, x_test and y_test, or x and y (also images,
 * data, features, labels, target and the like, in any case and order of words), or which are told by their
 * shapes where names say nothing and only one way fits; a folder of folders of pictures, see
 * stoa_dataset_open_pictures(), or one with two such folders, train and test. Parts may be called training
 * and testing too; without a test part, val, valid, validation or dev is taken for one, and train alone, of
 * pictures and arrays, is divided. CIFAR-10 and CIFAR-100 are read in their binary version, in the folder or
 * in one within it called as the archives unpack; of the latter the label in the options is "fine", which
 * NULL means too, or "coarse". The path "digits", where nothing has this name, means drawn ones, see
 * stoa_dataset_draw_digits().
 *
 * Of data without a test part some samples of each class become the test part, see stoa_dataset_split().
 * What fills missing values is found in the training part alone; the categories of a table that is divided
 * here are those of all of it.
 *
 * @param context  Borrowed; must outlive the data sets.
 * @param path  The file or folder.
 * @param options  How to read; NULL: the defaults.
 * @param[out] train  What to learn from; NULL: not wanted. Set only on STOA_OK; release with
 * stoa_dataset_free().
 * @param[out] test  What to measure with; the same. With `whole` or `unlabelled`, all of data that have no
 * test part; `train` must be NULL then.
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT, STOA_ERR_ARGUMENT (an option), STOA_ERR_MEMORY;
 * the sentence names the file, and the line or offset. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_load(stoa_context *context, const char *path,
                                                       const stoa_data_options *options, stoa_dataset **train,
                                                       stoa_dataset **test);

/** Read the IDX pair of a split from a folder: train-images-idx3-ubyte and train-labels-idx1-ubyte, or
 * t10k-... or test-...; in any case, each plain or with ".gz", also with a '.' instead of the '-' before
 * "idx", with another type or nothing behind, with the set's name in front, also in a folder of the file's
 * name. Where one of them is empty the next is taken. Values are numbers of any type that IDX has, of 1 to 4
 * dimensions; unsigned bytes become p / 255, all others keep their value. Labels are whole numbers of any
 * type, or rows that are 1 at their class and 0 elsewhere.
 *
 * @param context  Borrowed; must outlive the data set.
 * @param folder  Path of the folder.
 * @param split  Which pair.
 * @param classes  Number of classes: labels must be smaller.
 * @param[out] dataset  Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT (wrong magic, truncated, longer than its header
 * says, counts that differ, a label out of range, a value that is not finite, files of two sets),
 * STOA_ERR_MEMORY. The sentence names the file.
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
/** Read a table of comma-separated values: a line a sample, a column a value, one of them the label.
 * Semicolons or tabs may stand for the commas: what separates fields is what the first lines all have equally
 * often. Numbers may have a decimal comma, where no number has a point and one of the commas can be no mark
 * between thousands, as in 12,345.
 *
 * A first column without a name, as pandas and R write row numbers, is passed over. With `columns` a table
 * that has a header gives its values in that order, whatever its own; other columns than those and the label
 * are passed over. The context's log gets a line about what was passed over or taken for a header.
 *
 * Every other column is an input, but those that the options leave out. A line in the log says what the
 * columns become where they are not all numbers.
 *
 * Fields may stand in double quotes, and then hold commas, quotes (doubled) and line ends; lines end in LF
 * or CRLF; empty lines are passed over. Numbers have a '.' as their point, whatever the locale; true and
 * false are 1 and 0, which the log is told. Labels are numbers from 0, or else names, whose classes are in
 * their sorted order (by number where all are whole numbers). Dates are YYYY-MM-DD, also with a time behind
 * a T or a space, HH:MM, HH:MM:SS or HH:MM:SS.FRACTION, and Z or an offset +HH:MM; without one they count as
 * UTC. As float32 days of this century tell times to three minutes.
 *
 * @param context  Borrowed; must outlive the data set.
 * @param path  The file.
 * @param options  All but memory, samples, test, seed and whole; NULL: the defaults. Without a shape a
 * sample is 1x1xVALUES.
 * @param[out] dataset  Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT (lines of unlike length, a layout that cannot be
 * known, text for a number, a number that is not finite, a missing value, a category that is not known, a
 * quote out of place, too many classes), STOA_ERR_ARGUMENT (no such column, options that exclude each
 * other), STOA_ERR_MEMORY. The sentence begins with FILE:LINE. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_open_csv(stoa_context *context, const char *path,
                                                           const stoa_data_options *options,
                                                           stoa_dataset **dataset);
/** stoa_dataset_open_csv() from `data` of `bytes` bytes, copied; `name` stands in sentences for the path. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_from_csv_memory(stoa_context *context, const char *name,
                                                                  const void *data, size_t bytes,
                                                                  const stoa_data_options *options,
                                                                  stoa_dataset **dataset);

/** Read NumPy's arrays from two .npy files, versions 1 to 3, in either byte order, in C or Fortran order: of
 * booleans, whole numbers of 8 to 64 bits or floats of 16 to 64 bits.
 *
 * @param context  Borrowed; must outlive the data set.
 * @param samples  Shape (count), (count, values), (count, height, width), (count, height, width, channels)
 * or, see stoa_layout, (count, channels, height, width). uint8 become value / 255, all others keep their
 * value.
 * @param labels  Shape (count): numbers of classes from 0, of any type, or texts (U or S), which are the
 * names of the classes as in a table; or (count, classes): 1 at the class and 0 elsewhere. With a task of
 * targets (count) or (count, targets), of any type. With `unlabelled` it is not read and may be NULL.
 * @param options  task, classes, the shape, layout, unlabelled; NULL: the defaults.
 * @param[out] dataset  Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT (another type, a damaged header, a length that
 * does not fit it, a layout that cannot be known, a value that is not finite, counts that differ, a label
 * out of range), STOA_ERR_ARGUMENT (Fortran order in a file that is to stay on disk), STOA_ERR_MEMORY. The
 * sentence names the file and the offset. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_open_npy(stoa_context *context, const char *samples,
                                                           const char *labels,
                                                           const stoa_data_options *options,
                                                           stoa_dataset **dataset);
/** stoa_dataset_open_npy() from memory: `samples` of `samples_bytes` and `labels` of `labels_bytes` bytes.
 * Copied, the buffers may go afterwards. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_from_npy_memory(stoa_context *context, const void *samples,
                                                                  size_t samples_bytes, const void *labels,
                                                                  size_t labels_bytes,
                                                                  const stoa_data_options *options,
                                                                  stoa_dataset **dataset);
/** stoa_dataset_open_npy() from two arrays of an .npz archive, stored or deflated, below 4 GiB.
 *
 * @param context  Borrowed; must outlive the data set.
 * @param path  The archive.
 * @param samples  Name of the array of samples, such as "x_train".
 * @param labels  Name of the array of labels.
 * @param options  As for stoa_dataset_open_npy().
 * @param[out] dataset  Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: as stoa_dataset_open_npy(); STOA_ERR_NOT_FOUND also for an array that is not there. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_open_npz(stoa_context *context, const char *path,
                                                           const char *samples, const char *labels,
                                                           const stoa_data_options *options,
                                                           stoa_dataset **dataset);
/** stoa_dataset_open_npz() from `data` of `bytes` bytes, copied; `name` stands in sentences for the path. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_from_npz_memory(stoa_context *context, const char *name,
                                                                  const void *data, size_t bytes,
                                                                  const char *samples, const char *labels,
                                                                  const stoa_data_options *options,
                                                                  stoa_dataset **dataset);

/** Read PNG and JPEG pictures from a folder that has a folder for each class. Their content tells what they
 * are, whatever their names. Classes are in the sorted order of the folders' names (by number where all are
 * whole numbers), pictures in that of theirs. Values are as stoa_image_read() gives them, or with `resize`
 * from 0 to 1 in steps of 1 / 255 where no picture has 16 bits. Without `resize` all must have one size,
 * which is that of the options where they say height and width. Hidden files and what systems leave behind
 * (Thumbs.db) are passed over; other files are left out. The context's log is told in a line what was left
 * out, and in another one how many pictures lost their colours, got some, were laid on black, have 16 bits,
 * were turned upright as their EXIF data say, and were brought to another size.
 *
 * @param context  Borrowed; must outlive the data set.
 * @param folder  Path of the folder.
 * @param options  classes, channels (1: grey, 3: colour; 0: colour where a picture has it), resize with
 * height and width, names; NULL: the defaults.
 * @param[out] dataset  Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT (no folders, or not as many as classes; a folder
 * without pictures, or with folders; a damaged picture, a file that only its name says to be one, or one of
 * another size than the first), STOA_ERR_ARGUMENT (resize without a size), STOA_ERR_MEMORY. The sentence
 * names the file. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_open_pictures(stoa_context *context, const char *folder,
                                                                const stoa_data_options *options,
                                                                stoa_dataset **dataset);

/** Draw pictures of digits, to try things without data: light on dark, strokes with random slant, size,
 * place, thickness and noise. Sample i shows the digit i % 10; the seed and i alone decide its pixels.
 *
 * @param context  Borrowed; must outlive the data set.
 * @param count  How many, >= 1.
 * @param height  Of a picture, 8 to 1024.
 * @param width  Of a picture, 8 to 1024.
 * @param seed  Another one, other pictures.
 * @param[out] dataset  Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: STOA_ERR_ARGUMENT, STOA_ERR_FORMAT (more than memory can hold), STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_draw_digits(stoa_context *context, size_t count,
                                                              size_t height, size_t width, uint64_t seed,
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
/** stoa_dataset_from_arrays() of samples with targets for labels.
 *
 * @param context  Borrowed; must outlive the data set.
 * @param samples  (count, height, width, channels) float32. Borrowed; must outlive the data set.
 * @param targets  (count, target_count) float32, finite; 0 or 1 with STOA_TASK_MULTILABEL. Borrowed as well.
 * @param task  STOA_TASK_REGRESSION or STOA_TASK_MULTILABEL.
 * @param count  Number of samples, >= 1.
 * @param height  Of a sample, >= 1.
 * @param width  Of a sample, >= 1.
 * @param channels  Of a sample, >= 1.
 * @param target_count  Number of targets, >= 1.
 * @param[out] dataset  Set only on STOA_OK; release with stoa_dataset_free().
 * Errors: STOA_ERR_ARGUMENT (an array or a size is missing, sizes overflow, another task, a target that is
 * not as it must be), STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_from_targets(stoa_context *context, const float *samples,
                                                               const float *targets, stoa_task task,
                                                               size_t count, size_t height, size_t width,
                                                               size_t channels, size_t target_count,
                                                               stoa_dataset **dataset);
/** Release `dataset`. NULL is allowed. */
STOA_API void stoa_dataset_free(stoa_dataset *dataset);

/** Divide a data set into two parts with the same shares of all classes; one with targets as if all samples
 * were of one class.
 *
 * @param dataset  Unchanged; the parts share its samples and begin with its normalisation, and it may be
 * released before them.
 * @param share  Of the samples that go to `second`, above 0 and below 1: of each class the nearest number,
 * at least one, and at least one stays.
 * @param seed  Which ones. The parts keep the order of the whole.
 * @param[out] first  Set only on STOA_OK; release with stoa_dataset_free().
 * @param[out] second  The same.
 * Errors: STOA_ERR_ARGUMENT (`share`), STOA_ERR_FORMAT (a class has one sample only), STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_split(const stoa_dataset *dataset, double share,
                                                        uint64_t seed, stoa_dataset **first,
                                                        stoa_dataset **second);

/** Measure mean and standard deviation of the values of `dataset`, not normalised, for each channel: of a
 * table, for each column.
 *
 * @param dataset  Usually a training set.
 * @param[out] mean  A number for each channel.
 * @param[out] deviation  The same, of the population; 1 where all values are equal.
 * Errors: STOA_ERR_MEMORY, STOA_ERR_IO (see stoa_dataset_check()). */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_measure(const stoa_dataset *dataset, float *mean,
                                                          float *deviation);
/** stoa_dataset_normalize() with a pair of `mean` and `deviation` for each channel of `dataset`; both are
 * copied. Errors: STOA_ERR_ARGUMENT, STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_normalize_channels(stoa_dataset *dataset, const float *mean,
                                                                     const float *deviation);

/** Whether the values of `dataset` are pixels, stored as bytes, which it gives as p / 255, or read from
 * pictures, so that they lie between 0 and 1 whatever the darkest and the brightest are. */
STOA_API bool stoa_dataset_is_pixels(const stoa_dataset *dataset);
/** Find the smallest and the largest value of `dataset`, not normalised: 0 and 1 of pixels, else as measured.
 *
 * @param dataset  All of its samples are read.
 * @param[out] low  The smallest value.
 * @param[out] high  The largest value.
 * Errors: STOA_ERR_MEMORY, STOA_ERR_IO (see stoa_dataset_check()). */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_range(const stoa_dataset *dataset, float *low, float *high);

/** Measure mean and standard deviation of each target of `dataset`, not normalised.
 *
 * @param dataset  Usually a training set.
 * @param[out] mean  stoa_dataset_targets() numbers.
 * @param[out] deviation  The same, of the population; 1 where all values are equal. */
STOA_API void stoa_dataset_measure_targets(const stoa_dataset *dataset, float *mean, float *deviation);
/** Shift and scale what stoa_dataset_read_targets() gives of `dataset`, (target - mean) / deviation, a pair
 * of `mean` and `deviation` for each target; both are copied. Losses are of such targets; other figures, as
 * those of stoa_evaluate_targets(), are of the targets as they were. Errors: STOA_ERR_ARGUMENT (not finite,
 * deviation not > 0, a task other than regression), STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_normalize_targets(stoa_dataset *dataset, const float *mean,
                                                                    const float *deviation);

/** Count the samples of each class of `dataset`: stoa_dataset_classes() numbers to `counts`. */
STOA_API void stoa_dataset_class_counts(const stoa_dataset *dataset, size_t *counts);
/** Weights that make up for rare classes: the largest count of a class of `dataset` / this class's count,
 * stoa_dataset_classes() numbers to `weights`. Errors: STOA_ERR_FORMAT (a class without a sample),
 * STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_class_weights(const stoa_dataset *dataset, float *weights);

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
/** What is to be learned of `dataset`: never STOA_TASK_AUTO. */
STOA_API stoa_task stoa_dataset_task(const stoa_dataset *dataset);
/** Number of classes of `dataset`; 0 with targets. */
STOA_API size_t stoa_dataset_classes(const stoa_dataset *dataset);
/** Name of class `class_number` of `dataset`, or NULL where labels are numbers. Belongs to the data set. */
STOA_API const char *stoa_dataset_class_name(const stoa_dataset *dataset, size_t class_number);
/** Number of targets of `dataset`; 0 with classes. */
STOA_API size_t stoa_dataset_targets(const stoa_dataset *dataset);
/** Name of target `target` of `dataset`, or NULL where it has none. Belongs to the data set. */
STOA_API const char *stoa_dataset_target_name(const stoa_dataset *dataset, size_t target);
/** Number of columns of the table `dataset` that are inputs; 0 of what is no table. */
STOA_API size_t stoa_dataset_columns(const stoa_dataset *dataset);
/** Say in `*column` what input column `index` of `dataset` is. It belongs to the data set. */
STOA_API void stoa_dataset_column(const stoa_dataset *dataset, size_t index, stoa_column *column);
/** Name of value `column` of a sample of the table `dataset`: that of its column, or COLUMN=CATEGORY; NULL
 * without a header, with a column that has no name or that of another, and past the last. Belongs to the data
 * set. */
STOA_API const char *stoa_dataset_column_name(const stoa_dataset *dataset, size_t column);
/** Name of the label's column of the table `dataset`, or NULL without a header or a label. Belongs to the
 * data set. */
STOA_API const char *stoa_dataset_label_name(const stoa_dataset *dataset);
/** What `dataset` was read from: "idx", "csv", "npy", "npz", "cifar", "pictures", "digits" or
 * "arrays". Static storage. */
STOA_API const char *stoa_dataset_format(const stoa_dataset *dataset);
/** Type in which `dataset` holds its values, by NumPy's name: "uint8", "float32", "int16", "bool". Static
 * storage. */
STOA_API const char *stoa_dataset_type(const stoa_dataset *dataset);
/** A checksum of what `dataset` was read as: of its values in the order and the type that it holds them in,
 * of its labels, and of which samples are its own. The normalisation has no part in it, nor the machine's
 * order of bytes. Of a set of more than 256 MiB the values of evenly chosen samples count, and all labels.
 *
 * @param dataset  All of it is read.
 * @param[out] fingerprint  Set only on STOA_OK.
 * Errors: STOA_ERR_MEMORY, STOA_ERR_IO (see stoa_dataset_check()). */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_fingerprint(const stoa_dataset *dataset,
                                                              uint32_t *fingerprint);
/** Shape of one sample of `dataset`: `*height` x `*width` x `*channels`. */
STOA_API void stoa_dataset_shape(const stoa_dataset *dataset, size_t *height, size_t *width,
                                 size_t *channels);

/** Copy the targets of samples, normalised, as stoa_dataset_read() copies samples.
 *
 * @param dataset  Where from; one with targets.
 * @param index  As for stoa_dataset_read().
 * @param first  The same.
 * @param samples  How many.
 * @param[out] targets  (samples, stoa_dataset_targets()) float32.
 * Memory: allocates nothing. Threads: a data set may be read from several threads. */
STOA_API void stoa_dataset_read_targets(const stoa_dataset *dataset, const size_t *index, size_t first,
                                        size_t samples, float *targets);

/** Copy samples, normalised, and their labels.
 *
 * @param dataset  Where from.
 * @param index  Which samples; NULL: `first`, first + 1, ... Every index must be < stoa_dataset_count()
 * (asserted).
 * @param first  First sample when `index` is NULL.
 * @param samples  How many.
 * @param[out] out  (samples, height, width, channels) float32.
 * @param[out] labels  (samples); zeros of a data set with targets.
 * What of data on disk (see stoa_data_options) cannot be read any more is NaN: see stoa_dataset_check().
 * Memory: allocates nothing. Threads: a data set may be read from several threads. */
STOA_API void stoa_dataset_read(const stoa_dataset *dataset, const size_t *index, size_t first,
                                size_t samples, float *out, int32_t *labels);

/** Say whether everything that was read of `dataset` so far is what was opened. Data in memory always are. Of
 * data on disk (see stoa_data_options) a read that fails, or after which the file has another size or time of
 * change, is an error that stays. stoa_train(), stoa_evaluate() and stoa_dataset_measure() ask by themselves.
 * Errors: STOA_ERR_IO. Threads: not while another uses the context. */
STOA_API STOA_MUST_CHECK stoa_status stoa_dataset_check(const stoa_dataset *dataset);

/** Bring the samples of an epoch into random order. Of data that stay on disk (see stoa_data_options), only
 * within windows that half of their memory holds, one after the other in the order of the file; borders
 * between windows lie elsewhere in every epoch. The order follows from `seed`, `epoch`, the data and their
 * memory, and from nothing else.
 *
 * @param dataset  Whose samples they are.
 * @param seed  Another one, another order.
 * @param epoch  The same.
 * @param[in,out] index  Numbers of samples, ascending, to be shuffled.
 * @param count  How many. */
STOA_API void stoa_dataset_shuffle(const stoa_dataset *dataset, uint64_t seed, size_t epoch, size_t *index,
                                   size_t count);

/** Read a PNG or JPEG of any size, grey or colour, with or without transparency, as one grey digit image of
 * height x width in [0, 1], light on dark, the way MNIST is: the ink's box is scaled to 20/28 of the size and
 * centred by its centre of mass. Which of light and dark is ink is told by the border.
 *
 * @param context  Receives the sentence of an error.
 * @param path  The file.
 * @param height  Of the image to make, >= 1.
 * @param width  Of the image to make, >= 1.
 * @param[out] out  height * width floats; untouched on an error.
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_image_read_digit(stoa_context *context, const char *path,
                                                           size_t height, size_t width, float *out);

/** Read a PNG or JPEG as the values that its file stores, from 0 to 1: value / 255, of 16 bits value / 65535;
 * palettes are looked up; gamma and colour profiles change nothing. Colours become grey as their ITU-R BT.601
 * luma, rounded to the picture's depth; transparent pixels go on black, half transparent ones half as bright.
 * A picture is upright as its EXIF data say. Inks (CMYK) let through as much light as Adobe's programs mean.
 *
 * @param context  Receives the sentence of an error.
 * @param path  The file.
 * @param height  That it must have.
 * @param width  That it must have.
 * @param channels  1: grey, 3: red, green and blue. With 1x1 pixels any other number is a row of values:
 * those of a grey picture with as many pixels, or of a third of it in colour, plane by plane as flatten gives
 * them.
 * @param[out] out  height * width * channels floats; untouched on an error.
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT, STOA_ERR_SHAPE (another size), STOA_ERR_ARGUMENT
 * (channels), STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_image_read(stoa_context *context, const char *path, size_t height,
                                                     size_t width, size_t channels, float *out);

#ifdef __cplusplus
}
#endif
#endif
