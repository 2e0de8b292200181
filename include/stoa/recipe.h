/* SPDX-License-Identifier: MIT */
/** @file
 * Recipes: INI files that hold a network, its data and its training. */
#ifndef STOA_RECIPE_H
#define STOA_RECIPE_H

#include "train.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A recipe that has been read. Threads may share it; none may use it while stoa_recipe_set() changes it. */
typedef struct stoa_recipe stoa_recipe;

/** Read a recipe from a file.
 *
 * @param context  Receives the sentence of an error.
 * @param path  The file.
 * @param[out] recipe  Set only on STOA_OK; release with stoa_recipe_free().
 * Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT, STOA_ERR_ARGUMENT, STOA_ERR_SHAPE; the sentence
 * begins with FILE:LINE. */
STOA_API STOA_MUST_CHECK stoa_status stoa_recipe_load(stoa_context *context, const char *path,
                                                      stoa_recipe **recipe);
/** stoa_recipe_load() from `text` of `bytes` bytes, copied; `name` stands in error sentences for the path. */
STOA_API STOA_MUST_CHECK stoa_status stoa_recipe_load_memory(stoa_context *context, const char *name,
                                                             const char *text, size_t bytes,
                                                             stoa_recipe **recipe);
/** Release `recipe`. NULL is allowed. */
STOA_API void stoa_recipe_free(stoa_recipe *recipe);

/** Let the recipe say something else, as if the line stood in its file: `--lr 3e-3` of the command is
 * stoa_recipe_set(context, recipe, "train.lr", "3e-3"). What is said is a part of stoa_recipe_text(), too.
 *
 * @param context  Receives the sentence of an error.
 * @param recipe  Changed; as it was on an error. Strings of an earlier stoa_recipe_describe() end here.
 * @param key  SECTION.KEY, such as "data.classes"; the name of a key alone, such as "lr" or "title"; or a
 * layer of the recipe or its input, such as "model.c1".
 * @param value  As behind the '=' of a line.
 * Errors: STOA_ERR_ARGUMENT (no such key, a value that it does not take), STOA_ERR_SHAPE (layers do not fit),
 * STOA_ERR_MEMORY. What keys need of each other is checked by stoa_recipe_model() and stoa_train(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_recipe_set(stoa_context *context, stoa_recipe *recipe,
                                                     const char *key, const char *value);
/** `recipe` as the text of a recipe, which says the same when it is read again: every key and layer that was
 * given or set, a line each, without comments. Belongs to the recipe, valid until stoa_recipe_set(). */
STOA_API const char *stoa_recipe_text(const stoa_recipe *recipe);

/** What one key of a recipe can say. Static storage. */
typedef struct stoa_recipe_key {
    const char *section;  /**< "data" or "train"; "" for what stands before the first section */
    const char *name;     /**< with the section, as stoa_recipe_set() takes it: "train" and "lr" */
    const char *fallback; /**< the default as text; "" for none */
    const char *meaning;  /**< a few words */
    char expected[160];   /**< what a value must be: "a number from 1 to 1000000" */
} stoa_recipe_key;

/** Say in `*key` what key number `index` of recipes is, from 0; false past the last, and nothing is set. */
STOA_API bool stoa_recipe_key_at(size_t index, stoa_recipe_key *key);
/** What `recipe` means by a key: the value that a line or stoa_recipe_set() gave, else the default, which
 * is "" where there is none.
 *
 * @param recipe  Borrowed.
 * @param key  As stoa_recipe_key_at() describes it.
 * @param[out] said  Whether the recipe says it; may be NULL.
 * @return NULL where recipes have no such key. Belongs to the recipe, or is static; valid until
 * stoa_recipe_set(). */
STOA_API const char *stoa_recipe_value(const stoa_recipe *recipe, const stoa_recipe_key *key, bool *said);

/** What a recipe says; strings belong to it. */
typedef struct stoa_recipe_info {
    const char *title;   /**< `title` before the first section, "" when missing: one line for people */
    const char *needs;   /**< `needs` there, "" when missing: the data and the time of a training, in words */
    const char *reaches; /**< `reaches` there, "" when missing: what such a training has reached, in words */
    const char *set;     /**< [data] set, a file or folder of the data path, "" when missing */
    size_t classes;      /**< [data] classes */
    float mean;          /**< [data] mean */
    float deviation;     /**< [data] deviation */
    bool measured;       /**< [data] normalize = measured: see stoa_dataset_measure() */
    bool weighted;       /**< [data] weights = measured: see stoa_dataset_class_weights() */
    stoa_data_options data;   /**< [data] classes, label, header and the like; the shape of input */
    stoa_train_options train; /**< [train] all of it */
} stoa_recipe_info;

/** Say in `*info` what is in `recipe`. */
STOA_API void stoa_recipe_describe(const stoa_recipe *recipe, stoa_recipe_info *info);

/** Build the model of `recipe`, `*model` (not initialised), with its data facts set: "loss", "data.classes",
 * "data.mean" and "data.deviation" or "data.normalize", and of the other keys of [data] those that are not
 * the default, as "data.KEY". stoa_model_open_training_data() opens its data then. It borrows `context`.
 * Release with stoa_model_free(). Errors: those of stoa_model_build(); STOA_ERR_ARGUMENT (one key needs
 * another, after stoa_recipe_set()), STOA_ERR_SHAPE. */
STOA_API STOA_MUST_CHECK stoa_status stoa_recipe_model(stoa_context *context, const stoa_recipe *recipe,
                                                       stoa_model **model);

#ifdef __cplusplus
}
#endif
#endif
