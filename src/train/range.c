/* SPDX-License-Identifier: MIT */
/* The range of values that a model was trained on. Bytes are pixels from 0 to 1. Arrays of other types and
 * tables keep their values, so that white may be 1, 255 or anything: what it was in training travels with the
 * model, and other data are scaled to it or refused. */
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "train/data_facts.h"

struct range {
    float low, high;
};

/* Models of earlier versions say only what kind their data were; bytes are told by it. */
stoa_status stoa_range_read(struct stoa_data_facts *facts) {
    static const char *const bytes[] = {"idx", "pictures", "digits"};
    const char *format = stoa_model_fact(facts->model, "data.format");
    size_t count = 0;
    float *white = NULL;
    free(facts->range);
    stoa_status status = stoa_data_facts_numbers(facts, "data.range", -1e30, &facts->range, &count);
    if (status == STOA_OK && facts->range && count != 2) {
        return stoa_fail(facts->context, STOA_ERR_FORMAT,
                         "%s: data.range: found '%.80s', expected two numbers, separated by a space",
                         stoa_model_name(facts->model), stoa_model_fact(facts->model, "data.range"));
    }
    facts->white = 0;
    for (size_t i = 0; format && !facts->range && i < sizeof bytes / sizeof bytes[0]; i++) {
        facts->white = strcmp(format, bytes[i]) == 0 ? 1 : facts->white;
    }
    if (status == STOA_OK) {
        status = stoa_data_facts_numbers(facts, "data.white", 1e-30, &white, &count);
    }
    if (white) {
        facts->white = *white;
    }
    free(white);
    return status == STOA_OK && count > 1
               ? stoa_fail(facts->context, STOA_ERR_FORMAT,
                           "%s: data.white: found '%.80s', expected one number",
                           stoa_model_name(facts->model), stoa_model_fact(facts->model, "data.white"))
               : status;
}

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

/* Rows of a table have no white. */
static bool are_pictures(const stoa_dataset *data) {
    size_t height, width, channels;
    stoa_dataset_shape(data, &height, &width, &channels);
    return height > 1 && width > 1;
}

stoa_status stoa_range_keep(struct stoa_data_facts *facts, stoa_model *model, const stoa_dataset *train) {
    struct range range;
    stoa_status status = stoa_dataset_range(train, &range.low, &range.high);
    if (status != STOA_OK) {
        return status;
    }
    bool pixels = stoa_dataset_is_pixels(train);
    const float both[] = {range.low, range.high};
    const float white = pixels ? 1 : are_pictures(train) ? guess_white(range) : 0;
    status = stoa_data_facts_set_numbers(model, "data.range", both, 2);
    if (status == STOA_OK) {
        status = white > 0 ? stoa_data_facts_set_numbers(model, "data.white", &white, 1)
                           : stoa_model_set_fact(model, "data.white", NULL);
    }
    return status == STOA_OK ? stoa_range_read(facts) : status;
}

stoa_status stoa_range_of_pixels(const struct stoa_data_facts *facts, const char *what, float *scale) {
    *scale = facts->white > 0 ? facts->white : 1;
    if (facts->white > 0 || !facts->range || (facts->range[0] >= 0 && facts->range[1] <= 1)) {
        return STOA_OK;
    }
    return stoa_fail(facts->context, STOA_ERR_FORMAT,
                     "%s: its pixels lie between 0 and 1, the data that %s was trained on between %g and %g: "
                     "expected a table or an array with values like those",
                     what, stoa_model_name(facts->model), (double)facts->range[0], (double)facts->range[1]);
}

/* Whether values are far from those of the training data: well below 0, or of another magnitude than white,
 * where it is known. Pictures that are all black have any range. */
static bool is_far(const struct stoa_data_facts *facts, struct range range) {
    float known = facts->white;
    if (known > 0) {
        return range.low < -known / 16 || range.high > 4 * known ||
               (range.high > 0 && range.high < known / 8);
    }
    float most = facts->range[1] > -facts->range[0] ? facts->range[1] : -facts->range[0];
    return range.high > 16 * most && range.high > 1;
}

stoa_status stoa_range_of_values(const struct stoa_data_facts *facts, const char *what,
                                 const stoa_dataset *data, float *scale) {
    struct range range;
    *scale = 1;
    if (stoa_dataset_is_pixels(data)) {
        return stoa_range_of_pixels(facts, what, scale);
    }
    if (!facts->range || !are_pictures(data)) {
        return STOA_OK;
    }
    stoa_status status = stoa_dataset_range(data, &range.low, &range.high);
    if (status != STOA_OK || !is_far(facts, range)) {
        return status;
    }
    return stoa_fail(facts->context, STOA_ERR_FORMAT,
                     "%s: has values from %g to %g, the data that %s was trained on from %g to %g: expected "
                     "the same range, or uint8, which is brought to it",
                     what, (double)range.low, (double)range.high, stoa_model_name(facts->model),
                     (double)facts->range[0], (double)facts->range[1]);
}
