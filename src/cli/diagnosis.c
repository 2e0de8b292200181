/* SPDX-License-Identifier: MIT */
/* A training that learns nothing or explodes: see diagnosis.h. The gradients of the last step are looked at
 * only then. Public headers only. */
#include "cli/diagnosis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/report.h"
#include "cli/table.h"

/* An epoch of fewer steps than these may well have shown nothing yet; when it is the last one, it counts. */
enum { STEPS_TO_LEARN = 200, STEPS_AT_THE_END = 50 };
/* A loss is that of guessing down to this share of it, and it has exploded when it is so many times what it
 * was in the first step and at its best. */
static const double GUESSING = 0.98, EXPLODED = 4;
/* A layer whose gradients are by this factor smaller against its weights than another's stands still. */
static const double VANISHED = 1e-5;

/* ---- what guessing reaches ---- */

static bool is_cross_entropy(const char *loss) {
    static const char name[] = "softmax_cross_entropy";
    return !loss || strncmp(loss, name, sizeof name - 1) == 0;
}

static void measure_chance(struct cli_diagnosis *d, const stoa_dataset *train, const char *loss) {
    size_t classes = stoa_dataset_classes(train);
    double count = (double)stoa_dataset_count(train);
    size_t *counts = cli_allocate(classes, sizeof *counts);
    stoa_dataset_class_counts(train, counts);
    double entropy = 0, most = 0;
    for (size_t i = 0; i < classes; i++) {
        double share = (double)counts[i] / count;
        entropy -= share > 0 ? share * log(share) : 0;
        most = fmax(most, share);
    }
    free(counts);
    /* The largest share is reached by luck too: three standard deviations of so many guesses. */
    d->chance_accuracy = most + 3 * sqrt(most * (1 - most) / count);
    d->chance_loss = is_cross_entropy(loss) ? entropy : NAN;
    if (loss && strstr(loss, "weights=")) {
        d->chance_loss = NAN; /* it depends on the weights; rare classes bought by accuracy are no failure */
        d->chance_accuracy = fmin(d->chance_accuracy, 1 / (double)classes);
    } else if (!is_cross_entropy(loss) && most > 0.5) {
        d->chance_accuracy = -1; /* such an accuracy may come with a loss that gets better */
    }
}

void cli_diagnosis_open(struct cli_diagnosis *diagnosis, const stoa_model *model, const stoa_dataset *train,
                        const stoa_train_options *options, const char *recipe, bool quiet) {
    *diagnosis = (struct cli_diagnosis){.model = model,
                                        .recipe = recipe,
                                        .learning_rate = options->learning_rate,
                                        .clips = options->clip_norm > 0 || options->clip_value > 0,
                                        .quiet = quiet,
                                        .least_loss = (double)INFINITY};
    measure_chance(diagnosis, train, options->loss);
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

static bool look(const struct cli_diagnosis *d, size_t index, struct tensor_state *state) {
    stoa_tensor_info info;
    if (stoa_model_tensor(d->model, index, &info) != STOA_OK || !info.trainable) {
        return false;
    }
    float *values = cli_allocate(info.count, sizeof *values);
    state->name = info.name;
    bool known = stoa_plan_get_gradient(stoa_trainer_plan(d->trainer), index, values, info.count) == STOA_OK;
    state->gradient = norm(values, info.count);
    known = known && stoa_model_get_tensor(d->model, index, values, info.count) == STOA_OK;
    state->value = norm(values, info.count);
    free(values);
    return known;
}

/* Of all tensors the last without any gradient, and of all weights that with the smallest gradient against
 * its values and that with the largest. Names are NULL where there is none. */
struct findings {
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

static struct findings look_at_all(const struct cli_diagnosis *d) {
    struct findings found = {.dead.name = NULL};
    size_t count = d->trainer ? stoa_model_tensor_count(d->model) : 0;
    for (size_t i = 0; i < count; i++) {
        struct tensor_state state;
        if (!look(d, i, &state)) {
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

static void print_nothing_learned(const struct cli_diagnosis *d, const stoa_progress *progress) {
    struct findings found = look_at_all(d);
    struct report_words loss = {""};
    char where[256] = "", advice[256];
    double lower = (double)d->learning_rate / 10;
    (void)snprintf(
        advice, sizeof advice,
        "try 'stoa train %.60s --find-lr', another lr (it is %.3g) or a batchnorm behind each layer",
        d->recipe, (double)d->learning_rate);
    if (found.dead.name) {
        (void)snprintf(where, sizeof where, "; layer '%.*s' gets %s", stem_of(found.dead.name),
                       found.dead.name,
                       found.starves ? "nothing but zeros, as all units in front of it are dead"
                                     : "no gradient, as what follows it is dead or saturated");
        (void)snprintf(advice, sizeof advice, "try --lr %.2g, leaky_relu or a batchnorm in front", lower);
    } else if (found.smallest.name && ratio(&found.smallest) < VANISHED * ratio(&found.largest)) {
        (void)snprintf(where, sizeof where,
                       "; gradients vanish on the way to '%.60s': %.1e of its weights, of '%.60s' %.1e",
                       found.smallest.name, ratio(&found.smallest), found.largest.name,
                       ratio(&found.largest));
        (void)snprintf(advice, sizeof advice,
                       "try relu for sigmoid and tanh, init=he or a batchnorm behind each layer");
    }
    (void)cli_fail(CLI_DONE,
                   "note: nothing is learned up to epoch %zu: training loss %s, accuracy %.2f %%, as by "
                   "guessing%s; %s",
                   progress->epoch, cli_loss_words(&loss, progress->train_loss),
                   100 * progress->train_accuracy, where, advice);
}

/* "try --lr 0.01 (it is 0.1), clip_norm = 1 or 'stoa train lenet5 --find-lr'" */
static const char *lower_rate(const struct cli_diagnosis *d, char advice[256]) {
    (void)snprintf(advice, 256, "try --lr %.2g (it is %.3g)%s or 'stoa train %.60s --find-lr'",
                   (double)d->learning_rate / 10, (double)d->learning_rate, d->clips ? "" : ", clip_norm = 1",
                   d->recipe);
    return advice;
}

static void print_exploded(const struct cli_diagnosis *d, const stoa_progress *progress) {
    struct findings found = look_at_all(d);
    struct report_words loss = {""}, first = {""};
    char where[160] = "", advice[256];
    if (found.largest.name && isfinite(ratio(&found.largest))) {
        (void)snprintf(where, sizeof where, "; against its values the gradient of '%.80s' is the largest",
                       found.largest.name);
    }
    (void)cli_fail(CLI_DONE, "note: the loss explodes: %s in epoch %zu, %s in the first step%s; %s",
                   cli_loss_words(&loss, progress->train_loss), progress->epoch,
                   cli_loss_words(&first, d->first_loss), where, lower_rate(d, advice));
}

/* ---- the watch ---- */

static bool learns_nothing(const struct cli_diagnosis *d, const stoa_progress *progress) {
    size_t enough = progress->last ? STEPS_AT_THE_END : STEPS_TO_LEARN;
    bool guesses = progress->train_accuracy <= d->chance_accuracy;
    bool no_better = isnan(d->chance_loss) || progress->train_loss >= GUESSING * d->chance_loss;
    return d->steps >= enough && guesses && no_better;
}

static bool has_exploded(const struct cli_diagnosis *d, const stoa_progress *progress) {
    double most = fmax(d->first_loss, d->least_loss);
    bool above_chance = isnan(d->chance_loss) || progress->train_loss > d->chance_loss;
    return d->least_loss < (double)INFINITY && above_chance && progress->train_loss > EXPLODED * most;
}

void cli_diagnosis_watch(struct cli_diagnosis *d, const stoa_progress *progress) {
    if (!progress->epoch_done) {
        d->first_loss = d->steps == 0 ? progress->train_loss : d->first_loss;
        d->steps++;
        return;
    }
    /* A run may be continued behind the last step of an epoch: there is no first loss then. */
    if (d->told || d->quiet || d->steps == 0) {
        return;
    }
    d->least_loss = fmin(d->least_loss, progress->epoch == 1 ? d->first_loss : progress->train_loss);
    if (has_exploded(d, progress)) {
        print_exploded(d, progress);
        d->told = true;
    } else if (learns_nothing(d, progress)) {
        print_nothing_learned(d, progress);
        d->told = true;
    }
}

int cli_diagnosis_nonfinite(const struct cli_diagnosis *d, const stoa_context *context) {
    char advice[256];
    return cli_fail(CLI_FAILED, "%s; %s", stoa_context_error(context), lower_rate(d, advice));
}
