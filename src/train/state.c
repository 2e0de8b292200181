/* SPDX-License-Identifier: MIT */
/* The state of a training as a file: the numbers of struct stoa_training_state, the options and the data as
 * facts of a model file, and the arrays beside the model's tensors in it. What is loaded is checked whole
 * before anything is changed. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/float_state.h"
#include "base/number.h"
#include "data/dataset.h"
#include "model/describe.h"
#include "model/files.h"
#include "train/keys.h"
#include "train/trainer.h"

/* How much of a text of the file an error sentence repeats. */
#define TEXT "%.200s"

static const struct field {
    const char *name;
    enum { COUNT, NUMBER } type; /* uint64_t, double */
    size_t offset;
} fields[] = {
#define AT(member) offsetof(struct stoa_training_state, member)
    {"steps", COUNT, AT(steps)},
    {"batches", COUNT, AT(batches)},
    {"epochs", COUNT, AT(epochs)},
    {"samples", COUNT, AT(samples)},
    {"correct", COUNT, AT(correct)},
    {"loss", NUMBER, AT(loss)},
    {"weight", NUMBER, AT(weight)},
    {"learning_rate", NUMBER, AT(learning_rate)},
    {"schedule.factor", NUMBER, AT(schedule.factor)},
    {"schedule.best", NUMBER, AT(schedule.best)},
    {"schedule.bad", COUNT, AT(schedule.bad)},
    {"schedule.resting", COUNT, AT(schedule.resting)},
    {"best.value", NUMBER, AT(best.value)},
    {"best.reference", NUMBER, AT(best.reference)},
    {"best.epoch", COUNT, AT(best.epoch)},
    {"best.waited", COUNT, AT(best.waited)},
#undef AT
};
enum { FIELDS = sizeof fields / sizeof *fields, MOST_FACTS = FIELDS + 96 };

/* ---- facts ---- */

struct facts {
    struct stoa_fact list[MOST_FACTS];
    size_t count;
    bool short_of_memory;
};

__attribute__((format(printf, 3, 4))) static void put(struct facts *facts, const char *key,
                                                      const char *format, ...) {
    struct stoa_fact fact = {.key = strdup(key)};
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&fact.value, format, arguments) < 0) {
        fact.value = NULL;
    }
    va_end(arguments);
    facts->short_of_memory = facts->short_of_memory || !fact.key || !fact.value;
    facts->list[facts->count++] = fact;
}

static void free_facts(struct facts *facts) {
    for (size_t i = 0; i < facts->count; i++) {
        free(facts->list[i].key);
        free(facts->list[i].value);
    }
}

static void put_state(const struct stoa_training_state *state, struct facts *facts) {
    for (size_t i = 0; i < FIELDS; i++) {
        const void *member = (const char *)state + fields[i].offset;
        uint64_t count;
        double number;
        char text[32];
        memcpy(&count, member, sizeof count);
        memcpy(&number, member, sizeof number);
        stoa_format_double(number, text);
        if (fields[i].type == COUNT) {
            put(facts, fields[i].name, "%" PRIu64, count);
        } else {
            put(facts, fields[i].name, "%s", text);
        }
    }
}

/* What the options are, the defaults among them; only `epochs` may change. */
static void put_options(const struct stoa_trainer *trainer, struct facts *facts) {
    for (size_t i = 0; i < trainer->option_count; i++) {
        put(facts, trainer->options[i].key, "%s", trainer->options[i].value);
    }
}

stoa_status stoa_options_keep(stoa_trainer *trainer, const stoa_train_options *options) {
    struct stoa_error *error = &trainer->context->error;
    struct stoa_train_settings parsed;
    stoa_train_options whole = *options;
    bool own = stoa_loss_is_own(options->loss);
    whole.loss = own ? NULL : options->loss;
    stoa_status status = stoa_keys_complete(error, &stoa_train_keys, &whole, &parsed);
    whole.loss = own ? options->loss : whole.loss;
    trainer->options = calloc(stoa_train_keys.count, sizeof *trainer->options);
    bool good = trainer->options != NULL;
    for (size_t i = 0; status == STOA_OK && good && i < stoa_train_keys.count; i++) {
        char number[STOA_KEY_TEXT];
        const struct stoa_key *key = &stoa_train_keys.key[i];
        const char *text = stoa_key_text(key, &whole, number);
        if (strcmp(key->option.name, "epochs") != 0) {
            struct stoa_fact *fact = &trainer->options[trainer->option_count++];
            good = asprintf(&fact->key, "train.%s", key->option.name) >= 0;
            fact->key = good ? fact->key : NULL;
            fact->value = strdup(text ? text : "");
            good = good && fact->value;
        }
    }
    return status == STOA_OK && !good ? stoa_fail(trainer->context, STOA_ERR_MEMORY, "trainer: out of memory")
                                      : status;
}

void stoa_options_release(stoa_trainer *trainer) {
    for (size_t i = 0; i < trainer->option_count; i++) {
        free(trainer->options[i].key);
        free(trainer->options[i].value);
    }
    free(trainer->options);
}

/* What a data set is, in words; the same words for the same data. Found once: a trainer's data stay. */
static stoa_status put_data(stoa_context *context, const char *key, const stoa_dataset *data,
                            char words[STOA_DATA_WORDS], struct facts *facts) {
    size_t height, width, channels;
    uint32_t checksum;
    stoa_status status = STOA_OK;
    if (data && !words[0]) {
        stoa_dataset_shape(data, &height, &width, &channels);
        status = stoa_dataset_checksum(context, data, &checksum);
        if (status == STOA_OK) {
            size_t targets = stoa_dataset_targets(data);
            (void)snprintf(
                words, STOA_DATA_WORDS, "%zu samples of %zux%zux%zu %s %zu %s, checksum %08" PRIx32,
                stoa_dataset_count(data), height, width, channels, targets ? "with" : "in",
                targets ? targets : stoa_dataset_classes(data), targets ? "targets" : "classes", checksum);
        }
    }
    if (data && status == STOA_OK) {
        put(facts, key, "%s", words);
    }
    return status;
}

static stoa_status collect(struct stoa_trainer *trainer, struct facts *facts) {
    put_state(&trainer->state, facts);
    put_options(trainer, facts);
    stoa_status status =
        put_data(trainer->context, "training data", trainer->train, trainer->train_words, facts);
    if (status == STOA_OK) {
        status = put_data(trainer->context, "test data", trainer->test, trainer->test_words, facts);
    }
    return status == STOA_OK && facts->short_of_memory
               ? stoa_fail(trainer->context, STOA_ERR_MEMORY, "no memory for the state of a training")
               : status;
}

/* ---- arrays ---- */

enum { MOST_GROUPS = STOA_MAX_SLOTS + 3 };

struct groups {
    struct stoa_tensor_group list[MOST_GROUPS];
    char suffix[STOA_MAX_SLOTS][48];
    size_t count;
};

/* The groups of a trainer in a state; before the first step there are no averages, before the first
 * validation there is no best model. */
static void list_groups(const struct stoa_trainer *trainer, const struct stoa_training_state *state,
                        struct groups *groups) {
    const struct stoa_train_settings *settings = &trainer->settings;
    const struct stoa_best *best = &trainer->best;
    struct stoa_tensor_group *list = groups->list;
    size_t count = 0;
    list[count++] = (struct stoa_tensor_group){.prefix = "", .suffix = "", .own = true};
    if (settings->options.average > 0 && state->steps > 0) {
        list[count++] = (struct stoa_tensor_group){.prefix = "average.",
                                                   .suffix = "",
                                                   .parameters = stoa_trainer_average(trainer),
                                                   .statistics = trainer->average_statistics};
    }
    if (trainer->averaged) {
        /* They stand in each other's place. */
        list[0].own = false;
        list[0].parameters = list[1].parameters;
        list[0].statistics = list[1].statistics;
        list[1].own = true;
    }
    for (size_t slot = 0; slot < settings->optimizer_slots; slot++) {
        (void)snprintf(groups->suffix[slot], sizeof groups->suffix[slot], ".%s", settings->slot_names[slot]);
        list[count++] =
            (struct stoa_tensor_group){.prefix = "optimizer.state.",
                                       .suffix = groups->suffix[slot],
                                       .parameters = stoa_plan_optimizer_slot(trainer->plan, slot)};
    }
    if (best->parameters && state->best.epoch > 0) {
        list[count++] = (struct stoa_tensor_group){
            .prefix = "best.", .suffix = "", .parameters = best->parameters, .statistics = best->statistics};
    }
    groups->count = count;
}

stoa_status stoa_trainer_save_memory(stoa_trainer *trainer, void **data, size_t *bytes) {
    STOA_FLOAT_STATE();
    struct facts facts = {.count = 0};
    struct groups groups = {.count = 0};
    if (trainer->waiting > 0) {
        return stoa_fail(trainer->context, STOA_ERR_ARGUMENT,
                         "the gradients of %zu batches wait for their update, expected a whole step",
                         trainer->waiting);
    }
    stoa_status status = collect(trainer, &facts);
    if (status == STOA_OK) {
        list_groups(trainer, &trainer->state, &groups);
        status =
            stoa_model_write(trainer->model, groups.list, groups.count, facts.list, facts.count, data, bytes);
    }
    free_facts(&facts);
    return status;
}

stoa_status stoa_trainer_save(stoa_trainer *trainer, const char *path) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_trainer_save_memory(trainer, &data, &bytes);
    return stoa_model_write_file(trainer->context, path, status, data, bytes);
}

/* ---- loading ---- */

static stoa_status read_number(const char *text, double *number) {
    static const struct {
        const char *text;
        double value;
    } others[] = {{"inf", (double)INFINITY}, {"-inf", -(double)INFINITY}, {"nan", (double)NAN}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(text, others[i].text) == 0) {
            *number = others[i].value;
            return STOA_OK;
        }
    }
    return stoa_parse_double(text, strlen(text), number) ? STOA_OK : STOA_ERR_FORMAT;
}

static stoa_status read_state(stoa_context *context, const json_t *training,
                              struct stoa_training_state *state) {
    for (size_t i = 0; i < FIELDS; i++) {
        const char *text = json_string_value(json_object_get(training, fields[i].name));
        void *member = (char *)state + fields[i].offset;
        uint64_t count;
        double number;
        bool good = false;
        if (text && fields[i].type == COUNT) {
            good = stoa_parse_u64(text, strlen(text), &count);
            memcpy(member, &count, good ? sizeof count : 0);
        } else if (text) {
            good = read_number(text, &number) == STOA_OK;
            memcpy(member, &number, good ? sizeof number : 0);
        }
        if (!good) {
            return stoa_fail(context, STOA_ERR_FORMAT, "its training has '%s' %s%.40s%s, expected a number",
                             fields[i].name, text ? "as '" : "not", text ? text : "", text ? "'" : " at all");
        }
    }
    return STOA_OK;
}

/* Training goes on behind these epochs and samples. */
static stoa_status check_place(const struct stoa_trainer *trainer, const struct stoa_training_state *state) {
    if (state->epochs > trainer->settings.options.epochs) {
        return stoa_fail(trainer->context, STOA_ERR_ARGUMENT,
                         "epochs: found %zu, expected at least %" PRIu64 ": so many are trained already",
                         trainer->settings.options.epochs, state->epochs);
    }
    /* Behind its last step an epoch may wait for its evaluation; that step may have had fewer samples. */
    bool stepped = state->samples == trainer->epoch_samples ||
                   (trainer->step_samples > 0 && state->samples % trainer->step_samples == 0);
    if (trainer->step_samples > 0 && (state->samples > trainer->epoch_samples || !stepped)) {
        return stoa_fail(trainer->context, STOA_ERR_FORMAT,
                         "found %" PRIu64 " samples of an epoch of %zu trained, expected whole steps of %zu",
                         state->samples, trainer->epoch_samples, trainer->step_samples);
    }
    return STOA_OK;
}

/* Whether a layer's line is this one. */
static bool is_line(const char *line, const stoa_layer_info *info) {
    size_t length = strlen(info->op);
    const char *options = line + length + (info->options[0] != '\0');
    return strncmp(line, info->op, length) == 0 && line[length] == (info->options[0] ? ' ' : '\0') &&
           strcmp(options, info->options) == 0;
}

/* The layers by name and line: those without tensors count as well. */
static stoa_status check_layers(const struct stoa_trainer *trainer, const json_t *layers) {
    const stoa_model *model = trainer->model;
    size_t count = stoa_model_layer_count(model);
    for (size_t i = 0; i < count; i++) {
        stoa_layer_info info;
        const json_t *pair = json_array_get(layers, i);
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *line = json_string_value(json_array_get(pair, 1));
        if (stoa_model_layer(model, i, &info) != STOA_OK) {
            return STOA_ERR_ARGUMENT;
        }
        if (!name || !line || strcmp(name, info.name) != 0 || !is_line(line, &info)) {
            return stoa_fail(trainer->context, STOA_ERR_ARGUMENT,
                             "layer %zu was '%.80s = " TEXT "' when it was saved, found '%.80s = %s%s" TEXT
                             "'",
                             i + 1, name ? name : "", line ? line : "", info.name, info.op,
                             info.options[0] ? " " : "", info.options);
        }
    }
    return json_array_size(layers) == count
               ? STOA_OK
               : stoa_fail(trainer->context, STOA_ERR_ARGUMENT,
                           "the model had %zu layers when it was saved, found %zu", json_array_size(layers),
                           count);
}

/* Options and data are what they were. Those that are new since then, or are not known here, are not
 * compared. */
static stoa_status check_facts(struct stoa_trainer *trainer, const json_t *training) {
    struct facts facts = {.count = 0};
    stoa_status status = collect(trainer, &facts);
    for (size_t i = FIELDS; status == STOA_OK && i < facts.count; i++) {
        const struct stoa_fact *fact = &facts.list[i];
        const char *saved = json_string_value(json_object_get(training, fact->key));
        if (saved && strcmp(saved, fact->value) != 0) {
            status = stoa_fail(trainer->context, STOA_ERR_ARGUMENT,
                               "%s: found '" TEXT "', expected '" TEXT "' as when it was saved", fact->key,
                               fact->value, saved);
        }
    }
    free_facts(&facts);
    return status;
}

/* Note what differs first between the engine that saved and this one. */
static stoa_status compare_builds(struct stoa_trainer *trainer, json_t *graph) {
    json_t *now = json_object(), *fingerprint = json_object_get(graph, "fingerprint");
    const char *key;
    json_t *value;
    bool good = stoa_describe_build(trainer->context, now);
    trainer->other_build[0] = '\0';
    json_object_foreach(now, key, value) {
        const char *saved = json_string_value(json_object_get(fingerprint, key));
        saved = saved ? saved : json_string_value(json_object_get(graph, key));
        if (saved && !trainer->other_build[0] && strcmp(saved, json_string_value(value)) != 0) {
            (void)snprintf(trainer->other_build, sizeof trainer->other_build, "%s %.50s, now %.50s", key,
                           saved, json_string_value(value));
        }
    }
    json_decref(now);
    return good ? STOA_OK : stoa_fail(trainer->context, STOA_ERR_MEMORY, "no memory for a description");
}

static stoa_status check(struct stoa_trainer *trainer, const struct stoa_safetensors *file,
                         const json_t *graph, struct stoa_training_state *state) {
    stoa_context *context = trainer->context;
    const json_t *training = json_object_get(graph, STOA_TRAINING_KEY);
    struct groups groups = {.count = 0};
    if (!json_is_object(training)) {
        return stoa_fail(context, STOA_ERR_FORMAT,
                         "found a model without a training's state, expected what stoa_trainer_save() wrote");
    }
    stoa_status status = check_layers(trainer, json_object_get(graph, "layers"));
    if (status == STOA_OK) {
        status = check_facts(trainer, training);
    }
    if (status == STOA_OK) {
        status = read_state(context, training, state);
    }
    if (status == STOA_OK) {
        status = check_place(trainer, state);
    }
    if (status == STOA_OK) {
        list_groups(trainer, state, &groups);
        status = stoa_groups_check(trainer->model, file, groups.list, groups.count, true);
    }
    return status;
}

/* The checksum is looked at last: what is wrong in a way that can be told is told. */
static stoa_status load_file(struct stoa_trainer *trainer, const struct stoa_safetensors *file, json_t *graph,
                             const void *data, size_t bytes) {
    struct stoa_training_state state = {0};
    struct groups groups = {.count = 0};
    stoa_trainer_use_average(trainer, false);
    stoa_status status = check(trainer, file, graph, &state);
    if (status == STOA_OK) {
        status = stoa_safetensors_check_seal(&trainer->context->error, data, bytes);
    }
    if (status == STOA_OK) {
        status = compare_builds(trainer, graph);
    }
    if (status == STOA_OK) {
        list_groups(trainer, &state, &groups);
        status = stoa_groups_read(trainer->model, file, groups.list, groups.count);
    }
    if (status == STOA_OK) {
        trainer->state = state;
        trainer->waiting = 0;
    }
    return status;
}

stoa_status stoa_trainer_load_memory(stoa_trainer *trainer, const void *data, size_t bytes) {
    STOA_FLOAT_STATE();
    stoa_context *context = trainer->context;
    struct stoa_safetensors *file = NULL;
    json_t *graph = NULL;
    stoa_status status = stoa_safetensors_open(&context->error, data, bytes, &file);
    if (status == STOA_OK) {
        status = stoa_model_read_graph(context, file, &graph);
    }
    if (status == STOA_OK) {
        status = load_file(trainer, file, graph, data, bytes);
    }
    json_decref(graph);
    stoa_safetensors_close(file);
    return status;
}

stoa_status stoa_trainer_load(stoa_trainer *trainer, const char *path) {
    struct stoa_error *error = &trainer->context->error;
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(error, path, SIZE_MAX / 2, &data, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_trainer_load_memory(trainer, data, bytes);
    free(data);
    return status == STOA_OK ? STOA_OK : stoa_error_prefix(error, "%s: ", path);
}
