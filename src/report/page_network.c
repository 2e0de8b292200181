/* SPDX-License-Identifier: MIT */
/* What a network costs: its layers with their sizes and their share of a training step's time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/page_part.h"
#include "report/words.h"

/* Steps are timed until one of these is reached; the fastest of each pass counts. */
enum { MOST_STEPS = 20 };
static const double MOST_SECONDS = 0.4;

/* Times of a step's passes by layer, the loss behind the last. */
struct times {
    struct report_part *part;
    const struct report_subject *subject;
    struct report_out *out;
    size_t batch, layers;
    double *pass[2]; /* forwards and backwards, in seconds; INFINITY: not run */
    double run;      /* seconds of the step in progress */
    int32_t *labels;
    float *values; /* of a loss against vectors: 1 at the label */
    bool backward; /* a training step was timed, not inference alone */
};

static void note_pass(void *user, const stoa_traced_step *step) {
    struct times *times = user;
    double *best = &times->pass[step->backward][step->layer];
    *best = fmin(*best, step->seconds);
    times->run += step->seconds;
}

/* Samples of the data again and again, or numbers that stand for some. */
static void fill_batch(const struct times *times, stoa_plan *plan) {
    const struct report_subject *subject = times->subject;
    size_t size = stoa_model_input_size(subject->model), classes = stoa_model_output_size(subject->model);
    bool has_data = times->part->samples > 0;
    size_t count = has_data ? stoa_dataset_count(subject->data) : 1;
    float *input = stoa_plan_input(plan);
    for (size_t i = 0; i < times->batch; i++) {
        size_t sample = i % count;
        times->labels[i] = (int32_t)(i % classes);
        if (has_data) {
            stoa_dataset_read(subject->data, &sample, 0, 1, input + i * size, times->labels + i);
        }
        for (size_t j = 0; j < size && !has_data; j++) {
            input[i * size + j] = (float)((i + 7 * j) % 11) / 5 - 1;
        }
        times->values[i * classes + (size_t)times->labels[i]] = 1;
    }
}

static stoa_status time_steps(struct times *times, stoa_plan *plan) {
    const stoa_targets targets = {.labels = times->labels, .values = times->values};
    double sum = 0;
    stoa_status status = stoa_plan_bind(plan, NULL);
    for (int i = 0; status == STOA_OK && i < MOST_STEPS && sum < MOST_SECONDS; i++) {
        times->run = 0;
        fill_batch(times, plan);
        status = stoa_plan_trace(plan, times->batch, times->backward ? &targets : NULL, note_pass, times);
        sum += times->run;
    }
    return status;
}

/* Time training steps, or where the model cannot be trained so, inference. */
static stoa_status time_plan(struct times *times, bool training) {
    stoa_plan_options options = {.batch = times->batch,
                                 .training = training,
                                 .layerwise = true,
                                 .loss = training ? stoa_model_fact(times->subject->model, "loss") : NULL};
    stoa_plan *plan = NULL;
    times->backward = training;
    for (size_t i = 0; i <= times->layers; i++) {
        times->pass[0][i] = times->pass[1][i] = HUGE_VAL;
    }
    stoa_status status = stoa_plan_create(times->subject->context, times->subject->model, &options, &plan);
    status = status == STOA_OK ? time_steps(times, plan) : status;
    stoa_plan_free(plan);
    return status;
}

static bool open_times(struct times *times) {
    size_t classes = stoa_model_output_size(times->subject->model);
    times->pass[0] = report_memory(times->out, times->layers + 1, sizeof(double));
    times->pass[1] = report_memory(times->out, times->layers + 1, sizeof(double));
    times->labels = report_memory(times->out, times->batch, sizeof *times->labels);
    bool fits = times->batch <= SIZE_MAX / sizeof(float) / classes;
    times->values = fits ? report_memory(times->out, times->batch * classes, sizeof(float)) : NULL;
    return times->pass[0] && times->pass[1] && times->labels && times->values;
}

static double time_of(const struct times *times, size_t layer) {
    double sum = 0;
    for (int i = 0; i < 2; i++) {
        sum += isfinite(times->pass[i][layer]) ? times->pass[i][layer] : 0;
    }
    return sum;
}

/* ---- the table ---- */

struct row {
    const char *name, *op, *options, *output;
    size_t parameters, bytes; /* bytes: of weights, and of the output of one sample */
    double flops, seconds[2], share;
};

static void put_text(struct report_out *out, const char *text, const char *class) {
    report_print(out, "<td%s>", class);
    report_escape(out, text);
    report_put(out, "</td>");
}

static void put_seconds(struct report_out *out, double seconds) {
    struct report_words words = {""};
    put_text(out, isfinite(seconds) ? report_time_words(&words, seconds) : "\342\200\223", " class=\"r\"");
}

static void put_row(struct report_out *out, const struct row *row) {
    struct report_words words = {""};
    report_put(out, "<tr><th scope=\"row\">");
    report_escape(out, row->name);
    report_put(out, "</th>");
    put_text(out, row->op, "");
    put_text(out, row->options, " class=\"options\"");
    put_text(out, row->output, " class=\"r\"");
    put_text(out, report_count_words(&words, row->parameters), " class=\"r\"");
    put_text(out, report_flops_words(&words, row->flops), " class=\"r\"");
    put_text(out, report_bytes_words(&words, row->bytes), " class=\"r\"");
    if (isfinite(row->share)) {
        put_seconds(out, row->seconds[0]);
        put_seconds(out, row->seconds[1]);
        report_print(out, "<td class=\"r share\"><span style=\"--w:%.1f%%\"></span>%.1f %%</td>",
                     100 * row->share, 100 * row->share);
    }
    report_put(out, "</tr>\n");
}

static void put_heads(struct report_out *out, bool timed) {
    static const char *const heads[] = {"layer", "operator", "options",  "output",    "parameters",
                                        "flops", "bytes",    "forwards", "backwards", "share of time"};
    report_put(out, "<thead><tr>");
    for (size_t i = 0; i < (timed ? 10 : 7); i++) {
        report_print(out, "<th scope=\"col\"%s>%s</th>", i >= 3 ? " class=\"r\"" : "", heads[i]);
    }
    report_put(out, "</tr></thead>\n<tbody>\n");
}

/* Of a layer, or of the loss behind the last; `sum` is the time of all, 0 where it is not known. */
static double share_of(const struct times *times, size_t layer, double sum) {
    return sum > 0 ? time_of(times, layer) / sum : (double)NAN;
}

static struct row row_of(const struct times *times, const stoa_layer_info *layer, size_t at, double sum,
                         struct report_words *shape) {
    size_t outputs = 1;
    for (size_t i = 0; i < layer->rank; i++) {
        outputs *= layer->shape[i];
    }
    return (struct row){.name = layer->name,
                        .op = layer->op,
                        .options = layer->options,
                        .output = report_shape_words(shape, layer->shape, layer->rank),
                        .parameters = layer->parameters,
                        .bytes = (layer->parameters + outputs) * sizeof(float),
                        .flops = layer->flops,
                        .seconds = {times->pass[0][at], times->pass[1][at]},
                        .share = share_of(times, at, sum)};
}

static struct row row_of_loss(const struct times *times, double sum) {
    return (struct row){.name = "loss",
                        .op = "",
                        .options = times->part->loss ? times->part->loss : "",
                        .output = "1",
                        .bytes = sizeof(float),
                        .seconds = {times->pass[0][times->layers], times->pass[1][times->layers]},
                        .share = share_of(times, times->layers, sum)};
}

static void add_up(struct row *total, const struct row *row) {
    total->parameters += row->parameters;
    total->bytes += row->bytes;
    total->flops += row->flops;
    for (int pass = 0; pass < 2; pass++) {
        total->seconds[pass] += isfinite(row->seconds[pass]) ? row->seconds[pass] : 0;
    }
}

static void write_rows(const struct times *times, double sum) {
    struct report_out *out = times->out;
    struct row total = {
        .name = "all", .op = "", .options = "", .output = "", .share = sum > 0 ? 1 : (double)NAN};
    for (size_t i = 0; i < times->layers; i++) {
        stoa_layer_info layer;
        struct report_words shape = {""};
        if (stoa_model_layer(times->subject->model, i, &layer) == STOA_OK) {
            const struct row row = row_of(times, &layer, i, sum, &shape);
            put_row(out, &row);
            add_up(&total, &row);
        }
    }
    if (sum > 0 && times->backward) {
        const struct row row = row_of_loss(times, sum);
        put_row(out, &row);
        add_up(&total, &row);
    }
    report_put(out, "</tbody>\n<tfoot>\n");
    put_row(out, &total);
    report_put(out, "</tfoot>\n");
}

static void write_table(const struct times *times, bool timed) {
    struct report_out *out = times->out;
    const stoa_context *context = times->subject->context;
    double sum = 0;
    for (size_t i = 0; timed && i <= times->layers; i++) {
        sum += time_of(times, i);
    }
    report_put(
        out, "<p>Flops and bytes are of one sample forwards: a multiply and an add are two, bytes are those "
             "of parameters and output.");
    if (sum > 0) {
        report_print(out, " Times are of %s of %zu samples on %zu thread%s, the fastest of each pass.",
                     times->backward ? "a training step" : "inference", times->batch,
                     stoa_context_threads(context), stoa_context_threads(context) == 1 ? "" : "s");
    }
    report_put(out, "</p>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Layers\"><table "
                    "class=\"layers\"><caption>Layers</caption>\n");
    put_heads(out, sum > 0);
    write_rows(times, sum);
    report_put(out, "</table></div>\n");
}

void report_write_network(struct report_part *part, const struct report_subject *subject) {
    struct times times = {.part = part,
                          .subject = subject,
                          .out = &part->section[REPORT_NETWORK],
                          .batch = part->batch,
                          .layers = stoa_model_layer_count(subject->model)};
    if (open_times(&times)) {
        stoa_status status = time_plan(&times, true);
        if (status != STOA_OK && status != STOA_ERR_MEMORY) {
            status = time_plan(&times, false);
        }
        write_table(&times, status == STOA_OK);
        if (status != STOA_OK) {
            report_write_failure(part, REPORT_NETWORK, subject->context, status);
        }
    }
    free(times.pass[0]);
    free(times.pass[1]);
    free(times.labels);
    free(times.values);
}
