/* SPDX-License-Identifier: MIT */
/* One pass by one algorithm: making its plan, preparing its weights, running it. Around the algorithm's own
 * work, operands are copied that lie otherwise than it reads and writes them, results are added to what is
 * there, and prepared weights carry the key of their plan. */
#include <assert.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "core/layout.h"
#include "core/tuning.h"

/* Prepared weights begin with the plan's key, in a cache line of its own. */
enum { HEADER_BYTES = STOA_ALIGN_BYTES };

/* FNV-1a (Fowler, Noll, Vo 1991). */
static uint64_t mix(uint64_t hash, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3U;
    }
    return hash;
}

static uint64_t key_of(const stoa_context *context, const struct stoa_conv_plan *plan) {
    const struct stoa_conv *c = &plan->asked;
    const size_t settings[] = {c->x_planar,
                               c->y_planar,
                               c->oihw,
                               c->adds,
                               (size_t)plan->pass,
                               (size_t)context->isa,
                               (size_t)context->policy,
                               context->workspace_limit};
    uint64_t key =
        /* These are sizes, without gaps between them */
        mix(0xcbf29ce484222325U, c, offsetof(struct stoa_conv, x_planar));
    key = mix(key, settings, sizeof settings);
    key = mix(key, plan->algorithm->name, strlen(plan->algorithm->name));
    key = mix(key, context->tuning->sum, sizeof context->tuning->sum);
    return key ? key : 1;
}

void stoa_conv_take(struct stoa_conv_plan *plan, unsigned native) {
    const struct stoa_conv *asked = &plan->asked;
    struct stoa_conv *own = &plan->conv;
    bool to_x = plan->pass == STOA_CONV_BACKWARD_DATA;
    bool to_weight = plan->pass == STOA_CONV_BACKWARD_WEIGHTS;
    bool copied = to_x ? asked->x_planar || (asked->x_pixel && !(native & STOA_CONV_X_PIXEL))
                       : to_weight && asked->oihw && !(native & STOA_CONV_OIHW);
    /* A result that is copied anyway is added by that copy, and has no gaps before it. */
    own->adds = asked->adds && (native & STOA_CONV_ADDS) && !copied;
    bool dense = asked->adds && !own->adds;
    own->x_pixel = (native & STOA_CONV_X_PIXEL) && !(to_x && dense) ? asked->x_pixel : 0;
    own->y_pixel = native & STOA_CONV_Y_PIXEL ? asked->y_pixel : 0;
    own->oihw = asked->oihw && (native & STOA_CONV_OIHW) && !(to_weight && dense);
}

/* The operands of a pass, each read or written. */
enum operand { X, Y, WEIGHT, BIAS, OPERANDS };

struct operands {
    struct stoa_foreign layout[OPERANDS]; /* the operands as the caller has them */
    bool copied[OPERANDS];                /* the algorithm has a copy in the workspace, here */
    float *copy[OPERANDS];
    void *own; /* the algorithm's part of the workspace */
};

static size_t floats_of(const struct operands *o, enum operand i) {
    return o->copied[i] ? o->layout[i].images * o->layout[i].rows * o->layout[i].columns : 0;
}

/* The operands of a run of `batch` samples, with their places in the workspace. */
static struct operands operands_of(const struct stoa_conv_plan *plan, size_t batch, struct stoa_carve *room) {
    const struct stoa_conv *asked = &plan->asked;
    const struct stoa_conv *own = &plan->conv;
    const struct stoa_window *w = &own->window;
    const size_t filters = own->filters;
    bool apart = asked->adds != own->adds;
    bool sums = apart && plan->pass == STOA_CONV_BACKWARD_WEIGHTS;
    struct operands o = {.layout = {[X] = {batch, w->height * w->width, w->channels, stoa_conv_x_pixel(asked),
                                           asked->x_planar, 1},
                                    [Y] = {batch, w->out_height * w->out_width, filters,
                                           stoa_conv_y_pixel(asked), asked->y_planar, 1},
                                    [WEIGHT] = {1, stoa_conv_column(own), filters, filters, asked->oihw,
                                                w->kernel_height * w->kernel_width},
                                    [BIAS] = {1, 1, filters, filters, false, 1}},
                         .copied = {[X] = asked->x_pixel != own->x_pixel || asked->x_planar ||
                                          (apart && plan->pass == STOA_CONV_BACKWARD_DATA),
                                    [Y] = asked->y_pixel != own->y_pixel || asked->y_planar,
                                    [WEIGHT] = asked->oihw != own->oihw || sums,
                                    [BIAS] = sums}};
    o.own = stoa_carve_bytes(room, plan->own_bytes, 1);
    for (enum operand i = X; i < OPERANDS; i++) {
        o.copy[i] = stoa_carve_floats(room, floats_of(&o, i));
    }
    return o;
}

/* What the pass takes for each second that the algorithm predicts. */
static double factor_of(const stoa_context *context, const struct stoa_conv_plan *plan) {
    const char *table = (const char *)context->tuning;
    return *(const double *)(const void *)(table + plan->algorithm->factor[plan->pass]);
}

bool stoa_conv_plan_with(const stoa_context *context, const struct stoa_conv_algorithm *algorithm,
                         const struct stoa_conv *conv, enum stoa_conv_pass pass,
                         struct stoa_conv_plan *plan) {
    memset(plan, 0, sizeof *plan);
    plan->asked = *conv;
    plan->asked.adds = conv->adds && pass != STOA_CONV_FORWARD;
    plan->pass = pass;
    plan->algorithm = algorithm;
    plan->conv = plan->asked;
    plan->conv.x_planar = plan->conv.y_planar = false;
    stoa_conv_take(plan, 0);
    if (!algorithm->plan(context, plan)) {
        return false;
    }
    struct stoa_carve room = {.memory = NULL};
    plan->own_bytes = plan->bytes;
    struct operands o = operands_of(plan, plan->conv.batch, &room);
    double copied = 0;
    for (enum operand i = X; i < OPERANDS; i++) {
        copied += (double)floats_of(&o, i);
    }
    const struct stoa_window *w = &conv->window;
    double tensors = (double)conv->batch * (double)(w->height * w->width) * (double)w->channels +
                     (double)stoa_conv_pixels(conv) * (double)conv->filters;
    plan->bytes = room.bytes;
    plan->cost = (plan->cost + stoa_cost_stream(context, tensors)) * factor_of(context, plan) +
                 stoa_cost_stream(context, 2 * copied);
    plan->prepares = plan->prepared_bytes > 0;
    if (pass == STOA_CONV_FORWARD && !plan->prepares) {
        plan->prepared_bytes = floats_of(&o, WEIGHT) * sizeof(float);
    }
    plan->prepared_bytes += plan->prepared_bytes > 0 ? HEADER_BYTES : 0;
    plan->key = key_of(context, plan);
    return !room.overflow;
}

void stoa_conv_prepare(const stoa_context *context, const struct stoa_conv_plan *plan, const float *weight,
                       void *prepared, void *workspace) {
    float *to = (float *)prepared + HEADER_BYTES / sizeof(float);
    struct stoa_carve room = {.memory = workspace};
    struct operands o = operands_of(plan, plan->conv.batch, &room);
    memcpy(prepared, &plan->key, sizeof plan->key);
    if (o.copied[WEIGHT]) {
        float *copy = plan->prepares ? o.copy[WEIGHT] : to;
        stoa_layout_read(context, &o.layout[WEIGHT], weight, copy);
        weight = copy;
    }
    if (plan->prepares) {
        plan->algorithm->prepare(context, plan, weight, to);
    }
}

bool stoa_conv_is_prepared(const struct stoa_conv_plan *plan, const void *prepared) {
    return memcmp(prepared, &plan->key, sizeof plan->key) == 0;
}

/* The operand that the algorithm reads: the caller's, or its copy. */
static const float *read_in(const stoa_context *context, const struct operands *o, enum operand i,
                            const float *theirs) {
    if (!theirs || !o->copied[i]) {
        return theirs;
    }
    stoa_layout_read(context, &o->layout[i], theirs, o->copy[i]);
    return o->copy[i];
}

void stoa_conv_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    struct stoa_carve room = {.memory = run->workspace};
    struct operands o = operands_of(plan, run->batch, &room);
    struct stoa_conv_run own = *run;
    own.workspace = o.own;
    own.x = read_in(run->context, &o, X, run->x);
    own.dy = read_in(run->context, &o, Y, run->dy);
    if (run->prepared) {
        assert(stoa_conv_is_prepared(plan, run->prepared));
        const float *prepared = (const float *)run->prepared + HEADER_BYTES / sizeof(float);
        own.prepared = plan->prepares ? prepared : NULL;
        own.weight = plan->prepares ? run->weight : prepared;
    } else {
        own.weight = read_in(run->context, &o, WEIGHT, run->weight);
    }
    float *const theirs[OPERANDS] = {run->dx, run->y, run->dweight, run->dbias};
    float **const written[OPERANDS] = {&own.dx, &own.y, &own.dweight, &own.dbias};
    for (enum operand i = X; i < OPERANDS; i++) {
        *written[i] = o.copied[i] && theirs[i] ? o.copy[i] : theirs[i];
    }
    const enum operand result = plan->pass == STOA_CONV_FORWARD ? Y : X;
    bool finished = plan->finishes && !o.copied[result];
    own.finish = finished ? run->finish : (struct stoa_finish){NULL, NULL};
    plan->algorithm->run(plan, &own);
    for (enum operand i = X; i < OPERANDS; i++) {
        if (o.copied[i] && theirs[i]) {
            bool adds = plan->asked.adds && !plan->conv.adds;
            stoa_layout_write(run->context, &o.layout[i], o.copy[i], adds, theirs[i]);
        }
    }
    if (!finished) {
        const struct stoa_foreign *l = &o.layout[result];
        stoa_finish_all(run->context, &run->finish, theirs[result], l->columns,
                        l->planar ? l->columns : l->pixel, l->images * l->rows);
    }
}
