/* SPDX-License-Identifier: MIT */
/* Options of single layers, held against a model. */
#include "train/rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "core/names.h"
#include "model/layers.h"

/* "c1=0.1": `name`, the word, ends before '='. */
static stoa_status read_factor(struct stoa_error *error, struct stoa_layer_word word,
                               struct stoa_layer_word *name, float *factor) {
    size_t length = stoa_name_length(word.text, "=");
    const char *equals = word.text + length;
    double value = 0;
    if (length == 0 || length >= word.length ||
        !stoa_parse_double(equals + 1, word.length - length - 1, &value) || !((float)value > 0) ||
        !isfinite((float)value)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "lr_scale: found '%.*s', expected LAYER=FACTOR with a factor above 0, such as "
                              "c1=0.1; a layer that is to stay as it is goes into freeze",
                              word.length < 64 ? (int)word.length : 64, word.text);
    }
    name->length = length;
    *factor = (float)value;
    return STOA_OK;
}

/* A star may take in layers that have no learning rate; a name may not. */
static stoa_status check_layer(const struct stoa_layer *layer, struct stoa_error *error, bool frozen) {
    if (frozen) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "lr_scale: found '%s', which is frozen, expected layers that are trained",
                              layer->name);
    }
    return stoa_layer_has_parameters(layer)
               ? STOA_OK
               : stoa_error_set(
                     error, STOA_ERR_ARGUMENT,
                     "lr_scale: found '%s', a %s without parameters, expected layers that have some",
                     layer->name, layer->op->name);
}

static stoa_status read_scales(const stoa_model *model, struct stoa_error *error, const char *line,
                               const bool *frozen, float *rate) {
    struct stoa_layer_word word;
    while (stoa_layer_word_next(&line, &word)) {
        struct stoa_layer_word name = word;
        float factor = 1;
        stoa_status status = read_factor(error, word, &name, &factor);
        if (status == STOA_OK) {
            status = stoa_layer_word_check(model, error, "lr_scale", name);
        }
        bool exact = status == STOA_OK && name.text[name.length - 1] != '*';
        for (size_t i = 0; status == STOA_OK && i < model->node_count; i++) {
            if (stoa_layer_is_named(model, i, name)) {
                rate[i] = frozen[i] ? 0 : factor;
                status = exact ? check_layer(&model->nodes[i].layer, error, frozen[i]) : STOA_OK;
            }
        }
        if (status != STOA_OK) {
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status read_rates(const stoa_model *model, struct stoa_error *error,
                              const stoa_train_options *options, bool *frozen, float *rate) {
    stoa_status status = stoa_model_read_frozen(model, error, options->freeze, true, frozen);
    for (size_t i = 0; i < model->node_count; i++) {
        rate[i] = frozen[i] ? 0 : 1;
    }
    return status == STOA_OK && options->lr_scale ? read_scales(model, error, options->lr_scale, frozen, rate)
                                                  : status;
}

stoa_status stoa_rates_read(const stoa_model *model, struct stoa_error *error,
                            const stoa_train_options *options, float *rate) {
    bool *frozen = calloc(model->node_count, sizeof *frozen);
    stoa_status status = frozen ? read_rates(model, error, options, frozen, rate)
                                : stoa_error_set(error, STOA_ERR_MEMORY, "layers to train: out of memory");
    free(frozen);
    return status;
}

stoa_status stoa_rates_check(const stoa_model *model, struct stoa_error *error,
                             const stoa_train_options *options, size_t batch, size_t rest) {
    bool *frozen = calloc(model->node_count, sizeof *frozen);
    float *rate = calloc(model->node_count, sizeof *rate);
    stoa_status status = frozen && rate
                             ? read_rates(model, error, options, frozen, rate)
                             : stoa_error_set(error, STOA_ERR_MEMORY, "layers to train: out of memory");
    if (status == STOA_OK && batch > 0) {
        status = stoa_model_learns_from(model, error, frozen, batch, "a batch");
    }
    if (status == STOA_OK && rest > 0) {
        status = stoa_model_learns_from(model, error, frozen, rest, "the last batch of an epoch");
    }
    free(frozen);
    free(rate);
    return status;
}
