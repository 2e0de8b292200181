/* SPDX-License-Identifier: MIT */
/* What shows that a training goes wrong: see watch.h. */
#include "train/watch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"

/* An epoch of fewer steps than these may well have shown nothing yet; when it is the last one, it counts. */
enum { STEPS_TO_LEARN = 200, STEPS_AT_THE_END = 50 };
/* Fewer samples may leave all units of a small layer at zero by chance. */
enum { LEAST_SAMPLES = 8 };
/* A test part of fewer samples says little about an accuracy. */
enum { LEAST_TESTED = 50 };
/* A loss is that of guessing down to this share of it; it has exploded when it is so many times what it was
 * in the first step and at its best, and it rises when three epochs in a row are by this factor above the one
 * before. */
static const double GUESSING = 0.98, EXPLODED = 4, RISEN = 1.05;
/* A layer whose gradients are by this factor smaller against its weights than another's stands still. */
static const double VANISHED = 1e-5;
/* Where less of the loss is left, the data are learned: no gradient and no rise means anything. */
static const double LEARNED = 1e-3;

#define FINDERS "--find-lr or stoa_find_learning_rate() suggests one"

/* ---- what guessing reaches ---- */

static bool is_cross_entropy(const char *loss) {
    static const char name[] = "softmax_cross_entropy";
    return strncmp(loss, name, sizeof name - 1) == 0;
}

/* Entropy of the classes' shares, and the largest of them; NAN without memory. */
static double largest_share(const stoa_dataset *data, double *entropy) {
    size_t classes = stoa_dataset_classes(data);
    size_t *counts = calloc(classes, sizeof *counts);
    double most = counts ? 0 : (double)NAN;
    *entropy = most;
    if (counts) {
        stoa_dataset_class_counts(data, counts);
    }
    for (size_t i = 0; counts && i < classes; i++) {
        double share = (double)counts[i] / (double)stoa_dataset_count(data);
        *entropy -= share > 0 ? share * log(share) : 0;
        most = fmax(most, share);
    }
    free(counts);
    return most;
}

static void measure_chance(struct stoa_watch *watch, const stoa_dataset *train, const char *loss) {
    size_t classes = stoa_dataset_classes(train);
    if (classes == 0) {
        watch->chance_loss = (double)NAN; /* of targets it is not known what guessing reaches */
        watch->chance_accuracy = -1;
        return;
    }
    double most = largest_share(train, &watch->chance_loss);
    /* The largest share is reached by luck too: three standard deviations of so many guesses. */
    double count = (double)stoa_dataset_count(train);
    watch->chance_accuracy = isnan(most) ? -1 : most + 3 * sqrt(most * (1 - most) / count);
    if (strstr(loss, "weights=")) {
        watch->chance_loss =
            (double)NAN; /* it depends on the weights; rare classes bought by accuracy are fine */
        watch->chance_accuracy = fmin(watch->chance_accuracy, 1 / (double)classes);
    } else if (!is_cross_entropy(loss)) {
        watch->chance_loss = (double)NAN;
        /* An accuracy of one large class may come with a loss that gets better. */
        watch->chance_accuracy = most > 0.5 ? -1 : watch->chance_accuracy;
    }
    if (most >= 1) {
        watch->chance_accuracy = -1; /* one class only: there is nothing to learn */
    }
}

void stoa_watch_open(struct stoa_watch *watch, const stoa_trainer *trainer) {
    *watch = (struct stoa_watch){.least_loss = (double)INFINITY, .test_share = (double)NAN};
    if (!trainer->context->log || !trainer->train) {
        return;
    }
    double entropy;
    watch->trainer = trainer;
    watch->first_loss = (double)NAN;
    watch->last_loss = (double)NAN;
    watch->last_samples = (trainer->epoch_samples - 1) % trainer->settings.options.batch + 1;
    measure_chance(watch, trainer->train, trainer->settings.loss);
    if (trainer->test && stoa_dataset_classes(trainer->test) > 0 &&
        stoa_dataset_count(trainer->test) >= LEAST_TESTED) {
        watch->test_share = largest_share(trainer->test, &entropy);
    }
}

/* ---- which layer ---- */

/* A tensor's gradient against its values. */
struct tensor_state {
    const char *name;
    double gradient, value; /* Euclidean norms */
};

static double norm(const float *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    return sqrt(sum);
}

static bool look(const stoa_trainer *trainer, size_t index, struct tensor_state *state) {
    const stoa_model *model = trainer->model;
    const struct stoa_tensor *tensor = &model->tensors[index];
    if (!tensor->spec.trainable || trainer->rates[stoa_tensor_node(model, index)] == 0) {
        return false;
    }
    state->name = tensor->name;
    state->gradient = norm(stoa_plan_gradients(trainer->plan) + tensor->offset, tensor->count);
    state->value = norm(stoa_tensor_data(model, index), tensor->count);
    return true;
}

/* Of all tensors the last without any gradient, and of all weights that with the smallest gradient against
 * its values and that with the largest. Names are NULL where there is none. */
struct layer_findings {
    struct tensor_state dead, smallest, largest;
    bool starves; /* another tensor of that layer has a gradient: what is zero is its input */
};

/* Length of the layer's name in that of its tensor. */
static int stem_of(const char *name) {
    const char *point = strrchr(name, '.');
    return point ? (int)(point - name) : (int)strlen(name);
}

static double ratio(const struct tensor_state *state) {
    return state->value > 0 ? state->gradient / state->value : state->gradient;
}

static struct layer_findings look_at_all(const stoa_trainer *trainer) {
    struct layer_findings found = {.dead.name = NULL};
    for (size_t i = 0; i < trainer->model->tensor_count; i++) {
        struct tensor_state state;
        if (!look(trainer, i, &state)) {
            continue;
        }
        if (state.gradient <= 0) {
            found.dead = state;
            found.starves = false;
        } else if (found.dead.name && stem_of(state.name) == stem_of(found.dead.name) &&
                   strncmp(state.name, found.dead.name, (size_t)stem_of(state.name)) == 0) {
            found.starves = true;
        }
        if (!strstr(state.name, ".weight")) {
            continue; /* biases begin at zero, so that their ratios say nothing */
        }
        if (!found.smallest.name || ratio(&state) < ratio(&found.smallest)) {
            found.smallest = state;
        }
        if (!found.largest.name || ratio(&state) > ratio(&found.largest)) {
            found.largest = state;
        }
    }
    return found;
}

/* ---- sentences ---- */

enum { PART = 256 };

static double rate_of(const struct stoa_watch *watch) {
    return (double)watch->trainer->settings.options.learning_rate;
}

/* Losses of diverging trainings have forty digits. */
static const char *loss_text(double loss, char out[32]) {
    (void)snprintf(out, 32, loss < 1000 ? "%.4f" : "%.3g", loss);
    return out;
}

/* "; layer 'l1' gets no gradient, ..." */
static void describe_dead(const struct layer_findings *found, char where[PART]) {
    (void)snprintf(where, PART, "layer '%.*s' gets %s", stem_of(found->dead.name), found->dead.name,
                   found->starves ? "nothing but zeros, as all units in front of it are dead"
                                  : "no gradient, as what follows it is dead or saturated");
}

static void say_nothing_learned(const struct stoa_watch *watch, const stoa_progress *progress, bool alike) {
    struct layer_findings found = look_at_all(watch->trainer);
    char loss[32], layer[PART] = "", advice[PART];
    double rate = rate_of(watch);
    (void)snprintf(advice, PART, "try another lr (it is %.3g; " FINDERS ") or a batchnorm behind each layer",
                   rate);
    if (found.dead.name) {
        describe_dead(&found, layer);
        (void)snprintf(advice, PART, "try lr = %.2g, leaky_relu or a batchnorm in front", rate / 10);
    } else if (found.smallest.name && ratio(&found.smallest) < VANISHED * ratio(&found.largest)) {
        (void)snprintf(
            layer, PART, "gradients vanish on the way to '%.60s': %.1e of its weights, of '%.60s' %.1e",
            found.smallest.name, ratio(&found.smallest), found.largest.name, ratio(&found.largest));
        (void)snprintf(advice, PART,
                       "try relu for sigmoid and tanh, init=he or a batchnorm behind each layer");
    }
    stoa_log(
        watch->trainer->context,
        "nothing is learned up to epoch %zu: training loss %s, accuracy %.2f %%, as by guessing%s%s%s; %s",
        progress->epoch, loss_text(progress->train_loss, loss), 100 * progress->train_accuracy,
        alike ? "; every sample gets the same outputs" : "", layer[0] ? "; " : "", layer, advice);
}

static void lower_rate(const struct stoa_watch *watch, char advice[PART]) {
    const stoa_train_options *options = &watch->trainer->settings.options;
    bool clips = options->clip_norm > 0 || options->clip_value > 0;
    (void)snprintf(advice, PART, "try lr = %.2g (it is %.3g; " FINDERS ")%s", rate_of(watch) / 10,
                   rate_of(watch), clips ? "" : " or clip_norm = 1");
}

static void say_exploded(const struct stoa_watch *watch, const stoa_progress *progress) {
    struct layer_findings found = look_at_all(watch->trainer);
    char loss[32], first[32], where[PART] = "", advice[PART];
    if (found.largest.name && isfinite(ratio(&found.largest))) {
        (void)snprintf(where, PART, "; against its values the gradient of '%.80s' is the largest",
                       found.largest.name);
    }
    lower_rate(watch, advice);
    stoa_log(watch->trainer->context, "the loss explodes: %s in epoch %zu, %s in the first step%s; %s",
             loss_text(progress->train_loss, loss), progress->epoch, loss_text(watch->first_loss, first),
             where, advice);
}

static void say_rises(const struct stoa_watch *watch, const stoa_progress *progress) {
    char loss[32], least[32], advice[PART];
    lower_rate(watch, advice);
    stoa_log(
        watch->trainer->context,
        "the training loss rises: %s in epoch %zu, the third in a row that is higher, %s at its best; %s",
        loss_text(progress->train_loss, loss), progress->epoch, loss_text(watch->least_loss, least), advice);
}

static void say_test(const struct stoa_watch *watch, const stoa_progress *progress) {
    stoa_log(
        watch->trainer->context,
        "test accuracy %.2f %% is no better than naming the largest class always, %.2f %%, training "
        "accuracy is %.2f %%: expected parts of one kind; look for other columns, scales or classes in the "
        "test part, or learn less by heart (validation, decay, dropout, more data)",
        100 * progress->test_accuracy, 100 * watch->test_share, 100 * progress->train_accuracy);
}

/* ---- the watch ---- */

static bool learns_nothing(const struct stoa_watch *watch, const stoa_progress *progress) {
    size_t enough = progress->last ? STEPS_AT_THE_END : STEPS_TO_LEARN;
    bool guesses = progress->train_accuracy <= watch->chance_accuracy;
    bool no_better = isnan(watch->chance_loss) || progress->train_loss >= GUESSING * watch->chance_loss;
    return watch->steps >= enough && guesses && no_better;
}

static bool has_exploded(const struct stoa_watch *watch, const stoa_progress *progress) {
    double most = fmax(watch->first_loss, watch->least_loss);
    bool above_chance = isnan(watch->chance_loss) || progress->train_loss > watch->chance_loss;
    return watch->least_loss < (double)INFINITY && above_chance && progress->train_loss > EXPLODED * most;
}

/* What was learned says nothing of the test part, at the end. */
static bool is_test_guessed(const struct stoa_watch *watch, const stoa_progress *progress) {
    return progress->last && watch->steps >= STEPS_AT_THE_END && watch->test_share < 1 &&
           progress->test_accuracy <= watch->test_share && watch->chance_accuracy >= 0 &&
           progress->train_accuracy > watch->chance_accuracy;
}

/* A layer that gets nothing while others learn; of an epoch's last batch, so it must not be too small. */
static void look_for_dead(struct stoa_watch *watch, const stoa_progress *progress) {
    if (watch->dead || watch->last_samples < LEAST_SAMPLES || progress->step_loss < LEARNED) {
        return;
    }
    struct layer_findings found = look_at_all(watch->trainer);
    if (found.dead.name && found.largest.name && ratio(&found.largest) > 0) {
        char where[PART];
        describe_dead(&found, where);
        stoa_log(watch->trainer->context, "epoch %zu: %s; try lr = %.2g, leaky_relu or a batchnorm in front",
                 progress->epoch, where, rate_of(watch) / 10);
        watch->dead = true;
    }
}

void stoa_watch_step(struct stoa_watch *watch, double loss) {
    watch->first_loss = watch->steps == 0 ? loss : watch->first_loss;
    watch->steps++;
}

void stoa_watch_epoch(struct stoa_watch *watch, const stoa_progress *progress, bool alike) {
    /* A run may be continued behind the last step of an epoch: there is no first loss then. */
    if (!watch->trainer || watch->steps == 0) {
        return;
    }
    double loss = progress->train_loss;
    watch->rises = loss > LEARNED && loss > RISEN * watch->last_loss ? watch->rises + 1 : 0;
    watch->last_loss = loss;
    watch->least_loss = fmin(watch->least_loss, progress->epoch == 1 ? watch->first_loss : loss);
    if (watch->failed) {
        return;
    }
    if (has_exploded(watch, progress)) {
        say_exploded(watch, progress);
        watch->failed = true;
    } else if (learns_nothing(watch, progress)) {
        say_nothing_learned(watch, progress, alike);
        watch->failed = true;
    } else if (is_test_guessed(watch, progress)) {
        say_test(watch, progress);
        watch->failed = true;
    } else {
        look_for_dead(watch, progress);
        if (watch->rises >= 3 && !watch->rose) {
            say_rises(watch, progress);
            watch->rose = true;
        }
    }
}
