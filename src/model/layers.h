/* SPDX-License-Identifier: MIT */
/* Layers named in a line: "c1,c2", or with a star for all that begin so, "c*". Names that need quotes stand
 * in quotes: see core/names.h. */
#ifndef STOA_MODEL_LAYERS_H
#define STOA_MODEL_LAYERS_H

#include "model/graph.h"

/* A word of a line, which is borrowed. */
struct stoa_layer_word {
    const char *text;
    size_t length;
};

/* Take the next word off `*line`, at commas and white space; false when there is none. */
bool stoa_layer_word_next(const char **line, struct stoa_layer_word *word);

/* Whether the word is this layer's name, or a beginning of it with a star behind. */
bool stoa_layer_is_named(const stoa_model *model, size_t layer, struct stoa_layer_word word);

/* STOA_ERR_ARGUMENT unless the word names any layer; the sentence begins with `what` and has the names that
 * are nearest. */
stoa_status stoa_layer_word_check(const stoa_model *model, struct stoa_error *error, const char *what,
                                  struct stoa_layer_word word);

/* Whether a layer has parameters. */
bool stoa_layer_has_parameters(const struct stoa_layer *layer);

/* Mark in `frozen` (a layer, all false) those that `names` names; NULL: none. Errors: STOA_ERR_ARGUMENT (no
 * such layer, or no layer with parameters is left though `some` are to be). */
stoa_status stoa_model_read_frozen(const stoa_model *model, struct stoa_error *error, const char *names,
                                   bool some, bool *frozen);

#endif
