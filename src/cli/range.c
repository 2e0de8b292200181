/* SPDX-License-Identifier: MIT */
/* The range of values that a model was trained on. Bytes are pixels from 0 to 1. Arrays of other types and
 * tables keep their values, so that white may be 1, 255 or anything: what it was in training travels with the
 * model, and other data are scaled to it or refused. Floor 9: public headers only. */
#include "cli/range.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/report.h"

struct range {
    float low, high;
};

/* The value of white among numbers that are pictures, where the range tells it: 1, 255 or 65535. Few pictures
 * have no pixel at half of the brightness. 0: not known. */
static float guess_white(struct range range) {
    static const float usual[] = {255, 65535};
    if (range.low < 0) {
        return 0;
    }
    for (size_t i = 0; i < 2; i++) {
        if (range.high > usual[i] / 2 && range.high <= usual[i]) {
            return usual[i];
        }
    }
    return range.high <= 1 ? 1 : 0;
}

static int measure(const struct cli_subject *subject, const stoa_dataset *data, struct range *range) {
    stoa_status status = stoa_dataset_range(data, &range->low, &range->high);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

/* Rows of a table have no white. */
static bool are_pictures(const stoa_dataset *data) {
    size_t height, width, channels;
    stoa_dataset_shape(data, &height, &width, &channels);
    return height > 1 && width > 1;
}

int cli_keep_range(const struct cli_subject *subject, const stoa_dataset *train) {
    struct range range;
    int code = measure(subject, train, &range);
    if (code != CLI_DONE) {
        return code;
    }
    bool pixels = stoa_dataset_is_pixels(train);
    const float both[] = {range.low, range.high};
    const float white = pixels ? 1 : are_pictures(train) ? guess_white(range) : 0;
    stoa_status status = cli_set_list(subject->model, "data.range", both, 2);
    if (status == STOA_OK && white > 0) {
        status = cli_set_list(subject->model, "data.white", &white, 1);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

void cli_note_scales(const struct cli_subject *subject, const struct cli_facts *facts) {
    float mean = facts->mean ? *facts->mean : 0, deviation = facts->deviation ? *facts->deviation : 1;
    bool small = mean >= 0 && mean <= 1 && deviation <= 1 && (mean > 0 || deviation < 1);
    if (facts->white > 1 && small && !subject->quiet) {
        (void)cli_fail(
            CLI_DONE,
            "note: the training data have values from %g to %g, mean = %g and deviation = %g are those of "
            "pixels from 0 to 1; normalize = measured fits any",
            (double)facts->range[0], (double)facts->range[1], (double)mean, (double)deviation);
    }
}

int cli_pixel_scale(const struct cli_subject *subject, const struct cli_facts *facts, const char *file,
                    float *scale) {
    *scale = facts->white > 0 ? facts->white : 1;
    if (facts->white > 0 || !facts->range || (facts->range[0] >= 0 && facts->range[1] <= 1)) {
        return CLI_DONE;
    }
    return cli_fail(
        CLI_WRONG,
        "%s: its pixels lie between 0 and 1, the data that %s was trained on between %g and %g: expected a "
        "table or an array with values like those",
        file, subject->path, (double)facts->range[0], (double)facts->range[1]);
}

/* Whether values are far from those of the training data: well below 0, or of another magnitude than white,
 * where it is known. Pictures that are all black have any range. */
static bool is_far(const struct cli_facts *facts, struct range range) {
    float known = facts->white;
    if (known > 0) {
        return range.low < -known / 16 || range.high > 4 * known ||
               (range.high > 0 && range.high < known / 8);
    }
    float most = facts->range[1] > -facts->range[0] ? facts->range[1] : -facts->range[0];
    return range.high > 16 * most && range.high > 1;
}

int cli_value_scale(const struct cli_subject *subject, const struct cli_facts *facts, const char *file,
                    const stoa_dataset *data, float *scale) {
    struct range range;
    *scale = 1;
    if (stoa_dataset_is_pixels(data)) {
        return cli_pixel_scale(subject, facts, file, scale);
    }
    if (!facts->range || !are_pictures(data)) {
        return CLI_DONE;
    }
    int code = measure(subject, data, &range);
    if (code != CLI_DONE || !is_far(facts, range)) {
        return code;
    }
    return cli_fail(
        CLI_WRONG,
        "%s: has values from %g to %g, the data that %s was trained on from %g to %g: expected the same "
        "range, or uint8, which is brought to it",
        file, (double)range.low, (double)range.high, subject->path, (double)facts->range[0],
        (double)facts->range[1]);
}
