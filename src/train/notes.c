/* SPDX-License-Identifier: MIT */
/* What is known before a training: see notes.h. */
#include "train/notes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "train/repeated.h"

/* Inputs of this size are as good as those near 1; a network learns badly from larger and smaller ones. */
static const double LARGE = 30, SMALL = 0.01;

/* ---- last layer and loss ---- */

/* Last layers that a loss does not want, and what to do. */
static const struct {
    const char *op, *loss, *advice;
} twice[] = {
    {"softmax", "softmax_cross_entropy",
     "which takes the softmax itself: leave the layer out, or write loss = cross_entropy in [train]"},
    {"sigmoid", "softmax_cross_entropy",
     "which takes any numbers and gets ones from 0 to 1: leave the layer out"},
    {"relu", "softmax_cross_entropy", "which takes negative numbers too: leave the layer out"},
    {"sigmoid", "bce_with_logits",
     "which takes the sigmoid itself: leave the layer out, or write loss = mse in [train]"},
    {"softmax", "bce_with_logits", "which takes any numbers: leave the layer out"},
    {"linear", "cross_entropy",
     "which takes probabilities: write loss = softmax_cross_entropy in [train], or add a softmax"},
};

static void note_loss(const stoa_trainer *trainer) {
    const struct stoa_layer *last = &trainer->model->nodes[stoa_output_value(trainer->model, 0) - 1].layer;
    size_t letters = strcspn(trainer->settings.loss, " ");
    for (size_t i = 0; i < sizeof twice / sizeof twice[0]; i++) {
        bool same =
            strlen(twice[i].loss) == letters && strncmp(trainer->settings.loss, twice[i].loss, letters) == 0;
        if (same && strcmp(last->op->name, twice[i].op) == 0) {
            stoa_log(trainer->context, "%s '%s' stands before the loss %s, %s", twice[i].op, last->name,
                     twice[i].loss, twice[i].advice);
        }
    }
}

/* ---- steps ---- */

static void note_batch(const stoa_trainer *trainer) {
    size_t samples = trainer->epoch_samples, batch = trainer->settings.options.batch;
    if (samples < batch) {
        stoa_log(
            trainer->context,
            "batch = %zu, but there are fewer training samples, %zu: an epoch is one step; batch = %zu makes "
            "four",
            batch, samples, samples < 4 ? 1 : samples / 4);
    }
}

/* A number of units in the options of a schedule, 0 where there is none of that name. */
static size_t units_of(const struct stoa_train_settings *settings, const char *name) {
    const struct stoa_schedule *schedule = settings->schedule;
    size_t units = 0;
    for (size_t i = 0; i < schedule->option_count; i++) {
        const struct stoa_option *option = &schedule->options[i];
        if (option->type == STOA_OPTION_SIZE && strcmp(option->name, name) == 0) {
            memcpy(&units, settings->schedule_options + option->offset, sizeof units);
        }
    }
    return units;
}

static void note_schedule(const stoa_trainer *trainer) {
    const struct stoa_train_settings *settings = &trainer->settings;
    bool by_epoch = settings->schedule_units.per > 0;
    size_t total = by_epoch ? settings->options.epochs : (size_t)trainer->total_steps;
    const struct {
        const char *name;
        size_t units;
        const char *so;
    } lengths[] = {
        {"warmup", settings->schedule_units.warmup, "the rate never gets to lr"},
        {"every", units_of(settings, "every"), "the rate stays as it is"},
        {"length", units_of(settings, "length"), "the rate does not get to its end"},
    };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        if (lengths[i].units > total || (i == 0 && lengths[i].units == total)) {
            stoa_log(trainer->context,
                     "schedule %s: %s=%zu is longer than the training, %zu %s%s: %s; expected less%s",
                     settings->schedule->name, lengths[i].name, lengths[i].units, total,
                     by_epoch ? "epoch" : "step", total == 1 ? "" : "s", lengths[i].so,
                     by_epoch ? "" : ", or per=epoch");
        }
    }
}

/* ---- classes ---- */

/* "class 3" or "class 'rose'", as people know it. */
static const char *class_text(const stoa_dataset *data, size_t class_number, char out[80]) {
    const char *name = stoa_dataset_class_name(data, class_number);
    (void)snprintf(out, 80, name ? "class %zu, '%.60s'" : "class %zu", class_number, name ? name : "");
    return out;
}

/* The first class with samples in `with` (NULL: whatever) and none in `without`, and how many are so. */
static size_t count_lacking(const size_t *without, const size_t *with, size_t classes, size_t *first) {
    size_t lacking = 0;
    for (size_t i = classes; i-- > 0;) {
        if (without[i] == 0 && (!with || with[i] > 0)) {
            *first = i;
            lacking++;
        }
    }
    return lacking;
}

static void note_lacking(const stoa_trainer *trainer, const size_t *train, const size_t *test,
                         size_t classes) {
    char text[80];
    size_t first = 0, lacking = count_lacking(train, test, classes, &first);
    if (lacking > 0 && test) {
        stoa_log(
            trainer->context,
            "the training part has no sample of %s, which the test part has (%zu of %zu classes are so): "
            "nothing is learned of it; expected parts with all classes",
            class_text(trainer->train, first, text), lacking, classes);
    } else if (lacking > 0) {
        stoa_log(trainer->context, "no sample is of %s (%zu of %zu classes are so)",
                 class_text(trainer->train, first, text), lacking, classes);
    }
    lacking = test ? count_lacking(test, train, classes, &first) : 0;
    if (lacking > 0) {
        stoa_log(
            trainer->context,
            "the test part has no sample of %s (%zu of %zu classes are so): its accuracy says nothing of "
            "it",
            class_text(trainer->train, first, text), lacking, classes);
    }
}

/* The parts of a training, and classes that neither has. */
static void note_counts(const stoa_trainer *trainer, const size_t *train, const size_t *test,
                        size_t classes) {
    char text[80];
    size_t used = 0, only = 0, unseen = 0, first = 0;
    for (size_t i = classes; i-- > 0;) {
        bool here = train[i] > 0, there = test && test[i] > 0;
        only = here ? i : only;
        used += here;
        unseen += !here && !there;
        first = !here && !there ? i : first;
    }
    if (used == 1) {
        stoa_log(trainer->context,
                 "all %zu training samples are of %s, one class: there is nothing to tell apart",
                 trainer->train->count, class_text(trainer->train, only, text));
        return;
    }
    if (unseen > 0 && test) {
        stoa_log(
            trainer->context,
            "no sample is of %s (%zu of %zu classes are so): expected classes = %zu in [data] and as many "
            "units, where labels go no further",
            class_text(trainer->train, first, text), unseen, classes, classes - unseen);
    }
    note_lacking(trainer, train, test, classes);
}

static void note_classes(const stoa_trainer *trainer) {
    size_t classes = stoa_dataset_classes(trainer->train);
    bool tests = trainer->test && stoa_dataset_classes(trainer->test) == classes;
    size_t *counts = classes > 0 ? calloc(classes, 2 * sizeof *counts) : NULL;
    if (!counts) {
        return; /* targets are no classes, and a note is not worth an error */
    }
    stoa_dataset_class_counts(trainer->train, counts);
    if (tests) {
        stoa_dataset_class_counts(trainer->test, counts + classes);
    }
    note_counts(trainer, counts, tests ? counts + classes : NULL, classes);
    free(counts);
}

/* ---- samples in both parts ---- */

static void note_repeated(const stoa_trainer *trainer) {
    struct stoa_repeated found;
    if (!trainer->test || !stoa_repeated_count(trainer->train, trainer->test, &found)) {
        return;
    }
    double share = (double)found.in_both / (double)found.tested;
    double usual = (double)found.in_train / (double)found.trained;
    /* Samples of few values repeat by themselves, in the training part as often. */
    if (found.in_both >= 5 && share > 0.05 + 2 * usual) {
        stoa_log(trainer->context,
                 "%zu of %zu test samples are training samples too: test accuracy says how well they are "
                 "remembered; expected a test part of other samples",
                 found.in_both, found.tested);
    }
}

void stoa_notes_begin(const stoa_trainer *trainer) {
    if (!trainer->context->log || !trainer->train) {
        return;
    }
    note_loss(trainer);
    note_batch(trainer);
    note_schedule(trainer);
    note_classes(trainer);
    note_repeated(trainer);
}

/* ---- values ---- */

/* Whether a layer that reads the input brings it to a mean of 0 and a deviation of 1. */
static bool is_normalised(const stoa_model *model) {
    static const char *const ops[] = {"batchnorm", "layernorm"};
    for (size_t i = 0; i < model->node_count; i++) {
        const char *op = model->nodes[i].layer.op->name;
        if (model->nodes[i].input[0] == 0 && (strcmp(op, ops[0]) == 0 || strcmp(op, ops[1]) == 0)) {
            return true;
        }
    }
    return false;
}

/* Of `samples` samples of `size` numbers, those at `first` and every `step` behind it in a sample. */
struct values {
    double square; /* mean */
    float low, high;
};

static struct values measure(const float *x, size_t samples, size_t size, size_t first, size_t step) {
    struct values values = {0, INFINITY, -INFINITY};
    size_t count = 0;
    for (size_t n = 0; n < samples; n++) {
        for (size_t i = first; i < size; i += step, count++) {
            float value = x[n * size + i];
            values.square += (double)value * (double)value;
            values.low = fminf(values.low, value);
            values.high = fmaxf(values.high, value);
        }
    }
    values.square /= (double)count;
    return values;
}

/* The columns of a table whose values are far larger than 1. */
static void note_columns(const stoa_trainer *trainer, const float *x, size_t samples, size_t columns) {
    size_t far = 0, worst = 0;
    double most = 0;
    for (size_t i = 0; i < columns; i++) {
        double square = measure(x, samples, columns, i, columns).square;
        far += square > LARGE * LARGE;
        worst = square > most ? i : worst;
        most = fmax(most, square);
    }
    if (far > 0) {
        struct values values = measure(x, samples, columns, worst, columns);
        const char *name = stoa_dataset_column_name(trainer->train, worst);
        char column[96];
        (void)snprintf(column, sizeof column, name ? "'%.80s'" : "%.0s%zu", name ? name : "", worst + 1);
        stoa_log(
            trainer->context,
            "values of column %s lie from %.4g to %.4g (%zu of %zu columns are far from 1): expected about "
            "1, which normalize = measured in [data] gives",
            column, (double)values.low, (double)values.high, far, columns);
    }
}

void stoa_notes_input(const stoa_trainer *trainer, size_t samples) {
    const float *x = stoa_plan_input(trainer->plan);
    size_t height, width, channels;
    if (!trainer->context->log || !trainer->train || is_normalised(trainer->model)) {
        return;
    }
    stoa_dataset_shape(trainer->train, &height, &width, &channels);
    size_t size = height * width * channels;
    struct values values = measure(x, samples, size, 0, 1);
    const stoa_dataset *data = trainer->train;
    if (height * width == 1 && channels > 1 && values.square > SMALL * SMALL) {
        note_columns(trainer, x, samples, channels);
    } else if (!(values.square >= SMALL * SMALL && values.square <= LARGE * LARGE)) {
        bool scaled = !data->by_channel && (data->mean != 0 || data->deviation != 1);
        float mean = scaled ? data->mean : 0, deviation = scaled ? data->deviation : 1;
        char by[96] = "";
        if (scaled) {
            (void)snprintf(by, sizeof by, " by mean = %g and deviation = %g", (double)mean,
                           (double)deviation);
        }
        stoa_log(
            trainer->context,
            "the data have values from %.4g to %.4g, whose root mean square is %.3g%s: expected about 1, "
            "which normalize = measured in [data] gives",
            (double)(values.low * deviation + mean), (double)(values.high * deviation + mean),
            sqrt(values.square), by);
    }
}
