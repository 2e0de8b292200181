/* Training options: defaults, ranges, and the registries of optimisers and schedules. Floor 7. */
#include "train/options.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"
#include "train/train_list.h" /* made from src/train/meson.build: X(name) for every optimiser and schedule */

#define STOA_OPTIMIZER_DECLARE(name) extern const struct stoa_optimizer stoa_optimizer_##name;
STOA_OPTIMIZER_LIST(STOA_OPTIMIZER_DECLARE)
#undef STOA_OPTIMIZER_DECLARE
#define STOA_SCHEDULE_DECLARE(name) extern const struct stoa_schedule stoa_schedule_##name;
STOA_SCHEDULE_LIST(STOA_SCHEDULE_DECLARE)
#undef STOA_SCHEDULE_DECLARE

#define STOA_OPTIMIZER_ADDRESS(name) &stoa_optimizer_##name,
const struct stoa_optimizer *const stoa_optimizers[] = {STOA_OPTIMIZER_LIST(STOA_OPTIMIZER_ADDRESS) NULL};
#undef STOA_OPTIMIZER_ADDRESS
#define STOA_SCHEDULE_ADDRESS(name) &stoa_schedule_##name,
const struct stoa_schedule *const stoa_schedules[] = {STOA_SCHEDULE_LIST(STOA_SCHEDULE_ADDRESS) NULL};
#undef STOA_SCHEDULE_ADDRESS

static stoa_status read_optimizer(struct stoa_error *error, const char *line,
                                  struct stoa_train_settings *settings) {
    struct stoa_spec spec;
    if (stoa_spec_parse(error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(error, "optimizer: ");
    }
    for (size_t i = 0; stoa_optimizers[i]; i++) {
        const struct stoa_optimizer *o = stoa_optimizers[i];
        if (strcmp(o->name, spec.name) == 0) {
            assert(o->options_bytes <= sizeof settings->optimizer_options);
            settings->optimizer = o;
            stoa_status status =
                stoa_options_read(error, o->options, o->option_count, &spec, settings->optimizer_options);
            if (status != STOA_OK) {
                return stoa_error_prefix(error, "optimizer %s: ", o->name);
            }
            settings->optimizer_slots = o->slots(settings->optimizer_options);
            assert(settings->optimizer_slots <= STOA_MAX_SLOTS);
            return STOA_OK;
        }
    }
    return stoa_error_set(error, STOA_ERR_ARGUMENT,
                          "unknown optimizer '%.64s', expected one of " STOA_OPTIMIZER_NAMES, spec.name);
}

static stoa_status read_schedule(struct stoa_error *error, const char *line,
                                 struct stoa_train_settings *settings) {
    struct stoa_spec spec;
    if (stoa_spec_parse(error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(error, "schedule: ");
    }
    for (size_t i = 0; stoa_schedules[i]; i++) {
        const struct stoa_schedule *s = stoa_schedules[i];
        if (strcmp(s->name, spec.name) == 0) {
            assert(s->options_bytes <= sizeof settings->schedule_options);
            settings->schedule = s;
            stoa_status status =
                stoa_options_read(error, s->options, s->option_count, &spec, settings->schedule_options);
            return status == STOA_OK ? STOA_OK : stoa_error_prefix(error, "schedule %s: ", s->name);
        }
    }
    return stoa_error_set(error, STOA_ERR_ARGUMENT,
                          "unknown schedule '%.64s', expected one of " STOA_SCHEDULE_NAMES, spec.name);
}

static stoa_status read_loss(struct stoa_error *error, const char *line,
                             struct stoa_train_settings *settings) {
    struct stoa_spec spec;
    if (stoa_spec_parse(error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(error, "loss: ");
    }
    const struct stoa_op *op = stoa_op_find(spec.name);
    if (!op || !op->is_loss) {
        return stoa_unknown_loss(error, spec.name);
    }
    (void)snprintf(settings->loss, sizeof settings->loss, "%s", line);
    return STOA_OK;
}

stoa_status stoa_train_settings_read(stoa_context *context, const stoa_train_options *options,
                                     struct stoa_train_settings *settings) {
    *settings = (struct stoa_train_settings){
        .epochs = options->epochs ? options->epochs : 1,
        .batch = options->batch ? options->batch : 64,
        .seed = options->seed,
        .learning_rate = options->learning_rate != 0 ? options->learning_rate : 1e-3F,
    };
    if (!isfinite(settings->learning_rate) || settings->learning_rate <= 0) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "lr: found %g, expected a finite number above 0",
                         (double)settings->learning_rate);
    }
    if (settings->batch > STOA_MAX_DIMENSION || settings->epochs > STOA_MAX_DIMENSION) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "found batch %zu and %zu epochs, expected at most %zu",
                         settings->batch, settings->epochs, STOA_MAX_DIMENSION);
    }
    struct stoa_error *error = &context->error;
    stoa_status status = read_optimizer(error, options->optimizer ? options->optimizer : "adam", settings);
    if (status == STOA_OK) {
        status = read_schedule(error, options->schedule ? options->schedule : "constant", settings);
    }
    if (status == STOA_OK) {
        status = read_loss(error, options->loss ? options->loss : STOA_DEFAULT_LOSS, settings);
    }
    return status;
}

stoa_status stoa_optimizer_slots(stoa_context *context, const char *optimizer, size_t *slots) {
    struct stoa_train_settings settings;
    stoa_status status =
        stoa_train_settings_read(context, &(stoa_train_options){.optimizer = optimizer}, &settings);
    if (status == STOA_OK) {
        *slots = settings.optimizer_slots;
    }
    return status;
}

stoa_status stoa_train_options_check(stoa_context *context, const stoa_train_options *options) {
    struct stoa_train_settings settings;
    return stoa_train_settings_read(context, options, &settings);
}
