/* SPDX-License-Identifier: MIT */
/* What is done to a result in a pass of its own, where nobody could do it sooner. */
#include "core/finish.h"

#include "base/size.h"
#include "core/threads.h"

struct finishing {
    const struct stoa_finish *finish;
    float *result;
    size_t rows, columns, stride, grain;
};

static void finish_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct finishing *r = argument;
    size_t end = stoa_min(r->rows, (task + 1) * r->grain);
    size_t together = r->stride == r->columns ? r->grain : 1;
    for (size_t row = task * r->grain; row < end; row += together) {
        size_t count = stoa_min(together, end - row) * r->columns;
        stoa_finish(r->finish, r->result + row * r->stride, row * r->columns, count);
    }
}

void stoa_finish_rows(const stoa_context *context, const struct stoa_finish *finish, float *result,
                      size_t rows, size_t columns, size_t stride) {
    enum { GRAIN = 16384 };
    struct finishing r = {finish, result, rows, columns, stride, stoa_max(1, GRAIN / columns)};
    if (finish->map) {
        stoa_parallel(context, stoa_ceil_div(rows, r.grain), finish_task, &r);
    }
}
