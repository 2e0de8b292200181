/* SPDX-License-Identifier: MIT */
/* What losses of class numbers share: options, shape rule, and the weights of classes. */
#ifndef STOA_OPS_CLASS_LOSS_H
#define STOA_OPS_CLASS_LOSS_H

#include "ops/op.h"

struct stoa_class_loss_options {
    struct stoa_list weights; /* one a class, or none */
    float smoothing;          /* share of the target that all classes get in equal parts */
    size_t mean;   /* what a batch's sum is divided by: its samples, or the weights of their classes */
    float epsilon; /* cross_entropy only: least probability that the logarithm sees */
};

extern const char *const stoa_class_loss_means[];

#define STOA_CLASS_LOSS_OPTION_TABLE                                                                         \
    {"weights", STOA_OPTION_LIST, offsetof(struct stoa_class_loss_options, weights), "", 0, 1e6, NULL},      \
        {"mean", STOA_OPTION_CHOICE,   offsetof(struct stoa_class_loss_options, mean), "samples", 0,         \
         0,      stoa_class_loss_means},                                                                     \
    {                                                                                                        \
        "smoothing", STOA_OPTION_FLOAT, offsetof(struct stoa_class_loss_options, smoothing), "0", 0, 1, NULL \
    }

/* A vector, and as many weights as it is long. */
stoa_status stoa_class_loss_infer(struct stoa_error *error, struct stoa_layer *layer);

static inline size_t stoa_class_count(const struct stoa_layer *layer) {
    return layer->input[0].dim[0];
}

/* What a batch's sum of losses is divided by. */
double stoa_class_loss_batch_weight(const struct stoa_layer *layer, const int32_t *labels, size_t samples);

/* NULL: all 1. */
const float *stoa_class_weights(const struct stoa_layer *layer);
/* The same, copied into `room`. */
const double *stoa_class_weights_f64(const struct stoa_layer *layer, double room[STOA_LIST_MOST]);

#endif
