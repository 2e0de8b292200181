/* SPDX-License-Identifier: MIT */
/* Targets out of NumPy's arrays: one number a sample, or a row of them. */
#include "data/npy_targets.h"

stoa_status stoa_npy_take_targets(struct stoa_store *store, const char *name, const struct stoa_npy *npy,
                                  const void *values, const char *samples, stoa_task task) {
    if (npy->size[0] != store->count || npy->rank > 2) {
        return stoa_fail(
            store->context, STOA_ERR_FORMAT,
            "%s: %zu rows of targets in %zu dimensions, expected %zu, of which %s has samples, in 1 or "
            "2",
            name, npy->size[0], npy->rank, store->count, samples);
    }
    size_t targets = npy->rank == 2 ? npy->size[1] : 1;
    stoa_status status = stoa_store_allocate_targets(store, name, task, targets);
    float *out = store->targets_memory.data;
    for (size_t i = 0; status == STOA_OK && i < npy->values; i++) {
        double value = stoa_value_number(npy->type, npy->swapped, values, i).value;
        out[i] = (float)value;
        if (!stoa_target_fits(task, out[i])) {
            status = stoa_fail(
                store->context, STOA_ERR_FORMAT, "%s: target %zu of sample %zu is %g, expected %s", name,
                i % targets, i / targets, value,
                task == STOA_TASK_MULTILABEL ? "0 or 1, as task = multilabel takes" : "a finite number");
        }
    }
    return status;
}
