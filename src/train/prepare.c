/* SPDX-License-Identifier: MIT */
/* Batches read and augmented by a helping thread. A sample is a task, and what becomes of it follows from its
 * number, so it does not matter who makes it. */
#include "train/prepare.h"

#include <stdlib.h>

#include "base/size.h"
#include "data/dataset.h"

/* Two threads make samples: the helper and its owner. */
enum { MAKERS = 2 };

static bool count_floats(const struct stoa_preparer *p, size_t batch, size_t *bytes) {
    size_t images, scratch, all;
    return stoa_size_mul(batch, p->size, &images) && stoa_size_mul(p->scratch_floats, MAKERS, &scratch) &&
           stoa_size_add(images, scratch, &all) && stoa_size_add(all, p->shape.channels, &all) &&
           stoa_float_bytes(all, bytes);
}

static stoa_status allocate(struct stoa_preparer *p, size_t batch) {
    if (!stoa_augment_scratch(&p->augment, &p->shape, &p->scratch_floats) ||
        !count_floats(p, batch, &p->bytes)) {
        return stoa_fail(p->context, STOA_ERR_MEMORY, "augmented batch: its size overflows");
    }
    p->memory = stoa_allocate(p->context, p->bytes, "augmented batch");
    if (!p->memory) {
        return STOA_ERR_MEMORY;
    }
    p->images = p->memory;
    p->scratch = p->images + batch * p->size;
    p->fill = p->scratch + MAKERS * p->scratch_floats;
    p->labels = calloc(batch, sizeof *p->labels);
    if (!p->labels) {
        return stoa_fail(p->context, STOA_ERR_MEMORY, "labels of a batch: out of memory");
    }
    p->helper = stoa_helper_create(p->context);
    return p->helper ? STOA_OK : STOA_ERR_MEMORY;
}

stoa_status stoa_preparer_open(stoa_context *context, const stoa_dataset *data,
                               const struct stoa_train_settings *settings, struct stoa_preparer *preparer) {
    *preparer = (struct stoa_preparer){
        .context = context, .data = data, .augment = settings->augment, .seed = settings->options.seed};
    struct stoa_augment_shape *shape = &preparer->shape;
    stoa_dataset_shape(data, &shape->height, &shape->width, &shape->channels);
    preparer->size = shape->height * shape->width * shape->channels;
    stoa_status status = stoa_augment_check(&context->error, &preparer->augment, shape);
    if (status == STOA_OK) {
        status = allocate(preparer, settings->options.batch);
    }
    if (status != STOA_OK) {
        stoa_preparer_close(preparer);
        return status;
    }
    stoa_dataset_zero(data, preparer->fill);
    return STOA_OK;
}

void stoa_preparer_close(struct stoa_preparer *preparer) {
    stoa_helper_free(preparer->helper);
    free(preparer->labels);
    if (preparer->memory) {
        stoa_release(preparer->context, preparer->memory, preparer->bytes);
    }
    *preparer = (struct stoa_preparer){.context = NULL};
}

static void make_sample(void *argument, size_t task, size_t thread) {
    const struct stoa_preparer *p = argument;
    float *image = p->images + task * p->size;
    stoa_dataset_read(p->data, p->index + task, 0, 1, image, p->labels + task);
    stoa_augment_run(&p->augment, &p->shape, p->seed, p->epoch, p->index[task], p->fill, image,
                     p->scratch + thread * p->scratch_floats);
}

void stoa_preparer_begin(struct stoa_preparer *preparer, size_t epoch, const size_t *index, size_t samples) {
    preparer->epoch = epoch;
    preparer->index = index;
    stoa_helper_begin(preparer->helper, samples, make_sample, preparer);
}

void stoa_preparer_finish(struct stoa_preparer *preparer) {
    stoa_helper_finish(preparer->helper);
}
