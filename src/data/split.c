/* SPDX-License-Identifier: MIT */
/* Views of a part of a data set. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/random.h"
#include "base/size.h"
#include "data/dataset.h"

/* What dividing needs: the samples sorted by class, and which of them go to the second part. */
struct division {
    const stoa_dataset *dataset;
    double share;
    uint64_t seed;
    size_t *begin; /* of each class in `order`, and the end */
    size_t *order;
    bool *second;
};

static size_t store_number(const stoa_dataset *dataset, size_t at) {
    return dataset->select ? dataset->select[at] : at;
}

/* Samples with targets are all of one class. */
static size_t classes_of(const stoa_dataset *dataset) {
    return dataset->store->target_count > 0 ? 1 : dataset->store->classes;
}

static int32_t label_of(const stoa_dataset *dataset, size_t at) {
    return dataset->store->target_count > 0 ? 0 : dataset->store->labels[store_number(dataset, at)];
}

/* Counting sort. */
static void sort_by_class(struct division *division) {
    const stoa_dataset *dataset = division->dataset;
    size_t classes = classes_of(dataset), *begin = division->begin;
    for (size_t i = 0; i < dataset->count; i++) {
        begin[label_of(dataset, i) + 1]++;
    }
    for (size_t c = 0; c < classes; c++) {
        begin[c + 1] += begin[c];
    }
    for (size_t i = 0; i < dataset->count; i++) {
        division->order[begin[label_of(dataset, i)]++] = i;
    }
    memmove(begin + 1, begin, classes * sizeof *begin);
    begin[0] = 0;
}

static stoa_status fail_single(const stoa_dataset *dataset, size_t class_number) {
    if (dataset->store->target_count > 0) {
        return stoa_fail(dataset->context, STOA_ERR_FORMAT,
                         "has one sample, expected at least two: one for each part of the data");
    }
    const char *name = stoa_dataset_class_name(dataset, class_number);
    return stoa_fail(
        dataset->context, STOA_ERR_FORMAT,
        "class %zu%s%.40s%s has one sample, expected at least two: one for each part of the data",
        class_number, name ? " ('" : "", name ? name : "", name ? "')" : "");
}

static stoa_status choose_second(struct division *division) {
    const stoa_dataset *dataset = division->dataset;
    sort_by_class(division);
    for (size_t c = 0; c < classes_of(dataset); c++) {
        size_t *member = division->order + division->begin[c];
        size_t count = division->begin[c + 1] - division->begin[c];
        if (count == 1) {
            return fail_single(dataset, c);
        }
        if (count == 0) {
            continue;
        }
        size_t taken = (size_t)(division->share * (double)count + 0.5);
        taken = stoa_max(1, stoa_min(taken, count - 1));
        stoa_random_shuffle(division->seed, stoa_random_stream_id(STOA_RANDOM_SPLIT, c), member, count);
        for (size_t i = 0; i < taken; i++) {
            division->second[member[i]] = true;
        }
    }
    return STOA_OK;
}

/* A view of the samples whose mark is this, normalised like the whole. */
static stoa_status make_part(const struct division *division, bool second, stoa_dataset **part) {
    const stoa_dataset *dataset = division->dataset;
    stoa_dataset *made = NULL;
    size_t count = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        count += division->second[i] == second;
    }
    dataset->store->users++;
    stoa_status status = stoa_dataset_over(dataset->store, &made);
    if (status != STOA_OK) {
        return status;
    }
    made->mean = dataset->mean;
    made->deviation = dataset->deviation;
    made->count = 0;
    made->select = calloc(stoa_max(count, 1), sizeof *made->select);
    if (!made->select) {
        stoa_dataset_free(made);
        return stoa_fail(dataset->context, STOA_ERR_MEMORY, "data set: no memory for %zu numbers", count);
    }
    for (size_t i = 0; i < dataset->count; i++) {
        if (division->second[i] == second) {
            made->select[made->count++] = store_number(dataset, i);
        }
    }
    if (dataset->by_channel) {
        status = stoa_dataset_normalize_channels(made, dataset->by_channel,
                                                 dataset->by_channel + dataset->store->channels);
    }
    if (status == STOA_OK && dataset->by_target) {
        status = stoa_dataset_normalize_targets(made, dataset->by_target,
                                                dataset->by_target + dataset->store->target_count);
    }
    if (status != STOA_OK) {
        stoa_dataset_free(made);
        return status;
    }
    *part = made;
    return STOA_OK;
}

static stoa_status divide(struct division *division, stoa_dataset **first, stoa_dataset **second) {
    stoa_dataset *train = NULL, *test = NULL;
    stoa_status status = choose_second(division);
    if (status == STOA_OK) {
        status = make_part(division, false, &train);
    }
    if (status == STOA_OK) {
        status = make_part(division, true, &test);
    }
    if (status != STOA_OK) {
        stoa_dataset_free(train);
        return status;
    }
    *first = train;
    *second = test;
    return STOA_OK;
}

stoa_status stoa_dataset_split(const stoa_dataset *dataset, double share, uint64_t seed, stoa_dataset **first,
                               stoa_dataset **second) {
    STOA_FLOAT_STATE();
    if (!(share > 0 && share < 1)) {
        return stoa_fail(dataset->context, STOA_ERR_ARGUMENT,
                         "data set: a share of %g, expected more than 0 and less than 1", share);
    }
    struct division division = {.dataset = dataset, .share = share, .seed = seed};
    division.begin = calloc(classes_of(dataset) + 1, sizeof *division.begin);
    division.order = calloc(dataset->count, sizeof *division.order);
    division.second = calloc(dataset->count, sizeof *division.second);
    stoa_status status = division.begin && division.order && division.second
                             ? divide(&division, first, second)
                             : stoa_fail(dataset->context, STOA_ERR_MEMORY,
                                         "data set: no memory to divide %zu samples", dataset->count);
    free(division.begin);
    free(division.order);
    free(division.second);
    return status;
}
