/* SPDX-License-Identifier: MIT */
/* What surrounds an algorithm's own run: operands that lie otherwise than it reads and writes them, results
 * that are added to what is there, and prepared weights with the key of their plan. */
#include "conv/operands.h"

#include <assert.h>
#include <string.h>

#include "base/size.h"
#include "conv/cost.h"
#include "core/layout.h"
#include "core/tuning.h"

/* Prepared weights begin with the plan's key, in a line of their own. */
enum { HEADER_BYTES = STOA_ALIGN_BYTES };

/* FNV-1a (Fowler, Noll, Vo 1991), number by number. */
static uint64_t mix(uint64_t hash, uint64_t number) {
    for (int byte = 0; byte < 8; byte++) {
        hash = (hash ^ (number >> (8 * byte) & 0xff)) * 0x100000001b3U;
    }
    return hash;
}

static uint64_t key_of(const stoa_context *context, const struct stoa_conv_plan *plan) {
    const struct stoa_conv *c = &plan->asked;
    const struct stoa_window *w = &c->window;
    const size_t numbers[] = {w->height,
                              w->width,
                              w->channels,
                              w->kernel_height,
                              w->kernel_width,
                              w->stride_height,
                              w->stride_width,
                              w->dilation_height,
                              w->dilation_width,
                              w->pad_top,
                              w->pad_left,
                              w->out_height,
                              w->out_width,
                              c->batch,
                              c->filters,
                              c->groups,
                              c->x_pixel,
                              c->y_pixel,
                              c->x_planar,
                              c->y_planar,
                              c->oihw,
                              c->adds,
                              (size_t)plan->pass,
                              (size_t)context->isa,
                              (size_t)context->policy,
                              context->workspace_limit};
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        hash = mix(hash, numbers[i]);
    }
    const char *const texts[] = {plan->algorithm->name, context->tuning->sum};
    for (size_t i = 0; i < 2; i++) {
        for (const char *at = texts[i]; *at; at++) {
            hash = mix(hash, (unsigned char)*at);
        }
    }
    return hash ? hash : 1;
}

struct stoa_conv stoa_conv_native_part(const struct stoa_conv *conv, enum stoa_conv_pass pass,
                                       unsigned native) {
    struct stoa_conv part = *conv;
    unsigned asked = (conv->x_pixel ? STOA_CONV_X_PIXEL : 0) | (conv->x_planar ? STOA_CONV_X_PLANAR : 0) |
                     (conv->oihw ? STOA_CONV_OIHW : 0);
    unsigned result = pass == STOA_CONV_BACKWARD_DATA      ? STOA_CONV_X_PIXEL | STOA_CONV_X_PLANAR
                      : pass == STOA_CONV_BACKWARD_WEIGHTS ? STOA_CONV_OIHW
                                                           : 0;
    /* A result that is copied anyway is added by that copy, and has no gaps before. */
    part.adds = conv->adds && (native & STOA_CONV_ADDS) && (asked & result & ~native) == 0;
    native = part.adds == conv->adds ? native : native & ~result;
    part.x_pixel = native & STOA_CONV_X_PIXEL ? conv->x_pixel : 0;
    part.x_planar = conv->x_planar && (native & STOA_CONV_X_PLANAR);
    part.y_pixel = native & STOA_CONV_Y_PIXEL ? conv->y_pixel : 0;
    part.y_planar = conv->y_planar && (native & STOA_CONV_Y_PLANAR);
    part.oihw = conv->oihw && (native & STOA_CONV_OIHW);
    return part;
}

/* Operands that the algorithm has copies of: their floats, 0 for the others. */
struct copies {
    size_t x, y, weight, bias;
};

static struct copies copies_of(const struct stoa_conv_plan *plan) {
    const struct stoa_conv *asked = &plan->asked;
    const struct stoa_conv *own = &plan->conv;
    const struct stoa_window *w = &own->window;
    bool apart = asked->adds != own->adds;
    bool sums = apart && plan->pass == STOA_CONV_BACKWARD_WEIGHTS;
    bool x = asked->x_pixel != own->x_pixel || asked->x_planar != own->x_planar ||
             (apart && plan->pass == STOA_CONV_BACKWARD_DATA);
    bool y = asked->y_pixel != own->y_pixel || asked->y_planar != own->y_planar;
    return (struct copies){.x = x ? own->batch * w->height * w->width * w->channels : 0,
                           .y = y ? stoa_conv_pixels(own) * own->filters : 0,
                           .weight = asked->oihw != own->oihw || sums ? stoa_conv_weights(own) : 0,
                           .bias = sums ? own->filters : 0};
}

/* The areas of a workspace; NULL: without. */
struct areas {
    void *own; /* the algorithm's */
    float *x, *y, *weight, *bias;
};

static struct areas carve(const struct stoa_conv_plan *plan, struct stoa_carve *carve) {
    struct copies copies = copies_of(plan);
    struct areas areas = {.own = stoa_carve_bytes(carve, plan->own_bytes, 1)};
    areas.x = stoa_carve_floats(carve, copies.x);
    areas.y = stoa_carve_floats(carve, copies.y);
    areas.weight = stoa_carve_floats(carve, copies.weight);
    areas.bias = stoa_carve_floats(carve, copies.bias);
    return areas;
}

bool stoa_conv_plan_operands(const stoa_context *context, struct stoa_conv_plan *plan) {
    struct stoa_carve room = {.memory = NULL};
    struct copies copies = copies_of(plan);
    plan->own_bytes = plan->bytes;
    (void)carve(plan, &room);
    plan->bytes = room.bytes;
    plan->cost +=
        stoa_cost_stream(context, 2 * ((double)copies.x + (double)copies.y + (double)copies.weight));
    plan->prepares = plan->prepared_bytes > 0;
    if (plan->pass == STOA_CONV_FORWARD && copies.weight > 0 && !plan->prepares) {
        plan->prepared_bytes = copies.weight * sizeof(float);
    }
    plan->prepared_bytes += plan->prepared_bytes > 0 ? HEADER_BYTES : 0;
    plan->key = key_of(context, plan);
    return !room.overflow;
}

static struct stoa_foreign x_layout(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    return (struct stoa_foreign){
        conv->batch, w->height * w->width, w->channels, stoa_conv_x_pixel(conv), conv->x_planar, 1};
}

static struct stoa_foreign y_layout(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    return (struct stoa_foreign){
        conv->batch, w->out_height * w->out_width, conv->filters, stoa_conv_y_pixel(conv), conv->y_planar, 1};
}

static struct stoa_foreign weight_layout(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    return (struct stoa_foreign){.images = 1,
                                 .rows = stoa_conv_column(conv),
                                 .columns = conv->filters,
                                 .pixel = conv->filters,
                                 .planar = conv->oihw,
                                 .taps = w->kernel_height * w->kernel_width};
}

void stoa_conv_prepare(const stoa_context *context, const struct stoa_conv_plan *plan, const float *weight,
                       void *prepared, void *workspace) {
    float *to = (float *)prepared + HEADER_BYTES / sizeof(float);
    memcpy(prepared, &plan->key, sizeof plan->key);
    if (plan->asked.oihw != plan->conv.oihw) {
        struct stoa_carve room = {.memory = workspace};
        struct stoa_foreign layout = weight_layout(&plan->asked);
        float *copy = plan->prepares ? carve(plan, &room).weight : to;
        stoa_layout_read(context, &layout, weight, copy);
        weight = copy;
    }
    if (plan->prepares) {
        plan->algorithm->prepare(context, plan, weight, to);
    }
}

bool stoa_conv_is_prepared(const struct stoa_conv_plan *plan, const void *prepared) {
    return memcmp(prepared, &plan->key, sizeof plan->key) == 0;
}

/* The operand that the algorithm reads: the caller's, or the area that it is copied to. */
static const float *read_in(const stoa_context *context, struct stoa_foreign layout, const float *theirs,
                            float *area) {
    if (!area || !theirs) {
        return theirs;
    }
    stoa_layout_read(context, &layout, theirs, area);
    return area;
}

/* The result that the algorithm writes: the caller's, or an area. */
static float *written_to(float *theirs, float *area) {
    return area && theirs ? area : theirs;
}

/* And from there to the caller's. */
static void write_out(const stoa_context *context, struct stoa_foreign layout, bool adds, const float *area,
                      float *theirs) {
    if (area && theirs) {
        stoa_layout_write(context, &layout, area, adds, theirs);
    }
}

void stoa_conv_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    struct stoa_carve room = {.memory = run->workspace};
    struct areas areas = carve(plan, &room);
    struct stoa_conv asked = plan->asked;
    struct stoa_conv_run own = *run;
    asked.batch = run->batch;
    bool adds = asked.adds && !plan->conv.adds;
    own.workspace = areas.own;
    own.x = read_in(run->context, x_layout(&asked), run->x, areas.x);
    own.dy = read_in(run->context, y_layout(&asked), run->dy, areas.y);
    if (run->prepared) {
        assert(stoa_conv_is_prepared(plan, run->prepared));
        const float *prepared = (const float *)run->prepared + HEADER_BYTES / sizeof(float);
        own.prepared = plan->prepares ? prepared : NULL;
        own.weight = plan->prepares ? run->weight : prepared;
    } else {
        own.weight = read_in(run->context, weight_layout(&asked), run->weight, areas.weight);
    }
    own.y = written_to(run->y, areas.y);
    own.dx = written_to(run->dx, areas.x);
    own.dweight = written_to(run->dweight, areas.weight);
    own.dbias = written_to(run->dbias, areas.bias);
    plan->algorithm->run(plan, &own);
    write_out(run->context, y_layout(&asked), false, areas.y, run->y);
    write_out(run->context, x_layout(&asked), adds, areas.x, run->dx);
    write_out(run->context, weight_layout(&asked), adds, areas.weight, run->dweight);
    write_out(run->context, (struct stoa_foreign){1, 1, asked.filters, asked.filters, false, 1}, adds,
              areas.bias, run->dbias);
}
