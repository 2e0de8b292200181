/* SPDX-License-Identifier: MIT */
/* Options and shape rule of losses of class numbers. */
#include "ops/class_loss.h"

enum { BY_SAMPLES, BY_WEIGHTS };
const char *const stoa_class_loss_means[] = {"samples", "weights", NULL};

stoa_status stoa_class_loss_infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct stoa_class_loss_options *o = layer->options;
    if (layer->input[0].rank != 1) {
        char text[STOA_SHAPE_TEXT];
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "found input of shape %s, expected a vector of a number a class",
                              stoa_shape_text(&layer->input[0], text));
    }
    if (o->weights.count != 0 && o->weights.count != stoa_class_count(layer)) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "found %zu weights, expected %zu, one a class",
                              o->weights.count, stoa_class_count(layer));
    }
    layer->output = (struct stoa_shape){.rank = 1, .dim = {1}};
    return STOA_OK;
}

double stoa_class_loss_batch_weight(const struct stoa_layer *layer, const int32_t *labels, size_t samples) {
    const struct stoa_class_loss_options *o = layer->options;
    const float *weights = stoa_class_weights(layer);
    if (!weights || o->mean != BY_WEIGHTS) {
        return (double)samples;
    }
    double sum = 0;
    for (size_t i = 0; i < samples; i++) {
        sum += (double)weights[labels[i]];
    }
    return sum;
}

const float *stoa_class_weights(const struct stoa_layer *layer) {
    const struct stoa_class_loss_options *o = layer->options;
    return o->weights.count ? o->weights.value : NULL;
}

const double *stoa_class_weights_f64(const struct stoa_layer *layer, double room[STOA_LIST_MOST]) {
    const struct stoa_class_loss_options *o = layer->options;
    for (size_t i = 0; i < o->weights.count; i++) {
        room[i] = (double)o->weights.value[i];
    }
    return o->weights.count ? room : NULL;
}
