/* SPDX-License-Identifier: MIT */
/* Repeated samples by sorted checksums: see repeated.h. */
#include "train/repeated.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"

/* Numbers of both parts together: read and hashed in about 10 ms. */
enum { MOST_NUMBERS = 1 << 22 };

/* FNV-1a over the words of a sample, mixed once more (Steele, Lea and Flood 2014). */
static uint64_t hash(const float *values, size_t count) {
    uint64_t sum = 14695981039346656037ULL;
    for (size_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, &values[i], sizeof word);
        sum = (sum ^ word) * 1099511628211ULL;
    }
    sum = (sum ^ (sum >> 30)) * 0xBF58476D1CE4E5B9ULL;
    return sum ^ (sum >> 27);
}

static void hash_all(const stoa_dataset *data, float *sample, size_t size, uint64_t *sums) {
    int32_t label;
    for (size_t i = 0; i < stoa_dataset_count(data); i++) {
        stoa_dataset_read(data, NULL, i, 1, sample, &label);
        sums[i] = hash(sample, size);
    }
}

static int compare(const void *a, const void *b) {
    uint64_t one, other;
    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    return one < other ? -1 : one > other;
}

static void count(const uint64_t *train, const uint64_t *test, struct stoa_repeated *found) {
    for (size_t i = 0; i < found->trained; i++) {
        bool before = i > 0 && train[i - 1] == train[i];
        bool behind = i + 1 < found->trained && train[i + 1] == train[i];
        found->in_train += before || behind;
    }
    for (size_t i = 0; i < found->tested; i++) {
        found->in_both += bsearch(&test[i], train, found->trained, sizeof *train, compare) != NULL;
    }
}

bool stoa_repeated_count(const stoa_dataset *train, const stoa_dataset *test, struct stoa_repeated *found) {
    size_t height, width, channels, numbers;
    stoa_dataset_shape(train, &height, &width, &channels);
    size_t size = height * width * channels;
    *found = (struct stoa_repeated){stoa_dataset_count(train), stoa_dataset_count(test), 0, 0};
    size_t samples = found->trained + found->tested;
    if (!stoa_size_mul(samples, size, &numbers) || numbers > MOST_NUMBERS) {
        return false;
    }
    uint64_t *sums = calloc(samples, sizeof *sums);
    float *sample = calloc(size, sizeof *sample);
    bool good = sums && sample;
    if (good) {
        hash_all(train, sample, size, sums);
        hash_all(test, sample, size, sums + found->trained);
        qsort(sums, found->trained, sizeof *sums, compare);
        count(sums, sums + found->trained, found);
    }
    free(sums);
    free(sample);
    return good;
}
