/* SPDX-License-Identifier: MIT */
/* The keys of training. A row is all that recipes, settings given on a command line, option structs filled in
 * C and the pages need to know of a key; what it does stands where training uses the member. */
#include "train/keys.h"

#include "ops/op.h"
#include "train/options.h"

#define KEY(name, type, member, fallback, lowest, highest, read, meaning)                                    \
    {                                                                                                        \
        {name, STOA_OPTION_##type, offsetof(stoa_train_options, member), fallback, lowest, highest, NULL},   \
            meaning, read, false                                                                             \
    }
#define NUMBER(name, type, member, fallback, lowest, highest, meaning)                                       \
    KEY(name, type, member, fallback, lowest, highest, NULL, meaning)
#define BOOL(member, meaning) KEY(#member, BOOL, member, "", 0, 0, NULL, meaning)
#define LINE(member, fallback, read, meaning) KEY(#member, TEXT, member, fallback, 0, 0, read, meaning)

static const struct stoa_key keys[] = {
    NUMBER("epochs", SIZE, epochs, "1", 1, STOA_MOST_EPOCHS, "how often every sample is visited"),
    NUMBER("batch", SIZE, batch, "64", 1, STOA_MOST_BATCH, "samples of a step"),
    NUMBER("accumulate", SIZE, accumulate, "1", 1, STOA_MOST_BATCH,
           "batches whose gradients a step takes together"),
    NUMBER("lr", FLOAT, learning_rate, "1e-3", STOA_LEAST_LEARNING_RATE, STOA_MOST_LEARNING_RATE,
           "learning rate, which the schedule's factors multiply"),
    NUMBER("seed", SEED, seed, "", 0, 0,
           "first weights, order of the samples, dropout and the validation split follow from it"),
    BOOL(in_order, "every epoch visits the samples in the order of the data"),
    BOOL(summed, "a step follows the sum of a batch's losses, not their mean"),
    LINE(optimizer, "adam", stoa_optimizer_read, "an optimiser and its options"),
    LINE(schedule, "constant", stoa_schedule_read, "a schedule of the learning rate and its options"),
    LINE(loss, STOA_DEFAULT_LOSS, stoa_loss_read, "a loss and its options"),
    NUMBER("clip_norm", FLOAT, clip_norm, "", 0, 1e9, "largest norm of all gradients together, 0: any"),
    NUMBER("clip_value", FLOAT, clip_value, "", 0, 1e9, "largest absolute value of a gradient, 0: any"),
    NUMBER("average", FLOAT, average, "", 0, 0.999999, "decay of a moving average of the weights, 0: none"),
    NUMBER("validation", FLOAT, validation, "", 0, 0.9, "share of the training data that is held out"),
    BOOL(stratified, "the same share of every class is held out"),
    NUMBER("patience", SIZE, patience, "", 0, 1e6,
           "training stops after so many epochs without a better validation, 0: never"),
    NUMBER("min_delta", FLOAT, min_delta, "", 0, 1e6, "what a validation must be better by, for patience"),
    BOOL(keep_best, "the model is that of the epoch with the best validation"),
    LINE(monitor, "loss", stoa_monitor_read,
         "what is better: the lower loss or rmse, or the higher accuracy or f1"),
    LINE(freeze, "", NULL, "layers that stay as they are, as c1,c2 or c*, running statistics included"),
    LINE(lr_scale, "", NULL, "factors of the learning rate of single layers, as c1=0.1 f*=2"),
    LINE(augment, "", stoa_augment_line_read, "how training samples are changed"),
};

const struct stoa_keys stoa_train_keys = {
    .key = keys, .count = sizeof keys / sizeof keys[0], .parsed_bytes = sizeof(struct stoa_train_settings)};
_Static_assert(sizeof(struct stoa_train_settings) <= STOA_PARSED_MOST, "what is read has room");
