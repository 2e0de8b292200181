/* SPDX-License-Identifier: MIT */
/* A data set looked at: see data_look.h. Public headers only. */
#include "cli/data_look.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/report.h"

/* ---- values ---- */

/* The first samples of each class, as many of each as are shown in all. */
struct seen {
    size_t *number; /* classes x CLI_SAMPLES */
    size_t *count;
};

static void note_sample(struct cli_data_look *look, struct seen *seen, size_t number, const float *values,
                        int32_t label) {
    for (size_t i = 0; i < look->size; i++) {
        size_t channel = i % look->channels;
        look->least[channel] = fminf(look->least[channel], values[i]);
        look->most[channel] = fmaxf(look->most[channel], values[i]);
    }
    size_t class = (size_t)label;
    if (class < look->classes && seen->count[class] < CLI_SAMPLES) {
        seen->number[class * CLI_SAMPLES + seen->count[class]++] = number;
    }
}

/* The range of each target, whose mean and deviation the library finds. */
static void look_at_targets(struct cli_data_look *look) {
    size_t targets = look->targets = stoa_dataset_targets(look->train);
    float *values = cli_allocate(targets, sizeof *values);
    look->target_least = cli_allocate(targets, sizeof(float));
    look->target_most = cli_allocate(targets, sizeof(float));
    look->target_mean = cli_allocate(targets, sizeof(float));
    look->target_deviation = cli_allocate(targets, sizeof(float));
    for (size_t i = 0; targets > 0 && i < stoa_dataset_count(look->train); i++) {
        stoa_dataset_read_targets(look->train, NULL, i, 1, values);
        for (size_t k = 0; k < targets; k++) {
            look->target_least[k] = i ? fminf(look->target_least[k], values[k]) : values[k];
            look->target_most[k] = i ? fmaxf(look->target_most[k], values[k]) : values[k];
        }
    }
    if (targets > 0) {
        stoa_dataset_measure_targets(look->train, look->target_mean, look->target_deviation);
        for (size_t i = 0; i < CLI_SAMPLES && i < stoa_dataset_count(look->train); i++) {
            look->sample[look->samples++] = i;
        }
    }
    free(values);
}

/* One of each class, then a second one of each, until there are enough. */
static void choose(struct cli_data_look *look, const struct seen *seen) {
    for (size_t round = 0; round < CLI_SAMPLES; round++) {
        for (size_t class = 0; class < look->classes && look->samples < CLI_SAMPLES; class ++) {
            if (round < seen->count[class]) {
                look->sample[look->samples++] = seen->number[class * CLI_SAMPLES + round];
            }
        }
    }
}

static void find_range(struct cli_data_look *look) {
    look->low = HUGE_VALF;
    look->high = -HUGE_VALF;
    for (size_t i = 0; i < look->channels; i++) {
        look->low = fminf(look->low, look->least[i]);
        look->high = fmaxf(look->high, look->most[i]);
    }
    if (stoa_dataset_is_pixels(look->train)) {
        look->low = 0;
        look->high = 1;
    }
}

stoa_status cli_data_look(const stoa_dataset *train, const stoa_dataset *test, struct cli_data_look *look) {
    *look = (struct cli_data_look){.train = train, .test = test, .classes = stoa_dataset_classes(train)};
    stoa_dataset_shape(train, &look->shape[0], &look->shape[1], &look->shape[2]);
    look->channels = look->shape[2];
    look->size = look->shape[0] * look->shape[1] * look->channels;
    look->pictures = look->shape[0] > 1 && look->shape[1] > 1;
    look->least = cli_allocate(look->channels, sizeof(float));
    look->most = cli_allocate(look->channels, sizeof(float));
    look->mean = cli_allocate(look->channels, sizeof(float));
    look->deviation = cli_allocate(look->channels, sizeof(float));
    for (size_t i = 0; i < 2; i++) {
        look->counts[i] = cli_allocate(look->classes, sizeof(size_t));
        if (look->classes > 0) {
            stoa_dataset_class_counts(i == 0 ? train : test, look->counts[i]);
        }
    }
    for (size_t i = 0; i < look->channels; i++) {
        look->least[i] = HUGE_VALF;
        look->most[i] = -HUGE_VALF;
    }
    struct seen seen = {cli_allocate(look->classes, CLI_SAMPLES * sizeof(size_t)),
                        cli_allocate(look->classes, sizeof(size_t))};
    float *values = cli_allocate(look->size, sizeof *values);
    for (size_t i = 0; i < stoa_dataset_count(train); i++) {
        int32_t label;
        stoa_dataset_read(train, NULL, i, 1, values, &label);
        note_sample(look, &seen, i, values, label);
    }
    choose(look, &seen);
    look_at_targets(look);
    find_range(look);
    free(values);
    free(seen.number);
    free(seen.count);
    return stoa_dataset_measure(train, look->mean, look->deviation); /* and says what could not be read */
}

void cli_data_look_free(struct cli_data_look *look) {
    free(look->least);
    free(look->most);
    free(look->mean);
    free(look->deviation);
    free(look->target_least);
    free(look->target_most);
    free(look->target_mean);
    free(look->target_deviation);
    free(look->counts[0]);
    free(look->counts[1]);
    *look = (struct cli_data_look){.train = NULL};
}

/* ---- samples ---- */

float *cli_data_sample(const struct cli_data_look *look, size_t number, int32_t *label) {
    float *values = cli_allocate(look->size, sizeof *values);
    stoa_dataset_read(look->train, NULL, look->sample[number], 1, values, label);
    return values;
}

float *cli_data_targets(const struct cli_data_look *look, size_t number) {
    float *values = cli_allocate(look->targets, sizeof *values);
    stoa_dataset_read_targets(look->train, NULL, look->sample[number], 1, values);
    return values;
}

const char *cli_class_name(const stoa_dataset *data, size_t label, char text[32]) {
    const char *name = stoa_dataset_class_name(data, label);
    (void)snprintf(text, 32, "%zu", label);
    return name ? name : text;
}

size_t cli_shown_channels(size_t channels) {
    return channels == 3 ? 3 : 1;
}

void cli_to_bytes(const float *values, size_t pixels, size_t channels, float low, float high,
                  unsigned char *out) {
    size_t shown = cli_shown_channels(channels);
    for (size_t i = 0; i < pixels * shown; i++) {
        float value = values[i / shown * channels + i % shown];
        float share = high > low ? (value - low) / (high - low) : 0;
        out[i] = (unsigned char)lrintf(255 * (share > 0 ? share < 1 ? share : 1 : 0)); /* NaN is black */
    }
}
