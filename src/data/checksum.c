/* SPDX-License-Identifier: MIT */
/* What tells one data set from another: a CRC-32 over samples as they are stored, labels or targets, and
 * normalisation, all of them as a little-endian machine has them. Of a set of more than MOST_BYTES samples
 * are taken evenly, so that a set on disk is not read twice in whole. */
#include <stdlib.h>
#include <zlib.h>

#include "base/size.h"
#include "core/threads.h"
#include "data/dataset.h"
#include "data/disk.h"

enum { MOST_BYTES = 1 << 28, PIECE_BYTES = 4096, TASK_SAMPLES = 256 };

struct checking {
    const stoa_dataset *data;
    size_t bytes;   /* of a sample */
    size_t stride;  /* every how many-th sample is taken */
    size_t count;   /* how many are */
    uint32_t *sums; /* a task */
};

/* Add values of `width` bytes each, which lie in the other order of bytes where they are to be `turned`. */
static uint32_t add_values(uint32_t sum, const void *values, size_t bytes, size_t width, bool turned) {
    const unsigned char *at = values;
    if (!turned || width == 1) {
        return (uint32_t)crc32_z(sum, at, bytes);
    }
    unsigned char piece[PIECE_BYTES];
    for (size_t done = 0; done < bytes; done += PIECE_BYTES) {
        size_t some = stoa_min(PIECE_BYTES, bytes - done);
        for (size_t i = 0; i < some; i++) {
            piece[i] = at[done + i / width * width + width - 1 - i % width];
        }
        sum = (uint32_t)crc32_z(sum, piece, some);
    }
    return sum;
}

static bool is_big_endian(void) {
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
}

static uint32_t add_sample(const struct checking *c, size_t number, uint32_t sum) {
    const struct stoa_store *store = c->data->store;
    size_t at = c->data->select ? c->data->select[number] : number, width = stoa_sample_bytes(store->type);
    bool turned = is_big_endian() != store->swapped;
    if (store->samples) {
        return add_values(sum, (const unsigned char *)store->samples + at * c->bytes, c->bytes, width,
                          turned);
    }
    unsigned char piece[PIECE_BYTES];
    for (size_t done = 0; done < c->bytes; done += PIECE_BYTES) {
        size_t some = stoa_min(PIECE_BYTES, c->bytes - done);
        /* What cannot be read is an error that the store keeps; the sum does not matter then. */
        if (!stoa_disk_read(store->file, store->offset + at * c->bytes + done, some, piece)) {
            return sum;
        }
        sum = add_values(sum, piece, some, width, turned);
    }
    return sum;
}

static void add_samples(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct checking *c = argument;
    size_t first = task * TASK_SAMPLES;
    size_t end = stoa_min(first + TASK_SAMPLES, c->count);
    uint32_t sum = 0;
    for (size_t i = first; i < end; i++) {
        sum = add_sample(c, i * c->stride, sum);
    }
    c->sums[task] = sum;
}

static uint32_t add_labels(const stoa_dataset *data, uint32_t sum) {
    const struct stoa_store *store = data->store;
    for (size_t i = 0; i < data->count; i++) {
        size_t at = data->select ? data->select[i] : i;
        if (store->target_count > 0) {
            sum = add_values(sum, store->targets + at * store->target_count,
                             store->target_count * sizeof *store->targets, sizeof *store->targets,
                             is_big_endian());
        } else {
            sum = add_values(sum, &store->labels[at], sizeof *store->labels, sizeof *store->labels,
                             is_big_endian());
        }
    }
    return sum;
}

static uint32_t add_normalisation(const stoa_dataset *data, uint32_t sum) {
    const float pair[2] = {data->mean, data->deviation};
    bool turned = is_big_endian();
    sum = add_values(sum, pair, sizeof pair, sizeof *pair, turned);
    if (data->by_channel) {
        sum = add_values(sum, data->by_channel, 2 * data->store->channels * sizeof(float), sizeof(float),
                         turned);
    }
    return data->by_target ? add_values(sum, data->by_target, 2 * data->store->target_count * sizeof(float),
                                        sizeof(float), turned)
                           : sum;
}

/* Of samples and labels. */
static stoa_status check_samples(stoa_context *context, const stoa_dataset *data, uint32_t *checksum) {
    const struct stoa_store *store = data->store;
    struct checking c = {.data = data};
    c.bytes = store->height * store->width * store->channels * stoa_sample_bytes(store->type);
    size_t most = stoa_max(1, MOST_BYTES / stoa_max(1, c.bytes));
    c.stride = stoa_ceil_div(stoa_max(1, data->count), most);
    c.count = stoa_ceil_div(data->count, c.stride);
    size_t tasks = stoa_ceil_div(c.count, TASK_SAMPLES);
    c.sums = calloc(stoa_max(1, tasks), sizeof *c.sums);
    if (!c.sums) {
        return stoa_fail(context, STOA_ERR_MEMORY, "checksum of a data set: out of memory");
    }
    stoa_parallel(context, tasks, add_samples, &c);
    uint32_t sum = add_values(0, c.sums, tasks * sizeof *c.sums, sizeof *c.sums, is_big_endian());
    free(c.sums);
    *checksum = add_labels(data, sum);
    return stoa_store_check(store, context);
}

stoa_status stoa_dataset_checksum(stoa_context *context, const stoa_dataset *data, uint32_t *checksum) {
    stoa_status status = check_samples(context, data, checksum);
    if (status == STOA_OK) {
        *checksum = add_normalisation(data, *checksum);
    }
    return status;
}

stoa_status stoa_dataset_fingerprint(const stoa_dataset *dataset, uint32_t *fingerprint) {
    uint32_t sum = 0;
    stoa_status status = check_samples(dataset->context, dataset, &sum);
    if (status == STOA_OK) {
        *fingerprint = sum;
    }
    return status;
}
