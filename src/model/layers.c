/* SPDX-License-Identifier: MIT */
/* Layers named in a line, held against a model. */
#include "model/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/size.h"
#include "core/names.h"

/* How much of a foreign word an error sentence repeats. */
enum { SHOWN = 64 };

static const char between[] = ", \t\r\n";

bool stoa_layer_word_next(const char **line, struct stoa_layer_word *word) {
    *line += strspn(*line, between);
    *word = (struct stoa_layer_word){*line, stoa_name_length(*line, between)};
    *line += word->length;
    return word->length > 0;
}

bool stoa_layer_is_named(const stoa_model *model, size_t layer, struct stoa_layer_word word) {
    const char *name = model->nodes[layer].layer.name;
    bool star = word.length > 0 && word.text[word.length - 1] == '*';
    return star ? strncmp(name, word.text, word.length - 1) == 0 : stoa_name_is(word.text, word.length, name);
}

bool stoa_layer_has_parameters(const struct stoa_layer *layer) {
    for (size_t i = 0; i < layer->tensors; i++) {
        if (layer->tensor[i].trainable) {
            return true;
        }
    }
    return false;
}

/* How far a layer is from what a word may mean: those with parameters are meant more often. */
static size_t rank_of(const stoa_model *model, size_t layer, struct stoa_layer_word word) {
    const struct stoa_layer *l = &model->nodes[layer].layer;
    char text[SHOWN + 1];
    (void)snprintf(text, sizeof text, "%.*s", (int)stoa_min(word.length, SHOWN), word.text);
    return 2 * stoa_distance(text, l->name) + !stoa_layer_has_parameters(l);
}

/* The nearest names, comma between them. */
static void write_near(const stoa_model *model, struct stoa_layer_word word, char *out, size_t size) {
    enum { NAMED = 3 };
    size_t named[NAMED];
    size_t used = 0;
    for (size_t n = 0; n < stoa_min(NAMED, model->node_count); n++) {
        size_t nearest = model->node_count;
        for (size_t i = 0; i < model->node_count; i++) {
            bool taken = false;
            for (size_t k = 0; k < n; k++) {
                taken = taken || named[k] == i;
            }
            bool nearer =
                nearest == model->node_count || rank_of(model, i, word) < rank_of(model, nearest, word);
            nearest = !taken && nearer ? i : nearest;
        }
        named[n] = nearest;
        used += (size_t)snprintf(out + used, size - used, "%s%.64s", n > 0 ? ", " : "",
                                 model->nodes[nearest].layer.name);
    }
}

stoa_status stoa_layer_word_check(const stoa_model *model, struct stoa_error *error, const char *what,
                                  struct stoa_layer_word word) {
    for (size_t i = 0; i < model->node_count; i++) {
        if (stoa_layer_is_named(model, i, word)) {
            return STOA_OK;
        }
    }
    char near[256];
    write_near(model, word, near, sizeof near);
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s: found '%.*s', expected names of layers such as %s",
                          what, (int)stoa_min(word.length, SHOWN), word.text, near);
}

/* With all parameters frozen nothing would be trained. */
static stoa_status check_rest(const stoa_model *model, struct stoa_error *error, const char *names,
                              const bool *frozen) {
    bool any = false;
    for (size_t i = 0; i < model->node_count; i++) {
        bool has = stoa_layer_has_parameters(&model->nodes[i].layer);
        any = any || has;
        if (has && !frozen[i]) {
            return STOA_OK;
        }
    }
    return any ? stoa_error_set(error, STOA_ERR_ARGUMENT,
                                "freeze: found '%.*s', which are all layers with parameters, expected one "
                                "or more left to train",
                                SHOWN, names)
               : STOA_OK;
}

stoa_status stoa_model_read_frozen(const stoa_model *model, struct stoa_error *error, const char *names,
                                   bool some, bool *frozen) {
    struct stoa_layer_word word;
    for (const char *rest = names ? names : ""; stoa_layer_word_next(&rest, &word);) {
        stoa_status status = stoa_layer_word_check(model, error, "freeze", word);
        if (status != STOA_OK) {
            return status;
        }
        for (size_t i = 0; i < model->node_count; i++) {
            frozen[i] = frozen[i] || stoa_layer_is_named(model, i, word);
        }
    }
    return some ? check_rest(model, error, names ? names : "", frozen) : STOA_OK;
}
