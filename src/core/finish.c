/* SPDX-License-Identifier: MIT */
/* What is done to a result by pixels, and in a pass of its own where nobody could do it sooner. */
#include "core/finish.h"

#include "base/size.h"
#include "core/threads.h"

void stoa_finish_pixels(const struct stoa_finish *finish, float *result, size_t numbers, size_t stride,
                        size_t first, size_t count, size_t at, size_t columns) {
    if (!finish->map) {
        return;
    }
    size_t together = columns == numbers && stride == numbers ? count : 1;
    for (size_t pixel = first; pixel < first + count; pixel += together) {
        finish->map(finish->with, result + pixel * stride + at, pixel * numbers + at, together * columns);
    }
}

struct finishing {
    const struct stoa_finish *finish;
    float *result;
    size_t numbers, stride, pixels, grain;
};

static void finish_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct finishing *f = argument;
    size_t first = task * f->grain;
    stoa_finish_pixels(f->finish, f->result, f->numbers, f->stride, first,
                       stoa_min(f->grain, f->pixels - first), 0, f->numbers);
}

void stoa_finish_all(const stoa_context *context, const struct stoa_finish *finish, float *result,
                     size_t numbers, size_t stride, size_t pixels) {
    enum { GRAIN = 16384 };
    struct finishing f = {finish, result, numbers, stride, pixels, stoa_max(1, GRAIN / numbers)};
    if (finish->map) {
        stoa_parallel(context, stoa_ceil_div(pixels, f.grain), finish_task, &f);
    }
}
