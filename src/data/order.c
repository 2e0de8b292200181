/* SPDX-License-Identifier: MIT */
/* The order in which an epoch sees its samples. Of data in memory it is any; of data that stay on disk the
 * file is gone through once from its beginning to its end, in windows that are shuffled, so that no more of
 * it need be in memory than two of them. Where windows begin changes with the epoch: samples on two sides of
 * a border meet in the next. */
#include "base/random.h"
#include "base/size.h"
#include "data/dataset.h"
#include "data/disk.h"

/* Windows of an epoch get streams of their own. */
enum { WINDOW_BITS = 28 };

/* As many samples as half of the bound holds: a batch may reach from one window into the next. */
static size_t window_of(const stoa_dataset *dataset) {
    const struct stoa_store *store = dataset->store;
    size_t bytes = store->height * store->width * store->channels * stoa_sample_bytes(store->type);
    return stoa_max(1, stoa_disk_memory(store->file) / 2 / bytes);
}

/* Windows are of the store, where parts leave gaps. */
static size_t store_number(const stoa_dataset *dataset, size_t at) {
    return dataset->select ? dataset->select[at] : at;
}

void stoa_dataset_shuffle(const stoa_dataset *dataset, uint64_t seed, size_t epoch, size_t *index,
                          size_t count) {
    if (!dataset->store->file || count == 0) {
        stoa_random_shuffle(seed, stoa_random_stream_id(STOA_RANDOM_SHUFFLE, epoch), index, count);
        return;
    }
    size_t window = window_of(dataset);
    struct stoa_random4 r = stoa_philox(seed, 0, stoa_random_stream_id(STOA_RANDOM_SHUFFLE, epoch));
    /* The store's samples up to `end` make up the window: the first one is a part of one. */
    size_t end = store_number(dataset, index[0]) + 1 + r.word[0] % window;
    size_t number = 0;
    for (size_t first = 0, i = 0; first < count; first = i, end += window, number++) {
        while (i < count && store_number(dataset, index[i]) < end) {
            i++;
        }
        uint64_t stream = (uint64_t)epoch << WINDOW_BITS | (number & (((size_t)1 << WINDOW_BITS) - 1));
        stoa_random_shuffle(seed, stoa_random_stream_id(STOA_RANDOM_WINDOW, stream), index + first,
                            i - first);
    }
}
