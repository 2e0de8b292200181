/* SPDX-License-Identifier: MIT */
/* The update of all parameters. One parallel loop over pieces of the flat arrays clips, steps and averages
 * while a part of a piece is in cache; clipping by norm takes a loop more, whose sums are added in a tree
 * that follows from the number of parameters alone. */
#include "train/update.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "core/threads.h"
#include "train/rates.h"
#include "train/trainer.h"

/* Floats of a piece, which is a task, and of a part of one: an optimiser's arrays of a part, the average
 * among them, fit into L1 side by side. */
enum { PIECE = 16384, PART = 1024 };

/* Cut a range of tensors that are treated alike, unless it is one weight that stays whole; the number of
 * pieces. */
static size_t cut_range(struct stoa_piece range, struct stoa_piece *pieces) {
    size_t size = range.columns > 0 ? range.count : PIECE;
    size_t count = stoa_ceil_div(range.count, size);
    for (size_t i = 0; pieces && i < count; i++) {
        pieces[i] = range;
        pieces[i].first += i * size;
        pieces[i].count = stoa_min(size, range.count - i * size);
    }
    return count;
}

/* The weight that no other one follows: what it gives are the classes. */
static size_t last_weight(const stoa_model *model) {
    size_t last = model->tensor_count;
    for (size_t i = 0; i < model->tensor_count; i++) {
        last = model->tensors[i].spec.decays ? i : last;
    }
    return last;
}

/* A weight as a matrix, its outputs lying side by side; nothing for a single row. */
static void shape_weight(const struct stoa_tensor *tensor, struct stoa_piece *piece) {
    const struct stoa_tensor_spec *spec = &tensor->spec;
    for (size_t i = 0; i < spec->walk_rank; i++) {
        if (spec->memory_stride[i] == 1 && spec->disk_dim[i] > 1 && spec->disk_dim[i] < tensor->count) {
            piece->columns = spec->disk_dim[i];
            piece->rows = tensor->count / piece->columns;
        }
    }
}

/* Cut all parameters, or all running statistics, of the layers that are not frozen; the number of pieces. */
static size_t cut_pieces(const stoa_trainer *t, bool trainable, struct stoa_piece *pieces) {
    const stoa_model *model = t->model;
    struct stoa_piece range = {.count = 0};
    size_t count = 0, last = last_weight(model);
    bool whole = t->settings.optimizer->workspace && trainable;
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        struct stoa_piece one = {.first = tensor->offset,
                                 .count = stoa_round_up(tensor->count, STOA_ALIGN_FLOATS),
                                 .decays = tensor->spec.decays,
                                 .rate = t->rates[stoa_tensor_node(model, i)]};
        if (tensor->spec.trainable != trainable || one.rate == 0) {
            continue;
        }
        if (whole && one.decays && i != last) {
            shape_weight(tensor, &one);
        }
        bool joins = range.columns == 0 && one.columns == 0 && range.first + range.count == one.first &&
                     range.decays == one.decays && range.rate == one.rate;
        if (joins) {
            range.count += one.count;
        } else {
            count += cut_range(range, pieces ? pieces + count : NULL);
            range = one;
        }
    }
    return count + cut_range(range, pieces ? pieces + count : NULL);
}

/* All pieces of one kind. */
static struct stoa_piece *make_pieces(const stoa_trainer *trainer, bool trainable, size_t *count) {
    *count = cut_pieces(trainer, trainable, NULL);
    struct stoa_piece *pieces = calloc(stoa_max(1, *count), sizeof *pieces);
    if (pieces) {
        (void)cut_pieces(trainer, trainable, pieces);
    }
    return pieces;
}

/* Scratch for the weights that are updated whole, each its own. */
static bool allocate_work(stoa_trainer *trainer) {
    bool (*workspace)(size_t, size_t, size_t *) = trainer->settings.optimizer->workspace;
    size_t floats = 0, one;
    for (size_t i = 0; workspace && i < trainer->piece_count; i++) {
        const struct stoa_piece *piece = &trainer->pieces[i];
        if (piece->columns > 0 &&
            !(workspace(piece->rows, piece->columns, &one) && stoa_size_add(floats, one, &floats))) {
            return false;
        }
    }
    if (floats == 0) {
        return true;
    }
    if (!stoa_float_bytes(floats, &trainer->work_bytes)) {
        return false;
    }
    trainer->work = stoa_allocate(trainer->context, trainer->work_bytes, "optimizer");
    float *at = trainer->work;
    for (size_t i = 0; at && i < trainer->piece_count; i++) {
        struct stoa_piece *piece = &trainer->pieces[i];
        if (piece->columns > 0) {
            (void)workspace(piece->rows, piece->columns, &one);
            piece->work = at;
            at += one;
        }
    }
    return trainer->work;
}

static bool allocate(stoa_trainer *trainer) {
    const stoa_model *model = trainer->model;
    trainer->pieces = make_pieces(trainer, true, &trainer->piece_count);
    trainer->statistic_pieces = make_pieces(trainer, false, &trainer->statistic_piece_count);
    trainer->sums = calloc(stoa_max(1, trainer->piece_count), sizeof *trainer->sums);
    bool averages = trainer->settings.options.average > 0 && model->statistic_floats > 0;
    if (averages) {
        trainer->average_statistics = calloc(model->statistic_floats, sizeof *trainer->average_statistics);
    }
    return trainer->pieces && trainer->statistic_pieces && trainer->sums &&
           (!averages || trainer->average_statistics) && allocate_work(trainer);
}

stoa_status stoa_update_open(stoa_trainer *trainer, const stoa_train_options *options) {
    struct stoa_error *error = &trainer->context->error;
    trainer->rates = calloc(trainer->model->node_count, sizeof *trainer->rates);
    stoa_status status =
        trainer->rates ? stoa_rates_read(trainer->model, error, options, trainer->rates) : STOA_ERR_MEMORY;
    if (status == STOA_ERR_MEMORY || (status == STOA_OK && !allocate(trainer))) {
        return stoa_error_set(error, STOA_ERR_MEMORY, "trainer: out of memory");
    }
    return status;
}

void stoa_update_close(stoa_trainer *trainer) {
    free(trainer->rates);
    free(trainer->pieces);
    free(trainer->statistic_pieces);
    free(trainer->sums);
    if (trainer->work) {
        stoa_release(trainer->context, trainer->work, trainer->work_bytes);
    }
    free(trainer->average_statistics);
}

static void clip_values(const struct stoa_trainer *t, const struct stoa_piece *piece) {
    if (t->settings.options.clip_value > 0) {
        t->context->kernels->clip(stoa_plan_gradients(t->plan) + piece->first, piece->count,
                                  t->settings.options.clip_value);
    }
}

static void measure_piece(void *argument, size_t task, size_t thread) {
    (void)thread;
    struct stoa_trainer *t = argument;
    const struct stoa_piece *piece = &t->pieces[task];
    clip_values(t, piece);
    t->context->kernels->sum_squares(stoa_plan_gradients(t->plan) + piece->first, piece->count,
                                     &t->sums[task]);
}

/* Neighbours first, then neighbours of those: whoever computed them, the order of the sums is the same. */
static double add_in_tree(double *sums, size_t count) {
    for (size_t distance = 1; distance < count; distance *= 2) {
        for (size_t i = 0; i + distance < count; i += 2 * distance) {
            sums[i] += sums[i + distance];
        }
    }
    return count > 0 ? sums[0] : 0;
}

/* What the gradients are multiplied with so that their norm is at most clip_norm; as PyTorch's
 * clip_grad_norm_. */
static float measure_norm(struct stoa_trainer *t) {
    stoa_parallel(t->context, t->piece_count, measure_piece, t);
    double norm = sqrt(add_in_tree(t->sums, t->piece_count));
    double factor = (double)t->settings.options.clip_norm / (norm + 1e-6);
    return factor < 1 ? (float)factor : 1;
}

struct loop {
    struct stoa_trainer *trainer;
    float *parameters;
    float factor;              /* of the gradients */
    float keep;                /* of the average */
    struct stoa_update update; /* what is the same for all parts */
};

/* All that happens to some parameters of a piece, while they are in the nearest cache. */
static void update_part(const struct loop *loop, const struct stoa_piece *part) {
    const struct stoa_trainer *t = loop->trainer;
    const struct stoa_kernels *kernels = t->context->kernels;
    float *gradient = stoa_plan_gradients(t->plan) + part->first;
    struct stoa_update update = loop->update;
    update.parameter = loop->parameters + part->first;
    update.gradient = gradient;
    update.count = part->count;
    update.learning_rate = (float)(t->state.learning_rate * (double)part->rate);
    update.decays = part->decays;
    update.rows = part->rows;
    update.columns = part->columns;
    update.work = part->work;
    for (size_t slot = 0; slot < t->settings.optimizer_slots; slot++) {
        update.slot[slot] = stoa_plan_optimizer_slot(t->plan, slot) + part->first;
    }
    if (t->settings.options.clip_norm == 0) {
        clip_values(t, part);
    }
    if (loop->factor != 1) {
        kernels->scale(gradient, part->count, loop->factor);
    }
    t->settings.optimizer->update(&update);
    if (t->settings.options.average > 0) {
        kernels->average(stoa_trainer_average(t) + part->first, update.parameter, part->count, loop->keep);
    }
}

static void update_piece(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct loop *loop = argument;
    struct stoa_piece part = loop->trainer->pieces[task];
    size_t end = part.first + part.count, most = part.columns > 0 ? part.count : PART;
    for (; part.first < end; part.first += most) {
        part.count = stoa_min(most, end - part.first);
        update_part(loop, &part);
    }
}

/* The first parameters are taken as they are, and the average remembers longer and longer: in the beginning
 * there is little worth remembering. */
static float keep_of_average(const struct stoa_trainer *t) {
    double step = (double)t->state.steps;
    double rising = (1 + step) / (10 + step);
    return t->state.steps == 0 ? 0 : (float)fmin((double)t->settings.options.average, rising);
}

/* What is frozen is its own average, to the bit. */
static void average_frozen(stoa_trainer *trainer) {
    const stoa_model *model = trainer->model;
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        if (trainer->rates[stoa_tensor_node(model, i)] == 0) {
            float *average =
                tensor->spec.trainable ? stoa_trainer_average(trainer) : trainer->average_statistics;
            memcpy(average + tensor->offset, stoa_tensor_data(model, i), tensor->count * sizeof *average);
        }
    }
}

void stoa_update_run(stoa_trainer *trainer) {
    if (trainer->settings.options.average > 0 && trainer->state.steps == 0) {
        average_frozen(trainer);
    }
    struct loop loop = {.trainer = trainer,
                        .parameters = stoa_model_change(trainer->model),
                        .factor = 1,
                        .keep = keep_of_average(trainer),
                        .update = {.context = trainer->context,
                                   .kernels = trainer->context->kernels,
                                   .options = trainer->settings.optimizer_options,
                                   .step = trainer->state.steps + 1}};
    if (trainer->settings.optimizer->begin) {
        trainer->settings.optimizer->begin(&loop.update);
    }
    if (trainer->settings.options.clip_norm > 0) {
        loop.factor = measure_norm(trainer);
    }
    stoa_parallel(trainer->context, trainer->piece_count, update_piece, &loop);
    for (size_t i = 0; trainer->average_statistics && i < trainer->statistic_piece_count; i++) {
        const struct stoa_piece *piece = &trainer->statistic_pieces[i];
        trainer->context->kernels->average(trainer->average_statistics + piece->first,
                                           trainer->model->statistics + piece->first, piece->count,
                                           loop.keep);
    }
}

static void exchange(float *a, float *b, const struct stoa_piece *pieces, size_t count) {
    for (size_t p = 0; p < count; p++) {
        for (size_t i = pieces[p].first; i < pieces[p].first + pieces[p].count; i++) {
            float kept = a[i];
            a[i] = b[i];
            b[i] = kept;
        }
    }
}

void stoa_update_exchange(stoa_trainer *trainer) {
    average_frozen(trainer);
    exchange(stoa_model_change(trainer->model), stoa_trainer_average(trainer), trainer->pieces,
             trainer->piece_count);
    if (trainer->average_statistics) {
        exchange(trainer->model->statistics, trainer->average_statistics, trainer->statistic_pieces,
                 trainer->statistic_piece_count);
    }
}

struct joining {
    struct stoa_trainer *trainer;
    float keep, scale;
};

static void join_piece(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct joining *joining = argument;
    const struct stoa_trainer *t = joining->trainer;
    const struct stoa_piece *piece = &t->pieces[task];
    float *gradient = stoa_plan_gradients(t->plan) + piece->first;
    float *joined = stoa_trainer_joined(t) + piece->first;
    t->context->kernels->average(joined, gradient, piece->count, joining->keep);
    memcpy(gradient, joined, piece->count * sizeof *gradient);
    if (joining->scale != 1) {
        t->context->kernels->scale(gradient, piece->count, joining->scale);
    }
}

void stoa_update_join(stoa_trainer *trainer, double weight) {
    /* A mean that moves with every batch: no sum grows, and the first batch is copied. A sum of losses is
     * as many means of batches as there are. */
    trainer->weight = trainer->waiting > 1 ? trainer->weight + weight : weight;
    struct joining joining = {.trainer = trainer,
                              .keep = trainer->waiting > 1 ? (float)(1 - weight / trainer->weight) : 0,
                              .scale = trainer->settings.options.summed ? (float)trainer->waiting : 1};
    stoa_parallel(trainer->context, trainer->piece_count, join_piece, &joining);
}
